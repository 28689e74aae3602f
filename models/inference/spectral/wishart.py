"""Complex Wishart likelihood of averaged periodograms: log L = −w Σ_f [ln det S + tr(S⁻¹Ŝ)].

w = K/κ. With S = LL† the whitened quantities vec(L⁻¹ M L⁻†) = (M_11, M_22, √2 Re M_12, √2 Im M_12)
turn Fisher scoring into least squares: residual r = vec(L⁻¹ŜL⁻† − 1), Jacobian J = vec(L⁻¹ ∂S L⁻†),
gradient w Jᵀr and Fisher information w JᵀJ — the weights are those of the model, never of the data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...errors import UnstableModelError
from ..matrices import NAMES, drift_derivatives
from ..priors import Priors
from .periodogram import BinGrid, expected_with_derivatives
from .windows import Information

__all__ = ["Evaluation", "SpectralProblem", "matrix_entries"]


@njit(cache=True, nogil=True)
def _whiten_one(model, data, derivatives, residual, jacobian):  # type: ignore[no-untyped-def]
    """One channel: r = Ŝ/S − 1, J = ∂S/S; returns Σ[ln S + Ŝ/S] or inf."""
    total = 0.0
    for i in range(model.shape[1]):
        s = model[0, i]
        if not s > 0.0:
            return np.inf
        inverse = 1.0 / s
        ratio = data[0, i] * inverse
        residual[0, i] = ratio - 1.0
        total += np.log(s) + ratio
        for p in range(len(derivatives)):
            jacobian[p, 0, i] = derivatives[p, 0, i] * inverse
        jacobian[len(derivatives), 0, i] = inverse
    return total


@njit(cache=True, nogil=True)
def _whiten_two(model, data, derivatives, residual, jacobian):  # type: ignore[no-untyped-def]
    """Two channels, see the module; returns Σ[ln det S + tr(S⁻¹Ŝ)] or inf."""
    rows, n = len(derivatives), model.shape[1]
    root2 = np.sqrt(2.0)
    total = 0.0
    # L⁻¹ = [[a, 0], [b, d]] with b = x + iy.
    aa, xx, yy, dd = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        s11, re, im = model[0, i], model[2, i], model[3, i]
        if not s11 > 0.0:
            return np.inf
        rest = model[1, i] - (re * re + im * im) / s11
        if not rest > 0.0:
            return np.inf
        a, d = 1.0 / np.sqrt(s11), 1.0 / np.sqrt(rest)
        x, y = -re * d / s11, im * d / s11
        aa[i], xx[i], yy[i], dd[i] = a, x, y, d
        m11, m22, mr, mi = data[0, i], data[1, i], data[2, i], data[3, i]
        w11 = a * a * m11
        w22 = (x * x + y * y) * m11 + d * d * m22 + 2.0 * d * (x * mr - y * mi)
        residual[0, i] = w11 - 1.0
        residual[1, i] = w22 - 1.0
        residual[2, i] = root2 * a * (m11 * x + mr * d)
        residual[3, i] = root2 * a * (mi * d - m11 * y)
        total += np.log(s11 * rest) + w11 + w22
    for p in range(rows):
        for i in range(n):
            a, x, y, d = aa[i], xx[i], yy[i], dd[i]
            m11, m22 = derivatives[p, 0, i], derivatives[p, 1, i]
            mr, mi = derivatives[p, 2, i], derivatives[p, 3, i]
            jacobian[p, 0, i] = a * a * m11
            jacobian[p, 1, i] = (x * x + y * y) * m11 + d * d * m22 + 2.0 * d * (x * mr - y * mi)
            jacobian[p, 2, i] = root2 * a * (m11 * x + mr * d)
            jacobian[p, 3, i] = root2 * a * (mi * d - m11 * y)
    for i in range(n):
        a, x, y, d = aa[i], xx[i], yy[i], dd[i]
        jacobian[rows, 0, i] = a * a
        jacobian[rows, 1, i] = x * x + y * y
        jacobian[rows, 2, i] = root2 * a * x
        jacobian[rows, 3, i] = -root2 * a * y
        jacobian[rows + 1, 0, i] = 0.0
        jacobian[rows + 1, 1, i] = d * d
        jacobian[rows + 1, 2, i] = 0.0
        jacobian[rows + 1, 3, i] = 0.0
    return total


@njit(cache=True, nogil=True, fastmath={"reassoc"})
def _normal_equations(jacobian, residual, gradient, fisher):  # type: ignore[no-untyped-def]
    """Jᵀr and JᵀJ (no BLAS, see the periodogram; the order of a sum does no harm)."""
    for p in range(len(jacobian)):
        total = 0.0
        for i in range(jacobian.shape[1]):
            total += jacobian[p, i] * residual[i]
        gradient[p] = total
        for q in range(p + 1):
            total = 0.0
            for i in range(jacobian.shape[1]):
                total += jacobian[p, i] * jacobian[q, i]
            fisher[p, q] = fisher[q, p] = total


def matrix_entries(matrix: NDArray[np.complex128]) -> NDArray[np.float64]:
    """S_11 (and S_22, Re S_12, Im S_12) of (n_freq, c, c) matrices, shape (c², n_freq)."""
    if matrix.shape[-1] == 1:
        return np.ascontiguousarray(matrix[:, 0, 0].real[None])
    cross = 0.5 * (matrix[:, 0, 1] + matrix[:, 1, 0].conj())
    return np.stack([matrix[:, 0, 0].real, matrix[:, 1, 1].real, cross.real, cross.imag])


@dataclass(frozen=True)
class Evaluation:
    """Likelihood at one point.

    Attributes
    ----------
    log_likelihood : float
        −w Σ[ln det S + tr(S⁻¹Ŝ)], and the priors; −inf where the model has no spectrum.
    residual : ndarray, shape (c², n_freq)
        Whitened residual.
    jacobian : ndarray, shape (P, c², n_freq)
        Whitened derivatives for all parameters of the model, in the order of ``NAMES``.
    weight : float
        w = K/κ.
    prior : (ndarray, ndarray), optional
        Score and information of the priors, shape (P,) each.
    """

    log_likelihood: float
    residual: NDArray[np.float64]
    jacobian: NDArray[np.float64]
    weight: float
    prior: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def normal_equations(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Score w Jᵀr, shape (P,), and Fisher information w JᵀJ, shape (P, P), priors included."""
        count = len(self.jacobian)
        gradient, fisher = np.empty(count), np.empty((count, count))
        flat = self.jacobian.reshape(count, -1)
        _normal_equations(flat, self.residual.ravel(), gradient, fisher)
        gradient, fisher = self.weight * gradient, self.weight * fisher
        if self.prior is not None:
            gradient, fisher = gradient + self.prior[0], fisher + np.diag(self.prior[1])
        return gradient, fisher


