"""Damping by the gas from the pressure of a run: every road takes it, and says so."""

from __future__ import annotations

import math

import pytest

from optobind.__main__ import main
from optobind.acquisition.records.opening import open_record
from optobind.analysis.gas_prior import gas_prior
from optobind.analysis.reheating import analyse_reheating
from optobind.config.notebook import load_trap
from optobind.models.inference.report import fit_report


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
        "particles.0.density_error=0.03",
        "particles.1.density_error=0.03",
        "detectors.0.volts_per_metre=1e7 V/m",
        "detectors.1.volts_per_metre=1e7 V/m",
        "plan.repetitions=16",
        "plan.release_time=0.5 ms",
    ]
    arguments = [part for setting in settings for part in ("--set", setting)]
    assert main(["run", "reheating", "--rig", "simulated-pair", "--out", str(out), *arguments]) == 0
    return out / "run.h5"


def test_a_run_knows_the_damping_of_its_gas_where_its_pressure_was_read(run_file):
    run = open_record(run_file)
    prior = gas_prior(run, (0, 1), "releases")
    assert set(prior.values) == {"gamma_1", "gamma_2"}
    trap = load_trap("simulated-pair", ["gas.pressure=1 Pa"])
    want = trap.gas.damping_rate(trap.spheres[0]) * prior.pressure
    value, error = prior.values["gamma_1"]
    assert value == pytest.approx(want, rel=1e-3)
    assert error / value == pytest.approx(math.hypot(0.05, 0.02, 0.03, prior.scatter), rel=1e-9)
    assert prior.assumed == ()
    assert set(gas_prior(run, (0,), "releases").values) == {"gamma"}
    # With feedback, damping is that of the loop.
    assert gas_prior(run, (0, 1), "spectrum") is None


@pytest.mark.slow
def test_every_road_takes_the_prior_and_says_so_unless_gamma_is_to_be_free(optobind, run_file):
    command = ("fit", "reheating", str(run_file), "--no-intervals")
    known = optobind(*command, "--json").json
    prior = known["input"]["gamma_prior"]
    assert prior["errors"]["gauge"] == 0.05
    assert known["input"]["priors"]["gamma_1"] == prior["values"]["gamma_1"]
    assert known["parameters"]["gamma_1"]["vary"]
    assert known["parameters"]["gamma_1"]["value"] == pytest.approx(
        prior["values"]["gamma_1"][0], rel=0.2
    )
    notebook = analyse_reheating(open_record(run_file)).result
    assert notebook.value("gamma_1") == known["parameters"]["gamma_1"]["value"]
    assert "prior: gamma_1/2π = " in fit_report(notebook)
    assert "prior: gamma_1/2π = " in optobind(*command).out
    free = optobind(*command, "--json", "--gamma-prior", "off").json
    assert "gamma_prior" not in free["input"]
    assert free["input"]["priors"] == {}
    error = free["parameters"]["gamma_1"]["stderr"]
    assert error is None or error > known["parameters"]["gamma_1"]["stderr"]


def test_a_wrong_word_is_refused_with_those_that_exist(optobind):
    answer = optobind("fit", "spectrum", "x.npz", "--gamma-prior", "maybe")
    assert answer.code == 2
    assert "not one of" in answer.err
