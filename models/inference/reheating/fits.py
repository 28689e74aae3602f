"""Fit of averaged reheating curves to the master equation of the pair, by GLS.

E_1, E_2, Re C and Im C of all windows are fitted jointly to exact moment propagation with the full
drift, under the exact covariance of averaged curves. Points of such a curve are correlated random
walks: weights without correlations would report errors several times too small.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import lmfit
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ...errors import InputError
from ..result import FitResult
from .covariance import curve_means
from .estimate import MIN_REPETITIONS, ReheatingEstimate, estimate_reheating
from .gls import GlsProblem
from .moments import amplitude_moments
from .scoring import (
    GlsSolution,
    Surface,
    inverse,
    iterate_gls,
    likelihood_ratio,
    run_gls,
    run_markov,
)
from .surface import (
    fitted,
    reheating_parameters,
    with_ties,
)
from .transitions import MarkovLikelihood
from .warnings import reheating_warnings

__all__ = ["fit_reheating", "predict_reheating"]

Prior = Mapping[str, tuple[float, float]] | FitResult
_ITERATIONS = 60
_FIRST_BINS = 12
_SUSPICIOUS = 1e-4
# Gain of −2 ln L by two damping rates that counts as visible damping: p = 0.5 % is 10.6, twice that
# because every window serves in two transitions, which inflates the ratio up to 1.8 times.
_VISIBLE = 20.0


def fit_reheating(
    data: ReheatingEstimate | ArrayLike,
    sample_rate: float | None = None,
    *,
    params: lmfit.Parameters | None = None,
    noise: Prior | None = None,
    frequencies: Prior | None = None,
    unit: str = "quanta",
    **options: Any,
) -> FitResult:
    """Fit reheating curves.

    Frequencies and imprecision come from the same repetitions: the lines from the advance of the
    phases, fitted jointly with the curves; the imprecision from the off-resonance floor, as a
    Gaussian prior. Their uncertainty is part of every error.

    Parameters
    ----------
    data : ReheatingEstimate or array_like, shape (m, n, 2)
        Averaged curves, or the repetitions with row 0 the release.
    sample_rate : float, optional
        Hz; with samples.
    params : lmfit.Parameters, optional
        Start values, bounds, ``vary`` and ``expr`` for any of the parameters; the rest is found
        from the data.
    noise, frequencies : mapping of name to (value, standard error), or FitResult, optional
        What is known from elsewhere on ``noise_1, noise_2`` and ``omega_1, omega_2``; given noise
        replaces the floor of the record. A standard error of 0 fixes the parameter.
    unit : str
        "quanta", "m" or "V"; with samples.
    **options
        For :func:`estimate_reheating`, with samples.

    Returns
    -------
    FitResult
        ``model="reheating"``. Rates in rad/s (D in unit²/s when the record is not in quanta);
        n_j(0), C(0) at the release; omega_j is the line ω̃_j. D_jj is the total diffusion.
        ``statistics``: ``chi2, dof, p_value`` of the goodness of fit; ``re_D12_z``,
        ``re_D12_likelihood_ratio`` = Δ(−2 ln L) against Re D_12 = 0, and ``re_D12_p_value``.

    Raises
    ------
    InputError
        For fewer than 10 repetitions, unknown parameter names or unusable samples.
    ConvergenceError
        If the covariance of the curves cannot be formed.
    """
    estimate = _as_estimate(data, sample_rate, unit, options)
    if estimate.repetitions < MIN_REPETITIONS:
        raise InputError(
            f"too few repetitions: {estimate.repetitions}, at least {MIN_REPETITIONS} are needed"
        )
    if not estimate.curves()[:2].min() > 0.0:
        raise InputError("a channel holds no signal: its energy is 0")
    parameters = with_ties(reheating_parameters(estimate), params)
    priors = _priors(estimate, parameters, noise, frequencies)
    outcome = _solve(estimate, priors, parameters)
    flat = _without_coupling(parameters, params)
    if flat is not None and outcome.doubtful:
        other = _solve(estimate, priors, flat)
        # By the likelihood: in a wrong basin the covariance swells until every χ² looks perfect.
        outcome = min(outcome, other, key=lambda o: (not o.start.converged, o.deviance))
    damped = _with_damping(outcome, params)
    if damped is not None and _damping_may_show(outcome, damped):
        other = _solve(estimate, priors, damped)
        if other.start.converged and outcome.deviance - other.deviance > _VISIBLE:
            outcome = other
    return _result(_settled(outcome))


def predict_reheating(
    estimate: ReheatingEstimate, result: FitResult | Mapping[str, float]
) -> NDArray[np.float64]:
    """Return the expected raw curves E_1, E_2, Re C, Im C at the estimate's windows, (4, t).

    Imprecision and the response of the windows are included, as in the estimate itself.
    """
    values = _values(result)
    moments = amplitude_moments(estimate.layout, values, vacuum=estimate.vacuum)
    return curve_means(moments.equal)


def _values(result: FitResult | Mapping[str, float]) -> dict[str, float]:
    if isinstance(result, FitResult):
        return {name: p.value for name, p in result.parameters.items()}
    return dict(result)


def _as_estimate(
    data: ReheatingEstimate | ArrayLike,
    sample_rate: float | None,
    unit: str,
    options: dict[str, Any],
) -> ReheatingEstimate:
    if isinstance(data, ReheatingEstimate):
        return data
    if sample_rate is None:
        raise InputError("samples need their sample_rate in Hz")
    return estimate_reheating(data, sample_rate, unit=unit, **options)


def _priors(
    estimate: ReheatingEstimate,
    parameters: lmfit.Parameters,
    noise: Prior | None,
    frequencies: Prior | None,
) -> dict[str, tuple[float, float]]:
    """Gaussian priors by name; exact ones fix their parameter."""
    floor = {f"noise_{j + 1}": tuple(map(float, estimate.noise_floor[j])) for j in (0, 1)}
    given = {**_known(noise, floor), **_known(frequencies, {}, ("omega_1", "omega_2"))}
    priors = {}
    for name, (value, error) in given.items():
        if not (math.isfinite(value) and math.isfinite(error) and error >= 0.0):
            raise InputError(
                f"prior of {name} must be a finite value and error, got {value, error}"
            )
        if not parameters[name].vary:
            continue
        parameters[name].value = min(max(value, parameters[name].min), parameters[name].max)
        if error == 0.0:
            parameters[name].vary = False
        else:
            priors[name] = (value, error)
    return priors


def _known(
    prior: Prior | None,
    default: Mapping[str, tuple[float, ...]],
    names: tuple[str, ...] = ("noise_1", "noise_2"),
) -> dict[str, tuple[float, float]]:
    if prior is None:
        return {name: (pair[0], pair[1]) for name, pair in default.items()}
    if isinstance(prior, FitResult):
        found = {name: p for name, p in prior.parameters.items() if name in names}
        return {name: (p.value, p.stderr or 0.0) for name, p in found.items()}
    unknown = sorted(set(prior) - set(names))
    if unknown:
        raise InputError(f"unknown prior {unknown[0]!r}; known: {', '.join(names)}")
    return {name: (float(pair[0]), float(pair[1])) for name, pair in prior.items()}


@dataclass(frozen=True)
class _Outcome:
    """A fit: start, point of linearisation and what came out."""

    problem: GlsProblem
    start: Surface
    origin: Surface
    surface: Surface
    solution: GlsSolution

    @property
    def dof(self) -> int:
        """Degrees of freedom: curves, phases and priors less parameters."""
        return self.problem.size - len(self.surface.varying)

    @property
    def p_value(self) -> float:
        """Probability of a larger χ²."""
        return float(stats.chi2.sf(self.solution.chi2, max(self.dof, 1)))

    @property
    def agreement(self) -> float:
        """Probability of a larger distance between curves and transitions."""
        return float(stats.chi2.sf(self.solution.shift, len(self.surface.varying)))

    @property
    def deviance(self) -> float:
        """−2 ln L of the transitions from window to window, at their own optimum.

        At the result of the curves, whose errors are larger, it would be far off its minimum, and
        differences would say which result lies nearer to it by chance.
        """
        estimate, priors = self.problem.estimate, self.problem.priors
        likelihood = MarkovLikelihood(estimate, priors, len(estimate.times))
        return likelihood.deviance(self.start.values)

    @property
    def doubtful(self) -> bool:
        """Whether this may be a wrong basin: not converged, or a fit too bad or too good."""
        plausible = _SUSPICIOUS < self.p_value < 1.0 - 1e-2 * _SUSPICIOUS
        return not (self.start.converged and plausible and self.agreement > _SUSPICIOUS)

    @property
    def nonsense(self) -> bool:
        """Whether curves and transitions contradict each other while χ² looks perfect."""
        return self.agreement < 1e-20 and self.p_value > 1.0 - 1e-2 * _SUSPICIOUS


def _solve(
    estimate: ReheatingEstimate,
    priors: Mapping[str, tuple[float, float]],
    parameters: lmfit.Parameters,
) -> _Outcome:
    start = Surface(parameters)
    # The earliest windows first: the coupling has not turned anything around there yet.
    bins = _FIRST_BINS
    while 2 * bins <= len(estimate.times):
        run_markov(start, MarkovLikelihood(estimate, priors, bins), 12, 0.5)
        bins *= 2
    start = Surface(start.parameters)
    run_markov(start, MarkovLikelihood(estimate, priors, len(estimate.times)), _ITERATIONS, 0.05)
    problem = GlsProblem.weighted_at(estimate, priors, start.values)
    surface = Surface(start.parameters)
    surface.converged = start.converged
    return _Outcome(problem, start, start, surface, run_gls(surface, problem))


def _settled(outcome: _Outcome) -> _Outcome:
    """Iterate where the transitions miss what the curves show: no point to linearise at."""
    if outcome.agreement > _SUSPICIOUS:
        return outcome
    surface = Surface(outcome.start.parameters)
    solution = iterate_gls(surface, outcome.problem, _ITERATIONS, 2e-3)
    return replace(outcome, origin=surface, surface=surface, solution=solution)


def _without_coupling(
    parameters: lmfit.Parameters, given: lmfit.Parameters | None
) -> lmfit.Parameters | None:
    """Second start: no coupling, unless the user chose the coupling's start."""
    if given is not None and ("g_r" in given or "g_a" in given):
        return None
    other = parameters.copy()
    for name in ("g_r", "g_a", "re_D12"):
        if other[name].vary:
            other[name].value = 0.0
    return other


