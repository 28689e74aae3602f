"""The menus of a window: files, session, view, help."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PyQt6.QtCore import QPoint
from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QInputDialog, QMenu, QWidget

from . import layout
from .palette import HelpDialog, Palette, show_about
from .panels.light import LightPanel
from .panels.traces import TracesPanel
from .pictures import Pictures, ask_where

if TYPE_CHECKING:
    from .window import MainWindow

__all__ = ["Menus"]

_LONGEST = 60  # letters of a path in a menu


class Menus:
    """Fills the menu bar.

    Parameters
    ----------
    window : MainWindow
        With its panels and docks.
    """

    def __init__(self, window: MainWindow) -> None:
        self.window, self.pictures = window, Pictures(window)
        bar = window.menuBar()
        assert bar is not None
        self.file = _menu(bar.addMenu("&File"))
        self.session = _menu(bar.addMenu("&Session"))
        self.view = _menu(bar.addMenu("&View"))
        self.help = _menu(bar.addMenu("&Help"))
        self._fill_file()
        self.layouts = _menu(self.view.addMenu("Layout"))
        self.fill_layouts()
        self._fill_session()
        self._fill_view()
        self.action(self.help, "Keys", lambda: HelpDialog(window).exec(), "F1")
        self.action(self.help, "Commands …", lambda: Palette(window).exec(), "Ctrl+K")
        self.action(self.help, "About optobind", lambda: show_about(window))

    def action(
        self,
        menu: QMenu,
        text: str,
        slot: Callable[..., object],
        shortcut: QKeySequence.StandardKey | str | None = None,
    ) -> QAction:
        """Add an entry to a menu."""
        action = QAction(text, self.window)
        action.triggered.connect(slot)
        if shortcut is not None:
            action.setShortcut(QKeySequence(shortcut))
        menu.addAction(action)
        return action

    def _fill_file(self) -> None:
        records = self.window.records
        opening = self.action(self.file, "Open run …", records.ask, QKeySequence.StandardKey.Open)
        self.recent = _menu(self.file.addMenu("Recent runs"))
        self.recent.aboutToShow.connect(self.fill_recent)
        able = records.services is not None
        opening.setEnabled(able)
        self.recent.setEnabled(able)
        self.file.addSeparator()
        self.saved = _menu(self.file.addMenu("Save what is plotted"))
        self.saved.aboutToShow.connect(lambda: self.pictures.fill(self.saved))
        self.pictures.fill(self.saved)
        self.action(self.file, "Save commands as Python …", self._keep_commands)
        for text, slot in self.window.file_actions():
            self.action(self.file, text, slot)
        self.file.addSeparator()
        self.action(self.file, "Close", self.window.close, QKeySequence.StandardKey.Quit)

    def fill_recent(self) -> None:
        """Offer the runs that were opened last."""
        records, menu = self.window.records, self.recent
        menu.clear()
        for path in records.recent():
            text = str(path)
            short = text if len(text) <= _LONGEST else f"… {text[-_LONGEST:]}"
            entry = short.replace("&", "&&")
            self.action(menu, entry, lambda _=False, p=path: records.open(p)).setToolTip(text)
        if menu.isEmpty():
            self.action(menu, "none yet", lambda: None).setEnabled(False)

    def _fill_session(self) -> None:
        """What lowers the trap light stands last, away from what is used every day."""
        window, menu = self.window, self.session
        if window.controls is None:  # a record: there is nothing to switch
            entry = menu.menuAction()
            if entry is not None:
                entry.setVisible(False)
            return
        window.controls.fill(menu)
        light = window.panels["light"]
        menu.addSeparator()
        if isinstance(light, LightPanel):
            self.action(menu, "Undo the light", light.undo, "Ctrl+Z")
        if window.session.rig.mode == "SIM":
            self.action(menu, "Reload lost particles", window.reload_particles)
        menu.addSeparator()
        self.action(menu, "Release particles …", window.release_particles)

    def _fill_view(self) -> None:
        window, menu = self.window, self.view
        menu.addSeparator()
        for dock in window.docks.values():
            menu.addAction(dock.toggleViewAction())
        menu.addSeparator()
        self.action(menu, "Dark / light colours", window.toggle_theme, "Ctrl+T")
        self.action(menu, "Colours of the system", window.follow_system)
        traces = window.panels["traces"]
        if isinstance(traces, TracesPanel) and window.controls is not None:
            text = "Freeze traces and spectra"
            self.action(menu, text, traces.freeze.toggle, "Ctrl+Space")

    def popup(self, plot: QWidget, place: QPoint) -> None:
        """Offer figure and data of the panel that a plot belongs to."""
        panel = next((p for p in self.window.panels.values() if p.isAncestorOf(plot)), None)
        if panel is not None:
            menu = QMenu(self.window)
            self.pictures.offer(menu, panel)
            menu.popup(place)

    def _keep_commands(self) -> None:
        """Write what was commanded in this window as a script."""
        path = ask_where(self.window, "Save commands", "session", "Python (*.py)")
        if path is not None:
            self.pictures.write_text(path, self.window.history.script(self.window.session.rig.name))

    def fill_layouts(self) -> None:
        """Offer the presets and the layouts of the user's."""
        window, menu = self.window, self.layouts
        menu.clear()
        for index, name in enumerate(window.presets, start=1):
            self.action(menu, name, lambda _=False, n=name: window.use_preset(n), f"Ctrl+{index}")
        menu.addSeparator()
        for name in layout.named_layouts(window.settings):
            self.action(menu, name, lambda _=False, n=name: window.use_named(n))
        self.action(menu, "Keep this layout as …", self._keep_layout)

    def _keep_layout(self) -> None:
        name, ok = QInputDialog.getText(self.window, "Keep this layout", "Name")
        if ok and name.strip():
            kept = name.strip().replace("/", "-")
            layout.save_named(self.window, self.window.settings, kept)
            self.fill_layouts()


def _menu(menu: QMenu | None) -> QMenu:
    assert menu is not None
    return menu
