"""Who switches the gate in a plan's releases: a card on the sample clock, or calls of software."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..instruments.capabilities import GateCapabilities
from ..instruments.patterns import FEEDBACK, LevelTrack, Pattern
from ..instruments.rig import Rig
from ..models.errors import InputError
from ..models.prefixes import engineering
from .plans import ReheatingPlan

__all__ = ["LEAST_JITTERS", "Cycle", "timing_of"]

LEAST_JITTERS = 5.0
"""Shortest release of a gate that software switches, in units of its jitter."""

_LEAST_SAMPLES = 16


@dataclass(frozen=True)
class Cycle:
    """One repetition in samples: feedback on, then off.

    Attributes
    ----------
    cool, free : int
        Samples with feedback on and off.
    """

    cool: int
    free: int

    @classmethod
    def of(cls, plan: ReheatingPlan, sample_rate: float) -> Cycle:
        """Repetition of a plan at a sample rate, Hz."""
        return cls(
            max(_LEAST_SAMPLES, round(plan.cool_time * sample_rate)),
            max(_LEAST_SAMPLES, round(plan.release_time * sample_rate)),
        )

    @property
    def samples(self) -> int:
        """Samples of one repetition."""
        return self.cool + self.free

    def pattern(self, numbers: Sequence[int]) -> Pattern:
        """Pattern of repetitions with these numbers."""
        release = LevelTrack(idle=True, edges=((self.cool, False), (self.samples, True)))
        return Pattern(self.samples, len(numbers), levels={FEEDBACK: release})


def timing_of(plan: ReheatingPlan, rig: Rig) -> tuple[Literal["card", "software"], str]:
    """Say who is to switch the gate of a rig that is connected.

    Returns
    -------
    timing : {"card", "software"}
        The card where the plan leaves the choice and it can.
    why : str
        Why the card does not though there is one; else empty.

    Raises
    ------
    InputError
        If the plan cannot be carried out so; says what is missing.
    """
    if plan.timing == "software":
        _require_steady_gate(plan, rig)
        return "software", ""
    if rig.pattern is None:
        if plan.timing == "card":
            raise InputError(
                f"plan.timing = card needs a card that plays patterns on the feedback line; rig "
                f"{rig.name} ({rig.mode}) has none: add [devices.pattern]"
            )
        _require_steady_gate(plan, rig)
        return "software", ""
    rate = rig.digitizer.info.sample_rate
    try:
        rig.pattern.check(Cycle.of(plan, rate).pattern(range(plan.repetitions)), rate)
    except InputError as error:
        if plan.timing == "card":
            raise
        _require_steady_gate(plan, rig, str(error))
        return "software", f"releases are switched by software: {error}"
    return "card", ""


def _require_steady_gate(plan: ReheatingPlan, rig: Rig, why: str = "") -> None:
    """Refuse releases that are short against the jitter of a gate switched by calls."""
    limits = getattr(rig.gate, "capabilities", GateCapabilities())
    least = LEAST_JITTERS * limits.jitter
    if plan.release_time >= least:
        return
    raise InputError(
        f"plan.release_time {engineering(plan.release_time, 's')} is shorter than "
        f"{LEAST_JITTERS:g} × the jitter of the gate ({engineering(limits.jitter, 's')}), "
        f"allowed: {engineering(least, 's')} or more where calls switch it; let a card do it "
        f"({why or _how(rig)}) or release for longer"
    )


def _how(rig: Rig) -> str:
    """What has a card switch the gate of a rig."""
    return "add [devices.pattern]" if rig.pattern is None else "plan.timing = card"
