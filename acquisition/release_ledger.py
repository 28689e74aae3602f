"""The releases of a run under way, judged as they are made by the judgement that its file gets.

What the digitizer lost is known at once. What the recorder lost is known when it has caught up: the
ledger then takes the gaps of the file over (:meth:`ReleaseLedger.recorded`).
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..instruments.protocols import ReadResult
from ..models.blocks import BlockStatus
from .events import Event, EventKind
from .plans import Plan, ReheatingPlan, steps_of
from .ranges import Range, Ranges
from .release_table import ReleaseCollector
from .releases import (
    Evidence,
    LeftOut,
    Release,
    ReleaseCount,
    counted_releases,
    judge,
    rail_of,
    reaches_rail,
)

__all__ = ["ReleaseLedger"]

# What is known of these says nothing of their samples in the file.
_MAY_BE_LOST = (None, LeftOut.SATURATED, LeftOut.GATE, LeftOut.EXCLUDED)
_REPEATED = {LeftOut.LOST_SAMPLES, LeftOut.GATE}


class ReleaseLedger:
    """Collects what happened to the releases of one run.

    Used by the runner's thread, but for :meth:`exclude` and :attr:`count`.

    Parameters
    ----------
    plan : Plan
        Says how many releases are planned.

    Attributes
    ----------
    step : int
        Index of the step under way.
    """

    def __init__(self, plan: Plan) -> None:
        steps = [s for s in steps_of(plan) if isinstance(s, ReheatingPlan)]
        self._planned = sum(step.repetitions for step in steps) if steps else None
        self._collector = ReleaseCollector()
        self._judged: dict[tuple[int, int], Release] = {}
        self._gaps: list[tuple[int, int]] = []
        self._saturated: list[tuple[tuple[int, int], NDArray[Any]]] = []
        self._particle_lost: int | None = None
        self._position = 0
        self.step = 0
        self._released: tuple[ReheatingPlan, int] | None = None
        self._lock = threading.Lock()
        self._excluded: list[dict[str, Any]] = []
        self._ending = False
        self._reasons: Counter[LeftOut | None] = Counter()
        self._repeated = 0
        self._count = None if self._planned is None else ReleaseCount(self._planned)

    @property
    def count(self) -> ReleaseCount | None:
        """Releases so far; None for a run that is to make none."""
        return self._count

    # -- what is read and what happens ----------------------------------------------------------

    def read(self, before: int, result: ReadResult, counts: NDArray[Any] | None) -> None:
        """Take a block in that was read where ``before`` was the next sample expected.

        Parameters
        ----------
        before : int
            Index of the sample expected.
        result : ReadResult
            What came.
        counts : ndarray or None
            The samples, where they are kept: inside a release.
        """
        if result.first_sample > before or result.status & BlockStatus.GAP_BEFORE:
            self._gaps.append((before, result.first_sample))
        self._position = result.first_sample + result.samples
        if result.status & BlockStatus.SATURATED and counts is not None:
            block = (result.first_sample, self._position)
            self._saturated.append((block, np.array(counts[: result.samples])))

    def take(self, event: Event) -> None:
        """Take an event of the run in."""
        self._collector.take(event)
        if event.kind is EventKind.STEP_START:
            self.step = int(event.payload["index"])
        elif event.kind is EventKind.RELEASE:
            self._saturated.clear()  # of the cooling before it
        elif event.kind is EventKind.PARTICLE_LOST and self._particle_lost is None:
            self._particle_lost = event.sample
        elif event.kind is EventKind.EXCLUDED:
            key = (int(event.payload["step"]), int(event.payload["repetition"]))
            if key in self._judged and self._judged[key].why in (None, LeftOut.EXCLUDED):
                self._put(key, self._collector.found[key])

    def finished(self, plan: ReheatingPlan, number: int) -> Release:
        """Judge a release of the present step whose samples have been read."""
        self._released = (plan, self.step)
        evidence = Evidence(
            self._covered,
            self._position,
            self._at_rail,
            Ranges([block for block, _ in self._saturated]),
            self._particle_lost,
        )
        key = (self.step, number)
        release = judge(self._collector.found[key], evidence)
        self._saturated.clear()
        self._put(key, release)
        return release

    def recorded(self, gaps: Sequence[tuple[int, int]]) -> tuple[Release, ...]:
        """Take over which samples (start, stop) the file misses; return the releases of this step.

        A release that the file does not hold cannot be used, whatever was seen of it.
        """
        for key, release in list(self._judged.items()):
            if release.why in _MAY_BE_LOST and _touched(gaps, release):
                self._put(key, release.left_out(LeftOut.LOST_SAMPLES))
        return self.releases(self.step)

    def settle(self, releases: Sequence[Release]) -> None:
        """Take over what the file says in the end."""
        self._judged.clear()
        self._reasons.clear()
        self._repeated = 0
        for release in releases:
            self._put((release.step, release.repetition), release)

    def releases(self, step: int) -> tuple[Release, ...]:
        """Releases of a step, judged, in the order in which they were made."""
        return tuple(r for (own, _), r in self._judged.items() if own == step)

    def lost(self) -> tuple[int, ...]:
        """Repetitions of the present step that were lost, as were all repeats of them."""
        reasons: dict[int, set[LeftOut | None]] = {}
        for release in self.releases(self.step):
            of = release.repetition if release.repeats is None else release.repeats
            reasons.setdefault(of, set()).add(release.why)
        return tuple(n for n, found in sorted(reasons.items()) if found <= _REPEATED)

    def _put(self, key: tuple[int, int], release: Release) -> None:
        """Book a release, or another verdict on it."""
        before = self._judged.get(key)
        self._judged[key] = release
        if before is None:
            self._repeated += release.repeats is not None
        else:
            self._reasons[before.why] -= 1
        self._reasons[release.why] += 1
        self._count = counted_releases(self._reasons, self._repeated, self._planned or 0)

    # -- gaps ------------------------------------------------------------------------------------

    def lost_between(self, start: int, stop: int) -> int:
        """Samples that the digitizer lost in start … stop."""
        return sum(max(0, min(b, stop) - max(a, start)) for a, b in self._gaps_after(start))

    def _gaps_after(self, start: int) -> Sequence[tuple[int, int]]:
        """Gaps that end after a sample."""
        return self._gaps[bisect_right(self._gaps, start, key=lambda gap: gap[1]) :]

    def _covered(self, start: int, stop: int) -> bool:
        """Whether all samples came, without a seam of a replayed record within."""
        found = self._gaps_after(start)
        return stop <= self._position and not (found and found[0][0] < stop)

    def _at_rail(self, block: Range, start: int, stop: int) -> bool:
        """Whether samples start … stop reach the largest value of a saturated block."""
        counts = next(counts for own, counts in self._saturated if own == block)
        return reaches_rail(counts[max(0, start - block[0]) : stop - block[0]], rail_of(counts))

    # -- exclusions by hand ----------------------------------------------------------------------

    def exclude(
        self, plan: ReheatingPlan, number: int, reason: str, *, undone: bool = False
    ) -> bool:
        """Have it written that a repetition (from 0) is to be left out; from any thread.

        With ``undone``, that it counts again.

        Returns
        -------
        bool
            False if the repetition is none of this run, or its file is being closed.
        """
        with self._lock:
            if self._released is None or self._released[0] is not plan or self._ending:
                return False
            payload = {"step": self._released[1], "repetition": number, "reason": reason}
            if undone:
                payload["undone"] = True
            self._excluded.append(payload)
            return True

    def take_exclusions(self, *, last: bool = False) -> list[dict[str, Any]]:
        """Return what was asked for since; after the ``last`` time nothing is taken any more."""
        with self._lock:
            waiting, self._excluded = self._excluded, []
            self._ending = last or self._ending
        return waiting


def _touched(gaps: Sequence[tuple[int, int]], release: Release) -> bool:
    """Whether a gap, in order among others, lies within a release."""
    index = bisect_right(gaps, release.first_sample, key=lambda gap: gap[1])
    return index < len(gaps) and gaps[index][0] < release.end_sample
