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

A balance is a limit cycle only if deviations from it die out. With slowly varying Z_j the balance
becomes m_j(γ_j − 2iΩ) dZ_j/dt = F_j − m_j[ω_j² + ¾β_j|Z_j|² − Ω² − iγ_jΩ] Z_j. Of the four
eigenvalues of its Jacobian at the balance one is zero (the common phase is free); the others must
have negative real parts. And ¾β_j|Z_j|² must be small against ω_j², for a fifth-order term of the
trap, which is left out, matters when the third-order one does.
"""

from __future__ import annotations

import cmath
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
_SETTLED = 1e-2  # of the growth rate: phasors that turn faster are a mean of two motions
_ROUGH, _FINE = 1e-4, 1e-11  # relative, of squared amplitudes
_MOST_ANHARMONIC = 0.1  # 3β|Z|²/4ω² up to which the trap's force is cubic to some per cent


def bessel_gain(x: float) -> float:
    """η(x) = 2J_1(x)/x, the share of the linear coupling that acts at x = k′A_−.

    Parameters
    ----------
    x : float
        k′A_−, rad of optical phase.

    Returns
    -------
    float
        η, 1 at x = 0 and 0 at the first zero of J_1.

    Examples
    --------
    >>> import optobind as ob
    >>> [round(ob.theory.bessel_gain(x), 4) for x in (0.0, 1.0, 3.8317)]
    [1.0, 0.8801, 0.0]
    """
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
    recovery_rate : float
        How fast the slowest deviation from it dies out, 1/s; positive.
    anharmonicity : float
        The larger 3|β_j||Z_j|²/4ω_j² of the two, at most 0.1.

    Examples
    --------
    At g_r = 0 and δω = 2g_a it swings until η = (δω² + γ²)/(4g_aδω).

    >>> import math
    >>> import optobind as ob
    >>> pair = ob.theory.FarFieldPair(
    ...     omegas=(3.98e5, 4.02e5), kd=5.5 * math.pi, phi=-0.5 * math.pi, G=2e3 * 5.5 * math.pi,
    ...     k_prime=5.4e6, masses=(2.7e-18, 2.7e-18), gamma=(4e2, 4e2),
    ... )
    >>> cycle = ob.theory.limit_cycle(pair)
    >>> abs(cycle.gain - 0.505) < 0.005, cycle.recovery_rate > 0.0
    (True, True)
    """

    argument: float
    gain: float
    relative_amplitude: float
    amplitudes: tuple[float, float]
    phase: float
    omega: float
    offsets: tuple[float, float]
    recovery_rate: float
    anharmonicity: float


def _offsets(pair: FarFieldPair, x: float) -> tuple[float, float]:
    """Mean positions under the mean forces, m.

    The turn t = k′(z̄_2 − z̄_1) alone enters the forces: t = R sin(δ − t), which has one root up to
    R = 1. Beyond, light outweighs the traps; the particles rest at the stable root nearest to the
    traps' own.
    """
    strength = pair.force_amplitude * float(j0(x))
    soft = [
        strength / (m * w * w) for m, w in zip(pair.masses, pair.omegas, strict=True)
    ]  # m of displacement for the full force
    wave = pair.k_prime * (
        soft[1] * cmath.exp(1j * (pair.kd + pair.phi))
        + soft[0] * cmath.exp(-1j * (pair.kd - pair.phi))
    )
    reach, angle = abs(wave), cmath.phase(wave)

    def rest(turn: float) -> float:
        return turn - reach * math.sin(angle - turn)

    low, high = -reach - 1e-9, reach + 1e-9
    if reach > 1.0:
        grid = np.linspace(low, high, 16 * math.ceil(reach))
        values = grid - reach * np.sin(angle - grid)
        rising = np.nonzero((values[:-1] < 0.0) & (values[1:] >= 0.0))[0]
        chosen = int(rising[np.abs(grid[rising]).argmin()])
        low, high = float(grid[chosen]), float(grid[chosen + 1])
    turn = float(brentq(rest, low, high, xtol=1e-14))
    return (
        soft[0] * math.sin(pair.kd - pair.phi + turn),
        soft[1] * math.sin(pair.kd + pair.phi - turn),
    )


def _springs(pair: FarFieldPair, x: float, turn: float) -> tuple[float, float]:
    """F k′ cos c_j η(x)/m_j, what the fundamental of the light pulls z_2 − z_1 with, 1/s²."""
    strength = pair.force_amplitude * pair.k_prime * bessel_gain(x)
    return (
        strength / pair.masses[0] * math.cos(pair.kd - (pair.phi - turn)),
        strength / pair.masses[1] * math.cos(pair.kd + (pair.phi - turn)),
    )


def _fastest_mode(
    pair: FarFieldPair, x: float, squares: tuple[float, float], turn: float
) -> tuple[complex, NDArray[np.complex128]]:
    """Eigenvalue of largest real part, Re λ ± iΩ with Im λ < 0, and (Z_1, Z_2) up to a factor."""
    first, second = _springs(pair, x, turn)
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


