"""What a figure of reheating shows: six curves with errors, fit and decorrelated residuals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from ...models.inference.reheating.covariance import curve_covariance
from ...models.inference.reheating.estimate import ReheatingEstimate
from ...models.inference.reheating.fits import predict_reheating
from ...models.inference.reheating.moments import amplitude_moments
from ...models.inference.reheating.single import values_of_pair
from ...models.inference.result import FitResult

__all__ = ["ReheatingView", "reheating_view"]

_Array = NDArray[np.float64]

# E_1, E_2, E_+, E_−, Re C, Im C from the fitted curves E_1, E_2, Re C, Im C.
_COMBINATIONS = np.array(
    [
        [1.0, 0.0, 0.0, 0.0],
        [0.0, 1.0, 0.0, 0.0],
        [0.5, 0.5, 1.0, 0.0],
        [0.5, 0.5, -1.0, 0.0],
        [0.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, 0.0, 1.0],
    ]
)
_RIDGE = 1e-10


@dataclass(frozen=True)
class ReheatingView:
    """Curves E_1, E_2, E_+, E_−, Re C, Im C without imprecision.

    Attributes
    ----------
    times : ndarray, shape (t,)
        s after the release.
    data, model, stderr : ndarray, shape (6, t)
        unit²; standard errors of single points, which correlate along a curve.
    pulls : ndarray, shape (6, t)
        Residual of a point given the earlier points of its curve, in standard deviations: these
        are independent when the model is right.
    """

    times: _Array
    data: _Array
    model: _Array
    stderr: _Array
    pulls: _Array


def reheating_view(estimate: ReheatingEstimate, result: FitResult) -> ReheatingView:
    """Compare curves with their fit, with the exact covariance at the fitted values."""
    values = values_of_pair({name: p.value for name, p in result.parameters.items()})
    gain = estimate.layout.noise_gain
    offset = np.array([gain * values["noise_1"], gain * values["noise_2"], 0.0, 0.0])[:, None]
    expected = predict_reheating(estimate, values)
    covariance = _covariance(estimate, values)
    data = _COMBINATIONS @ (estimate.curves() - offset)
    model = _COMBINATIONS @ (expected - offset)
    stderr, pulls = np.empty_like(data), np.empty_like(data)
    for row, factors in enumerate(_COMBINATIONS):
        own = np.einsum("a,abij,b->ij", factors, covariance, factors)
        stderr[row] = np.sqrt(np.diag(own))
        scaled = own / np.outer(stderr[row], stderr[row]) + _RIDGE * np.eye(len(own))
        root = linalg.cholesky(scaled, lower=True)
        difference = (data[row] - model[row]) / stderr[row]
        pulls[row] = linalg.solve_triangular(root, difference, lower=True)
    return ReheatingView(estimate.times, data, model, stderr, pulls)


def _covariance(estimate: ReheatingEstimate, values: dict[str, float]) -> _Array:
    """Covariance of the averaged curves, shape (4, 4, t, t)."""
    moments = amplitude_moments(estimate.layout, values, vacuum=estimate.vacuum, full=True)
    assert moments.full is not None
    bins = len(estimate.times)
    dense = curve_covariance(moments.full) / estimate.repetitions
    return np.asarray(dense.reshape(4, bins, 4, bins).transpose(0, 2, 1, 3))
