"""One run: a plan carried out and recorded, and always finalised.

States: preparing → running (⇄ paused) → stopping → idle, or failed. Finalise switches feedback on,
closes the file and stops the digitizer, each tried independently; trap light is never touched.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..instruments.protocols import AppliedLight, GaugeReading
from ..instruments.rig import Rig
from ..models.blocks import BlockStatus
from ..models.errors import InputError, OptobindError, UnstableModelError
from ..models.light import TweezerState
from .conditions import recorder_gap_text
from .events import Event, EventKind
from .feedback import FeedbackGate
from .outcome import Outcome, RunOutcome, attempt, in_words
from .plans import Plan, ReheatingPlan, SequencePlan, plan_to_dict
from .prediction import NOTICEABLE_GROWTH, open_loop_growth
from .procedures import Aborted, run_plan
from .release_watch import ReleaseWatch, switched
from .slots import LogBook
from .snapshots import RunState
from .stream import Stream

if TYPE_CHECKING:  # HDF5 is loaded when a run begins
    from .recording import Recording

__all__ = ["Run", "RunHost", "RunOutcome"]

_NOT_ON = "feedback could not be switched on again"


class RunHost(Protocol):
    """What a run needs of the runner that carries it out."""

    rig: Rig
    log: LogBook
    on_event: Callable[[Event], None]
    on_repetition: Callable[[NDArray[np.float64], ReheatingPlan, int], None]
    applied: AppliedLight | None
    feedback_gate: FeedbackGate

    def begin_stream(self) -> Stream:
        """Start the digitizer."""
        ...

    def end_stream(self) -> None:
        """Stop the digitizer."""
        ...

    def serve(self) -> None:
        """Carry out the commands that wait."""
        ...

    def growth_at_start(self) -> float | None:
        """Growth rate with which a run would begin, 1/s; None when unknown."""
        ...

    def poll_gauge(self) -> None:
        """Read the pressure when it is time to."""
        ...


class Run:
    """A plan under way; what a :class:`~.procedures.Procedure` may do."""

    def __init__(self, runner: RunHost, plan: Plan, path: Path, number: int = 1) -> None:
        self._runner = runner
        self._rig = runner.rig
        self._plan = plan
        self._path = path
        self._stop = threading.Event()
        self._abort = threading.Event()
        self._pause = threading.Event()
        self._stream: Stream | None = None
        self._recording: Recording | None = None
        self._gate_closed: bool | None = None
        self._releases = ReleaseWatch(self.event)
        self._step = 0
        self._released: tuple[ReheatingPlan, int] | None = None
        self._missed = 0
        self._exclusions = threading.Lock()
        self._excluded: list[dict[str, Any]] = []
        self._ending = False
        self.name = f"run {number}"
        self.state: RunState = "preparing"
        self.fraction: float | None = None
        self.message = ""

    # -- called from any thread ---------------------------------------------------------------

    def request_stop(self) -> None:
        """End after this repetition (a monitor: after this block)."""
        self._stop.set()

    def request_abort(self) -> None:
        """End after this block; finalise still runs."""
        self._abort.set()

    def request_pause(self, paused: bool) -> None:
        """Hold a reheating run between repetitions, feedback on, or go on."""
        (self._pause.set if paused else self._pause.clear)()

    def exclude(self, plan: ReheatingPlan, number: int, reason: str) -> bool:
        """Have it written that a repetition (from 0) is to be left out.

        Returns
        -------
        bool
            False if the repetition is none of this run, or its file is being closed.
        """
        with self._exclusions:
            if self._released is None or self._released[0] is not plan or self._ending:
                return False
            payload = {"step": self._released[1], "repetition": number, "reason": reason}
            self._excluded.append(payload)
            return True

    @property
    def unwanted(self) -> bool:
        """Whether it has been asked to end."""
        return self._stop.is_set() or self._abort.is_set()

    @property
    def path(self) -> Path:
        """The run file."""
        return self._path

    @property
    def recorded(self) -> int:
        """Samples in the run file, acknowledged."""
        return 0 if self._recording is None else self._recording.samples

    @property
    def gaps(self) -> int:
        """Samples lost."""
        return 0 if self._recording is None else self._recording.gaps

    # -- from beginning to end ------------------------------------------------------------------

    def carry_out(self) -> RunOutcome:
        """Refuse, or record from beginning to end.

        Raises
        ------
        InputError, DeviceError, FileError
            If the run cannot begin.
        """
        from .recording import Recording

        self._refuse_impossible()
        self._stream = self._runner.begin_stream()
        try:
            self._recording = Recording(self._path, self._rig, self._plan, self._stream)
        except BaseException:
            self._runner.end_stream()
            raise
        outcome: Outcome = "complete"
        reason, code = "", 0
        bug: Exception | None = None
        try:
            self._begin()
            whole = run_plan(self, self._plan)
            if self._stop.is_set():
                outcome, reason = "stopped", "stopped on request"
            elif not whole:
                outcome, reason = "stopped", "the record that is played ended before the plan"
        except Aborted:
            outcome, reason = "aborted", "aborted on request"
        except Exception as error:  # a bug of ours: finalise first, then let it out
            outcome, (reason, code) = "failed", in_words(error)
            bug = None if isinstance(error, OptobindError) else error
        result, late_bug = self._finalise(outcome, reason, code)
        bug = bug or late_bug
        if bug is not None:
            raise bug
        return result

    def _refuse_impossible(self) -> None:
        plan = self._plan
        steps = plan.steps if isinstance(plan, SequencePlan) else (plan,)
        if any(isinstance(s, ReheatingPlan) for s in steps) and self._rig.gate is None:
            raise InputError(
                f"a reheating plan needs a feedback gate; rig {self._rig.name} "
                f"({self._rig.mode}) has none"
            )
        growth = self._runner.growth_at_start()
        if growth is not None and growth > 0.0 and not all(s.allow_unstable for s in steps):
            raise UnstableModelError(
                growth, "change the light or the feedback, or set plan.allow_unstable=true"
            )

    def _warn_of_growth(self, light: TweezerState) -> None:
        """Say what hardware has to expect: its feedback is not modelled, so nothing is refused."""
        if self._rig.world is not None or self._rig.trap is None:
            return
        growth = open_loop_growth(self._rig.trap, light)
        if growth is None:
            text = "the rig's model finds no particles held by this light"
        elif growth > NOTICEABLE_GROWTH:
            text = f"by the rig's model amplitudes grow at {growth:.3g} 1/s where feedback is off"
        else:
            return
        self._runner.log.add("warning", text)
        self.event(EventKind.NOTE, text=text)

    def _begin(self) -> None:
        self.event(EventKind.RUN_START, rig=self._rig.name, plan=plan_to_dict(self._plan))
        if self._rig.light is not None:
            applied = self._runner.applied = self._rig.light.read()
            sites = [asdict(site) for site in applied.state.sites]
            self.event(EventKind.LIGHT, sites=sites, phase_error=applied.phase_error)
            self._warn_of_growth(applied.state)
        self.feedback(True)
        self._runner.poll_gauge()
        self.state = "running"

    def _finalise(
        self, outcome: Outcome, reason: str, code: int
    ) -> tuple[RunOutcome, Exception | None]:
        """Feedback on, file closed, digitizer stopped: each is tried independently.

        Returns
        -------
        RunOutcome
        Exception or None
            The first error that is none of ours: a bug, of a driver perhaps.
        """
        self.state = "stopping"
        recording = self._recording
        assert recording is not None

        def note_end() -> None:
            self._write_exclusions(last=True)
            self.event(EventKind.RUN_END, outcome=outcome, reason=reason)

        def close() -> None:
            recording.close(outcome, reason)

        steps: tuple[Callable[[], object], ...] = (
            lambda: self.feedback(True),
            recording.drain,
            note_end,
            close,
            self._runner.end_stream,
        )
        bug: Exception | None = None
        for step in steps:
            error = attempt(step)
            if error is None:
                if step is steps[0] and _NOT_ON in reason:
                    reason = f"{reason}; it is on again now"
                continue
            text, step_code = in_words(error)
            if not isinstance(error, OptobindError):
                bug = bug or error
            if step is steps[0] and _NOT_ON not in text:
                text = f"{_NOT_ON}: {text}"
            self._runner.log.add("error", text)
            if outcome != "failed":
                outcome, code = "failed", step_code
            if text not in reason and not (step is steps[0] and _NOT_ON in reason):
                reason = f"{reason}; {text}" if reason else text
        level: Literal["info", "error"] = "error" if outcome == "failed" else "info"
        text = f"{self.name}: {outcome}, {recording.samples} samples in {self._path}"
        self._runner.log.add(level, f"{text}; {reason}" if reason else text)
        samples, gaps = recording.samples, recording.gaps
        return RunOutcome(self._path, outcome, reason, samples, gaps, code), bug

    # -- what a procedure may do ----------------------------------------------------------------

    @property
    def sample_rate(self) -> float:
        """Hz."""
        return self._rig.digitizer.info.sample_rate

    @property
    def signal_columns(self) -> tuple[int, ...]:
        """Columns of the out-of-loop detectors, one a particle."""
        return tuple(d.channel for d in self._rig.channels("out_of_loop"))

    def acquire(self, samples: int, *, keep: bool = False) -> NDArray[np.float64] | None:
        """Acquire so many samples; return them in volts when asked (then never cut by a stop)."""
        stream = self._open_stream()
        kept = None
        if keep:
            kept = np.empty((samples, len(stream.info.channels)), dtype=stream.info.dtype)
        done = 0
        while done < samples and not stream.finished:
            if self._interrupted() and not keep:
                break
            rows = min(stream.block_rows, samples - done)
            done += self._read(rows, None if kept is None else kept[done : done + rows])
            if not keep:
                self.fraction = done / samples
        return None if kept is None else kept[:done] * np.asarray(stream.info.scale)

    def acquire_while(self, go_on: Callable[[], bool]) -> None:
        """Acquire blocks while ``go_on()``."""
        stream = self._open_stream()
        while go_on() and not self._interrupted() and not stream.finished:
            self._read(stream.block_rows, None)

    def _open_stream(self) -> Stream:
        assert self._stream is not None
        return self._stream

    def _interrupted(self) -> bool:
        """Serve commands; raise on abort; say whether a stop was asked for."""
        self._runner.serve()
        if self._abort.is_set():
            raise Aborted
        return self._stop.is_set()

    def _read(self, rows: int, keep: NDArray[Any] | None) -> int:
        stream, recording = self._open_stream(), self._recording
        assert recording is not None
        recording.raise_error()
        if self._gate_closed is False:
            self._runner.feedback_gate.require_guardian()
        result = stream.read(rows, self._abort.is_set, keep)
        for kind in recording.new_conditions(result.status):
            self.event(kind, at=result.first_sample, samples=result.samples)
        if recording.missed > self._missed:
            lost, self._missed = recording.missed - self._missed, recording.missed
            self._runner.log.add("error", recorder_gap_text(lost, result.first_sample))
        self._write_exclusions()
        self._runner.poll_gauge()
        return result.samples

    def _write_exclusions(self, *, last: bool = False) -> None:
        """Write what was asked for since; after the ``last`` time nothing is taken any more."""
        with self._exclusions:
            waiting, self._excluded = self._excluded, []
            self._ending = last
        for payload in waiting:
            self.event(EventKind.EXCLUDED, **payload)

    def feedback(self, closed: bool) -> int:
        """Switch the feedback gate, with an event when that changes it; return where it acted.

        Of the samples taken before and after the call the later one counts for opening, the
        earlier one for closing: what lies between is free for certain.
        """
        if self._rig.gate is None:
            return self.position
        before = self._present()
        done, incident = switched(self._runner.feedback_gate, closed)
        after = self._present()
        at = before if closed else after
        if done and self._stream is not None:
            self._stream.mark = BlockStatus.OK if closed else BlockStatus.FEEDBACK_OFF
        if done and closed is not self._gate_closed:
            self._gate_closed = closed
            self.event(EventKind.GATE, at=at, closed=closed, spread=after - before)
        if incident:
            self._releases.incident(incident, at, spoils=closed or not done)
            self._runner.log.add("warning", incident)
        if closed:
            going_on = self.state == "running"
            self._releases.ends(self._step, self._runner.feedback_gate, judge=going_on)
        return at

    def _present(self) -> int:
        """Sample that is being taken now; the position where the digitizer cannot say."""
        with contextlib.suppress(OptobindError):  # a dead card must not keep the gate from closing
            return 0 if self._stream is None else self._stream.present()
        return self.position

    def event(self, kind: EventKind, /, *, at: int | None = None, **payload: Any) -> None:
        """Write an event at the next sample to be read, or at another one."""
        if kind is EventKind.STEP_START:
            self._step = int(payload["index"])
        elif kind is EventKind.RELEASE:
            self._releases.begins(int(payload["repetition"]))
        event = Event(self.position if at is None else at, kind, payload, time.time())
        if self._recording is not None:
            self._recording.event(event)
        self._runner.on_event(event)

    def note_pressure(self, reading: GaugeReading) -> None:
        """Record a pressure."""
        if self._recording is not None and reading.pressure is not None:
            self._recording.slow(self.position, "pressure", reading.pressure, "Pa", reading.status)

    def progress(self, fraction: float | None, message: str) -> None:
        """Say how far the step is."""
        self.fraction, self.message = fraction, message

    def repetition(self, volts: NDArray[np.float64], plan: ReheatingPlan, number: int) -> None:
        """Hand a released stretch to the live display."""
        self._released = (plan, self._step)
        if self._releases.left_out(number):
            return
        self._runner.on_repetition(volts, plan, number)

    def wait_while_paused(self) -> None:
        """Go on recording, feedback on, while the run is paused."""
        if not self._pause.is_set():
            return
        self.state = "paused"
        self.event(EventKind.NOTE, text="paused")
        self.acquire_while(self._pause.is_set)
        self.event(EventKind.NOTE, text="resumed")
        self.state = "running"

    @property
    def stopping(self) -> bool:
        """Whether the run is to end after this repetition."""
        return self._stop.is_set()

    @property
    def particle_lost(self) -> bool:
        """Whether the newest samples are marked with a lost particle."""
        return self._stream is not None and bool(self._stream.status & BlockStatus.PARTICLE_LOST)

    @property
    def position(self) -> int:
        """Samples read since the run began."""
        return 0 if self._stream is None else self._stream.position

    @property
    def record_ended(self) -> bool:
        """Whether the source holds no further sample."""
        return self._stream is not None and self._stream.finished
