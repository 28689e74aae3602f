"""Hands of an experimenter on a window that is shown: mouse and keys through the window system.

Events go to the native window, not to a widget: what lies over a button gets the click that was
meant for it, as on a real screen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from PyQt6.QtCore import QPoint, Qt, QTimer
from PyQt6.QtTest import QTest
from PyQt6.QtWidgets import (
    QApplication,
    QComboBox,
    QLineEdit,
    QMenu,
    QScrollArea,
    QTabBar,
    QToolButton,
    QWidget,
)

__all__ = ["Hands", "wait"]

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
_NONE = Qt.KeyboardModifier.NoModifier
_SOON_MS = 150
_PATIENCE = 5.0


def wait(seconds: float, until: Callable[[], Any] = lambda: False, what: str = "") -> None:
    """Let the window live for a while, or until something holds.

    Raises
    ------
    TimeoutError
        If ``what`` is named and did not come to hold.
    """
    # What must come may take long on a busy computer.
    end = time.monotonic() + seconds * (_PATIENCE if what else 1.0)
    while time.monotonic() < end:
        if until():
            return
        QTest.qWait(50)
    if what:
        raise TimeoutError(f"{what} did not happen within {seconds:g} s")


class Hands:
    """Clicks, drags and types.

    Parameters
    ----------
    window : QWidget
        Shown.
    """

    def __init__(self, window: QWidget) -> None:
        self.window = window

    def _native(self, widget: QWidget) -> Any:
        top = widget.window()
        assert top is not None
        return top.windowHandle()

    def _place(self, widget: QWidget, at: QPoint | None) -> QPoint:
        """Point of a widget in its window, after it was scrolled into sight."""
        parent = widget.parentWidget()
        while parent is not None:
            if isinstance(parent, QScrollArea):
                parent.ensureWidgetVisible(widget, 4, 4)
            parent = parent.parentWidget()
        QApplication.processEvents()
        top = widget.window()
        assert top is not None
        return widget.mapTo(top, widget.rect().center() if at is None else at)

    def click(
        self, widget: QWidget, at: QPoint | None = None, button: Qt.MouseButton = LEFT
    ) -> None:
        """Click a widget, in its middle unless told otherwise."""
        place = self._place(widget, at)
        QTest.mouseMove(self._native(widget), place)
        QTest.mouseClick(self._native(widget), button, _NONE, place)
        QTest.qWait(30)

    def double_click(self, widget: QWidget, at: QPoint) -> None:
        """Click twice."""
        place = self._place(widget, at)
        QTest.mouseDClick(self._native(widget), LEFT, _NONE, place)

    def see(self, widget: QWidget) -> None:
        """Scroll to a widget."""
        self._place(widget, None)

    def press(self, widget: QWidget, at: QPoint) -> None:
        """Press the left button and keep it down."""
        place = self._place(widget, at)
        QTest.mouseMove(self._native(widget), place)
        QTest.mousePress(self._native(widget), LEFT, _NONE, place)

    def move(self, widget: QWidget, start: QPoint, end: QPoint, steps: int = 12) -> None:
        """Move on, at a hand's pace."""
        for k in range(1, steps + 1):
            way = (end - start) * (k / steps)
            QTest.mouseMove(self._native(widget), self._place(widget, start + way))
            QTest.qWait(20)

    def release(self, widget: QWidget, at: QPoint) -> None:
        """Let the left button go."""
        QTest.mouseRelease(self._native(widget), LEFT, _NONE, self._place(widget, at))

    def key(self, key: Any, modifier: Any = _NONE) -> None:
        """Press a key, wherever the focus is."""
        if not self.window.isActiveWindow() and QApplication.activePopupWidget() is None:
            self.window.activateWindow()  # after a question; a window manager would
            wait(5.0, self.window.isActiveWindow, "the focus")
        QTest.keyClick(self.window.windowHandle(), key, modifier)
        QTest.qWait(30)

    def type_into(self, edit: QLineEdit, text: str) -> None:
        """Replace the text of a field and press Tab."""
        self.click(edit)
        self.key(Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        native = self._native(edit)
        for letter in text:
            QTest.keyClick(native, letter)
        self.key(Qt.Key.Key_Tab)

    def choose(self, box: QComboBox, text: str) -> None:
        """Choose an entry of a list that opens."""
        index = box.findText(text)
        if index < 0:
            raise LookupError(f"{text!r} is not offered")
        if index == box.currentIndex():
            return
        self.click(box)
        view = box.view()
        wait(3.0, view.isVisible, "a list that opens")
        QTest.qWait(QApplication.doubleClickInterval() + 100)  # before, it takes no click
        rect = view.visualRect(box.model().index(index, box.modelColumn()))
        QTest.mouseClick(view.viewport(), LEFT, _NONE, rect.center())
        wait(3.0, lambda: box.currentIndex() == index and not view.isVisible(), f"{text!r} chosen")

    def choose_menu(self, button: QToolButton, text: str) -> None:
        """Choose an entry of the menu of a button; the menu has a loop of its own."""
        menu = button.menu()
        assert menu is not None
        QTimer.singleShot(_SOON_MS, lambda: self._click_entry(menu, text))
        self.click(button)

    def _click_entry(self, menu: QMenu, text: str) -> None:
        if not menu.isVisible():
            QTimer.singleShot(_SOON_MS, lambda: self._click_entry(menu, text))
            return
        entry = next(a for a in menu.actions() if a.text() == text)
        QTest.mouseClick(menu, LEFT, _NONE, menu.actionGeometry(entry).center())

    def answer(self, text: str) -> None:
        """Type into the question that is about to open, and press Return."""
        QTimer.singleShot(_SOON_MS, lambda: self._answer(text, 40))

    def _answer(self, text: str, tries: int) -> None:
        question = QApplication.activeModalWidget()
        if question is None:
            if tries:
                QTimer.singleShot(_SOON_MS, lambda: self._answer(text, tries - 1))
            return
        field = question.findChild(QLineEdit)
        if field is not None:
            QTest.keyClicks(field, text)
        QTest.keyClick(question, Qt.Key.Key_Return)

    def raise_tab(self, dock: QWidget) -> None:
        """Bring a dock to the front by its tab; one without a tab is there already."""
        title = dock.windowTitle()
        for bar in self.window.findChildren(QTabBar):
            for index in range(bar.count()):
                if bar.isVisible() and bar.tabText(index) == title:
                    bar.setCurrentIndex(index)  # a tab that is scrolled away first
                    QTest.mouseClick(bar, LEFT, _NONE, bar.tabRect(index).center())
                    QTest.qWait(80)
                    return
