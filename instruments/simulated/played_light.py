"""The light that a pattern plays: steps between settings, or faster than the particles move.

Steps that last for many mechanical periods are followed one by one: the equilibria jump, the
particles stay. What changes within a period is one modulated model, see :mod:`.points`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...models.errors import InputError
from ...models.light import TweezerState
from ..patterns import PHASE, POWER, Waveform, power_of
from .playing import Playing

__all__ = ["SIGNALS", "Modulation", "PlayedLight", "with_signal"]

SIGNALS = (PHASE, POWER, power_of(1), power_of(2))
"""Waveforms of a pair's light: rad added to φ as it is set; the power of all or of one tweezer."""

_UNITS = {PHASE: ("rad",), POWER: ("share",)} | dict.fromkeys(SIGNALS[2:], ("W", "share"))
# Steps of φ over 2π and of a power over its largest, as of a converter of 16 bits; coarser ones
# where so many settings of the light would occur.
_LEVELS = (65536, 4096, 512)
_MOST_SETTINGS = 4096
_SLOW_SECONDS = 200e-6  # the shortest step that is followed as such: ten periods at 50 kHz


@dataclass(frozen=True)
class Modulation:
    """Light that changes within a mechanical period.

    Attributes
    ----------
    lights : list of TweezerState
        The settings that occur.
    order : ndarray of int64
        Which of them holds at each sample of the stretch.
    shares : ndarray
        Part of the stretch in which each holds.
    """

    lights: list[TweezerState]
    order: NDArray[np.int64]
    shares: NDArray[np.float64]


class PlayedLight:
    """What a pattern makes of the light.

    Parameters
    ----------
    playing : Playing
        Tells which sample comes next; it is told where steps lie.
    base : TweezerState
        The light as it is set.
    rate : float
        Samples a second.

    Raises
    ------
    InputError
        For a waveform in a unit that the signal does not have, or a negative power.
    """

    def __init__(self, playing: Playing, base: TweezerState, rate: float) -> None:
        self.base = base
        self._playing = playing
        self._names = sorted(playing.pattern.waveforms)
        self._watts = {n: playing.pattern.waveforms[n].unit == "W" for n in self._names}
        waves = [playing.pattern.waveforms[name] for name in self._names]
        for name, wave in zip(self._names, waves, strict=True):
            _check(name, wave)
        self._idle = tuple(wave.idle for wave in waves)
        for levels in _LEVELS:
            columns = [_rounded(n, w, levels) for n, w in zip(self._names, waves, strict=True)]
            self._rows, found = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
            if len(self._rows) <= _MOST_SETTINGS:
                break
        self._codes = np.asarray(found, np.int64).reshape(-1)
        self._begins, self._fast = _segments(self._codes, _SLOW_SECONDS * rate)
        playing.mark(self._begins)
        self._last: int | None = -1

    def segment(self) -> int | None:
        """Stretch of the period to which the next sample belongs; None for the idle values."""
        at = self._playing.phase
        return None if at is None else bisect_right(self._begins, at) - 1

    def changes(self) -> bool:
        """Whether the light is to be another one from the next sample on; asked once for each."""
        now = self.segment()
        changed, self._last = now != self._last, now
        return changed

    def forget(self) -> None:
        """Samples were skipped: what comes next is to be installed anew."""
        self._last = -1

    def light(self) -> TweezerState:
        """Light at the next sample."""
        at = self._playing.phase
        values = self._idle if at is None else tuple(self._rows[self._codes[at]].tolist())
        return self._light(values)

    def modulation(self) -> Modulation | None:
        """The stretch that the next sample belongs to, if its light is modulated."""
        number = self.segment()
        if number is None or not self._fast[number]:
            return None
        stop = [*self._begins[1:], len(self._codes)][number]
        found, order, counts = np.unique(
            self._codes[self._begins[number] : stop], return_inverse=True, return_counts=True
        )
        lights = [self._light(tuple(row)) for row in self._rows[found].tolist()]
        return Modulation(lights, np.asarray(order, np.int64).reshape(-1), counts / counts.sum())

    def since(self) -> int:
        """Samples of the present stretch that have passed."""
        number, at = self.segment(), self._playing.phase
        return 0 if number is None or at is None else at - self._begins[number]

    def _light(self, values: tuple[float, ...]) -> TweezerState:
        light = self.base
        for name, value in zip(self._names, values, strict=True):
            light = with_signal(light, name, value, watts=self._watts[name])
        return light


def with_signal(
    light: TweezerState, name: str, value: float, *, watts: bool = False
) -> TweezerState:
    """Light that a signal of :data:`SIGNALS` changes: rad added to φ, or a share of the power.

    Parameters
    ----------
    light : TweezerState
        As it is set.
    name : str
        Of the signal.
    value : float
        What it is.
    watts : bool
        Whether that is a power, W.
    """
    if name == PHASE:
        return light.with_site(0, phase=light.sites[0].phase + value)
    for j, site in enumerate(light.sites):
        if name in (POWER, power_of(j + 1)):
            light = light.with_site(j, power=value if watts else value * site.power)
    return light


def _segments(codes: NDArray[np.int64], slow: float) -> tuple[list[int], list[bool]]:
    """Where stretches begin, and which are modulated: those of settings that last too briefly."""
    begins = np.concatenate([[0], np.flatnonzero(np.diff(codes)) + 1])
    lengths = np.diff(np.concatenate([begins, [len(codes)]]))
    brief = (lengths < slow) & (len(begins) > 1)
    kept = np.concatenate([[True], ~(brief[1:] & brief[:-1])])
    return begins[kept].tolist(), brief[kept].tolist()


def _check(name: str, wave: Waveform) -> None:
    """Refuse a waveform that is none of this signal."""
    if wave.unit not in _UNITS[name]:
        units = " or ".join(_UNITS[name])
        raise InputError(f"the waveform {name!r} is in {units}, not in {wave.unit}")
    if wave.unit != "rad" and min(wave.idle, float(wave.values.min())) < 0.0:
        raise InputError(f"the waveform {name!r} holds powers below 0 W")


def _rounded(name: str, wave: Waveform, levels: int) -> NDArray[np.float64]:
    """Values in steps, so that few settings of the light occur."""
    if name == PHASE:
        step = 2.0 * math.pi / levels
        return np.asarray(np.mod(np.rint(wave.values / step), levels) * step)
    step = max(float(wave.values.max()), 1e-9) / levels
    return np.asarray(np.rint(wave.values / step) * step)
