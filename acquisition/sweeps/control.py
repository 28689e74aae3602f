"""What is asked of a sweep while it goes on, and what it tells of itself; from any thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Literal, TypeVar

__all__ = ["POLL_SECONDS", "Ended", "SweepControl", "SweepState", "SweepStatus"]

T = TypeVar("T")

SweepState = Literal["complete", "stopped", "aborted", "failed"]

POLL_SECONDS = 0.02
"""Between two looks at what is waited for, s."""

_FINALISE_SECONDS = 60.0


class Ended(Exception):
    """The sweep is to end; carries state, reason and exit code."""

    def __init__(self, state: SweepState, reason: str, exit_code: int = 0) -> None:
        super().__init__(reason)
        self.state, self.reason, self.exit_code = state, reason, exit_code


@dataclass(frozen=True)
class SweepStatus:
    """How far a sweep is: points done, points known so far, and what is being done."""

    done: int = 0
    planned: int = 0
    message: str = "preparing"


class SweepControl:
    """Requests to end, and waits that hear them.

    Parameters
    ----------
    planned : int
        Points that are known beforehand.
    abort_run : callable
        Ends the run under way.

    Attributes
    ----------
    stop, abort, held : threading.Event
        End after the point under way; end now; wait before the next one.
    status : SweepStatus
        How far it is.
    """

    def __init__(self, planned: int, abort_run: Callable[[], object]) -> None:
        self.stop, self.abort, self.held = (threading.Event() for _ in range(3))
        self._planned, self._abort_run = planned, abort_run
        self.status = SweepStatus(0, planned)

    def tell(self, message: str, done: int | None = None) -> None:
        """Say what is being done, and how many points are."""
        count = self.status.done if done is None else done
        self.status = SweepStatus(count, max(self._planned, count), message)

    def look(self) -> None:
        """Raise :class:`Ended` where an end was asked for."""
        if self.abort.is_set():
            raise Ended("aborted", "aborted on request")
        if self.stop.is_set():
            raise Ended("stopped", "stopped on request")

    def rest(self, seconds: float, message: str) -> None:
        """Wait; raises :class:`Ended` when the sweep is to end now."""
        self.tell(message)
        self.abort.wait(seconds)
        if self.abort.is_set():
            raise Ended("aborted", "aborted on request")

    def wait_while_held(self) -> None:
        """Wait while the sweep is paused; raises :class:`Ended` when it is to end."""
        while self.held.is_set():
            self.look()
            self.rest(POLL_SECONDS, "paused")

    def answer(self, future: Future[T]) -> T:
        """Wait for an answer and return it; an abort ends the run that it comes from.

        Raises
        ------
        Ended
            If a device does not answer after an abort.
        """
        deadline: float | None = None
        while not future.done():
            wait([future], timeout=POLL_SECONDS)
            if self.abort.is_set():
                self._abort_run()
                deadline = deadline or time.monotonic() + _FINALISE_SECONDS
                if time.monotonic() > deadline:
                    raise Ended("aborted", "aborted on request; a device did not answer")
        return future.result()
