"""Likelihood of the transitions between neighbouring windows of a release.

The averaged curves know D from their rise alone. The single repetitions know better: from window to
window y_{b+1} = B y_b + noise, and every step tells the diffusion anew. With the exact moments
K = ⟨yyᵀ⟩ of neighbours (imprecision of the windows and the noise within them included),

    B = K_{b+1,b} K_bb⁻¹,  Q = K_{b+1,b+1} − B K_{b,b+1},
    −2 ln L = M Σ_b [ln det Q_b + tr(Q_b⁻¹ R_b)] + (the same of the first window's K and S),

R = ⟨(y_{b+1} − By_b)(y_{b+1} − By_b)ᵀ⟩ as measured. Whitened by K_bb = LLᵀ and Q = NNᵀ, the errors
e = N⁻¹(y_{b+1} − By_b) and v = L⁻¹y_b make it least squares: residuals ⟨eeᵀ⟩ − 1 and ⟨evᵀ⟩,
Jacobians N⁻¹ ∂Q N⁻ᵀ and N⁻¹ ∂B L. A window given *all* earlier ones would be known better (y is
not a Markov chain: imprecision hides the state), so that this is a composite likelihood: its
maximum is consistent, its errors follow from the scatter of its score (``composite``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..matrices import NAMES
from ..parameters import PARAMETERS
from .bins import BinLayout
from .estimate import ReheatingEstimate
from .moments import amplitude_moments

__all__ = ["TransitionLikelihood", "TransitionPoint", "Whitening", "natural_scale", "physical"]

_Array = NDArray[np.float64]

MAX_CORRELATION = 0.98
"""Largest correlation of the noises, and of the amplitudes at the release, that is considered."""

_RIDGE = 1e-13
_ROOT = 1.0 / np.sqrt(2.0)


def physical(values: Mapping[str, float], vacuum: float) -> dict[str, float]:
    """Return values that a covariance can be made of: positive, correlations at most 0.98."""
    safe = dict(values)
    for name in ("D11", "D22", "n1_0", "n2_0", "noise_1", "noise_2"):
        safe[name] = max(safe[name], 0.0)
    _limit(safe, ("re_D12",), safe["D11"] * safe["D22"])
    _limit(safe, ("re_C0", "im_C0"), (safe["n1_0"] + vacuum) * (safe["n2_0"] + vacuum))
    return safe


def _limit(values: dict[str, float], names: tuple[str, ...], product: float) -> None:
    """Shrink a cross moment to 0.98 of what Cauchy and Schwarz allow."""
    size = float(np.linalg.norm([values[name] for name in names]))
    allowed = MAX_CORRELATION * float(np.sqrt(product))
    if size > allowed:
        for name in names:
            values[name] *= allowed / size


def natural_scale(estimate: ReheatingEstimate, name: str) -> float:
    """Scale of a parameter in which the moments are linear."""
    energy = 0.5 * float(estimate.E1.mean() + estimate.E2.mean())
    kind = PARAMETERS[name].kind
    if kind == "imprecision":
        return energy / estimate.layout.noise_gain
    return energy / float(estimate.layout.times[-1]) if kind == "diffusion" else energy


@dataclass(frozen=True)
class Whitening:
    """Conditional moments of neighbouring windows, factorised.

    Attributes
    ----------
    first : ndarray, shape (4, 4)
        Inverse Cholesky factor of the first window's moments.
    before : ndarray, shape (t−1, 4, 4)
        Inverse Cholesky factors L⁻¹ of K_bb.
    after : ndarray, shape (t−1, 4, 4)
        Inverse Cholesky factors N⁻¹ of Q.
    step : ndarray, shape (t−1, 4, 4)
        B.
    log_det : float
        Σ ln det Q + ln det K_00.
    """

    first: _Array
    before: _Array
    after: _Array
    step: _Array
    log_det: float

    @classmethod
    def of(cls, pairs: _Array) -> Whitening:
        """Factorise moments of (y_b, y_{b+1}), shape (t−1, 8, 8).

        Raises
        ------
        LinAlgError
            If they are not positive.
        """
        # Windows that one growing mode fills are perfectly correlated: keep them invertible.
        pairs = pairs + _RIDGE * pairs * np.eye(8)
        lower = np.linalg.cholesky(pairs[:, :4, :4])
        before = np.asarray(np.linalg.inv(lower), dtype=np.float64)
        step = pairs[:, 4:, :4] @ before.swapaxes(1, 2) @ before
        rest = pairs[:, 4:, 4:] - step @ pairs[:, :4, 4:]
        factor = np.linalg.cholesky(0.5 * (rest + rest.swapaxes(1, 2)))
        diagonal = np.arange(4)
        log_det = 2.0 * float(np.log(factor[:, diagonal, diagonal]).sum())
        log_det += 2.0 * float(np.log(lower[0, diagonal, diagonal]).sum())
        after = np.asarray(np.linalg.inv(factor), dtype=np.float64)
        return cls(before[0], before, after, step, log_det)

    def residual(self, data: _Array) -> tuple[_Array, float]:
        """(⟨e_0e_0ᵀ⟩ − 1)/√2, then (⟨eeᵀ⟩ − 1)/√2 and ⟨evᵀ⟩ of measured pairs, and Σ tr⟨eeᵀ⟩.

        The root makes the squared norm that of independent entries. Shape (16 + 32(t−1),).
        """
        s11, s21, s22 = data[:, :4, :4], data[:, 4:, :4], data[:, 4:, 4:]
        cross = s21 - self.step @ s11
        rest = s22 - self.step @ s21.swapaxes(1, 2) - cross @ self.step.swapaxes(1, 2)
        begin = self.first @ data[0, :4, :4] @ self.first.T
        later = self.after @ rest @ self.after.swapaxes(1, 2)
        mixed = self.after @ cross @ self.before.swapaxes(1, 2)
        trace = float(np.trace(begin) + np.einsum("bii->", later))
        return _stacked(begin - np.eye(4), later - np.eye(4), mixed), trace

    def jacobian(self, slopes: _Array) -> _Array:
        """Derivatives of the expected residual for slopes of the pairs, (p, t−1, 8, 8)."""
        d11, d21, d22 = slopes[..., :4, :4], slopes[..., 4:, :4], slopes[..., 4:, 4:]
        change = d21 - self.step @ d11
        back = self.step.swapaxes(1, 2)
        rest = d22 - self.step @ d21.swapaxes(-1, -2) - change @ back
        begin = self.first @ d11[:, 0] @ self.first.T
        later = self.after @ rest @ self.after.swapaxes(1, 2)
        # N⁻¹ ∂B L with ∂B = (∂K_21 − B ∂K_11) K_11⁻¹.
        mixed = self.after @ change @ self.before.swapaxes(1, 2)
        return np.stack([_stacked(*parts) for parts in zip(begin, later, mixed, strict=True)])


def _stacked(begin: _Array, later: _Array, mixed: _Array) -> _Array:
    """One vector of the parts of a residual."""
    return np.concatenate([_ROOT * begin.ravel(), _ROOT * later.ravel(), mixed.ravel()])


@dataclass(frozen=True)
class TransitionPoint:
    """Composite likelihood at given values.

    Attributes
    ----------
    likelihood : TransitionLikelihood
        Whose point this is.
    values : mapping
        Physical values of all parameters.
    log_likelihood : float
        −∞ where the moments are not positive.
    pairs : ndarray, shape (t−1, 8, 8)
        Expected moments of neighbours.
    whitening : Whitening or None
        Their factors.
    """

    likelihood: TransitionLikelihood
    values: Mapping[str, float]
    log_likelihood: float
    pairs: _Array
    whitening: Whitening | None

    @cached_property
    def residual(self) -> _Array:
        """Whitened residual of one repetition's mean, shape (N,)."""
        assert self.whitening is not None
        return self.whitening.residual(self.likelihood.data)[0]

    @cached_property
    def jacobian(self) -> _Array:
        """Its derivatives for all parameters, shape (P, N); rows of fixed ones are zero."""
        assert self.whitening is not None
        names, likelihood = self.likelihood.names, self.likelihood
        rows = np.zeros((len(names), len(self.residual)))
        slopes = np.stack(
            [likelihood.slope(self.values, self.pairs, name) for name in likelihood.moving]
        )
        places = [names.index(name) for name in likelihood.moving]
        rows[places] = self.whitening.jacobian(slopes)
        return rows

    def normal_equations(self) -> tuple[_Array, _Array]:
        """Score and Fisher information of all parameters, priors included."""
        count, jacobian = self.likelihood.estimate.repetitions, self.jacobian
        # Not by BLAS: threads that wake for so small a product only spin.
        score = count * np.einsum("pi,i->p", jacobian, self.residual)
        fisher = count * np.einsum("pi,qi->pq", jacobian, jacobian)
        pull, weight = self.likelihood.prior_terms(self.values)
        return score + pull, fisher + np.diag(weight)


