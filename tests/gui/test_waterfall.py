"""The waterfall in the window: clicks, keys, ghosts, samples and fits of the past."""

import math
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PyQt6.QtCore import QEvent, QPointF, Qt
from PyQt6.QtGui import QMouseEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication

from optobind.acquisition.events import Event, EventKind
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.runfile_format import Manifest
from optobind.analysis.recorded.past import LONGEST, look_back, middle_of
from optobind.analysis.recorded.tasks import FittedStretch, StretchTask
from optobind.gui.panels.waterfall_plot import colours
from optobind.gui.structure import faults_of
from optobind.gui.theme import DARK, LIGHT
from optobind.gui.viewmodels.ticks import time_label, time_ticks
from optobind.models.blocks import Block
from optobind.models.errors import FileError, InputError

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton


@pytest.fixture
def panel(window):
    window.use_preset("Analysis")
    found = window.panels["waterfall"]
    clock = [1000.0]
    window.bridge.clock = lambda: clock[0]
    found.feed.clock, found.feed.wall = window.bridge.clock, lambda: 1.7e9 + clock[0]
    found.clock, found.published = clock, {}
    return found


def publish(window, session, panel, count=10, *, path=None, **changes):
    """New spectra at 10 Hz, each drawn."""
    session.change(recording=path, samples=10**9)
    for _ in range(count):
        session.sequence += 1
        spectrum = session.make_spectrum()
        first = 200_000 * session.sequence
        csd = replace(spectrum.csd, first_sample=first, last_sample=first + 400_000)
        session._spectrum = replace(spectrum, csd=csd, **changes)
        panel.published[csd.last_sample] = csd
        panel.clock[0] += 0.1
        window.bridge.tick()
    QApplication.processEvents()


def place(panel, frequency, seconds):
    """Where a pixel lies in the plot."""
    at = panel.plot.box.mapViewToScene(QPointF(math.log10(frequency), seconds))
    return panel.plot.mapFromScene(at)


def click(panel, frequency, seconds):
    """Click as a mouse does; pyqtgraph ignores the events of QTest."""
    widget, local = panel.plot.viewport(), QPointF(place(panel, frequency, seconds))
    where = QPointF(widget.mapToGlobal(local.toPoint()))
    for kind, button, buttons in (
        (QEvent.Type.MouseMove, NONE, NONE),
        (QEvent.Type.MouseButtonPress, LEFT, LEFT),
        (QEvent.Type.MouseButtonRelease, LEFT, NONE),
    ):
        event = QMouseEvent(kind, local, where, button, buttons, Qt.KeyboardModifier.NoModifier)
        QApplication.sendEvent(widget, event)


# -- keeping --------------------------------------------------------------------------------------


def test_spectra_are_kept_while_nobody_looks(window, session, panel):
    window.docks["waterfall"].hide()
    publish(window, session, panel, 12)
    assert window.bridge.renders(panel) == 0
    assert int((panel.store.ages[0].grid_of >= 0).sum()) >= 10


def test_a_frozen_picture_stands_still_and_goes_on_collecting(window, session, panel):
    publish(window, session, panel, 5)
    window.panels["traces"].freeze.setChecked(True)
    publish(window, session, panel, 5)
    before = panel._now
    publish(window, session, panel, 5)
    assert panel._now == before
    assert int((panel.store.ages[0].grid_of >= 0).sum()) >= 13


def test_a_new_row_is_drawn_at_most_ten_times_a_second(window, session, panel):
    publish(window, session, panel, 10)
    before = window.bridge.renders(panel)
    for _ in range(30):  # ticks at 30 Hz
        session.sequence += 1
        session._spectrum = session.make_spectrum()
        panel.clock[0] += 1.0 / 30.0
        window.bridge.tick()
    assert window.bridge.renders(panel) - before <= 11


