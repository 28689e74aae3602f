"""Text of users, devices and files in the window: shown as it is, never read as HTML.

Qt takes a label or a tooltip for HTML when it looks so.
"""

from __future__ import annotations

from html import escape

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QLabel, QWidget

from ..models.shown import shown

__all__ = ["PlainLabel", "in_html", "plain_tip"]


class PlainLabel(QLabel):
    """A label that shows its text as it is, tooltip included.

    Parameters
    ----------
    text : str
        Plain.
    parent : QWidget, optional
        As of every widget.
    """

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)

    def setText(self, text: str | None) -> None:
        """Show a text."""
        super().setText(shown(text or ""))

    def setToolTip(self, text: str | None) -> None:
        """Explain on hovering."""
        super().setToolTip(plain_tip(text or ""))


def plain_tip(text: str) -> str:
    """Return a tooltip that Qt shows as this plain text."""
    plain = shown(text)
    if "<" not in plain and "&" not in plain:
        return plain
    return f"<span style='white-space: pre-wrap'>{escape(plain)}</span>"


def in_html(text: str) -> str:
    """Return plain text for a place within HTML."""
    return escape(shown(text))
