"""Time that a test moves by hand, for the watchdog of the virtual NI card."""

from __future__ import annotations

import threading
from collections.abc import Callable


class HandTimers:
    """Makes timers that act when the test has moved the time as far.

    ``started`` counts the timers, so the arming and every feeding of a watchdog.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._pending: dict[HandTimer, float] = {}
        self._lock = threading.Lock()
        self.started = 0

    def __call__(self, seconds: float, action: Callable[[], None]) -> HandTimer:
        return HandTimer(self, seconds, action)

    def start(self, timer: HandTimer) -> None:
        with self._lock:
            self.started += 1
            self._pending[timer] = self._now + timer.seconds

    def cancel(self, timer: HandTimer) -> None:
        with self._lock:
            self._pending.pop(timer, None)

    def advance(self, seconds: float) -> None:
        """Let time pass; what is due acts before this returns."""
        with self._lock:
            self._now += seconds
            due = [timer for timer, at in self._pending.items() if at <= self._now]
            for timer in due:
                del self._pending[timer]
        for timer in due:
            timer.action()


class HandTimer:
    """A timer of :class:`HandTimers`."""

    def __init__(self, time: HandTimers, seconds: float, action: Callable[[], None]) -> None:
        self._time, self.seconds, self.action = time, seconds, action

    def start(self) -> None:
        self._time.start(self)

    def cancel(self) -> None:
        self._time.cancel(self)
