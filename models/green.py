"""The dipole Green tensor of free space, its imaginary part, and their derivatives.

G = (k² + ∂⊗∂) g with g = e^{ikr}/(4πr); E_scattered = G·p/ε0 at wave number k. With
h_n = ((1/r) d/dr)^n g every derivative is a polynomial in the coordinates, and
h_n = (ik/4π)(−1)^n k^{2n} h_n^{(1)}(kr)/(kr)^n. In Im G, j_n stands in place of i h_n^{(1)}:
regular at r = 0, where Im G(0) = k³/(6π) 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .reprs import short_repr

__all__ = ["GreenTensor", "green", "imaginary_green"]

_ORDERS = 5  # h_0 … h_4: two derivatives of a tensor that already holds two
_SERIES_LIMIT = 3.0  # below, upward recursion of j_n loses digits


@dataclass(frozen=True)
class GreenTensor:
    """A symmetric tensor field G_ij(r) with derivatives.

    Attributes
    ----------
    value : ndarray, shape (..., 3, 3)
        G_ij, 1/m³.
    first : ndarray, shape (..., 3, 3, 3)
        ∂_a G_ij, index order (a, i, j), 1/m⁴.
    second : ndarray, shape (..., 3, 3, 3, 3)
        ∂_a ∂_b G_ij, index order (a, b, i, j), 1/m⁵.
    """

    value: NDArray[np.complex128]
    first: NDArray[np.complex128]
    second: NDArray[np.complex128]

    __repr__ = short_repr


def _reduced_bessel(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """j_n(x)/x^n for n = 0 … 4, shape (5, ...): a series near 0, upward recursion beyond."""
    result = np.empty((_ORDERS, *x.shape))
    small = np.minimum(x, _SERIES_LIMIT)
    ratio = -0.5 * small**2
    for n in range(_ORDERS):
        term = np.full(x.shape, 1.0 / math.prod(range(1, 2 * n + 2, 2)))
        total = term.copy()
        for m in range(1, 25):
            term = term * ratio / (m * (2 * n + 2 * m + 1))
            total += term
        result[n] = total
    large = np.maximum(x, _SERIES_LIMIT)
    upward = np.empty_like(result)
    upward[0] = np.sin(large) / large
    upward[1] = (upward[0] - np.cos(large)) / large**2
    for n in range(1, _ORDERS - 1):
        upward[n + 1] = ((2 * n + 1) * upward[n] - upward[n - 1]) / large**2
    return np.where(x < _SERIES_LIMIT, result, upward)


def _reduced_hankel(x: NDArray[np.float64]) -> NDArray[np.complex128]:
    """h_n^{(1)}(x)/x^n for n = 0 … 4, shape (5, ...); upward recursion is stable for h_n."""
    result = np.empty((_ORDERS, *x.shape), dtype=np.complex128)
    wave = np.exp(1j * x)
    result[0] = -1j * wave / x
    result[1] = -wave * (x + 1j) / x**3
    for n in range(1, _ORDERS - 1):
        result[n + 1] = ((2 * n + 1) * result[n] - result[n - 1]) / x**2
    return result


def _assemble(r: NDArray[np.float64], h: NDArray[np.complex128], k: float) -> GreenTensor:
    """Build (k² + ∂⊗∂) of a radial function from h_n = ((1/r) d/dr)^n of it."""
    unit = np.eye(3)
    one, two, three, four = (h[n][..., None, None] for n in range(1, 5))
    outer = r[..., :, None] * r[..., None, :]
    hessian = one * unit + two * outer
    value = hessian + k**2 * h[0][..., None, None] * unit

    unit_r = np.einsum("ij,...a->...aij", unit, r)
    permuted = unit_r + np.moveaxis(unit_r, -3, -2) + np.moveaxis(unit_r, -3, -1)
    cube = r[..., :, None, None] * outer[..., None, :, :]
    first = two[..., None] * permuted + three[..., None] * cube + k**2 * one[..., None] * unit_r

    unit_outer = np.einsum("ij,...ab->...abij", unit, outer)
    swaps = ("abij", "ijab", "aibj", "aijb", "iabj", "iajb")
    six = sum(np.einsum(f"...abij->...{swap}", unit_outer) for swap in swaps)
    pairs = np.einsum("ab,ij->abij", unit, unit)
    isotropic = pairs + np.einsum("abij->aibj", pairs) + np.einsum("abij->ajib", pairs)
    fourth = outer[..., :, :, None, None] * outer[..., None, None, :, :]
    second = (
        two[..., None, None] * isotropic
        + three[..., None, None] * six
        + four[..., None, None] * fourth
        + k**2 * hessian[..., :, :, None, None] * unit
    )
    return GreenTensor(value, first, second)


def green(r: NDArray[np.float64], k: float) -> GreenTensor:
    """Green tensor at displacements r ≠ 0, the tensor below Eq. (1).

    Parameters
    ----------
    r : ndarray, shape (..., 3)
        Displacements, m.
    k : float
        Wave number, 1/m.
    """
    x = k * np.linalg.norm(r, axis=-1)
    scale = _scales(k, x.ndim)
    return _assemble(r, 1j * scale * _reduced_hankel(x), k)


def imaginary_green(r: NDArray[np.float64], k: float) -> GreenTensor:
    """Im G(r) = (k³/6π)[j0 1 + ½ j2 (3r̂r̂ − 1)] with derivatives (real arrays), r = 0 included.

    Parameters
    ----------
    r : ndarray, shape (..., 3)
        Displacements, m.
    k : float
        Wave number, 1/m.
    """
    x = k * np.linalg.norm(r, axis=-1)
    return _assemble(r, _scales(k, x.ndim) * _reduced_bessel(x), k)  # type: ignore[arg-type]


def _scales(k: float, dimensions: int) -> NDArray[np.float64]:
    """(k/4π)(−k²)^n, shaped to multiply (5, ...)."""
    powers = np.array([(-(k**2)) ** n for n in range(_ORDERS)], dtype=np.float64)
    return np.asarray(k / (4.0 * math.pi) * powers.reshape(-1, *([1] * dimensions)))