def test_a_reconnect_with_other_channels_goes_on_below(window, session, panel):
    publish(window, session, panel, 8)
    panel.choose("coherence")
    one = session.make_spectrum()
    session._spectrum = replace(one, sequence=1, csd=one.csd.select((0,)), channels=("z1 out",))
    panel.clock[0] += 0.2
    window.bridge.tick()
    assert panel.model.quantity.key == "auto0"  # what one channel can show
    assert [panel.quantity.itemData(k) for k in range(panel.quantity.count())] == ["auto0"]
    publish(window, session, panel, 3)
    assert panel.quantity.count() == 5
    assert int((panel.store.ages[0].grid_of >= 0).sum()) >= 11


# -- looking --------------------------------------------------------------------------------------


def test_a_click_shows_the_spectrum_of_that_moment_beside_the_newest(window, session, panel):
    publish(window, session, panel, 30)
    panel.clock[0] += 0.05
    window.bridge.tick()
    click(panel, 75e3, -2.05)
    row = panel.picked
    then = panel.published[row.last_sample]
    assert abs(list(panel.published).index(row.last_sample) - 9) <= 4  # a pixel is 0.3 s
    np.testing.assert_allclose(row.csd.matrix, then.matrix, rtol=2.5e-3)
    assert "not recorded" in panel.read_out.text()
    assert "kHz   S11" in panel.read_out.text()
    assert not panel.look.isEnabled()
    panel.clock[0] += 0.2
    window.bridge.tick()
    ghost = window.spectra.plots.ghosts[0].getData()[1]
    assert ghost.size
    assert "at " in window.spectra.legend.text()
    QTest.keyClick(panel, Qt.Key.Key_Escape)
    panel.clock[0] += 0.2
    window.bridge.tick()
    assert panel.picked is None
    assert window.spectra.model.ghost is None


def test_the_ghost_follows_the_unit_that_is_chosen(window, session, panel):
    publish(window, session, panel, 10)
    panel.pick(75e3, -0.5)
    model = window.spectra.model
    model.ghost = replace(model.ghost, csd=replace(model.ghost.csd, unit="V"))
    view = model.view(4.5, 5.0, 100)
    assert view.ghost == ()  # volts cannot be shown among quanta where nothing is calibrated


def test_arrows_go_from_pixel_to_pixel(window, session, panel):
    publish(window, session, panel, 12)
    click(panel, 75e3, -0.55)
    when, frequency = panel.picked.at, panel._frequency
    QTest.keyClick(panel, Qt.Key.Key_Down)
    assert panel.picked.at == pytest.approx(when - 0.1)
    QTest.keyClick(panel, Qt.Key.Key_Up)
    QTest.keyClick(panel, Qt.Key.Key_Right)
    assert panel.picked.at == pytest.approx(when)
    assert panel._frequency > frequency


def test_a_click_where_nothing_was_taken_says_so(window, session, panel):
    publish(window, session, panel, 10)
    panel.clock[0] += 2.0
    window.bridge.tick()
    click(panel, 75e3, -1.0)
    assert panel.picked is None
    assert "no spectrum was taken then" in panel.read_out.text()


def test_a_click_on_hours_ago_before_anything_came_is_harmless(window, session, panel):
    click(panel, 75e3, -30.0)
    panel.auto.click()
    panel.quantity.activated.emit(0)
    panel.choose_age(3)
    QTest.keyClick(panel, Qt.Key.Key_Down)
    QTest.keyClick(panel, Qt.Key.Key_Return)
    assert panel.picked is None


def test_frequencies_follow_the_spectra_until_zoomed_by_hand(window, session, panel):
    publish(window, session, panel, 4)
    window.spectra._set_view(4.6, 5.1)
    assert panel.plot.x_range == pytest.approx((4.6, 5.1))
    panel.plot.box.setXRange(4.8, 4.9, padding=0.0)
    panel.plot.box.sigRangeChangedManually.emit([True, True])
    window.spectra._set_view(4.5, 5.2)
    assert panel.plot.x_range == pytest.approx((4.8, 4.9))
    panel.auto.click()
    assert panel.plot.x_range == pytest.approx((4.5, 5.2))


