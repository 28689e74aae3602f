import numpy as np
import pytest

from optobind.models.constants import EPSILON_0
from optobind.models.coulomb import coulomb_couplings, coulomb_force, coulomb_stiffness
from optobind.models.errors import InputError

CHARGES = np.array([3e-18, -1.5e-18, 4e-18])
PLACES = np.array([[0, 0, 0], [3e-6, 1e-7, -2e-7], [5e-6, -4e-7, 3e-7]])


def test_two_charges_feel_coulombs_law_and_obey_newtons_third():
    force = coulomb_force(np.array([1e-18, 2e-18]), np.array([[0, 0, 0], [2e-6, 0, 0]]))
    expected = 2e-36 / (4 * np.pi * EPSILON_0 * 4e-12)
    assert force == pytest.approx(np.array([[-expected, 0, 0], [expected, 0, 0]]))


def test_stiffness_is_minus_the_derivative_and_symmetric(central_difference):
    jacobian = central_difference(lambda r: coulomb_force(CHARGES, r), PLACES, 3e-9)
    expected = -jacobian.transpose(2, 3, 0, 1)
    found = coulomb_stiffness(CHARGES, PLACES)
    assert np.abs(found - expected).max() < 1e-9 * np.abs(expected).max()
    square = found.reshape(9, 9)
    assert np.allclose(square, square.T, rtol=1e-12, atol=0)


def test_charges_add_the_stated_couplings_to_the_pair(make_pair):
    charges = (5e-18, -3e-18)
    options = {"radii": (6e-8, 8e-8), "kd": 30.0}
    plain = make_pair(**options).pair_constants("focus")
    charged = make_pair(charges=charges, **options).pair_constants("focus")
    distance = 30.0 / make_pair().k
    expected = coulomb_couplings(charges, plain.masses, plain.constants.omega, distance)
    change = (
        charged.constants.g_r - plain.constants.g_r,
        charged.constants.shift_1 - plain.constants.shift_1,
        charged.constants.shift_2 - plain.constants.shift_2,
    )
    assert change == pytest.approx(expected, rel=1e-6)
    assert expected[0] > 0  # opposite charges: a negative product
    assert charged.constants.g_a == pytest.approx(plain.constants.g_a, rel=1e-9)
    assert np.array_equal(charged.D, plain.D)


def test_coulomb_part_does_not_depend_on_the_phase(make_pair):
    parts = []
    for phi in (0.0, 1.0, 2.5):
        plain = make_pair(phi=phi).pair_constants("focus").constants
        charged = make_pair(phi=phi, charges=(5e-18, 5e-18)).pair_constants("focus").constants
        parts.append(charged.g_r - plain.g_r)
    assert parts == pytest.approx([parts[0]] * 3, rel=1e-4)
    assert parts[0] < 0


def test_couplings_need_positive_masses_and_distance():
    with pytest.raises(InputError, match="must be positive"):
        coulomb_couplings((1e-18, 1e-18), (1e-18, 1e-18), 1e5, 0.0)
