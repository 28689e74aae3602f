"""The feedback gate during a run: where in the record it acted, and what its failures mean."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..models.errors import OptobindError
from .apparatus import Apparatus
from .events import EventKind
from .feedback import ReleaseRefusedError
from .release_watch import ReleaseWatch, Write
from .stream import Stream

__all__ = ["LATE_SECONDS", "RunGate"]

LATE_SECONDS = 1.0
"""By how much a release may last longer than planned before its gate is closed unasked, s."""


class RunGate:
    """Switches the gate of a run, with an event when that changes it.

    Parameters
    ----------
    apparatus : Apparatus
        Has the gate, and the slow devices that are held off while it is open.
    stream : Stream
        Says where the record is; its blocks are marked while feedback is off.
    write : callable
        ``write(kind, at=sample, **payload)`` writes an event.
    step : callable
        Index of the step under way.
    """

    def __init__(
        self, apparatus: Apparatus, stream: Stream, write: Write, step: Callable[[], int]
    ) -> None:
        self._gate, self._calm = apparatus.gate, apparatus.slow.calm
        self._there = apparatus.rig.gate is not None
        self._log, self._stream, self._write, self._step = apparatus.log, stream, write, step
        self._watch = ReleaseWatch(write, self._gate.require_guardian)
        self._closed: bool | None = None

    @property
    def closed(self) -> bool | None:
        """Whether feedback acts; None when that is not known, or without a gate."""
        return self._gate.closed if self._there else None

    def begin(self) -> None:
        """Switch feedback on at the beginning; nobody knows how the gate was left."""
        if self._there:
            self._stream.feedback_off(0)
        self.switch(True, judge=False)

    def begins(self, repetition: int) -> None:
        """A RELEASE event has been written for this repetition (from 0)."""
        self._watch.begins(repetition)

    def require_guardian(self) -> None:
        """Raise DeviceError if the guardian has died while the gate was open."""
        if self._closed is False:
            self._gate.require_guardian()

    def switch(self, closed: bool, *, judge: bool, longest: float = math.inf) -> int:
        """Switch; return the sample at which it acted.

        Of the samples taken before and after the call the later one counts for opening, the
        earlier one for closing: what lies between is free for certain.

        Parameters
        ----------
        closed : bool
            Whether feedback is to act.
        judge : bool
            Whether too many spoiled releases may end the run.
        longest : float
            Planned time with feedback off, s. A guarded gate is closed unasked when it is open for
            longer: a device may hang meanwhile.

        Raises
        ------
        DeviceError
            If feedback is not as asked, or the run is to end.
        """
        if not self._there:
            return self._stream.position
        before = self._present()
        if not closed:
            self._stream.feedback_off(before)  # though the gate may fail or answer late
        try:
            done, incident = self._switch(closed, longest)
        except OptobindError as error:
            self._watch.failed(str(error), before, self._step())
            raise
        after = max(before, self._present(sure=done and not closed))
        at = before if closed else after
        if closed or not done:
            self._stream.feedback_on(after)
        if done and closed is not self._closed:
            self._closed = closed
            self._write(EventKind.GATE, at=at, closed=closed, spread=after - before)
        if incident:
            self._watch.incident(incident, at, spoils=closed or not done)
            self._log.add("warning", incident)
        if closed:
            self._watch.ends(self._step(), judge=judge)
        return at

    def _switch(self, closed: bool, longest: float) -> tuple[bool, str]:
        """Switch; return whether the gate is as asked, and what went wrong.

        No slow device is asked from before it opens until after it closes. A gate that did not
        open is closed: its release does not take place.
        """
        done = False
        if not closed:
            self._calm.hold()
        try:
            incident = self._gate.set(closed, at_most=longest + LATE_SECONDS)
            done = True
            return True, incident
        except ReleaseRefusedError as error:
            return False, str(error)
        finally:
            if closed or not done:
                self._calm.let_go()

    def _present(self, *, sure: bool = False) -> int:
        """Sample that is being taken now; the position where the digitizer cannot say.

        A dead card must not keep the gate from closing; where a release begins has to be ``sure``.
        """
        try:
            return self._stream.present()
        except OptobindError:
            if sure:
                raise
            return self._stream.position
