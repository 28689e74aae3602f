from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import signal

from optobind.instruments.simulated.settings import FeedbackSettings
from optobind.instruments.simulated.world import SimulatedWorld
from optobind.models.detection import (
    cold_damping_occupation,
    imprecision_psd,
    optimal_cold_damping,
    quantum_length,
)
from optobind.models.linear import LinearModel

from .conftest import TWO_PI, make_pair, make_settings
from .pair_mechanics import PairMechanics
from .test_kernels import rich_world, trajectory


def world_of(pair, **changes) -> SimulatedWorld:
    return SimulatedWorld(PairMechanics(pair), make_settings(**changes))


def fit_model(truth: dict[str, float]) -> LinearModel:
    """The fits' convention, written out independently of PairConstants."""
    t, w = truth, 0.5 * (truth["omega_1"] + truth["omega_2"])
    drift, noise = np.zeros((4, 4)), np.zeros((4, 4))
    drift[0, 1] = drift[2, 3] = w
    drift[1, 0], drift[3, 2] = -(t["omega_1"] ** 2) / w, -(t["omega_2"] ** 2) / w
    drift[1, 2], drift[3, 0] = 2 * (t["g_r"] + t["g_a"]), 2 * (t["g_r"] - t["g_a"])
    drift[1, 1], drift[3, 3] = -t["gamma_1"], -t["gamma_2"]
    noise[1, 1], noise[3, 3] = 2 * t["D11"], 2 * t["D22"]
    noise[1, 3] = noise[3, 1] = 2 * t["re_D12"]
    output = np.array([[1.0, 0, 0, 0], [0, 0, 1.0, 0]])
    return LinearModel(drift, noise, output, np.diag([t["noise_1"], t["noise_2"]]))


def welch(volts: np.ndarray, rate: float, length: int) -> tuple[np.ndarray, np.ndarray, int]:
    """One-sided CSD ⟨Z_j Z_l*⟩ with a Hann window, without overlap."""
    segments = len(volts) // length
    parts = volts[: segments * length].reshape(segments, length, -1)
    window = signal.windows.hann(length, sym=False)[:, None]
    lines = np.fft.rfft(parts * window, axis=1)
    spectrum = np.einsum("sfi,sfj->fij", lines, lines.conj(), optimize=True) / segments
    scale = 2.0 / (rate * (window**2).sum())
    return np.fft.rfftfreq(length, 1.0 / rate), spectrum * scale, segments


def test_record_has_the_stationary_covariance_of_the_closed_loop():
    world = rich_world()
    expected = world.closed_loop().covariance[:4, :4]
    _, states = trajectory(world, 3_000_000)
    parts = np.array([np.cov(part.T, bias=True) for part in np.split(states, 50)])
    error = parts.std(axis=0, ddof=1) / math.sqrt(50)
    pulls = (parts.mean(axis=0) - expected) / error
    assert np.abs(pulls).max() < 4.0
    assert np.allclose(np.diag(parts.mean(axis=0)), np.diag(expected), rtol=0.05)


@pytest.mark.slow
def test_voltages_have_the_spectra_of_the_closed_loop_with_cross_talk_and_low_pass():
    world = rich_world()
    counts, _ = trajectory(world, 2_000_000)
    f, measured, segments = welch(counts / 32768.0, 1e6, 5000)
    loop = world.closed_loop()
    chosen = (f > 20e3) & (f < 450e3)
    # A bin of 200 Hz is much narrower than the lines of 2 kHz: the window does not matter here.
    model = loop.csd(f[chosen])
    model = model + np.eye(4) * (1 / 32768.0) ** 2 / 12 * 2 / 1e6
    scale = np.sqrt(np.einsum("fii,fjj->fij", model, model).real)
    residual = (measured[chosen] - model) / scale * math.sqrt(segments)
    assert abs(residual.mean(axis=0)).max() < 0.15
    assert np.all(np.abs((np.abs(residual) ** 2).mean(axis=0) - 1.0) < 0.15)


def test_truth_predicts_the_out_of_loop_spectra_near_the_lines():
    pair = make_pair()
    world = world_of(pair)
    truth = world.truth()
    scale = 0.5 * (truth["omega_1"] + truth["omega_2"])
    volts_per_quantum = 2e8 * quantum_length(7.75e-18, scale)
    f = np.linspace(45e3, 75e3, 301)
    exact = world.closed_loop().csd(f)[:, :2, :2] / volts_per_quantum**2
    model = fit_model(truth).csd(f)
    size = np.sqrt(np.einsum("fii,fjj->fij", exact, exact).real)
    assert np.abs((model - exact) / size).max() < 0.025
    near = (f > 57e3) & (f < 63e3)
    assert np.abs((model - exact)[near] / size[near]).max() < 0.015


