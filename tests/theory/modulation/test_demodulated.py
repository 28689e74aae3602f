import math

import numpy as np
import pytest
from scipy.signal import csd as scipy_csd

from optobind.models.errors import ConvergenceError, InputError, UnstableModelError
from optobind.models.linear import LinearModel
from optobind.theory.modulation import demodulated
from optobind.theory.modulation.demodulated import (
    cyclic_csd,
    demodulated_csd,
    lock_in_response,
)
from optobind.theory.modulation.drift import ModulatedModel
from optobind.theory.modulation.drives import detuned, parametric, power_modulation
from optobind.theory.modulation.floquet import periodic_steady_state
from optobind.theory.modulation.pair_model import single_model
from optobind.theory.modulation.propagation import autocovariance, step_maps
from optobind.theory.modulation.rotating import rotating_model
from optobind.theory.modulation.sampled import Sampled
from optobind.theory.modulation.waveform import Sinusoid

OMEGA = 2 * math.pi * 50e3


@pytest.fixture
def driven(far_pair):
    """A pair well inside the stable region, strongly and broadly driven; period 10 µs."""
    return far_pair(parametric(OMEGA, 0.4), coupling=0.05, kd=17.3, damping=3.0)


def _with_imprecision(model, imprecision):
    return ModulatedModel(
        model.weights,
        model.drift_parts,
        model.noise_parts,
        model.output,
        model.omega,
        imprecision=imprecision,
    )


def test_light_at_rest_shows_the_spectrum_of_the_linear_model(far_pair):
    model = _with_imprecision(far_pair(0.4, kd=17.3, damping=3.0), np.diag([1e-6, 2e-6]))
    f = np.linspace(45e3, 55e3, 41)
    expected = model.frozen(0.0).csd(f)
    assert np.array_equal(cyclic_csd(model, f), expected)
    # The same through the sidebands, of steps that all have one value.
    rest = Sampled([0.0, 1e-5, 2e-5], [0.4, 0.4, 0.4], "rad", "steps", "repeat")
    lifted = far_pair(rest, kd=17.3, damping=3.0)
    found = cyclic_csd(lifted, f)
    bare = model.frozen(0.0).csd(f, include_imprecision=False)
    assert np.abs(found / bare - 1).max() < 1e-9
    assert np.allclose(expected - bare, np.diag([1e-6, 2e-6]))


def test_demodulated_light_at_rest_is_the_shifted_spectrum(far_pair):
    model = _with_imprecision(far_pair(0.4, kd=17.3, damping=3.0), np.diag([1e-6, 2e-6]))
    linear, f = model.frozen(0.0), np.linspace(0.0, 5e3, 21)
    spectra = demodulated_csd(model, f, 0.99 * OMEGA)
    below, above = linear.csd(49.5e3 - f), linear.csd(49.5e3 + f)
    assert np.allclose(spectra.matrix[:, 0::2, 0::2], above + below.conj(), rtol=1e-9)
    assert np.allclose(spectra.matrix[:, 0::2, 0::2], spectra.matrix[:, 1::2, 1::2])
    assert not spectra.locked
    same = demodulated_csd(linear, f, 0.99 * OMEGA)
    assert np.allclose(same.matrix, spectra.matrix, rtol=1e-12)
    for channel in (0, 1):
        assert spectra.quadrature(channel, 0.3) == pytest.approx(spectra.quadrature(channel, 1.0))


@pytest.mark.slow
def test_averaged_spectrum_is_the_transform_of_the_averaged_correlation(driven):
    """An independent route: R(t+τ, t) in the time domain, averaged over t, then transformed."""
    period = driven.period
    phases, steps, turns = 8, 32, 110
    steady = periodic_steady_state(driven, period * np.arange(phases) / phases)
    lags = period * np.arange(turns * steps + 1) / steps
    average = 0.0
    for time, value in zip(steady.times, steady.covariance, strict=True):
        shifted = autocovariance(driven, value, time, lags, start=time)
        average = average + shifted / phases
    assert np.abs(average[-1]).max() < 1e-7 * np.abs(average[0]).max()
    # Simpson's rule for S = 2[∫_0^∞ R e^{−2πifτ}dτ + h.c.].
    weights = np.ones(len(lags))
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    f = np.array([30e3, 49e3, 51e3, 70e3])
    turn = np.exp(-2j * np.pi * f[:, None] * lags) * weights * (lags[1] / 3)
    half = np.tensordot(turn, average, axes=1)
    expected = 2 * (half + half.conj().swapaxes(-1, -2))
    found = cyclic_csd(driven, f)
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


