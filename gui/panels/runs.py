"""The runs of the output folder: opened, reported, compared, gone on with."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import QPoint, Qt, pyqtSignal
from PyQt6.QtGui import QGuiApplication, QShowEvent
from PyQt6.QtWidgets import QLineEdit, QMenu, QToolButton

from ...acquisition.snapshots import SessionStatus
from ..background import in_background
from ..bridge import Bridge
from ..services import Services
from ..theme import Theme
from ..viewmodels.run import RunModel
from ..viewmodels.runs import RunLine, RunsModel
from ..widgets.flow import FlowBox
from ..widgets.order_list import Line, OrderList
from .base import Panel, hint

if TYPE_CHECKING:
    from ..records import Records

__all__ = ["RunsPanel"]

_MOST = 200


class RunsPanel(Panel):
    """What was measured, the newest first; looked up in a process of its own."""

    name = "runs"
    title = "Runs"

    sweep_wanted = pyqtSignal(object)  # folder of a sweep that is to be shown
    rest_wanted = pyqtSignal(object)  # folder of one that is to be finished

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__(bridge, theme)
        self.records: Records | None = None
        self.services: Services | None = None
        self.model = RunsModel()
        self._looking: Future[Any] | None = None
        self._stale, self._active = True, False
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("filter")
        self.filter.setClearButtonEnabled(True)
        self.filter.setFixedWidth(150)
        self.filter.textChanged.connect(self._filtered)
        self.again = QToolButton()
        self.again.setText("Look again")
        self.again.setToolTip("read the folder of the runs anew")
        self.again.clicked.connect(self.refresh)
        self.body.addWidget(FlowBox(self.filter, self.again))
        self.said = hint()
        self.body.addWidget(self.said)
        self.list = OrderList(fixed=False)
        self.list.setAccessibleName("runs")
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._popup)
        self.list.itemActivated.connect(lambda _: self.open())
        self.body.addWidget(self.list, 1)
        bridge.status_changed.connect(self._follow)
        self._say("")

    def attach(self, services: Services | None, records: Records) -> None:
        """Take what opens runs, and where they are."""
        self.services, self.records = services, records
        self._say("")

    # -- looking ----------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent | None) -> None:
        """Look when the list is seen for the first time, and after runs that it has not seen."""
        super().showEvent(event)
        if self._stale:
            self.refresh()

    def _follow(self, status: SessionStatus) -> None:
        """Look again when a run has ended."""
        active = RunModel.active(status)
        ended, self._active = self._active and not active, active
        if ended:
            self._stale = True
        if self._stale and self._looking is None and not active and self.isVisible():
            self.refresh()

    def refresh(self) -> None:
        """Read the folder anew; one look at a time."""
        runs = None if self.services is None else self.services.runs
        if runs is None or self._looking is not None:
            return
        self._stale = False
        look = runs.runs
        self._looking = future = in_background(lambda: look(_MOST))
        self._say("looking …")

        def done(error: BaseException | None) -> None:
            self._looking = None
            if error is None:
                self.model.take(future.result())
            self._say("" if error is None else str(error))
            self.show_runs()

        self.bridge.submit("runs", lambda: future, done=done)

    def _say(self, text: str) -> None:
        runs = None if self.services is None else self.services.runs
        if not text and runs is not None:
            count = len(self.model.lines)
            first = f"the newest {count}" if count == _MOST else str(count)
            text = f"{first} in {runs.folder}" if count else f"no runs in {runs.folder} yet"
        self.said.setText(text or "this window lists no runs")

    def _filtered(self, words: str) -> None:
        self.model.words = words
        self.show_runs()

    def show_runs(self) -> None:
        """Show what the filter leaves."""
        self.list.show_lines(
            [
                Line(
                    number,
                    line.text,
                    "" if line.severity == "info" else self.theme.color(line.severity),
                    str(line.path),
                )
                for number, line in enumerate(self.model.chosen)
            ]
        )

    # -- what can be done with a run --------------------------------------------------------------

    @property
    def line(self) -> RunLine | None:
        """The run that is chosen."""
        key, lines = self.list.key, self.model.chosen
        return None if key is None or key >= len(lines) else lines[key]

    def open(self) -> None:
        """Open the chosen run in a window of its own, a sweep in the sweep's panel."""
        line = self.line
        if line is None or self.records is None:
            return
        if line.sweep:
            self.sweep_wanted.emit(line.path)
        else:
            self.records.open(line.path)

    def menu(self) -> QMenu:
        """Return what can be done with the chosen run."""
        menu, line = QMenu(self), self.line
        for text, slot, able in (
            ("Open", self.open, True),
            ("Report", self.report, True),
            ("Compare with …", self.compare, line is not None and not line.sweep),
            ("Copy path", self.copy_path, True),
            ("Go on in the queue", self.go_on, line is not None and line.unfinished),
        ):
            action = menu.addAction(text)
            assert action is not None
            action.setEnabled(able and line is not None)
            action.triggered.connect(lambda _=False, s=slot: s())
        return menu

    def _popup(self, place: QPoint) -> None:
        viewport = self.list.viewport()
        if self.list.itemAt(place) is not None and viewport is not None:
            self.menu().popup(viewport.mapToGlobal(place))

    def report(self) -> None:
        """Write the report of the chosen run, in the background."""
        line, services = self.line, self.services
        if line is None or services is None:
            return
        path, log = line.path, self.bridge.log
        log.write("info", f"writing the report of {path} …")
        future = in_background(lambda: services.report(path))

        def done(error: BaseException | None) -> None:
            if error is None:
                log.write("info", f"the report is {future.result()}")

        self.bridge.submit("report", lambda: future, line=f"optobind report {path}", done=done)

    def compare(self) -> None:
        """Open the chosen run and ask for the one to set beside it."""
        if self.line is not None and self.records is not None:
            self.records.open(self.line.path, then=lambda window: window.ask_comparison())

    def copy_path(self) -> None:
        """Put the path on the clipboard."""
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None and self.line is not None:
            clipboard.setText(str(Path(self.line.path).resolve()))

    def go_on(self) -> None:
        """Queue the rest of a sweep."""
        if self.line is not None and self.line.unfinished:
            self.rest_wanted.emit(self.line.path)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        self.show_runs()