@dataclass(frozen=True)
class TransitionLikelihood:
    """Composite likelihood of neighbouring windows.

    Attributes
    ----------
    estimate : ReheatingEstimate
        Its ``pairs`` are the data.
    priors : mapping
        Name to (value, standard error).
    moving : sequence of str
        Parameters that a fit may change.
    bins : int
        Number of leading windows in use.
    """

    estimate: ReheatingEstimate
    priors: Mapping[str, tuple[float, float]]
    moving: Sequence[str]
    bins: int

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters in the order of values and score."""
        return NAMES["reheating"]

    @cached_property
    def layout(self) -> BinLayout:
        """Windows in use."""
        return self.estimate.layout.first(self.bins)

    @property
    def data(self) -> _Array:
        """Measured second moments of neighbours in use, shape (bins−1, 8, 8)."""
        return self.estimate.pairs[: self.bins - 1]

    def evaluate(self, values: _Array) -> TransitionPoint:
        """Likelihood at values in the order of ``names``; −inf where there is no covariance."""
        named = dict(zip(self.names, values.tolist(), strict=True))
        safe = physical(named, self.estimate.vacuum)
        try:
            pairs = self.pairs(safe)
            whitening = Whitening.of(pairs)
        except (InputError, np.linalg.LinAlgError):
            return TransitionPoint(self, safe, -np.inf, np.zeros((0, 8, 8)), None)
        _, trace = whitening.residual(self.data)
        deviance = self.estimate.repetitions * (whitening.log_det + trace)
        for name, (value, error) in self.priors.items():
            deviance += ((value - safe[name]) / error) ** 2
        found = -0.5 * deviance if np.isfinite(deviance) else -np.inf
        return TransitionPoint(self, safe, found, pairs, whitening)

    def prior_terms(self, values: Mapping[str, float]) -> tuple[_Array, _Array]:
        """Score and Fisher diagonal of the priors, shape (P,) each."""
        pull, weight = np.zeros(len(self.names)), np.zeros(len(self.names))
        for name, (value, error) in self.priors.items():
            at = self.names.index(name)
            pull[at], weight[at] = (value - values[name]) / error**2, error**-2
        return pull, weight

    def pairs(self, values: Mapping[str, float]) -> _Array:
        """Expected moments of (y_b, y_{b+1}), shape (bins−1, 8, 8)."""
        moments = amplitude_moments(self.layout, values, vacuum=self.estimate.vacuum)
        pairs = np.empty((len(moments.lagged), 8, 8))
        pairs[:, :4, :4], pairs[:, 4:, 4:] = moments.equal[:-1], moments.equal[1:]
        pairs[:, :4, 4:] = moments.lagged
        pairs[:, 4:, :4] = moments.lagged.swapaxes(1, 2)
        return pairs

    def slope(self, values: Mapping[str, float], base: _Array, name: str) -> _Array:
        """Derivative of the pair moments: exact for linear parameters, central for the others."""
        if PARAMETERS[name].nonlinear:
            step = 3e-4 / float(self.layout.times[-1])
            ahead = self.pairs({**values, name: values[name] + step})
            behind = self.pairs({**values, name: values[name] - step})
            return np.asarray((ahead - behind) / (2.0 * step))
        step = natural_scale(self.estimate, name)
        return np.asarray((self.pairs({**values, name: values[name] + step}) - base) / step)
