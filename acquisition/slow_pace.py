"""When a slow device is asked: how often, how soon after a failure, not within short releases."""

from __future__ import annotations

import threading
import time

__all__ = ["Calm", "Pace"]

# A release shorter than this is waited for; during a longer one the device is asked.
_SHORT_RELEASE = 5.0


class Pace:
    """When a device is asked.

    Parameters
    ----------
    period : float
        Between readings, s.
    first_wait, longest_wait : float
        Before the second attempt after a failure, doubled for each further one, s.
    late, hung : float
        After so many seconds a call is reported, and its link closed from outside.
    """

    def __init__(
        self,
        period: float = 2.0,
        first_wait: float = 1.0,
        longest_wait: float = 30.0,
        late: float = 10.0,
        hung: float = 60.0,
    ) -> None:
        self.period = period
        self.first_wait, self.longest_wait = first_wait, longest_wait
        self.late, self.hung = late, hung

    def after(self, failures: int) -> float:
        """Wait after so many failures in a row, s: the first is made good at once."""
        if failures < 2:
            return 0.0
        return float(min(self.longest_wait, self.first_wait * 2.0 ** min(failures - 2, 30)))


class Calm:
    """Whether a question may begin: not while feedback is off for a short time.

    A question that began before a release goes on in it; it never delays the switching.
    """

    def __init__(self) -> None:
        self._held: float | None = None
        self._free = threading.Event()
        self._free.set()

    def hold(self) -> None:
        """Let no question begin; called just before feedback is switched off."""
        if self._held is None:
            self._held = time.monotonic()
            self._free.clear()

    def let_go(self) -> None:
        """Let questions begin; called when feedback acts again."""
        if self._held is not None:
            self._held = None
            self._free.set()

    def wait(self, stopped: threading.Event) -> None:
        """Return when a question may begin, or when ``stopped``."""
        while not stopped.is_set():
            held = self._held
            left = 0.0 if held is None else held + _SHORT_RELEASE - time.monotonic()
            if left <= 0.0:
                return
            self._free.wait(min(left, 0.25))
