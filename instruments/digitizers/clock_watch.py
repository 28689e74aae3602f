"""Whether an external sample clock runs at the rate that was stated, by the clock of this computer.

A count of samples arrives late, never early: of many counts the least late one tells the time, and
two of them, some ten seconds apart, the rate.
"""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["ClockWatch"]

_TOLERANCE = 100e-6  # relative
_WINDOW = 2.0  # s, of the counts among which the least late one is taken
_LEAST_TIME = 10.0  # s
_JITTER = 3e-3  # s: by so much the least late count of a busy computer may still be late


class ClockWatch:
    """Compares counts of samples with time.

    Parameters
    ----------
    terminal : str or None
        Where the clock comes in, for the message; None for a clock that is not watched.
    rate : float
        Stated rate, Hz.
    clock : callable
        Time, s.

    Attributes
    ----------
    doubt : str
        A sentence once the rate is off by more than 100 ppm; empty before.
    """

    def __init__(
        self, terminal: str | None, rate: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._terminal, self._rate, self._clock = terminal, rate, clock
        self._first: tuple[float, float] | None = None  # time and lateness of the least late
        self._begin = 0.0
        self._last: tuple[float, float] | None = None
        self._since = 0.0
        self.doubt = ""

    def see(self, samples: int) -> None:
        """Take in that so many samples have been taken since the start."""
        if self._terminal is None or not samples or self.doubt:
            return
        now = self._clock()
        late = now - samples / self._rate
        if self._first is None:
            self._first, self._begin, self._since = (now, late), now, now + _WINDOW
        elif now - self._begin < _WINDOW:
            self._first = min(self._first, (now, late), key=lambda entry: entry[1])
        else:
            self._compare(now, late)

    def _compare(self, now: float, late: float) -> None:
        """Close a window now and then, and compare its least late count with the first one."""
        if self._last is None or late < self._last[1]:
            self._last = (now, late)
        if now - self._since < _WINDOW:
            return
        assert self._first is not None
        (begin, early), (end, latest) = self._first, self._last
        self._last, self._since = None, now
        span = end - begin
        drift = (latest - early) / span
        if span >= _LEAST_TIME and abs(drift) > max(_TOLERANCE, _JITTER / span):
            found = self._rate * (1.0 - drift)
            self.doubt = (
                f"the sample clock at {self._terminal} runs at {found:.7g} Hz by this computer's "
                f"clock, {-1e6 * drift:+.0f} ppm from the sample_rate of the rig file "
                f"({self._rate:.7g} Hz): all frequencies and rates are off by as much; lock the "
                "clock, or state its rate"
            )
