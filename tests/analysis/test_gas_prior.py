"""Damping by the gas from the pressure of a run: used and said where known, else left."""

from __future__ import annotations

import numpy as np
import pytest
from simulated_spectra import csd_of, record

from optobind.analysis.gas_prior import GasPrior, _of_gas, fitted_with_gas
from optobind.models.inference.matrices import model_single
from optobind.models.inference.result import FitResult, FittedParameter
from optobind.models.inference.spectral.fits import fit_single

PRIOR = GasPrior({"gamma": (100.0, 10.0)}, 1.0, 0.0, {"gauge": 0.1, "radius": 0.0}, ("gauge",))


@pytest.mark.parametrize(("found", "used"), [(103.0, True), (180.0, False)])
def test_a_prior_that_the_data_contradict_is_left_out_and_that_is_said(found, used):
    calls = []

    def fit(priors):
        calls.append(priors)
        table = {"gamma": FittedParameter(found, 5.0 if priors else 6.0, "rad/s")}
        known = {"priors": priors or {}}
        return FitResult("single", table, ("gamma",), np.eye(1), {}, known, True)

    result = fitted_with_gas(PRIOR, None, fit)
    assert ("gamma_prior" in result.input) is used
    assert calls == [PRIOR.values] if used else [PRIOR.values, None]
    assert bool(result.warnings) is not used
    assert (result.input["priors"] == {}) is not used
    if not used:
        assert "9.2 standard errors above" in result.warnings[0]
        assert "fitted without that prior" in result.warnings[0]


def test_what_the_caller_knows_of_gamma_comes_before_the_gas():
    def fit(priors):
        table = {"gamma": FittedParameter(90.0, 1.0, "rad/s")}
        return FitResult("single", table, ("gamma",), np.eye(1), {}, {"priors": priors}, True)

    given = {"gamma": (90.0, 1.0)}
    assert fitted_with_gas(PRIOR, given, fit).input == {"priors": given}


def test_what_is_assumed_is_named():
    assert "gauge 10 % (assumed)" in PRIOR.words()
    assert "--gamma-prior off" in PRIOR.words()


KNOWN = {
    "species": "air", "temperature": 293.0, "pressure": 0.5, "pressure_error": None,
    "gauge_error": None, "radii": [70e-9], "radius_errors": [0.02], "density_errors": [None],
}  # fmt: skip


def test_a_pressure_that_nobody_vouches_for_is_no_prior():
    def of(readings, **more):
        return _of_gas({**KNOWN, **more}, [2.66e-18], readings, [0], [0])

    assert of([]) is None
    stated = of([], pressure_error=0.2)
    assert stated.pressure == 0.5
    assert stated.errors == {"rig": 0.2, "radius": 0.02, "density": 0.05}
    assert stated.assumed == ("density",)
    read = of([1.0, 1.2, 1.1], pressure_error=0.2)
    assert read.pressure == 1.1
    assert read.errors["gauge"] == 0.3
    assert read.assumed == ("gauge", "density")
    assert read.values["gamma"][0] == pytest.approx(2.2 * stated.values["gamma"][0], rel=1e-4)


def test_a_pressure_that_is_off_by_its_error_biases_by_no_more_than_the_errors_say():
    """γ of gauges that err by 30 %, fitted with a prior of that width: pulls of width one."""
    rng, pulls = np.random.default_rng(4), []
    for _ in range(40):
        gamma = 2 * np.pi * 300.0
        told = gamma * (1.0 + 0.3 * rng.standard_normal())
        model = model_single({"omega": 2 * np.pi * 20e3, "gamma": gamma, "D": gamma, "noise": 1e-7})
        csd = csd_of(record(model, 16_384, 1e5, rng), 1e5, 2048)
        prior = {"gamma": (told, 0.3 * gamma)}
        fit = fit_single(csd, band=(1e4, 3e4), priors=prior)
        pulls.append((fit.value("gamma") - gamma) / fit.stderr("gamma"))
    assert abs(np.mean(pulls)) < 0.5
    assert 0.7 < np.std(pulls) < 1.35
