"""What a record has as a laboratory does: waterfall, phase space, slow channels over its time."""

from __future__ import annotations

import math
from concurrent.futures import Future
from types import SimpleNamespace

import numpy as np
import pytest
from closed_windows import destroy
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication

from optobind.acquisition.events import Event, EventKind
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.runfile_format import Manifest
from optobind.analysis.recorded.opening import open_recorded
from optobind.analysis.recorded.rows import RowTask, SpectraRows, average_rows
from optobind.analysis.recorded.story import SlowSeries
from optobind.gui.record_window import RecordWindow
from optobind.gui.structure import faults_of
from optobind.gui.viewmodels.slow_channels import slow_view
from optobind.models.blocks import Block

RATE, LINE = 1e5, 12e3


@pytest.fixture
def run(tmp_path):
    """0.6 s with a line that goes away after half of it, a gauge and a thermometer."""
    path = tmp_path / "night" / "run.h5"
    path.parent.mkdir()
    detectors = tuple(
        {"channel": k, "name": n, "particle": k, "role": "out_of_loop",
         "volts_per_metre": 1.0, "polarity": 1}
        for k, n in enumerate("ab")
    )  # fmt: skip
    manifest = Manifest(
        RATE, ("a", "b"), (1e-3, 1e-3), mode="SIM", config={"name": "my rig"}, detectors=detectors
    )
    rng, t = np.random.default_rng(1), np.arange(60_000) / RATE
    line = np.where(t < 0.3, 300.0, 0.0) * np.sin(2.0 * math.pi * LINE * t)
    counts = (line[:, None] + 20.0 * rng.normal(size=(t.size, 2))).astype(np.int16)
    with Recorder(path, manifest) as recorder:
        recorder.event(Event(0, EventKind.STEP_START, {"index": 0, "kind": "monitor"}, 1000.0))
        recorder.event(Event(30_000, EventKind.NOTE, {"text": "lamp on"}, 1002.0))
        for number in range(6):
            value = math.nan if number == 3 else 1e-3 + 1e-5 * number
            recorder.slow(10_000 * number, "pressure", value, "Pa")
            recorder.slow(10_000 * number, "table", 293.0 + 0.1 * number, "K")
        recorder.write(Block(0, counts, np.array([1e-3, 1e-3])))
    return path


class Here:
    """Rows at once, in the place of a process; nothing else is computed."""

    def __init__(self, on_lost) -> None:
        pass

    def task(self, function, argument):
        future: Future = Future()
        if isinstance(argument, RowTask):
            future.set_result(function(argument))
        return future

    def close(self) -> None:
        pass


@pytest.fixture
def record(run, monkeypatch):
    monkeypatch.setattr("optobind.analysis.recorded.work.FitProcess", Here)
    session = open_recorded(run, lambda _: None)
    session.give_up()  # what is asked at the beginning would stand before the rows for ever
    yield session
    session.close()


@pytest.fixture
def window(qtbot, record, settings):
    window = RecordWindow(record, settings)
    window.resize(1366, 768)
    window.open()
    window.bridge.stop()
    yield window
    window.closer.done = True
    window.close()
    destroy(window)


def tick(window, times=4):
    for _ in range(times):
        now = window.bridge.clock() + 1.0
        window.bridge.clock = lambda value=now: value
        window.bridge.tick()
        QApplication.processEvents()


def front(window, name):
    window.docks[name].raise_()
    QApplication.processEvents()
    tick(window)
    return window.panels[name]


def test_rows_are_spectra_of_their_own_samples(run):
    found = average_rows(RowTask(run, {}, (5000, 45_000), 8000))
    assert found.error == ""
    with_line, without = (csd for _, csd in found.rows)
    place = int(np.argmin(np.abs(with_line.frequencies - LINE)))
    assert with_line.matrix[place, 0, 0].real > 100.0 * without.matrix[place, 0, 0].real
    assert (with_line.first_sample, with_line.last_sample) >= (5000, 12_000)
    assert with_line.frequencies.size == without.frequencies.size


