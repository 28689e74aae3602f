"""Errors and goodness of the transition estimate: a composite likelihood, not a likelihood.

Every window serves in two transitions and imprecision hides the state, so the residuals u of
``transitions`` (means over M repetitions of products e eᵀ − 1 and e vᵀ of whitened errors)
correlate between transitions: their covariance Σ/M is not 1/M. All of Σ follows exactly from the
moments of all pairs of windows (Isserlis). With J = ∂⟨u⟩/∂θ and F = M JᵀJ + priors the estimate
scatters by

    F⁻¹ (M JᵀΣJ + priors) F⁻¹,

the errors that are reported, and X² = M|u|² at the estimate is a sum of correlated squares, of
which expectation and variance are known: its scaled χ² gives the p-value.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..optimiser import Optimum
from ..result import MIN_DOF
from ..steps import invert
from .moments import amplitude_moments
from .transitions import TransitionPoint, Whitening

__all__ = ["Composite", "composite_of"]

_Array = NDArray[np.float64]
_ROOT = 1.0 / np.sqrt(2.0)
# Σ cum(u_a, u_a, u_b, u_b) of ½|eeᵀ−1|² and of that with |evᵀ|², for four Gaussian values each.
_EXCESS_FIRST, _EXCESS_STEP = 228.0, 836.0


@dataclass(frozen=True)
class Composite:
    """What a transition estimate is worth.

    Attributes
    ----------
    covariance : ndarray, shape (p, p)
        Of the fitted parameters.
    inflation : ndarray, shape (p, p)
        (M JᵀΣJ + priors) F⁻¹: 1 if the transitions were independent.
    chi2, dof : float
        X² and its expectation.
    p_value : float or None
        Probability of a larger X²; None below 5 degrees of freedom.
    """

    covariance: _Array
    inflation: _Array
    chi2: float
    dof: float
    p_value: float | None


class _Errors:
    """Covariances of f_g = (e_g, v_{g−1}) for one repetition, shape (t, t, 8, 8); v_{−1} is 0."""

    def __init__(self, full: _Array, whitening: Whitening) -> None:
        bins = len(full)
        after = np.concatenate([whitening.first[None], whitening.after])
        before = whitening.before  # of the windows 0 … t−2
        # e_b = N_b⁻¹(y_b − B y_{b−1}): from the left, then from the right.
        left = full.copy()
        left[1:] -= whitening.step[:, None] @ full[:-1]
        errors = left.copy()
        errors[:, 1:] -= left[:, :-1] @ whitening.step.swapaxes(1, 2)
        errors = after[:, None] @ errors @ after.swapaxes(1, 2)[None]
        mixed = after[:, None] @ left[:, :-1] @ before.swapaxes(1, 2)[None]
        states = before[:, None] @ full[:-1, :-1] @ before.swapaxes(1, 2)[None]
        table = np.zeros((bins, bins, 8, 8))
        table[:, :, :4, :4] = errors
        table[:, 1:, :4, 4:] = mixed
        table[1:, :, 4:, :4] = mixed.transpose(1, 0, 3, 2)
        table[1:, 1:, 4:, 4:] = states
        self.table = table

    def apply(self, row: _Array) -> _Array:
        """Σ q for one vector q of residuals, shape (N,)."""
        table = self.table
        bins = len(table)
        begin, later, mixed = _parts(row, bins)
        form = np.zeros((bins, 8, 8))
        form[0, :4, :4], form[1:, :4, :4] = 2.0 * _ROOT * begin, 2.0 * _ROOT * later
        form[1:, :4, 4:], form[1:, 4:, :4] = mixed, mixed.swapaxes(1, 2)
        # Cov(a c, ½ Σ_b f_bᵀ W_b f_b·2/2) = Σ_b Cov(a, f_b) W_b Cov(f_b, c).
        weighed = (table[:, :, :4] @ form).transpose(0, 2, 1, 3).reshape(bins, 4, -1)
        other = table.transpose(0, 1, 3, 2).reshape(bins, -1, 8)
        spread = weighed @ other
        own = _ROOT * spread[:, :, :4]
        return np.concatenate([own.ravel(), spread[1:, :, 4:].ravel()])

    def squared_norm(self) -> float:
        """Tr Σ², from the blocks between all pairs of transitions."""
        a, d = self.table[:, :, :4, :4], self.table[:, :, :4, 4:]
        f, g = self.table[:, :, 4:, :4], self.table[:, :, 4:, 4:]
        aa, dd = a @ a.swapaxes(2, 3), d @ d.swapaxes(2, 3)
        na, nd, nf, ng = (np.einsum("bcij,bcij->bc", m, m) for m in (a, d, f, g))
        # e eᵀ with e eᵀ, e eᵀ with e vᵀ (twice), e vᵀ with e vᵀ.
        total = 0.5 * (na**2 + np.einsum("bcij,bcij->bc", aa, aa))
        total += 2.0 * (na * nd + np.einsum("bcij,bcij->bc", aa, dd))
        crossed = np.einsum("bckl,bckl->bc", a.swapaxes(2, 3) @ d, f.swapaxes(2, 3) @ g)
        total += na * ng + nd * nf + 2.0 * crossed
        return float(total.sum())


def _parts(row: _Array, bins: int) -> tuple[_Array, _Array, _Array]:
    """First window, e eᵀ and e vᵀ parts of a vector of residuals."""
    middle = 16 * bins
    begin, later = row[:16].reshape(4, 4), row[16:middle].reshape(-1, 4, 4)
    return begin, later, row[middle:].reshape(-1, 4, 4)


def composite_of(optimum: Optimum[TransitionPoint]) -> Composite:
    """Evaluate errors and goodness at an optimum of the transitions."""
    point = optimum.point
    likelihood, whitening = point.likelihood, point.whitening
    assert whitening is not None
    estimate = likelihood.estimate
    moments = amplitude_moments(likelihood.layout, point.values, vacuum=estimate.vacuum, full=True)
    assert moments.full is not None
    errors, count = _Errors(moments.full, whitening), estimate.repetitions
    jacobian = optimum.ties.rows(point.jacobian)
    spread = np.stack([errors.apply(row) for row in jacobian])
    own = np.einsum("pi,qi->pq", jacobian, spread)
    known = optimum.ties.information(np.diag(likelihood.prior_terms(point.values)[1]))
    inverse, _ = invert(optimum.fisher)
    inflation = (count * own + known) @ inverse
    left = len(point.residual) - 6 * len(moments.full)  # symmetric parts are counted twice
    gram = np.einsum("pi,qi->pq", jacobian, jacobian)
    absorbed = 2.0 * count * float(np.trace(inverse @ own))
    returned = count * float(np.trace(inflation.T @ inverse @ gram))
    mean = left - absorbed + returned
    chi2 = count * float(point.residual @ point.residual)
    variance = 2.0 * (errors.squared_norm() - _taken(jacobian, errors)) + _excess(
        len(moments.full), count
    )
    shape = 2.0 * mean**2 / variance
    p_value = float(stats.chi2.sf(chi2 * shape / mean, shape)) if mean >= MIN_DOF else None
    return Composite(inverse @ inflation, inflation, chi2, mean, p_value)


def _taken(jacobian: _Array, errors: _Errors) -> float:
    """What the fitted directions take off tr Σ²: 2|ΣQ|² − |QᵀΣQ|² with Q their basis."""
    basis = np.linalg.qr(jacobian.T)[0].T
    spread = np.stack([errors.apply(row) for row in basis])
    inner = np.einsum("pi,qi->pq", basis, spread)
    return float(2.0 * np.sum(spread**2) - np.sum(inner**2))


def _excess(bins: int, repetitions: int) -> float:
    """Share of Var X² beyond 2 tr Σ²: averages of few products are not Gaussian."""
    return (_EXCESS_FIRST + _EXCESS_STEP * (bins - 1)) / repetitions
