"""What a slow device has to say: a value every few seconds, with the time at which it was read.

A slow device (the pressure gauge, a thermometer, a laser) is asked in a thread of its own,
see :mod:`.slow_channel`. A sensor tells that thread what the values are called and how to get one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from ..instruments.gauges.validity import WIDEST_RANGE, judge
from ..instruments.knob_protocol import KnobDevice, SensorDevice, SensorLimits
from ..instruments.protocols import Device, Gauge
from .stream import Stream

__all__ = ["GaugeSensor", "NamedSensor", "SlowIncident", "SlowReading", "SlowSensor", "sample_at"]


@dataclass(frozen=True)
class SlowReading:
    """A reading of a slow device.

    Attributes
    ----------
    name, unit : str
        What was read, as in the slow records of a run file.
    value : float or None
        In ``unit``; None for a reading without a value.
    status : str
        "ok" with a value, otherwise why there is none.
    host_time : float
        When the answer came, seconds since the epoch.
    clock : float
        The same on the monotonic clock of this process, s.
    """

    name: str
    unit: str
    value: float | None
    status: str
    host_time: float
    clock: float


@dataclass(frozen=True)
class SlowIncident:
    """A slow device fell silent (``returned`` is False) or answers again, at these times."""

    device: str
    message: str
    returned: bool
    host_time: float
    clock: float


class SlowSensor(Protocol):
    """A device and how a value is read from it.

    Attributes
    ----------
    family : str
        Family of the device in the rig.
    name, unit : str
        What is read, as in the slow records of a run file.
    """

    family: str
    name: str
    unit: str

    @property
    def device(self) -> Device:
        """The device; its thread alone connects, asks and disconnects it."""
        ...

    def read(self) -> tuple[float | None, str]:
        """Ask the connected device: a value with "ok", or None and why there is none.

        Raises
        ------
        DeviceError
            If it does not answer, or its answer makes no sense.
        """
        ...


class GaugeSensor:
    """The pressure, whoever wrote the gauge's driver: a number that is no pressure is none."""

    family = "gauge"
    name = "pressure"
    unit = "Pa"

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge

    @property
    def device(self) -> Device:
        """The gauge."""
        return self._gauge

    def read(self) -> tuple[float | None, str]:
        """Ask for the pressure, Pa."""
        reading = self._gauge.read()
        if reading.pressure is None or reading.status != "ok":
            return None, reading.status if reading.status != "ok" else "no value"
        return judge(float(reading.pressure), self._limits())

    def _limits(self) -> tuple[float, float]:
        """What can be a pressure, Pa; drivers judge more closely, before they correct for a gas."""
        able = getattr(self._gauge, "capabilities", None)
        low, high = WIDEST_RANGE if able is None else able.pressure_range
        return 0.1 * min(low, WIDEST_RANGE[0]), max(high, WIDEST_RANGE[1])


class NamedSensor:
    """A sensor, or the read-back of a knob, under its name in the rig.

    Parameters
    ----------
    device : SensorDevice or KnobDevice
        Named after its family and itself, such as "knob laser".
    name : str
        As in plans and records.
    """

    def __init__(self, device: SensorDevice | KnobDevice, name: str) -> None:
        self._device, self.name = device, name
        self.family, self.unit = device.name, device.limits.unit

    @property
    def device(self) -> Device:
        """The sensor or the knob."""
        return self._device

    def read(self) -> tuple[float | None, str]:
        """Ask it; of a sensor a number out of its range is no reading."""
        value, limits = self._device.read_value(), self._device.limits
        if isinstance(limits, SensorLimits):
            return limits.judge(value)
        return (value, "ok") if math.isfinite(value) else (None, "not a number")


def sample_at(stream: Stream, clock: float) -> int:
    """Index of the sample that was taken at a moment.

    Parameters
    ----------
    stream : Stream
        Asked in the thread that reads it, soon after the moment.
    clock : float
        The moment on the monotonic clock, s.

    Returns
    -------
    int
        Between 0 and the number of samples that have been read. On a virtual clock, which has no
        relation to the computer's, the next sample to be read.
    """
    if not stream.info.real_time or not math.isfinite(clock):
        return stream.position
    behind = (stream.newest_time - clock) * stream.info.sample_rate
    return min(max(0, round(stream.position - behind)), stream.position)
