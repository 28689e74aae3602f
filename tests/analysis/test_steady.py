"""Steady records with lines that averaged spectra do not resolve, from a file to the result."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from simulated_spectra import record as simulated

import optobind as ob
from optobind.models.errors import InputError
from optobind.models.inference.matrices import model_single
from optobind.models.inference.parameters import STATISTICS

HZ = 2 * np.pi
RATE = 5e3
NARROW = {"omega": HZ * 1e3, "gamma": HZ * 1.0, "D": 2e3, "noise": 2e-2}
WIDE = {"omega": HZ * 1e3, "gamma": HZ * 25.0, "D": 2e4, "noise": 2e-2}


def record_of(tmp_path, values, seconds, seed=3, unit="quanta"):
    z = simulated(model_single(values), round(seconds * RATE), RATE, np.random.default_rng(seed))
    path = tmp_path / "steady.npz"
    np.savez(path, samples=z, sample_rate=RATE, unit=unit)
    return ob.open_record(path)


def test_a_line_that_nothing_resolves_is_fitted_exactly_by_default(tmp_path):
    record = record_of(tmp_path, NARROW, 1.0)
    result = ob.analyse_spectrum(record, band=(900.0, 1100.0)).result
    assert result.statistics["estimator"] == "exact"
    assert set(result.statistics) <= set(STATISTICS)
    assert json.loads(json.dumps(result.to_dict()))["statistics"]["samples"] == 5000
    for name, value in NARROW.items():
        assert abs(ob.signed_root(result, name, value)) < 4.0, name
    asked = ob.analyse_spectrum(record, band=(900.0, 1100.0), estimator="wishart").result
    assert "estimator" not in asked.statistics
    with pytest.raises(InputError, match="unknown estimator 'best'; known: wishart, exact"):
        ob.analyse_spectrum(record, estimator="best")


def test_a_line_that_is_resolved_has_one_result(tmp_path):
    record = record_of(tmp_path, WIDE, 6.0)
    usual = ob.analyse_spectrum(record, band=(600.0, 1400.0)).result
    assert "estimator" not in usual.statistics
    exact = ob.analyse_spectrum(record, band=(600.0, 1400.0), estimator="exact").result
    for name in WIDE:
        apart = abs(usual.value(name) - exact.value(name)) / usual.stderr(name)
        assert apart < 1.0, name
        assert 0.6 < exact.stderr(name) / usual.stderr(name) < 1.05, name


def test_a_low_pass_that_the_record_knows_is_taken_off_spectra(tmp_path):
    record = record_of(tmp_path, WIDE, 4.0)
    z = record.samples
    keep = np.exp(-2 * np.pi * 800.0 / RATE)
    seen = np.zeros_like(z)
    for t in range(1, len(z)):
        seen[t] = keep * seen[t - 1] + (1.0 - keep) * z[t]
    path = tmp_path / "filtered.npz"
    np.savez(path, samples=seen, sample_rate=RATE, unit="quanta")
    filtered = replace(ob.open_record(path), lowpass=(800.0,))
    for estimator in ("wishart", "exact"):
        options = {"band": (600.0, 1400.0), "estimator": estimator}
        bare = ob.analyse_spectrum(record, **options).result
        found = ob.analyse_spectrum(filtered, **options).result
        for name in WIDE:
            assert abs(found.value(name) - bare.value(name)) < 0.3 * bare.stderr(name), name


def test_allan_deviation_of_white_noise_falls_and_that_of_a_walk_rises():
    rng = np.random.default_rng(7)
    white = rng.normal(size=4096)
    found = ob.allan_deviation(white, 2.0)
    assert found.times[:3].tolist() == [2.0, 4.0, 8.0]
    scaled = found.values * np.sqrt(found.times / 2.0)
    assert (np.abs(scaled - 1.0) < 4.5 * found.stderr * np.sqrt(found.times / 2.0)).all()
    walk = ob.allan_deviation(np.cumsum(white), 2.0)
    assert (np.diff(walk.values[:7]) > 0.0).all()
    with pytest.raises(InputError, match="at least 4"):
        ob.allan_deviation([1.0, 2.0, 3.0], 1.0)
    with pytest.raises(InputError, match=r"positive, got 0\.0 s"):
        ob.allan_deviation(white, 0.0)


def test_blocks_of_a_record_scatter_as_their_errors_say(tmp_path):
    record = record_of(tmp_path, WIDE, 8.0)
    series = ob.follow_spectrum(record, 1.0, band=(700.0, 1300.0))
    assert series.times.tolist() == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5]
    pulls = (series.values("omega") - WIDE["omega"]) / series.errors("omega")
    assert np.abs(pulls).max() < 4.5
    assert series.allan("omega").values[0] < 3.0 * series.errors("omega").max()
    with pytest.raises(InputError, match="as long as a block of 9 s; the longest has 8 s"):
        ob.follow_spectrum(record, 9.0)