def test_a_row_without_samples_is_empty_and_a_file_that_is_gone_is_one_line(run, tmp_path):
    found = average_rows(RowTask(run, {}, (59_900, 5000), 8000))
    assert [csd is None for _, csd in found.rows] == [True, False]
    assert "gone.h5" in average_rows(RowTask(tmp_path / "gone.h5", {}, (0,), 8000)).error


def test_rows_are_asked_for_once_somebody_looks(window, record):
    tick(window)
    assert not record.rows.begun
    panel = front(window, "waterfall")
    assert record.rows.begun
    assert panel.store.ages[0].slot == record.rows.count - 2  # of the last samples no row is made
    assert [m.kind for m in panel.store.marks] == ["note", "note"]


def test_the_whole_record_is_in_sight_and_a_pixel_tells_its_own_time(window, record):
    panel = front(window, "waterfall")
    assert panel.model.span == pytest.approx(0.6, rel=0.02)
    assert panel.ages.isHidden()
    panel.pick(LINE, -0.45)
    assert panel.read_out.text().startswith("at 151 ms")
    assert panel.picked.path == str(record.record.path)
    assert window.spectra.model.ghost.name.startswith("at 15")
    assert panel.look.isEnabled()


def test_rows_that_cannot_be_read_are_said_once_and_nothing_hangs(window, record, monkeypatch):
    monkeypatch.setattr(
        Here,
        "task",
        lambda self, function, argument: SimpleNamespace(
            add_done_callback=lambda done: done(
                SimpleNamespace(
                    cancelled=lambda: False,
                    exception=lambda: None,
                    result=lambda: SpectraRows(error="run.h5 is damaged"),
                )
            )
        ),
    )
    front(window, "waterfall")
    tick(window)
    assert sum(line.text == "run.h5 is damaged" for line in window.log.lines) == 1
    assert record.working is None


def test_slow_channels_are_drawn_in_one_unit_with_what_the_stretch_holds(window, record):
    panel = front(window, "slow")
    assert [panel.channel.itemText(i) for i in range(2)] == ["pressure", "table"]
    assert "5 readings · 1 without a value" in panel.note.text()
    assert "mbar" in panel.note.text()
    record.select(30_000, 60_000)
    panel.channel.setCurrentIndex(1)
    tick(window)
    assert panel.curve.xData.tolist() == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert panel.note.text() == ("6 readings · in the stretch 293.4 ± 0.1 (standard deviation) K")
    assert panel.ends[0].value() == pytest.approx(0.3)


def test_a_slow_channel_of_failures_alone_draws_nothing_wrong():
    series = SlowSeries("table", "K", np.array([0, 10]), np.array([math.nan, math.nan]))
    view = slow_view(series, lambda sample: sample / RATE, (0, 20))
    assert view.curve.x.size == 0
    assert view.words == "0 readings · 2 without a value · none in the stretch"
    assert all(math.isfinite(end) for end in view.y_range)


def test_pressures_far_apart_from_one_keep_their_digits():
    series = SlowSeries("pressure", "Pa", np.arange(3), np.array([1.0e-6, 1.1e-6, 1.2e-6]))
    view = slow_view(series, float, (0, 3))
    assert view.unit == "10^-8 mbar"
    assert view.curve.y.tolist() == pytest.approx([1.0, 1.1, 1.2])


def test_the_keys_work_in_the_new_docks(window, qtbot):
    for name in ("waterfall", "slow", "phase_space"):
        panel = front(window, name)
        panel.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        panel.setFocus()
        before = window.spectra.tools.linear.isChecked()
        qtbot.keyClick(panel, Qt.Key.Key_L)
        assert window.spectra.tools.linear.isChecked() is not before, name


def test_nothing_is_cut_in_the_new_docks(window):
    for name in ("waterfall", "slow", "phase_space"):
        front(window, name)
        found = [f for f in faults_of(window) if "leaves the screen" not in f]
        assert found == [], name
    assert (window.width(), window.height()) == (1366, 768)
