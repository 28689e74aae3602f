import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optobind.models.errors import InputError
from optobind.models.gas import Gas
from optobind.models.sphere import Sphere
from optobind.theory.collective.chains import level_lines, linear_chain, ring
from optobind.theory.collective.modes import normal_modes
from optobind.theory.collective.network import CouplingNetwork
from optobind.theory.collective.skin import (
    amplification_per_site,
    bloch_band,
    bulk_hops,
    growth_per_site,
    hatano_nelson_frequencies,
    hatano_nelson_vectors,
    skin_effect,
    winding_number,
)

OMEGA = 2 * math.pi * 50e3
HOPS = [(3.0, 1.0), (-3.0, 1.0), (1.0, -2.5), (0.4, 0.4), (-1.0, -4.0)]


def _matrix(count, forward, backward, ring_too=False):
    matrix = -forward * np.eye(count, k=-1) - backward * np.eye(count, k=1)
    if ring_too:
        matrix[0, -1], matrix[-1, 0] = -forward, -backward
    return matrix


def _sorted(values):
    return values[np.lexsort((values.imag.round(9), values.real.round(9)))]


@pytest.mark.parametrize(("forward", "backward"), HOPS)
@pytest.mark.parametrize("closed", [False, True])
def test_frequencies_are_the_eigenvalues_of_the_chain(forward, backward, closed):
    found = hatano_nelson_frequencies(9, forward, backward, ring=closed)
    expected = np.linalg.eigvals(_matrix(9, forward, backward, closed))
    assert np.allclose(_sorted(found), _sorted(expected.astype(complex)), atol=1e-7)


@pytest.mark.parametrize(("forward", "backward"), HOPS)
def test_vectors_are_right_eigenvectors_and_grow_from_site_to_site(forward, backward):
    frequencies = hatano_nelson_frequencies(8, forward, backward)
    vectors = hatano_nelson_vectors(8, forward, backward)
    found = _matrix(8, forward, backward) @ vectors
    assert np.allclose(found, vectors * frequencies, atol=1e-12)
    # e^{κj} sin(πmj/9): the sine of m = 1 is symmetric, so the ends differ by e^{7κ}.
    ratio = abs(vectors[-1, 0] / vectors[0, 0])
    assert math.log(ratio) / 7 == pytest.approx(growth_per_site(forward, backward), abs=1e-9)


def _chain(count, forward, backward, gamma=10.0):
    g = -_matrix(count, forward, backward)
    return CouplingNetwork(
        np.full(count, OMEGA), g, np.zeros(count), np.eye(count), np.full(count, gamma)
    )


@pytest.mark.parametrize(("forward", "backward"), [(300, 200), (200, 300), (500, 100), (-9, 4)])
def test_right_vectors_of_an_open_chain_lean_on_one_end(forward, backward):
    modes = normal_modes(_chain(10, forward, backward).to_linear())
    skin = skin_effect(modes)
    expected = growth_per_site(forward, backward)
    assert skin.growth == pytest.approx(expected, rel=1e-6)  # full dynamics, exact
    assert skin.end == ("last" if expected > 0 else "first")
    # What moves there is excited from the other end.
    assert np.allclose(skin.left_profile, skin.profile[::-1], atol=1e-9)


def test_reciprocal_chains_and_rings_have_no_skin_effect():
    assert abs(skin_effect(normal_modes(_chain(10, 300, 300).to_linear())).growth) < 1e-9
    count = 9
    g = -_matrix(count, 300.0, 100.0, ring_too=True)
    closed = CouplingNetwork(
        np.full(count, OMEGA), g, np.zeros(count), np.eye(count), np.full(count, 500.0)
    )
    skin = skin_effect(normal_modes(closed.to_linear()))
    assert abs(skin.growth) < 1e-9
    assert skin.end == "none"
    assert np.allclose(skin.profile, 1 / count, atol=1e-9)


def test_ring_of_light_has_no_skin_effect_though_it_is_nonreciprocal():
    array = ring(Sphere(7e-8), 7, 2.5e-6, winding=1, gas=Gas(1.0))
    modes = normal_modes(array)
    network = CouplingNetwork.exact(array)
    assert abs(network.g[1, 0] - network.g[0, 1]) > 0.1 * abs(network.g[1, 0])
    assert skin_effect(modes).end == "none"
    assert abs(skin_effect(modes).growth) < 1e-3


