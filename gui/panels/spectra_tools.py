"""Tools above the spectra: fit band, buttons, legend; they break lines where there is no room."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QResizeEvent
from PyQt6.QtWidgets import QComboBox, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from ..plain import PlainLabel
from ..viewmodels.spectra_units import UNITS
from ..viewmodels.units import FREQUENCY, format_quantity
from ..widgets.flow import FlowBox
from ..widgets.quantity_edit import QuantityEdit

__all__ = ["SpectraTools"]


class SpectraTools(QWidget):
    """Widgets only; the panel connects them.

    Parameters
    ----------
    parse_band : callable
        Text of an end of the band to Hz, None for "auto".
    """

    def __init__(self, parse_band: Callable[[str], float | None]) -> None:
        super().__init__()
        self.band_low = _band_edit(parse_band, "lower end of the fit band")
        self.band_high = _band_edit(parse_band, "upper end of the fit band")
        self.band_all = _button("auto", "fit where the lines are found")
        self.fit = _button("Fit (F)", "click a line, then F fits it; F alone shows or hides it")
        self.pulls = _button("Pulls", "how far the spectra are off the fit, in σ", checkable=True)
        self.cursors = _button("Cursors", "two cursors with read-outs (C)", checkable=True)
        self.store = _button("+ Ref", "keep these spectra as a reference (R)")
        self.clear = _button("× Ref", "drop all references")
        self.ratio = _button(
            "Ratio", "densities over those of the newest reference", checkable=True
        )
        self.ratio.setEnabled(False)
        self.hold = _button(
            "Hold", "hold the largest and smallest densities from now on (H)", checkable=True
        )
        self.unit = QComboBox()
        self.unit.setToolTip("unit of the densities; quanta take masses and a fit or a prediction")
        self.unit.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.unit.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.unit.addItem("quanta²/Hz")  # as wide as the widest
        self.linear = _button("Lin", "densities linear instead of logarithmic (L)", checkable=True)
        self.peaks = _button("Peaks", "a table of the lines in sight", checkable=True)
        self.full = _button("Full", "show the whole spectrum")
        self.auto = _button("Auto", "zoom to the lines; ranges follow the data (A)")
        self.legend = QLabel()
        self.legend.setTextFormat(Qt.TextFormat.RichText)
        self.legend.setWordWrap(True)
        self.legend.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._arrange()

    def _arrange(self) -> None:
        caption = PlainLabel("fit band")
        caption.setObjectName("hint")
        band = (caption, self.band_low, PlainLabel("…"), self.band_high, self.band_all)
        buttons = (self.fit, self.pulls, self.cursors, self.peaks)
        stored = (self.store, self.clear, self.ratio, self.hold)
        views = (self.full, self.auto, self.linear, self.unit)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(3)
        box.addWidget(FlowBox(*band, *buttons, *stored, *views))
        for edit in (self.band_low, self.band_high):
            box.addWidget(edit.reason)
        box.addWidget(self.legend)

    def offer_units(self, names: Sequence[str], shown: str) -> None:
        """Offer units of samples; ``shown`` is the unit of the densities on screen."""
        box = self.unit
        if list(names) != [box.itemData(k) for k in range(box.count())]:
            box.clear()
            for name in names:
                box.addItem(UNITS.get(name, f"{name}²/Hz"), name)
        box.setCurrentIndex(max(0, box.findText(shown)))

    def write_legend(self, text: str) -> None:
        """Show the names of the curves; the plots give way to its lines."""
        if text != self.legend.text():
            self.legend.setText(text)
            self._keep_legend()

    def _keep_legend(self) -> None:
        height = self.legend.heightForWidth(max(1, self.legend.width()))
        self.legend.setMinimumHeight(max(0, height))
        box = self.layout()
        if box is not None:
            box.activate()  # now: until the next event the legend would lie over the tools

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Keep the height of the legend."""
        super().resizeEvent(event)
        self._keep_legend()


def _band_edit(parse: Callable[[str], float | None], tip: str) -> QuantityEdit:
    edit = QuantityEdit(
        parse, lambda value: "" if value is None else format_quantity(value, FREQUENCY, digits=5)
    )
    edit.set_tip(f"{tip}, for example 60 kHz; empty: auto")
    edit.make_room("999.999 kHz")
    edit.setPlaceholderText("auto")
    return edit


def _button(text: str, tip: str, *, checkable: bool = False) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setCheckable(checkable)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return button
