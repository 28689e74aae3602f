"""A coloured lamp; a word always stands beside it."""

from __future__ import annotations

from PyQt6.QtCore import QRectF
from PyQt6.QtGui import QColor, QPainter, QPaintEvent
from PyQt6.QtWidgets import QWidget

from ..theme import Theme
from .painting import painting

__all__ = ["Lamp"]


class Lamp(QWidget):
    """A round lamp of fixed size."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.severity = "off"
        self.setFixedSize(12, 12)

    def show_severity(self, severity: str) -> None:
        """Take the colour of a severity."""
        if severity != self.severity:
            self.severity = severity
            self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw."""
        with painting(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QColor(self.theme.border))
            painter.setBrush(QColor(self.theme.color(self.severity)))
            painter.drawEllipse(QRectF(1.5, 1.5, 9.0, 9.0))
