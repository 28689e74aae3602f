"""Releases of a record: left out, taken back, and never shown as what they are not."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace

import numpy as np
import pytest

from optobind.acquisition.records.opening import open_record
from optobind.acquisition.records.selected import without_releases
from optobind.analysis.recorded import released
from optobind.analysis.recorded.opening import open_recorded
from optobind.analysis.recorded.released import FittedReleases, average_curves
from optobind.analysis.recorded.tasks import StretchTask
from optobind.models.errors import InputError
from optobind.models.inference.result import FitResult

RATE, COUNT, LENGTH = 5e5, 40, 400
STEP = LENGTH + 1  # releases of a foreign file lie one sample apart


@pytest.fixture
def path(tmp_path):
    """Releases in which two lines grow."""
    rng, t = np.random.default_rng(7), np.arange(LENGTH) / RATE
    phases = rng.uniform(0.0, 2.0 * np.pi, (COUNT, 2, 1))
    grown = np.sqrt(rng.exponential(size=(COUNT, 2, 1)) * (1.0 + t / t[-1]))
    lines = np.array([52e3, 55e3])[:, None]
    samples = grown * np.cos(2.0 * np.pi * lines * t + phases) + 0.05 * rng.normal(
        size=(COUNT, 2, LENGTH)
    )
    np.savez(tmp_path / "r.npz", samples=samples.transpose(0, 2, 1), sample_rate=RATE)
    return tmp_path / "r.npz"


class Here:
    """Does the work at once, in the place of a process."""

    def __init__(self, on_lost) -> None:
        pass

    def task(self, function, argument):
        future: Future = Future()
        future.set_result(function(argument))
        return future

    def close(self) -> None:
        pass


@pytest.fixture
def fitted(monkeypatch):
    """How many releases were fitted each time; the fit itself is a made-up one."""
    counts: list[int] = []

    def fit(record, band=None):
        counts.append(len(record.releases()))
        result = FitResult("reheating", {}, (), np.zeros((0, 0)), {}, {}, True)
        return SimpleNamespace(estimate=released.average_releases(record).estimate, result=result)

    monkeypatch.setattr(released, "analyse_reheating", fit)
    monkeypatch.setattr("optobind.analysis.recorded.work.FitProcess", Here)
    return counts


@pytest.fixture
def session(path, fitted):
    opened = open_recorded(path, lambda _: None)
    yield opened
    opened.close()


def test_releases_are_left_out_of_a_record(path):
    record = open_record(path)
    starts = record.releases().starts
    fewer = without_releases(record, [int(starts[3]), int(starts[5])])
    assert len(fewer.releases()) == COUNT - 2
    assert starts[3] not in fewer.releases().starts
    assert fewer.provenance["left_out"] == [int(starts[3]), int(starts[5])]
    assert without_releases(record, []) is record
    with pytest.raises(InputError, match="take one back"):
        without_releases(record, starts.tolist()).releases()


def test_curves_come_with_single_releases_also_those_left_out(path):
    record = open_record(path)
    start = int(record.releases().starts[4])
    end = int(record.releases().stops[-1])
    found = average_curves(StretchTask(path, {}, 0, end, without=(start,)))
    assert found.error == ""
    assert found.estimate.repetitions == COUNT - 1
    assert start in found.first_samples
    assert found.single.shape == (9, 2, found.estimate.times.size)
    assert found.result is None


def test_one_is_left_out_fitted_without_and_taken_back(session, fitted):
    session.fit_releases()
    assert fitted[-1] == COUNT
    whole = session.reheating().estimate.E1
    session.exclude_repetition(5, "hit by a flash")
    shown = session.reheating()
    assert fitted[-1] == COUNT - 1
    assert shown.by_hand == shown.excluded == (5,)
    assert shown.releases.used() == "39 used, 1 left out (1 excluded by hand)"
    assert not np.array_equal(shown.estimate.E1, whole)
    assert 5 in shown.single_numbers
    with pytest.raises(InputError, match="those are: 5"):
        session.include_repetition(6)
    session.include_repetition(5)
    assert fitted[-1] == COUNT
    np.testing.assert_array_equal(session.reheating().estimate.E1, whole)
    assert session.reheating().by_hand == ()


def test_what_the_record_does_not_hold_cannot_be_left_out(session):
    with pytest.raises(InputError, match="no usable repetition 41; usable are 40 of 1 to 40"):
        session.exclude_repetition(41, "flash")
    assert session.choice.left_out == {}


def test_a_fit_of_other_releases_is_none_of_what_is_chosen(session, fitted):
    session.fit_releases()
    assert session.reheating().result is not None
    session.select(0, 20 * STEP)
    shown = session.reheating()
    assert shown.result is None
    assert "of what was chosen before" in shown.error
    session.fit_releases()
    assert session.reheating().result is not None
    assert fitted[-1] == 20


def test_an_answer_that_comes_late_is_dropped(session):
    session.fit_releases()
    before = session.reheating()
    late = session._task
    session.exclude_repetition(2, "flash")
    now = session.reheating()
    session._take_releases(FittedReleases(before.estimate), late, fitted=False)
    assert session.reheating() is now


def test_the_notebook_leaves_out_what_is_left_out(session, tmp_path):
    session.exclude_repetition(2, "flash")
    text = session.write_notebook(tmp_path / "a.ipynb").read_text()
    first = int(session.choice.releases.starts[1])
    assert f"ob.without_releases(record, [{first}])" in text
