"""Moments of the demodulated amplitudes against brute force and closed forms."""

import numpy as np
import pytest

from optobind.models.errors import InputError
from optobind.models.inference.reheating.bins import BinLayout, demodulate, lay_out_bins
from optobind.models.inference.reheating.covariance import (
    anomalous_covariance,
    anomalous_means,
    curve_covariance,
    curve_means,
    lag_products,
    phase_covariance,
    phase_means,
    phase_weights,
)
from optobind.models.inference.reheating.moments import (
    amplitude_moments,
    initial_covariance,
    reheating_model,
)

VALUES = {
    "D11": 4e5, "D22": 5e5, "re_D12": 8e4, "g_r": 1.2e4, "g_a": 9e3, "gamma_1": 900.0,
    "gamma_2": 400.0, "omega_1": 2.8e5, "omega_2": 3.0e5, "n1_0": 30.0, "n2_0": 50.0,
    "re_C0": 4.0, "im_C0": -7.0, "noise_1": 2e-6, "noise_2": 3e-6,
}  # fmt: skip


def record_covariance(values, samples, rate):
    """Covariance (n, 2, n, 2) of the whole sampled record, sample by sample."""
    step, spread = reheating_model(values).discretise(1.0 / rate)
    covariance = np.zeros((samples, 2, samples, 2))
    state = initial_covariance(values)
    for i in range(samples):
        ahead = state
        for k in range(i, samples):
            covariance[k, :, i] = ahead[np.ix_([0, 2], [0, 2])]
            covariance[i, :, k] = ahead[np.ix_([0, 2], [0, 2])].T
            ahead = step @ ahead
        state = step @ state @ step.T + spread
    for j in (0, 1):
        index = np.arange(samples)
        covariance[index, j, index, j] += 0.5 * rate * values[f"noise_{j + 1}"]
    return covariance


def functional(layout, samples):
    """Real matrix (4t, 2n) of y = (Re a_1, Im a_1, …), by demodulating unit records."""
    unit = np.zeros((samples, samples, 2))
    unit[np.arange(samples), np.arange(samples), 0] = 1.0
    weights = demodulate(unit, layout)[:, :, 0]
    matrix = np.zeros((len(layout), 4, samples, 2))
    for j in (0, 1):
        matrix[:, 2 * j, :, j] = weights.real.T
        matrix[:, 2 * j + 1, :, j] = weights.imag.T
    return matrix.reshape(4 * len(layout), 2 * samples)


@pytest.fixture(scope="module")
def brute():
    samples, rate = 90, 5e5
    layout = BinLayout(np.array([2, 13, 24, 48, 75]), 11, rate, 2.9e5)
    matrix = functional(layout, samples)
    record = record_covariance(VALUES, samples, rate).reshape(2 * samples, 2 * samples)
    return layout, matrix @ record @ matrix.T


def test_moments_match_the_covariance_of_the_whole_record_sample_by_sample(brute):
    layout, expected = brute
    moments = amplitude_moments(layout, VALUES, full=True)
    dense = moments.full.transpose(0, 2, 1, 3).reshape(expected.shape)
    assert np.allclose(dense, expected, rtol=1e-9, atol=1e-9 * abs(expected).max())
    blocks = expected.reshape(5, 4, 5, 4)
    for b in range(5):
        assert np.allclose(moments.equal[b], blocks[b, :, b], rtol=1e-9, atol=1e-8)
    for b in range(4):
        assert np.allclose(moments.lagged[b], blocks[b, :, b + 1], rtol=1e-9, atol=1e-8)


