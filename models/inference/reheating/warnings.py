"""What a user should know before quoting the numbers of a reheating fit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..convention import OF_EQUAL_PARTICLES
from ..result import FittedParameter
from .estimate import ReheatingEstimate
from .moments import reheating_model

__all__ = ["reheating_warnings"]

_FEW_REPETITIONS = 50
_FEW_BINS = 12
_TURNS = 3.0
_GROWTH = 6.0
_DOUBTFUL = 1e-3
_COHERENT = 10.0
_DESCRIBED = {"curves": "the curves", "transitions": "the motion from window to window"}


def reheating_warnings(
    estimate: ReheatingEstimate,
    values: Mapping[str, float],
    table: Mapping[str, FittedParameter],
    statistics: Mapping[str, Any],
    *,
    converged: bool,
    at_bounds: Sequence[str],
) -> tuple[str, ...]:
    """Return the warnings of a fit, one line each."""
    found = [*_about_data(estimate), *_about_model(estimate, values)]
    if not converged:
        found.append("the fit did not converge: do not quote its numbers")
    p_value = statistics.get("p_value")
    if p_value is not None and p_value < _DOUBTFUL:
        what = _DESCRIBED[statistics["estimator"]]
        found.append(
            f"chi2 = {statistics['chi2']:.4g} for {statistics['dof']:.4g} degrees of freedom "
            f"(p = {p_value:.2g}): the model does not describe {what}"
        )
    if p_value is not None and p_value > 1.0 - _DOUBTFUL:
        found.append(
            f"chi2 = {statistics['chi2']:.4g} for {statistics['dof']:.4g} degrees of freedom "
            f"(1 - p = {1.0 - p_value:.2g}): nearer to the model than errors allow; repetitions "
            "counted twice, or smoothed data"
        )
    if statistics["agreement_p_value"] < _DOUBTFUL:
        found.append(
            "the curves and the motion from window to window disagree "
            f"(p = {statistics['agreement_p_value']:.2g}): jitter of a frequency, drift between "
            "repetitions or a wrong release index"
        )
    if table["gamma_1"].vary and table["gamma_2"].vary:
        found.append(
            "gamma_1 and gamma_2 are fitted: damping is visible, of gas or of feedback in the "
            "releases, and fixed at 0 it would bias D"
        )
    for name in at_bounds:
        found.append(
            f"{name} = {table[name].value:.6g} sits on a bound: its error is not symmetric"
        )
    return tuple(found)


def _about_data(estimate: ReheatingEstimate) -> list[str]:
    found = []
    if estimate.unit != "quanta":
        found.append(
            f"{OF_EQUAL_PARTICLES} particles and detectors: the record is in {estimate.unit}, "
            "masses or calibrations are not known"
        )
    if estimate.repetitions < _FEW_REPETITIONS:
        found.append(
            f"only {estimate.repetitions} repetitions: averages are not Gaussian yet, "
            "errors are approximate"
        )
    if len(estimate.times) < _FEW_BINS:
        found.append(f"only {len(estimate.times)} averaging windows: the release is short")
    energies = np.stack([estimate.E1, estimate.E2], axis=1)
    coherent = np.abs(estimate.mean_amplitude) ** 2 / energies * estimate.repetitions
    if float(coherent.max()) > _COHERENT + math.log(coherent.size):
        found.append(
            "the mean amplitude is not zero: a coherent motion (a kick at the release, a drive) "
            "is not part of the model"
        )
    return found


def _about_model(estimate: ReheatingEstimate, values: Mapping[str, float]) -> list[str]:
    found = []
    duration = float(estimate.times[-1])
    turns = abs(values["omega_2"] - values["omega_1"]) * duration / (2.0 * math.pi)
    if turns > _TURNS:
        found.append(
            f"C turns {turns:.3g} times during the release: correlation of the noise accumulates "
            "only over about 1/|omega_2 - omega_1|"
        )
    growth = reheating_model(values).growth_rate * duration
    if growth > _GROWTH:
        found.append(
            f"amplitudes grow by e^{growth:.3g} during the release: check that they stay linear"
        )
    return found
