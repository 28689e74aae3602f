"""Sets the light in a thread of its own: the runner goes on reading samples while it moves.

Commands are carried out in their order. A release or an end interrupts the ramp that is under way
and refuses what waits: the light stays at the last step made. After a failure the light is read
back; what cannot be read is not known, and the old values are never shown as true.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, TypeVar

from ..instruments.guard import GuardedLight, Stopped
from ..instruments.protocols import AppliedLight, DeviceState
from ..instruments.rig import Rig
from ..models.errors import InputError
from ..models.light import TweezerState
from .events import Event, EventKind
from .slots import LogBook
from .stream import Stream

__all__ = ["LightHost", "LightMover", "hand_over"]

T = TypeVar("T")

_ATTEMPTS = 2  # at reading the light back: one garbled answer must not leave it unknown
_END_SECONDS = 10.0
# How often, and for how long each time (s), the reading thread is waited for to tell the sample.
_ASK, _ASK_SECONDS = 25, 0.02


class LightHost(Protocol):
    """What is needed of the runner, whose knowledge of the light is kept up to date."""

    rig: Rig
    log: LogBook
    on_event: Callable[[Event], None]
    requested: TweezerState | None
    applied: AppliedLight | None
    stream: Stream | None

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Queue a command for the thread that reads the digitizer."""
        ...

    @property
    def present_sample(self) -> int:
        """Index of the sample that is being taken now."""
        ...

    def update_growth(self) -> None:
        """Ask for the growth rate of the present model."""
        ...


@dataclass
class _Command:
    """Work that waits for its turn, and what ends it early."""

    work: Callable[[threading.Event], Any]
    future: Future[Any] = field(default_factory=Future)
    stop: threading.Event = field(default_factory=threading.Event)


