"""Looks at every widget of a window: nothing cut, nothing over another, nothing outside.

Pictures of a screen pass when a number reads "7.081 kHz" that is 37.081 kHz; this does not.
"""

from __future__ import annotations

from itertools import combinations

from PyQt6.QtCore import QRect, Qt
from PyQt6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QApplication,
    QCheckBox,
    QComboBox,
    QDockWidget,
    QLabel,
    QLineEdit,
    QMainWindow,
    QSplitter,
    QStyle,
    QStyleOptionComboBox,
    QTabBar,
    QTableWidget,
    QToolBar,
    QWidget,
)

from .widgets.elided_label import ElidedLabel

__all__ = ["faults_of"]

_SLACK = 1  # px of rounding at fractional scales


def faults_of(window: QMainWindow) -> list[str]:
    """What is cut, elided, overlapping or outside in a shown window, a line each.

    Parameters
    ----------
    window : QMainWindow
        As it is on the screen.

    Returns
    -------
    list of str
        Empty when all is as it should be.
    """
    behind = _behind_tabs(window)
    shown = [
        w
        for w in window.findChildren(QWidget)
        if w.isVisible() and not _is_foreign(w) and not any(d.isAncestorOf(w) for d in behind)
    ]
    shown = [w for w in shown if w not in behind]
    found: list[str] = []
    for widget in shown:
        found += [f"{_name(widget)}: {fault}" for fault in _cut(widget)]
    for parent in (window, *shown):
        found += _overlaps(parent, behind)
    found += [f"{_name(w)}: outside {_name(p)}" for w in shown if (p := _left(w)) is not None]
    found += _beyond_the_screen(window)
    return found


def _behind_tabs(window: QMainWindow) -> list[QWidget]:
    """Docks that others hide: Qt counts them as visible."""
    docks = window.findChildren(QDockWidget)
    behind: list[QWidget] = [d for d in docks if d.visibleRegion().isEmpty()]
    # Qt keeps tab bars of docks that it does not need any more.
    bars = window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
    return behind + [b for b in bars if b.count() < 2 or b.visibleRegion().isEmpty()]


def _is_foreign(widget: QWidget) -> bool:
    """Whether Qt alone draws it: inner parts of scroll areas, tables and plots."""
    parent = widget.parentWidget()
    if parent is None or widget.objectName().startswith("qt_"):
        return True
    return isinstance(parent, QAbstractScrollArea) and parent.viewport() is not widget


def _name(widget: QWidget) -> str:
    """Where it is and what it shows."""
    text = ""
    if isinstance(widget, QLabel | QLineEdit | QAbstractButton):
        text = f" {widget.text()!r}"
    owner = widget
    while (up := owner.parentWidget()) is not None and not owner.objectName().startswith("dock-"):
        owner = up
    return f"{owner.objectName()}/{type(widget).__name__}{text}"


# -- cut ------------------------------------------------------------------------------------------


def _cut(widget: QWidget) -> list[str]:
    """What of the content of a widget does not fit into it."""
    if isinstance(widget, QTableWidget):
        return _cut_cells(widget)
    if isinstance(widget, QTabBar):
        return _cut_tabs(widget)
    need, room = _widths(widget)
    if need > room + _SLACK:
        return [f"needs {need} px, has {room}"]
    if isinstance(widget, QLabel) and widget.wordWrap():
        height = widget.heightForWidth(widget.width())
        if height > widget.height() + _SLACK:
            return [f"needs {height} px of height, has {widget.height()}"]
    return []


