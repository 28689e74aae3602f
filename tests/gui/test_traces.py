"""Traces: trigger, persistence, time axis, rms and clipping, zoom of a frozen picture."""

import math
from dataclasses import replace

import numpy as np
import pytest
from PyQt6.QtCore import QEvent, QPointF, Qt
from PyQt6.QtGui import QMouseEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication

from optobind.acquisition.snapshots import TraceSnapshot
from optobind.gui.structure import faults_of
from optobind.gui.viewmodels.persistence import Persistence
from optobind.gui.viewmodels.traces import TracesModel, time_unit
from optobind.gui.viewmodels.trigger import Trigger, parse_holdoff, parse_level
from optobind.models.errors import InputError

RATE = 1e6
LEFT, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton


def sine(frequency=1e3, n=20_000, offset=0.0, names=("a", "b"), number=1, first=0):
    t = np.arange(n) / RATE
    volts = np.stack([np.sin(2 * np.pi * frequency * t) + offset, np.cos(t)], axis=1)
    return TraceSnapshot(number, first, RATE, volts.astype(np.float32), names)


def find(trigger, snapshot, length=500):
    return trigger.find(snapshot.volts, length, snapshot.first_sample, RATE)


# -- trigger --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("edge", "slope"), [("rising", 1.0), ("falling", -1.0)])
def test_a_window_begins_where_the_level_is_crossed_in_the_wanted_direction(edge, slope):
    snapshot = sine()
    row = find(Trigger(edge=edge, level=0.5), snapshot)
    column = snapshot.volts[:, 0]
    assert column[row] == pytest.approx(0.5, abs=0.01)
    assert slope * (column[row + 1] - column[row - 1]) > 0.0
    assert row <= len(column) - 500


def test_noise_at_the_level_is_no_edge():
    snapshot = sine(frequency=100.0)
    noise = 0.004 * np.random.default_rng(1).normal(size=snapshot.volts.shape)
    noisy = replace(snapshot, volts=(snapshot.volts + noise).astype(np.float32))
    row = find(Trigger(level=0.0), noisy)
    assert row % 10_000 == pytest.approx(0, abs=30) or row % 10_000 == pytest.approx(10_000, abs=30)


def test_without_an_edge_auto_runs_free_and_normal_keeps_what_is_shown():
    snapshot = sine()
    auto, normal = Trigger(level=5.0), Trigger("normal", level=5.0)
    assert find(auto, snapshot) == 19_500
    assert auto.state() == "free running"
    assert find(normal, snapshot) is None
    assert normal.state() == "waiting for an edge"
    model = TracesModel()
    model.trigger = normal
    assert model.view(snapshot, 400) is None


def test_single_stops_with_the_first_edge_until_it_is_armed():
    trigger = Trigger("single", level=0.0)
    assert find(trigger, sine(offset=4.0)) is None
    assert find(trigger, sine(number=2)) is not None
    assert trigger.stopped
    assert find(trigger, sine(number=3, first=10**6)) is None
    trigger.arm()
    assert find(trigger, sine(number=4, first=2 * 10**6)) is not None


def test_hold_off_keeps_edges_apart_also_from_one_snapshot_to_the_next():
    trigger = Trigger("normal", level=0.0, holdoff=30e-3)
    first = find(trigger, sine(first=0))
    assert first is not None
    assert find(trigger, sine(first=10_000)) is None
    later = find(trigger, sine(first=60_000))
    assert later + 60_000 - first >= 30_000
    assert find(trigger, sine(first=0)) is not None  # another stream: its numbers begin anew


def test_rude_samples_trigger_nothing_and_break_nothing():
    trigger = Trigger("normal", channel=7)
    nothing = sine()
    assert find(trigger, replace(nothing, volts=np.full((2000, 1), np.nan, np.float32))) is None
    assert find(trigger, replace(nothing, volts=np.zeros((2000, 1), np.float32))) is None
    assert find(trigger, replace(nothing, volts=np.zeros((10, 1), np.float32))) == 0


def test_levels_and_hold_offs_are_read_with_their_units():
    assert parse_level("20 mV") == pytest.approx(0.02)
    assert parse_level("mean") is None
    assert parse_holdoff("5") == pytest.approx(5e-3)
    for parse, text in ((parse_level, "20 kHz"), (parse_holdoff, "1 h"), (parse_holdoff, "-1 ms")):
        with pytest.raises(InputError):
            parse(text)


# -- persistence, axis, meters --------------------------------------------------------------------


