"""A record in the window: the slider, marks, panels that are read only, files that are none."""

from concurrent.futures import Future

import numpy as np
import pytest
from closed_windows import destroy
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QApplication

from optobind.acquisition.events import Event, EventKind
from optobind.acquisition.ranges import Ranges
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.runfile_format import Manifest
from optobind.analysis.recorded.opening import open_recorded
from optobind.gui.record_window import RecordWindow
from optobind.gui.records import OPEN
from optobind.gui.services import Services
from optobind.gui.structure import faults_of
from optobind.gui.viewmodels.compare import comparison_view
from optobind.gui.viewmodels.record import RecordModel
from optobind.models.blocks import Block
from optobind.models.errors import FileError, InputError

RATE = 1e5


def site(x: float, phase: float = 0.0) -> dict:
    return {"position": [x, 0.0, 0.0], "power": 0.2, "phase": phase, "detuning": 0.0}


@pytest.fixture
def run(tmp_path):
    path = tmp_path / "night" / "run.h5"
    path.parent.mkdir()
    detectors = tuple(
        {"channel": k, "name": n, "particle": k, "role": "out_of_loop",
         "volts_per_metre": 1.0, "polarity": 1}
        for k, n in enumerate("ab")
    )  # fmt: skip
    config = {"name": "my rig", "calibrated": False}
    manifest = Manifest(
        RATE, ("a", "b"), (1e-3, 1e-3), mode="SIM", config=config, detectors=detectors
    )
    counts = np.random.default_rng(1).integers(-99, 99, (20_000, 2)).astype(np.int16)
    with Recorder(path, manifest) as recorder:
        for event in (
            Event(0, EventKind.LIGHT, {"sites": [site(0.0, 0.4), site(2.5e-6)]}, 1000.0),
            Event(0, EventKind.STEP_START, {"index": 0, "kind": "monitor"}, 1000.0),
            Event(8000, EventKind.LIGHT, {"sites": [site(0.0, 1.2), site(2.5e-6)]}, 1001.0),
            Event(12000, EventKind.NOTE, {"text": "lamp on"}, 1002.0),
        ):
            recorder.event(event)
        recorder.write(Block(0, counts, np.array([1e-3, 1e-3])))
    return path


@pytest.fixture
def record(run, monkeypatch):
    """The run, opened; nothing is fitted, so that no process starts."""

    class Never:
        def __init__(self, on_lost) -> None:
            pass

        def task(self, function, argument):
            return Future()

        def close(self) -> None:
            pass

    monkeypatch.setattr("optobind.analysis.recorded.work.FitProcess", Never)
    session = open_recorded(run, lambda _: None)
    yield session
    session.close()


@pytest.fixture
def asked():
    return []


@pytest.fixture
def window(qtbot, record, settings, asked):
    def unreadable(path):
        raise FileError(f"{path} is no record")

    def compared(one, other):
        asked.append((one, other))
        entry = {"a": [1e4, 10.0], "b": [1.2e4, 10.0], "unit": "rad/s", "deviation": 141.4}
        return {"values": {"g_r": entry}, "settings": {"plan.duration": [1.0, 2.0]}}

    services = Services(unreadable, lambda path: path.with_name("report.html"), compared)
    window = RecordWindow(record, settings, services=services)
    window.resize(1366, 768)
    window.open()
    window.bridge.stop()
    yield window
    window.closer.done = True
    window.close()
    destroy(window)


def tick(window, until=lambda: True, times=3):
    for _ in range(2000):
        now = window.bridge.clock() + 1.0
        window.bridge.clock = lambda value=now: value
        window.bridge.tick()
        QApplication.processEvents()
        times -= 1
        if times <= 0 and until():
            return
        QApplication.instance().thread().msleep(5)
    pytest.fail("it did not happen")


def drawn(window):
    panel = window.panels["record"]
    tick(window, lambda: window.bridge.renders(panel) > 0)
    return panel


def test_offline_is_said_and_nothing_can_be_set(window):
    tick(window)
    assert window.bar.cells["mode"].text() == "OFFLINE · RECORD"
    assert "RECORD night/run.h5 – my rig" in window.windowTitle()
    assert window.controls is None
    assert {"rig", "run"} & set(window.panels) == set()
    light = window.panels["light"]
    assert not any(row.slider.isEnabled() or row.edit.isEnabled() for row in light.rows.values())
    assert light.rows["phi"].back.text() == "1.200 rad"
    assert "read only" in light.note.text()
    assert not window.menus.session.menuAction().isVisible()


def test_dragging_the_slider_chooses_on_release(window, record):
    panel = drawn(window)
    before = record.stretch
    panel.region.setRegion((0.02, 0.05))  # as a drag does, before the button is released
    panel.region.sigRegionChangeFinished.emit(panel.region)
    assert record.stretch == (2000, 5000) != before
    assert panel.edits[0].text() == "20 ms"
    tick(window)
    assert window.panels["light"].rows["phi"].back.text() == "0.400 rad"


def test_ends_are_typed_and_refused_with_the_reason(window, record, qtbot):
    panel = drawn(window)
    panel.edits[1].setText("0.1 s")
    panel.edits[1].setModified(True)
    qtbot.keyClick(panel.edits[1], Qt.Key.Key_Return)
    assert record.stretch == (0, 10_000)
    panel.edits[1].setText("3 h")
    panel.edits[1].setModified(True)
    qtbot.keyClick(panel.edits[1], Qt.Key.Key_Return)
    assert "must lie within" in panel.edits[1].reason.text()
    panel.edits[0].setText("0.15 s")
    panel.edits[0].setModified(True)
    qtbot.keyClick(panel.edits[0], Qt.Key.Key_Return)
    assert record.stretch == (0, 10_000)