def _widths(widget: QWidget) -> tuple[int, int]:
    """Width that the text needs, and the width that there is, px."""
    metrics = widget.fontMetrics()
    if isinstance(widget, ElidedLabel):
        return metrics.horizontalAdvance(widget.shown_text), widget.width()
    if isinstance(widget, QLabel):
        plain = not widget.wordWrap() and widget.textFormat() is not Qt.TextFormat.RichText
        return (widget.sizeHint().width() if plain and widget.text() else 0), widget.width()
    if isinstance(widget, QLineEdit):
        margins = widget.textMargins()
        room = widget.width() - margins.left() - margins.right() - 14  # frame and padding
        return metrics.horizontalAdvance(widget.text() or widget.placeholderText()), room
    if isinstance(widget, QComboBox):
        option = QStyleOptionComboBox()
        widget.initStyleOption(option)
        style = widget.style()
        field = (
            QRect()
            if style is None
            else style.subControlRect(
                QStyle.ComplexControl.CC_ComboBox,
                option,
                QStyle.SubControl.SC_ComboBoxEditField,
                widget,
            )
        )
        return metrics.horizontalAdvance(widget.currentText()), field.width()
    if isinstance(widget, QAbstractButton):
        extra = 18 if isinstance(widget, QCheckBox) else 6  # indicator; frame
        return metrics.horizontalAdvance(widget.text().replace("&", "")) + extra, widget.width()
    return 0, widget.width()


def _cut_cells(table: QTableWidget) -> list[str]:
    """Cells of a table whose text is wider than its column."""
    found = []
    metrics = table.fontMetrics()
    for column in range(table.columnCount()):
        if table.isColumnHidden(column):
            continue
        room = table.columnWidth(column)
        for row in range(table.rowCount()):
            item = table.item(row, column)
            if item is not None and metrics.horizontalAdvance(item.text()) > room:
                found.append(f"cell {item.text()!r} has {room} px")
        header = table.horizontalHeaderItem(column)
        if header is not None and metrics.horizontalAdvance(header.text()) > room:
            found.append(f"header {header.text()!r} has {room} px")
    bar = table.horizontalScrollBar()
    if bar is not None and bar.maximum() > 0:
        found.append(f"{bar.maximum()} px of its columns are out of sight")
    return found


def _cut_tabs(bar: QTabBar) -> list[str]:
    """Tabs whose title is elided."""
    if bar.elideMode() is Qt.TextElideMode.ElideNone:
        return []
    metrics = bar.fontMetrics()
    return [
        f"tab {bar.tabText(k)!r} is elided"
        for k in range(bar.count())
        if metrics.horizontalAdvance(bar.tabText(k)) > bar.tabRect(k).width()
    ]


# -- overlapping and outside ----------------------------------------------------------------------


def _overlaps(parent: QWidget, behind: list[QWidget]) -> list[str]:
    """Children of a widget that lie over each other."""
    if isinstance(parent, QAbstractScrollArea | QSplitter | QComboBox | QLineEdit | QToolBar):
        return []
    children = [
        c
        for c in parent.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly)
        if c.isVisible()
        and c not in behind
        and not c.isWindow()
        and not c.objectName().startswith("qt_")
    ]
    found = []
    for one, other in combinations(children, 2):
        common = one.geometry().intersected(other.geometry())
        if common.width() > _SLACK and common.height() > _SLACK:
            found.append(f"{_name(one)} and {_name(other)} overlap")
    return found


def _left(widget: QWidget) -> QWidget | None:
    """Return the parent whose area a widget leaves; what can be scrolled to is within."""
    parent = widget.parentWidget()
    if parent is None or widget.isWindow():
        return None
    above = parent.parentWidget()
    if isinstance(above, QAbstractScrollArea) and above.viewport() is parent:
        bar = above.horizontalScrollBar()
        hidden = bar is not None and bar.maximum() > 0 and widget.width() > parent.width() + _SLACK
        return parent if hidden else None
    inside = parent.rect().adjusted(-_SLACK, -_SLACK, _SLACK, _SLACK)
    return None if inside.contains(widget.geometry()) else parent


def _beyond_the_screen(window: QMainWindow) -> list[str]:
    screen = window.screen() or QApplication.primaryScreen()
    if screen is None or screen.availableGeometry().contains(window.frameGeometry()):
        return []
    return [f"the window {window.frameGeometry()} leaves the screen {screen.availableGeometry()}"]
