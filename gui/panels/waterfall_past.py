"""Raw samples of a picked pixel and the fit of them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PyQt6.QtWidgets import QVBoxLayout, QWidget

from ...models.errors import OptobindError
from ..bridge import Bridge
from ..plain import PlainLabel
from ..plots import LinePlot, add_curve, set_curve
from ..theme import Theme
from ..viewmodels.curves import Curve, envelope
from ..viewmodels.waterfall_fit import fitted_words
from ..viewmodels.waterfall_store import PastRow

if TYPE_CHECKING:
    from ...analysis.recorded.past import PastStretch, PastStretches

__all__ = ["PastView"]

_MOST = 4
_HEIGHT = 96


class PastView(QWidget):
    """Hidden until it is asked to look.

    Parameters
    ----------
    bridge : Bridge
        Its log says when the process that fits died.
    theme : Theme
        Colours.
    """

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__()
        self._bridge, self._theme = bridge, theme
        self._past: PastStretches | None = None
        self._asked: Future[PastStretch] | None = None
        self.shown: PastStretch | None = None
        self.options: Mapping[str, Any] = {}  # how a foreign file is read
        self.words = PlainLabel()
        self.words.setWordWrap(True)
        self.plot = LinePlot()
        self.plot.setFixedHeight(_HEIGHT)
        self.plot.label("bottom", "time (ms)")
        self.curves = [add_curve(self.plot) for _ in range(_MOST)]
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(3)
        box.addWidget(self.words)
        box.addWidget(self.plot)
        self.plot.hide()
        self.hide()

    def warm(self) -> None:
        """Start the process that reads and fits: its start takes seconds."""
        if self._past is None:
            # Imported here: the fits would delay the first picture of the window.
            from ...analysis.recorded.past import PastStretches

            self._past = PastStretches(self._lost)
            self._past.warm()

    def _lost(self, replaced: bool) -> None:
        """Called in another thread."""
        self._asked = None

    def look(self, row: PastRow) -> None:
        """Read and fit the samples of a row; what was asked before is forgotten."""
        self.warm()
        assert self._past is not None
        self.forget()
        self._asked = self._past.look(
            Path(row.path).absolute(),
            row.first_sample,
            row.last_sample,
            row.csd.segment,
            self.options,
        )
        self.words.setText("reading and fitting …")
        self.show()

    def poll(self) -> None:
        """Show an answer that has come."""
        asked = self._asked
        if asked is None or not asked.done():
            return
        self._asked = None
        if asked.cancelled():
            self.words.setText("the process of the fits ended: ask again")
            return
        error = asked.exception()
        if error is not None:
            kind = "" if isinstance(error, OptobindError) else f"{type(error).__name__}: "
            self.words.setText(f"{kind}{error}")
        else:
            self._show(asked.result())

    def _show(self, found: PastStretch) -> None:
        self.shown = found
        self.words.setText(fitted_words(found))
        samples, step = found.samples, 1e3 / found.sample_rate
        for index, curve in enumerate(self.curves):
            shown = index < samples.shape[1]
            curve.opts["name"] = found.channels[index] if shown else None
            if shown:
                set_curve(curve, envelope(samples[:, index], 0.0, step, self.plot.columns))
            else:
                set_curve(curve, Curve.empty())
        top = 1.05 * float(np.abs(samples).max(initial=0.0)) or 1.0
        self.plot.follow()
        self.plot.set_ranges((0.0, step * max(1, samples.shape[0])), (-top, top))
        self.plot.label("left", f"samples ({found.unit})", found.unit)
        self.plot.show()

    def forget(self) -> None:
        """Show nothing; an answer that comes later is none."""
        self._asked = None
        self.shown = None
        self.plot.hide()
        self.hide()

    def set_theme(self, theme: Theme) -> None:
        """Take other colours."""
        self._theme = theme
        self.plot.set_theme(theme)
        for index, curve in enumerate(self.curves):
            curve.setPen(theme.pen(theme.channel(index)))

    def close(self) -> Any:
        """End the process."""
        if self._past is not None:
            self._past.close()
            self._past = None
        return super().close()
