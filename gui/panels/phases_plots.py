"""Both diagrams of Fig. 3 with their points: φ × distance, and δω × g_a."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import QRectF, Qt
from PyQt6.QtGui import QBrush, QColor

from ..plots import LinePlot, PhaseAxis, add_curve, set_curve
from ..theme import Theme
from ..viewmodels.curves import Curve
from ..viewmodels.phase_map import REGIME_NAMES, PhaseMap, picture
from ..viewmodels.phases import DiagramPoint, FittedPoint, SymmetryView

__all__ = ["DistancePlot", "Ghost", "SymmetryPlot"]

# Okabe–Ito, as in the figures: blue, orange, green, pink.
_COLORS = dict(
    zip(
        REGIME_NAMES,
        ((0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167)),
        strict=True,
    )
)
_FARTHEST = 0.5  # of a turn: longer steps of φ go the other way round
_WIDE = 1.04 * math.pi  # the labels of both ends are in sight


class Ghost(pg.TargetItem):  # type: ignore[misc]
    """The live point as a handle; ``moving`` while it is dragged."""

    def __init__(self) -> None:
        super().__init__((0.0, 0.0), size=18, symbol="star", movable=False)
        self.moving = False
        self._given_up = False

    def let_go(self) -> None:
        """Drop a drag under way: what follows of it moves nothing."""
        self._given_up, self.moving = self.moving, False

    def mouseDragEvent(self, ev: Any) -> None:
        """Follow the mouse unless the drag was given up."""
        if ev.isStart():
            self._given_up = False
            self.moving = bool(self.movable) and ev.button() == Qt.MouseButton.LeftButton
        if self._given_up:
            ev.accept()
            if ev.isFinish():
                self._given_up = False
            return
        super().mouseDragEvent(ev)
        if ev.isFinish():
            self.moving = False


class DistancePlot(LinePlot):
    """Regimes over φ (rad) and distance (µm) with the light, its last minute, and points."""

    def __init__(self) -> None:
        super().__init__({"bottom": PhaseAxis("bottom")})
        self.label("bottom", "φ (rad)")
        self.label("left", "distance (µm)", "d (µm)")
        self.image = pg.ImageItem(axisOrder="col-major")
        self.image.setZValue(-20)
        self.addItem(self.image, ignoreBounds=True)
        self.names: list[pg.TextItem] = []
        self.path = add_curve(self, z=2, name="last minute", channel=0)
        self.planned, self.done = _dots(self, 3, name="planned"), _dots(self, 4, name="measured")
        self.star = pg.ScatterPlotItem(symbol="star", size=17, pxMode=True, name="light")
        self.star.setZValue(6)
        self.addItem(self.star, ignoreBounds=True)
        self.ghost = Ghost()
        self.ghost.setZValue(8)
        self.addItem(self.ghost, ignoreBounds=True)
        self.set_ranges((-_WIDE, _WIDE), (1.5, 3.5))

    def show_map(self, found: PhaseMap, theme: Theme) -> None:
        """Draw the regimes and their names."""
        tone = QColor(theme.text)
        line = (tone.red(), tone.green(), tone.blue())
        self.image.setImage(picture(found, _COLORS, line), autoLevels=False)
        low, high = 1e6 * float(found.separation[0]), 1e6 * float(found.separation[-1])
        self.image.setRect(QRectF(-math.pi, low, 2.0 * math.pi, high - low))
        self.set_ranges((-_WIDE, _WIDE), (low, high))
        for name in self.names:
            self.removeItem(name)
        self.names = []
        for label in found.labels:
            item = pg.TextItem(label.text, color=theme.text, anchor=(0.5, 0.5))
            item.setPos(label.phi, 1e6 * label.separation)
            item.setZValue(1)
            font = self.font()
            font.setPointSizeF(max(6.5, font.pointSizeF() - 2.0))
            item.setFont(font)
            self.addItem(item, ignoreBounds=True)
            self.names.append(item)

    def show_trail(self, trail: Curve) -> None:
        """Draw where the light was in the last minute."""
        joined = np.ones(trail.x.size, np.int32)
        joined[:-1] = np.abs(np.diff(trail.x)) < 2.0 * math.pi * _FARTHEST
        set_curve(self.path, Curve(trail.x, 1e6 * trail.y), joined)

    def show_points(self, points: list[DiagramPoint]) -> None:
        """Draw set-points: planned hollow, measured filled."""
        for item, measured in ((self.planned, False), (self.done, True)):
            chosen = [p for p in points if p.measured is measured]
            item.setData(x=[p.phi for p in chosen], y=[1e6 * p.separation for p in chosen])

    def place(self, live: DiagramPoint | None) -> None:
        """Put star and handle where the light is."""
        self.ghost.setVisible(live is not None)
        if live is None:
            self.star.clear()
            return
        place = live.phi, 1e6 * live.separation
        self.star.setData(x=[place[0]], y=[place[1]])
        self.ghost.blockSignals(True)
        self.ghost.setPos(*place)
        self.ghost.blockSignals(False)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        self.path.setPen(theme.pen(theme.text, style=Qt.PenStyle.DotLine))
        self.planned.setBrush(pg.mkBrush(None))
        self.planned.setPen(theme.pen(theme.text, width=1.4))
        self.done.setBrush(pg.mkBrush(theme.text))
        self.done.setPen(theme.pen(theme.base))
        self.star.setBrush(pg.mkBrush(theme.accent))
        self.star.setPen(theme.pen(theme.text, width=1.2))
        self.ghost.setPen(theme.pen(theme.color("warning"), width=1.6))
        self.ghost.setHoverPen(theme.pen(theme.color("warning"), width=2.4))
        for name in self.names:
            name.setColor(theme.text)


class SymmetryPlot(LinePlot):
    """Exceptional points over δω and g_a (kHz) with the fit, its error ellipse, its last minute."""

    def __init__(self) -> None:
        super().__init__()
        self.label("bottom", "δω/2π (kHz)")
        self.label("left", "gₐ/2π (kHz)", "gₐ")
        self.broken = [_region(self) for _ in range(2)]
        self.growth = [add_curve(self, z=1, name="exceptional points") for _ in range(2)]
        words = {"position": 0.02, "anchors": [(0.0, 1.0), (0.0, 0.0)]}
        self.levels = [
            pg.InfiniteLine(0.0, angle=0, label=text, labelOpts=words)
            for text in ("antireciprocal", "")
        ]
        for line in self.levels:
            self.addItem(line, ignoreBounds=True)
        self.path = _dots(self, 2, size=4, name="last minute")
        self.outline = add_curve(self, z=5, name="1σ of the fit")
        self.dot = _dots(self, 6, name="fit")
        self.guess = _dots(self, 3, size=11, symbol="+", name="predicted")
        self.word = pg.TextItem("broken", anchor=(0.5, 0.5))
        self.addItem(self.word, ignoreBounds=True)

    def clear(self) -> None:
        """Show no point."""
        for item in (self.path, self.dot, self.guess):
            item.clear()
        set_curve(self.outline, Curve.empty())

    def show_view(self, view: SymmetryView) -> None:
        """Draw the borders; the phase between the exceptional points is filled."""
        borders = (view.upper, 1.0), (view.lower, -1.0)
        for item, (curve, sign) in zip(self.broken, borders, strict=True):
            item.setFillLevel(sign * 1e-3 * view.span[1])
            item.setData(1e-3 * curve.x, 1e-3 * curve.y)
        for item, sign in zip(self.growth, (1.0, -1.0), strict=True):
            set_curve(item, Curve(1e-3 * view.growth.x, sign * 1e-3 * view.growth.y))
        for line, sign in zip(self.levels, (1.0, -1.0), strict=True):
            line.setValue(sign * 1e-3 * view.threshold)
        self.word.setPos(0.0, 0.85e-3 * view.span[1])
        width, height = (1e-3 * s for s in view.span)
        self.set_ranges((-width, width), (-height, height))

    def show_fit(
        self, point: FittedPoint | None, fits: Curve, expected: tuple[float, float]
    ) -> None:
        """Draw fit and ellipse, and with a cross where the model has the present light."""
        self.guess.setData(x=[1e-3 * expected[0]], y=[1e-3 * expected[1]])
        self.path.setData(x=1e-3 * fits.x, y=1e-3 * fits.y)
        if point is None:
            self.dot.clear()
            set_curve(self.outline, Curve.empty())
            return
        self.dot.setData(x=[1e-3 * point.delta], y=[1e-3 * point.g_a])
        outline = point.ellipse()
        set_curve(self.outline, Curve(1e-3 * outline.x, 1e-3 * outline.y))

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        tone = QColor(*_COLORS["antireciprocal"])
        tone.setAlpha(70)
        for item in self.broken:
            item.setPen(theme.pen(theme.particles[1]))
            item.setBrush(QBrush(tone, Qt.BrushStyle.BDiagPattern))
        for item in self.growth:
            item.setPen(theme.pen(theme.text, style=Qt.PenStyle.DashLine))
        for line in self.levels:
            line.setPen(theme.pen(theme.muted, style=Qt.PenStyle.DotLine))
            line.label.setColor(theme.muted)
        self.path.setBrush(pg.mkBrush(theme.muted))
        self.path.setPen(None)
        self.outline.setPen(theme.pen(theme.text, width=1.4))
        self.dot.setBrush(pg.mkBrush(theme.accent))
        self.dot.setPen(theme.pen(theme.text))
        self.guess.setBrush(pg.mkBrush(theme.color("warning")))
        self.guess.setPen(theme.pen(theme.color("warning")))
        self.word.setColor(theme.text)


def _dots(plot: LinePlot, z: float, *, size: int = 8, symbol: str = "o", name: str) -> Any:
    item = pg.ScatterPlotItem(symbol=symbol, size=size, pxMode=True, name=name)
    item.setZValue(z)
    plot.addItem(item, ignoreBounds=True)
    return item


def _region(plot: LinePlot) -> Any:
    """A curve whose inside is filled."""
    item = pg.PlotCurveItem(fillLevel=0.0)
    item.setZValue(-5)
    plot.addItem(item, ignoreBounds=True)
    return item
