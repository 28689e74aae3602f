"""Fixtures of the window's tests: no display, settings of their own, nothing left over."""

from __future__ import annotations

import gc
import os
import sys
import threading
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.pop("QT_QPA_PLATFORM_PLUGIN_PATH", None)

import pyqtgraph as pg
import pytest
from PyQt6.QtCore import QSettings

from optobind.gui.window import MainWindow

sys.path.insert(0, str(Path(__file__).parent))

from closed_windows import destroy
from fake_session import FakeSession


@pytest.fixture(autouse=True)
def _every_mouse_event_counts(qapp):
    pg.setConfigOption("mouseRateLimit", -1)


@pytest.fixture
def session():
    return FakeSession()


@pytest.fixture
def settings(tmp_path):
    return QSettings(str(tmp_path / "settings.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def window(qtbot, session, settings):
    window = MainWindow(session, settings)
    window.resize(1600, 1000)
    window.open()
    window.bridge.stop()  # tests tick by hand
    yield window
    window.ask_close = lambda stopping: None
    window.closer.done = True
    window.close()
    destroy(window)


@pytest.fixture(autouse=True)
def _collected_here():
    """As in the window: what Qt owns is destroyed by the thread of the tests alone."""
    gc.disable()
    yield
    gc.collect()
    gc.enable()


@pytest.fixture(autouse=True)
def no_dangling_threads():
    before = set(threading.enumerate())
    yield
    left = [t for t in threading.enumerate() if t not in before and t.is_alive()]
    for thread in left:
        thread.join(timeout=60.0)
    assert not [t for t in left if t.is_alive()]
