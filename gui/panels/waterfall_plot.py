"""The picture of a waterfall, its colour bar, and the marks on its time axis."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QColor

from ..plots import DecadeAxis, LinePlot, add_curve, set_curve
from ..theme import Theme
from ..viewmodels.curves import Curve
from ..viewmodels.ticks import time_label, time_ticks
from ..viewmodels.waterfall_marks import TimeMark

__all__ = ["ColourBar", "TimeAxis", "WaterfallPlot", "colours"]

_BAR_WIDTH = 78
_LANE = 0.008  # of the width, at which spans with feedback off are drawn
_SHORT = 0.05  # of the width: marks that concern no set-point
_LINES = ("light", "gap", "fault", "note")


def colours(theme: Theme, *, cyclic: bool) -> NDArray[np.uint8]:
    """Table of 256 colours, perceptually uniform; the first is that of nothing.

    The lowest number lies near the background of the theme; phases have a cyclic table.
    """
    table = pg.colormap.get("CET-CBC1" if cyclic else "viridis")
    shades: NDArray[np.uint8] = table.getLookupTable(nPts=255, alpha=True, mode="byte")
    if theme.name == "light" and not cyclic:
        shades = shades[::-1]
    base = QColor(theme.base)
    nothing = np.array([[base.red(), base.green(), base.blue(), 255]], np.uint8)
    return np.ascontiguousarray(np.concatenate((nothing, shades)))


class TimeAxis(pg.AxisItem):  # type: ignore[misc]
    """Axis of seconds, labelled in µs, ms, s, min or h."""

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[Any]:
        """Round numbers of the unit that suits."""
        horizontal = self.orientation in ("bottom", "top")
        return time_ticks(minVal, maxVal, max(2, int(size / (72 if horizontal else 26))))

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Each with its unit."""
        return [time_label(value) for value in values]


class ColourBar(LinePlot):
    """Colours with the numbers that they stand for."""

    def __init__(self) -> None:
        super().__init__({"left": DecadeAxis("left")})
        self.setFixedWidth(_BAR_WIDTH)
        self.setMouseEnabled(x=False, y=False)
        self.getPlotItem().getAxis("bottom").setStyle(showValues=False)
        self.image = pg.ImageItem(axisOrder="row-major")
        self.image.setImage(
            np.arange(1, 256, dtype=np.uint8)[:, None], autoLevels=False, levels=(0, 255)
        )
        self.addItem(self.image, ignoreBounds=True)
        self.set_ranges((0.0, 1.0), (0.0, 1.0))

    def show_levels(
        self, levels: tuple[float, float], name: str, unit: str, *, logarithmic: bool
    ) -> None:
        """Show which numbers the colours stand for."""
        axis = self.getPlotItem().getAxis("left")
        axis.linear, axis.picture = not logarithmic, None
        low, high = levels
        self.image.setRect(QRectF(0.0, low, 1.0, high - low))
        self.set_ranges((0.0, 1.0), levels)
        self.label("left", f"{name} ({unit})" if unit else name, name)


class WaterfallPlot(LinePlot):
    """Frequencies to the right, the newest on top, older ones below."""

    def __init__(self) -> None:
        axes = {"bottom": DecadeAxis("bottom", engineering=True), "left": TimeAxis("left")}
        super().__init__(axes, left_width=64)
        self.label("bottom", "frequency (Hz)")
        self.label("left", "time before now", "before")
        self.image = pg.ImageItem(axisOrder="row-major")
        self.image.setZValue(-20)
        self.addItem(self.image, ignoreBounds=True)
        self.lines = {kind: add_curve(self, z=2) for kind in _LINES}
        self.released = add_curve(self, z=3)
        self.cross = [add_curve(self, z=6), add_curve(self, z=6)]
        self.setMinimumHeight(90)

    @property
    def x_range(self) -> tuple[float, float]:
        """Visible range, log10 Hz."""
        low, high = self.box.viewRange()[0]
        return float(low), float(high)

    def show_picture(self, shades: NDArray[np.uint8]) -> None:
        """Take a picture of numbers of colours."""
        self.image.setImage(shades, autoLevels=False, levels=(0, 255))

    def place(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        """Put the picture where its frequencies and times are."""
        self.image.setRect(QRectF(x[0], y[0], x[1] - x[0], y[1] - y[0]))

    def show_marks(
        self,
        marks: Iterable[TimeMark],
        released: list[tuple[float, float]],
        now: float,
        span: float,
    ) -> None:
        """Mark what happened: lines right across where what was measured changed."""
        seen = [mark for mark in marks if now - mark.at <= span]
        low, high = self.x_range
        pixel = span / max(1.0, float(self.box.height()))
        for kind, line in self.lines.items():
            rows = {math.floor((m.at - now) / pixel): m.at - now for m in seen if m.kind == kind}
            places = np.repeat(np.array(list(rows.values()), float), 2)
            end = low + _SHORT * (high - low) if kind == "note" else high
            ends = np.tile([low, end], len(rows))
            set_curve(line, Curve(ends, places), "pairs")
        ys = np.array([t - now for one in released for t in one], float)
        at = low + _LANE * (high - low)
        set_curve(self.released, Curve(np.full(ys.size, at), ys), "pairs")

    def show_pick(self, place: tuple[float, float] | None) -> None:
        """Show which pixel is looked at: log10 Hz, s before now."""
        low, high = self.x_range
        bottom, top = self.box.viewRange()[1]
        if place is None:
            for line in self.cross:
                line.clear()
            return
        x, y = place
        set_curve(self.cross[0], Curve(np.array([low, high]), np.array([y, y])))
        set_curve(self.cross[1], Curve(np.array([x, x]), np.array([bottom, top])))

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        dash, dot = Qt.PenStyle.DashLine, Qt.PenStyle.DotLine
        pens = {
            "light": theme.pen(theme.text, style=dot),
            "gap": theme.pen(theme.color("warning"), style=dash),
            "fault": theme.pen(theme.color("error")),
            "note": theme.pen(theme.color("rec"), width=2.0),
        }
        for kind, line in self.lines.items():
            line.setPen(pens[kind])
        self.released.setPen(theme.pen(theme.color("error"), width=4.0))
        for line in self.cross:
            line.setPen(theme.pen(theme.color("rec"), style=dash))
