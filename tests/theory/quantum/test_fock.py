"""QuTiP in Fock space judges the Gaussian code: Eq. (7), Eq. (13), detection and cavity.

Tolerances are those of the truncation. For the first case of Eq. (7) at t = 4 the largest deviation
is 4.5e-4, 1.8e-4, 7.3e-5 and 3.0e-5 with 10, 11, 12 and 13 levels: it falls by 2.5 with each level.
"""

import math

import numpy as np
import pytest
import qutip as qt
from fock_judge import (
    SOLVER,
    covariance,
    dissipator,
    fock_log_negativity,
    hamiltonian,
    product_of,
    quadratures,
    squeezed,
)

from optobind.models.pair import PairConstants
from optobind.theory.quantum.cavity import ScatteringCavity
from optobind.theory.quantum.conditional import conditional_evolution
from optobind.theory.quantum.entanglement import log_negativity, minimum_variance, occupation
from optobind.theory.quantum.evolution import evolve
from optobind.theory.quantum.free_space import free_space_pair
from optobind.theory.quantum.homodyne import joint_detection
from optobind.theory.quantum.modulated import at_twice_the_frequency, modulated_pair
from optobind.theory.quantum.occupation import damped_mode, growing_mode
from optobind.theory.quantum.states import product_state, squeezed_state, vacuum_state


def _solve(pair, dims, start, times):
    """States of Eq. (7) at given times, and the quadratures."""
    x = quadratures(*dims)
    generator = qt.liouvillian(hamiltonian(pair, x)) + dissipator(pair, x)
    return qt.mesolve(generator, start, times, options=SOLVER).states, x


def _solve_modulated(pair_at_phase, dim, start, times):
    """States for φ = 2ωt; Eq. (7) is affine in cos φ and sin φ."""
    x = quadratures(dim, dim)

    def generator(phi):
        pair = pair_at_phase(phi)
        return qt.liouvillian(hamiltonian(pair, x)) + dissipator(pair, x)

    even, odd = generator(0.0), generator(0.5 * math.pi)
    mean = 0.5 * (even + generator(math.pi))
    omega = pair_at_phase(0.0).omega
    moving = qt.QobjEvo(
        [
            mean,
            [even - mean, lambda t: math.cos(2 * omega * t)],
            [odd - mean, lambda t: math.sin(2 * omega * t)],
        ]
    )
    return qt.mesolve(moving, start, times, options=SOLVER).states, x


@pytest.mark.parametrize(
    "pair",
    [
        PairConstants(1.0, 0.05, 0.03, -0.02, 0.05, 0.04, 0.025),
        PairConstants(1.0, -0.1, -0.04, 0.03, 0.06, 0.05, -0.03, shift_1=0.02, shift_2=-0.03),
    ],
)
def test_equation_7_with_its_complex_correlated_dissipator(pair):
    start = product_of(squeezed(13, 0.3, 0.5), squeezed(12, 0.2))
    times = [0.0, 1.0, 4.0]
    states, x = _solve(pair, (13, 12), start, times)
    expected = evolve(pair, product_state(squeezed_state(0.3, 0.5), squeezed_state(0.2)), times)
    for state, moments in zip(states, expected, strict=True):
        assert np.abs(covariance(state, x) - moments).max() < 2e-4


@pytest.mark.slow
def test_equation_7_to_seven_digits_in_a_larger_truncation():
    pair = PairConstants(1.0, 0.05, 0.03, -0.02, 0.03, 0.04, 0.015)
    start = product_of(squeezed(16, 0.2, 0.5), squeezed(16, 0.1))
    states, x = _solve(pair, (16, 16), start, [0.0, 3.0])
    first = product_state(squeezed_state(0.2, 0.5), squeezed_state(0.1))
    moments = evolve(pair, first, [3.0])[0]
    assert np.abs(covariance(states[-1], x) - moments).max() < 1e-7


@pytest.mark.parametrize(("recoil", "entangled"), [(0.02, True), (0.101, False)])
def test_entanglement_of_static_binding_is_that_of_the_partially_transposed_matrix(
    recoil, entangled
):
    pair = PairConstants(1.0, 0.0, 0.1, 0.0, recoil, recoil, 0.0)
    dim = 14
    states, _ = _solve(
        pair, (dim, dim), product_of(squeezed(dim, -0.4), squeezed(dim, -0.4)), [0, 1.2]
    )
    start = product_state(squeezed_state(-0.4), squeezed_state(-0.4))
    expected = float(log_negativity(evolve(pair, start, [1.2])[0]))
    assert fock_log_negativity(states[-1]) == pytest.approx(expected, abs=1e-3)
    assert (expected > 0.05) is entangled


