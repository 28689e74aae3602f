import cmath
import math

import numpy as np
import pytest

from optobind.models.errors import InputError, UnstableModelError
from optobind.models.pair import PairConstants
from optobind.theory.quantum.cavity import ScatteringCavity
from optobind.theory.quantum.conditional import conditional_steady_state
from optobind.theory.quantum.entanglement import (
    log_negativity,
    occupation,
    purity,
    reduced_state,
)
from optobind.theory.quantum.evolution import evolve
from optobind.theory.quantum.separability import separability
from optobind.theory.quantum.states import product_state, squeezed_state, vacuum_state

PAIR = PairConstants(1.0, 0.05, 0.02, 0.01, 0.05, 0.04, 0.005)
QUIET = PairConstants(1.0, 0.05, 0.0, 0.0, 1e-4, 1e-4, 0.0)
START = product_state(squeezed_state(0.3), squeezed_state(0.2, 0.4))


def _fast_cavity(ratio, phase=0.5):
    """A cavity faster than the particles by ``ratio`` with the same mediated couplings."""
    root = math.sqrt(ratio)
    return ScatteringCavity(ratio, 0.5 * ratio, (0.1 * root, 0.08 * root * cmath.exp(1j * phase)))


def _difference(ratio):
    """Full model against the pair with the cavity eliminated."""
    cavity, times = _fast_cavity(ratio), np.linspace(1.0, 8.0, 8)
    full = evolve(cavity.to_linear(PAIR), product_state(START, vacuum_state(1)), times)
    pair = evolve(cavity.adiabatic_pair(PAIR), START, times)
    return np.abs(full[:, :4, :4] - pair).max()


def test_elimination_of_a_fast_cavity_leaves_an_error_of_one_over_its_speed():
    slow, fast = _difference(50.0), _difference(200.0)
    assert fast < 1e-3
    assert slow / fast == pytest.approx(4.0, rel=0.1)


