"""Compiled forces: field of Gaussian beams, one-body force, Eq. (1) for every pair, Coulomb.

The formulas are those of :mod:`..tweezer`, :mod:`..forces` and :mod:`..coulomb`; the beams have no
E_z, so only the x–y block of the Green tensor enters. With h_n = ((1/r) d/dr)^n e^{ikr}/(4πr),
u·G·w = (h_1 + k²h_0) u·w + h_2 (r·u)(r·w) and u·∂_aG·w = (h_2 + k²h_1) r_a u·w
+ h_2 [u_a (r·w) + (r·u) w_a] + h_3 r_a (r·u)(r·w).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from numba import njit

from ...models.constants import EPSILON_0

__all__ = ["field_and_force", "forces_along", "inner", "potentials_along"]

# Terms may be regrouped and fused; NaN and infinity keep their meaning, a loss is found by them.
_FAST = {"contract", "reassoc", "nsz", "arcp"}
_HALF_OVER_EPSILON = 0.5 / EPSILON_0
_FOUR_PI = 4.0 * math.pi
_INNER: Any = {
    "nogil": True,
    "fastmath": _FAST,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}


def inner(function: Callable[..., Any]) -> Any:
    """Compile a kernel that only kernels call: without an entry from Python, which takes time."""
    return njit(**_INNER)(function)


@inner
def _turn_beams(beams: Any, work: Any, time: float) -> None:
    """Amplitudes of the beams at a time."""
    for t in range(beams.turn.shape[0]):
        angle = beams.turn[t] * time
        wave = complex(math.cos(angle), math.sin(angle))
        work.amplitude[t, 0] = beams.amplitude[t, 0] * wave
        work.amplitude[t, 1] = beams.amplitude[t, 1] * wave


@inner
def _axis(offset: float, scale: float, rate: float, along: float) -> Any:
    """1/√q, exponent −s²/q, ∂_x ln u and the share of ∂_ζ ln u of one transverse axis."""
    b = rate * along
    square = 1.0 / (1.0 + b * b)
    inverse = complex(square, -b * square)  # 1/q, q = 1 + ib
    shrink = math.sqrt(square)  # 1/|q|
    real = math.sqrt(0.5 * (shrink + square))
    root = complex(real, -0.5 * b * square / real)  # Re(1/√q)² = (|q| + 1)/(2|q|²)
    s = offset * scale
    curved = s * s * inverse
    slope = -2.0 * s * scale * inverse
    gouy = complex(0.0, rate) * inverse * (curved - 0.5)
    return root, curved, slope, gouy


@inner
def _add_field(beams: Any, work: Any, positions: Any) -> None:
    """Sum E and ∂_aE of all beams at all particles, one row per optical frequency."""
    value, first = work.value, work.first
    value[:] = 0.0
    first[:] = 0.0
    k = beams.k
    for j in range(positions.shape[0]):
        for t in range(beams.centre.shape[0]):
            dx = positions[j, 0] - beams.centre[t, 0]
            dy = positions[j, 1] - beams.centre[t, 1]
            sign = beams.sign[t]
            along = sign * (positions[j, 2] - beams.centre[t, 2])
            root_x, curved_x, slope_x, gouy_x = _axis(
                dx, beams.scale[t, 0], beams.rate[t, 0], along
            )
            root_y, curved_y, slope_y, gouy_y = _axis(
                dy, beams.scale[t, 1], beams.rate[t, 1], along
            )
            size = math.exp(-(curved_x.real + curved_y.real))
            angle = k * along - (curved_x.imag + curved_y.imag)
            u = size * complex(math.cos(angle), math.sin(angle)) * (root_x * root_y)
            slope_z = sign * (complex(0.0, k) + gouy_x + gouy_y)
            g = beams.group[t]
            for c in range(2):
                e = u * work.amplitude[t, c]
                value[g, j, c] += e
                first[g, j, 0, c] += slope_x * e
                first[g, j, 1, c] += slope_y * e
                first[g, j, 2, c] += slope_z * e


@inner
def _add_one_body(particles: Any, work: Any) -> None:
    """Gradient and scattering force."""
    value, first, force = work.value, work.first, work.force
    for j in range(value.shape[1]):
        force[j, 0] = force[j, 1] = force[j, 2] = 0.0
        pull, push = particles.gradient[j], particles.scattering[j]
        for g in range(value.shape[0]):
            ex, ey = value[g, j, 0].conjugate(), value[g, j, 1].conjugate()
            for a in range(3):
                product = ex * first[g, j, a, 0] + ey * first[g, j, a, 1]
                force[j, a] += pull * product.real + push * product.imag


@inner
def _slide(first: Any, g: int, j: int, vx: Any, vy: Any) -> Any:
    """(∂_aE_j)*·v for the three axes."""
    return (
        first[g, j, 0, 0].conjugate() * vx + first[g, j, 0, 1].conjugate() * vy,
        first[g, j, 1, 0].conjugate() * vx + first[g, j, 1, 1].conjugate() * vy,
        first[g, j, 2, 0].conjugate() * vx + first[g, j, 2, 1].conjugate() * vy,
    )


@inner
def _bind(work: Any, g: int, j: int, other: int, r: Any, h: Any, alpha: Any) -> Any:
    """Eq. (1) for both particles of a pair, r = r_j − r_l; a reversed r conjugates the products."""
    value, first = work.value, work.first
    rx, ry, rz = r
    s, h2, steep, h3 = h
    ax, ay = value[g, j, 0], value[g, j, 1]
    bx, by = value[g, other, 0], value[g, other, 1]
    cx, cy = ax.conjugate(), ay.conjugate()
    ray_a, ray_b = rx * ax + ry * ay, rx * bx + ry * by
    dot = cx * bx + cy * by
    both = ray_a.conjugate() * ray_b
    mixed_x = cx * ray_b + ray_a.conjugate() * bx
    mixed_y = cy * ray_b + ray_a.conjugate() * by
    crossed = _HALF_OVER_EPSILON * (alpha[j].conjugate() * alpha[other])
    direct = _HALF_OVER_EPSILON * (alpha[j] * alpha[other])
    along = crossed * (steep * dot + h3 * both)
    back = crossed.conjugate() * (steep * dot.conjugate() + h3 * both.conjugate())
    across, across_back = crossed * h2, crossed.conjugate() * h2
    s, h2 = direct * s, direct * h2
    near = _slide(first, g, j, s * bx + h2 * (rx * ray_b), s * by + h2 * (ry * ray_b))
    far = _slide(first, g, other, s * ax + h2 * (rx * ray_a), s * ay + h2 * (ry * ray_a))
    return (
        rx * along.real + (across * mixed_x + near[0]).real,
        ry * along.real + (across * mixed_y + near[1]).real,
        rz * along.real + near[2].real,
        far[0].real - rx * back.real - (across_back * mixed_x.conjugate()).real,
        far[1].real - ry * back.real - (across_back * mixed_y.conjugate()).real,
        far[2].real - rz * back.real,
    )


@inner
def _add_mutual(particles: Any, work: Any, positions: Any, k: float) -> None:
    """Binding of every pair, and Coulomb forces."""
    force, count = work.force, positions.shape[0]
    for j in range(count):
        for other in range(j):
            rx = positions[j, 0] - positions[other, 0]
            ry = positions[j, 1] - positions[other, 1]
            rz = positions[j, 2] - positions[other, 2]
            inverse_square = 1.0 / (rx * rx + ry * ry + rz * rz)
            inverse = math.sqrt(inverse_square)
            if particles.binding:
                x = k / inverse
                wave = complex(math.cos(x), math.sin(x)) * (inverse / _FOUR_PI)
                x2 = x * x
                h1 = complex(-1.0, x) * wave * inverse_square
                h2 = complex(3.0 - x2, -3.0 * x) * wave * inverse_square**2
                h3 = complex(6.0 * x2 - 15.0, x * (15.0 - x2)) * wave * inverse_square**3
                h = (h1 + k * k * wave, h2, h2 + k * k * h1, h3)
                for g in range(work.value.shape[0]):
                    push = _bind(work, g, j, other, (rx, ry, rz), h, particles.alpha)
                    force[j, 0] += push[0]
                    force[j, 1] += push[1]
                    force[j, 2] += push[2]
                    force[other, 0] += push[3]
                    force[other, 1] += push[4]
                    force[other, 2] += push[5]
            if particles.charged:
                scale = particles.charge[j] * particles.charge[other] * inverse_square * inverse
                force[j, 0] += scale * rx
                force[j, 1] += scale * ry
                force[j, 2] += scale * rz
                force[other, 0] -= scale * rx
                force[other, 1] -= scale * ry
                force[other, 2] -= scale * rz


@inner
def field_and_force(beams: Any, particles: Any, work: Any, positions: Any, time: float) -> None:
    """Fill ``work`` with field and force at positions (n, 3) in m and a time in s."""
    if beams.turning:
        _turn_beams(beams, work, time)
    _add_field(beams, work, positions)
    _add_one_body(particles, work)
    if particles.binding or particles.charged:
        _add_mutual(particles, work, positions, beams.k)


@njit(cache=True, nogil=True)
def forces_along(
    beams: Any, particles: Any, work: Any, positions: Any, times: Any, out: Any
) -> None:
    """Forces (m, n, 3) at m configurations (m, n, 3) and times (m,)."""
    for row in range(positions.shape[0]):
        field_and_force(beams, particles, work, positions[row], times[row])
        out[row] = work.force


@njit(cache=True, nogil=True)
def potentials_along(
    beams: Any, particles: Any, work: Any, positions: Any, times: Any, out: Any
) -> None:
    """Potential energies (m, n) of gradient and Coulomb forces, half of the latter to each, J."""
    for row in range(positions.shape[0]):
        if beams.turning:
            _turn_beams(beams, work, times[row])
        _add_field(beams, work, positions[row])
        for j in range(positions.shape[1]):
            total = 0.0
            for g in range(work.value.shape[0]):
                for c in range(2):
                    e = work.value[g, j, c]
                    total += e.real * e.real + e.imag * e.imag
            total *= -0.5 * particles.gradient[j]
            for other in range(positions.shape[1]):
                if particles.charged and other != j:
                    square = 0.0
                    for a in range(3):
                        square += (positions[row, j, a] - positions[row, other, a]) ** 2
                    push = particles.charge[j] * particles.charge[other]
                    total += 0.5 * push / math.sqrt(square)
            out[row, j] = total
