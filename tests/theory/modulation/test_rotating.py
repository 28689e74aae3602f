import cmath
import math

import numpy as np
import pytest

from optobind.models.errors import InputError
from optobind.models.pair import PairConstants
from optobind.theory.modulation.drives import detuned, parametric, power_modulation
from optobind.theory.modulation.floquet import periodic_steady_state
from optobind.theory.modulation.pair_model import far_field_model, single_model
from optobind.theory.modulation.rotating import (
    effective_rates,
    far_field_harmonics,
    jacobi_anger,
    mean_lines,
    rotating_model,
)
from optobind.theory.modulation.waveform import Sinusoid

OMEGA = 2 * math.pi * 50e3


@pytest.mark.parametrize("kd", [5 * math.pi, 6 * math.pi, 6.3 * math.pi])
def test_phase_at_twice_the_frequency_is_equation_13(far_pair, kd):
    """H_r = (ħG/2kd) cos kd (a_−² + a_−†²) with a_− = (a_2 − a_1)/√2."""
    g = 0.01 * OMEGA * math.cos(kd)
    rates = effective_rates(far_pair(parametric(OMEGA), kd=kd), (OMEGA, OMEGA))
    # ȧ_− = −ig a_−†: in terms of the particles σ_j = −g/2 and λ = g/2 (g_a adds ∓(i/2) sin kd).
    side = 0.005 * OMEGA * math.sin(kd)
    assert rates.one_mode == pytest.approx(
        (-g / 2 - 1j * side, -g / 2 + 1j * side), abs=1e-9 * OMEGA
    )
    assert rates.two_mode == pytest.approx((g / 2 + 1j * side, g / 2 - 1j * side), abs=1e-9 * OMEGA)
    assert rates.beam_splitter == pytest.approx((0, 0), abs=1e-9 * OMEGA)
    assert rates.detunings == pytest.approx((0, 0), abs=1e-9 * OMEGA)
    slow = rotating_model(far_pair(parametric(OMEGA), kd=kd), (OMEGA, OMEGA))
    minus = np.kron([-1.0, 1.0], np.eye(2)) / math.sqrt(2)
    expected = np.array([[0.0, -g], [-g, 0.0]])  # Ẋ_− = −gY_−, Ẏ_− = −gX_−
    assert np.allclose(minus @ slow.drift @ minus.T, expected, atol=1e-9 * OMEGA)


def test_light_at_rest_is_the_dynamical_matrix_of_equation_11(omega):
    values = {"kd": 17.3, "G": 4e4, "D11": 6e4, "D22": 5e4, "delta_omega": 3e2}
    model = far_field_model(omega=omega, phi=0.7, **values)
    pair = PairConstants.far_field(omega=omega, phi=0.7, **values)
    frame = omega + pair.g_r
    rates = effective_rates(model, (frame, frame))
    matrix = pair.dynamical_matrix()
    # ȧ = −iHa: κ_12 = −H_12. Equal to O(g/ω, δω/ω).
    assert rates.beam_splitter == pytest.approx((-matrix[0, 1], -matrix[1, 0]), rel=0.02)
    assert rates.detunings == pytest.approx((matrix[0, 0], matrix[1, 1]), rel=0.01)
    assert rates.exchange == pytest.approx(cmath.sqrt(pair.g_r**2 - pair.g_a**2), rel=0.02)
    # With both lines at the scale it is exact.
    equal = far_field_model(omega=omega, phi=0.7, **{**values, "delta_omega": 0.0})
    lines = mean_lines(equal)
    exact = effective_rates(equal, (frame, frame)).beam_splitter[0]
    scaled = (pair.g_r + pair.g_a) * omega / math.sqrt(lines[0] * lines[1])
    assert exact == pytest.approx(scaled, rel=1e-9)


def test_harmonics_of_modulated_couplings_are_jacobi_angers(far_pair):
    """Every resonance of a phase modulation, against Fourier components of g_r ± g_a."""
    phi_0, beta, kd, split = 0.4, 1.3, 17.3, 0.06 * OMEGA
    rate = 0.002 * OMEGA
    plus, minus = far_field_harmonics(jacobi_anger(phi_0, beta, 4, 0.2), rate, kd)
    for order, kind in ((1, "beam"), (2, "beam"), (1, "two"), (2, "two"), (1, "one")):
        model = far_pair(
            Sinusoid(phi_0, beta, OMEGA, 0.2), coupling=0.002, kd=kd, delta_omega=split
        )
        lines = mean_lines(model)
        target = {"beam": lines[1] - lines[0], "two": lines.sum(), "one": 2 * lines[0]}[kind]
        frame = tuple(lines)
        rates = effective_rates(model.played_at(target / order / (2 * math.pi)), frame)
        scale = OMEGA / math.sqrt(lines[0] * lines[1])
        if kind == "beam":
            # e^{2πint/T} with 2πn/T = ω̃_2 − ω̃_1.
            expected = (plus[4 + order] * scale, minus[4 - order] * scale)
            assert rates.beam_splitter == pytest.approx(expected, rel=1e-6)
            assert rates.beam_splitter[1] == pytest.approx(minus[4 + order].conj() * scale)
        elif kind == "two":
            expected = (plus[4 - order] * scale, minus[4 - order] * scale)
            assert rates.two_mode == pytest.approx(expected, rel=1e-6)
        else:
            assert rates.one_mode[0] == pytest.approx(-plus[4 - order] * OMEGA / lines[0])


