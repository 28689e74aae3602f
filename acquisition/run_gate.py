"""The feedback gate during a run: where in the record it acted, and what its failures mean."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..instruments.capabilities import GateCapabilities
from ..instruments.patterns import Pattern
from ..models.errors import OptobindError
from .apparatus import Apparatus
from .events import EventKind
from .feedback import ReleaseRefusedError
from .played import PlayedReleases
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
        limits = getattr(apparatus.rig.gate, "capabilities", GateCapabilities())
        rate = stream.info.sample_rate
        self._earliest = max(0, math.floor((limits.delay - limits.jitter) * rate))
        self._latest = max(0, math.ceil((limits.delay + limits.jitter) * rate))
        self._playing: PlayedReleases | None = None
        self._noted: set[str] = set()  # remarks of the gate that are in the record
        self._told = 0  # sample up to which the levels of the pattern are in the record

    @property
    def closed(self) -> bool | None:
        """Whether feedback acts; None when that is not known, or without a gate."""
        return self._gate.closed if self._there else None

    def begin(self) -> None:
        """Switch feedback on at the beginning; nobody knows how the gate was left."""
        self._noted.update(self._gate.remarks)  # the run has written what was known before
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
        """Switch; return the sample from which it acts. What is played is halted.

        The gate acts its delay after the call, give or take its jitter. Of the samples at which it
        may have acted the last one counts for opening, the first one for closing: what lies between
        is free for certain.

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
            self._watch.stopped_playing(self._step(), str(error))
            raise
        first = before + self._earliest
        last = max(before, self._present(sure=done and not closed)) + self._latest
        played, self._playing = self._playing, None
        if played is not None:
            self._cut(played, before, last)
            if incident:
                self._watch.stopped_playing(self._step(), incident)
            self._watch.seen_playing()
        at = first if closed else last
        if closed or not done:
            self._stream.feedback_on(last)
        if done and closed is not self._closed:
            self._closed = closed
            self._write(EventKind.GATE, at=at, closed=closed, spread=last - first)
        self._note_remarks(at)
        if incident:
            self._watch.incident(incident, at, spoils=closed or not done)
            self._log.add("warning", incident)
        if closed:
            self._watch.ends(self._step(), judge=judge)
        return at

    def _note_remarks(self, at: int) -> None:
        """Write what the gate's driver has to say, once a run."""
        for remark in self._gate.remarks:
            if remark not in self._noted:
                self._noted.add(remark)
                self._write(EventKind.NOTE, at=at, text=remark)

    # -- played by a card -----------------------------------------------------------------------

    def play(self, pattern: Pattern) -> int:
        """Have the card switch the gate, from the digitizer's next start on, which is made here.

        Returns
        -------
        int
            Sample of the record at which the pattern's sample 0 acts.

        Raises
        ------
        InputError, DeviceError
            If it cannot be played.
        """
        rate = self._stream.info.sample_rate
        base = self._stream.restart(lambda: self._gate.lend(pattern, rate))
        self._playing = PlayedReleases(pattern, base + self._gate.line.offset)
        self._told = base
        self._stream.feedback_played(self._playing.free)
        return self._playing.origin

    def edge(self, closed: bool, at: int, *, judge: bool) -> None:
        """Write an edge of the pattern, which lies at this sample exactly.

        Raises
        ------
        DeviceError
            If the card has died or stands still, or the run is to end.
        """
        self._closed, self._told = closed, at
        self._gate.played(closed)
        self._write(EventKind.GATE, at=at, closed=closed, spread=0)
        if closed:
            self._watch.ends(self._step(), judge=judge, played=True)
        if self._playing is None:
            return
        read = self._stream.position - self._playing.origin  # a gap may reach beyond its end
        try:
            looked = self._gate.line.require_playing(min(read, self._playing.samples))
        except OptobindError as error:
            self._watch.stopped_playing(self._step(), str(error))
            raise
        if looked:
            self._watch.seen_playing()

    def _cut(self, played: PlayedReleases, before: int, after: int) -> None:
        """Write what the pattern has done since its last edge in the record, until it was halted.

        The card was ahead: releases that nobody wanted any more may have begun.
        """
        self._stream.feedback_played(None)
        for begin, end in played.stretches(self._told, after):
            stop = min(end, after)
            if begin > self._told:
                self._stream.feedback_off(begin)
                self._write(EventKind.GATE, at=begin, closed=False, spread=0)
            at = max(begin, min(end, before))
            self._write(EventKind.GATE, at=at, closed=True, spread=stop - at)
            self._stream.feedback_on(stop)
            self._closed = True

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
