"""The runner: one thread that owns every device but the slow ones, see ``slow_channels.py``.

Commands are queued and answered through futures; between two blocks the runner carries them out, so
that a set-point has an exact place in the record. A plan is such a command, see ``run.py``. Changes
of the light are handed to a thread of their own, see ``light_mover.py``.
"""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..instruments.protocols import AppliedLight, DeviceReport, DeviceState
from ..instruments.rig import Rig
from ..instruments.supervisor import Supervisor
from ..models.blocks import BlockStatus
from ..models.errors import DeviceError, InputError, OptobindError
from ..models.light import TweezerState
from .conditions import ConditionWatch
from .events import Event, EventKind
from .feedback import CLOSING_SECONDS, FeedbackGate
from .light_mover import LightMover
from .plans import Plan, ReheatingPlan
from .releases import Release
from .reserved import when_free
from .run import Run, RunOutcome
from .slots import LogBook
from .slow_channels import SlowChannels
from .stream import Stream

__all__ = ["Runner"]

T = TypeVar("T")

# What connecting grants slow devices to answer before it goes on without them.
_SLOW_SECONDS = 1.0
_IDLE_SECONDS = 0.1


class Runner(threading.Thread):
    """Owns the devices of a rig.

    Parameters
    ----------
    rig : Rig
        The devices.
    log : LogBook
        Receives what happened, in words.
    on_stream : callable
        Called with a new Stream, and with None before a stream ends.
    on_event : callable
        Called with each Event of a run.
    on_repetition : callable
        Called with (volts, plan, release) for each released stretch, judged.
    on_releases : callable
        Called with (plan, releases) when verdicts have changed: all of the plan's step.
    block_seconds : float
        Longest block, s.
    """

    def __init__(
        self,
        rig: Rig,
        log: LogBook,
        *,
        on_stream: Callable[[Stream | None], None],
        on_event: Callable[[Event], None],
        on_repetition: Callable[[NDArray[np.float64], ReheatingPlan, Release], None],
        on_releases: Callable[[ReheatingPlan, Sequence[Release]], None],
        block_seconds: float = 0.02,
    ) -> None:
        super().__init__(name="runner", daemon=True)
        self.rig = rig
        self.log = log
        self.on_event = on_event
        self.on_repetition = on_repetition
        self.on_releases = on_releases
        self._on_stream = on_stream
        self._block_seconds = block_seconds
        self._commands: queue.Queue[tuple[Callable[[], Any], Future[Any]]] = queue.Queue()
        self._closing = threading.Event()
        self._over = threading.Event()
        self._runs: list[Run] = []
        self._numbers = itertools.count(1)
        self.feedback_gate = FeedbackGate(rig.gate, log)
        self.slow = SlowChannels(rig, log)
        self._supervisor = Supervisor(rig.driven())
        self._light = LightMover(self)
        self._identities: dict[str, str] = {}
        self.stream: Stream | None = None
        self.current_run: Run | None = None
        self.last_failed = False
        self.requested: TweezerState | None = None
        self.applied: AppliedLight | None = None
        self.growth_rate: float | None = None

    # -- called from any thread ---------------------------------------------------------------

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Queue a command; it is carried out between two blocks."""
        future: Future[T] = Future()
        if self._closing.is_set():
            future.set_exception(InputError("the session is closed"))
            return future
        self._commands.put((function, future))
        if self._over.is_set():
            self._refuse_queued()  # closed in between: nobody else would answer
        return future

    def submit_plan(self, plan: Plan, path: Path) -> Future[RunOutcome]:
        """Queue a run; a stop or an abort reaches it from now on, even before it begins."""
        run = Run(self, plan, path, next(self._numbers))
        self._runs.append(run)
        future = self.submit(lambda: self.run_plan(run))
        future.add_done_callback(lambda _: self._runs.remove(run))
        return future

    def runs(self) -> tuple[Run, ...]:
        """Runs that have not ended: the one under way and those that wait for their turn."""
        return tuple(self._runs)

    def request_close(self) -> None:
        """End the thread: a run is aborted and finalised, the digitizer stopped."""
        self._closing.set()
        self._light.interrupt("the session is closed")
        for run in self.runs():
            run.request_abort()

    @property
    def gate_closed(self) -> bool | None:
        """Whether feedback acts; None when that is not known."""
        return self.feedback_gate.closed

    @property
    def held_by(self) -> str | None:
        """Name of the run that owns the knobs."""
        run = self.current_run
        return None if run is None else run.name

    def reports(self) -> tuple[DeviceReport, ...]:
        """States of the devices."""
        return tuple(
            DeviceReport(
                family=family,
                name=device.name,
                driver=self.rig.drivers.get(family, ""),
                state=self.slow.state(family) or device.state,
                detail=self._detail(family),
            )
            for family, device in self.rig.devices()
        )

    def _detail(self, family: str) -> str:
        """Identity of a device, or its error."""
        slow = self.slow.state(family) is not None
        return self.slow.detail(family) if slow else self._identities.get(family, "")

    @property
    def pressure(self) -> float | None:
        """Present pressure, Pa."""
        return self.slow.pressure

    # -- the thread ---------------------------------------------------------------------------

    def run(self) -> None:
        """Serve commands and keep the stream flowing until closed."""
        try:
            while not self._closing.is_set():
                self.serve(wait=self.stream is None)
                if self.stream is not None:
                    self._read_idle()
                self._look_after()
        except BaseException as error:  # a bug between two runs: nobody would answer any more
            self.log.add("error", f"internal error: {error!r}; restart the program")
            raise
        finally:
            self._closing.set()
            self.end_stream()
            self.feedback_gate.restore(CLOSING_SECONDS)
            self._light.close()
            self.slow.close()
            self._over.set()  # what is queued from now on is refused by whoever queues it
            self._refuse_queued()

    def serve(self, *, wait: bool = False) -> None:
        """Carry out the commands that wait; with ``wait``, give the first one a moment to come."""
        while True:
            try:
                function, future = self._commands.get(block=wait, timeout=_IDLE_SECONDS)
            except queue.Empty:
                return
            wait = False
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except BaseException as error:  # handed to whoever asked
                future.set_exception(error)

    def _refuse_queued(self) -> None:
        while True:
            try:
                _, future = self._commands.get_nowait()
            except queue.Empty:
                return
            if future.set_running_or_notify_cancel():  # nobody waits for one that was cancelled
                future.set_exception(InputError("the session is closed"))

    def _read_idle(self) -> None:
        """Read one block for the live display."""
        assert self.stream is not None
        try:
            self.stream.read(self.stream.block_rows, self._closing.is_set)
        except Exception as error:  # a driver's bug must not end the thread that serves commands
            text = str(error) if isinstance(error, OptobindError) else f"internal error: {error!r}"
            self.log.add("error", f"streaming stopped: {text}")
            self.end_stream()
            return
        if self.stream.finished:
            self.log.add("info", "the record has been played to its end")
            self.end_stream()

    # -- devices ------------------------------------------------------------------------------

    def connect_all(self) -> None:
        """Connect every device and read its state; writes nothing.

        Slow devices are connected by their own threads: one that is missing is reported, and tried
        again for as long as the session lives.
        """
        self._light.require_still("connect")
        failures = []
        self.slow.open()
        for family, device in self.rig.driven():
            if device.state in (DeviceState.READY, DeviceState.RUNNING):
                continue
            try:
                self._identities[family] = device.connect()
            except DeviceError as error:
                self._identities[family] = str(error)
                failures.append(str(error))
        if failures:
            raise DeviceError("; ".join(failures))
        self._read_light()
        self.feedback_gate.connected(self._closing.is_set)
        self.update_growth()
        if self.stream is None:  # samples that flow are not kept waiting
            self.slow.settle(_SLOW_SECONDS)
        for text in self.rig.warnings:
            self.log.shout("warning", text)
        self.log.add("info", f"connected to {self.rig.name}")

    def _read_light(self) -> None:
        """Read the light back; light that was never set from here may not be known."""
        if self.rig.light is None:
            return
        try:
            self.applied = self.rig.light.read()
        except DeviceError as error:
            self.applied = None
            self.log.add("warning", f"the light is not known: {error}")
            return
        self.requested = self.requested or self.applied.state

    def _look_after(self) -> None:
        """Bring faulted devices back, between runs only; nothing is applied again.

        Slow devices are brought back by their own threads.
        """
        self.poll_gauge()
        for incident in self._supervisor.poll(may_connect=not self._light.moving):
            good = incident.kind == "reconnected"
            self.log.add("info" if good else "warning", incident.text)
            if good and incident.family in ("slm", "rf"):
                self._read_light()
        self.feedback_gate.tend()

    def disconnect_all(self) -> None:
        """Disconnect every device; light stays as it is, an opened feedback gate is closed."""
        self._require_free("the rig")
        self._light.interrupt("the rig is disconnected")
        self.end_stream()
        self.feedback_gate.restore()
        self._light.stop("the rig is disconnected")
        self.slow.close()
        for _, device in self.rig.driven():
            try:
                device.disconnect()
            except Exception as error:  # whatever a driver raises, the others follow
                self.log.add("warning", f"{device.name} could not be disconnected: {error}")

    def set_light(
        self, state: TweezerState, allow_untrapped: bool, moved: Callable[[int], None]
    ) -> Future[AppliedLight]:
        """Have the light set while samples are read; one change after the other."""
        self._require_light()
        return self._light.move(state, allow_untrapped=allow_untrapped, moved=moved)

    def release_particles(self, moved: Callable[[int], None]) -> Future[None]:
        """Have the trap light switched off; ends a change that is under way."""
        self._require_light()
        return self._light.release(moved)

    def _require_light(self) -> None:
        self._require_free("the light")
        if self.rig.light is None:
            raise InputError(f"rig {self.rig.name} has no light control")

    def reload_particles(self) -> None:
        """Put lost particles of the simulated world back into their traps."""
        self._require_free("the rig")
        if self.rig.world is None:
            raise InputError(
                f"rig {self.rig.name} ({self.rig.mode}) is not simulated: load particles at the "
                "apparatus"
            )
        if not any(self.rig.world.lost):
            raise InputError("no particle is lost: there is nothing to reload")
        self.rig.world.reload()
        self.update_growth()
        text = "lost particles reloaded"
        self.on_event(Event(self.present_sample, EventKind.NOTE, {"text": text}, time.time()))
        self.log.add("info", text)

    def set_feedback(self, closed: bool) -> None:
        """Switch the feedback gate between two blocks."""
        self._require_free("the feedback gate")
        if self.rig.gate is None:
            raise InputError(f"rig {self.rig.name} has no feedback gate")
        try:
            incident = self.feedback_gate.set(closed)
        finally:
            self.update_growth()
        if incident:
            self.log.add("warning", incident)

    def set_streaming(self, on: bool) -> None:
        """Start or stop the live stream (a run has its own)."""
        self._require_free("the digitizer")
        if on and self.stream is None:
            self.require_connected()
            self.begin_stream()
        elif not on:
            self.end_stream()

    def _require_free(self, what: str) -> None:
        if self.held_by is not None:
            raise InputError(f"{what} is held by {self.held_by}: stop that run first")

    def require_connected(self) -> None:
        """Raise unless every device is ready that cannot be done without."""
        for family, device in self.rig.driven():
            if device.state not in (DeviceState.READY, DeviceState.RUNNING):
                raise DeviceError(
                    f"{family} {device.name} is {device.state.value}: connect the rig first"
                )

    @property
    def present_sample(self) -> int:
        """Index of the sample that is being taken now, 0 when nothing streams."""
        if self.stream is None:
            return 0
        try:
            return self.stream.present()
        except DeviceError:  # a card that fails must not keep the light from being changed
            return self.stream.position

    def update_growth(self) -> None:
        """Ask the simulated world for the growth rate of the present model."""
        world = self.rig.world
        self.growth_rate = None if world is None else world.growth_rate()

    def growth_at_start(self) -> float | None:
        """Growth rate of the model with which a run begins: a run switches feedback on."""
        gate = True if self.rig.gate is not None else None
        return None if self.rig.world is None else float(self.rig.world.growth_rate(gate))

    def poll_gauge(self) -> None:
        """Hand to the run what slow devices have said since; does not wait for them."""
        for item in self.slow.take():
            if self.current_run is not None:
                self.current_run.note_slow(item)

    # -- streams and runs -----------------------------------------------------------------------

    def begin_stream(self) -> Stream:
        """Start the digitizer; the live displays follow."""
        digitizer = self.rig.digitizer
        watch = ConditionWatch(self.rig, self.log, digitizer.info.sample_rate)

        def see(status: BlockStatus, sample: int) -> None:
            if watch.see(status, sample):
                self.update_growth()  # of the particles that are left

        def begin() -> Stream:
            return Stream(
                digitizer, self._block_seconds, watch.lost_samples, see, self._note_waiting
            )

        self.stream = when_free(begin, self.log, self._unwanted)
        if digitizer.info.real_time:
            watch.short_ring(self.stream.ring_seconds)
        self._on_stream(self.stream)
        if self.current_run is not None:
            self.slow.begin()
        return self.stream

    def _note_waiting(self, awaited: str) -> None:
        text = f"waiting for {awaited}" if awaited else "the first samples have come"
        self.log.add("info", text)

    def _unwanted(self) -> bool:
        """Whether a stream that waits for its card is not to begin any more."""
        run = self.current_run
        return self._closing.is_set() or (run is not None and run.unwanted)

    def end_stream(self) -> None:
        """Stop the digitizer. Safe to call at any time."""
        if self.stream is None:
            return
        self._on_stream(None)
        stream, self.stream = self.stream, None
        try:
            stream.close()
        except Exception as error:  # the ring is gone in any case
            self.log.add("warning", f"the digitizer did not stop in good order: {error}")

    def run_plan(self, run: Run) -> RunOutcome:
        """Carry out a queued run and record it; runs in the runner's thread.

        Raises
        ------
        InputError, DeviceError
            If the run cannot begin. What goes wrong later is in the outcome.
        """
        self._require_free("the rig")
        self._light.require_still("start the run")
        self.require_connected()
        live = self.stream is not None
        self.end_stream()
        self.current_run = run
        self.last_failed = True  # unless it turns out otherwise
        try:
            outcome = run.carry_out()
            self.last_failed = outcome.outcome == "failed"
            return outcome
        except (InputError, DeviceError):
            self.last_failed = False  # refused: nothing was begun
            raise
        finally:
            self.current_run = None
            self.update_growth()
            if live and not self._closing.is_set():
                self._resume_stream()

    def _resume_stream(self) -> None:
        """Go on with the live display after a run; its outcome matters more than a failure."""
        try:
            self.begin_stream()
        except Exception as error:
            self.log.add("error", f"the live display could not go on: {error}")
