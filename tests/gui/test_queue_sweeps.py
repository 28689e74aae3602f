"""Sweeps of the queue on a simulated laboratory, plan files, what is kept, the list of runs."""

import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PyQt6.QtCore import QSettings, Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication

sys.path.insert(0, str(Path(__file__).parents[1] / "acquisition"))

from closed_windows import destroy
from fake_session import FakeSession
from sweeping import connected, powers, small_rig

from optobind.acquisition.plans import MonitorPlan, ReheatingPlan
from optobind.acquisition.session import new_run_path
from optobind.acquisition.sweeps.beginning import begin_sweep
from optobind.acquisition.sweeps.folder import SweepFolder
from optobind.acquisition.sweeps.plan import Axis, SweepPlan
from optobind.analysis.sweep_values import fitted_values
from optobind.analysis.sweep_work import SweepWork
from optobind.gui.closing import CloseChoice
from optobind.gui.services import RunServices, Services
from optobind.gui.viewmodels.queue import QueueModel
from optobind.gui.viewmodels.queue_file import QueueStore, queue_text, read_queue
from optobind.gui.window import MainWindow
from optobind.models.errors import FileError, InputError

PLAN = SweepPlan((Axis("phi", (0.4, 0.5, 0.6)),), MonitorPlan(0.01), reference_every=2)


def services(session, folder, fit=powers, **more):
    """What cli hands over, with a fit that takes a millisecond."""

    def sweep(plan, note):
        path = new_run_path(folder, "sweep").parent
        begin = lambda: begin_sweep(session, plan, path, {"note": note})  # noqa: E731
        return SweepWork(session, begin, new=True, fit=fit)

    def resumed(path):
        return SweepWork(session, lambda: SweepFolder(path), new=False, fit=fit)

    runs = RunServices(
        folder, lambda path: ("named", MonitorPlan(0.02)), sweep, resumed, lambda most: ()
    )
    return Services(
        open=lambda path: None, report=lambda path: path, compare=lambda a, b: {},
        runs=replace(runs, **more),
    )  # fmt: skip


@pytest.fixture
def opened(qtbot, tmp_path):
    """Make windows on sessions; all are closed at the end."""
    made = []

    def make(session, offered):
        settings = QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)
        window = MainWindow(session, settings, services=offered)
        window.resize(1600, 1000)
        window.open()
        window.bridge.stop()
        made.append(window)
        return window

    yield make
    for window in made:
        window.closer.done = True
        window.close()
        destroy(window)


@pytest.fixture
def laboratory(opened, tmp_path):
    """A window on a small simulated rig."""
    session = connected(small_rig())
    session.run_directory = tmp_path / "runs"
    made = []

    def make(**more):
        made.append(opened(session, services(session, tmp_path / "runs", **more)))
        return made[0]

    yield make
    session.close()


