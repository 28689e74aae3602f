"""The fit table: values with honest errors, what is fitted, predictions, verdict."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QResizeEvent
from PyQt6.QtWidgets import QComboBox, QHBoxLayout, QTableWidget, QTableWidgetItem

from ...acquisition.snapshots import FitSnapshot
from ..bridge import Bridge
from ..plain import PlainLabel
from ..theme import Theme
from ..viewmodels.fit import FitRow, fit_table
from ..viewmodels.port import SessionPort
from ..viewmodels.standing import Standing
from ..viewmodels.units import HeldPrefixes
from ..widgets.restyle import restyle
from ..widgets.table import plain_table
from .base import Panel

__all__ = ["FitPanel"]

_COLUMNS = ("fit", "value/2π ± 1σ", "predicted", "Δ/σ")
_NAME, _VALUE, _PREDICTED, _PULL = range(4)


class FitPanel(Panel):
    """The fit panel; owns the settings of the live fit (model, band, what varies)."""

    name = "fit"
    title = "Fit"
    period = 0.25
    draws = True

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__(bridge, theme)
        self._vary_of: dict[str, dict[str, bool]] = {}
        self.vary = self._vary_of.setdefault("pair", {})
        self.band: tuple[float, float] | None = None
        self.exclude: tuple[tuple[float, float], ...] = ()
        self._names: tuple[str, ...] = ()
        self._filling, self._none = False, True
        self._suited = False
        self._verdict = ("", "")
        self._prefixes = HeldPrefixes()
        self.model_box = QComboBox()
        self.model_box.addItems(("pair", "single"))
        self.model_box.currentTextChanged.connect(self._change_model)
        self.verdict = PlainLabel("no fit yet")
        self.verdict.setWordWrap(True)
        top = QHBoxLayout()
        top.addWidget(self.model_box)
        top.addWidget(self.verdict, 1)
        self.body.addLayout(top)
        self.table = self._make_table()
        self.body.addWidget(self.table, 1)
        self.warnings = PlainLabel()
        self.warnings.setWordWrap(True)
        self.warnings.hide()
        self.body.addWidget(self.warnings)
        bridge.status_changed.connect(lambda _: self.show_standing())
        bridge.status_changed.connect(lambda _: self._suit_channels())

    def _make_table(self) -> QTableWidget:
        table = plain_table(*_COLUMNS)
        table.setToolTip("frequencies and rates are shown as value/2π in Hz")
        table.itemChanged.connect(self._toggled)
        bar = table.verticalScrollBar()
        if bar is not None:  # it takes room from the columns
            bar.rangeChanged.connect(lambda *_: self._share_columns())
        return table

    def pull(self, session: SessionPort) -> FitSnapshot | None:
        """Take the newest fit."""
        return session.fit()

    def key(self, snapshot: FitSnapshot) -> Hashable:
        """Sequence number, and whether the fit is of what is measured now."""
        return snapshot.sequence, self.bridge.standing.now

    def draw(self, snapshot: FitSnapshot) -> None:
        """Fill the table."""
        table = fit_table(snapshot, self._prediction(snapshot), self._prefixes)
        self._verdict = (table.verdict, table.severity)
        self.show_standing()
        self.warnings.setVisible(bool(table.warnings))
        self.warnings.setText("\n".join(f"⚠ {w}" for w in table.warnings))
        restyle(self.warnings, f"color: {self.theme.color('warning')}")
        if not table.rows:
            self._mute()
            return
        self._filling = True
        names = tuple(row.name for row in table.rows)
        if names != self._names:
            self._names = names
            self.table.setRowCount(len(names))
        for index, row in enumerate(table.rows):
            self._fill_row(index, row)
        self._none = all(row.pull is None for row in table.rows)
        self._filling = False
        self._share_columns()

    def show_standing(self) -> None:
        """Show the verdict; of an old fit, or one of another light, it is none on what is now."""
        standing = self.bridge.standing
        text, severity = self._verdict
        if standing.now is Standing.PENDING:
            text, severity = standing.text, "info"
        elif standing.now is Standing.STALE and text:
            text, severity = f"{text.split('  ·  ')[0]}  ·  {standing.text}", "warning"
        if text:
            self.verdict.setText(text)
            restyle(self.verdict, f"color: {self.theme.color(severity)}")

    def _mute(self) -> None:
        """Show the values of before as such: there is no new one."""
        self._filling = True
        for row in range(self.table.rowCount()):
            for column in (_NAME, _VALUE):
                self._tone(self.table.item(row, column), muted=True)
            for column in (_PREDICTED, _PULL):
                item = self.table.item(row, column)
                if item is not None:
                    item.setText("")
        self._filling = False

    def _tone(self, item: QTableWidgetItem | None, *, muted: bool) -> None:
        """Write in italics and muted what is not of now."""
        if item is not None:
            font = item.font()
            font.setItalic(muted)
            item.setFont(font)
            item.setForeground(QColor(self.theme.muted if muted else self.theme.text))

    def _share_columns(self) -> None:
        """Where there is no room for all columns, the tips of Δ/σ hold the predictions."""
        self.table.setColumnHidden(_PULL, self._none)
        self.table.setColumnHidden(_PREDICTED, self._none)
        viewport, bar = self.table.viewport(), self.table.verticalScrollBar()
        if viewport is None or bar is None or self._none:
            return
        need = sum(self._width_of(column) for column in range(len(_COLUMNS)))
        # A bar that is to be shown is laid out later.
        hidden = bar.maximum() > 0 and not bar.isVisible()
        room = viewport.width() - (bar.sizeHint().width() if hidden else 0)
        self.table.setColumnHidden(_PREDICTED, need > room)

    def _width_of(self, column: int) -> int:
        header = self.table.horizontalHeader()
        title = 0 if header is None else header.sectionSizeHint(column)
        return max(self.table.sizeHintForColumn(column), title)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Choose the columns anew."""
        super().resizeEvent(event)
        self._share_columns()

    def _fill_row(self, index: int, row: FitRow) -> None:
        texts = (row.symbol, row.words, row.predicted, row.pull_text)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        fresh = self.bridge.standing.now is Standing.FRESH
        for column, text in enumerate(texts):
            item = self.table.item(index, column)
            if item is None:
                item = QTableWidgetItem()
                if column != _NAME:
                    item.setTextAlignment(right)
                self.table.setItem(index, column, item)
            if item.text() != text:
                item.setText(text)
            if column == _NAME:
                self._show_vary(item, row)
            if column == _PULL:
                item.setToolTip(f"predicted: {row.predicted} {row.unit}" if text else "")
            far = column == _PULL and row.pull is not None and abs(row.pull) > 3.0
            muted = column == _PREDICTED or (column == _VALUE and not row.vary) or not fresh
            tone = self.theme.color("warning") if far else self.theme.text
            self._tone(item, muted=not fresh)
            item.setForeground(QColor(self.theme.muted if muted else tone))

    def _show_vary(self, item: QTableWidgetItem, row: FitRow) -> None:
        """Tick what is fitted."""
        if self.bridge.recorded:  # all parameters of a record vary
            item.setFlags(Qt.ItemFlag.ItemIsEnabled)
            return
        item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
        wanted = self.vary.get(row.name, row.vary)
        item.setCheckState(Qt.CheckState.Checked if wanted else Qt.CheckState.Unchecked)
        item.setToolTip("ticked: fitted; unticked: held at its present value")

    def _prediction(self, snapshot: FitSnapshot) -> Mapping[str, float] | None:
        """Predicted parameters of the present light, when the session knows them."""
        if snapshot.result is None or snapshot.result.model != "pair":
            return None
        if not self.bridge.standing.holds:  # no difference is taken across a set-point
            return None
        return self.bridge.session.prediction()

    def _toggled(self, item: Any) -> None:
        if self._filling or item.column() != _NAME:
            return
        name = self._names[item.row()]
        self.vary[name] = item.checkState() == Qt.CheckState.Checked
        self.send()

    def _change_model(self, model: str) -> None:
        """Show another model; each keeps what is held in it."""
        self.vary = self._vary_of.setdefault(model, {})
        self.send()

    def _suit_channels(self) -> None:
        """Fit a single line where the first spectrum has one channel only."""
        spectrum = None if self._suited else self.bridge.session.spectrum()
        if spectrum is None:
            return
        self._suited = True
        if spectrum.csd.channels < 2:
            self.model_box.setCurrentText("single")

    def set_band(self, band: tuple[float, float] | None) -> None:
        """Fit within a band (Hz)."""
        self.band = band
        self.send()

    def set_exclude(self, ranges: list[tuple[float, float]]) -> None:
        """Leave ranges (Hz) out of the fit."""
        self.exclude = tuple(ranges)
        self.send()

    def send(self) -> None:
        """Tell the session what to fit."""
        model = self.model_box.currentText()
        band, vary, exclude = self.band, dict(self.vary), self.exclude
        words = f"model={model!r}, band={band!r}, channels=None, vary={vary!r}"
        line = f"session.set_fit({words}{f', exclude={exclude!r}' if exclude else ''})"

        def command() -> None:
            self.bridge.session.set_fit(
                model="single" if model == "single" else "pair",
                band=band,
                channels=None,
                vary=vary,
                exclude=exclude,
            )

        self.bridge.submit("set the fit", command, line=line)

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        super().set_theme(theme)
        self.repaint_soon()
