import math

import numpy as np
import pytest
from fock_judge import covariance, fock_log_negativity, product_of, quadratures, squeezed

from optobind.models.errors import InputError
from optobind.theory.quantum.entanglement import (
    COMMON,
    DIFFERENTIAL,
    log_negativity,
    minimum_variance,
    mode_covariance,
    occupation,
    partial_transpose,
    purity,
    reduced_state,
)
from optobind.theory.quantum.states import (
    QuantumStateError,
    product_state,
    require_physical,
    squeezed_state,
    symplectic_eigenvalues,
    symplectic_form,
    thermal_state,
    two_mode_squeezed_state,
    uncertainty_margin,
    vacuum_state,
)


def _symplectic(rng, modes=2):
    """Draw a symplectic matrix: rotations, squeezers and beam splitters multiplied."""
    total = np.eye(2 * modes)
    for _ in range(4):
        squeeze = np.diag(
            [f for r in 0.4 * rng.normal(size=modes) for f in (np.exp(r), np.exp(-r))]
        )
        unitary = np.linalg.qr(rng.normal(size=(modes, modes, 2)) @ [1, 1j])[0]
        passive = np.zeros((2 * modes, 2 * modes))
        passive[0::2, 0::2] = passive[1::2, 1::2] = unitary.real
        passive[0::2, 1::2], passive[1::2, 0::2] = -unitary.imag, unitary.imag
        total = total @ passive @ squeeze
    return total


def test_symplectic_form_holds_the_commutators():
    form = symplectic_form(2)
    assert np.array_equal(form, -form.T)
    assert form[0, 1] == form[2, 3] == 1
    assert np.array_equal(form @ form, -np.eye(4))


@pytest.mark.parametrize("modes", [1, 2, 3])
def test_symplectic_eigenvalues_are_those_of_the_thermal_states_behind_any_unitary(modes):
    rng = np.random.default_rng(modes)
    for _ in range(20):
        n = np.sort(rng.exponential(2.0, modes))
        mix = _symplectic(rng, modes)
        state = mix @ thermal_state(*n) @ mix.T
        assert np.allclose(symplectic_eigenvalues(state), n + 0.5, rtol=1e-8)
        assert purity(state) == pytest.approx(np.prod(0.5 / (n + 0.5)), rel=1e-8)
        # An independent route: the eigenvalues of the non-hermitian iΩV.
        direct = np.sort(np.abs(np.linalg.eigvals(1j * symplectic_form(modes) @ state)))
        assert np.allclose(symplectic_eigenvalues(state), direct[::2], rtol=1e-6)


@pytest.mark.parametrize("r", [0.0, 1.0, 4.0, 6.0])
def test_pure_states_pass_however_squeezed(r):
    state = product_state(squeezed_state(r, 0.7), squeezed_state(-r, 0.2))
    assert np.array_equal(require_physical(state), state)
    assert log_negativity(state) == 0.0


@pytest.mark.parametrize("r", [0.3, 2.0])
def test_a_state_a_little_too_narrow_is_refused(r):
    state = squeezed_state(r, 0.4) * (1 - 1e-5)
    with pytest.raises(QuantumStateError, match=r"√det V of mode 1 alone is 0.499995, allowed"):
        require_physical(state)
    assert uncertainty_margin(state) < 0


def test_a_cold_violation_is_seen_beside_a_hot_mode():
    state = np.diag([1e9, 1e9, 0.4999, 0.4999])
    with pytest.raises(QuantumStateError, match=r"mode 2 alone is 0\.4999"):
        require_physical(state)


def test_correlations_beyond_the_uncertainty_relation_are_named():
    state = two_mode_squeezed_state(0.5)
    state[0, 2] = state[2, 0] = 1.1 * state[0, 2]
    stack = np.array([vacuum_state(), state])
    with pytest.raises(QuantumStateError, match="state 1 is not physical: its smallest symplectic"):
        require_physical(stack)


@pytest.mark.parametrize(
    ("matrix", "text"),
    [
        (np.eye(3), r"must have shape \(…, 2n, 2n\), its shape is \(3, 3\)"),
        (np.ones(4), "must have shape"),
        (np.full((2, 2), np.nan), "not finite"),
        ([[1.0, 0.5], [0.0, 1.0]], "must be symmetric"),
    ],
)
def test_what_is_no_covariance_is_refused(matrix, text):
    with pytest.raises(InputError, match=text):
        require_physical(matrix)


def test_negative_variances_are_no_state():
    with pytest.raises(QuantumStateError, match="has the eigenvalue -1, not positive"):
        require_physical(np.diag([1.0, -1.0]))
    with pytest.raises(QuantumStateError, match="not positive definite"):
        symplectic_eigenvalues(np.diag([1.0, -1.0]))


def test_squeezed_state_has_its_narrow_quadrature_at_the_angle():
    r, angle = 0.8, 0.6
    state = squeezed_state(r, angle, occupation=0.25)
    row = np.array([math.cos(angle), math.sin(angle)])
    assert row @ state @ row == pytest.approx(0.75 * math.exp(-2 * r))
    assert np.linalg.det(state) == pytest.approx(0.75**2)
    assert occupation(state) == pytest.approx(0.75 * math.cosh(2 * r) - 0.5)