def test_harmonics_of_a_phase_modulation_sum_to_the_phase():
    times = np.linspace(0, 5, 7)
    found = jacobi_anger(0.4, 2.1, 30, 0.3)
    n = np.arange(-30, 31)
    series = np.exp(1j * np.outer(times, n) * 1.7) @ found
    assert series == pytest.approx(np.exp(1j * (0.4 + 2.1 * np.cos(1.7 * times + 0.3))))


def test_detuned_tones_swap_and_amplify_as_the_distance_tells(far_pair):
    """Δν = (ω̃_2 − ω̃_1)/2π: √(κ_12κ_21) = (G/2kd)e^{∓ikd}, unitary only at kd = nπ."""
    for kd in (6 * math.pi, 6.3 * math.pi, 5.5 * math.pi):
        model = far_pair(detuned(1.0, 0.8), coupling=0.002, kd=kd, delta_omega=0.05 * OMEGA)
        lines = mean_lines(model)
        played = model.played_at((lines[1] - lines[0]) / (2 * math.pi))
        exchange = effective_rates(played, tuple(lines)).exchange
        expected = 0.001 * OMEGA * cmath.exp(-1j * kd) * OMEGA / math.sqrt(lines[0] * lines[1])
        assert min(abs(exchange - expected), abs(exchange + expected)) < 1e-9 * OMEGA


def test_modulated_power_squeezes_one_mode_at_a_quarter_of_its_depth():
    model = far_field_model(
        omega=OMEGA,
        kd=17.3,
        G=0.0,
        D11=1.0,
        D22=1.0,
        phi=0.0,
        power_2=power_modulation(0.02, 2 * OMEGA, 0.6),
    )
    rates = effective_rates(model, (OMEGA, OMEGA))
    assert rates.one_mode[0] == pytest.approx(0.0, abs=1e-12 * OMEGA)
    assert rates.one_mode[1] == pytest.approx(-0.005 * OMEGA * cmath.exp(-0.6j), rel=1e-9)


def test_slow_model_has_the_periodic_state_of_the_full_one(far_pair):
    errors = []
    for coupling in (0.02, 0.01):
        model = far_pair(parametric(OMEGA, 0.3), coupling=coupling, kd=17.3, damping=3.0)
        slow = rotating_model(model, (OMEGA, OMEGA)).steady_state()
        full = periodic_steady_state(model, [0.0]).covariance[0]
        errors.append(np.abs(slow - full).max() / np.abs(full).max())
    assert errors[0] < 0.02
    assert errors[1] == pytest.approx(0.5 * errors[0], rel=0.15)  # O(g/ω)


def test_noise_correlations_follow_the_light_into_the_frame(far_pair):
    # D_12 = (G/kd) sin kd e^{iφ(t)}: with φ = 2ωt its normal part averages out, Re D_12 cos φ
    # leaves an anomalous one between X and Y.
    slow = rotating_model(far_pair(parametric(OMEGA), kd=5.5 * math.pi), (OMEGA, OMEGA))
    rate = 0.01 * OMEGA * math.sin(5.5 * math.pi)
    assert np.allclose(slow.noise[:2, :2], 0.015 * OMEGA * np.eye(2))
    expected = np.array([[-0.5, 0.0], [0.0, 0.5]]) * rate
    assert np.allclose(slow.noise[:2, 2:], expected, atol=1e-9 * OMEGA)
    still = rotating_model(far_pair(0.0, kd=5.5 * math.pi), (OMEGA, OMEGA))
    assert np.allclose(still.noise[:2, 2:], rate * np.eye(2), atol=1e-9 * OMEGA)


def test_frames_that_do_not_fit_are_refused(far_pair):
    model = far_pair(parametric(OMEGA))
    with pytest.raises(InputError, match="2 frame frequencies are needed, got "):
        rotating_model(model, (OMEGA,))
    with pytest.raises(InputError, match="frame must lie in"):
        rotating_model(model, (OMEGA, -1.0))
    with pytest.raises(InputError, match="rates are those of a pair, 4 states; the model has 2"):
        effective_rates(single_model(omega=OMEGA, D=1.0, power=1.0), (OMEGA, OMEGA))
    wave = Sinusoid(0.0, 1.0, OMEGA) + Sinusoid(0.0, 1.0, math.sqrt(2) * OMEGA)
    with pytest.raises(InputError, match="the light"):
        rotating_model(far_pair(wave), (OMEGA, OMEGA))
    anti = far_field_model(
        omega=OMEGA, kd=math.pi, G=2 * OMEGA * math.pi, D11=1.0, D22=1.0, phi=0.0
    )
    with pytest.raises(InputError, match="does not hold every particle"):
        mean_lines(anti)
