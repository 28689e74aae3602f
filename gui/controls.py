"""The fixed toolbar: what must be in reach whatever docks are shown, each with its shortcut."""

from __future__ import annotations

from dataclasses import dataclass

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QAction, QKeySequence
from PyQt6.QtWidgets import QAbstractButton, QMenu, QToolBar, QWidget

from ..acquisition.snapshots import SessionStatus
from .panels.light import LightPanel
from .panels.rig import RigPanel
from .panels.run import RunPanel
from .plain import PlainLabel, plain_tip
from .theme import Theme
from .widgets.restyle import restyle

__all__ = ["Controls"]


@dataclass
class _Control:
    """An action that presses a button of a panel, and follows it."""

    action: QAction
    button: QAbstractButton


class Controls(QToolBar):
    """Stream, Feedback, Start, Pause, Stop and Abort.

    The panels decide what acts now: an action presses the panel's button, also in a hidden dock.

    Parameters
    ----------
    rig, light, run : RigPanel, LightPanel, RunPanel
        Own the buttons.
    theme : Theme
        Colours.
    """

    def __init__(self, rig: RigPanel, light: LightPanel, run: RunPanel, theme: Theme) -> None:
        super().__init__("Controls")
        self.setObjectName("controls")
        self.setMovable(False)
        self.setFloatable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        hide = self.toggleViewAction()
        if hide is not None:
            hide.setVisible(False)  # no menu takes it away
        self.theme, self._light = theme, light
        self._controls: dict[str, _Control] = {}
        self._add("stream", "Stream", "F5", rig.stream_button)
        self._add("feedback", "Feedback", "F6", light.gate)
        self.word = PlainLabel()
        self.word.setMargin(4)
        self.addWidget(self.word)
        self.addSeparator()
        self._add("start", "Start", "F9", run.start_button)
        self._add("pause", "Pause", "F7", run.pause_button)
        self._add("stop", "Stop", "F8", run.stop_button)
        self._add("abort", "Abort", "Shift+F8", run.abort_button)
        tool = self.widgetForAction(self.action("abort"))
        if isinstance(tool, QWidget):
            tool.setObjectName("danger")

    def _add(self, name: str, text: str, keys: str, button: QAbstractButton) -> None:
        action = QAction(text, self)
        action.setShortcut(QKeySequence(keys))
        action.setCheckable(button.isCheckable())
        action.triggered.connect(lambda _=False, n=name: self._press(n))
        self._controls[name] = _Control(action, button)
        self.addAction(action)

    def action(self, name: str) -> QAction:
        """Return the action of a name: stream, feedback, start, pause, stop or abort."""
        return self._controls[name].action

    def fill(self, menu: QMenu) -> None:
        """Offer the same in a menu."""
        for control in self._controls.values():
            menu.addAction(control.action)

    def _press(self, name: str) -> None:
        self._controls[name].button.click()
        self._follow()

    def show_status(self, status: SessionStatus) -> None:
        """Follow the panels, which have taken the status already."""
        self._follow()
        self.word.setText(self._light.gate_word.text())
        released = status.held_by is not None
        tone = {True: "good", False: "info" if released else "warning", None: "info"}
        color = self.theme.color(tone[self._light.feedback])
        restyle(self.word, f"color: {color}; font-weight: 600")
        self.word.setToolTip(self._light.gate_word.toolTip())

    def _follow(self) -> None:
        for control in self._controls.values():
            action, button = control.action, control.button
            action.setEnabled(button.isEnabled())
            action.setChecked(button.isChecked())
            keys = action.shortcut().toString()
            action.setToolTip(plain_tip(f"{button.toolTip() or button.text()} ({keys})"))
        pause = self._controls["pause"]
        pause.action.setText(pause.button.text())

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self.theme = theme
