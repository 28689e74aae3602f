"""From a pattern to what an NI card is given: rows of a buffer, or the ticks of a counter.

Sample k of a buffer is put out with the tick that takes sample k of the inputs; a finite buffer has
one idle sample more than the pattern, because a line stays at what it had last. Where the pattern
begins idle, one period is enough: the card plays it over and over until all samples are done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.errors import InputError
from ..patterns import FEEDBACK, LevelTrack, Pattern, Waveform

__all__ = [
    "Buffered", "Train", "Wire", "buffered", "levels_of", "require_single_pulse", "train_of",
]  # fmt: skip

_LEAST_TICKS = 2
_MOST_TICKS = 2**32 - 1


@dataclass(frozen=True)
class Buffered:
    """What is written, and how many samples are played of it.

    Attributes
    ----------
    rows : ndarray (n,) or (n, outputs)
        Levels or values; they are repeated where ``samples`` is larger.
    samples : int
        Samples played, one more than the pattern has.
    """

    rows: NDArray[Any]
    samples: int


def levels_of(track: LevelTrack, period: int) -> NDArray[np.bool_]:
    """Levels of one period, one a sample."""
    rows = np.full(period, track.idle)
    for sample, level in track.edges:
        rows[sample:] = level
    return rows


def buffered(period: NDArray[Any], idle: Any, pattern: Pattern) -> Buffered:
    """What a buffer must hold of a period that is repeated.

    Parameters
    ----------
    period : ndarray (period,) or (period, outputs)
        Levels or values.
    idle : scalar or ndarray (outputs,)
        Before the first period and after the last.
    pattern : Pattern
        Lead and repetitions.
    """
    samples, lead = pattern.samples + 1, pattern.lead
    ends_idle = bool((period[len(period) - min(lead, len(period)) :] == idle).all())
    if (
        bool((period[0] == idle).all())
        and ends_idle
        and (lead <= len(period) or bool((period == idle).all()))
    ):
        return Buffered(np.roll(period, lead, axis=0), samples)
    whole = np.empty((samples, *period.shape[1:]), dtype=period.dtype)
    whole[:] = idle
    whole[lead:-1] = np.concatenate([period] * pattern.repetitions)
    return Buffered(whole, samples)


@dataclass(frozen=True)
class Train:
    """Pulses of a counter.

    Attributes
    ----------
    source : str
        Terminal that it counts.
    own_clock : bool
        Whether that is a clock of the card itself: then the counter begins with the inputs' start
        trigger, and ends its pulses whatever becomes of the inputs.
    delay, active, rest : int
        Ticks before the first pulse, of a pulse, and between two.
    count : int
        Pulses.
    """

    source: str
    own_clock: bool
    delay: int
    active: int
    rest: int
    count: int


def require_single_pulse(name: str, pattern: Pattern) -> tuple[int, int]:
    """Samples between which the one pulse of a period lies.

    Raises
    ------
    InputError
        If the period has another number of pulses, or levels too short for a counter.
    """
    track = pattern.levels[FEEDBACK]
    edges = track.edges
    if len(edges) != 2 or edges[0][1] is track.idle:
        pulses = sum(level is not track.idle for _, level in edges)
        raise InputError(
            f"{name} switches {FEEDBACK} by a counter, which makes one pulse a period, not "
            f"{pulses}: wire it to a line of port 0 instead (feedback_line)"
        )
    begin, end = edges[0][0], edges[1][0]
    shortest = min(pattern.lead + begin, end - begin, pattern.period - end + begin)
    if shortest < _LEAST_TICKS:
        raise InputError(
            f"{name}: a counter needs {_LEAST_TICKS} samples or more at each level, this pattern "
            f"has {shortest}"
        )
    return begin, end


def train_of(
    name: str,
    pattern: Pattern,
    sample_rate: float,
    clock: str,
    timebase: tuple[str, float] | None,
) -> Train:
    """Ticks of a pattern's pulses.

    An edge falls half a sample after the tick before it, so that the same samples see it whatever
    the delays on the card are.

    Parameters
    ----------
    name : str
        Of the player, for messages.
    pattern : Pattern
        Checked.
    sample_rate : float
        Hz.
    clock : str
        Terminal of the inputs' sample clock.
    timebase : tuple of (str, float) or None
        Terminal and rate (Hz) of a clock of the card's own.
    """
    begin, end = require_single_pulse(name, pattern)
    delay, active = pattern.lead + begin, end - begin
    rest = pattern.period - active
    ratio = 0.0 if timebase is None else timebase[1] / sample_rate
    ticks = round(ratio)
    fits = (max(delay, active, rest) + 1) * ticks <= _MOST_TICKS
    if (
        timebase is not None
        and ticks >= _LEAST_TICKS
        and abs(ratio - ticks) < 1e-9 * ratio
        and fits
    ):
        return Train(
            timebase[0], True, delay * ticks + ticks // 2, active * ticks, rest * ticks,
            pattern.repetitions,
        )  # fmt: skip
    return Train(clock, False, delay + 1, active, rest, pattern.repetitions)


@dataclass(frozen=True)
class Wire:
    """An analogue output of a signal, and what its volts mean.

    Attributes
    ----------
    output : str
        Such as "ao0".
    unit : {"rad", "share"}
        Unit of the signal beside volts.
    scale : float or None
        Volts of a step of 1 in that unit; None where only volts can be played.
    """

    output: str
    unit: str
    scale: float | None = None

    def volts(self, name: str, wave: Waveform) -> tuple[NDArray[np.float64], float]:
        """Voltages of a period and when idle, V; 0 V is the light as it is set.

        Raises
        ------
        InputError
            For a waveform in another unit, or without a scale.
        """
        if wave.unit == "V":
            return wave.values, wave.idle
        if wave.unit != self.unit:
            raise InputError(f"{name} is played in V or {self.unit}, not in {wave.unit}")
        if self.scale is None:
            raise InputError(f"{name} is played in volts only: give {_SCALES[self.unit]}")
        as_set = 1.0 if self.unit == "share" else 0.0
        return (wave.values - as_set) * self.scale, (wave.idle - as_set) * self.scale


_SCALES = {"rad": "volts_per_rad", "share": "volts_per_share"}
