"""Live traces of the detectors."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from PyQt6.QtWidgets import QComboBox, QToolButton, QWidget

from ...acquisition.snapshots import SessionStatus, TraceSnapshot, TrackSnapshot
from ..bridge import Bridge
from ..plain import PlainLabel
from ..plots import LinePlot, add_curve, set_curve
from ..theme import Theme
from ..viewmodels.curves import Curve
from ..viewmodels.port import SessionPort
from ..viewmodels.traces import WINDOWS, TracesModel
from ..widgets.flow import FlowBox
from ..widgets.restyle import restyle
from .base import Panel

__all__ = ["TracesPanel"]

_MOST = 4


class TracesPanel(Panel):
    """One plot per channel, freezing, and a banner for what is wrong."""

    name = "traces"
    title = "Traces"
    period = 1.0 / 30.0
    draws = True

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__(bridge, theme)
        self.model = TracesModel()
        self.plots: list[LinePlot] = []
        self.curves: list[Any] = []
        self.overlays: list[Any] = []
        self._names: tuple[str, ...] = ()
        self.body.addWidget(self._tools())
        self.body.addWidget(self.banner)
        self.room = QWidget()  # keeps the tools at the top while there are no plots
        self.body.addWidget(self.room, 1)
        bridge.status_changed.connect(self.show_status)
        self.show_status(bridge.status)

    def _tools(self) -> FlowBox:
        self.freeze = QToolButton()
        self.freeze.setText("Freeze")
        self.freeze.setCheckable(True)
        self.freeze.setToolTip("hold traces and spectra; recording goes on (Ctrl+Space)")
        self.freeze.toggled.connect(self._set_frozen)
        self.window_box = QComboBox()
        for window in WINDOWS:
            self.window_box.addItem(TracesModel.window_label(window))
        self.window_box.setCurrentIndex(WINDOWS.index(self.model.window))
        self.window_box.currentIndexChanged.connect(self._set_window)
        self.auto = QToolButton()
        self.auto.setText("Auto")
        self.auto.setToolTip("let the ranges follow the signal again")
        self.auto.clicked.connect(self._follow)
        self.track = QToolButton()
        self.track.setText("Track")
        self.track.setCheckable(True)
        self.track.setToolTip("draw the motion that a Kalman filter on the live fit retrodicts")
        self.track.toggled.connect(self._set_tracking)
        self.tracked = PlainLabel()
        self.tracked.setObjectName("hint")
        self.tracked.hide()
        self.banner = PlainLabel()
        if self.bridge.recorded:  # nothing of it moves
            self.freeze.hide()
            self.track.hide()
        self.banner.setWordWrap(True)
        unit = PlainLabel("time in µs")
        unit.setObjectName("hint")
        tools = (self.freeze, self.window_box, self.auto, self.track, unit, self.tracked)
        return FlowBox(*tools)

    def pull(self, session: SessionPort) -> TraceSnapshot | TrackSnapshot | None:
        """Take the newest trace, with the tracked motion where it is asked for."""
        if self.model.frozen:
            return None
        if not self.track.isChecked():
            return session.trace()
        tracked = session.track()
        self.tracked.setText(self.model.tracked_text(tracked))
        return tracked or session.trace()

    def key(self, snapshot: TraceSnapshot | TrackSnapshot) -> Hashable:
        """Sequence number and window."""
        columns = self.plots[0].columns if self.plots else 0
        return type(snapshot), snapshot.sequence, self.model.window, columns

    def draw(self, snapshot: TraceSnapshot | TrackSnapshot) -> None:
        """Draw."""
        tracked = None
        if isinstance(snapshot, TrackSnapshot):
            tracked = snapshot.tracked
            trace = TraceSnapshot(
                snapshot.sequence,
                snapshot.first_sample,
                snapshot.sample_rate,
                snapshot.volts,
                snapshot.channels,
            )
        else:
            trace = self._chosen(snapshot)
        if trace.channels != self._names:
            self._build(trace.channels)
        view = self.model.view(trace, self.plots[0].columns, tracked)
        for plot, item, curve, y_range in zip(
            self.plots, self.curves, view.curves, view.y_ranges, strict=True
        ):
            plot.set_ranges((1e6 * view.x_range[0], 1e6 * view.x_range[1]), y_range)
            set_curve(item, Curve(1e6 * curve.x, curve.y))
        for index, item in enumerate(self.overlays):
            item.setVisible(bool(view.overlays))
            if view.overlays:
                curve = view.overlays[index]
                set_curve(item, Curve(1e6 * curve.x, curve.y))

    def _chosen(self, snapshot: TraceSnapshot) -> TraceSnapshot:
        """Out-of-loop channels when the rig names them, the first few otherwise."""
        columns = list(range(min(_MOST, len(snapshot.channels))))
        detectors = self.bridge.session.rig.detectors
        wanted = [d.channel for d in detectors if d.role == "out_of_loop"]
        if wanted and len(detectors) == len(snapshot.channels):
            columns = wanted[:_MOST]
        if columns == list(range(len(snapshot.channels))):
            return snapshot
        return TraceSnapshot(
            snapshot.sequence,
            snapshot.first_sample,
            snapshot.sample_rate,
            snapshot.volts[:, columns],
            tuple(snapshot.channels[c] for c in columns),
        )

    def _build(self, names: tuple[str, ...]) -> None:
        self.room.hide()
        for plot in self.plots:
            self.body.removeWidget(plot)
            plot.close()
            plot.deleteLater()
        self._names = names
        self.plots, self.curves, self.overlays = [], [], []
        for index, name in enumerate(names):
            plot = LinePlot()
            last = index == len(names) - 1
            plot.getPlotItem().getAxis("bottom").setStyle(showValues=last)
            plot.getPlotItem().getAxis("left").setTickDensity(0.7)
            plot.label("left", f"{name} (V)")
            if index:
                plot.setXLink(self.plots[0])
            plot.set_theme(self.theme)
            plot.name_axis("bottom", "time (µs)")
            pen = self.theme.pen(self.theme.channel(index))
            self.curves.append(add_curve(plot, pen, name=name, channel=index))
            pen = self.theme.pen(self.theme.text)
            self.overlays.append(add_curve(plot, pen, z=1.0, name=f"{name} retrodicted"))
            self.plots.append(plot)
            self.body.addWidget(plot, 13 if last else 10)

    def show_status(self, status: SessionStatus) -> None:
        """Show the banner."""
        text, severity = self.model.banner(status)
        if not text and not status.streaming and not self._names and not self.bridge.recorded:
            text, severity = "connect the devices and press Stream to see the detectors", "info"
        self.banner.setText(text)
        self.banner.setVisible(bool(text))
        weight = 600 if severity in ("warning", "error") else 400
        restyle(self.banner, f"color: {self.theme.color(severity)}; font-weight: {weight}")

    def _set_frozen(self, frozen: bool) -> None:
        self.model.frozen = self.bridge.frozen = frozen
        self.show_status(self.bridge.status)

    def _set_tracking(self, on: bool) -> None:
        self.bridge.session.set_tracking(on)
        self.tracked.setVisible(on)
        self.repaint_soon()

    def _set_window(self, index: int) -> None:
        self.model.window = WINDOWS[index]
        self._follow()

    def _follow(self) -> None:
        for plot in self.plots:
            plot.follow()
        self.repaint_soon()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        for index, (plot, curve) in enumerate(zip(self.plots, self.curves, strict=True)):
            plot.set_theme(theme)
            curve.setPen(theme.pen(theme.channel(index)))
            self.overlays[index].setPen(theme.pen(theme.text))
        self.show_status(self.bridge.status)
