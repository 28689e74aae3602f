"""Child processes that a terminal's signals do not reach: their parent ends them in good order.

Ctrl-C, Ctrl-Backslash and a closed terminal signal the whole group of processes. A worker that died
of it would be missed while its parent ends in good order; Python's resource tracker, which removes
shared memory after a kill, would be gone when it is needed.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from multiprocessing import resource_tracker

__all__ = ["deaf_to_the_terminal", "die_with_parent", "start_tracker"]


@contextlib.contextmanager
def deaf_to_the_terminal() -> Iterator[None]:
    """Block the terminal's signals in this thread: children started meanwhile inherit that.

    A signal that comes meanwhile is delivered afterwards. Nothing is done on Windows.
    """
    if sys.platform == "win32":
        yield
        return
    numbers = {signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_tracker() -> None:
    """Start Python's resource tracker, if it does not run yet, so that it outlives a terminal."""
    if sys.platform != "win32":
        with deaf_to_the_terminal():
            resource_tracker.ensure_running()


def die_with_parent() -> None:
    """End this worker when its parent was killed: nobody would read its answers. For a thread."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
