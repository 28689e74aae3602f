"""The main window: spectra in the centre, everything else in docks."""

from __future__ import annotations

import time
from collections.abc import Callable

from PyQt6.QtCore import QSettings, QSize, Qt, QTimer
from PyQt6.QtGui import QCloseEvent, QKeyEvent, QShowEvent
from PyQt6.QtWidgets import QApplication, QDockWidget, QMainWindow, QScrollArea

from ..acquisition.snapshots import SessionStatus
from ..models.shown import shown
from . import layout
from .bridge import Bridge
from .closing import CloseChoice, Closer, ask_close
from .controls import Controls
from .menus import Menus
from .panels.base import Panel
from .panels.fit import FitPanel
from .panels.light import LightPanel
from .panels.log import LogPanel
from .panels.phase_space import PhaseSpacePanel
from .panels.phases import PhasesPanel
from .panels.queue import QueuePanel
from .panels.reheating import ReheatingPanel
from .panels.rig import RigPanel
from .panels.run import RunPanel
from .panels.runs import RunsPanel
from .panels.spectra import SpectraPanel
from .panels.strips import StripsPanel
from .panels.sweep import SweepPanel
from .panels.traces import TracesPanel
from .panels.waterfall import WaterfallPanel
from .records import Records
from .releasing import ask_release
from .remotes import RemoteKnobs
from .services import Services
from .statusbar import StatusBar
from .theme import DARK, LIGHT, Theme, system_theme
from .viewmodels.history import History
from .viewmodels.log import LogModel
from .viewmodels.port import SessionPort
from .widgets.toasts import Toasts

__all__ = ["MainWindow"]

_KINDS: tuple[type[Panel], ...] = (
    RigPanel,
    LightPanel,
    RunPanel,
    TracesPanel,
    FitPanel,
    StripsPanel,
    ReheatingPanel,
    PhasesPanel,
    WaterfallPanel,
    PhaseSpacePanel,
    QueuePanel,
    SweepPanel,
    RunsPanel,
    LogPanel,
)


