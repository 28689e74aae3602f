"""Reheating fits of simulated releases, exact at the samples: recovery within quoted errors."""

from __future__ import annotations

import lmfit
import numpy as np
import pytest
from simulated_releases import BROKEN, DEMO, DETUNED, MAIN, SLOW, WILD, Release, pulls

from optobind.models.errors import ConvergenceError, InputError
from optobind.models.inference.reheating.bins import demodulate, lay_out_bins
from optobind.models.inference.reheating.covariance import curve_covariance, curve_means
from optobind.models.inference.reheating.estimate import estimate_reheating
from optobind.models.inference.reheating.fits import fit_reheating, predict_reheating
from optobind.models.inference.reheating.moments import amplitude_moments
from optobind.models.inference.reheating.start import start_values
from optobind.models.pair import PairConstants


@pytest.fixture(scope="module")
def demo():
    samples = DEMO.simulate(1000, 1)
    estimate = estimate_reheating(samples, DEMO.sample_rate)
    return samples, estimate, fit_reheating(estimate)


@pytest.mark.parametrize("release", [DEMO, WILD, DETUNED])
def test_expected_curves_match_simulated_averages(release):
    layout = lay_out_bins(release.samples, release.sample_rate, release.pair.omega)
    amplitudes = demodulate(release.simulate(3000, 11), layout)
    expected = curve_means(amplitude_moments(layout, release.truth).equal)
    first, second = amplitudes[..., 0], amplitudes[..., 1]
    cross = first.conj() * second
    for row, product in enumerate((abs(first) ** 2, abs(second) ** 2, cross.real, cross.imag)):
        error = product.std(axis=0) / np.sqrt(len(product))
        assert np.abs((product.mean(axis=0) - expected[row]) / error).max() < 4.5


def test_fit_recovers_every_parameter_and_describes_the_curves(demo):
    _, estimate, result = demo
    assert result.converged
    assert result.warnings == ()
    assert result.model == "reheating"
    for name in result.varying:
        assert abs(result.value(name) - DEMO.truth[name]) < 4.0 * result.stderr(name)
    assert result.value("gamma_1") == 0.0
    assert result.stderr("gamma_1") is None
    assert result.stderr("D11") < 0.1 * DEMO.truth["D11"]
    assert result.stderr("g_a") < 0.02 * DEMO.truth["g_a"]
    assert 0.01 < result.statistics["p_value"] < 0.99
    distance = (estimate.curves() - predict_reheating(estimate, result)) / estimate.stderr
    assert np.abs(distance).max() < 4.0


def test_noise_correlation_is_answered_by_estimate_error_and_likelihood_ratio(demo):
    statistics = demo[2].statistics
    z = demo[2].value("re_D12") / demo[2].stderr("re_D12")
    assert np.isclose(statistics["re_D12_z"], z)
    assert z > 3.0
    assert np.isclose(statistics["re_D12_likelihood_ratio"], z * z, rtol=0.05)
    assert statistics["re_D12_p_value"] < 2e-3


def test_result_is_strict_json_with_units(demo):
    table = demo[2].to_dict()["parameters"]
    units = {name: entry["unit"] for name, entry in table.items()}
    assert units["D11"] == units["g_r"] == units["omega_1"] == "rad/s"
    assert units["n1_0"] == units["im_C0"] == "quanta"
    assert units["noise_1"] == "1/Hz"
    assert not table["gamma_1"]["vary"]


def test_record_in_volts_gives_the_same_rates_and_scaled_diffusion(demo):
    samples, _, quanta = demo
    volts = fit_reheating(1e-3 * samples, DEMO.sample_rate, unit="V")
    for name in ("g_r", "g_a", "omega_1"):
        assert np.isclose(volts.value(name), quanta.value(name), rtol=1e-4)
    for name in ("D11", "re_D12", "noise_1", "re_C0"):
        assert np.isclose(volts.value(name), 1e-6 * quanta.value(name), rtol=1e-3)
    assert np.isclose(volts.value("n1_0"), 1e-6 * (quanta.value("n1_0") + 0.5), rtol=1e-3)
    assert volts.parameters["D11"].unit == "V^2/s"
    assert volts.parameters["noise_2"].unit == "V^2/Hz"


