"""What a seek is given: a working point by name, and how well the rig is known beforehand.

The phases of Fig. 3 (a) are named after the force between the particles; each has one component of
Eqs. (6) and (8) that vanishes in its middle. At an exceptional point the lines of a fit are
ω̃_2 − ω̃_1 = ±2√(g_a² − g_r²) apart: δω = ω̃_2 − ω̃_1 + 2g_a there is that of Eq. (12).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError

__all__ = ["POINTS", "Aim", "Doubts", "Target", "point_called"]

_Array = NDArray[np.float64]

POINTS: Mapping[str, str] = {
    "reciprocal": "I: g_a = 0, |g_r| largest",
    "unidirectional": "II: g_r = g_a or g_r = −g_a, one particle does not act on the other",
    "antireciprocal": "III: g_r = 0, |g_a| largest, in the unbroken zone",
    "noise-correlated": "IV: g_r = g_a = 0, |Re D_12| largest",
    "exceptional-point": "an exceptional point, |g_a| largest, from the unbroken side",
    "given": "wanted g_r and g_a, and δω where it is given",
}
"""Names of the points, and what they are."""


def point_called(text: str) -> str:
    """Name of a point that is called by it, or by the Letter's number: "II".

    Raises
    ------
    InputError
        For a name that is not known; lists them.
    """
    numbers = {words.partition(":")[0]: name for name, words in POINTS.items() if ":" in words}
    name = numbers.get(text.strip().upper(), text.strip())
    if name not in POINTS:
        raise InputError(f"point {text[:40]!r} is not known; known: {', '.join(POINTS)}, I … IV")
    return name


@dataclass(frozen=True)
class Doubts:
    """Standard errors of what a rig file says.

    Attributes
    ----------
    phase : float
        Offset of φ, rad; larger than a turn: not known.
    distance : float
        m.
    balance : float
        Of (P_2 − P_1)/(P_1 + P_2).
    coupling, line : float
        Relative, of G and of the traps' frequency: radius, waists and powers.
    knobs : float
        Cross-talk of the knobs.
    detectors : float
        Mixing of the detectors; the ratio of their gains is as uncertain.
    drift : float
        By how much φ walks from record to record, rad.
    """

    phase: float = 10.0
    distance: float = 1.5e-7
    balance: float = 0.04
    coupling: float = 0.15
    line: float = 0.08
    knobs: float = 0.05
    detectors: float = 0.02
    drift: float = 0.01


@dataclass(frozen=True)
class Target:
    """A working point.

    Attributes
    ----------
    name : str
        One of ``POINTS``.
    g_r, g_a : float
        Of a given point, rad/s.
    delta_omega : float or None
        Of a given point: δω = ω_2 − ω_1 of the bare frequencies, rad/s.

    Raises
    ------
    InputError
        For a name that is not known; lists them.
    """

    name: str
    g_r: float = 0.0
    g_a: float = 0.0
    delta_omega: float | None = None

    def __post_init__(self) -> None:
        """Refuse unknown names and a point that says nothing."""
        if self.name not in POINTS:
            raise InputError(f"point {self.name[:40]!r} is not known; known: {', '.join(POINTS)}")
        numbers = (self.g_r, self.g_a, self.delta_omega or 0.0)
        if not all(math.isfinite(n) for n in numbers):
            raise InputError("a given point needs finite g_r, g_a and delta_omega")
        if self.name == "given" and self.g_r == self.g_a == 0.0:
            raise InputError("a given point needs g_r or g_a (noise-correlated has neither)")

    @property
    def tunes_detuning(self) -> bool:
        """Whether the point says which δω it has."""
        return self.name == "exceptional-point" or self.delta_omega is not None

    @property
    def variants(self) -> tuple[int, ...]:
        """Signs of the points of this name, where there are two kinds of them."""
        return (1, -1) if self.name in ("unidirectional", "exceptional-point") else (1,)

    def vanishing(self, columns: _Array, variant: int) -> _Array:
        """What vanishes at the point, rad/s.

        Parameters
        ----------
        columns : ndarray, shape (…, 5)
            g_r, g_a, Re D_12, ω̃_1, ω̃_2.
        variant : {1, -1}
            Of ``variants``.

        Returns
        -------
        ndarray, shape (…, v)
        """
        g_r, g_a = columns[..., 0], columns[..., 1]
        apart = columns[..., 4] - columns[..., 3]
        if self.name == "reciprocal":
            return g_a[..., None]
        if self.name == "unidirectional":
            return (g_r - variant * g_a)[..., None]
        if self.name == "antireciprocal":
            return g_r[..., None]
        if self.name == "noise-correlated":
            return np.stack([g_r, g_a], axis=-1)
        if self.name == "exceptional-point":
            square = g_a**2 - g_r**2
            return (apart - variant * 2.0 * np.sign(square) * np.sqrt(np.abs(square)))[..., None]
        wanted = [g_r - self.g_r, g_a - self.g_a]
        if self.delta_omega is not None:
            wanted.append(apart + 2.0 * g_a - self.delta_omega)
        return np.stack(wanted, axis=-1)

    def amplitude(self, columns: _Array, variant: int) -> _Array:
        """What is large at the point, rad/s, shape (…)."""
        g_r, g_a, cross = (columns[..., j] for j in range(3))
        if self.name == "reciprocal":
            return np.abs(g_r)
        if self.name == "unidirectional":
            return np.abs(g_r + variant * g_a)
        if self.name == "noise-correlated":
            return np.abs(cross)
        return np.abs(g_a) if self.name != "given" else np.hypot(g_r, g_a)

    @property
    def largest(self) -> bool:
        """Whether the amplitude is to be as large as it can be."""
        return self.name != "given"

    def linear(self, columns: _Array, variant: int) -> tuple[_Array, _Array]:
        """Vanishing components with the amplitude behind them, (v + 1,), and slopes (v + 1, 5)."""

        def all_of(at: _Array) -> _Array:
            size = self.amplitude(at, variant)[..., None]
            return np.concatenate([self.vanishing(at, variant), size], axis=-1)

        steps = np.array([1.0, 1.0, 1.0, 1.0, 1.0])  # rad/s, small against any rate here
        up, down = (all_of(columns + sign * np.diag(steps)) for sign in (1.0, -1.0))
        return all_of(columns), np.asarray((up - down).T / (2.0 * steps))


@dataclass(frozen=True)
class Aim:
    """What is wanted, and what may be done for it.

    Attributes
    ----------
    target : Target
        The point.
    limits : mapping of str to (float, float)
        Least and largest value of each knob that may be turned.
    accuracy : float
        Wanted standard error of what vanishes over G/kd; half of it of the amplitude.
    allow_unstable : bool
        Whether settings are allowed at which the pair might grow faster.
    held : float
        Growth rate that feedback holds for certain, rad/s.
    """

    target: Target
    limits: Mapping[str, tuple[float, float]]
    accuracy: float = 0.03
    allow_unstable: bool = False
    held: float = 0.0
