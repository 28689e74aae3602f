import math
from dataclasses import replace

import numpy as np
import pytest

from optobind.models.errors import InputError
from optobind.theory.quantum.conditional import conditional_evolution
from optobind.theory.quantum.entanglement import (
    COMMON,
    log_negativity,
    minimum_variance,
    occupation,
)
from optobind.theory.quantum.evolution import evolve
from optobind.theory.quantum.free_space import free_space_pair, reactive_kernel
from optobind.theory.quantum.homodyne import joint_detection
from optobind.theory.quantum.modulated import (
    at_twice_the_frequency,
    conditional_differential_variance,
    differential_variance,
    entanglement_window,
    modulated_log_negativity,
    modulated_pair,
    modulation_thresholds,
)
from optobind.theory.quantum.states import vacuum_state


def test_window_has_the_numbers_of_the_statement(statements):
    text = statements["modulated_phase"]["entanglement"]
    assert "maximum E_N 0.114 (log2) at g t = 0.75, gone at g t = 1.74" in text
    window = entanglement_window(0.4, 1.0)
    assert window.peak == pytest.approx(0.114, abs=5e-4)
    assert window.peak_time == pytest.approx(0.75, abs=5e-3)
    assert window.end_time == pytest.approx(1.74, abs=5e-3)


@pytest.mark.parametrize("ratio", [0.01, 0.2, 0.49, 0.4999])
def test_window_is_the_peak_and_the_end_of_the_formula(ratio):
    g = 3.0
    window = entanglement_window(ratio * g, -g)
    times = np.linspace(0, 1.2 * window.end_time, 200001)
    value = modulated_log_negativity(ratio * g, g, times)
    assert value.max() == pytest.approx(window.peak, rel=1e-4)
    assert times[value.argmax()] == pytest.approx(window.peak_time, rel=1e-2)
    assert times[np.flatnonzero(value)[-1]] == pytest.approx(window.end_time, rel=1e-3)


def test_vacua_become_entangled_only_below_half_the_coupling():
    times = np.linspace(0, 5, 2001)
    assert entanglement_window(0.5, 1.0) is None
    assert not modulated_log_negativity(0.5, 1.0, times).any()
    assert modulated_log_negativity(0.49, 1.0, times).any()
    just_below = modulation_thresholds(0.49, -1.0)
    assert just_below.entangles
    assert just_below.squeezes
    between = modulation_thresholds(0.7, 1.0)
    assert between.squeezes
    assert not between.entangles
    assert not modulation_thresholds(1.0, 1.0).squeezes


@pytest.mark.slow
def test_full_dynamics_entangles_as_the_statement_says(statements):
    assert "full dynamics 0.1165 at omega = 200 g" in statements["modulated_phase"]["entanglement"]
    times = np.concatenate([[0.3], np.linspace(0.74, 0.80, 61), [1.0, 1.6, 1.9]])
    moments = evolve(modulated_pair(omega=200.0, g=1.0, D=0.4), vacuum_state(), times, rtol=1e-5)
    value = log_negativity(moments)
    assert value[1:-3].max() == pytest.approx(0.1165, abs=2e-4)
    formula = modulated_log_negativity(0.4, 1.0, times)
    # Tolerance of the rotating wave, ~ g/ω.
    assert np.abs(value - formula).max() < 0.005
    assert value[-1] == 0.0


@pytest.mark.parametrize(("recoil", "entangled"), [(0.45, True), (0.56, False)])
def test_full_dynamics_of_vacua_has_its_threshold_at_half_the_coupling(recoil, entangled):
    # On times ≫ 1/ω: before, any D < g shows traces of the size g/ω.
    pair_at = modulated_pair(omega=100.0, g=1.0, D=recoil)
    moments = evolve(pair_at, vacuum_state(), np.linspace(0.2, 1.0, 9), rtol=1e-5)
    assert bool((log_negativity(moments) > 0).any()) is entangled


@pytest.mark.parametrize(
    ("g", "recoil"), [(1.0, 0.4), pytest.param(-1.0, 0.9, marks=pytest.mark.slow)]
)
def test_full_dynamics_squeezes_to_half_the_ratio_of_recoil_and_coupling(g, recoil):
    omega = 100.0
    times = 3.0 + np.linspace(0, math.pi / omega, 8)
    pair_at = modulated_pair(omega=omega, g=g, D=recoil)
    moments = evolve(pair_at, vacuum_state(), times, rtol=1e-5)
    expected = differential_variance(recoil, g, times)
    # Relative ripple ±1.3 g/ω.
    assert np.allclose(minimum_variance(moments), expected, rtol=2.0 / omega)
    assert np.allclose(expected, recoil / 2, rtol=0.01)
    assert minimum_variance(moments).max() < 0.5
    # The common mode only heats.
    assert np.allclose(occupation(moments, COMMON), recoil * times, rtol=0.02)


@pytest.mark.slow
def test_recoil_above_the_coupling_does_not_squeeze_below_the_vacuum():
    times = np.linspace(0.3, 2.0, 8)
    moments = evolve(modulated_pair(omega=100.0, g=1.0, D=1.1), vacuum_state(), times, rtol=1e-5)
    assert minimum_variance(moments).min() > 0.5