def until(window, holds, seconds=60.0):
    """Tick the window until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        window.bridge.tick()
        QApplication.processEvents()
        assert time.monotonic() < end, window.panels["queue"].message.text()


def states(queue):
    return [entry.state for entry in queue.model.entries]


def click(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_a_sweep_is_measured_and_drawn_with_the_numbers_of_its_fits(laboratory):
    window = laboratory()
    queue, sweep = window.panels["queue"], window.panels["sweep"]
    queue._added(PLAN, "tonight")
    queue._added(MonitorPlan(0.01))
    window.docks["sweep"].raise_()
    until(window, lambda: queue.start_button.isEnabled())
    click(queue.start_button)
    until(window, lambda: not queue.runner.on)
    assert states(queue) == ["complete", "complete"]
    entry = queue.model.entries[0]
    assert SweepFolder(entry.path).header.origin == {"note": "tonight"}
    rows = SweepFolder(entry.path).rows()
    assert len(rows) == 6
    assert entry.worth == "6 of 6 points fitted"
    window.docks["sweep"].raise_()
    QApplication.processEvents()
    until(window, lambda: sweep.dots.getData()[0].size == 3)
    assert sweep.parameter.currentData() == "D11"
    curve = sweep.summary.curve("D11", "phi")
    taken = [row for row in rows if row.kind != "reference"]
    _, values, errors, unit = fitted_values(taken, "D11")
    scale = values[0] / curve.y[0]
    assert unit == "V^2"
    assert np.allclose(curve.y * scale, values, rtol=1e-12)
    assert np.allclose(curve.error * scale, errors, rtol=1e-12)
    assert np.allclose(curve.x * np.pi, [0.4, 0.5, 0.6], atol=1e-3)
    assert sweep.table.rowCount() == 6
    assert curve.planned.size == 0


def test_a_sweep_holds_the_knobs_between_its_points_and_stop_stays_in_reach(laboratory):
    begun, go = threading.Event(), threading.Event()

    def slow(path, kind):
        begun.set()
        assert go.wait(60)
        return powers(path, kind)

    window = laboratory(fit=slow)
    queue = window.panels["queue"]
    queue._added(PLAN)
    until(window, lambda: queue.start_button.isEnabled())
    queue.start()
    until(window, begun.is_set)
    until(window, lambda: window.bridge.status.held_by == "the sweep")
    window.bridge._status_due = 0.0
    window.bridge.tick()
    assert not window.panels["run"].start_button.isEnabled()
    assert not window.panels["light"].gate.isEnabled()
    assert window.controls.action("stop").isEnabled()
    assert window.controls.action("abort").isEnabled()
    window.ask_close = lambda stopping: CloseChoice.CANCEL
    assert not window.closer.request()
    assert not window.closer.closing
    window.controls.action("stop").trigger()
    go.set()
    until(window, lambda: not queue.runner.active)
    assert states(queue) == ["stopped"]
    assert queue.model.entries[0].worth == "1 of 1 points fitted"


@pytest.mark.slow
def test_the_rest_of_an_aborted_sweep_is_gone_on_with(laboratory):
    begun, go = threading.Event(), threading.Event()

    def once(path, kind):
        begun.set()
        assert go.wait(60)
        return powers(path, kind)

    window = laboratory(fit=once)
    queue = window.panels["queue"]
    queue._added(PLAN)
    until(window, lambda: queue.start_button.isEnabled())
    queue.start()
    until(window, begun.is_set)
    window.controls.action("abort").setEnabled(True)
    window.bridge.abort_run()
    go.set()
    until(window, lambda: not queue.runner.active)
    assert states(queue) == ["aborted"]
    queue.list.choose(1)
    click(queue.tools.again)
    assert states(queue) == ["aborted", "waiting"]
    until(window, lambda: queue.start_button.isEnabled())
    queue.start()
    until(window, lambda: not queue.runner.on)
    assert states(queue) == ["aborted", "complete"]
    assert queue.model.entries[1].path == queue.model.entries[0].path
    assert len(SweepFolder(queue.model.entries[1].path).rows()) == 6


def test_a_sweep_that_is_refused_says_why_and_leaves_nothing(laboratory, tmp_path):
    window = laboratory()
    queue = window.panels["queue"]
    queue._added(SweepPlan((Axis("power", (0.39, 60.0)),), MonitorPlan(0.01)))
    until(window, lambda: queue.start_button.isEnabled())
    queue.start()
    until(window, lambda: states(queue) == ["failed"])
    assert "point 2" in queue.message.text()
    assert not list((tmp_path / "runs").glob("*sweep*"))


@pytest.mark.slow
def test_a_sweep_is_previewed_on_the_phase_diagram_and_filled_as_it_goes_on(laboratory):
    window = laboratory()
    queue, phases = window.panels["queue"], window.panels["phases"]
    queue._added(PLAN)
    until(window, lambda: len(phases.model.sweep) == 3)
    assert [round(p.phi, 6) for p in phases.model.sweep] == [0.4, 0.5, 0.6]
    assert not any(p.measured for p in phases.model.sweep)
    queue._added(MonitorPlan(0.01))
    until(window, lambda: phases.model.sweep == [])
    until(window, lambda: queue.start_button.isEnabled())
    queue.start()
    until(window, lambda: not queue.runner.on)
    until(window, lambda: len(phases.model.sweep) == 3)
    until(window, lambda: all(p.measured for p in phases.model.sweep))


# -- files ----------------------------------------------------------------------------------------


@pytest.fixture
def window(opened, tmp_path):
    """A window on a session without devices, in a folder of its own."""
    session = FakeSession()
    session.change(feedback=True)
    return opened(session, services(session, tmp_path / "runs"))


def kept(window):
    queue = window.panels["queue"]
    until(window, lambda: queue._kept is not None and queue.store.kept)
    return queue


def test_plan_files_are_queued_and_what_is_wrong_with_one_is_said(opened, tmp_path):
    def plan(path):
        if path.name == "bad.toml":
            raise InputError("plan bad.toml: duration must lie in 1 µs … 10 Ms")
        return "good", ReheatingPlan(repetitions=3)

    session = FakeSession()
    window = opened(session, services(session, tmp_path / "runs", plan=plan))
    queue = window.panels["queue"]
    queue.files.add_plan(Path("bad.toml"))
    queue.files.add_plan(Path("good.toml"))
    until(window, lambda: window.bridge.pending == 0)
    (entry,) = queue.model.entries
    assert (entry.plan, entry.label) == (ReheatingPlan(repetitions=3), "good")
    assert any("duration must lie in" in line.text for line in window.log.lines)


def test_a_queue_survives_its_window_and_is_offered_as_not_started(opened, window, tmp_path):
    queue = kept(window)
    queue._added(PLAN, "tonight")
    queue._added(MonitorPlan(0.5))
    queue.model.entries[1].state = "running"
    queue.model.touch()
    queue.show_queue()
    kept(window)
    queue.leave()  # as its death would
    session = FakeSession()
    session.change(feedback=True)
    after = opened(session, services(session, tmp_path / "runs"))
    found = kept(after)
    assert [(e.plan, e.label, e.state) for e in found.model.entries] == [
        (PLAN, "tonight", "waiting"),
        (MonitorPlan(0.5), "", "waiting"),
    ]
    assert "ended while it was under way" in found.model.entries[1].line[0]
    for _ in range(5):
        after.bridge.tick()
    assert not [call for call in session.calls if call[0] == "start"]


def test_an_empty_queue_leaves_no_file(window, tmp_path):
    kept(window)
    assert not (tmp_path / "runs").exists()


def test_a_damaged_queue_is_put_aside_and_said(opened, tmp_path):
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "queue-default-pair.json").write_text('{"schema": "optobind-queue", "entr')
    window = opened(FakeSession(), services(None, runs))
    queue = kept(window)
    assert queue.model.entries == []
    assert (runs / "queue-default-pair.json.damaged").read_text().startswith('{"schema"')
    assert any("it is kept as" in line.text for line in window.log.lines)


def test_a_disk_that_takes_no_queue_is_said_and_stops_nothing(window, tmp_path):
    (tmp_path / "runs").write_text("a file where the folder should be")
    queue = kept(window)
    queue.add("monitor")
    kept(window)
    queue.show_queue()
    assert "the queue is not kept" in queue.message.text()
    assert states(queue) == ["waiting"]


def test_a_disk_that_hangs_holds_up_nobody(tmp_path):
    waiting = []

    def later(work):
        waiting.append(work)
        return Future()

    store = QueueStore(tmp_path, "rig", later)
    for text in ("1", "2", "3"):
        store.keep(text)
    assert len(waiting) == 1
    waiting[0]()
    assert store.path.read_text() == "3"


def test_a_sweep_under_way_is_kept_as_one_to_be_finished(tmp_path):
    model = QueueModel()
    entry = model.add(PLAN)
    entry.state, entry.path = "running", tmp_path / "sweep"
    done = model.add(MonitorPlan())
    done.state = "complete"
    (found,) = read_queue(queue_text(model, "rig"), "queue.json")
    assert (found.plan, found.resumes, found.state) == (PLAN, tmp_path / "sweep", "waiting")


@pytest.mark.parametrize(
    "text",
    ["[]", "{}", '{"schema": "optobind-queue", "schema_version": 1, "entries": [{"plan": {}}]}',
     '{"schema": "optobind-queue", "schema_version": 99, "entries": []}'],
)  # fmt: skip
def test_strange_files_are_no_queues(text):
    with pytest.raises(FileError, match=r"queue\.json"):
        read_queue(text, "queue.json")


# -- the list of runs -----------------------------------------------------------------------------

RUNS = (
    {"path": "runs/a/run.h5", "kind": "reheating", "state": "complete", "created": 1e9,
     "size": "20 samples", "note": "first", "worth": "64 of 1000 releases usable",
     "results": ["reheating: gᵣ = 900 ± 20 Hz"]},
    {"path": "runs/b", "kind": "sweep", "state": "aborted", "created": 2e9, "size": "2 of 9 points",
     "note": "", "worth": "2 of 2 points fitted", "results": []},
    {"path": "runs/c.h5", "kind": "damaged", "state": "is not HDF5", "created": 3e9, "size": "",
     "note": "", "worth": "", "results": []},
)  # fmt: skip


@pytest.fixture
def runs(opened, tmp_path):
    session = FakeSession()
    asked = []

    def look(most):
        asked.append(most)
        return RUNS

    window = opened(session, services(session, tmp_path / "runs", runs=look))
    panel = window.panels["runs"]
    panel.asked = asked
    window.docks["runs"].show()
    window.docks["runs"].raise_()
    QApplication.processEvents()
    until(window, lambda: len(panel.model.lines) == 3 and panel._looking is None)
    return SimpleNamespace(window=window, panel=panel, session=session)


def test_runs_say_how_they_ended_what_they_are_worth_and_what_was_fitted(runs):
    texts = [line.text for line in runs.panel.model.lines]
    assert "is not HDF5" in texts[0]
    assert texts[1].endswith("aborted\n2 of 9 points, 2 of 2 points fitted")
    assert "64 of 1000 releases usable" in texts[2]
    assert "gᵣ = 900 ± 20 Hz" in texts[2]
    runs.panel.filter.setText("first")
    assert runs.panel.list.count() == 1


def test_a_double_click_opens_a_run_and_shows_a_sweep(runs, monkeypatch):
    panel, window = runs.panel, runs.window
    opened, shown = [], []
    monkeypatch.setattr(window.records, "open", lambda path, then=None: opened.append(path))
    panel.sweep_wanted.connect(shown.append)
    for row in (2, 1):
        place = panel.list.visualItemRect(panel.list.item(row)).center()
        view = panel.list.viewport()
        QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=place)
        QTest.mouseDClick(view, Qt.MouseButton.LeftButton, pos=place)
    assert opened == [Path("runs/a/run.h5")]
    assert shown == [Path("runs/b")]


def test_the_menu_of_a_run_copies_its_path_and_queues_the_rest_of_a_sweep(runs):
    panel, wanted = runs.panel, []
    panel.rest_wanted.connect(wanted.append)
    panel.list.choose(1)
    actions = {action.text(): action for action in panel.menu().actions()}
    assert not actions["Compare with …"].isEnabled()
    actions["Copy path"].trigger()
    assert QApplication.clipboard().text() == str(Path("runs/b").resolve())
    actions["Go on in the queue"].trigger()
    assert wanted == [Path("runs/b")]
    panel.list.choose(2)
    actions = {action.text(): action for action in panel.menu().actions()}
    assert not actions["Go on in the queue"].isEnabled()


def test_the_list_looks_again_when_a_run_has_ended(runs):
    before = len(runs.panel.asked)
    runs.session.change(state="running", held_by="run 1")
    runs.window.bridge.tick()
    runs.session.change(state="idle", held_by=None)
    until(runs.window, lambda: len(runs.panel.asked) > before)


def test_of_two_windows_of_a_rig_one_keeps_the_queue_and_the_other_says_so(tmp_path):
    """The last writer won: what the first window had queued was gone."""
    waiting: list = []

    def later(work):
        waiting.append(work)
        return Future()

    first, second = (QueueStore(tmp_path, "rig", later) for _ in range(2))
    try:
        assert first.read() == []
        first.keep('{"first": 1}')
        assert second.read() == []
        second.keep('{"second": 2}')
        for work in waiting:
            work()
        assert first.path.read_text() == '{"first": 1}'
        assert (first.own, second.own) == (True, False)
        assert first.trouble == ""
        assert "another window has the queue of this rig" in second.trouble
        other = QueueStore(tmp_path, "another rig", later)
        other.read()
        assert other.own
        other.release()
        first.release()
        third = QueueStore(tmp_path, "rig", later)
        assert third.path == first.path
        third.claim()
        assert third.own
        third.release()
    finally:
        first.release()
        second.release()
