"""Numeric twins of the two cursors."""

from __future__ import annotations

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QToolButton, QVBoxLayout, QWidget

from ..plain import PlainLabel
from ..viewmodels.units import FREQUENCY, format_quantity, parse_quantity
from ..widgets.flow import FlowBox
from ..widgets.quantity_edit import QuantityEdit

__all__ = ["CursorRow"]


class CursorRow(QWidget):
    """Two fields; ``moved`` tells which cursor (0 or 1) goes to which frequency (Hz).

    ``exclude_wanted`` asks for what lies between them to be left out of fits, ``include_wanted``
    for all exclusions to be taken back.
    """

    moved = pyqtSignal(int, float)
    exclude_wanted = pyqtSignal()
    include_wanted = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(1)
        line: list[QWidget] = []
        self.edits = tuple(self._edit(index) for index in range(2))
        for name, edit in zip(("cursor A", "B"), self.edits, strict=True):
            caption = PlainLabel(name)
            caption.setObjectName("hint")
            line += [caption, edit]
        for text, tip, signal in (
            (
                "Exclude A … B",
                "leave what lies between the cursors out of fits",
                self.exclude_wanted,
            ),
            ("× Excl", "let fits use the whole band again", self.include_wanted),
        ):
            button = QToolButton()
            button.setText(text)
            button.setToolTip(tip)
            button.clicked.connect(lambda _=False, s=signal: s.emit())
            line.append(button)
        box.addWidget(FlowBox(*line))
        for edit in self.edits:
            box.addWidget(edit.reason)

    def _edit(self, index: int) -> QuantityEdit:
        edit = QuantityEdit(
            lambda text: parse_quantity(
                text, FREQUENCY, default_unit="kHz", low=1e-3, high=1e12, name="cursor"
            ),
            lambda value: format_quantity(value, FREQUENCY, digits=5),
        )
        edit.set_tip("type a frequency, for example 54.6 kHz, or drag the dashed line")
        edit.make_room("999.999 kHz")
        edit.committed.connect(lambda value: self.moved.emit(index, value))
        return edit

    def show_frequencies(self, frequencies: list[float | None]) -> None:
        """Show where the cursors are (Hz)."""
        for edit, frequency in zip(self.edits, frequencies, strict=True):
            edit.set_value(frequency)
