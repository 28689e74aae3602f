import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from optobind.models.errors import ConvergenceError, InputError
from optobind.models.linear import LinearModel
from optobind.models.pair import PairConstants
from optobind.theory.modulation import propagation
from optobind.theory.modulation.drift import ModulatedModel
from optobind.theory.modulation.drives import parametric, power_modulation
from optobind.theory.modulation.maps import GaussianMap, exponential_steps
from optobind.theory.modulation.pair_model import far_field_model
from optobind.theory.modulation.propagation import (
    autocovariance,
    magnus_maps,
    propagate,
    step_maps,
    transition,
)
from optobind.theory.modulation.sampled import Sampled
from optobind.theory.modulation.waveform import Constant, Sinusoid, Waveform

_DATA = Path(__file__).parents[2] / "data"
START = np.diag([3.0, 1.0, 2.0, 5.0])
OMEGA = 2 * math.pi * 50e3
VALUES = {
    "omega": OMEGA,
    "kd": 17.3,
    "G": 2e5,
    "D11": 2e5,
    "D22": 1.5e5,
    "delta_omega": 4e3,
    "gamma": (900.0, 700.0),
    "n_thermal": (40.0, 30.0),
}


def _close(found, expected, tolerance):
    scale = np.abs(expected).max(axis=tuple(range(1, np.ndim(expected))), keepdims=True)
    return (np.abs(found - expected) <= tolerance * scale).all()


def _smooth(force=0.0):
    """Phase and powers that all move, with a common period of 20 µs."""
    base = 2 * math.pi * 50e3
    model = far_field_model(
        phi=Sinusoid(0.3, 1.4, base, 0.5),
        power_1=power_modulation(0.2, 2 * base, 0.1),
        power_2=power_modulation(0.1, base),
        **VALUES,
    )
    parts = np.zeros((5, 4))
    parts[1, 1], parts[4, 3] = force, -2 * force
    return ModulatedModel(
        model.weights, model.drift_parts, model.noise_parts, model.output, model.omega, parts
    )


def _integrated(model, start, stop, mean, covariance):
    """Mean, covariance and Φ by a tight adaptive Runge-Kutta method."""
    n = model.states

    def slope(t, y):
        drift, noise, force = model.drift([t])[0], model.noise([t])[0], model.force([t])[0]
        x, v, phi = y[:n], y[n : n + n * n].reshape(n, n), y[n + n * n :].reshape(n, n)
        rates = (drift @ x + force, drift @ v + v @ drift.T + noise, drift @ phi)
        return np.concatenate([rate.ravel() for rate in rates])

    begin = np.concatenate([mean, covariance.ravel(), np.eye(n).ravel()])
    end = solve_ivp(slope, (start, stop), begin, method="DOP853", rtol=1e-12, atol=1e-11).y[:, -1]
    return end[:n], end[n : n + n * n].reshape(n, n), end[n + n * n :].reshape(n, n)


def test_light_at_rest_is_the_linear_model_to_nine_digits():
    data = json.loads((_DATA / "gaussian_pair.json").read_text(encoding="utf-8"))
    inputs = data["inputs"]
    model = far_field_model(
        omega=inputs["omega"],
        delta_omega=inputs["delta_omega"],
        kd=inputs["kd"],
        phi=inputs["phi"],
        G=inputs["G_over_kd"] * inputs["kd"],
        D11=inputs["D11"],
        D22=inputs["D22"],
        gamma=tuple(inputs["gamma"]),
        n_thermal=tuple(inputs["n_thermal"]),
    )
    start = np.diag(inputs["V0_diag"])
    found = propagate(model, start, data["times"])
    assert _close(found.covariance, np.array(data["covariance"]), 1e-9)
    assert found.error == 0.0
    linear = model.frozen(0.0)
    assert _close(found.covariance, linear.propagate(start, data["times"]), 1e-11)
    lags = np.array([0.0, 2e-6, 1e-3])
    steady = linear.steady_state()
    assert _close(autocovariance(model, steady, 1e-4, lags), linear.autocovariance(lags), 1e-9)