def test_colours_are_typed_and_what_is_wrong_is_refused(window, session, panel):
    publish(window, session, panel, 5)
    panel.low.setText("1e-7")
    QTest.keyClick(panel.low, Qt.Key.Key_Return)
    assert panel.model.levels[0] == pytest.approx(-7.0)
    for text in ("-3", "many", "1e9"):
        panel.low.clear()
        QTest.keyClicks(panel.low, text)
        QTest.keyClick(panel.low, Qt.Key.Key_Return)
        assert panel.model.levels[0] == pytest.approx(-7.0)
        assert panel.low.reason.text()
        QTest.keyClick(panel.low, Qt.Key.Key_Escape)
    axis = panel.bar.getPlotItem().getAxis("left")
    assert "quanta²/Hz" in axis.labelText


def test_events_are_marked_on_the_time_axis(window, session, panel):
    publish(window, session, panel, 10)
    now = 1.7e9 + panel.clock[0]
    session._events = [
        Event(0, EventKind.LIGHT, {"sites": []}, now),
        Event(0, EventKind.GAP, {"lost": 5}, now),
        Event(0, EventKind.GATE, {"closed": False}, now),
    ]
    panel.clock[0] += 1.0
    window.bridge.tick()
    panel.clock[0] += 0.5
    window.bridge.tick()
    lines = panel.plot.lines
    np.testing.assert_allclose(lines["light"].getData()[1], -1.5, atol=0.01)
    assert lines["gap"].getData()[1].size == 2
    assert panel.plot.released.getData()[1][-1] == 0.0  # feedback is still off


# -- samples and fits of the past -----------------------------------------------------------------


class Looks:
    """Stands in for the process that reads and fits."""

    def __init__(self, on_lost) -> None:
        self.asked: list[tuple] = []
        self.closed = False
        self.answer: Future = Future()
        Looks.last = self

    def warm(self):
        self.asked.append(("warm",))

    def look(self, path, start, stop, segment, options):
        assert not options, "a run file needs none"
        self.asked.append((path, start, stop, segment))
        self.answer = Future()
        return self.answer

    def close(self):
        self.closed = True


@pytest.fixture
def looks(monkeypatch):
    monkeypatch.setattr("optobind.analysis.recorded.past.PastStretches", Looks)


def test_return_reads_and_fits_the_samples_of_a_recorded_pixel(
    looks, window, session, panel, run_file
):
    publish(window, session, panel, 4)
    session.sequence = 0  # the run begins the stream anew
    publish(window, session, panel, 10, path=str(run_file))
    click(panel, 75e3, -0.25)
    assert panel.look.isEnabled()
    row = panel.picked
    QTest.keyClick(panel, Qt.Key.Key_Return)
    assert Looks.last.asked[-1] == (run_file, row.first_sample, row.last_sample, 16384)
    Looks.last.answer.set_result(look_back(StretchTask(run_file, {}, 1000, 50_000)))
    panel.clock[0] += 0.2
    window.bridge.tick()
    assert panel.past.plot.isVisibleTo(panel)
    assert panel.past.curves[0].getData()[1].size > 10
    assert "of samples" in panel.past.words.text()
    window.resize(1366, 768)
    QApplication.processEvents()
    assert [f for f in faults_of(window) if "waterfall" in f and "screen" not in f] == []


def test_what_cannot_be_read_is_said_in_a_line_and_late_answers_are_dropped(
    looks, window, session, panel
):
    publish(window, session, panel, 2)
    session.sequence = 0
    publish(window, session, panel, 10, path="gone.h5")
    click(panel, 75e3, -0.25)
    panel.look.click()
    old = Looks.last.answer
    old.set_exception(FileError("gone.h5 does not exist"))
    panel.clock[0] += 0.2
    window.bridge.tick()
    assert panel.past.words.text() == "gone.h5 does not exist"
    panel.look.click()
    pending = Looks.last.answer
    click(panel, 76e3, -0.55)  # another pixel before the answer
    pending.set_exception(RuntimeError("late"))
    panel.clock[0] += 0.2
    window.bridge.tick()
    assert not panel.past.isVisibleTo(panel)
    panel.leave()
    assert Looks.last.closed


