import math
import time

import numpy as np
import pytest

from optobind.models.array import TrapArray
from optobind.models.errors import InputError
from optobind.models.farfield import noise_kernel
from optobind.models.gas import Gas
from optobind.models.pair import PairConstants
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer
from optobind.theory.collective.chains import grid, linear_chain
from optobind.theory.collective.network import CouplingNetwork

OMEGA = 2 * math.pi * 50e3


def _mixed(scale=1.0):
    spheres = (Sphere(6e-8, charge=2e-18), Sphere(8e-8), Sphere(7e-8, charge=-3e-18))
    beams = tuple(
        Tweezer((scale * x, 0, 0), power, 7e-7, 8e-7, phase, (0.2, 1.0))
        for x, power, phase in ((0, 0.15, 0.3), (2.7e-6, 0.2, 1.1), (6.1e-6, 0.17, -0.4))
    )
    return TrapArray(spheres, beams, gas=Gas(0.1))


@pytest.mark.parametrize("at", ["focus", "equilibrium"])
def test_exact_network_is_the_linearised_array(at):
    array = _mixed()
    found, expected = CouplingNetwork.exact(array, at).to_linear(), array.linearize(at)
    for name in ("drift", "noise", "output"):
        wanted = getattr(expected, name)
        assert np.allclose(getattr(found, name), wanted, rtol=1e-11, atol=1e-12 * abs(wanted).max())


def test_pairs_of_a_network_are_pair_constants():
    array = _mixed()
    network = CouplingNetwork.exact(array)
    pair = array.pair_constants(pair=(2, 0)).constants
    ratio = network.omega / pair.omega  # each pair has its own scale
    assert (network.g[2, 0] + network.g[0, 2]) / 2 * ratio == pytest.approx(pair.g_r)
    assert (network.g[2, 0] - network.g[0, 2]) / 2 * ratio == pytest.approx(pair.g_a)
    assert network.D[2, 0].imag * ratio == pytest.approx(pair.g_a)
    assert network.shifts[0] * ratio == pytest.approx(pair.shift_2)


def test_exact_network_tends_to_the_far_field():
    errors = []
    for scale in (30.0, 300.0):
        array = _mixed(scale)
        exact, far = CouplingNetwork.exact(array, "focus"), CouplingNetwork.far_field(array)
        # Coulomb forces fall as d⁻³: nothing is left of them here.
        errors.append(np.abs(exact.g - far.g).max() / np.abs(far.g).max())
        assert np.allclose(np.diag(exact.D), np.diag(far.D), rtol=1e-9)
        assert np.abs(exact.shifts - far.shifts).max() < 0.02 * np.abs(far.shifts).max()
    assert errors[1] < 2e-3
    assert errors[1] < 0.2 * errors[0]


def test_far_field_network_holds_every_pair_at_one_over_kd():
    array = linear_chain(Sphere(7e-8), 5, 3.1e-6, phase_step=0.3)
    network = CouplingNetwork.far_field(array)
    k, count = array.k, 5
    pair = array.far_field("focus")
    for j in range(count):
        for other in set(range(count)) - {j}:
            kd = k * 3.1e-6 * abs(j - other)
            expected = pair.G / kd * math.cos(kd - 0.3 * (j - other))
            assert network.g[j, other] == pytest.approx(expected, rel=2e-3, abs=1e-3 * pair.G / kd)


def test_ideal_chain_of_two_is_the_pair_of_the_letter():
    kd, step, G = 17.3, 0.4, 3e3
    network = CouplingNetwork.chain(2, omega=OMEGA, kd=kd, G=G, phase_step=step, gamma=3.0)
    recoil = G * 1.4 / 1.5
    letter = PairConstants.far_field(
        omega=OMEGA, kd=kd, phi=-step, G=G, D11=recoil, D22=recoil, gamma=(3.0, 3.0)
    )
    # φ = φ_1 − φ_2 is minus the step. Recoil is exact: Eq. (8) is its far field.
    assert np.allclose(network.to_linear().drift, letter.to_linear().drift, rtol=1e-12)
    assert np.allclose(np.diag(network.D), recoil)
    assert network.D[0, 1] == pytest.approx(recoil * np.exp(-1j * step) * noise_kernel(kd))
    assert abs(network.D[0, 1] - letter.diffusion[0, 1]) < 0.1 * G / kd


def test_dynamical_matrix_is_equation_11_in_the_frame_at_omega():
    network = CouplingNetwork.chain(2, omega=OMEGA, kd=17.3, G=3e3, phase_step=0.4)
    letter = PairConstants.far_field(omega=OMEGA, kd=17.3, phi=-0.4, G=3e3, D11=3e3, D22=3e3)
    found = network.dynamical_matrix() - letter.g_r * np.eye(2)
    assert np.allclose(found, letter.dynamical_matrix(), rtol=1e-12)


