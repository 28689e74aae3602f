"""Coulomb interaction of charged particles: reciprocal, independent of φ, without noise.

Without it, g_r of a charged pair is biased; a sweep of φ separates the two.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .constants import EPSILON_0
from .errors import InputError

__all__ = ["coulomb_couplings", "coulomb_force", "coulomb_stiffness"]


def _pairs(
    charges: NDArray[np.float64], positions: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """q_jq_l/(4πε0), zero for j = l, with displacements and distances of the ordered pairs."""
    r = positions[..., :, None, :] - positions[..., None, :, :]
    distance = np.linalg.norm(r, axis=-1) + np.eye(len(charges))
    strength = np.outer(charges, charges) / (4.0 * math.pi * EPSILON_0)
    np.fill_diagonal(strength, 0.0)
    return strength, r, distance


def coulomb_force(
    charges: NDArray[np.float64], positions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Force on each particle, N, of charges (n,) in C at positions of shape (..., n, 3) in m."""
    strength, r, distance = _pairs(charges, positions)
    return np.asarray(np.einsum("...jl,...jla->...ja", strength / distance**3, r))


def coulomb_stiffness(
    charges: NDArray[np.float64], positions: NDArray[np.float64]
) -> NDArray[np.float64]:
    """−∂F_ja/∂r_lb of :func:`coulomb_force`, shape (..., n, 3, n, 3), N/m."""
    strength, r, distance = _pairs(charges, positions)
    scale = (strength / distance**3)[..., None, None]
    unit = r / distance[..., None]
    gradient = scale * (np.eye(3) - 3.0 * unit[..., :, None] * unit[..., None, :])
    stiffness = gradient.swapaxes(-3, -2).copy()
    own = gradient.sum(axis=-3)
    for j in range(len(charges)):
        stiffness[..., j, :, j, :] = -own[..., j, :, :]
    return stiffness


def coulomb_couplings(
    charges: tuple[float, float], masses: tuple[float, float], omega: float, distance: float
) -> tuple[float, float, float]:
    """Contributions (g_C to g_r, to s_1, to s_2) for motion across the line of centres, rad/s.

    g_C = −q_1q_2/(8πε0√(m_1m_2) ω d³); the shifts are √(m_2/m_1) g_C and √(m_1/m_2) g_C.

    Parameters
    ----------
    charges : tuple of float
        (q_1, q_2), C.
    masses : tuple of float
        (m_1, m_2), kg.
    omega : float
        Common scale ω, rad/s.
    distance : float
        d, m.

    Raises
    ------
    InputError
        If a mass, ω or d is not positive.
    """
    if min(*masses, omega, distance) <= 0.0:
        raise InputError("masses (kg), omega (rad/s) and distance (m) must be positive")
    mean = math.sqrt(masses[0] * masses[1])
    rate = -charges[0] * charges[1] / (8.0 * math.pi * EPSILON_0 * mean * omega * distance**3)
    ratio = math.sqrt(masses[1] / masses[0])
    return rate, ratio * rate, rate / ratio
