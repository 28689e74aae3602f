"""The lines in sight as a table; a click on one picks it."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QTableWidgetItem, QVBoxLayout, QWidget

from ..viewmodels.spectra import SpectraModel
from ..viewmodels.spectra_measures import Peak
from ..viewmodels.units import format_si
from ..widgets.table import plain_table

__all__ = ["PeakTable"]

_SECONDS = 0.5  # between two searches
_HEIGHT = 112


class PeakTable(QWidget):
    """Frequency, height, width of each line.

    Attributes
    ----------
    wanted : bool
        Whether it is shown.
    """

    picked = pyqtSignal(float)

    def __init__(self) -> None:
        super().__init__()
        self.wanted = False
        self.found: list[Peak] = []
        self._next = 0.0
        self.table = plain_table("line", "frequency", "density", "half width")
        self.table.setToolTip("a click picks the line: F fits it")
        self.table.setFixedHeight(_HEIGHT)
        self.table.cellClicked.connect(lambda row, _: self._clicked(row))
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self.table)
        self.hide()

    def show_peaks(self, model: SpectraModel, view: tuple[float, float], now: float) -> None:
        """Look for lines in sight (log10 Hz), not more often than the eye reads."""
        if self.isHidden() is self.wanted:
            self.setVisible(self.wanted)
            self._next = 0.0
        if not self.wanted or now < self._next:
            return
        self._next = now + _SECONDS
        self.found = model.peaks(*view)
        self.table.setRowCount(len(self.found))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for row, peak in enumerate(self.found):
            texts = (
                f"S{peak.channel}{peak.channel}",
                format_si(peak.frequency, "Hz", 6),
                f"{peak.density:.3g} {model.unit}".replace("-", "−"),
                format_si(peak.width, "Hz", 3),
            )
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                if column:
                    item.setTextAlignment(right)
                self.table.setItem(row, column, item)

    def _clicked(self, row: int) -> None:
        if row < len(self.found):
            self.picked.emit(self.found[row].frequency)
