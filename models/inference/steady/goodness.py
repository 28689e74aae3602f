"""Does a steady fit describe the coefficients of its band? A calibrated test on whitened values.

The ends of a stretch, which all its coefficients share, are fitted and taken off: what is left,
D^{-1/2}(y − Uα̂), is white on the complement of U. Sums of its squares over groups of neighbouring
bins have known means and variances, less what the fitted parameters absorb.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..exact.statespace import StateSpace
from ..optimiser import Optimum
from ..result import MIN_DOF
from .bins import TILE, BinModel
from .kernels import whitened
from .likelihood import SteadyPoint
from .transform import Stretches

__all__ = ["SteadyGoodness", "goodness_of"]

_Array = NDArray[np.float64]
_Complex = NDArray[np.complex128]
# Complex values in a group: the skewness of their mean is then small.
_GROUP = 30
_MOST_GROUPS = 60


@dataclass(frozen=True)
class SteadyGoodness:
    """Outcome of the test: X² of the groups, its expectation, p-value (None below 5)."""

    chi2: float
    dof: float
    p_value: float | None
    groups: int


def goodness_of(optimum: Optimum[SteadyPoint], covariance: _Array) -> SteadyGoodness:
    """Judge the whitened coefficients at an optimum, groups of bins and channels apart.

    Parameters
    ----------
    optimum : Optimum
        Of a steady likelihood.
    covariance : ndarray, shape (p, p)
        Of the fitted parameters.
    """
    point = optimum.point
    assert point.model is not None
    chi2 = values = absorbed = kurtosis = 0.0
    for outline in point.outlines:
        data = outline.data
        white, ends, slopes = _whitened(point.model, data)
        # Least squares of real ends; where G says nothing the ends are not there.
        inverse = np.linalg.pinv(outline.gram, rcond=1e-10, hermitian=True)
        white = white - np.einsum("kca,sa->skc", ends, outline.pull @ inverse)
        leverage = np.einsum("kca,ab,kcb->kc", ends, inverse, ends.conj()).real
        squares = np.sum(np.abs(white) ** 2, axis=0) - len(white) * (1.0 - leverage)
        size = max(-(-_GROUP // len(white)), -(-len(data.bins) // _MOST_GROUPS))
        groups = max(1, len(data.bins) // size)
        edges = np.linspace(0, len(data.bins), groups + 1).astype(int)[:-1]
        counts = len(white) * np.add.reduceat(1.0 - leverage, edges, axis=0)
        counts = np.maximum(counts, 1.0)
        found = np.add.reduceat(squares, edges, axis=0) / np.sqrt(counts)
        moved = len(white) * np.add.reduceat(slopes, edges, axis=1) / np.sqrt(counts)
        rows = optimum.ties.rows(moved).reshape(len(optimum.free), -1)
        absorbed += float(np.einsum("pi,pq,qi->", rows, covariance, rows))
        chi2 += float(np.sum(found**2))
        values += found.size
        kurtosis += float(np.sum(6.0 / counts))
    left = values - absorbed
    dof = max(left, 1.0)
    # Sums of M exponential variables have excess kurtosis 6/M: a scaled χ².
    shape = 2.0 * dof**2 / (2.0 * dof + kurtosis * dof / values)
    p_value = float(stats.chi2.sf(chi2 * shape / dof, shape)) if left >= MIN_DOF else None
    return SteadyGoodness(chi2, dof, p_value, int(values))


def _whitened(model: StateSpace, data: Stretches) -> tuple[_Complex, _Complex, _Array]:
    """D^{-1/2}y (s, k, c), D^{-1/2}U (k, c, r) and diagonals of D^{-1/2}dD D^{-1/2} (P, k, c)."""
    k, (c, n), count = len(data.bins), model.output.shape, model.d_step.shape[2]
    white = np.empty(data.data.shape, dtype=np.complex128)
    ends, slopes = np.empty((k, c, 2 * n), dtype=np.complex128), np.empty((count, k, c))
    for first in range(0, k, TILE):
        part = slice(first, first + TILE)
        tile = BinModel.of(model, data.length, data.bins[part])
        whitened(
            tile.spread, tile.ends, data.data[:, part], tile.slopes().spread, white[:, part],
            ends[part], slopes[:, part],
        )  # fmt: skip
    return white, ends, slopes
