"""Recursions without data: covariances of the filter, their tangents, and Fisher information.

Derivatives stand in arrays (…, P), the parameters last, so that one loop serves all of them. State
and sample are foreseen together: with H = [F; C] and P the covariance before the sample,

    M = H P Hᵀ + diag(Q, R),  S = M_22,  G = M_12 S⁻¹,  P' = M_11 − G S Gᵀ
    dM = H dP Hᵀ + (dH P Hᵀ + its transpose) + diag(dQ, dR)
    dS = dM_22,  dG = (dM_12 − G dS) S⁻¹,  dP' = E dM Eᵀ with E = [1, −G].

The innovations v are white under the model, so that their expected information needs only
X = ⟨x̂x̂ᵀ⟩ and Y = ⟨∂x̂ x̂ᵀ⟩ forward and the weight Λ of what a change of x̂ does later, backward.
With L = F − GC, B = dF − G dC and W = S⁻¹ (see :func:`information`)

    Λ_t = CᵀWC + LᵀΛ_{t+1}L,  X' = FXFᵀ + GSGᵀ,  Y' = (LY + BX)Fᵀ + dG S Gᵀ.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["covariances", "information"]


@njit(cache=True, nogil=True)
def _left(a, b, out):  # type: ignore[no-untyped-def]
    """A b for all parameters: (i, k) (k, j, P) → (i, j, P)."""
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            for p in range(b.shape[2]):
                out[i, j, p] = 0.0
            for k in range(a.shape[1]):
                factor = a[i, k]
                for p in range(b.shape[2]):
                    out[i, j, p] += factor * b[k, j, p]


@njit(cache=True, nogil=True)
def _right(a, b, out):  # type: ignore[no-untyped-def]
    """A bᵀ for all parameters: (i, k, P) (j, k) → (i, j, P); b may have fewer columns than a."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for p in range(a.shape[2]):
                out[i, j, p] = 0.0
            for k in range(b.shape[1]):
                factor = b[j, k]
                for p in range(a.shape[2]):
                    out[i, j, p] += factor * a[i, k, p]


@njit(cache=True, nogil=True)
def _sandwich(a, x, ax, out):  # type: ignore[no-untyped-def]
    """A x and a x aᵀ for all parameters."""
    _left(a, x, ax)
    _right(ax, a, out)


@njit(cache=True, nogil=True)
def _times(a, b, out):  # type: ignore[no-untyped-def]
    """A bᵀ."""
    for i in range(a.shape[0]):
        for j in range(b.shape[0]):
            total = 0.0
            for k in range(a.shape[1]):
                total += a[i, k] * b[j, k]
            out[i, j] = total


@njit(cache=True, nogil=True)
def _invert(s, w):  # type: ignore[no-untyped-def]
    """W = s⁻¹ of a small positive matrix by Cholesky; returns ln det s, NaN unless positive."""
    c = len(s)
    root = np.zeros((c, c))
    log_det = 0.0
    for i in range(c):
        for j in range(i + 1):
            total = s[i, j]
            for k in range(j):
                total -= root[i, k] * root[j, k]
            if i > j:
                root[i, j] = total / root[j, j]
                continue
            if not total > 0.0:
                return np.nan
            root[i, i] = np.sqrt(total)
            log_det += np.log(total)
    for column in range(c):
        for i in range(c):
            total = 1.0 if i == column else 0.0
            for k in range(i):
                total -= root[i, k] * w[k, column]
            w[i, column] = total / root[i, i]
        for i in range(c - 1, -1, -1):
            total = w[i, column]
            for k in range(i + 1, c):
                total -= root[k, i] * w[k, column]
            w[i, column] = total / root[i, i]
    return log_det


@njit(cache=True, nogil=True)
def _settle(new, old, bound, tight):  # type: ignore[no-untyped-def]
    """Move old (i, j, P) to new; whether no parameter moved by more than tight·bound."""
    steady = True
    for i in range(new.shape[0]):
        for j in range(new.shape[1]):
            for p in range(new.shape[2]):
                # Tangents of the first state decay to 0: measured by what they were.
                bound[p] = max(bound[p], abs(new[i, j, p]))
                steady = steady and abs(new[i, j, p] - old[i, j, p]) <= tight * bound[p]
                old[i, j, p] = new[i, j, p]
    return steady