def test_the_process_ends_with_the_window(looks, window, session, panel):
    publish(window, session, panel, 2)
    session.sequence = 0
    publish(window, session, panel, 10, path="a.h5")
    click(panel, 75e3, -0.25)
    window.closer.done = True
    window.ask_close = lambda stopping: None
    window.close()
    assert Looks.last.closed


@pytest.fixture
def run_file(tmp_path):
    path = tmp_path / "run.h5"
    manifest = Manifest(1e5, ("a", "b"), (1e-3, 1e-3), mode="SIM")
    rng = np.random.default_rng(2)
    counts = rng.integers(-99, 99, (40_000, 2)).astype(np.int16)
    with Recorder(path, manifest) as recorder:
        recorder.write(Block(0, counts, np.array([1e-3, 1e-3])))
        later = Block(60_000, counts, np.array([1e-3, 1e-3]), sequence=1)
        recorder.write(later)
    return path


def test_a_look_back_takes_the_middle_of_a_long_stretch():
    assert middle_of(0, 100, 1e5) == (0, 100)
    start, stop = middle_of(10_000, 110_000, 1e5)
    assert stop - start == round(LONGEST * 1e5)
    assert start + stop == 120_000


@pytest.mark.parametrize(("given", "used"), [(512, 512), (20_000, None), (4, None), (None, None)])
def test_the_segment_of_then_is_taken_unless_it_is_too_long(run_file, monkeypatch, given, used):
    seen = []
    monkeypatch.setattr(
        "optobind.analysis.recorded.past.fit_stretch",
        lambda task: seen.append(task.segment) or FittedStretch(None),
    )
    look_back(StretchTask(run_file, {}, 0, 20_000, segment=given))
    assert seen == [used]


def test_a_look_back_over_a_gap_reads_what_there_is_and_one_beyond_says_so(run_file):
    found = look_back(StretchTask(run_file, {}, 35_000, 65_000))
    assert found.samples.shape[1] == 2
    assert found.unit == "V"
    assert isinstance(found.fitted, FittedStretch)
    with pytest.raises(InputError, match="holds no samples"):
        look_back(StretchTask(run_file, {}, 45_000, 46_000))
    with pytest.raises(FileError, match="does not exist"):
        look_back(StretchTask(Path("nowhere.h5"), {}, 0, 10))


# -- axes and colours -----------------------------------------------------------------------------


def test_times_are_labelled_in_round_numbers_of_their_unit():
    texts = [time_label(v) for v in (-60.0, -90.0, -7200.0, -5400.0, 0.0, -0.5, 2e-6, -30.0)]
    assert texts == ["−1 min", "−1 min 30", "−2 h", "−1 h 30", "0", "−500 ms", "2 µs", "−30 s"]
    for low, high in ((-36000.0, 0.0), (-60.0, 0.0), (0.0, 2e-4)):
        ticks = time_ticks(low, high, 5)[0][1]
        assert 2 <= len(ticks) <= 7
    assert time_ticks(0.0, math.nan, 5) == []


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_brightness_grows_evenly_away_from_the_background(theme):
    table = colours(theme, cyclic=False).astype(float)[1:, :3]
    light = table @ np.array([0.2126, 0.7152, 0.0722])
    steps = np.diff(light)
    assert (np.sign(np.median(steps)) * steps > -2.0).all()  # one way, but for rounding
    assert bool(light[-1] > light[0]) is (theme.name == "dark")
    assert np.array_equal(colours(theme, cyclic=True)[0], colours(theme, cyclic=False)[0])
