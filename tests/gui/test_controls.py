"""The fixed toolbar, the log and its messages, and what the status bar says is true."""

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication, QMenu

from optobind.acquisition.releases import ReleaseCount
from optobind.acquisition.snapshots import SessionStatus
from optobind.gui import layout
from optobind.gui.viewmodels.log import LogModel
from optobind.gui.viewmodels.statusbar import status_cells
from optobind.instruments.protocols import DeviceReport, DeviceState

NAMES = ("stream", "feedback", "start", "pause", "stop", "abort")


def tick(window, times=1):
    for _ in range(times):
        now = window.bridge.clock() + 1.0
        window.bridge.clock = lambda value=now: value
        window.bridge.tick()


def names(session):
    return [call[0] for call in session.calls]


@pytest.mark.parametrize("preset", layout.PRESETS)
@pytest.mark.parametrize("size", [(1366, 768), (683, 384)])
def test_the_controls_are_in_reach_in_every_layout(window, preset, size):
    window.resize(*size)
    window.use_preset(preset)
    QApplication.processEvents()
    for name in NAMES:
        tool = window.controls.widgetForAction(window.controls.action(name))
        assert tool.isVisible(), name
        corner = tool.mapTo(window, tool.rect().bottomRight())
        assert window.rect().contains(corner), name


def test_a_layout_without_the_controls_cannot_be_kept(window, settings):
    window.controls.hide()
    layout.save_named(window, settings, "bare")
    window.use_named("bare")
    assert window.controls.isVisible()


def test_shortcuts_stop_and_abort_also_while_a_field_is_being_typed_in(window, session):
    session.change(state="running", held_by="run 1")
    tick(window)
    edit = window.spectra.band_low
    edit.setFocus()
    QTest.keyClick(edit, Qt.Key.Key_F8)
    tick(window)
    QTest.keyClick(edit, Qt.Key.Key_F8, Qt.KeyboardModifier.ShiftModifier)
    assert names(session)[-2:] == ["stop_after_repetition", "abort"]


def test_the_actions_follow_what_can_be_done(window, session):
    tick(window)
    actions = {name: window.controls.action(name) for name in NAMES}
    assert [n for n, a in actions.items() if a.isEnabled()] == ["stream", "feedback", "start"]
    session.change(state="running", held_by="run 1")
    tick(window)
    assert [n for n, a in actions.items() if a.isEnabled()] == ["pause", "stop", "abort"]
    session.change(state="idle", held_by=None, feedback=True)
    tick(window)
    window.docks["light"].hide()
    actions["feedback"].trigger()
    assert session.calls[-1] == ("set_feedback", False)


def test_releasing_the_particles_is_the_last_entry_of_the_menu(window):
    (menu,) = [m for m in window.findChildren(QMenu) if m.title() == "&Session"]
    texts = [a.text() for a in menu.actions() if a.text()]
    assert texts[-1] == "Release particles …"
    assert texts[0] == "Stream"


# -- log and messages -------------------------------------------------------------------------


def test_a_repeated_line_moves_to_its_time(window, session):
    log = LogModel()
    log.write("warning", "the disk is slow", when=10.0)
    log.write("info", "run 1 started", when=20.0)
    log.write("warning", "the disk is slow", when=30.0)
    assert [(n.time, n.text, n.count) for n in log.lines] == [
        (20.0, "run 1 started", 1),
        (30.0, "the disk is slow", 2),
    ]


def test_one_cause_is_one_line_and_one_message(window, session):
    session.say("error", "slm: no answer within 2 s; the last good pattern stays")
    tick(window)
    window.log.write("error", "set φ: slm: no answer within 2 s; the last good pattern stays")
    tick(window)
    assert len(window.log.lines) == 1
    assert len(window.toasts.messages()) == 1


def test_messages_lie_over_nothing_and_give_their_room_back(window, session):
    tick(window)
    before = window.centralWidget().height()
    session.say("error", "digitizer: overflow; 2048 samples lost; " + "close other programs " * 20)
    tick(window)
    QApplication.processEvents()
    bar = window.toasts
    assert bar.isVisible()
    for other in (window.centralWidget(), window.controls, window.bar, *window.docks.values()):
        assert not bar.geometry().intersects(other.geometry())
    (toast,) = bar._toasts()
    assert toast.label.height() >= toast.label.heightForWidth(toast.label.width())
    toast.close()
    QApplication.sendPostedEvents(None, 52)
    QApplication.processEvents()
    bar._place()
    QApplication.processEvents()
    assert not bar.isVisible()
    assert window.centralWidget().height() >= before - 4


