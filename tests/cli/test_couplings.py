"""``optobind couplings`` against independent reference values."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from .conftest import PAIR

REFERENCE = json.loads(
    (Path(__file__).parents[1] / "data" / "couplings.json").read_text(encoding="utf-8")
)
CASES = {case["name"]: case for case in REFERENCE["cases"]}


def complex_matrix(pairs):
    array = np.array(pairs)
    return array[..., 0] + 1j * array[..., 1]


@pytest.fixture
def rig_of(tmp_path):
    def write(name):
        path = tmp_path / f"{name}.toml"
        path.write_text(PAIR.format(**CASES[name]["inputs"]), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("at", ["equilibrium", "focus"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_couplings_agree_with_the_reference_to_1e_4(optobind, rig_of, name, at):
    expected = CASES[name][at]
    answer = optobind("couplings", "--rig", rig_of(name), "--at", at, "--json")
    assert answer.code == 0
    values = answer.json
    scale = max(abs(expected["g_r"]), abs(expected["g_a"]))
    assert values["exact"]["g_r"] == pytest.approx(expected["g_r"], abs=1e-4 * scale)
    assert values["exact"]["g_a"] == pytest.approx(expected["g_a"], abs=1e-4 * scale)
    D = complex_matrix(expected["D"])
    found = complex_matrix(values["exact"]["D"])
    assert found.diagonal() == pytest.approx(D.diagonal(), rel=1e-5)
    assert found[0, 1] == pytest.approx(D[0, 1], abs=1e-4 * abs(D[0, 1]))
    assert found[1, 0] == found[0, 1].conjugate()
    for particle, omega, position in zip(
        values["particles"],
        (expected["omega_1"], expected["omega_2"]),
        expected["positions"],
        strict=True,
    ):
        assert particle["omega"] == pytest.approx(omega, rel=1e-4)
        assert particle["position"] == pytest.approx(position, abs=1e-10)
    assert values["kd"] == pytest.approx(CASES[name]["kd"], rel=1e-9)
    assert values["heating_rate_difference_percent"] == pytest.approx(
        200.0 * D[0, 1].real / D[0, 0].real, rel=1e-4
    )


def test_json_has_exactly_the_promised_keys(optobind):
    values = optobind("couplings", "--rig", "simulated-pair", "--json").json
    assert set(values) == {
        "at",
        "kd",
        "phi",
        "phi_local",
        "particles",
        "exact",
        "far_field",
        "regime",
        "heating_rate_difference_percent",
    }
    assert set(values["exact"]) == {"g_r", "g_a", "D"}
    assert set(values["far_field"]) == {"g_r", "g_a", "D", "G"}
    assert [set(p) for p in values["particles"]] == [{"omega", "position", "mass"}] * 2
    assert np.shape(values["exact"]["D"]) == (2, 2, 2)


def test_set_phase_is_wrapped_and_moves_with_a_setting(optobind):
    def phi(setting):
        return optobind(
            "couplings", "--rig", "simulated-pair", "--set", f"tweezers.0.phase={setting}", "--json"
        ).json["phi"]

    assert phi("60 deg") == pytest.approx(math.pi / 3.0)
    assert phi("420 deg") == pytest.approx(math.pi / 3.0)
    assert phi("-60 deg") == pytest.approx(-math.pi / 3.0)


def test_table_shows_rates_in_hertz(optobind):
    answer = optobind("couplings", "--rig", "simulated-pair")
    values = optobind("couplings", "--rig", "simulated-pair", "--json").json
    assert answer.code == 0
    assert f"{values['exact']['g_r'] / (2 * math.pi):.2f}" in answer.out
    assert "in Hz" in answer.out


def test_pair_one_behind_the_other_has_no_far_field(optobind):
    settings = ['tweezers.1.position=["1 um", "0 um", "40 um"]']
    answer = optobind("couplings", "--rig", "simulated-pair", "--set", settings[0], "--json")
    assert answer.code == 0
    assert answer.json["far_field"] is None
    assert "not side by side" in answer.err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["particles.0.radius=-85 nm"], "must lie in 5 nm"),
        (["particles.0.radius=3 um", "particles.1.radius=3 um"], ""),
        (["tweezers.0.power=1 uW"], "no equilibrium"),
        (['tweezers.1.position=["0.1 um", "0 um", "0 um"]'], ""),
        (["particles.0.density=1 kg/m^3"], "100 kg/m^3"),
        (["plan.duration=1 s"], "addresses a plan"),
        (["wavelength=532 nm", "tweezers.0.waist_x=0.11 um"], "quarter wavelength"),
    ],
)
def test_physics_that_does_not_work_is_told_in_one_line(optobind, settings, message):
    arguments = [part for setting in settings for part in ("--set", setting)]
    answer = optobind("couplings", "--rig", "simulated-pair", *arguments, "--json")
    assert answer.is_one_line_error(2), answer
    assert message in answer.err


def test_single_particle_has_no_couplings(optobind):
    assert optobind("couplings", "--rig", "delic-2019").is_one_line_error(2)
