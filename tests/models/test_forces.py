import math

import numpy as np
import pytest

from optobind.models.array import TrapArray
from optobind.models.constants import EPSILON_0, SPEED_OF_LIGHT
from optobind.models.forces import one_body_force
from optobind.models.green import green, imaginary_green
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer, total_field

POLARIZATIONS = [(0, 1), (1, 0), (0.6, 0.8j)]


def _tilted(polarization, charge=0.0, correction=False):
    spheres = (
        Sphere(8e-8, charge=charge),
        Sphere(1e-7, index=1.6, charge=2 * charge),
        Sphere(6e-8),
    )
    places = ((0, 0, 0), (1.9e-6, 4e-7, 2e-7), (3.7e-6, -3e-7, -1e-7))
    beams = tuple(
        Tweezer(place, 0.1 + 0.05 * j, 7e-7, 8e-7, 0.5 * j, polarization)
        for j, place in enumerate(places)
    )
    return TrapArray(spheres, beams, radiative_correction=correction)


def _places(array):
    return array.foci + np.random.default_rng(2).uniform(-2e-7, 2e-7, (len(array.spheres), 3))


def _letter_force(array, places, j, central_difference):
    """Eq. (1) by differences over r_1 alone, summed over partners."""
    alpha, k = array.polarizabilities, array.k
    field = array.field(places).value[0]
    total = np.zeros(3)
    for other in range(len(places)):
        if other == j:
            continue

        def energy(r, other=other):
            bra = total_field(array.tweezers, r[None], k).value[0, 0].conj()
            return (bra @ green(r - places[other], k).value @ field[other]).real

        strength = (alpha[j] * alpha[other]).real / (2 * EPSILON_0)
        total += strength * central_difference(energy, places[j], 2e-9)
    return total


@pytest.mark.parametrize("polarization", POLARIZATIONS)
def test_binding_force_is_the_derivative_in_equation_1(polarization, central_difference):
    array = _tilted(polarization)
    places = _places(array)
    binding = array.forces(places)
    for j, place in enumerate(places):
        own = _one_body(array, j, place)
        expected = _letter_force(array, places, j, central_difference)
        assert np.abs(binding[j] - own - expected).max() < 1e-6 * np.abs(expected).max()


def _one_body(array, j, place):
    """Gradient and scattering force from the field and its derivative."""
    alpha, k = array.spheres[j].polarizability, array.k
    field = total_field(array.tweezers, place[None], k)
    product = field.first[0, 0] @ field.value[0, 0].conj()
    scattering = alpha**2 * k**3 / (12 * math.pi * EPSILON_0)
    return 0.5 * alpha * product.real + scattering * product.imag


@pytest.mark.parametrize("polarization", POLARIZATIONS)
def test_gradient_force_is_minus_the_gradient_of_equation_3(polarization, central_difference):
    array = _tilted(polarization)
    k = array.k
    for sphere, place in zip(array.spheres, _places(array), strict=True):
        alpha = sphere.polarizability

        def potential(r, alpha=alpha):
            value = total_field(array.tweezers, r[None], k).value[0, 0]
            return -0.25 * alpha * np.vdot(value, value).real

        field = total_field(array.tweezers, place[None], k)
        force = one_body_force(np.array([alpha + 0j]), field, k)[0]
        product = field.first[0, 0] @ field.value[0, 0].conj()
        pressure = alpha**2 * k**3 / (12 * math.pi * EPSILON_0) * product.imag
        expected = -central_difference(potential, place, 2e-9)
        assert np.abs(force - pressure - expected).max() < 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize("polarization", POLARIZATIONS)
def test_binding_is_equation_4_and_the_interference_of_the_scattered_light(
    polarization, central_difference
):
    # V_opt carries Re G, the jump operators of Eq. (5) the closed form of Im G; both together are
    # the force with the whole G.
    array = _tilted(polarization)
    places, k = _places(array), array.k
    alpha = array.polarizabilities
    count = len(places)

    def field(r):
        return total_field(array.tweezers, r[None], k).value[0, 0]

    def potential(positions):
        total = 0.0
        for j in range(count):
            for other in set(range(count)) - {j}:
                real = green(positions[j] - positions[other], k).value.real
                product = field(positions[other]).conj() @ real @ field(positions[j])
                total -= (alpha[j] * alpha[other] * product).real / (4 * EPSILON_0)
        return total

    force = array.forces(places)
    for j, place in enumerate(places):

        def energy(r, j=j):
            moved = places.copy()
            moved[j] = r
            return potential(moved)

        def interference(r, j=j):
            total = 0.0
            for other in set(range(count)) - {j}:
                scattered = imaginary_green(r - places[other], k).value @ field(places[other])
                product = 1j * field(r).conj() @ scattered
                total += (alpha[j] * alpha[other] * product).real / (2 * EPSILON_0)
            return total

        expected = central_difference(interference, place, 2e-9)
        expected = expected - central_difference(energy, place, 2e-9)
        found = force[j] - _one_body(array, j, place)
        assert np.abs(found - expected).max() < 1e-6 * np.abs(expected).max()


