import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import csd as scipy_csd

from optobind.models.errors import InputError, UnstableModelError
from optobind.models.linear import LinearModel


def _model(gaussian_pair):
    output = np.zeros((2, 4))
    output[0, 0] = output[1, 2] = 1.0
    return LinearModel(gaussian_pair["drift"], gaussian_pair["diffusion"], output)


def _toy():
    """A damped pair slow enough to simulate: rates of order 1."""
    drift = [[0, 6, 0, 0], [-5.5, -0.8, 0.9, 0], [0, 0, 0, 6], [-0.4, 0, -7, -0.6]]
    noise = np.zeros((4, 4))
    noise[1, 1], noise[3, 3], noise[1, 3], noise[3, 1] = 3.0, 2.0, 1.2, 1.2
    output = np.array([[1.0, 0, 0, 0], [0.1, 0, 1.0, 0]])
    return LinearModel(drift, noise, output, imprecision=[0.01, 0.02])


def test_moments_match_the_reference_to_nine_digits(gaussian_pair):
    model = _model(gaussian_pair)
    start = np.diag(gaussian_pair["inputs"]["V0_diag"])
    found = model.propagate(start, gaussian_pair["times"])
    for value, expected in zip(found, np.array(gaussian_pair["covariance"]), strict=True):
        assert np.abs(value - expected).max() < 1e-9 * np.abs(expected).max()
        assert np.array_equal(value, value.T) or np.allclose(value, value.T, rtol=1e-12)


def test_spectra_match_the_reference_to_nine_digits(gaussian_pair):
    found = _model(gaussian_pair).csd(gaussian_pair["frequencies_hz"])
    expected = np.array(gaussian_pair["csd"]) @ [1, 1j]
    for value, wanted in zip(found, expected, strict=True):
        assert np.abs(value - wanted).max() < 1e-9 * np.abs(wanted).max()


def test_eigenvalues_and_stability_match_the_reference(gaussian_pair):
    model = _model(gaussian_pair)
    expected = np.sort_complex(np.array(gaussian_pair["eigenvalues"]) @ [1, 1j])
    assert np.allclose(np.sort_complex(model.eigenvalues), expected, rtol=1e-9)
    assert model.is_stable == gaussian_pair["stable"]
    assert model.growth_rate == pytest.approx(-60.29321829715215, rel=1e-6)


def test_moments_obey_their_equation_of_motion(central_difference):
    model, start = _toy(), np.diag([3.0, 1.0, 2.0, 5.0])
    time = np.array([0.37])
    slope = central_difference(lambda t: model.propagate(start, t)[0], time, 1e-3)[0]
    value = model.propagate(start, time)[0]
    expected = model.drift @ value + value @ model.drift.T + model.noise
    assert np.abs(slope - expected).max() < 1e-8 * np.abs(expected).max()


@given(first=st.floats(1e-6, 3.0), second=st.floats(1e-6, 3.0))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_steps_compose(first, second):
    model = _toy()
    (f1, q1), (f2, q2), (f3, q3) = (model.discretise(t) for t in (first, second, first + second))
    assert np.allclose(f2 @ f1, f3, rtol=1e-9, atol=1e-10)
    assert np.allclose(f2 @ q1 @ f2.T + q2, q3, rtol=1e-9, atol=1e-10)
    assert np.linalg.eigvalsh(q1)[0] > -1e-12 * np.abs(q1).max()


def test_long_steps_reach_the_steady_state(gaussian_pair):
    for model in (_toy(), _model(gaussian_pair)):
        steady = model.steady_state()
        slowest = -model.growth_rate
        step, covariance = model.discretise(20.0 / slowest)
        assert np.abs(step).max() < 1e-7
        assert np.abs(covariance - steady).max() < 1e-7 * np.abs(steady).max()


def test_a_monte_carlo_ensemble_has_the_propagated_moments():
    model, rng = _toy(), np.random.default_rng(11)
    count, dt, steps = 40000, 0.05, 12
    step, covariance = model.discretise(dt)
    root = np.linalg.cholesky(covariance)
    state = rng.normal(size=(count, 4)) * np.sqrt([3.0, 1.0, 2.0, 5.0])
    for _ in range(steps):
        state = state @ step.T + rng.normal(size=(count, 4)) @ root.T
    expected = model.propagate(np.diag([3.0, 1.0, 2.0, 5.0]), [dt * steps])[0]
    sigma = np.sqrt((np.outer(np.diag(expected), np.diag(expected)) + expected**2) / count)
    assert (np.abs(state.T @ state / count - expected) < 4.5 * sigma).all()