def test_mediated_couplings_are_those_of_equation_7():
    cavity, omega = _fast_cavity(10.0), 1.0
    g1, g2 = cavity.couplings
    # Static response of the mode, from its equation of motion: a = −i√2 Σ g_jz_j/(iΔ + κ/2).
    follow = -1j * math.sqrt(2) / (1j * cavity.detuning + 0.5 * cavity.linewidth)

    def force(on, by):
        # F_j = −√2(g_j a† + g_j* a) per unit of z_l.
        return -2 * math.sqrt(2) * (on.conjugate() * follow * by).real

    pair = cavity.adiabatic_pair(PairConstants(omega, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert 2 * (pair.g_r + pair.g_a) == pytest.approx(force(g1, g2))
    assert 2 * (pair.g_r - pair.g_a) == pytest.approx(force(g2, g1))
    assert -2 * pair.shifts[0] == pytest.approx(force(g1, g1))
    assert -2 * pair.shifts[1] == pytest.approx(force(g2, g2))
    # One channel: √κ a with rank one.
    assert pair.D11 * pair.D22 == pytest.approx(pair.re_D12**2 + pair.g_a**2)
    assert pair.g_a == pytest.approx(cavity.diffusion[0, 1].imag)


def test_in_phase_particles_couple_at_twice_the_product_of_their_rates():
    cavity = ScatteringCavity(3.0, 2.0, (0.2, 0.1))
    assert cavity.reciprocal_coupling == pytest.approx(2 * 0.2 * 0.1 * 3.0 / (9.0 + 1.0))
    assert cavity.adiabatic_pair(PAIR).g_a == PAIR.g_a


@pytest.mark.parametrize(
    "cavity",
    [
        ScatteringCavity(1.0, 0.5, (0.004, 0.003)),
        ScatteringCavity(5.0, 1.0, (0.05, 0.03j)),
        ScatteringCavity(0.4, 4.0, (0.02, 0.015)),
        ScatteringCavity(-2.0, 1.0, (0.02, 0.01)),
    ],
)
def test_cooling_rates_are_the_widths_of_the_full_model(cavity):
    # Far enough apart in frequency that the two particles do not share a mode.
    pair = PairConstants(1.0, 0.4, 0.0, 0.0, 1e-4, 1e-4, 0.0)
    values = cavity.to_linear(pair).eigenvalues
    for omega, index in zip(pair.bare_frequencies, (0, 1), strict=True):
        nearest = values[np.argmin(np.abs(values - 1j * omega))]
        expected = cavity.cooling_rates(omega)[index]
        # ω_j²/ω in place of ω_j: the coupling z scales with √(ω/ω_j), the rate with ω/ω_j.
        assert -2 * nearest.real == pytest.approx(expected * pair.omega / omega, rel=0.02)


def test_optical_springs_are_the_shifts_of_the_lines():
    cavity = _fast_cavity(300.0, phase=0.0)
    pair = PairConstants(1.0, 0.4, 0.0, 0.0, 1e-4, 1e-4, 0.0)
    lines = cavity.adiabatic_pair(pair)
    found = np.sort(np.abs(cavity.to_linear(pair).eigenvalues.imag))[::2][:2]
    expected = np.sort(np.abs(lines.to_linear().eigenvalues.imag))[::2]
    assert np.allclose(found, expected, atol=2e-4)
    assert cavity.spring_shifts[0] < -0.01


def test_cavity_alone_cools_to_its_minimum_occupation():
    cavity = ScatteringCavity(1.0, 0.2, (0.003, 0.003))
    # No recoil, and frequencies apart: each particle ends at A_+/(A_− − A_+).
    pair = PairConstants(1.0, 0.02, 0.0, 0.0, 0.0, 0.0, 0.0)
    state = cavity.to_linear(pair).steady_state()
    assert np.allclose(
        occupation(reduced_state(state, (0, 1))), cavity.minimum_occupation(1.0), rtol=0.1
    )
    assert cavity.minimum_occupation(1.0) == pytest.approx((0.2 / 4) ** 2, rel=0.01)


def test_the_dark_mode_of_equal_particles_is_not_cooled():
    cavity = ScatteringCavity(1.0, 0.5, (0.01, 0.01))
    equal = PairConstants(1.0, 0.0, 0.0, 0.0, 1e-4, 1e-4, 0.0)
    damped = PairConstants(1.0, 0.0, 0.0, 0.0, 1e-4, 1e-4, 0.0, gamma=(1e-6, 1e-6))
    state = cavity.to_linear(damped).steady_state()
    bright, dark = (occupation(state, (math.sqrt(0.5), s * math.sqrt(0.5), 0)) for s in (1, -1))
    assert bright < 1.0
    assert dark > 50.0
    assert cavity.to_linear(equal).growth_rate == pytest.approx(0.0, abs=1e-12)


def test_mediated_coupling_beyond_the_recoil_entangles():
    alone = PairConstants(1.0, 0.0, 0.01, 0.0, 0.02, 0.02, 0.0)
    cavity = ScatteringCavity(40.0, 4.0, (1.0, 1.0))
    pair = cavity.adiabatic_pair(alone)
    assert separability(alone).separable
    assert not separability(pair).separable
    # Stiffer local springs balance the cavity's: prepare the vacuum and look within a period.
    times = np.linspace(0.05, 3.0, 60)
    full = evolve(cavity.to_linear(alone), vacuum_state(3), times)
    assert log_negativity(reduced_state(full, (0, 1))).max() > 5e-3
    assert log_negativity(evolve(alone, vacuum_state(), times)).max() == 0.0


def test_detected_output_entangles_the_particles():
    cavity = ScatteringCavity(1.385, 0.722, (0.414, 0.414))
    pair = PairConstants(1.0, 0.15, 0.0, 0.0, 1.5e-4, 1.5e-4, 0.0)
    model = cavity.to_linear(pair)
    negativities = [
        float(
            log_negativity(
                reduced_state(conditional_steady_state(model, cavity.detection(eta, 0.73)), (0, 1))
            )
        )
        for eta in (0.1, 0.9, 1.0)
    ]
    assert negativities[0] == 0.0
    assert 0.2 < negativities[1] < negativities[2] < 0.25


def test_perfect_detection_of_a_cavity_without_other_losses_purifies():
    cavity = ScatteringCavity(1.4, 0.7, (0.2, 0.15 + 0.1j))
    pair = PairConstants(1.0, 0.1, 0.02, 0.0, 0.0, 0.0, 0.0)
    model = cavity.to_linear(pair)
    assert purity(conditional_steady_state(model, cavity.detection(1.0, 0.3))) == pytest.approx(1.0)
    partly = conditional_steady_state(model, cavity.detection(0.5, 0.3))
    assert purity(model.steady_state()) < purity(partly) < 1.0


def test_thermal_input_heats_and_cannot_be_a_vacuum_record():
    warm = ScatteringCavity(1.0, 0.5, (0.01, 0.008), input_occupation=2.0)
    cold = ScatteringCavity(1.0, 0.5, (0.01, 0.008))
    assert np.allclose(warm.to_linear(QUIET).noise[4:, 4:], 5 * cold.to_linear(QUIET).noise[4:, 4:])
    assert np.allclose(warm.diffusion.real, 5 * cold.diffusion.real)
    with pytest.raises(InputError, match="vacuum input, input_occupation is 2"):
        warm.detection(0.5)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: ScatteringCavity(1.0, 0.0, (0.1, 0.1)), InputError, "linewidth must lie in"),
        (lambda: ScatteringCavity(1.0, 1.0, (0.1,)), InputError, "couplings must be 2 numbers"),
        (lambda: ScatteringCavity(1.0, 1.0, (0.1, math.nan)), InputError, r"\|coupling\|"),
        (lambda: ScatteringCavity(1.0, 1.0, (0.1, 0.1), -1.0), InputError, "input_occupation"),
        (
            lambda: ScatteringCavity(-1.0, 1.0, (0.1, 0.1)).minimum_occupation(1.0),
            InputError,
            "cools only for detuning > 0, got -1 rad/s",
        ),
        (
            lambda: ScatteringCavity(-1.0, 1.0, (0.1, 0.1)).to_linear(QUIET).steady_state(),
            UnstableModelError,
            "the model is unstable",
        ),
        (
            lambda: ScatteringCavity(1.0, 1.0, (0.1, 0.1)).detection(1.1),
            InputError,
            "efficiency must lie in 0 … 1",
        ),
    ],
)
def test_bad_cavities_are_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()
