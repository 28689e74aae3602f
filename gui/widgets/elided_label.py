"""A label that gives way: its text is shortened to the room there is, the tip holds all of it."""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt
from PyQt6.QtGui import QPaintEvent
from PyQt6.QtWidgets import QSizePolicy

from ..plain import PlainLabel
from .painting import painting

__all__ = ["ElidedLabel"]


class ElidedLabel(PlainLabel):
    """Plain text on one line, elided when painted."""

    def __init__(
        self, text: str = "", mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight
    ) -> None:
        super().__init__(text)
        self._mode = mode
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def show_text(self, text: str, tip: str | None = None) -> None:
        """Set text and tip."""
        if text != self.text():
            self.setText(text)
        self.setToolTip(text if tip is None else tip)

    def minimumSizeHint(self) -> QSize:
        """Height of a line, hardly any width."""
        return QSize(24, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the text as far as it fits."""
        with painting(self) as painter:
            text = painter.fontMetrics().elidedText(self.text(), self._mode, self.width())
            painter.setPen(self.palette().color(self.foregroundRole()))
            painter.drawText(self.rect(), int(self.alignment()), text)
