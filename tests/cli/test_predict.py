"""``optobind predict``: its numbers follow from the couplings by other routes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.linalg import solve_continuous_are

PHASE = 'tweezers.0.phase="1.1 rad"'


@pytest.fixture
def both(optobind):
    prediction = optobind("predict", "--rig", "simulated-pair", "--set", PHASE, "--json")
    couplings = optobind("couplings", "--rig", "simulated-pair", "--set", PHASE, "--json")
    assert prediction.code == couplings.code == 0, prediction.err
    return prediction.json, couplings.json


def test_prediction_agrees_with_the_couplings(both):
    values, couplings = both
    D = couplings["exact"]["D"]
    modes = values["modes"]
    assert modes["heating_common"] - modes["heating_differential"] == pytest.approx(
        2.0 * D[0][1][0]
    )
    assert modes["difference_percent"] == pytest.approx(
        couplings["heating_rate_difference_percent"]
    )
    for j, particle in enumerate(values["particles"]):
        assert particle["omega"] == pytest.approx(couplings["particles"][j]["omega"])
        assert particle["recoil_rate"] == pytest.approx(D[j][j][0])
    gas = sum(p["gas_rate"] for p in values["particles"])
    assert values["saturation_occupation"] == pytest.approx(
        (D[0][0][0] + D[1][1][0] + gas) / (4.0 * abs(couplings["exact"]["g_a"])) - 0.5
    )
    assert modes["heating_common"] + modes["heating_differential"] == pytest.approx(
        D[0][0][0] + D[1][1][0] + gas
    )


def _quantum(optobind, phase, pressure="0 Pa"):
    answer = optobind(
        "predict", "--rig", "simulated-pair", "--set", f'tweezers.0.phase="{phase} rad"',
        "--set", f'gas.pressure="{pressure}"', "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    return answer.json


def _sentences(optobind, phase, pressure="0 Pa"):
    return optobind(
        "predict", "--rig", "simulated-pair", "--set", f'tweezers.0.phase="{phase} rad"',
        "--set", f'gas.pressure="{pressure}"',
    ).out  # fmt: skip


RECIPROCAL, ANTIRECIPROCAL = 0.05, 1.1


def test_free_space_binding_does_not_entangle_and_says_what_would(optobind):
    entanglement = _quantum(optobind, RECIPROCAL)["entanglement"]
    assert not entanglement["possible"]
    assert entanglement["obstacle"] is None
    # D(1 − η) = coupling at the threshold; squeezed light with full overlap multiplies D by s.
    left = 1.0 - entanglement["efficiency_needed"]
    assert left * entanglement["recoil"] == pytest.approx(entanglement["coupling"])
    assert 10.0 ** (-0.1 * entanglement["squeezing_needed_db"]) == pytest.approx(left)
    # What is needed lies below what leaves D′_11D′_22 ≥ |D_12|², for both.
    assert entanglement["efficiency_needed"] < entanglement["efficiency_most"] < 1.0
    assert entanglement["squeezing_needed_db"] < entanglement["squeezing_most_db"]
    assert "dB of squeezed light" in _sentences(optobind, RECIPROCAL)


def test_moving_the_phase_in_free_space_does_not_squeeze(both):
    modulated = both[0]["modulated_phase"]
    assert not modulated["squeezes"]
    assert modulated["squeezed_variance"] == pytest.approx(0.5 * modulated["heating_over_coupling"])
    assert modulated["conditional_squeezed_variance"] < modulated["squeezed_variance"]


def test_remedies_that_an_antireciprocal_pair_cannot_have_are_not_offered(optobind):
    entanglement = _quantum(optobind, ANTIRECIPROCAL)["entanglement"]
    assert entanglement["obstacle"] == "interference"
    for name in ("efficiency_needed", "efficiency_most", "squeezing_needed_db"):
        assert entanglement[name] is None
    text = _sentences(optobind, ANTIRECIPROCAL)
    assert "neither detection nor squeezed light lifts this at |g_a| ≥ |g_r|" in text
    assert "dB" not in text


def test_remedies_count_the_gas_which_nobody_detects(optobind):
    clean = _quantum(optobind, RECIPROCAL)
    some, much = (_quantum(optobind, RECIPROCAL, p) for p in ("3e-8 Pa", "1e-4 Pa"))
    heating = clean["entanglement"]["recoil"] + some["particles"][0]["gas_rate"]
    assert some["entanglement"]["heating"] == pytest.approx(heating, rel=1e-2)
    assert some["entanglement"]["margin"] > clean["entanglement"]["margin"]
    assert some["entanglement"]["efficiency_needed"] > clean["entanglement"]["efficiency_needed"]
    assert much["entanglement"]["obstacle"] == "gas"
    assert much["entanglement"]["efficiency_needed"] is None
    assert "lower the pressure" in _sentences(optobind, RECIPROCAL, "1e-4 Pa")
    ratios = [v["modulated_phase"]["heating_over_coupling"] for v in (clean, some, much)]
    assert ratios[0] < ratios[1] < ratios[2]


def test_gas_and_recoil_are_equal_at_the_crossover_pressure(optobind, both):
    pressure = both[0]["particles"][0]["crossover_pressure"]
    answer = optobind(
        "predict", "--rig", "simulated-pair", "--set", PHASE,
        "--set", f'gas.pressure="{pressure} Pa"', "--json",
    )  # fmt: skip
    particle = answer.json["particles"][0]
    assert particle["gas_rate"] == pytest.approx(particle["recoil_rate"], rel=1e-3)


def test_narrow_cold_damping_reaches_the_efficiency_limit_without_gas(optobind):
    small = [
        option for j in (0, 1) for option in ("--set", f'particles.{j}.radius="25 nm"')
    ]  # fmt: skip
    answer = optobind(
        "predict", "--rig", "simulated-pair", "--set", 'gas.pressure="0 Pa"', *small,
        "--efficiency", "0.25", "--json",
    )  # fmt: skip
    particle = answer.json["particles"][0]
    # n + ½ = 1/(2√η) at the optimum without gas.
    assert particle["optimal_feedback_damping"] < 0.1 * particle["omega"]
    assert particle["cooled_occupation"] + 0.5 == pytest.approx(0.5 / math.sqrt(0.25), rel=1e-2)
    assert particle["uncooled_occupation"] is None


@pytest.mark.parametrize("efficiency", ["1e-5", "0.05", "0.3", "0.9", "0.999", "1"])
@pytest.mark.parametrize(
    ("rig", "pressure"),
    [
        ("simulated-pair", "0 Pa"),
        ("simulated-pair", "1e-3 Pa"),
        ("simulated-unidirectional", "1e-6 Pa"),
        ("delic-2019", "1e-4 Pa"),
    ],
)
def test_no_cold_damping_beats_the_conditional_state(optobind, rig, pressure, efficiency):
    answer = optobind(
        "predict", "--rig", rig, "--set", f'gas.pressure="{pressure}"', "--efficiency", efficiency,
        "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    particles, eta = answer.json["particles"], float(efficiency)
    omega = sum(particle["omega"] for particle in particles) / len(particles)
    for particle in particles:
        line = particle["line"]
        # The Riccati equation of one particle, in quanta of ω, by scipy.
        drift = np.array([[0.0, omega], [-(line**2) / omega, -particle["gamma"]]])
        heating = 2.0 * (particle["recoil_rate"] + particle["gas_rate"])
        learning = 8.0 * eta * particle["recoil_rate"]
        solution = solve_continuous_are(
            drift.T, np.diag([1.0, 0.0]), np.diag([0.0, heating]), np.diag([1.0 / learning, 1.0])
        )
        least = 0.5 * np.trace(solution) - 0.5
        assert particle["conditional_occupation"] >= least - 1e-6 * (1.0 + least)
        assert particle["cooled_occupation"] >= particle["conditional_occupation"]
        if len(particles) == 1:
            assert particle["conditional_occupation"] == pytest.approx(least, rel=1e-4, abs=1e-7)


def test_the_table_names_its_units(optobind):
    answer = optobind("predict", "--rig", "simulated-unidirectional")
    assert answer.code == 0
    for text in ("mbar", "(Hz)", "pm", "exceptional points", "conditional"):
        assert text in answer.out


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--efficiency", "2"], r"--efficiency must lie in 1e-06 … 1, got 2"),
        (["--efficiency", "nan"], "--efficiency must lie in"),
        (["--at", "moon"], "moon"),
    ],
)
def test_wrong_options_are_one_line(optobind, options, text):
    answer = optobind("predict", "--rig", "simulated-pair", *options)
    assert answer.is_one_line_error(2), answer
    assert text in answer.err


def test_spheres_beyond_the_dipole_are_warned_about(optobind):
    answer = optobind("predict", "--rig", "simulated-pair", "--set", 'particles.0.radius="110 nm"')
    assert answer.code == 0
    assert "particle 1: kR = 0.65: Mie theory gives" in answer.err
    assert "particle 2: kR" not in answer.err


def test_exceptional_points_are_those_of_the_true_lines(optobind):
    # Big spheres sit behind their foci: Eq. (9), and so Eq. (12), is wrong there.
    rig = ["--rig", "simulated-pair", "--set", 'tweezers.0.phase="2.0 rad"']
    for j in (0, 1):
        rig += ["--set", f'particles.{j}.radius="100 nm"', "--set", f'tweezers.{j}.power="0.2 W"']
    values = optobind("predict", *rig, "--json").json
    exact = optobind("couplings", *rig, "--json").json["exact"]
    low, high = values["exceptional_points"]["delta_omega"]
    root = math.sqrt(exact["g_a"] ** 2 - exact["g_r"] ** 2)
    assert high - low == pytest.approx(4.0 * root)
    lines = [p["line"] for p in values["particles"]]
    present = values["exceptional_points"]["present_delta_omega"]
    omega = 0.5 * sum(p["omega"] for p in values["particles"])
    split = lines[1] ** 2 - lines[0] ** 2
    assert split == pytest.approx(2.0 * omega * (present - 0.5 * (low + high)), rel=1e-6)
    grows = values["modes"]["growth_rate"] > 1.0
    assert values["exceptional_points"]["symmetry_broken"] == grows
    assert grows == (low < present < high)


def test_one_particle_is_predicted_without_what_needs_two(optobind):
    answer = optobind("predict", "--rig", "delic-2019", "--json")
    assert answer.code == 0, answer.err
    (particle,) = answer.json["particles"]
    assert particle["omega"] == pytest.approx(2.0 * math.pi * 38e3)
    assert answer.json["entanglement"] is None
    table = optobind("predict", "--rig", "delic-2019")
    assert "particle 1" in table.out
    assert "particle 2" not in table.out


def test_couplings_that_are_rounding_count_as_none(optobind):
    rig = ["--rig", "simulated-pair", "--at", "focus", "--set", 'tweezers.0.phase="0 rad"']
    answer = optobind("predict", *rig, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["saturation_occupation"] is None
    assert "no mode is damped" in optobind("predict", *rig).out


def test_feedback_that_is_not_narrow_is_flagged(optobind):
    answer = optobind("predict", "--rig", "simulated-pair")
    assert "particle 1: the best cold damping is" in answer.err
