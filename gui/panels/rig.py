"""Devices by family with lamp, word, identity; connect and disconnect; pressure."""

from __future__ import annotations

from PyQt6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton

from ...acquisition.snapshots import SessionStatus
from ..bridge import Bridge
from ..plain import PlainLabel, in_html, plain_tip
from ..theme import Theme
from ..viewmodels.rig import DeviceRow, connected, device_rows, pressure_text
from ..widgets.elided_label import ElidedLabel
from ..widgets.lamp import Lamp
from ..widgets.restyle import restyle
from .base import Panel

__all__ = ["RigPanel"]


class RigPanel(Panel):
    """The rig panel."""

    name = "rig"
    title = "Rig"

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__(bridge, theme)
        self._rows: tuple[DeviceRow, ...] = ()
        self._widgets: list[tuple[Lamp, QLabel, QLabel, ElidedLabel]] = []
        self.pressure = ElidedLabel("–")
        self._busy = False
        top = QHBoxLayout()
        self.rig_name = QLabel(f"<b>{in_html(bridge.session.rig.name)}</b>")
        self.connect_button = QPushButton("Connect")
        self.connect_button.clicked.connect(self._toggle_connection)
        self.stream_button = QPushButton("Stream")
        self.stream_button.setCheckable(True)
        self.stream_button.setToolTip("live display without recording")
        self.stream_button.clicked.connect(self._toggle_stream)
        top.addWidget(self.rig_name, 1)
        top.addWidget(self.stream_button)
        self.stream_button.hide()  # it acts through the toolbar, which no layout hides
        top.addWidget(self.connect_button)
        self.body.addLayout(top)
        self.grid = QGridLayout()
        self.grid.setHorizontalSpacing(7)
        self.grid.setVerticalSpacing(3)
        self.grid.setColumnStretch(3, 1)
        self.body.addLayout(self.grid)
        self.body.addStretch(1)
        bridge.status_changed.connect(self.show_status)
        self.show_status(bridge.status)

    def show_status(self, status: SessionStatus) -> None:
        """Show states and pressure."""
        rows = device_rows(status)
        if rows != self._rows:
            self._rows = rows
            self._fill()
        self.pressure.show_text(pressure_text(status.pressure), "pressure")
        on = connected(status)
        self.connect_button.setText("Disconnect" if on else "Connect")
        held = status.held_by is not None
        self.connect_button.setEnabled(not self._busy and not (on and held))
        self.connect_button.setToolTip(
            plain_tip(f"held by {status.held_by}") if held else "reads states and writes nothing"
        )
        self.stream_button.setEnabled(on and not self._busy and not held)
        self.stream_button.setChecked(status.streaming)

    def _fill(self) -> None:
        """Show the rows; widgets are made anew only when the devices are others."""
        if len(self._widgets) != len(self._rows):
            self._rebuild()
        for row, (lamp, family, state, detail) in zip(self._rows, self._widgets, strict=True):
            lamp.theme = self.theme
            lamp.show_severity(row.lamp)
            family.setText(row.family)
            state.setText(row.state)
            bad = row.lamp == "bad"
            restyle(state, f"color: {self.theme.color(row.lamp)}" if bad else "")
            tip = f"{row.name} – driver {row.driver}\n{row.detail}".rstrip()
            lamp.setToolTip(plain_tip(tip))
            for label in (family, state):
                label.setToolTip(tip)
            if row.family == "gauge" and row.lamp == "good":
                self.pressure = detail
            else:
                detail.show_text(row.detail or row.driver, tip, short=row.driver)

    def _rebuild(self) -> None:
        for old in self._widgets:
            for gone in old:
                self.grid.removeWidget(gone)
                gone.deleteLater()
        self._widgets = []
        self.pressure = ElidedLabel()
        for index in range(len(self._rows)):
            detail = ElidedLabel()
            detail.setObjectName("hint")
            cells = (Lamp(self.theme), PlainLabel(), PlainLabel(), detail)
            for column, widget in enumerate(cells):
                self.grid.addWidget(widget, index, column)
            self._widgets.append(cells)

    def _toggle_connection(self) -> None:
        on = connected(self.bridge.status)
        self._busy = True
        self.connect_button.setEnabled(False)
        session = self.bridge.session
        self.bridge.submit(
            "disconnect" if on else "connect",
            session.disconnect if on else session.connect,
            line=f"session.{'disconnect' if on else 'connect'}()",
            done=self._answered,
        )

    def _toggle_stream(self) -> None:
        on = not self.bridge.status.streaming
        self._busy = True
        self.bridge.submit(
            "live display",
            lambda: self.bridge.session.stream(on),
            line=f"session.stream({on})",
            done=self._answered,
        )

    def _answered(self, _: BaseException | None) -> None:
        self._busy = False
        self.show_status(self.bridge.status)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        self._fill()
