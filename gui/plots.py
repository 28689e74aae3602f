"""Plots in one style: linear axes that hold log10, thin pens, no automatic ranges."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QPen, QPolygonF
from PyQt6.QtWidgets import QGraphicsItem

from .viewmodels.curves import Curve
from .viewmodels.ticks import decade_label, decade_ticks, few_ticks

if TYPE_CHECKING:
    from .theme import Theme

__all__ = ["DecadeAxis", "FewAxis", "LinePlot", "PhaseAxis", "add_curve", "set_curve"]

_PIXELS_PER_LABEL, _PIXELS_PER_LETTER = 62, 9
_PIXELS_PER_LINE = 18


class DecadeAxis(pg.AxisItem):  # type: ignore[misc]
    """Axis of log10 values, labelled with the values.

    Parameters
    ----------
    orientation : str
        As of ``pyqtgraph.AxisItem``.
    engineering : bool
        Label "100 k" instead of 10⁵: for frequencies.
    """

    def __init__(self, orientation: str, *, engineering: bool = False) -> None:
        super().__init__(orientation)
        self.engineering = engineering
        self.linear = False  # the axis holds the values themselves
        self.enableAutoSIPrefix(False)

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[Any]:
        """Ticks at decades, or at round values within one."""
        if self.linear:
            return list(super().tickValues(minVal, maxVal, size))
        horizontal = self.orientation in ("bottom", "top")
        room = max(2, int(size / (_PIXELS_PER_LABEL if horizontal else 26)))
        return decade_ticks(minVal, maxVal, room)

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Labels of major ticks; minor ones stay bare."""
        if self.linear:
            return list(super().tickStrings(values, scale, spacing))
        if spacing == 0.1:
            return ["" for _ in values]
        return [decade_label(v, engineering=self.engineering) for v in values]


class FewAxis(pg.AxisItem):  # type: ignore[misc]
    """Axis of a low plot: as many labels as there is room for, never one over another."""

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[Any]:
        """A few round values."""
        return few_ticks(minVal, maxVal, int(size / _PIXELS_PER_LINE))