def test_covariance_of_curves_phases_and_anomalous_moments_is_that_of_gaussian_products(brute):
    layout, dense = brute
    full = dense.reshape(5, 4, 5, 4).transpose(0, 2, 1, 3)
    moments = amplitude_moments(layout, VALUES, full=True)
    weights = phase_weights(moments, layout.times)
    y = np.random.default_rng(3).multivariate_normal(np.zeros(20), dense, 60_000)
    y = y.reshape(-1, 5, 4)
    first, second = y[..., 0] + 1j * y[..., 1], y[..., 2] + 1j * y[..., 3]
    cross = first.conj() * second
    curves = np.concatenate([abs(first) ** 2, abs(second) ** 2, cross.real, cross.imag], axis=1)
    lags = np.stack([a[:, :-1].conj() * a[:, 1:] for a in (first, second)], axis=2)
    phases = np.sum(weights.conj() * lags, axis=1).imag
    products = np.stack([a[:, 0] * b[:, 0] for a, b in ((first, first), (second, second),
                                                         (first, second))], axis=1)  # fmt: skip
    anomalous = np.stack([products.real, products.imag], axis=2).reshape(-1, 6)
    sampled = np.cov(np.concatenate([curves, phases, anomalous], axis=1).T)
    expected = np.zeros_like(sampled)
    expected[:20, :20] = curve_covariance(full)
    mixed, own = phase_covariance(full, weights)
    expected[:20, 20:22], expected[20:22, :20], expected[20:22, 20:22] = mixed, mixed.T, own
    mixed, own = anomalous_covariance(full, weights)
    expected[:22, 22:], expected[22:, :22], expected[22:, 22:] = mixed, mixed.T, own
    scale = np.sqrt(np.diag(expected))
    assert np.abs((sampled - expected) / np.outer(scale, scale)).max() < 0.05
    assert np.allclose(curve_means(moments.equal).ravel(), curves.mean(0), atol=0.02 * scale.max())
    mean = phase_means(lag_products(moments.lagged), weights)
    assert np.abs((phases.mean(0) - mean) / scale[20:22]).max() < 0.02
    mean = anomalous_means(moments.equal[0])
    assert np.abs((anomalous.mean(0) - mean) / scale[22:]).max() < 0.02


def test_circular_amplitudes_give_the_complex_formulas_of_averaged_curves():
    rng = np.random.default_rng(5)
    factor = rng.standard_normal((6, 6)) + 1j * rng.standard_normal((6, 6))
    gamma = factor @ factor.conj().T / 6.0  # ⟨a a†⟩ of (a_1(t_b), a_2(t_b)), b = 1..3
    # Circular: ⟨uu⟩ = ⟨vv⟩ = Re⟨a a†⟩/2, ⟨v u⟩ = Im⟨a a†⟩/2.
    blocks = np.zeros((3, 3, 4, 4))
    for b in range(3):
        for c in range(3):
            for j in (0, 1):
                for k in (0, 1):
                    g = gamma[2 * b + j, 2 * c + k]
                    part = 0.5 * np.array([[g.real, -g.imag], [g.imag, g.real]])
                    blocks[b, c, 2 * j : 2 * j + 2, 2 * k : 2 * k + 2] = part
    covariance = curve_covariance(blocks).reshape(4, 3, 4, 3)

    def G(j, k, b, c):  # Γ_jk(t_b, t_c) = ⟨a_j*(t_b) a_k(t_c)⟩
        return gamma[2 * c + k, 2 * b + j]

    for b in range(3):
        for c in range(3):
            for j in (0, 1):
                for k in (0, 1):
                    assert np.isclose(covariance[j, b, k, c], abs(G(j, k, b, c)) ** 2)
                mixed = covariance[j, b, 2, c] + 1j * covariance[j, b, 3, c]
                assert np.isclose(mixed, G(j, 1, b, c) * G(0, j, c, b))
            rr, ii = covariance[2, b, 2, c], covariance[3, b, 3, c]
            ri, ir = covariance[2, b, 3, c], covariance[3, b, 2, c]
            assert np.isclose(rr + ii + 1j * (ir - ri), G(0, 0, b, c) * G(1, 1, c, b))
            assert np.isclose(rr - ii + 1j * (ir + ri), G(0, 1, b, c) * G(0, 1, c, b))


def test_initial_state_has_the_moments_that_its_parameters_name():
    covariance = initial_covariance(VALUES)
    lower = np.array([[1, 1j, 0, 0], [0, 0, 1, 1j]]) / np.sqrt(2.0)
    moments = lower.conj() @ covariance @ lower.T
    assert np.allclose(np.diag(moments).real, [30.5, 50.5])
    assert np.isclose(moments[0, 1], 4.0 - 7.0j)
    assert np.linalg.eigvalsh(covariance).min() > 0.0
    # Free orbits of an uncoupled pair keep ⟨z²⟩ constant.
    free = reheating_model({**VALUES, "g_r": 0, "g_a": 0, "gamma_1": 0, "gamma_2": 0,
                            "D11": 0, "D22": 0, "re_D12": 0})  # fmt: skip
    states = free.propagate(covariance, np.linspace(0.0, 3e-5, 7))
    assert np.allclose(states[:, 0, 0], covariance[0, 0])
    assert np.allclose(states[:, 2, 2], covariance[2, 2])


