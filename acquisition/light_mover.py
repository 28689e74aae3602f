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
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

from ..instruments.guard import GuardedLight, Stopped
from ..instruments.protocols import AppliedLight, DeviceState
from ..instruments.rig import Rig
from ..models.errors import InputError
from ..models.light import TweezerState
from .events import Event, EventKind
from .slots import LogBook

__all__ = ["LightHost", "LightMover"]

_ATTEMPTS = 2  # at reading the light back: one garbled answer must not leave it unknown
_END_SECONDS = 10.0


class LightHost(Protocol):
    """What is told of the light, and tells where in the record it moves; from any thread."""

    def light_asked(self, state: TweezerState) -> None:
        """Note the light that is being set from now on."""
        ...

    def light_known(self, applied: AppliedLight | None, requested: TweezerState | None) -> None:
        """Note the light read back, None if not known, and what was asked for unless None."""
        ...

    def light_moved(self, sample: int) -> None:
        """Note that the light moves, or rests again, from ``sample`` on."""
        ...

    def sample_for_light(self, stop: threading.Event) -> int:
        """Index of the sample that is being taken; ``stop`` ends the wait for an exact answer."""
        ...

    def event(self, event: Event) -> None:
        """Pass an event on."""
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
    rig : Rig
        Its light is set; the trap is the model that says what light holds particles.
    log : LogBook
        Receives what happens, in words.
    host : LightHost
        Is told of the light.
    """

    def __init__(self, rig: Rig, log: LogBook, host: LightHost) -> None:
        self._rig, self._log, self._host = rig, log, host
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

    def move(self, state: TweezerState, *, allow_untrapped: bool = False) -> Future[AppliedLight]:
        """Set the light when its turn comes.

        Parameters
        ----------
        state : TweezerState
            What is wanted.
        allow_untrapped : bool
            Even if the rig's model finds no particles held.
        """
        return self._put(lambda stop: self._move(state, allow_untrapped, stop))

    def release(self) -> Future[None]:
        """Switch all light off now: what is under way ends, what waits is refused."""
        self.interrupt("the particles are being released")
        return self._put(self._release)

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
            self._log.add(
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
        self, state: TweezerState, allow_untrapped: bool, stop: threading.Event
    ) -> AppliedLight:
        assert self._rig.light is not None
        light = GuardedLight.around(self._rig.light, self._rig.trap)
        begin: int | None = None

        def begun() -> None:
            nonlocal begin
            begin = self._host.sample_for_light(stop)
            self._host.light_asked(state)
            self._host.light_moved(begin)

        try:
            applied = light.apply(state, allow_untrapped=allow_untrapped, stop=stop, begun=begun)
        except InputError as error:
            if begin is not None:  # refused light has changed nothing
                self._after_failure(error, begin, stop)
            raise
        except Exception as error:
            self._after_failure(error, begin, stop)
            raise
        self._host.light_known(applied, state)
        assert begin is not None
        self._note(applied, begin, stop)
        return applied

    def _after_failure(self, error: Exception, begin: int | None, stop: threading.Event) -> None:
        """Find out what the light is now, and say it."""
        level: Literal["warning", "error"] = "warning" if isinstance(error, Stopped) else "error"
        self._log.add(level, f"the light could not be set: {error}")
        applied = self._look()
        if begin is not None:
            self._note(applied, begin, stop)

    def _look(self) -> AppliedLight | None:
        """Read the light back; light that is known is then what is requested, too."""
        assert self._rig.light is not None
        error: Exception | None = None
        for _ in range(_ATTEMPTS):
            try:
                applied = self._rig.light.read()
            except Exception as failure:  # a driver's bug leaves the light unknown as well
                error = failure
                if self._broken():
                    break
                continue
            self._host.light_known(applied, applied.state)
            return applied
        self._host.light_known(None, None)
        self._log.add("warning", f"the light is not known: {error}")
        return None

    def _broken(self) -> bool:
        """Whether a device of the light waits for being reconnected."""
        states = [d.state for d in (self._rig.slm, self._rig.rf) if d is not None]
        return any(state in (DeviceState.FAULTED, DeviceState.DISCONNECTED) for state in states)

    def _note(self, applied: AppliedLight | None, begin: int, stop: threading.Event) -> None:
        """Write down from which sample to which the light moved."""
        end = self._host.sample_for_light(stop)
        self._host.light_moved(end)
        if end > begin:  # somebody watches
            self._log.add("info", f"the light moved from sample {begin} to {end}")
        if applied is None:
            return
        payload = {
            "sites": [asdict(site) for site in applied.state.sites],
            "phase_error": applied.phase_error,
            "begin": begin,
            "end": end,
        }
        self._host.event(Event(end, EventKind.LIGHT, payload, time.time()))

    def _release(self, stop: threading.Event) -> None:
        light = self._rig.light
        assert light is not None
        sample = self._host.sample_for_light(stop)
        self._log.add("warning", "releasing the particles: trap light goes off")
        try:
            light.release()
        finally:
            self._look()
            self._host.light_moved(self._host.sample_for_light(stop))
        note = {"text": "particles released"}
        self._host.event(Event(sample, EventKind.NOTE, note, time.time()))
        self._log.add("warning", "particles released: all trap light is off")