@njit(cache=True, nogil=True)
def covariances(  # type: ignore[no-untyped-def]
    h, spread, p, dh, d_spread, dp, valid, tight, runs, gain, weight, log_det, dgain, ds
):
    """Fill the tables of gains until they are stationary; returns (gains, runs).

    h (n+c, n), spread diag(Q, R). Gain 0 is that of missing samples, which foresee but do not
    correct. −1 gains say that the tables are too short, −2 that a covariance of the innovations is
    not positive. p and dp are changed.
    """
    rows, n, count = dh.shape
    m, length = rows - n, len(valid)
    hp, both, s, w = np.empty((rows, n)), np.empty((rows, rows)), np.empty((m, m)), np.empty((m, m))
    e, new_p = np.zeros((n, rows)), np.empty((n, n))
    hdp, half = np.empty((rows, n, count)), np.empty((rows, rows, count))
    d_both, ed = np.empty((rows, rows, count)), np.empty((n, rows, count))
    new, bound = np.empty((n, n, count)), np.zeros(count)
    for i in range(n):
        e[i, i] = 1.0
    used, lines, t = 1, 0, 0
    while t < length:
        if lines >= len(runs) or used >= len(gain):
            return -1, lines
        at = used if valid[t] else 0
        _times(h, p, hp)
        _times(hp, h, both)
        _sandwich(h, dp, hdp, d_both)
        _right(dh, hp, half)
        for i in range(rows):
            for j in range(rows):
                both[i, j] += spread[i, j]
                for k in range(count):
                    d_both[i, j, k] += half[i, j, k] + half[j, i, k] + d_spread[i, j, k]
        if at:
            for i in range(m):
                for j in range(m):
                    s[i, j] = both[n + i, n + j]
            log_det[at] = _invert(s, w)
            if not np.isfinite(log_det[at]):
                return -2, lines
        for i in range(n):
            for j in range(m):
                total = 0.0
                for k in range(m):
                    total += both[i, n + k] * w[k, j]
                e[i, n + j] = -total if at else 0.0
        _sandwich(e, d_both, ed, new)
        scale, moved = 0.0, 0.0
        for i in range(n):
            for j in range(n):
                total = both[i, j]
                for k in range(m):
                    total += 0.5 * (e[i, n + k] * both[j, n + k] + e[j, n + k] * both[i, n + k])
                scale, moved = max(scale, abs(total)), max(moved, abs(total - p[i, j]))
                new_p[i, j] = total
        for i in range(n):
            for j in range(n):
                p[i, j] = new_p[i, j]
        steady = _settle(new, dp, bound, tight) and moved <= tight * scale
        if at:
            for i in range(n):
                for j in range(m):
                    gain[at, i, j] = -e[i, n + j]
                    for k in range(m):
                        for o in range(count):
                            dgain[at, i, j, o] += ed[i, n + k, o] * w[k, j]
            for i in range(m):
                for j in range(m):
                    weight[at, i, j] = w[i, j]
                    for o in range(count):
                        ds[at, i, j, o] = d_both[n + i, n + j, o]
            used += 1
        stop = t + 1
        while steady and at and stop < length and valid[stop]:
            stop += 1
        if lines and not at and runs[lines - 1, 0] == 0 and runs[lines - 1, 2] == t:
            lines -= 1
            runs[lines, 2] = stop
        else:
            runs[lines, 0], runs[lines, 1], runs[lines, 2] = at, t, stop
        lines, t = lines + 1, stop
    return used, lines


@njit(cache=True, nogil=True)
def _flow(f, c, g, flow):  # type: ignore[no-untyped-def]
    """[L; C] with L = F − GC."""
    n = len(f)
    for i in range(len(c)):
        for j in range(n):
            flow[n + i, j] = c[i, j]
    for i in range(n):
        for j in range(n):
            flow[i, j] = f[i, j]
            for k in range(len(c)):
                flow[i, j] -= g[i, k] * c[k, j]


