"""The window: one timer, one command per release, a careful close."""

import gc
import math
import weakref
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_session import FakeSession
from PyQt6.QtCore import QEvent, QPoint, QPointF, Qt
from PyQt6.QtGui import QAction, QMouseEvent, QWheelEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication

from optobind.acquisition.events import Event, EventKind
from optobind.acquisition.outcome import RunOutcome
from optobind.acquisition.releases import LeftOut, ReleaseCount
from optobind.acquisition.snapshots import TrackSnapshot
from optobind.acquisition.worth import RunWorth
from optobind.gui import layout
from optobind.gui.closing import CloseChoice
from optobind.gui.releasing import ReleaseDialog
from optobind.gui.theme import LIGHT
from optobind.gui.window import MainWindow
from optobind.models.errors import DeviceError, InputError

# The lowest pyqtgraph may draw a line that has just left its plot, on a slow computer.
pytestmark = pytest.mark.realtime

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton


def mouse(widget, kind, x, y, button=LEFT, buttons=LEFT):
    """Send a mouse event; pyqtgraph ignores those of QTest."""
    local = QPointF(x, y)
    where = QPointF(widget.mapToGlobal(local.toPoint()))
    event = QMouseEvent(kind, local, where, button, buttons, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(widget, event)


def drag(widget, start, end, *, release=True):
    mouse(widget, QEvent.Type.MouseMove, *start, button=NONE, buttons=NONE)
    mouse(widget, QEvent.Type.MouseButtonPress, *start)
    for k in range(1, 6):
        x = start[0] + (end[0] - start[0]) * k / 5
        y = start[1] + (end[1] - start[1]) * k / 5
        mouse(widget, QEvent.Type.MouseMove, x, y, button=NONE)
    if release:
        mouse(widget, QEvent.Type.MouseButtonRelease, *end, buttons=NONE)


def tick(window, times=1, step=1.0):
    """Tick with a clock that lets every panel be due."""
    for _ in range(times):
        now = window.bridge.clock() + step
        window.bridge.clock = lambda value=now: value
        window.bridge.tick()


def row(window, name="phi"):
    return window.panels["light"].rows[name]


def commands(session, name="set_light"):
    return [call for call in session.calls if call[0] == name]


# -- drawing ------------------------------------------------------------------------------------


def test_a_thousand_publishes_and_one_tick_draw_the_last_once(window, session):
    session.publish()
    template = session.trace()
    before = window.bridge.renders(window.panels["traces"])
    for number in range(1000):
        session._trace = type(template)(
            number + 10, 0, template.sample_rate, template.volts, template.channels
        )
    drawn = []
    panel = window.panels["traces"]
    original = panel.draw
    panel.draw = lambda snapshot: (drawn.append(snapshot.sequence), original(snapshot))
    tick(window)
    assert window.bridge.renders(panel) == before + 1
    assert drawn == [1009]


def test_an_unchanged_snapshot_is_not_drawn_again(window, session):
    session.publish()
    tick(window, 2)  # the second draws for the width that the plots have got
    first = {n: window.bridge.renders(window.panels[n]) for n in ("traces", "fit")}
    tick(window, 5, step=0.3)  # before the fit is stale, which is drawn
    assert {n: window.bridge.renders(window.panels[n]) for n in ("traces", "fit")} == first


def test_a_hidden_panel_is_not_drawn(window, session):
    window.docks["traces"].hide()
    session.publish()
    tick(window, 3)
    assert window.bridge.renders(window.panels["traces"]) == 0


def test_a_panel_keeps_its_own_rate(window, session):
    panel = window.panels["strips"]
    session.publish()
    for _ in range(30):
        session._history.append(session._history[-1])
        tick(window, step=0.033)
    assert 1 <= window.bridge.renders(panel) <= 3


def test_new_data_leave_the_axes_as_they_are(window, session, qtbot, monkeypatch):
    import pyqtgraph as pg

    drawn = []
    original = pg.AxisItem.generateDrawSpecs
    monkeypatch.setattr(
        pg.AxisItem, "generateDrawSpecs", lambda a, p: drawn.append(a) or original(a, p)
    )
    for _ in range(4):  # until every range has settled
        session.publish()
        tick(window, 2)
        qtbot.wait(30)
    drawn.clear()
    session._spectrum = replace(session._spectrum, sequence=999)
    session._trace = replace(session._trace, sequence=999)
    tick(window, 2, step=0.2)
    qtbot.wait(50)
    assert drawn == []


def test_every_panel_draws_and_the_table_fills(window, session):
    session.publish(reheating=40)
    tick(window, 2)
    for name in ("spectra", "traces", "fit", "strips", "reheating"):
        assert window.bridge.renders(window.panels[name]) >= 1, name
    table = window.panels["fit"].table
    assert table.rowCount() == 11
    assert table.item(4, 0).text() == "gᵣ"
    assert window.panels["reheating"].counter.text() == "repetition 40 of 500 · 40 used"


def test_freezing_holds_the_picture_and_says_so(window, session):
    session.publish()
    tick(window, 2)  # the second draws for the width that the plots have got
    panel = window.panels["traces"]
    panel.freeze.setChecked(True)
    count = window.bridge.renders(panel)
    session.change(recording="runs/a/run.h5", state="running")
    session.publish()
    tick(window, 3)
    assert window.bridge.renders(panel) == count
    assert panel.banner.text() == "frozen – still recording"


def test_freezing_holds_the_spectra_too_but_leaves_them_zoomable(window, session):
    session.publish()
    tick(window)
    held = window.spectra.model.spectrum
    window.panels["traces"].freeze.setChecked(True)
    session.change(recording="runs/a/run.h5", state="running")
    session.publish()
    tick(window, 3)
    assert window.spectra.model.spectrum is held
    assert "frozen – still recording" in window.spectra.legend.text()
    count = window.bridge.renders(window.spectra)
    window.spectra.zoom_full()
    tick(window)
    assert window.bridge.renders(window.spectra) == count + 1
    window.panels["traces"].freeze.setChecked(False)
    tick(window)
    assert window.spectra.model.spectrum is session.spectrum()
    assert "frozen" not in window.spectra.legend.text()


def test_pulls_of_the_fit_are_shown_on_request(window, session):
    session.publish()
    tick(window)
    plots = window.spectra.plots
    assert not plots.pulls.isVisible()
    window.spectra.pulls_button.setChecked(True)
    tick(window)
    assert plots.pulls.isVisible()
    assert [c.yData.size > 10 for c in plots.pull_curves[:2]] == [True, True]
    window.spectra.pulls_button.setChecked(False)
    assert not plots.pulls.isVisible()


def test_small_distances_can_be_dragged(window, session):
    tick(window)
    slider = row(window, "separation").slider
    y = slider.height() / 2
    now = session.light().requested.separation
    pixels = slider.position(now) - slider.position(1.6e-6)
    assert pixels > 0.1 * slider.width()
    drag(slider, (slider.position(now), y), (slider.position(1.6e-6), y))
    ((_, state),) = commands(session)
    assert state.separation == pytest.approx(1.6e-6, rel=0.05)


def test_a_distance_beyond_the_slider_is_nudged_not_pulled_back(window, session):
    state = session.light().requested.with_pair(separation=2.5e-5)
    session._light = replace(session._light, requested=state)
    tick(window)
    slider = row(window, "separation").slider
    slider._nudge(-1.0)
    ((_, sent),) = commands(session)
    assert sent.separation == pytest.approx(2.5e-5 - slider.step, rel=1e-6)


def test_an_unstable_light_shows_its_growth_rate(window, session):
    session.change(growth_rate=319.4)
    tick(window)
    panel = window.panels["light"]
    assert panel.growth.isVisible()
    assert "UNSTABLE" in panel.growth.text()
    assert "319" in panel.growth.text()


def test_growth_that_feedback_holds_is_told_apart_from_instability(window, session):
    label = window.panels["light"].growth
    for growth_rate, growth, feedback, lost, start in [
        (-900.0, 512.0, True, False, "Held by feedback: during a release amplitudes grow at 512"),
        (-900.0, 512.0, True, True, "While feedback is off amplitudes grow at 512 /s"),
        (None, 512.0, True, False, "While feedback is off amplitudes grow at 512 /s"),
        (None, 512.0, None, False, "UNSTABLE without feedback: amplitudes grow at 512 /s"),
        (None, 512.0, False, False, "UNSTABLE without feedback: amplitudes grow at 512 /s"),
        (-900.0, 1e-4, True, False, ""),
    ]:
        session.change(
            growth_rate=growth_rate, open_loop_growth=growth, feedback=feedback, lost=lost
        )
        tick(window)
        assert label.text().startswith(start)
        assert label.isVisible() == bool(start)


@pytest.mark.slow
def test_axes_count_in_the_unit_of_their_label(window, session):
    session.publish(reheating=20)
    tick(window, 3)
    window.resize(1366, 768)
    QApplication.processEvents()
    window.toggle_theme()
    tick(window, 3)
    plots = [*window.panels["traces"].plots, *window.spectra.plots.all]
    plots += [window.panels["reheating"].top, window.panels["reheating"].bottom]
    for plot in plots:
        for side in ("left", "bottom"):
            assert plot.getPlotItem().getAxis(side).autoSIPrefixScale == 1.0


def test_zooming_by_hand_is_never_overridden(window, session):
    session.publish()
    tick(window)
    plot = window.panels["traces"].plots[0]
    plot.box.setYRange(-7.0, 7.0, padding=0.0)
    plot.box.sigRangeChangedManually.emit([True, True])
    session.publish()
    tick(window)
    assert plot.box.viewRange()[1] == pytest.approx([-7.0, 7.0])
    window.panels["traces"].auto.click()
    tick(window)
    assert plot.box.viewRange()[1][1] < 2.0


# -- knobs --------------------------------------------------------------------------------------


def test_the_session_s_light_shows_in_the_knobs(window, session):
    state = session.light().requested.with_pair(phi=-1.2, separation=3e-6)
    session.set_light(state)
    tick(window)
    assert row(window).edit.text() == "−1.200 rad"
    assert row(window).back.text() == "−1.200 rad"
    assert row(window, "separation").edit.text() == "3.000 µm"


def test_typing_a_value_sends_one_command(window, session):
    edit = row(window, "total_power").edit
    edit.setText("0.6 W")
    edit.setModified(True)
    QTest.keyClick(edit, Qt.Key.Key_Return)
    tick(window)
    ((_, state),) = commands(session)
    assert sum(site.power for site in state.sites) == pytest.approx(0.6)
    assert edit.text() == "600 mW"
    assert "total_power=0.6" in window.bar.line


def test_dragging_moves_a_ghost_and_release_sends_one_command(window, session):
    slider = row(window).slider
    y = slider.height() / 2
    start, end = (slider.position(0.3), y), (slider.position(1.5), y)
    drag(slider, start, end, release=False)
    assert slider.ghost == pytest.approx(1.5, abs=0.1)
    assert commands(session) == []
    tick(window)
    assert slider.requested == pytest.approx(0.3)
    mouse(slider, QEvent.Type.MouseButtonRelease, *end, buttons=NONE)
    ((_, state),) = commands(session)
    assert state.relative_phase == pytest.approx(1.5, abs=0.1)


def test_escape_cancels_a_drag(window, session):
    slider = row(window).slider
    y = slider.height() / 2
    drag(slider, (slider.position(0.3), y), (slider.position(1.0), y), release=False)
    QTest.keyClick(slider, Qt.Key.Key_Escape)
    mouse(slider, QEvent.Type.MouseButtonRelease, slider.position(1.0), y, buttons=NONE)
    tick(window)
    assert commands(session) == []
    assert slider.ghost is None
    assert row(window).edit.text() == "0.300 rad"


def test_the_wheel_turns_only_a_focused_knob(window, session, qtbot):
    def wheel(widget):
        event = QWheelEvent(
            QPointF(5, 5), QPointF(5, 5), QPoint(0, 0), QPoint(0, 120), NONE,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(widget, event)

    window.activateWindow()
    for widget in (row(window).slider, row(window).edit):
        window.spectra.setFocus()
        wheel(widget)
        assert commands(session) == []
        widget.setFocus()
        qtbot.waitUntil(widget.hasFocus)
        wheel(widget)
        assert len(commands(session)) == 1
        session.calls.clear()
        tick(window)


def test_a_bad_value_is_marked_at_its_field_and_sends_nothing(window, session):
    edit = row(window, "separation").edit
    edit.setText("20 µm")
    QTest.keyClick(edit, Qt.Key.Key_Return)
    assert edit.property("invalid") is True
    assert "must lie within 1.5 µm … 8 µm" in edit.toolTip()
    assert commands(session) == []


def test_a_run_holds_the_knobs(window, session):
    session.change(state="running", held_by="run 12")
    tick(window)
    for entry in window.panels["light"].rows.values():
        assert not entry.slider.isEnabled()
        assert not entry.edit.isEnabled()
        assert entry.edit.toolTip() == "held by run 12"
    assert window.panels["light"].note.text() == "held by run 12"
    assert not window.panels["light"].gate.isEnabled()
    session.change(state="idle", held_by=None)
    tick(window)
    assert row(window).slider.isEnabled()


def test_a_refused_command_is_shown_at_the_field_as_toast_and_in_the_log(window, session):
    session.light_error = DeviceError("slm: no answer within 2 s; the last good pattern stays")
    row(window).commit(0.5, typed=False)
    tick(window, 2)
    assert "no answer" in row(window).edit.toolTip()
    assert row(window).edit.reason.isVisible()
    assert row(window).edit.text() == "0.300 rad"
    assert any("no answer" in text for text in window.toasts.messages())
    assert "no answer" in window.log.lines[-1].text


def test_an_unstable_light_shows_the_growth_rate(window, session):
    session.change(growth_rate=321.0)
    tick(window)
    label = window.panels["light"].growth
    assert label.isVisible()
    assert "grow at 321 /s" in label.text()


def test_the_gate_follows_the_events_of_a_run(window, session):
    panel = window.panels["light"]
    session._events = [Event(0, EventKind.RELEASE, {"repetition": 0})]
    tick(window)
    assert panel.feedback is False
    session._events = [Event(9, EventKind.RECAPTURE, {"repetition": 0})]
    tick(window)
    assert panel.feedback is True


# -- spectra and fit ----------------------------------------------------------------------------


def test_dragging_the_band_sets_the_fit_once(window, session):
    session.publish()
    window.spectra.set_band((65e3, 85e3))
    tick(window)
    session.calls.clear()
    box, view = window.spectra.plots.top.box, window.spectra.plots.top.viewport()
    edge = box.mapViewToScene(QPointF(math.log10(85e3), box.viewRange()[1][0] + 0.5))
    goal = box.mapViewToScene(QPointF(math.log10(95e3), box.viewRange()[1][0] + 0.5))
    drag(view, (edge.x(), edge.y()), (goal.x(), goal.y()))
    ((_, model, band, channels, vary),) = commands(session, "set_fit")
    assert model == "pair"
    assert band == pytest.approx((65e3, 95e3), rel=0.02)
    assert (channels, vary) == (None, {})
    assert window.spectra.band_high.value == pytest.approx(band[1])


def test_typing_the_band_moves_the_region(window, session):
    session.publish()
    tick(window)
    for edit, text in ((window.spectra.band_low, "60"), (window.spectra.band_high, "0.09 MHz")):
        edit.setText(text)
        QTest.keyClick(edit, Qt.Key.Key_Return)
    assert window.spectra.model.band == pytest.approx((60e3, 90e3))
    low, high = window.spectra.plots.region.getRegion()
    assert (10**low, 10**high) == pytest.approx((60e3, 90e3))


def test_clicking_a_line_then_f_fits_it(window, session):
    session.publish()
    window.spectra.zoom_default()
    tick(window)
    box, view = window.spectra.plots.top.box, window.spectra.plots.top.viewport()
    spot = box.mapViewToScene(QPointF(math.log10(75e3), sum(box.viewRange()[1]) / 2))
    mouse(view, QEvent.Type.MouseMove, spot.x(), spot.y(), button=NONE, buttons=NONE)
    mouse(view, QEvent.Type.MouseButtonPress, spot.x(), spot.y())
    mouse(view, QEvent.Type.MouseButtonRelease, spot.x(), spot.y(), buttons=NONE)
    peak = window.spectra.model.peak
    assert peak == pytest.approx(75e3, rel=0.05)
    QTest.keyClick(window.spectra, Qt.Key.Key_F)
    ((_, _, band, _, _),) = commands(session, "set_fit")
    assert band == pytest.approx((0.8 * peak, 1.2 * peak))


def test_a_cursor_moves_in_all_three_plots_and_reads_out(window, session):
    session.publish()
    window.spectra.cursor_button.setChecked(True)
    window.spectra._cursor_moved(0, math.log10(75e3))
    tick(window)
    assert {line.value() for line in window.spectra.plots.cursors[0]} == {math.log10(75e3)}
    assert window.spectra.read_out.text().startswith("A  7")


def test_cursors_have_numeric_twins(window, session):
    session.publish()
    window.spectra.cursor_button.setChecked(True)
    tick(window)
    edit = window.spectra.cursor_row.edits[1]
    edit.setText("76.5")
    QTest.keyClick(edit, Qt.Key.Key_Return)
    places = [line.value() for line in window.spectra.plots.cursors[1]]
    assert places == pytest.approx([math.log10(76.5e3)] * len(places))
    window.spectra._cursor_moved(1, math.log10(75e3))
    assert edit.text() == "75 kHz"
    tick(window)
    assert window.spectra.read_out.text().splitlines()[1].startswith("B  7")


def test_unticking_a_parameter_holds_it(window, session):
    session.publish()
    tick(window)
    window.panels["fit"].table.item(2, 0).setCheckState(Qt.CheckState.Unchecked)
    assert commands(session, "set_fit")[-1][-1] == {"gamma_1": False}


def test_a_record_of_one_channel_is_fitted_singly_and_its_axis_is_named(window, session):
    session.publish()
    both = session.spectrum()
    session._spectrum = replace(both, csd=both.csd.select((0,)), channels=("z",))
    tick(window, 2)
    assert [c[1] for c in commands(session, "set_fit")] == ["single"]
    axis = window.spectra.plots.top.getPlotItem().getAxis("bottom")
    assert axis.label.isVisible()
    assert axis.labelText == "frequency (Hz)"
    window.panels["fit"].model_box.setCurrentText("pair")  # the user's choice stays
    tick(window, 2)
    assert window.panels["fit"].model_box.currentText() == "pair"


def test_a_rig_without_a_gate_opens_with_the_monitor_plan(qtbot, session, settings):
    session.rig.gate = None
    other = MainWindow(session, settings)
    assert other.panels["run"].kind.currentText() == "monitor"
    other.bridge.tick()
    assert "no feedback gate" in other.panels["light"].gate_word.text()
    other.deleteLater()


def test_a_refused_fit_setting_is_reported(window, session):
    def refuse(**_):
        raise InputError("band 1 … 2 Hz holds no bin")

    session.set_fit = refuse
    window.panels["fit"].set_band((1.0, 2.0))
    tick(window)
    assert "holds no bin" in window.log.lines[-1].text


# -- running ------------------------------------------------------------------------------------


def test_start_sends_the_plan_and_stop_and_abort_do_not_wait(window, session):
    panel = window.panels["run"]
    panel.edits["repetitions"].setText("40")
    panel.start_button.click()
    ((_, plan),) = commands(session, "start")
    assert plan.repetitions == 40
    session.change(state="running", held_by="run 1", progress=0.5, message="repetition 20 of 40")
    tick(window)
    assert panel.message.text().startswith("repetition 20 of 40")
    panel.stop_button.click()
    panel.abort_button.click()
    assert [c[0] for c in session.calls[-2:]] == ["stop_after_repetition", "abort"]
    assert window.bar.line == "session.abort()"


def test_the_end_of_a_run_is_shown_with_its_gaps(window, session):
    running: Future = Future()
    session.start = lambda plan, out=None: running
    window.panels["run"].start()
    session.change(state="running")
    tick(window)
    worth = RunWorth(100, 7, 900)
    outcome = RunOutcome(Path("runs/a/run.h5"), "stopped", "asked for", worth)
    running.set_result(outcome)
    session.change(state="idle")
    tick(window, 2)
    assert window.panels["run"].message.text() == (
        "run stopped: asked for; 7 gaps, 900 samples lost in all"
    )
    assert window.panels["run"].path.text() == "runs/a/run.h5"


def test_a_run_that_cannot_begin_says_why(window, session):
    refused: Future = Future()
    refused.set_exception(InputError("the model is unstable; tick 'allow an unstable model'"))
    session.start = lambda plan, out=None: refused
    window.panels["run"].start()
    tick(window, 2)
    assert "unstable" in window.panels["run"].error.text()


def test_a_bad_plan_is_refused_in_place(window, session):
    panel = window.panels["run"]
    panel.edits["cool_time"].setText("fast")
    panel.start_button.click()
    assert commands(session, "start") == []
    assert "cooling" in panel.error.text()


def test_connect_is_one_command_and_survives_failure(window, session):
    future: Future = Future()
    future.set_exception(DeviceError("daq: not found; plug it in"))
    session.change(devices=())
    session.connect = lambda: future
    tick(window)
    window.panels["rig"].connect_button.click()
    assert not window.panels["rig"].connect_button.isEnabled()
    tick(window, 2)
    assert window.panels["rig"].connect_button.isEnabled()
    assert "daq: not found" in window.log.lines[-1].text


def test_two_hundred_equal_errors_make_one_toast_and_one_line(window, session):
    for _ in range(200):
        session.say("error", "digitizer: overflow; 2048 samples lost")
    tick(window)
    assert window.toasts.messages() == ["digitizer: overflow; 2048 samples lost  (×200)"]
    assert len(window.log.lines) == 1
    for _ in range(50):
        session.say("error", "digitizer: overflow; 1024 samples lost")
    tick(window)
    assert window.toasts.messages() == ["digitizer: overflow; 1024 samples lost  (×250)"]


# -- reheating ----------------------------------------------------------------------------------


def test_a_right_click_on_a_repetition_excludes_it_with_a_reason(window, session):
    session.publish(reheating=40)
    tick(window)
    panel = window.panels["reheating"]
    single = panel.shown_singles[-1]
    assert single.number == 40
    asked, offered = [], []
    panel.ask_reason = lambda number: asked.append(number) or "hit by a flash"
    window.menus.popup = lambda plot, place: offered.append(plot)
    curve = single.curves[0]
    panel.top.set_ranges((0.0, 1000.0), (0.0, 1.2 * float(curve.y.max())))
    k = int(curve.y.argmax())
    spot = panel.top.box.mapViewToScene(QPointF(1e6 * curve.x[k], curve.y[k]))
    right, view = Qt.MouseButton.RightButton, panel.top.viewport()
    mouse(view, QEvent.Type.MouseMove, spot.x(), spot.y(), button=NONE, buttons=NONE)
    mouse(view, QEvent.Type.MouseButtonPress, spot.x(), spot.y(), right, right)
    mouse(view, QEvent.Type.MouseButtonRelease, spot.x(), spot.y(), right, NONE)
    assert len(asked) == 1
    assert offered == []  # one click, one question
    ((_, number, reason),) = commands(session, "exclude_repetition")
    assert (number, reason) == (asked[0], "hit by a flash")
    count = ReleaseCount(500, 40, 39, {LeftOut.EXCLUDED: 1})
    session._reheating = replace(
        session._reheating, sequence=99, excluded=(number,), by_hand=(number,), releases=count
    )
    tick(window)
    assert [s.excluded for s in panel.shown_singles if s.number == asked[0]] == [True]
    assert panel.counter.text() == (
        "repetition 40 of 500 · 39 used, 1 left out (1 excluded by hand)"
    )
    assert "hit by a flash" in panel.counter.toolTip()
    QApplication.processEvents()
    spot = panel.top.box.mapViewToScene(QPointF(1e6 * curve.x[k], curve.y[k]))
    mouse(view, QEvent.Type.MouseButtonPress, spot.x(), spot.y(), right, right)
    mouse(view, QEvent.Type.MouseButtonRelease, spot.x(), spot.y(), right, NONE)
    assert commands(session, "include_repetition") == [("include_repetition", number)]


def test_the_reheating_panel_shows_p_and_every_fitted_parameter(window, session):
    session.publish(reheating=40)
    result = session._reheating.result
    statistics = {**result.statistics, "p_value": 0.37}
    session._reheating = replace(session._reheating, result=replace(result, statistics=statistics))
    tick(window)
    panel = window.panels["reheating"]
    assert "p = 0.37" in panel.note.text()
    assert panel.parameters.text().count("=") == len(result.parameters)
    assert "gₐ = 400 ± 20 Hz" in panel.parameters.text()
    panel.resize(320, 600)
    assert panel.parameters.isVisible()


def test_a_repetition_that_was_not_done_cannot_be_excluded(window, session):
    session.publish(reheating=40)
    tick(window)
    window.panels["reheating"].exclude("41 flash")
    assert commands(session, "exclude_repetition") == []
    assert "done so far: 1 to 40" in window.log.lines[-1].text


# -- closing ------------------------------------------------------------------------------------


def wait_closed(window, qtbot):
    def closed():
        tick(window)
        return not window.isVisible()

    qtbot.waitUntil(closed, timeout=5000)


def test_closing_an_idle_window_closes_the_session_once(window, session, qtbot):
    window.close()
    wait_closed(window, qtbot)
    assert len(commands(session, "close")) == 1


def test_closing_while_recording_asks_and_cancel_changes_nothing(window, session):
    session.change(state="running", recording="runs/a/run.h5")
    asked = []
    window.ask_close = lambda stopping: asked.append(stopping) or CloseChoice.CANCEL
    assert not window.close()
    tick(window, 3)
    assert asked == [False]
    assert window.isVisible()
    assert session.calls == []


def test_closing_while_recording_stops_orderly_and_never_touches_the_light(window, session, qtbot):
    session.change(state="running", recording="runs/a/run.h5")
    window.ask_close = lambda stopping: CloseChoice.STOP
    window.close()
    tick(window, 3)
    assert [c[0] for c in session.calls] == ["stop_after_repetition"]
    assert window.isVisible()
    session.change(state="idle", recording=None)
    wait_closed(window, qtbot)
    assert [c[0] for c in session.calls] == ["stop_after_repetition", "close"]


def test_keep_recording_closes_when_the_run_has_ended(window, session, qtbot):
    session.change(state="running", recording="runs/a/run.h5")
    window.ask_close = lambda stopping: CloseChoice.KEEP
    window.close()
    tick(window, 3)
    assert session.calls == []
    session.change(state="idle", recording=None)
    wait_closed(window, qtbot)
    assert [c[0] for c in session.calls] == ["close"]


def test_a_second_attempt_while_stopping_may_abort(window, session):
    session.change(state="running", recording="runs/a/run.h5")
    answers = iter([CloseChoice.STOP, CloseChoice.ABORT])
    asked = []
    window.ask_close = lambda stopping: asked.append(stopping) or next(answers)
    window.close()
    window.close()
    assert asked == [False, True]
    assert [c[0] for c in session.calls] == ["stop_after_repetition", "abort"]


def test_a_signal_stops_the_run_without_asking_and_a_second_one_aborts(window, session, qtbot):
    session.change(state="running", recording="runs/a/run.h5")
    window.ask_close = lambda stopping: pytest.fail("nobody may be there to answer")
    window.close_unasked()
    window.close_unasked()
    assert [c[0] for c in session.calls] == ["stop_after_repetition", "abort"]
    session.change(state="idle", recording=None)
    wait_closed(window, qtbot)


# -- layout, colours, leaks ---------------------------------------------------------------------


def test_docks_have_permanent_names_and_the_default_shows_all(window):
    names = {dock.objectName() for dock in window.docks.values()}
    all_of_them = (
        "rig light run traces fit strips reheating phases waterfall phase_space queue sweep runs "
        "log".split()
    )
    assert names == {f"dock-{n}" for n in all_of_them}
    assert all(dock.isVisible() for dock in window.docks.values())
    assert window.centralWidget().width() > 500


@pytest.mark.parametrize("name", layout.PRESETS)
def test_presets_arrange_and_lose_nothing(window, name):
    window.use_preset(name)
    assert any(dock.isVisible() for dock in window.docks.values())
    window.use_preset("Run")
    assert all(dock.isVisible() for dock in window.docks.values())


def test_a_layout_is_saved_and_restored(window, session, settings, qtbot):
    window.docks["log"].hide()
    layout.save_layout(window, settings)
    other = MainWindow(session, settings)
    other.open()
    other.bridge.stop()
    assert other.docks["log"].isHidden()
    assert not other.docks["fit"].isHidden()
    other.closer.done = True
    other.close()
    other.deleteLater()


def test_a_layout_that_squeezes_the_spectra_is_replaced(window, session, settings, qtbot):
    window.resizeDocks(
        [window.docks["rig"], window.docks["fit"]], [740, 740], Qt.Orientation.Horizontal
    )
    QApplication.processEvents()
    assert layout.centre_is_squeezed(window)
    window._share_out()
    QApplication.processEvents()
    assert not layout.centre_is_squeezed(window)


def test_a_slim_window_keeps_room_for_the_spectra(window):
    window.resize(860, 780)
    window.use_preset("Run")
    QApplication.processEvents()
    assert not layout.centre_is_squeezed(window)
    assert not any(dock.isHidden() for dock in window.docks.values())


def test_a_broken_layout_falls_back_to_the_default(session, settings, qtbot):
    settings.setValue("layout/state", "nonsense")
    other = MainWindow(session, settings)
    other.open()
    other.bridge.stop()
    assert all(not dock.isHidden() for dock in other.docks.values())
    other.closer.done = True
    other.close()
    other.deleteLater()


def test_the_status_bar_gives_the_room_of_a_long_text_back(window, session):
    cell = window.bar.cells["recording"]
    short = cell.minimumWidth()
    session.change(state="running", recording="runs/20261126-040829-reheating/run.h5")
    tick(window)
    assert cell.minimumWidth() > short + 50
    session.change(state="idle", recording=None)
    tick(window)
    assert cell.minimumWidth() == short


@pytest.mark.slow
def test_a_toast_follows_the_colours_and_leaves_the_fit_table_free(window, session):
    session.say("error", "digitizer: overflow; 2048 samples lost")
    tick(window)
    window.toggle_theme()
    (toast,) = window.toasts._toasts()
    assert LIGHT.raised in toast.styleSheet()
    fit = window.docks["fit"]
    assert not window.toasts.geometry().intersects(fit.geometry())


def test_an_old_fit_and_an_old_spectrum_say_their_age(window, session):
    session.publish()
    tick(window)
    assert "fits/s" in window.panels["fit"].verdict.text()
    tick(window, 3, step=2.0)
    assert window.panels["fit"].verdict.text().endswith("no new fit for 6 s")
    assert window.spectra.legend.text().endswith("no new spectrum for 6 s</span>")
    session.publish()
    tick(window)
    assert "fits/s" in window.panels["fit"].verdict.text()
    assert "no new" not in window.spectra.legend.text()


@pytest.mark.slow
def test_both_colour_schemes_reach_every_plot(window, session):
    session.publish(reheating=20)
    tick(window)
    window.toggle_theme()
    assert window.theme is LIGHT
    for plot in (window.spectra.plots.top, window.panels["traces"].plots[0]):
        assert plot.backgroundBrush().color().name() == LIGHT.base
    tick(window)


@pytest.mark.slow
def test_a_closed_window_is_freed(qtbot, settings):
    session = FakeSession()
    other = MainWindow(session, settings)
    other.open()
    session.publish(reheating=20)
    tick(other, 3)
    other.closer.done = True
    other.close()
    gone = weakref.ref(other.bridge)
    other.deleteLater()
    del other
    for _ in range(3):
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()
        gc.collect()
    assert gone() is None


# -- releasing the particles ----------------------------------------------------------------------


def test_the_light_goes_off_only_for_the_typed_phrase(window, session):
    window.ask_release = lambda: None
    window.release_particles()
    assert commands(session, "release_particles") == []
    window.ask_release = lambda: "release particles"
    window.release_particles()
    assert commands(session, "release_particles") == [("release_particles", "release particles")]


def test_a_run_keeps_the_dialog_away(window, session):
    session.change(held_by="run 3", state="running")
    tick(window)
    window.ask_release = lambda: pytest.fail("asked")
    window.release_particles()
    assert commands(session, "release_particles") == []
    assert "held by run 3" in window.log.lines[-1].text


def test_lost_particles_of_a_simulated_rig_are_reloaded_from_the_menu(window, session):
    actions = window.findChildren(QAction)
    (action,) = [a for a in actions if a.text() == "Reload lost particles"]
    action.trigger()
    assert commands(session, "reload_particles") == [("reload_particles",)]


def test_the_button_of_the_dialog_waits_for_the_exact_phrase(qtbot):
    dialog = ReleaseDialog(None)
    qtbot.addWidget(dialog)
    for typed, enabled in (("release", False), ("Release particles", False)):
        dialog.edit.setText(typed)
        assert dialog.release.isEnabled() is enabled
    dialog.edit.setText("release particles")
    assert dialog.release.isEnabled()


def test_predictions_fill_their_columns(window, session):
    session.publish()
    values = {name: p.value for name, p in session.fit().result.parameters.items()}
    session.predicted = {"g_a": 1.1 * values["g_a"], "omega_1": values["omega_1"]}
    tick(window)
    panel = window.panels["fit"]
    row = panel._names.index("g_a")
    assert not panel.table.isColumnHidden(2)
    assert panel.table.item(row, 2).text() != ""
    assert "σ" in panel.table.item(row, 3).text()


def test_track_draws_the_motion_over_its_samples(window, session):
    panel = window.panels["traces"]
    session.publish()
    trace = session.trace()
    names = tuple(trace.channels[:2])
    volts = trace.volts[:, :2]
    session._track = TrackSnapshot(
        7, 0, trace.sample_rate, names, volts, 0.5 * volts, np.array([1e-3, 1e-3]), "V",
        np.zeros((len(volts), 4)), np.zeros(2),
    )  # fmt: skip
    panel.track.click()
    tick(window, 2)
    assert ("set_tracking", True) in session.calls
    assert panel.tracked.text() == "tracked ± 1, 1 mV"
    over, under = panel.overlays[0].getData()[1], panel.curves[0].getData()[1]
    assert panel.overlays[0].isVisible()
    np.testing.assert_allclose(over, 0.5 * under, rtol=1e-6)
    panel.track.click()
    session._trace = type(trace)(99, 0, trace.sample_rate, trace.volts, trace.channels)
    tick(window, 2)
    assert ("set_tracking", False) in session.calls
    assert not panel.overlays[0].isVisible()
    assert panel.tracked.isHidden()