def test_the_log_is_wrapped_filtered_counted_and_copied(window, session):
    long = "the simulation cannot keep up " * 12
    session.say("warning", long)
    session.say("error", "gate: no answer")
    session.say("error", "gate: no answer")
    session.say("info", "connected <b>here</b>")
    tick(window)
    panel = window.panels["log"]
    bar = panel.view.horizontalScrollBar()
    assert bar.maximum() == 0
    assert long.strip() in panel.view.toPlainText()
    assert "connected <b>here</b>" in panel.view.toPlainText()
    assert panel.levels["error"].text() == "2 errors"
    assert panel.levels["warning"].text() == "1 warning"
    panel.levels["warning"].setChecked(False)
    panel.filter.setText("GATE")
    assert [line.text for line in panel.lines] == ["gate: no answer"]
    panel.copy()
    assert QGuiApplication.clipboard().text().endswith("error\tgate: no answer  (×2)")


# -- true states --------------------------------------------------------------------------------


def digitizer(state):
    return (DeviceReport("digitizer", "daq", "ni", state, ""),)


def test_live_is_said_only_of_a_connected_source():
    away = SessionStatus(mode="LIVE", devices=digitizer(DeviceState.DISCONNECTED))
    assert (status_cells(away).mode.text, status_cells(away).mode.severity) == ("OFFLINE", "off")
    there = SessionStatus(mode="LIVE", devices=digitizer(DeviceState.READY))
    assert (status_cells(there).mode.text, status_cells(there).mode.severity) == ("LIVE", "live")


def test_gaps_of_the_stream_and_of_the_file_are_told_apart():
    idle = status_cells(SessionStatus(mode="SIM", streaming=True, stream_gaps=3, stream_lost=9))
    assert (idle.stream.text, idle.stream.severity) == ("stream: 3 gaps", "")
    assert "nothing is missing in a file" in idle.stream.tip
    assert idle.gaps.text == ""
    run = SessionStatus(mode="SIM", recording="a/run.h5", stream_gaps=1, stream_lost=9, gaps=0)
    assert status_cells(run).gaps.text == "file: no gaps"
    assert status_cells(run).stream.severity == "warning"


@pytest.mark.parametrize("state", ["running", "paused", "stopping", "preparing"])
def test_nothing_is_amber_that_is_as_it_should_be(state):
    status = SessionStatus(
        mode="SIM",
        state=state,
        recording="a/run.h5",
        held_by="run 1",
        releases=ReleaseCount(10, 5, 5),
        devices=digitizer(DeviceState.RUNNING),
    )
    cells = status_cells(status)
    tones = {c.severity for c in (cells.state, cells.stream, cells.gaps, cells.dropped, cells.lag)}
    assert tones == {""}


def test_what_is_disconnected_is_unknown(window, session):
    session.change(feedback=True)
    tick(window)
    panel = window.panels["light"]
    assert panel.gate_word.text() == "on – cooling"
    gone = tuple(
        DeviceReport(d.family, d.name, d.driver, DeviceState.DISCONNECTED, "")
        for d in session.status().devices
    )
    session.change(devices=gone, feedback=None, streaming=False)
    tick(window)
    assert panel.gate_word.text() == "state unknown"
    assert window.controls.word.text() == "state unknown"
    assert panel.rows["phi"].back.text() == "–"
    assert not panel.rows["phi"].slider.isEnabled()
    assert window.bar.cells["mode"].text() == "SIM"
    assert window.theme.color("off") in window.bar.cells["mode"].styleSheet()


def test_the_newest_line_of_the_log_is_in_sight_whatever_the_dock_does(window, session):
    """The fault that stopped a run stood below the end of the dock."""
    window.use_preset("Run")
    for number in range(40):
        session.say("info", f"line {number} " * 12)
    tick(window)
    QApplication.processEvents()
    view, area = window.panels["log"].view, window.panels["log"].parentWidget().parentWidget()
    bar = view.verticalScrollBar()
    assert area.verticalScrollBar().maximum() < 20  # once 130 px were below the dock
    assert bar.value() == bar.maximum() > 0
    window.resize(window.width() - 300, window.height())  # lines wrap: there are more of them
    QApplication.processEvents()
    assert bar.value() == bar.maximum()
    bar.setValue(0)  # somebody reads
    session.say("error", "digitizer: no answer")
    tick(window)
    assert bar.value() < bar.maximum()


def test_what_is_said_of_a_run_is_not_said_of_the_next_one(window, session):
    """A run that a queue or a remote began had the outcome of the one before beside its path."""
    panel = window.panels["run"]
    panel._outcome = "run stopped: 107 of 5000 releases usable"
    panel.show_status(session.status())
    assert "107 of 5000" in panel.message.text()
    session.change(state="running", recording="runs/b/run.h5")
    tick(window)
    session.change(state="idle", recording=None)
    tick(window)
    assert "107 of 5000" not in panel.message.text()
    assert panel.path.text() == "runs/b/run.h5"
