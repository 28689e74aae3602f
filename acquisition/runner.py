"""The runner: one thread that owns every device but the slow ones, and holds what is known.

Commands (:mod:`.commands`) are queued and answered through futures; between two blocks the runner
carries them out on its bench, so that a set-point has an exact place in the record. A plan is such
a command, see ``run.py``. Changes of the light go on in a thread of their own.
"""

from __future__ import annotations

import itertools
import queue
import threading
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from ..instruments.rig import Rig
from ..models.errors import DeviceError, InputError
from .apparatus import Listeners
from .awake import kept_awake
from .bench import Bench
from .commands import Command
from .feedback import CLOSING_SECONDS
from .origin import NO_ORIGIN, RunOrigin
from .outcome import RunOutcome
from .plans import Plan
from .run import Run
from .runner_state import RunnerState, StateBoard
from .slots import LogBook
from .slow_channels import SlowChannels
from .slow_pace import Pace

__all__ = ["Runner"]

T = TypeVar("T")

_IDLE_SECONDS = 0.1


class Runner:
    """Owns the devices of a rig; all of its methods may be called from any thread.

    Parameters
    ----------
    rig : Rig
        The devices.
    log : LogBook
        Receives what happened, in words.
    listeners : Listeners
        Hear of streams, events, set-points and releases.
    block_seconds : float
        Longest block, s.
    pace : Pace, optional
        When slow devices are asked.
    """

    def __init__(
        self,
        rig: Rig,
        log: LogBook,
        listeners: Listeners,
        *,
        block_seconds: float = 0.02,
        pace: Pace | None = None,
    ) -> None:
        self._log = log
        self._board = StateBoard()
        self._commands: queue.Queue[tuple[Command[Any], Future[Any]]] = queue.Queue()
        self._closing = threading.Event()
        self._over = threading.Event()
        self._numbers = itertools.count(1)
        self._bench = Bench(
            rig,
            log,
            listeners,
            self._board,
            serve=self._serve,
            ask=self.submit,
            closing=self._closing.is_set,
            block_seconds=block_seconds,
            pace=pace,
        )
        self._thread = threading.Thread(target=self._work, name="runner", daemon=True)

    def start(self) -> None:
        """Begin to carry out commands."""
        self._thread.start()

    def state(self) -> RunnerState:
        """Picture of what is known now, with the devices as they are at this moment."""
        slow = self._bench.slow
        return replace(
            self._board.state,
            pressure=slow.pressure,
            devices=self._bench.devices.reports(),
            slow_troubles=tuple(slow.troubles()),
            slow_summary=tuple(slow.summary()),
        )

    @property
    def slow(self) -> SlowChannels:
        """Gauge, knobs and sensors: each has a thread of its own, so that anybody may ask."""
        return self._bench.slow

    def submit(self, command: Command[T]) -> Future[T]:
        """Queue a command; it is carried out between two blocks.

        Returns
        -------
        Future
            Of what the command answers; of the end of what goes on after its turn.
        """
        future: Future[T] = Future()
        if self._closing.is_set():
            future.set_exception(InputError("the session is closed"))
            return future
        self._commands.put((command, future))
        if self._over.is_set():
            self._refuse_queued()  # closed in between: nobody else would answer
        return future

    def submit_plan(
        self, plan: Plan, path: Path, origin: RunOrigin = NO_ORIGIN
    ) -> Future[RunOutcome]:
        """Queue a run; a stop or an abort reaches it from now on, even before it begins.

        The future fails with InputError or DeviceError if the run cannot begin; what goes wrong
        later is in the outcome.
        """
        run = Run(plan, path, f"run {next(self._numbers)}", origin)
        self._board.expect(run)
        future: Future[RunOutcome] = self.submit(lambda _: self._carry_out(run))
        future.add_done_callback(lambda _: self._board.forget(run))
        return future

    def runs(self) -> tuple[Run, ...]:
        """Runs that have not ended: the one under way and those that wait for their turn."""
        return self._board.state.runs

    def give_up_feedback(self) -> None:
        """End trying to switch feedback on again, as the user wishes."""
        self._bench.gate.give_up()

    def request_close(self) -> None:
        """End the thread: a run is aborted and finalised, the digitizer stopped."""
        self._closing.set()
        self._bench.light.interrupt("the session is closed")
        for run in self.runs():
            run.request_abort()

    def join(self, timeout: float) -> bool:
        """Wait for the end of the thread, at most so many s; return whether it has ended."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # -- the thread ---------------------------------------------------------------------------

    def _work(self) -> None:
        """Serve commands and keep the stream flowing until closed."""
        bench = self._bench
        try:
            while not self._closing.is_set():
                self._serve(wait=bench.streaming.now is None)
                bench.streaming.read_idle()
                self._look_after()
        except BaseException as error:  # a bug between two runs: nobody would answer any more
            self._log.add("error", f"internal error: {error!r}; restart the program")
            raise
        finally:
            self._closing.set()
            bench.streaming.end()
            bench.gate.restore(CLOSING_SECONDS)
            bench.light.close()
            bench.slow.close()
            self._over.set()  # what is queued from now on is refused by whoever queues it
            self._refuse_queued()

    def _serve(self, *, wait: bool = False) -> None:
        """Carry out the commands that wait; with ``wait``, give the first one a moment to come."""
        while True:
            try:
                command, future = self._commands.get(block=wait, timeout=_IDLE_SECONDS)
            except queue.Empty:
                return
            wait = False
            if not future.set_running_or_notify_cancel():
                continue
            try:
                _answer(future, command(self._bench))
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

    def _look_after(self) -> None:
        """Bring faulted devices back, between runs only."""
        self._bench.slow.take()  # belongs to no record
        self._bench.devices.bring_back(may_connect=not self._bench.light.moving)
        self._bench.gate.tend()

    def _carry_out(self, run: Run) -> RunOutcome:
        """Carry out a queued run and note what it returns."""
        bench = self._bench
        bench.require_free("the rig")
        bench.light.require_still("start the run")
        bench.devices.require_connected()
        live = bench.streaming.now is not None
        bench.streaming.end()
        failed = True  # unless it turns out otherwise
        self._board.change(run=run, last_failed=failed)
        try:
            with kept_awake(self._log, needed=bench.rig.digitizer.info.real_time):
                outcome = run.carry_out(bench)
            failed = outcome.outcome == "failed"
            return outcome
        except (InputError, DeviceError):
            failed = False  # refused: nothing was begun
            raise
        finally:
            self._board.change(run=None, last_failed=failed)
            bench.update_growth()
            if live:
                bench.streaming.resume()


def _answer(future: Future[T], found: T | Future[T]) -> None:
    """Answer a command now, or when what it has begun has come to its end."""
    if not isinstance(found, Future):
        future.set_result(found)
        return

    def follow(ended: Future[T]) -> None:
        error = ended.exception()
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(ended.result())

    found.add_done_callback(follow)
