"""The pace of a ramp: when each step is due, and how far it may go.

A step acts when its write ends, at the latest; the next one acts no earlier than its own write can
end, which is taken to last as long as the quickest write so far. The time between the two, times
the slew rate, is what the step may move. On a link of constant delay that is the time from step to
step: the ramp takes as long as planned, in fewer and larger steps. A write that was held up
does not make the next step larger than :data:`MOST_STEPS` nominal ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["MOST_STEPS", "RampPace"]

MOST_STEPS = 5.0
"""Largest step, in nominal steps; a link on which each takes longer stretches the ramp."""

_WHOLE = 1.0 - 1e-9


class RampPace:
    """Shares of the way, each at its time.

    Parameters
    ----------
    seconds : float
        How long the whole way takes at the allowed slew rate, s; 0 for a jump.
    step_time : float
        Time between steps on a quick link, s.
    clock : callable
        Monotonic time, s.
    sleep : callable
        Waits, s. Time is taken to have passed after it even if the clock says otherwise.
    """

    def __init__(
        self,
        seconds: float,
        step_time: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._seconds, self._step = seconds, step_time
        self._clock, self._sleep = clock, sleep
        self._share = 0.0 if seconds > 0.0 else 1.0
        self._acted = self._now = clock()
        self._quickest: float | None = None

    @property
    def share(self) -> float:
        """Share of the way up to and with the present step, 0 … 1."""
        return self._share

    def wait(self) -> float:
        """Wait until the next step is due and return the share of the way to which it leads."""
        quickest = self._quickest or 0.0
        now = max(self._clock(), self._now)
        pause = self._acted + self._step - quickest - now
        if pause > 0.0:
            self._sleep(pause)
            now = max(self._clock(), now + pause)
        self._now = now
        elapsed = min(now + quickest - self._acted, MOST_STEPS * self._step)
        share = self._share + elapsed / self._seconds
        self._share = 1.0 if share > _WHOLE else share
        return self._share

    def written(self) -> None:
        """Note that the step has been written."""
        acted = max(self._clock(), self._now)
        took = acted - self._now
        self._quickest = took if self._quickest is None else min(self._quickest, took)
        self._acted = self._now = acted
