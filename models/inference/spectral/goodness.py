"""Does the fitted spectrum describe the data? A calibrated test on grouped whitened residuals.

Single bins of an averaged periodogram are far from Gaussian and correlated with their neighbours.
Means over groups of G bins are neither: their variance is κ_G/(K G), and
X² = (K/κ_G) Σ_g G |mean r|² has the expectation c²·groups − (κ/κ_G) tr(J_g F⁻¹ J_gᵀ), where r are
the whitened residuals and the trace takes off what the fitted parameters absorb. Its distribution
is a scaled χ².
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ...spectra import CsdEstimate
from ..result import MIN_DOF
from .windows import Information, group_factors

__all__ = ["Goodness", "goodness_of_fit"]

# Equivalent independent values in a group: the skewness of their mean is then small.
_GROUP_INFORMATION = 25.0
# Groups shorter than the window's reach would correlate with their neighbours.
_SHORTEST = 6
_MAX_GROUPS = 60


@dataclass(frozen=True)
class Goodness:
    """Outcome of the test.

    Attributes
    ----------
    chi2 : float
        X² of the grouped residuals.
    dof : float
        Its expectation when the model is right.
    p_value : float or None
        Probability of a larger X² when the model is right; None below 5 degrees of freedom, where
        a band holds too little to speak for or against a model.
    residual_variance : float
        Variance of the whitened residuals of single bins times ν: 1 when the model is right.
    residual_autocorrelation : float
        Correlation of neighbouring groups: 0 when the model is right.
    groups : int
        Groups of bins.
    """

    chi2: float
    dof: float
    p_value: float | None
    residual_variance: float
    residual_autocorrelation: float
    groups: int


def _grouped(
    rows: NDArray[np.float64], starts: NDArray[np.intp], sizes: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Sums over groups divided by √size, along the last axis."""
    return np.asarray(np.add.reduceat(rows, starts, axis=-1) / np.sqrt(sizes))


def goodness_of_fit(
    residual: NDArray[np.float64],
    jacobian: NDArray[np.float64],
    fisher: NDArray[np.float64],
    csd: CsdEstimate,
    information: Information,
) -> Goodness:
    """Test whitened residuals against their own model.

    Parameters
    ----------
    residual : ndarray, shape (e, n_freq)
        Whitened residuals, e = 1 or 4.
    jacobian : ndarray, shape (p, e, n_freq)
        Whitened derivatives for the fitted parameters.
    fisher : ndarray, shape (p, p)
        Fisher information of the fitted parameters, K/κ included.
    csd : CsdEstimate
        Its window and overlap count.
    information : Information
        Weight of a bin.
    """
    weight, kappa, independent, equivalent, _ = information
    n = residual.shape[-1]
    size = max(int(np.ceil(_GROUP_INFORMATION / weight)), -(-n // _MAX_GROUPS), _SHORTEST)
    groups = max(1, n // size)
    edges = np.linspace(0, n, groups + 1).astype(np.intp)
    starts, sizes = edges[:-1], np.diff(edges)
    factor = group_factors(csd.window, csd.overlap, equivalent, int(sizes.max()))[sizes - 1]
    r = np.sqrt(equivalent / factor) * _grouped(residual, starts, sizes)
    j = np.sqrt(weight * kappa / factor) * _grouped(jacobian, starts, sizes)
    flat = j.reshape(len(j), -1)
    scale = np.sqrt(np.maximum(np.diag(fisher), 1e-300))
    inverse = np.linalg.pinv(fisher / np.outer(scale, scale), rcond=1e-12, hermitian=True)
    flat = flat / scale[:, None]
    absorbed = float(np.sum(flat * (inverse @ flat)))
    left = r.size - absorbed
    dof = max(left, 1.0)
    chi2 = float(np.sum(r**2))
    # A mean of M exponential variables has excess kurtosis 6/M (3/M for a product's two parts).
    values = equivalent / factor * sizes
    kurtosis = np.where(np.arange(len(r)) < (1 if len(r) == 1 else 2), 6.0, 3.0)
    excess = float((kurtosis[:, None] / values[None, :]).sum())
    variance = 2.0 * dof + excess * dof / r.size
    shape = 2.0 * dof**2 / variance
    p_value = float(stats.chi2.sf(chi2 * shape / dof, shape)) if left >= MIN_DOF else None
    neighbours = float(np.sum(r[:, 1:] * r[:, :-1]) / max(chi2, 1e-300)) if groups > 1 else 0.0
    spread = independent * float(np.mean(residual**2))
    return Goodness(chi2, dof, p_value, spread, neighbours, groups)