def test_averaged_spectrum_integrates_to_the_averaged_variance(driven):
    f = np.concatenate([np.linspace(0.0, 4e5, 4001), np.geomspace(4e5, 1e8, 800)[1:]])
    integral = np.trapezoid(cyclic_csd(driven, f, tolerance=1e-6).real, f, axis=0)
    value = periodic_steady_state(driven).covariance.mean(axis=0)[0::2, 0::2]
    assert np.abs(integral - value).max() < 1e-4 * value.max()


def test_spectra_of_a_simulated_record_agree_within_their_errors(driven):
    """Exact steps of 1/20 period, averaged periodograms by scipy, lock-in by multiplication."""
    steps, segment, averages = 20, 4096, 160
    rate = steps / driven.period
    maps, _ = step_maps(driven, driven.period * np.arange(steps + 1) / steps)
    roots = [np.linalg.cholesky(maps[n].added + 1e-18 * np.eye(4)) for n in range(steps)]
    rng = np.random.default_rng(5)
    # Many records at once: the walkers are the segments.
    state = rng.normal(size=(averages, 4)) * 0.5
    record = np.empty((averages, segment, 2))
    for n in range(-6000, segment):
        step = maps[n % steps]
        state = state @ step.step.T + rng.normal(size=state.shape) @ roots[n % steps].T
        if n >= 0:
            record[:, n] = state[:, 0::2]
    # The first sample lies one step after t = 0 (6000 steps are whole periods).
    times = (np.arange(segment) + 1) / rate
    options = {"fs": rate, "nperseg": segment, "axis": 1, "detrend": False}
    f, cross = scipy_csd(record[..., 0], record[..., 1], **options)
    keep = (f > 35e3) & (f < 65e3)
    expected = cyclic_csd(driven, f[keep])
    sigma = np.sqrt((expected[:, 0, 0] * expected[:, 1, 1]).real / averages)
    gap = np.abs(cross.mean(axis=0)[keep].conj() - expected[:, 0, 1]) / sigma
    assert np.sqrt((gap**2).mean()) == pytest.approx(1.0, abs=0.25)
    for channel in (0, 1):
        power = scipy_csd(record[..., channel], record[..., channel], **options)[1].mean(axis=0)
        ratio = power[keep].real / expected[:, channel, channel].real
        assert ratio.mean() == pytest.approx(1.0, abs=4 / math.sqrt(averages * keep.sum()))
    lag = 0.3
    mixer = 2 * np.cos(OMEGA * times + lag)[None, :, None]
    spectra = demodulated_csd(driven, f[(f > 300) & (f < 2e4)], OMEGA, phase=lag)
    assert spectra.locked
    both = record @ np.array([[1.0, 1.0], [1.0, -1.0]]) / math.sqrt(2)
    for index, mixed in enumerate(((record * mixer), (both * mixer))):
        chosen = spectra if index == 0 else spectra.common_and_differential()
        for channel in (0, 1):
            power = scipy_csd(mixed[..., channel], mixed[..., channel], **options)[1]
            ratio = power.mean(axis=0)[(f > 300) & (f < 2e4)].real / chosen.quadrature(channel)
            assert ratio.mean() == pytest.approx(1.0, abs=5 / math.sqrt(averages * ratio.size))


def test_squeezing_shows_in_one_quadrature_of_the_differential_mode(far_pair):
    """φ = 2ωt: sidebands of the slow model of Eq. (13), to O(g/ω)."""
    coupling = 0.004
    model = far_pair(parametric(OMEGA), coupling=coupling, damping=3.0)
    f = np.linspace(0.0, 2e3, 30)
    spectra = demodulated_csd(model, f, OMEGA)
    assert spectra.locked
    slow = rotating_model(model, (OMEGA, OMEGA)).csd(f)
    assert np.abs(spectra.matrix - slow).max() < coupling * np.abs(slow).max()
    modes = spectra.common_and_differential()
    g = coupling * OMEGA
    # Quadratures that decay at γ/2 ± g under a noise of D + γ/2.
    expected = [
        2 * (1.5 * g + 1.5 * g) / (rate**2 + (2 * math.pi * f) ** 2) for rate in (2.5 * g, 0.5 * g)
    ]
    for angle, spectrum in zip((0.75 * math.pi, 0.25 * math.pi), expected, strict=True):
        assert modes.quadrature(1, angle) == pytest.approx(spectrum, rel=0.03)
    # The common mode is not driven.
    assert modes.quadrature(0, 0.1) == pytest.approx(modes.quadrature(0, 1.2), rel=0.01)


