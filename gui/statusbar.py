"""The status bar: badge, state, lag, gaps, recording, and the last action as Python."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QLabel, QStatusBar, QToolButton

from ..acquisition.snapshots import SessionStatus
from .plain import PlainLabel
from .theme import Theme
from .viewmodels.statusbar import Cell, status_cells
from .widgets.elided_label import ElidedLabel
from .widgets.restyle import restyle

__all__ = ["StatusBar"]

_CELLS = ("mode", "state", "lag", "dropped", "stream", "gaps", "recording", "disk")


class StatusBar(QStatusBar):
    """Permanent cells on the left, last action on the right."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.setSizeGripEnabled(False)
        self.cells = {name: PlainLabel() for name in _CELLS}
        for label in self.cells.values():
            label.setMargin(3)
            self.addWidget(label)
        self.line = ""
        self.action = ElidedLabel("", Qt.TextElideMode.ElideMiddle)
        self.action.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.copy = QToolButton()
        self.copy.setText("Copy")
        self.copy.setToolTip("copy the last action as a line of Python")
        self.copy.clicked.connect(self._copy)
        self.copy.setEnabled(False)
        self.addWidget(self.action, 1)
        self.addWidget(self.copy)

    def show_status(self, status: SessionStatus) -> None:
        """Show a status."""
        cells = status_cells(status)
        for name, label in self.cells.items():
            self._show(name, label, getattr(cells, name))

    def _show(self, name: str, label: QLabel, cell: Cell) -> None:
        label.setVisible(bool(cell.text))
        if label.text() != cell.text:
            label.setText(cell.text)
        label.setToolTip(cell.tip)
        tone = self.theme.color(cell.severity)
        if name == "mode":
            sheet = f"background: {tone}; color: {self.theme.window}; font-weight: 700; "
            sheet += "border-radius: 4px; padding: 0px 7px;"
        elif cell.severity:
            sheet = f"color: {tone}; font-weight: 600"
        else:
            sheet = f"color: {self.theme.muted if name != 'state' else self.theme.text}"
        restyle(label, sheet)
        # The bar squeezes labels before it relayouts: a cut word reads like another state. A hint
        # never falls below the minimum that is set.
        label.setMinimumWidth(0)
        label.setMinimumWidth(label.sizeHint().width() + 4)

    def show_action(self, line: str) -> None:
        """Show the last action."""
        self.line = line
        self.copy.setEnabled(True)
        self._show_line()

    def _show_line(self) -> None:
        self.action.show_text(self.line, "last action as a line of Python\n" + self.line)
        restyle(self.action, f"color: {self.theme.muted}; font-family: monospace")

    def _copy(self) -> None:
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.line)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self.theme = theme
        self._show_line()
