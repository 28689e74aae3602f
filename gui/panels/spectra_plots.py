"""The stacked plots of the spectra panel and everything drawn in them."""

from __future__ import annotations

import math
from typing import Any

import pyqtgraph as pg
from PyQt6.QtCore import Qt
from PyQt6.QtGui import QBrush, QColor

from ..plots import DecadeAxis, LinePlot, PhaseAxis, add_curve, dashes, set_curve
from ..theme import Theme
from ..viewmodels.curves import Curve
from ..viewmodels.spectra import MAX_REFERENCES
from ..viewmodels.spectra_view import SpectraView
from ..viewmodels.ticks import SUPERSCRIPT

__all__ = ["CHANNELS", "SpectraPlots"]

CHANNELS = 4
"""Auto spectra that are drawn at most."""

_COHERENCE_RANGE, _PHASE_RANGE = (0.0, 1.02), (-3.9, 3.9)
_PULL_RANGE = (-6.0, 6.0)


class SpectraPlots:
    """Densities on top, pulls of the fit, coherence, phase; one log10 frequency axis.

    Attributes
    ----------
    top, pulls, middle, bottom : LinePlot
        The plots; ``pulls`` is hidden until :meth:`show_pulls`.
    region : LinearRegionItem
        The fit band, log10 Hz.
    cursors : list of list
        Two cursors, each a line in every plot.
    """

    def __init__(self) -> None:
        self.top = LinePlot({"left": DecadeAxis("left"), "bottom": _frequency_axis()})
        self.pulls = LinePlot({"bottom": _frequency_axis()})
        self.pulls.hide()
        self.middle = LinePlot({"bottom": _frequency_axis()})
        self.bottom = LinePlot({"left": PhaseAxis("left"), "bottom": _frequency_axis()})
        self.linear = False
        self.power = 0  # of ten, that the linear axis counts in
        self._two: bool | None = None
        self._stale: bool | None = None
        self._arrange()
        self._add_curves()
        self._add_handles()

    @property
    def all(self) -> tuple[LinePlot, ...]:
        """The plots from top to bottom."""
        return self.top, self.pulls, self.middle, self.bottom

    def show_pulls(self, on: bool) -> None:
        """Show or hide the deviations from the fit."""
        self.pulls.setVisible(on)

    @property
    def x_range(self) -> tuple[float, float]:
        """Visible range, log10 Hz."""
        low, high = self.top.box.viewRange()[0]
        return float(low), float(high)

    def _arrange(self) -> None:
        for plot in self.all:
            if plot is not self.top:
                plot.setXLink(self.top)
            plot.getPlotItem().getAxis("bottom").setStyle(showValues=plot is self.bottom)
            plot.name_axis("bottom", "frequency (Hz)")
        self.pulls.label("left", "pull (σ)", "pull")
        self.pulls.getPlotItem().getAxis("left").setTickSpacing(4.0, 2.0)
        self.pulls.set_ranges(y=_PULL_RANGE)
        self.middle.label("left", "coherence", "coh.")
        self.middle.getPlotItem().getAxis("left").setTickSpacing(0.5, 0.25)
        self.bottom.label("left", "arg (rad)", "arg")
        self.bottom.label("bottom", "frequency (Hz)")
        self.middle.set_ranges(y=_COHERENCE_RANGE)
        self.bottom.set_ranges(y=_PHASE_RANGE)

    def _add_curves(self) -> None:
        top = self.top
        channels = range(CHANNELS)
        self.references = [
            [
                add_curve(top, z=-4, name=f"reference {n + 1}, channel {j + 1}", channel=j)
                for j in range(2)
            ]
            for n in range(MAX_REFERENCES)
        ]
        self.ghosts = [
            add_curve(top, z=6, name=f"past S_{i + 1}{i + 1}", channel=i) for i in channels
        ]
        self.extremes = [
            [add_curve(top, z=-3, name=f"{name} of S_{j + 1}{j + 1}", channel=j) for j in channels]
            for name in ("largest", "smallest")
        ]
        self.autos = [add_curve(top, z=i, name=f"S_{i + 1}{i + 1}", channel=i) for i in channels]
        self.cross = add_curve(top, z=-1, name="|S_12|", channel=3)
        self.fit_autos = [add_curve(top, z=8, name=f"fit of S_{i + 1}{i + 1}") for i in channels]
        self.fit_cross = add_curve(top, z=7, name="fit of |S_12|")
        self.pull_curves = [
            add_curve(self.pulls, z=i, name=f"pulls of S_{i + 1}{i + 1}", channel=i)
            for i in channels
        ]
        self.pull_lines = [pg.InfiniteLine(level, angle=0) for level in (-2.0, 0.0, 2.0)]
        for line in self.pull_lines:
            line.setZValue(8)
            self.pulls.addItem(line, ignoreBounds=True)
        self.coherence = add_curve(self.middle, name="coherence", channel=3)
        self.fit_coherence = add_curve(self.middle, z=5, name="fit of the coherence")
        self.floor = pg.InfiniteLine(0.0, angle=0)
        self.floor.hide()
        self.middle.addItem(self.floor, ignoreBounds=True)
        self.phase = add_curve(self.bottom, name="arg S_12", channel=3)
        self.fit_phase = add_curve(self.bottom, z=5, name="fit of arg S_12")

    def _add_handles(self) -> None:
        self.region = pg.LinearRegionItem((4.7, 5.2), swapMode="sort")
        self.region.setZValue(-9)
        self.top.addItem(self.region, ignoreBounds=True)
        self.cursors: list[list[Any]] = []
        self.excluded: list[Any] = []
        for index, name in enumerate("AB"):
            place = {"position": 0.93, "movable": False}
            lines = [
                pg.InfiniteLine(
                    4.9 + 0.1 * index, angle=90, movable=True, labelOpts=place,
                    label=name if plot is self.top else None,
                )
                for plot in self.all
            ]  # fmt: skip
            for line, plot in zip(lines, self.all, strict=True):
                plot.addItem(line, ignoreBounds=True)
                line.setZValue(10)
            self.cursors.append(lines)
        self.marker = pg.ScatterPlotItem(symbol="t", size=9, pxMode=True)
        self.marker.setZValue(12)
        self.top.addItem(self.marker, ignoreBounds=True)

    def draw(self, view: SpectraView) -> None:
        """Draw a view; without a cross spectrum the lower plots are hidden."""
        y_range = self._choose_scale(view)
        for items, curves in (
            (self.autos, view.autos),
            (self.fit_autos, view.fit_autos),
        ):
            for index, item in enumerate(items):
                self._set_density(item, curves[index] if index < len(curves) else Curve.empty())
        for index, item in enumerate(self.pull_curves):
            set_curve(item, view.pulls[index] if index < len(view.pulls) else Curve.empty())
        self._set_density(self.cross, view.cross)
        self._set_density(self.fit_cross, view.fit_cross)
        set_curve(self.coherence, view.coherence)
        set_curve(self.fit_coherence, view.fit_coherence)
        low, high = self.x_range
        half = (high - low) / self.top.columns
        set_curve(self.phase, dashes(view.phase, half), "pairs")
        set_curve(self.fit_phase, dashes(view.fit_phase, 0.6 * half), "pairs")
        self.floor.setVisible(view.coherence_floor is not None)
        if view.coherence_floor is not None:
            self.floor.setValue(view.coherence_floor)
        for index, item in enumerate(self.ghosts):
            self._set_density(item, view.ghost[index] if index < len(view.ghost) else Curve.empty())
        for index, items in enumerate(self.extremes):
            held = view.extremes[index] if index < len(view.extremes) else ()
            for j, item in enumerate(items):
                self._set_density(item, held[j] if j < len(held) else Curve.empty())
        for index, items in enumerate(self.references):
            shown = view.references[index] if index < len(view.references) else ()
            for j, item in enumerate(items):
                self._set_density(item, shown[j] if j < len(shown) else Curve.empty())
        two = view.cross.x.size > 0
        if two is not self._two:
            self.middle.setVisible(two)
            self.bottom.setVisible(two)
        self._name_frequencies(two)
        self.top.set_ranges(y=y_range)
        power = str(self.power).translate(SUPERSCRIPT)
        unit = f"10{power} {view.unit}" if self.linear and self.power else view.unit
        self.top.label("left", f"S ({unit})", "S")

    def _choose_scale(self, view: SpectraView) -> tuple[float, float]:
        """Vertical range: log10 of the densities, or these in a power of ten from zero on."""
        axis = self.top.getPlotItem().getAxis("left")
        if axis.linear is not self.linear:
            axis.linear = self.linear
            axis.picture = None
            self.top.follow()
        if not self.linear:
            return view.y_range
        top = max((float(c.y.max()) for c in view.autos if c.y.size), default=0.0)
        self.power = 3 * math.floor(top / 3.0)
        return 0.0, 1.08 * self.height(top)

    def height(self, log_density: float) -> float:
        """Place of a density on the vertical axis."""
        return 10.0 ** (log_density - self.power) if self.linear else log_density

    def _set_density(self, item: Any, curve: Curve) -> None:
        if self.linear and curve.y.size:
            curve = Curve(curve.x, 10.0 ** (curve.y - self.power))
        set_curve(item, curve)

    def show_excluded(self, ranges: list[tuple[float, float]], theme: Theme) -> None:
        """Grey out what fits leave out (Hz)."""
        for item in self.excluded:
            self.top.removeItem(item)
        brush = QBrush(QColor(theme.muted), Qt.BrushStyle.BDiagPattern)
        self.excluded = []
        for low, high in ranges:
            place = (math.log10(low), math.log10(high))
            item = pg.LinearRegionItem(place, movable=False, brush=brush)
            item.setZValue(-8)
            self.top.addItem(item, ignoreBounds=True)
            self.excluded.append(item)

    def _name_frequencies(self, two: bool) -> None:
        """Label the axis of the lowest plot that is shown."""
        if two is self._two:  # every change of its style draws an axis anew
            return
        self._two = two
        axis = self.top.getPlotItem().getAxis("bottom")
        axis.setStyle(showValues=not two)
        if two:
            axis.showLabel(False)
        elif not axis.label.isVisible():
            self.top.label("bottom", "frequency (Hz)")
            axis.showLabel(True)

    def set_view(self, low: float, high: float) -> None:
        """Show a range of log10 f and let the vertical ranges follow again."""
        for plot in self.all:
            plot.follow()
        self.top.box.setXRange(low, high, padding=0.0)
        self.pulls.box.setYRange(*_PULL_RANGE, padding=0.0)
        self.middle.box.setYRange(*_COHERENCE_RANGE, padding=0.0)
        self.bottom.box.setYRange(*_PHASE_RANGE, padding=0.0)

    def place_cursor(self, index: int, place: float) -> None:
        """Move the lines of a cursor."""
        for line in self.cursors[index]:
            line.setValue(place)

    def show_stale(self, stale: bool, theme: Theme) -> None:
        """Draw the fit muted while no new one comes."""
        if stale is self._stale:
            return
        self._stale = stale
        color, dash = theme.muted if stale else theme.fit, Qt.PenStyle.DashLine
        for item in (*self.fit_autos, self.fit_coherence):
            item.setPen(theme.pen(color, style=dash))
        self.fit_cross.setPen(theme.pen(color, style=Qt.PenStyle.DotLine))
        self.fit_phase.setPen(theme.pen(color))

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self._stale = None
        for plot in self.all:
            plot.set_theme(theme)
        dash, dot = Qt.PenStyle.DashLine, Qt.PenStyle.DotLine
        for index, item in enumerate(self.autos):
            item.setPen(theme.pen(theme.channel(index)))
            self.pull_curves[index].setPen(theme.pen(theme.channel(index), alpha=170))
        for line in self.pull_lines:
            line.setPen(theme.pen(theme.fit, style=Qt.PenStyle.DotLine))
        self.show_stale(False, theme)
        self.cross.setPen(theme.pen(theme.cross, alpha=190))
        self.coherence.setPen(theme.pen(theme.cross))
        self.phase.setPen(theme.pen(theme.cross))
        self.floor.setPen(theme.pen(theme.muted, style=dot))
        for index, item in enumerate(self.ghosts):
            item.setPen(theme.pen(theme.color("rec"), style=dash if index == 0 else dot))
        for items in self.extremes:
            for index, item in enumerate(items):
                item.setPen(theme.pen(theme.channel(index), style=dot, alpha=150))
        for index, items in enumerate(self.references):
            for item in items:
                item.setPen(theme.pen(theme.references[index], style=dot))
        band = pg.mkColor(theme.band)
        band.setAlpha(20)
        self.region.setBrush(pg.mkBrush(band))
        band.setAlpha(40)
        self.region.setHoverBrush(pg.mkBrush(band))
        for line in (*self.region.lines, *self.cursors[0], *self.cursors[1]):
            is_band = line in self.region.lines
            line.setPen(theme.pen(theme.band if is_band else theme.text, style=dash))
        for lines in self.cursors:
            lines[0].label.setColor(theme.text)
        self.marker.setBrush(pg.mkBrush(theme.color("warning")))


def _frequency_axis() -> DecadeAxis:
    return DecadeAxis("bottom", engineering=True)
