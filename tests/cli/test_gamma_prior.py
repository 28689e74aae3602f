"""Damping by the gas from the pressure of a run: used and said where known, else left."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from optobind.__main__ import main
from optobind.acquisition.records.opening import open_record
from optobind.cli.gamma_prior import GammaPrior, fitted_with, gamma_prior
from optobind.config.notebook import load_trap
from optobind.models.inference.result import FittedParameter


@pytest.fixture(scope="module")
def run_file(tmp_path_factory):
    """A few releases in gas that is seen, by a rig that knows its gauge and its particles."""
    out = tmp_path_factory.mktemp("gas")
    settings = [
        "simulation.clock=fast",
        "gas.pressure=1 Pa",
        "devices.gauge.accuracy=0.05",
        "particles.0.radius_error=0.02",
        "particles.1.radius_error=0.01",
        "detectors.0.volts_per_metre=1e7 V/m",
        "detectors.1.volts_per_metre=1e7 V/m",
        "plan.repetitions=16",
        "plan.release_time=0.5 ms",
    ]
    arguments = [part for setting in settings for part in ("--set", setting)]
    assert main(["run", "reheating", "--rig", "simulated-pair", "--out", str(out), *arguments]) == 0
    return out / "run.h5"


def test_a_run_knows_the_damping_of_its_gas_where_its_pressure_was_read(run_file):
    record = open_record(run_file)
    prior = gamma_prior(record, None, "releases")
    assert set(prior.values) == {"gamma_1", "gamma_2"}
    trap = load_trap("simulated-pair", ["gas.pressure=1 Pa"])
    want = trap.gas.damping_rate(trap.spheres[0]) * prior.pressure
    value, error = prior.values["gamma_1"]
    assert value == pytest.approx(want, rel=1e-3)
    assert error / value == pytest.approx(math.hypot(0.05, 0.02, prior.scatter), rel=1e-9)
    assert prior.assumed == ()
    assert set(gamma_prior(record, (0,), "releases").values) == {"gamma"}
    # With feedback, damping is that of the loop.
    assert gamma_prior(record, None, "spectrum") is None


def test_a_fit_that_is_asked_to_takes_the_prior_and_says_so(optobind, run_file):
    command = ("fit", "reheating", str(run_file), "--no-intervals", "--json")
    known = optobind(*command, "--gamma-prior", "auto").json
    prior = known["input"]["gamma_prior"]
    assert prior["gauge_error"] == 0.05
    assert known["input"]["priors"]["gamma_1"] == prior["values"]["gamma_1"]
    assert known["parameters"]["gamma_1"]["vary"]
    assert known["parameters"]["gamma_1"]["value"] == pytest.approx(
        prior["values"]["gamma_1"][0], rel=0.2
    )
    free = optobind(*command).json
    assert "gamma_prior" not in free["input"]
    assert free["input"]["priors"] == {}


def test_a_wrong_word_is_refused_with_those_that_exist(optobind):
    answer = optobind("fit", "spectrum", "x.npz", "--gamma-prior", "maybe")
    assert answer.code == 2
    assert "not one of" in answer.err


@dataclass(frozen=True)
class _Result:
    parameters: dict[str, FittedParameter]
    input: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Analysis:
    result: _Result


PRIOR = GammaPrior({"gamma": (100.0, 10.0)}, 1.0, 0.0, 0.1, 0.0, ("gauge",))


@pytest.mark.parametrize(("found", "used"), [(103.0, True), (180.0, False)])
def test_a_prior_that_the_data_contradict_is_left_out_and_that_is_said(found, used):
    calls = []

    def analyse(priors):
        calls.append(priors)
        parameter = FittedParameter(found, 5.0 if priors else 6.0, "rad/s")
        return _Analysis(_Result({"gamma": parameter}, {"priors": priors or {}}))

    analysis, prior, said = fitted_with(PRIOR, analyse)
    assert (prior is PRIOR) is used
    assert calls == [PRIOR.values] if used else [PRIOR.values, None]
    assert bool(said) is not used
    assert (analysis.result.input["priors"] == {}) is not used
    if not used:
        assert "9.2 standard errors above" in said[0]
        assert "fitted without that prior" in said[0]


def test_what_is_assumed_is_named():
    assert "gauge 10 % (assumed)" in PRIOR.words()
    assert "--gamma-prior off" in replace(PRIOR, assumed=()).words()