class MainWindow(QMainWindow):
    """The window of a session.

    Parameters
    ----------
    session : SessionPort
        What is shown; the window closes it.
    settings : QSettings
        Where layouts are kept.
    theme : Theme
        Colours to begin with.
    services : Services, optional
        What opens files; without it none can be opened.
    """

    kinds: tuple[type[Panel], ...] = _KINDS
    presets: tuple[str, ...] = layout.PRESETS
    layout_key = "layout"

    def __init__(
        self,
        session: SessionPort,
        settings: QSettings,
        theme: Theme = DARK,
        services: Services | None = None,
    ) -> None:
        super().__init__()
        self.session = session
        self.settings = settings
        self.theme = theme
        self.log = LogModel()
        self.history = History()
        self.bridge = Bridge(session, self.log, self)
        self.closer = Closer(self.bridge, lambda s: self.ask_close(s), self.close)
        self.panels: dict[str, Panel] = {}
        self.docks: dict[str, QDockWidget] = {}
        self.preset = self.presets[0]
        self.records = Records(self, services)
        self.controls: Controls | None = None
        self._fresh = True
        self.colours = str(settings.value("layout/theme", "system"))
        self._style(theme)  # before there are widgets that would be styled twice
        self.setObjectName("optobind-window")
        self.setWindowTitle(f"optobind – {self.title}")
        self.setDockNestingEnabled(True)
        self.setAnimated(False)  # it would paint a dozen layouts on the way
        self._set_corners()
        self._add_panels()
        self._add_controls()
        self.bar = StatusBar(theme)
        self.setStatusBar(self.bar)
        self.toasts = Toasts(theme)
        self.addToolBar(Qt.ToolBarArea.BottomToolBarArea, self.toasts)
        self.menus = Menus(self)
        self.remote_knobs = self._name_remotes()
        self._wire()
        self.bar.show_status(self.bridge.status)
        screen = self.screen()
        room = QSize(1600, 1000) if screen is None else screen.availableSize()
        self.resize(room.boundedTo(QSize(1600, 1000)))

    # -- construction -------------------------------------------------------------------------

    def _set_corners(self) -> None:
        corner, area = Qt.Corner, Qt.DockWidgetArea
        for c in (corner.TopLeftCorner, corner.BottomLeftCorner):
            self.setCorner(c, area.LeftDockWidgetArea)
        for c in (corner.TopRightCorner, corner.BottomRightCorner):
            self.setCorner(c, area.RightDockWidgetArea)

    def _add_panels(self) -> None:
        self.spectra = SpectraPanel(self.bridge, self.theme)
        self.panels["spectra"] = self.spectra
        self.setCentralWidget(_scrolled(self.spectra))
        for kind in self.kinds:
            panel = kind(self.bridge, self.theme)
            dock = QDockWidget(panel.title, self)
            dock.setObjectName(f"dock-{panel.name}")
            dock.setWidget(_scrolled(panel))
            self.panels[panel.name] = panel
            self.docks[panel.name] = dock
            self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
        for panel in self.panels.values():
            if panel.draws:
                self.bridge.register(panel)

    @property
    def title(self) -> str:
        """What the window is of."""
        return shown(self.session.rig.name)

    def file_actions(self) -> list[tuple[str, Callable[[], object]]]:
        """What the File menu offers of this kind of window alone."""
        return []

    def _add_controls(self) -> None:
        """Add the fixed toolbar."""
        rig, light, run = (self.panels[name] for name in ("rig", "light", "run"))
        assert isinstance(rig, RigPanel)
        assert isinstance(light, LightPanel)
        assert isinstance(run, RunPanel)
        self.controls = Controls(rig, light, run, self.theme)
        self.addToolBar(Qt.ToolBarArea.TopToolBarArea, self.controls)
        self.controls.show_status(self.bridge.status)

    def _name_remotes(self) -> RemoteKnobs | None:
        """Name who steers from elsewhere, where somebody is let in."""
        remotes = None if self.records.services is None else self.records.services.remotes
        if remotes is None or self.controls is None:
            return None
        return RemoteKnobs(remotes, self.bridge, self.controls, self.menus.session)

    def _wire(self) -> None:
        self.bridge.status_changed.connect(self._show_status)
        if self.controls is not None:
            self.bridge.status_changed.connect(self.controls.show_status)
        self.bridge.acted.connect(self.bar.show_action)
        self.bridge.acted.connect(self.history.take)
        self.bridge.logged.connect(self._show_toasts)
        fit = self.panels["fit"]
        if isinstance(fit, FitPanel):
            self.spectra.band_chosen.connect(fit.set_band)
            self.spectra.exclusion_chosen.connect(fit.set_exclude)
        self._wire_queue()
        phases, light = self.panels["phases"], self.panels["light"]
        if isinstance(phases, PhasesPanel) and isinstance(light, LightPanel):
            phases.attach(light)
        waterfall = self.panels.get("waterfall")
        if isinstance(waterfall, WaterfallPanel):
            waterfall.attach(self.spectra)

    def _wire_queue(self) -> None:
        """What the queue, its sweeps and the list of runs tell each other."""
        queue, sweep, runs = (self.panels.get(name) for name in ("queue", "sweep", "runs"))
        if not (
            isinstance(queue, QueuePanel)
            and isinstance(sweep, SweepPanel)
            and isinstance(runs, RunsPanel)
        ):
            return  # a record has none
        services = self.records.services
        queue.attach(None if services is None else services.runs)
        runs.attach(services, self.records)
        queue.sweep_begun.connect(sweep.follow)
        for panel in (queue, runs):
            panel.sweep_wanted.connect(sweep.show_folder)
            panel.sweep_wanted.connect(lambda _: self.docks["sweep"].raise_())
        queue.run_wanted.connect(self.records.open)
        phases = self.panels["phases"]
        if isinstance(phases, PhasesPanel):
            queue.previewed.connect(phases.preview)
            sweep.grown.connect(phases.show_sweep)
        runs.rest_wanted.connect(queue.files.add_sweep)
        runs.rest_wanted.connect(lambda _: self.docks["queue"].raise_())

    # -- layout and theme ---------------------------------------------------------------------

    def open(self) -> None:
        """Show the window as it was left, or in its default layout, and start to draw."""
        layout.apply_preset(self, self.preset)
        self._fresh = not layout.restore_layout(self, self.settings)
        self._keep_bars()
        self.show()
        self.bridge.start()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Give the docks their shares once the real size is known."""
        super().showEvent(event)
        QTimer.singleShot(0, self._share_out)

    def _share_out(self) -> None:
        if self._fresh:
            layout.resize_preset(self, self.preset)
        elif layout.centre_is_squeezed(self):
            self.use_preset(self.preset)
        self._fresh = False

    def whole_titles(self) -> None:
        """Have titles of tabbed docks shown whole."""
        layout.whole_titles(self)

    def use_preset(self, name: str) -> None:
        """Arrange the docks as a preset says."""
        self.preset = name
        layout.apply_preset(self, name)

    def use_named(self, name: str) -> None:
        """Arrange the docks as the user kept them."""
        layout.restore_named(self, self.settings, name)
        self._keep_bars()

    def _keep_bars(self) -> None:
        """No layout of the user's takes the controls away."""
        if self.controls is not None:
            self.controls.show()
        self.toasts.setVisible(bool(self.toasts.messages()))

    def apply_theme(self, theme: Theme) -> None:
        """Colour everything."""
        self.theme = theme
        self._style(theme)
        for panel in self.panels.values():
            panel.set_theme(theme)
        self.bar.set_theme(theme)
        if self.controls is not None:
            self.controls.set_theme(theme)
        self.bar.show_status(self.bridge.status)
        self.toasts.set_theme(theme)

    @staticmethod
    def _style(theme: Theme) -> None:
        app = QApplication.instance()
        if isinstance(app, QApplication):
            theme.apply(app)

    def toggle_theme(self) -> None:
        """Switch between dark and light, whatever the system has."""
        self.apply_theme(LIGHT if self.theme.name == "dark" else DARK)
        self.colours = self.theme.name

    def follow_system(self) -> None:
        """Take the colours of the system."""
        self.colours = "system"
        self.apply_theme(system_theme())

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Take the keys that no panel took."""
        if event is None or event.modifiers() != Qt.KeyboardModifier.NoModifier:
            super().keyPressEvent(event)
        elif event.key() == Qt.Key.Key_M:
            self.mark()
        elif not self.spectra.press(event.key()):
            super().keyPressEvent(event)

    def mark(self) -> None:
        """Mark this moment over time, in the log, and in the file of the run under way."""
        strips = self.panels.get("strips")
        if isinstance(strips, StripsPanel):
            strips.marks.append(time.time())
        if self.bridge.recorded:  # nothing is written into a record
            self.log.write("info", "marked")
            return

        def note() -> None:
            self.session.note("marked")  # its line of the log comes back with the others

        self.bridge.submit("mark", note, line='session.note("marked")')

    # -- running ------------------------------------------------------------------------------

    def _show_status(self, status: SessionStatus) -> None:
        self.bar.show_status(status)
        self.closer.poll()
        if self.closer.message:
            self.setWindowTitle(f"optobind – {shown(self.closer.message)}")

    def _show_toasts(self) -> None:
        for line in self.log.take_toasts():
            self.toasts.push(line)

    def ask_close(self, stopping: bool) -> CloseChoice:
        """Ask what to do with a run under way."""
        return ask_close(self, stopping)

    def ask_release(self) -> str | None:
        """Ask for the phrase that switches the trap light off."""
        return ask_release(self)

    def release_particles(self) -> None:
        """Switch the trap light off, if the user types so."""
        held = self.bridge.status.held_by
        if held is not None:
            self.log.write(
                "error", f"release particles: the light is held by {held}: stop it first"
            )
            return
        phrase = self.ask_release()
        if phrase is not None:
            self.bridge.submit(
                "release particles",
                lambda: self.session.release_particles(phrase),
                line=f"session.release_particles({phrase!r})",
            )

    def reload_particles(self) -> None:
        """Put lost particles of the simulated world back into their traps."""
        self.bridge.submit(
            "reload lost particles",
            self.session.reload_particles,
            line="session.reload_particles()",
        )

    def close_unasked(self, *, at_once: bool = False) -> None:
        """Close on a signal: a run is stopped orderly, at the second signal or ``at_once`` aborted.

        Nobody may be there to answer a question: those that are open are taken back.
        """
        while (question := QApplication.activeModalWidget()) is not None and question.close():
            pass
        self.closer.request(unasked=True, at_once=at_once)
        if self.closer.message:
            self.log.write("info", self.closer.message)

    def closeEvent(self, event: QCloseEvent | None) -> None:
        """Close when nothing is at risk; otherwise ask, stop orderly and close later."""
        if event is None:
            return
        if not self.closer.request():
            if self.closer.message:
                self.log.write("info", self.closer.message)
            event.ignore()
            return
        self.bridge.stop()
        for panel in self.panels.values():
            panel.leave()
        layout.save_layout(self, self.settings)
        event.accept()
        super().closeEvent(event)


def _scrolled(panel: Panel) -> QScrollArea:
    """Put a panel into a scroll area: wide panels must not squeeze the centre."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setWidget(panel)
    return area
