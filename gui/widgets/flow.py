"""A layout that breaks lines: tools that do not fit beside each other go to the next line."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QPoint, QRect, QSize, Qt
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QLayout, QLayoutItem, QWidget

__all__ = ["FlowBox", "FlowLayout"]


class FlowLayout(QLayout):
    """Items from left to right, each in its preferred size.

    Parameters
    ----------
    spacing : int
        Between items and between lines, px.
    """

    def __init__(self, spacing: int = 4) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(spacing)

    def addItem(self, item: QLayoutItem | None) -> None:
        """Take an item; called by ``addWidget``."""
        if item is not None:
            self._items.append(item)

    def count(self) -> int:
        """Return how many items there are."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        """Return an item, None beyond the last."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        """Remove and return an item, None beyond the last."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        """Return none: the height follows from the width."""
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        """Return True."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Height of the lines at a width."""
        return self._arrange(QRect(0, 0, width, 0), move=False)

    def setGeometry(self, rect: QRect) -> None:
        """Place the items."""
        super().setGeometry(rect)
        self._arrange(rect, move=True)

    def sizeHint(self) -> QSize:
        """Smallest size: the widest item."""
        return self.minimumSize()

    def minimumSize(self) -> QSize:
        """Size of the largest item."""
        size = QSize()
        for item in self._items:
            if not item.isEmpty():
                size = size.expandedTo(item.minimumSize())
        return size

    def _arrange(self, rect: QRect, *, move: bool) -> int:
        """Break the items into lines and place them; return the height of all lines."""
        y = rect.y()
        for line in self._lines(rect.width()):
            height = max(size.height() for _, size in line)
            x = rect.x()
            for item, size in line:
                if move:
                    item.setGeometry(QRect(QPoint(x, y + (height - size.height()) // 2), size))
                x += size.width() + self.spacing()
            y += height + self.spacing()
        return max(0, y - self.spacing() - rect.y())

    def _lines(self, width: int) -> list[list[tuple[QLayoutItem, QSize]]]:
        """Items with their sizes, line by line."""
        lines: list[list[tuple[QLayoutItem, QSize]]] = []
        used = 0
        for item in self._items:
            if item.isEmpty():
                continue
            size = _wanted(item)
            if not lines or used + self.spacing() + size.width() > width:
                lines.append([])
                used = -self.spacing()
            lines[-1].append((item, size))
            used += self.spacing() + size.width()
        return lines


class FlowBox(QWidget):
    """Widgets in a flow; as high as its lines need, so that nothing is squeezed onto it.

    Parameters
    ----------
    *widgets : QWidget
        From left to right.
    """

    def __init__(self, *widgets: QWidget) -> None:
        super().__init__()
        self._flow = FlowLayout()
        self.setLayout(self._flow)
        for widget in widgets:
            self._flow.addWidget(widget)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Keep the height that the width needs."""
        super().resizeEvent(event)
        self.keep_height()

    def event(self, event: QEvent | None) -> bool:
        """Keep the height also when a text within grows."""
        if event is not None and event.type() is QEvent.Type.LayoutRequest:
            self.keep_height()
        return super().event(event)

    def keep_height(self) -> None:
        """Take the height of the lines."""
        height = self._flow.heightForWidth(max(1, self.width()))
        if self.height() != height or self.minimumHeight() != height:
            self.setFixedHeight(height)


def _wanted(item: QLayoutItem) -> QSize:
    """Preferred size within what the widget allows."""
    widget: QWidget | None = item.widget()
    size = item.sizeHint()
    return size if widget is None else size.expandedTo(widget.minimumSize())