def test_one_sided_spectrum_integrates_to_the_variance():
    model = _toy()
    f = np.linspace(0, 200, 100_001)
    spectrum = model.csd(f, include_imprecision=False)
    integral = np.trapezoid(spectrum.real, f, axis=0)
    expected = model.output @ model.steady_state() @ model.output.T
    assert np.allclose(integral, expected, rtol=1e-4)


@pytest.mark.slow
def test_spectrum_is_the_conjugate_of_scipys_estimate():
    model, rng = _toy(), np.random.default_rng(7)
    dt, count = 0.02, 400_000
    step, covariance = model.discretise(dt)
    kicks = rng.normal(size=(count, 4)) @ np.linalg.cholesky(covariance).T
    state, record = np.zeros(4), np.empty((count, 4))
    for n in range(count):
        state = step @ state + kicks[n]
        record[n] = state
    z = record @ model.output.T
    f, estimate = scipy_csd(z[:, 0], z[:, 1], 1 / dt, nperseg=4096)
    keep = (f > 0.7) & (f < 1.3)
    expected = model.csd(f[keep], include_imprecision=False)[:, 0, 1]
    error = estimate[keep].conj() - expected
    wrong = estimate[keep] - expected
    scale = np.linalg.norm(expected)
    assert np.linalg.norm(error) < 0.15 * scale
    assert np.linalg.norm(wrong) > 0.3 * scale


def test_autocovariance_is_the_transform_of_the_spectrum():
    model, lag = _toy(), 0.21
    f = np.linspace(0, 200, 100_001)
    spectrum = model.csd(f, include_imprecision=False)
    # R_jl(τ) = ⟨z_j(t+τ)z_l(t)⟩ = ∫_0^∞ Re[S_jl e^{2πifτ}] df.
    turned = (spectrum * np.exp(2j * np.pi * f * lag)[:, None, None]).real
    expected = np.trapezoid(turned, f, axis=0)
    assert np.allclose(model.autocovariance([lag])[0], expected, atol=2e-4)


def test_imprecision_adds_white_noise():
    model = _toy()
    difference = model.csd([1.0]) - model.csd([1.0], include_imprecision=False)
    assert np.allclose(difference[0], np.diag([0.01, 0.02]))


def test_growing_models_have_finite_times_only():
    model = LinearModel([[0.0, 1.0], [1.0, 0.0]], np.diag([0.0, 1.0]), np.eye(2))
    assert not model.is_stable
    for call in (model.steady_state, lambda: model.csd([1.0]), lambda: model.autocovariance([0.0])):
        with pytest.raises(UnstableModelError, match="amplitudes grow at 1 1/s") as caught:
            call()
        assert caught.value.growth_rate == pytest.approx(1.0)
    variance = model.propagate(np.zeros((2, 2)), [2.0])[0, 0, 0]
    assert variance == pytest.approx((math.sinh(4.0) / 2 - 2.0) / 2)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"drift": np.zeros((2, 3))}, r"drift must be square, its shape is \(2, 3\)"),
        ({"drift": [[np.nan, 0], [0, 0]]}, "drift holds a value that is not finite"),
        ({"noise": [[1.0, 0.5], [0.0, 1.0]]}, "noise must be symmetric"),
        ({"noise": np.eye(3)}, r"noise must be \(2, 2\)"),
        ({"output": np.eye(3)}, "output needs 2 columns"),
    ],
)
def test_wrong_shapes_are_refused(change, text):
    values = {"drift": -np.eye(2), "noise": np.eye(2), "output": np.eye(2), **change}
    with pytest.raises(InputError, match=text):
        LinearModel(**values)


@pytest.mark.parametrize("step", [-1.0, math.nan, math.inf])
def test_impossible_steps_are_refused(step):
    with pytest.raises(InputError, match="a time step must be finite and at least 0 s"):
        _toy().discretise(step)


def test_arrays_of_a_model_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        _toy().drift[0, 0] = 1.0