def test_phase_offset_turns_the_squeezed_quadrature_only():
    times = [0.0, 0.7]
    results = [
        minimum_variance(
            evolve(
                modulated_pair(omega=100.0, g=1.0, D=0.3, phase=phase),
                vacuum_state(),
                times,
                rtol=1e-5,
            )
        )[1]
        for phase in (0.0, 1.0)
    ]
    assert results[0] == pytest.approx(results[1], rel=0.03)


def test_free_space_light_at_n_pi_neither_squeezes_nor_entangles():
    kd = 6 * math.pi
    pair_at = at_twice_the_frequency(lambda phi: free_space_pair(omega=1.0, kd=kd, phi=phi, D=0.05))
    moments = evolve(pair_at, vacuum_state(), [1.0, 7.0, 30.0], rtol=1e-5)
    assert not log_negativity(moments).any()
    assert minimum_variance(moments).min() > 0.5
    thresholds = modulation_thresholds(1.0, float(reactive_kernel(kd)))
    assert not thresholds.squeezes
    assert thresholds.ratio == pytest.approx(kd * 1.4 / 1.5, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(("recoil", "eta"), [(1.5, 0.7), (4.0, 0.9)])
def test_conditional_squeezing_is_that_of_the_full_riccati_equation(recoil, eta):
    omega = 100.0 * recoil
    pair_at = modulated_pair(omega=omega, g=1.0, D=recoil)
    detection = joint_detection(pair_at(0.0), eta)
    times = 2.0 / recoil + np.linspace(0, math.pi / omega, 5)
    moments = conditional_evolution(pair_at, detection, vacuum_state(), times, rtol=1e-5)
    expected = conditional_differential_variance(recoil, 1.0, eta)
    assert minimum_variance(moments).mean() == pytest.approx(expected, rel=0.03)
    assert minimum_variance(moments, COMMON).mean() == pytest.approx(0.5 / math.sqrt(eta), rel=0.03)


@pytest.mark.slow
def test_gas_heats_the_squeezed_mode_but_is_not_detected():
    recoil, gas, eta, omega = 1.5, 0.9, 0.7, 150.0
    gamma = 1e-6

    def pair_at(time):
        rates = modulated_pair(omega=omega, g=1.0, D=recoil)(time)
        return replace(rates, gamma=(gamma, gamma), n_thermal=(gas / gamma, gas / gamma))

    detection = joint_detection(pair_at(0.0), eta)
    times = 2.0 / recoil + np.linspace(0, math.pi / omega, 5)
    moments = conditional_evolution(pair_at, detection, vacuum_state(), times, rtol=1e-5)
    expected = conditional_differential_variance(recoil, 1.0, eta, gas=gas)
    assert expected > 1.1 * conditional_differential_variance(recoil, 1.0, eta)
    assert minimum_variance(moments).mean() == pytest.approx(expected, rel=0.03)
    thresholds = modulation_thresholds(0.4, 1.0, 0.5, gas=0.2)
    assert thresholds.ratio == pytest.approx(0.6)
    assert not thresholds.entangles
    common = 0.5 * math.sqrt(0.6 / (0.5 * 0.4))
    differential = conditional_differential_variance(0.4, 1.0, 0.5, gas=0.2)
    assert thresholds.entangles_conditionally == (4.0 * differential * common < 1.0)


@pytest.mark.slow
@pytest.mark.parametrize(("eta", "entangled"), [(0.55, False), (0.75, True)])
def test_detection_makes_steady_entanglement_beyond_its_threshold(eta, entangled):
    # D(1 − η²) = g√η at η = 0.657 for D = 1.43 g.
    recoil, omega = 1.43, 100.0
    assert modulation_thresholds(recoil, 1.0, eta).entangles_conditionally is entangled
    pair_at = modulated_pair(omega=omega, g=1.0, D=recoil)
    detection = joint_detection(pair_at(0.0), eta)
    times = 2.0 + np.linspace(0, math.pi / omega, 4)
    moments = conditional_evolution(pair_at, detection, vacuum_state(), times, rtol=1e-5)
    product = 2 * minimum_variance(moments) * 2 * minimum_variance(moments, COMMON)
    assert (product.mean() < 1) is np.bool_(entangled)
    assert bool(log_negativity(moments).all()) is entangled


def test_conditional_variance_tends_to_the_unconditional_one():
    assert conditional_differential_variance(0.8, 1.0, 1e-9) == pytest.approx(0.4, rel=1e-6)
    # Perfect detection of an uncoupled mode ends in the vacuum.
    assert conditional_differential_variance(1e6, 1.0, 1.0) == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: entanglement_window(0.1, 0.0), "g must be finite and not zero, got 0 rad/s"),
        (lambda: entanglement_window(0.0, 1.0), "at least 1e-9 g"),
        (lambda: differential_variance(-1.0, 1.0), "D must lie in"),
        (lambda: conditional_differential_variance(1.0, 1.0, 0.0), "efficiency must lie in"),
        (lambda: modulation_thresholds(1.0, 1.0, 1.5), "efficiency must lie in 0 … 1"),
    ],
)
def test_values_out_of_range_are_refused(call, text):
    with pytest.raises(InputError, match=text):
        call()
