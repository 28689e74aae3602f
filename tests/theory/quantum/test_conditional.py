import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import solve_continuous_are

from optobind.models.errors import InputError, UnstableModelError
from optobind.models.linear import LinearModel
from optobind.models.pair import PairConstants
from optobind.theory.quantum.conditional import conditional_evolution, conditional_steady_state
from optobind.theory.quantum.entanglement import purity
from optobind.theory.quantum.evolution import evolve
from optobind.theory.quantum.homodyne import (
    HomodyneDetection,
    joint_detection,
    local_detection,
)
from optobind.theory.quantum.states import product_state, squeezed_state, vacuum_state

PAIR = PairConstants(1.0, 0.1, 0.04, 0.03, 0.09, 0.08, 0.02)
GAS = PairConstants(1.0, 0.1, 0.04, 0.03, 0.09, 0.08, 0.02, gamma=(0.01, 0.02), n_thermal=(4, 3))
START = product_state(squeezed_state(0.7, 0.2, occupation=2.0), squeezed_state(0.4, 1.0))


def _right_hand_side(pair, eta, columns):
    """The Riccati equation as physics.md writes it, from the columns c of 2D."""
    model = pair.to_linear()
    output, correlation = np.zeros((2, 4)), np.zeros((4, 2))
    output[:, 0::2] = 2 * math.sqrt(eta) * columns.real.T
    correlation[1::2] = math.sqrt(eta) * columns.imag

    def rhs(_, flat):
        v = flat.reshape(4, 4)
        gain = v @ output.T + correlation
        return (model.drift @ v + v @ model.drift.T + model.noise - gain @ gain.T).ravel()

    return rhs


def _columns(seed, pair):
    """Draw columns with cc† = 2D: a root of 2D times a unitary."""
    rng = np.random.default_rng(seed)
    unitary = np.linalg.qr(rng.normal(size=(2, 2, 2)) @ [1, 1j])[0]
    return np.linalg.cholesky(2 * pair.diffusion) @ unitary


@pytest.mark.parametrize("eta", [0.3, 1.0])
@pytest.mark.parametrize("pair", [PAIR, GAS])
def test_transients_match_a_runge_kutta_integration(pair, eta):
    columns = _columns(1, pair)
    detection = joint_detection(pair, eta, columns=columns)
    times = [0.0, 0.4, 3.0, 25.0]
    found = conditional_evolution(pair, detection, START, times)
    rhs = _right_hand_side(pair, eta, columns)
    result = solve_ivp(rhs, (0, 25), START.ravel(), "DOP853", t_eval=times, rtol=1e-12, atol=1e-13)
    assert np.allclose(found, result.y.T.reshape(-1, 4, 4), rtol=0, atol=1e-9)


def test_steady_states_solve_the_riccati_equation_and_are_reached():
    for seed in range(5):
        columns = _columns(seed, GAS)
        detection = joint_detection(GAS, 0.6, angles=(0.3, -0.2), columns=columns)
        steady = conditional_steady_state(GAS, detection)
        turned = columns * np.exp(-1j * np.array([0.3, -0.2]))
        change = _right_hand_side(GAS, 0.6, turned)(0, steady.ravel())
        assert np.abs(change).max() < 1e-11
        late = conditional_evolution(GAS, detection, START, [2e4])[0]
        assert np.allclose(late, steady, rtol=1e-8)


@pytest.mark.parametrize("angle", [0.0, 0.4, math.pi / 2])
def test_perfect_detection_purifies(angle):
    steady = conditional_steady_state(PAIR, joint_detection(PAIR, 1.0, angle))
    assert purity(steady) == pytest.approx(1.0, abs=1e-9)
    early, late = conditional_evolution(PAIR, joint_detection(PAIR, 1.0, angle), START, [1.0, 1e5])
    assert purity(early) < 0.9
    assert purity(late) == pytest.approx(1.0, abs=1e-8)


def test_every_unraveling_of_perfect_detection_purifies():
    for seed in range(5):
        detection = joint_detection(PAIR, 1.0, columns=_columns(seed, PAIR))
        assert purity(conditional_steady_state(PAIR, detection)) == pytest.approx(1.0, abs=1e-9)


def test_gas_is_not_observed_and_keeps_the_state_mixed():
    assert purity(conditional_steady_state(GAS, joint_detection(GAS, 1.0))) < 0.8


def test_purity_grows_with_the_efficiency():
    values = [
        float(purity(conditional_steady_state(PAIR, joint_detection(PAIR, eta))))
        for eta in (1e-6, 1e-3, 0.1, 0.5, 0.9, 1.0)
    ]
    assert np.all(np.diff(values) > 0)
    # Two independent modes have purity η in the rotating wave.
    assert values[3] == pytest.approx(0.5, rel=0.15)


