"""The queue: order, fields, estimates, one entry after the other, and what stops it."""

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest
from fake_session import failed
from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication
from test_fields import type_into

from optobind.acquisition.estimates import RunEstimate
from optobind.acquisition.outcome import RunOutcome
from optobind.acquisition.plans import MonitorPlan, ReheatingPlan, SequencePlan
from optobind.acquisition.sweeps.plan import SweepPlan
from optobind.acquisition.worth import RunWorth
from optobind.gui.viewmodels.queue import QueueModel
from optobind.models.errors import DeviceError, InputError


class Laboratory:
    """Answers runs as a test wants, and estimates at once or later."""

    def __init__(self, session):
        self.session = session
        self.started: list[tuple[object, Future]] = []
        self.notes: list[str] = []
        self.refuses: Exception | None = None
        session.start = self.start
        session.change(feedback=True)

    def start(self, plan, out=None, origin=None):
        if self.refuses is not None:
            return failed(self.refuses)
        future: Future = Future()
        self.started.append((plan, future))
        self.notes.append("" if origin is None else origin.note)
        self.session.change(state="running", held_by=f"run {len(self.started)}")
        return future

    def end(self, outcome="complete", reason=""):
        self.session.change(state="idle", held_by=None)
        worth = RunWorth(10, 0, 0)
        path = Path(f"runs/{len(self.started)}/run.h5")
        self.started[-1][1].set_result(RunOutcome(path, outcome, reason, worth))

    @property
    def plans(self):
        return [plan for plan, _ in self.started]


@pytest.fixture
def lab(session):
    return Laboratory(session)


@pytest.fixture
def queue(lab, window, monkeypatch):
    """The panel in front; what works in threads is done at once."""
    panel = window.panels["queue"]

    def at_once(work):
        future: Future = Future()
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)
        return future

    panel.estimates._work = at_once
    window.docks["queue"].show()
    window.docks["queue"].raise_()
    QApplication.processEvents()
    return panel


def tick(window, times=3, seconds=0.2):
    for _ in range(times):
        now = window.bridge.clock() + seconds
        window.bridge.clock = lambda value=now: value
        window.bridge.tick()
    QApplication.processEvents()