def test_rotating_wave_has_the_frequencies_of_the_full_dynamics():
    network = CouplingNetwork.chain(
        6, omega=OMEGA, kd=16.0, G=2e3, phase_step=0.5, gamma=80.0
    ).levelled()
    full = 1j * network.to_linear().eigenvalues
    full = full[full.real > 0]
    slow = np.linalg.eigvals(network.dynamical_matrix()) + network.omega
    distance = np.abs(full[:, None] - slow[None, :]).min(axis=1)
    assert distance.max() < 10 * np.abs(network.g).max() ** 2 / OMEGA


def test_levelled_lines_are_equal_and_near_couplings_stay():
    network = CouplingNetwork.exact(_mixed())
    level = network.levelled()
    assert np.ptp(level.lines) < 1e-9 * OMEGA
    assert np.allclose(level.lines, network.lines.mean())
    near = network.within(1)
    assert near.g[0, 2] == near.g[2, 0] == 0.0
    assert near.g[0, 1] == network.g[0, 1]
    assert np.allclose(near.damped(5.0).gamma, 5.0)


def test_noise_kernel_of_a_hundred_particles_is_positive_semidefinite():
    rng = np.random.default_rng(7)
    array = grid(
        Sphere(7e-8),
        (10, 10),
        1.7e-6,
        powers=rng.uniform(0.1, 0.2, 100),
        polarizations=rng.normal(size=(100, 2)) + 1j * rng.normal(size=(100, 2)),
    )
    places = array.foci + rng.normal(scale=1e-7, size=(100, 3))
    matrix = array.momentum_diffusion(places)
    assert matrix.shape == (300, 300)
    assert np.array_equal(matrix, matrix.conj().T)
    assert np.linalg.eigvalsh(matrix)[0] > -1e-12 * np.abs(matrix).max()
    # A chain much denser than the wavelength, where most eigenvalues vanish.
    kernel = CouplingNetwork.chain(100, omega=OMEGA, kd=0.3, G=1.0, phase_step=0.9).D
    assert np.linalg.eigvalsh(kernel)[0] > -1e-12 * kernel[0, 0].real


@pytest.mark.slow
def test_couplings_of_a_hundred_particles_take_seconds():
    rng = np.random.default_rng(1)
    array = grid(Sphere(7e-8), (10, 10), 3e-6, phase_steps=(0.3, 0.1))
    array = grid(Sphere(7e-8), (10, 10), 3e-6, powers=rng.uniform(0.15, 0.19, 100))
    begin = time.process_time()
    network = CouplingNetwork.exact(array)
    assert time.process_time() - begin < 10.0
    assert network.g.shape == (100, 100)
    assert np.abs(network.D.imag - 0.5 * (network.g - network.g.T)).max() < 1e-8 * network.omega


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"g": np.ones((2, 2))}, "zero on the diagonal"),
        ({"g": np.zeros((2, 3))}, r"g must be finite, shape \(2, 2\); got \(2, 3\)"),
        ({"D": np.array([[1, 1j], [1j, 1]])}, "D must be hermitian"),
        ({"D": np.array([[1, 2], [2, 1]])}, "positive semidefinite"),
        ({"omegas": np.array([1e3, -1e3])}, "omegas must be positive"),
        ({"gamma": np.array([np.nan, 1])}, "gamma must be finite"),
    ],
)
def test_impossible_networks_are_refused(change, text):
    values = {
        "omegas": np.full(2, 1e3),
        "g": np.zeros((2, 2)),
        "shifts": np.zeros(2),
        "D": np.eye(2),
        "gamma": np.zeros(2),
        **change,
    }
    with pytest.raises(InputError, match=text):
        CouplingNetwork(**values)


def test_what_no_network_can_do_is_named():
    network = CouplingNetwork.chain(3, omega=1e3, kd=15.0, G=1e4)
    with pytest.raises(InputError, match=r"anti-traps particle \d"):
        _ = network.lines
    with pytest.raises(InputError, match="reach must be a whole number of at least 1, got 0"):
        network.within(0)
    with pytest.raises(InputError, match="kd must lie in"):
        CouplingNetwork.chain(3, omega=1e3, kd=-1.0, G=1.0)
    single = TrapArray((Sphere(7e-8),), (Tweezer((0, 0, 0), 0.1, 7e-7, 7e-7),))
    with pytest.raises(InputError, match="two particles"):
        CouplingNetwork.far_field(single)
