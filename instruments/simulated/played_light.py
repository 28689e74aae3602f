"""The light that a pattern plays: steps between settings, or faster than the particles move.

Steps that last for many mechanical periods are followed one by one: the equilibria jump, the
particles stay. What changes within a period is one modulated model, see :mod:`.points`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...models.errors import InputError
from ...models.light import TweezerState
from ..patterns import Waveform
from .playing import Playing

__all__ = ["SIGNALS", "Modulation", "PlayedLight"]

SIGNALS = ("phase", "power 1", "power 2")
"""Waveforms of a pair's light: rad added to φ as it is set, and the power of each tweezer, W."""

_UNITS = {"phase": "rad", "power 1": "W", "power 2": "W"}
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
    order : ndarray of int64, shape (period,)
        Which of them holds at each sample of the period.
    shares : ndarray
        Part of the period in which each holds.
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
        steps = np.flatnonzero(np.diff(self._codes)) + 1
        lengths = np.diff(np.concatenate([[0], steps, [len(self._codes)]]))
        self._fast = len(steps) > 0 and int(lengths.min()) < _SLOW_SECONDS * rate
        if not self._fast:
            playing.mark(steps.tolist())
        self._last: int | None = -1

    def _now(self) -> int | None:
        """Setting at the next sample; None for the idle values. All of a modulation is one."""
        at = self._playing.phase
        if at is None:
            return None
        return 0 if self._fast else int(self._codes[at])

    def changes(self) -> bool:
        """Whether the light is to be another one from the next sample on; asked once for each."""
        now = self._now()
        changed, self._last = now != self._last, now
        return changed

    def forget(self) -> None:
        """Samples were skipped: what comes next is to be installed anew."""
        self._last = -1

    def light(self) -> TweezerState:
        """Light at the next sample."""
        now = self._now()
        return self._light(self._idle if now is None else tuple(self._rows[now].tolist()))

    def modulation(self) -> Modulation | None:
        """What is played from the next sample on, if that is modulated light."""
        if not self._fast or self._now() is None:
            return None
        at = self._playing.phase or 0
        counts = np.bincount(self._codes, minlength=len(self._rows))
        lights = [self._light(tuple(row)) for row in self._rows.tolist()]
        return Modulation(lights, np.roll(self._codes, -at), counts / len(self._codes))

    def _light(self, values: tuple[float, ...]) -> TweezerState:
        light = self.base
        for name, value in zip(self._names, values, strict=True):
            if name == "phase":
                light = light.with_site(0, phase=light.sites[0].phase + value)
            else:
                light = light.with_site(int(name.removeprefix("power ")) - 1, power=value)
        return light


def _check(name: str, wave: Waveform) -> None:
    """Refuse a waveform that is none of this signal."""
    if wave.unit != _UNITS[name]:
        raise InputError(f"the waveform {name!r} is in {_UNITS[name]}, not in {wave.unit}")
    if wave.unit == "W" and min(wave.idle, float(wave.values.min())) < 0.0:
        raise InputError(f"the waveform {name!r} holds powers below 0 W")


def _rounded(name: str, wave: Waveform, levels: int) -> NDArray[np.float64]:
    """Values in steps, so that few settings of the light occur."""
    if name == "phase":
        step = 2.0 * math.pi / levels
        return np.asarray(np.mod(np.rint(wave.values / step), levels) * step)
    step = max(float(wave.values.max()), 1e-9) / levels
    return np.asarray(np.rint(wave.values / step) * step)
