"""A run whose samples flow: what its plan may do, each step of it recorded."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..instruments.patterns import Pattern
from ..models.blocks import BlockStatus
from ..models.light import TweezerState
from .apparatus import Apparatus
from .conditions import recorder_gap_text
from .events import Event, EventKind
from .loops import loop_event
from .plans import ReheatingPlan
from .procedures import Aborted
from .run_control import RunControl
from .run_gate import RunGate
from .run_releases import RunReleases
from .slow_sensor import SlowIncident, SlowReading, sample_at
from .stream import Stream
from .timing import timing_of

if TYPE_CHECKING:  # HDF5 is loaded when a run begins
    from .recording import Recording

__all__ = ["RunProcedure"]

_LONGEST_READ = 0.25  # s of samples in one read: a stop and an abort are heard between two


class RunProcedure:
    """What a plan may do, see :class:`~.procedures.Procedure`.

    Parameters
    ----------
    apparatus : Apparatus
        Means and listeners.
    control : RunControl
        What is asked of the run.
    ledger : RunReleases
        Judges the releases.
    stream : Stream
        Just started.
    recording : Recording
        Records it.
    name : str
        Of the run, for the log.

    Attributes
    ----------
    gate : RunGate
        The feedback gate during this run.
    paused_samples : int
        Samples recorded while the run was paused; they count for no plan.
    """

    def __init__(
        self,
        apparatus: Apparatus,
        control: RunControl,
        ledger: RunReleases,
        stream: Stream,
        recording: Recording,
        name: str,
    ) -> None:
        self._apparatus, self._control, self._ledger = apparatus, control, ledger
        self._stream, self._recording, self._name = stream, recording, name
        self._missed = 0
        self._base: TweezerState | None = None  # light of the beginning, where φ is turned
        self._turn = 0.0
        self.gate = RunGate(apparatus, stream, self.event, lambda: ledger.step)
        self.paused_samples = 0

    # -- where it stands ------------------------------------------------------------------------

    @property
    def sample_rate(self) -> float:
        """Hz."""
        return self._stream.info.sample_rate

    @property
    def position(self) -> int:
        """Samples read since the run began."""
        return self._stream.position

    @property
    def signal_columns(self) -> tuple[int, ...]:
        """Columns of the out-of-loop detectors, one a particle."""
        return tuple(d.channel for d in self._apparatus.rig.channels("out_of_loop"))

    @property
    def stopping(self) -> bool:
        """Whether the run is to end after this repetition."""
        return self._control.stop.is_set()

    @property
    def particle_lost(self) -> bool:
        """Whether the newest samples are marked with a lost particle."""
        return bool(self._stream.status & BlockStatus.PARTICLE_LOST)

    @property
    def record_ended(self) -> bool:
        """Whether the source holds no further sample."""
        return self._stream.finished

    def tell_loops(self) -> None:
        """Record how the feedback loops are set, read back; DeviceError if that cannot be told."""
        device = self._apparatus.rig.controller
        for loop in range(0 if device is None else device.capabilities.loops):
            assert device is not None
            kind, payload, sample = loop_event(device, loop, device.read(loop), self.position)
            self.event(kind, at=sample, **payload)

    # -- samples --------------------------------------------------------------------------------

    def acquire(self, samples: int, *, keep: bool = False) -> NDArray[np.float64] | None:
        """Acquire so many samples; return them in volts when asked.

        Then a stop cuts them short only where none come. Without, a pause does not count.
        """
        return self._acquire(samples, lambda done: samples - done, keep=keep)

    def acquire_to(self, sample: int) -> NDArray[np.float64]:
        """Acquire up to a sample of the record; return in volts what came, fewer after a loss."""
        wanted = max(0, sample - self.position)
        found = self._acquire(wanted, lambda done: sample - self.position, keep=True)
        assert found is not None
        return found

    def _acquire(
        self, most: int, left: Callable[[int], int], *, keep: bool
    ) -> NDArray[np.float64] | None:
        """Acquire while samples are ``left``, by how many are done; ``most`` at most."""
        stream = self._stream
        kept = None
        if keep:
            kept = np.empty((most, len(stream.info.channels)), dtype=stream.info.dtype)
        done, silent = 0, False
        while left(done) > 0 and not stream.finished:
            if self._interrupted() and (silent or not keep):
                break
            if not keep and self._control.pause.is_set():
                self.wait_while_paused()
                continue
            rows = min(self._rows_of_a_read(), left(done))
            came = self._read(rows, None if kept is None else kept[done : done + rows])
            done, silent = done + came, came == 0
            if not keep:
                self._control.tell(fraction=done / most)
        return None if kept is None else kept[:done] * np.asarray(stream.info.scale)

    def acquire_while(self, go_on: Callable[[], bool]) -> None:
        """Acquire blocks while ``go_on()``; a pause is marked in the record."""
        while go_on() and not self._interrupted() and not self._stream.finished:
            self.wait_while_paused()
            self._read(self._rows_of_a_read(), None)

    def wait_while_paused(self) -> None:
        """Go on recording, feedback on, while the run is paused."""
        pause, control = self._control.pause, self._control
        if not pause.is_set():
            return
        began, message = self.position, control.progress.message
        control.tell(state="paused", message=f"paused: {message}" if message else "paused")
        self.event(EventKind.NOTE, text="paused")
        self._apparatus.log.add("info", f"{self._name} is paused, feedback on: resume or stop it")
        try:
            while pause.is_set() and not self._interrupted() and not self._stream.finished:
                self._read(self._rows_of_a_read(), None)
        finally:
            self.event(EventKind.NOTE, text="resumed")
            self.paused_samples += self.position - began
            control.tell(state="running", message=message)

    def _rows_of_a_read(self) -> int:
        """Rows that last no longer than a stop may wait, also at a low rate."""
        return min(self._stream.block_rows, max(1, round(_LONGEST_READ * self.sample_rate)))

    def _interrupted(self) -> bool:
        """Serve commands; raise on abort; say whether a stop was asked for."""
        self._apparatus.serve()
        if self._control.abort.is_set():
            raise Aborted
        return self._control.stop.is_set()

    def _read(self, rows: int, keep: NDArray[Any] | None) -> int:
        stream, recording = self._stream, self._recording
        recording.raise_error()
        self.gate.require_guardian()
        before = stream.position
        given_up = self._control.abort.is_set
        result = stream.read(rows, lambda: given_up() or recording.stuck(), keep)
        self._ledger.read(before, result, keep)
        for kind in recording.new_conditions(result.status):
            self.event(kind, at=result.first_sample, samples=result.samples)
        for sample, payload in () if stream.monitors is None else stream.monitors.take():
            self.event(EventKind.FAULT, at=sample, **payload)
        if recording.missed > self._missed:
            lost, self._missed = recording.missed - self._missed, recording.missed
            self._apparatus.log.add("error", recorder_gap_text(lost, result.first_sample))
        self.write_asked()
        self.note_slow()
        return result.samples

    # -- the gate and events ----------------------------------------------------------------------

    def feedback(self, closed: bool, *, longest: float = math.inf) -> int:
        """Switch the feedback gate, with an event; return the sample at which it acted."""
        judge = self._control.progress.state == "running"
        return self.gate.switch(closed, judge=judge, longest=longest)

    @property
    def settled(self) -> int:
        """Sample from which feedback acts for certain."""
        return self._stream.settled

    def by_card(self, plan: ReheatingPlan) -> bool:
        """Whether a card switches the gate in the releases of a plan."""
        timing, why = timing_of(plan, self._apparatus.rig)
        if why:
            self._apparatus.log.add("warning", why)
        return timing == "card"

    def turn_phase(self, turn: float, settling: float) -> None:
        """Set φ to that of the run's beginning plus ``turn`` (rad), and wait if that changes it."""
        light = self._apparatus.rig.light
        assert light is not None
        if self._base is None:
            found = self._apparatus.read_light()
            assert found is not None
            self._base = found.state
        if turn == self._turn:
            return
        self._turn = turn
        state = self._base.with_site(0, phase=self._base.sites[0].phase + turn)
        applied = light.apply(state)
        self._apparatus.read_light()
        sites = [asdict(site) for site in applied.state.sites]
        self.event(EventKind.LIGHT, sites=sites, phase_error=applied.phase_error)
        self._apparatus.listeners.on_change(self._stream.present())
        wait = applied.settling_time + settling
        self.acquire(round(wait * self.sample_rate), keep=True)

    def play(self, pattern: Pattern) -> int:
        """Have the card play a pattern; return the sample at which its sample 0 acts.

        The digitizer is started anew for it, which the record shows as a seam: its index runs on.
        """
        begin = time.monotonic()
        sample, origin = self.position, self.gate.play(pattern)
        seconds = time.monotonic() - begin
        self.event(EventKind.RESTART, at=sample, seconds=seconds, reason="a pattern begins")
        return origin

    def edge(self, closed: bool, at: int) -> None:
        """Write an edge of what is played."""
        self.gate.edge(closed, at, judge=self._control.progress.state == "running")

    @property
    def paused(self) -> bool:
        """Whether a pause is asked for."""
        return self._control.pause.is_set()

    def event(self, kind: EventKind, /, *, at: int | None = None, **payload: Any) -> None:
        """Write an event at the next sample to be read, or at another one."""
        if kind is EventKind.RELEASE:
            self.gate.begins(int(payload["repetition"]))
        event = Event(self.position if at is None else at, kind, payload, time.time())
        self._ledger.take(event)
        self._recording.event(event)
        self._apparatus.listeners.on_event(event)

    def note_slow(self) -> None:
        """Record what slow devices have said since, at the samples taken then; does not wait."""
        for item in self._apparatus.slow.take():
            self._note(item, sample_at(self._stream, item.clock))

    def _note(self, item: SlowReading | SlowIncident, sample: int) -> None:
        if isinstance(item, SlowIncident):
            payload = {"device": item.device, "message": item.message, "returned": item.returned}
            self.event(EventKind.FAULT, at=sample, **payload)
        else:
            self._recording.slow(
                sample, item.name, item.value, item.unit, item.status, item.host_time
            )

    def write_asked(self, *, last: bool = False) -> None:
        """Write notes and exclusions asked for; after the ``last`` time none is taken any more."""
        for text in self._control.take_notes(last=last):
            self.event(EventKind.NOTE, text=text)
        for payload in self._ledger.take_exclusions(last=last):
            self.event(EventKind.EXCLUDED, **payload)

    # -- steps and releases -----------------------------------------------------------------------

    def progress(self, fraction: float | None, message: str) -> None:
        """Say how far the step is."""
        self._control.step(fraction, message)

    def repetition(
        self, volts: NDArray[np.float64], begin: int, plan: ReheatingPlan, number: int
    ) -> None:
        """Judge a release and hand it to the live display; ``volts`` begin at sample ``begin``."""
        self._ledger.show(volts, begin, plan, number)

    def lost_repetitions(self) -> tuple[int, ...]:
        """Repetitions of this step that lost samples, once the recorder has caught up."""
        return self._ledger.lost_now(self._recording, self.position, self.acquire_while)
