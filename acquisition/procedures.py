"""What the runner does for each kind of plan, one function a plan.

A procedure sees the experiment through :class:`Procedure`: it acquires samples, switches the gate
and writes events. Stopping and aborting reach it only through these calls, so that ``finalise``
(feedback on, file closed) always runs after it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..instruments.patterns import Pattern
from .events import EventKind
from .plans import MonitorPlan, Plan, ReheatingPlan, steps_of
from .reheating_run import reheating_run

__all__ = ["Aborted", "Procedure", "run_plan"]


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

    def acquire_to(self, sample: int) -> NDArray[np.float64]:
        """Acquire up to a sample of the record; return in volts what came. Raises Aborted.

        Fewer come where samples were lost, and where a stop was asked for and none come.
        """
        ...

    def acquire_while(self, go_on: Callable[[], bool]) -> None:
        """Acquire blocks while ``go_on()``. Raises Aborted."""
        ...

    def feedback(self, closed: bool, *, longest: float = math.inf) -> int:
        """Switch the feedback gate, with an event; return the sample from which it acts.

        ``longest`` (s) is how long feedback is to be off at most.
        """
        ...

    def by_card(self, plan: ReheatingPlan) -> bool:
        """Whether a card switches the gate in the releases of a plan, on the sample clock.

        Raises InputError if the plan cannot be carried out so.
        """
        ...

    def turn_phase(self, turn: float, settling: float) -> None:
        """Set φ to that of the run's beginning plus ``turn`` (rad), feedback on.

        Waits until the light rests, and ``settling`` (s) longer, if that changes it.
        """
        ...

    def play(self, pattern: Pattern) -> int:
        """Have the card play a pattern from now on; feedback is on and has settled.

        Returns the sample of the record at which its sample 0 acts. ``feedback(True)`` ends it.
        """
        ...

    def edge(self, closed: bool, at: int) -> None:
        """Write that what is played switches feedback at a sample, which is about to be read."""
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
    def paused(self) -> bool:
        """Whether a pause is asked for."""
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
            reheating = reheating_run(procedure, step)
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
