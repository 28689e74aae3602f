"""Simulated knobs and sensors: a valve and a thermometer on the world's gas, and plain ones.

Where the simulated clock runs as fast as possible, a knob is at once where it was told to be;
against the wall's clock it follows with its time constant. What is read back lies beside the truth
by an error that each set-point has of its own, so that a sweep made again finds the same.
"""

from __future__ import annotations

import math
import time
import zlib
from collections.abc import Callable

import numpy as np

from ...models.errors import InputError
from ..knob_protocol import KnobLimits, SensorLimits
from .device import SimulatedDevice
from .world import SimulatedWorld

__all__ = ["SimulatedKnob", "SimulatedSensor", "SimulatedThermometer", "SimulatedValve"]

_THERE = 1e-4  # of the way: then the lag is over


class SimulatedKnob(SimulatedDevice):
    """A knob that remembers what it is set to and follows with a lag.

    Parameters
    ----------
    world : SimulatedWorld
        Tells seed and clock.
    name : str
        Name of the device.
    limits : KnobLimits
        Unit, range, slew and tolerance.
    value : float
        Where it is in the beginning.
    time_constant : float
        Of the lag, s.
    noise : float
        Standard deviation of what is read back.
    clock : callable
        Monotonic time, s.
    """

    def __init__(
        self,
        world: SimulatedWorld,
        name: str,
        limits: KnobLimits,
        *,
        value: float,
        time_constant: float = 0.0,
        noise: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name)
        self._world, self._limits = world, limits
        self._goal = self._from = limits.check(f"{name}: value", value)
        self._lag = time_constant if world.settings.real_time else 0.0
        self._noise, self._clock, self._began = noise, clock, clock()

    @property
    def limits(self) -> KnobLimits:
        """Unit, range, slew and tolerance."""
        return self._limits

    def set_value(self, value: float) -> None:
        """Set it (SI).

        Raises
        ------
        InputError
            For a value out of range; nothing has changed then.
        """
        self._require_link()
        checked = self._limits.check(self.name, value)
        self._from = self._now()
        self._goal, self._began = checked, self._clock()
        self._act(self._now())

    def read_value(self) -> float:
        """Where it is (SI), with the error of its read-back."""
        self._require_link()
        value = self._now()
        self._act(value)
        return value + self._noise * self._error()

    def _now(self) -> float:
        """Where it truly is."""
        left = 0.0 if self._lag <= 0.0 else math.exp((self._began - self._clock()) / self._lag)
        return self._goal + self._left(left) if left > _THERE else self._goal

    def _left(self, share: float) -> float:
        """What is left of the way."""
        return share * (self._from - self._goal)

    def _act(self, value: float) -> None:
        """Let the world know; a plain knob turns nothing of it."""

    def _error(self) -> float:
        key = zlib.crc32(f"{self.name} {self._goal:.12g}".encode())
        return float(np.random.default_rng((self._world.settings.seed, key)).standard_normal())


class SimulatedValve(SimulatedKnob):
    """Sets the pressure of the world's gas, Pa; decades pass alike while it follows.

    The world follows whenever the valve is asked: each reading moves the gas to where it is.
    """

    def __init__(
        self,
        world: SimulatedWorld,
        name: str,
        limits: KnobLimits,
        *,
        time_constant: float = 0.0,
        accuracy: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        gas = world.gas
        if gas is None:
            raise InputError(f"{name} is a valve, and this rig has no gas: add [gas]")
        if limits.unit != "Pa" or not limits.low > 0.0:
            raise InputError(
                f'{name} is a valve: it sets a pressure above 0, such as unit = "mbar", '
                'low = "1e-8 mbar"'
            )
        super().__init__(
            world, name, limits, value=gas.pressure, time_constant=time_constant, clock=clock
        )  # fmt: skip
        self._accuracy = accuracy
        self._acted = gas.pressure

    def _left(self, share: float) -> float:
        return self._goal * math.expm1(share * math.log(self._from / self._goal))

    def _act(self, value: float) -> None:
        if value != self._acted:
            self._world.set_pressure(value)
            self._acted = value

    def read_value(self) -> float:
        """Pressure that it holds, Pa, with the relative error of its read-back."""
        self._require_link()
        value = self._now()
        self._act(value)
        return value * math.exp(self._accuracy * self._error())


class SimulatedSensor(SimulatedDevice):
    """A sensor that says one value, with noise.

    Parameters
    ----------
    world : SimulatedWorld
        Tells the seed.
    name : str
        Name of the device.
    limits : SensorLimits
        Unit and range.
    value : float
        What there is to be read.
    noise : float
        Standard deviation of a reading.
    """

    def __init__(
        self,
        world: SimulatedWorld,
        name: str,
        limits: SensorLimits,
        *,
        value: float = 0.0,
        noise: float = 0.0,
    ) -> None:
        super().__init__(name)
        self._world, self._limits, self._value, self._noise = world, limits, value, noise
        # Of its own: how often a thread asks must not change what the light does.
        self._rng = np.random.default_rng((world.settings.seed, zlib.crc32(name.encode())))

    @property
    def limits(self) -> SensorLimits:
        """Unit and range."""
        return self._limits

    def read_value(self) -> float:
        """Read it (SI)."""
        self._require_link()
        return self._truth() + self._noise * float(self._rng.standard_normal())

    def _truth(self) -> float:
        return self._value


class SimulatedThermometer(SimulatedSensor):
    """Reads the temperature of the world's gas, K."""

    def __init__(
        self, world: SimulatedWorld, name: str, limits: SensorLimits, *, noise: float = 0.0
    ) -> None:
        if world.gas is None:
            raise InputError(f"{name} is a thermometer, and this rig has no gas: add [gas]")
        if limits.unit != "K":
            raise InputError(f'{name} is a thermometer: unit = "K" or "degC"')
        super().__init__(world, name, limits, noise=noise)

    def _truth(self) -> float:
        gas = self._world.gas
        assert gas is not None
        return gas.temperature
