import math

import numpy as np
import pytest

from optobind.models.array import TrapArray
from optobind.models.errors import InputError, UnstableModelError
from optobind.models.gas import Gas
from optobind.models.linear import LinearModel
from optobind.models.pair import PairConstants
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer
from optobind.theory.collective.chains import linear_chain, ring
from optobind.theory.collective.modes import normal_modes
from optobind.theory.collective.network import CouplingNetwork
from optobind.theory.quantum.entanglement import COMMON, DIFFERENTIAL, occupation

OMEGA = 2 * math.pi * 50e3


def _pair(g_r=300.0, g_a=0.0, delta=0.0, gamma=40.0, **changes):
    values = {"D11": 900.0, "D22": 900.0, "re_D12": 250.0, "n_thermal": (7.0, 7.0), **changes}
    return PairConstants(OMEGA, delta, g_r, g_a, gamma=(gamma, gamma), **values)


def _random_array(seed=3, count=3):
    rng = np.random.default_rng(seed)
    spheres = tuple(Sphere(r) for r in rng.uniform(5e-8, 9e-8, count))
    beams = tuple(
        Tweezer(
            (2.7e-6 * j, rng.uniform(-5e-7, 5e-7), 0),
            rng.uniform(0.1, 0.2),
            7e-7,
            8e-7,
            rng.uniform(0, 6),
            tuple(rng.normal(size=2) + 1j * rng.normal(size=2)),
        )
        for j in range(count)
    )
    return TrapArray(spheres, beams, gas=Gas(300.0))


def test_one_oscillator_is_its_own_mode_in_its_own_quanta():
    # All three axes, whose frequencies differ threefold, share one scale in the model.
    array = TrapArray((Sphere(7e-8),), (Tweezer((0, 0, 0), 0.1, 2e-6, 3e-6),), gas=Gas(1e-3))
    model = array.linearize("focus", "xyz")
    modes = normal_modes(array, axes="xyz", at="focus")
    assert np.allclose(modes.petermann, 1.0, atol=1e-9)
    squares = np.diag(array.stiffness(array.foci)) / array.masses[0]
    assert np.allclose(modes.frequencies.real, np.sort(np.sqrt(squares)), rtol=1e-6)
    assert np.allclose(modes.damping, array.gas.damping_rate(array.spheres[0]), rtol=1e-6)
    # Phonons of its own frequency: the axial scale is taken out again.
    recoil = np.diag(model.noise)[1::2] / 2
    own = np.sqrt(squares)
    expected = recoil * array.axial_omegas(array.foci)[0] / own
    assert np.allclose(modes.heating_rates, expected[np.argsort(own)], rtol=1e-6)


@pytest.mark.parametrize(("g_r", "g_a", "delta"), [(300, 0, 0), (200, 500, 100), (50, 400, 790)])
def test_pair_modes_tend_to_equation_12(g_r, g_a, delta):
    pair = _pair(g_r, g_a, delta, gamma=0.0)
    found = normal_modes(pair.to_linear()).frequencies - OMEGA - g_r
    expected = pair.eigenfrequencies()
    key = np.imag if abs(expected[0].imag) > 1.0 else np.real
    order = np.argsort(key(expected))
    # The rotating wave is good to g²/ω.
    assert np.abs(found - expected[order]).max() < 3 * 1000.0**2 / OMEGA