def click(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def kinds(queue):
    return [entry.plan.kind for entry in queue.model.entries]


def states(queue):
    return [entry.state for entry in queue.model.entries]


def test_entries_are_measured_one_after_the_other_with_their_labels(queue, window, lab):
    queue.add("monitor")
    type_into(queue.editor.label, "align A")
    queue.add("reheating")
    tick(window)
    click(queue.start_button)
    tick(window)
    assert lab.plans == [MonitorPlan()]
    assert states(queue) == ["running", "waiting"]
    lab.end()
    tick(window)
    assert lab.plans == [MonitorPlan(), ReheatingPlan()]
    assert lab.notes == ["align A", ""]
    lab.end()
    tick(window)
    assert states(queue) == ["complete", "complete"]
    assert queue.message.text() == "all is done"
    assert not queue.runner.on


def test_each_entry_says_what_it_takes_before_the_start(queue, window, session):
    queue.add("monitor")
    type_into(queue.editor.form.edits[("duration",)], "2 s")
    tick(window)
    (entry,) = queue.model.entries
    assert entry.line[0].startswith("not started · 2 s · 16.")
    assert queue.summary.text().startswith("1 not started · 2 s")


def test_what_was_typed_and_not_committed_counts_at_the_start(queue, window, lab):
    queue.add("reheating")
    tick(window)
    type_into(queue.editor.form.edits[("repetitions",)], "12", key=None)
    click(queue.start_button)
    tick(window)
    assert [plan.repetitions for plan in lab.plans] == [12]


def test_refused_text_stays_with_its_entry_and_is_said_before_the_start(queue, window, lab):
    queue.add("reheating")
    queue.add("monitor")
    tick(window)
    first, second = (entry.number for entry in queue.model.entries)
    queue.list.choose(first)
    type_into(queue.editor.form.edits[("cool_time",)], "3 apples")
    queue.list.choose(second)
    queue.list.choose(first)
    edit = queue.editor.form.edits[("cool_time",)]
    assert edit.text() == "3 apples"
    assert "apples" in edit.reason.text()
    click(queue.start_button)
    tick(window)
    assert lab.plans == []
    assert "'3 apples' is refused" in queue.message.text()
    QTest.keyClick(edit, Qt.Key.Key_Escape)
    click(queue.start_button)
    tick(window)
    assert len(lab.plans) == 1


def test_keys_and_buttons_change_the_order_of_what_waits_alone(queue, window, lab):
    for kind in ("monitor", "reheating", "sequence"):
        queue.add(kind)
    tick(window)
    queue.list.setFocus()
    queue.list.choose(3)
    QTest.keyClick(queue.list, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert kinds(queue) == ["monitor", "sequence", "reheating"]
    click(queue.tools.up)
    assert kinds(queue) == ["sequence", "monitor", "reheating"]
    click(queue.start_button)
    tick(window)
    queue.list.choose(2)
    for _ in range(4):
        click(queue.tools.up)
    assert kinds(queue) == ["sequence", "reheating", "monitor"]
    assert not queue.tools.up.isEnabled()
    assert queue.list.key == 2


def test_a_line_is_dragged_to_its_place(queue, window):
    for kind in ("monitor", "reheating", "sequence"):
        queue.add(kind)
    tick(window)
    rows = [queue.list.visualItemRect(queue.list.item(n)) for n in range(3)]
    view = queue.list.viewport()
    left = Qt.MouseButton.LeftButton
    QTest.mousePress(view, left, pos=rows[2].center())
    for y in (rows[2].top(), rows[1].center().y(), rows[0].top() + 2):
        QTest.mouseMove(view, QPoint(rows[0].center().x(), y))
    assert kinds(queue) == ["monitor", "reheating", "sequence"]
    QTest.mouseRelease(view, left, pos=QPoint(rows[0].center().x(), rows[0].top() + 2))
    assert kinds(queue) == ["sequence", "monitor", "reheating"]


def test_a_drag_is_given_up_by_escape(queue, window):
    queue.add("monitor")
    queue.add("reheating")
    tick(window)
    rows = [queue.list.visualItemRect(queue.list.item(n)) for n in range(2)]
    view = queue.list.viewport()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=rows[1].center())
    QTest.mouseMove(view, rows[0].topLeft())
    QTest.keyClick(queue.list, Qt.Key.Key_Escape)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=rows[0].topLeft())
    assert kinds(queue) == ["monitor", "reheating"]


@pytest.mark.parametrize("ends", ["failed", "incomplete"])
@pytest.mark.parametrize("goes_on", [False, True])
def test_a_failure_stops_the_queue_unless_it_is_to_go_on(queue, window, lab, ends, goes_on):
    if goes_on:
        click(queue.go_on)
        queue.go_on.setChecked(True)
    queue.add("monitor")
    queue.add("monitor")
    tick(window)
    click(queue.start_button)
    tick(window)
    lab.end(ends, "disk full: make room")
    tick(window)
    assert len(lab.plans) == 1 + goes_on
    assert states(queue) == [ends, "running" if goes_on else "waiting"]
    assert "disk full: make room" in queue.model.entries[0].line[0]
    if not goes_on:
        assert "disk full" in queue.message.text()


def test_a_start_that_is_refused_stops_the_queue_with_the_reason(queue, window, lab):
    queue.add("reheating")
    queue.add("monitor")
    tick(window)
    lab.refuses = InputError("the light moves: wait until it rests")
    click(queue.start_button)
    tick(window)
    assert states(queue) == ["failed", "waiting"]
    assert "the light moves" in queue.message.text()


