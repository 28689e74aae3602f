"""A sweep as it goes on, or as it was: a parameter against a knob, and every point."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyqtgraph as pg
from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QBrush, QColor
from PyQt6.QtWidgets import QFileDialog, QProgressBar, QTableWidgetItem, QToolButton

from ..background import in_background
from ..bridge import Bridge
from ..plain import PlainLabel, plain_tip
from ..plots import BandItem, LinePlot, add_curve, error_bars, set_curve
from ..theme import Theme
from ..viewmodels.port import SessionPort
from ..viewmodels.sweep_summary import SweepCurve, SweepSummary, name_of
from ..widgets.choice_box import ChoiceBox
from ..widgets.elided_label import ElidedLabel
from ..widgets.flow import FlowBox
from ..widgets.table import plain_table
from .base import Panel

if TYPE_CHECKING:
    from ...acquisition.sweeps.plan import SweepPlan
    from ...analysis.sweep_work import SweepWork

__all__ = ["SweepPanel"]

_STEPS = 200


class SweepPanel(Panel):
    """The summary of a sweep."""

    name = "sweep"
    title = "Sweep"
    period = 0.5
    draws = True

    grown = pyqtSignal(object, object, object)  # plan, light and rows of a sweep that goes on

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__(bridge, theme)
        self.summary: SweepSummary | None = None
        self.work: SweepWork | None = None
        self._drawn: Hashable = None
        self.parameter, self.against = ChoiceBox(), ChoiceBox()
        self.parameter.setToolTip("what is drawn, with its standard error")
        self.against.setToolTip("against which knob, as read back")
        for choice in (self.parameter, self.against):
            choice.currentIndexChanged.connect(lambda _: self.repaint_soon())
        self.load = QToolButton()
        self.load.setText("Open …")
        self.load.setToolTip("show a sweep from its folder")
        self.load.clicked.connect(self.ask_folder)
        self.live = QToolButton()
        self.live.setText("Live")
        self.live.setToolTip("show the sweep that goes on")
        self.live.clicked.connect(self.follow_live)
        versus = PlainLabel("against")
        self.body.addWidget(FlowBox(self.parameter, versus, self.against, self.load, self.live))
        self.path = ElidedLabel("", Qt.TextElideMode.ElideMiddle)
        self.path.setObjectName("hint")
        self.body.addWidget(self.path)
        self.said = PlainLabel("no sweep: put one into the queue, or open one")
        self.said.setWordWrap(True)
        self.body.addWidget(self.said)
        self.bar = QProgressBar()
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        self.body.addWidget(self.bar)
        self.plot = LinePlot()
        self.plot.setMinimumHeight(130)
        self.band = BandItem()
        self.plot.addItem(self.band, ignoreBounds=True)
        self.strokes = add_curve(self.plot, name="± 1σ", channel=0)
        self.dots = pg.ScatterPlotItem(size=7, name="fitted", pxMode=True)
        self.planned = pg.ScatterPlotItem(size=8, pxMode=True)
        for item in (self.dots, self.planned):
            self.plot.addItem(item, ignoreBounds=True)
        self.dots.opts["channel"] = 0
        self.body.addWidget(self.plot, 3)
        self.table = plain_table("", "at", "value", "")
        self.table.hide()
        self.body.addWidget(self.table, 2)
        self._told: Hashable = None
        bridge.status_changed.connect(lambda _: self._tell())
        self.set_theme(theme)
        self._show_state()

    # -- which sweep ------------------------------------------------------------------------------

    def follow(self, work: SweepWork, plan: SweepPlan) -> None:
        """Show a sweep while it goes on."""
        self.work = work
        self._show(SweepSummary(plan))

    def follow_live(self) -> None:
        """Show the sweep that goes on, after another one was looked at."""
        if self.work is not None and self.work.folder is not None:
            self._show(SweepSummary(self.work.folder.plan))

    def ask_folder(self) -> None:
        """Ask for the folder of a sweep and show it."""
        name = QFileDialog.getExistingDirectory(self, "Show a sweep", "")
        if name:
            self.show_folder(Path(name))

    def show_folder(self, path: Path) -> None:
        """Show a sweep from its folder, read in a thread."""
        from ...acquisition.sweeps.folder import SweepFolder
        from ...acquisition.sweeps.points import planned_points

        def read() -> SweepSummary:
            folder = SweepFolder(path)
            planned_points(folder.plan)  # known then: those of long sweeps take a while
            return SweepSummary(folder.plan, tuple(folder.rows()), path)

        future = in_background(read)

        def done(error: BaseException | None) -> None:
            if error is None:
                self._show(future.result())

        self.bridge.submit(f"sweep {path.name}", lambda: future, done=done)

    def _show(self, summary: SweepSummary) -> None:
        self.summary = summary
        self.plot.follow()
        self._drawn = None
        self.repaint_soon()

    @property
    def _is_live(self) -> bool:
        """Whether what is shown goes on."""
        work, shown = self.work, self.summary
        if work is None or shown is None or work.future.done():
            return False
        return shown.path is None or (work.folder is not None and work.folder.path == shown.path)

    def _tell(self) -> None:
        """Tell others of the points of the sweep that goes on, also where this is not seen."""
        work = self.work
        if work is None or work.folder is None:
            return
        told = id(work), len(work.rows)
        if told != self._told:
            self._told = told
            self.grown.emit(work.folder.plan, work.folder.header.light, work.rows)

    # -- drawing ----------------------------------------------------------------------------------

    def pull(self, session: SessionPort) -> Any:
        """Take the points that there are; None without a sweep."""
        shown, work = self.summary, self.work
        if shown is None:
            return None
        own = work is not None and (
            shown.path is None or (work.folder is not None and work.folder.path == shown.path)
        )
        if work is not None and own:
            shown.rows = work.rows or shown.rows
            shown.path = None if work.folder is None else work.folder.path
        return shown

    def key(self, snapshot: Any) -> Hashable:
        """Points, what is done now, and what was chosen."""
        status = None if self.work is None else self.work.status()
        chosen = self.parameter.currentData(), self.against.currentData()
        return id(snapshot), id(snapshot.rows), status, chosen, self._is_live

    def draw(self, snapshot: Any) -> None:
        """Draw curve and table where they changed."""
        summary: SweepSummary = snapshot
        _offer(self.parameter, [(name_of(name), name) for name in summary.names])
        innermost = max(0, len(summary.knobs) - 2)  # it changes from point to point
        _offer(self.against, [(knob, knob) for knob in summary.knobs], innermost)
        self._show_state()
        name, knob = self.parameter.currentData(), self.against.currentData()
        drawn = (id(summary), id(summary.rows), name, knob, self.theme.name)
        if drawn == self._drawn or knob is None:
            return
        self._drawn = drawn
        self._draw_curve(summary.curve(str(name or ""), str(knob)))
        self._fill(summary, str(name or ""), str(knob))

    def _show_state(self) -> None:
        """Say which sweep it is and how far it is."""
        summary, work = self.summary, self.work
        self.live.setVisible(work is not None and not work.future.done() and not self._is_live)
        self.bar.setVisible(self._is_live)
        if summary is None:
            return
        self.path.show_text("" if summary.path is None else str(summary.path))
        fitted = sum(row.fit is not None and row.fit.converged for row in summary.rows)
        if self._is_live and work is not None:
            status = work.status()
            self.bar.setRange(0, _STEPS if status.planned else 0)
            if status.planned:
                self.bar.setValue(round(_STEPS * min(1.0, status.done / status.planned)))
            count = f"{status.done} of {status.planned} points" if status.planned else ""
            self.said.setText(" · ".join(p for p in (count, status.message) if p))
        else:
            self.said.setText(f"{len(summary.rows)} points, {fitted} fitted")

    def _draw_curve(self, curve: SweepCurve) -> None:
        good = np.isfinite(curve.x) & np.isfinite(curve.y)
        x, y, error = curve.x[good], curve.y[good], curve.error[good]
        error = np.where(np.isfinite(error), error, 0.0)
        xs = np.concatenate([x, curve.planned])
        ends = [*(y - error), *(y + error), *(curve.reference or ())]
        low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
        pad = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
        low, high = low - pad, high + pad
        left, right = (float(xs.min()), float(xs.max())) if xs.size else (0.0, 1.0)
        room = 0.05 * (right - left) or 0.5
        self.plot.set_ranges((left - room, right + room), (low, high))
        set_curve(self.strokes, error_bars(x, y, error), "pairs")
        self.dots.setData(x, y)
        bottom = np.full(curve.planned.size, low + 0.3 * pad)
        self.planned.setData(curve.planned, bottom)
        edges = np.array([left - room, right + room])
        reference = curve.reference
        self.band.setVisible(reference is not None)
        if reference is not None:
            below, above = (np.full(2, value) for value in reference)
            self.band.set_band(edges, below, above)
        self.plot.label("bottom", curve.x_title)
        self.plot.label("left", curve.y_title)

    def _fill(self, summary: SweepSummary, name: str, knob: str) -> None:
        lines, tips = summary.table(name, knob), summary.tips()
        heads = ("", "at" if knob == "point" else knob, name_of(name) if name else "value", "")
        self.table.setHorizontalHeaderLabels(heads)
        self.table.setColumnHidden(1, knob == "point")
        self.table.setVisible(bool(lines))  # an empty one gives its room away
        self.table.setRowCount(len(lines))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for row, (cells, tip) in enumerate(zip(lines, tips, strict=True)):
            for column, text in enumerate(cells):
                item = QTableWidgetItem(text)
                item.setToolTip(plain_tip(tip))
                if column < 3:
                    item.setTextAlignment(right)
                self.table.setItem(row, column, item)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        color = theme.channel(0)
        self.plot.set_theme(theme)
        self.strokes.setPen(theme.pen(color))
        self.dots.setPen(theme.pen(color))
        self.dots.setBrush(QBrush(QColor(color)))
        self.planned.setPen(theme.pen(theme.muted))
        self.planned.setBrush(QBrush(Qt.BrushStyle.NoBrush))
        self.band.set_color(theme.muted)
        self.repaint_soon()


def _offer(choice: ChoiceBox, entries: list[tuple[str, str]], first: int = 0) -> None:
    """Offer names; the chosen one stays chosen while it is there, else it is the ``first``."""
    known = [(choice.itemText(i), choice.itemData(i)) for i in range(choice.count())]
    if known == entries:
        return
    held = choice.currentData()
    choice.blockSignals(True)
    choice.clear()
    for text, data in entries:
        choice.addItem(text, data)
    names = [data for _, data in entries]
    choice.setCurrentIndex(names.index(held) if held in names else first if names else -1)
    choice.blockSignals(False)