def test_common_and_differential_mode_heat_at_D_plus_and_minus_the_correlation():
    pair = _pair(gamma=0.0)
    modes = normal_modes(pair.to_linear())
    # g_r > 0 lowers the common mode: −g_r in H.
    assert modes.heating_rates == pytest.approx(pair.heating_rates(), rel=0.003)
    assert np.allclose(modes.participation[:, :, 0], 0.5, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_vectors_are_biorthonormal_and_rebuild_the_drift(seed):
    model = _random_array(seed).linearize("equilibrium", "xyz")
    modes = normal_modes(model, axes="xyz")
    assert np.abs(modes.left @ modes.right - np.eye(len(modes))).max() < 1e-11
    rates = -1j * modes.frequencies
    assert np.abs(modes.left @ model.drift - rates[:, None] * modes.left).max() < 1e-9 * OMEGA
    rebuilt = 2 * ((modes.right * rates) @ modes.left).real
    assert np.abs(rebuilt - model.drift).max() < 1e-11 * np.abs(model.drift).max()
    assert np.all(np.diff(modes.frequencies.real) > 0)


def test_spectra_through_modes_are_those_of_the_model():
    array = _random_array()
    model = array.linearize("equilibrium", "xyz")
    model = LinearModel(model.drift, model.noise, model.output, np.linspace(1, 2, 9) * 1e-9)
    modes = normal_modes(model, axes="xyz")
    f = np.linspace(20e3, 220e3, 101)
    direct = model.csd(f)
    assert np.abs(modes.spectrum(f) - direct).max() < 1e-11 * np.abs(direct).max()
    assert np.abs(modes.response(f) / model.transfer(f) - 1).max() < 1e-7
    without = modes.spectrum(f, include_imprecision=False) + model.imprecision
    assert np.allclose(without, modes.spectrum(f), rtol=1e-12, atol=0)


def test_occupations_and_correlations_are_those_of_the_steady_state():
    model = _random_array(1).linearize("equilibrium", "xyz")
    modes = normal_modes(model, axes="xyz")
    state = modes.left @ model.steady_state() @ modes.left.conj().T
    assert np.allclose(np.diag(state).real - 0.5, modes.occupations, rtol=1e-9)
    rates = -1j * modes.frequencies
    assert np.allclose(
        state, -modes.correlations / (rates[:, None] + rates[None].conj()), rtol=1e-8
    )


def test_amplitudes_turn_with_their_frequency():
    model = _pair(200, 300, 100).to_linear()
    modes = normal_modes(model)
    start = np.array([1.0, 0.3, -0.5, 2.0])
    step, _ = model.discretise(3e-5)
    expected = modes.amplitudes(start) * np.exp(-1j * modes.frequencies * 3e-5)
    assert np.allclose(modes.amplitudes(step @ start), expected, rtol=1e-9)
    assert np.allclose(2 * (modes.right @ modes.amplitudes(start)).real, start, rtol=1e-9)


def test_far_detuned_pair_moves_one_particle_per_mode():
    modes = normal_modes(_pair(100, 0, 2000.0).to_linear())
    assert list(modes.dominant_particle) == [0, 1]
    assert modes.participation.sum(axis=(1, 2)) == pytest.approx([1, 1])
    assert modes.participation[0, 0, 0] > 0.99


def test_unidirectional_drive_moves_both_but_listens_to_one():
    # g_21 = 0: particle 2 does not feel 1, so one mode moves 1 alone and is excited by both.
    modes = normal_modes(_pair(200, 200, 1000.0).to_linear())
    alone = np.isclose(modes.participation[:, 0, 0], 1.0)
    assert alone.any()
    assert modes.left_participation[alone, 1, 0] > 0.01


def _at(factor, gamma=0.0, g_r=12.0, g_a=40.0, omega=1e3):
    """A pair at a multiple of its exceptional line splitting."""
    splitting = factor * 4 * omega * math.sqrt(g_a**2 - g_r**2)
    delta = (splitting + 4 * omega * g_a) / (2 * omega)
    return PairConstants(omega, delta, g_r, g_a, 200.0, 200.0, 0.0, gamma=(gamma, gamma))


@pytest.mark.parametrize("gamma", [0.0, 7.0])
def test_exceptional_points_are_flagged_and_petermann_diverges_with_the_gap(gamma):
    factors = [normal_modes(_at(1 + e, gamma).to_linear()).petermann[0] for e in (1e-4, 1e-6)]
    assert factors[1] / factors[0] == pytest.approx(100, rel=0.01)  # K ∝ 1/|distance|
    assert not normal_modes(_at(1.01, gamma).to_linear()).exceptional.any()
    for side in (1 - 1e-8, 1.0, 1 + 1e-8):
        modes = normal_modes(_at(side, gamma).to_linear())
        assert modes.exceptional.all()
        assert not modes.degenerate.any()


@pytest.mark.parametrize("factor", [0.5, 1.3])
def test_petermann_factor_is_that_of_the_rotating_wave_matrix(factor):
    pair = _at(factor, g_r=0.12, g_a=0.4)
    matrix = pair.dynamical_matrix().astype(complex)
    _, right = np.linalg.eig(matrix)
    left = np.linalg.inv(right)
    expected = (np.abs(left) ** 2).sum(axis=1) * (np.abs(right) ** 2).sum(axis=0)
    found = normal_modes(pair.to_linear()).petermann
    assert found == pytest.approx(expected, rel=5e-3)
    assert found.min() > 1.1


def test_spectra_at_an_exceptional_point_do_not_cancel():
    model = _at(1.0, gamma=200.0).to_linear()
    modes = normal_modes(model)
    assert modes.exceptional.all()
    f = np.linspace(100, 220, 30)
    assert np.allclose(modes.spectrum(f), model.csd(f), rtol=1e-6, atol=0)


def test_waves_of_a_ring_are_degenerate_but_have_vectors_of_their_own():
    array = ring(Sphere(7e-8), 8, 3e-6)
    modes = normal_modes(array, at="focus")
    # ±q pairs; q = 0 and π are single.
    assert modes.degenerate.sum() == 6
    assert not modes.exceptional.any()
    assert modes.petermann.max() < 1.001
    assert np.abs(modes.left @ modes.right - np.eye(8)).max() < 1e-9


def test_parallel_vectors_of_a_diagonalisable_matrix_are_untangled():
    # Two equal oscillators in a rotated basis: rounding makes LAPACK's vectors arbitrary.
    model = CouplingNetwork(
        np.full(3, 1e3), np.zeros((3, 3)), np.zeros(3), np.eye(3), np.full(3, 2.0)
    ).to_linear()
    modes = normal_modes(model)
    assert modes.degenerate.all()
    assert np.allclose(modes.petermann, 1.0)
    assert np.allclose(modes.heating_rates, 1.0 + 2.0 * 0.5)


def test_one_way_chain_is_one_exceptional_point():
    network = CouplingNetwork.chain(
        5, omega=OMEGA, kd=5.25 * math.pi, G=1e4, phase_step=0.25 * math.pi, gamma=50.0
    )
    forward = np.where(np.eye(5, k=-1) > 0, network.g, 0.0)
    modes = normal_modes(
        CouplingNetwork(network.omegas, forward, np.zeros(5), network.D, network.gamma).to_linear()
    )
    assert modes.exceptional.all()
    assert np.isfinite(modes.participation).all()
    assert modes.participation[:, -1, 0].min() > 0.99


def test_overdamped_motion_is_two_modes_without_frequency():
    drift = np.array([[0.0, 100.0], [-100.0, -500.0]])
    model = LinearModel(drift, np.diag([0.0, 3.0]), np.array([[1.0, 0.0]]))
    modes = normal_modes(model)
    assert np.all(modes.frequencies.real == 0.0)
    roots = 250 + np.array([1, -1]) * math.sqrt(250**2 - 100**2)
    assert modes.damping / 2 == pytest.approx(roots)
    f = np.array([0.0, 5.0, 50.0])
    assert np.allclose(modes.spectrum(f), model.csd(f), rtol=1e-10)


def test_growing_modes_have_no_occupation_and_no_spectrum():
    modes = normal_modes(_pair(0.0, 300.0, 600.0, gamma=1.0).to_linear())
    assert np.isinf(modes.occupations).tolist() == [False, True]
    with pytest.raises(UnstableModelError):
        modes.spectrum([1e3])


def test_a_hundred_particles_have_modes_at_once():
    network = CouplingNetwork.chain(
        100, omega=OMEGA, kd=15.3, G=3e3, phase_step=0.2, gamma=2e3, n_thermal=10.0
    )
    modes = normal_modes(network.to_linear())
    assert len(modes) == 100
    f = np.array([49.9e3, 50.1e3])
    expected = network.to_linear().csd(f)
    assert np.abs(modes.spectrum(f) - expected).max() < 1e-9 * np.abs(expected).max()


def test_axes_of_a_model_must_fit_its_states():
    chain = linear_chain(Sphere(7e-8), 3, 3e-6)
    assert normal_modes(chain, axes="zx", at="focus").axes == "xz"
    with pytest.raises(InputError, match="each axis of 'xy', the model has 6 states"):
        normal_modes(chain.linearize("focus"), axes="xy")
    with pytest.raises(InputError, match="states need 6 entries"):
        normal_modes(chain.linearize("focus")).amplitudes(np.zeros(4))


def test_normal_modes_of_a_damped_pair_reach_different_temperatures():
    # A weak reciprocal coupling makes a_± the normal modes; the noise is correlated.
    gamma, D, cross = 50.0, 4e4, 5e3
    pair = PairConstants(
        2e5, 0.0, 3e3, 0.0, D, D, cross, gamma=(gamma, gamma), n_thermal=(100.0, 100.0)
    )
    model = pair.to_linear()
    modes = normal_modes(model)
    bath = gamma * 100.5
    expected = sorted((D + bath + sign * cross) / gamma - 0.5 for sign in (1, -1))
    assert np.allclose(sorted(modes.occupations), expected, rtol=0.05)
    # Without the correlation both modes would be equally warm.
    assert expected[1] - expected[0] == pytest.approx(2.0 * cross / gamma)
    steady = model.steady_state()
    for coefficients, sign in ((COMMON, 1), (DIFFERENTIAL, -1)):
        found = occupation(steady, coefficients)
        assert found == pytest.approx((D + bath + sign * cross) / gamma - 0.5, rel=0.05)
