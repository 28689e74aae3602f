import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optobind.models.array import TrapArray
from optobind.models.constants import BOLTZMANN, HBAR
from optobind.models.errors import InputError
from optobind.models.gas import Gas
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer


@pytest.mark.parametrize("at", ["focus", "equilibrium"])
def test_pair_constants_match_the_reference(case, at):
    reference, array = case
    pair, expected = array.pair_constants(at), reference[at]
    diffusion = np.array(expected["D"]) @ [1, 1j]
    scale = max(abs(expected["g_r"]), abs(expected["g_a"]))
    assert pair.omegas == pytest.approx((expected["omega_1"], expected["omega_2"]), rel=1e-6)
    assert pair.constants.g_r == pytest.approx(expected["g_r"], abs=1e-4 * scale)
    assert pair.constants.g_a == pytest.approx(expected["g_a"], abs=1e-4 * scale)
    assert pair.constants.shifts == pytest.approx(expected["stiffness_shift"], rel=1e-5)
    assert np.abs(pair.D - diffusion).max() < 1e-5 * np.abs(diffusion).max()
    assert abs(pair.D[0, 1] - diffusion[0, 1]) < 1e-4 * abs(diffusion[0, 1])


@pytest.mark.parametrize("at", ["focus", "equilibrium"])
def test_linearised_array_is_the_model_of_its_pair_constants(make_pair, at):
    array = make_pair(
        radii=(6.5e-8, 8e-8), powers=(0.15, 0.2), gas=Gas(1e-4), charges=(3e-18, -2e-18)
    )
    model, expected = array.linearize(at), array.pair_constants(at).constants.to_linear()
    for name in ("drift", "noise", "output"):
        wanted = getattr(expected, name)
        assert np.allclose(getattr(model, name), wanted, rtol=1e-12, atol=1e-13 * abs(wanted).max())


@given(
    kd=st.floats(4.0, 60.0),
    phi=st.floats(-4.0, 4.0),
    angle=st.floats(0.0, 3.2),
    ratio=st.floats(0.6, 1.6),
    seed=st.integers(0, 1000),
)
@settings(max_examples=50, deadline=None, derandomize=True)
def test_antireciprocity_is_the_imaginary_diffusion(kd, phi, angle, ratio, seed):
    k = 2 * math.pi / 1064e-9
    polarization = (math.sin(angle), math.cos(angle))
    beams = tuple(
        Tweezer((x, 0, 0), 0.1, 7e-7, 8e-7, p, polarization) for x, p in ((0, phi), (kd / k, 0))
    )
    array = TrapArray((Sphere(7e-8), Sphere(7e-8 * ratio)), beams)
    shift = np.random.default_rng(seed).uniform(-1e-7, 1e-7, (2, 3))
    pair = array.pair_constants(array.foci + shift)
    assert pair.D[0, 1].imag == pytest.approx(pair.constants.g_a, abs=1e-10 * abs(pair.D[0, 0]))


def test_radiative_correction_breaks_the_identity_by_twice_its_angle(make_pair):
    array = make_pair(radii=(1e-7, 1e-7), radiative_correction=True, phi=1.2, kd=17.5)
    pair = array.pair_constants("focus")
    deviation = abs(pair.D[0, 1].imag - pair.constants.g_a)
    angle = 2 * np.angle(array.polarizabilities[0])
    size = math.hypot(pair.constants.g_r, pair.constants.g_a)
    assert 0 < deviation < 2 * angle * size


def test_gas_enters_with_the_occupation_at_the_common_scale(make_pair):
    gas = Gas(1.0, 300.0)
    array = make_pair(gas=gas)
    pair = array.pair_constants()
    constants = pair.constants
    assert constants.gamma[0] == pytest.approx(gas.damping_rate(array.spheres[0]))
    expected = BOLTZMANN * 300.0 / (HBAR * constants.omega)
    assert constants.n_thermal[1] + 0.5 == pytest.approx(expected, rel=1e-9)


def test_all_axes_hold_the_stiffness_in_units_of_the_common_scale(make_pair):
    array = make_pair(radii=(6.5e-8, 8e-8), gas=Gas(1e-2))
    model = array.linearize("equilibrium", "xyz")
    assert model.states == 12
    places = array.equilibrium()
    omega = array.axial_omegas(places).mean()
    masses = np.repeat(array.masses, 3)
    root = np.sqrt(np.outer(masses, masses)) * omega
    assert np.allclose(model.drift[1::2, 0::2], -array.stiffness(places) / root, rtol=1e-12)
    recoil = 2 * array.momentum_diffusion(places).real / (HBAR * root)
    thermal = model.noise[1::2, 1::2] - recoil
    assert np.allclose(np.diag(thermal)[:3], thermal[0, 0], rtol=1e-9)
    assert thermal[0, 0] > 0
    # The z states of the full model are those of the axial one.
    axial = array.linearize()
    kept = [4, 5, 10, 11]
    assert np.allclose(model.drift[np.ix_(kept, kept)], axial.drift, rtol=1e-12, atol=1e-9)
    assert np.allclose(model.noise[np.ix_(kept, kept)], axial.noise, rtol=1e-12, atol=1e-9)


