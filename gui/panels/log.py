"""The permanent log: equal lines are counted."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from ...models.shown import shown
from ..bridge import Bridge
from ..plain import plain_tip
from ..theme import Theme
from .base import Panel

__all__ = ["LogPanel"]

_SHOWN = 300


class LogPanel(Panel):
    """Newest lines at the bottom."""

    name = "log"
    title = "Log"

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__(bridge, theme)
        self.body.setContentsMargins(0, 0, 0, 0)
        self.table = QTableWidget(0, 3)
        header = self.table.horizontalHeader()
        rows = self.table.verticalHeader()
        if header is not None and rows is not None:
            header.hide()
            header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
            header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
            header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
            rows.hide()
            rows.setDefaultSectionSize(20)
        self.table.setShowGrid(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.table.setMinimumHeight(44)
        self.body.addWidget(self.table)
        bridge.logged.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show the newest lines."""
        lines = list(self.bridge.log.lines)[-_SHOWN:]
        bar = self.table.verticalScrollBar()
        at_end = bar is None or bar.value() >= bar.maximum() - 1
        self.table.setRowCount(len(lines))
        for row, line in enumerate(lines):
            tone = QColor(self.theme.color(line.level))
            for column, text in enumerate((line.clock, line.level, line.label)):
                item = self.table.item(row, column)
                if item is None:
                    item = QTableWidgetItem()
                    self.table.setItem(row, column, item)
                if item.text() != text:
                    item.setText(shown(text))
                    item.setToolTip(plain_tip(line.text) if column == 2 else "")
                plain = column == 2 and line.level == "info"
                item.setForeground(QColor(self.theme.text) if plain else tone)
        if at_end:
            self.table.scrollToBottom()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        self.refresh()
