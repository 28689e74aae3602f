"""Command palette (Ctrl+K), help on keys, and About."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from PyQt6.QtCore import PYQT_VERSION_STR, QT_VERSION_STR, Qt
from PyQt6.QtGui import QAction, QKeyEvent
from PyQt6.QtWidgets import (
    QDialog,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QMessageBox,
    QTableWidgetItem,
    QVBoxLayout,
)

from .plain import PlainLabel
from .viewmodels.palette import KEYS, Command, matching
from .widgets.table import plain_table

if TYPE_CHECKING:
    from .window import MainWindow

__all__ = ["HelpDialog", "Palette", "about_text", "commands_of", "show_about"]


def commands_of(window: MainWindow) -> list[tuple[Command, QAction]]:
    """Every entry of the menus, with its menu in front."""
    bar = window.menuBar()
    found: list[tuple[Command, QAction]] = []
    for action in [] if bar is None else bar.actions():
        menu = action.menu()
        if menu is not None and action.isVisible():
            _collect(menu, _plain(action), found)
    return found


def _collect(menu: QMenu, path: str, found: list[tuple[Command, QAction]]) -> None:
    for action in menu.actions():
        inner = action.menu()
        if inner is not None:
            inner.aboutToShow.emit()  # some are filled when they are opened
            _collect(inner, f"{path} › {_plain(action)}", found)
        elif not action.isSeparator() and action.isVisible():
            keys = action.shortcut().toString()
            name = f"{path} › {_plain(action)}"
            found.append((Command(name, keys, action.isEnabled()), action))


def _plain(action: QAction) -> str:
    return action.text().replace("&&", "\0").replace("&", "").replace("\0", "&")


class Palette(QDialog):
    """Type a few letters, Return does it.

    Parameters
    ----------
    window : MainWindow
        Whose menus are offered.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.setObjectName("palette")
        self.setWindowTitle("Commands")
        self.entries = commands_of(window)
        self.field = QLineEdit()
        self.field.setPlaceholderText("type a command, for example: reheating")
        self.list = QListWidget()
        self.list.setMinimumWidth(460)
        box = QVBoxLayout(self)
        box.addWidget(self.field)
        box.addWidget(self.list)
        self.field.textChanged.connect(lambda _: self.refresh())
        self.field.returnPressed.connect(self.run)
        self.list.itemActivated.connect(lambda _: self.run())
        self.refresh()

    def refresh(self) -> None:
        """Offer what fits what was typed."""
        self.list.clear()
        commands = [command for command, _ in self.entries]
        for number in matching(commands, self.field.text()):
            command = commands[number]
            item = QListWidgetItem(f"{command.name}    {command.keys}".rstrip())
            item.setData(Qt.ItemDataRole.UserRole, number)
            if not command.enabled:
                item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.list.addItem(item)
        for row in range(self.list.count()):
            entry = self.list.item(row)
            if entry is not None and entry.flags() & Qt.ItemFlag.ItemIsEnabled:
                self.list.setCurrentRow(row)
                break

    def run(self) -> None:
        """Do what is chosen, if it acts now."""
        item = self.list.currentItem()
        if item is None or not item.flags() & Qt.ItemFlag.ItemIsEnabled:
            return
        action = self.entries[int(item.data(Qt.ItemDataRole.UserRole))][1]
        self.accept()
        action.trigger()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Arrows move through the list while typing goes on."""
        if event is not None and event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            step = 1 if event.key() == Qt.Key.Key_Down else -1
            row = self.list.currentRow() + step
            if 0 <= row < self.list.count():
                self.list.setCurrentRow(row)
            return
        super().keyPressEvent(event)


class HelpDialog(QDialog):
    """All keys of the window in one table."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.setObjectName("help")
        self.setWindowTitle("Keys")
        known = [(c.keys, c.name) for c, _ in commands_of(window) if c.keys]
        rows = [*known, *KEYS]
        self.table = plain_table("keys", "what they do")
        self.table.setRowCount(len(rows))
        for row, texts in enumerate(rows):
            for column, text in enumerate(texts):
                self.table.setItem(row, column, QTableWidgetItem(text))
        box = QVBoxLayout(self)
        box.addWidget(PlainLabel("Keys act while no text field is being typed into."))
        box.addWidget(self.table)
        self.resize(560, min(520, window.height()))


def about_text() -> str:
    """Versions of the program and of what draws it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        own = version("optobind")
    except PackageNotFoundError:
        own = "not installed as a package"
    return (
        f"optobind {own}\nOptical binding of levitated nanoparticles: experiments and analysis.\n\n"
        f"Python {platform.python_version()} · Qt {QT_VERSION_STR} · PyQt {PYQT_VERSION_STR}\n"
        "Physics: H. Rudolph et al., PRL 133, 233603 (2024)"
    )


def show_about(window: MainWindow) -> None:
    """Say which program this is."""
    box = QMessageBox(window)
    box.setWindowTitle("About optobind")
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setText(about_text())
    box.exec()