def test_earlier_traces_fade_and_are_forgotten_with_another_range():
    fading = Persistence(1.0)
    low, high = np.full(100, -0.5), np.full(100, 0.5)
    fading.add(low, 50, (-1.0, 1.0), 0.0)
    both = fading.add(high, 50, (-1.0, 1.0), 0.5)
    assert both[24, 10] > 0
    assert both[72, 10] > both[24, 10]
    later = fading.add(high, 50, (-1.0, 1.0), 100.0)
    assert later[24].max() <= 1
    assert fading.add(high, 50, (-2.0, 2.0), 100.1)[24].max() == 0


def test_kept_traces_take_no_more_memory_and_newest_alone_keeps_none():
    fading = Persistence(math.inf)
    rng = np.random.default_rng(1)
    shapes = {fading.add(rng.normal(size=4000), 300, (-4, 4), float(k)).shape for k in range(200)}
    assert shapes == {(96, 300)}
    alone = Persistence(0.0)
    alone.add(np.full(10, 0.9), 10, (-1.0, 1.0), 0.0)
    assert alone.add(np.full(10, -0.9), 10, (-1.0, 1.0), 0.1)[91].max() == 0
    assert alone.add(np.full(10, np.nan), 10, (-1.0, 1.0), 0.2).shape == (96, 10)


def test_a_steep_trace_has_no_holes():
    shades = Persistence(1.0).add(np.array([-1.0, 1.0, -1.0, 1.0]), 4, (-1.0, 1.0), 0.0)
    assert (shades[:, :3] > 0).all()


def test_times_are_in_the_unit_that_reads_well():
    assert [time_unit(t)[1] for t in (50e-6, 200e-6, 1e-3, 5e-3, 3.0)] == [
        "µs", "µs", "µs", "ms", "s"
    ]  # fmt: skip


def test_rms_is_about_the_mean_and_clipping_is_of_the_channel_that_clips():
    snapshot = sine(offset=3.0)
    volts = snapshot.volts.copy()
    volts[:, 1] = np.clip(2.0 * np.sin(np.arange(len(volts)) / 50.0), -1.0, 1.0)
    snapshot = replace(snapshot, volts=volts)
    quiet = TracesModel.meters(snapshot, saturated=False)
    assert quiet[0].rms == pytest.approx(math.sqrt(0.5), rel=1e-3)
    assert not any(m.clipped for m in quiet)
    assert [m.clipped for m in TracesModel.meters(snapshot, saturated=True)] == [False, True]
    assert "CLIP" in TracesModel.meters(snapshot, saturated=True)[1].text
    empty = replace(snapshot, volts=np.full((0, 2), 0.0, np.float32))
    assert math.isnan(TracesModel.meters(empty, saturated=True)[0].rms)


def test_zooming_shows_every_sample_and_goes_beyond_the_window():
    model, snapshot = TracesModel(), sine()
    wide = model.view(snapshot, 100)
    start = model._start
    near = model.view(snapshot, 100, seen=(50e-6, 60e-6), again=True)
    assert near.curves[0].x.size == pytest.approx(12, abs=2)  # samples, not an envelope
    row = start + round(near.curves[0].x[3] * RATE)
    assert near.curves[0].y[3] == pytest.approx(snapshot.volts[row, 0])
    before = model.view(snapshot, 100, seen=(-1e-3, 0.0), again=True)
    assert before.curves[0].x[0] < -0.9e-3
    assert wide.x_range == near.x_range == before.x_range
    assert model.view(snapshot, 100, seen=(1.0, 2.0), again=True) is not None  # beyond all samples


# -- in the window --------------------------------------------------------------------------------


def tick(window, times=1):
    for _ in range(times):
        now = window.bridge.clock() + 1.0
        window.bridge.clock = lambda value=now: value
        window.bridge.tick()
        QApplication.processEvents()


@pytest.fixture
def panel(window, session):
    session.publish()
    session._trace = sine(names=("z1 out", "z2 out"))
    tick(window, 2)
    return window.panels["traces"]


def test_a_frozen_picture_is_cut_anew_where_it_is_zoomed(window, session, panel):
    panel.window_box.setCurrentIndex(4)
    tick(window)
    panel.freeze.setChecked(True)
    coarse = panel.curves[0].getData()[0].size
    session._trace = sine(number=50, offset=9.0, names=("z1 out", "z2 out"))
    box = panel.plots[0].box
    box.setXRange(10.0, 10.1, padding=0.0)  # ms
    box.sigRangeChangedManually.emit([True, False])
    tick(window, 2)
    x, y = panel.curves[0].getData()
    assert x.size < coarse
    assert 90 <= np.count_nonzero((x >= 10.0) & (x <= 10.1)) <= 102
    assert np.abs(y).max() < 1.1  # of the samples that are held
    assert panel.unit.text() == "time in ms"


