"""What a figure of spectra shows: the data of the fitted band, the fit, and whitened residuals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...models.inference.result import FitResult
from ...models.inference.spectral.fits import expected_csd
from ...models.inference.spectral.windows import group_factors, information_of
from ...models.spectra import CsdEstimate

__all__ = ["SpectrumView", "mean_variance", "spectrum_view"]

_MAX_GROUPS = 160


@dataclass(frozen=True)
class SpectrumView:
    """Data, fit and residuals of the fitted band.

    Attributes
    ----------
    csd : CsdEstimate
        The fitted band.
    model : ndarray, shape (n_freq, c, c)
        Expected periodogram of the fit.
    error : float
        Relative standard error of an auto spectrum's bin, ν^(−1/2).
    centres : ndarray, shape (g,)
        Mean frequencies of groups of bins, Hz.
    pulls : ndarray, shape (c², g)
        Whitened residuals L⁻¹ŜL⁻† − 1 (S = LL†), averaged over groups, in standard deviations:
        rows 11, 22, √2 Re 12, √2 Im 12.
    group : int
        Bins in a group.
    """

    csd: CsdEstimate
    model: NDArray[np.complex128]
    error: float
    centres: NDArray[np.float64]
    pulls: NDArray[np.float64]
    group: int


def spectrum_view(csd: CsdEstimate, result: FitResult) -> SpectrumView:
    """Cut the fitted band out of an estimate and compare it with the fit."""
    band = result.input["band"]
    half = 0.5 * csd.bin_width
    inside = (csd.frequencies > band[0] - half) & (csd.frequencies < band[1] + half)
    cut = csd.band(float(csd.frequencies[inside][0]), float(csd.frequencies[inside][-1]))
    # In quanta the equations are symmetric whatever the masses.
    masses = (1.0, 1.0) if cut.unit == "quanta" else None
    model = expected_csd(cut, result, masses=masses)
    whitened = _whitened(cut.matrix, model)
    size = max(1, -(-whitened.shape[1] // _MAX_GROUPS))
    groups = max(1, whitened.shape[1] // size)
    edges = np.linspace(0, whitened.shape[1], groups + 1).astype(np.intp)
    sizes = np.diff(edges)
    means = np.add.reduceat(whitened, edges[:-1], axis=1) / sizes
    variances = {int(n): mean_variance(cut, int(n)) for n in set(sizes.tolist())}
    spread = np.sqrt([variances[int(n)] for n in sizes])
    return SpectrumView(
        csd=cut,
        model=model,
        error=float(np.sqrt(mean_variance(cut, 1))),
        centres=np.add.reduceat(cut.frequencies, edges[:-1]) / sizes,
        pulls=means / spread,
        group=size,
    )


def _whitened(data: NDArray[np.complex128], model: NDArray[np.complex128]) -> NDArray[np.float64]:
    """L⁻¹ŜL⁻† − 1 as real rows, each of variance 1/ν when the model is right."""
    root = np.linalg.inv(np.linalg.cholesky(model))
    white = root @ data @ root.conj().swapaxes(-1, -2)
    rows = [white[:, j, j].real - 1.0 for j in range(white.shape[1])]
    if len(rows) == 2:
        rows += [np.sqrt(2.0) * white[:, 0, 1].real, np.sqrt(2.0) * white[:, 0, 1].imag]
    return np.array(rows)


def mean_variance(csd: CsdEstimate, bins: int) -> float:
    """Variance of the mean of neighbouring whitened bins of an estimate, κ_G/(KG)."""
    equivalent = information_of(csd).equivalent
    factor = group_factors(csd.window, csd.overlap, equivalent, bins)[-1]
    return float(factor) / (equivalent * bins)