@njit(cache=True, nogil=True)
def _later(f, c, runs, gain, weight):  # type: ignore[no-untyped-def]
    """diag(Λ_{t+1}, W) of every sample, (T, n+c, n+c), backwards."""
    n, rows, length = len(f), len(f) + len(c), runs[-1, 2]
    later = np.zeros((length, rows, rows))
    flow, one = np.empty((rows, n)), np.empty((rows, n))
    for r in range(len(runs) - 1, -1, -1):
        _flow(f, c, gain[runs[r, 0]], flow)
        for t in range(runs[r, 2] - 1, runs[r, 1] - 1, -1):
            for i in range(n, rows):
                for j in range(n, rows):
                    later[t, i, j] = weight[runs[r, 0], i - n, j - n]
            if t == 0:
                continue
            # Λ_t = [L; C]ᵀ diag(Λ_{t+1}, W) [L; C].
            for i in range(rows):
                for j in range(n):
                    one[i, j] = 0.0
                    for k in range(rows):
                        one[i, j] += later[t, i, k] * flow[k, j]
            for i in range(n):
                for j in range(n):
                    total = 0.0
                    for k in range(rows):
                        total += flow[k, i] * one[k, j]
                    later[t - 1, i, j] = total
    return later


@njit(cache=True, nogil=True)
def information(f, c, df, dc, runs, gain, weight, dgain, out):  # type: ignore[no-untyped-def]
    """Expected information of how x̂ depends on the parameters, of one record, (P, P).

    State and sample together: with x̃ = (x̂, v), X̃ = diag(X, S), H̃ = [L; C], B̃ = [[B, dG], [dC, 0]]
    and Λ̃ = diag(Λ_{t+1}, W) it is Σ_t ⟨Λ̃(½B̃_jX̃ + H̃[Y_j, 0]), B̃_k⟩ and its transpose.
    """
    n, m, count = len(f), len(c), df.shape[2]
    rows, seen = n + m, n
    if np.any(dc != 0.0):
        seen = rows
    later = _later(f, c, runs, gain, weight)
    flow, x, s, ahead = np.empty((rows, n)), np.zeros((rows, rows)), np.empty((m, m)), f.copy()
    y, b = np.zeros((n, n, count)), np.zeros((rows, rows, count))
    hy, bx = np.empty((rows, n, count)), np.empty((rows, rows, count))
    u, lu = np.zeros((rows, rows, count)), np.empty((rows, rows, count))
    ahead = np.empty((n, rows))
    fx, step = np.empty((n, rows)), np.empty((n, n))
    half = np.zeros((count, count))
    for r in range(len(runs)):
        at = runs[r, 0]
        _flow(f, c, gain[at], flow)
        if at:
            _invert(weight[at], s)
        for i in range(n):
            for j in range(n):
                ahead[i, j] = f[i, j]
                for k in range(count):
                    b[i, j, k] = df[i, j, k]
                    for o in range(m):
                        b[i, j, k] -= gain[at, i, o] * dc[o, j, k]
            for j in range(m):
                ahead[i, n + j] = gain[at, i, j]
                for k in range(count):
                    b[i, n + j, k] = dgain[at, i, j, k]
                    b[n + j, i, k] = dc[j, i, k]
        for i in range(m):
            for j in range(m):
                x[n + i, n + j] = s[i, j] if at else 0.0
        for t in range(runs[r, 1], runs[r, 2]):
            _left(flow[:seen], y, hy)
            _right(b[:seen], x, bx[:seen])
            for i in range(seen):
                for j in range(rows):
                    for k in range(count):
                        u[i, j, k] = 0.5 * bx[i, j, k]
                    if j < n:
                        for k in range(count):
                            u[i, j, k] += hy[i, j, k]
                            bx[i, j, k] += hy[i, j, k]
            _left(later[t, :seen, :seen], u[:seen], lu)
            for i in range(seen):
                for j in range(rows):
                    for k in range(count):
                        factor = lu[i, j, k]
                        for o in range(count):
                            half[k, o] += factor * b[i, j, o]
            _right(bx, ahead, y)
            _times(ahead, x, fx)
            _times(fx, ahead, step)
            for i in range(n):
                for j in range(n):
                    x[i, j] = step[i, j]
    for j in range(count):
        for k in range(count):
            out[j, k] = half[j, k] + half[k, j]
