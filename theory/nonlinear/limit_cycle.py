r"""Limit cycles past the exceptional point: the Bessel-function balance.

Let z_j = z̄_j + Re(Z_je^{−iΩt}), so that u = z_2 − z_1 swings with amplitude A_− = |Z_2 − Z_1| and
x = k′A_−. With c_1 = kd − φ + k′ū and c_2 = kd + φ − k′ū the Jacobi–Anger expansion

    sin(c ± x cos θ) = J_0(x) sin c ± 2J_1(x) cos c cos θ + higher harmonics

gives each far-field force a mean f J_0(x) sin c_j, which shifts z̄_j, and a fundamental

    F_1 = +f k′ cos c_1 η(x) (Z_2 − Z_1),   F_2 = −f k′ cos c_2 η(x) (Z_2 − Z_1),   η = 2J_1(x)/x:

the linear coupling (and its local shift, for the force depends on u alone) times η ≤ 1. The
fundamental balance of each particle is therefore

    m_j[ω_j² + ¾β_j|Z_j|² − Ω² − iγ_jΩ] Z_j = F_j,

with the Duffing coefficient β_j of its trap. Its real part locks both particles to one Ω, its
imaginary part is the energy balance: multiplied by Ω/2 · Z_j* and summed,

    −½Ω Σ_j Im(Z_j*F_j) = work of the light per time = ½Ω² Σ_j m_jγ_j|Z_j|² = loss to the gas.

A nontrivial solution exists where the linear pair with couplings ηg and traps ω_j² + ¾β_j|Z_j|² has
an eigenvalue on the imaginary axis: its growth rate falls from the linear one at x = 0 to −γ/2 at
J_1(x) = 0, so gas always stops it. In the rotating wave, with γ_1 = γ_2, β = 0 and Eq. (12), the
condition is 4ηg_aδω − 4η²g_r² − δω² = γ², hence for g_r = 0

    2J_1(k′A_−)/(k′A_−) = (δω² + γ²)/(4g_aδω).

At γ → 0 this is the exceptional point of the weakened coupling: the particles unlock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import j0, j1, jn_zeros

from ...models.errors import ConvergenceError, InputError
from ...models.oscillators import oscillator_drift
from ...models.ranges import require_range
from .reduced import FarFieldPair

__all__ = ["LimitCycle", "bessel_argument", "bessel_gain", "limit_cycle"]

_FIRST_ZERO = float(jn_zeros(1, 1)[0])
_GRID = 80
_BALANCED = 1e-5  # of the linear growth rate: a larger rest is a jump, not a balance
_ROUGH, _FINE = 1e-4, 1e-11  # relative, of squared amplitudes


def bessel_gain(x: float) -> float:
    """η(x) = 2J_1(x)/x, the share of the linear coupling that acts at x = k′A_−."""
    return 1.0 - x * x / 8.0 if abs(x) < 1e-4 else float(2.0 * j1(x) / x)


def bessel_argument(gain: float) -> float:
    """Inverse of :func:`bessel_gain` on its first branch, x in 0 … 3.83.

    Raises
    ------
    InputError
        For a gain outside 0 … 1.
    """
    gain = require_range("gain", gain, 0.0, 1.0)
    if gain == 1.0:
        return 0.0
    return float(brentq(lambda x: bessel_gain(x) - gain, 0.0, _FIRST_ZERO + 1e-9, xtol=1e-13))


@dataclass(frozen=True)
class LimitCycle:
    """A self-sustained oscillation of the pair.

    Attributes
    ----------
    argument : float
        x = k′A_−.
    gain : float
        η(x).
    relative_amplitude : float
        A_−, m.
    amplitudes : tuple of float
        (|Z_1|, |Z_2|), m.
    phase : float
        arg Z_2 − arg Z_1, rad.
    omega : float
        Ω, rad/s.
    offsets : tuple of float
        Mean positions (z̄_1, z̄_2), m.
    """

    argument: float
    gain: float
    relative_amplitude: float
    amplitudes: tuple[float, float]
    phase: float
    omega: float
    offsets: tuple[float, float]


def _offsets(pair: FarFieldPair, x: float) -> tuple[float, float]:
    """Mean positions under the mean forces, m."""
    first = second = 0.0
    strength = pair.force_amplitude * float(j0(x))
    for _ in range(100):
        turn = pair.k_prime * (second - first)
        push = (math.sin(pair.kd - pair.phi + turn), math.sin(pair.kd + pair.phi - turn))
        places = [
            strength * p / (m * w * w)
            for p, m, w in zip(push, pair.masses, pair.omegas, strict=True)
        ]
        change = abs(places[0] - first) + abs(places[1] - second)
        first, second = places
        if change * pair.k_prime < 1e-13:
            break
    return first, second


def _fastest_mode(
    pair: FarFieldPair, x: float, squares: tuple[float, float], turn: float
) -> tuple[complex, NDArray[np.complex128]]:
    """Eigenvalue of largest real part, Re λ ± iΩ with Im λ < 0, and (Z_1, Z_2) up to a factor."""
    strength = pair.force_amplitude * pair.k_prime * bessel_gain(x)
    first = strength / pair.masses[0] * math.cos(pair.kd - (pair.phi - turn))
    second = strength / pair.masses[1] * math.cos(pair.kd + (pair.phi - turn))
    pull = [[-squares[0] - first, first], [second, -squares[1] - second]]
    values, vectors = np.linalg.eig(oscillator_drift(1.0, pull, pair.gamma))
    turning = np.where(values.imag < 0.0, values.real, -np.inf)
    best = int(np.argmax(turning))
    return complex(values[best]), vectors[[0, 2], best].astype(np.complex128)


def _mode(
    pair: FarFieldPair, x: float, tolerance: float = _FINE
) -> tuple[complex, NDArray[np.complex128], tuple[float, float]]:
    """Self-consistent mode at x: eigenvalue, phasors (m) and offsets (m)."""
    offsets = _offsets(pair, x)
    turn = pair.k_prime * (offsets[1] - offsets[0])
    squared = np.zeros(2)
    value, phasors = 0j, np.zeros(2, dtype=np.complex128)
    for _ in range(60):  # halving, 40 reach rounding unless two modes take turns
        squares = tuple(
            w * w + 0.75 * b * a for w, b, a in zip(pair.omegas, pair.duffing, squared, strict=True)
        )
        value, phasors = _fastest_mode(pair, x, (squares[0], squares[1]), turn)
        difference = abs(phasors[1] - phasors[0])
        if difference == 0.0:
            break
        phasors = phasors * (x / pair.k_prime / difference)
        # At a strong Duffing shift the mode shape feeds back on itself: go half way.
        found = 0.5 * (squared + np.abs(phasors) ** 2)
        change = float(np.abs(found - squared).max())
        squared = found
        if change <= tolerance * (x / pair.k_prime) ** 2 or not any(pair.duffing):
            break
    return value, phasors, offsets


def limit_cycle(pair: FarFieldPair) -> LimitCycle | None:
    """Amplitude at which gain and loss balance; None if the pair at rest is stable.

    Parameters
    ----------
    pair : FarFieldPair
        With gas damping.

    Raises
    ------
    InputError
        Without damping: nothing then fixes the amplitude.
    ConvergenceError
        If no balance is found below J_1(x) = 0, or the locked motion ends before it: unequal
        Duffing shifts carry the pair to another motion, which only a trajectory shows.
    """
    if min(pair.gamma) <= 0.0:
        raise InputError(
            f"gamma must be positive for a limit cycle, got {pair.gamma[0]:g} and "
            f"{pair.gamma[1]:g} 1/s"
        )
    grid = np.linspace(1e-6, _FIRST_ZERO, _GRID)
    growth = [_mode(pair, float(x), _ROUGH)[0].real for x in grid]
    if growth[0] <= 0.0:
        return None
    turning = [i for i in range(1, _GRID) if growth[i] < 0.0]
    if not turning:
        raise ConvergenceError("no amplitude below J_1(x) = 0 balances gain and loss")
    last = turning[0]
    x = float(brentq(lambda x: _mode(pair, x)[0].real, grid[last - 1], grid[last], xtol=1e-12))
    value, phasors, offsets = _mode(pair, x)
    if abs(value.real) > _BALANCED * growth[0]:
        raise ConvergenceError(
            f"gain and loss do not balance but jump at k'A = {x:.3g}: Duffing shifts this unequal "
            "take the particles apart before, simulate the pair instead"
        )
    return LimitCycle(
        argument=x,
        gain=bessel_gain(x),
        relative_amplitude=x / pair.k_prime,
        amplitudes=(float(abs(phasors[0])), float(abs(phasors[1]))),
        phase=float(np.angle(phasors[1] / phasors[0])),
        omega=-value.imag,
        offsets=offsets,
    )
