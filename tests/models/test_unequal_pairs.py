"""Unequal masses and powers at once: one G for both directions, shifts as √(m_2/m_1)."""

import math

import numpy as np
import pytest

from optobind.models.constants import EPSILON_0


@pytest.mark.parametrize(
    ("radii", "powers"),
    [((6e-8, 9e-8), (0.1, 0.3)), ((9e-8, 6e-8), (0.1, 0.3)), ((7e-8, 7e-8), (0.05, 0.4))],
)
def test_unequal_masses_and_powers_share_one_G(make_pair, radii, powers):
    kd, phi = 2000.4, 0.7
    array = make_pair(radii=radii, powers=powers, kd=kd, phi=phi)
    pair = array.pair_constants("focus")
    constants, (one, two) = pair.constants, array.masses
    amplitudes = [beam.focus_amplitude for beam in array.tweezers]
    factor = array.tweezers[0].propagation_factor(array.k) ** 2
    alpha = np.prod([sphere.polarizability for sphere in array.spheres])
    G = alpha * np.prod(amplitudes) * array.k**5 * factor
    G /= 16 * math.pi * EPSILON_0 * math.sqrt(one * two) * constants.omega
    plus, minus = constants.g_r + constants.g_a, constants.g_r - constants.g_a
    assert plus == pytest.approx(G / kd * math.cos(kd - phi), rel=3e-3)
    assert minus == pytest.approx(G / kd * math.cos(kd + phi), rel=3e-3)
    # s_1 = √(m_2/m_1)(g_r + g_a), up to the curvature of the focus.
    flat = 1 + 1 / (math.sqrt(factor) * 0.5 * (array.k * 8e-7) ** 2) ** 2
    assert constants.shift_1 == pytest.approx(flat * math.sqrt(two / one) * plus, rel=3e-3)
    assert constants.shift_2 == pytest.approx(flat * math.sqrt(one / two) * minus, rel=3e-3)
    # Recoil of each by its own light: not √(P_1P_2).
    for rate, sphere, amplitude, mass in zip(
        (constants.D11, constants.D22), array.spheres, amplitudes, (one, two), strict=True
    ):
        own = sphere.polarizability**2 * amplitude**2 * array.k**5 * (factor + 0.4)
        expected = own / (24 * math.pi * EPSILON_0 * mass * constants.omega)
        assert rate == pytest.approx(expected, rel=1e-6)


def test_frequencies_scale_as_the_root_of_the_power_and_balance_detunes(make_pair):
    equal = make_pair(powers=(0.17, 0.17), kd=900.0).pair_constants("focus").constants
    heavy = make_pair(powers=(0.17, 0.68), kd=900.0).pair_constants("focus").constants
    assert heavy.bare_frequencies[1] == pytest.approx(2 * equal.bare_frequencies[1], rel=1e-6)
    slight = make_pair(powers=(0.168, 0.172), kd=900.0).pair_constants("focus").constants
    assert slight.delta_omega == pytest.approx(slight.omega * 0.004 / 0.34, rel=1e-3)
