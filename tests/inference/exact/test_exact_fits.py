"""Exact fits of simulated releases: pulls, nuisances, how much better than curves."""

from __future__ import annotations

import lmfit
import numpy as np
import pytest
from scipy import stats
from shared_work import shared

from optobind.models.errors import InputError
from optobind.models.inference.exact.agreement import distance_p_value
from optobind.models.inference.exact.fits import fit_exact, samples_of
from optobind.models.inference.exact.releases import fit_releases_exact
from optobind.models.inference.parameters import STATISTICS
from optobind.models.inference.reheating.estimate import estimate_reheating
from optobind.models.inference.reheating.fits import reheating_estimators

from .independent import PAIR, RATE, matrices, releases, root, start, step


@pytest.fixture(scope="module")
def data():
    return releases(PAIR, 100, 2000, 1)


@pytest.fixture(scope="module")
def result(data):
    return fit_releases_exact(data, RATE)


@pytest.fixture(scope="module")
def others(data):
    return reheating_estimators(estimate_reheating(data, RATE))


def test_the_truth_is_found_and_the_innovations_are_white(result):
    assert result.converged
    assert result.warnings == ()
    assert result.statistics["estimator"] == "exact"
    assert set(result.statistics) <= set(STATISTICS)
    assert 1e-3 < result.statistics["p_value"] < 0.999
    for name in result.varying:
        assert abs(result.value(name) - PAIR[name]) < 4.5 * result.stderr(name), name


def test_a_hundred_releases_of_a_millisecond_hold_five_sigma(result):
    """physics.md §10: 82 releases; here the constants are nearly those."""
    assert PAIR["re_D12"] / result.stderr("re_D12") > 5.0
    assert result.statistics["re_D12_likelihood_ratio"] == pytest.approx(
        result.statistics["re_D12_z"] ** 2, rel=0.2
    )


def test_errors_of_the_other_estimators_are_larger_as_they_should_be(result, others):
    """physics.md §10: transitions 1.2 to 1.6 times, curves about eight times."""
    error = result.stderr("re_D12")
    assert 1.15 < others["transitions"].stderr("re_D12") / error < 1.9
    assert 5.0 < others["curves"].stderr("re_D12") / error < 12.0
    for other in others.values():
        assert distance_p_value(result, other) > 1e-3


def test_an_estimate_that_is_elsewhere_does_not_agree(result, data):
    shifted = data.copy()
    shifted[1:, :, 1] += 0.1 * shifted[1:, :, 0]
    other = reheating_estimators(estimate_reheating(shifted, RATE))["transitions"]
    assert distance_p_value(result, other) < 1e-6


def test_samples_may_be_a_stream_in_counts_with_an_offset(data, result):
    class Stream:
        def __iter__(self):
            for part in np.array_split(np.round(50.0 * data + 700.0), 7):
                yield part.astype(np.int16)

    again = fit_releases_exact(Stream(), RATE, scale=0.02)
    for name in ("re_D12", "g_r", "omega_1"):
        assert abs(again.value(name) - result.value(name)) < 0.05 * result.stderr(name)
    with pytest.raises(InputError, match="not an iterator"):
        fit_releases_exact(iter([data]), RATE)


def test_bounds_ties_and_fixed_values_hold(data):
    given = lmfit.Parameters()
    given.add("re_D12", value=0.0, vary=False)
    given.add("D11", value=1.7e5, min=1e5, max=3e5)
    given.add("D22", expr="D11")
    found = fit_releases_exact(data, RATE, params=given)
    assert found.value("D22") == pytest.approx(found.value("D11"))
    assert found.stderr("re_D12") is None
    assert "re_D12_z" not in found.statistics


def test_a_further_line_is_named(data):
    time = np.arange(data.shape[1]) / RATE
    phase = np.random.default_rng(3).uniform(0.0, 2.0 * np.pi, (len(data), 1))
    spoilt = data.copy()
    spoilt[..., 0] += 1.0 * np.cos(2.0 * np.pi * 180e3 * time + phase)
    found = fit_releases_exact(spoilt, RATE)
    assert found.statistics["p_value"] < 1e-3
    assert any("is not white" in text for text in found.warnings)


@pytest.mark.parametrize(
    ("detection", "world", "truth"),
    [
        ({"noise_12": None}, {"common": 1e-6}, {"noise_12": 1e-6}),
        ({"delay_12": None}, {"delay": 3e-7}, {"delay_12": 3e-7}),
        (
            {"mix_12": 0.05, "mix_21": 0.03},
            {"mixing": np.array([[1.0, 0.05], [0.03, 1.0]])},
            {},
        ),
    ],
    ids=["common noise", "delay", "cross-talk"],
)
def test_what_the_detectors_do_does_not_bias_when_the_model_has_it(detection, world, truth):
    spoilt = releases(PAIR, 150, 1500, 11, **world)
    known = fit_releases_exact(spoilt, RATE, detection=detection)
    for name in ("re_D12", "g_r", "g_a", "D11"):
        assert abs(known.value(name) - PAIR[name]) < 4.5 * known.stderr(name), name
    for name, value in truth.items():
        assert abs(known.value(name) - value) < 4.5 * known.stderr(name), name
        assert abs(known.value(name)) > 5.0 * known.stderr(name), name
    bare = fit_releases_exact(spoilt, RATE)
    assert known.stderr("re_D12") < 1.1 * bare.stderr("re_D12")
    # A delay of 0.1 rad turns few per cent of D into the cross term; noise and mixing bias it.
    moved = (bare.value("re_D12") - PAIR["re_D12"]) / bare.stderr("re_D12")
    assert "delay_12" in detection or abs(moved) > 4.0


