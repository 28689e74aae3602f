"""Traces that fade: how often each pixel was crossed, the newest counting most."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["TIMES", "Persistence"]

TIMES: tuple[float, ...] = (0.0, 0.5, 3.0, math.inf)
"""Seconds after which a trace has faded to a third; 0 shows the newest alone."""
_ROWS = 96


class Persistence:
    """Picture of one channel, ``_ROWS`` high; its cost does not grow with what it remembers.

    Attributes
    ----------
    seconds : float
        After which a trace has faded to 1/e.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self._density = np.zeros((0, 0), np.float32)
        self._frame: tuple[object, ...] = ()
        self._then = 0.0

    def add(
        self,
        samples: NDArray[np.floating],
        columns: int,
        y_range: tuple[float, float],
        now: float,
        frame: tuple[object, ...] = (),
    ) -> NDArray[np.uint8]:
        """Take a trace and return the picture, shape (rows, columns), the lowest row first.

        Parameters
        ----------
        samples : ndarray, shape (n,)
            Of the window.
        columns : int
            Of the screen.
        y_range : tuple of float
            Lower and upper edge.
        now : float
            Monotonic s.
        frame : tuple
            What the picture is of; a change of it, or of the range, begins anew.
        """
        columns = max(1, min(columns, samples.size))
        frame = (*frame, columns, y_range)
        if frame != self._frame:
            self._frame, self._then = frame, now
            self._density = np.zeros((_ROWS, columns), np.float32)
        if self.seconds > 0.0:
            self._density *= np.float32(math.exp(-max(0.0, now - self._then) / self.seconds))
        else:
            self._density[:] = 0.0
        self._then = now
        self._density += _crossed(samples, columns, y_range)
        top = float(self._density.max(initial=0.0))
        if top <= 0.0:
            return np.zeros(self._density.shape, np.uint8)
        # A trace alone is seen beside one that was crossed a thousand times.
        shades = np.log1p(self._density) * np.float32(255.0 / math.log1p(top))
        return np.asarray(np.ceil(shades), np.uint8)


def _crossed(
    samples: NDArray[np.floating], columns: int, y_range: tuple[float, float]
) -> NDArray[np.float32]:
    """1 in each pixel that the trace crosses, 0 elsewhere."""
    starts = np.linspace(0, samples.size, columns + 1).astype(np.intp)[:-1]
    bottom, top = y_range
    rows = (np.nan_to_num(samples, nan=bottom) - bottom) * (_ROWS / ((top - bottom) or 1.0))
    places = np.clip(rows, 0, _ROWS - 1).astype(np.intp)
    low, high = np.minimum.reduceat(places, starts), np.maximum.reduceat(places, starts)
    # A column reaches to where the next one begins: lines have no holes.
    low[:-1], high[:-1] = (
        np.minimum(low[:-1], places[starts[1:]]),
        np.maximum(high[:-1], places[starts[1:]]),
    )
    row = np.arange(_ROWS)[:, None]
    return ((row >= low) & (row <= high)).astype(np.float32)
