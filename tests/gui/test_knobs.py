"""Knobs are safe: no jump, no lost key press, known before it is set, undone, asked where lost."""

from dataclasses import replace

import pytest
from PyQt6.QtCore import QEvent, QPointF, Qt
from PyQt6.QtGui import QMouseEvent
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication

from optobind.acquisition.snapshots import LightPreview
from optobind.gui.viewmodels.light import preview_text
from optobind.models.errors import NotTrappedError

TWO_PI = 6.283185307179586


def mouse(widget, kind, x, modifiers=Qt.KeyboardModifier.NoModifier):
    local = QPointF(x, widget.height() / 2)
    pressed = kind is QEvent.Type.MouseButtonPress
    held = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseButtonRelease else LEFT
    button = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseMove else LEFT
    place = QPointF(widget.mapToGlobal(local.toPoint()))
    QApplication.sendEvent(widget, QMouseEvent(kind, local, place, button, held, modifiers))
    return pressed


LEFT = Qt.MouseButton.LeftButton
PRESS, MOVE = QEvent.Type.MouseButtonPress, QEvent.Type.MouseMove
RELEASE = QEvent.Type.MouseButtonRelease


def sent(session):
    return [call[1] for call in session.calls if call[0] == "set_light"]


@pytest.fixture
def panel(window):
    window.bridge.tick()
    return window.panels["light"]


def test_a_click_on_the_track_sends_nothing(panel, session):
    slider = panel.rows["phi"].slider
    x = slider.position(-2.0)
    mouse(slider, PRESS, x)
    mouse(slider, MOVE, x + 1)
    mouse(slider, RELEASE, x + 1)
    assert slider.ghost is None
    assert sent(session) == []


def test_a_drag_takes_the_mark_along_without_a_jump(panel):
    slider = panel.rows["phi"].slider
    x = slider.position(0.3) + 6.0  # beside its middle
    mouse(slider, PRESS, x)
    mouse(slider, MOVE, x + 1.0)
    per_pixel = (slider.high - slider.low) / (slider.width() - 16.0)
    assert slider.ghost - 0.3 == pytest.approx(per_pixel, abs=0.003)


def test_with_shift_a_drag_is_ten_times_finer(panel):
    slider = panel.rows["phi"].slider
    x = slider.position(0.3)
    mouse(slider, PRESS, x)
    mouse(slider, MOVE, x + 10.0, Qt.KeyboardModifier.ShiftModifier)
    per_pixel = (slider.high - slider.low) / (slider.width() - 16.0)
    assert slider.ghost - 0.3 == pytest.approx(per_pixel, abs=0.003)


def test_no_key_press_is_lost_while_answers_are_under_way(window, panel, session):
    slider = panel.rows["phi"].slider
    for _ in range(5):
        QTest.keyClick(slider, Qt.Key.Key_Right)
    for _ in range(4):
        window.bridge.tick()
    assert sent(session)[-1].relative_phase == pytest.approx(0.3 + 5 * slider.step)
    assert len(sent(session)) == 2  # the first, and the newest once it was answered


def test_two_knobs_turned_at_once_both_stay(window, panel, session):
    QTest.keyClick(panel.rows["phi"].slider, Qt.Key.Key_Right)
    QTest.keyClick(panel.rows["balance"].slider, Qt.Key.Key_Right)
    for _ in range(4):
        window.bridge.tick()
    state = sent(session)[-1]
    assert state.relative_phase == pytest.approx(0.3 + panel.rows["phi"].slider.step)
    assert state.balance == pytest.approx(panel.rows["balance"].slider.step, abs=1e-9)


def test_the_ghost_says_before_release_what_the_light_would_do(panel, session):
    pair = {"g_r": TWO_PI * -480.0, "g_a": TWO_PI * 690.0}
    session.previewed = LightPreview(True, 512.0, pair)
    slider = panel.rows["phi"].slider
    x = slider.position(0.3)
    mouse(slider, PRESS, x)
    mouse(slider, MOVE, x + 10.0)
    assert sent(session) == []
    assert session.asked_preview.relative_phase == pytest.approx(slider.ghost)
    for words in ("trapped", "gᵣ −480 Hz", "gₐ 690 Hz", "512 /s"):
        assert words in panel.note.text()
    session.previewed = LightPreview(False, None)
    panel.show_note()
    assert "LOST" in panel.note.text()
    QTest.keyClick(slider, Qt.Key.Key_Escape)
    assert "LOST" not in panel.note.text()


def test_a_preview_that_is_not_known_yet_promises_nothing():
    assert preview_text(None)[0].startswith("computing")


def test_undo_sets_the_light_of_before(window, panel, session):
    before = session.light().requested
    for _ in range(2):
        QTest.keyClick(panel.rows["phi"].slider, Qt.Key.Key_Right)
        window.bridge.tick()
    assert panel.undo_button.isEnabled()
    panel.undo()
    window.bridge.tick()
    panel.undo()
    window.bridge.tick()
    assert sent(session)[-1] == before
    window.bridge.clock = lambda: 1e9
    window.bridge.tick()
    assert not panel.undo_button.isEnabled()


@pytest.mark.parametrize("answer", [False, True])
def test_light_that_would_lose_a_particle_asks_first(window, panel, session, answer):
    session.untrapped = NotTrappedError("no equilibrium at 2 mW per tweezer")
    asked = []
    panel.light_sender.ask = lambda parent, why: asked.append(why) or answer
    panel.rows["total_power"].commit(4e-3)
    for _ in range(3):
        window.bridge.tick()
    assert asked == ["no equilibrium at 2 mW per tweezer"]
    assert len(sent(session)) == (2 if answer else 1)
    lowered = session.light().requested.sites[0].power < 0.1
    assert lowered is answer
    assert not any("no equilibrium" in line.text for line in window.log.lines)


def test_while_a_run_holds_the_light_nothing_is_undone(window, panel, session):
    QTest.keyClick(panel.rows["phi"].slider, Qt.Key.Key_Right)
    window.bridge.tick()
    session.change(state="running", held_by="run 3")
    window.bridge.tick()
    count = len(sent(session))
    panel.undo()
    assert len(sent(session)) == count


def test_a_refused_change_leaves_the_other_knobs_as_they_are(window, panel, session):
    session.light_error = NotTrappedError("no")
    panel.light_sender.ask = lambda *_: False
    QTest.keyClick(panel.rows["phi"].slider, Qt.Key.Key_Right)
    window.bridge.tick()
    session.light_error = None
    QTest.keyClick(panel.rows["balance"].slider, Qt.Key.Key_Right)
    window.bridge.tick()
    assert sent(session)[-1].relative_phase == pytest.approx(0.3)
    assert replace(session.light()).requested.balance != 0.0
