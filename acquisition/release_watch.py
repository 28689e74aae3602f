"""What becomes of a release whose gate misbehaved: left out with a reason, and a bound on such."""

from __future__ import annotations

from collections.abc import Callable

from ..models.errors import DeviceError
from .events import EventKind

__all__ = ["ReleaseWatch", "Write"]

_MOST_LOST = 3  # releases lost one after the other before the run ends

Write = Callable[..., None]


class ReleaseWatch:
    """Follows the releases of a run.

    A gate that did not open, that its guardian closed early or that was closed late spoils the
    repetition: a FAULT event says what happened, an EXCLUDED event has readers leave it out, and
    the run goes on. Three in a row, or the death of the guardian, end it.

    Parameters
    ----------
    write : callable
        ``write(kind, at=sample, **payload)`` writes an event.
    require_guardian : callable
        Raises DeviceError if the guardian of the gate has died.
    """

    def __init__(self, write: Write, require_guardian: Callable[[], None]) -> None:
        self._write, self._require_guardian = write, require_guardian
        self._number: int | None = None
        self._spoiled = self._failure = ""
        self._lost = 0
        self._unsure: list[int] = []  # played releases since the card was last seen to play

    def begins(self, number: int) -> None:
        """A RELEASE event has been written for repetition ``number`` (from 0)."""
        self._number = number

    def incident(self, text: str, at: int, *, spoils: bool) -> None:
        """Something went wrong with the gate, known at sample ``at``; it may spoil a release."""
        if spoils:
            self._spoiled = f"{self._spoiled}; {text}" if self._spoiled else text
        self._write(EventKind.FAULT, at=at, device="gate", message=text)

    def failed(self, text: str, at: int, step: int) -> None:
        """Switching failed at sample ``at``, and the run with it: a release is spoiled."""
        if text != self._failure:  # finalise tries again
            self._failure = text
            self._write(EventKind.FAULT, at=at, device="gate", message=text)
        number, self._number = self._number, None
        if number is not None:
            self._leave_out(step, number, text)

    def _leave_out(self, step: int, number: int, why: str) -> None:
        reason = f"the feedback gate failed: {why}"
        self._write(EventKind.EXCLUDED, step=step, repetition=number, reason=reason, cause="gate")

    def seen_playing(self) -> None:
        """The card still plays: the releases in the record so far were as planned."""
        self._unsure.clear()

    def stopped_playing(self, step: int, why: str) -> None:
        """Nobody knows since when nothing was played: leave out the releases that are not sure."""
        for number in self._unsure:
            self._leave_out(step, number, why)
        self._unsure.clear()

    def ends(self, step: int, *, judge: bool, played: bool = False) -> None:
        """The gate has been closed, after a release or not; by the pattern if ``played``.

        Raises
        ------
        DeviceError
            If the run is to end (only with ``judge``).
        """
        number, self._number = self._number, None
        if number is None:
            self._spoiled = ""  # nothing was spoiled: no release was under way
            return
        spoiled, self._spoiled = self._spoiled, ""
        self._lost = self._lost + 1 if spoiled else 0
        if spoiled:
            self._leave_out(step, number, spoiled)
        elif played:
            self._unsure.append(number)
        if not judge:
            return
        self._require_guardian()
        if self._lost >= _MOST_LOST:
            raise DeviceError(
                f"the feedback gate failed in {self._lost} releases one after the other "
                f"({spoiled}): check its link; feedback is on"
            )
