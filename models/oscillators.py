"""Coupled oscillators in quadratures: the drift and the noise that every linear model is made of.

ż_j = ωp_j, ṗ_j = Σ_l k_jl z_l − γ_jp_j + f_j with ⟨f_jf_l⟩ = 2 Re D_jl δ(t−t′), in the order
(z_1, p_1, z_2, p_2, …) and with one scale ω. Leading dimensions are settings evaluated together.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .linear import LinearModel

__all__ = [
    "oscillator_drift",
    "oscillator_model",
    "oscillator_noise",
    "oscillator_output",
    "pair_drift",
]

Array = NDArray[np.float64]


def oscillator_drift(omega: ArrayLike, pull: ArrayLike, gamma: ArrayLike = 0.0) -> Array:
    """Drift matrices A of coupled oscillators.

    Parameters
    ----------
    omega : array_like, shape (...)
        The scale ω of the quadratures, rad/s.
    pull : array_like, shape (..., n, n)
        k_jl, what z_l adds to ṗ_j, rad/s: −ω̃_j²/ω on the diagonal of trapped particles.
    gamma : array_like, shape (..., n) or a number
        Damping rates, 1/s.

    Returns
    -------
    ndarray, shape (..., 2n, 2n)
        1/s.
    """
    rates = np.asarray(pull, dtype=np.float64)
    own = 2 * np.arange(rates.shape[-1])
    drift = np.zeros((*rates.shape[:-2], 2 * own.size, 2 * own.size))
    drift[..., own, own + 1] = np.asarray(omega)[..., None]
    drift[..., 1::2, 0::2] = rates
    drift[..., own + 1, own + 1] = -np.asarray(gamma)
    return drift


def pair_drift(
    omega: float,
    squares: tuple[float, float],
    g_r: float,
    g_a: float,
    gamma: tuple[float, float] = (0.0, 0.0),
    mass_ratio: float = 1.0,
) -> Array:
    """Drift of Eq. (7): ṗ_1 = −(ω̃_1²/ω)z_1 + 2(g_r+g_a)z_2 − γ_1p_1, ṗ_2 with g_r−g_a.

    Parameters
    ----------
    omega : float
        The scale ω, rad/s.
    squares : pair of float
        ω̃_j² = ω_j² + 2ωs_j, (rad/s)²; negative where binding anti-traps.
    g_r, g_a : float
        Reciprocal and antireciprocal coupling, rad/s.
    gamma : pair of float
        Damping rates, 1/s.
    mass_ratio : float
        m_2/m_1 for positions in metres, where z_1 feels √(m_2/m_1) z_2; 1 for quanta.

    Returns
    -------
    ndarray, shape (4, 4)
        1/s.
    """
    up, down = 2.0 * math.sqrt(mass_ratio), 2.0 / math.sqrt(mass_ratio)
    # Written out, for fits ask for it thousands of times a second.
    return np.array(
        [
            [0.0, omega, 0.0, 0.0],
            [-squares[0] / omega, -gamma[0], up * (g_r + g_a), 0.0],
            [0.0, 0.0, 0.0, omega],
            [down * (g_r - g_a), 0.0, -squares[1] / omega, -gamma[1]],
        ]
    )


def oscillator_noise(diffusion: ArrayLike) -> Array:
    """N of V̇ = AV + VAᵀ + N for total diffusion D, shape (..., n, n), 1/s: 2 Re D between p's."""
    rates = np.asarray(diffusion).real
    size = 2 * rates.shape[-1]
    noise = np.zeros((*rates.shape[:-2], size, size))
    # A hermitian D has a symmetric real part; rounding must not show in N.
    noise[..., 1::2, 1::2] = rates + rates.swapaxes(-1, -2)
    return noise


def oscillator_output(count: int) -> Array:
    """C of shape (count, 2·count): every position is a channel."""
    return np.eye(2 * count)[0::2]


def oscillator_model(drift: Array, diffusion: ArrayLike) -> LinearModel:
    """Linear model in quanta of one drift (2n, 2n) and total diffusion (n, n), all z_j as channels.

    Raises
    ------
    InputError
        For shapes that do not fit or values that are not finite.
    """
    return LinearModel(drift, oscillator_noise(diffusion), oscillator_output(len(drift) // 2))