class LightMover:
    """Carries out one command to the light after the other.

    Parameters
    ----------
    host : LightHost
        The runner.
    """

    def __init__(self, host: LightHost) -> None:
        self._host = host
        self._changed = threading.Condition()
        self._waiting: deque[_Command] = deque()
        self._current: _Command | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def moving(self) -> bool:
        """Whether a command is under way or waits."""
        with self._changed:
            return self._current is not None or bool(self._waiting)

    def require_still(self, what: str) -> None:
        """Raise InputError while the light moves.

        Parameters
        ----------
        what : str
            What has to wait, for the message.
        """
        if self.moving:
            raise InputError(f"the light is moving: wait until it rests, then {what}")

    def move(
        self, state: TweezerState, *, allow_untrapped: bool, moved: Callable[[int], None]
    ) -> Future[AppliedLight]:
        """Set the light when its turn comes.

        Parameters
        ----------
        state : TweezerState
            What is wanted.
        allow_untrapped : bool
            Even if the rig's model finds no particles held.
        moved : callable
            Called with the sample before the first step and with that after the last; not for
            light that is refused.
        """
        return self._put(lambda stop: self._move(state, allow_untrapped, moved, stop))

    def release(self, moved: Callable[[int], None]) -> Future[None]:
        """Switch all light off now: what is under way ends, what waits is refused."""
        self.interrupt("the particles are being released")
        return self._put(lambda stop: self._release(moved, stop))

    def interrupt(self, why: str) -> None:
        """End the ramp that is under way at its last step, refuse what waits; does not wait."""
        with self._changed:
            refused, self._waiting = list(self._waiting), deque()
            if self._current is not None:
                self._current.stop.set()
        for command in refused:
            if command.future.set_running_or_notify_cancel():
                command.future.set_exception(InputError(f"the light was not set: {why}"))

    def stop(self, why: str, timeout: float = _END_SECONDS) -> bool:
        """End what is under way at its last step and wait for it.

        Returns
        -------
        bool
            False if a device did not answer within ``timeout`` s; the log says so.
        """
        self.interrupt(why)
        with self._changed:
            still = self._changed.wait_for(lambda: self._current is None, timeout)
        if not still:
            self._host.log.add(
                "error", f"the light's devices did not answer within {timeout:g} s: check them"
            )
        return still

    def close(self, timeout: float = _END_SECONDS) -> None:
        """End for good; the light stays where it is."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.stop("the session is closed", timeout)

    # -- the thread -----------------------------------------------------------------------------

    def _put(self, work: Callable[[threading.Event], Any]) -> Future[Any]:
        command = _Command(work)
        with self._changed:
            if self._closed:
                command.future.set_exception(InputError("the session is closed"))
                return command.future
            self._waiting.append(command)
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="light", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return command.future

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting) or self._closed)
                if not self._waiting:
                    return
                command = self._current = self._waiting.popleft()
            if command.future.set_running_or_notify_cancel():
                self._carry_out(command)
            else:
                self._rest()

    def _carry_out(self, command: _Command) -> None:
        """Do it; the light rests before the future says so."""
        try:
            result = command.work(command.stop)
        except BaseException as error:  # handed to whoever asked
            self._rest()
            command.future.set_exception(error)
        else:
            self._rest()
            command.future.set_result(result)

    def _rest(self) -> None:
        with self._changed:
            self._current = None
            self._changed.notify_all()

    # -- what is done ---------------------------------------------------------------------------

    def _move(
        self,
        state: TweezerState,
        allow_untrapped: bool,
        moved: Callable[[int], None],
        stop: threading.Event,
    ) -> AppliedLight:
        host = self._host
        assert host.rig.light is not None
        light = GuardedLight.around(host.rig.light, host.rig.trap)
        begin: int | None = None

        def begun() -> None:
            nonlocal begin
            begin = self._sample(stop)
            host.requested = state
            moved(begin)

        try:
            applied = light.apply(state, allow_untrapped=allow_untrapped, stop=stop, begun=begun)
        except InputError as error:
            if begin is not None:  # refused light has changed nothing
                self._after_failure(error, begin, moved, stop)
            raise
        except Exception as error:
            self._after_failure(error, begin, moved, stop)
            raise
        host.applied = applied
        host.update_growth()
        assert begin is not None
        self._note(applied, begin, moved, stop)
        return applied

    def _after_failure(
        self,
        error: Exception,
        begin: int | None,
        moved: Callable[[int], None],
        stop: threading.Event,
    ) -> None:
        """Find out what the light is now, and say it."""
        host = self._host
        level: Literal["warning", "error"] = "warning" if isinstance(error, Stopped) else "error"
        host.log.add(level, f"the light could not be set: {error}")
        self.look()
        if begin is not None:
            self._note(host.applied, begin, moved, stop)

    def look(self) -> bool:
        """Read the light back; light that cannot be read is not known.

        Returns
        -------
        bool
            Whether it is known; it is then what is requested, too.
        """
        host, error = self._host, None
        assert host.rig.light is not None
        for _ in range(_ATTEMPTS):
            try:
                host.applied = host.rig.light.read()
            except Exception as failure:  # a driver's bug leaves the light unknown as well
                error = failure
                if self._broken():
                    break
                continue
            host.requested = host.applied.state
            host.update_growth()
            return True
        host.applied = None
        host.log.add("warning", f"the light is not known: {error}")
        host.update_growth()
        return False

    def _broken(self) -> bool:
        """Whether a device of the light waits for being reconnected."""
        rig = self._host.rig
        states = [device.state for device in (rig.slm, rig.rf) if device is not None]
        return any(state in (DeviceState.FAULTED, DeviceState.DISCONNECTED) for state in states)

    def _sample(self, stop: threading.Event) -> int:
        """Index of the sample that is being taken, from the thread that owns the digitizer.

        A thread that is busy, or waits for this one to stop, is not waited for: the newest sample
        that was read must do then.
        """
        host = self._host
        if host.stream is None:
            return 0
        asked = host.submit(lambda: host.present_sample)
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
        stream = host.stream
        return 0 if stream is None else stream.position

    def _note(
        self,
        applied: AppliedLight | None,
        begin: int,
        moved: Callable[[int], None],
        stop: threading.Event,
    ) -> None:
        """Write down from which sample to which the light moved."""
        host, end = self._host, self._sample(stop)
        moved(end)
        if end > begin:  # somebody watches
            host.log.add("info", f"the light moved from sample {begin} to {end}")
        if applied is None:
            return
        payload = {
            "sites": [asdict(site) for site in applied.state.sites],
            "phase_error": applied.phase_error,
            "begin": begin,
            "end": end,
        }
        host.on_event(Event(end, EventKind.LIGHT, payload, time.time()))

    def _release(self, moved: Callable[[int], None], stop: threading.Event) -> None:
        host, light = self._host, self._host.rig.light
        assert light is not None
        sample = self._sample(stop)
        host.log.add("warning", "releasing the particles: trap light goes off")
        try:
            light.release()
        finally:
            self.look()
            moved(self._sample(stop))
        note = {"text": "particles released"}
        host.on_event(Event(sample, EventKind.NOTE, note, time.time()))
        host.log.add("warning", "particles released: all trap light is off")


def hand_over(
    submit: Callable[[Callable[[], None]], Future[None]], begin: Callable[[], Future[T]]
) -> Future[T]:
    """Queue a command that goes on after its turn; return the future of its end.

    Parameters
    ----------
    submit : callable
        Queues a function and returns the future of its call.
    begin : callable
        Called in its turn; returns the future to be followed.
    """
    outer: Future[T] = Future()

    def follow(inner: Future[T]) -> None:
        error = inner.exception()
        if error is not None:
            outer.set_exception(error)
        else:
            outer.set_result(inner.result())

    def turn() -> None:
        if outer.set_running_or_notify_cancel():
            begin().add_done_callback(follow)

    def queued(call: Future[None]) -> None:
        error = call.exception()
        if error is not None:
            outer.set_exception(error)

    submit(turn).add_done_callback(queued)
    return outer