def test_parts_end_where_the_light_changed(window, record):
    panel = drawn(window)
    assert "the light changed: choose a part" in panel.note.text()
    panel.after.click()
    assert record.stretch == (0, 8000)
    assert "changed" not in panel.note.text()
    panel.after.click()
    assert record.stretch == (8000, 20_000)
    assert not panel.after.isEnabled()
    panel.whole.click()
    assert record.stretch == (0, 20_000)


def test_a_mark_says_what_happened(record):
    model = RecordModel(record)
    mark = model.mark_near(0.1195, 0.01)
    assert mark is not None
    assert model.mark_text(mark) == "120 ms: lamp on"
    assert model.mark_near(0.05, 0.001) is None
    assert model.marks("light") == pytest.approx([0.0, 0.08])


def test_a_stretch_without_samples_is_refused(record):
    with pytest.raises(InputError, match="its end must be later"):
        RecordModel(record).select(0.1, 0.1)


def test_results_of_another_stretch_say_so(window, record):
    from optobind.acquisition.snapshots import FitSnapshot

    snapshot = FitSnapshot(5, None, np.zeros(0), None, "no line", basis=record.status().basis)
    record._fit.put(snapshot)
    tick(window)
    assert window.bridge.standing.now.value == "failed"
    record.select(0, 8000)
    tick(window)
    assert window.bridge.standing.text.startswith("the stretch changed")


def test_a_file_that_is_none_is_one_message(window, tmp_path):
    window.records.open(tmp_path / "x.h5")
    tick(window, lambda: window.bridge.pending == 0)
    errors = [line.text for line in window.log.lines if line.level == "error"]
    assert errors == [f"open x.h5: {tmp_path / 'x.h5'} is no record"]


def test_a_record_is_remembered_among_the_recent_ones(window, run):
    window.menus.fill_recent()
    assert [a.toolTip() for a in window.menus.recent.actions()] == [str(run)]


def test_another_run_is_set_beside(window, run, asked, tmp_path):
    window.compare(tmp_path / "b.h5")
    tick(window, lambda: window.bridge.pending == 0)
    panel = window.panels["compare"]
    assert asked == [(run, tmp_path / "b.h5")]
    assert panel.verdict.text() == "more than 3 σ apart: gᵣ"
    assert panel.values.item(0, 3).text() == "+141.4 σ"
    assert panel.settings.item(0, 0).text() == "plan.duration"


def test_the_stretch_goes_on_in_a_notebook(window, record, run, monkeypatch, qtbot):
    """By the menu; without Jupyter the log says what to do."""
    monkeypatch.setattr("optobind.gui.notebooks.util.find_spec", lambda name: None)
    path = run.with_suffix(".ipynb")
    asked = []
    monkeypatch.setattr(
        "optobind.gui.record_window.ask_where", lambda *words: asked.append(words) or path
    )
    record.select(2000, 9000)
    entry = next(a for a in window.menus.file.actions() if a.text().startswith("Open in notebook"))
    entry.trigger()
    tick(window, lambda: any("open it in Jupyter" in line.text for line in window.log.lines))
    assert asked[0][2] == str(path)
    assert "ob.stretch_of(record, 2000, 9000)" in path.read_text()
    assert str(run) in path.read_text()
    assert "ob.analyse_spectrum(record" in path.read_text()


def test_a_notebook_of_a_stretch_without_anything_steady_fits_no_spectrum(record, tmp_path):
    """The run has steady parts, the stretch that is seen has none: the notebook must run."""

    class Gone(type(record.record.source)):
        def steady(self):
            return Ranges([(0, 5000)])

    record.record.source.__class__ = Gone
    record.select(6000, 9000)
    path = record.write_notebook(tmp_path / "a.ipynb")
    assert "analyse_spectrum" not in path.read_text()
    record.select(4000, 9000)
    assert "analyse_spectrum" in record.write_notebook(path).read_text()


def test_a_comparison_without_common_values_says_so():
    view = comparison_view({"values": {}, "settings": {}})
    assert view.verdict.startswith("no parameter could be compared")


def test_nothing_is_cut_in_the_window_of_a_record(window):
    drawn(window)
    for preset in window.presets:
        window.use_preset(preset)
        for dock in [d for d in window.docks.values() if not d.isHidden()]:
            dock.raise_()
            tick(window)
            found = [f for f in faults_of(window) if "leaves the screen" not in f]
            assert found == [], (preset, dock.objectName())
    assert (window.width(), window.height()) == (1366, 768)


def test_a_window_of_a_record_is_held_until_it_is_closed(window, record):
    OPEN.add(window)
    window.closer.done = True
    window.close()
    assert window not in OPEN


def test_leaving_a_release_out_is_asked_of_the_record_and_its_refusal_is_said(
    window, record, monkeypatch
):
    panel = window.panels["reheating"]
    assert not panel.exclude_button.isHidden()
    assert not panel.include_button.isHidden()
    panel.exclude("3 flash")
    tick(window)
    assert any("it has no releases" in line.text for line in window.log.lines)
    asked = []
    monkeypatch.setattr(record, "exclude_repetition", lambda *words: asked.append(words))
    panel.exclude("148 hit by a flash")
    tick(window)
    assert asked == [(148, "hit by a flash")]
    assert panel.reasons == {148: "hit by a flash"}
