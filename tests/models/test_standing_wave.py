"""Pairs in light from both sides: at an antinode the field has no slope along the beam, Λ = 0."""

import math

import numpy as np
import pytest

from optobind.models.coefficients import ArrayCoefficients
from optobind.models.constants import EPSILON_0, HBAR
from optobind.models.couplings import pair_constants
from optobind.models.farfield import far_field_couplings, noise_kernel
from optobind.models.mechanics import Mechanics
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer

K = 2 * math.pi / 1064e-9
SPHERE = Sphere(6e-8)
WAIST = 1.2e-6


def _light(kd, phi, power=0.1):
    """Two sites of two opposed beams each; all four are in phase at the foci."""
    return tuple(
        Tweezer((x, 0, 0), power, WAIST, WAIST, phase, direction=direction)
        for x, phase in ((0.0, phi), (kd / K, 0.0))
        for direction in (1, -1)
    )


def _mechanics(kd, phi):
    alpha = np.full(2, complex(SPHERE.polarizability))
    return Mechanics(_light(kd, phi), alpha, np.zeros(2), K)


def _places(kd):
    return np.array([[0, 0, 0], [kd / K, 0, 0]])


def _constants(kd, phi):
    mechanics, places = _mechanics(kd, phi), _places(kd)
    alone = mechanics.alone(places)
    masses = np.full(2, SPHERE.mass)
    parts = ArrayCoefficients(
        masses=masses,
        omegas=np.sqrt(alone[:, 2, 2] / masses),
        alone=alone,
        stiffness=mechanics.stiffness(places),
        diffusion=mechanics.diffusion(places).reshape(2, 3, 2, 3),
        gamma=np.zeros(2),
    )
    return pair_constants(parts, (0, 1))


def _scale(omega):
    """G_0 for the amplitude of both beams together."""
    amplitude = 2 * _light(10.0, 0.0)[0].focus_amplitude
    strength = SPHERE.polarizability**2 * amplitude**2 * K**5
    return strength / (16 * math.pi * EPSILON_0 * SPHERE.mass * omega)


def test_antinode_has_no_scattering_push_and_a_trap_of_half_a_wave():
    mechanics, places = _mechanics(400.0, 0.7), _places(400.0)
    single = mechanics.forces(places, 0.0)
    one_beam = Mechanics(_light(400.0, 0.7)[:1], mechanics.polarizabilities[:1], np.zeros(1), K)
    push = one_beam.forces(places[:1], 0.0)[0, 2]
    assert np.abs(single[:, 2]).max() < 1e-9 * push
    # E ∝ cos(kAz): the stiffness is 2k²A²·α|E|²/4 and more by the divergence of the beam.
    stiffness = mechanics.alone(places)[0, 2, 2]
    amplitude = 2 * _light(400.0, 0.7)[0].focus_amplitude
    expected = 0.5 * SPHERE.polarizability * amplitude**2 * K**2
    assert stiffness == pytest.approx(expected, rel=0.2)


def test_recoil_at_the_antinode_is_two_fifths_without_the_term_of_the_phase():
    constants, diffusion = _constants(400.0, 0.7)
    G = _scale(constants.omega)
    assert constants.D11 == pytest.approx(0.4 * G / 1.5, rel=1e-6)
    factors = _mechanics(400.0, 0.7).diffusion(_places(400.0))
    mean = SPHERE.polarizability**2 * (2 * _light(1.0, 0)[0].focus_amplitude) ** 2
    scale = HBAR * K**5 * mean / (24 * math.pi * EPSILON_0)
    assert np.diag(factors).real[:3] / scale == pytest.approx([0.4, 0.2, 0.4], rel=1e-6)
    assert abs(diffusion[0, 1]) < constants.D11


def test_running_wave_with_the_same_amplitude_heats_by_the_factor_more():
    constants, _ = _constants(400.0, 0.0)
    beam = Tweezer((0, 0, 0), 0.4, WAIST, WAIST)  # twice the amplitude: the same |E|²
    lone = Mechanics((beam,), np.full(1, complex(SPHERE.polarizability)), np.zeros(1), K)
    running = lone.diffusion(np.zeros((1, 3)))[2, 2].real / (HBAR * SPHERE.mass * constants.omega)
    factor = beam.propagation_factor(K) ** 2
    assert running / constants.D11 == pytest.approx((factor + 0.4) / 0.4, rel=1e-6)


@pytest.mark.parametrize("phi", [0.0, 0.9, -2.0])
def test_what_is_left_of_the_coupling_falls_as_the_square_of_the_distance(phi):
    # −∂_z²G ≈ −∂_dG/d: g_r ± g_a = (G_0/(kd)²) sin(kd ∓ φ), reciprocal and not.
    for kd, tolerance in ((400.3, 0.01), (4000.9, 0.001)):
        constants, diffusion = _constants(kd, phi)
        rate = _scale(constants.omega) / kd**2
        plus, minus = constants.g_r + constants.g_a, constants.g_r - constants.g_a
        assert plus == pytest.approx(rate * math.sin(kd - phi), abs=tolerance * rate)
        assert minus == pytest.approx(rate * math.sin(kd + phi), abs=tolerance * rate)
        # A running wave couples kd times as strongly.
        assert abs(plus) < 2 / kd * _scale(constants.omega) / kd
        assert diffusion[0, 1].imag == pytest.approx(constants.g_a, abs=1e-9 * constants.D11)


@pytest.mark.parametrize("kd", [60.3, 200.0])
def test_noise_of_a_standing_wave_is_the_kernel_without_its_phase(kd):
    constants, diffusion = _constants(kd, 0.8)
    expected = constants.D11 * np.exp(0.8j) * float(noise_kernel(kd, 0.0))
    assert abs(diffusion[0, 1] - expected) < 1e-6 * constants.D11
    assert abs(diffusion[0, 1]) < 2 / kd * constants.D11


def test_far_field_formula_vanishes_with_the_slope():
    kd = 400.0
    mechanics, places = _mechanics(kd, 0.7), _places(kd)
    field = mechanics.field(places)
    masses = (SPHERE.mass, SPHERE.mass)
    far = far_field_couplings(field, mechanics.polarizabilities, places, masses, 3e5, K)
    assert max(map(abs, far.slopes)) < 1e-12
    assert abs(far.G) < 1e-20 * abs(far.D[0, 0])
    assert far.D[0, 0].real == pytest.approx(0.4 * _scale(3e5) / 1.5, rel=1e-6)


def test_a_quarter_wave_aside_the_light_couples_again():
    # Away from the antinode the slopes are imaginary and large: ∂_z cos kz.
    kd = 400.0
    mechanics, places = _mechanics(kd, 0.0), _places(kd)
    places[:, 2] += 0.125 * 2 * math.pi / K
    far = far_field_couplings(
        mechanics.field(places), mechanics.polarizabilities, places, (1e-18, 1e-18), 3e5, K
    )
    assert abs(far.slopes[0].imag) > 0.8
    assert abs(far.slopes[0].real) < 0.02
