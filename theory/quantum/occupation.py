"""Saturation of the damped quasinormal mode: what non-Hermitian damping cannot cool below.

At g_r = 0 and δω = 2g_a the mode b = (a_1 ∓ ia_2)/√2 (upper sign for g_a > 0) decays at |g_a| and
d⟨n⟩/dt = −2|g_a|n + D − |g_a| drives it to n = D/(2|g_a|) − ½. The other mode grows as e^{2|g_a|t};
beyond the rotating wave it leaks in, so compare at |g_a|t ≲ 3 for |g_a|/ω ≤ 0.01.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.errors import InputError
from ...models.pair import PairConstants
from ...models.ranges import require_finite_array, require_range
from .entanglement import occupation
from .evolution import evolve
from .free_space import coupling_to_recoil

__all__ = [
    "damped_mode",
    "damped_mode_occupation",
    "far_field_saturation",
    "growing_mode",
    "rotating_wave_occupation",
]


def damped_mode(g_a: float) -> tuple[complex, complex]:
    """Coefficients of the decaying mode, (a_1 − ia_2)/√2 for g_a > 0, (a_1 + ia_2)/√2 for g_a < 0.

    Raises
    ------
    InputError
        If g_a is zero or not finite.
    """
    if not (math.isfinite(g_a) and g_a != 0.0):
        raise InputError(f"no mode is damped unless g_a is finite and not zero, got {g_a!r} rad/s")
    root = math.sqrt(0.5)
    return complex(root), complex(0.0, -math.copysign(root, g_a))


def growing_mode(g_a: float) -> tuple[complex, complex]:
    """Coefficients of the mode that grows, the mirror of :func:`damped_mode`.

    Parameters
    ----------
    g_a : float
        Antireciprocal coupling, rad/s; only its sign matters.

    Returns
    -------
    tuple of complex
        (c_1, c_2) of b = c_1a_1 + c_2a_2, normalised.

    Raises
    ------
    InputError
        If g_a is zero or not finite.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eq. (11).

    Examples
    --------
    >>> import optobind as ob
    >>> first, second = ob.theory.growing_mode(5e3)  # (a_1 + ia_2)/√2
    >>> abs(second - 1j * first) < 1e-12
    True
    """
    return damped_mode(-g_a)


def damped_mode_occupation(
    pair: PairConstants, covariance: ArrayLike, times: ArrayLike
) -> NDArray[np.float64]:
    """Occupation of the decaying mode at given times in the full dynamics, shape (t,).

    Parameters
    ----------
    pair : PairConstants
        With g_a ≠ 0; the mode is an eigenmode at g_r = 0, δω = 2g_a.
    covariance : array_like, shape (4, 4)
        V(0).
    times : array_like, shape (t,)
        Ascending, s; |g_a|t ≲ 3 is the range in which it can be compared with
        ``pair.saturation_occupation()``.

    Returns
    -------
    ndarray, shape (t,)
        Quanta.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eq. (11).

    Examples
    --------
    Nothing but recoil and non-Hermitian damping cools ten quanta.

    >>> import optobind as ob
    >>> pair = ob.PairConstants(3e6, 1e3, 0.0, 5e2, 1e3, 1e3, 0.0)
    >>> hot = ob.theory.thermal_state(10.0, 10.0)
    >>> n = ob.theory.damped_mode_occupation(pair, hot, [0.0, 1e-3, 4e-3])
    >>> bool(n[0] > n[1] > n[2] > pair.saturation_occupation())
    True
    """
    mode = damped_mode(pair.g_a)
    return occupation(evolve(pair, covariance, times), mode)


def rotating_wave_occupation(
    pair: PairConstants, initial: float, times: ArrayLike
) -> NDArray[np.float64]:
    """n(t) = n_∞ + (n_0 − n_∞)e^{−(2|g_a| + γ)t} of the decaying mode.

    Parameters
    ----------
    pair : PairConstants
        n_∞ is its ``saturation_occupation()``, γ the mean of its gas damping rates.
    initial : float
        n_0, at least 0.
    times : array_like
        s.

    Returns
    -------
    ndarray, shape (t,)
        Quanta.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eq. (11).

    Examples
    --------
    In the end n = D/(2|g_a|) − ½.

    >>> import optobind as ob
    >>> pair = ob.PairConstants(3e6, 1e3, 0.0, 5e2, 1e3, 1e3, 0.0)
    >>> [round(float(n), 6) for n in ob.theory.rotating_wave_occupation(pair, 10.0, [0.0, 1.0])]
    [10.0, 0.5]
    """
    damped_mode(pair.g_a)
    start = require_range("initial occupation", initial, 0.0, 1e15)
    final = pair.saturation_occupation()
    elapsed = require_finite_array("times", times, "s")
    decay = np.exp(-(2.0 * abs(pair.g_a) + 0.5 * sum(pair.gamma)) * elapsed)
    return np.asarray(final + (start - final) * decay)


def far_field_saturation(kd: float, propagation_factor: float = 1.0) -> float:
    """Saturation at |sin kd sin φ| = 1 in the far field, (kd/3)(1 + 0.4/A²) − ½.

    Independent of power, size and material.

    Parameters
    ----------
    kd : float
        Dimensionless distance, at least 1.
    propagation_factor : float
        A, 0.1 … 1.

    Returns
    -------
    float
        Quanta.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024): D_11kd/(2G) − ½.

    Examples
    --------
    >>> import optobind as ob
    >>> kd = 20.0
    >>> n = ob.theory.far_field_saturation(kd)
    >>> round(n, 9) == round(0.5 * kd / ob.theory.coupling_to_recoil() - 0.5, 9)
    True
    """
    kd = require_range("kd", kd, 1.0, 1e7)
    return 0.5 * kd / coupling_to_recoil(propagation_factor) - 0.5