@pytest.mark.parametrize("r", [-0.7, 1e-3, 0.5, 4.0])
@pytest.mark.parametrize("angle", [0.0, 1.1])
def test_two_mode_squeezed_vacuum_has_two_r_over_log_two_ebits(r, angle):
    state = two_mode_squeezed_state(r, angle)
    assert log_negativity(state) == pytest.approx(2 * abs(r) / math.log(2), rel=1e-7)
    assert purity(state) == pytest.approx(1.0, rel=1e-7)
    assert np.allclose(occupation(state), math.sinh(r) ** 2)
    # ⟨a_1a_2⟩ from the quadratures.
    pair = 0.5 * (state[0, 2] - state[1, 3] + 1j * (state[0, 3] + state[1, 2]))
    assert pair == pytest.approx(0.5 * math.sinh(2 * r) * np.exp(1j * angle))


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second", "split"), [(0.4, -0.3, 0.6), (0.2, 0.4, 0.9)])
def test_log_negativity_of_split_squeezed_light_matches_the_fock_space(first, second, split):
    import qutip as qt

    dim = 26
    a, b = (
        qt.tensor(qt.destroy(dim), qt.qeye(dim)),
        qt.tensor(qt.qeye(dim), qt.destroy(dim)),
    )
    # A truncated beam splitter is exact on states that the truncation does not touch.
    splitter = (split * (a.dag() * b - a * b.dag())).expm()
    start = product_of(squeezed(dim, first), squeezed(dim, second, 0.3))
    state = splitter * start * splitter.dag()
    moments = covariance(state, quadratures(dim, dim))
    assert log_negativity(moments, tolerance=1e-4) == (
        pytest.approx(fock_log_negativity(state), abs=1e-4)
    )
    assert purity(moments, tolerance=1e-4) == pytest.approx(1.0, abs=1e-4)


def test_log_negativity_does_not_depend_on_local_operations_or_the_party():
    rng = np.random.default_rng(3)
    mix = _symplectic(rng)
    state = mix @ thermal_state(0.1, 0.05) @ mix.T
    value = log_negativity(state)
    assert value > 0
    local = np.zeros((4, 4))
    local[:2, :2], local[2:, 2:] = _symplectic(rng, 1), _symplectic(rng, 1)
    assert log_negativity(local @ state @ local.T) == pytest.approx(value, rel=1e-7)
    assert log_negativity(state, (1,)) == pytest.approx(value, rel=1e-9)


def test_log_negativity_adds_over_independent_pairs():
    both = product_state(two_mode_squeezed_state(0.3), two_mode_squeezed_state(0.5))
    assert log_negativity(both, (0, 2)) == pytest.approx(1.6 / math.log(2), rel=1e-9)
    assert log_negativity(both, (0, 1)) == 0.0
    assert np.allclose(reduced_state(both, (2, 3)), two_mode_squeezed_state(0.5))


def test_partial_transpose_flips_one_momentum():
    state = two_mode_squeezed_state(0.4)
    assert np.allclose(partial_transpose(state, (1,))[1], [0, state[1, 1], 0, -state[1, 3]])


def test_minimum_variance_of_the_differential_mode_is_its_squeezing():
    state = two_mode_squeezed_state(0.6)
    assert minimum_variance(state, DIFFERENTIAL) == pytest.approx(0.5 * math.exp(-1.2))
    turn = np.kron(np.eye(2), [[math.cos(0.7), math.sin(0.7)], [-math.sin(0.7), math.cos(0.7)]])
    assert minimum_variance(turn @ state @ turn.T) == pytest.approx(0.5 * math.exp(-1.2))


def test_complex_modes_are_canonical():
    rng = np.random.default_rng(5)
    mix = _symplectic(rng)
    state = mix @ thermal_state(0.2, 0.6) @ mix.T
    mode = (math.sqrt(0.5), -1j * math.sqrt(0.5))
    require_physical(mode_covariance(state, mode))
    # Occupation from complex amplitudes.
    row = np.zeros(4, dtype=complex)
    row[0::2], row[1::2] = np.array(mode) / math.sqrt(2), 1j * np.array(mode) / math.sqrt(2)
    assert occupation(state, mode) == pytest.approx((row @ state @ row.conj()).real - 0.5)
    total = occupation(state, COMMON) + occupation(state, DIFFERENTIAL)
    assert total == pytest.approx(occupation(state).sum())


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda v: log_negativity(v, (0, 1)), "holds every mode"),
        (lambda v: log_negativity(v, (2,)), "modes must be different numbers of 0 … 1"),
        (lambda v: log_negativity(v, ()), "modes must be"),
        (lambda v: mode_covariance(v, (1.0,)), "2 modes need as many coefficients, got 1"),
        (lambda v: mode_covariance(v, (1.0, 1.0)), r"Σ\|c_j\|² must be 1, it is 2"),
        (lambda v: require_physical(v, tolerance=1.0), "tolerance must lie in 0 … 0.001"),
        (lambda v: squeezed_state(20.0), "squeezing r must lie in -6 … 6"),
        (lambda v: thermal_state(-1.0), "occupation must lie in"),
        (lambda v: product_state(), "at least 1 state"),
        (lambda v: product_state([v]), r"must be one \(2n, 2n\) matrix"),
        (lambda v: symplectic_form(0), "at least 1 mode, got 0"),
    ],
)
def test_bad_requests_name_what_is_wrong(call, text):
    with pytest.raises(InputError, match=text):
        call(vacuum_state())
