"""Momentum diffusion by photon recoil: the Lindblad operators of Eq. (5) in closed form.

Summing Eq. (5) over directions and polarisations gives
P_{ja,lb} = (ħα_jα_l*/4ε0) ∂_a∂'_b [E*(r')·Im G(r − r')·E(r)] at r = r_j, r' = r_l, where r and r'
are independent also for j = l. d⟨p p⟩/dt = 2 Re P; P is hermitian and positive semidefinite.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .constants import EPSILON_0, HBAR
from .green import imaginary_green
from .tweezer import LocalField

__all__ = ["momentum_diffusion"]


def momentum_diffusion(
    alpha: NDArray[np.complex128],
    field: LocalField,
    positions: NDArray[np.float64],
    k: float,
) -> NDArray[np.complex128]:
    """P of all particles and axes, shape (..., 3n, 3n), index 3j + a, (kg m/s)²/s.

    Parameters
    ----------
    alpha : ndarray, shape (n,)
        Polarizabilities, C m²/V.
    field : LocalField
        Field at the particles; optical frequencies scatter independently.
    positions : ndarray, shape (..., n, 3)
        Particle positions, m.
    k : float
        Wave number, 1/m.
    """
    tensor = imaginary_green(positions[..., :, None, :] - positions[..., None, :, :], k)
    count = len(alpha)
    total = np.zeros((*positions.shape[:-1], count, 3, 3), dtype=np.complex128)
    for value, first in zip(field.value, field.first, strict=True):
        bra, bra_first = value.conj(), first.conj()
        # ∂ acts on E(r) and on r in Im G, ∂' on E*(r') and, with a minus, on r' in Im G.
        moved = np.einsum("...jlik,...jak->...jlai", tensor.value, first)
        moved = moved + np.einsum("...jlaik,...jk->...jlai", tensor.first, value)
        total += np.einsum("...lbi,...jlai->...jlab", bra_first, moved)
        sheared = np.einsum("...jlbik,...jak->...jlabi", tensor.first, first)
        curved = np.einsum("...jlabik,...jk->...jlabi", tensor.second, value)
        total -= np.einsum("...li,...jlabi->...jlab", bra, sheared + curved)
    weight = HBAR / (4.0 * EPSILON_0) * np.outer(alpha, alpha.conj())
    blocks = (weight[..., None, None] * total).swapaxes(-3, -2)
    matrix = blocks.reshape(*positions.shape[:-2], 3 * count, 3 * count)
    # Hermitian to rounding; exactly so for those who factorise it.
    return np.asarray(0.5 * (matrix + matrix.conj().swapaxes(-1, -2)))
