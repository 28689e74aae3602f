"""Carries a queue out: one entry after the other, while nothing speaks against it.

Called ten times a second with what the session says; it never waits. Nothing is ever started while
a particle is lost or feedback is not known to be on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ...acquisition.suspenders import NO_RULES, Picture, troubles
from ...acquisition.sweeps.plan import SweepPlan
from ...models.errors import OptobindError
from .queue import Entry, QueueModel
from .queue_work import Ending, Work
from .rig import connected
from .run import RunModel

if TYPE_CHECKING:
    from ...acquisition.snapshots import SessionStatus
    from .port import SessionPort

__all__ = ["FAILED", "QueueRunner"]

_GOOD = ("complete",)
FAILED = ("failed", "incomplete")
"""How an entry ends that stops the queue, unless it is to go on."""


class QueueRunner:
    """Starts entries, follows them and takes note of how they ended.

    Parameters
    ----------
    model : QueueModel
        The queue.
    session : SessionPort
        Of the rig.
    begin : callable
        Makes what carries an entry out; raises OptobindError where that cannot be done.
    estimated : callable
        Whether the estimate of an entry is of its plan and of now.

    Attributes
    ----------
    on : bool
        Whether the queue goes on with the next entry.
    paused, ending : bool
        Whether it is held; whether it stops after the entry under way.
    go_on : bool
        Whether entries that fail are no reason to stop.
    entry : Entry or None
        The one under way.
    message, severity : str
        What the queue does or waits for.
    """

    def __init__(
        self,
        model: QueueModel,
        session: SessionPort,
        begin: Callable[[Entry], Work],
        estimated: Callable[[Entry], bool],
    ) -> None:
        self.model, self._session = model, session
        self._begin, self._estimated = begin, estimated
        self.on = self.paused = self.ending = self.go_on = False
        self.entry: Entry | None = None
        self.work: Work | None = None
        self.message, self.severity = "", "info"
        self._asked_to_end = False
        self._good_since: float | None = None
        self._held_up = False

    @property
    def active(self) -> bool:
        """Whether something of the queue is under way."""
        return self.work is not None

    # -- what is asked for ------------------------------------------------------------------------

    def start(self) -> None:
        """Begin with the first entry that waits, at the next step."""
        self.on, self.ending = True, False
        self._held_up = False
        self._say("starting")

    def finish(self) -> None:
        """Begin no other entry."""
        self.ending = self.active
        if not self.active:
            self._off("stopped")

    def leave(self) -> None:
        """The session is being closed: nothing is begun any more."""
        self._off("closed")
        if self.work is not None:
            self._asked_to_end = True
            self.work.abort()

    def pause(self, on: bool) -> None:
        """Hold what is under way, feedback on, and begin nothing; or go on."""
        self.paused = on
        if self.work is not None:
            self.work.pause(on)
        self._say("paused" if on else "")

    def stop(self) -> None:
        """End the entry under way in good order, and the queue with it."""
        self._end(lambda work: work.stop())

    def abort(self) -> None:
        """End the entry under way now, and the queue with it."""
        self._end(lambda work: work.abort())

    def _end(self, how: Callable[[Work], object]) -> None:
        self.on = self.paused = False
        if self.work is not None:
            self._asked_to_end = True
            how(self.work)

    # -- what follows -----------------------------------------------------------------------------

    def step(self, status: SessionStatus, now: float) -> None:
        """Look at what is under way, or start what is next.

        Parameters
        ----------
        status : SessionStatus
            As the session says it.
        now : float
            Monotonic, s.
        """
        if self.work is not None:
            self._follow()
            if self.work is not None:
                return
        if not self.on:
            return
        entry = self.model.next()
        if entry is None:
            self._off("all is done", "good")
        elif self.paused:
            self._say("paused")
        elif why := self._never(entry, status):
            self._off(f"{entry.title}: not started: {why}", "error")
        elif why := self._not_yet(entry, status, now):
            self._say(why, "warning" if why.startswith("waiting: ") else "info")
        else:
            self._start(entry)

    def _never(self, entry: Entry, status: SessionStatus) -> str:
        """Why an entry is not started before somebody has done something; "" if it may."""
        if not connected(status):
            return "the devices are not connected"
        if status.lost:
            return "a particle is lost: reload it, then start the queue again"
        if self._session.rig.gate is not None and status.feedback is not True:
            word = "off" if status.feedback is False else "not known to be on"
            return f"feedback is {word}: switch it on, then start the queue again"
        if entry.drafts:
            return f"{next(iter(entry.drafts.values()))!r} is refused: mend it in its field"
        return "" if entry.estimate is None else entry.estimate.refused

    def _not_yet(self, entry: Entry, status: SessionStatus, now: float) -> str:
        """What an entry waits for; "" if it may start."""
        if status.held_by is not None or RunModel.active(status):
            return f"waiting for {status.held_by or 'the run under way'}"
        estimate = entry.estimate
        if not self._estimated(entry) or estimate is None:
            return "looking at what it takes"
        if isinstance(entry.plan, SweepPlan):
            return ""  # it has rules of its own, and waits by itself
        seen = Picture(
            pressure=status.pressure,
            free=None if estimate.free is None else float(estimate.free),
            needed=float(estimate.size or 0),
            monitors=status.monitors,
        )
        found = troubles(NO_RULES, seen)
        if found:
            self._good_since, self._held_up = None, True
            return f"waiting: {'; '.join(found)}"
        if not self._held_up:
            return ""
        if self._good_since is None:
            self._good_since = now
        if now - self._good_since < NO_RULES.quiet:
            return "waiting: all is well again, for a moment longer"
        self._held_up = False
        return ""

    def _start(self, entry: Entry) -> None:
        try:
            work = self._begin(entry)
            work.start()
        except OptobindError as error:
            self._ended(entry, Ending("failed", str(error)))
            return
        self.work, self.entry, self._asked_to_end = work, entry, False
        entry.state, entry.reason = "running", ""
        self._say("")
        self.model.touch()

    def _follow(self) -> None:
        """Take note of where an entry is recorded and how it ended."""
        work, entry = self.work, self.entry
        assert work is not None
        assert entry is not None
        ending = work.ending()
        if ending is None:
            path = work.path
            if path is not None and path != entry.path:
                entry.path = path
                self.model.touch()
            return
        self.work = self.entry = None
        self._ended(entry, ending)

    def _ended(self, entry: Entry, ending: Ending) -> None:
        """Write down how an entry ended, and whether the next one follows."""
        entry.state, entry.reason, entry.worth = ending.state, ending.reason, ending.worth
        entry.path = ending.path if ending.path is not None else entry.path
        self.model.touch()
        asked, self._asked_to_end = self._asked_to_end, False
        self.paused = False
        failed = ending.state in FAILED
        why = f"{entry.title}: {ending.state}" + (f": {ending.reason}" if ending.reason else "")
        if asked or not self.on:
            self._off(f"stopped after {why}", "info")
        elif self.ending:
            self._off(f"stopped as asked, after {entry.title}: {ending.state}", "info")
        elif failed and not self.go_on:
            self._off(f"stopped: {why}", "error")
        elif ending.state not in (*_GOOD, *FAILED) and not _by_itself(entry, ending):
            self._off(f"stopped: {why}", "warning")
        else:
            self._say(why, "error" if failed else "info")

    def _off(self, message: str, severity: str = "info") -> None:
        self.on = self.ending = self.paused = False
        self._say(message, severity)

    def _say(self, message: str, severity: str = "info") -> None:
        if (message, severity) != (self.message, self.severity):
            self.message, self.severity = message, severity
            self.model.touch()

    # -- for the rest of the window ---------------------------------------------------------------

    def shown(self, status: SessionStatus) -> SessionStatus:
        """The status as the window is to show it: a sweep holds the knobs between its points, too.

        Parameters
        ----------
        status : SessionStatus
            As the session says it.
        """
        if self.work is None or self.entry is None:
            return status
        progress = self.work.progress()
        if progress is None:
            return status
        share, words = progress
        if RunModel.active(status):
            said = f"{words}: {status.message}" if status.message else words
            return replace(status, message=said, progress=share)
        state = "paused" if self.paused else "running"
        held = f"the {self.entry.plan.kind}"
        return replace(status, state=state, held_by=held, message=words, progress=share)  # type: ignore[arg-type]


def _by_itself(entry: Entry, ending: Ending) -> bool:
    """Whether a sweep stopped because its time was over, which is as it was planned."""
    return isinstance(entry.plan, SweepPlan) and ending.state == "stopped"