def test_exchanging_the_detectors_exchanges_the_particles(demo):
    samples, _, result = demo
    other = fit_reheating(samples[:, :, ::-1], DEMO.sample_rate)
    assert np.isclose(other.value("D22"), result.value("D11"), rtol=1e-3)
    assert np.isclose(other.value("g_r"), result.value("g_r"), rtol=1e-3)
    assert np.isclose(other.value("g_a"), -result.value("g_a"), rtol=1e-3)
    assert np.isclose(other.value("im_C0"), -result.value("im_C0"), atol=0.05)


def test_reversing_one_detector_flips_couplings_and_noise_correlation_together(demo):
    samples, _, result = demo
    other = fit_reheating(samples * np.array([1.0, -1.0]), DEMO.sample_rate)
    for name in ("g_r", "g_a", "re_D12", "re_C0"):
        assert np.isclose(other.value(name), -result.value(name), rtol=1e-3)


def test_fixed_tied_and_bounded_parameters_are_respected(demo):
    _, estimate, free = demo
    given = lmfit.Parameters()
    given.add("re_D12", value=0.0, vary=False)
    given.add("D11", value=4e5, min=1e5, max=1e6)
    given.add("D22", expr="1.25*D11")
    result = fit_reheating(estimate, params=given)
    assert result.value("re_D12") == 0.0
    assert "re_D12_z" not in result.statistics
    assert np.isclose(result.value("D22"), 1.25 * result.value("D11"))
    assert np.isclose(result.stderr("D22"), 1.25 * result.stderr("D11"), rtol=1e-3)
    assert result.stderr("D11") < free.stderr("D11")
    assert not result.parameters["D22"].vary
    wrong = lmfit.Parameters()
    wrong.add("D12", value=1.0)
    with pytest.raises(InputError, match="unknown parameter 'D12'; known: D11, D22, re_D12"):
        fit_reheating(estimate, params=wrong)


def test_priors_from_elsewhere_narrow_or_fix_their_parameters(demo):
    _, estimate, free = demo
    truth = DEMO.truth
    lines = {name: (truth[name], 5.0) for name in ("omega_1", "omega_2")}
    noise = {name: (truth[name], 0.0) for name in ("noise_1", "noise_2")}
    result = fit_reheating(estimate, frequencies=lines, noise=noise)
    assert result.stderr("omega_1") < 5.01
    assert result.stderr("g_r") < free.stderr("g_r")
    assert not result.parameters["noise_1"].vary
    again = fit_reheating(estimate, frequencies=result, noise=result)
    assert np.isclose(again.value("omega_1"), result.value("omega_1"), atol=5.0)
    with pytest.raises(InputError, match="unknown prior 'omega'; known: omega_1, omega_2"):
        fit_reheating(estimate, frequencies={"omega": (1.0, 1.0)})


def test_gas_damping_can_be_fitted():
    pair = PairConstants(
        2 * np.pi * 45e3, 2 * np.pi * 1e3, 3e3, 2e3, 4e4, 5e4, 6e3, (800.0, 1200.0), (30.0, 30.0)
    )
    release = Release(pair, (40.0, 50.0), 0j, 5e5, 1000)
    given = lmfit.Parameters()
    given.add("gamma_1", value=500.0, min=0.0)
    given.add("gamma_2", value=500.0, min=0.0)
    result = fit_reheating(release.simulate(500, 4), 5e5, params=given)
    assert result.converged
    for name in (*MAIN, "gamma_1", "gamma_2"):
        assert abs(result.value(name) - release.truth[name]) < 4.0 * result.stderr(name)


@pytest.mark.parametrize("release", [DEMO, BROKEN, WILD, DETUNED])
def test_start_values_come_close_without_tuning(release):
    estimate = estimate_reheating(release.simulate(300, 2), release.sample_rate)
    start, truth = start_values(estimate), release.truth
    for name in ("D11", "D22"):
        assert 0.15 < start[name] / truth[name] < 6.0
    for name in ("omega_1", "omega_2"):
        assert abs(start[name] - truth[name]) < 0.03 * truth[name]
    for name in ("noise_1", "noise_2"):
        assert 0.7 < start[name] / truth[name] < 1.3


