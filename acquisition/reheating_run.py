"""The reheating protocol: cool, check, release, record, feedback on again; M times.

The gate is switched by calls between which samples are read, or by a card that plays the releases
on the sample clock while they are read. A card begins with the digitizer's first sample, so that
each pattern starts the digitizer anew.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .events import EventKind
from .plans import ReheatingPlan
from .presence import Presence
from .release_pattern import Cycle

if TYPE_CHECKING:
    from .procedures import Procedure

__all__ = ["ReheatingRun", "reheating_run"]

_LOOK_SECONDS = 0.05  # of samples between two looks at the particles while a card plays


def reheating_run(procedure: Procedure, plan: ReheatingPlan) -> ReheatingRun:
    """Choose how the releases of a step are switched.

    Raises
    ------
    InputError
        If the plan cannot be carried out as it says.
    """
    return (_Played if procedure.by_card(plan) else _Called)(procedure, plan)


class ReheatingRun(ABC):
    """One step of releases.

    Parameters
    ----------
    procedure : Procedure
        What it may do.
    plan : ReheatingPlan
        The step.

    Attributes
    ----------
    made : int
        Releases made, repeats among them.
    """

    def __init__(self, procedure: Procedure, plan: ReheatingPlan) -> None:
        self.procedure, self.plan = procedure, plan
        self.cycle = Cycle.of(plan, procedure.sample_rate)
        self.presence = Presence(procedure, plan.presence_factor)
        self.made = 0

    def run(self) -> int:
        """Return the number of planned repetitions done; repeats of lost ones follow them."""
        self.procedure.feedback(True)
        try:
            self.make(range(self.plan.repetitions), repeats=False)
            planned = self.made
            if planned == self.plan.repetitions:
                self.repeat_lost()
            self.rest()
        finally:
            self.procedure.feedback(True)
        return planned

    @property
    def ended(self) -> bool:
        """Whether no further release is to be made."""
        return self.procedure.stopping or self.procedure.record_ended

    def repeat_lost(self) -> None:
        """Make lost repetitions once more, under numbers of their own, as often as allowed."""
        left = self.plan.extra
        while left > 0 and not self.ended:
            lost = self.procedure.lost_repetitions()[:left]
            if not lost:
                return
            self.make(lost, repeats=True)
            left -= len(lost)

    @abstractmethod
    def rest(self) -> None:
        """Leave the light as it was found, when nothing went wrong."""

    @abstractmethod
    def make(self, numbers: Sequence[int], *, repeats: bool) -> None:
        """Make releases with these numbers, or repeats of them, until none is to be made."""

    def tell(self, done: int, numbers: Sequence[int], *, repeats: bool) -> None:
        """Say how far it is."""
        if repeats:
            text = f"repeat {done + 1} of {len(numbers)}, of lost repetition {numbers[done] + 1}"
            self.procedure.progress(1.0, text)
            return
        number, planned = numbers[done], self.plan.repetitions
        self.procedure.progress(number / planned, f"repetition {number + 1} of {planned}")

    def begin_release(self, at: int, number: int, *, repeats: bool) -> int:
        """Write that a release begins; return the number under which it is kept."""
        own = self.made if repeats else number
        payload: dict[str, Any] = {"repeats": number} if repeats else {}
        payload |= self.plan.setting_of(number).payload()
        free = self.cycle.free
        self.procedure.event(EventKind.RELEASE, at=at, repetition=own, samples=free, **payload)
        return own

    def end_release(self, at: int, own: int) -> None:
        """Write that feedback is on again."""
        self.procedure.event(EventKind.RECAPTURE, at=at, repetition=own)
        self.made += 1

    def cool(self, *, settle: int = 0) -> NDArray[np.float64] | None:
        """Acquire until feedback has acted for the time of cooling, and return that; None if cut.

        Before it so many samples ``settle`` are taken with feedback on as well.

        A card is ahead: samples from before the gate closed are yet to be read.
        """
        do = self.procedure
        warm = max(0, do.settled - do.position) + settle
        cooled = do.acquire(warm + self.cycle.cool, keep=True)
        assert cooled is not None
        if do.stopping and len(cooled) < warm + self.cycle.cool:
            return None  # no samples come: nothing could be released
        return cooled[warm:]


class _Called(ReheatingRun):
    """Software switches the gate."""

    def make(self, numbers: Sequence[int], *, repeats: bool) -> None:
        for done in range(len(numbers)):
            self.procedure.wait_while_paused()
            if self.ended:  # no further release
                return
            self.tell(done, numbers, repeats=repeats)
            if self.plan.alternating:
                self.procedure.turn_phase(
                    self.plan.turn_of(numbers[done]), self.plan.reversal_settling
                )
            self.release(numbers[done], repeats=repeats)
            if self.ended:
                return

    def rest(self) -> None:
        if self.plan.alternating:
            self.procedure.turn_phase(0.0, 0.0)

    def release(self, number: int, *, repeats: bool) -> None:
        """Cool, check, release, record, feedback on again."""
        do = self.procedure
        cooled = self.cool()
        if cooled is None:
            return
        self.presence.check(cooled, self.made if repeats else number)
        start = do.feedback(False, longest=self.plan.release_time)
        own = self.begin_release(start, number, repeats=repeats)
        # The release lies where the card is.
        begin = do.position
        released = do.acquire(max(0, start - begin) + self.cycle.free, keep=True)
        self.end_release(do.feedback(True), own)
        if released is not None:
            do.repetition(released, begin, self.plan, own)


class _Played(ReheatingRun):
    """A card plays the releases; what happens is read from the record."""

    def rest(self) -> None:
        """What a card plays is idle when it is over."""

    def make(self, numbers: Sequence[int], *, repeats: bool) -> None:
        done = 0
        while done < len(numbers):
            self.procedure.wait_while_paused()
            if self.ended:
                return
            self.tell(done, numbers, repeats=repeats)
            cooled = self.cool(settle=self.cycle.settle)  # the light has gone back to what is set
            if cooled is None:
                return
            self.presence.check(cooled, numbers[done])
            done += self.play(numbers[done:], repeats=repeats)

    def play(self, numbers: Sequence[int], *, repeats: bool) -> int:
        """Play a pattern of releases; return how many were made before it ended or was halted."""
        do = self.procedure
        played = self.cycle.played(numbers, self.plan)
        origin = do.play(played.pattern)
        done = 0
        try:
            while done < played.count:
                self.tell(done, numbers, repeats=repeats)
                self.follow(origin + played.start(done), numbers[done], repeats=repeats)
                done += 1
                if do.paused or self.ended:
                    break
        finally:
            do.feedback(True)
        return done

    def follow(self, start: int, number: int, *, repeats: bool) -> None:
        """Read one repetition, whose release begins at a sample."""
        do = self.procedure
        stop = start + self.cycle.free
        self.presence.check(self.read(start, number), number)
        do.edge(False, start)
        own = self.begin_release(start, number, repeats=repeats)
        first = do.position
        released = self.read(stop, number)
        do.edge(True, stop)
        self.end_release(stop, own)
        do.repetition(released, first, self.plan, own)

    def read(self, stop: int, number: int) -> NDArray[np.float64]:
        """Read up to a sample, and see meanwhile that no particle is lost."""
        do = self.procedure
        look = max(1, round(_LOOK_SECONDS * do.sample_rate))
        pieces = [do.acquire_to(min(stop, do.position + look))]
        while do.position < stop and not do.record_ended and len(pieces[-1]):
            self.presence.watch(pieces[-1], number)
            pieces.append(do.acquire_to(min(stop, do.position + look)))
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
