"""Trajectories of records: units, gaps, delays, files, and what is said of a wrong model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy import stats

import optobind as ob
from optobind.acquisition.records.array_source import array_record
from optobind.analysis.track_file import write_track
from optobind.analysis.track_summary import summarise
from optobind.models.inference.matrices import model_pair, model_single
from optobind.models.linear import LinearModel
from optobind.models.simulation import simulate_model

RATE = 5e5
TRUTH = {
    "omega_1": 2 * np.pi * 45e3, "omega_2": 2 * np.pi * 50e3, "gamma_1": 6e3, "gamma_2": 7e3,
    "g_r": -6e3, "g_a": 8e3, "D11": 4e5, "D22": 5e5, "re_D12": 5e4,
    "noise_1": 3e-6, "noise_2": 4e-6,
}  # fmt: skip
MODEL = model_pair(TRUTH)


def record_of(data: np.ndarray, unit: str = "quanta", segments: bool = False) -> ob.Record:
    return array_record(
        "npz", Path("a.npz"), RATE, ("z1", "z2")[: data.shape[-1]], unit,
        np.ones(data.shape[-1]), data, segments=segments,
    )  # fmt: skip


@pytest.fixture(scope="module")
def simulated() -> tuple[np.ndarray, np.ndarray]:
    return simulate_model(MODEL, 60_000, RATE, np.random.default_rng(1))


def squares(track: ob.Track, truth: np.ndarray, kind: str, every: int = 97) -> np.ndarray:
    """Normalised squared errors of samples that hardly know of each other."""
    error = (getattr(track, kind) - truth)[::every]
    return np.einsum(
        "mi,mij,mj->m", error, np.linalg.inv(getattr(track, f"{kind}_covariance")[::every]), error
    )


@pytest.mark.parametrize("kind", ["filtered", "retrodicted"])
def test_errors_of_a_record_with_an_offset_are_what_the_covariances_say(simulated, kind):
    seen, states = simulated
    tracking = ob.track(record_of(seen + np.array([3.0, -2.0])), MODEL)
    track = tracking.read(0, len(seen))
    total = squares(track, states, kind)
    assert 1e-4 < stats.chi2.cdf(total.sum(), 4 * len(total)) < 1 - 1e-4
    assert (track.errors[1000] < 0.5 * np.sqrt(MODEL.steady_state().diagonal())).all()
    np.testing.assert_array_equal(track.positions, track.retrodicted[:, ::2])


def test_a_range_is_what_the_whole_gives(simulated):
    seen, _ = simulated
    tracking = ob.track(record_of(seen), MODEL)
    whole, part = tracking.read(0, 30_000), tracking.read(20_000, 20_500)
    scale = np.sqrt(np.trace(MODEL.steady_state()))
    for kind in ("filtered", "retrodicted", "filtered_covariance", "retrodicted_covariance"):
        np.testing.assert_allclose(
            getattr(part, kind), getattr(whole, kind)[20_000:20_500], atol=1e-6 * scale**2
        )
    np.testing.assert_allclose(part.times[0], 20_000 / RATE)


def test_each_stretch_begins_with_the_spread_of_the_model(simulated):
    seen, states = simulated
    tracking = ob.track(record_of(seen.reshape(60, 1000, 2), segments=True), MODEL)
    assert len(tracking.ranges) == 60
    first = np.stack([tracking.read(start, start + 1).filtered[0] for start, _ in tracking.ranges])
    track = tracking.read(*tracking.ranges[7])
    np.testing.assert_allclose(
        np.linalg.inv(track.filtered_covariance[0])[::2, ::2]
        - np.linalg.inv(MODEL.steady_state())[::2, ::2],
        np.diag(2.0 / (RATE * MODEL.imprecision.diagonal())),
        atol=1e-9,
    )
    error = first - states[::1000]
    total = np.einsum("mi,ij,mj->m", error, np.linalg.inv(track.filtered_covariance[0]), error)
    assert 1e-4 < stats.chi2.cdf(total.sum(), 4 * 60) < 1 - 1e-4
    with pytest.raises(ob.InputError, match="do not lie within one tracked stretch"):
        tracking.read(500, 1500)


def test_innovations_bear_out_the_right_model_and_no_other(simulated):
    seen, _ = simulated
    right = summarise(ob.track(record_of(seen), MODEL))
    assert right.whiteness.p_value > 1e-3
    assert right.warnings == ()
    np.testing.assert_allclose(right.squares, 1.0, atol=0.03)
    vacuum = occupations(MODEL.steady_state())
    np.testing.assert_allclose(right.measured.occupations, vacuum, rtol=0.25)
    wrong = model_pair({**TRUTH, "g_a": -8e3})
    said = summarise(ob.track(record_of(seen), wrong)).warnings
    assert "not white" in said[-1]


def occupations(covariance: np.ndarray) -> np.ndarray:
    diagonal = covariance.diagonal()
    return 0.5 * (diagonal[::2] + diagonal[1::2]) - 0.5


def test_a_known_delay_of_a_channel_is_taken_into_account(simulated):
    _, states = simulated
    model = LinearModel(MODEL.drift, MODEL.noise, MODEL.output, MODEL.imprecision)
    step, spread = model.discretise(0.5 / RATE)
    rng = np.random.default_rng(3)
    later = states @ step.T + rng.multivariate_normal(np.zeros(4), spread, len(states))
    noise = np.sqrt(0.5 * RATE * MODEL.imprecision.diagonal())
    seen = np.stack([states[:, 0], later[:, 2]], 1) + noise * rng.standard_normal((len(states), 2))
    record = replace(record_of(seen), delays=(0.0, 0.5 / RATE))
    total = squares(ob.track(record, MODEL).read(0, 50_000), states[:50_000], "retrodicted")
    assert total.mean() < 4.3
    blind = squares(
        ob.track(record_of(seen), MODEL).read(0, 50_000), states[:50_000], "retrodicted"
    )
    assert blind.mean() > 5.0


def test_a_record_is_fitted_and_the_fit_sharpened_by_its_samples():
    truth = {"omega": 2 * np.pi * 45e3, "gamma": 6e3, "D": 4e5, "noise": 3e-6}
    model = model_single(truth)
    seen, states = simulate_model(model, 100_000, RATE, np.random.default_rng(5))
    tracking = ob.track(record_of(seen))
    assert tracking.fit.statistics["estimator"] == "exact"
    found = tracking.fit.parameters
    assert found["noise"].stderr < 0.01 * truth["noise"]
    assert abs(found["D"].value - truth["D"]) < 5.0 * found["D"].stderr
    total = squares(tracking.read(0, 100_000), states, "retrodicted")
    assert 1e-4 < stats.chi2.cdf(total.sum(), 2 * len(total)) < 1 - 1e-4


def test_units_that_do_not_agree_are_said(simulated):
    seen, _ = simulated
    with pytest.raises(ob.InputError, match=r"the model is in quanta, .* in V"):
        ob.track(record_of(seen, "V"), MODEL)
    with pytest.raises(ob.InputError, match="the model has 2 channels, 1 are chosen"):
        ob.track(record_of(seen), MODEL, channels=[0])


def test_files_hold_what_was_read_and_replace_others_when_complete(simulated, tmp_path):
    seen, _ = simulated
    tracking = ob.track(record_of(seen[:20_000].reshape(2, 10_000, 2), segments=True), MODEL)
    summary = write_track(tracking, tmp_path / "t.h5", every=7)
    write_track(tracking, tmp_path / "t.npz", every=7)
    with h5py.File(tmp_path / "t.h5") as file, np.load(tmp_path / "t.npz") as other:
        assert sorted(p.name for p in tmp_path.iterdir()) == ["t.h5", "t.npz"]
        samples = file["sample"][:]
        start, stop = tracking.ranges[1]
        rows = (samples >= start) & (samples < stop)
        track = tracking.read(start, stop)
        kept = samples[rows] - start
        np.testing.assert_array_equal(kept, np.arange(0, 10_000, 7))
        for name in ("filtered", "retrodicted", "amplitudes"):
            expected = getattr(track, name)[kept]
            np.testing.assert_allclose(file[name][rows], expected, rtol=1e-5, atol=1e-4)
            np.testing.assert_array_equal(file[name][:], other[name])
        np.testing.assert_allclose(
            file["covariance/retrodicted_steady"][:], track.retrodicted_covariance[5000]
        )
        np.testing.assert_allclose(
            file["covariance/retrodicted_tail"][-1], track.retrodicted_covariance[-1]
        )
        assert file.attrs["unit"] == "quanta"
        assert list(file.attrs["states"]) == ["z1", "p1", "z2", "p2"]
    assert summary.samples == 20_000
    with pytest.raises(ob.InputError, match=r"\.h5, \.hdf5, \.npz"):
        write_track(tracking, tmp_path / "t.mat")


def test_an_interrupted_file_leaves_the_one_before(simulated, tmp_path):
    seen, _ = simulated
    path = tmp_path / "t.h5"
    path.write_text("before")

    def interrupt(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_track(ob.track(record_of(seen), MODEL), path, progress=interrupt)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