class PhaseAxis(pg.AxisItem):  # type: ignore[misc]
    """Axis of a phase in rad, labelled in parts of π."""

    _LABELS = ((-np.pi, "−π"), (0.0, "0"), (np.pi, "π"))

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[Any]:
        """Multiples of π."""
        return [(1.0, [v for v, _ in self._LABELS if minVal <= v <= maxVal])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Names of the multiples."""
        names = dict(self._LABELS)
        return [names[v] for v in values]


class LinePlot(pg.PlotWidget):  # type: ignore[misc]
    """A plot with fixed ranges; zooming by hand stops automatic ranges until ``follow`` is called.

    Parameters
    ----------
    axes : dict, optional
        Axis items by side.
    left_width : int
        Width of the left axis, px: stacked plots align.
    """

    def __init__(self, axes: dict[str, Any] | None = None, left_width: int = 58) -> None:
        super().__init__(axisItems=axes or {}, enableMenu=False)
        self.manual = False
        # Whether a place of the scene has a use of its own for a click with the right button.
        self.claims: Callable[[QPointF], bool] = lambda place: False
        self._label_color = "#888888"
        self._names: dict[str, tuple[str, str]] = {}
        self._hidden: dict[str, str] = {}
        item = self.getPlotItem()
        item.hideButtons()
        item.disableAutoRange()
        item.getAxis("left").setWidth(left_width)
        item.setContentsMargins(0, 2, 6, 0)
        self.box = item.getViewBox()
        self.box.sigRangeChangedManually.connect(self._on_manual)
        self.box.sigResized.connect(self._fit_label)
        self.setMinimumHeight(48)
        self.scene().sigMouseClicked.connect(self._clicked)
        font = self.font()
        font.setPointSizeF(max(7.0, font.pointSizeF() - 1.0))
        for side in ("left", "bottom"):
            # Only before there is a label: later, pyqtgraph would scale the ticks once more and
            # keep that scale, volts drawn as millivolts.
            item.getAxis(side).enableAutoSIPrefix(False)
            item.getAxis(side).setStyle(tickLength=-4, tickFont=font, tickTextOffset=3)
            # Labels and grid as a picture: drawn anew they cost four times what the lines do.
            item.getAxis(side).setCacheMode(QGraphicsItem.CacheMode.DeviceCoordinateCache)

    def sizeHint(self) -> QSize:
        """Small: the layout shares out what there is."""
        return QSize(160, 64)

    def _clicked(self, event: Any) -> None:
        """A click with the right button asks the window what is offered for this plot."""
        popup = getattr(getattr(self.window(), "menus", None), "popup", None)
        right = event.button() == Qt.MouseButton.RightButton
        if right and popup is not None and not self.claims(event.scenePos()):
            event.accept()
            popup(self, event.screenPos().toPoint())

    def _on_manual(self, *_: object) -> None:
        self.manual = True

    def follow(self) -> None:
        """Let the program set the ranges again."""
        self.manual = False

    def set_ranges(
        self, x: tuple[float, float] | None = None, y: tuple[float, float] | None = None
    ) -> None:
        """Set ranges unless the user has zoomed."""
        if self.manual:
            return
        now_x, now_y = self.box.viewRange()
        if x is not None and not np.allclose(now_x, x, rtol=1e-9, atol=1e-15):
            self.box.setXRange(*x, padding=0.0)
        if y is not None and not np.allclose(now_y, y, rtol=1e-9, atol=1e-300):
            self.box.setYRange(*y, padding=0.0)

    @property
    def columns(self) -> int:
        """Pixel columns of the drawing area."""
        return max(50, int(self.box.width()))

    def label(self, side: str, text: str, short: str = "") -> None:
        """Name an axis; units belong to the text, ``short`` stands in where there is no room."""
        self._names[side] = text, short or text
        self._write_label(side)

    def name_axis(self, side: str, text: str) -> None:
        """Name an axis for figures and data only: there is no label."""
        self._hidden[side] = text

    def name_of(self, side: str) -> str:
        """Full name of an axis, with its unit."""
        return self._hidden.get(side) or self._names.get(side, ("", ""))[0]

    def _fit_label(self, *_: object) -> None:
        """Choose between the full and the short name of the vertical axis."""
        if "left" in self._names:
            self._write_label("left")

    def _write_label(self, side: str) -> None:
        text, short = self._names[side]
        axis = self.getPlotItem().getAxis(side)
        if side == "left" and self.box.height() < _PIXELS_PER_LETTER * len(text):
            text = short
        if axis.labelText != text:
            axis.setLabel(text, **{"font-size": "8pt", "color": self._label_color})
            axis.resizeEvent()  # another text has another middle

    def set_theme(self, theme: Theme) -> None:
        """Colour background, axes and grid."""
        self.setBackground(theme.base)
        self._label_color = theme.muted
        for side in ("left", "bottom"):
            axis = self.getPlotItem().getAxis(side)
            axis.setPen(theme.pen(theme.border))
            axis.setTextPen(QColor(theme.muted))
            axis.setGrid(34)
            axis.setTickPen(theme.pen(theme.muted))
            if axis.labelText:
                style = {"font-size": "8pt", "color": theme.muted}
                axis.setLabel(axis.labelText, **style)


def add_curve(
    plot: Any,
    pen: QPen | None = None,
    *,
    z: float = 0.0,
    name: str = "",
    channel: int | None = None,
) -> Any:
    """Add an empty thin line to a plot; named ones are kept with figures and data."""
    curve = pg.PlotCurveItem(pen=pen, antialias=False, skipFiniteCheck=True, name=name or None)
    curve.opts["channel"] = channel
    curve.setZValue(z)
    plot.addItem(curve, ignoreBounds=True)
    return curve


def set_curve(item: Any, curve: Curve, connect: str | np.ndarray = "all") -> None:
    """Give a line its points; an array tells which points are joined to the next."""
    item.setData(curve.x, curve.y, connect=connect, skipFiniteCheck=True)


def error_bars(x: np.ndarray, y: np.ndarray, stderr: np.ndarray) -> Curve:
    """Vertical strokes as pairs of points, to be drawn with connect="pairs"."""
    ends = np.empty(2 * x.size)
    ends[0::2], ends[1::2] = y - stderr, y + stderr
    return Curve(np.repeat(x, 2), ends)


def dashes(curve: Curve, half: float) -> Curve:
    """Short horizontal strokes at each point, for phases; to be drawn with connect="pairs"."""
    x = np.empty(2 * curve.x.size)
    x[0::2], x[1::2] = curve.x - half, curve.x + half
    return Curve(x, np.repeat(curve.y, 2))


def band_polygon(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> QPolygonF:
    """Closed outline of a band of errors."""
    points = [QPointF(float(a), float(b)) for a, b in zip(x, high, strict=True)]
    back = [QPointF(float(a), float(b)) for a, b in zip(x[::-1], low[::-1], strict=True)]
    return QPolygonF(points + back)


class BandItem(pg.GraphicsObject):  # type: ignore[misc]
    """A filled band of errors; one polygon, cheaper than filling between two curves."""

    def __init__(self) -> None:
        super().__init__()
        self._polygons: list[QPolygonF] = []
        self._color = QColor("#808080")
        self.setZValue(-5)

    def set_band(
        self,
        x: np.ndarray,
        low: np.ndarray,
        high: np.ndarray,
        joined: np.ndarray | None = None,
    ) -> None:
        """Take the outline; it is open after points that are not ``joined`` to the next."""
        self.prepareGeometryChange()
        cuts = np.empty(0, int) if joined is None else np.flatnonzero(~joined[:-1]) + 1
        parts = (np.split(values, cuts) for values in (x, low, high))
        self._polygons = [band_polygon(*part) for part in zip(*parts, strict=True)]
        self.update()

    def set_color(self, color: str, alpha: int = 70) -> None:
        """Take the colour of the filling."""
        self._color = QColor(color)
        self._color.setAlpha(alpha)
        self.update()

    def boundingRect(self) -> Any:
        """Extent of the outline."""
        whole = QRectF()
        for polygon in self._polygons:
            whole = whole.united(polygon.boundingRect())
        return whole

    def paint(self, painter: Any, *_: object) -> None:
        """Fill."""
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._color)
        for polygon in self._polygons:
            painter.drawPolygon(polygon)
