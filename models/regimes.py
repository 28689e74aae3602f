"""Eq. (12) and the regimes of Fig. 3 for given rates: what couplings make of a pair.

Everything here takes numbers or arrays, which broadcast; maps over φ and kd: :mod:`.phases`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError
from .ranges import require_finite_array

__all__ = [
    "REGIMES",
    "eigenfrequencies",
    "exceptional_detunings",
    "exceptional_square",
    "full_frequencies",
    "radicand",
    "regime_flags",
    "regime_margins",
]

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
Flags = NDArray[np.bool_]

REGIMES = ("reciprocal", "unidirectional", "antireciprocal", "noise_correlated")
"""Names of the regimes of Fig. 3(a); they may overlap."""

_TIE = 1e-9  # relative: a tie is not a win, point II of Fig. 3(a) is a triple one


def regime_margins(g_r: ArrayLike, g_a: ArrayLike, re_D12: ArrayLike) -> dict[str, Array]:
    """By how much each regime of Fig. 3(a) is reached: positive inside, 0 on its border.

    Relative to the larger side of the inequality, −1 … 1.

    Parameters
    ----------
    g_r, g_a, re_D12 : array_like
        Reciprocal and antireciprocal coupling and Re D_12, in one unit.

    Returns
    -------
    dict of ndarray
        One entry for each of :data:`REGIMES`.
    """
    real, anti = require_finite_array("g_r", g_r), require_finite_array("g_a", g_a)
    r, a, d = np.abs(real), np.abs(anti), np.abs(require_finite_array("re_D12", re_D12))
    plus, minus = np.abs(real + anti), np.abs(real - anti)
    strong, weak = np.maximum(plus, minus), np.minimum(plus, minus)
    return {
        "reciprocal": _margin(r, np.maximum(a, d)),
        "unidirectional": _margin(strong, 2.0 * weak),
        "antireciprocal": _margin(a, np.maximum(r, d)),
        "noise_correlated": _margin(d, 2.0 * strong),
    }


def _margin(left: Array, right: Array) -> Array:
    """(left − right)/max(left, right), 0 where both vanish."""
    larger = np.maximum(left, right)
    return np.asarray((left - right) / np.where(larger > 0.0, larger, 1.0))


def regime_flags(g_r: ArrayLike, g_a: ArrayLike, re_D12: ArrayLike) -> dict[str, Flags]:
    """Regimes of Fig. 3(a), strictly, with a relative tolerance of 1e-9; the flags may overlap.

    Parameters
    ----------
    g_r, g_a, re_D12 : array_like
        As for :func:`regime_margins`.

    Returns
    -------
    dict of ndarray of bool
        One entry for each of :data:`REGIMES`.
    """
    margins = regime_margins(g_r, g_a, re_D12)
    return {name: np.asarray(margin > _TIE) for name, margin in margins.items()}


def radicand(delta_omega: ArrayLike, g_r: ArrayLike, g_a: ArrayLike) -> Array:
    """Under the root of Eq. (12), δω² + 4g_r² − 4g_aδω, (rad/s)²; negative: broken symmetry."""
    detuning, real, anti = (np.asarray(v, dtype=np.float64) for v in (delta_omega, g_r, g_a))
    return np.asarray(detuning**2 + 4.0 * real**2 - 4.0 * anti * detuning)


def eigenfrequencies(delta_omega: ArrayLike, g_r: ArrayLike, g_a: ArrayLike) -> Complex:
    """ω_± of Eq. (12) in the rotating wave approximation, relative to ω + g_r.

    Returns
    -------
    ndarray, shape (..., 2)
        rad/s; Im > 0 grows.
    """
    root = 0.5 * np.sqrt(radicand(delta_omega, g_r, g_a).astype(np.complex128))
    return np.stack([root, -root], axis=-1)


def exceptional_square(g_r: ArrayLike, g_a: ArrayLike) -> Array:
    """g_a² − g_r², (rad/s)²: exceptional points exist where it is not negative."""
    return np.asarray(np.asarray(g_a, np.float64) ** 2 - np.asarray(g_r, np.float64) ** 2)


def exceptional_detunings(g_a: ArrayLike, g_r: ArrayLike = 1.0) -> tuple[Array, Array]:
    """Detunings (lower, upper) of the exceptional points, 2g_a ∓ 2√(g_a² − g_r²), rad/s.

    The zeros of :func:`radicand`. Beyond the rotating wave they lie where
    |ω̃_2² − ω̃_1²| = 4ω√(g_a² − g_r²); gas with γ_1 = γ_2 does not move them.

    Raises
    ------
    InputError
        For a |g_a| < |g_r|, which has none.
    """
    anti, real = require_finite_array("g_a", g_a), require_finite_array("g_r", g_r)
    square = exceptional_square(real, anti)
    if (square < 0.0).any():
        raise InputError(
            f"there are exceptional points only for |g_a| ≥ |g_r| = {np.abs(real).max():g}, got "
            f"{np.abs(anti).min():g}"
        )
    root = 2.0 * np.sqrt(square)
    return np.asarray(2.0 * anti - root), np.asarray(2.0 * anti + root)


def full_frequencies(drifts: NDArray[np.float64]) -> Complex:
    """Complex frequencies Ω of pairs beyond the rotating wave, from their 4×4 drift matrices.

    Parameters
    ----------
    drifts : ndarray, shape (..., 4, 4)
        As of :meth:`PairConstants.to_linear`, 1/s.

    Returns
    -------
    ndarray, shape (..., 2)
        Motion e^{−iΩt}, rad/s, lower frequency first, and the damped one first where both are
        equal; Im Ω > 0 grows. Without gas a growing pair has |Im Ω| > 0; gas with γ_1 = γ_2
        lowers both by γ/2.
    """
    if np.shape(drifts)[-2:] != (4, 4):
        raise InputError(f"drifts must have shape (..., 4, 4), got {np.shape(drifts)}")
    finite = require_finite_array("drifts", drifts, "1/s")
    values = 1j * np.linalg.eigvals(finite).astype(np.complex128)
    chosen = np.take_along_axis(values, np.argsort(-values.real, axis=-1)[..., :2], axis=-1)
    # Degenerate real parts differ by rounding only: then the imaginary part decides.
    gap = np.abs(chosen[..., 0].real - chosen[..., 1].real)
    equal = gap < 1e-9 * np.abs(chosen).max(axis=-1)
    key = np.where(equal[..., None], chosen.imag, chosen.real)
    return np.asarray(np.take_along_axis(chosen, np.argsort(key, axis=-1), axis=-1))
