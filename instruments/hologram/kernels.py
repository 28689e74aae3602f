"""Inner loops of holograms: separable sum of spots → phase → grey level → light at the spots.

A row of the mask is arg Σ_j b_j X_j(x) with b_j = c_j Y_j(y): a product of rank N, no exponential
per pixel. Loops that the compiler turns into vector code are kept apart from the table look-up,
which it cannot. Single precision: a phase is good to 1e-6 rad, the sums of a row are kept in
double precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["shape_light"]

_F = np.float32
_PI, _HALF_PI = _F(np.pi), _F(0.5 * np.pi)
# atan t on 0 … 1 (Abramowitz and Stegun 4.4.49 carried to t^17, minimax; error 2e-8 rad).
_ATAN = tuple(
    _F(c)
    for c in (
        -0.333331018686294555664062,
        0.199926957488059997558594,
        -0.142027363181114196777344,
        0.106347933411598205566406,
        -0.0748900920152664184570312,
        0.0425049886107444763183594,
        -0.0159569028764963150024414,
        0.00282363896258175373077393,
    )
)
_A1, _A2, _A3, _A4, _A5, _A6, _A7, _A8 = _ATAN
# Taylor series of cosine and sine.
_C2, _C4, _C6, _C8, _C10 = (_F(1.0 / c) for c in (2, 24, 720, 40320, 3628800))
_S3, _S5, _S7, _S9 = (_F(1.0 / s) for s in (6, 120, 5040, 362880))
_TILE = 512
_FAST = {"contract", "reassoc", "nsz", "arcp", "nnan", "ninf"}


@njit(nogil=True, fastmath=_FAST, error_model="numpy", inline="always")
def _angle(u: Any, v: Any) -> Any:
    """Return arg(u + iv) without a branch, so that it runs on several pixels at once."""
    au, av = abs(u), abs(v)
    steep = av > au
    big = av if steep else au
    small = au if steep else av
    t = small / (big + _F(1e-30))
    s = t * t
    p = ((((((_A8 * s + _A7) * s + _A6) * s + _A5) * s + _A4) * s + _A3) * s + _A2) * s + _A1
    r = t + t * s * p
    r = _HALF_PI - r if steep else r
    r = _PI - r if u < _F(0.0) else r
    return -r if v < _F(0.0) else r


@njit(cache=True, nogil=True, fastmath=_FAST, error_model="numpy")
def shape_light(
    columns: Any,
    detect: Any,
    rows: Any,
    coefficients: Any,
    correction: Any,
    pattern: Any,
    greys: Any,
    errors: Any,
    image: Any,
    sums: Any,
) -> None:
    """Fill an image with grey levels and sum the light that arrives at each spot, row by row.

    Parameters
    ----------
    columns : ndarray of float32, shape (2, N, nx)
        Real and imaginary part of X_j(x).
    detect : ndarray of float32, shape (2, N, nx)
        X_j(x) times the light's amplitude and the pixel's envelope; (2, N, 0) to sum nothing.
    rows : ndarray of complex128, shape (ny, N)
        Y_j(y).
    coefficients : ndarray of complex128, shape (N,)
        c_j = a_j exp(iφ_j).
    correction : ndarray of float32, shape (ny, nx) or (0, 0)
        Added to the phase, in steps of the table.
    pattern : ndarray of float32, shape (ny, nx) or (0, 0)
        Further factor of the light's amplitude.
    greys : ndarray of uint8 or uint16, shape (M,)
        Grey level of each of M steps of phase from 0 to 2π; M is a power of two.
    errors : ndarray of float32, shape (M,)
        Phase that the level gives minus the phase of the step, rad; (0,) if grey level and step
        are the same, for at least 64 steps.
    image : ndarray like greys, shape (ny, nx)
        Filled.
    sums : ndarray of complex128, shape (ny, N)
        Filled with Σ_x light · exp(iψ) X_j*.
    """
    nx = columns.shape[2]
    work, index = np.empty((3, _TILE), np.float32), np.empty(_TILE, np.int32)
    nothing = np.empty(0, np.float32)  # of its own: an overlap would forbid vector code
    sums[:] = 0.0
    # Tiles of columns, so that what a row needs again stays in the first-level cache.
    for first in range(0, nx, _TILE):
        end = min(first + _TILE, nx)
        re, im, error = work[0, : end - first], work[1, : end - first], work[2, : end - first]
        for y in range(rows.shape[0]):
            for j in range(columns.shape[1]):
                b = coefficients[j] * rows[y, j]
                _add_spot(re, im, b, columns[0, j, first:end], columns[1, j, first:end], j == 0)
            if correction.size > 0:
                _levels(re, im, correction[y, first:end], len(greys), error, index)
            else:
                _levels(re, im, nothing, len(greys), error, index)
            if errors.size > 0:
                _look_up(index, greys, image[y, first:end])
            else:
                _copy(index, image[y, first:end])
            if detect.shape[2] > 0:
                if errors.size > 0:
                    _add_errors(index, errors, error)
                    _turn(re, im, error)
                else:
                    _turn_little(re, im, error)
                if pattern.size > 0:
                    _attenuate(re, im, pattern[y, first:end])
                for j in range(columns.shape[1]):
                    sums[y, j] += _project(re, im, detect[0, j, first:end], detect[1, j, first:end])


@njit(nogil=True, fastmath=_FAST, error_model="numpy")
def _add_spot(re: Any, im: Any, b: Any, xr: Any, xi: Any, begin: Any) -> None:
    """Add b X(x) to a row of the field; ``begin`` overwrites what was there."""
    br, bi = _F(b.real), _F(b.imag)
    if begin:
        for x in range(len(re)):
            re[x] = br * xr[x] - bi * xi[x]
            im[x] = br * xi[x] + bi * xr[x]
    else:
        for x in range(len(re)):
            re[x] += br * xr[x] - bi * xi[x]
            im[x] += br * xi[x] + bi * xr[x]


@njit(nogil=True, fastmath=_FAST, error_model="numpy")
def _levels(re: Any, im: Any, correction: Any, steps: Any, error: Any, index: Any) -> None:
    """Nearest step of phase of each pixel, and its phase minus the one wanted, rad."""
    per_radian, step = _F(steps / (2.0 * np.pi)), _F(2.0 * np.pi / steps)
    last = np.int32(steps - 1)
    corrected = len(correction) > 0
    for x in range(len(re)):
        want = _angle(re[x], im[x]) * per_radian
        if corrected:
            want += correction[x]
        level = np.floor(want + _F(0.5))
        error[x] = (level - want) * step
        index[x] = np.int32(level) & last  # two's complement: right for negative levels too


@njit(nogil=True, error_model="numpy")
def _look_up(index: Any, greys: Any, out: Any) -> None:
    """Grey level of each pixel."""
    for x in range(len(out)):
        out[x] = greys[index[x]]


@njit(nogil=True, error_model="numpy")
def _add_errors(index: Any, errors: Any, error: Any) -> None:
    """Add the phase error of each pixel's level."""
    for x in range(len(error)):
        error[x] += errors[index[x]]


