"""The estimate from transitions between windows: derivatives, honest errors, goodness."""

from __future__ import annotations

from functools import partial

import lmfit
import numpy as np
import pytest
from scipy import stats
from shared_work import shared
from simulated_releases import BROKEN, DEMO, MAIN, WILD

from optobind.models.errors import InputError
from optobind.models.inference.matrices import NAMES
from optobind.models.inference.optimiser import maximise
from optobind.models.inference.reheating.basins import space_of
from optobind.models.inference.reheating.composite import composite_of
from optobind.models.inference.reheating.estimate import estimate_reheating
from optobind.models.inference.reheating.fits import (
    fit_reheating,
    reheating_estimators,
)
from optobind.models.inference.reheating.surface import reheating_parameters
from optobind.models.inference.reheating.transitions import TransitionLikelihood
from optobind.models.inference.steps import invert


@pytest.fixture(scope="module")
def demo():
    return estimate_reheating(DEMO.simulate(400, 5), DEMO.sample_rate)


@pytest.fixture(scope="module")
def both(demo):
    return reheating_estimators(demo)


def likelihood_of(estimate, priors=None):
    space = space_of(reheating_parameters(estimate))
    bins = len(estimate.times)
    return TransitionLikelihood(estimate, priors or {}, space.moving, bins), space


def test_the_score_is_the_derivative_of_the_likelihood(demo):
    likelihood, space = likelihood_of(demo, {"noise_1": (2e-6, 1e-8)})
    values = np.array([DEMO.truth[n] for n in NAMES["reheating"]]) * 1.02
    score, fisher = likelihood.evaluate(values).normal_equations()
    sigma = np.sqrt(np.diag(invert(fisher[:13, :13])[0]))
    for j in range(13):
        step = np.zeros(15)
        step[j] = 0.02 * sigma[j]
        ahead, behind = (likelihood.evaluate(values + s).log_likelihood for s in (step, -step))
        slope = (ahead - behind) / (2.0 * step[j])
        assert slope * sigma[j] == pytest.approx(score[j] * sigma[j], rel=1e-3, abs=1e-2)
    assert space.free == NAMES["reheating"][:13]


def test_both_estimators_recover_the_truth_and_agree(both):
    for name, result in both.items():
        assert result.converged
        assert result.warnings == ()
        assert result.statistics["estimator"] == name
        assert 1e-3 < result.statistics["p_value"] < 0.999
        for parameter in result.varying:
            distance = result.value(parameter) - DEMO.truth[parameter]
            assert abs(distance) < 4.5 * result.stderr(parameter), (name, parameter)
    curves, transitions = both.values()
    assert transitions.varying == curves.varying
    assert transitions.statistics["agreement_p_value"] > 1e-3
    assert set(transitions.statistics) == set(curves.statistics)


def test_transitions_know_the_diffusion_several_times_better_than_the_curves(both):
    curves, transitions = both["curves"], both["transitions"]
    for name, least in (("D11", 5.0), ("D22", 2.5), ("re_D12", 4.0), ("g_r", 3.5)):
        assert curves.stderr(name) > least * transitions.stderr(name), name
    # What was there at the release is seen by both alike.
    assert transitions.stderr("n1_0") == pytest.approx(curves.stderr("n1_0"), rel=0.1)


def test_the_estimator_is_chosen_by_name(demo, both):
    for name, result in both.items():
        chosen = fit_reheating(demo, estimator=name)
        assert chosen.value("re_D12") == pytest.approx(result.value("re_D12"), rel=1e-9)
    assert fit_reheating(demo).value("D11") == both["curves"].value("D11")
    with pytest.raises(InputError, match="unknown estimator 'kalman'; known: curves, transitions"):
        fit_reheating(demo, estimator="kalman")


def test_errors_allow_for_the_correlation_of_neighbouring_transitions(demo):
    likelihood, space = likelihood_of(demo)
    optimum = maximise(likelihood, space, tolerance=1e-6)
    composite = composite_of(optimum)
    claimed = np.sqrt(np.diag(invert(optimum.fisher)[0]))
    honest = np.sqrt(np.diag(composite.covariance))
    ratio = dict(zip(optimum.free, honest / claimed, strict=True))
    # Imprecision of a shared window enters two transitions.
    assert ratio["re_D12"] > 1.03
    assert np.linalg.eigvalsh(composite.covariance / np.outer(honest, honest)).min() > 0.0


