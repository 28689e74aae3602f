"""Fits of reheating to the master equation of the pair, by averaged curves and by transitions.

*Curves*: E_1, E_2, Re C and Im C of all windows are fitted jointly to exact moment propagation with
the full drift, under the exact covariance of averaged curves; points of such a curve are correlated
random walks, and weights without correlations would report errors several times too small.
*Transitions*: how each repetition moves from window to window, which tells the diffusion at every
step and has errors several times smaller. A frequency that jitters between repetitions looks like
diffusion to the transitions, hardly to the curves, which follow the rise itself: both are worth
seeing side by side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import lmfit
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import InputError
from ..result import FitResult
from .basins import Outcome, search
from .covariance import curve_means
from .estimate import MIN_REPETITIONS, ReheatingEstimate, estimate_reheating
from .moments import amplitude_moments
from .outcome import curves_result, transitions_result
from .surface import reheating_parameters, with_ties

__all__ = ["ESTIMATORS", "fit_reheating", "predict_reheating", "reheating_estimators"]

Prior = Mapping[str, tuple[float, float]] | FitResult
Estimator = Literal["curves", "transitions"]
ESTIMATORS: dict[str, Callable[[Outcome], FitResult]] = {
    "curves": curves_result,
    "transitions": transitions_result,
}
"""Estimators by name, the default first."""


def fit_reheating(
    data: ReheatingEstimate | ArrayLike,
    sample_rate: float | None = None,
    *,
    estimator: Estimator = "curves",
    params: lmfit.Parameters | None = None,
    noise: Prior | None = None,
    frequencies: Prior | None = None,
    unit: str = "quanta",
    **options: Any,
) -> FitResult:
    """Fit what happens after a release.

    Frequencies and imprecision come from the same repetitions: the lines from the advance of the
    phases, fitted jointly; the imprecision from the off-resonance floor, as a Gaussian prior. Their
    uncertainty is part of every error.

    Parameters
    ----------
    data : ReheatingEstimate or array_like, shape (m, n, 2)
        Averaged windows, or the repetitions with row 0 the release.
    sample_rate : float, optional
        Hz; with samples.
    estimator : {"curves", "transitions"}
        Generalised least squares on the averaged curves, or the likelihood of the transitions
        between neighbouring windows.
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
        ``statistics``: ``estimator``; ``chi2, dof, p_value`` of the goodness of fit;
        ``agreement_p_value`` of curves and transitions; ``re_D12_z``,
        ``re_D12_likelihood_ratio`` = Δ(−2 ln L) against Re D_12 = 0, and ``re_D12_p_value``.

    Raises
    ------
    InputError
        For fewer than 10 repetitions, unknown estimators or parameter names, or unusable samples.
    ConvergenceError
        If no model describes the data, or the covariance of the curves cannot be formed.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")
    >>> estimate = ob.analyse_reheating(record).estimate
    >>> result = ob.fit_reheating(estimate, estimator="transitions")
    >>> result.parameters["D11"].unit
    'rad/s'
    """
    if estimator not in ESTIMATORS:
        raise InputError(f"unknown estimator {estimator!r}; known: {', '.join(ESTIMATORS)}")
    estimate = _as_estimate(data, sample_rate, unit, options)
    return ESTIMATORS[estimator](_searched(estimate, params, noise, frequencies))


def reheating_estimators(
    estimate: ReheatingEstimate,
    *,
    params: lmfit.Parameters | None = None,
    noise: Prior | None = None,
    frequencies: Prior | None = None,
) -> dict[str, FitResult]:
    """Return the results of every estimator by name, from one search.

    Parameters and errors are those of :func:`fit_reheating`.
    """
    outcome = _searched(estimate, params, noise, frequencies)
    return {name: result(outcome) for name, result in ESTIMATORS.items()}


def _searched(
    estimate: ReheatingEstimate,
    params: lmfit.Parameters | None,
    noise: Prior | None,
    frequencies: Prior | None,
) -> Outcome:
    if estimate.repetitions < MIN_REPETITIONS:
        raise InputError(
            f"too few repetitions: {estimate.repetitions}, at least {MIN_REPETITIONS} are needed"
        )
    if not estimate.curves()[:2].min() > 0.0:
        raise InputError("a channel holds no signal: its energy is 0")
    parameters = with_ties(reheating_parameters(estimate), params)
    return search(estimate, _priors(estimate, parameters, noise, frequencies), parameters, params)


def predict_reheating(
    estimate: ReheatingEstimate, result: FitResult | Mapping[str, float]
) -> NDArray[np.float64]:
    """Return the expected raw curves E_1, E_2, Re C, Im C at the estimate's windows, (4, t).

    Imprecision and the response of the windows are included, as in the estimate itself.

    Parameters
    ----------
    estimate : ReheatingEstimate
        Its windows count, its curves do not.
    result : FitResult or mapping
        Parameters of a reheating fit.

    Returns
    -------
    ndarray, shape (4, t)
        unit².

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")
    >>> estimate = ob.analyse_reheating(record).estimate
    >>> result = ob.fit_reheating(estimate)
    >>> ob.predict_reheating(estimate, result).shape == estimate.curves().shape
    True
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
