"""Live traces of the detectors."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QComboBox, QLabel, QToolButton, QWidget

from ...acquisition.snapshots import SessionStatus, TraceSnapshot, TrackSnapshot
from ..bridge import Bridge
from ..plain import PlainLabel, in_html, plain_tip
from ..plots import LinePlot, add_curve, set_curve
from ..theme import Theme
from ..viewmodels.curves import Curve
from ..viewmodels.persistence import TIMES, Persistence
from ..viewmodels.port import SessionPort
from ..viewmodels.traces import WINDOWS, TracesModel, TracesView, time_unit
from ..widgets.flow import FlowBox
from ..widgets.restyle import restyle
from .base import Panel
from .trigger_row import TriggerRow

__all__ = ["TracesPanel"]

_MOST = 4
_METER_SECONDS = 0.4  # between two looks at rms and clipping


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
        self.glows: list[Any] = []
        self.levels: list[Any] = []
        self._fading: list[Persistence] = []
        self._names: tuple[str, ...] = ()
        self._unit = (1e6, "µs")
        self._next_meter = 0.0
        self._drawn: int | None = None
        self._make_fading()
        self.trigger = TriggerRow(self.model.trigger, self.fading)
        self.trigger.changed.connect(self._trigger_changed)
        self.trigger.hide()
        self.body.addWidget(self._tools())
        self.body.addWidget(self.trigger)
        self.body.addWidget(self.banner)
        self.room = QWidget()  # keeps the tools at the top while there are no plots
        self.body.addWidget(self.room, 1)
        bridge.status_changed.connect(self.show_status)
        self.show_status(bridge.status)

    def _make_fading(self) -> None:
        self.fading = QComboBox()
        for seconds in TIMES:
            text = "no trail" if not seconds else f"fades in {seconds:g} s"
            self.fading.addItem("keeps all" if seconds == float("inf") else text)
        self.fading.setToolTip("persistence: what earlier traces leave behind")
        self.fading.currentIndexChanged.connect(self._set_fading)

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
        self.triggering = QToolButton()
        self.triggering.setText("Trigger")
        self.triggering.setCheckable(True)
        self.triggering.setToolTip("where a trace begins, and what earlier ones leave behind")
        self.triggering.toggled.connect(self._show_trigger)
        self.meters = QLabel()
        self.meters.setTextFormat(Qt.TextFormat.RichText)
        self.banner = PlainLabel()
        if self.bridge.recorded:  # nothing of it moves
            self.freeze.hide()
            self.track.hide()
        self.banner.setWordWrap(True)
        self.unit = PlainLabel("time in µs")
        self.unit.setObjectName("hint")
        choices = (self.freeze, self.window_box, self.auto, self.triggering)
        return FlowBox(*choices, self.track, self.unit, self.meters, self.tracked)

    def pull(self, session: SessionPort) -> TraceSnapshot | TrackSnapshot | None:
        """Take the newest trace, with the tracked motion where it is asked for."""
        if self.model.frozen or self.model.trigger.stopped:  # can still be zoomed
            return self.model.held
        if not self.track.isChecked():
            return session.trace()
        tracked = session.track()
        self.tracked.setText(self.model.tracked_text(tracked))
        return tracked or session.trace()

    def key(self, snapshot: TraceSnapshot | TrackSnapshot) -> Hashable:
        """Sequence number, window, and the part of it that is seen."""
        columns = self.plots[0].columns if self.plots else 0
        return type(snapshot), snapshot.sequence, self.model.window, columns, self._seen()

    def _seen(self) -> tuple[float, float] | None:
        """Part of the window that was zoomed to by hand, s."""
        if not self.plots or not any(plot.manual for plot in self.plots):
            return None
        low, high = self.plots[0].box.viewRange()[0]
        return low / self._unit[0], high / self._unit[0]

    def draw(self, snapshot: TraceSnapshot | TrackSnapshot) -> None:
        """Draw; samples that were drawn already are only cut anew."""
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
        again = self.model.held is snapshot and self._drawn == snapshot.sequence
        view = self.model.view(
            trace, self.plots[0].columns, tracked, seen=self._seen(), again=again
        )
        self.trigger.show_state()
        if view is None:
            return
        self.model.held, self._drawn = snapshot, snapshot.sequence
        self._draw_view(view, fade=not again)
        if self.bridge.clock() >= self._next_meter:
            self._next_meter = self.bridge.clock() + _METER_SECONDS
            self._show_meters(trace)

    def _draw_view(self, view: TracesView, *, fade: bool) -> None:
        factor = self._choose_unit(view)
        whole = (factor * view.x_range[0], factor * view.x_range[1])
        # Times are linked: one plot that was zoomed by hand holds those of all.
        times = None if any(plot.manual for plot in self.plots) else whole
        for index, (plot, item, curve, y_range) in enumerate(
            zip(self.plots, self.curves, view.curves, view.y_ranges, strict=True)
        ):
            plot.set_ranges(times, y_range)
            set_curve(item, Curve(factor * curve.x, curve.y))
            if fade:
                self._draw_glow(index, view, y_range)
            if self.model.trigger.level is None and self.levels[index].isVisible():
                self.levels[index].setValue(float(view.windows[index].mean()))
        for index, item in enumerate(self.overlays):
            item.setVisible(bool(view.overlays))
            if view.overlays:
                curve = view.overlays[index]
                set_curve(item, Curve(factor * curve.x, curve.y))

    def _choose_unit(self, view: TracesView) -> float:
        """Unit of the time axis: that of the window, also while a part of it is looked at."""
        unit = time_unit(view.x_range[1])
        if unit != self._unit:
            self._unit = unit
            self.unit.setText(f"time in {unit[1]}")
            for plot in self.plots:
                plot.name_axis("bottom", f"time ({unit[1]})")
        return unit[0]

    def _draw_glow(self, index: int, view: TracesView, y_range: tuple[float, float]) -> None:
        """Draw what earlier traces have left, under the newest."""
        fading, glow = self._fading[index], self.glows[index]
        glow.setVisible(fading.seconds > 0.0)
        if fading.seconds <= 0.0:
            return
        frame = (self.model.window, view.x_range[1])
        columns, now = self.plots[index].columns, self.bridge.clock()
        shades = fading.add(view.windows[index], columns, y_range, now, frame)
        glow.setImage(shades, autoLevels=False, levels=(0, 255))
        width = self._unit[0] * view.x_range[1]
        glow.setRect(QRectF(0.0, y_range[0], width, y_range[1] - y_range[0]))

    def _show_meters(self, trace: TraceSnapshot) -> None:
        """Write rms and clipping of each channel."""
        parts, names = ["rms"], []
        for index, meter in enumerate(TracesModel.meters(trace, self.bridge.status.saturated)):
            color = self.theme.color("error") if meter.clipped else self.theme.channel(index)
            parts.append(f"<span style='color:{color}'>● {in_html(meter.text)}</span>")
            names.append(meter.name)
        text = " ".join(parts)
        self.meters.setToolTip(
            plain_tip(f"rms about the mean of {', '.join(names)}; CLIP: at an end of the ADC")
        )
        if text != self.meters.text():
            self.meters.setText(text)

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
        self.glows, self.levels = [], []
        seconds = TIMES[self.fading.currentIndex()]
        self._fading = [Persistence(seconds) for _ in names]
        for index, name in enumerate(names):
            plot = LinePlot()
            last = index == len(names) - 1
            plot.getPlotItem().getAxis("bottom").setStyle(showValues=last)
            plot.getPlotItem().getAxis("left").setTickDensity(0.7)
            plot.label("left", f"{name} (V)")
            if index:
                plot.setXLink(self.plots[0])
            plot.set_theme(self.theme)
            plot.name_axis("bottom", f"time ({self._unit[1]})")
            pen = self.theme.pen(self.theme.channel(index))
            self.curves.append(add_curve(plot, pen, name=name, channel=index))
            pen = self.theme.pen(self.theme.text)
            self.overlays.append(add_curve(plot, pen, z=1.0, name=f"{name} retrodicted"))
            self._add_trigger(plot, index)
            self.plots.append(plot)
            self.body.addWidget(plot, 13 if last else 10)
        self.trigger.offer(names)
        self._colour_glows()
        self._place_levels()

    def _add_trigger(self, plot: LinePlot, index: int) -> None:
        """Add what earlier traces leave behind, and the line of the level."""
        glow = pg.ImageItem(axisOrder="row-major")
        glow.setZValue(-10)
        plot.addItem(glow, ignoreBounds=True)
        self.glows.append(glow)
        line = pg.InfiniteLine(0.0, angle=0, movable=True)
        line.setZValue(5)
        line.setPen(self.theme.pen(self.theme.band, style=Qt.PenStyle.DashLine))
        line.sigDragged.connect(lambda source: self.trigger.move_level(float(source.value())))
        plot.addItem(line, ignoreBounds=True)
        self.levels.append(line)

    def _place_levels(self) -> None:
        """Show the level in the plot of its channel; the mean has no line."""
        trigger = self.model.trigger
        for index, line in enumerate(self.levels):
            own = self.triggering.isChecked() and index == trigger.channel
            line.setVisible(own)
            if own and trigger.level is not None:
                line.setValue(trigger.level)

    def _show_trigger(self, on: bool) -> None:
        self.trigger.setVisible(on)
        self._place_levels()

    def _trigger_changed(self) -> None:
        self._place_levels()
        self._drawn = None
        self.trigger.show_state()
        self.repaint_soon()

    def _set_fading(self, index: int) -> None:
        for fading in self._fading:
            fading.seconds = TIMES[index]
        self.repaint_soon()

    def _colour_glows(self) -> None:
        """From nothing to the colour of the channel, not as bright as its newest trace."""
        for index, glow in enumerate(self.glows):
            tone = QColor(self.theme.channel(index))
            table = np.empty((256, 4), np.uint8)
            table[:] = (tone.red(), tone.green(), tone.blue(), 0)
            table[:, 3] = np.linspace(0, 150, 256)
            glow.setLookupTable(table)

    def show_status(self, status: SessionStatus) -> None:
        """Show the banner."""
        text, severity = self.model.banner(status)
        if not text and not status.streaming and not self._names and not self.bridge.recorded:
            text, severity = "connect the devices and press Stream to see the detectors", "info"
        standing = status.state in ("idle", "failed") and not status.streaming and bool(self._names)
        if not text and standing and not self.bridge.recorded:
            text, severity = "the stream stands: these are its last samples", "warning"
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
            self.levels[index].setPen(theme.pen(theme.band, style=Qt.PenStyle.DashLine))
        self._colour_glows()
        self.show_status(self.bridge.status)
