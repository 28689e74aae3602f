"""Waveforms: a phase or a power of the light as a function of time.

A waveform is frozen data that can be called with times. Phases are in "rad", powers in "W" or as
factors of a reference power (unit "1"). The light has the time factor exp(−iω_Lt), so that two
tones whose optical frequencies differ by Δν = ν_2 − ν_1 have φ(t) = φ_0 + 2πΔνt
(:func:`~.drives.detuned`).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.errors import InputError
from ...models.ranges import require_range

__all__ = [
    "Constant",
    "Ramp",
    "Sinusoid",
    "Sum",
    "Waveform",
    "common_period",
]

Array: TypeAlias = NDArray[np.float64]

# Unit: (lowest, highest value).
UNITS: dict[str, tuple[float, float]] = {"rad": (-1e9, 1e9), "W": (0.0, 100.0), "1": (0.0, 1e3)}
FASTEST = 2.0 * math.pi * 1e12  # rad/s, the largest detuning of a Tweezer
_DARK = 1e-9  # of the mean power: as good as 0
_MOST_CYCLES = 1000  # of one waveform within the common period of several


def require_unit(unit: str) -> str:
    """Return a known unit.

    Raises
    ------
    InputError
        For a unit other than "rad", "W" or "1".
    """
    if unit not in UNITS:
        raise InputError(f"unknown unit {unit!r} of a waveform; known: {', '.join(UNITS)}")
    return unit


def time_array(times: ArrayLike) -> Array:
    """Finite times as a flat array, s."""
    array = np.ravel(np.asarray(times, dtype=np.float64))
    if not np.isfinite(array).all():
        raise InputError("times must be finite, in s")
    return array


class Waveform(ABC):
    """A function of time with what an integrator must know about it."""

    unit: str

    @abstractmethod
    def __call__(self, times: ArrayLike) -> Array:
        """Values at times (s), shape (t,), in :attr:`unit`."""

    @property
    @abstractmethod
    def period(self) -> float | None:
        """Least T with f(t+T) = f(t), phases up to full turns, s; 0 if constant, None if none."""

    @property
    @abstractmethod
    def rate(self) -> float:
        """Bound on how fast the waveform turns, rad/s: of its argument and, for phases, itself."""

    @property
    @abstractmethod
    def bounds(self) -> tuple[float, float]:
        """Interval that holds every value."""

    @abstractmethod
    def scaled(self, factor: float, unit: str) -> Waveform:
        """Multiply the values by a factor and rename the unit, for example from "W" to "1"."""

    def breaks(self, start: float, stop: float) -> Array:
        """Times in (start, stop) at which a value or derivative jumps, s, sorted."""
        return np.zeros(0)

    def kinks(self, start: float, stop: float) -> Array:
        """Further times in (start, stop) at which the square root has a kink, s, sorted."""
        return np.zeros(0)

    @property
    def stepwise(self) -> bool:
        """Whether the waveform is constant between its breaks."""
        return False

    def __add__(self, other: Waveform) -> Sum:
        """Sum of two waveforms of one unit."""
        first = self.terms if isinstance(self, Sum) else (self,)
        second = other.terms if isinstance(other, Sum) else (other,)
        return Sum((*first, *second))


@dataclass(frozen=True)
class Constant(Waveform):
    """A value that rests.

    Attributes
    ----------
    value : float
        In ``unit``.
    unit : str
        "rad", "W" or "1".

    Raises
    ------
    InputError
        For an unknown unit or a value outside its range.

    Examples
    --------
    >>> import optobind as ob
    >>> ob.theory.Constant(0.5)([0.0, 1.0]).tolist()
    [0.5, 0.5]
    """

    value: float
    unit: str = "rad"

    def __post_init__(self) -> None:
        require_range("value", self.value, *UNITS[require_unit(self.unit)], self.unit)

    def __call__(self, times: ArrayLike) -> Array:
        """Return the value at every time."""
        return np.full(time_array(times).shape, float(self.value))

    @property
    def period(self) -> float:
        """0: any time is a period."""
        return 0.0

    @property
    def rate(self) -> float:
        """0."""
        return 0.0

    @property
    def bounds(self) -> tuple[float, float]:
        """The value, twice."""
        return self.value, self.value

    @property
    def stepwise(self) -> bool:
        """True."""
        return True

    def scaled(self, factor: float, unit: str) -> Constant:
        """See :meth:`Waveform.scaled`."""
        return Constant(self.value * factor, unit)


@dataclass(frozen=True)
class Ramp(Waveform):
    """A phase that grows evenly, start + slope·t.

    Attributes
    ----------
    start : float
        Phase at t = 0, rad.
    slope : float
        rad/s; positive when the second tone is the higher optical frequency.

    Raises
    ------
    InputError
        For a value outside its range (|slope| up to 2π·1 THz).

    Examples
    --------
    >>> import optobind as ob
    >>> ob.theory.Ramp(0.5, 2.0)([0.0, 1.0]).tolist()
    [0.5, 2.5]
    """

    start: float
    slope: float
    unit = "rad"

    def __post_init__(self) -> None:
        require_range("start", self.start, *UNITS["rad"], "rad")
        require_range("slope", self.slope, -FASTEST, FASTEST, "rad/s")

    def __call__(self, times: ArrayLike) -> Array:
        """Phase, rad."""
        return self.start + self.slope * time_array(times)

    @property
    def period(self) -> float:
        """One full turn, 2π/|slope|."""
        return 0.0 if self.slope == 0.0 else 2.0 * math.pi / abs(self.slope)

    @property
    def rate(self) -> float:
        """Slope, without its sign."""
        return abs(self.slope)

    @property
    def bounds(self) -> tuple[float, float]:
        """Unbounded unless it rests."""
        return (self.start, self.start) if self.slope == 0.0 else (-math.inf, math.inf)

    @property
    def stepwise(self) -> bool:
        """Whether it rests."""
        return self.slope == 0.0

    def scaled(self, factor: float, unit: str) -> Ramp:
        """See :meth:`Waveform.scaled`; a ramp stays a phase."""
        if unit != "rad":
            raise InputError(f"a ramp is a phase in rad, it cannot become {unit!r}")
        return Ramp(self.start * factor, self.slope * factor)


@dataclass(frozen=True)
class Sinusoid(Waveform):
    """mean + amplitude·cos(ωt + phase).

    Attributes
    ----------
    mean, amplitude : float
        In ``unit``.
    omega : float
        Angular frequency, rad/s; positive.
    phase : float
        Of the cosine at t = 0, rad.
    unit : str
        "rad", "W" or "1".

    Raises
    ------
    InputError
        For a value outside its range; a power must never fall below 0.

    Examples
    --------
    >>> import optobind as ob
    >>> ob.theory.Sinusoid(1.0, 0.25, 2.0, unit="1").bounds
    (0.75, 1.25)
    """

    mean: float
    amplitude: float
    omega: float
    phase: float = 0.0
    unit: str = "rad"

    def __post_init__(self) -> None:
        low, high = UNITS[require_unit(self.unit)]
        require_range("mean", self.mean, low, high, self.unit)
        most = min(high - self.mean, self.mean - low)
        require_range("amplitude", self.amplitude, -most, most, self.unit)
        require_range("omega", self.omega, 1e-9, FASTEST, "rad/s")
        require_range("phase", self.phase, *UNITS["rad"], "rad")

    def __call__(self, times: ArrayLike) -> Array:
        """Return the values in :attr:`unit`."""
        return self.mean + self.amplitude * np.cos(self.omega * time_array(times) + self.phase)

    @property
    def period(self) -> float:
        """2π/ω."""
        return 2.0 * math.pi / self.omega

    @property
    def rate(self) -> float:
        """ω, times the amplitude of a phase that swings by more than 1 rad."""
        swing = abs(self.amplitude) if self.unit == "rad" else 1.0
        return self.omega * max(1.0, swing)

    def kinks(self, start: float, stop: float) -> Array:
        """Times at which a power touches 0."""
        if self.unit == "rad" or self.bounds[0] > _DARK * self.mean:
            return np.zeros(0)
        lowest = math.pi if self.amplitude > 0.0 else 0.0
        first = math.floor((self.omega * start + self.phase - lowest) / (2.0 * math.pi))
        last = math.ceil((self.omega * stop + self.phase - lowest) / (2.0 * math.pi))
        turns = 2.0 * math.pi * np.arange(first, last + 1)
        times = np.asarray((turns + lowest - self.phase) / self.omega, dtype=np.float64)
        return np.asarray(times[(times > start) & (times < stop)])

    @property
    def bounds(self) -> tuple[float, float]:
        """Mean less and plus the amplitude."""
        return self.mean - abs(self.amplitude), self.mean + abs(self.amplitude)

    def scaled(self, factor: float, unit: str) -> Sinusoid:
        """See :meth:`Waveform.scaled`."""
        values = {"mean": self.mean * factor, "amplitude": self.amplitude * factor}
        return replace(self, unit=unit, **values)


@dataclass(frozen=True)
class Sum(Waveform):
    """Sum of waveforms of one unit, for example a detuning with a phase modulation.

    Attributes
    ----------
    terms : tuple of Waveform
        At least one.

    Raises
    ------
    InputError
        Without a term or for terms of different units.
    """

    terms: tuple[Waveform, ...]

    def __post_init__(self) -> None:
        units = sorted({term.unit for term in self.terms})
        if len(units) != 1:
            raise InputError(f"a sum needs waveforms of one unit, got {', '.join(units) or 'none'}")

    @property
    def unit(self) -> str:  # type: ignore[override]
        """Unit of every term."""
        return self.terms[0].unit

    def __call__(self, times: ArrayLike) -> Array:
        """Return the values in :attr:`unit`."""
        return np.asarray(np.sum([term(times) for term in self.terms], axis=0))

    @property
    def period(self) -> float | None:
        """Common period of the terms, None if they have none."""
        return common_period([term.period for term in self.terms])

    @property
    def rate(self) -> float:
        """Sum of the terms' rates."""
        return sum(term.rate for term in self.terms)

    @property
    def bounds(self) -> tuple[float, float]:
        """Sum of the terms' bounds."""
        low, high = zip(*(term.bounds for term in self.terms), strict=True)
        return sum(low), sum(high)

    def breaks(self, start: float, stop: float) -> Array:
        """Breaks of every term."""
        return np.unique(np.concatenate([term.breaks(start, stop) for term in self.terms]))

    @property
    def stepwise(self) -> bool:
        """Whether every term is."""
        return all(term.stepwise for term in self.terms)

    def scaled(self, factor: float, unit: str) -> Sum:
        """See :meth:`Waveform.scaled`."""
        return Sum(tuple(term.scaled(factor, unit) for term in self.terms))


def common_period(periods: list[float | None]) -> float | None:
    """Least common multiple of periods, s.

    Parameters
    ----------
    periods : list of float or None
        0 for a constant, which does not count; None for a waveform without a period.

    Returns
    -------
    float or None
        0 if all are constant; None if one has no period, or if two are not commensurate within
        1000 cycles and 1e-9 relative.
    """
    total = 0.0
    for period in periods:
        if period is None:
            return None
        if period == 0.0:
            continue
        if total == 0.0:
            total = period
            continue
        ratio = Fraction(total / period).limit_denominator(_MOST_CYCLES)
        if abs(float(ratio) - total / period) > 1e-9 * total / period or ratio == 0:
            return None
        # total/period = a/b in lowest terms: b totals are a periods.
        if ratio.numerator > _MOST_CYCLES:
            return None
        total *= ratio.denominator
    return total
