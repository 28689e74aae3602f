"""The window of a record: the same panels, a time slider in place of devices and runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QSettings, Qt
from PyQt6.QtGui import QCloseEvent
from PyQt6.QtWidgets import QFileDialog

from ..analysis.recorded.session import RecordedSession
from . import layout
from .background import in_background
from .notebooks import open_notebook
from .panels.base import Panel
from .panels.compare import ComparePanel
from .panels.fit import FitPanel
from .panels.light import LightPanel
from .panels.log import LogPanel
from .panels.phase_space import PhaseSpacePanel
from .panels.phases import PhasesPanel
from .panels.record import RecordPanel
from .panels.record_waterfall import RecordWaterfallPanel
from .panels.reheating import ReheatingPanel
from .panels.slow_channels import SlowChannelsPanel
from .panels.traces import TracesPanel
from .pictures import ask_where
from .records import OPEN, remember
from .services import Services
from .theme import DARK, Theme
from .window import MainWindow

__all__ = ["RecordWindow"]


class RecordWindow(MainWindow):
    """A record that is looked at; it never touches a device.

    Parameters
    ----------
    session : RecordedSession
        The record; the window closes it.
    settings, theme, services
        As of :class:`.MainWindow`.
    """

    kinds: tuple[type[Panel], ...] = (
        RecordPanel,
        LightPanel,
        TracesPanel,
        FitPanel,
        ReheatingPanel,
        PhasesPanel,
        RecordWaterfallPanel,
        SlowChannelsPanel,
        PhaseSpacePanel,
        ComparePanel,
        LogPanel,
    )
    presets = layout.RECORD_PRESETS
    layout_key = "layout-record"

    def __init__(
        self,
        session: RecordedSession,
        settings: QSettings,
        theme: Theme = DARK,
        services: Services | None = None,
    ) -> None:
        self.record_session = session
        self._opened = time.time()
        super().__init__(session, settings, theme, services)
        remember(self, session.record.path)

    @property
    def title(self) -> str:
        """File and rig."""
        path = self.record_session.record.path
        return f"RECORD {path.parent.name}/{path.name} – {super().title}"

    def _set_corners(self) -> None:
        """The time slider is as wide as the window."""
        corner, area = Qt.Corner, Qt.DockWidgetArea
        for c in (corner.TopLeftCorner, corner.TopRightCorner):
            self.setCorner(c, area.TopDockWidgetArea)
        self.setCorner(corner.BottomLeftCorner, area.LeftDockWidgetArea)
        self.setCorner(corner.BottomRightCorner, area.RightDockWidgetArea)

    def _show_toasts(self) -> None:
        """Toast what happens now; what went wrong in the run stands in the log."""
        for line in self.log.take_toasts():
            if line.time >= self._opened:
                self.toasts.push(line)

    def _add_controls(self) -> None:
        """Nothing can be switched."""

    def _wire(self) -> None:
        super()._wire()
        panel = self.panels["record"]
        if isinstance(panel, RecordPanel):
            panel.report_wanted.connect(self.write_report)
            panel.compare_wanted.connect(self.ask_comparison)
            for button in (panel.report, panel.compare):
                button.setVisible(self.records.services is not None)

    def write_report(self) -> None:
        """Write the report of the run, in the background."""
        services, path = self.records.services, self.record_session.record.path
        if services is None:
            return
        self.log.write("info", f"writing the report of {path} …")
        future = in_background(lambda: services.report(path))

        def done(error: BaseException | None) -> None:
            if error is None:
                self.log.write("info", f"the report is {future.result()}")

        line = f"optobind report {path}"
        self.bridge.submit("report", lambda: future, line=line, done=done)

    def file_actions(self) -> list[tuple[str, Callable[[], object]]]:
        """The stretch that is seen goes on in a notebook."""
        return [("Open in notebook …", self.open_notebook)]

    def open_notebook(self) -> None:
        """Write a notebook of the stretch that is seen and open it."""
        own = self.record_session.record.path
        filters = "Notebook (*.ipynb)"
        path = ask_where(self, "Open in notebook", str(own.with_suffix(".ipynb")), filters)
        if path is None:
            return
        future = in_background(lambda: open_notebook(self.record_session.write_notebook(path)))

        def done(error: BaseException | None) -> None:
            if error is None:
                self.log.write("info", future.result())

        self.bridge.submit("notebook", lambda: future, done=done)

    def choose_other(self) -> Path | None:
        """Ask for the run to compare with."""
        folder = str(self.record_session.record.path.parent)
        title = "Compare with another run"
        name, _ = QFileDialog.getOpenFileName(self, title, folder, "Run files (*.h5 *.hdf5)")
        return Path(name) if name else None

    def ask_comparison(self) -> None:
        """Ask for another run and set it beside this one."""
        other = self.choose_other()
        if other is not None:
            self.compare(other)

    def compare(self, other: Path) -> None:
        """Set another run beside this one; both are fitted whole, in the background."""
        services, own = self.records.services, self.record_session.record.path
        panel = self.panels["compare"]
        if services is None or not isinstance(panel, ComparePanel):
            return
        panel.begin(own, other)
        self.docks["compare"].show()
        self.docks["compare"].raise_()
        future = in_background(lambda: services.compare(own, other))

        def done(error: BaseException | None) -> None:
            if error is None:
                panel.show_comparison(future.result())
            else:
                panel.fail(str(error))

        line = f"optobind compare {own} {other}"
        self.bridge.submit("compare", lambda: future, line=line, done=done)

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Let go of the window once it is closed."""
        super().closeEvent(event)
        if event is not None and event.isAccepted():
            OPEN.discard(self)
