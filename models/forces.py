"""Optical forces on dipoles and their analytic stiffness.

Settings of the light that are evaluated together are leading dimensions of field and positions.

One-body: gradient force (Re α/4)∇|E|² and scattering force (|α|²k³/(12πε0)) Im(E*·∂E).
Two-body: Eq. (1) for every ordered pair, for a complex polarizability
F_jl = (1/2ε0) Re[α_j*α_l E_j*·(∂_jG)E_l + α_jα_l (∂_jE_j*)·G E_l], and Eq. (1) for a real one.
The imaginary part that the radiative correction gives α enters the one-body force only as
|α|²k³/(6πε0) = Im α: the scattering force is counted once.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .constants import EPSILON_0
from .green import GreenTensor, green
from .tweezer import LocalField

__all__ = [
    "binding_force",
    "binding_stiffness",
    "one_body_force",
    "one_body_stiffness",
    "pair_green",
]

Complex = NDArray[np.complex128]


def one_body_force(alpha: Complex, field: LocalField, k: float) -> NDArray[np.float64]:
    """Gradient and scattering force on each particle, shape (..., n, 3), N.

    Parameters
    ----------
    alpha : ndarray, shape (n,)
        Polarizabilities, C m²/V.
    field : LocalField
        Field at the particles.
    k : float
        Wave number, 1/m.
    """
    product = np.einsum("g...ni,g...nai->...na", field.value.conj(), field.first)
    gradient, scattering = _weights(alpha, k)
    return np.asarray(gradient * product.real + scattering * product.imag)


def one_body_stiffness(alpha: Complex, field: LocalField, k: float) -> NDArray[np.float64]:
    """−∂F_a/∂r_b of :func:`one_body_force` for each particle, shape (..., n, 3, 3), N/m."""
    product = np.einsum("g...nbi,g...nai->...nab", field.first.conj(), field.first)
    product = product + np.einsum("g...ni,g...nabi->...nab", field.value.conj(), field.second)
    gradient, scattering = (weight[..., None] for weight in _weights(alpha, k))
    return np.asarray(-(gradient * product.real + scattering * product.imag))


def _weights(alpha: Complex, k: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights of Re and Im of E*·∂E in the one-body force, shape (n, 1)."""
    scattering = np.abs(alpha) ** 2 * k**3 / (12.0 * math.pi * EPSILON_0)
    return 0.5 * alpha.real[:, None], scattering[:, None]


def pair_green(positions: NDArray[np.float64], k: float) -> GreenTensor:
    """Green tensors G(r_j − r_l) of every ordered pair, leading shape (..., n, n), 0 at j = l.

    Parameters
    ----------
    positions : ndarray, shape (..., n, 3)
        m.
    k : float
        Wave number, 1/m.

    Returns
    -------
    GreenTensor
        Values and derivatives.

    Examples
    --------
    >>> import optobind as ob
    >>> import numpy as np
    >>> places = np.array([[0.0, 0.0, 0.0], [2e-6, 0.0, 0.0]])
    >>> ob.pair_green(places, 2.0 * np.pi / 1064e-9).value.shape
    (2, 2, 3, 3)
    """
    r = positions[..., :, None, :] - positions[..., None, :, :]
    same = np.broadcast_to(np.eye(positions.shape[-2], dtype=bool), r.shape[:-1])
    # Any finite displacement will do on the diagonal, which is then set to zero.
    r[same] = (1.0 / k, 0.0, 0.0)
    tensor = green(r, k)
    for part in (tensor.value, tensor.first, tensor.second):
        part[same] = 0.0
    return tensor


def _prefactors(alpha: Complex) -> tuple[Complex, Complex]:
    """α_j*α_l/(2ε0) and α_jα_l/(2ε0), shape (n, n)."""
    scale = 0.5 / EPSILON_0
    return scale * np.outer(alpha.conj(), alpha), scale * np.outer(alpha, alpha)


def binding_force(alpha: Complex, field: LocalField, tensor: GreenTensor) -> NDArray[np.float64]:
    """Sum of Eq. (1) over all partners, shape (..., n, 3), N.

    Parameters
    ----------
    alpha : ndarray, shape (n,)
        Polarizabilities, C m²/V.
    field : LocalField
        Field of the tweezers at the particles; optical frequencies do not interfere.
    tensor : GreenTensor
        From :func:`pair_green`.

    Returns
    -------
    ndarray, shape (..., n, 3)
        Force on each particle, N.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eq. (1).

    Examples
    --------
    >>> import optobind as ob
    >>> import numpy as np
    >>> trap = ob.load_trap("simulated-pair")
    >>> field, tensor = trap.field(trap.foci), ob.pair_green(trap.foci, trap.k)
    >>> ob.binding_force(trap.polarizabilities, field, tensor).shape
    (2, 3)
    """
    crossed, direct = _prefactors(alpha)
    force = np.zeros(field.value.shape[1:])
    for value, first in zip(field.value, field.first, strict=True):
        incoming = np.einsum("...jlik,...lk->...jli", tensor.value, value)
        sloped = np.einsum("...jlaik,...lk->...jlai", tensor.first, value)
        terms = np.einsum("jl,...ji,...jlai->...ja", crossed, value.conj(), sloped)
        terms = terms + np.einsum("jl,...jai,...jli->...ja", direct, first.conj(), incoming)
        force += terms.real
    return force


def binding_stiffness(
    alpha: Complex, field: LocalField, tensor: GreenTensor
) -> NDArray[np.float64]:
    """−∂F_ja/∂r_lb of :func:`binding_force`, shape (..., n, 3, n, 3), N/m; not symmetric."""
    crossed, direct = _prefactors(alpha)
    count = len(alpha)
    total = np.zeros((*field.value.shape[1:-1], 3, count, 3))
    for value, first, second in zip(field.value, field.first, field.second, strict=True):
        incoming = np.einsum("...jlik,...lk->...jli", tensor.value, value)
        sloped = np.einsum("...jlaik,...lk->...jlai", tensor.first, value)
        curved = np.einsum("...jlabik,...lk->...jlabi", tensor.second, value)
        moved = np.einsum("...jlik,...lbk->...jlbi", tensor.value, first)
        sheared = np.einsum("...jlaik,...lbk->...jlabi", tensor.first, first)
        bra, bra_first, bra_second = value.conj(), first.conj(), second.conj()
        # The four products of E* or ∂E* with a displaced source, for each ordered pair.
        value_curved = np.einsum("...ji,...jlabi->...jlab", bra, curved)
        slope_sloped = np.einsum("...jai,...jlbi->...jlab", bra_first, sloped)
        on_self = crossed[..., None, None] * (value_curved + slope_sloped.swapaxes(-1, -2))
        on_self = on_self + direct[..., None, None] * (
            np.einsum("...jabi,...jli->...jlab", bra_second, incoming) + slope_sloped
        )
        on_other = crossed[..., None, None] * (
            np.einsum("...ji,...jlabi->...jlab", bra, sheared) - value_curved
        )
        on_other = on_other + direct[..., None, None] * (
            np.einsum("...jai,...jlbi->...jlab", bra_first, moved) - slope_sloped
        )
        total -= on_other.real.swapaxes(-3, -2)
        own = on_self.real.sum(axis=-3)
        for j in range(count):
            total[..., j, :, j, :] -= own[..., j, :, :]
    return total
