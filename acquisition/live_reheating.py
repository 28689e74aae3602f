"""Reheating curves while they are measured, repetition by repetition, with a fit now and then."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..instruments.rig import Rig
from ..models.constants import HBAR
from ..models.errors import InputError, OptobindError
from ..models.inference.reheating.estimate import (
    MIN_REPETITIONS,
    ReheatingAccumulator,
    ReheatingEstimate,
)
from ..models.inference.result import FitResult
from .calibration import masses_of, metres_per_volt
from .fit_process import FitProcess
from .plans import ReheatingPlan
from .releases import LeftOut, Release, count_releases
from .slots import Latest
from .snapshots import ReheatingSnapshot

__all__ = ["LiveReheating"]

_PUBLISH_SECONDS = 0.25
_FIT_SECONDS = 3.0
_SINGLES = 12


@dataclass(frozen=True)
class _Released:
    """A released stretch on its way to the collector."""

    volts: NDArray[np.float64]
    sample_rate: float
    plan: ReheatingPlan
    release: Release


class LiveReheating:
    """Collects released stretches of the running plan.

    Parameters
    ----------
    rig : Rig
        For the detectors' map, calibration and masses.
    fits : FitProcess or None
        None collects without fits.
    """

    def __init__(self, rig: Rig, fits: FitProcess | None) -> None:
        self._detectors = rig.channels("out_of_loop")[:2]
        self._masses = masses_of(rig.trap, self._detectors)
        self._fits = fits
        self.snapshot: Latest[ReheatingSnapshot] = Latest()
        self._queue: queue.Queue[_Released | Callable[[], None] | None] = queue.Queue()
        self._accumulator: ReheatingAccumulator | None = None
        self._plan: ReheatingPlan | None = None
        self._scale: NDArray[np.float64] = np.ones(2)
        self._releases: dict[int, Release] = {}  # all that were made, by number
        self._by_hand: dict[int, bool] = {}  # the user's latest wish: True leaves it out
        self._numbers: list[int] = []  # those in the accumulator, in its order
        self._sequence = 0
        self._result: FitResult | None = None
        self._error = ""
        self._future: Future[tuple[FitResult | None, str]] | None = None
        self._next_fit = 0.0
        self._ended = self._waits = False  # a fit waits for its turn
        self._fitted: tuple[int, tuple[int, ...]] | None = None
        self._thread = threading.Thread(target=self._run, name="live-reheating", daemon=True)
        self._thread.start()

    # -- called from any thread ---------------------------------------------------------------

    def add(
        self,
        volts: NDArray[np.float64],
        sample_rate: float,
        plan: ReheatingPlan,
        release: Release,
    ) -> None:
        """Hand over one released stretch, volts of shape (n, channels); returns at once.

        One that is judged not to be usable is counted and enters no curve; nor does one at φ + π,
        or at the other power where the power alternates: the curves are those of the light as it
        is set, or of the power of all releases.
        """
        if len(self._detectors) == 2:
            self._queue.put(_Released(volts, sample_rate, plan, release))

    def judged(self, plan: ReheatingPlan, releases: Sequence[Release]) -> None:
        """Take new verdicts on the releases of a plan over: what was lost leaves the curves."""

        def apply() -> None:
            if self._plan is not plan:
                return
            for release in releases:
                self._book(self._as_wished(release))

        self._queue.put(apply)

    def exclude(self, number: int) -> ReheatingPlan:
        """Leave one repetition (from 0) out of the curves; return the plan that it belongs to.

        Raises
        ------
        InputError
            If the curves hold no such repetition.
        """
        plan, known = self._plan, tuple(self._releases)
        if plan is None or number not in known:
            done = f"done so far: {_ranges(known)}" if known else "none has been done yet"
            raise InputError(f"there is no repetition {number + 1}; {done}")

        def apply() -> None:
            if self._plan is plan:
                self._book(self._as_wished(self._releases[number]))

        self._by_hand[number] = True
        self._queue.put(apply)
        return plan

    def include(self, number: int) -> ReheatingPlan:
        """Let a repetition (from 0) that was left out by hand count again; return its plan.

        Raises
        ------
        InputError
            If it has not been left out by hand.
        """
        plan = self._plan
        if plan is None or not self._by_hand.get(number):
            by_hand = sorted(n + 1 for n, wished in self._by_hand.items() if wished)
            names = ", ".join(map(str, by_hand)) or "none"
            raise InputError(f"repetition {number + 1} is not left out by hand; those are: {names}")

        def apply() -> None:
            if self._plan is plan:
                self._book(self._as_wished(self._releases[number]))

        self._by_hand[number] = False
        self._queue.put(apply)
        return plan

    def _as_wished(self, release: Release) -> Release:
        """Apply what the user wishes and the run has yet to write."""
        wish = self._by_hand.get(release.repetition)
        if wish is False:
            return release.taken_back()
        if wish is True and release.why is None:
            return release.left_out(LeftOut.EXCLUDED, "excluded by hand")
        return release

    def finish(self) -> None:
        """No repetition will follow: fit once more, all of them."""

        def apply() -> None:
            self._ended = True

        self._queue.put(apply)

    def close(self) -> None:
        """End the collector."""
        self._queue.put(None)
        self._thread.join(timeout=5.0)

    # -- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        published = 0.0
        fresh = False
        while True:
            try:
                item = self._queue.get(timeout=_PUBLISH_SECONDS)
                if item is None:
                    return
                if callable(item):
                    item()
                else:
                    self._collect(item)
                fresh = True
            except queue.Empty:
                pass
            except Exception as error:  # the next repetition may be better; the run never waits
                known = isinstance(error, OptobindError)
                self._error = str(error) if known else f"internal error: {error!r}"
            now = time.monotonic()
            going = fresh or self._waits or self._future is not None
            if now - published > _PUBLISH_SECONDS and going:
                published, fresh = now, False
                self._publish(now)

    def _collect(self, item: _Released) -> None:
        number = item.release.repetition
        if item.plan is not self._plan or number == 0:
            self._begin(item.plan)
        self._releases[number] = item.release
        if item.release.why is not None or item.release.setting != item.plan.shown:
            return
        if self._accumulator is None:
            self._accumulator = self._first(item)
        columns = [d.channel for d in self._detectors]
        self._accumulator.add(item.volts[:, columns] * self._scale)
        self._numbers.append(number)

    def _book(self, release: Release) -> None:
        """Take a verdict over."""
        number = release.repetition
        self._releases[number] = release
        if self._accumulator is None or number not in self._numbers:
            return
        index = self._numbers.index(number)
        if release.why is None:
            self._accumulator.include(index)
        else:
            self._accumulator.exclude(index)

    def _begin(self, plan: ReheatingPlan) -> None:
        """Start new curves."""
        self._plan, self._numbers, self._releases, self._by_hand = plan, [], {}, {}
        self._accumulator = None
        self._result, self._error = None, ""
        self._ended, self._fitted, self._waits = False, None, False
        self._forget_fit()

    def _first(self, item: _Released) -> ReheatingAccumulator:
        """Make the accumulator; quanta are counted on the scale of the reference frequency."""
        self._scale = metres_per_volt(self._detectors)
        columns = [d.channel for d in self._detectors]
        unit = "m"
        trial = ReheatingAccumulator(item.sample_rate, unit="m")
        trial.add(item.volts[:, columns] * self._scale)
        assert trial.layout is not None
        omega = trial.layout.omega_ref
        if self._masses is not None:
            self._scale = self._scale * np.sqrt(np.array(self._masses) * omega / HBAR)
            unit = "quanta"
        return ReheatingAccumulator(item.sample_rate, omega_ref=omega, unit=unit)

    def _publish(self, now: float) -> None:
        accumulator, plan = self._accumulator, self._plan
        if plan is None:
            return
        self._collect_fit()
        estimate = None
        if accumulator is not None and accumulator.included >= 2:
            estimate = accumulator.estimate()
            self._submit_fit(estimate, now)
        self._sequence += 1
        self.snapshot.put(
            ReheatingSnapshot(
                sequence=self._sequence,
                estimate=estimate,
                repetitions_done=len(self._releases),
                repetitions_planned=plan.repetitions,
                single=np.zeros((0, 2, 0))
                if accumulator is None
                else accumulator.latest_energies(_SINGLES),
                single_numbers=tuple(n + 1 for n in self._numbers[-_SINGLES:]),
                excluded=tuple(n + 1 for n, r in sorted(self._releases.items()) if r.why),
                by_hand=tuple(
                    n + 1 for n, r in sorted(self._releases.items()) if r.why is LeftOut.EXCLUDED
                ),
                result=self._result,
                error=self._error,
                releases=count_releases(self._releases.values(), plan.repetitions),
            )
        )

    def _submit_fit(self, estimate: ReheatingEstimate, now: float) -> None:
        """Fit now and then while the run goes on, and once all that it brought."""
        if self._fits is None or self._future is not None:
            return
        if estimate.repetitions < MIN_REPETITIONS:
            return
        content = (estimate.repetitions, estimate.excluded)
        # Its turn comes also where nothing else does, as in a pause.
        self._waits = content != self._fitted and now < self._next_fit and not self._ended
        if content == self._fitted or self._waits:
            return
        self._fitted = content
        self._next_fit = now + _FIT_SECONDS * (1.0 + math.log10(estimate.repetitions))
        self._future = self._fits.reheating(estimate)

    def _forget_fit(self) -> None:
        """Drop a fit under way: it is of the curves before."""
        if self._future is not None:
            self._future.cancel()
            self._future = None

    def _collect_fit(self) -> None:
        if self._future is None or not self._future.done():
            return
        future, self._future = self._future, None
        error = future.exception()
        if error is not None:
            self._error, self._fitted = f"the live fit failed: {error}", None
        else:
            self._result, self._error = future.result()


def _ranges(numbers: tuple[int, ...]) -> str:
    """First and last number as on screen."""
    return f"{numbers[0] + 1} to {numbers[-1] + 1}"