def early_slopes(values, vacuum=0.5):
    """Slopes of E_1, E_2 and E_± just after the release, averaged over a mechanical period.

    E_1: D_11 − 2(g_r+g_a) Im C(0) − γ_1E_1, E_2: D_22 + 2(g_r−g_a) Im C(0) − γ_2E_2, and
    E_±: (D_11+D_22)/2 − 2g_a Im C(0) ± [Re D_12 − (ω̃_1−ω̃_2) Im C(0)] − damping.
    """
    gamma_1, gamma_2 = values.get("gamma_1", 0.0), values.get("gamma_2", 0.0)
    imag = values["im_C0"]
    first = values["D11"] - 2.0 * (values["g_r"] + values["g_a"]) * imag
    first -= gamma_1 * (values["n1_0"] + vacuum)
    second = values["D22"] + 2.0 * (values["g_r"] - values["g_a"]) * imag
    second -= gamma_2 * (values["n2_0"] + vacuum)
    cross = values["re_D12"] - (values["omega_1"] - values["omega_2"]) * imag
    cross -= 0.5 * (gamma_1 + gamma_2) * values["re_C0"]
    mean = 0.5 * (first + second)
    return {"E1": first, "E2": second, "E_plus": mean + cross, "E_minus": mean - cross}


@pytest.mark.parametrize("imag", [0.0, -7.0])
def test_early_slopes_match_moment_propagation_averaged_over_a_period(imag):
    # Equal frequencies and weak rates: the formulas are first order in rate × period.
    values = {**VALUES, "omega_1": 3e5, "omega_2": 3e5 + 300.0, "D11": 4e3, "D22": 5e3,
              "re_D12": 8e2, "g_r": 30.0, "g_a": 20.0, "gamma_1": 9.0, "gamma_2": 4.0,
              "im_C0": imag}  # fmt: skip
    period = 2 * np.pi / 3e5
    times = np.arange(64) / 64 * period
    model = reheating_model(values)

    def averaged(start):
        states = model.propagate(initial_covariance(values), start + times)
        E1 = 0.5 * (states[:, 0, 0] + states[:, 1, 1]).mean()
        E2 = 0.5 * (states[:, 2, 2] + states[:, 3, 3]).mean()
        C = 0.5 * (states[:, 0, 2] + states[:, 1, 3]).mean()
        return np.array([E1, E2, 0.5 * (E1 + E2) + C, 0.5 * (E1 + E2) - C])

    measured = (averaged(4 * period) - averaged(0.0)) / (4 * period)
    slopes = early_slopes(values)
    expected = np.array([slopes[name] for name in ("E1", "E2", "E_plus", "E_minus")])
    assert np.allclose(measured, expected, rtol=0.02)


def test_constant_offset_of_a_detector_does_not_reach_the_amplitudes():
    layout = lay_out_bins(300, 5e5, 2.9e5)
    record = np.full((1, 300, 2), 123.0)
    assert np.abs(demodulate(record, layout)).max() < 1e-10


def test_amplitude_of_a_pure_oscillation_is_recovered_with_its_sign_of_rotation():
    layout = lay_out_bins(300, 5e5, 2.9e5)
    t = np.arange(300) / 5e5
    z = np.sqrt(2.0) * (3.0 * np.cos(2.9e5 * t) + 4.0 * np.sin(2.9e5 * t))
    amplitudes = demodulate(np.stack([z, z], axis=1)[None], layout)
    assert np.allclose(amplitudes, 3.0 + 4.0j)


def test_windows_of_long_releases_spread_over_octaves_and_never_overlap():
    layout = lay_out_bins(50_000, 1e6, 2 * np.pi * 50e3)
    assert 80 <= len(layout) <= 96
    assert np.diff(layout.starts).min() >= layout.length
    assert layout.samples > 0.8 * 50_000


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"samples": 20}, "release is too short"),
        ({"sample_rate": 1e5}, "sample rate 100000 Hz gives"),
        ({"window": 1e-6}, "averaging window must last"),
        ({"times": [1e-4, 5e-3]}, "times must keep the windows inside"),
        ({"omega_ref": -1.0}, "omega_ref must be positive"),
        ({"times": [1e-4, 1.1e-4, 3e-4, 4e-4, 5e-4]}, "must not overlap"),
        ({"times": [1e-4, 3e-4]}, "holds 2 averaging windows"),
    ],
)
def test_layouts_that_cannot_be_used_are_refused(change, text):
    arguments = {"samples": 300, "sample_rate": 5e5, "omega_ref": 2.9e5} | change
    samples, rate, omega = (arguments.pop(k) for k in ("samples", "sample_rate", "omega_ref"))
    with pytest.raises(InputError, match=text):
        lay_out_bins(samples, rate, omega, **arguments)