@pytest.mark.parametrize("ends", ["stopped", "aborted"])
def test_an_abort_stops_the_queue_even_where_it_goes_on_after_failures(queue, window, lab, ends):
    queue.go_on.setChecked(True)
    queue.add("monitor")
    queue.add("monitor")
    tick(window)
    click(queue.start_button)
    tick(window)
    lab.end(ends, f"{ends} on request")
    tick(window)
    assert states(queue) == [ends, "waiting"]
    assert not queue.runner.on


def test_the_toolbar_stops_and_aborts_what_the_queue_began(queue, window, lab, session):
    queue.add("reheating")
    queue.add("monitor")
    tick(window)
    click(queue.start_button)
    tick(window)
    window.controls.action("stop").trigger()
    assert ("stop_after_repetition",) in session.calls
    window.controls.action("abort").trigger()
    assert ("abort",) in session.calls
    lab.end("aborted", "aborted on request")
    tick(window)
    assert states(queue) == ["aborted", "waiting"]
    assert not queue.runner.on


def test_stop_after_this_one_lets_it_end(queue, window, lab, session):
    queue.add("monitor")
    queue.add("monitor")
    tick(window)
    click(queue.start_button)
    tick(window)
    click(queue.finish_button)
    assert ("stop_after_repetition",) not in session.calls
    lab.end()
    tick(window)
    assert states(queue) == ["complete", "waiting"]
    assert len(lab.plans) == 1


def test_a_pause_holds_the_run_and_what_follows(queue, window, lab, session):
    queue.add("monitor")
    queue.add("monitor")
    tick(window)
    click(queue.start_button)
    tick(window)
    click(queue.pause_button)
    assert ("pause",) in session.calls
    assert queue.pause_button.text() == "Resume queue"
    click(queue.pause_button)
    assert ("resume",) in session.calls
    lab.end()
    tick(window)
    assert len(lab.plans) == 2


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"lost": True}, "a particle is lost"),
        ({"feedback": False}, "feedback is off"),
        ({"feedback": None}, "feedback is not known to be on"),
        ({"devices": ()}, "the devices are not connected"),
    ],
)
def test_nothing_is_started_while_a_particle_or_the_feedback_is_missing(
    queue, window, lab, session, wrong, said
):
    queue.add("monitor")
    tick(window)
    session.change(**wrong)
    queue.start()
    tick(window)
    assert lab.plans == []
    assert states(queue) == ["waiting"]
    assert said in queue.message.text()
    assert not queue.runner.on


def test_it_waits_for_a_run_that_somebody_else_has_begun(queue, window, lab, session):
    queue.add("monitor")
    session.change(state="running", held_by="run 7")
    tick(window)
    queue.start()
    tick(window)
    assert lab.plans == []
    assert queue.message.text() == "waiting for run 7"
    session.change(state="idle", held_by=None)
    tick(window)
    assert len(lab.plans) == 1


def test_it_waits_while_a_monitor_is_out_of_its_limits_and_a_moment_longer(
    queue, window, lab, session
):
    queue.add("monitor")
    session.change(monitors=("monitor laser is at 1.2 V, above 1 V",))
    tick(window)
    queue.start()
    tick(window)
    assert "monitor laser" in queue.message.text()
    session.change(monitors=())
    tick(window, 2)
    assert lab.plans == []
    tick(window, 3, seconds=3.0)
    assert len(lab.plans) == 1


def test_a_full_disk_is_waited_for(queue, window, lab, session):
    room = {"free": 1000}
    session.estimate = lambda plan: RunEstimate(1.0, 1, 8_000_000, 8e6, room["free"])
    queue.add("monitor")
    tick(window)
    assert "the disk would be full" in queue.model.entries[0].line[0]
    queue.start()
    tick(window)
    assert lab.plans == []
    assert "make room" in queue.message.text()
    room["free"] = 10**10
    tick(window, 12, seconds=3.0)
    assert len(lab.plans) == 1