def _drift_of_phasors(
    pair: FarFieldPair, omega: float, phasors: NDArray[np.complex128]
) -> NDArray[np.complex128]:
    """dZ/dt of slowly varying phasors in the frame at ω, m/s; 0 at a balance."""
    apart = phasors[1] - phasors[0]
    x = pair.k_prime * abs(apart)
    offsets = _offsets(pair, x)
    first, second = _springs(pair, x, pair.k_prime * (offsets[1] - offsets[0]))
    gamma, squared = np.array(pair.gamma), np.abs(phasors) ** 2
    trap = np.array(pair.omegas) ** 2 + 0.75 * np.array(pair.duffing) * squared
    pull = np.array([first * apart, -second * apart])
    push = pull - (trap - omega**2 - 1j * gamma * omega) * phasors
    return np.asarray(push / (gamma - 2j * omega))


def _growth_of_deviations(
    pair: FarFieldPair, omega: float, phasors: NDArray[np.complex128]
) -> float:
    """Largest growth rate of what deviates from a balance, its common phase aside, 1/s."""
    step = 1e-5 * float(np.abs(phasors).max())
    jacobian = np.empty((4, 4))
    for column, unit in enumerate((1.0, 1j)):
        for j in range(2):
            aside = np.zeros(2, dtype=np.complex128)
            aside[j] = unit * step
            change = _drift_of_phasors(pair, omega, phasors + aside)
            change = change - _drift_of_phasors(pair, omega, phasors - aside)
            jacobian[:, 2 * column + j] = np.concatenate([change.real, change.imag]) / (2.0 * step)
    # Turning both phasors alike changes nothing: its eigenvalue is projected out, not searched for.
    turn = np.concatenate([-phasors.imag, phasors.real])
    turn /= np.linalg.norm(turn)
    rest = np.linalg.svd(turn[None])[2][1:]
    return float(np.linalg.eigvals(rest @ jacobian @ rest.T).real.max())


def limit_cycle(pair: FarFieldPair) -> LimitCycle | None:
    """Amplitude at which gain and loss balance; None if the pair at rest is stable.

    Parameters
    ----------
    pair : FarFieldPair
        With gas damping.

    Returns
    -------
    LimitCycle or None
        Amplitudes in m, Ω in rad/s.

    Raises
    ------
    InputError
        Without damping: nothing then fixes the amplitude.
    ConvergenceError
        If no balance is found below J_1(x) = 0, or the one found is no limit cycle that this
        theory describes: the locked motion ends before it (unequal Duffing shifts carry the pair
        to another motion), deviations from it grow, or the traps are strongly anharmonic there.
        Only a trajectory shows what the pair does instead.

    References
    ----------
    V. Liška et al., Nat. Phys. 20, 1622 (2024); M. Reisenbauer et al., Nat. Phys. 20, 1629 (2024).

    Examples
    --------
    Reciprocal binding, here at kd = 6π, is stable and has none.

    >>> import math
    >>> import optobind as ob
    >>> pair = ob.theory.FarFieldPair(
    ...     omegas=(3.98e5, 4.02e5), kd=6.0 * math.pi, phi=0.5, G=4e4, k_prime=5.4e6,
    ...     masses=(2.7e-18, 2.7e-18), gamma=(4e2, 4e2),
    ... )
    >>> ob.theory.limit_cycle(pair) is None
    True
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
    x = _crossing(pair, float(grid[turning[0] - 1]), float(grid[turning[0]]))
    value, phasors, offsets = _mode(pair, x)
    moves = float(np.abs(_drift_of_phasors(pair, -value.imag, phasors)).max())
    jumps = abs(value.real) > _BALANCED * growth[0]
    if jumps or moves > _SETTLED * growth[0] * float(np.abs(phasors).max()):
        raise ConvergenceError(
            f"gain and loss do not balance but jump at k'A = {x:.3g}: Duffing shifts this unequal "
            "take the particles apart before, simulate the pair instead"
        )
    amplitudes = (float(abs(phasors[0])), float(abs(phasors[1])))
    rate = _growth_of_deviations(pair, -value.imag, phasors)
    anharmonicity = max(
        0.75 * abs(b) * (z / w) ** 2
        for b, z, w in zip(pair.duffing, amplitudes, pair.omegas, strict=True)
    )
    _require_cycle(x, rate, anharmonicity)
    return LimitCycle(
        argument=x,
        gain=bessel_gain(x),
        relative_amplitude=x / pair.k_prime,
        amplitudes=amplitudes,
        phase=float(np.angle(phasors[1] / phasors[0])),
        omega=-value.imag,
        offsets=offsets,
        recovery_rate=-rate,
        anharmonicity=anharmonicity,
    )


def _crossing(pair: FarFieldPair, low: float, high: float) -> float:
    """Where growth turns into decay between two arguments that were looked at roughly."""
    edges = [_mode(pair, x)[0].real for x in (low, high)]
    if edges[0] * edges[1] > 0.0:
        return high  # modes take turns here: there is a jump, not a crossing
    return float(brentq(lambda x: _mode(pair, x)[0].real, low, high, xtol=1e-12))


def _require_cycle(x: float, rate: float, anharmonicity: float) -> None:
    """Raise for a balance at x that is left at a positive rate (1/s), or is strongly anharmonic."""
    failed = []
    if rate >= 0.0:
        failed.append(f"it is unstable, deviations grow at {rate:.3g} 1/s")
    if anharmonicity > _MOST_ANHARMONIC:
        failed.append(
            f"the traps are strongly anharmonic, 3β|Z|²/4ω² = {anharmonicity:.3g} where at most "
            f"{_MOST_ANHARMONIC:g} is described"
        )
    if failed:
        raise ConvergenceError(
            f"the balance of gain and loss at k'A = {x:.3g} is no limit cycle: "
            f"{' and '.join(failed)}; simulate the pair instead"
        )
