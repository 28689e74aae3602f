"""Kernels of the steady likelihood: what every bin adds, compiled; the algebra is in ``bins``.

A bin has c ≤ 2 channels and n = 2c states, so that all its matrices are a few numbers: loops beat
calls of linear algebra by an order of magnitude. What all bins share is summed in place.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["fill_bins", "fill_slopes", "score_sums", "value_sums", "whitened"]


@njit(cache=True, nogil=True)
def _times(a, b, out):  # type: ignore[no-untyped-def]
    """Matrix product a b into ``out``."""
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            total = 0.0j
            for k in range(a.shape[1]):
                total += a[i, k] * b[k, j]
            out[i, j] = total


@njit(cache=True, nogil=True)
def _times_adjoint(a, b, out):  # type: ignore[no-untyped-def]
    """Matrix product a b* into ``out``, * the conjugate transpose."""
    for i in range(a.shape[0]):
        for j in range(b.shape[0]):
            total = 0.0j
            for k in range(a.shape[1]):
                total += a[i, k] * np.conj(b[j, k])
            out[i, j] = total


@njit(cache=True, nogil=True)
def _invert(matrix, out):  # type: ignore[no-untyped-def]
    """Inverse into ``out``, by Gauss and Jordan with pivots; destroys the matrix."""
    n = len(matrix)
    out[:] = 0.0
    for i in range(n):
        out[i, i] = 1.0
    for column in range(n):
        pivot = column
        for i in range(column + 1, n):
            if abs(matrix[i, column]) > abs(matrix[pivot, column]):
                pivot = i
        for j in range(n):
            matrix[column, j], matrix[pivot, j] = matrix[pivot, j], matrix[column, j]
            out[column, j], out[pivot, j] = out[pivot, j], out[column, j]
        scale = 1.0 / matrix[column, column]
        for j in range(n):
            matrix[column, j] *= scale
            out[column, j] *= scale
        for i in range(n):
            factor = matrix[i, column]
            if i != column and factor != 0.0:
                for j in range(n):
                    matrix[i, j] -= factor * matrix[column, j]
                    out[i, j] -= factor * out[column, j]


@njit(cache=True, nogil=True)
def _whitening(spread, out):  # type: ignore[no-untyped-def]
    """L⁻¹ of D = LL* into ``out``, lower; returns ln det D, NaN where D is not positive."""
    first = spread[0, 0].real
    if not first > 0.0:
        return np.nan
    out[0, 0] = 1.0 / np.sqrt(first)
    if len(spread) == 1:
        return np.log(first)
    below = spread[1, 0] * out[0, 0]
    second = spread[1, 1].real - abs(below) ** 2
    if not second > 0.0:
        return np.nan
    out[0, 1] = 0.0
    out[1, 1] = 1.0 / np.sqrt(second)
    out[1, 0] = -below * out[0, 0] * out[1, 1]
    return np.log(first) + np.log(second)


@njit(cache=True, nogil=True)
def fill_bins(turn, model, root, inverse, output, spread, ends):  # type: ignore[no-untyped-def]
    """Φ, A, D and U of all bins; ``model`` is (F, Q, C, R, C V Fᵀ), all complex."""
    step, driven, seen, noise, behind = model
    c, n = seen.shape
    left, work = np.empty((n, n), np.complex128), np.empty((c, n), np.complex128)
    for k in range(len(turn)):
        for i in range(n):
            for j in range(n):
                left[i, j] = -turn[k] * step[i, j]
            left[i, i] += 1.0
        _invert(left, inverse[k])
        _times(seen, inverse[k], output[k])
        _times(output[k], driven, work)
        _times_adjoint(work, output[k], spread[k])
        spread[k] += noise
        _times_adjoint(behind, inverse[k], work)
        for i in range(c):
            for j in range(n):
                ends[k, i, j] = root * output[k, i, j]
                ends[k, i, n + j] = -root * np.conj(turn[k]) * work[i, j]


@njit(cache=True, nogil=True)
def fill_slopes(turn, model, moved, root, tile, spread, ends):  # type: ignore[no-untyped-def]
    """Derivatives dD and dU of all bins by all parameters.

    ``model`` is (Q, dF, dC, dQ, dR, d(C V Fᵀ)), ``moved`` (P, 4) tells which of dF, dC, dQ and
    d(C V Fᵀ) are not 0, ``tile`` is (Φ, A, U).
    """
    driven, d_step, d_seen, d_driven, d_noise, d_behind = model
    inverse, output, own = tile
    count, c, n = d_seen.shape
    right, back = np.empty((n, c), np.complex128), np.empty((c, n), np.complex128)
    one, two = np.empty((c, n), np.complex128), np.empty((c, n), np.complex128)
    half, change = np.empty((c, c), np.complex128), np.empty((c, n), np.complex128)
    for k in range(len(turn)):
        _times_adjoint(driven, output[k], right)
        back[:] = own[k, :, n:]
        for p in range(count):
            change[:] = 0.0
            ends[p, k, :, :] = 0.0
            spread[p, k] = d_noise[p]
            if moved[p, 1]:
                _times(d_seen[p], inverse[k], change)
            if moved[p, 0]:
                _times(output[k], d_step[p], one)
                _times(one, inverse[k], two)
                for i in range(c):
                    for j in range(n):
                        change[i, j] += turn[k] * two[i, j]
                _times(back, d_step[p].T, one)
                _times_adjoint(one, inverse[k], two)
                for i in range(c):
                    for j in range(n):
                        ends[p, k, i, n + j] = np.conj(turn[k]) * two[i, j]
            if moved[p, 3]:
                _times_adjoint(d_behind[p], inverse[k], one)
                for i in range(c):
                    for j in range(n):
                        ends[p, k, i, n + j] -= root * np.conj(turn[k]) * one[i, j]
            if moved[p, 0] or moved[p, 1]:
                _times(change, right, half)
                for i in range(c):
                    for j in range(n):
                        ends[p, k, i, j] = root * change[i, j]
                    for j in range(c):
                        spread[p, k, i, j] += half[i, j] + np.conj(half[j, i])
            if moved[p, 2]:
                _times(output[k], d_driven[p], one)
                _times_adjoint(one, output[k], half)
                spread[p, k] += half


@njit(cache=True, nogil=True)
def value_sums(spread, ends, y, gram, pull):  # type: ignore[no-untyped-def]
    """Add to G and h; returns −Σ [s ln det D + y*D⁻¹y], NaN where D is not positive."""
    count, c, r = len(y), ends.shape[1], ends.shape[2]
    root = np.empty((c, c), np.complex128)
    white, seen = np.empty((c, r), np.complex128), np.empty(c, np.complex128)
    total = 0.0
    for k in range(len(spread)):
        total -= count * _whitening(spread[k], root)
        _times(root, ends[k], white)
        for a in range(r):
            for b in range(a + 1):
                sum_ = 0.0
                for i in range(c):
                    sum_ += (
                        white[i, a].real * white[i, b].real + white[i, a].imag * white[i, b].imag
                    )
                gram[a, b] += 2.0 * sum_
        for s in range(count):
            for i in range(c):
                sum_c = 0.0j
                for j in range(i + 1):
                    sum_c += root[i, j] * y[s, k, j]
                seen[i] = sum_c
                total -= sum_c.real**2 + sum_c.imag**2
            for a in range(r):
                sum_ = 0.0
                for i in range(c):
                    sum_ += white[i, a].real * seen[i].real + white[i, a].imag * seen[i].imag
                pull[s, a] += 2.0 * sum_
    return total


@njit(cache=True, nogil=True)
def whitened(spread, ends, y, d_spread, white, seen, slopes):  # type: ignore[no-untyped-def]
    """L⁻¹y (s, k, c), L⁻¹U (k, c, r) and the diagonals of L⁻¹ dD L⁻¹* (P, k, c)."""
    c = spread.shape[1]
    root = np.empty((c, c), np.complex128)
    half, full = np.empty((c, c), np.complex128), np.empty((c, c), np.complex128)
    for k in range(len(spread)):
        _whitening(spread[k], root)
        _times(root, ends[k], seen[k])
        for s in range(len(y)):
            for i in range(c):
                total = 0.0j
                for j in range(c):
                    total += root[i, j] * y[s, k, j]
                white[s, k, i] = total
        for p in range(len(d_spread)):
            _times(root, d_spread[p, k], half)
            _times_adjoint(half, root, full)
            for i in range(c):
                slopes[p, k, i] = full[i, i].real


@njit(cache=True, nogil=True)
def _row(root, vectors, first, place, rows):  # type: ignore[no-untyped-def]
    """Real and imaginary parts of L⁻¹X into the columns from ``first`` on that are kept."""
    c, r = vectors.shape
    for a in range(r):
        at = place[first + a]
        if at < 0:
            continue
        for i in range(c):
            total = 0.0j
            for j in range(i + 1):
                total += root[i, j] * vectors[j, a]
            rows[2 * i, at] = total.real
            rows[2 * i + 1, at] = total.imag


@njit(cache=True, nogil=True)
def score_sums(tile, slopes, y, weights, place, sums, rows):  # type: ignore[no-untyped-def]
    """What score and information need of some bins.

    ``tile`` is (D, U), ``slopes`` (dD, dU), ``weights`` M⁻¹h (s, r), ``place`` the column of
    ``rows`` of every end of (U, dU, dD D⁻¹U), −1 for one that is always 0. ``sums`` are the local
    score (P,), Σ tr D⁻¹dDD⁻¹dD (P, P), lower, and Σ g·dh (P,); ``rows`` (2ck, columns) is written.
    """
    spread, ends = tile
    d_spread, d_ends = slopes
    local, pairs, pulled = sums
    count, c, r = len(d_spread), ends.shape[1], ends.shape[2]
    root, inverse = np.empty((c, c), np.complex128), np.empty((c, c), np.complex128)
    middle, residual = np.empty((c, c), np.complex128), np.empty(c, np.complex128)
    seen, mixed = np.empty((c, r), np.complex128), np.empty((c, r), np.complex128)
    turned, moved = np.empty((count, c, c), np.complex128), np.empty((c, r), np.complex128)
    for k in range(len(spread)):
        _whitening(spread[k], root)
        for i in range(c):
            for j in range(c):
                total = 0.0j
                for m in range(c):
                    total += np.conj(root[m, i]) * root[m, j]
                inverse[i, j] = total
                middle[i, j] = -len(y) * total
        mixed[:] = 0.0
        for s in range(len(y)):
            for i in range(c):
                total = 0.0j
                for j in range(c):
                    total += inverse[i, j] * y[s, k, j]
                residual[i] = total
            for i in range(c):
                for j in range(c):
                    middle[i, j] += residual[i] * np.conj(residual[j])
                for a in range(r):
                    mixed[i, a] += residual[i] * weights[s, a]
        _times(inverse, ends[k], seen)
        part = rows[2 * c * k : 2 * c * (k + 1)]
        _row(root, ends[k], 0, place, part)
        for p in range(count):
            change = d_spread[p, k]
            _times(inverse, change, turned[p])
            _times(change, seen, moved)
            _row(root, d_ends[p, k], r * (1 + p), place, part)
            _row(root, moved, r * (1 + count + p), place, part)
            value, drawn = 0.0, 0.0
            for i in range(c):
                for j in range(c):
                    value += (change[i, j] * middle[j, i]).real
                for a in range(r):
                    apart = d_ends[p, k, i, a] - moved[i, a]
                    drawn += apart.real * mixed[i, a].real + apart.imag * mixed[i, a].imag
            local[p] += value
            pulled[p] += 2.0 * drawn
            for q in range(p + 1):
                value = 0.0
                for i in range(c):
                    for j in range(c):
                        value += (turned[p, i, j] * turned[q, j, i]).real
                pairs[p, q] += value
