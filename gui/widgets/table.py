"""Tables of numbers: whole or not there, never elided, copied as TSV."""

from __future__ import annotations

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QAction, QGuiApplication
from PyQt6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget

__all__ = ["copy_table", "plain_table", "table_text"]


def plain_table(*columns: str) -> QTableWidget:
    """Return an empty table that shows whole numbers and is read only.

    Parameters
    ----------
    *columns : str
        Titles.
    """
    table = QTableWidget(0, len(columns))
    table.setHorizontalHeaderLabels(columns)
    header, rows = table.horizontalHeader(), table.verticalHeader()
    if header is not None and rows is not None:
        for column in range(len(columns)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignRight)
        header.setMinimumSectionSize(16)
        rows.hide()
        rows.setDefaultSectionSize(21)
    table.setTextElideMode(Qt.TextElideMode.ElideNone)  # a number is whole or not there
    table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    table.setWordWrap(False)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    table.setShowGrid(False)
    table.setMinimumHeight(64)
    copy = QAction("Copy the table", table)
    copy.triggered.connect(lambda: copy_table(table))
    table.addAction(copy)
    table.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
    return table


def table_text(table: QTableWidget) -> str:
    """Return what a table shows, tab-separated, a line a row, titles first."""
    columns = [c for c in range(table.columnCount()) if not table.isColumnHidden(c)]
    heads = [table.horizontalHeaderItem(column) for column in columns]
    lines = ["\t".join("" if head is None else head.text() for head in heads)]
    for row in range(table.rowCount()):
        cells = [table.item(row, column) for column in columns]
        lines.append("\t".join("" if cell is None else cell.text() for cell in cells))
    return "\n".join(lines) + "\n"


def copy_table(table: QTableWidget) -> None:
    """Put what a table shows on the clipboard."""
    clipboard = QGuiApplication.clipboard()
    if clipboard is not None:
        clipboard.setText(table_text(table))
