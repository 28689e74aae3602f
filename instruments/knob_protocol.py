"""What the suite asks of anything that can be turned (a knob) or looked at (a sensor).

A laser, a valve, a waveplate, a stage, a high voltage: one number with a range. Devices say what
they are asked to say and set what they are told; ramps, waiting and the comparison of what is read
back with what was wanted are those of the knob's :class:`KnobLimits`, done by whoever moves it.
``connect`` and ``disconnect`` set nothing. One thread at a time drives a device, that of its own;
only ``disconnect`` may come from another one, to end a call that hangs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from ..models.errors import InputError
from ..models.prefixes import engineering
from ..models.unit_scale import UnitScale
from .protocols import Device

__all__ = ["KnobDevice", "KnobLimits", "SensorDevice", "SensorLimits"]


@dataclass(frozen=True)
class KnobLimits:
    """What a knob may be set to and how fast, in SI.

    Attributes
    ----------
    scale : UnitScale
        Unit of the device and its SI unit.
    low, high : float
        Allowed range.
    slew : float
        Fastest change, per s; infinite for one that may jump.
    tolerance, relative : float
        How far the read-back may be from what was wanted: absolutely, or as a share of it,
        whichever is more.
    settle : float
        Time within which the read-back has to come that near, s.
    timeout : float
        Longest wait for one answer of the device, s.

    Raises
    ------
    InputError
        For a range that does not rise, or a tolerance that is none.

    Examples
    --------
    >>> from optobind.models.unit_scale import unit_scale
    >>> limits = KnobLimits(unit_scale("mW"), 0.0, 0.3, tolerance=1e-3)
    >>> limits.unit, limits.agrees(0.2, 0.2005)
    ('W', True)
    """

    scale: UnitScale
    low: float
    high: float
    slew: float = math.inf
    tolerance: float = 0.0
    relative: float = 0.0
    settle: float = 5.0
    timeout: float = 5.0

    def __post_init__(self) -> None:
        """Check what belongs together."""
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            low, high = self.words(self.low), self.words(self.high)
            raise InputError(f"low must be less than high, got {low} … {high}")
        if not self.slew > 0.0:
            raise InputError(f"slew must be more than 0, got {self.slew:g} {self.unit}/s")
        if min(self.tolerance, self.relative) < 0.0 or self.tolerance + self.relative == 0.0:
            raise InputError("tolerance must be more than 0: no read-back is exact")

    @property
    def unit(self) -> str:
        """SI unit of all values."""
        return self.scale.si

    def words(self, value: float) -> str:
        """Write a value with its unit."""
        return engineering(value, self.unit, 6)

    def check(self, name: str, value: float) -> float:
        """Return a value that may be set.

        Raises
        ------
        InputError
            Names the knob, the range and the value; NaN is in no range.
        """
        if not self.low <= value <= self.high:
            low, high = self.words(self.low), self.words(self.high)
            raise InputError(f"{name} must lie in {low} … {high}, got {self.words(value)}")
        return float(value)

    def margin(self, wanted: float) -> float:
        """How far a read-back may be from a value."""
        return max(self.tolerance, self.relative * abs(wanted))

    def agrees(self, wanted: float, found: float) -> bool:
        """Whether a read-back is what was wanted."""
        return abs(found - wanted) <= self.margin(wanted) * (1.0 + 1e-9)


@dataclass(frozen=True)
class SensorLimits:
    """What a sensor can read, in SI: a number outside is no reading.

    Attributes
    ----------
    scale : UnitScale
        Unit of the device and its SI unit.
    low, high : float
        Range of the sensor.
    timeout : float
        Longest wait for one answer of the device, s.
    wait_below, wait_above : float
        A sweep waits while the reading is beyond; infinite where it is not watched.
    """

    scale: UnitScale
    low: float = -math.inf
    high: float = math.inf
    timeout: float = 5.0
    wait_below: float = -math.inf
    wait_above: float = math.inf

    def __post_init__(self) -> None:
        """Check what belongs together."""
        if not self.low < self.high:
            raise InputError(f"low must be less than high, got {self.low:g} … {self.high:g}")
        if not self.wait_below < self.wait_above:
            raise InputError(
                f"wait_below must be less than wait_above, got {self.wait_below:g} … "
                f"{self.wait_above:g}"
            )

    @property
    def watched(self) -> bool:
        """Whether there is a reading at which a sweep waits."""
        return math.isfinite(self.wait_below) or math.isfinite(self.wait_above)

    def trouble(self, name: str, value: float) -> str:
        """Say that a sweep has to wait at this reading; empty where it need not."""
        for limit, word, beyond in (
            (self.wait_below, "at least", value < self.wait_below),
            (self.wait_above, "at most", value > self.wait_above),
        ):
            if beyond:
                allowed = engineering(limit, self.unit)
                return f"{name} reads {engineering(value, self.unit)}, {word} {allowed} is allowed"
        return ""

    @property
    def unit(self) -> str:
        """SI unit of all values."""
        return self.scale.si

    def judge(self, value: float) -> tuple[float | None, str]:
        """Return a value with "ok", or None and why it is no reading."""
        if not math.isfinite(value):
            return None, "not a number"
        if value < self.low:
            return None, "under range"
        if value > self.high:
            return None, "over range"
        return value, "ok"


class KnobDevice(Device, Protocol):
    """Something that can be set to a number and says where it is."""

    @property
    def limits(self) -> KnobLimits:
        """Unit, range, slew and tolerance."""
        ...

    def set_value(self, value: float) -> None:
        """Send a value (SI); does not wait until it holds.

        Raises
        ------
        InputError
            For a value out of range; nothing has been sent then.
        DeviceError
            If the device refuses it, or does not answer.
        """
        ...

    def read_value(self) -> float:
        """Ask the device where it is (SI).

        Raises
        ------
        DeviceError
            If it does not answer, or its answer is no number.
        """
        ...


class SensorDevice(Device, Protocol):
    """Something that says a number."""

    @property
    def limits(self) -> SensorLimits:
        """Unit and range."""
        ...

    def read_value(self) -> float:
        """Ask the device (SI), as it says it; whether that is a reading is judged by its range.

        Raises
        ------
        DeviceError
            If it does not answer, or its answer is no number.
        """
        ...
