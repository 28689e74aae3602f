"""Where a trace begins on the screen: level, edge, channel, hold-off; and what if there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .units import DURATION, VOLTAGE, format_quantity, format_si, parse_quantity

__all__ = [
    "EDGES",
    "MODES",
    "Trigger",
    "holdoff_text",
    "level_text",
    "parse_holdoff",
    "parse_level",
]

Mode = Literal["auto", "normal", "single"]
Edge = Literal["rising", "falling"]
MODES: tuple[Mode, ...] = ("auto", "normal", "single")
EDGES: tuple[Edge, ...] = ("rising", "falling")
_HYSTERESIS = 0.02  # of the peak-to-peak value: noise at the level is no edge


@dataclass
class Trigger:
    """A trigger on samples.

    Attributes
    ----------
    mode : {"auto", "normal", "single"}
        Without an edge, auto shows the newest samples; normal keeps what it showed; single stops
        with the first edge until it is armed again.
    edge : {"rising", "falling"}
        Direction in which the level is crossed.
    channel : int
        Column that is looked at.
    level : float or None
        V; None for the mean of the samples.
    holdoff : float
        s, for which no edge counts after one that did.
    """

    mode: Mode = "auto"
    edge: Edge = "rising"
    channel: int = 0
    level: float | None = None
    holdoff: float = 0.0

    def __post_init__(self) -> None:
        self._last: int | None = None
        self.stopped = False
        self.waiting = False

    def arm(self) -> None:
        """Wait for the next edge."""
        self._last, self.stopped, self.waiting = None, False, False

    def find(
        self, volts: NDArray[np.floating], length: int, first_sample: int, rate: float
    ) -> int | None:
        """Row at which a window of ``length`` rows begins; None to keep what is shown.

        Parameters
        ----------
        volts : ndarray, shape (n, c)
            Newest samples.
        length : int
            Rows of the window; where it takes all rows there is nothing to choose.
        first_sample : int
            Index of row 0; one that goes back is of another stream.
        rate : float
            Hz.
        """
        last = volts.shape[0] - length
        if last <= 0:
            self.waiting = False
            return None if self.stopped else 0
        if self._last is not None and first_sample + volts.shape[0] <= self._last:
            self._last = None
        if self.stopped:
            return None
        found = self._newest_edge(volts, last, first_sample, rate)
        self.waiting = found is None
        if found is None:
            return last if self.mode == "auto" else None
        self._last = first_sample + found
        self.stopped = self.mode == "single"
        return found

    def _newest_edge(
        self, volts: NDArray[np.floating], last: int, first: int, rate: float
    ) -> int | None:
        """The newest edge that leaves a full window and lies beyond the hold-off."""
        column = min(self.channel, volts.shape[1] - 1)
        look = volts[: last + 1, column]
        known = look[np.isfinite(look)]
        if known.size < 2:
            return None
        level = float(known.mean()) if self.level is None else self.level
        margin = _HYSTERESIS * float(np.ptp(known))
        sign = 1.0 if self.edge == "rising" else -1.0
        above = sign * (look - level) > 0.0
        below = sign * (look - level) < -margin
        # An edge counts if the signal has been clearly on the other side since the one before.
        crossings = np.flatnonzero(~above[:-1] & above[1:]) + 1
        since = np.cumsum(below)
        counts = since[crossings - 1]
        fresh = np.diff(counts, prepend=0) > 0
        edges = crossings[fresh]
        if self._last is not None and self.holdoff > 0.0:
            edges = edges[edges + first >= self._last + round(self.holdoff * rate)]
        return int(edges[-1]) if edges.size else None

    def state(self) -> str:
        """What it does, in a word."""
        if self.stopped:
            return "stopped: arm it again"
        if self.waiting:
            return "free running" if self.mode == "auto" else "waiting for an edge"
        return "triggered"


def parse_level(text: str) -> float | None:
    """Read a level, V; empty or "mean" for the mean.

    Raises
    ------
    InputError
        If it is no voltage.
    """
    if text.strip() in ("", "mean"):
        return None
    return parse_quantity(text, VOLTAGE, default_unit="V", low=-1e4, high=1e4, name="trigger level")


def level_text(value: float | None) -> str:
    """Write a level."""
    return "" if value is None else format_si(value, "V", 4)


def parse_holdoff(text: str) -> float:
    """Read a hold-off, s.

    Raises
    ------
    InputError
        If it is no time of 0 … 10 s.
    """
    if not text.strip():
        return 0.0
    return parse_quantity(text, DURATION, default_unit="ms", low=0.0, high=10.0, name="hold-off")


def holdoff_text(value: float | None) -> str:
    """Write a hold-off."""
    return format_quantity(value or 0.0, DURATION)