def test_steps_of_the_light_are_propagated_exactly():
    times = np.array([0.0, 2.1e-5, 3e-5, 2e-4])
    phases = np.array([0.3, -1.0, 2.0, 0.3])
    model = far_field_model(phi=Sampled(times, phases, "rad", "steps", "hold"), **VALUES)
    found = propagate(model, START, [2e-4, 1.1e-3])
    value = START
    for phi, dt in zip(phases, (2.1e-5, 0.9e-5, 1.7e-4, 9e-4), strict=True):
        linear = PairConstants.far_field(phi=phi, **VALUES).to_linear()
        value = linear.propagate(value, [dt])[0]
        if phi == 2.0:
            assert _close(found.covariance[:1], value[None], 1e-11)
    assert _close(found.covariance[1:], value[None], 1e-11)
    assert found.error == 0.0


def test_series_is_van_loans_block_exponential():
    linear = PairConstants.far_field(phi=0.4, **VALUES).to_linear()
    for dt in (1e-8, 1e-5, 1e-3):
        step, added = linear.discretise(dt)
        found = exponential_steps(
            linear.drift[None] * dt, linear.noise[None] * dt, np.zeros((1, 4))
        )[0]
        assert np.abs(found.step - step).max() < 1e-11
        assert np.abs(found.added - added).max() < 1e-11 * np.abs(added).max()


def test_magnus_steps_converge_with_the_fourth_power():
    model, span = _smooth(1e5), 1.3e-5

    def error(count):
        maps = magnus_maps(model, np.linspace(0.0, span, count + 1))
        return maps.reduced(np.array([count]))[0].distance(reference)

    reference = step_maps(model, [0.0, span], 1e-13)[0][0]
    errors = [error(count) for count in (16, 32, 64)]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert orders == pytest.approx([4.0, 4.0], abs=0.15)


def test_the_error_estimate_is_honest():
    model = _smooth()
    reference = step_maps(model, [0.0, 3e-5], 1e-13)[0][0]
    for tolerance in (1e-5, 1e-8):
        maps, error = step_maps(model, [0.0, 3e-5], tolerance)
        assert maps[0].distance(reference) < 2 * error <= 2 * tolerance


@pytest.mark.parametrize("start", [0.0, 7.7e-6])
def test_moments_agree_with_a_tight_runge_kutta_integration(start):
    model, mean = _smooth(2e5), np.array([1.0, -2.0, 0.5, 3.0])
    stop = start + 2.3e-5
    found = propagate(model, START, [stop], mean=mean, start=start)
    centre, covariance, phi = _integrated(model, start, stop, mean, START)
    assert _close(found.mean, centre[None], 1e-9)
    assert _close(found.covariance, covariance[None], 1e-9)
    assert _close(transition(model, start, stop)[None], phi[None], 1e-9)


def test_periods_are_powers_of_one_map():
    model = _smooth(2e5)
    whole = propagate(model, START, [3.7e-6, 1.345e-4], mean=np.ones(4))
    mean, value, start = np.ones(4), START, 0.0
    for stop in (3.1e-5, 6.9e-5, 1.05e-4, 1.345e-4):
        # Less than two periods each: integrated as they are.
        state = propagate(model, value, [stop], mean=mean, start=start)
        mean, value, start = state.mean[0], state.covariance[0], stop
    assert _close(whole.covariance[1:], value[None], 1e-9)
    assert _close(whole.mean[1:], mean[None], 1e-9)


def test_phase_space_shrinks_by_the_damping_alone():
    phi = transition(_smooth(), 2e-6, 4.4e-5)
    assert np.linalg.det(phi) == pytest.approx(math.exp(-1600.0 * 4.2e-5), rel=1e-10)


def test_two_time_correlations_solve_the_regression_theorem():
    model, time, lag = _smooth(), 1.1e-5, 6.6e-6
    found = autocovariance(model, START, time, [0.0, lag])
    _, now, _ = _integrated(model, 0.0, time, np.zeros(4), START)
    _, _, phi = _integrated(model, time, time + lag, np.zeros(4), START)
    expected = np.array([model.output @ m @ now @ model.output.T for m in (np.eye(4), phi)])
    assert _close(found, expected, 1e-9)