@pytest.mark.parametrize("polarization", POLARIZATIONS)
@pytest.mark.parametrize(("charge", "correction"), [(0.0, False), (1.6e-17, False), (0.0, True)])
def test_stiffness_is_minus_the_derivative_of_the_force(
    polarization, charge, correction, central_difference
):
    array = _tilted(polarization, charge, correction)
    places = _places(array)
    jacobian = central_difference(array.forces, places, 2e-9)  # (l, b, j, a)
    expected = -jacobian.transpose(2, 3, 0, 1).reshape(9, 9)
    found = array.stiffness(places)
    assert np.abs(found - expected).max() < 1e-8 * np.abs(expected).max()
    # Every block on its own: the couplings are a thousand times smaller than the trap.
    for j in range(3):
        for other in range(3):
            block = np.s_[3 * j : 3 * j + 3, 3 * other : 3 * other + 3]
            error = np.abs(found[block] - expected[block]).max()
            assert error < 1e-6 * np.abs(expected[block]).max()


def test_scattering_force_at_the_focus_is_radiation_pressure():
    sphere, k = Sphere(1e-7), 2 * math.pi / 1064e-9
    beam = Tweezer((0, 0, 0), 0.1, 2e-5, 2e-5)
    array = TrapArray((sphere,), (beam,))
    cross_section = k**4 * sphere.polarizability**2 / (6 * math.pi * EPSILON_0**2)
    intensity = 2 * 0.1 / (math.pi * 4e-10)
    force = array.forces([[0, 0, 0]])[0]
    pressure = intensity * cross_section / SPEED_OF_LIGHT
    assert force[2] == pytest.approx(pressure * beam.propagation_factor(k), rel=1e-9)


def test_radiative_correction_counts_the_scattering_force_once():
    beam = Tweezer((0, 0, 0), 0.1, 7e-7, 7e-7)
    sphere = Sphere(1.2e-7)
    plain = TrapArray((sphere,), (beam,)).forces([[0, 0, 0]])[0, 2]
    corrected = TrapArray((sphere,), (beam,), radiative_correction=True)
    ratio = abs(corrected.polarizabilities[0] / sphere.polarizability) ** 2
    assert corrected.forces([[0, 0, 0]])[0, 2] == pytest.approx(ratio * plain, rel=1e-12)


def test_complex_polarizability_gives_the_force_on_the_induced_dipoles(central_difference):
    # F_a = ½Re[p*·∂_aE] with p_1 = α_1(E_1 + Gα_2E_2/ε0), to first order in G.
    array = _tilted((0.6, 0.8j), correction=True)
    array = TrapArray(array.spheres[:2], array.tweezers[:2], radiative_correction=True)
    places = _places(array)
    alpha, k = array.polarizabilities, array.k
    dipole = alpha[1] * array.field(places).value[0, 1]

    def incoming(r):
        return total_field(array.tweezers, r[None], k).value[0, 0]

    def scattered(r):
        return green(r - places[1], k).value @ dipole / EPSILON_0

    own, slope = incoming(places[0]), central_difference(incoming, places[0], 2e-9)
    other, other_slope = scattered(places[0]), central_difference(scattered, places[0], 2e-9)
    expected = 0.5 * (alpha[0].conj() * (other_slope @ own.conj() + slope @ other.conj())).real
    alone = 0.5 * (alpha[0].conj() * slope @ own.conj()).real
    # ½Re[α*E*·∂E] holds gradient and scattering force: Im α is the recoil.
    found = array.forces(places)[0] - alone
    assert np.abs(found - expected).max() < 1e-6 * np.abs(expected).max()


def test_fast_beats_switch_the_binding_off(make_pair):
    array = make_pair()
    still, moving = (
        TrapArray(
            array.spheres,
            (
                array.tweezers[0],
                Tweezer(array.tweezers[1].position, 0.17, 8e-7, 8e-7, detuning=detuning),
            ),
        )
        for detuning in (0.0, 5e6)
    )
    bound = still.pair_constants("focus").constants
    free = moving.pair_constants("focus").constants
    assert abs(free.g_r) < 1e-3 * abs(bound.g_r)
    assert abs(free.re_D12) < 1e-3 * abs(bound.re_D12)
    assert free.D11 == pytest.approx(bound.D11, rel=1e-3)
