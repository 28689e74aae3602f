"""The last minute of a command that switched feedback: it does not leave a gate open in silence."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ..models.errors import DeviceError, OptobindError
from .output import warn
from .signals import Interrupted

if TYPE_CHECKING:
    from ..acquisition.session import Session

__all__ = ["WAIT_SECONDS", "closing_the_gate"]

WAIT_SECONDS = 60.0
"""Longest time that a command waits for feedback to come back, s."""

_POLL_SECONDS = 0.1


@contextlib.contextmanager
def closing_the_gate(session: Session, ended: Callable[[], bool]) -> Iterator[None]:
    """Close the session after the block, and the feedback gate before it if that was left open.

    Parameters
    ----------
    session : Session
        To be closed.
    ended : callable
        Whether the user has ended the wait.

    Raises
    ------
    DeviceError
        "GATE STILL OPEN …" if feedback is not known to be on at the end; what the block raised
        has been written to stderr then, so that this is the last line.
    """
    failure: OptobindError | Interrupted | None = None
    try:
        try:
            yield
        except (OptobindError, Interrupted) as error:
            failure = error
        finally:
            _wait_for_feedback(session, ended)
    finally:
        session.close()
    if session.gate_trouble:
        if failure is not None:
            warn([str(failure) or "interrupted"])
        raise DeviceError(session.gate_trouble)
    if failure is not None:
        raise failure


def _wait_for_feedback(session: Session, ended: Callable[[], bool]) -> None:
    """Wait while the session tries to close the gate; a signal ends it."""
    if not session.gate_trouble:
        return
    warn([f"waiting up to {WAIT_SECONDS:g} s for the gate; Ctrl-C ends the waiting"])
    until = time.monotonic() + WAIT_SECONDS
    while session.gate_trouble and time.monotonic() < until:
        if ended():
            session.give_up_feedback()
            return
        time.sleep(_POLL_SECONDS)
