"""A remote that holds the knobs is named, and loses them by a click."""

from __future__ import annotations

import threading

import pytest
from closed_windows import destroy
from fake_session import FakeSession
from PyQt6.QtCore import Qt
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import QApplication

from optobind.gui.services import Services
from optobind.gui.structure import faults_of
from optobind.gui.window import MainWindow
from optobind.models.errors import DeviceError


class Remotes:
    """Somebody who steers, who lets go when asked: at once, late, or never."""

    def __init__(self) -> None:
        self.owner: str | None = None
        self.may = threading.Event()
        self.may.set()
        self.error: Exception | None = None
        self.asked = 0

    def take_back(self) -> None:
        self.asked += 1
        assert self.may.wait(20.0)
        if self.error is not None:
            raise self.error
        self.owner = None


@pytest.fixture
def remotes():
    return Remotes()


@pytest.fixture
def window(qtbot, session: FakeSession, settings, remotes):
    services = Services(lambda path: None, lambda path: path, lambda a, b: {}, remotes=remotes)
    window = MainWindow(session, settings, services=services)
    window.resize(1366, 768)
    window.open()
    window.bridge.stop()
    yield window
    window.closer.done = True
    window.close()
    destroy(window)


def tick(window, until=lambda: True):
    for _ in range(2000):
        now = window.bridge.clock() + 1.0
        window.bridge.clock = lambda value=now: value
        window.bridge.tick()
        QApplication.processEvents()
        if until():
            return
        QApplication.instance().thread().msleep(5)
    pytest.fail("it did not happen")


def click(window):
    tool = window.controls.widgetForAction(window.remote_knobs.action)
    QTest.mouseClick(tool, Qt.MouseButton.LeftButton)


def test_nobody_is_named_while_nobody_steers(window):
    tick(window)
    assert not window.remote_knobs.action.isVisible()


def test_the_one_who_steers_is_named_and_loses_the_knobs_by_a_click(window, remotes):
    remotes.owner = "ana <b>&co"
    tick(window)
    assert window.remote_knobs.action.text() == "Take the knobs back from ana <b>&&co"
    assert "carried out beside yours" in window.remote_knobs.action.toolTip()
    assert window.remote_knobs.action in window.menus.session.actions()
    click(window)
    tick(window, lambda: window.bridge.pending == 0)
    assert remotes.asked == 1
    tick(window)
    assert not window.remote_knobs.action.isVisible()


def test_a_long_name_cuts_nothing_at_1366_by_768(window, remotes):
    remotes.owner = "notebook-of-the-whole-group-in-the-basement-at-night"
    tick(window)
    assert [f for f in faults_of(window) if "leaves the screen" not in f] == []
    assert "basement" in window.remote_knobs.action.toolTip()


def test_a_server_that_is_slow_is_not_waited_for_nor_asked_twice(window, remotes):
    remotes.owner = "ana"
    remotes.may.clear()
    tick(window)
    click(window)
    tick(window)
    assert not window.remote_knobs.action.isEnabled()
    click(window)
    tick(window)
    remotes.may.set()
    tick(window, lambda: window.bridge.pending == 0)
    assert remotes.asked == 1


def test_a_server_that_is_dead_is_said_and_can_be_asked_again(window, remotes):
    remotes.owner = "ana"
    remotes.error = DeviceError("the server has ended")
    tick(window)
    click(window)
    tick(window, lambda: window.bridge.pending == 0)
    assert window.log.lines[-1].text == "take the knobs back: the server has ended"
    tick(window)
    assert window.remote_knobs.action.isEnabled()


def test_a_window_that_lets_nobody_in_has_no_such_button(session, settings, qtbot):
    other = MainWindow(session, settings)
    assert other.remote_knobs is None
    other.closer.done = True
    other.close()
    destroy(other)
