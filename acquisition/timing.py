"""Who switches the gate in a plan's releases: a card on the sample clock, or calls of software."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..instruments.capabilities import GateCapabilities
from ..instruments.patterns import FEEDBACK, LevelTrack, Pattern, Waveform
from ..instruments.rig import Rig
from ..models.errors import InputError
from ..models.prefixes import engineering
from .plans import ReheatingPlan

__all__ = ["LEAST_JITTERS", "MOST_SAMPLES", "PHASE", "Cycle", "Played", "timing_of"]

LEAST_JITTERS = 5.0
"""Shortest release of a gate that software switches, in units of its jitter."""

MOST_SAMPLES = 1 << 24
"""Samples of a waveform that is played as one period: 128 MB."""

PHASE = "phase"
"""Name of the signal that turns the optical phase φ, rad."""

_LEAST_SAMPLES = 16
_LEAST_STEPS = 4  # of a turn of φ


@dataclass(frozen=True)
class Played:
    """A pattern of releases, and where they lie in it.

    Attributes
    ----------
    pattern : Pattern
        Its period holds one or more repetitions.
    starts : tuple of int
        Sample of the period at which each of its releases begins.
    count : int
        Releases in all.
    """

    pattern: Pattern
    starts: tuple[int, ...]
    count: int

    def start(self, number: int) -> int:
        """Sample of the pattern at which one of its releases begins, counted from 0."""
        periods, own = divmod(number, len(self.starts))
        return self.pattern.lead + periods * self.pattern.period + self.starts[own]


@dataclass(frozen=True)
class Cycle:
    """One repetition in samples: feedback on, then off.

    Attributes
    ----------
    cool, free : int
        Samples with feedback on and off.
    settle : int
        Samples with feedback on before that where φ has changed.
    rate : float
        Samples a second.
    """

    cool: int
    free: int
    settle: int
    rate: float

    @classmethod
    def of(cls, plan: ReheatingPlan, sample_rate: float) -> Cycle:
        """Repetition of a plan at a sample rate, Hz."""
        return cls(
            max(_LEAST_SAMPLES, round(plan.cool_time * sample_rate)),
            max(_LEAST_SAMPLES, round(plan.release_time * sample_rate)),
            round(plan.reversal_settling * sample_rate) if plan.plays_phase else 0,
            sample_rate,
        )

    def played(self, numbers: Sequence[int], plan: ReheatingPlan) -> Played:
        """Pattern of the first of these repetitions; all of them unless φ is reversed.

        Where φ is reversed its period holds a block of either phase, and what is left over is
        played by itself.

        Raises
        ------
        InputError
            If two blocks are too long for a waveform, or φ turns too fast for the sample clock.
        """
        if plan.phase_rate > self.rate / _LEAST_STEPS:
            raise InputError(
                f"plan.phase_rate {engineering(plan.phase_rate, 'Hz')} is too fast: a turn of φ "
                f"takes {_LEAST_STEPS} samples or more, at most "
                f"{engineering(self.rate / _LEAST_STEPS, 'Hz')} at this sample rate"
            )
        self._require_short(plan)
        unit, times = self._unit(numbers, plan)
        turns = [plan.turn_of(number) for number in numbers[:unit]]
        starts: list[int] = []
        phases: list[NDArray[np.float64]] = []
        at = 0
        for row, turn in enumerate(turns):
            jumped = row == 0 or turn != turns[row - 1] or plan.phase_rate > 0.0
            settles = self.settle if jumped else 0
            starts.append(at + settles + self.cool)
            at = starts[-1] + self.free
            if not plan.plays_phase:  # as many numbers as samples, an hour of them perhaps
                continue
            turned = np.arange(self.free, dtype=np.float64) * (
                math.tau * plan.phase_rate / self.rate
            )
            phases += [np.full(settles + self.cool, turn), np.asarray(turn + turned, np.float64)]
        edges = [edge for s in starts for edge in ((s, False), (s + self.free, True))]
        levels = {FEEDBACK: LevelTrack(idle=True, edges=tuple(edges))}
        waveforms = {}
        if plan.plays_phase:
            waveforms[PHASE] = Waveform(0.0, np.concatenate(phases), "rad")
        pattern = Pattern(at, times, levels=levels, waveforms=waveforms)
        return Played(pattern, tuple(starts), unit * times)

    def _require_short(self, plan: ReheatingPlan) -> None:
        """Refuse a repetition whose waveform no card and no memory holds."""
        length = self.settle + self.cool + self.free
        if plan.phase_rate > 0.0 and length > MOST_SAMPLES:
            raise InputError(
                f"a repetition of {length} samples is too long to be played with φ, at most "
                f"{MOST_SAMPLES}: shorten plan.cool_time or plan.release_time"
            )

    def _unit(self, numbers: Sequence[int], plan: ReheatingPlan) -> tuple[int, int]:
        """Repetitions of one period, and how often it is played."""
        if not plan.alternating:
            return 1, len(numbers)
        longest = self.settle + self.cool + self.free
        most, unit = max(1, MOST_SAMPLES // longest), 2 * plan.alternating
        if unit > most:
            raise InputError(
                f"two blocks of {plan.alternating} repetitions are up to {unit * longest} samples, "
                f"at most {MOST_SAMPLES} are played as one waveform: lower plan.reversal_block to "
                f"{most // 2} or less, or shorten the repetitions"
            )
        if isinstance(numbers, range) and len(numbers) >= unit:
            return unit, len(numbers) // unit
        return min(len(numbers), most), 1


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
        rig.pattern.check(Cycle.of(plan, rate).played(range(plan.repetitions), plan).pattern, rate)
    except InputError as error:
        if plan.timing == "card":
            raise
        _require_steady_gate(plan, rig, str(error))
        return "software", f"releases are switched by software: {error}"
    return "card", ""


def _require_steady_gate(plan: ReheatingPlan, rig: Rig, why: str = "") -> None:
    """Refuse releases that are short against the jitter of a gate switched by calls.

    Where φ is to be reversed calls set it, too.
    """
    if plan.phase_rate > 0.0:
        raise InputError(
            f"plan.phase_rate needs a card that plays the phase; rig {rig.name} ({rig.mode}) has "
            f"none{f' ({why})' if why else ''}: add [devices.pattern] with a phase output, and do "
            "not set plan.timing = software"
        )
    if plan.alternating and rig.light is None:
        raise InputError(
            f"plan.phase_reversal needs a card that plays the phase or light that can be set; rig "
            f"{rig.name} ({rig.mode}) has neither{f' ({why})' if why else ''}: add "
            "[devices.pattern] with a phase output, or SLM or RF"
        )
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
