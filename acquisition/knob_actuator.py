"""Turns a knob of the rig: allowed or not, a ramp that keeps its slew, and what is read back.

The device belongs to its own thread (:mod:`.slow_channel`), which makes every call; whoever turns
the knob waits for it, never longer than the knob's timeout, and can be called off at any moment.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

from ..instruments.knob_protocol import KnobDevice
from ..instruments.ramp import RampPace
from ..models.errors import DeviceError, InputError
from .slow_channel import SlowChannel

__all__ = ["KnobActuator", "MoveCalledOffError"]

T = TypeVar("T")

_POLL_SECONDS = 0.02
_STEP_SECONDS = 0.1  # between two steps of a ramp
_FIRST_SECONDS = 15.0  # what connecting may take, of a driver that begins with a long talk
_LOOK_SECONDS = 0.1  # between two looks at a read-back that is yet to settle


class MoveCalledOffError(DeviceError):
    """Somebody wanted the move to end; the knob stays where it is."""


class KnobActuator:
    """Moves one knob; it is a :class:`~.sweeps.knobs.Actuator`.

    Parameters
    ----------
    name : str
        As in plans.
    device : KnobDevice
        What it turns.
    channel : SlowChannel or None
        Has the thread of the device; None for one that only checks.
    hurried : callable
        Whether there is nothing to wait for: a simulated laboratory on a virtual clock.
    held_by : callable
        Name of the run that is under way, or None: nothing is turned within one.
    """

    def __init__(
        self,
        name: str,
        device: KnobDevice,
        channel: SlowChannel | None = None,
        hurried: Callable[[], bool] = lambda: False,
        held_by: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.name, self._device, self._channel = name, device, channel
        self._limits, self._hurried, self._held_by = device.limits, hurried, held_by

    @property
    def unit(self) -> str:
        """SI unit of the values."""
        return self._limits.unit

    def check(self, value: float) -> None:
        """Raise InputError for a value out of range; sends nothing."""
        self._limits.check(self.name, value)

    def move(self, value: float, ended: Callable[[], bool]) -> float:
        """Set a value, wait until it holds, and return what is read back.

        Parameters
        ----------
        value : float
            SI.
        ended : callable
            True calls the move off: the knob stays where the ramp has brought it.

        Raises
        ------
        InputError
            For a value out of range, or while a run is under way; nothing more is sent then.
        MoveCalledOffError
            When it was called off.
        DeviceError
            If the device does not answer, stands out of its range before, or does not come to hold;
            names the knob, what was wanted and what is read.
        """
        self.check(value)
        began = self._read(ended)
        self._require_inside(began)
        try:
            self._ramp(began, value, ended)
            return self._settled(value, ended)
        except MoveCalledOffError:
            raise
        except DeviceError as error:
            if isinstance(error, _AstrayError):
                raise
            raise DeviceError(f"{error}; {self._where()}") from None

    def _require_inside(self, found: float) -> None:
        """Refuse to ramp from where the knob may not be: the first step would be a jump."""
        limits = self._limits
        margin = limits.margin(found)
        if not limits.low - margin <= found <= limits.high + margin:
            raise DeviceError(
                f"knob {self.name} reads {limits.words(found)}, out of its range "
                f"{limits.words(limits.low)} … {limits.words(limits.high)}: bring it back by hand, "
                "or correct the rig's file"
            )

    def _ramp(self, begin: float, goal: float, ended: Callable[[], bool]) -> None:
        """Go from where it is to the goal, no faster than allowed."""
        limits, way = self._limits, goal - begin
        seconds = abs(way) / limits.slew
        if seconds <= 0.0 or not math.isfinite(seconds) or self._hurried():
            self._send(goal, ended)
            return
        pace = RampPace(seconds, _STEP_SECONDS, sleep=lambda pause: self._rest(pause, ended))
        while pace.share < 1.0:
            share = pace.wait()
            step = goal if share >= 1.0 else begin + share * way
            self._send(min(max(step, limits.low), limits.high), ended)
            pace.written()

    def _settled(self, wanted: float, ended: Callable[[], bool]) -> float:
        """Read back until it is near enough, or for as long as that may take."""
        limits, deadline = self._limits, time.monotonic() + self._limits.settle
        while True:
            found = self._read(ended)
            if limits.agrees(wanted, found):
                return found
            if self._hurried() or time.monotonic() >= deadline:
                raise _AstrayError(
                    f"knob {self.name} was set to {limits.words(wanted)} and reads "
                    f"{limits.words(found)}, more than {limits.words(limits.margin(wanted))} away"
                    + ("" if self._hurried() else f" after {limits.settle:g} s")
                )
            self._rest(_LOOK_SECONDS, ended)

    def _where(self) -> str:
        """What is read after a failure."""
        try:
            found = self._read(lambda: False)
        except DeviceError:
            return "where it stands is not known"
        return f"it reads {self._limits.words(found)}"

    def _read(self, ended: Callable[[], bool]) -> float:
        """Ask where it is; the record is told, too."""
        found = self._call(SlowChannel.look, ended)
        if found is None:
            raise DeviceError(f"knob {self.name} reads no number")
        return found

    def _send(self, value: float, ended: Callable[[], bool]) -> None:
        held_by = self._held_by()
        if held_by is not None:
            raise InputError(f"knob {self.name} is held by {held_by}: stop that run first")

        def send(channel: SlowChannel) -> Future[None]:
            channel.forget()
            return channel.ask(lambda: self._device.set_value(value))

        self._call(send, ended)

    def _rest(self, seconds: float, ended: Callable[[], bool]) -> None:
        """Wait; raises when called off."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0.0:
            self._look(ended)
            time.sleep(min(left, _POLL_SECONDS))

    def _look(self, ended: Callable[[], bool]) -> None:
        if ended():
            raise MoveCalledOffError(f"knob {self.name}: the move was called off; it stays there")

    def _call(self, ask: Callable[[SlowChannel], Future[T]], ended: Callable[[], bool]) -> T:
        """Ask the thread of the device for a call; waits no longer than its timeout."""
        channel = self._channel
        if channel is None:
            raise DeviceError(f"knob {self.name} is not connected: connect the rig first")
        answer = ask(channel)
        patience = self._limits.timeout
        if not channel.settled:
            patience = max(patience, _FIRST_SECONDS)
        deadline = time.monotonic() + patience
        while not answer.done():
            wait([answer], timeout=_POLL_SECONDS)
            if answer.done():
                break
            try:
                self._look(ended)
                if time.monotonic() > deadline:
                    trouble = channel.health.trouble
                    raise DeviceError(
                        f"knob {self.name} did not answer within {patience:g} s"
                        + (f" ({trouble})" if trouble else "")
                        + ": check it, or give it a longer timeout"
                    )
            except DeviceError:
                answer.cancel()  # what has not begun is not sent any more
                raise
        return answer.result()


class _AstrayError(DeviceError):
    """The read-back is not what was wanted: it has been read."""
