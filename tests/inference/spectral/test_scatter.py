"""Correlations of bins and segments against sums over samples; scatter of simulated records."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import linalg

from optobind.acquisition.csd import estimate_csd
from optobind.models.inference.evidence import evidence
from optobind.models.inference.joint.parts import LikelihoodPart
from optobind.models.inference.matrices import NAMES, drift_derivatives, model_pair, model_single
from optobind.models.inference.spectral.fits import fit_pair, fit_single
from optobind.models.inference.spectral.periodogram import BinGrid
from optobind.models.inference.spectral.problem import prepared
from optobind.models.inference.spectral.scatter import (
    Correlations,
    correlation_modes,
    score_covariance,
)
from optobind.models.inference.spectral.windows import Taper
from optobind.models.simulation import simulate_model

RATE, LENGTH = 1e6, 64
TURN = 2.0 * math.pi
PAIR = {
    "omega_1": TURN * 2.0e5, "omega_2": TURN * 2.3e5, "gamma_1": TURN * 1e4, "gamma_2": TURN * 2e4,
    "g_r": 3e4, "g_a": 5e4, "D11": 1e5, "D22": 2e5, "re_D12": 5e4, "noise_1": 1e-6, "noise_2": 2e-6,
}  # fmt: skip
HANN = np.hanning(LENGTH + 1)[:-1]


def summed(model, noise, window, bins, delay):
    """Γ by a double sum over samples."""
    variance = linalg.solve_continuous_lyapunov(model.drift, -model.noise)
    lags = np.arange(LENGTH)[:, None] - np.arange(LENGTH)[None, :] - delay
    step, steps = linalg.expm(model.drift / RATE), [np.eye(len(model.drift))]
    for _ in range(LENGTH + delay):
        steps.append(steps[-1] @ step)
    later = model.output @ np.array(steps) @ variance @ model.output.T
    rows = np.where((lags >= 0)[..., None, None], later[abs(lags)], later[abs(lags)].swapaxes(2, 3))
    rows[lags == 0] += np.diag(noise) * RATE / 2.0
    phases = window * np.exp(-2j * np.pi * bins[:, None] * np.arange(LENGTH) / LENGTH)
    scale = 2.0 / (RATE * np.sum(window**2))
    return scale * np.einsum("ks,stcd,lt->klcd", phases, rows, phases.conj(), optimize=True)


@pytest.mark.parametrize("delay", [0, 17, 32, 64, 150])
@pytest.mark.parametrize("window", [HANN, np.ones(LENGTH)], ids=["hann", "boxcar"])
@pytest.mark.parametrize("kind", ["single", "pair", "exceptional", "overdamped"])
def test_correlations_are_the_sums_over_samples(kind, window, delay):
    values = dict(PAIR)
    if kind == "exceptional":  # the lines lie 2√(g_a² − g_r²) apart
        values |= {"gamma_2": PAIR["gamma_1"], "omega_2": PAIR["omega_1"] + 8e4}
    if kind in ("single", "overdamped"):
        damping = TURN * (1e4 if kind == "single" else 6e5)
        values = {"omega": TURN * 2e5, "gamma": damping, "D": 1e5, "noise": 1e-6}
    name = "pair" if "omega_1" in values else "single"
    model = drift_derivatives(name, np.array([values[n] for n in NAMES[name]]))
    grid = BinGrid(np.arange(5, 25), RATE, Taper.of(window))
    noise = np.array([v for n, v in values.items() if n.startswith("noise")])
    found = Correlations(grid, grid.bins, correlation_modes(model, RATE), noise).between(delay)
    wanted = summed(model, noise, window, grid.bins, delay)
    # Beside an exceptional point the model is moved off it, by less than an error bar shows.
    tolerance = 1e-3 if kind == "exceptional" else 1e-11
    assert np.abs(found - wanted).max() < tolerance * np.abs(wanted).max()


def test_a_window_that_is_no_sum_of_cosines_is_nearly_one():
    window = np.kaiser(LENGTH, 8.0)
    assert Taper.of(window).amplitudes is None
    model = drift_derivatives("pair", np.array(list(PAIR.values())))
    grid, noise = BinGrid(np.arange(5, 25), RATE, Taper.of(window)), np.array([1e-6, 2e-6])
    found = Correlations(grid, grid.bins, correlation_modes(model, RATE), noise).between(20)
    wanted = summed(model, noise, window, grid.bins, 20)
    assert np.abs(found - wanted).max() < 1e-3 * np.abs(wanted).max()


def line(bins, segment, ratio=50.0):
    """A line so many bins wide."""
    gamma = TURN * bins * RATE / segment
    diffusion = 1e5
    return {
        "omega": TURN * 2e5, "gamma": gamma, "D": diffusion,
        "noise": 4.0 * diffusion / gamma**2 / ratio,
    }  # fmt: skip


def spectrum(truth, segment, segments, seed):
    kind = model_pair if "omega_1" in truth else model_single
    samples = segment * (segments + 1) // 2
    data, _ = simulate_model(kind(truth), samples, RATE, np.random.default_rng(seed))
    return estimate_csd(data, RATE, segment, unit="quanta")


def pair(bins, segment):
    one = line(bins, segment)
    gamma = one["gamma"]
    return {
        "omega_1": one["omega"], "omega_2": one["omega"] + 1.5 * gamma, "gamma_1": gamma,
        "gamma_2": 1.1 * gamma, "g_r": 0.8 * gamma, "g_a": 0.5 * gamma, "D11": 1e5, "D22": 9e4,
        "re_D12": 2e4, "noise_1": one["noise"], "noise_2": one["noise"],
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("bins", [0.4, 3.0])
def test_the_score_scatters_as_it_says(bins):
    """400 records: scores at the truth have the covariance J, for narrow lines far from F."""
    truth = line(bins, 256)
    values = np.array([truth[n] for n in NAMES["single"]])
    band = (2e5 - 30 * RATE / 256, 2e5 + 30 * RATE / 256)
    scores = []
    for seed in range(400):
        problem, _ = prepared("single", spectrum(truth, 256, 16, seed), band, 1.0)
        scores.append(problem.evaluate(values).normal_equations()[0])
    evaluation = problem.evaluate(values)
    predicted = score_covariance(problem, values, evaluation)
    unit = np.sqrt(np.diag(predicted))
    found = np.cov(np.array(scores).T) / np.outer(unit, unit)
    # Standard errors of (co)variances from 400 sets: 0.07 and 0.05, more for skewed scores.
    assert np.abs(found - predicted / np.outer(unit, unit)).max() < 0.3
    stated = np.diag(evaluation.normal_equations()[1]) / unit**2
    assert (stated[0] > 1.5) == (bins == 0.4)


def test_lines_of_many_bins_scatter_as_their_likelihood_says():
    truth = pair(15.0, 1024)
    values = np.array([truth[n] for n in NAMES["pair"]])
    problem, _ = prepared("pair", spectrum(truth, 1024, 30, 1), None, 1.0)
    evaluation = problem.evaluate(values)
    fisher = evaluation.normal_equations()[1]
    assert np.array_equal(score_covariance(problem, values, evaluation), fisher)


def test_error_profile_and_evidence_agree_on_the_scatter():
    truth = line(0.5, 1024)
    result = fit_single(spectrum(truth, 1024, 200, 2), band=(1.7e5, 2.3e5))
    fitted = result.fitted
    assert fitted is not None
    assert fitted.scatter is not None
    own = np.sqrt(np.diag(np.linalg.inv(fitted.optimum.fisher)))
    error = result.parameters["omega"].stderr
    assert error == pytest.approx(own[0] * fitted.inflation["omega"])
    assert fitted.inflation["omega"] < 0.85, "neighbouring bins tell of one amplitude"
    away = result.value("omega") + 1.5 * error
    assert evidence(result, {"omega": away}).ratio == pytest.approx(1.5**2, rel=0.05)
    tied = evidence(result, {"omega": f"{away!r} + 0*gamma"})
    assert tied.ratio == pytest.approx(1.5**2, rel=0.05)


def test_a_summed_part_is_as_curved_as_its_estimates_scatter():
    truth = pair(2.0, 1024)
    result = fit_pair(spectrum(truth, 1024, 200, 3), band=(1.5e5, 2.7e5))
    assert result.fitted is not None
    part = LikelihoodPart(result.fitted)
    terms = part.terms(part.start)
    assert terms is not None
    order = [result.varying.index(n) for n in part.names]
    wanted = np.linalg.inv(result.covariance[np.ix_(order, order)])
    unit = np.sqrt(np.diag(wanted))
    assert np.abs((terms.fisher - wanted) / np.outer(unit, unit)).max() < 1e-3
    assert np.abs(terms.fisher / wanted - 1.0).max() > 0
    bare = LikelihoodPart(replace(result.fitted, scatter=None)).terms(part.start)
    assert bare is not None
    assert np.abs((bare.fisher - wanted) / np.outer(unit, unit)).max() > 0.05


@pytest.mark.slow
def test_samples_of_the_posterior_scatter_as_the_estimates():
    pytest.importorskip("emcee")
    from optobind.models.inference.sampling import sample_posterior

    truth = line(0.5, 1024)
    result = fit_single(spectrum(truth, 1024, 400, 4), band=(1.9e5, 2.1e5))
    posterior = sample_posterior(result, steps=600, seed=5)
    for name in ("omega", "D"):
        column = posterior.samples[:, posterior.names.index(name)]
        assert column.std() == pytest.approx(result.parameters[name].stderr, rel=0.2)
    assert result.fitted is not None
    assert result.fitted.inflation["omega"] < 0.75
