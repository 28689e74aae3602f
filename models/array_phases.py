"""Phase diagrams of a given pair: exact couplings, gas damping, full dynamics.

In place of the ideal constants of :mod:`.phases` every point is a setting of the array's own light:
(a) set phase and distance, (b) set phase and power balance, which move g_a and δω. Equilibrium,
binding and local phase are those of that setting; PT symmetry and growth come from the 4×4 drift,
not from the rotating wave. The exceptional points of the full dynamics lie where
|ω̃_2² − ω̃_1²| = 4ω√(g_a² − g_r²); with γ_1 = γ_2 gas moves only the onset of growth,
max|Im Ω| > γ/2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .array import TrapArray
from .coefficients import ArrayCoefficients
from .errors import InputError
from .families import LightFamily, pair_family
from .family_coefficients import FamilyCoefficients, Reason
from .phases import RegimeMap, regime_map
from .regimes import full_frequencies
from .reprs import short_repr

__all__ = ["ArrayRegimes", "ArraySymmetry", "array_regimes", "array_symmetry", "symmetry_range"]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
Flags = NDArray[np.bool_]
At: TypeAlias = Literal["equilibrium", "focus"]

_COARSE = 48  # phases around the circle that find where g_a vanishes and how large it gets
_SPARE = 1.25  # margin of the range of detunings around the exceptional points
_MOST_BALANCE = 0.9


@dataclass(frozen=True)
class ArrayRegimes:
    """Fig. 3(a) of an array; arrays have shape (p, q), set phase first.

    Attributes
    ----------
    regimes : RegimeMap
        Exact rates (rad/s) and flags over set phase φ and set kd.
    separation : ndarray, shape (q,)
        Distances of the foci, m.
    D11, D22 : ndarray
        Recoil heating rates, 1/s.
    frequencies : ndarray, shape (p, q, 2)
        Complex Ω of the full dynamics with gas, rad/s; 0 where no pair is held.
    gamma : ndarray, shape (2,)
        Damping rates, 1/s.
    reason : ndarray
        :class:`Reason` why there are no rates, uint8.
    """

    regimes: RegimeMap
    separation: Array
    D11: Array
    D22: Array
    frequencies: Complex
    gamma: Array
    reason: NDArray[np.uint8]

    __repr__ = short_repr

    @property
    def growth_rate(self) -> Array:
        """Growth rate of amplitudes in the full dynamics, gas included, 1/s; 0 without a pair."""
        return np.asarray(self.frequencies.imag.max(axis=-1))

    @property
    def unstable(self) -> Flags:
        """Where amplitudes grow although gas damps, max|Im Ω| > γ/2 for equal spheres."""
        return np.asarray(self.growth_rate > 0.0)

    @property
    def onset(self) -> Array:
        """Re[(Ω_2 − Ω_1)²/4] + γ²/4, (rad/s)², smooth through exceptional points.

        For equal spheres negative where amplitudes grow; γ is the mean of the two.
        """
        return _onset(self.frequencies, self.gamma)


@dataclass(frozen=True)
class ArraySymmetry:
    """Fig. 3(b) of an array; arrays have shape (p, q), set phase first.

    Attributes
    ----------
    phi : ndarray, shape (p,)
        Set phase, rad.
    balance : ndarray, shape (q,)
        Power balance (P_2 − P_1)/(P_1 + P_2).
    omega : ndarray
        Mean frequency without binding, rad/s; 0 where no pair is held, as everywhere below.
    delta_omega : ndarray
        Bare detuning δω = ω_2 − ω_1, rad/s.
    lines : ndarray, shape (p, q, 2)
        ω̃_j, rad/s.
    g_r, g_a : ndarray
        rad/s.
    frequencies : ndarray, shape (p, q, 2)
        Complex Ω of the full dynamics with gas, rad/s; Im > 0 grows.
    gamma : ndarray, shape (2,)
        Damping rates, 1/s.
    reason : ndarray
        :class:`Reason` why there is no pair, uint8.
    """

    phi: Array
    balance: Array
    omega: Array
    delta_omega: Array
    lines: Array
    g_r: Array
    g_a: Array
    frequencies: Complex
    gamma: Array
    reason: NDArray[np.uint8]

    __repr__ = short_repr

    @property
    def valid(self) -> Flags:
        """Where the pair is held."""
        return np.asarray(self.reason == Reason.HELD)

    @property
    def excess(self) -> Array:
        """(ω̃_2² − ω̃_1²)/4ω squared plus g_r² − g_a², (rad/s)²; 0 at exceptional points.

        Negative in the broken phase; positive where no pair is held.
        """
        omega = np.where(self.valid, self.omega, 1.0)
        split = (self.lines[..., 1] ** 2 - self.lines[..., 0] ** 2) / (4.0 * omega)
        excess = split**2 + self.g_r**2 - self.g_a**2
        return np.asarray(np.where(self.valid, excess, 1.0))

    @property
    def broken(self) -> Flags:
        """Where the lines have merged: between the exceptional points of the full dynamics."""
        return np.asarray(self.valid & (self.excess < 0.0))

    @property
    def antireciprocal(self) -> Flags:
        """Where |g_a| > |g_r|."""
        return np.asarray(self.valid & (np.abs(self.g_a) > np.abs(self.g_r)))

    @property
    def onset(self) -> Array:
        """Re[(Ω_2 − Ω_1)²/4] + γ²/4, as :attr:`ArrayRegimes.onset`; positive without a pair."""
        return np.asarray(np.where(self.valid, _onset(self.frequencies, self.gamma), 1.0))

    @property
    def unstable(self) -> Flags:
        """Where an amplitude grows in spite of the gas."""
        return np.asarray(self.valid & (self.frequencies.imag.max(axis=-1) > 0.0))

    def exceptional_points(self, row: int) -> list[float]:
        """Detunings δω (rad/s) of the exceptional points at ``phi[row]``, between grid points."""
        excess, valid = self.excess[row], self.valid[row]
        points = []
        for j in np.nonzero((excess[:-1] < 0.0) != (excess[1:] < 0.0))[0]:
            if valid[j] and valid[j + 1]:
                share = excess[j] / (excess[j] - excess[j + 1])
                left, right = self.delta_omega[row, j], self.delta_omega[row, j + 1]
                points.append(float(left + share * (right - left)))
        return points


def array_regimes(
    array: TrapArray, phi: ArrayLike, separation: ArrayLike, at: At = "equilibrium"
) -> ArrayRegimes:
    """Exact couplings of the first two particles over set phase and distance.

    Parameters
    ----------
    array : TrapArray
        A pair.
    phi : array_like, shape (p,)
        Set phases φ_1 − φ_2, rad.
    separation : array_like, shape (q,)
        Distances of the foci, m.
    at : {"equilibrium", "focus"}
        Where to linearise.

    Returns
    -------
    ArrayRegimes
        Rates in rad/s over (φ, d), shape (p, q), and where no pair is held.

    Raises
    ------
    InputError
        Unless the array is a pair, or for values out of range.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Fig. 3(a).

    Examples
    --------
    >>> import optobind as ob
    >>> found = ob.array_regimes(ob.load_trap("simulated-pair"), [0.0, 1.0], [2.4e-6, 2.6e-6])
    >>> found.regimes.g_r.shape
    (2, 2)
    """
    _require_pair(array)
    phases, distances = np.atleast_1d(phi).astype(float), np.atleast_1d(separation).astype(float)
    family = pair_family(array, phi=phases[:, None], separation=distances[None, :])
    parts = family.coefficients(at)
    g_r, g_a = _couplings(parts.held)
    rates = parts.held.rates
    held = parts.reason == Reason.HELD
    return ArrayRegimes(
        regimes=regime_map(
            phases,
            array.k * distances,
            parts.spread(g_r),
            parts.spread(g_a),
            parts.spread(rates[:, 0, 1].real),
            held,
        ),
        separation=distances,
        D11=parts.spread(rates[:, 0, 0].real),
        D22=parts.spread(rates[:, 1, 1].real),
        frequencies=_frequencies(parts),
        gamma=array.damping_rates,
        reason=parts.reason,
    )


def _onset(frequencies: Complex, gamma: Array) -> Array:
    half = 0.5 * (frequencies[..., 1] - frequencies[..., 0])
    return np.asarray((half**2).real + 0.25 * float(gamma.mean()) ** 2)


def _couplings(parts: ArrayCoefficients) -> tuple[Array, Array]:
    """(g_r, g_a) of the settings that hold the pair."""
    couplings = parts.couplings
    plus, minus = couplings[:, 0, 1], couplings[:, 1, 0]
    return np.asarray(0.5 * (plus + minus)), np.asarray(0.5 * (plus - minus))


def _frequencies(parts: FamilyCoefficients) -> Complex:
    """Complex Ω at their places in the family, 0 elsewhere."""
    drifts = parts.held.drift()
    found = full_frequencies(drifts) if len(drifts) else np.zeros((0, 2), np.complex128)
    return parts.spread(found)


def array_symmetry(
    array: TrapArray, phi: ArrayLike, balance: ArrayLike, at: At = "equilibrium"
) -> ArraySymmetry:
    """PT symmetry of the first two particles over set phase and power balance.

    Parameters
    ----------
    array : TrapArray
        A pair; measured frequencies follow √P.
    phi : array_like, shape (p,)
        Set phases φ_1 − φ_2, rad.
    balance : array_like, shape (q,)
        (P_2 − P_1)/(P_1 + P_2) at constant total power, within ±1; sets δω.
    at : {"equilibrium", "focus"}
        Where to linearise.

    Returns
    -------
    ArraySymmetry
        Over (φ, balance), shape (p, q), rad/s.

    Raises
    ------
    InputError
        Unless the array is a pair, or for values out of range.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Fig. 3(b).

    Examples
    --------
    >>> import optobind as ob
    >>> found = ob.array_symmetry(ob.load_trap("simulated-pair"), [0.0, 1.0], [-0.1, 0.0, 0.1])
    >>> found.frequencies.shape
    (2, 3, 2)
    """
    _require_pair(array)
    phases, shares = np.atleast_1d(phi).astype(float), np.atleast_1d(balance).astype(float)
    family = pair_family(array, phi=phases[:, None], balance=shares[None, :])
    return _symmetry(family, phases, shares, at)


def _require_pair(array: TrapArray) -> None:
    if len(array.spheres) != 2:
        raise InputError(f"this map is of a pair, the array has {len(array.spheres)} particles")


def _symmetry(family: LightFamily, phases: Array, shares: Array, at: At) -> ArraySymmetry:
    parts = family.coefficients(at)
    g_r, g_a = _couplings(parts.held)
    found = parts.held
    squares = found.omegas**2 + 2.0 * found.omega[:, None] * found.shifts
    return ArraySymmetry(
        phi=phases,
        balance=shares,
        omega=parts.spread(found.omega),
        delta_omega=parts.spread(found.omegas[:, 1] - found.omegas[:, 0]),
        lines=parts.spread(np.sqrt(np.maximum(squares, 0.0))),
        g_r=parts.spread(g_r),
        g_a=parts.spread(g_a),
        frequencies=_frequencies(parts),
        gamma=family.array.damping_rates,
        reason=parts.reason,
    )


def symmetry_range(
    array: TrapArray, at: At = "equilibrium"
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Ranges of set phase (rad) and balance that show the whole of Fig. 3(b).

    Half a turn of φ around the set phase, over which g_a runs from one extreme to the other, and
    balances that reach beyond both exceptional points; the set point lies inside.

    Parameters
    ----------
    array : TrapArray
        A pair.
    at : {"equilibrium", "focus"}
        Where to linearise.

    Raises
    ------
    InputError
        Unless the array is a pair that is held at its own powers.
    """
    _require_pair(array)
    turns = 2.0 * math.pi / _COARSE * np.arange(_COARSE)
    first, second = (beam.power for beam in array.tweezers)
    own = (second - first) / (first + second) if first + second > 0.0 else 0.0
    scan = array_symmetry(array, turns, [own], at)
    valid = scan.valid[:, 0]
    if not valid.any():
        array.positions(at)  # names the particle and the reason
        array.axial_omegas(array.positions(at))
        raise InputError("the light does not hold the pair at any phase")
    # First harmonic: g_a(φ) ≈ A sin(φ − φ_0), up to what the two beams overlap.
    wave = (scan.g_a[:, 0] * np.exp(-1j * turns)).sum()
    zero = -float(np.angle(wave)) - 0.5 * math.pi
    phase = math.remainder(array.tweezers[0].phase - array.tweezers[1].phase, math.tau)
    centre = phase + math.remainder(zero - phase, math.pi)
    strongest = float(np.hypot(scan.g_r, scan.g_a).max())
    # The lines cross where δω balances the shifts; exceptional points are up to 2g_a beside.
    omega = np.where(valid, scan.omega[:, 0], 1.0)
    crossing = scan.delta_omega[:, 0] - (scan.lines[:, 0, 1] ** 2 - scan.lines[:, 0, 0] ** 2) / (
        2.0 * omega
    )
    low = float(crossing[valid].min()) - 2.0 * _SPARE * strongest
    high = float(crossing[valid].max()) + 2.0 * _SPARE * strongest
    start, slope = _tuning(array, own, at)
    reach = [own + (edge - start) / slope for edge in (low, high)]
    least, most = max(min(reach), -_MOST_BALANCE), min(max(reach), _MOST_BALANCE)
    if least >= most:
        raise InputError(
            "no power balance brings the two lines together: it would be "
            f"{min(reach):.3g} … {max(reach):.3g}, beyond ±{_MOST_BALANCE:g}"
        )
    aside = 0.05 * (most - least)
    return (
        (centre - 0.5 * math.pi, centre + 0.5 * math.pi),
        (max(min(least, own - aside), -1.0), min(max(most, own + aside), 1.0)),
    )


def _tuning(array: TrapArray, own: float, at: At) -> tuple[float, float]:
    """δω at a balance (rad/s) and how fast the balance moves it."""
    step = 0.01 if own < 0.5 else -0.01
    pair = pair_family(array, balance=np.array([own, own + step])).coefficients(at).held
    if len(pair.omegas) < 2:
        raise InputError("the light does not hold the pair when its balance is changed")
    detunings = pair.omegas[:, 1] - pair.omegas[:, 0]
    return float(detunings[0]), float(detunings[1] - detunings[0]) / step
