"""The buttons that fill and order a queue."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import QMenu, QToolButton

from ..viewmodels.plan_edits import KINDS
from ..viewmodels.queue import Entry, QueueModel
from ..widgets.flow import FlowBox
from .queue_files import QueueFiles

__all__ = ["QueueTools"]


class QueueTools(FlowBox):
    """Add, order, duplicate, remove; what cannot be done now is greyed out.

    Parameters
    ----------
    add : callable
        Puts a new plan of a kind into the queue.
    files : QueueFiles
        Asks for plans and sweeps on the disk.
    """

    shifted = pyqtSignal(int)

    def __init__(self, add: Callable[[str], object], files: QueueFiles) -> None:
        self.menu = QMenu()
        for kind in KINDS:
            self._entry(kind, lambda _=False, k=kind: add(k))
        self.menu.addSeparator()
        self._entry("Plan file …", lambda _=False: files.ask_plans())
        self._entry("Unfinished sweep …", lambda _=False: files.ask_sweep())
        self.add = _tool("Add", "put a plan at the end of the queue")
        self.add.setMenu(self.menu)
        self.add.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.up = _tool("▲", "earlier (Alt+Up)", "move earlier")
        self.down = _tool("▼", "later (Alt+Down)", "move later")
        self.copy = _tool("Duplicate", "the same plan once more")
        self.drop = _tool("Remove", "take the entry out (Del)")
        self.again = _tool("Go on", "finish this sweep: a new entry at the head of the queue")
        self.clear = _tool("Clear ended", "take out what has ended; it stays on the disk")
        super().__init__(self.add, self.up, self.down, self.copy, self.drop, self.again, self.clear)
        self.up.clicked.connect(lambda: self.shifted.emit(-1))
        self.down.clicked.connect(lambda: self.shifted.emit(1))

    def _entry(self, text: str, slot: Callable[..., object]) -> None:
        action = QAction(text, self.menu)
        action.triggered.connect(slot)
        self.menu.addAction(action)

    def enable(self, entry: Entry | None, model: QueueModel) -> None:
        """Offer what can be done with the entry that is chosen."""
        waits = entry is not None and entry.waits
        movable = [other for other in model.entries if other.waits]
        self.up.setEnabled(waits and movable[0] is not entry)
        self.down.setEnabled(waits and movable[-1] is not entry)
        self.copy.setEnabled(entry is not None)
        self.drop.setEnabled(entry is not None and entry.state != "running")
        self.again.setEnabled(entry is not None and entry.unfinished)
        ended = any(other.state not in ("waiting", "running") for other in model.entries)
        self.clear.setEnabled(ended)


def _tool(text: str, tip: str, name: str = "") -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setAccessibleName(name or text)
    return button
