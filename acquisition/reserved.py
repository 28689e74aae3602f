"""A card that another program holds, or one that crashed a moment ago: wait for it, and say so."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ..instruments.driver import ReservedError
from .slots import LogBook

__all__ = ["WAIT_SECONDS", "when_free"]

T = TypeVar("T")

WAIT_SECONDS = 12.0
"""Longest wait, s: a device server frees what a client has left after some ten seconds."""

_RETRY_SECONDS = 0.5
_LOOK_SECONDS = 0.05


def when_free(use: Callable[[], T], log: LogBook, unwanted: Callable[[], bool]) -> T:
    """Use a device as soon as it is free.

    Parameters
    ----------
    use : callable
        Raises ReservedError while the device is held by somebody else; tried again then.
    log : LogBook
        Told at once that there is a wait, and its end.
    unwanted : callable
        Asked all the time; True ends the wait.

    Raises
    ------
    ReservedError
        If it is not free after ``WAIT_SECONDS``, or no longer wanted.
    """
    begin, told = time.monotonic(), False
    while True:
        try:
            result = use()
        except ReservedError as error:
            if not told:
                told = True
                log.shout("warning", f"waiting up to {WAIT_SECONDS:g} s: {error}")
            until = time.monotonic() + _RETRY_SECONDS
            while time.monotonic() < until and not unwanted():
                time.sleep(_LOOK_SECONDS)
            if unwanted() or until - begin > WAIT_SECONDS:
                raise
        else:
            if told:
                log.shout("info", f"free after {time.monotonic() - begin:.2g} s")
            return result
