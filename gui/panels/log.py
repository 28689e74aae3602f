"""The permanent log: in the order of time, wrapped, filtered, to be copied; repeats are counted."""

from __future__ import annotations

from PyQt6.QtCore import QSize
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QLineEdit, QTextEdit, QToolButton

from ..bridge import Bridge
from ..plain import in_html
from ..theme import Theme
from ..viewmodels.log import LogLine
from ..widgets.flow import FlowBox
from .base import Panel

__all__ = ["LogPanel"]

_SHOWN = 300
_LEVELS = ("info", "warning", "error")


class _View(QTextEdit):
    """Text in what room there is: Qt wants 192 px, and the newest line would be out of sight."""

    def sizeHint(self) -> QSize:
        """Small: the dock decides."""
        return QSize(200, self.minimumHeight())


class LogPanel(Panel):
    """Newest lines at the bottom; a reader who has scrolled up is left where he is."""

    name = "log"
    title = "Log"

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__(bridge, theme)
        self.body.setContentsMargins(4, 3, 4, 0)
        self.body.setSpacing(2)
        self.levels = {level: self._level(level) for level in _LEVELS}
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("filter")
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(lambda _: self.refresh())
        self.copy_button = QToolButton()
        self.copy_button.setText("Copy")
        self.copy_button.setToolTip("copy what is selected, or all lines that are shown")
        self.copy_button.clicked.connect(self.copy)
        self.filter.setFixedWidth(140)
        self.body.addWidget(FlowBox(*self.levels.values(), self.filter, self.copy_button))
        self.view = _View()
        self.view.setReadOnly(True)
        self.view.setFrameShape(QTextEdit.Shape.NoFrame)
        self.view.setMinimumHeight(24)
        self.body.addWidget(self.view, 1)
        self.following, self._writing = True, False
        bar = self.view.verticalScrollBar()
        if bar is not None:
            bar.valueChanged.connect(self._scrolled)
            bar.rangeChanged.connect(self._resized)
        bridge.logged.connect(self.refresh)
        self.refresh()

    def _level(self, level: str) -> QToolButton:
        button = QToolButton()
        button.setText(level)
        button.setCheckable(True)
        button.setChecked(True)
        button.toggled.connect(lambda _: self.refresh())
        return button

    @property
    def lines(self) -> list[LogLine]:
        """Lines that the filter leaves, newest last."""
        chosen = [name for name, button in self.levels.items() if button.isChecked()]
        return self.bridge.log.chosen(chosen, self.filter.text())[-_SHOWN:]

    def refresh(self) -> None:
        """Show the newest lines."""
        counts = self.bridge.log.counts()
        for level, plural in (("warning", "warnings"), ("error", "errors")):
            number = counts[level]  # type: ignore[index]
            self.levels[level].setText(f"{number} {level if number == 1 else plural}")
        bar = self.view.verticalScrollBar()
        assert bar is not None
        place, self._writing = bar.value(), True
        self.view.setHtml("".join(self._html(line) for line in self.lines))
        bar.setValue(bar.maximum() if self.following else place)
        self._writing = False

    def _scrolled(self, place: int) -> None:
        """Whoever scrolls away from the end reads there; at the end the newest lines follow."""
        bar = self.view.verticalScrollBar()
        if bar is not None and not self._writing:
            self.following = place >= bar.maximum() - 2

    def _resized(self, _: int, end: int) -> None:
        """A dock that changes its size keeps the newest line in sight."""
        bar = self.view.verticalScrollBar()
        if bar is not None and self.following:
            bar.setValue(end)

    def _html(self, line: LogLine) -> str:
        color = self.theme.color(line.level)
        text = self.theme.text if line.level == "info" else color
        return (
            f"<div><span style='color:{self.theme.muted}'>{line.clock}</span> "
            f"<span style='color:{color}'>{line.level}</span> &nbsp;"
            f"<span style='color:{text}; white-space:pre-wrap'>{in_html(line.label)}</span></div>"
        )

    def copy(self) -> None:
        """Copy what is selected, or all lines that are shown, as text."""
        selected = self.view.textCursor().selection().toPlainText()
        text = selected or "\n".join(f"{n.clock}\t{n.level}\t{n.label}" for n in self.lines)
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(text)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        self.refresh()
