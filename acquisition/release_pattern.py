"""From a plan to the pattern of its releases: feedback, φ and the power, sample by sample."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..instruments.patterns import FEEDBACK, PHASE, POWER, LevelTrack, Pattern, Waveform, power_of
from ..models.errors import InputError
from ..models.prefixes import engineering
from .plans import ReheatingPlan

__all__ = ["MOST_SAMPLES", "Cycle", "Played"]

MOST_SAMPLES = 1 << 24
"""Samples of a waveform that is played as one period: 128 MB."""

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
class _Repetition:
    """Where a repetition lies in the period: its samples before the release, then free ones."""

    warm: int
    free: int
    turn: float
    share: float


@dataclass(frozen=True)
class Cycle:
    """One repetition in samples: feedback on, then off.

    Attributes
    ----------
    cool, free : int
        Samples with feedback on and off.
    settle : int
        Samples with feedback on before that where φ or the power has changed.
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
        jumps = plan.plays_phase or plan.plays_power
        return cls(
            max(_LEAST_SAMPLES, round(plan.cool_time * sample_rate)),
            max(_LEAST_SAMPLES, round(plan.release_time * sample_rate)),
            round(plan.reversal_settling * sample_rate) if jumps else 0,
            sample_rate,
        )

    def played(self, numbers: Sequence[int], plan: ReheatingPlan) -> Played:
        """Pattern of the first of these repetitions; all of them unless the light alternates.

        Where φ or the power alternates its period holds blocks of all settings, and what is left
        over is played by itself.

        Raises
        ------
        InputError
            If these blocks are too long for a waveform, or φ turns too fast for the sample clock.
        """
        if plan.phase_rate > self.rate / _LEAST_STEPS:
            raise InputError(
                f"plan.phase_rate {engineering(plan.phase_rate, 'Hz')} is too fast: a turn of φ "
                f"takes {_LEAST_STEPS} samples or more, at most "
                f"{engineering(self.rate / _LEAST_STEPS, 'Hz')} at this sample rate"
            )
        self._require_short(plan)
        unit, times = self._unit(numbers, plan)
        rows = self._repetitions(numbers[:unit], plan)
        ends = np.cumsum([row.warm + row.free for row in rows]).tolist()
        starts = [end - row.free for end, row in zip(ends, rows, strict=True)]
        edges = [
            edge
            for start, end in zip(starts, ends, strict=True)
            for edge in ((start, False), (end, True))
        ]
        levels = {FEEDBACK: LevelTrack(idle=True, edges=tuple(edges))}
        pattern = Pattern(ends[-1], times, levels=levels, waveforms=self._waveforms(rows, plan))
        return Played(pattern, tuple(starts), unit * times)

    def _require_short(self, plan: ReheatingPlan) -> None:
        """Refuse a repetition whose waveform no card and no memory holds."""
        length = self.settle + self.cool + self.free
        if (plan.plays_phase or plan.plays_power) and length > MOST_SAMPLES:
            raise InputError(
                f"a repetition of {length} samples is too long to be played with φ or the power, "
                f"at most {MOST_SAMPLES}: shorten plan.cool_time or plan.release_time"
            )

    def _unit(self, numbers: Sequence[int], plan: ReheatingPlan) -> tuple[int, int]:
        """Repetitions of one period, and how often it is played."""
        row = max(plan.alternating, plan.power_alternating)
        if not row:
            return 1, len(numbers)
        longest = self.settle + self.cool + self.free
        most, unit = max(1, MOST_SAMPLES // longest), 2 * row
        if unit > most:
            blocks = unit // plan.reversal_block
            raise InputError(
                f"{'two' if blocks == 2 else 'four'} blocks of {plan.reversal_block} repetitions "
                f"are up to {unit * longest} samples, at most {MOST_SAMPLES} are played as one "
                f"waveform: lower plan.reversal_block to {most // blocks} or less, or shorten the "
                "repetitions"
            )
        if isinstance(numbers, range) and len(numbers) >= unit:
            return unit, len(numbers) // unit
        return min(len(numbers), most), 1

    def _repetitions(self, numbers: Sequence[int], plan: ReheatingPlan) -> list[_Repetition]:
        """Repetitions of one period; before its first one anything may have been played."""
        rows: list[_Repetition] = []
        for number in numbers:
            turn, share = plan.turn_of(number), plan.power_in(number)
            jumped = (
                not rows
                or turn != rows[-1].turn
                or rows[-1].share != 1.0  # the power has come back with the feedback
                or plan.phase_rate > 0.0
            )
            warm = self.cool + (self.settle if jumped else 0)
            rows.append(_Repetition(warm, self.free, turn, share))
        return rows

    def _waveforms(self, rows: Sequence[_Repetition], plan: ReheatingPlan) -> dict[str, Waveform]:
        """What is played beside the feedback; idle is the light as it is set."""
        found = {}
        if plan.plays_phase:
            turned = np.arange(self.free) * (math.tau * plan.phase_rate / self.rate)
            phases = _joined(
                (np.full(r.warm, r.turn), np.asarray(r.turn + turned, np.float64)) for r in rows
            )
            # A modulator reaches one turn, not all of a release: it flies back.
            found[PHASE] = Waveform(0.0, np.mod(phases, math.tau), "rad")
        if plan.plays_power:
            name = POWER if plan.stepped_trap == "all" else power_of(int(plan.stepped_trap))
            found[name] = Waveform(
                1.0, _joined((np.ones(r.warm), np.full(r.free, r.share)) for r in rows), "share"
            )
        return found


def _joined(
    pairs: Iterable[tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> NDArray[np.float64]:
    """Samples of a period from those before and in each release."""
    return np.concatenate([part for pair in pairs for part in pair])