@pytest.mark.slow
def test_saturation_of_the_damped_mode():
    g_a = 0.02
    pair = PairConstants(1.0, 2 * g_a, 0.0, g_a, 1.5 * g_a, 1.5 * g_a, 0.0)
    dim, end = 14, 0.3 / g_a
    times = end + np.linspace(0, 2 * math.pi, 5)[:-1]
    start = product_of(qt.basis(dim, 0), qt.basis(dim, 0))
    states, x = _solve(pair, (dim, dim), start, [0.0, *times])
    found = np.array([covariance(state, x) for state in states[1:]])
    expected = evolve(pair, vacuum_state(), times)
    for mode in (damped_mode(g_a), growing_mode(g_a)):
        assert np.allclose(
            occupation(found, mode, tolerance=1e-3), occupation(expected, mode), atol=3e-3
        )
    # The rotating wave: n_∞ = D/(2g_a) − ½ = ¼.
    formula = 0.25 * (1 - np.exp(-2 * g_a * times))
    assert occupation(found, damped_mode(g_a), tolerance=1e-3).mean() == pytest.approx(
        formula.mean(), abs=0.01
    )


@pytest.mark.slow
def test_modulation_at_twice_the_frequency_entangles_as_the_moments_say():
    g, dim = 0.05, 15
    pair_at = modulated_pair(omega=1.0, g=g, D=0.2 * g)
    times = np.array([0.0, 2.0, 5.0, 9.0])
    states, x = _solve_modulated(
        lambda phi: pair_at(0.5 * phi), dim, product_of(qt.basis(dim, 0), qt.basis(dim, 0)), times
    )
    expected = evolve(pair_at, vacuum_state(), times)
    for state, moments in zip(states, expected, strict=True):
        found = covariance(state, x)
        assert np.abs(found - moments).max() < 3e-4
        assert minimum_variance(found, tolerance=1e-3) == pytest.approx(
            float(minimum_variance(moments)), abs=3e-4
        )
        assert fock_log_negativity(state) == pytest.approx(float(log_negativity(moments)), abs=1e-3)
    assert log_negativity(expected)[-1] > 0.3


def test_modulated_free_space_light_with_all_its_couplings():
    # Not at kd = nπ: g_r, g_a and the complex D_12 all move with φ = 2ωt.
    def pair_at_phase(phi):
        return free_space_pair(omega=1.0, kd=2.6, phi=phi, D=0.06)

    dim, times = 12, np.array([0.0, 1.5, 4.0])
    states, x = _solve_modulated(
        pair_at_phase, dim, product_of(qt.basis(dim, 0), qt.basis(dim, 0)), times
    )
    expected = evolve(at_twice_the_frequency(pair_at_phase), vacuum_state(), times)
    for state, moments in zip(states, expected, strict=True):
        assert np.abs(covariance(state, x) - moments).max() < 3e-4
        assert fock_log_negativity(state) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("angle", [0.0, 0.8])
def test_conditional_state_of_a_stochastic_master_equation(angle):
    # The covariance does not depend on the record: one trajectory is enough.
    pair = PairConstants(1.0, 0.1, 0.04, 0.02, 0.06, 0.05, 0.02)
    eta, dim, end = 0.7, 9, 2.5
    detection, x = joint_detection(pair, eta, angle), quadratures(9, 9)
    operators = [row[0] * x[0] + row[2] * x[2] for row in detection.rows]
    result = qt.smesolve(
        hamiltonian(pair, x),
        product_of(squeezed(dim, 0.2), qt.basis(dim, 0)),
        np.linspace(0.0, end, 6),
        c_ops=[math.sqrt(1 - eta) * operator for operator in operators],
        sc_ops=[math.sqrt(eta) * operator for operator in operators],
        ntraj=1,
        seeds=3,
        options={"dt": 1e-3, "method": "platen", "store_states": True, "progress_bar": ""},
    )
    states = result.states if isinstance(result.states[0], qt.Qobj) else result.states[0]
    start = product_state(squeezed_state(0.2), squeezed_state(0.0))
    expected = conditional_evolution(pair, detection, start, [end])[0]
    mean = np.array([qt.expect(operator, states[-1]) for operator in x])
    found = covariance(states[-1], x) - np.outer(mean, mean)
    assert np.abs(found - expected).max() < 5e-3
    # Detection matters: the unconditional state is far from it.
    assert np.abs(evolve(pair, start, [end])[0] - expected).max() > 0.1


@pytest.mark.slow
def test_coherent_scattering_into_a_cavity():
    pair = PairConstants(1.0, 0.1, 0.03, 0.01, 0.03, 0.02, 0.01)
    cavity = ScatteringCavity(1.2, 0.8, (0.15, 0.1 + 0.08j))
    dims = (8, 8, 6)
    x = quadratures(*dims)
    a = (x[4] + 1j * x[5]) / math.sqrt(2)
    energy = hamiltonian(pair, x) + cavity.detuning * a.dag() * a
    for g, z in zip(cavity.couplings, (x[0], x[2]), strict=True):
        # (g a† + g* a)(b + b†)
        energy = energy + (g * a.dag() + np.conj(g) * a) * math.sqrt(2) * z
    generator = qt.liouvillian(energy, [math.sqrt(cavity.linewidth) * a]) + dissipator(pair, x)
    start = product_of(*(qt.basis(n, 0) for n in dims))
    states = qt.mesolve(generator, start, [0.0, 1.0, 2.5], options=SOLVER).states
    expected = evolve(cavity.to_linear(pair), vacuum_state(3), [0.0, 1.0, 2.5])
    for state, moments in zip(states, expected, strict=True):
        assert np.abs(covariance(state, x) - moments).max() < 1e-3
