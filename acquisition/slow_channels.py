"""The slow devices of a rig: what the runner knows of them, without ever waiting for one.

Each has a thread (:mod:`.slow_channel`). Their readings and incidents wait in a mailbox that the
runner empties between two blocks.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import wait

from ..instruments.protocols import DeviceState
from ..instruments.rig import Rig
from ..models.errors import DeviceError, InputError
from .knob_actuator import KnobActuator
from .slots import LogBook
from .slow_channel import SlowChannel
from .slow_pace import Calm, Pace
from .slow_sensor import GaugeSensor, NamedSensor, SlowIncident, SlowReading, SlowSensor

__all__ = ["SlowChannels"]

_MAILBOX = 1000
# A reading counts as the present one for so many periods.
_FRESH_PERIODS = 5.0
# A plan that needs a value waits so long for a device that has not answered yet.
_PATIENCE = 15.0
# and so long for one that has just failed: a single garbled answer is made good by then.
_SHORT_PATIENCE = 3.0
_POLL_SECONDS = 0.02


class SlowChannels:
    """Threads that ask the slow devices of a rig.

    Parameters
    ----------
    rig : Rig
        Its gauge is asked for the pressure, its knobs and sensors for what they read.
    log : LogBook
        Receives what the devices do, in words.
    pace : Pace, optional
        When they are asked.
    """

    def __init__(self, rig: Rig, log: LogBook, pace: Pace | None = None) -> None:
        self.calm = Calm()
        self._log = log
        self._pace = pace or Pace()
        self._mail: deque[SlowReading | SlowIncident] = deque(maxlen=_MAILBOX)
        self._awaited: set[str] = set()  # quantities that the record has no reading of yet
        self._rig = rig
        sensors: list[SlowSensor] = [] if rig.gauge is None else [GaugeSensor(rig.gauge)]
        sensors += [NamedSensor(device, name) for name, device in rig.named()]
        self._channels = {
            sensor.family: SlowChannel(sensor, self._mail.append, log, self.calm, self._pace)
            for sensor in sensors
        }

    def actuators(self, held_by: Callable[[], str | None]) -> dict[str, KnobActuator]:
        """What turns the rig's knobs, by their names; from any thread but those of the devices.

        ``held_by`` names the run under way, if there is one.
        """
        return {
            name: KnobActuator(name, device, self._channels[device.name], self._hurried, held_by)
            for name, device in self._rig.knobs.items()
        }

    def refresh(self, ended: Callable[[], bool]) -> None:
        """Ask all devices anew: what they said before a knob was turned may not be so any more.

        Waits until those that answer have done so, for a moment at most; ``ended`` ends the wait.
        Not to be called from the threads of the devices.
        """
        answers = []
        for channel in self._channels.values():
            channel.forget()
            if channel.is_open and channel.health.trouble is None:
                answers.append(channel.look())
        deadline = time.monotonic() + _SHORT_PATIENCE
        while not all(answer.done() for answer in answers):
            if ended() or time.monotonic() > deadline:
                return
            wait(answers, timeout=_POLL_SECONDS)

    def sensors_out(self) -> list[str]:
        """Sensors at whose readings a sweep has to wait, a line each; also those that are silent.

        One that is yet to answer for the first time is waited for by nobody.
        """
        found = []
        for name, device in self._rig.sensors.items():
            channel, limits = self._channels[device.name], device.limits
            if not (limits.watched and channel.is_open and channel.settled):
                continue
            reading = self._fresh(channel)
            if reading is not None and reading.value is not None:
                found.append(limits.trouble(name, reading.value))
            elif reading is not None or channel.health.trouble is not None:
                why = channel.health.trouble or (reading.status if reading is not None else "")
                found.append(f"{name} has no reading: {why}")
        return [text for text in found if text]

    def _hurried(self) -> bool:
        """Whether the clock is a virtual one, against which there is nothing to wait for."""
        return self._rig.world is not None and not self._rig.digitizer.info.real_time

    def open(self) -> None:
        """Begin to connect and ask all devices. Does not wait.

        What their drivers import is imported first: imports in several threads at once get in each
        other's way, and one of them finds a package half made.
        """
        for _, device in self._rig.named():
            prepare = getattr(device, "prepare", None)
            if prepare is not None:
                prepare()
        for channel in self._channels.values():
            channel.open()

    def settle(self, seconds: float) -> None:
        """Give the first attempts a moment to end, at most so many seconds in all."""
        deadline = time.monotonic() + seconds
        for channel in self._channels.values():
            if channel.is_open:
                channel.settle(max(0.0, deadline - time.monotonic()))

    def close(self) -> None:
        """Disconnect all devices; takes at most about a second each, whatever they do."""
        for channel in self._channels.values():
            channel.close()

    def begin(self) -> None:
        """Begin anew for a record: it gets the present values and troubles at its first samples."""
        self._mail.clear()
        self._awaited = {channel.sensor.name for channel in self._channels.values()}
        for channel in self._channels.values():
            trouble = channel.health.begin()
            if trouble is not None:
                now = time.time(), time.monotonic()
                self._mail.append(SlowIncident(channel.label, trouble, False, *now))
            reading = self._fresh(channel)
            if reading is not None:
                self._mail.append(reading)

    def take(self) -> list[SlowReading | SlowIncident]:
        """Remove and return what has come since. Does not wait."""
        for channel in self._channels.values():
            channel.watch()
        taken = []
        while self._mail:
            item = self._mail.popleft()
            taken.append(item)
            if isinstance(item, SlowReading):
                self._awaited.discard(item.name)
        return taken

    def state(self, family: str) -> DeviceState | None:
        """State of a device as the user is to see it; None for a family that is not slow."""
        channel = self._channels.get(family)
        return None if channel is None else channel.state

    def detail(self, family: str) -> str:
        """Identity of a device, or what is wrong with it."""
        return self._channels[family].detail

    @property
    def pressure(self) -> float | None:
        """Present pressure, Pa; None without a gauge, without a value or when it is too old."""
        channel = self._channels.get("gauge")
        reading = None if channel is None else self._fresh(channel)
        return None if reading is None else reading.value

    def require(self, family: str, given_up: Callable[[], bool]) -> None:
        """Refuse unless a device has a value; one that has not answered yet is waited for.

        Parameters
        ----------
        family : str
            Such as "gauge".
        given_up : callable
            Asked meanwhile; True ends the waiting, and nothing is refused.

        Raises
        ------
        InputError
            If the rig has no such device.
        DeviceError
            If it gives no value; names it and the remedy.
        """
        channel = self._channels.get(family)
        if channel is None:
            raise InputError(
                f"the plan needs a {family}, and rig {self._rig.name} has none: add "
                f"[devices.{family}], or set plan.require_{family}=false"
            )
        began = time.monotonic()
        while (reading := self._fresh(channel)) is None:
            patience = _SHORT_PATIENCE if channel.settled else _PATIENCE
            if given_up() or not channel.is_open or time.monotonic() - began > patience:
                break
            time.sleep(_POLL_SECONDS)
        if given_up() or (reading is not None and reading.value is not None):
            return
        why = channel.health.trouble
        if why is None:
            why = f"its status is {reading.status!r}" if reading else "it has not answered yet"
        raise DeviceError(
            f"the plan needs the {channel.sensor.name}, which {channel.label} does not give "
            f"({why}): bring the {family} back, or set plan.require_{family}=false"
        )

    def troubles(self) -> list[str]:
        """What is wrong with slow devices at this moment, a line each."""
        found = [c.health.trouble for c in self._channels.values() if c.is_open]
        return [text for text in found if text is not None]

    def summary(self) -> list[str]:
        """What was missed since the last :meth:`begin`, a line or two a device."""
        lines = []
        for channel in self._channels.values():
            told = channel.health.summary()
            if not told and channel.sensor.name in self._awaited:
                told = [f"{channel.label}: no reading, it did not answer before the end"]
            lines += told
        return lines

    def _fresh(self, channel: SlowChannel) -> SlowReading | None:
        """Newest reading of a channel unless it is too old."""
        reading = channel.newest
        if reading is None:
            return None
        limit = _FRESH_PERIODS * self._pace.period + self._pace.late
        return reading if time.monotonic() - reading.clock < limit else None
