"""Spectra over time, hours back: a click on a pixel shows its spectrum, samples and fit."""

from __future__ import annotations

import math
from collections.abc import Hashable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QResizeEvent
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QToolButton

from ...acquisition.events import Event
from ..bridge import Bridge
from ..plain import PlainLabel
from ..theme import Theme
from ..viewmodels.port import SessionPort
from ..viewmodels.spectra_measures import read_out, reading_of
from ..viewmodels.ticks import time_label
from ..viewmodels.waterfall import WaterfallModel, span_label
from ..viewmodels.waterfall_feed import WaterfallFeed
from ..viewmodels.waterfall_store import PastRow, WaterfallStore
from ..widgets.flow import FlowBox
from ..widgets.quantity_edit import QuantityEdit
from .base import Panel, hint
from .waterfall_past import PastView
from .waterfall_plot import ColourBar, WaterfallPlot, colours

if TYPE_CHECKING:
    from .spectra import SpectraPanel

__all__ = ["WaterfallPanel"]

_MOST_COLUMNS = 1200
_LOW = 260  # px of height, below which the legend is left to the tip of the picture
_LEGEND = "┄ set-point   ╌ gap   ━ fault   ▌ feedback off   ▬ note   empty: no spectrum"


class WaterfallPanel(Panel):
    """Auto and cross spectra as colours over frequency and time.

    Attributes
    ----------
    store : WaterfallStore
        What is kept, also while the dock is hidden.
    picked : PastRow or None
        The row that is looked at.
    """

    name = "waterfall"
    title = "Waterfall"
    period = 0.1
    draws = True
    ghost_chosen = pyqtSignal(object)

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__(bridge, theme)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.store = self.make_store()
        self.model = WaterfallModel(self.store)
        self.feed: WaterfallFeed | None = None
        self.spectra: SpectraPanel | None = None
        self.picked: PastRow | None = None
        self._frequency = 0.0
        self._now = 0.0
        self._version = 0
        self._cyclic: bool | None = None
        self.body.addWidget(self._tools())
        for edit in (self.low, self.high):
            self.body.addWidget(edit.reason)
        self.plot, self.bar = WaterfallPlot(), ColourBar()
        row = QHBoxLayout()
        row.setSpacing(2)
        row.addWidget(self.plot, 1)
        row.addWidget(self.bar)
        self.body.addLayout(row, 1)
        self.plot.setToolTip(f"a click picks a pixel, arrows go on from it\n{_LEGEND}")
        self.legend = hint(_LEGEND)
        self.body.addWidget(self.legend)
        self.read_out = PlainLabel()
        self.read_out.setWordWrap(True)
        self.read_out.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.read_out.hide()
        self.body.addWidget(self.read_out)
        self.past = PastView(bridge, theme)
        self.body.addWidget(self.past)
        self.plot.scene().sigMouseClicked.connect(self._clicked)
        self.set_theme(theme)
        self._offer()
        self.begin()

    # -- whose spectra ----------------------------------------------------------------------------

    def make_store(self) -> WaterfallStore:
        """Where the spectra are kept."""
        return WaterfallStore()

    def begin(self) -> None:
        """Have the store fed, also while nobody looks."""
        self.feed = WaterfallFeed(self.store, lambda: self.bridge.status, self.bridge.clock)
        self.bridge.register(self.feed)
        self.bridge.events.connect(self.take_events)

    def time(self) -> float:
        """Now, on the clock of the store, s."""
        return self.bridge.clock()

    def when(self, row: PastRow) -> str:
        """When a row was measured, in words."""
        before = time_label(round(row.at - 0.5 * row.period - self._now, 1))
        return f"{datetime.fromtimestamp(row.wall).strftime('%H:%M:%S')} ({before})"

    # -- construction -----------------------------------------------------------------------------

    def _tools(self) -> FlowBox:
        self.quantity = QComboBox()
        self.quantity.setToolTip("what the colours show: the largest density in each pixel")
        self.quantity.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.quantity.addItem("coherence")  # as wide as the widest
        self.quantity.setMinimumWidth(self.quantity.sizeHint().width())
        self.quantity.activated.connect(lambda _: self.choose(self.quantity.currentData()))
        self.ages = QComboBox()
        self.ages.setToolTip("how far back; the longer, the longer each row is averaged")
        for level, age in enumerate(self.store.ages):
            self.ages.addItem(span_label(level, age.rows))
        self.ages.activated.connect(self.choose_age)
        self.auto = _button("Auto", "frequencies of the spectra, colours of what is in sight")
        self.auto.clicked.connect(lambda _: self.follow())
        self.low = self._level_edit(0, "lower end of the colours")
        self.high = self._level_edit(1, "upper end of the colours")
        self.look = _button(
            "Samples + fit", "raw samples of the pixel and a fit of them (Return), where recorded"
        )
        self.look.clicked.connect(lambda _: self.look_back())
        self.look.setEnabled(False)
        caption = PlainLabel("colours")
        caption.setObjectName("hint")
        return FlowBox(self.quantity, self.ages, self.auto, caption, self.low, self.high, self.look)

    def _level_edit(self, end: int, tip: str) -> QuantityEdit:
        edit = QuantityEdit(self.model.parse_level, self.model.level_text)
        edit.set_tip(f"{tip}: a number in the unit of the colour bar")
        edit.make_room("−9.99e−99")
        edit.committed.connect(lambda value: self._level_typed(end, value))
        return edit

    def attach(self, spectra: SpectraPanel) -> None:
        """Follow the frequencies that the spectra show, and show them what was picked."""
        self.spectra = spectra
        spectra.plots.top.box.sigXRangeChanged.connect(lambda *_: self._follow_spectra())
        self.ghost_chosen.connect(spectra.show_ghost)
        self._follow_spectra()

    def _follow_spectra(self) -> None:
        if self.spectra is not None:
            self.plot.set_ranges(self.spectra.plots.x_range)
            self._version += 1

    # -- drawing ----------------------------------------------------------------------------------

    def take_events(self, events: list[Event]) -> None:
        """Mark what happened."""
        if self.feed is not None:
            self.store.take_events(events, self.time(), self.feed.wall())

    def pull(self, session: SessionPort) -> Any:
        """The store, once there is something in it."""
        self.past.poll()
        return None if self.store.empty else self.store

    def key(self, snapshot: WaterfallStore) -> Hashable:
        """What moves a pixel."""
        step = max(self.period, 0.1 * self.model.age.period)
        moves = 0 if self.bridge.frozen else int(self.time() / step)
        return snapshot.version, moves, self._version, self.plot.x_range, self.plot.columns

    def draw(self, snapshot: WaterfallStore) -> None:
        """Draw rows that are new, and move the others."""
        if not self.bridge.frozen or not self._now:
            self._now = self.time()
        model, plot = self.model, self.plot
        self._offer()
        model.look(*plot.x_range, min(plot.columns, _MOST_COLUMNS))
        if model.update():
            before = model.levels
            plot.show_picture(model.shades())
            if model.levels != before:
                self._show_levels()
        if model.pending:
            self._version += 1
        plot.place(plot.x_range, model.extent(self._now))
        plot.set_ranges(None, (-model.span, 0.0))
        released = self.store.released.since(self._now - model.span, self._now)
        plot.show_marks(self.store.marks, released, self._now, model.span)
        self._place_pick()

    def _offer(self) -> None:
        """Offer what the spectra can show."""
        offered = self.model.offered()
        keys = [q.key for q in offered]
        if keys != [self.quantity.itemData(k) for k in range(self.quantity.count())]:
            self.quantity.clear()
            for one in offered:
                self.quantity.addItem(one.label, one.key)
        if self.model.quantity.key not in keys:
            self.choose(keys[0])
        index = keys.index(self.model.quantity.key)
        if self.quantity.currentIndex() != index:
            self.quantity.setCurrentIndex(index)

    def _show_levels(self) -> None:
        model = self.model
        cyclic = model.quantity.key == "phase"
        if cyclic is not self._cyclic:
            self._cyclic = cyclic
            table = colours(self.theme, cyclic=cyclic)
            self.plot.image.setLookupTable(table)
            self.bar.image.setLookupTable(table)
        if model.levels is None:
            return
        for edit, value in zip((self.low, self.high), model.levels, strict=True):
            edit.setEnabled(not cyclic)
            edit.set_value(value)
        name, unit = model.quantity.label, model.unit
        self.bar.show_levels(model.levels, name, unit, logarithmic=model.logarithmic)

    # -- what is shown ----------------------------------------------------------------------------

    def choose(self, key: str) -> None:
        """Show another quantity."""
        self.model.choose(key)
        self._show_levels()
        self._again()

    def choose_age(self, level: int) -> None:
        """Look further back, or less far."""
        self.ages.setCurrentIndex(level)
        self.model.choose_age(level)
        self.plot.follow()
        self.let_go()

    def follow(self) -> None:
        """Take frequencies from the spectra, colours from what is in sight."""
        self.plot.follow()
        self._follow_spectra()
        self.model.find_levels()
        self._show_levels()
        self.plot.show_picture(self.model.shades())
        self._again()

    def _level_typed(self, end: int, value: Any) -> None:
        levels = list(self.model.levels or (0.0, 1.0))
        if value is None:
            return
        levels[end] = float(value)
        if not levels[0] < levels[1]:
            edit = (self.low, self.high)[end]
            edit.refuse("colours: the lower end must lie below the upper one")
            return
        self.model.levels = levels[0], levels[1]
        self._show_levels()
        self.plot.show_picture(self.model.shades())
        self._again()

    def _again(self) -> None:
        self._version += 1
        self.repaint_soon()

    # -- looking back -----------------------------------------------------------------------------

    def _clicked(self, event: Any) -> None:
        """Pick the pixel under a click."""
        if event.button() != Qt.MouseButton.LeftButton or event.double():
            return
        if not self.plot.box.sceneBoundingRect().contains(event.scenePos()):
            return
        place = self.plot.box.mapSceneToView(event.scenePos())
        self.setFocus()
        self.pick(10.0 ** float(place.x()), float(place.y()))

    def pick(self, frequency: float, seconds: float) -> None:
        """Look at the pixel of a frequency (Hz) and a time before now (s, negative)."""
        row = self.model.row_before(seconds, self._now)
        if row is None:
            self.let_go()
            self._say(f"{time_label(round(seconds, 1))}: no spectrum was taken then")
            return
        self.picked, self._frequency = row, frequency
        self.past.forget()
        if row.path:
            self.past.warm()
        self.look.setEnabled(bool(row.path))
        self.look.setToolTip(
            "raw samples of the pixel and a fit of them (Return)"
            if row.path
            else "nothing was recorded then: there are no samples to fit"
        )
        self._write()
        self.ghost_chosen.emit(row)
        self._again()

    def _write(self) -> None:
        row = self.picked
        if row is None:
            return
        kept = f"mean of {row.period:g} s, {row.csd.averages} averages"
        where = f"samples {row.first_sample} … {row.last_sample}" if row.path else "not recorded"
        lines = read_out([("pixel", reading_of(row.csd, self._frequency))])
        self._say("\n".join((f"{self.when(row)}   {kept}   {where}", *lines)))

    def _say(self, text: str) -> None:
        """Say what was picked; the legend gives its place away."""
        self.read_out.setText(text)
        self.read_out.setVisible(bool(text))
        self.legend.setVisible(not text and self.height() > _LOW)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """A low dock belongs to the picture."""
        super().resizeEvent(event)
        self.legend.setVisible(not self.read_out.text() and self.height() > _LOW)
        self.plot.getPlotItem().getAxis("bottom").showLabel(self.height() > _LOW)

    def _place_pick(self) -> None:
        if self.picked is None:
            self.plot.show_pick(None)
            return
        middle = self.picked.at - 0.5 * self.picked.period - self._now
        self.plot.show_pick((math.log10(self._frequency), middle))

    def let_go(self) -> None:
        """Look at no pixel."""
        self.picked = None
        self.look.setEnabled(False)
        self._say("")
        self.past.forget()
        self.plot.show_pick(None)
        self.ghost_chosen.emit(None)
        self._again()

    def look_back(self) -> None:
        """Read and fit the samples of the pixel."""
        if self.picked is not None and self.picked.path:
            self.past.look(self.picked)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Arrows go from pixel to pixel, Return reads its samples, Escape lets go."""
        if event is None:
            return
        keys = Qt.Key
        if event.key() in (keys.Key_Return, keys.Key_Enter) and self.picked is not None:
            self.look_back()
        elif event.key() == keys.Key_Escape and self.picked is not None:
            self.let_go()
        elif event.key() in (keys.Key_Up, keys.Key_Down, keys.Key_Left, keys.Key_Right):
            self._step(event.key())
        else:
            super().keyPressEvent(event)

    def _step(self, key: int) -> None:
        low, high = self.plot.x_range
        row, frequency = self.picked, self._frequency
        if row is None:
            self.pick(10.0 ** (0.5 * (low + high)), -0.5 * self.model.age.period)
            return
        column = 10.0 ** ((high - low) / self.plot.columns)
        grow = {Qt.Key.Key_Left: 1.0 / column, Qt.Key.Key_Right: column}
        up = {Qt.Key.Key_Up: 1.0, Qt.Key.Key_Down: -1.0}
        middle = row.at - 0.5 * row.period + up.get(Qt.Key(key), 0.0) * row.period
        self.pick(frequency * grow.get(Qt.Key(key), 1.0), min(0.0, middle - self._now))

    def leave(self) -> None:
        """End what works in the background."""
        self.past.close()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        self.plot.set_theme(theme)
        self.bar.set_theme(theme)
        self.past.set_theme(theme)
        self._cyclic = None
        self._show_levels()
        self._again()


def _button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return button
