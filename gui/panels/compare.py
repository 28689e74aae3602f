"""Another run beside the one that is shown: values with their distance, and the settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QTableWidget, QTableWidgetItem

from ..bridge import Bridge
from ..plain import PlainLabel
from ..theme import Theme
from ..viewmodels.compare import comparison_view
from ..widgets.restyle import restyle
from ..widgets.table import plain_table
from .base import Panel, hint

__all__ = ["ComparePanel"]


class ComparePanel(Panel):
    """The comparison of two runs."""

    name = "compare"
    title = "Compare"

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__(bridge, theme)
        self.verdict = PlainLabel("Compare …, in the record panel, sets another run beside this.")
        self.verdict.setWordWrap(True)
        self.body.addWidget(self.verdict)
        self.files = hint()
        self.body.addWidget(self.files)
        self.values = plain_table("", "A", "B", "Δ/σ")
        self.settings = plain_table("set differently", "A", "B")
        for table in (self.values, self.settings):
            table.hide()
            self.body.addWidget(table, 1)
        self.body.addStretch(0)
        self._severity = "info"

    def begin(self, own: Path, other: Path) -> None:
        """Say which runs are being compared."""
        self.files.setText(f"A {own}\nB {other}")
        self._say("fitting both runs …", "info")
        for table in (self.values, self.settings):
            table.hide()

    def fail(self, why: str) -> None:
        """Say why there is no comparison."""
        self._say(why, "error")

    def _say(self, text: str, severity: str) -> None:
        self._severity = severity
        self.verdict.setText(text)
        restyle(self.verdict, f"color: {self.theme.color(severity)}")

    def show_comparison(self, found: Mapping[str, Any]) -> None:
        """Show what ``optobind compare`` found."""
        view = comparison_view(found)
        self._say(view.verdict, "warning" if any(r.far for r in view.rows) else "good")
        rows: list[tuple[str, ...]] = [(r.symbol, r.one, r.other, r.deviation) for r in view.rows]
        self._fill(self.values, rows, [r.far for r in view.rows])
        self._fill(self.settings, list(view.settings), [False] * len(view.settings))

    def _fill(self, table: QTableWidget, rows: list[tuple[str, ...]], far: list[bool]) -> None:
        table.setRowCount(len(rows))
        table.setVisible(bool(rows))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for index, row in enumerate(rows):
            for column, text in enumerate(row):
                item = QTableWidgetItem(text)
                if column:
                    item.setTextAlignment(right)
                if far[index]:
                    item.setForeground(QColor(self.theme.color("warning")))
                table.setItem(index, column, item)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        restyle(self.verdict, f"color: {theme.color(self._severity)}")