@njit(nogil=True, error_model="numpy")
def _copy(index: Any, out: Any) -> None:
    """Grey level of each pixel where level and step are the same."""
    for x in range(len(out)):
        out[x] = index[x]


@njit(nogil=True, fastmath=_FAST, error_model="numpy")
def _turn(re: Any, im: Any, error: Any) -> None:
    """Replace S by S/|S|·exp(iε), the light behind the modulator, for |ε| ≤ π."""
    for x in range(len(re)):
        u, v, half = re[x], im[x], _F(0.5) * error[x]
        n = _F(1.0) / np.sqrt(u * u + v * v + _F(1e-30))
        # exp(iε/2) by its series (3e-6 at ε = π), then squared.
        q = half * half
        c = _F(1.0) - q * (_C2 - q * (_C4 - q * (_C6 - q * (_C8 - q * _C10))))
        s = half * (_F(1.0) - q * (_S3 - q * (_S5 - q * (_S7 - q * _S9))))
        cosine, sine = n * (c * c - s * s), n * (_F(2.0) * c * s)
        re[x] = u * cosine - v * sine
        im[x] = u * sine + v * cosine


@njit(nogil=True, fastmath=_FAST, error_model="numpy")
def _turn_little(re: Any, im: Any, error: Any) -> None:
    """Replace S by S/|S|·exp(iε) for |ε| below 0.1 (ε⁴/24 is left out)."""
    for x in range(len(re)):
        u, v, e = re[x], im[x], error[x]
        n = _F(1.0) / np.sqrt(u * u + v * v + _F(1e-30))
        q = e * e
        cosine, sine = n * (_F(1.0) - _C2 * q), n * e * (_F(1.0) - _S3 * q)
        re[x] = u * cosine - v * sine
        im[x] = u * sine + v * cosine


@njit(nogil=True, fastmath=_FAST, error_model="numpy")
def _attenuate(re: Any, im: Any, pattern: Any) -> None:
    """Multiply a row of light by a real factor."""
    for x in range(len(re)):
        re[x] *= pattern[x]
        im[x] *= pattern[x]


@njit(nogil=True, fastmath=_FAST, error_model="numpy")
def _project(re: Any, im: Any, xr: Any, xi: Any) -> Any:
    """Return Σ_x light · X*(x)."""
    real, imag = _F(0.0), _F(0.0)
    for x in range(len(re)):
        real += re[x] * xr[x] + im[x] * xi[x]
        imag += im[x] * xr[x] - re[x] * xi[x]
    return complex(real, imag)
