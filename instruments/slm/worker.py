"""Calls into a vendor's library, one after the other in one thread, each with a time limit."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from ...models.ranges import require_range
from ..links.base import LinkError

__all__ = ["Worker"]

T = TypeVar("T")


def _end() -> None:
    """What ends the thread."""


class Worker:
    """A thread that makes calls; one that hangs is left behind, and every later call refused.

    Parameters
    ----------
    name : str
        For messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], list[Any], threading.Event]]
        self._jobs = queue.SimpleQueue()
        self._stuck: threading.Event | None = None
        # A daemon: a library that hangs must not keep the program from ending.
        threading.Thread(target=self._work, name=f"worker of {name}", daemon=True).start()

    def call(self, function: Callable[[], T], timeout: float) -> T:
        """Make a call and return its result, or raise what it raised.

        Raises
        ------
        LinkError
            If it does not return in time, or an earlier one still has not.
        """
        require_range("timeout", timeout, 0.0, 3600.0, "s")
        if self._stuck is not None and not self._stuck.is_set():
            raise LinkError(f"{self._name} still hangs in an earlier call: restart the program")
        box: list[Any] = []
        done = threading.Event()
        self._jobs.put((function, box, done))
        if not done.wait(timeout):
            self._stuck = done
            raise LinkError(f"{self._name} did not answer within {timeout:g} s")
        failed, result = box
        if failed:
            raise result
        return result  # type: ignore[no-any-return]

    def stop(self) -> None:
        """End the thread after the calls that wait."""
        self._jobs.put((_end, [], threading.Event()))

    def _work(self) -> None:
        function: Callable[[], Any] | None = None
        while function is not _end:
            function, box, done = self._jobs.get()
            try:
                box[:] = False, function()
            except BaseException as error:  # whatever it is, it belongs to the caller
                box[:] = True, error
            done.set()
            del box