def _with_damping(outcome: _Outcome, given: lmfit.Parameters | None) -> lmfit.Parameters | None:
    """Third start: gas damping free, unless the user said something about it."""
    if given is not None and ("gamma_1" in given or "gamma_2" in given):
        return None
    other = outcome.start.parameters.copy()
    estimate = outcome.problem.estimate
    for name in ("gamma_1", "gamma_2"):
        other[name].set(value=0.02 / float(estimate.times[-1]), vary=True)
    return other


def _damping_may_show(outcome: _Outcome, damped: lmfit.Parameters) -> bool:
    """Score test of damping, far quicker than the fit: whether the fit is worth its time."""
    if not outcome.start.converged:
        return True
    surface = Surface(damped)
    for name in ("gamma_1", "gamma_2"):
        surface.parameters[name].value = 0.0
    names, part = surface.columns()
    estimate, priors = outcome.problem.estimate, outcome.problem.priors
    likelihood = MarkovLikelihood(estimate, priors, len(estimate.times))
    score, fisher = likelihood.score(surface.values, names)
    score, fisher = part.T @ score, part.T @ fisher @ part
    return bool(score @ inverse(fisher) @ score > 0.5 * _VISIBLE)


def _result(outcome: _Outcome) -> FitResult:
    surface, solution, dof = outcome.surface, outcome.solution, outcome.dof
    estimate = outcome.problem.estimate
    table = fitted(surface.parameters, surface.varying, solution.covariance, estimate.unit)
    statistics: dict[str, Any] = {
        "chi2": solution.chi2,
        "dof": dof,
        "reduced_chi2": solution.chi2 / dof if dof > 0 else None,
        "p_value": outcome.p_value if dof > 0 else None,
        "repetitions": estimate.repetitions,
        "bins": len(estimate.times),
        "iterations": outcome.start.iterations + surface.iterations,
        "agreement_p_value": outcome.agreement,
    }
    if "re_D12" in surface.varying:
        ratio = likelihood_ratio(outcome.origin, outcome.problem, solution, "re_D12")
        error = table["re_D12"].stderr
        statistics["re_D12_z"] = table["re_D12"].value / error if error else None
        statistics["re_D12_likelihood_ratio"] = ratio
        statistics["re_D12_p_value"] = float(stats.chi2.sf(ratio, 1))
    return FitResult(
        model="reheating",
        parameters=table,
        varying=surface.varying,
        covariance=solution.covariance,
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
        converged=surface.converged and not outcome.nonsense,
        warnings=reheating_warnings(estimate, surface.values, table, statistics, surface),
    )