def test_without_detection_the_state_is_the_unconditional_one():
    times = [0.5, 4.0]
    blind = joint_detection(GAS, 0.0)
    assert np.allclose(
        conditional_evolution(GAS, blind, START, times), evolve(GAS, START, times), rtol=1e-9
    )
    assert np.allclose(conditional_steady_state(GAS, blind), GAS.to_linear().steady_state())
    nearly = conditional_steady_state(GAS, joint_detection(GAS, 1e-9))
    assert np.allclose(nearly, GAS.to_linear().steady_state(), atol=1e-4)


def test_the_angle_that_carries_no_position_learns_least():
    pair = PairConstants(1.0, 0.0, 0.0, 0.0, 0.1, 0.1, 0.0)
    start = vacuum_state() * 6.0
    informed, blind = (
        conditional_evolution(pair, joint_detection(pair, 0.7, angle), start, [3.0])[0]
        for angle in (0.0, math.pi / 2)
    )
    # At π/2 the record is the back-action itself: known kicks, an unknown start.
    assert np.allclose(np.diag(blind)[:2], 3.0 + 0.3 * 0.1 * np.array([3.0, 3.0]), rtol=0.05)
    assert np.trace(informed) < 0.5 * np.trace(blind)


def test_diagonal_form_is_that_of_independent_detection():
    eta = 0.5
    detection = local_detection(PAIR, eta)
    model = PAIR.to_linear()

    def rhs(_, flat):
        v = flat.reshape(4, 4)
        total = model.drift @ v + v @ model.drift.T + model.noise
        for row, recoil in ((0, PAIR.D11), (2, PAIR.D22)):
            total -= 8 * eta * recoil * np.outer(v[:, row], v[row])
        return total.ravel()

    result = solve_ivp(rhs, (0, 6), START.ravel(), "DOP853", rtol=1e-12, atol=1e-13)
    found = conditional_evolution(PAIR, detection, START, [6.0])[0]
    assert np.allclose(found, result.y[:, -1].reshape(4, 4), atol=1e-9)
    uncorrelated = PairConstants(1.0, 0.1, 0.04, 0.0, 0.09, 0.08, 0.0)
    assert np.allclose(
        local_detection(uncorrelated, eta).rows, joint_detection(uncorrelated, eta).rows
    )


def test_independent_detection_must_leave_the_interference_undetected():
    cross = math.hypot(PAIR.re_D12, PAIR.g_a)
    limit = 1 - cross / math.sqrt(PAIR.D11 * PAIR.D22)
    local_detection(PAIR, limit - 1e-6)
    with pytest.raises(InputError, match=r"independent detection needs \(1−η\)²D11·D22 ≥ \|D12\|²"):
        local_detection(PAIR, limit + 1e-6)
    with pytest.raises(InputError, match="independent detection"):
        local_detection(PAIR, (0.0, 1.0))


@pytest.mark.parametrize("angle", [0.0, 0.6])
def test_riccati_is_the_limit_of_a_discrete_kalman_filter(angle):
    detection = joint_detection(GAS, 0.8, angle)
    model = GAS.to_linear()
    output, correlation = detection.output, detection.correlation
    results = []
    for steps in (2000, 4000):
        dt = 2.0 / steps
        flow, added = model.discretise(dt)
        v = START.copy()
        for _ in range(steps):
            # Record C x dt + dW of the step, whose noise the step's kicks know of.
            gain = (flow @ v @ output.T * dt + correlation * dt) @ np.linalg.inv(
                output @ v @ output.T * dt**2 + np.eye(2) * dt
            )
            v = flow @ v @ flow.T + added - gain @ (flow @ v @ output.T + correlation).T * dt
        results.append(0.5 * (v + v.T))
    extrapolated = 2 * results[1] - results[0]
    expected = conditional_evolution(GAS, detection, START, [2.0])[0]
    assert np.allclose(extrapolated, expected, rtol=0, atol=2e-5)
    # The extrapolation is worth it: the recursion converges at first order.
    assert np.abs(results[1] - expected).max() > 1e-5


