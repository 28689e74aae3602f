"""What the runner does for each kind of plan, one function a plan.

A procedure sees the experiment through :class:`Procedure`: it acquires samples, switches the gate
and writes events. Stopping and aborting reach it only through these calls, so that ``finalise``
(feedback on, file closed) always runs after it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..models.errors import DeviceError, InputError
from .csd import estimate_csd
from .events import EventKind
from .plans import MonitorPlan, Plan, ReheatingPlan, steps_of

__all__ = ["Aborted", "Procedure", "run_plan"]

# The expected spectral peak over the median of a few averages of pure noise stays well below this.
_LINE_OVER_MEDIAN = 4.0
_PRESENCE_SEGMENT = 256


class Aborted(Exception):
    """Raised inside a procedure when the run is to end now."""


class Procedure(Protocol):
    """What a procedure may do."""

    @property
    def sample_rate(self) -> float:
        """Hz."""
        ...

    @property
    def position(self) -> int:
        """Samples acquired since the run began."""
        ...

    @property
    def signal_columns(self) -> tuple[int, ...]:
        """Columns of the out-of-loop detectors, one a particle."""
        ...

    def acquire(self, samples: int, *, keep: bool = False) -> NDArray[np.float64] | None:
        """Acquire so many samples; return them in volts when asked. Raises Aborted."""
        ...

    def acquire_while(self, go_on: Callable[[], bool]) -> None:
        """Acquire blocks while ``go_on()``. Raises Aborted."""
        ...

    def feedback(self, closed: bool, *, longest: float = math.inf) -> int:
        """Switch the feedback gate, with an event; return the sample from which it acts.

        ``longest`` (s) is how long feedback is to be off at most.
        """
        ...

    @property
    def settled(self) -> int:
        """Sample from which feedback acts for certain, since it was switched on last."""
        ...

    def event(self, kind: EventKind, /, *, at: int | None = None, **payload: Any) -> None:
        """Write an event at the next sample to be read, or at another one."""
        ...

    def progress(self, fraction: float | None, message: str) -> None:
        """Say how far the step is."""
        ...

    def repetition(
        self, volts: NDArray[np.float64], begin: int, plan: ReheatingPlan, number: int
    ) -> None:
        """Judge a release and hand it to the live display; ``volts`` begin at sample ``begin``."""
        ...

    def lost_repetitions(self) -> tuple[int, ...]:
        """Return the repetitions of this step that lost samples and were not made up for.

        Waits for the recorder, feedback on and recording: only then it is known what it lost.
        Raises Aborted.
        """
        ...

    def wait_while_paused(self) -> None:
        """Go on recording, feedback on, while the run is paused."""
        ...

    @property
    def paused_samples(self) -> int:
        """Samples recorded while the run was paused; they count for no plan."""
        ...

    @property
    def stopping(self) -> bool:
        """Whether the run is to end after this repetition."""
        ...

    @property
    def particle_lost(self) -> bool:
        """Whether the newest samples are marked with a lost particle."""
        ...

    @property
    def record_ended(self) -> bool:
        """Whether the source (a replayed file) holds no further sample."""
        ...


def run_plan(procedure: Procedure, plan: Plan) -> bool:
    """Carry out a plan, step by step; return whether it came to its end.

    It does not if it is stopped, or if a replayed record ends before it.
    """
    steps = steps_of(plan)
    for index, step in enumerate(steps):
        whole = True
        procedure.event(EventKind.STEP_START, index=index, kind=step.kind)
        extra: dict[str, Any] = {}
        if isinstance(step, MonitorPlan):
            whole = _monitor(procedure, step)
        else:
            reheating = _Reheating(procedure, step)
            whole = reheating.run() == step.repetitions
            extra = {"repetitions": reheating.made}
        procedure.event(EventKind.STEP_END, index=index, kind=step.kind, **extra)
        last = index == len(steps) - 1
        if procedure.stopping or procedure.record_ended:
            return whole and last
    return True


def _monitor(procedure: Procedure, plan: MonitorPlan) -> bool:
    """Return whether the whole duration was acquired."""
    if plan.duration is None:
        procedure.progress(None, "monitoring until stopped")
        procedure.acquire_while(lambda: not procedure.stopping)
        return True
    total = max(1, round(plan.duration * procedure.sample_rate))
    procedure.progress(0.0, f"monitoring for {plan.duration:g} s")
    start = procedure.position - procedure.paused_samples
    procedure.acquire(total)
    return procedure.position - procedure.paused_samples - start >= total


@dataclass
class _Reheating:
    """The reheating protocol: cool, check, release, record, feedback on again."""

    procedure: Procedure
    plan: ReheatingPlan
    reference: NDArray[np.float64] | None = None
    made: int = 0

    def run(self) -> int:
        """Return the number of planned repetitions done; repeats of lost ones follow them."""
        do, plan = self.procedure, self.plan
        do.feedback(True)
        try:
            for number in range(plan.repetitions):
                do.wait_while_paused()
                if self.ended:  # no further release
                    return self.made
                do.progress(
                    number / plan.repetitions, f"repetition {number + 1} of {plan.repetitions}"
                )
                self.release(number)
                if self.ended:
                    return self.made
            self.repeat_lost()
        finally:
            do.feedback(True)
        return plan.repetitions

    @property
    def ended(self) -> bool:
        """Whether no further release is to be made."""
        return self.procedure.stopping or self.procedure.record_ended

    def repeat_lost(self) -> None:
        """Make lost repetitions once more, under numbers of their own, as often as allowed."""
        do, left = self.procedure, self.plan.extra
        while left > 0 and not self.ended:
            lost = do.lost_repetitions()[:left]
            if not lost:
                return
            for done, number in enumerate(lost, start=1):
                do.wait_while_paused()
                if self.ended:
                    return
                do.progress(1.0, f"repeat {done} of {len(lost)}, of lost repetition {number + 1}")
                self.release(self.made, repeats=number)
            left -= len(lost)

    def release(self, number: int, **payload: int) -> None:
        """Cool, check, release, record, feedback on again."""
        do, plan = self.procedure, self.plan
        cool = max(16, round(plan.cool_time * do.sample_rate))
        free = max(16, round(plan.release_time * do.sample_rate))
        # A card is ahead: samples from before the gate closed are yet to be read.
        warm = max(0, do.settled - do.position)
        cooled = do.acquire(warm + cool, keep=True)
        if do.stopping and cooled is not None and len(cooled) < warm + cool:
            return  # no samples come: nothing could be released
        self.check(None if cooled is None else cooled[warm:], number)
        start = do.feedback(False, longest=plan.release_time)
        do.event(EventKind.RELEASE, at=start, repetition=number, samples=free, **payload)
        # The release lies where the card is.
        begin = do.position
        released = do.acquire(max(0, start - begin) + free, keep=True)
        end = do.feedback(True)
        do.event(EventKind.RECAPTURE, at=end, repetition=number)
        self.made += 1
        if released is not None:
            do.repetition(released, begin, plan, number)

    def check(self, volts: NDArray[np.float64] | None, number: int) -> None:
        """See that each particle is there before it is released."""
        do = self.procedure
        if do.particle_lost:
            raise DeviceError(
                f"a particle was lost before repetition {number + 1}: "
                "reload it, then start the plan again; what was recorded is kept"
            )
        if volts is None or not do.signal_columns:
            return
        # The first half of the cooling still shows the previous release.
        spread = volts[len(volts) // 2 :, do.signal_columns].std(axis=0)
        if self.reference is None:
            self._see_lines(volts[:, do.signal_columns])
            self.reference = spread
        # The reference follows slow drifts but not a jump.
        ratio = spread / self.reference
        for particle, r in enumerate(ratio):
            if not 1.0 / self.plan.presence_factor < r < self.plan.presence_factor:
                raise DeviceError(
                    f"the signal of particle {particle} changed {r:.3g}-fold before repetition "
                    f"{number + 1} (allowed: {self.plan.presence_factor:g}): is it still trapped?"
                )
        self.reference = 0.9 * self.reference + 0.1 * spread

    def _see_lines(self, volts: NDArray[np.float64]) -> None:
        """Refuse to start on a detector that shows no line at all."""
        segment = min(_PRESENCE_SEGMENT, len(volts))
        if segment < _PRESENCE_SEGMENT:
            return
        matrix = estimate_csd(volts, self.procedure.sample_rate, segment, unit="V").matrix[2:]
        power = np.einsum("fjj->fj", matrix).real
        contrast = power.max(axis=0) / np.median(power, axis=0)
        for particle, value in enumerate(contrast):
            if value < _LINE_OVER_MEDIAN:
                raise InputError(
                    f"the detector of particle {particle} shows no line (peak {value:.2g} times "
                    f"the median, needed {_LINE_OVER_MEDIAN:g}): is the particle there?"
                )
