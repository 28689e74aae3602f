"""Fields: what was typed is committed or refused with its reason beside it, never thrown away."""

import pytest
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication

from optobind.gui.widgets.quantity_edit import QuantityEdit
from optobind.models.errors import InputError


def type_into(edit, text, key=Qt.Key.Key_Tab):
    """Type over the field and leave it with a key, as a user does."""
    edit.window().activateWindow()
    edit.setFocus()
    edit.selectAll()
    QTest.keyClicks(edit, text)
    if key is not None:
        QTest.keyClick(edit, key)
    QApplication.processEvents()


def plans(session):
    return [call[1] for call in session.calls if call[0] == "start"]


@pytest.mark.parametrize("key", [Qt.Key.Key_Tab, Qt.Key.Key_Return, None])
def test_a_typed_number_of_repetitions_is_the_one_that_starts(window, session, key):
    panel = window.panels["run"]
    type_into(panel.edits["repetitions"], "12", key)
    panel.start()
    assert [plan.repetitions for plan in plans(session)] == [12]


def test_start_takes_every_digit_that_was_typed(window, session):
    panel = window.panels["run"]
    type_into(panel.edits["release_time"], "1.23456 ms")
    panel.start()
    (plan,) = plans(session)
    assert plan.release_time == pytest.approx(1.23456e-3, rel=1e-12)


def test_a_band_typed_with_tab_stays(window, session):
    session.publish()
    window.bridge.tick()
    type_into(window.spectra.band_low, "48 kHz")
    assert window.spectra.band_low.text() == "48 kHz"
    assert window.spectra.model.band[0] == pytest.approx(48e3)
    type_into(window.spectra.band_high, "0.09 MHz")
    assert window.spectra.model.band == pytest.approx((48e3, 90e3))


def test_a_band_beyond_the_spectrum_is_refused_not_moved(window, session):
    session.publish()
    window.bridge.tick()
    type_into(window.spectra.band_low, "50 kHz")
    type_into(window.spectra.band_high, "5 MHz")
    assert window.spectra.band_high.text() == "5 MHz"
    assert "1 MHz" in window.spectra.band_high.reason.text()


def test_every_field_keeps_refused_text_with_its_reason_beside_it(window, session):
    session.publish()
    window.spectra.show_cursors(True)
    window.bridge.tick()
    edits = [e for e in window.findChildren(QuantityEdit) if e.isVisible()]
    assert len(edits) >= 11
    for edit in edits:
        type_into(edit, "3 apples")
        for _ in range(3):
            window.bridge.tick()
        assert edit.text() == "3 apples", edit.toolTip()
        assert edit.reason.isVisible()
        assert "apples" in edit.reason.text()
        here, there = (w.mapToGlobal(w.rect().topLeft()) for w in (edit, edit.reason))
        assert 0 < there.y() - here.y() < 4 * edit.height()
        QTest.keyClick(edit, Qt.Key.Key_Escape)
        assert not edit.reason.isVisible()
        assert edit.text() != "3 apples"


def test_a_knob_typed_and_left_is_set_once(window, session):
    window.bridge.tick()
    edit = window.panels["light"].rows["phi"].edit
    type_into(edit, "0.7")
    sent = [c[1] for c in session.calls if c[0] == "set_light"]
    assert [s.relative_phase for s in sent] == pytest.approx([0.7])


def test_another_window_in_front_sends_nothing_and_keeps_the_text(window, session):
    window.bridge.tick()
    edit = window.panels["light"].rows["phi"].edit
    type_into(edit, "0.7", None)
    from PyQt6.QtGui import QFocusEvent

    away = QFocusEvent(QFocusEvent.Type.FocusOut, Qt.FocusReason.ActiveWindowFocusReason)
    QApplication.sendEvent(edit, away)
    window.bridge.tick()
    assert [c for c in session.calls if c[0] == "set_light"] == []
    assert edit.text() == "0.7"


def test_a_knob_that_the_device_refuses_keeps_what_was_typed(window, session):
    window.bridge.tick()
    session.light_error = InputError("φ = 0.7 rad is beyond the limit of 0.5 rad")
    edit = window.panels["light"].rows["phi"].edit
    type_into(edit, "0.7")
    for _ in range(3):
        window.bridge.tick()
    assert edit.text() == "0.700 rad"
    assert "beyond the limit" in edit.reason.text()


def test_start_waits_for_refused_text_anywhere(window, session):
    window.bridge.tick()
    type_into(window.panels["light"].rows["phi"].edit, "9 rad")
    panel = window.panels["run"]
    panel.start()
    assert plans(session) == []
    assert "9 rad" in panel.error.text()


def test_what_a_run_takes_is_shown_before_start_and_follows_the_fields(window, session):
    panel = window.panels["run"]
    assert "500" in panel.edits["repetitions"].text()
    for words in ("1 s", "2 MS per channel", "9.54 MB", "free"):
        assert words in panel.estimate.text()
    type_into(panel.edits["repetitions"], "1000", None)
    assert "18.7 MB" in panel.estimate.text()
    type_into(panel.edits["release_time"], "1 h")
    assert "too long" in panel.estimate.text()


def test_a_plan_larger_than_the_disk_says_when_it_is_full():
    from optobind.acquisition.estimates import RunEstimate
    from optobind.gui.viewmodels.run import estimate_text

    text, severity = estimate_text(RunEstimate(3600.0, 7_200_000_000, 10**12, 8e6, 8 * 10**9))
    assert severity == "error"
    assert text.endswith("the disk would be full after 16 min 40 s")
    refused = RunEstimate(1.0, 1, 1, 8e6, 10**9, "plan.release_time 1 h is too long")
    assert estimate_text(refused) == ("plan.release_time 1 h is too long", "error")
