"""From an optimum to a FitResult: errors, statistics, warnings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...spectra import CsdEstimate
from ..convention import OF_EQUAL_PARTICLES
from ..edges import CrossMoment, Guard
from ..fitted import FittedLikelihood
from ..optimiser import Optimum
from ..result import FitResult, FittedParameter, fitted_parameters, presupposed_cross_talk
from ..steps import invert
from .goodness import Goodness, goodness_of_fit
from .scatter import score_covariance
from .wishart import Evaluation, SpectralProblem

__all__ = ["GUARD", "result_of"]

GUARD = Guard((CrossMoment(("re_D12",), ("D11", "D22"), 1.0 - 1e-7),))
"""Noise of rank one, |Re D_12|² = D_11 D_22, is still a model of a spectrum, more is not."""

# Bins within a line below which a periodogram tells much less than the record.
_RESOLVED = 1.5


def result_of(
    problem: SpectralProblem, cut: CsdEstimate, optimum: Optimum[Evaluation]
) -> FitResult:
    """Dress an optimum as a :class:`FitResult`; its covariance is F⁻¹ J F⁻¹ (:mod:`.scatter`)."""
    own, determined = invert(optimum.fisher)
    covariance = _scattered(problem, optimum, own) if determined else own
    sigma = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    parameters = fitted_parameters(
        dict(zip(problem.names, optimum.values.tolist(), strict=True)),
        dict(zip(optimum.free, optimum.x.tolist(), strict=True)),
        optimum.ties,
        covariance,
        cut.unit,
    )
    evaluation = optimum.point
    good = goodness_of_fit(
        evaluation.residual,
        optimum.ties.rows(evaluation.jacobian),
        optimum.fisher,
        cut,
        problem.information,
    )
    warnings = _warnings(problem, cut, optimum, good)
    if not determined:
        warnings.append("the data do not determine every parameter: fix or tie some of them")
    return FitResult(
        model=problem.model,
        parameters=parameters,
        varying=optimum.free,
        covariance=covariance,
        statistics=_statistics(problem, cut, optimum, good, parameters),
        input=_provenance(problem, cut),
        converged=bool(optimum.converged and np.isfinite(sigma).all()),
        warnings=tuple(warnings),
        fitted=FittedLikelihood(
            problem, GUARD, optimum, _inflation(optimum, covariance, own), scatter=covariance
        ),
    )


def _scattered(
    problem: SpectralProblem, optimum: Optimum[Evaluation], own: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Covariance of the estimates: F⁻¹ alone takes bins and segments as independent."""
    score = score_covariance(problem, optimum.values, optimum.point)
    return np.asarray(own @ optimum.ties.information(score) @ own)


def _inflation(
    optimum: Optimum[Evaluation], covariance: NDArray[np.float64], own: NDArray[np.float64]
) -> dict[str, float]:
    """Standard errors over those that F alone states."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.sqrt(np.diag(covariance) / np.diag(own))
    return {n: float(r) for n, r in zip(optimum.free, ratio, strict=True) if np.isfinite(r)}


def _statistics(
    problem: SpectralProblem,
    cut: CsdEstimate,
    optimum: Optimum[Evaluation],
    good: Goodness,
    table: Mapping[str, FittedParameter],
) -> dict[str, Any]:
    """Counts and goodness of fit, plain JSON values."""
    information = problem.information
    log_likelihood = optimum.point.log_likelihood
    presupposed = presupposed_cross_talk(table)
    known = {} if presupposed is None else {"re_D12_cross_talk": presupposed}
    return {
        "log_likelihood": float(log_likelihood),
        "aic": float(2.0 * len(optimum.free) - 2.0 * log_likelihood),
        "bins": len(cut.frequencies),
        "fitted_parameters": len(optimum.free),
        "averages": int(cut.averages),
        "effective_averages": float(information.independent),
        "kappa": float(information.kappa),
        "weight": float(information.weight),
        "chi2": good.chi2,
        "dof": good.dof,
        "reduced_chi2": good.chi2 / good.dof,
        "p_value": good.p_value,
        "residual_variance": good.residual_variance,
        "residual_autocorrelation": good.residual_autocorrelation,
        "groups": good.groups,
        "iterations": int(optimum.iterations),
        **known,
    }


def _provenance(problem: SpectralProblem, cut: CsdEstimate) -> dict[str, Any]:
    """What went in, plain JSON values."""
    priors = {name: list(pair) for name, pair in problem.priors.items()}
    return {
        **({"priors": priors} if priors else {}),
        "band": [float(cut.frequencies[0]), float(cut.frequencies[-1])],
        "segment": cut.segment,
        "overlap": int(cut.overlap),
        "averages": int(cut.averages),
        "bin_width": float(cut.bin_width),
        "sample_rate": float(cut.sample_rate),
        "unit": cut.unit,
        "mass_ratio": float(problem.mass_ratio),
        "omega": "lines without coupling; bare frequencies are not determined by a spectrum",
        "first_sample": int(cut.first_sample),
        "last_sample": int(cut.last_sample),
    }


def _warnings(
    problem: SpectralProblem, cut: CsdEstimate, optimum: Optimum[Evaluation], good: Goodness
) -> list[str]:
    """What the user should know before quoting the numbers."""
    found: list[str] = []
    values = dict(zip(problem.names, optimum.values, strict=True))
    widths = [v / (2.0 * math.pi) for n, v in values.items() if n.startswith("gamma")]
    narrowest = min(widths)
    if narrowest < _RESOLVED * cut.bin_width:
        remedy = (
            "the record is too short for it: quote D/gamma rather than D and gamma"
            if cut.averages == 1
            else "choose longer segments or the exact estimator"
        )
        found.append(
            f"a line ({narrowest:.3g} Hz) is hardly wider than a bin ({cut.bin_width:.3g} Hz) or "
            "narrower: its periodogram leaves out a good part of what the record tells of gamma "
            f"and D; {remedy}"
        )
    if problem.weight * problem.data.size < 10.0 * len(optimum.free):
        found.append("few averages and bins: the errors are only asymptotic")
    if optimum.at_bounds:
        found.append(f"at a bound: {', '.join(optimum.at_bounds)}; errors there are one-sided")
    if not optimum.converged:
        found.append("the fit did not converge")
    if good.p_value is not None and good.p_value < 1e-3:
        found.append(
            f"the model does not describe the data (p = {good.p_value:.1e}): other lines in the "
            "band or lines broadened by nonlinearity; the errors are too small"
        )
    if good.p_value is not None and good.p_value > 1.0 - 1e-3:
        found.append(
            f"the data lie closer to the model than their errors allow (1 − p = "
            f"{1.0 - good.p_value:.1e}): averages counted twice or smoothed data; errors are too "
            "large or not those of this record"
        )
    if problem.model == "pair" and cut.unit not in ("m", "quanta"):
        found.append(f"{OF_EQUAL_PARTICLES} detectors: the record is in {cut.unit}, not calibrated")
    elif problem.model == "pair" and cut.unit == "m" and problem.known_ratio is None:
        found.append(f"{OF_EQUAL_PARTICLES} masses: the record is in m, masses are not known")
    return found
