"""The bench: the parts of a running experiment, joined, as commands and runs use them.

It satisfies :class:`~.apparatus.Apparatus` for a run and :class:`~.light_mover.LightHost` for the
thread of the light; neither sees the runner.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

from ..instruments.controller_protocol import LoopSetting
from ..instruments.protocols import AppliedLight
from ..instruments.rig import Rig
from ..models.errors import InputError
from ..models.light import TweezerState
from .apparatus import Listeners
from .devices import RigDevices
from .events import Event, EventKind
from .feedback import FeedbackGate
from .light_mover import LightMover
from .runner_state import StateBoard
from .slots import LogBook
from .slow_channels import SlowChannels
from .slow_pace import Pace
from .stream import Stream
from .streaming import Streaming

__all__ = ["Bench"]

# How often, and for how long each time (s), the reading thread is waited for to tell the sample.
_ASK, _ASK_SECONDS = 25, 0.02


class Bench:
    """The parts of an experiment.

    Parameters
    ----------
    rig : Rig
        The devices.
    log : LogBook
        Receives what happens, in words.
    listeners : Listeners
        Hear of streams, events, set-points and releases.
    board : StateBoard
        Holds what is known.
    serve : callable
        Carries out the commands that wait; does not wait for any.
    ask : callable
        Queues a question to be answered by the thread that reads; returns its future.
    closing : callable
        Whether the session is being closed.
    block_seconds : float
        Longest block, s.
    pace : Pace or None
        When slow devices are asked.

    Attributes
    ----------
    gate : FeedbackGate
    slow : SlowChannels
    streaming : Streaming
    light : LightMover
    devices : RigDevices
        The parts.
    """

    def __init__(
        self,
        rig: Rig,
        log: LogBook,
        listeners: Listeners,
        board: StateBoard,
        *,
        serve: Callable[[], None],
        ask: Callable[[Callable[[Bench], int]], Future[int]],
        closing: Callable[[], bool],
        block_seconds: float,
        pace: Pace | None,
    ) -> None:
        self.rig, self.log, self.listeners, self.closing = rig, log, listeners, closing
        self._board, self._serve, self._ask = board, serve, ask
        self.gate = FeedbackGate(
            rig.gate, log, lambda state: board.change(gate=state), player=rig.pattern
        )
        self.slow = SlowChannels(rig, log, pace)
        self.streaming = Streaming(
            rig, log, board, listeners.on_stream, self.update_growth, closing, block_seconds
        )
        self.light = LightMover(rig, log, self)
        self.devices = RigDevices(rig, log, board, self.slow, self.light_known)

    # -- for commands ---------------------------------------------------------------------------

    def require_free(self, what: str) -> None:
        """Raise InputError while a run holds the knobs; ``what`` names the one for the message."""
        held_by = self._board.state.held_by
        if held_by is not None:
            raise InputError(f"{what} is held by {held_by}: stop that run first")

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """Change a set-point within: its sample is told, also of a change that failed half way.

        After an InputError nothing was changed, and nothing is told.
        """
        try:
            yield
        except InputError:
            raise
        except BaseException:
            self.listeners.on_change(self.streaming.present)
            raise
        self.listeners.on_change(self.streaming.present)

    def note(self, text: str) -> None:
        """Tell a NOTE event at the present sample, and log it."""
        sample = self.streaming.present
        self.event(Event(sample, EventKind.NOTE, {"text": text}, time.time()))
        self.log.add("info", text)

    def loops_known(self, loops: tuple[LoopSetting, ...]) -> None:
        """Note the feedback loops as read back; empty if they are not known."""
        self._board.change(loops=loops)

    def loop_known(self, loop: int, setting: LoopSetting) -> None:
        """Note one loop as read back."""
        known = self._board.state.loops
        if loop < len(known):
            self._board.change(loops=(*known[:loop], setting, *known[loop + 1 :]))

    def _growth(self) -> float | None:
        return None if self.rig.world is None else float(self.rig.world.growth_rate())

    def update_growth(self) -> None:
        """Ask the simulated world for the growth rate of the present model."""
        self._board.change(growth_rate=self._growth())

    # -- what a run may use (Apparatus) -----------------------------------------------------------

    def begin_stream(self, unwanted: Callable[[], bool]) -> Stream:
        """Start the digitizer as soon as it is free; ``unwanted`` ends a wait for it."""
        return self.streaming.begin(unwanted)

    def end_stream(self) -> None:
        """Stop the digitizer. Safe to call at any time."""
        self.streaming.end()

    def serve(self) -> None:
        """Carry out the commands that wait; does not wait for any."""
        self._serve()

    def read_light(self) -> AppliedLight | None:
        """Read the light back; None without light control. Raises DeviceError."""
        return self.devices.read_light()

    def growth_at_start(self) -> float | None:
        """Growth rate of the model with which a run begins, 1/s: a run switches feedback on."""
        closed = True if self.rig.gate is not None else None
        return None if self.rig.world is None else float(self.rig.world.growth_rate(closed))

    # -- what is told of the light (LightHost) ----------------------------------------------------

    def light_asked(self, state: TweezerState) -> None:
        """Note the light that is being set from now on."""
        self._board.change(requested=state)

    def light_known(self, applied: AppliedLight | None, requested: TweezerState | None) -> None:
        """Note the light read back, and what was asked for unless None, with what follows."""
        found: dict[str, Any] = {"applied": applied, "growth_rate": None}
        if requested is not None:
            found["requested"] = requested
        try:
            found["growth_rate"] = self._growth()
        finally:  # what the light is does not depend on what the model makes of it
            self._board.change(**found)

    def light_moved(self, sample: int) -> None:
        """Tell that the light moves, or rests again, from ``sample`` on."""
        self.listeners.on_change(sample)

    def event(self, event: Event) -> None:
        """Pass an event on."""
        self.listeners.on_event(event)

    def sample_for_light(self, stop: threading.Event) -> int:
        """Index of the sample that is being taken, from the thread that owns the digitizer.

        A thread that is busy, or waits for the light to stop, is not waited for: the newest sample
        that was read must do then.
        """
        if self.streaming.now is None:
            return 0
        asked = self._ask(lambda bench: bench.streaming.present)
        for _ in range(_ASK):
            if stop.is_set():
                break
            try:
                return asked.result(_ASK_SECONDS)
            except FutureTimeout:
                continue
            except (InputError, CancelledError):  # the session is being closed
                break
        asked.cancel()
        stream = self.streaming.now
        return 0 if stream is None else stream.position