def test_what_is_refused_is_said_and_not_started(queue, window, lab, session):
    session.estimate = lambda plan: RunEstimate(1.0, 1, 8, 8.0, 10**12, "release_time is too long")
    queue.add("reheating")
    tick(window)
    queue.start()
    tick(window)
    assert lab.plans == []
    assert "release_time is too long" in queue.message.text()


def test_an_estimate_that_never_comes_starts_nothing_and_freezes_nothing(queue, window, lab):
    queue.estimates._work = lambda work: Future()
    queue.add("monitor")
    queue.start()
    tick(window, 5)
    assert lab.plans == []
    assert queue.message.text() == "looking at what it takes"


def test_a_session_that_dies_in_the_middle_is_a_failure(queue, window, lab):
    queue.add("monitor")
    queue.add("monitor")
    tick(window)
    click(queue.start_button)
    tick(window)
    lab.session.change(state="idle", held_by=None)
    lab.started[-1][1].set_exception(DeviceError("the session is closed"))
    tick(window)
    assert states(queue) == ["failed", "waiting"]
    assert "the session is closed" in queue.message.text()


def test_what_runs_can_be_neither_edited_nor_removed(queue, window, lab):
    queue.add("monitor")
    tick(window)
    click(queue.start_button)
    tick(window)
    assert not queue.editor.form.isEnabled()
    assert not queue.tools.drop.isEnabled()
    queue.remove()
    assert states(queue) == ["running"]


def test_delete_takes_the_chosen_entry_out_and_duplicate_follows_it(queue, window):
    for kind in ("monitor", "reheating"):
        queue.add(kind)
    queue.list.choose(1)
    click(queue.tools.copy)
    assert kinds(queue) == ["monitor", "monitor", "reheating"]
    queue.list.setFocus()
    queue.list.choose(1)
    window.activateWindow()
    QTest.keyClick(queue.list, Qt.Key.Key_Delete)
    assert kinds(queue) == ["monitor", "reheating"]


def test_fields_of_sequences_and_sweeps_make_their_plans(queue, window):
    queue.add("sequence")
    form = queue.editor.form
    type_into(form.edits[("steps", 1, "repetitions")], "7")
    (entry,) = queue.model.entries
    assert entry.plan == SequencePlan((MonitorPlan(), ReheatingPlan(repetitions=7)))
    queue.add("sweep")
    form = queue.editor.form
    type_into(form.edits[("axes", 0, "stop")], "90 deg")
    type_into(form.edits[("axes", 0, "points")], "5")
    type_into(form.edits[("inner", "duration")], "20 ms")
    plan = queue.model.entries[1].plan
    assert isinstance(plan, SweepPlan)
    assert plan.axes[0].points == 5
    assert plan.axes[0].stop == pytest.approx(1.5707963, rel=1e-7)
    assert plan.inner == MonitorPlan(0.02)


def test_what_makes_no_plan_is_refused_beside_the_field(queue, window):
    queue.add("sequence")
    edit = queue.editor.form.edits[("steps", 0, "duration")]
    type_into(edit, "", key=Qt.Key.Key_Delete)
    QTest.keyClick(edit, Qt.Key.Key_Tab)
    assert "only the last step" in edit.reason.text()
    assert queue.model.entries[0].plan == SequencePlan((MonitorPlan(), ReheatingPlan()))


def test_the_queue_is_ended_before_the_session_is_closed(queue, window, lab, session):
    queue.add("monitor")
    tick(window)
    queue.runner.on = True
    window.closer.request()
    tick(window)
    assert lab.plans == []
    assert not queue.runner.on


def test_a_place_before_what_has_begun_is_none():
    model = QueueModel()
    entries = [model.add(MonitorPlan()) for _ in range(3)]
    entries[0].state = "complete"
    model.place(entries[2], 0)
    assert [e.number for e in model.entries] == [1, 3, 2]
    assert not model.place(entries[0], 3)
    assert replace(entries[0]).state == "complete"