@dataclass(frozen=True)
class SpectralProblem:
    """A spectrum, a model and the weight of a bin.

    Attributes
    ----------
    model : str
        "single" or "pair".
    grid : BinGrid
        Bins, sample rate, window.
    data : ndarray, shape (c², n_freq)
        Entries of Ŝ, see :func:`matrix_entries`.
    information : Information
        Weight of a bin.
    known_ratio : float or None
        m_2/m_1 for records in metres; None when the masses are not known.
    priors : mapping
        Name to (value, standard error) of what is known from elsewhere.
    """

    model: str
    grid: BinGrid
    data: NDArray[np.float64]
    information: Information
    known_ratio: float | None = None
    priors: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def weight(self) -> float:
        """K/κ."""
        return self.information.weight

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters, in the order of values and Jacobian."""
        return NAMES[self.model]

    @property
    def mass_ratio(self) -> float:
        """m_2/m_1, taken as 1 when the masses are not known."""
        return 1.0 if self.known_ratio is None else self.known_ratio

    def expected(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Expected periodogram with imprecision and its derivatives, shape (1+P', c², n)."""
        noises = 1 if self.model == "single" else 2
        matrices = drift_derivatives(self.model, values, self.mass_ratio)
        spectrum = expected_with_derivatives(self.grid, matrices)
        for channel in range(noises):
            spectrum[0, channel] += values[len(values) - noises + channel]
        return spectrum

    def evaluate(self, values: NDArray[np.float64]) -> Evaluation:
        """Likelihood, residual and Jacobian; log L = −inf where the model is not admissible."""
        shape = self.data.shape
        nothing = Evaluation(-np.inf, np.zeros(shape), np.zeros((len(values), *shape)), self.weight)
        if self.model == "pair" and values[8] ** 2 > values[6] * values[7] * (1.0 + 1e-9):
            return nothing
        if not np.isfinite(values).all():
            return nothing
        try:
            spectrum = self.expected(values)
        except UnstableModelError:
            return nothing
        residual, jacobian = np.empty(shape), np.empty((len(values), *shape))
        whiten = _whiten_one if self.model == "single" else _whiten_two
        total = whiten(spectrum[0], self.data, spectrum[1:], residual, jacobian)
        if not np.isfinite(total):
            return nothing
        found = Evaluation(-self.weight * float(total), residual, jacobian, self.weight)
        if not self.priors:
            return found
        known = Priors(self.names, self.priors)
        rise, slope = known.at(values)
        return replace(
            found, log_likelihood=found.log_likelihood + rise, prior=(slope, known.weight)
        )

    def simulated(self, values: NDArray[np.float64], rng: np.random.Generator) -> SpectralProblem:
        """The same bins of a spectrum drawn at these parameters, worth K/κ averages each.

        Complex Wishart with real degrees of freedom w (Bartlett): Ŝ = L A A† L†/w, with |A_jj|² of
        Gamma(w − j) and A_21 a complex normal. Neighbouring bins are drawn independently, as their
        weight takes them.
        """
        model, weight = self.expected(values)[0], self.weight
        bins = model.shape[1]
        first = rng.gamma(weight, size=bins)
        if self.model == "single":
            return replace(self, data=model * (first / weight))
        # L = [[l_1, 0], [c, l_2]], A = [[√first, 0], [a, √second]].
        root = np.sqrt(model[0])
        cross = (model[2] - 1j * model[3]) / root
        rest = np.sqrt(np.maximum(model[1] - np.abs(cross) ** 2, 0.0))
        below = (rng.standard_normal(bins) + 1j * rng.standard_normal(bins)) / np.sqrt(2.0)
        # With less than one average the matrix is singular, as one segment's is.
        second = rng.gamma(weight - 1.0, size=bins) if weight > 1.0 else np.zeros(bins)
        one = root * np.sqrt(first)
        two = cross * np.sqrt(first) + rest * below
        s12 = one * two.conj()
        s22 = np.abs(two) ** 2 + rest**2 * second
        return replace(self, data=np.stack([one**2, s22, s12.real, s12.imag]) / weight)
