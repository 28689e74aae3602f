"""Kernels of the exact likelihood: innovations forward, adjoint backward, for lanes of records.

Sixteen records of one length stand side by side (a lane each), so that every step of the filter is
a handful of vector operations. The filter has the observer form: s_1 = C x̂ is the predicted sample
itself,

    v = y − s_1,  s_1' = A_1 s_1 + s_2 + g_1 v,  s_2' = A_2 s_1 + g_2 v,

and with J = ½ Σ vᵀWv its adjoint, l = ∂J/∂s_1' and m = ∂J/∂s_2',

    μ = W v + g_1ᵀl + g_2ᵀm,  ∂J/∂s_1 = A_1ᵀl + A_2ᵀm − μ,  ∂J/∂s_2 = l.

All that a score needs is a few sums per gain, however many parameters there are. Two channels; what
has one channel is sent two records a lane.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["LANES", "SUMS", "adjoint", "fill", "innovations"]

LANES = 16
"""Records side by side."""

SUMS = 19
"""Sums per gain: v vᵀ (3), l vᵀ (4), m vᵀ (4), l s_1ᵀ (4), m s_1ᵀ (4)."""

_TILE = 64
# Rows of the work array, LANES wide each: the state of the filter or of its adjoint.
_S10, _S11, _S20, _S21 = 0, LANES, 2 * LANES, 3 * LANES
_WIDE = 2 * LANES


@njit(cache=True, nogil=True)
def fill(data, first, scale, offset, out):  # type: ignore[no-untyped-def]
    """Put records from ``first`` on into lanes; what is left over is 0. Returns Σ y.

    data (M, T, c) of any real type, c = 1 or 2; out (T · 2 · LANES,) flat; y = data·scale − offset.
    """
    count, length, channels = data.shape
    together = 2 if channels == 1 else 1
    total = 0.0
    for lane in range(LANES):
        for channel in range(2):
            record = first + (2 * lane + channel if together == 2 else lane)
            column = 0 if together == 2 else channel
            at = channel * LANES + lane
            if record >= count:
                for t in range(length):
                    out[t * _WIDE + at] = 0.0
                continue
            factor, shift = scale[column], offset[column]
            for t in range(length):
                value = data[record, t, column] * factor - shift
                total += value
                out[t * _WIDE + at] = value
    return total


@njit(cache=True, nogil=True)
def innovations(y, runs, gains, work, v):  # type: ignore[no-untyped-def]
    """Filter all lanes; v (T · 2 · LANES,) is what was not foreseen.

    runs (r, 3): gain, begin, end; gains (k, 20): A_1, A_2, g_1, g_2, W row by row.
    """
    for i in range(4 * LANES):
        work[i] = 0.0
    for r in range(len(runs)):
        g = gains[runs[r, 0]]
        a00, a01, a10, a11 = g[0], g[1], g[2], g[3]
        b00, b01, b10, b11 = g[4], g[5], g[6], g[7]
        p00, p01, p10, p11 = g[8], g[9], g[10], g[11]
        q00, q01, q10, q11 = g[12], g[13], g[14], g[15]
        for t in range(runs[r, 1], runs[r, 2]):
            base = t * _WIDE
            for i in range(LANES):
                x, z = work[_S10 + i], work[_S11 + i]
                e, f = y[base + i] - x, y[base + LANES + i] - z
                work[_S10 + i] = a00 * x + a01 * z + work[_S20 + i] + p00 * e + p01 * f
                work[_S11 + i] = a10 * x + a11 * z + work[_S21 + i] + p10 * e + p11 * f
                work[_S20 + i] = b00 * x + b01 * z + q00 * e + q01 * f
                work[_S21 + i] = b10 * x + b11 * z + q10 * e + q11 * f
                v[base + i] = e
                v[base + LANES + i] = f


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _collect(y, v, costate, begin, end, sums):  # type: ignore[no-untyped-def]
    """Add to the sums of one gain; costate holds l and m of the steps begin … end."""
    vv0 = vv1 = vv2 = 0.0
    lv0 = lv1 = lv2 = lv3 = mv0 = mv1 = mv2 = mv3 = 0.0
    ls0 = ls1 = ls2 = ls3 = ms0 = ms1 = ms2 = ms3 = 0.0
    for t in range(begin, end):
        at, base = (t - begin) * 2 * _WIDE, t * _WIDE
        for i in range(LANES):
            e, f = v[base + i], v[base + LANES + i]
            x, z = y[base + i] - e, y[base + LANES + i] - f
            l0, l1 = costate[at + i], costate[at + LANES + i]
            m0, m1 = costate[at + _WIDE + i], costate[at + _WIDE + LANES + i]
            vv0 += e * e
            vv1 += e * f
            vv2 += f * f
            lv0 += l0 * e
            lv1 += l0 * f
            lv2 += l1 * e
            lv3 += l1 * f
            mv0 += m0 * e
            mv1 += m0 * f
            mv2 += m1 * e
            mv3 += m1 * f
            ls0 += l0 * x
            ls1 += l0 * z
            ls2 += l1 * x
            ls3 += l1 * z
            ms0 += m0 * x
            ms1 += m0 * z
            ms2 += m1 * x
            ms3 += m1 * z
    found = (vv0, vv1, vv2, lv0, lv1, lv2, lv3, mv0, mv1, mv2, mv3)
    for i in range(11):
        sums[i] += found[i]
    others = (ls0, ls1, ls2, ls3, ms0, ms1, ms2, ms3)
    for i in range(8):
        sums[11 + i] += others[i]


@njit(cache=True, nogil=True)
def adjoint(y, v, runs, gains, work, costate, sums):  # type: ignore[no-untyped-def]
    """Run backwards through all lanes and add to the sums of every gain, (k, SUMS)."""
    for i in range(4 * LANES):
        work[i] = 0.0
    for r in range(len(runs) - 1, -1, -1):
        g = gains[runs[r, 0]]
        a00, a01, a10, a11 = g[0], g[1], g[2], g[3]
        b00, b01, b10, b11 = g[4], g[5], g[6], g[7]
        p00, p01, p10, p11 = g[8], g[9], g[10], g[11]
        q00, q01, q10, q11 = g[12], g[13], g[14], g[15]
        w00, w01, w11 = g[16], g[17], g[19]
        # The transposes of A_1 − g_1 and A_2 − g_2 take l and m back at once.
        c00, c01, c10, c11 = a00 - p00, a01 - p01, a10 - p10, a11 - p11
        d00, d01, d10, d11 = b00 - q00, b01 - q01, b10 - q10, b11 - q11
        end = runs[r, 2]
        while end > runs[r, 1]:
            begin = max(end - _TILE, runs[r, 1])
            for t in range(end - 1, begin - 1, -1):
                at, base = (t - begin) * 2 * _WIDE, t * _WIDE
                for i in range(LANES):
                    l0, l1 = work[_S10 + i], work[_S11 + i]
                    m0, m1 = work[_S20 + i], work[_S21 + i]
                    e, f = v[base + i], v[base + LANES + i]
                    costate[at + i] = l0
                    costate[at + LANES + i] = l1
                    costate[at + _WIDE + i] = m0
                    costate[at + _WIDE + LANES + i] = m1
                    k0 = c00 * l0 + c10 * l1 + d00 * m0 + d10 * m1 - w00 * e - w01 * f
                    k1 = c01 * l0 + c11 * l1 + d01 * m0 + d11 * m1 - w01 * e - w11 * f
                    work[_S20 + i] = l0
                    work[_S21 + i] = l1
                    work[_S10 + i] = k0
                    work[_S11 + i] = k1
            _collect(y, v, costate, begin, end, sums[runs[r, 0]])
            end = begin


def buffers(length: int) -> tuple[NDArray[Any], ...]:
    """Lanes of y, lanes of v, state, costates of a tile: what the kernels work in."""
    return (
        np.empty(length * _WIDE),
        np.empty(length * _WIDE),
        np.empty(4 * LANES),
        np.empty(_TILE * 2 * _WIDE),
    )
