"""The filter in its states, for any number of channels: where the observer form does not serve.

x̂' = F x̂ + G v, v = y − C x̂; with J = ½ Σ vᵀWv, λ = ∂J/∂x̂' and μ = W v + Gᵀλ,
∂J/∂x̂ = Fᵀλ − Cᵀμ and dJ = ⟨Σ λ x̂ᵀ, dF⟩ + ⟨Σ λ vᵀ, dG⟩ − ⟨Σ μ x̂ᵀ, dC⟩.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .gains import Gains

__all__ = ["PlainSums", "plain_innovations", "plain_pass"]

_Array = NDArray[np.float64]
_LANES = 16
# Values of the buffers at most, which decides how many samples stand between two check points.
_MOST_VALUES = 1 << 22


@dataclass(frozen=True)
class PlainSums:
    """Sums over records.

    Attributes
    ----------
    squares : ndarray, shape (k, c, c)
        Σ v vᵀ of every gain.
    gain : ndarray, shape (k, n, c)
        Σ λ vᵀ of every gain.
    flow : ndarray, shape (n, n)
        Σ λ x̂ᵀ.
    view : ndarray, shape (c, n)
        Σ μ x̂ᵀ.
    """

    squares: _Array
    gain: _Array
    flow: _Array
    view: _Array

    @classmethod
    def empty(cls, gains: Gains) -> PlainSums:
        """Zeros for these gains."""
        (k, n, c) = gains.gain.shape
        return cls(np.zeros((k, c, c)), np.zeros((k, n, c)), np.zeros((n, n)), np.zeros((c, n)))

    def score(self, gains: Gains) -> _Array:
        """∂J by all parameters, without the determinants, shape (P,)."""
        m = gains.model
        slope = np.einsum("ij,ijp->p", self.flow, m.d_step)
        slope += np.einsum("kij,kijp->p", self.gain, gains.d_gain)
        return np.asarray(slope - np.einsum("ij,ijp->p", self.view, m.d_output))


@njit(cache=True, nogil=True)
def _push(sign, a, x, out):  # type: ignore[no-untyped-def]
    """Out + sign·a x for all lanes: (i, k) (k, L) → (i, L)."""
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            factor = sign * a[i, k]
            for o in range(x.shape[1]):
                out[i, o] += factor * x[k, o]


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _outer(a, b, out):  # type: ignore[no-untyped-def]
    """Out + a bᵀ, summed over lanes: (i, L) (k, L) → (i, k)."""
    for i in range(a.shape[0]):
        for k in range(b.shape[0]):
            total = 0.0
            for o in range(a.shape[1]):
                total += a[i, o] * b[k, o]
            out[i, k] += total


@njit(cache=True, nogil=True)
def _forward(v, runs, f, c, gain, states):  # type: ignore[no-untyped-def]
    """Through lanes: v (T, c, L) holds y and becomes v; states (T + 1, n, L)."""
    states[0] = 0.0
    for r in range(len(runs)):
        for t in range(runs[r, 1], runs[r, 2]):
            _push(-1.0, c, states[t], v[t])
            states[t + 1] = 0.0
            _push(1.0, f, states[t], states[t + 1])
            _push(1.0, gain[runs[r, 0]], v[t], states[t + 1])


@njit(cache=True, nogil=True)
def _backward(v, runs, f, c, gain, weight, states, squares, gains, flow, view):  # type: ignore[no-untyped-def]
    """Back through lanes, adding to the sums."""
    n, m, wide = len(f), len(c), v.shape[2]
    ft, ct, gt = f.T.copy(), c.T.copy(), np.empty((m, n))
    x, new, mu = np.zeros((n, wide)), np.empty((n, wide)), np.empty((m, wide))
    for r in range(len(runs) - 1, -1, -1):
        at = runs[r, 0]
        for i in range(m):
            for k in range(n):
                gt[i, k] = gain[at, k, i]
        for t in range(runs[r, 2] - 1, runs[r, 1] - 1, -1):
            mu[:] = 0.0
            _push(1.0, weight[at], v[t], mu)
            _push(1.0, gt, x, mu)
            _outer(v[t], v[t], squares[at])
            _outer(x, v[t], gains[at])
            _outer(x, states[t], flow)
            _outer(mu, states[t], view)
            new[:] = 0.0
            _push(1.0, ft, x, new)
            _push(-1.0, ct, mu, new)
            x[:] = new


def _filtered(
    gains: Gains, data: NDArray[Any], scale: _Array, offset: _Array
) -> Iterator[tuple[_Array, _Array]]:
    """Innovations (T, c, L) and states (T + 1, n, L) of records (M, T, c), lanes by lanes."""
    m = gains.model
    n, c, length = len(m.step), m.channels, data.shape[1]
    wide = max(1, min(_LANES, len(data), _MOST_VALUES // (length * (n + c))))
    states = np.empty((length + 1, n, wide))
    for first in range(0, len(data), wide):
        v = np.zeros((length, c, wide))
        block = np.asarray(data[first : first + wide], np.float64) * scale - offset
        v[:, :, : len(block)] = np.moveaxis(block, 0, -1)
        _forward(v, gains.runs, m.step, m.output, gains.gain, states)
        yield v, states


def plain_innovations(
    gains: Gains, data: NDArray[Any], scale: _Array, offset: _Array
) -> Iterator[_Array]:
    """What was not foreseen of records (M, T, c), lanes by lanes (T, c, L)."""
    for v, _ in _filtered(gains, data, scale, offset):
        yield v


def plain_pass(
    gains: Gains, data: NDArray[Any], scale: _Array, offset: _Array, sums: PlainSums
) -> None:
    """Filter records (M, T, c) and add to the sums."""
    m = gains.model
    for v, states in _filtered(gains, data, scale, offset):
        _backward(
            v, gains.runs, m.step, m.output, gains.gain, gains.weight, states,
            sums.squares, sums.gain, sums.flow, sums.view,
        )  # fmt: skip
