"""Nothing is cut, elided, overlapping or outside, on small screens and at large scales."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PyQt6.QtWidgets import QApplication, QLabel, QMainWindow, QPushButton, QWidget

from optobind.gui.structure import faults_of
from optobind.gui.viewmodels.units import HeldPrefixes, value_with_error
from optobind.gui.widgets.elided_label import ElidedLabel

DRIVE = Path(__file__).with_name("drive_structure.py")


@pytest.fixture
def bare(qtbot):
    """A window with a widget of a fixed size in it."""
    window = QMainWindow()
    qtbot.addWidget(window)
    room = QWidget()
    room.setFixedSize(300, 100)
    window.setCentralWidget(room)
    window.show()
    return window, room


def test_a_sound_window_has_no_faults(bare):
    window, room = bare
    label = QLabel("37.081 kHz", room)
    label.adjustSize()
    label.show()
    assert faults_of(window) == []


def test_what_is_cut_overlaps_or_sticks_out_is_found(bare):
    window, room = bare
    cut = QLabel("37.081 kHz", room)
    cut.setGeometry(0, 0, 30, 20)
    over = QPushButton("a", room)
    over.setGeometry(20, 0, 40, 20)
    out = QPushButton("b", room)
    out.setGeometry(280, 60, 40, 20)
    elided = ElidedLabel("simulated PatternPlayer")
    elided.setParent(room)
    elided.setGeometry(100, 60, 40, 20)
    for widget in (cut, over, out, elided):
        widget.show()
    found = "\n".join(faults_of(window))
    for words in ("'37.081 kHz': needs", "overlap", "'b': outside", "PatternPlayer': needs"):
        assert words in found


def test_a_row_keeps_its_unit_from_fit_to_fit():
    held = HeldPrefixes()
    units = [value_with_error(v, 5.0, "Hz", held, "g_a")[1] for v in (950.0, 1003.0, 998.0, 1010.0)]
    assert units == ["Hz"] * 4
    assert value_with_error(1003.0, 5.0, "Hz", held, "g_a")[0] == "1003.0 ± 5.0"
    assert value_with_error(75e3, 5.0, "Hz", held, "g_a") == ("75.0000 ± 0.0050", "kHz")


@pytest.mark.study
@pytest.mark.parametrize("scale", ["1", "1.5", "2"])
@pytest.mark.parametrize("screen", ["1366x768", "1920x1080"])
def test_nothing_is_cut_on_a_screen_at_a_scale(scale, screen):
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "QT_SCALE_FACTOR": scale}
    done = subprocess.run(
        [sys.executable, str(DRIVE), screen, scale],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {}


def test_nothing_is_cut_at_1366_by_768(window, session):
    session.publish(reheating=40)
    session.predicted = {n: p.value for n, p in session.fit().result.parameters.items()}
    window.resize(1366, 768)
    window.use_preset("Run")
    for _ in range(3):
        now = window.bridge.clock() + 1.0
        window.bridge.clock = lambda value=now: value
        window.bridge.tick()
        QApplication.processEvents()
    window.spectra.set_band((37081.0, 123456.0))
    session.say("warning", "digitizer: overflow; 2048 samples lost; close other programs " * 3)
    window.bridge.tick()
    QApplication.processEvents()
    found = [f for f in faults_of(window) if "leaves the screen" not in f]
    assert found == []
    assert (window.width(), window.height()) == (1366, 768)


def test_cursors_fit_into_the_narrow_spectra_of_the_reheating_layout(window, session):
    session.publish(reheating=40)
    window.resize(1366, 768)
    window.use_preset("Reheating")
    window.spectra.cursor_button.setChecked(True)
    for _ in range(3):
        now = window.bridge.clock() + 1.0
        window.bridge.clock = lambda value=now: value
        window.bridge.tick()
        QApplication.processEvents()
    assert [f for f in faults_of(window) if "SpectraPanel" in f or "CursorRow" in f] == []
