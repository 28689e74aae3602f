"""Whether two estimates of the same data agree."""

from __future__ import annotations

import numpy as np
from scipy import stats

from ..result import FitResult

__all__ = ["distance_p_value"]


def distance_p_value(result: FitResult, other: FitResult) -> float | None:
    """Probability that a less efficient estimate of the same data lies farther away (Hausman).

    The covariance of the difference is that of the other less that of the efficient one; directions
    in which it is below a twentieth of the other's are those that both know equally.
    """
    names = [n for n in result.varying if n in other.varying]
    if not names:
        return None
    rows = [result.varying.index(n) for n in names]
    columns = [other.varying.index(n) for n in names]
    mine = result.covariance[np.ix_(rows, rows)]
    theirs = other.covariance[np.ix_(columns, columns)]
    apart = np.array([result.value(n) - other.value(n) for n in names])
    scale = np.sqrt(np.diag(theirs))
    if not np.all(scale > 0.0):
        return None
    correlation = theirs / np.outer(scale, scale)
    root = np.linalg.cholesky(correlation + 1e-10 * np.eye(len(names)))
    white = np.linalg.solve(root, apart / scale)
    half = np.linalg.solve(root, mine / np.outer(scale, scale))
    left = np.eye(len(names)) - np.linalg.solve(root, half.T)
    values, vectors = np.linalg.eigh(0.5 * (left + left.T))
    keep = values > 0.05
    if not keep.any():
        return None
    chi2 = float(np.sum((vectors.T @ white)[keep] ** 2 / values[keep]))
    return float(stats.chi2.sf(chi2, int(keep.sum())))
