"""Phase diagrams of a pair, Fig. 3 of the Letter, for ideal far-field constants.

(a) Which of g_r, g_a and Re D_12 dominates over (φ, kd), Eqs. (6) and (8). (b) Where the
generalized PT symmetry is broken over (δω, g_a) at a given g_r, Eq. (12), with the exceptional
points δω = 2g_a ± 2√(g_a² − g_r²). A given array, without idealisations: :mod:`.array_phases`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError
from .ranges import require_count, require_finite, require_vector
from .regimes import (
    REGIMES,
    eigenfrequencies,
    exceptional_detunings,
    radicand,
    regime_flags,
    regime_margins,
)
from .reprs import short_repr

__all__ = [
    "LETTER_POINTS",
    "RegimeMap",
    "SymmetryMap",
    "area_shares",
    "eigenfrequency_cut",
    "ideal_regimes",
    "ideal_symmetry",
    "regime_map",
]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
Flags = NDArray[np.bool_]

LETTER_POINTS: dict[str, tuple[float, float]] = {
    "I": (0.0, 5.0 * math.pi),
    "II": (0.25 * math.pi, 5.25 * math.pi),
    "III": (0.5 * math.pi, 5.5 * math.pi),
    "IV": (0.0, 5.5 * math.pi),
}
"""(φ, kd) of the points of Fig. 3(a); each lies in one regime only. II has a mirror image at −φ."""


@dataclass(frozen=True)
class RegimeMap:
    """Regimes over set phase and distance; arrays have shape (p, q), φ first.

    Attributes
    ----------
    phi : ndarray, shape (p,)
        φ_1 − φ_2, rad.
    kd : ndarray, shape (q,)
        k times the distance.
    g_r, g_a, re_D12 : ndarray
        Rates, rad/s (of G for ideal constants).
    reciprocal, unidirectional, antireciprocal, noise_correlated : ndarray of bool
        Flags, which may overlap.
    valid : ndarray of bool
        Where there are rates at all; false flags and zero rates elsewhere.
    """

    phi: Array
    kd: Array
    g_r: Array
    g_a: Array
    re_D12: Array
    reciprocal: Flags
    unidirectional: Flags
    antireciprocal: Flags
    noise_correlated: Flags
    valid: Flags

    __repr__ = short_repr

    @property
    def none(self) -> Flags:
        """Where no regime prevails."""
        taken = self.reciprocal | self.unidirectional | self.antireciprocal | self.noise_correlated
        return np.asarray(self.valid & ~taken)

    @property
    def flags(self) -> dict[str, Flags]:
        """The flags by name."""
        return {name: getattr(self, name) for name in REGIMES}

    @property
    def margins(self) -> dict[str, Array]:
        """:func:`regime_margins`, −1 where there are no rates: zero lines are the borders."""
        found = regime_margins(self.g_r, self.g_a, self.re_D12)
        return {name: np.where(self.valid, value, -1.0) for name, value in found.items()}

    @property
    def shares(self) -> dict[str, float]:
        """Share of the valid points in each regime and in ``none``; overlaps count twice."""
        total = max(1, int(self.valid.sum()))
        counted = {**self.flags, "none": self.none}
        return {name: float(flag.sum()) / total for name, flag in counted.items()}


def regime_map(
    phi: Array, kd: Array, g_r: Array, g_a: Array, re_D12: Array, valid: Flags | None = None
) -> RegimeMap:
    """Flag given rates of shape (p, q), strictly, with a relative tolerance of 1e-9."""
    good = np.ones(g_r.shape, dtype=bool) if valid is None else valid
    flags = {name: flag & good for name, flag in regime_flags(g_r, g_a, re_D12).items()}
    return RegimeMap(phi, kd, g_r, g_a, re_D12, valid=good, **flags)


_SPLINE = 6  # fewer points a side make no cubic spline


def finer_regimes(regimes: RegimeMap, points: int) -> RegimeMap:
    """Interpolate smooth rates before they are compared: borders stay as sharp as they are.

    Parameters
    ----------
    regimes : RegimeMap
        Where it does not hold the pair everywhere, or has few points, it is returned as it is.
    points : int
        Points a side of the result.
    """
    if not regimes.valid.all() or min(regimes.g_r.shape) < _SPLINE:
        return regimes
    from scipy.interpolate import RectBivariateSpline

    phi = np.linspace(regimes.phi[0], regimes.phi[-1], points)
    kd = np.linspace(regimes.kd[0], regimes.kd[-1], points)
    g_r, g_a, cross = (
        RectBivariateSpline(regimes.phi, regimes.kd, rate)(phi, kd)
        for rate in (regimes.g_r, regimes.g_a, regimes.re_D12)
    )
    return regime_map(phi, kd, g_r, g_a, cross)


def ideal_regimes(phi: ArrayLike, kd: ArrayLike, G: float = 1.0) -> RegimeMap:
    """Fig. 3(a): regimes of Eqs. (6) and (8).

    Parameters
    ----------
    phi : array_like, shape (p,)
        Relative phase, rad.
    kd : array_like, shape (q,)
        Distance times k, positive.
    G : float
        Coupling constant, rad/s.

    Returns
    -------
    RegimeMap
        Rates and flags over (φ, kd), shape (p, q).

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Fig. 3(a).

    Examples
    --------
    >>> import optobind as ob
    >>> import numpy as np
    >>> found = ob.ideal_regimes([0.0, np.pi / 2], [5.0 * np.pi])
    >>> found.reciprocal[:, 0]
    array([ True, False])
    """
    phase, distance = require_vector("phi", phi), require_vector("kd", kd)
    if distance.min() <= 0.0:
        raise InputError(f"kd must be positive, got {distance.min():g}")
    rate = require_finite("G", G, "rad/s") / distance
    cosine, sine = np.cos(phase), np.sin(phase)
    return regime_map(
        phase,
        distance,
        np.outer(cosine, rate * np.cos(distance)),
        np.outer(sine, rate * np.sin(distance)),
        np.outer(cosine, rate * np.sin(distance)),
    )


def area_shares(cells: int = 500) -> dict[str, float]:
    """Shares of the regimes in a whole period of φ and kd, where 1/kd scales all rates alike.

    Parameters
    ----------
    cells : int
        Cells a side; the shares have converged to 1/cells.
    """
    require_count("cells", cells, 2, 20_000)
    angle = np.asarray(math.pi / cells * (np.arange(cells) + 0.5), dtype=np.float64)
    # Borders such as cos(kd ± φ) = 0 would run through the centres of equal cells.
    shifted = np.asarray(angle - 0.2 * math.pi / cells, dtype=np.float64)
    return regime_map(
        angle,
        shifted,
        np.outer(np.cos(angle), np.cos(shifted)),
        np.outer(np.sin(angle), np.sin(shifted)),
        np.outer(np.cos(angle), np.sin(shifted)),
    ).shares


@dataclass(frozen=True)
class SymmetryMap:
    """Broken and unbroken PT symmetry over detuning and antireciprocal coupling.

    Attributes
    ----------
    delta_omega : ndarray, shape (p,)
        δω, rad/s.
    g_a : ndarray, shape (q,)
        rad/s.
    g_r : float
        rad/s.
    frequencies : ndarray, shape (p, q, 2)
        ω_± of Eq. (12) relative to ω + g_r, rad/s; Im > 0 grows.
    broken : ndarray of bool, shape (p, q)
        Where the argument of the root in Eq. (12) is negative.
    antireciprocal : ndarray of bool, shape (q,)
        Where |g_a| > |g_r|.
    """

    delta_omega: Array
    g_a: Array
    g_r: float
    frequencies: Complex
    broken: Flags
    antireciprocal: Flags

    __repr__ = short_repr

    @property
    def exceptional_lines(self) -> tuple[Array, Array, Array]:
        """(g_a, lower δω, upper δω) of the exceptional points, for the g_a that have any."""
        chosen = self.g_a[np.abs(self.g_a) >= abs(self.g_r)]
        lower, upper = exceptional_detunings(chosen, self.g_r)
        return chosen, lower, upper


def ideal_symmetry(delta_omega: ArrayLike, g_a: ArrayLike, g_r: float = 1.0) -> SymmetryMap:
    """Fig. 3(b): eigenfrequencies of Eq. (12) and where they are imaginary.

    Parameters
    ----------
    delta_omega : array_like, shape (p,)
        δω, rad/s.
    g_a : array_like, shape (q,)
        Antireciprocal couplings, rad/s.
    g_r : float
        Reciprocal coupling, rad/s.

    Returns
    -------
    SymmetryMap
        Eigenfrequencies and flags over (δω, g_a), shape (p, q).

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Fig. 3(b), Eq. (12).

    Examples
    --------
    >>> import optobind as ob
    >>> found = ob.ideal_symmetry([0.0, 4.0], [2.0])
    >>> found.broken[:, 0]
    array([False,  True])
    """
    detuning, anti = require_vector("delta_omega", delta_omega), require_vector("g_a", g_a)
    require_finite("g_r", g_r, "rad/s")
    point = (detuning[:, None], g_r, anti[None, :])
    return SymmetryMap(
        delta_omega=detuning,
        g_a=anti,
        g_r=float(g_r),
        frequencies=eigenfrequencies(*point),
        broken=radicand(*point) < 0.0,
        antireciprocal=np.abs(anti) > abs(g_r),
    )


def eigenfrequency_cut(delta_omega: ArrayLike, g_a: float, g_r: float = 1.0) -> Complex:
    """ω_± of Eq. (12) against δω at one g_a, shape (2, p), rad/s."""
    return ideal_symmetry(delta_omega, [g_a], g_r).frequencies[:, 0].T
