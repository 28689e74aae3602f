"""A slider with three marks: read back (filled), requested (hollow), ghost (dashed)."""

from __future__ import annotations

import math

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import (
    QBrush,
    QColor,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QWheelEvent,
)
from PyQt6.QtWidgets import QSizePolicy, QWidget

from ..theme import Theme
from .painting import painting

__all__ = ["KnobSlider"]

_MARGIN = 8.0
_GRAB = 11.0  # px around the mark that take hold of it
_FINE = 0.1


class KnobSlider(QWidget):
    """Dragging the mark moves a ghost; releasing announces one value; Escape cancels.

    A click beside the mark changes nothing; with Shift, a drag is ten times finer.

    Parameters
    ----------
    low, high, step : float
        Range and step of arrow keys and wheel (only when focused).
    theme : Theme
        Colours.
    log : bool
        Equal lengths for equal ratios; then ``low`` is positive.
    """

    dragged = pyqtSignal(float)
    released = pyqtSignal(float)
    cancelled = pyqtSignal()

    def __init__(
        self, low: float, high: float, step: float, theme: Theme, *, log: bool = False
    ) -> None:
        super().__init__()
        self.log = log
        self.low, self.high, self.step = low, high, step
        self.theme = theme
        self.requested: float | None = None
        self.applied: float | None = None
        self.ghost: float | None = None
        self._dragging = False
        self._mouse = self._held = 0.0  # the mouse, and what it drags, px
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        """Preferred size."""
        return QSize(110, 24)

    def minimumSizeHint(self) -> QSize:
        """Smallest size."""
        return QSize(56, 24)

    def set_range(self, low: float, high: float, step: float) -> None:
        """Take another range."""
        self.low, self.high, self.step = low, high, step
        self.update()

    def show_values(self, requested: float | None, applied: float | None) -> None:
        """Move the marks; a drag under way goes on."""
        if (requested, applied) != (self.requested, self.applied):
            self.requested, self.applied = requested, applied
            self.update()

    def position(self, value: float) -> float:
        """Pixel of a value; the middle where there is only one, as of beams that stand still."""
        if not self.high > self.low:
            share = 0.5
        elif self.log:
            ratio = max(value, self.low) / self.low
            share = math.log(ratio) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return _MARGIN + min(max(share, 0.0), 1.0) * (self.width() - 2.0 * _MARGIN)

    def value_at(self, pixel: float) -> float:
        """Value at a pixel, on the grid of a tenth of a step."""
        if not self.high > self.low:
            return self.low
        share = (pixel - _MARGIN) / max(1.0, self.width() - 2.0 * _MARGIN)
        share = min(max(share, 0.0), 1.0)
        value = self.low + share * (self.high - self.low)
        if self.log:
            value = self.low * (self.high / self.low) ** share
        grid = 0.1 * self.step
        return min(max(round(value / grid) * grid, self.low), self.high)

    def cancel(self) -> None:
        """Drop the ghost."""
        if self._dragging or self.ghost is not None:
            self._dragging, self.ghost = False, None
            self.update()
            self.cancelled.emit()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Take hold of the mark; elsewhere on the track nothing jumps."""
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        if self.requested is None:
            return
        mark = self.position(self.requested)
        if abs(event.position().x() - mark) > _GRAB:
            return
        self._dragging = True
        self._mouse, self._held = event.position().x(), mark

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Move the ghost."""
        if event is not None and self._dragging:
            x = event.position().x()
            fine = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self._held += (x - self._mouse) * (_FINE if fine else 1.0)
            self._mouse = x
            self._move(self._held)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Announce the ghost's value, once."""
        if event is None or not self._dragging:
            return
        self._dragging = False
        value, self.ghost = self.ghost, None
        self.update()
        if value is not None:
            self.released.emit(value)

    def _move(self, pixel: float) -> None:
        self.ghost = self.value_at(pixel)
        self.update()
        self.dragged.emit(self.ghost)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Escape cancels; arrows step."""
        if event is None:
            return
        if event.key() == Qt.Key.Key_Escape:
            self.cancel()
        elif event.key() in (Qt.Key.Key_Right, Qt.Key.Key_Up):
            self._nudge(1.0)
        elif event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Down):
            self._nudge(-1.0)
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent | None) -> None:
        """Step, only when focused: scrolling a panel must not turn knobs."""
        if event is None:
            return
        if not self.hasFocus():
            event.ignore()
            return
        event.accept()
        self._nudge(1.0 if event.angleDelta().y() > 0 else -1.0)

    def _nudge(self, steps: float) -> None:
        if self.requested is not None and not self._dragging:
            top = max(self.high, self.requested)  # a typed value may lie beyond the slider
            value = min(max(self.requested + steps * self.step, self.low), top)
            self.released.emit(value)

    def focusOutEvent(self, event: QFocusEvent | None) -> None:
        """A drag that loses the focus is cancelled."""
        super().focusOutEvent(event)
        self.cancel()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the groove and the marks."""
        with painting(self) as painter:
            self._draw(painter)

    def _draw(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = 0.5 * self.height()
        theme, on = self.theme, self.isEnabled()
        groove = QRectF(_MARGIN, middle - 2.0, self.width() - 2.0 * _MARGIN, 4.0)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.border))
        painter.drawRoundedRect(groove, 2.0, 2.0)
        if self.low < 0.0 < self.high:
            painter.setBrush(QColor(theme.muted))
            painter.drawRect(QRectF(self.position(0.0) - 0.5, middle - 5.0, 1.0, 10.0))
        if self.applied is not None:
            self._dot(painter, self.applied, 5.0, theme.accent if on else theme.muted, None)
        if self.requested is not None:
            self._dot(painter, self.requested, 6.5, None, theme.text if on else theme.muted)
        if self.ghost is not None:
            self._dot(painter, self.ghost, 6.5, None, theme.color("warning"), dashed=True)
        if self.hasFocus():
            pen = QPen(QColor(theme.accent))
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4.0, 4.0)

    def _dot(
        self,
        painter: QPainter,
        value: float,
        radius: float,
        fill: str | None,
        line: str | None,
        *,
        dashed: bool = False,
    ) -> None:
        pen = QPen(QColor(line), 1.6) if line else QPen(Qt.PenStyle.NoPen)
        if line and dashed:
            pen.setStyle(Qt.PenStyle.DashLine)
            pen.setDashPattern([1.6, 1.2])
        painter.setPen(pen)
        painter.setBrush(QBrush(QColor(fill)) if fill else QBrush(Qt.BrushStyle.NoBrush))
        painter.drawEllipse(QPointF(self.position(value), 0.5 * self.height()), radius, radius)
