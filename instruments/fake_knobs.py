"""Scripted fakes of a knob and a sensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .fakes import Fault, ScriptedDevice
from .knob_protocol import KnobLimits, SensorLimits

__all__ = ["FakeKnob", "FakeSensor"]


class FakeKnob(ScriptedDevice):
    """A knob that remembers every setting; it refuses nothing.

    Parameters
    ----------
    limits : KnobLimits
        Unit, range, slew and tolerance.
    value : float
        Where it is in the beginning, SI.
    astray : float
        By how much it reads too much.
    """

    def __init__(
        self,
        limits: KnobLimits,
        value: float,
        *,
        astray: float = 0.0,
        faults: Mapping[str, Mapping[int, Fault]] | None = None,
        name: str = "knob fake",
    ) -> None:
        super().__init__(name, faults)
        self.limits, self.history, self.astray = limits, [value], astray

    def set_value(self, value: float) -> None:
        """Set it."""
        self._next("set_value", linked=True)
        self.history.append(value)

    def read_value(self) -> float:
        """Where it is."""
        self._next("read_value", linked=True)
        return self.history[-1] + self.astray


class FakeSensor(ScriptedDevice):
    """Returns readings one after the other, the last one for ever."""

    def __init__(
        self,
        limits: SensorLimits,
        readings: Sequence[float],
        *,
        faults: Mapping[str, Mapping[int, Fault]] | None = None,
        name: str = "sensor fake",
    ) -> None:
        super().__init__(name, faults)
        self.limits, self._readings = limits, list(readings)

    def read_value(self) -> float:
        """Return the next reading."""
        self._next("read_value", linked=True)
        return self._readings.pop(0) if len(self._readings) > 1 else self._readings[0]