def test_an_unlocked_reference_shows_no_difference_of_quadratures(driven):
    f = np.array([500.0, 3e3])
    spectra = demodulated_csd(driven, f, 1.001 * OMEGA)
    assert not spectra.locked
    assert spectra.quadrature(1, 0.0) == pytest.approx(spectra.quadrature(1, 0.9))


def test_the_phase_of_the_lock_in_turns_the_quadratures(driven):
    f = np.array([500.0, 3e3])
    reference, turned = (demodulated_csd(driven, f, OMEGA, phase=p) for p in (0.0, 0.7))
    assert turned.quadrature(1, 0.2) == pytest.approx(reference.quadrature(1, 0.9), rel=1e-9)


def test_detection_noise_adds_twice_to_each_quadrature(driven):
    noisy = _with_imprecision(driven, np.diag([1e-5, 3e-5]))
    f = np.array([1e3])
    difference = demodulated_csd(noisy, f, OMEGA).matrix - demodulated_csd(driven, f, OMEGA).matrix
    assert np.allclose(difference[0], np.diag([2e-5, 2e-5, 6e-5, 6e-5]), atol=1e-12)
    assert np.allclose(cyclic_csd(noisy, f, order=1), cyclic_csd(driven, f, order=1))


def test_cyclic_spectra_of_opposite_order_are_adjoint(driven):
    f, turn = np.array([31e3, 48e3]), 1.0 / driven.period
    forward = cyclic_csd(driven, f, order=1)
    backward = cyclic_csd(driven, f + turn, order=-1)
    assert np.allclose(forward, backward.conj().swapaxes(-1, -2), rtol=1e-7)


def test_spectra_of_jumping_light_converge(far_pair):
    wave = Sampled([0.0, 4e-6, 1.3e-5], [0.5, -0.7, 0.5], "rad", "steps", "repeat")
    model = far_pair(wave, coupling=0.02, kd=17.3, damping=3.0)
    f = np.linspace(0.0, 6e5, 6001)
    found = cyclic_csd(model, f, tolerance=1e-5)
    value = periodic_steady_state(model).covariance.mean(axis=0)[0, 0]
    assert np.trapezoid(found[:, 0, 0].real, f) == pytest.approx(value, rel=2e-3)


def test_lock_in_low_pass_is_a_chain_of_first_order_stages():
    f = np.array([0.0, 10.0, 1e3])
    found = lock_in_response(f, 1e-3, 4)
    assert np.abs(found) ** 2 == pytest.approx((1 + (2 * np.pi * f * 1e-3) ** 2) ** -4.0)


def test_spectra_of_growing_models_do_not_exist(far_pair):
    with pytest.raises(UnstableModelError, match="a periodic state does not exist"):
        cyclic_csd(far_pair(parametric(OMEGA)), [5e4])


def test_slow_deep_modulation_needs_more_sidebands_than_there_are(monkeypatch):
    monkeypatch.setattr(demodulated, "_LAST_ORDER", 16)
    power = power_modulation(0.5, 0.02 * OMEGA)
    model = single_model(omega=OMEGA, D=1.0, power=power, gamma=1e3)
    with pytest.raises(ConvergenceError, match="16 sidebands do not suffice"):
        cyclic_csd(model, [5e4], tolerance=1e-9)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda m: cyclic_csd(m, [math.nan]), "frequencies must be finite"),
        (lambda m: demodulated_csd(m, [6e4], OMEGA), r"frequencies must lie in 0 … 50000 Hz"),
        (lambda m: demodulated_csd(m, [1.0], -1.0), "omega_ref must lie in"),
        (lambda m: demodulated_csd(m, [1e3], OMEGA).quadrature(2), "channel must lie in 0 … 1"),
        (lambda m: demodulated_csd(m, [1e3], OMEGA).mixed([[1.0]]), "the mixing needs 2 columns"),
        (lambda m: lock_in_response([1.0], 1e-3, 0), "order must lie in 1 … 8"),
    ],
)
def test_wrong_requests_are_refused(driven, call, text):
    with pytest.raises(InputError, match=text):
        call(driven)


def test_light_at_rest_has_no_cyclic_order(far_pair):
    model = far_pair(0.3, damping=3.0)
    assert isinstance(model.frozen(0.0), LinearModel)
    with pytest.raises(InputError, match="light at rest has cyclic order 0 only, got 1"):
        cyclic_csd(model, [1e4], order=1)
    wave = Sinusoid(0.0, 1.0, OMEGA) + detuned(math.sqrt(2) * 5e4)
    with pytest.raises(InputError, match="the light is not periodic"):
        cyclic_csd(far_pair(wave, damping=3.0), [1e4])
