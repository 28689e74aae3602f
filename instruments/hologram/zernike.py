"""Zernike terms in Noll's order: wavefronts over a round pupil, each of unit rms.

R. J. Noll, J. Opt. Soc. Am. 66, 207 (1976): j = 1 piston, 2 and 3 tilts, 4 defocus, 5 and 6
astigmatism, 7 and 8 coma, 9 and 10 trefoil, 11 spherical aberration.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ...models.errors import InputError
from ...models.ranges import require_range
from .grid import PixelGrid

__all__ = ["NAMES", "noll_indices", "zernike", "zernike_wavefront"]

_Array = NDArray[np.float64]
_LAST = 1000

NAMES: dict[str, int] = {
    "piston": 1,
    "tilt_x": 2,
    "tilt_y": 3,
    "defocus": 4,
    "astigmatism_oblique": 5,
    "astigmatism": 6,
    "coma_y": 7,
    "coma_x": 8,
    "trefoil_y": 9,
    "trefoil_x": 10,
    "spherical": 11,
}


def noll_indices(j: int) -> tuple[int, int]:
    """Radial order n and azimuthal frequency m of Noll's term j; m < 0 for sines.

    Raises
    ------
    InputError
        For a j outside 1 … 1000.
    """
    require_range("Noll index", j, 1, _LAST)
    n = (math.isqrt(8 * j - 7) - 1) // 2
    place = j - n * (n + 1) // 2  # 1 … n + 1 within the order
    m = 2 * (place // 2) if n % 2 == 0 else 2 * ((place + 1) // 2) - 1
    return n, -m if j % 2 else m


def zernike(j: int, rho: _Array, theta: _Array) -> _Array:
    """Noll's term j at radius ``rho`` (pupil radius 1) and angle ``theta`` (rad)."""
    n, m = noll_indices(j)
    order = abs(m)
    radial = np.zeros_like(rho, dtype=float)
    for s in range((n - order) // 2 + 1):
        factor = (-1) ** s * math.comb(n - s, s) * math.comb(n - 2 * s, (n - order) // 2 - s)
        radial += factor * rho ** (n - 2 * s)
    if m == 0:
        return math.sqrt(n + 1.0) * radial
    wave = np.cos(order * theta) if m > 0 else np.sin(order * theta)
    return math.sqrt(2.0 * (n + 1.0)) * radial * wave


def zernike_wavefront(
    grid: PixelGrid, coefficients: Mapping[int | str, float], radius: float
) -> _Array:
    """Phase over the modulator, rad; beyond the pupil each term keeps its value at the edge.

    Parameters
    ----------
    grid : PixelGrid
        The pixels.
    coefficients : mapping
        rms phase, rad, by Noll index or by name (:data:`NAMES`).
    radius : float
        Pupil radius on the modulator, m.

    Raises
    ------
    InputError
        For an unknown term or a value outside its range.
    """
    require_range("pupil radius", radius, 1e-6, 1.0, "m")
    x, y = grid.x, grid.y[:, None]
    rho, theta = np.minimum(np.hypot(x, y) / radius, 1.0), np.arctan2(y, x)
    total = np.zeros(grid.shape)
    for term, value in coefficients.items():
        require_range(f"Zernike term {term}", value, -1e3, 1e3, "rad")
        total += value * zernike(_index(term), rho, theta)
    return total


def _index(term: int | str) -> int:
    """Noll index of a term given by number, by its digits or by name."""
    if isinstance(term, str) and term in NAMES:
        return NAMES[term]
    try:
        return int(term)
    except ValueError:
        names = ", ".join(NAMES)
        raise InputError(
            f"unknown Zernike term {term!r}; a Noll index or one of: {names}"
        ) from None
