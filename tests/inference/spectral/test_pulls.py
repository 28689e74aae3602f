"""Estimates scatter about the truth as their errors say, and as the Fisher bound allows."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from shared_work import shared
from simulated_spectra import csd_of, record

from optobind.models.inference.matrices import NAMES, model_pair, model_single
from optobind.models.inference.spectral.fits import fit_pair, fit_single

HZ = 2 * np.pi
FS = 2.5e5
BASE = {
    "omega_1": HZ * 50e3, "omega_2": HZ * 50.6e3, "gamma_1": HZ * 240, "gamma_2": HZ * 200,
    "g_r": HZ * 160, "g_a": HZ * 120, "D11": 1.6e4, "D22": 1.4e4, "re_D12": 5e3,
    "noise_1": 2e-5, "noise_2": 3e-5,
}  # fmt: skip
# Changes of BASE, samples, segment, band (Hz).
REGIMES = {
    "resolved": ({}, 1 << 17, 4096, (45e3, 56e3)),
    "overlapping": ({"omega_2": HZ * 50.1e3}, 1 << 17, 8192, (45e3, 56e3)),
    "exceptional": (
        {"omega_2": HZ * 50.24e3, "gamma_2": HZ * 240, "g_r": 0.0},
        1 << 17, 8192, (45e3, 56e3),
    ),
    "five averages": ({}, 3 << 15, 1 << 15, (45e3, 56e3)),
    "low signal": (
        {"noise_1": 1.2e-3, "noise_2": 1.2e-3, "g_r": HZ * 100, "g_a": HZ * 50},
        1 << 18, 4096, (46e3, 55e3),
    ),
    "one narrow-line record": (
        {"gamma_1": HZ * 60, "gamma_2": HZ * 50, "g_r": HZ * 40, "g_a": HZ * 30,
         "omega_2": HZ * 50.15e3, "D11": 4e3, "D22": 3.5e3, "re_D12": 1e3},
        3 << 17, 3 << 17, (48.5e3, 51.5e3),
    ),
}  # fmt: skip


def fit_one(seed, regime):
    """Values, errors and goodness of fit of one set."""
    changes, samples, segment, band = REGIMES[regime]
    rng = np.random.default_rng(seed)
    model = model_pair({**BASE, **changes})
    result = fit_pair(csd_of(record(model, samples, FS, rng), FS, segment), band=band)
    assert result.converged
    values = [result.value(name) for name in NAMES["pair"]]
    errors = [result.stderr(name) for name in NAMES["pair"]]
    return values, errors, result.statistics["p_value"]


def gather(regime, sets, seed=20240):
    names = NAMES["pair"]
    want = np.array([{**BASE, **REGIMES[regime][0]}[name] for name in names])
    found = shared(partial(fit_one, regime=regime), range(seed, seed + sets))
    values, errors, p_values = (np.array(column) for column in zip(*found, strict=True))
    ratio = np.std(values, axis=0) / np.median(errors, axis=0)
    return names, (values - want) / errors, ratio, p_values


# A mean of n pulls is known to 1/√n, a width to 1/√2n: so many of these for every number.
LIMIT = 3.5


@pytest.mark.slow
def test_pulls_of_some_sets_have_no_offset_and_unit_width():
    sets = 60
    names, pulls, ratio, p_values = gather("resolved", sets)
    for i, name in enumerate(names):
        assert abs(pulls[:, i].mean()) < LIMIT / np.sqrt(sets), name
        assert abs(pulls[:, i].std() - 1) < LIMIT / np.sqrt(2 * sets), name
    assert np.mean(pulls**2) == pytest.approx(1.0, abs=0.2)
    assert ratio.max() < 1.4
    assert np.mean(p_values < 0.05) < 0.2


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_pulls_of_500_resolved_sets_have_no_offset_and_unit_width():
    names, pulls, ratio, p_values = gather("resolved", 500)
    for i, name in enumerate(names):
        assert abs(pulls[:, i].mean()) < 0.15, (name, pulls[:, i].mean())
        assert 0.9 < pulls[:, i].std() < 1.1, (name, pulls[:, i].std())
    # The errors are the inverse Fisher information: the scatter reaches the bound.
    assert ratio.max() < 1.3
    assert 0.01 < np.mean(p_values < 0.05) < 0.1


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("regime", [name for name in REGIMES if name != "resolved"])
def test_pulls_of_many_sets_in_other_regimes_have_no_offset_and_unit_width(regime):
    sets = 200
    names, pulls, ratio, p_values = gather(regime, sets)
    for i, name in enumerate(names):
        assert abs(pulls[:, i].mean()) < LIMIT / np.sqrt(sets), (name, pulls[:, i].mean())
        assert abs(pulls[:, i].std() - 1) < LIMIT / np.sqrt(2 * sets), (name, pulls[:, i].std())
    assert ratio.max() < 1.4
    assert np.mean(p_values < 0.05) < 0.05 + LIMIT * np.sqrt(0.05 * 0.95 / sets)


@pytest.mark.slow
def test_pulls_of_single_fits_have_no_offset_and_unit_width():
    truth = {"omega": HZ * 60e3, "gamma": HZ * 200, "D": 1e4, "noise": 1e-5}
    model, rng, pulls = model_single(truth), np.random.default_rng(5), []
    for _ in range(80):
        csd = csd_of(record(model, 1 << 16, FS, rng), FS, 8192)
        result = fit_single(csd, band=(55e3, 65e3))
        pulls.append([(result.value(n) - truth[n]) / result.stderr(n) for n in truth])
    assert np.abs(np.mean(pulls, axis=0)).max() < 0.4
    assert np.std(pulls, axis=0) == pytest.approx(1.0, abs=0.25)
