"""Small strips: fit parameters over time with ±1σ and the marks of events."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Hashable
from typing import Any

import numpy as np
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QComboBox, QGridLayout, QVBoxLayout

from ...acquisition.events import Event, EventKind
from ...models.inference.parameters import symbol_of
from ..bridge import Bridge
from ..plots import BandItem, FewAxis, LinePlot, add_curve, set_curve
from ..theme import Theme
from ..viewmodels.curves import Curve
from ..viewmodels.fit import strip
from ..viewmodels.port import SessionPort
from ..viewmodels.standing import Standing
from ..viewmodels.units import HeldPrefixes, prefix_factor, value_with_error
from ..widgets.elided_label import ElidedLabel
from ..widgets.restyle import restyle
from .base import Panel

__all__ = ["StripsPanel"]

_SPAN = 120.0
_DEFAULT = ("g_r", "g_a", "re_D12", "omega_1")
_MARKED = (EventKind.LIGHT, EventKind.STEP_START, EventKind.FAULT, EventKind.PARTICLE_LOST)


class _Cell:
    """One strip: choice of the parameter, its newest value, plot."""

    def __init__(self, name: str) -> None:
        self.choice = QComboBox()
        self.choice.addItem(symbol_of(name), name)
        self.value = ElidedLabel("–")
        self.plot = LinePlot({"left": FewAxis("left")}, left_width=44)
        self.band = BandItem()
        self.plot.addItem(self.band, ignoreBounds=True)
        self.line = add_curve(self.plot, name="live fit", channel=0)
        self.edges = [add_curve(self.plot, z=-6, name=f"{sign}1σ", channel=0) for sign in "+−"]
        self.marks = add_curve(self.plot, z=-8)

    @property
    def name(self) -> str:
        """Name of the parameter."""
        return str(self.choice.currentData())

    def offer(self, names: tuple[str, ...]) -> None:
        """Offer the parameters of the present model; a chosen one that it lacks stays."""
        held = self.name
        if held not in names:
            names = (*names, held)
        known = tuple(str(self.choice.itemData(i)) for i in range(self.choice.count()))
        if known == names:
            return
        self.choice.blockSignals(True)
        self.choice.clear()
        for name in names:
            self.choice.addItem(symbol_of(name), name)
        self.choice.setCurrentIndex(names.index(held))
        self.choice.blockSignals(False)

    def show_value(self, text: str, tip: str, theme: Theme, *, fresh: bool = False) -> None:
        """Show the newest value, muted and in italics unless it is ``fresh``."""
        self.value.show_text(text, tip)
        sheet = "" if fresh else f"color: {theme.muted}; font-style: italic"
        restyle(self.value, sheet)


class StripsPanel(Panel):
    """Four strips, drawn twice a second."""

    name = "strips"
    title = "Over time"
    period = 0.5
    draws = True

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__(bridge, theme)
        self._prefixes = HeldPrefixes()
        self.marks: deque[float] = deque(maxlen=200)
        self.cells = [_Cell(name) for name in _DEFAULT]
        grid = QGridLayout()
        grid.setHorizontalSpacing(5)
        grid.setVerticalSpacing(0)
        for index, cell in enumerate(self.cells):
            last = index == len(self.cells) - 1
            side = QVBoxLayout()
            side.setSpacing(1)
            side.addWidget(cell.choice)
            side.addWidget(cell.value)
            side.addStretch(1)
            grid.addLayout(side, index, 0)
            grid.addWidget(cell.plot, index, 1)
            if last:
                cell.plot.label("bottom", "time before now (s)")
            cell.plot.name_axis("bottom", "time before now (s)")
            grid.setRowStretch(index, 13 if last else 10)
            cell.plot.getPlotItem().getAxis("bottom").setStyle(showValues=last)
            cell.choice.currentIndexChanged.connect(lambda _: self.repaint_soon())
        widest = self.fontMetrics().horizontalAdvance("−100.000 ± 0.000 kHz")
        grid.setColumnMinimumWidth(0, widest)
        grid.setColumnStretch(1, 1)
        self.body.addLayout(grid, 1)
        bridge.events.connect(self.take_events)
        self.set_theme(theme)

    def take_events(self, events: list[Event]) -> None:
        """Remember the events that are marked."""
        self.marks.extend(e.host_time for e in events if e.kind in _MARKED and e.host_time > 0.0)

    def pull(self, session: SessionPort) -> Any:
        """Take the history; None while it is empty."""
        return session.fit_history() or None

    def key(self, snapshot: Any) -> Hashable:
        """Length and newest time, and whether that is of what is measured now."""
        return len(snapshot), snapshot[-1][0], self.bridge.standing.now

    def draw(self, snapshot: Any) -> None:
        """Draw."""
        now = time.time()
        names = tuple(snapshot[-1][1].parameters)
        for cell in self.cells:
            cell.offer(names)
            self._draw(cell, snapshot, now)

    def _draw(self, cell: _Cell, history: Any, now: float) -> None:
        data = strip(history, cell.name, now, _SPAN, self.marks)
        if data.values.size == 0:
            cell.show_value("– not in this model", "no fit of the last 2 min has it", self.theme)
            return
        sigma = 0.5 * float(data.high[-1] - data.low[-1])
        text, unit = value_with_error(
            float(data.values[-1]), sigma, data.unit, self._prefixes, cell.name
        )
        self._write_value(cell, f"{text} {unit}".rstrip(), history)
        # The axis counts in the unit of the value beside it.
        scale = 1.0 / prefix_factor(unit, data.unit)
        low, high = scale * data.low, scale * data.high
        joined = data.joined.astype(np.int32)
        set_curve(cell.line, Curve(data.ages, scale * data.values), joined)
        cell.band.set_band(data.ages, low, high, data.joined)
        for edge, values in zip(cell.edges, (high, low), strict=True):
            set_curve(edge, Curve(data.ages, values), joined)
        cell.plot.name_axis("left", f"{symbol_of(cell.name)} ({unit})")
        bottom, top = float(low.min()), float(high.max())
        pad = 0.1 * (top - bottom) or abs(top) or 1.0
        y_range = (bottom - pad, top + pad)
        cell.plot.set_ranges((max(-_SPAN, float(data.ages[0])) - 0.5, 0.5), y_range)
        marks = [m - now for m in self.marks if now - m <= _SPAN]
        xs = [m for mark in marks for m in (mark, mark)]
        set_curve(cell.marks, Curve(np.array(xs), np.array(y_range * len(marks))), "pairs")

    def _write_value(self, cell: _Cell, text: str, history: Any) -> None:
        """Show the newest value: as such only while it is of what is measured now."""
        standing = self.bridge.standing
        if cell.name not in history[-1][1].parameters:
            cell.show_value("– not in this model", f"last: {text}", self.theme)
        elif standing.now is Standing.FRESH:
            cell.show_value(text, text, self.theme, fresh=True)
        elif standing.now is Standing.STALE:
            cell.show_value(text, f"{text}; {standing.text}", self.theme)
        else:
            cell.show_value("–", f"last: {text}; {standing.text}", self.theme)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        for index, cell in enumerate(self.cells):
            color = theme.channel(index)
            cell.plot.set_theme(theme)
            cell.line.setPen(theme.pen(color))
            cell.band.set_color(color)
            for edge in cell.edges:
                edge.setPen(theme.pen(color, alpha=90))
            cell.marks.setPen(theme.pen(theme.muted, style=Qt.PenStyle.DotLine))
