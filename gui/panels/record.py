"""The time slider of a record: overview, marks, the stretch, and what can be done with it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pyqtgraph as pg
from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QComboBox, QToolButton, QWidget

from ...analysis.recorded.session import RecordedSession
from ...models.errors import InputError
from ..bridge import Bridge
from ..plain import PlainLabel
from ..plots import LinePlot, add_curve, set_curve
from ..theme import Theme
from ..viewmodels.curves import Curve
from ..viewmodels.port import SessionPort
from ..viewmodels.record import MARKS, RecordModel
from ..viewmodels.units import DURATION, format_quantity
from ..widgets.flow import FlowBox
from ..widgets.quantity_edit import QuantityEdit
from ..widgets.restyle import restyle
from .base import Panel

__all__ = ["RecordPanel"]

_CHANNELS = 4
_REACH = 8  # px around a mark
_TONES = {"fault": "error", "lost": "error", "gap": "warning", "light": "sim", "step": "good"}


class RecordPanel(Panel):
    """Owns the stretch; dragging the slider shows numbers, releasing it asks for the analysis."""

    name = "record"
    title = "Record"
    period = 0.1
    draws = True
    report_wanted = pyqtSignal()
    compare_wanted = pyqtSignal()

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__(bridge, theme)
        assert isinstance(bridge.session, RecordedSession)
        self.session = bridge.session
        self._mark = ""
        self.model = RecordModel(self.session)
        self.caption = PlainLabel(self.model.caption())
        self.caption.setWordWrap(True)
        self.body.addWidget(self.caption)
        self.plot = LinePlot(left_width=48)
        self.plot.label("bottom", "time since the first sample (s)")
        self.curves = [
            add_curve(self.plot, z=i, name=f"channel {i + 1}", channel=i) for i in range(_CHANNELS)
        ]
        self.marks = {kind: self._marks(symbol) for kind, (symbol, _) in MARKS.items()}
        self.region = pg.LinearRegionItem(self.model.stretch, swapMode="sort")
        self.region.setZValue(-9)
        self.plot.addItem(self.region, ignoreBounds=True)
        self.region.sigRegionChanged.connect(self._dragging)
        self.region.sigRegionChangeFinished.connect(self._dragged)
        self.plot.scene().sigMouseClicked.connect(self._clicked)
        self.body.addWidget(self.plot, 1)
        self.edits = tuple(self._edit(tip) for tip in ("beginning", "end"))
        self.body.addWidget(FlowBox(*self._tools()))
        for edit in self.edits:
            self.body.addWidget(edit.reason)
        self.note = PlainLabel()
        self.note.setWordWrap(True)
        self.body.addWidget(self.note)
        bridge.status_changed.connect(lambda _: self.show_work())
        self.set_theme(theme)
        self.show_stretch()

    # -- construction -----------------------------------------------------------------------------

    def _marks(self, symbol: str) -> pg.ScatterPlotItem:
        item = pg.ScatterPlotItem(symbol=symbol, size=9, pxMode=True)
        item.setZValue(8)
        self.plot.addItem(item, ignoreBounds=True)
        return item

    def _edit(self, which: str) -> QuantityEdit:
        edit = QuantityEdit(
            self.model.parse, lambda value: format_quantity(value, DURATION, digits=6)
        )
        edit.set_tip(f"{which} of the stretch since the first sample, for example 0.5 s")
        edit.make_room("999.999 ms", format_quantity(self.model.duration, DURATION, digits=6))
        edit.committed.connect(lambda _: self._typed())
        return edit

    def _tools(self) -> list[QWidget]:
        caption = PlainLabel("stretch")
        caption.setObjectName("hint")
        self.whole = _button("All", "choose the whole record")
        self.before = _button("◂ Part", "choose what lies before: parts end where light or step do")
        self.after = _button("Part ▸", "choose what follows, up to the next change")
        self.releases = _button("Fit releases", "fit the releases of the stretch (reheating)")
        self.settings = QComboBox()
        self.settings.setToolTip("light of the releases that are fitted")
        self.settings.addItems(self.session.release_settings)
        if self.settings.count() < 2:
            self.settings.hide()
        self.stop = _button("Give up", "end what is being computed")
        self.report = _button("Report", "write the report of this run beside its file")
        self.compare = _button("Compare …", "set another run beside this one")
        run = self.session.record.kind == "run"
        for button in (self.report, self.compare):
            button.setEnabled(run)
            if not run:
                button.setToolTip("of run files only: this is a file of another program")
        for button, action in (
            (self.whole, lambda: self.choose(*self.session.extent)),
            (self.before, lambda: self._step(-1)),
            (self.after, lambda: self._step(1)),
            (self.releases, self.fit_releases),
            (self.stop, self.session.give_up),
            (self.report, self.report_wanted.emit),
            (self.compare, self.compare_wanted.emit),
        ):
            button.clicked.connect(lambda _=False, act=action: act())
        ends = (caption, self.edits[0], PlainLabel("…"), self.edits[1])
        steps = (self.whole, self.before, self.after)
        work = (self.releases, self.settings, self.stop, self.report, self.compare)
        return [*ends, *steps, *work]

    # -- drawing ----------------------------------------------------------------------------------

    def pull(self, session: SessionPort) -> Any:
        """Take the overview as soon as it was read."""
        return self.session.overview.get()

    def key(self, snapshot: Any) -> Hashable:
        """Nothing of it changes."""
        return id(snapshot)

    def draw(self, snapshot: Any) -> None:
        """Draw the overview and the marks."""
        view = self.model.view(snapshot)
        for index, item in enumerate(self.curves):
            set_curve(item, view.curves[index] if index < len(view.curves) else Curve.empty())
        span = view.x_range[1]
        self.plot.set_ranges((-0.005 * span, 1.005 * span), view.y_range)
        self.plot.label("left", f"extremes ({view.unit})", view.unit)
        top = 0.86 * view.y_range[1]
        for kind, item in self.marks.items():
            places = self.model.marks(kind)
            item.setData(x=places, y=[top] * len(places))

    def show_stretch(self) -> None:
        """Show which stretch is chosen."""
        start, stop = self.model.stretch
        self.region.blockSignals(True)
        self.region.setRegion((start, stop))
        self.region.blockSignals(False)
        for edit, value in zip(self.edits, (start, stop), strict=True):
            edit.set_value(value)
        self.releases.setEnabled(self.session.releases > 0)
        self.before.setEnabled(self.model.neighbour(-1) is not None)
        self.after.setEnabled(self.model.neighbour(1) is not None)
        self.show_work()

    def show_work(self) -> None:
        """Say what is chosen and what is being computed."""
        working = self.session.working
        self.stop.setEnabled(working is not None)
        text = self.model.stretch_text()
        changed = "changed" in text
        if self._mark:
            text += f" · at {self._mark}"
        if working is not None:
            text += f" · {working[0]} … {working[1]:.0f} s"
        self.note.setText(text)
        color = self.theme.color("warning") if changed else self.theme.muted
        restyle(self.note, f"color: {color}")

    # -- choosing ---------------------------------------------------------------------------------

    def choose(self, start: int, stop: int) -> None:
        """Choose a stretch by samples."""
        self.session.select(start, stop)
        self.show_stretch()

    def _choose_seconds(self, start: float, stop: float) -> str:
        """Choose a stretch by seconds; return why not, or nothing."""
        try:
            self.model.select(start, stop)
        except InputError as error:
            return str(error)
        self.show_stretch()
        return ""

    def _step(self, step: int) -> None:
        part = self.model.neighbour(step)
        if part is not None:
            self.choose(*part)

    def _dragging(self) -> None:
        for edit, value in zip(self.edits, self.region.getRegion(), strict=True):
            edit.set_value(min(max(value, 0.0), self.model.duration))

    def _dragged(self) -> None:
        low, high = self.region.getRegion()
        if self._choose_seconds(low, high):
            self.show_stretch()  # beside the record: back to where it was

    def _typed(self) -> None:
        low, high = (edit.value for edit in self.edits)
        if low is None or high is None:
            return
        refused = self._choose_seconds(low, high)
        if refused:
            self.edits[1].refuse(refused)

    def _clicked(self, event: Any) -> None:
        """Say what a mark means."""
        box = self.plot.box
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if not box.sceneBoundingRect().contains(event.scenePos()):
            return
        place = box.mapSceneToView(event.scenePos())
        mark = self.model.mark_near(place.x(), _REACH * box.viewPixelSize()[0])
        self._mark = "" if mark is None else self.model.mark_text(mark)
        self.show_work()

    def fit_releases(self) -> None:
        """Fit the releases of the stretch."""
        self.session.fit_releases(max(0, self.settings.currentIndex()))
        self.show_work()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        self.plot.set_theme(theme)
        for index, item in enumerate(self.curves):
            item.setPen(theme.pen(theme.channel(index), alpha=200))
        for kind, item in self.marks.items():
            tone = theme.color(_TONES.get(kind, "info"))
            item.setBrush(pg.mkBrush(tone))
            item.setPen(theme.pen(tone))
        band = pg.mkColor(theme.band)
        band.setAlpha(34)
        self.region.setBrush(pg.mkBrush(band))
        band.setAlpha(60)
        self.region.setHoverBrush(pg.mkBrush(band))
        for line in self.region.lines:
            line.setPen(theme.pen(theme.band, width=2.0))


def _button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    return button
