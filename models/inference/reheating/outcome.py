"""From the search to results: one for the curves, one for the transitions, and their agreement."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ..fitted import FittedLikelihood
from ..optimiser import maximise
from ..result import FitResult, FittedParameter, fitted_parameters, presupposed_cross_talk
from ..space import Ties
from ..steps import invert
from .basins import Outcome, guard_of, space_of
from .composite import Composite, composite_of
from .curves import likelihood_ratio
from .transitions import TransitionLikelihood
from .warnings import reheating_warnings

__all__ = ["curves_result", "evidence_of", "transitions_result"]

_CORRELATION = "re_D12"


def curves_result(outcome: Outcome) -> FitResult:
    """Return the estimate from averaged curves."""
    curves, dof = outcome.curves, outcome.dof
    table = _table(outcome, curves.x, curves.ties, curves.covariance)
    statistics = {
        "estimator": "curves",
        "chi2": curves.chi2,
        "dof": dof,
        "reduced_chi2": curves.chi2 / dof if dof > 0 else None,
        "p_value": outcome.p_value,
        "iterations": outcome.transitions.iterations + curves.iterations,
        **_counts(outcome),
    }
    if _CORRELATION in outcome.space.free:
        ratio = likelihood_ratio(outcome.space, outcome.problem, curves.chi2, _CORRELATION)
        statistics.update(evidence_of(table, ratio))
    converged = outcome.transitions.converged and curves.converged and not outcome.nonsense
    at_bounds = curves.at_bounds(outcome.space)
    return _result(outcome, table, curves.covariance, statistics, converged, at_bounds)


def transitions_result(outcome: Outcome) -> FitResult:
    """Return the estimate from the transitions between windows."""
    optimum = outcome.transitions
    composite = composite_of(optimum)
    table = _table(outcome, optimum.x, optimum.ties, composite.covariance)
    statistics = {
        "estimator": "transitions",
        "chi2": composite.chi2,
        "dof": composite.dof,
        "reduced_chi2": composite.chi2 / composite.dof if composite.dof > 0.0 else None,
        "p_value": composite.p_value,
        "iterations": optimum.iterations,
        **_counts(outcome),
    }
    if _CORRELATION in optimum.free:
        statistics.update(evidence_of(table, _composite_ratio(outcome, composite)))
    result = _result(
        outcome, table, composite.covariance, statistics, optimum.converged, optimum.at_bounds
    )
    return replace(result, fitted=_fitted(outcome, composite))


def _fitted(outcome: Outcome, composite: Composite) -> FittedLikelihood:
    """The composite likelihood; its roots are scaled to the errors that it really has."""
    optimum, estimate = outcome.transitions, outcome.problem.estimate
    claimed = np.sqrt(np.diag(invert(optimum.fisher)[0]))
    real = np.sqrt(np.diag(composite.covariance))
    return FittedLikelihood(
        optimum.point.likelihood,
        guard_of(estimate.vacuum, float(np.diff(estimate.times).max())),
        optimum,
        dict(zip(optimum.free, (real / claimed).tolist(), strict=True)),
    )


def _composite_ratio(outcome: Outcome, composite: Composite) -> float:
    """Δ(−2 ln L) against Re D_12 = 0, scaled to what it would be if transitions were independent.

    The ratio of a composite likelihood is λχ² with λ the variance that the estimate has over the
    one its Fisher matrix claims.
    """
    optimum, estimate = outcome.transitions, outcome.problem.estimate
    fixed = outcome.space.at(outcome.space.start)
    for name, value in zip(optimum.free, optimum.x, strict=True):
        fixed[name].value = float(value)
    fixed[_CORRELATION].set(value=0.0, vary=False)
    space = space_of(fixed)
    likelihood = TransitionLikelihood(
        estimate, outcome.problem.priors, space.moving, len(estimate.times)
    )
    guard = guard_of(estimate.vacuum, float(np.diff(estimate.times).max()))
    null = maximise(likelihood, space, guard=guard, tolerance=1e-4)
    at = optimum.free.index(_CORRELATION)
    claimed = float(invert(optimum.fisher)[0][at, at])
    rise = 2.0 * (optimum.point.log_likelihood - null.point.log_likelihood)
    return max(rise * claimed / float(composite.covariance[at, at]), 0.0)


def _table(
    outcome: Outcome, x: NDArray[np.float64], ties: Ties, covariance: NDArray[np.float64]
) -> dict[str, FittedParameter]:
    space = outcome.space
    return fitted_parameters(
        dict(zip(space.names, space.all_values(x).tolist(), strict=True)),
        dict(zip(space.free, x.tolist(), strict=True)),
        ties,
        covariance,
        outcome.problem.estimate.unit,
    )


def _counts(outcome: Outcome) -> dict[str, Any]:
    """Statistics that both estimates share."""
    estimate = outcome.problem.estimate
    return {
        "fitted_parameters": len(outcome.space.free),
        "repetitions": estimate.repetitions,
        "bins": len(estimate.times),
        "agreement_p_value": outcome.agreement,
    }


def evidence_of(table: dict[str, FittedParameter], ratio: float) -> dict[str, Any]:
    """Statistics of how far Re D_12 is from 0: in errors, and by a likelihood ratio."""
    value, error = table[_CORRELATION].value, table[_CORRELATION].stderr
    return {
        "re_D12_z": value / error if error else None,
        "re_D12_likelihood_ratio": ratio,
        "re_D12_p_value": float(stats.chi2.sf(ratio, 1)),
        "re_D12_cross_talk": presupposed_cross_talk(table),
    }


def _result(
    outcome: Outcome,
    table: dict[str, FittedParameter],
    covariance: NDArray[np.float64],
    statistics: dict[str, Any],
    converged: bool,
    at_bounds: tuple[str, ...],
) -> FitResult:
    estimate, space = outcome.problem.estimate, outcome.space
    values = {name: table[name].value for name in space.names}
    return FitResult(
        model="reheating",
        parameters=table,
        varying=space.free,
        covariance=covariance,
        statistics=statistics,
        input={
            "unit": estimate.unit,
            "sample_rate": estimate.sample_rate,
            "omega_ref": estimate.omega_ref,
            "window": estimate.layout.window,
            "duration": estimate.layout.samples / estimate.sample_rate,
            "repetitions": estimate.repetitions,
            "excluded": list(estimate.excluded),
            "bins": len(estimate.times),
            "priors": {name: list(pair) for name, pair in outcome.problem.priors.items()},
            "provenance": dict(estimate.provenance),
        },
        converged=bool(converged),
        warnings=reheating_warnings(
            estimate, values, table, statistics, converged=bool(converged), at_bounds=at_bounds
        ),
    )