def test_truth_with_the_gate_open_is_the_bare_pair():
    pair = make_pair(shift_1=TWO_PI * 800.0, shift_2=-TWO_PI * 300.0)
    world = world_of(pair)
    world.set_gate(False)
    truth = world.truth()
    q = pair.omega / np.mean(pair.line_frequencies)
    assert truth["omega_1"] == pytest.approx(pair.line_frequencies[0], rel=1e-9)
    assert truth["omega_2"] == pytest.approx(pair.line_frequencies[1], rel=1e-9)
    assert truth["gamma_1"] == pytest.approx(10.0, rel=1e-6)
    assert truth["g_r"] == pytest.approx(q * pair.g_r, rel=1e-9)
    assert truth["g_a"] == pytest.approx(q * pair.g_a, rel=1e-9)
    assert truth["D11"] == pytest.approx(q * pair.total_diffusion[0], rel=1e-9)
    assert truth["re_D12"] == pytest.approx(q * pair.re_D12, rel=1e-9)
    lsb = (1 / 32768.0 / (2e8 * quantum_length(7.75e-18, pair.omega))) ** 2 / 12 * 2 / 1e6
    expected = (imprecision_psd(0.3, pair.D22) + lsb) / q
    assert truth["noise_2"] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("damping", [50.0, 200.0, 657.0])
def test_cold_damping_reaches_the_narrow_band_reference(damping: float):
    D = TWO_PI * 300.0
    pair = make_pair(g_r=0.0, g_a=0.0, re_D12=0.0, D11=D, D22=D, gamma=(0.0, 0.0), delta_omega=0.0)
    gamma = TWO_PI * damping
    world = world_of(pair, feedback=FeedbackSettings(damping=(gamma,), corner=2e5, delay=2e-6))
    covariance = world.closed_loop().covariance[:4, :4]
    expected = cold_damping_occupation(D, gamma, imprecision_psd(0.3, D)) + 0.5
    occupation = 0.5 * (covariance[0, 0] + covariance[1, 1])
    assert occupation == pytest.approx(expected, rel=0.05)
    assert world.truth()["gamma_1"] == pytest.approx(gamma, rel=0.05)


def test_cold_damping_is_best_at_the_optimum_damping():
    D = TWO_PI * 300.0
    pair = make_pair(g_r=0.0, g_a=0.0, re_D12=0.0, D11=D, D22=D, gamma=(0.0, 0.0), delta_omega=0.0)
    best = optimal_cold_damping(D, imprecision_psd(0.3, D))

    def occupation(damping: float) -> float:
        world = world_of(pair, feedback=FeedbackSettings(damping=(damping,)))
        return float(np.trace(world.closed_loop().covariance[:2, :2])) / 2.0

    middle = occupation(best)
    assert occupation(0.7 * best) > middle < occupation(1.4 * best)


@pytest.mark.slow
def test_in_loop_record_is_squashed_below_its_imprecision():
    D = TWO_PI * 300.0
    pair = make_pair(g_r=0.0, g_a=0.0, re_D12=0.0, D11=D, D22=D, gamma=(0.0, 0.0))
    detector = {"volts_per_metre": 2e9}
    feedback = FeedbackSettings(damping=(TWO_PI * 4e3,))
    world = world_of(pair, feedback=feedback, detector=detector)
    floor = imprecision_psd(0.3, D) * (2e9 * quantum_length(7.75e-18, pair.omega)) ** 2
    counts, _ = trajectory(world, 2_000_000)
    f, measured, _ = welch(counts / 32768.0, 1e6, 2000)
    line = np.argmin(np.abs(f - pair.line_frequencies[0] / TWO_PI))
    out_of_loop, in_loop = measured[line, 0, 0].real, measured[line, 2, 2].real
    assert in_loop < 0.5 * floor
    assert out_of_loop > floor
    assert measured[f > 2e5, 2, 2].real.mean() == pytest.approx(floor, rel=0.05)


def test_open_loop_reheating_follows_the_exact_moments():
    world = world_of(make_pair())
    repetitions, length = 400, 600
    times = np.array([0, 100, 300, 599])
    states = np.zeros((repetitions, len(times), 4))
    counts, truth = np.zeros((length, 4), np.int16), np.zeros((length, 4))
    start = world.closed_loop().covariance[:4, :4]
    for m in range(repetitions):
        world.set_gate(True)
        world.skip(600)
        world.set_gate(False)
        world.advance(counts, truth)
        states[m] = truth[times]
    expected = make_pair().to_linear().propagate(start, times * 1e-6)
    measured = np.einsum("mti,mtj->tij", states, states) / repetitions
    size = np.sqrt(np.einsum("tii,tjj->tij", expected, expected) + expected**2) / math.sqrt(
        repetitions
    )
    assert np.abs((measured - expected) / size).max() < 4.0


def test_feedback_with_a_long_uncompensated_delay_grows():
    good = world_of(make_pair())
    half_period = 0.5 / 60e3
    wrong = FeedbackSettings(damping=(TWO_PI * 2e3,), delay=half_period, assumed_delay=0.0)
    bad = world_of(make_pair(), feedback=wrong)
    assert good.growth_rate() < -TWO_PI * 500.0
    assert bad.growth_rate() == pytest.approx(TWO_PI * 1e3, rel=0.2)


def test_feedback_with_a_silly_but_compensated_delay_grows():
    # In the narrow band da/dt = −(Γ/2)a(t−τ) is unstable beyond Γτ/2 = π/2.
    pair = make_pair(g_r=0.0, g_a=0.0, gamma=(0.0, 0.0))
    damping = TWO_PI * 8e3
    limit = math.pi / damping
    silly = FeedbackSettings(damping=(damping,), delay=1.3 * limit)
    assert world_of(pair, feedback=silly).growth_rate() > 0.0
