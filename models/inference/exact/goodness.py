"""Whether the innovations are white: the goodness of an exact fit.

Under the right model e = S^{-1/2} v is white with unit covariance. With N_k products each,

    X² = N₀ Σ_{i≤j} r₀ᵢⱼ²/(1 + δᵢⱼ) + Σ_k N_k |r_k|²,  r_k = ⟨e(t+k) e(t)ᵀ⟩ − δ_k0,

is χ² with as many degrees of freedom as there are numbers, less what the fitted parameters absorb:
tr(J F⁻¹ Jᵀ), where J are the derivatives of the expected r_k by the parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import chdtrc

from ..optimiser import Optimum
from ..result import MIN_DOF
from .gains import Gains
from .likelihood import ExactPoint, patterns
from .passes import Pass

__all__ = ["InnovationSums", "Whiteness", "whiteness_of"]

_Array = NDArray[np.float64]
# A stream is cut into so many pieces beside each other, if they are at least so long.
_LANES, _LEAST_LANE = 8, 1024
# Up to some two periods of a line at twenty and more samples a period.
_LAGS = np.array([0, *range(1, 9), 10, 12, 15, 18, 22, 27, 33, 40, 49, 60, 73, 90])


@dataclass(frozen=True)
class Whiteness:
    """How white the innovations are.

    Attributes
    ----------
    chi2, dof : float
        X² and its degrees of freedom.
    p_value : float or None
        Probability of a larger X²; None below 5 degrees of freedom.
    lags : ndarray of int, shape (k,)
        In samples.
    correlations : ndarray, shape (k, c, c)
        r_k.
    """

    chi2: float
    dof: float
    p_value: float | None
    lags: NDArray[np.int64]
    correlations: _Array


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _products(v, runs, roots, lags, e, sums, counts):  # type: ignore[no-untyped-def]
    """Σ e(t+k) e(t)ᵀ of lanes (T, c, L), (k, c, c), and pairs of a lane that both exist."""
    length, m, wide = v.shape
    for r in range(len(runs)):
        root = roots[runs[r, 0]]
        for t in range(runs[r, 1], runs[r, 2]):
            for i in range(m):
                for o in range(wide):
                    e[t, i, o] = 0.0
                for k in range(i, m):
                    factor = root[k, i]
                    for o in range(wide):
                        e[t, i, o] += factor * v[t, k, o]
    for at in range(len(lags)):
        lag = lags[at]
        for t in range(length - lag):
            for i in range(m):
                for j in range(m):
                    total = 0.0
                    for o in range(wide):
                        total += e[t + lag, i, o] * e[t, j, o]
                    sums[at, i, j] += total
    seen = np.zeros(length)
    for r in range(len(runs)):
        for t in range(runs[r, 1], runs[r, 2]):
            seen[t] = 1.0 if runs[r, 0] else 0.0
    for at in range(len(lags)):
        for t in range(length - lags[at]):
            counts[at] += seen[t] * seen[t + lags[at]]


def _roots(weight: _Array) -> _Array:
    """Lower Cholesky factors of W; 0 for missing samples."""
    roots = np.zeros_like(weight)
    roots[1:] = np.linalg.cholesky(weight[1:])
    return roots


def _slopes(gains: Gains, lags: NDArray[np.int64]) -> _Array:
    """Derivatives of the expected r_k with stationary gains, shape (k, c, c, P)."""
    m, last = gains.model, int(gains.runs[-1, 0]) or len(gains.gain) - 1
    gain, d_gain, weight = gains.gain[last], gains.d_gain[last], gains.weight[last]
    root = _roots(gains.weight[[0, last]])[1]
    cov = np.linalg.inv(weight)
    flow = m.step - gain @ m.output
    d_flow = m.d_step - np.einsum("nc,cmp->nmp", gain, m.d_output)
    state, moved = gain @ cov, np.einsum("ncp,cd->ndp", d_gain, cov)
    found = np.zeros((len(lags), *root.shape, m.d_step.shape[2]))
    found[0] = -np.einsum("ji,jkp,kl->ilp", root, gains.d_cov[last], root)
    for lag in range(1, int(lags[-1]) + 1):
        for at in np.flatnonzero(lags == lag):
            seen = np.einsum("cn,ndp->cdp", m.output, moved)
            seen += np.einsum("cnp,nd->cdp", m.d_output, state)
            found[at] = -np.einsum("ji,jkp,kl->ilp", root, seen, root)
        moved = np.einsum("nm,mdp->ndp", flow, moved) + np.einsum("nmp,md->ndp", d_flow, state)
        state = m.step @ state
    return found


class InnovationSums:
    """Correlations of white innovations that come as a stream, and what they say of the model.

    Parameters
    ----------
    channels : int
        c.
    """

    def __init__(self, channels: int) -> None:
        self._sums = np.zeros((len(_LAGS), channels, channels))
        self._counts = np.zeros(len(_LAGS))
        self._root = np.stack([np.zeros((channels, channels)), np.eye(channels)])

    def add(self, innovations: _Array) -> None:
        """Take in e = S^{-1/2} v of samples in a row (m, c), in pieces beside each other."""
        lanes = _LANES if len(innovations) >= _LANES * _LEAST_LANE else 1
        length = len(innovations) // lanes
        if length == 0:
            return
        pieces = innovations[: lanes * length].reshape(lanes, length, -1)
        v = np.ascontiguousarray(pieces.transpose(1, 2, 0))
        runs, pairs = np.array([[1, 0, length]]), np.zeros(len(_LAGS))
        known = _LAGS < length
        sums = np.zeros_like(self._sums[known])
        _products(v, runs, self._root, _LAGS[known], np.empty(v.shape), sums, pairs)
        self._sums[known] += sums
        self._counts += lanes * pairs

    def judged(
        self,
        gains: Gains | None = None,
        covariance: _Array | None = None,
        *,
        own: bool = False,
    ) -> Whiteness:
        """Judge what was seen.

        Parameters
        ----------
        gains : Gains, optional
            Of a model whose parameters were estimated.
        covariance : ndarray, shape (P, P), optional
            Of these parameters.
        own : bool
            Whether they are those of the greatest likelihood of these very samples: they take
            degrees of freedom away. Otherwise their errors add to the scatter that is expected.
        """
        known = self._counts > 0.0
        lags, counts = _LAGS[known], self._counts[known]
        c = self._sums.shape[1]
        if not len(lags):
            return Whiteness(0.0, 0.0, None, lags, self._sums[:0])
        slopes: _Array = np.zeros((len(lags), c, c, 1))
        if gains is not None:
            slopes = _slopes(gains, lags)
        if covariance is None:
            covariance = np.zeros((slopes.shape[-1],) * 2)
        found = self._sums[known] / counts[:, None, None]
        return _judged(found, counts, slopes, lags, covariance, own=own)


def whiteness_of(optimum: Optimum[ExactPoint], covariance: _Array) -> Whiteness:
    """Judge the innovations at an optimum, by one more pass over the records.

    Parameters
    ----------
    optimum : Optimum
        Of an exact likelihood.
    covariance : ndarray, shape (p, p)
        Of the fitted parameters.
    """
    point = optimum.point
    likelihood = point.likelihood
    shortest = min(key[0] for key in point.passes)
    lags = _LAGS[_LAGS < max(shortest // 2, 2)]
    c = likelihood.model.channels
    sums, counts, samples = np.zeros((len(lags), c, c)), np.zeros(len(lags)), 0.0
    slopes: _Array = np.zeros((len(lags), c, c, len(likelihood.names)))
    passes = {
        key: Pass(gains, likelihood.scale, likelihood.offset)
        for key, (gains, _) in point.passes.items()
    }
    for batch in likelihood.records:
        for key, records in patterns(batch):
            one = passes[key]
            roots, pairs = _roots(one.gains.weight), np.zeros(len(lags))
            e = None
            for v in one.innovations(records):
                e = np.empty(v.shape) if e is None or e.shape != v.shape else e
                pairs[:] = 0.0
                _products(v, one.gains.runs, roots, lags, e, sums, pairs)
            counts += len(records) * pairs
    for gains, count in point.passes.values():
        weight = count * gains.samples
        slopes, samples = slopes + weight * _slopes(gains, lags), samples + weight
    slopes = np.einsum("kijp,pq->kijq", slopes / samples, optimum.ties.matrix)
    return _judged(sums / counts[:, None, None], counts, slopes, lags, covariance)


def _judged(
    found: _Array,
    counts: _Array,
    slopes: _Array,
    lags: NDArray[np.int64],
    covariance: _Array,
    *,
    own: bool = True,
) -> Whiteness:
    """χ² of measured correlations, and its degrees of freedom.

    Parameters of these samples themselves absorb some; errors of others widen what is expected,
    1 + J C Jᵀ.
    """
    c = found.shape[1]
    found[0] -= np.eye(c)
    root = np.sqrt(counts)
    scale = np.broadcast_to(root[:, None, None], found.shape).copy()
    # A covariance is symmetric, and its diagonal scatters twice as much.
    scale[0] = root[0] * (np.tri(c, k=-1) + math.sqrt(0.5) * np.eye(c))
    pulls, dof = (scale * found).ravel(), float(np.count_nonzero(scale))
    rows = (scale[..., None] * slopes).reshape(-1, slopes.shape[-1])
    absorbed = rows @ covariance @ rows.T
    if own:
        chi2, dof = float(pulls @ pulls), dof - float(np.trace(absorbed))
    else:
        chi2 = float(pulls @ np.linalg.solve(np.eye(len(pulls)) + absorbed, pulls))
    p_value = float(chdtrc(dof, chi2)) if dof >= MIN_DOF else None
    return Whiteness(chi2, dof, p_value, lags, found)