def test_weighted_least_squares_without_correlations_would_report_errors_far_too_small():
    # One heated particle, n(0) = 20 and D = 4e5 rad/s over 2 ms: 90 points of a random walk.
    quiet = {**DEMO.truth, "g_r": 0.0, "g_a": 0.0, "re_D12": 0.0, "n1_0": 20.0, "D11": 4e5}
    layout = lay_out_bins(1000, 5e5, DEMO.pair.omega, window=22.5e-6)
    bins = len(layout)

    def energy(**changes):
        return curve_means(amplitude_moments(layout, quiet | changes).equal)[0]

    rows = np.stack([energy(D11=5e5) - energy(), energy(n1_0=30.0) - energy()], axis=1)
    rows = rows / np.array([1e5, 10.0])
    covariance = curve_covariance(amplitude_moments(layout, quiet, full=True).full)[:bins, :bins]
    weight = 1.0 / np.diag(covariance)
    naive = np.linalg.inv(rows.T @ (weight[:, None] * rows))
    sandwich = naive @ (rows.T * weight) @ covariance @ (weight[:, None] * rows) @ naive
    optimal = np.linalg.inv(rows.T @ np.linalg.solve(covariance, rows))
    claimed, real, best = (np.sqrt(np.diag(m)) for m in (naive, sandwich, optimal))
    # What a plain weighted fit claims for D, what it really scatters by, and what GLS reaches.
    assert real[0] > 6.0 * claimed[0]
    assert best[0] < real[0]


@pytest.mark.slow
def test_anomalous_initial_states_stay_within_the_errors():
    rows, p_values = pulls(DEMO, 500, range(300, 316), anomalous=0.06)
    assert np.abs(rows.mean(axis=0)).max() < 1.0
    assert np.median(p_values) > 0.1


@pytest.mark.slow
def test_pulls_of_a_few_experiments_are_standard_normal():
    rows, p_values = pulls(DEMO, 200, range(500, 560))
    assert np.abs(rows.mean(axis=0)).max() < 0.45
    assert np.all(np.abs(rows.std(axis=0) - 1.0) < 0.3)
    assert 0.35 < p_values.mean() < 0.65


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("release", "repetitions", "sets"),
    [(DEMO, 1000, 500), (BROKEN, 500, 300), (WILD, 500, 300)],
    ids=["demo", "broken", "wild"],
)
def test_pulls_of_hundreds_of_experiments_are_standard_normal(release, repetitions, sets):
    rows, p_values = pulls(release, repetitions, range(10_000, 10_000 + sets))
    mean, width = rows.mean(axis=0), rows.std(axis=0, ddof=1)
    offset = 0.3 if release is BROKEN else 0.15
    assert np.abs(mean).max() < offset, dict(zip(MAIN, mean, strict=True))
    # In the broken phase only g_r² matters near g_r = 0: its linear error is too large there.
    least = [0.65 if release is BROKEN and name == "g_r" else 0.9 for name in MAIN]
    assert np.all(width > least), dict(zip(MAIN, width, strict=True))
    assert width.max() < 1.1, dict(zip(MAIN, width, strict=True))
    assert 0.02 < np.mean(p_values < 0.05) < 0.09


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("release", "repetitions"),
    [(DETUNED, 200), (SLOW, 200), (DEMO, 30)],
    ids=["detuned", "slow", "few repetitions"],
)
def test_weakly_determined_couplings_get_honest_errors(release, repetitions):
    rows, _ = pulls(release, repetitions, range(20_000, 20_100))
    assert np.abs(rows.mean(axis=0)).max() < 0.5
    assert np.all(np.abs(rows.std(axis=0) - 1.0) < 0.3)


@pytest.mark.slow
def test_lines_too_far_apart_for_one_frame_end_in_a_clear_refusal():
    rng, time = np.random.default_rng(1), np.arange(1000) / 1e6
    samples = np.zeros((200, 1000, 2))
    for j, frequency in enumerate((50e3, 200e3)):
        steps = rng.normal(0.0, np.sqrt(5e4 / 1e6), (2, 200, 1000))
        real, imaginary = np.cumsum(steps, axis=2) + rng.normal(0.0, 2.0, (2, 200, 1))
        phase = 2.0 * np.pi * frequency * time
        samples[..., j] = real * np.cos(phase) + imaginary * np.sin(phase)
        samples[..., j] += rng.normal(0.0, 1.0, (200, 1000))
    with pytest.raises(ConvergenceError, match="choose --band around the two lines"):
        fit_reheating(estimate_reheating(samples, 1e6))
