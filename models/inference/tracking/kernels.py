"""The two sweeps over samples: forward the filter, backward what later samples add.

With P the covariance before a sample, v = y − C x̂, G = FK, W = S⁻¹ and L = F − GC,

    x̂' = L x̂ + G y,  x̂_f = x̂ + K v,
    λ = CᵀW v + Lᵀλ',  x̂_s = x̂ + P λ    (de Jong 1989; Durbin and Koopman, ch. 4).

Tables have one entry per sample since the begin of a stretch; the last one serves all later ones.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["backward", "forward", "spreads", "weights"]


@njit(cache=True, nogil=True)
def forward(y, at, flow, gain, correct, root, c, x, before, after, e):  # type: ignore[no-untyped-def]
    """Filter samples (T, c) from the at-th of a stretch on; x (n,) is carried.

    Fills x̂ before and after each sample (T, n) and the white e = S^{-1/2} v (T, c).
    """
    n, m, last = flow.shape[1], gain.shape[2], len(flow) - 1
    new, v = np.empty(n), np.empty(m)
    for t in range(len(y)):
        k = min(at + t, last)
        for i in range(m):
            total = y[t, i]
            for j in range(n):
                total -= c[i, j] * x[j]
            v[i] = total
        for i in range(n):
            before[t, i] = x[i]
            seen, total = x[i], 0.0
            for j in range(m):
                seen += correct[k, i, j] * v[j]
                total += gain[k, i, j] * y[t, j]
            after[t, i] = seen
            for j in range(n):
                total += flow[k, i, j] * x[j]
            new[i] = total
        for i in range(m):
            total = 0.0
            for j in range(i, m):
                total += root[k, j, i] * v[j]
            e[t, i] = total
        for i in range(n):
            x[i] = new[i]


@njit(cache=True, nogil=True)
def backward(before, e, at, flow, seen, spread, out):  # type: ignore[no-untyped-def]
    """Fill x̂_s of the first samples (len(out), n); nothing is known behind the last of e (T, c).

    ``seen`` is CᵀW^{1/2} of every entry, (k, n, c).
    """
    n, m, last = flow.shape[1], seen.shape[2], len(flow) - 1
    x, new = np.zeros(n), np.empty(n)
    for t in range(len(e) - 1, -1, -1):
        k = min(at + t, last)
        for i in range(n):
            total = 0.0
            for j in range(m):
                total += seen[k, i, j] * e[t, j]
            for j in range(n):
                total += flow[k, j, i] * x[j]
            new[i] = total
        for i in range(n):
            x[i] = new[i]
        if t < len(out):
            for i in range(n):
                total = before[t, i]
                for j in range(n):
                    total += spread[k, i, j] * x[j]
                out[t, i] = total


@njit(cache=True, nogil=True)
def spreads(flow, gain, q, r, out):  # type: ignore[no-untyped-def]
    """Covariances before each sample, out (k, n, n), the first given (Joseph's form)."""
    for k in range(len(out) - 1):
        out[k + 1] = flow[k] @ out[k] @ flow[k].T + gain[k] @ r @ gain[k].T + q
        out[k + 1] = 0.5 * (out[k + 1] + out[k + 1].T)


@njit(cache=True, nogil=True)
def weights(flow, own, out):  # type: ignore[no-untyped-def]
    """Λ_t = CᵀWC + L_tᵀΛ_{t+1}L_t backwards, out (T, n, n), of which the last is given."""
    last = len(flow) - 1
    for t in range(len(out) - 2, -1, -1):
        k = min(t, last)
        out[t] = own[k] + flow[k].T @ out[t + 1] @ flow[k]
        out[t] = 0.5 * (out[t] + out[t].T)
