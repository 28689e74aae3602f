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

from ..instruments.protocols import AppliedLight
from ..instruments.rig import Rig
from ..models.blocks import BlockStatus
from ..models.errors import InputError, OptobindError, UnstableModelError
from ..models.light import TweezerState
from .conditions import recorder_gap_text
from .events import Event, EventKind
from .feedback import FeedbackGate
from .outcome import Outcome, RunOutcome, attempt, in_words, verdict
from .plans import Plan, ReheatingPlan, plan_to_dict, steps_of
from .prediction import NOTICEABLE_GROWTH, open_loop_growth
from .procedures import Aborted, run_plan
from .release_watch import ReleaseWatch, switched
from .releases import ReleaseCount
from .run_releases import ReleaseHost, RunReleases
from .slots import LogBook
from .slow_channels import SlowChannels
from .slow_sensor import SlowIncident, SlowReading, sample_at
from .snapshots import RunState
from .stream import Stream
from .worth import RunWorth

if TYPE_CHECKING:  # HDF5 is loaded when a run begins
    from .recording import Recording

__all__ = ["Run", "RunHost", "RunOutcome"]

_LONGEST_READ = 0.25  # s of samples in one read: a stop and an abort are heard between two
_NOT_ON = "feedback could not be switched on again"


class RunHost(ReleaseHost, Protocol):
    """What a run needs of the runner that carries it out."""

    rig: Rig
    log: LogBook
    on_event: Callable[[Event], None]
    applied: AppliedLight | None
    feedback_gate: FeedbackGate
    slow: SlowChannels

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
        """Have noted what slow devices have said since; does not wait."""
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
        self._ledger = RunReleases(runner, plan, path)
        self._watch = ReleaseWatch(self.event)
        self._missed = 0
        self.paused_samples = 0
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
        """Hold the run, feedback on, or go on; a reheating run between two repetitions."""
        (self._pause.set if paused else self._pause.clear)()

    def exclude(self, plan: ReheatingPlan, number: int, reason: str) -> bool:
        """Have it written that a repetition (from 0) is to be left out.

        Returns
        -------
        bool
            False if the repetition is none of this run, or its file is being closed.
        """
        return self._ledger.exclude(plan, number, reason)

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
        """Number of gaps in the run file so far."""
        return 0 if self._recording is None else self._recording.gaps

    @property
    def lost_samples(self) -> int:
        """Samples lost in these gaps."""
        return 0 if self._recording is None else self._recording.lost_samples

    @property
    def releases(self) -> ReleaseCount | None:
        """Releases so far; None for a run that is to make none."""
        return self._ledger.count

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
        bug: BaseException | None = None
        try:
            self._begin()
            whole = run_plan(self, self._plan)
            if self._stop.is_set():
                outcome, reason = "stopped", "stopped on request"
            elif not whole:
                outcome, reason = "stopped", "the record that is played ended before the plan"
        except Aborted:
            outcome, reason = "aborted", "aborted on request"
        except BaseException as error:  # a bug, of a driver perhaps: finalise, then let it out
            outcome, (reason, code) = "failed", in_words(error)
            bug = None if isinstance(error, OptobindError) else error
        result, late_bug = self._finalise(outcome, reason, code)
        bug = bug or late_bug
        if bug is not None:
            raise bug
        return result

    def _refuse_impossible(self) -> None:
        plan = self._plan
        steps = steps_of(plan)
        if any(isinstance(s, ReheatingPlan) for s in steps) and self._rig.gate is None:
            raise InputError(
                f"a reheating plan needs a feedback gate; rig {self._rig.name} "
                f"({self._rig.mode}) has none"
            )
        if any(s.require_gauge for s in steps):
            self._runner.slow.require("gauge", self._ending_asked)
        growth = self._runner.growth_at_start()
        if growth is not None and growth > 0.0 and not all(s.allow_unstable for s in steps):
            raise UnstableModelError(
                growth, "change the light or the feedback, or set plan.allow_unstable=true"
            )

    def _ending_asked(self) -> bool:
        return self._stop.is_set() or self._abort.is_set()

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
    ) -> tuple[RunOutcome, BaseException | None]:
        """Feedback on, file closed, digitizer stopped: each is tried independently.

        Returns
        -------
        RunOutcome
        BaseException or None
            The first error that is none of ours: a bug, of a driver perhaps.
        """
        self.state = "stopping"
        recording = self._recording
        assert recording is not None

        worth = RunWorth(recording.samples, recording.gaps, recording.lost_samples)

        def judge() -> None:
            nonlocal worth, outcome, reason, code
            self._write_exclusions(last=True)
            worth = self._ledger.worth(self.position)
            if outcome == "complete":
                outcome, reason, code = verdict(worth, self._rig.mode)

        def note_end() -> None:
            self.event(EventKind.RUN_END, outcome=outcome, reason=reason)

        def close() -> None:
            recording.close(outcome, reason)

        steps: tuple[Callable[[], object], ...] = (
            lambda: self.feedback(True),
            recording.drain,
            judge,
            note_end,
            close,
            self._runner.end_stream,
        )
        bug: BaseException | None = None
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
        level: Literal["info", "error"] = "error" if outcome in ("failed", "incomplete") else "info"
        result = RunOutcome(self._path, outcome, reason, worth, code)
        self._runner.log.add(level, f"{self.name}: {result.words()}")
        return result, bug

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
        """Acquire so many samples; return them in volts when asked.

        Then a stop cuts them short only where none come. Without, a pause does not count.
        """
        stream = self._open_stream()
        kept = None
        if keep:
            kept = np.empty((samples, len(stream.info.channels)), dtype=stream.info.dtype)
        done, silent = 0, False
        while done < samples and not stream.finished:
            if self._interrupted() and (silent or not keep):
                break
            if not keep and self._pause.is_set():
                self.wait_while_paused()
                continue
            rows = min(self._rows_of_a_read(), samples - done)
            came = self._read(rows, None if kept is None else kept[done : done + rows])
            done, silent = done + came, came == 0
            if not keep:
                self.fraction = done / samples
        return None if kept is None else kept[:done] * np.asarray(stream.info.scale)

    def acquire_while(self, go_on: Callable[[], bool]) -> None:
        """Acquire blocks while ``go_on()``; a pause is marked in the record."""
        stream = self._open_stream()
        while go_on() and not self._interrupted() and not stream.finished:
            self.wait_while_paused()
            self._read(self._rows_of_a_read(), None)

    def _rows_of_a_read(self) -> int:
        """Rows that last no longer than a stop may wait, also at a low rate."""
        stream = self._open_stream()
        return min(stream.block_rows, max(1, round(_LONGEST_READ * stream.info.sample_rate)))

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
        before = stream.position
        result = stream.read(rows, lambda: self._abort.is_set() or recording.stuck(), keep)
        self._ledger.read(before, result, keep)
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
        for payload in self._ledger.take_exclusions(last=last):
            self.event(EventKind.EXCLUDED, **payload)

    def feedback(self, closed: bool) -> int:
        """Switch the feedback gate, with an event when that changes it; return where it acted.

        Of the samples taken before and after the call the later one counts for opening, the
        earlier one for closing: what lies between is free for certain.
        """
        if self._rig.gate is None:
            return self.position
        before = self._present()
        try:
            done, incident = self._switch(closed)
        except OptobindError as error:
            self._watch.failed(str(error), before, self._ledger.step)
            raise
        after = self._present()
        at = before if closed else after
        if done and self._stream is not None:
            self._stream.mark = BlockStatus.OK if closed else BlockStatus.FEEDBACK_OFF
        if done and closed is not self._gate_closed:
            self._gate_closed = closed
            self.event(EventKind.GATE, at=at, closed=closed, spread=after - before)
        if incident:
            self._watch.incident(incident, at, spoils=closed or not done)
            self._runner.log.add("warning", incident)
        if closed:
            going_on = self.state == "running"
            self._watch.ends(self._ledger.step, self._runner.feedback_gate, judge=going_on)
        return at

    def _switch(self, closed: bool) -> tuple[bool, str]:
        """Switch the gate; no slow device is asked from before it opens until after it closes."""
        calm, done = self._runner.slow.calm, False
        if not closed:
            calm.hold()
        try:
            step = steps_of(self._plan)[self._ledger.step]
            done, incident = switched(self._runner.feedback_gate, closed, step)
            return done, incident
        finally:
            if closed or not done:
                calm.let_go()

    def _present(self) -> int:
        """Sample that is being taken now; the position where the digitizer cannot say."""
        with contextlib.suppress(OptobindError):  # a dead card must not keep the gate from closing
            return 0 if self._stream is None else self._stream.present()
        return self.position

    def event(self, kind: EventKind, /, *, at: int | None = None, **payload: Any) -> None:
        """Write an event at the next sample to be read, or at another one."""
        if kind is EventKind.RELEASE:
            self._watch.begins(int(payload["repetition"]))
        event = Event(self.position if at is None else at, kind, payload, time.time())
        self._ledger.take(event)
        if self._recording is not None:
            self._recording.event(event)
        self._runner.on_event(event)

    def note_slow(self, item: SlowReading | SlowIncident) -> None:
        """Record what a slow device said, at the sample that was taken then."""
        if self._recording is None or self._stream is None:
            return
        sample = sample_at(self._stream, item.clock)
        if isinstance(item, SlowIncident):
            payload = {"device": item.device, "message": item.message, "returned": item.returned}
            self.event(EventKind.FAULT, at=sample, **payload)
        else:
            self._recording.slow(
                sample, item.name, item.value, item.unit, item.status, item.host_time
            )

    def progress(self, fraction: float | None, message: str) -> None:
        """Say how far the step is."""
        self.fraction, self.message = fraction, message

    def repetition(
        self, volts: NDArray[np.float64], begin: int, plan: ReheatingPlan, number: int
    ) -> None:
        """Judge a release and hand it to the live display; ``volts`` begin at sample ``begin``."""
        self._ledger.show(volts, begin, plan, number)

    def lost_repetitions(self) -> tuple[int, ...]:
        """Repetitions of this step that lost samples, once the recorder has caught up."""
        recording = self._recording
        assert recording is not None
        return self._ledger.lost_now(recording, self.position, self.acquire_while)

    def wait_while_paused(self) -> None:
        """Go on recording, feedback on, while the run is paused."""
        if not self._pause.is_set():
            return
        stream, began, message = self._open_stream(), self.position, self.message
        self.state, self.message = "paused", f"paused: {message}" if message else "paused"
        self.event(EventKind.NOTE, text="paused")
        self._runner.log.add("info", f"{self.name} is paused, feedback on: resume or stop it")
        try:
            while self._pause.is_set() and not self._interrupted() and not stream.finished:
                self._read(self._rows_of_a_read(), None)
        finally:
            self.event(EventKind.NOTE, text="resumed")
            self.paused_samples += self.position - began
            self.state, self.message = "running", message

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
