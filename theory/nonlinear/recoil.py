"""Compiled momentum diffusion of Eq. (5) and the Cholesky root of the kicks that it makes.

The closed form of :mod:`..diffusion`: with u = E(r_l)*, w = E(r_j) and T = Im G(r_j − r_l),
P_{ja,lb} = (ħα_jα_l*/4ε0) [∂_bu·T·∂_aw + ∂_bu·∂_aT·w − u·∂_bT·∂_aw − u·∂_a∂_bT·w]. Only the
real part kicks.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from ...models.constants import EPSILON_0, HBAR
from .kernels import field_and_force, inner

__all__ = ["cholesky_root", "fill_recoil", "kick_root", "recoil_at"]

_SCALE = HBAR / (4.0 * EPSILON_0)
_SERIES_LIMIT = 3.0  # below, upward recursion of j_n loses digits
_TINY = 1e-14  # pivots below this share of the diagonal are rounding


@inner
def _radial(distance: float, k: float) -> Any:
    """h_0 … h_4 of Im G, (k/4π)(−k²)^n j_n(x)/x^n."""
    x = k * distance
    b = np.empty(5)
    if x < _SERIES_LIMIT:
        first, ratio = 1.0, -0.5 * x * x
        for n in range(5):
            term = total = first
            for m in range(1, 25):
                term *= ratio / (m * (2 * n + 2 * m + 1))
                total += term
            b[n] = total
            first /= 2 * n + 3
    else:
        inverse = 1.0 / (x * x)
        b[0] = math.sin(x) / x
        b[1] = (b[0] - math.cos(x)) * inverse
        for n in range(1, 4):
            b[n + 1] = ((2 * n + 1) * b[n] - b[n - 1]) * inverse
    scale, k2 = k / (4.0 * math.pi), -k * k
    return (
        scale * b[0],
        scale * k2 * b[1],
        scale * k2 * k2 * b[2],
        scale * k2 * k2 * k2 * b[3],
        scale * k2 * k2 * k2 * k2 * b[4],
    )


@inner
def _sloped(axis: int, u: Any, w: Any, r: Any, h2: float, h3: float, steep: float) -> Any:
    """u·∂_aT·w."""
    ray_u, ray_w = r[0] * u[0] + r[1] * u[1], r[0] * w[0] + r[1] * w[1]
    dot = u[0] * w[0] + u[1] * w[1]
    total = r[axis] * (steep * dot + h3 * ray_u * ray_w)
    return total + h2 * (u[axis] * ray_w + ray_u * w[axis])


@inner
def _curved(a: int, b: int, u: Any, w: Any, r: Any, h: Any, k2: float) -> Any:
    """u·∂_a∂_bT·w."""
    _, h1, h2, h3, h4 = h
    ray_u, ray_w = r[0] * u[0] + r[1] * u[1], r[0] * w[0] + r[1] * w[1]
    dot = u[0] * w[0] + u[1] * w[1]
    both, square = ray_u * ray_w, r[a] * r[b]
    total = square * ((h3 + k2 * h2) * dot + h4 * both) + h2 * (u[a] * w[b] + w[a] * u[b])
    total += h3 * (ray_w * (u[a] * r[b] + u[b] * r[a]) + ray_u * (w[a] * r[b] + w[b] * r[a]))
    if a == b:
        total += (h2 + k2 * h1) * dot + h3 * both
    return total


@inner
def fill_recoil(beams: Any, particles: Any, work: Any, positions: Any, out: Any) -> None:
    """Fill ``out`` (3n, 3n) with Re P at positions whose field ``work`` holds, (kg m/s)²/s."""
    value, first, k2 = work.value, work.first, beams.k * beams.k
    for j in range(positions.shape[0]):
        for other in range(j + 1):
            r = (
                positions[j, 0] - positions[other, 0],
                positions[j, 1] - positions[other, 1],
                positions[j, 2] - positions[other, 2],
            )
            h = _radial(math.sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]), beams.k)
            h0, h1, h2, h3, _ = h
            s, steep = h1 + k2 * h0, h2 + k2 * h1
            weight = _SCALE * particles.alpha[j] * particles.alpha[other].conjugate()
            for a in range(3):
                for b in range(3):
                    total = 0.0j
                    for g in range(value.shape[0]):
                        w = (value[g, j, 0], value[g, j, 1], 0.0j)
                        u = (value[g, other, 0].conjugate(), value[g, other, 1].conjugate(), 0.0j)
                        dw = (first[g, j, a, 0], first[g, j, a, 1], 0.0j)
                        du = (
                            first[g, other, b, 0].conjugate(),
                            first[g, other, b, 1].conjugate(),
                            0.0j,
                        )
                        ray_u = r[0] * du[0] + r[1] * du[1]
                        ray_w = r[0] * dw[0] + r[1] * dw[1]
                        total += s * (du[0] * dw[0] + du[1] * dw[1]) + h2 * ray_u * ray_w
                        total += _sloped(a, du, w, r, h2, h3, steep)
                        total -= _sloped(b, u, dw, r, h2, h3, steep)
                        total -= _curved(a, b, u, w, r, h, k2)
                    entry = (weight * total).real
                    out[3 * j + a, 3 * other + b] = entry
                    out[3 * other + b, 3 * j + a] = entry


@njit(cache=True, nogil=True)
def recoil_at(beams: Any, particles: Any, work: Any, positions: Any, out: Any) -> None:
    """Fill ``out`` (3n, 3n) with Re P at positions (n, 3) in m, (kg m/s)²/s."""
    field_and_force(beams, particles, work, positions, 0.0)
    fill_recoil(beams, particles, work, positions, out)


@njit(cache=True, nogil=True)
def cholesky_root(matrix: Any, root: Any) -> None:
    """Lower triangular root of a positive semidefinite matrix; zero pivots are allowed."""
    size = matrix.shape[0]
    for i in range(size):
        for m in range(i + 1):
            total = matrix[i, m]
            for n in range(m):
                total -= root[i, n] * root[m, n]
            if m < i:
                root[i, m] = total / root[m, m] if root[m, m] > 0.0 else 0.0
            else:
                root[i, i] = math.sqrt(total) if total > _TINY * matrix[i, i] else 0.0
        for m in range(i + 1, size):
            root[i, m] = 0.0


@njit(cache=True, nogil=True)
def kick_root(recoil: Any, heat: Any, gamma: Any, mass: Any, dt: float, root: Any) -> None:
    """Root of the covariance of the velocities that a step dt adds, (m/s)².

    With ṗ = −γp + f and ⟨f f⟩ = (2 Re P + 2mγkT) δ it is
    ⟨f_jf_l⟩ (1 − e^{−(γ_j+γ_l)dt})/[(γ_j + γ_l) m_jm_l].
    ``recoil`` (3n, 3n) is Re P and is overwritten; heat (n,) is 2mγkT.
    """
    count = mass.shape[0]
    for j in range(count):
        for other in range(count):
            rate = gamma[j] + gamma[other]
            time = -math.expm1(-rate * dt) / rate if rate > 0.0 else dt
            scale = time / (mass[j] * mass[other])
            for a in range(3):
                for b in range(3):
                    strength = 2.0 * recoil[3 * j + a, 3 * other + b]
                    if j == other and a == b:
                        strength += heat[j]
                    recoil[3 * j + a, 3 * other + b] = scale * strength
    cholesky_root(recoil, root)
