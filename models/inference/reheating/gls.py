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

from ...errors import ConvergenceError, InputError
from ..matrices import NAMES
from ..parameters import PARAMETERS
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
from .transitions import natural_scale, physical

__all__ = ["CurvePoint", "GlsProblem"]

_Array = NDArray[np.float64]

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
    moving : sequence of str
        Parameters that a fit may change.
    weights : ndarray of complex, shape (t−1, 2)
        Weights of the phase statistics.
    factor : ndarray, shape (4t+8, 4t+8)
        Lower Cholesky factor of the correlation matrix of the data.
    scale : ndarray, shape (4t+8,)
        Standard deviations of the data.
    """

    estimate: ReheatingEstimate
    priors: Mapping[str, tuple[float, float]]
    moving: Sequence[str]
    weights: NDArray[np.complex128]
    factor: _Array
    scale: _Array

    @classmethod
    def weighted_at(
        cls,
        estimate: ReheatingEstimate,
        priors: Mapping[str, tuple[float, float]],
        moving: Sequence[str],
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
        return cls(estimate, priors, moving, weights, factor, scale)

    @property
    def size(self) -> int:
        """Data and priors less the anomalous statistics, which their six unknowns use up."""
        return len(self.scale) + len(self.priors) - ANOMALOUS_COUNT

    @property
    def reach(self) -> float:
        """Time of the last window, s."""
        return float(self.estimate.times[-1])

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters in the order of values and score."""
        return NAMES["reheating"]

    def evaluate(self, values: _Array) -> CurvePoint:
        """Likelihood at values in the order of ``names``; −inf where the model overflows."""
        named = dict(zip(self.names, values.tolist(), strict=True))
        try:
            residual = self._residual(named)
        except InputError:
            return CurvePoint(self, named, -np.inf, np.zeros(0))
        return CurvePoint(self, named, -0.5 * float(residual @ residual), residual)

    def _mean(self, values: Mapping[str, float]) -> _Array:
        return _expected(self.estimate, values, self.weights)

    def _whitened(self, rows: _Array) -> _Array:
        return np.asarray(linalg.solve_triangular(self.factor, rows, lower=True))

    def _residual(self, values: Mapping[str, float]) -> _Array:
        """Whitened data − mean, then (prior − value)/error; their squares sum to χ²."""
        estimate = self.estimate
        phases = phase_means(estimate.lag, self.weights)
        anomalous = anomalous_means(estimate.pairs[0, :4, :4])
        data = np.concatenate([estimate.curves().ravel(), phases, anomalous])
        known = [(value - values[name]) / error for name, (value, error) in self.priors.items()]
        whitened = self._whitened((data - self._mean(values)) / self.scale)
        return np.concatenate([whitened, known])

    def jacobian(self, values: Mapping[str, float]) -> _Array:
        """Whitened derivatives of the mean for all parameters, (4t+8+priors, P); fixed ones 0."""
        base = self._mean(values)
        matrix = np.zeros((self._rows, len(self.names)))
        for name in self.moving:
            matrix[: len(self.scale), self.names.index(name)] = (
                self._slope(values, base, name) / self.scale
            )
        matrix[: len(self.scale)] = self._whitened(matrix[: len(self.scale)])
        for row, (name, (_, error)) in enumerate(self.priors.items(), start=len(self.scale)):
            matrix[row, self.names.index(name)] = 1.0 / error
        return matrix

    @property
    def _rows(self) -> int:
        return len(self.scale) + len(self.priors)

    def _slope(self, values: Mapping[str, float], base: _Array, name: str) -> _Array:
        """Derivative of the mean: exact for linear parameters, central for the others."""
        if PARAMETERS[name].nonlinear:
            step = 3e-4 / self.reach
            ahead = self._mean({**values, name: values[name] + step})
            behind = self._mean({**values, name: values[name] - step})
            return np.asarray((ahead - behind) / (2.0 * step))
        step = natural_scale(self.estimate, name)
        return np.asarray((self._mean({**values, name: values[name] + step}) - base) / step)


@dataclass(frozen=True)
class CurvePoint:
    """Gaussian likelihood of the curves at given values.

    Attributes
    ----------
    problem : GlsProblem
        Whose point this is.
    values : mapping
        All parameters.
    log_likelihood : float
        −χ²/2.
    residual : ndarray
        Whitened, priors behind the data.
    """

    problem: GlsProblem
    values: Mapping[str, float]
    log_likelihood: float
    residual: _Array

    def normal_equations(self) -> tuple[_Array, _Array]:
        """Score and Fisher information of all parameters."""
        jacobian = self.problem.jacobian(self.values)
        return jacobian.T @ self.residual, jacobian.T @ jacobian


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
