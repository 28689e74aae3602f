"""Waveforms given by samples: steps, straight lines or cubic splines through them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from ...models.errors import InputError
from ...models.reprs import short_repr
from .waveform import UNITS, Waveform, require_unit, time_array

__all__ = ["Sampled"]

Array: TypeAlias = NDArray[np.float64]

_KINDS = ("steps", "linear", "cubic")
_OUTSIDE = ("error", "hold", "repeat")
_MOST_BREAKS = 10_000_000


@dataclass(frozen=True, eq=False)
class Sampled(Waveform):
    """An arbitrary waveform through samples.

    Attributes
    ----------
    times : ndarray, shape (m,)
        s, increasing; at least two.
    values : ndarray, shape (m,)
        In ``unit``.
    unit : str
        "rad", "W" or "1".
    kind : str
        "steps" (each value until the next sample), "linear" or "cubic" (a spline).
    outside : str
        "error", "hold" (the first and the last value) or "repeat" with the period
        times[−1] − times[0]. A repeated line or spline must end where it began, a phase up to full
        turns; of repeated steps the last sample only marks the end.

    Raises
    ------
    InputError
        For shapes, values, or an option that cannot be used.

    Examples
    --------
    >>> import optobind as ob
    >>> wave = ob.theory.Sampled([0.0, 1.0, 2.0], [0.0, 1.0, 0.0], outside="repeat")
    >>> wave([0.5, 2.5]).tolist(), wave.period
    ([0.5, 0.5], 2.0)
    """

    times: Array
    values: Array
    unit: str = "rad"
    kind: Literal["steps", "linear", "cubic"] = "linear"
    outside: Literal["error", "hold", "repeat"] = "error"

    __repr__ = short_repr

    def __post_init__(self) -> None:
        low, high = UNITS[require_unit(self.unit)]
        times, values = (np.array(a, dtype=np.float64) for a in (self.times, self.values))
        if times.ndim != 1 or len(times) < 2 or values.shape != times.shape:
            raise InputError(
                "samples need times and values of one shape (m,), m at least 2; got "
                f"{times.shape} and {values.shape}"
            )
        if not (np.isfinite(times).all() and (np.diff(times) > 0.0).all()):
            raise InputError("times of samples must be finite and increase, in s")
        if not np.isfinite(values).all() or values.min() < low or values.max() > high:
            raise InputError(f"samples must lie in {low:g} … {high:g} {self.unit}")
        for name, value, known in (
            ("kind", self.kind, _KINDS),
            ("outside", self.outside, _OUTSIDE),
        ):
            if value not in known:
                raise InputError(f"unknown {name} {value!r} of samples; known: {', '.join(known)}")
        for name, array in (("times", times), ("values", values)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        self._check_end()
        least = self.bounds[0]
        if self.unit != "rad" and least < 0.0:
            raise InputError(f"the spline through the samples falls to {least:g} {self.unit}")

    def _check_end(self) -> None:
        """Refuse a repetition that jumps, unless by full turns."""
        if self.outside != "repeat" or self.kind == "steps":
            return
        turn = 2.0 * math.pi if self.unit == "rad" else math.inf
        jump = float(self.values[-1] - self.values[0])
        rest = jump if math.isinf(turn) else math.remainder(jump, turn)
        if abs(rest) > 1e-9 * max(1.0, float(np.abs(self.values).max())):
            raise InputError(
                f"a repeated waveform must end where it began, it ends {jump:g} {self.unit} away"
            )

    @property
    def span(self) -> float:
        """times[−1] − times[0], s."""
        return float(self.times[-1] - self.times[0])

    @property
    def _slope(self) -> float:
        """Mean slope of a repeated phase that winds, rad/s."""
        if self.outside != "repeat" or self.kind == "steps":
            return 0.0
        return float(self.values[-1] - self.values[0]) / self.span

    @cached_property
    def _spline(self) -> CubicSpline:
        if self.outside != "repeat":
            return CubicSpline(self.times, self.values)
        periodic = self.values - self._slope * (self.times - self.times[0])
        periodic[-1] = periodic[0]
        return CubicSpline(self.times, periodic, bc_type="periodic")

    def __call__(self, times: ArrayLike) -> Array:
        """Return the values in :attr:`unit`.

        Raises
        ------
        InputError
            For a time outside the samples if ``outside`` is "error".
        """
        t = time_array(times)
        first, last = float(self.times[0]), float(self.times[-1])
        if self.outside == "repeat":
            inside = first + np.mod(t - first, self.span)
        else:
            if self.outside == "error" and t.size and (t.min() < first or t.max() > last):
                raise InputError(
                    f"the samples reach from {first:g} to {last:g} s, asked for "
                    f"{t.min():g} … {t.max():g} s"
                )
            inside = np.clip(t, first, last)
        if self.kind == "steps":
            index = np.searchsorted(self.times, inside, side="right") - 1
            most = len(self.times) - (2 if self.outside == "repeat" else 1)
            return np.asarray(self.values[np.clip(index, 0, most)])
        if self.kind == "linear":
            periodic = self.values - self._slope * (self.times - first)
            found = np.interp(inside, self.times, periodic)
        else:
            found = self._spline(inside)
        return np.asarray(found + self._slope * (t - first), dtype=np.float64)

    @property
    def period(self) -> float | None:
        """The span if repeated, else None."""
        return self.span if self.outside == "repeat" else None

    @property
    def rate(self) -> float:
        """Steepest slope of a phase, rad/s; the breaks resolve everything else."""
        if self.kind == "steps" or self.unit != "rad":
            return 0.0
        return float(np.abs(np.diff(self.values) / np.diff(self.times)).max())

    @property
    def bounds(self) -> tuple[float, float]:
        """Interval that holds every value; sampled finely for a spline."""
        if self._slope != 0.0:
            return -math.inf, math.inf
        values = self.values
        if self.kind == "cubic":
            share = np.linspace(0.0, 1.0, 9)
            grid = self.times[:-1, None] + share * np.diff(self.times)[:, None]
            values = self._spline(grid.ravel())
        return float(values.min()), float(values.max())

    def breaks(self, start: float, stop: float) -> Array:
        """Samples in (start, stop), with their repetitions, s."""
        knots = self.times
        if self.outside == "repeat":
            knots = knots[:-1]
            low = math.floor((start - self.times[0]) / self.span)
            high = math.ceil((stop - self.times[0]) / self.span)
            if (high - low + 1) * knots.size > _MOST_BREAKS:
                raise InputError(
                    f"{high - low + 1} repetitions of {knots.size} samples are too many; ask for "
                    f"fewer periods of {self.span:g} s"
                )
            turns = np.arange(low, high + 1)
            knots = (knots + self.span * turns[:, None]).ravel()
        return np.asarray(knots[(knots > start) & (knots < stop)])

    @property
    def stepwise(self) -> bool:
        """Whether the samples are steps."""
        return self.kind == "steps"

    def scaled(self, factor: float, unit: str) -> Sampled:
        """See :meth:`Waveform.scaled`."""
        return replace(self, values=self.values * factor, unit=unit)