def test_cross_talk_with_a_prior_widens_the_error_by_what_it_presupposes(data, result):
    ratio = 0.01
    found = fit_releases_exact(
        data, RATE, detection={"mix_12": (0.0, ratio), "mix_21": (0.0, ratio)}
    )
    total = np.hypot(PAIR["D11"], PAIR["D22"]) * ratio
    expected = np.hypot(result.stderr("re_D12"), total)
    assert found.stderr("re_D12") == pytest.approx(expected, rel=0.1)
    assert result.statistics["re_D12_cross_talk"] == pytest.approx(
        result.stderr("re_D12") / (result.value("D11") + result.value("D22"))
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"detection": {"gain": 1.0}}, "unknown parameter of the detection 'gain'"),
        ({"priors": {"mass": (1.0, 1.0)}}, "a prior needs a name of the model"),
        ({"start": {"omega_1": 1.0}}, "the start lacks D11"),
    ],
)
def test_wrong_names_are_refused(data, options, words):
    with pytest.raises(InputError, match=words):
        fit_releases_exact(data[:12], RATE, **options)


def test_one_particle_alone():
    lone = {**PAIR, "g_r": 0.0, "g_a": 0.0, "re_D12": 0.0, "re_C0": 0.0, "im_C0": 0.0,
            "omega_2": PAIR["omega_1"]}  # fmt: skip
    samples = releases(lone, 101, 1000, 21)[..., :1]
    found = fit_releases_exact(samples, RATE)
    truth = {"omega": lone["omega_1"], "D": lone["D11"], "noise": 5e-6, "n_0": 30.0}
    assert found.model == "single"
    assert found.varying == tuple(n for n in ("omega", "D", "noise", "n_0"))
    for name, value in truth.items():
        assert abs(found.value(name) - value) < 4.5 * found.stderr(name), name
    assert found.statistics["p_value"] > 1e-3


def test_damping_is_fitted_when_it_shows():
    damped = {**PAIR, "gamma_1": 400.0, "gamma_2": 400.0}
    found = fit_releases_exact(releases(damped, 300, 2000, 31), RATE)
    assert {"gamma_1", "gamma_2"} <= set(found.varying)
    for name in ("gamma_1", "gamma_2", "D11"):
        assert abs(found.value(name) - damped[name]) < 4.5 * found.stderr(name), name


def one(seed, repetitions=60, samples=1000):
    found = fit_releases_exact(releases(PAIR, repetitions, samples, seed), RATE)
    row = [(found.value(n) - PAIR[n]) / found.stderr(n) for n in found.varying]
    return row, found.statistics["p_value"], found.converged


@pytest.mark.slow
def test_pulls_of_a_dozen_experiments_look_standard_normal():
    rows, p_values, converged = zip(*(one(seed) for seed in range(50, 62)), strict=True)
    assert all(converged)
    low, high = stats.chi2.ppf([1e-5, 1.0 - 1e-5], 12)
    squares = np.sum(np.array(rows) ** 2, axis=0)
    assert np.all((squares > low) & (squares < high)), squares
    assert np.median(p_values) > 0.05


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_pulls_of_exact_fits_are_standard_normal():
    rows, p_values, converged = zip(*shared(one, list(range(1000, 1240))), strict=True)
    assert all(converged)
    pulls = np.array(rows)
    mean, width = pulls.mean(axis=0), pulls.std(axis=0, ddof=1)
    # Standard errors over 240 sets: 0.065 and 0.046; of all 13 together a few times less.
    assert np.abs(mean).max() < 0.35, mean
    assert np.all(np.abs(width - 1.0) < 0.19), width
    assert width.mean() == pytest.approx(1.0, abs=0.05)
    assert np.mean(np.array(p_values) < 0.05) < 0.12


def test_a_steady_record_is_fitted_without_bins():
    """A line of 12 Hz in half a second, damped: narrower than 1.5 bins of any segment."""
    values = {**PAIR, "gamma_1": 75.0, "gamma_2": 75.0, "g_a": 0.0, "g_r": 2e3, "D11": 2e3,
              "D22": 2e3, "re_D12": 3e2}  # fmt: skip
    rate, length = 4e5, 50_000
    rng = np.random.default_rng(4)
    flow, kick = step(*matrices(values), 1.0 / rate)
    state = rng.standard_normal(4) * np.sqrt(2e3 / 75.0)
    rough = root(kick).T
    for _ in range(5000):
        state = flow @ state + rng.standard_normal(4) @ rough
    draws = rng.standard_normal((length, 4)) @ rough
    seen = np.empty((length, 2))
    for t in range(length):
        seen[t] = state[::2]
        state = flow @ state + draws[t]
    seen += rng.standard_normal(seen.shape) * np.sqrt(0.5 * rate * 5e-6)
    truth = {**values, "noise_1": 5e-6, "noise_2": 5e-6}
    begin = {**truth, "omega_1": truth["omega_1"] + 20.0, "D11": 2.4e3, "gamma_1": 50.0}
    found = fit_exact(samples_of(seen[None]), rate, "pair", begin, released=False)
    assert found.converged
    assert found.model == "pair"
    for name in found.varying:
        assert abs(found.value(name) - truth[name]) < 4.5 * found.stderr(name), name
    assert found.statistics["p_value"] > 1e-3
    assert start(values).shape == (4, 4)