@pytest.mark.slow
def test_covariance_is_the_error_of_an_estimator_fed_with_simulated_records():
    detection = joint_detection(GAS, 0.8, 0.4)
    model, rng = GAS.to_linear(), np.random.default_rng(7)
    output, correlation = detection.output, detection.correlation
    runs, steps, end = 20_000, 300, 1.5
    dt = end / steps
    left = model.noise - correlation @ correlation.T
    values, vectors = np.linalg.eigh(left)
    root = vectors * np.sqrt(np.maximum(values, 0))
    truth = rng.multivariate_normal(np.zeros(4), START, runs)
    estimate = np.zeros_like(truth)
    covariances = conditional_evolution(GAS, detection, START, np.arange(steps) * dt)
    for v in covariances:
        noise = rng.normal(0, math.sqrt(dt), (runs, 2))
        surprise = (truth - estimate) @ output.T * dt + noise
        estimate = estimate + estimate @ model.drift.T * dt
        estimate += surprise @ (v @ output.T + correlation).T
        other = rng.normal(0, math.sqrt(dt), (runs, 4))
        truth = truth + truth @ model.drift.T * dt + noise @ correlation.T + other @ root.T
    expected = conditional_evolution(GAS, detection, START, [end])[0]
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert np.abs((np.cov((truth - estimate).T) - expected) / scale).max() < 0.05


@pytest.mark.parametrize("eta", [1e-4, 1e-7, 1e-10])
def test_weakly_observed_undamped_motion_still_has_a_steady_state(eta):
    for coupled in (True, False):
        pair = PAIR if coupled else PairConstants(1.0, 0.1, 0.0, 0.0, 0.01, 0.01, 0.0)
        steady = conditional_steady_state(pair, joint_detection(pair, eta))
        # Without coupling each particle ends at ν = 1/(2√η).
        assert purity(steady) == pytest.approx(eta, rel=0.2 if coupled else 1e-3)


@pytest.mark.parametrize("eta", [1.0, 0.3, 1e-3, 1e-6])
@pytest.mark.parametrize("pair", [PAIR, GAS])
def test_steady_states_match_the_algebraic_riccati_solver_of_scipy(pair, eta):
    detection, model = joint_detection(pair, eta, 0.4), pair.to_linear()
    expected = solve_continuous_are(
        model.drift.T,
        detection.output.T,
        model.noise,
        np.eye(2),
        s=detection.correlation,
    )
    found = conditional_steady_state(pair, detection)
    assert np.abs(found - expected).max() < 1e-8 * np.abs(expected).max()


def test_growing_motion_is_held_by_its_own_record():
    growing = PairConstants(1.0, 0.1, 0.0, 0.05, 0.2, 0.2, 0.0)
    assert growing.to_linear().growth_rate > 0.01
    steady = conditional_steady_state(growing, joint_detection(growing, 0.5))
    assert 0.1 < purity(steady) < 1.0


def test_motion_that_is_neither_observed_nor_damped_has_no_steady_state():
    uncoupled = PairConstants(1.0, 0.1, 0.0, 0.0, 0.1, 0.1, 0.0)
    with pytest.raises(UnstableModelError, match="a mode that does not decay is not observed"):
        conditional_steady_state(uncoupled, joint_detection(uncoupled, (0.5, 0.0)))
    with pytest.raises(UnstableModelError):
        conditional_steady_state(uncoupled, joint_detection(uncoupled, 0.0))


def test_time_dependent_detection_and_light_are_propagated_together():
    def pair_at(time):
        return PairConstants(1.0, 0.1, 0.04 * math.cos(time), 0.0, 0.09, 0.08, 0.0)

    def detection_at(time):
        return joint_detection(pair_at(time), 0.5 + 0.3 * math.sin(time))

    def rhs(time, flat):
        eta = 0.5 + 0.3 * math.sin(time)
        columns = np.diag(np.sqrt([0.18, 0.16])).astype(complex)
        return _right_hand_side(pair_at(time), eta, columns)(0, flat)

    result = solve_ivp(rhs, (0, 3), START.ravel(), "DOP853", rtol=1e-11, atol=1e-12)
    found = conditional_evolution(pair_at, detection_at, START, [1.0, 3.0])
    assert np.allclose(found[-1], result.y[:, -1].reshape(4, 4), atol=1e-7)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: joint_detection(PAIR, 1.2), "efficiency must lie in 0 … 1, got 1.2"),
        (lambda: joint_detection(PAIR, (0.1, 0.2, 0.3)), "efficiency needs one number or 2"),
        (lambda: joint_detection(PAIR, 0.5, columns=np.eye(2)), "satisfy cc† = 2D"),
        (lambda: HomodyneDetection(np.ones((1, 3)), 1.0), r"shape \(m, 2n\)"),
        (
            lambda: conditional_steady_state(
                PAIR, HomodyneDetection(2 * joint_detection(PAIR).rows, np.ones(2))
            ),
            "noise is smaller than the back-action",
        ),
        (
            lambda: conditional_steady_state(
                LinearModel(-np.eye(2), np.eye(2), np.eye(2)), joint_detection(PAIR)
            ),
            "rows need 2 columns for this model, they have 4",
        ),
    ],
)
def test_detection_that_does_not_fit_is_refused(call, text):
    with pytest.raises(InputError, match=text):
        call()
