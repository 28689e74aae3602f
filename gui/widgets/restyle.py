"""Style sheets without waste: Qt polishes a widget anew even when its sheet stays the same."""

from __future__ import annotations

from PyQt6.QtWidgets import QWidget

__all__ = ["restyle"]


def restyle(widget: QWidget, sheet: str) -> None:
    """Give a widget a style sheet unless it has it already."""
    if widget.styleSheet() != sheet:
        widget.setStyleSheet(sheet)
