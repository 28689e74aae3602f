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
        self._short = ""
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    @property
    def shown_text(self) -> str:
        """The whole text where it fits, the short one otherwise."""
        fits = self.fontMetrics().horizontalAdvance(self.text()) <= self.width()
        return self.text() if fits or not self._short else self._short

    def show_text(self, text: str, tip: str | None = None, short: str = "") -> None:
        """Set text and tip; ``short`` stands for a text that has no room."""
        self._short = short
        if text != self.text():
            self.setText(text)
        self.setToolTip(text if tip is None else tip)

    def minimumSizeHint(self) -> QSize:
        """Height of a line, hardly any width."""
        return QSize(24, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the text as far as it fits."""
        with painting(self) as painter:
            text = painter.fontMetrics().elidedText(self.shown_text, self._mode, self.width())
            painter.setPen(self.palette().color(self.foregroundRole()))
            painter.drawText(self.rect(), int(self.alignment()), text)
