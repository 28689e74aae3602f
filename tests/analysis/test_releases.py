"""Releases of one particle, and what is known of the detectors, from a file to the estimates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from exact.independent import PAIR, RATE, releases

import optobind as ob
from optobind.models.errors import InputError
from optobind.models.inference.exact.blocks import blocks_of
from optobind.models.inference.parameters import STATISTICS
from optobind.models.lowpass import keep_of, keeps_of, response, unfiltered

ALONE = {**PAIR, "g_r": 0.0, "g_a": 0.0, "re_D12": 0.0, "re_C0": 0.0, "im_C0": 0.0}
TRUTH = {"omega": "omega_1", "D": "D11", "noise": "noise_1", "n_0": "n1_0"}


def record_of(tmp_path, samples):
    path = tmp_path / "releases.npz"
    np.savez(path, samples=samples, sample_rate=RATE, unit="quanta")
    return ob.open_record(path)


def test_one_particle_has_three_estimates_that_agree(tmp_path):
    data = releases(ALONE, 61, 1000, 3)[:, :, :1]
    analysis = ob.analyse_reheating(record_of(tmp_path, data), release_index=0)
    assert list(analysis.estimators) == ["exact", "transitions", "curves"]
    for name, fit in analysis.estimators.items():
        assert fit.model == "single"
        assert set(fit.statistics) <= set(STATISTICS)
        assert fit.statistics["repetitions"] == (61 if name == "exact" else 60)
        for own, other in TRUTH.items():
            assert abs(fit.value(own) - ALONE[other]) < 4.5 * fit.stderr(own), (name, own)
    said = " ".join(analysis.estimators["curves"].warnings)
    assert "only 60 repetitions, two by two" in said
    errors = [fit.stderr("D") for fit in analysis.estimators.values()]
    assert errors[0] < errors[1] < errors[2]
    assert analysis.result.statistics["agreement_p_value"] > 1e-3
    assert ob.evidence(analysis.result, {"n_0": 0.0}).delta_bic > 100.0
    figure = ob.reheating_figure(analysis.estimate, analysis.result)
    assert "61" not in figure.axes[0].get_title(loc="right")
    assert "60 releases" in figure.axes[0].get_title(loc="right")


def test_few_releases_of_one_particle_are_refused(tmp_path):
    rng = np.random.default_rng(1)
    record = record_of(tmp_path, rng.standard_normal((19, 100, 1)))
    with pytest.raises(InputError, match="too few repetitions: 19, at least 20"):
        ob.analyse_reheating(record, release_index=0)
    with pytest.raises(InputError, match="between two channels"):
        ob.analyse_reheating(
            record_of(tmp_path, rng.standard_normal((40, 100, 1))), release_index=0, delay=1e-7
        )


def test_a_delay_that_the_record_knows_is_taken_off_every_estimate(tmp_path):
    data = releases(PAIR, 60, 1000, 5, delay=2e-7)
    record = record_of(tmp_path, data)
    known = replace(record, delays=(2e-7, 0.0))
    right = ob.analyse_reheating(known, release_index=0)
    assert right.result.value("delay_12") == pytest.approx(2e-7)
    assert right.result.stderr("delay_12") is None
    wrong = ob.analyse_reheating(record, release_index=0)
    for name in ("exact", "transitions"):
        one, other = right.estimators[name], wrong.estimators[name]
        rise = (
            one.statistics["log_likelihood"] - other.statistics["log_likelihood"]
            if name == "exact"
            else 10.0
        )
        assert rise > 5.0, name
        for key in ("g_r", "g_a", "D11"):
            assert abs(one.value(key) - PAIR[key]) < 4.5 * one.stderr(key), (name, key)
    with pytest.raises(InputError, match=r"up to one sample, 0\.5 us"):
        ob.analyse_reheating(record, release_index=0, delay=1e-6)


def test_a_low_pass_that_the_record_knows_is_taken_off(tmp_path):
    corner = 4e5
    data = releases(ALONE, 40, 800, 7)[:, :, :1]
    keep = keep_of(corner, RATE)
    seen = np.empty_like(data)
    seen[:, 0] = data[:, 0]
    for t in range(1, data.shape[1]):
        seen[:, t] = keep * seen[:, t - 1] + (1.0 - keep) * data[:, t]
    bare = ob.analyse_reheating(record_of(tmp_path, data[:, 1:]), release_index=0).result
    record = replace(record_of(tmp_path, seen), lowpass=(corner,))
    found = ob.analyse_reheating(record, release_index=0).result
    for name in ("omega", "D", "noise", "n_0"):
        assert found.value(name) == pytest.approx(bare.value(name), abs=0.02 * bare.stderr(name))
    left = ob.analyse_reheating(replace(record, lowpass=()), release_index=0).result
    assert abs(left.value("noise") - bare.value("noise")) > 5.0 * bare.stderr("noise")


def test_unfiltered_inverts_the_filter_and_its_response():
    rng = np.random.default_rng(1)
    keeps = keeps_of((3e4, None), 1e5)
    x, y = rng.normal(size=(500, 2)), np.zeros((500, 2))
    for t in range(1, 500):
        y[t] = keeps * y[t - 1] + (1.0 - keeps) * x[t]
    np.testing.assert_allclose(unfiltered(y, keeps), x[1:], atol=1e-12)
    pulse = (1.0 - keeps) * keeps ** np.arange(400)[:, None]
    want = np.fft.rfft(pulse, axis=0)
    np.testing.assert_allclose(response(keeps, np.fft.rfftfreq(400, 1e-5), 1e5), want, atol=1e-12)
    assert keeps_of((None, None), 1e5) is None
    with pytest.raises(InputError, match="at least 10 Hz"):
        keeps_of((1.0,), 1e5)


def test_blocks_take_all_releases_in_their_order():
    batches = [np.arange(10).reshape(-1, 1, 1), np.arange(10, 47).reshape(-1, 1, 1)]
    blocks = list(blocks_of(batches, 47, 9))
    assert [len(block) for block in blocks] == [9, 10, 9, 10, 9]
    assert np.concatenate(blocks).ravel().tolist() == list(range(47))
    with pytest.raises(InputError, match="at least 5 releases, got 4"):
        list(blocks_of(batches, 47, 4))
    with pytest.raises(InputError, match="no two blocks of 40"):
        list(blocks_of(batches, 47, 40))


def test_couplings_that_turn_between_blocks_average(tmp_path):
    """Two settings of the phase: pooled, what is not foreseen is not white; blocks see a drift."""
    turned = {**PAIR, "g_r": 1.5e3, "g_a": -1e3}
    data = np.concatenate([releases(PAIR, 20, 1000, 1), releases(turned, 20, 1000, 2)])
    record = record_of(tmp_path, data)
    found = ob.analyse_reheating(record, release_index=0, block=20).result
    assert found.statistics["blocks"] == 2
    assert found.statistics["drift_p_value"] < 1e-3
    for name in ("g_r", "g_a", "D11", "re_D12"):
        want = 0.5 * (PAIR[name] + turned[name])
        assert abs(found.value(name) - want) < 4.5 * found.stderr(name), name
    still = ob.analyse_reheating(
        record_of(tmp_path, releases(PAIR, 40, 1000, 4)), release_index=0, block=20
    ).result
    assert still.statistics["drift_p_value"] > 1e-3


@pytest.mark.parametrize("index", [None, 0])
def test_a_release_that_nothing_states_is_said_to_be_assumed(tmp_path, index):
    record = record_of(tmp_path, releases(ALONE, 61, 400, 3)[:, :, :1])
    found = ob.analyse_reheating(record, release_index=index, estimator="curves")
    said = any("states no release index" in text for text in found.result.warnings)
    assert said is (index is None)
