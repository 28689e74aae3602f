"""Simulation studies: sets that are the same wherever they are made, with honest pulls."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy import stats

from optobind.analysis.batch.run import run_batch
from optobind.analysis.batch.studies import spectrum_set, study_tasks
from optobind.models.linear import LinearModel
from optobind.models.simulation import simulate_model

TRUTH = {
    "omega_1": 2 * np.pi * 48e3, "omega_2": 2 * np.pi * 52e3, "gamma_1": 6e3, "gamma_2": 7e3,
    "g_r": -3e3, "g_a": 4e3, "D11": 2e5, "D22": 1.5e5, "re_D12": 0.0,
    "noise_1": 5e-6, "noise_2": 6e-6,
}  # fmt: skip
SETUP = {
    "truth": TRUTH, "samples": 40_000, "sample_rate": 4e5, "segment": 1024, "band": [3e4, 7e4]
}  # fmt: skip


def read(table):
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("merged", [False, True])
def test_simulated_records_have_the_moments_of_their_model(merged):
    coupling = 0.5e3 if merged else 2e3
    drift = np.kron(np.eye(2), [[-4e3, 2e4], [-2e4, -4e3]])
    drift[0:2, 2:4] = coupling * np.eye(2) if merged else [[0, 0], [coupling, 0]]
    noise = np.diag([0.0, 3e4, 0.0, 2e4])
    model = LinearModel(drift, noise, [[1, 0, 0, 0], [0, 0, 1, 0]], np.array([1e-4, 2e-4]))
    seen, states = simulate_model(model, 400_000, 1e5, np.random.default_rng(4))
    steady = model.steady_state()
    scale = np.sqrt(np.outer(steady.diagonal(), steady.diagonal()))
    np.testing.assert_allclose(np.cov(states.T) / scale, steady / scale, atol=0.03)
    error = seen - states @ model.output.T
    np.testing.assert_allclose(error.var(axis=0), [5.0, 10.0], rtol=0.02)
    step, _ = model.discretise(1e-5)
    lagged = states[1:].T @ states[:-1] / len(states)
    np.testing.assert_allclose(lagged / scale, step @ steady / scale, atol=0.03)


def test_a_longer_study_goes_on_with_the_sets_that_it_has(tmp_path):
    table = tmp_path / "study.csv"
    run_batch(study_tasks(spectrum_set, 2, 7, SETUP), table, jobs=0)
    first = read(table)
    outcome = run_batch(study_tasks(spectrum_set, 3, 7, SETUP), table, jobs=0)
    assert outcome.before == 2
    assert read(table)[:2] == first
    assert len({line["D11 [rad/s]"] for line in read(table)}) == 3


@pytest.mark.study
def test_pulls_are_normal_and_the_null_distribution_is_that_of_one_degree(tmp_path):
    table, under = tmp_path / "study.csv", {**SETUP, "hypothesis": {"re_D12": 0.0}}
    outcome = run_batch(study_tasks(spectrum_set, 40, 11, under), table, jobs=0)
    assert outcome.counts["ok"] == 40
    found = read(table)
    for name in ("D11", "re_D12", "g_a", "omega_1"):
        pulls = np.array([float(line[f"{name}_pull"]) for line in found])
        assert stats.kstest(pulls, "norm").pvalue > 1e-3, name
    ratios = [float(line["likelihood_ratio"]) for line in found]
    assert stats.kstest(ratios, "chi2", args=(1,)).pvalue > 1e-3
