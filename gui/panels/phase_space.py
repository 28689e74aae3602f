"""Phase space of each particle: density of the last seconds, newest trajectory, fitted ellipse."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QToolButton

from ...acquisition.snapshots import FitSnapshot, TraceSnapshot
from ...instruments.rig import DetectorChannel
from ..bridge import Bridge
from ..plots import LinePlot, add_curve, set_curve
from ..theme import Theme
from ..viewmodels.curves import Curve
from ..viewmodels.phase_space import PhaseSpaceModel, PhaseSpaceView, ellipse_of, lines_of
from ..viewmodels.port import SessionPort
from ..viewmodels.spectra_units import ChannelScales, scales_of
from ..viewmodels.units import FREQUENCY, format_quantity
from ..widgets.flow import FlowBox
from .base import Panel, hint

__all__ = ["PhaseSpacePanel"]

_AXES = ("quadratures", "z, ż/ω")
_RECORDED = "beginning of the stretch"
_PREFIXES = {"m": (1e9, "nm"), "V": (1e3, "mV")}


class _Plot(LinePlot):
    """Phase space of one particle; both axes alike."""

    def __init__(self) -> None:
        super().__init__()
        self.box.setAspectLocked(True)
        self.density = pg.ImageItem(axisOrder="row-major")
        self.density.setZValue(-10)
        self.addItem(self.density, ignoreBounds=True)
        self.path = add_curve(self, z=2, name="newest trajectory")
        self.ellipse = add_curve(self, z=4, name="fit, 1 σ")
        self.setMinimumHeight(110)

    def show_view(
        self, view: PhaseSpaceView, ellipse: Curve | None, words: tuple[str, str]
    ) -> None:
        """Draw what is seen of a particle; ``words`` name the axes."""
        factor, unit = _PREFIXES[view.unit]
        reach = factor * view.reach
        self.density.setImage(view.density, autoLevels=False, levels=(0, 255))
        self.density.setRect(QRectF(-reach, -reach, 2.0 * reach, 2.0 * reach))
        set_curve(self.path, Curve(factor * view.path.x, factor * view.path.y))
        shown = Curve.empty() if ellipse is None else ellipse
        set_curve(self.ellipse, Curve(factor * shown.x, factor * shown.y))
        self.label("bottom", f"{words[0]} ({unit})")
        self.label("left", f"{words[1]} ({unit})", words[1])
        self._keep(reach)

    def _keep(self, reach: float) -> None:
        """Show the whole density, unless zoomed; the aspect adds room on one side."""
        if self.manual:
            return
        (left, right), (low, high) = self.box.viewRange()
        wide = self.box.width() > self.box.height()
        near, far = (low, high) if wide else (left, right)
        if max(abs(near + reach), abs(far - reach), abs(left + right)) > 0.02 * reach:
            self.box.setRange(
                xRange=None if wide else (-reach, reach),
                yRange=(-reach, reach) if wide else None,
                padding=0.0,
            )
            (left, right), (low, high) = self.box.viewRange()
            self.box.translateBy(x=-0.5 * (left + right), y=-0.5 * (low + high))

    def set_colour(self, theme: Theme, index: int) -> None:
        """Take the colours of a particle."""
        self.set_theme(theme)
        tone = QColor(theme.channel(index))
        table = np.empty((256, 4), np.uint8)
        table[:] = (tone.red(), tone.green(), tone.blue(), 0)
        table[:, 3] = np.linspace(0, 200, 256)
        self.density.setLookupTable(table)
        self.path.setPen(theme.pen(theme.text, alpha=170))
        self.ellipse.setPen(theme.pen(theme.fit, style=Qt.PenStyle.DashLine, width=2.0))


class PhaseSpacePanel(Panel):
    """One plot a particle, drawn five times a second."""

    name = "phase_space"
    title = "Phase space"
    period = 0.2
    draws = True

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__(bridge, theme)
        self.model = PhaseSpaceModel()
        self.plots: list[_Plot] = []
        self._fit: FitSnapshot | None = None
        self._tracked = False
        self._first: int | None = None
        self._ellipses: tuple[Hashable, tuple[Curve | None, ...]] = (None, ())
        self.axes = QComboBox()
        self.axes.addItems(list(_AXES))
        self.axes.setToolTip("both quadratures in the frame of the line, or position and velocity")
        self.axes.activated.connect(self.choose)
        self.again = QToolButton()
        self.again.setText("Begin anew")
        self.again.setToolTip("forget the density; ranges follow again")
        self.again.clicked.connect(lambda _: self.begin())
        self.body.addWidget(FlowBox(self.axes, self.again))
        self.row = QHBoxLayout()
        self.body.addLayout(self.row, 1)
        self.note = hint()
        self.body.addWidget(self.note)

    def choose(self, index: int) -> None:
        """Choose the axes."""
        self.axes.setCurrentIndex(index)
        self.model.choose(rotating=index == 0)
        self.begin()

    def begin(self) -> None:
        """Forget the density."""
        self.model.begin()
        for plot in self.plots:
            plot.follow()
        self.repaint_soon()

    def pull(self, session: SessionPort) -> TraceSnapshot | None:
        """Take the newest samples, and the fit that tells the lines; none while frozen."""
        if self.bridge.frozen:
            return None
        self._fit = session.fit()
        self._tracked = session.track() is not None
        return session.trace()

    def key(self, snapshot: TraceSnapshot) -> Hashable:
        """Sequence number of the samples, and what is shown of them."""
        return snapshot.sequence, snapshot.first_sample, self.model.rotating, self._tracked

    def draw(self, snapshot: TraceSnapshot) -> None:
        """Draw."""
        if self.bridge.recorded and snapshot.first_sample != self._first:
            self._first = snapshot.first_sample  # another stretch: its density alone
            self.model.begin()
        held = self.bridge.standing.holds
        result = None if self._fit is None or not held else self._fit.result
        lines = lines_of(result, self.bridge.session.prediction())
        columns, scales = self._channels(snapshot)
        views = self.model.views(snapshot, columns, lines, scales, self.bridge.clock())
        self._have(len(views))
        ellipses = self._ellipses_of(scales, views)
        words = ("X", "Y") if self.model.rotating else ("z", "ż/ω")
        for plot, view, ellipse in zip(self.plots, views, ellipses, strict=True):
            plot.show_view(view, ellipse, words)
        self._say(lines, views, ellipses)

    def _channels(self, snapshot: TraceSnapshot) -> tuple[list[int], ChannelScales]:
        """Columns of the particles, out of loop where the rig names them."""
        detectors = self.bridge.session.rig.detectors
        names = list(snapshot.channels)
        chosen: dict[int, DetectorChannel] = {}
        for one in detectors:
            if one.particle is not None and one.role == "out_of_loop" and one.name in names:
                chosen.setdefault(one.particle, one)
        found = [chosen[number].name for number in sorted(chosen)] or names[:2]
        return [names.index(name) for name in found], scales_of(self.bridge.session.rig, found)

    def _ellipses_of(
        self, scales: ChannelScales, views: tuple[PhaseSpaceView, ...]
    ) -> tuple[Curve | None, ...]:
        """The fitted state where a tracker follows it; made anew with each fit alone."""
        fit = self._fit
        if not self._tracked or fit is None or not self.bridge.standing.holds:
            return (None,) * len(views)
        key = fit.sequence, self.model.rotating, tuple(view.unit for view in views)
        if self._ellipses[0] != key:
            rotating = self.model.rotating
            self._ellipses = (
                key,
                tuple(
                    ellipse_of(fit.result, scales.masses, number, view.unit, rotating=rotating)
                    for number, view in enumerate(views)
                ),
            )
        return self._ellipses[1]

    def _have(self, count: int) -> None:
        """Have so many plots."""
        while len(self.plots) > count:
            plot = self.plots.pop()
            self.row.removeWidget(plot)
            plot.close()
            plot.deleteLater()
        while len(self.plots) < count:
            plot = _Plot()
            plot.set_colour(self.theme, len(self.plots))
            self.plots.append(plot)
            self.row.addWidget(plot, 1)

    def _say(
        self,
        lines: tuple[float, ...],
        views: tuple[PhaseSpaceView, ...],
        ellipses: tuple[Curve | None, ...],
    ) -> None:
        if not lines:
            text = "the lines are not known: this begins with the first good fit or a prediction"
        elif not views:
            text = "these samples hold no motion at the line"
        else:
            text = "line " + ", ".join(format_quantity(v.frequency, FREQUENCY) for v in views)
            recorded = self.bridge.recorded
            text += f" · density of the {_RECORDED if recorded else 'last 5 s'}"
            if any(ellipse is not None for ellipse in ellipses):
                text += " · ╌ fit, 1 σ"
            elif not self._tracked and not recorded:
                text += " · Track (traces) shows the fitted ellipse"
        if text != self.note.text():
            self.note.setText(text)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        for index, plot in enumerate(self.plots):
            plot.set_colour(theme, index)