def test_linear_model_has_the_frequencies_of_the_nonlinear_forces(silica_pair):
    model = silica_pair.linearize("equilibrium", "xyz")
    stiffness = silica_pair.stiffness(silica_pair.equilibrium())
    squares = np.linalg.eigvals(stiffness / silica_pair.masses[0])
    expected = np.sort(np.sqrt(squares.astype(complex)).real)
    found = np.sort(model.eigenvalues.imag[model.eigenvalues.imag > 0])
    assert np.allclose(found, expected, rtol=1e-9)


def test_measured_frequencies_override_the_computed_ones(make_pair):
    plain = make_pair()
    measured = (2 * math.pi * 38e3, 2 * math.pi * 39e3)
    array = make_pair(measured_omegas=measured)
    pair, reference = array.pair_constants(), plain.pair_constants()
    assert pair.omegas == pytest.approx(measured)
    ratio = reference.constants.omega / pair.constants.omega
    # Forces and diffusion stay; g, D and s are divided by the measured scale.
    for name in ("g_r", "g_a", "D11", "re_D12", "shift_1"):
        wanted = ratio * getattr(reference.constants, name)
        assert getattr(pair.constants, name) == pytest.approx(wanted)
    assert np.allclose(array.linearize().drift, pair.constants.to_linear().drift, rtol=1e-12)


def test_measured_triples_override_all_axes(make_pair):
    triple = tuple(2 * math.pi * f for f in (190e3, 170e3, 38e3))
    # Far apart, so that binding does not move the lines.
    array = make_pair(measured_omegas=(triple, triple), kd=2000.0)
    eigenvalues = array.linearize("focus", "xyz").eigenvalues
    found = np.sort(np.abs(eigenvalues.imag))[::4]
    assert np.allclose(found, np.sort(triple), rtol=2e-3)


def test_pairs_of_a_longer_array_are_chosen_by_index():
    beams = tuple(Tweezer((3e-6 * j, 0, 0), 0.17, 7e-7, 8e-7, 0.3 * j) for j in range(3))
    array = TrapArray((Sphere(7e-8),) * 3, beams)
    pair = array.pair_constants("focus", pair=(2, 0))
    assert pair.phi == pytest.approx(0.6)
    assert pair.kd == pytest.approx(array.k * 6e-6)
    with pytest.raises(InputError, match="two of the particles 0 … 2"):
        array.pair_constants("focus", pair=(0, 3))
    with pytest.raises(InputError, match="axes must be some of 'xyz'"):
        array.linearize("focus", "zq")


def test_powers_scale_the_rates_as_stated(make_pair):
    one = make_pair(kd=17.0).pair_constants("focus").constants
    two = make_pair(kd=17.0, powers=(0.17, 0.34)).pair_constants("focus").constants
    ratio = (1 + math.sqrt(2)) / 2
    assert two.omega / one.omega == pytest.approx(ratio, rel=1e-4)
    assert two.D22 / one.D22 == pytest.approx(2 / ratio, rel=1e-3)
    assert two.g_a / one.g_a == pytest.approx(math.sqrt(2) / ratio, rel=1e-2)
    small = make_pair(powers=(0.169, 0.171)).pair_constants("focus").constants
    assert small.delta_omega / small.omega == pytest.approx(0.002 / 0.34, rel=1e-2)


def _headline(distance, factor):
    """(D_+ − D_−)/D_11 at |sin kd cos φ| = 1 in the far field, percent."""
    kd = 2 * math.pi / 1064e-9 * distance
    return 100 * 2 * 1.5 * factor**2 / (factor**2 + 0.4) / kd


def test_headline_heating_difference_is_10_to_15_percent(make_pair):
    assert _headline(2.4e-6, 1.0) == pytest.approx(15.1, abs=0.1)
    assert _headline(3.6e-6, 1.0) == pytest.approx(10.1, abs=0.1)
    assert _headline(2.4e-6, 0.9) == pytest.approx(14.2, abs=0.1)
    assert _headline(3.6e-6, 0.9) == pytest.approx(9.4, abs=0.1)
    for kd in (4.5 * math.pi, 5.5 * math.pi, 6.5 * math.pi):
        # Full field and diffusion with no far-field approximation; φ = 0 and |sin kd| = 1.
        array = make_pair(kd=kd, phi=0.0, waist=7e-7)
        exact = 100 * array.pair_constants("focus").heating_rate_difference
        factor = array.tweezers[0].propagation_factor(array.k)
        assert abs(exact) == pytest.approx(_headline(kd / array.k, factor), rel=0.02)
        assert exact * math.sin(kd) > 0
