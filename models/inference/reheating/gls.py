"""Generalised least squares on reheating curves: covariance, residuals, Jacobian.

The data are the curves, two phase statistics and six anomalous statistics. Their covariance is
evaluated once, at parameters that the transitions between windows fix (``reheating_markov``). The
estimating equations JᵀΣ⁻¹(data − mean) = 0 are then unbiased whatever the distribution of the
averages, and cannot shrink their own error bars.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from ...errors import ConvergenceError
from .covariance import (
    ANOMALOUS_COUNT,
    anomalous_covariance,
    anomalous_means,
    curve_covariance,
    curve_means,
    lag_products,
    phase_covariance,
    phase_means,
    phase_weights,
)
from .estimate import ReheatingEstimate
from .moments import amplitude_moments, initial_covariance
from .transitions import NONLINEAR, natural_scale, physical

__all__ = ["NAMES", "GlsProblem"]

_Array = NDArray[np.float64]

NAMES = (
    "D11",
    "D22",
    "re_D12",
    "g_r",
    "g_a",
    "omega_1",
    "omega_2",
    "n1_0",
    "n2_0",
    "re_C0",
    "im_C0",
    "noise_1",
    "noise_2",
    "gamma_1",
    "gamma_2",
)
"""Parameters of a reheating fit, in the order of the covariance matrix."""

_RIDGE = 1e-10  # relative: keeps perfectly correlated points of a growing mode invertible
# Standard deviation, in parts of the energies, of what is not known of ⟨b_j b_l⟩ at the release. So
# wide that the data decide: six anomalous statistics for six unknowns.
_ANOMALOUS = 0.3


@dataclass(frozen=True)
class GlsProblem:
    """Curves, phases, anomalous statistics, priors, whitened by the covariance at given values.

    Attributes
    ----------
    estimate : ReheatingEstimate
        Averaged curves.
    priors : mapping
        Name to (value, standard error) for parameters known from elsewhere.
    weights : ndarray of complex, shape (t−1, 2)
        Weights of the phase statistics.
    factor : ndarray, shape (4t+8, 4t+8)
        Lower Cholesky factor of the correlation matrix of the data.
    scale : ndarray, shape (4t+8,)
        Standard deviations of the data.
    """

    estimate: ReheatingEstimate
    priors: Mapping[str, tuple[float, float]]
    weights: NDArray[np.complex128]
    factor: _Array
    scale: _Array

    @classmethod
    def weighted_at(
        cls,
        estimate: ReheatingEstimate,
        priors: Mapping[str, tuple[float, float]],
        values: Mapping[str, float],
    ) -> GlsProblem:
        """Evaluate the covariance of the data at given parameters.

        Raises
        ------
        ConvergenceError
            If the covariance cannot be factorised.
        """
        assumed = physical(values, estimate.vacuum)
        layout = estimate.layout
        moments = amplitude_moments(layout, assumed, vacuum=estimate.vacuum, full=True)
        assert moments.full is not None
        weights = phase_weights(moments, layout.times)
        covariance = _covariance(moments.full, weights) / estimate.repetitions
        unknown = _anomalous_modes(estimate, assumed, weights)
        covariance += unknown.T @ unknown
        scale = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
        correlation = covariance / np.outer(scale, scale)
        correlation[np.diag_indices_from(correlation)] += _RIDGE
        try:
            factor = linalg.cholesky(correlation, lower=True)
        except linalg.LinAlgError as error:
            raise ConvergenceError(
                "the covariance of the reheating curves is not positive: "
                "the model grows too far within the release"
            ) from error
        return cls(estimate, priors, weights, factor, scale)

    @property
    def size(self) -> int:
        """Data and priors less the anomalous statistics, which their six unknowns use up."""
        return len(self.scale) + len(self.priors) - ANOMALOUS_COUNT

    @property
    def reach(self) -> float:
        """Time of the last window, s."""
        return float(self.estimate.times[-1])

    def _mean(self, values: Mapping[str, float]) -> _Array:
        return _expected(self.estimate, values, self.weights)

    def _prior_rows(
        self, values: Mapping[str, float], varying: Sequence[str]
    ) -> tuple[_Array, _Array]:
        used = [name for name in self.priors if name in varying]
        rows = np.zeros((len(used), len(varying)))
        residuals = np.zeros(len(used))
        for index, name in enumerate(used):
            value, error = self.priors[name]
            rows[index, varying.index(name)] = 1.0 / error
            residuals[index] = (value - values[name]) / error
        return residuals, rows

    def residuals(self, values: Mapping[str, float], varying: Sequence[str]) -> _Array:
        """Whitened data − mean, then (prior − value)/error; their squares sum to χ²."""
        estimate = self.estimate
        phases = phase_means(estimate.lag, self.weights)
        anomalous = anomalous_means(estimate.pairs[0, :4, :4])
        data = np.concatenate([estimate.curves().ravel(), phases, anomalous])
        difference = (data - self._mean(values)) / self.scale
        whitened = linalg.solve_triangular(self.factor, difference, lower=True)
        return np.concatenate([whitened, self._prior_rows(values, varying)[0]])

    def jacobian(self, values: Mapping[str, float], varying: Sequence[str]) -> _Array:
        """Whitened derivatives of the mean: exact for linear parameters, central for the others."""
        base = self._mean(values)
        columns = []
        for name in varying:
            if name in NONLINEAR:
                step = 3e-4 / self.reach
                ahead = self._mean({**values, name: values[name] + step})
                behind = self._mean({**values, name: values[name] - step})
                columns.append((ahead - behind) / (2.0 * step))
            else:
                step = natural_scale(self.estimate, name)
                ahead = self._mean({**values, name: values[name] + step})
                columns.append((ahead - base) / step)
        rows = np.stack(columns, axis=1) / self.scale[:, None]
        whitened = linalg.solve_triangular(self.factor, rows, lower=True)
        return np.concatenate([whitened, self._prior_rows(values, varying)[1]])


def _expected(
    estimate: ReheatingEstimate,
    values: Mapping[str, float],
    weights: NDArray[np.complex128],
    initial: _Array | None = None,
) -> _Array:
    """Expected curves, phase and anomalous statistics, shape (4t+8,)."""
    moments = amplitude_moments(estimate.layout, values, vacuum=estimate.vacuum, initial=initial)
    phases = phase_means(lag_products(moments.lagged), weights)
    anomalous = anomalous_means(moments.equal[0])
    return np.concatenate([curve_means(moments.equal).ravel(), phases, anomalous])


def _covariance(full: _Array, weights: NDArray[np.complex128]) -> _Array:
    """Covariance of the data of one repetition, shape (4t+8, 4t+8)."""
    curves = 4 * len(full)
    before = curves + 2
    covariance = np.empty((before + ANOMALOUS_COUNT, before + ANOMALOUS_COUNT))
    covariance[:curves, :curves] = curve_covariance(full)
    cross, own = phase_covariance(full, weights)
    covariance[:curves, curves:before], covariance[curves:before, :curves] = cross, cross.T
    covariance[curves:before, curves:before] = own
    cross, own = anomalous_covariance(full, weights)
    covariance[:before, before:], covariance[before:, :before] = cross, cross.T
    covariance[before:, before:] = own
    return covariance


def _anomalous_modes(
    estimate: ReheatingEstimate, values: Mapping[str, float], weights: NDArray[np.complex128]
) -> _Array:
    """What an anomalous part ⟨b_j b_l⟩ of the initial state may do to the data, shape (6, 4t+8).

    The closed loop leaves V_pp/V_zz off its free value by about Γ/ω. Windows suppress this 2ω
    motion, though not fully: it is an unknown of zero mean, marginalised, and the anomalous
    statistics in the data measure it. Without them the prior alone would set what many repetitions
    can tell of the initial state: n_1(0) 7 % less at 4000, and more with every further one.
    """
    base = initial_covariance(values, estimate.vacuum)
    mean = _expected(estimate, values, weights, base)
    size = np.sqrt(np.array([base[0, 0], base[2, 2]]))
    modes = []
    for j, k in ((0, 0), (1, 1), (0, 1)):
        for pattern in (np.diag([1.0, -1.0]), np.array([[0.0, 1.0], [1.0, 0.0]])):
            change = np.zeros((4, 4))
            block = _ANOMALOUS * size[j] * size[k] * pattern
            change[2 * j : 2 * j + 2, 2 * k : 2 * k + 2] = block
            change[2 * k : 2 * k + 2, 2 * j : 2 * j + 2] = block.T
            modes.append(_expected(estimate, values, weights, base + change) - mean)
    return np.stack(modes)
