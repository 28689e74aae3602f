import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from optobind.models.errors import ConvergenceError, InputError
from optobind.models.linear import LinearModel
from optobind.models.pair import PairConstants
from optobind.theory.quantum.evolution import evolve
from optobind.theory.quantum.riccati import (
    RiccatiMap,
    fixed_point,
    flow_generator,
    propagate_varying,
)
from optobind.theory.quantum.states import QuantumStateError, vacuum_state

PAIR = PairConstants(1.0, 0.1, 0.04, 0.03, 0.09, 0.08, 0.02, gamma=(1e-3, 2e-3), n_thermal=(3, 4))


def _wandering(time):
    """A pair whose phase, power and detuning all move."""
    phi = 0.4 + 1.9 * time + 0.7 * math.sin(0.3 * time * time)
    return PairConstants(
        omega=1.0 + 0.05 * math.sin(time),
        delta_omega=0.1 * math.cos(2 * time),
        g_r=0.05 * math.cos(phi),
        g_a=0.03 * math.sin(phi),
        D11=0.08 + 0.01 * math.sin(time),
        D22=0.09,
        re_D12=0.03 * math.cos(phi),
    )


def _random_flow(seed):
    rng = np.random.default_rng(seed)
    drift, noise, output = rng.normal(size=(4, 4)), rng.normal(size=(4, 4)), rng.normal(size=(2, 4))
    return drift, noise @ noise.T, output.T @ output


def _right_hand_side(generator_at):
    def rhs(time, flat):
        v, generator = flat.reshape(4, 4), generator_at(time)
        drift, noise, gain = generator[:4, :4], generator[:4, 4:], generator[4:, :4]
        return (drift @ v + v @ drift.T + noise - v @ gain @ v).ravel()

    return rhs


def _integrate(generator_at, start, end):
    rhs = _right_hand_side(generator_at)
    result = solve_ivp(rhs, (0, end), start.ravel(), method="DOP853", rtol=1e-12, atol=1e-13)
    return result.y[:, -1].reshape(4, 4)


def test_constant_light_is_the_exact_propagation_of_the_linear_model():
    times = [0.0, 0.3, 5.0, 5.0, 40.0]
    found = evolve(PAIR, vacuum_state(), times)
    assert np.array_equal(found, evolve(PAIR.to_linear(), vacuum_state(), times))
    assert np.allclose(found, PAIR.to_linear().propagate(vacuum_state(), times), rtol=1e-14)


def test_a_constant_callable_gives_the_same_moments():
    times = [0.0, 0.5, 7.0, 7.0, 12.0]
    found = evolve(lambda time: PAIR, vacuum_state(), times)
    assert np.allclose(found, evolve(PAIR, vacuum_state(), times), rtol=1e-11)


@pytest.mark.slow
def test_changing_light_matches_a_runge_kutta_integration_of_the_moments():
    def generator_at(time):
        model = _wandering(time).to_linear()
        return flow_generator(model.drift, model.noise)

    found = evolve(_wandering, vacuum_state(), [0.0, 3.0, 9.0])
    for time, moments in zip((3.0, 9.0), found[1:], strict=True):
        assert np.allclose(moments, _integrate(generator_at, vacuum_state(), time), atol=2e-9)


def test_riccati_maps_match_a_runge_kutta_integration():
    generator = flow_generator(*_random_flow(1))
    start = np.eye(4)
    for time in (0.1, 2.0):
        expected = _integrate(lambda _: generator, start, time)
        assert np.allclose(RiccatiMap.over(generator, time)(start), expected, rtol=1e-9)


def test_composed_maps_are_the_map_over_the_sum_of_the_times():
    generator = flow_generator(*_random_flow(2))
    joined = RiccatiMap.over(generator, 0.4).then(RiccatiMap.over(generator, 0.7))
    whole = RiccatiMap.over(generator, 1.1)
    for name in ("transition", "added", "information"):
        assert np.allclose(getattr(joined, name), getattr(whole, name), rtol=1e-10)


def test_varying_riccati_flows_converge_to_the_accuracy_asked():
    drift, noise, gain = _random_flow(3)

    def generator_at(time):
        return flow_generator(drift * math.cos(time), noise, gain * (1 + math.sin(5 * time)))

    expected = _integrate(generator_at, np.eye(4), 1.5)
    found = propagate_varying(generator_at, np.eye(4), np.array([0.5, 1.5]), rtol=1e-10)[-1]
    assert np.allclose(found, expected, rtol=1e-9)


def test_fixed_points_stand_still():
    drift, noise, gain = _random_flow(4)
    found = fixed_point(flow_generator(drift, noise, gain))
    change = drift @ found + found @ drift.T + noise - found @ gain @ found
    assert np.abs(change).max() < 1e-10 * np.abs(found).max() * np.abs(gain).max()


def test_a_flow_without_a_fixed_point_is_refused():
    with pytest.raises(ConvergenceError, match="does not settle"):
        fixed_point(flow_generator(np.zeros((2, 2)), np.eye(2), np.zeros((2, 2))))


@pytest.mark.slow
def test_light_that_jumps_too_often_does_not_converge():
    model = PAIR.to_linear()
    calm = flow_generator(model.drift, model.noise)

    def flickering(time):
        return calm if math.sin(1e9 * time) > 0 else 1.1 * calm

    with pytest.raises(ConvergenceError, match="do not converge in"):
        propagate_varying(flickering, vacuum_state(), np.array([0.05]), rtol=1e-13)


def test_noise_below_the_back_action_breaks_the_uncertainty_relation():
    # A damped oscillator without noise would shrink below the vacuum.
    drift = np.array([[0.0, 1.0], [-1.0, -0.1]])
    model = LinearModel(drift, np.zeros((2, 2)), np.eye(2))
    with pytest.raises(QuantumStateError, match="state 1 is not physical"):
        evolve(model, vacuum_state(1), [0.0, 5.0])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((PAIR, np.eye(2), [1.0]), r"must have shape \(4, 4\), its shape is \(2, 2\)"),
        ((PAIR, vacuum_state(), [2.0, 1.0]), "at least 0 s and ascending"),
        ((PAIR, vacuum_state(), [-1.0]), "at least 0 s and ascending"),
        (("pair", vacuum_state(), [1.0]), "must be PairConstants or a LinearModel, got str"),
        (
            (LinearModel(np.eye(3), np.eye(3), np.eye(3)), vacuum_state(), [1.0]),
            r"pairs \(z, p\), this one 3 states",
        ),
    ],
)
def test_what_does_not_fit_is_refused(arguments, text):
    with pytest.raises(InputError, match=text):
        evolve(*arguments)


def test_accuracy_has_a_range():
    with pytest.raises(InputError, match="rtol must lie in"):
        evolve(PAIR, vacuum_state(), [1.0], rtol=0.1)
