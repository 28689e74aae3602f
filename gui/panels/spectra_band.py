"""The fit band of the spectra: a region that is dragged and two fields, one beside the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..viewmodels.spectra import SpectraModel
from .spectra_tools import SpectraTools

__all__ = ["DEFAULT_VIEW", "BandEnds"]

DEFAULT_VIEW = (math.log10(1e4), math.log10(5e5))
"""Opening view: two decades around where particles usually are, log10 Hz."""


class BandEnds:
    """Keeps region and fields at the band of the model.

    Parameters
    ----------
    model : SpectraModel
        Knows the band.
    region : LinearRegionItem
        log10 Hz.
    tools : SpectraTools
        With the two fields.
    choose : callable
        Called with the band (Hz) that was dragged or typed, None for none.
    """

    def __init__(
        self,
        model: SpectraModel,
        region: Any,
        tools: SpectraTools,
        choose: Callable[[tuple[float, float] | None], None],
    ) -> None:
        self._model, self._region, self._choose = model, region, choose
        self._low, self._high = tools.band_low, tools.band_high
        for edit in (self._low, self._high):
            edit.committed.connect(self._typed)
        region.sigRegionChanged.connect(self._dragging)
        region.sigRegionChangeFinished.connect(self._dragged)

    def show(self) -> None:
        """Show the band of the model."""
        band = self._model.band
        self._region.setVisible(band is not None)
        self._low.set_value(None if band is None else band[0])
        self._high.set_value(None if band is None else band[1])
        for edit in (self._low, self._high):
            if band is None:
                edit.restore()
        if band is not None:
            self._region.blockSignals(True)
            self._region.setRegion((math.log10(band[0]), math.log10(band[1])))
            self._region.blockSignals(False)

    def _dragging(self) -> None:
        low, high = (10.0**v for v in self._region.getRegion())
        self._low.set_value(low)
        self._high.set_value(high)

    def _dragged(self) -> None:
        low, high = self._region.getRegion()
        self._choose((10.0**low, 10.0**high))

    def _typed(self, value: object) -> None:
        if value is None:  # emptied
            self._choose(None)
            return
        low, high = self._low.value, self._high.value
        now = self._model.band
        if low is None:
            low = now[0] if now else 10.0 ** DEFAULT_VIEW[0]
        if high is None:
            high = now[1] if now else min(10.0 ** DEFAULT_VIEW[1], self._model.nyquist)
        self._choose((low, high))