def test_an_analytic_scatter_of_the_residuals_is_that_of_simulated_ones(demo):
    """The covariance of the score, of 400 single repetitions, against Isserlis' theorem."""
    likelihood, space = likelihood_of(demo)
    optimum = maximise(likelihood, space, tolerance=1e-6)
    count = demo.repetitions
    composite = composite_of(optimum)
    # inflation · F = M JᵀΣJ: the scatter of the score that the model predicts.
    predicted = np.diag(composite.inflation @ optimum.fisher)
    jacobian = optimum.ties.rows(optimum.point.jacobian)
    samples = DEMO.simulate(count, 77)
    from optobind.models.inference.reheating.bins import demodulate

    amplitudes = demodulate(samples, demo.layout)
    flat = np.stack([amplitudes.real, amplitudes.imag], -1).reshape(count, -1, 4)
    pairs = np.concatenate([flat[:, :-1], flat[:, 1:]], axis=2)
    scores = np.array(
        [jacobian @ optimum.point.whitening.residual(p[:, :, None] * p[:, None])[0] for p in pairs]
    )
    found = count * scores.var(axis=0, ddof=1)
    # The variance of 400 values, which are products of Gaussians, is known to some 15 %.
    np.testing.assert_allclose(found / predicted, 1.0, atol=0.6)
    assert np.mean(found / predicted) == pytest.approx(1.0, abs=0.2)


def test_evidence_is_the_likelihood_ratio_scaled_to_the_honest_error(both):
    statistics = both["transitions"].statistics
    z = both["transitions"].value("re_D12") / both["transitions"].stderr("re_D12")
    assert statistics["re_D12_z"] == pytest.approx(z)
    assert z > 8.0
    assert statistics["re_D12_likelihood_ratio"] == pytest.approx(z * z, rel=0.25)
    assert statistics["re_D12_p_value"] < 1e-10


def test_a_fixed_correlation_has_no_evidence(demo):
    given = lmfit.Parameters()
    given.add("re_D12", value=0.0, vary=False)
    result = fit_reheating(demo, params=given, estimator="transitions")
    assert "re_D12_z" not in result.statistics
    assert result.stderr("re_D12") is None
    assert result.statistics["p_value"] < 1e-3


def test_ties_hold_for_transitions_too(demo):
    given = lmfit.Parameters()
    given.add("D11", value=4e5, min=1e5, max=1e6)
    given.add("D22", expr="1.25*D11")
    result = fit_reheating(demo, params=given, estimator="transitions")
    assert result.value("D22") == pytest.approx(1.25 * result.value("D11"))
    assert result.stderr("D22") == pytest.approx(1.25 * result.stderr("D11"), rel=1e-3)


def test_a_line_that_the_model_does_not_know_is_seen_by_the_transitions():
    samples = DEMO.simulate(400, 9)
    rng, time = np.random.default_rng(2), np.arange(DEMO.samples) / DEMO.sample_rate
    phase = rng.uniform(0.0, 2.0 * np.pi, (400, 1))
    samples[..., 0] += 6.0 * np.cos(2.0 * np.pi * 52e3 * time + phase)
    estimate = estimate_reheating(samples, DEMO.sample_rate)
    result = fit_reheating(estimate, estimator="transitions")
    assert result.statistics["p_value"] < 1e-3
    assert any("from window to window" in text for text in result.warnings)


def one(seed, release, repetitions, anomalous=0.0):
    samples = release.simulate(repetitions, seed, anomalous)
    result = fit_reheating(samples, release.sample_rate, estimator="transitions")
    row = [(result.value(n) - release.truth[n]) / result.stderr(n) for n in MAIN]
    return row, result.statistics["p_value"], result.converged


def pulls_of(release, repetitions, seeds, anomalous=0.0):
    work = partial(one, release=release, repetitions=repetitions, anomalous=anomalous)
    rows, p_values, converged = zip(*shared(work, list(seeds)), strict=True)
    assert all(converged)
    return np.array(rows), np.array(p_values)


@pytest.mark.slow
def test_pulls_of_a_dozen_experiments_look_standard_normal():
    rows, p_values = pulls_of(DEMO, 120, range(900, 912))
    # 12 × 9 pulls: χ² per parameter between its 0.01 % and 99.99 % points.
    low, high = stats.chi2.ppf([1e-4, 1.0 - 1e-4], 12)
    assert np.all(np.sum(rows**2, axis=0) < high)
    assert np.all(np.sum(rows**2, axis=0) > low)
    assert np.median(p_values) > 0.05


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("release", "repetitions", "anomalous"),
    [(DEMO, 300, 0.0), (DEMO, 300, 0.06), (WILD, 300, 0.0), (BROKEN, 300, 0.0)],
    ids=["demo", "anomalous", "wild", "broken"],
)
def test_pulls_of_transitions_are_standard_normal(release, repetitions, anomalous):
    rows, p_values = pulls_of(release, repetitions, range(30_000, 30_150), anomalous)
    mean, width = rows.mean(axis=0), rows.std(axis=0, ddof=1)
    # Standard errors over 150 sets: 0.08 and 0.06.
    assert np.abs(mean).max() < 0.3, dict(zip(MAIN, mean, strict=True))
    assert np.all(np.abs(width - 1.0) < 0.2), dict(zip(MAIN, width, strict=True))
    assert np.mean(p_values < 0.05) < 0.12