def test_a_single_trace_stays_until_it_is_armed(window, session, panel):
    panel.triggering.click()
    QTest.keyClicks(panel.trigger.mode, "single")
    panel.trigger.mode.activated.emit(2)
    tick(window)
    held = panel.curves[0].getData()[1].copy()
    assert "stopped" in panel.trigger.state.text()
    session._trace = sine(number=60, offset=0.2, first=10**7, names=("z1 out", "z2 out"))
    tick(window, 2)
    np.testing.assert_array_equal(panel.curves[0].getData()[1], held)
    panel.trigger.arm.click()
    tick(window, 2)
    assert panel.curves[0].getData()[1].max() > held.max() + 0.1


def test_the_level_is_dragged_or_typed(window, session, panel):
    panel.triggering.click()
    QTest.keyClicks(panel.trigger.level, "300 mV")
    QTest.keyClick(panel.trigger.level, Qt.Key.Key_Return)
    tick(window)
    assert panel.model.trigger.level == pytest.approx(0.3)
    assert panel.curves[0].getData()[1][0] == pytest.approx(0.3, abs=0.02)
    line, plot = panel.levels[0], panel.plots[0]
    assert line.isVisible()
    assert line.value() == pytest.approx(0.3)
    middle = 0.5 * sum(plot.box.viewRange()[0])
    widget = plot.viewport()

    def at(level):
        return QPointF(plot.mapFromScene(plot.box.mapViewToScene(QPointF(middle, level))))

    def send(kind, place, button=LEFT, buttons=LEFT):
        where = QPointF(widget.mapToGlobal(place.toPoint()))
        none = Qt.KeyboardModifier.NoModifier
        QApplication.sendEvent(widget, QMouseEvent(kind, place, where, button, buttons, none))

    start, end = at(0.3), at(-0.4)
    send(QEvent.Type.MouseMove, start, NONE, NONE)
    send(QEvent.Type.MouseButtonPress, start)
    for k in range(1, 6):
        send(QEvent.Type.MouseMove, start + (end - start) * k / 5, NONE)
    send(QEvent.Type.MouseButtonRelease, end, LEFT, NONE)
    assert panel.model.trigger.level == pytest.approx(-0.4, abs=0.1)
    assert "mV" in panel.trigger.level.text()


def test_a_channel_that_is_gone_gives_the_trigger_back_to_the_first(window, session, panel):
    panel.trigger.channel.activated.emit(1)
    assert panel.model.trigger.channel == 1
    one = sine(number=70)
    session._trace = TraceSnapshot(71, 0, RATE, one.volts[:, :1], ("alone",))
    tick(window, 2)
    assert panel.model.trigger.channel == 0
    assert panel.trigger.channel.count() == 1
    assert len(panel.plots) == 1


def test_trails_are_drawn_under_the_newest_and_cost_one_picture(window, session, panel):
    panel.fading.setCurrentIndex(2)
    for number in range(3):
        session._trace = sine(number=80 + number, names=("z1 out", "z2 out"))
        tick(window)
    assert panel.glows[0].isVisible()
    assert panel.glows[0].image.max() == 255
    panel.fading.setCurrentIndex(0)
    session._trace = sine(number=90, names=("z1 out", "z2 out"))
    tick(window)
    assert not panel.glows[0].isVisible()


def test_meters_and_trigger_fit_into_a_small_window(window, session, panel):
    session.change(saturated=True)
    panel.triggering.click()
    window.resize(1366, 768)
    window.use_preset("Run")
    tick(window, 3)
    assert "rms" in panel.meters.text()
    assert [f for f in faults_of(window) if "traces" in f] == []


def test_traces_of_a_stream_that_stands_say_so(window, session):
    """A link that broke left traces and rms on the screen as if they were of now."""
    session.publish()
    session.change(state="idle", streaming=True)
    banner = window.panels["traces"].banner
    for streaming, words in ((True, ""), (False, "these are its last samples"), (True, "")):
        session.change(streaming=streaming)
        now = window.bridge.clock() + 1.0
        window.bridge.clock = lambda value=now: value
        window.bridge.tick()
        window.bridge.tick()
        assert words in banner.text()
        assert bool(words) == bool(banner.text())
