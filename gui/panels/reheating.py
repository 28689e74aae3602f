"""Reheating curves that fill repetition by repetition."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import QPointF, Qt
from PyQt6.QtWidgets import QCheckBox, QInputDialog, QLabel, QToolButton

from ...acquisition.snapshots import ReheatingSnapshot
from ...models.errors import InputError
from ..bridge import Bridge
from ..plain import PlainLabel, in_html
from ..plots import FewAxis, LinePlot, add_curve, error_bars, set_curve
from ..theme import Theme
from ..viewmodels.curves import Curve
from ..viewmodels.port import SessionPort
from ..viewmodels.reheating import (
    Points,
    ReheatingModel,
    ReheatingView,
    Single,
    nearest_single,
    parse_exclusion,
)
from ..widgets.flow import FlowBox
from .base import Panel, hint

__all__ = ["ReheatingPanel"]

_SYMBOLS = ("o", "s")
_MOST_SINGLES = 12
_PICK_PIXELS = 10.0


class _Series:
    """Symbols, error bars and fit of one curve."""

    def __init__(self, plot: LinePlot, symbol: str, name: str, channel: int) -> None:
        self.bars = add_curve(plot, z=1, name=name, channel=channel)
        self.fit = add_curve(plot, z=3, name=f"fit of {name}")
        self.dots = pg.ScatterPlotItem(symbol=symbol, size=5, pxMode=True, name=name)
        self.dots.opts["channel"] = channel
        self.dots.setZValue(2)
        plot.addItem(self.dots, ignoreBounds=True)

    def paint(self, theme: Theme, color: str, style: Qt.PenStyle) -> None:
        """Take colours."""
        self.bars.setPen(theme.pen(color, alpha=150))
        self.fit.setPen(theme.pen(theme.fit, style=style))
        self.dots.setPen(None)
        self.dots.setBrush(pg.mkBrush(color))

    def show(self, points: Points) -> None:
        """Take values; times are drawn in µs."""
        x = 1e6 * points.x
        set_curve(self.bars, error_bars(x, points.y, points.stderr), "pairs")
        self.dots.setData(x=x, y=points.y)
        set_curve(self.fit, Curve(1e6 * points.fit.x, points.fit.y))

    def clear(self) -> None:
        """Show nothing."""
        for item in (self.bars, self.fit):
            set_curve(item, Curve.empty())
        self.dots.clear()


class ReheatingPanel(Panel):
    """Energies on top, the correlation C below."""

    name = "reheating"
    title = "Reheating"
    period = 0.3
    draws = True

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__(bridge, theme)
        self.model = ReheatingModel()
        self.reasons: dict[int, str] = {}
        self.shown_singles: tuple[Single, ...] = ()
        self.done = 0
        self.by_hand: tuple[int, ...] = ()
        self.counter = PlainLabel("" if bridge.recorded else "no repetition yet")
        self.counter.setWordWrap(True)
        self.modes = QCheckBox("E±")
        self.modes.setToolTip("common and differential mode instead of the particles")
        self.modes.toggled.connect(self._switch)
        self.singles_box = QCheckBox("singles")
        self.singles_box.setToolTip(
            "faint single repetitions; right-click one to exclude it or to take that back"
        )
        self.singles_box.setChecked(True)
        self.singles_box.toggled.connect(self._switch)
        self.exclude_button = QToolButton()
        self.exclude_button.setText("Exclude …")
        self.exclude_button.setToolTip("leave one repetition out; the record keeps it")
        self.exclude_button.clicked.connect(self._ask_exclusion)
        self.exclude_button.setEnabled(False)
        self.include_button = QToolButton()
        self.include_button.setText("Take back …")
        self.include_button.setToolTip("let a repetition that was excluded by hand count again")
        self.include_button.clicked.connect(self._ask_inclusion)
        self.include_button.setEnabled(False)
        if bridge.recorded:
            self.exclude_button.setToolTip("leave one repetition out here; the file stays as it is")
        tools = (self.exclude_button, self.include_button, self.singles_box, self.modes)
        self.body.addWidget(FlowBox(*tools))
        self.body.addWidget(self.counter)
        self.legend = QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.body.addWidget(self.legend)
        self.top = LinePlot({"left": FewAxis("left")})
        self.bottom = LinePlot({"left": FewAxis("left")})
        self.bottom.setXLink(self.top)
        self.top.getPlotItem().getAxis("bottom").setStyle(showValues=False)
        self.bottom.label("bottom", "time after release (µs)")
        self.body.addWidget(self.top, 10)
        self.body.addWidget(self.bottom, 9)
        self.note = hint(
            "Fit releases, in the record panel, draws the releases of the stretch."
            if bridge.recorded
            else "Curves fill in, repetition by repetition, during a reheating run."
        )
        self.body.addWidget(self.note)
        self.parameters = PlainLabel()
        self.parameters.setWordWrap(True)
        self.parameters.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.parameters.hide()
        self.body.addWidget(self.parameters)
        self.singles = [[add_curve(self.top, z=-2) for _ in range(2)] for _ in range(_MOST_SINGLES)]
        self.energies = [
            _Series(self.top, symbol, f"energy {n + 1}", n) for n, symbol in enumerate(_SYMBOLS)
        ]
        self.cross = [
            _Series(self.bottom, symbol, f"{part} C", n)
            for n, (symbol, part) in enumerate(zip(_SYMBOLS, ("Re", "Im"), strict=True))
        ]
        self.top.name_axis("bottom", "time after release (µs)")
        self.zero = pg.InfiniteLine(0.0, angle=0)
        self.bottom.addItem(self.zero, ignoreBounds=True)
        self.top.set_ranges((0.0, 1000.0), (0.0, 100.0))
        self.bottom.set_ranges((0.0, 1000.0), (-50.0, 50.0))
        self.top.scene().sigMouseClicked.connect(self._clicked)
        self.top.claims = lambda place: self.single_at(place) is not None
        self.set_theme(theme)

    def pull(self, session: SessionPort) -> ReheatingSnapshot | None:
        """Take the newest curves."""
        return session.reheating()

    def key(self, snapshot: ReheatingSnapshot) -> Hashable:
        """Sequence number and options."""
        return snapshot.sequence, self.model.show_modes, self.model.show_singles

    def draw(self, snapshot: ReheatingSnapshot) -> None:
        """Draw."""
        view = self.model.view(snapshot)
        if snapshot.repetitions_done < self.done and not self.bridge.recorded:
            self.reasons.clear()  # a new run counts anew
        self.done, self.shown_singles = snapshot.repetitions_done, view.singles
        left_out = [f"repetition {n} left out: {why}" for n, why in self.reasons.items()]
        self.counter.setText(view.counter)
        self.counter.setToolTip("\n".join((view.counter, *left_out)))
        self.by_hand = snapshot.by_hand
        self.exclude_button.setEnabled(bool(view.energies))
        self.include_button.setEnabled(bool(snapshot.by_hand))
        self.note.setText(view.note)
        self.parameters.setText(view.parameters)
        self.parameters.setVisible(bool(view.parameters))
        for series, points in _paired(self.energies, view.energies):
            series.show(points) if points is not None else series.clear()
        for series, points in _paired(self.cross, view.cross):
            series.show(points) if points is not None else series.clear()
        self._draw_singles(view)
        self._write_legend(view)
        if view.energies:
            self._scale(view)

    def _clicked(self, event: Any) -> None:
        """Offer to exclude the repetition under a right-click."""
        if event.button() != Qt.MouseButton.RightButton:
            return
        single = self.single_at(event.scenePos())
        if single is not None and single.number in self.by_hand:
            event.accept()
            self.include(single.number)
        elif single is not None and not single.excluded:
            event.accept()
            reason = self.ask_reason(single.number)
            if reason.strip():
                self.exclude(f"{single.number} {reason}")

    def single_at(self, place: QPointF) -> Single | None:
        """Repetition whose line passes a place of the scene."""
        box = self.top.box
        if not box.sceneBoundingRect().contains(place):
            return None
        point = box.mapSceneToView(place)
        width, height = (_PICK_PIXELS * size for size in box.viewPixelSize())
        reach = 1e-6 * width, height
        return nearest_single(self.shown_singles, 1e-6 * point.x(), point.y(), reach)

    def ask_reason(self, number: int) -> str:
        """Ask why a repetition is left out; "" changes nothing."""
        title = f"Exclude repetition {number}"
        text, ok = QInputDialog.getText(self, title, "reason (the record keeps the repetition)")
        return text if ok else ""

    def _ask_exclusion(self) -> None:
        """Ask until it can be read: what was typed is not thrown away."""
        text, label = "", "number and reason, for example: 12 hit by a flash"
        while True:
            text, ok = QInputDialog.getText(self, "Exclude a repetition", label, text=text)
            if not ok:
                return
            try:
                parse_exclusion(text, self._most)
            except InputError as error:
                label = str(error)
                continue
            self.exclude(text)
            return

    def _ask_inclusion(self) -> None:
        """Offer those that were excluded by hand."""
        names = [f"{n}  {self.reasons.get(n, '')}".strip() for n in self.by_hand]
        text, ok = QInputDialog.getItem(
            self, "Take an exclusion back", "repetition", names, len(names) - 1, False
        )
        if ok:
            self.include(int(text.split()[0]))

    @property
    def _most(self) -> int | None:
        """Number of the newest repetition; a record knows its own."""
        return None if self.bridge.recorded else self.done

    def include(self, number: int) -> None:
        """Let a repetition that was excluded by hand count again."""
        self.reasons.pop(number, None)
        self.bridge.submit(
            f"take the exclusion of repetition {number} back",
            lambda: self.bridge.session.include_repetition(number),
            line=f"session.include_repetition({number})",
        )

    def exclude(self, text: str) -> None:
        """Leave a repetition out: "12 hit by a flash"; on screen they are counted from 1."""
        try:
            number, reason = parse_exclusion(text, self._most)
        except InputError as error:
            self.bridge.log.write("error", f"exclude: {error}")
            return

        def done(error: BaseException | None) -> None:
            if error is None:
                self.reasons[number] = reason

        self.bridge.submit(
            f"exclude repetition {number}",
            lambda: self.bridge.session.exclude_repetition(number, reason),
            line=f"session.exclude_repetition({number}, {reason!r})",
            done=done,
        )

    def _write_legend(self, view: ReheatingView) -> None:
        """Names beside their symbols, as text: it takes no room from the plots."""
        theme = self.theme
        colors = (theme.channel(0), theme.channel(1), theme.cross, theme.channel(2))
        names = [p.name for p in (*view.energies, *view.cross)]
        parts = [
            f"<span style='color:{color}'>{symbol} {in_html(name)}</span>"
            for color, symbol, name in zip(colors, "●■●■", names, strict=False)
        ]
        if any(p.fit.x.size for p in view.energies):
            parts.append(f"<span style='color:{theme.fit}'>━ ╌ fit</span>")
        self.legend.setText(" &nbsp; ".join(parts))

    def _draw_singles(self, view: ReheatingView) -> None:
        for index, pair in enumerate(self.singles):
            single = view.singles[index] if index < len(view.singles) else None
            for j, item in enumerate(pair):
                curve = Curve.empty() if single is None else single.curves[j]
                out = single is not None and single.excluded
                style = Qt.PenStyle.DotLine if out else Qt.PenStyle.SolidLine
                color = self.theme.color("warning") if out else self.theme.channel(j)
                item.setPen(self.theme.pen(color, alpha=150 if out else 38, style=style))
                set_curve(item, Curve(1e6 * curve.x, curve.y))

    def _scale(self, view: ReheatingView) -> None:
        x = 1e6 * view.energies[0].x
        x_range = (0.0, float(x[-1] + 0.02 * (x[-1] - x[0])))
        for plot, curves, floor in (
            (self.top, view.energies, True),
            (self.bottom, view.cross, False),
        ):
            low = min(float(np.min(c.y - c.stderr)) for c in curves)
            high = max(float(np.max(c.y + c.stderr)) for c in curves)
            pad = 0.08 * (high - low) or 1.0
            plot.set_ranges(x_range, (min(0.0, low) if floor else low - pad, high + pad))
        self.top.label("left", f"energy ({view.unit})", "E")
        self.bottom.label("left", f"C ({view.unit})", "C")

    def _switch(self) -> None:
        self.model.show_modes = self.modes.isChecked()
        self.model.show_singles = self.singles_box.isChecked()
        self.repaint_soon()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        self.top.set_theme(theme)
        self.bottom.set_theme(theme)
        styles = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine)
        for index in range(2):
            self.energies[index].paint(theme, theme.channel(index), styles[index])
            self.cross[index].paint(theme, (theme.cross, theme.channel(2))[index], styles[index])
        self.zero.setPen(theme.pen(theme.border))
        self.repaint_soon()


def _paired(series: list[_Series], points: tuple[Points, ...]) -> list[Any]:
    """Series with their points, None where there are none."""
    return [(s, points[i] if i < len(points) else None) for i, s in enumerate(series)]