def test_far_field_reaches_beyond_neighbours_and_breaks_the_skin_effect():
    # One-way neighbours (kd = 5.25π, π/4) have second neighbours of 1/2 in both directions.
    k = 2 * math.pi / 1064e-9
    array = linear_chain(Sphere(7e-8), 10, 5.2 * math.pi / k, phase_step=0.17 * math.pi)
    network = CouplingNetwork.exact(level_lines(array, "focus"), "focus")
    near = skin_effect(normal_modes(network.within(1).levelled().to_linear()))
    whole = skin_effect(normal_modes(network.levelled().to_linear()))
    forward, backward = bulk_hops(network, 1)
    assert near.growth == pytest.approx(growth_per_site(forward[0], backward[0]), rel=0.05)
    assert near.end == "last"
    assert abs(whole.growth) < 0.3 * near.growth


def test_winding_is_the_sign_of_the_nonreciprocity():
    assert winding_number(3.0, 1.0) == 1
    assert winding_number(1.0, 3.0) == -1
    assert winding_number(3.0, 1.0, reference=10.0) == 0
    assert winding_number([0.0, 2.0], [0.0, 1.0]) == 2
    with pytest.raises(InputError, match="passes through the reference"):
        winding_number(1.0, 1.0)


@given(
    forward=st.floats(0.1, 3.0),
    backward=st.floats(0.1, 3.0),
    gamma=st.floats(0.05, 3.0),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_chains_amplify_where_the_band_winds_around_the_drive(forward, backward, gamma):
    excess = forward - backward - gamma / 2
    if abs(excess) < 0.02 or abs(backward - forward - gamma / 2) < 0.02:
        return
    found = winding_number(forward, backward, 0.5j * gamma)
    assert (found == 1) == (excess > 0)
    assert (amplification_per_site(forward, backward, gamma) > 1) == (excess > 0)


def test_band_is_the_spectrum_of_a_long_ring():
    q = 2 * math.pi / 11 * np.arange(11)
    band = bloch_band(q, [1.0, 0.3], [0.5, -0.2])
    circulant = np.zeros((11, 11))
    for j in range(11):
        for n, (ahead, back) in enumerate(((1.0, 0.5), (0.3, -0.2)), start=1):
            circulant[(j + n) % 11, j] -= ahead
            circulant[j, (j + n) % 11] -= back
    expected = np.linalg.eigvals(circulant)
    assert np.allclose(_sorted(band), _sorted(expected), atol=1e-9)


def test_hops_are_the_diagonals_of_the_coupling():
    network = CouplingNetwork.chain(5, omega=OMEGA, kd=16.0, G=3e3, phase_step=0.3)
    forward, backward = bulk_hops(network, 2)
    assert forward[1] == pytest.approx(network.g[2, 0])
    assert backward[1] == pytest.approx(network.g[0, 2])
    with pytest.raises(InputError, match="reach must be a whole number in 1 … 4, got 5"):
        bulk_hops(network, 5)


def test_limits_of_growth():
    assert growth_per_site(1.0, 0.0) == math.inf
    assert growth_per_site(0.0, 1.0) == -math.inf
    assert growth_per_site(0.0, 0.0) == 0.0
    assert growth_per_site(-4.0, 1.0) == pytest.approx(math.log(2))
    with pytest.raises(InputError, match="exceptional point"):
        hatano_nelson_vectors(4, 1.0, 0.0)
    with pytest.raises(InputError, match="no finite response"):
        amplification_per_site(1.0, 0.0, 0.0)
    with pytest.raises(InputError, match="differ in shape"):
        bloch_band(0.1, [1.0], [1.0, 2.0])


def test_skin_effect_needs_particles_along_the_axis():
    modes = normal_modes(_chain(1, 0, 0).to_linear())
    with pytest.raises(InputError, match="needs two particles"):
        skin_effect(modes)
    with pytest.raises(InputError, match="axis must be one of 'z', got 'x'"):
        skin_effect(normal_modes(_chain(3, 1, 2).to_linear()), "x")
