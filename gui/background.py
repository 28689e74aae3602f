"""Blocking work in a thread, its outcome a future: the window never waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

__all__ = ["in_background"]

T = TypeVar("T")


def in_background(work: Callable[[], T]) -> Future[T]:
    """Do something in a thread that the end of the program does not wait for.

    Parameters
    ----------
    work : callable
        Called there.

    Returns
    -------
    Future
        Of what it returns or raises.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="background", daemon=True).start()
    return future
