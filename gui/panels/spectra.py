"""Auto and cross spectra with fit, band, cursors and references."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Any

from PyQt6.QtCore import QPointF, Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent

from ...acquisition.snapshots import FitSnapshot, SpectrumSnapshot
from ..bridge import Bridge
from ..plain import PlainLabel
from ..theme import Theme
from ..viewmodels.fit import Age
from ..viewmodels.port import SessionPort
from ..viewmodels.spectra import SpectraModel
from ..viewmodels.spectra_overlays import Reference
from ..viewmodels.spectra_units import scale_of, scales_of
from ..viewmodels.standing import Standing
from ..viewmodels.traces import frozen_text
from ..viewmodels.units import DURATION, format_quantity
from ..viewmodels.waterfall_store import PastRow
from .base import Panel
from .cursor_row import CursorRow
from .peak_table import PeakTable
from .spectra_band import DEFAULT_VIEW, BandEnds
from .spectra_legend import LegendState, legend_html
from .spectra_plots import CHANNELS, SpectraPlots
from .spectra_tools import SpectraTools

__all__ = ["SpectraPanel"]

_PICK_PIXELS = 12.0


class SpectraPanel(Panel):
    """Plots over one log10 frequency axis: densities, pulls of the fit, coherence, phase."""

    name = "spectra"
    title = "Spectra"
    period = 0.1
    draws = True
    band_chosen = pyqtSignal(object)
    exclusion_chosen = pyqtSignal(list)

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__(bridge, theme)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.model = SpectraModel()
        self._fit: FitSnapshot | None = None
        self._version = 0
        self._placed = False
        self._age, self._late = Age("spectrum"), ""
        self.plots = SpectraPlots()
        self.tools = SpectraTools(self.model.parse_band)
        self._connect_tools()
        self.body.addWidget(self.tools)
        for plot, stretch in zip(self.plots.all, (26, 9, 10, 13), strict=True):
            self.body.addWidget(plot, stretch)
        self._connect()
        bridge.status_changed.connect(lambda _: self._show_age())
        self.cursor_row = CursorRow()
        self.cursor_row.moved.connect(lambda i, f: self._cursor_moved(i, math.log10(f)))
        self.cursor_row.exclude_wanted.connect(self.exclude)
        self.cursor_row.include_wanted.connect(self.include_all)
        self.body.addWidget(self.cursor_row)
        self.peaks = PeakTable()
        self.peaks.picked.connect(self.pick)
        self.body.addWidget(self.peaks)
        self.read_out = PlainLabel()
        self.read_out.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.read_out.setWordWrap(True)
        self.body.addWidget(self.read_out)
        self.set_theme(theme)
        self.show_cursors(False)
        self.band.show()
        self.zoom_default()

    # -- construction -------------------------------------------------------------------------

    def _connect_tools(self) -> None:
        """Connect the tools; other panels and tests know some of them by these names."""
        tools = self.tools
        self.band_low, self.band_high, self.legend = tools.band_low, tools.band_high, tools.legend
        self.cursor_button, self.pulls_button = tools.cursors, tools.pulls
        self.band = BandEnds(self.model, self.plots.region, tools, self.set_band)
        tools.cursors.toggled.connect(self.show_cursors)
        tools.pulls.toggled.connect(self._toggle_pulls)
        for button, action in (
            (tools.band_all, lambda: self.set_band(None)),
            (tools.fit, self.press_f),
            (tools.store, self.store_reference),
            (tools.clear, self.clear_references),
            (tools.full, self.zoom_full),
            (tools.auto, self.zoom_default),
        ):
            button.clicked.connect(lambda _=False, act=action: act())
        tools.linear.toggled.connect(self.show_linear)
        tools.peaks.toggled.connect(self._toggle_peaks)
        tools.hold.toggled.connect(self.hold_extremes)
        tools.ratio.toggled.connect(self.show_ratio)
        tools.unit.activated.connect(lambda _: self._choose_unit())

    def _connect(self) -> None:
        plots = self.plots
        plots.top.box.sigXRangeChanged.connect(self._on_zoom)
        plots.top.box.sigResized.connect(self._on_zoom)
        plots.top.scene().sigMouseClicked.connect(self._clicked)
        for index, lines in enumerate(plots.cursors):
            for line in lines:
                line.sigDragged.connect(
                    lambda source, i=index: self._cursor_moved(i, float(source.value()))
                )

    # -- drawing ------------------------------------------------------------------------------

    def pull(self, session: SessionPort) -> SpectrumSnapshot | None:
        """Take the newest spectra and the newest fit; while frozen, those that are shown."""
        if self.bridge.frozen and self.model.spectrum is not None:
            return self.model.spectrum
        self._fit = session.fit()
        return session.spectrum()

    def key(self, snapshot: SpectrumSnapshot) -> Hashable:
        """Sequence numbers of spectrum and fit, and the view."""
        fit = -1 if self._fit is None else self._fit.sequence
        return snapshot.sequence, fit, self._version, self.bridge.standing.now

    def draw(self, snapshot: SpectrumSnapshot) -> None:
        """Draw what is visible."""
        if self.model.spectrum is not snapshot:
            if self.model.channels != snapshot.channels:
                self.model.scales = scales_of(self.bridge.session.rig, snapshot.channels)
            self.model.set_spectrum(snapshot)
        held = self.bridge.frozen or self.bridge.standing.holds
        result = None if self._fit is None or not held else self._fit.result
        self.model.set_omega(scale_of(result, self.bridge.session.prediction()))
        self.tools.offer_units(self.model.units(), self.model.unit)
        self.model.set_fit(self._fit if held else None)
        self.plots.show_stale(self.bridge.standing.now is Standing.STALE, self.theme)
        self._place_once()
        self.plots.draw(self.model.view(*self.plots.x_range, self.plots.top.columns))
        self.peaks.show_peaks(self.model, self.plots.x_range, self.bridge.clock())
        lines = self.model.read_out(result)
        self.read_out.setText("\n".join(lines))
        self.read_out.setVisible(bool(lines))
        self._write_legend(snapshot)
        self._mark_peak()

    def _write_legend(self, snapshot: SpectrumSnapshot) -> None:
        model, bridge, fit = self.model, self.bridge, ""
        if model.has_fit and model.show_fit:
            fit = "old fit" if bridge.standing.now is Standing.STALE else "fit"
        warning, before = self._late, ""
        if bridge.frozen:
            warning = frozen_text(bridge.status)
        elif snapshot.basis.light != bridge.status.basis.light:
            before = "stretch" if bridge.recorded else "light"
        ghost = "" if model.ghost is None else model.ghost.name
        held = 0 if model.extremes is None else model.extremes.spectra
        names = [r.name for r in model.references]
        state = LegendState(fit, names, warning, before, ghost, held)
        self.tools.write_legend(legend_html(snapshot, state, self.theme, CHANNELS))

    def _show_age(self) -> None:
        """Say how old the spectra are: saturated blocks and a lost particle give none."""
        snapshot = self.bridge.session.spectrum()
        if snapshot is not None and not self.bridge.recorded:
            self._late = self._age.text(snapshot.sequence, self.bridge.clock())
            self._write_legend(self.model.spectrum or snapshot)

    def _toggle_pulls(self, on: bool) -> None:
        self.model.show_pulls = on
        self.plots.show_pulls(on)
        self._version += 1

    def _mark_peak(self) -> None:
        peak = self.model.peak
        reading = None if peak is None else self.model.reading(peak)
        hidden = peak is None or self.model.ratio
        if hidden or reading is None or max(reading.densities) <= 0.0:
            self.plots.marker.clear()
            return
        assert peak is not None
        x, y = math.log10(peak), math.log10(max(reading.densities))
        self.plots.marker.setData(x=[x], y=[self.plots.height(y)])

    def _place_once(self) -> None:
        """Put cursors and band where the first data are."""
        if self._placed:
            return
        self._placed = True
        self.zoom_default()

    # -- view ---------------------------------------------------------------------------------

    def _on_zoom(self, *_: object) -> None:
        self._version += 1

    def _set_view(self, low: float, high: float) -> None:
        self.model.forget_range()
        self.plots.set_view(low, high)
        self._version += 1

    def zoom_default(self) -> None:
        """Show the band with room around it, or the lines, or the usual frequencies."""
        low, high = self.model.full_range()
        if self.model.band is not None:
            a, b = (math.log10(f) for f in self.model.band)
            room = 0.25 * (b - a)
            self._set_view(max(low, a - room), min(high, b + room))
            return
        around = self.model.line_range() or DEFAULT_VIEW
        left, right = max(low, around[0]), min(high, around[1])
        if right - left < 0.1:
            left, right = low, high
        self._set_view(left, right)

    def zoom_full(self) -> None:
        """Show all bins."""
        self._set_view(*self.model.full_range())

    # -- band ---------------------------------------------------------------------------------

    def set_band(self, band: tuple[float, float] | None) -> None:
        """Choose the fit band (Hz) and announce it."""
        clipped = None if band is None else self.model.clip_band(*band)
        if clipped == self.model.band:
            return
        self.model.band = clipped
        self.band.show()
        self.band_chosen.emit(clipped)

    # -- units, exclusions, peaks --------------------------------------------------------------

    def _choose_unit(self) -> None:
        self.model.choose_unit(self.tools.unit.currentData())
        self.plots.top.follow()
        self._version += 1

    def show_linear(self, on: bool) -> None:
        """Show densities linear, or their logarithm."""
        self.plots.linear = on
        self._version += 1

    def exclude(self) -> None:
        """Leave what lies between the cursors out of fits."""
        if self.model.exclude_between() is not None:
            self._exclusions_changed()

    def include_all(self) -> None:
        """Let fits use the whole band again."""
        if self.model.exclude:
            self.model.exclude = []
            self._exclusions_changed()

    def _exclusions_changed(self) -> None:
        self.plots.show_excluded(self.model.exclude, self.theme)
        self.exclusion_chosen.emit(self.model.exclude)
        self._version += 1

    def _toggle_peaks(self, on: bool) -> None:
        self.peaks.wanted = on
        self._version += 1

    def pick(self, frequency: float, reach: float = 0.0) -> None:
        """Pick the highest line within reach of a frequency (both Hz)."""
        peak = self.model.pick_peak(frequency, reach)
        if peak is not None and self.cursor_button.isChecked():
            self._cursor_moved(0, math.log10(peak))
        self.setFocus()
        self._version += 1

    # -- cursors, references, fit -------------------------------------------------------------

    def show_cursors(self, on: bool) -> None:
        """Show or hide both cursors; they open where the view is."""
        low, high = self.plots.x_range
        for index, lines in enumerate(self.plots.cursors):
            place = low + (high - low) * (0.4 + 0.2 * index)
            self.model.cursors[index] = 10.0**place if on else None
            self.plots.place_cursor(index, place)
            for line in lines:
                line.setVisible(on)
        if not on:
            self.model.peak = None
        self.cursor_row.setVisible(on)
        self.cursor_row.show_frequencies(self.model.cursors)
        self._version += 1

    def _cursor_moved(self, index: int, place: float) -> None:
        self.model.cursors[index] = 10.0**place
        self.cursor_row.show_frequencies(self.model.cursors)
        self.plots.place_cursor(index, place)
        self._version += 1

    def _clicked(self, event: Any) -> None:
        """Pick the line next to a click."""
        if event.button() != Qt.MouseButton.LeftButton or event.double():
            return
        position: QPointF = self.plots.top.box.mapSceneToView(event.scenePos())
        if not self.plots.top.box.sceneBoundingRect().contains(event.scenePos()):
            return
        low, high = self.plots.x_range
        reach = _PICK_PIXELS * (high - low) / self.plots.top.columns
        center = 10.0 ** position.x()
        self.pick(center, center * (10.0**reach - 1.0))

    def press_f(self) -> None:
        """Fit the picked line; without one, show or hide the fit."""
        band = self.model.band_around_peak()
        if band is None:
            self.model.show_fit = not self.model.show_fit
        else:
            self.model.show_fit = True
            self.set_band(band)
            self.model.peak = None
        self._version += 1

    def store_reference(self) -> None:
        """Keep the present spectra."""
        self.model.store_reference()
        self._references_changed()

    def clear_references(self) -> None:
        """Drop the references."""
        self.model.clear_references()
        self._references_changed()

    def _references_changed(self) -> None:
        self.tools.ratio.setEnabled(bool(self.model.references))
        if not self.model.references:
            self.tools.ratio.setChecked(False)
        self._version += 1

    def show_ratio(self, on: bool) -> None:
        """Show densities as ratios to those of the newest reference."""
        self.model.show_ratio(on)
        self.plots.top.follow()
        self._version += 1

    def hold_extremes(self, on: bool) -> None:
        """Hold the largest and the smallest densities from now on."""
        self.model.hold_extremes(on)
        self._version += 1

    def show_ghost(self, row: PastRow | None) -> None:
        """Show a spectrum of the past beside the newest; None drops it."""
        when = ""
        if row is not None and self.bridge.recorded:
            when = f"at {format_quantity(row.at - 0.5 * row.period, DURATION, digits=4)}"
        elif row is not None:
            when = datetime.fromtimestamp(row.wall).strftime("%H:%M:%S")
        self.model.ghost = None if row is None else Reference(when, row.csd)
        self._version += 1

    def press(self, key: int) -> bool:
        """Act on a key of the help (F1); return whether it is one."""
        keys: dict[int, Callable[[], object]] = {
            Qt.Key.Key_F: self.press_f,
            Qt.Key.Key_A: self.zoom_default,
            Qt.Key.Key_C: self.cursor_button.toggle,
            Qt.Key.Key_L: self.tools.linear.toggle,
            Qt.Key.Key_R: self.store_reference,
            Qt.Key.Key_H: self.tools.hold.toggle,
            Qt.Key.Key_Escape: self.let_go,
        }
        if key not in keys:
            return False
        keys[key]()
        return True

    def let_go(self) -> None:
        """Forget the line that was picked."""
        self.model.peak = None
        self._version += 1

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Act on the keys of the spectra."""
        if event is not None and not self.press(event.key()):
            super().keyPressEvent(event)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        self.plots.set_theme(theme)
        self.plots.show_excluded(self.model.exclude, theme)
        self._version += 1
