"""Forecasts of measurements against fits of simulated data and the numbers of physics.md §10."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from simulated_spectra import csd_of, record

import optobind as ob
from optobind.analysis.planning import pair_values
from optobind.cli.app import invoke
from optobind.models.errors import InputError
from optobind.models.inference.matrices import model_pair
from optobind.models.inference.planning.forecast import (
    Cooling,
    exact_error,
    simulated_releases,
)

GAMMA = 2 * math.pi * 1e3


@pytest.fixture(scope="module")
def plan():
    trap = ob.load_trap("simulated-pair")
    return ob.forecast_reheating(trap, 0.3, 2e6, damping=GAMMA, search=False)


def test_the_shipped_rig_needs_what_an_independent_likelihood_found(plan):
    """Measured before this code was written: 82, about 170, 4888 releases and 0.13 s."""
    found = plan.estimators
    assert found["exact"].repetitions == pytest.approx(82, abs=6)
    assert found["transitions"].repetitions == pytest.approx(175, rel=0.15)
    assert found["curves"].repetitions == pytest.approx(4888, rel=0.15)
    assert found["cooled_spectrum"].measuring_time == pytest.approx(0.13, rel=0.3)
    assert dict(plan.releases)[5e-3] < dict(plan.releases)[2e-4] / 10


def test_requirements_are_those_of_the_letter_s_pair(plan):
    needs = plan.requires
    assert 10.0 * math.log10(needs.rin / 10.0) == pytest.approx(-136.0, abs=0.5)  # 1 %: −136 dB
    assert needs.cross_talk == pytest.approx(0.1 / 36.0, rel=0.1)
    assert 0.05 < needs.phase_drift < 0.5


def test_forecast_error_is_that_of_a_fit_of_simulated_releases():
    values = {
        "omega_1": 3.42e5, "omega_2": 3.25e5, "g_r": -3e3, "g_a": 4.4e3, "D11": 1.75e5,
        "D22": 1.65e5, "re_D12": 9.85e3, "n1_0": 30.0, "n2_0": 34.0, "re_C0": 10.0,
        "im_C0": -6.0, "noise_1": 5e-6, "noise_2": 5.3e-6, "gamma_1": 0.0, "gamma_2": 0.0,
    }  # fmt: skip
    data = simulated_releases(values, 60, 1000, 2e6, 3)
    fit = ob.fit_releases_exact(data, 2e6, unit="quanta")
    for name in ("re_D12", "g_a", "D11", "omega_1"):
        expected = exact_error(values, name, 5e-4, 2e6) / math.sqrt(60)
        assert fit.stderr(name) == pytest.approx(expected, rel=0.25), name


def test_releases_begin_in_the_state_of_the_cooled_pair():
    """First order in the couplings: C(Γ − i(ω_1−ω_2)) = D_12 − i(g_r+g_a)E_2 + i(g_r−g_a)E_1."""
    values = {
        "omega_1": 4e5, "omega_2": 4.01e5, "g_r": -20.0, "g_a": 30.0, "D11": 1e4, "D22": 2e4,
        "re_D12": 3e3, "noise_1": 1e-6, "noise_2": 2e-6, "gamma_1": 0.0, "gamma_2": 0.0,
    }  # fmt: skip
    cooling = Cooling.of(values, 2e3)
    begin = cooling.start(values)
    one, two = (n + 0.5 for n in cooling.occupations)
    push = 3e3 - 1j * (-20.0 + 30.0) * two + 1j * (-20.0 - 30.0) * one
    expected = push / (2e3 - 1j * (4e5 - 4.01e5))
    assert complex(begin["re_C0"], begin["im_C0"]) == pytest.approx(expected, rel=0.03)
    assert begin["n1_0"] + 0.5 == pytest.approx(one, rel=0.05)
    assert begin["n2_0"] + 0.5 == pytest.approx(two, rel=0.05)


def test_the_forecast_knows_that_couplings_turn_the_initial_correlation(plan):
    values, cooling = pair_values(ob.load_trap("simulated-pair"), 0.3, 3.5e4)
    assert cooling.damping == 3.5e4
    assert complex(values["re_C0"], values["im_C0"]) == pytest.approx(0.68 - 0.89j, rel=0.02)


def test_cold_damping_is_deepest_at_its_optimum():
    values = {"D11": 1e5, "D22": 1e5, "noise_1": 1e-5, "noise_2": 1e-5}
    best = Cooling.of(values)
    assert best.damping == pytest.approx(2.0 * math.sqrt(1e10))
    for factor in (0.5, 2.0):
        assert min(Cooling.of(values, factor * best.damping).occupations) > best.occupations[0]
    np.testing.assert_allclose(best.occupations, math.sqrt(1e5 * 1e-5) - 0.5)


@pytest.mark.slow
def test_the_best_light_needs_less_time_than_the_set_one():
    trap = ob.load_trap("simulated-pair")
    plan = ob.forecast_reheating(trap, 0.3, 2e6, damping=GAMMA)
    assert plan.best.measuring_time <= plan.estimators["exact"].measuring_time
    assert abs(math.cos(plan.best.phi)) > 0.8, "D12 is largest in or out of phase"


def test_the_command_writes_numbers_and_a_figure(tmp_path, capsys):
    arguments = ["--rig", "simulated-pair", "--no-search", "--parameter", "g_a"]
    assert invoke(["plan", "reheating", *arguments, "--json", "--out", str(tmp_path)]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["parameter"] == "g_a"
    assert set(values["estimators"]["exact"]) == {
        "repetitions", "release_time", "measuring_time_s", "stderr",
    }  # fmt: skip
    assert set(values["requires"]) == {"cross_talk", "phase_drift", "calibration", "rin"}
    assert values["requires"]["rin"] is None, "it shakes no coupling"
    assert (tmp_path / "plan.png").stat().st_size > 5000
    assert json.loads((tmp_path / "plan.json").read_text("ascii")) == values


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--parameter", "foo"], "known: omega_1"),
        (["--significance", "-1"], "significance must lie in"),
        (["--release-time", "0"], "release_time must lie in"),
        (["--efficiency", "3"], "efficiency must lie in"),
        (["--set", "tweezers.0.phase=1.5707963 rad", "--rig", "delic-2019"], "tweezers|pair"),
    ],
)
def test_nonsense_is_refused_in_one_line(arguments, message):
    with pytest.raises(InputError, match=message):
        invoke(["plan", "reheating", "--rig", "simulated-pair", "--no-search", *arguments])


def test_forecast_of_a_spectrum_is_the_error_that_a_fit_of_it_states():
    """Cooled by its loops, 0.25 s at 1 MS/s; D_jj hold the noise of the loops."""
    trap = ob.load_trap("simulated-pair")
    values, cooling = pair_values(trap, 0.3, GAMMA)
    cooled = cooling.cooled(values)
    z = record(model_pair(cooled), 250_000, 1e6, np.random.default_rng(8))
    csd = csd_of(z, 1e6, 1 << 13)
    fit = ob.fit_pair(csd, band=(22e3, 85e3))
    for name in ("re_D12", "g_a", "D11", "omega_1"):
        plan = ob.forecast_spectrum(
            trap, 0.3, 1e6, parameter=name, damping=GAMMA, search=False, significance=5.0
        )
        for one in plan.estimators.values():
            expected = one.stderr * math.sqrt(one.measuring_time / 0.25)
            assert fit.stderr(name) == pytest.approx(expected, rel=0.2), name
    assert plan.value == pytest.approx(cooled["omega_1"])


def test_the_command_plans_spectra(capsys):
    arguments = ["plan", "spectrum", "--rig", "simulated-pair", "--no-search"]
    assert invoke([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["estimators"]) == {"wishart", "exact"}
    assert found["estimators"]["exact"]["release_time"] is None
    assert found["estimators"]["wishart"]["measuring_time_s"] == pytest.approx(0.13, rel=0.3)
    assert invoke(arguments) == 0
    assert "feedback on" in capsys.readouterr().out
    with pytest.raises(InputError, match="cannot be planned for; known: omega_1"):
        invoke([*arguments, "--parameter", "gamma_1"])
