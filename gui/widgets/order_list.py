"""A list whose lines are wrapped and can be put into another order, by mouse and by keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PyQt6.QtCore import QPoint, QRect, Qt, pyqtSignal
from PyQt6.QtGui import QBrush, QColor, QKeyEvent, QMouseEvent, QPaintEvent, QResizeEvent
from PyQt6.QtWidgets import QApplication, QFrame, QListView, QListWidget, QListWidgetItem

from ..plain import plain_tip
from .painting import painting

__all__ = ["Line", "OrderList"]

_EDGE = 16  # px from an edge at which a drag scrolls
_LOW, _HIGH = 56, 320  # px of height, however few or many lines there are
_ROLE = Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class Line:
    """What an item shows: its key, text (with line breaks), colour, tip, whether it can be moved.

    ``color`` is empty for plain text.
    """

    key: int
    text: str
    color: str = ""
    tip: str = ""
    movable: bool = False


class OrderList(QListWidget):
    """Lines of texts; a drag, Alt+Up and Alt+Down ask for another order.

    The list does not move anything itself: its owner does, and shows the new order.

    Parameters
    ----------
    fixed : bool
        Be as high as the lines need, within bounds; else as high as there is room.
    """

    dropped = pyqtSignal(int, int)  # key, place
    shifted = pyqtSignal(int, int)  # key, step
    chosen = pyqtSignal(object)  # key or None

    def __init__(self, *, fixed: bool = True) -> None:
        super().__init__()
        self._fixed = fixed
        self._lines: tuple[Line, ...] = ()
        self._pressed: tuple[QPoint, int] | None = None
        self._place: int | None = None
        self.setWordWrap(True)
        self.setTextElideMode(Qt.TextElideMode.ElideNone)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSpacing(1)
        self.setMinimumHeight(_LOW)
        self.currentItemChanged.connect(lambda *_: self.chosen.emit(self.key))

    @property
    def key(self) -> int | None:
        """Key of the line that is chosen."""
        item = self.currentItem()
        return None if item is None else int(item.data(_ROLE))

    def show_lines(self, lines: Sequence[Line]) -> None:
        """Show lines; the chosen one stays chosen, and nothing moves under a drag."""
        lines = tuple(lines)
        if lines == self._lines or self._place is not None:
            return
        before, keys = self.key, [line.key for line in lines]
        same = keys == [line.key for line in self._lines]
        self._lines = lines
        self.blockSignals(True)
        if not same:
            bar = self.verticalScrollBar()
            place = 0 if bar is None else bar.value()
            self.clear()
            for _ in lines:
                self.addItem(QListWidgetItem())
            if bar is not None:
                bar.setValue(place)
        for row, line in enumerate(lines):
            self._fill(row, line)
        self.blockSignals(False)
        if not same:
            self.choose(before)
        self.fit_height()

    def fit_height(self) -> None:
        """Be as high as the lines need, within bounds: what is below has the rest."""
        if not self._fixed:
            return
        self.scheduleDelayedItemsLayout()
        self.executeDelayedItemsLayout()
        rects = [self._rect(row) for row in (0, self.count() - 1) if self.count()]
        need = 8 + (rects[-1].bottom() - rects[0].top() if rects else 0)
        height = min(max(need, _LOW), _HIGH)
        if height != self.height() or height != self.minimumHeight():
            self.setFixedHeight(height)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Lines break in other places."""
        super().resizeEvent(event)
        if event is not None and event.size().width() != event.oldSize().width():
            self.fit_height()

    def _fill(self, row: int, line: Line) -> None:
        item = self.item(row)
        assert item is not None
        item.setText(line.text)
        item.setToolTip(plain_tip(line.tip))
        item.setData(_ROLE, line.key)
        item.setForeground(QBrush(QColor(line.color)) if line.color else QBrush())

    def choose(self, key: int | None) -> None:
        """Choose the line of a key; none where there is no such line."""
        keys = [line.key for line in self._lines]
        row = keys.index(key) if key in keys else -1
        if row != self.currentRow():
            self.setCurrentRow(row)
        else:
            self.chosen.emit(self.key)

    # -- keys and mouse ---------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Alt with an arrow moves the line, Escape gives up a drag."""
        if event is None:
            return
        arrows = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        alt = event.modifiers() & Qt.KeyboardModifier.AltModifier
        if alt and event.key() in arrows:
            if self.key is not None:
                self.shifted.emit(self.key, arrows[Qt.Key(event.key())])
        elif event.key() == Qt.Key.Key_Escape and self._pressed is not None:
            self._let_go()
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Remember where a drag may begin."""
        super().mousePressEvent(event)
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        row = self.indexAt(event.pos()).row()
        if 0 <= row < len(self._lines) and self._lines[row].movable:
            self._pressed = event.pos(), self._lines[row].key

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Show where the line would go."""
        if event is None or self._pressed is None:
            return
        far = (event.pos() - self._pressed[0]).manhattanLength()
        if self._place is None and far < QApplication.startDragDistance():
            return
        self._scroll(event.pos().y())
        self._place = self._place_at(event.pos())
        viewport = self.viewport()
        if viewport is not None:
            viewport.update()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Ask for the new order."""
        pressed, place = self._pressed, self._place
        self._let_go()
        if pressed is not None and place is not None:
            self.dropped.emit(pressed[1], place)
        else:
            super().mouseReleaseEvent(event)

    def _let_go(self) -> None:
        self._pressed = self._place = None
        viewport = self.viewport()
        if viewport is not None:
            viewport.update()

    def _place_at(self, point: QPoint) -> int:
        """Place between the lines that is nearest to a point."""
        for row in range(self.count()):
            if point.y() < self._rect(row).center().y():
                return row
        return self.count()

    def _rect(self, row: int) -> QRect:
        return self.visualItemRect(self.item(row))

    def _scroll(self, y: int) -> None:
        bar, viewport = self.verticalScrollBar(), self.viewport()
        if bar is None or viewport is None:
            return
        if y < _EDGE:
            bar.setValue(bar.value() - _EDGE)
        elif y > viewport.height() - _EDGE:
            bar.setValue(bar.value() + _EDGE)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the place of a drag over the lines."""
        super().paintEvent(event)
        viewport, place = self.viewport(), self._place
        if place is None or viewport is None or not self.count():
            return
        last = place >= self.count()
        rect = self._rect(min(place, self.count() - 1))
        y = rect.bottom() if last else rect.top()
        with painting(viewport) as painter:
            painter.fillRect(0, y - 1, viewport.width(), 3, self.palette().highlight())