def test_moments_come_in_the_order_asked_and_uncertainty_holds():
    model = far_field_model(phi=parametric(OMEGA), **VALUES)
    times = np.array([3e-4, 0.0, 1e-5, 3e-4])
    found = propagate(model, 0.5 * np.eye(4), times)
    assert np.array_equal(found.covariance[0], found.covariance[3])
    assert np.allclose(found.covariance[1], 0.5 * np.eye(4))
    form = np.kron(np.eye(2), [[0, 1], [-1, 0]])
    for value in found.covariance:
        assert np.array_equal(value, value.T) or np.allclose(value, value.T, rtol=1e-13)
        assert np.linalg.eigvalsh(value + 0.5j * form)[0] > -1e-9


def test_maps_compose_and_reduce_in_order():
    rng = np.random.default_rng(3)
    stack = GaussianMap(
        rng.normal(size=(7, 2, 2)), np.eye(2) * rng.random((7, 1, 1)), rng.normal(size=(7, 2))
    )
    runs = stack.reduced(np.array([4, 1, 2]))
    for run, (low, high) in enumerate(((0, 4), (4, 5), (5, 7))):
        single = GaussianMap.identity(2)
        for index in range(low, high):
            single = single.then(stack[index])
        assert runs[run].distance(single) < 1e-13
    assert stack[0].power(5).distance(stack[np.zeros(5, int)].reduced(np.array([5]))[0]) < 1e-13
    with pytest.raises(InputError, match="a map cannot be applied -1 times"):
        stack[0].power(-1)


def test_steps_may_be_worked_off_in_chunks(monkeypatch):
    wave = Sampled(np.linspace(0, 1e-4, 41), np.sin(np.arange(41)), outside="hold")
    model = far_field_model(phi=wave, **VALUES)
    edges = np.array([0.0, 1e-6, 4.7e-5, 9e-5, 1.1e-4])
    whole, _ = step_maps(model, edges, 1e-8)
    monkeypatch.setattr(propagation, "_CHUNK", 50)
    parts, _ = step_maps(model, edges, 1e-8)
    assert len(whole) == len(parts) == 4
    assert whole.distance(parts) < 1e-11


class _Liar(Waveform):
    """A fast waveform that claims to rest."""

    unit, period, rate, bounds = "rad", None, 0.0, (-1.0, 1.0)

    def __call__(self, times):
        return np.sin(1e13 * np.asarray(times) ** 2 / 1e-5)

    def scaled(self, factor, unit):
        return self


def test_waveforms_that_hide_their_rate_do_not_converge():
    model = far_field_model(phi=_Liar(), **VALUES)
    with pytest.raises(ConvergenceError, match="refining the steps does not converge"):
        propagate(model, START, [1e-5], tolerance=1e-9)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda m: propagate(m, np.eye(2), [1.0]), r"covariance must be finite, shape \(4, 4\)"),
        (lambda m: propagate(m, START, [1.0], mean=[1.0]), r"mean must be finite, shape \(4,\)"),
        (lambda m: propagate(m, START, [-1.0]), "times must not precede the start, 0 s; got -1 s"),
        (lambda m: step_maps(m, [1.0]), "edges must be at least two increasing times"),
        (lambda m: step_maps(m, [0.0, 1e-6], 1.0), "tolerance must lie in 1e-13 … 0.01, got 1"),
        (lambda m: propagate(m, START, [math.nan]), "times must be finite"),
        (lambda m: autocovariance(m, START, 0.0, [-1e-6]), "times must not precede the start"),
    ],
)
def test_wrong_requests_are_refused(call, text):
    with pytest.raises(InputError, match=text):
        call(_smooth())


def test_too_many_steps_are_refused():
    wave = Sinusoid(0.0, 1.0, 1e9) + Sinusoid(0.0, 1.0, math.sqrt(2) * 1e9)
    model = far_field_model(phi=wave, **VALUES)
    with pytest.raises(ConvergenceError, match="steps would be needed for 10 s"):
        propagate(model, START, [10.0])


def test_propagated_linear_models_share_the_vacuum():
    model = far_field_model(phi=Constant(0.2), **{**VALUES, "n_thermal": (0.0, 0.0)})
    assert isinstance(model.frozen(0.0), LinearModel)
    assert propagate(model, START, []).covariance.shape == (0, 4, 4)
