"""Schema of ``[devices.knobs.NAME]`` and ``[devices.sensors.NAME]``.

Their values have whatever unit the table names, so the keys are read by that unit; all are SI after
validation. The keys that any knob or sensor has are kept from the driver, which gets them as its
limits; the others are its options.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ..instruments.knob_protocol import KnobLimits, SensorLimits
from ..models.errors import InputError
from ..models.unit_scale import difference_in, unit_scale
from ..models.units import Quantity, parse_quantity, shorten, split_number
from .fields import Accuracy, Duration, Lag, Table, Text, Timeout
from .plugins import PluginTable

__all__ = [
    "KnobKeys",
    "PluginKnob",
    "PluginSensor",
    "PyMeasureKnob",
    "PyMeasureSensor",
    "QcodesKnob",
    "QcodesSensor",
    "SensorKeys",
    "SimulatedKnobTable",
    "SimulatedSensorTable",
]

_TOLERANCE = 0.01  # of the range, where none is given


def _unit(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f'must be a unit such as "mW", got {shorten(value)}')
    unit_scale(value)
    return value


Unit = Annotated[str, BeforeValidator(_unit)]


def _value(value: object, info: ValidationInfo) -> object:
    """Read a value in the unit that the table names."""
    if value is None or "unit" not in info.data:
        return value
    scale = unit_scale(info.data["unit"])
    example = f"1 {scale.unit}" if scale.si else "0.5"
    units = tuple(dict.fromkeys((scale.unit, scale.si)))
    bare = None if scale.si else "value"
    return parse_quantity(value, Quantity(scale.si, -math.inf, math.inf, example, units, bare))


def _difference(value: object, info: ValidationInfo) -> object:
    """Read a difference of values: 1 degC is 1 K."""
    if value is None or "unit" not in info.data:
        return value
    return difference_in(value, unit_scale(info.data["unit"]).si)


Value = Annotated[Any, Field(description="a value in the unit")]
Difference = Annotated[Any, Field(description="a difference in the unit")]


class _ScalarKeys(Table):
    """Keys that knobs and sensors share."""

    driver: str
    unit: Unit
    timeout: Timeout = 5.0

    def options(self) -> dict[str, Any]:
        """Options of the driver; those that are not given are left to it."""
        common = {*KnobKeys.model_fields, *SensorKeys.model_fields}
        given = self.model_dump(exclude=common)
        return {key: value for key, value in given.items() if value is not None}


class KnobKeys(_ScalarKeys):
    """Keys of every knob: what it may be set to, how fast, and what it has to read then."""

    low: Value
    high: Value
    slew: Annotated[Any, Field(description="a difference per s, min, …")] = None
    tolerance: Annotated[Any, Field(description="a difference, or a share in %")] = None
    settle: Duration = 5.0

    _values = field_validator("low", "high", mode="before")(_value)

    @field_validator("slew", mode="before")
    @classmethod
    def _rate(cls, value: object, info: ValidationInfo) -> object:
        if value is None or "unit" not in info.data:
            return value
        unit = unit_scale(info.data["unit"]).si
        holds = Quantity(f"{unit or 1}/s", 0.0, math.inf, f"1 {unit or '1'}/s", (f"{unit or 1}/s",))
        return parse_quantity(value, holds)

    @field_validator("tolerance", mode="before")
    @classmethod
    def _nearness(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, str) and split_number(value)[1] == "%":
            return (0.0, 0.01 * split_number(value)[0])
        found = _difference(value, info)
        return found if found is None else (found, 0.0)

    @model_validator(mode="after")
    def _agrees(self) -> KnobKeys:
        self.limits()
        return self

    def limits(self) -> KnobLimits:
        """Unit, range, slew and tolerance, SI."""
        near, share = self.tolerance or (_TOLERANCE * (self.high - self.low), 0.0)
        try:
            return KnobLimits(
                unit_scale(self.unit),
                self.low,
                self.high,
                slew=math.inf if self.slew is None else self.slew,
                tolerance=near,
                relative=share,
                settle=self.settle,
                timeout=self.timeout,
            )
        except InputError as error:
            raise ValueError(str(error)) from None


class SensorKeys(_ScalarKeys):
    """Keys of every sensor: what it can read, and at which reading a sweep waits."""

    low: Value = None
    high: Value = None
    wait_below: Value = None
    wait_above: Value = None

    _values = field_validator("low", "high", "wait_below", "wait_above", mode="before")(_value)

    @model_validator(mode="after")
    def _agrees(self) -> SensorKeys:
        self.limits()
        return self

    def limits(self) -> SensorLimits:
        """Unit and range, SI."""
        try:
            return SensorLimits(
                unit_scale(self.unit),
                -math.inf if self.low is None else self.low,
                math.inf if self.high is None else self.high,
                timeout=self.timeout,
                wait_below=-math.inf if self.wait_below is None else self.wait_below,
                wait_above=math.inf if self.wait_above is None else self.wait_above,
            )
        except InputError as error:
            raise ValueError(str(error)) from None


class SimulatedKnobTable(KnobKeys):
    """A simulated knob: one that only remembers, or a valve that sets the pressure of the gas.

    It stands at ``value`` in the beginning (a valve where the gas is) and follows with
    ``time_constant`` where the clock is that of the wall. What it reads has an error: ``noise`` in
    its unit, of a valve ``accuracy`` as a share.
    """

    driver: Literal["simulated"]
    kind: Literal["generic", "valve"] = "generic"
    value: Value = None
    time_constant: Lag = 0.0
    noise: Difference = None
    accuracy: Accuracy = 0.0

    _start = field_validator("value", mode="before")(_value)
    _spread = field_validator("noise", mode="before")(_difference)


class SimulatedSensorTable(SensorKeys):
    """A simulated sensor: ``value`` with ``noise``, or the temperature of the gas."""

    driver: Literal["simulated"]
    kind: Literal["generic", "thermometer"] = "generic"
    value: Value = None
    noise: Difference = None

    _start = field_validator("value", mode="before")(_value)
    _spread = field_validator("noise", mode="before")(_difference)


class _PyMeasureKeys(Table):
    """A PyMeasure instrument, ``module:Class``, and what of it is read."""

    driver: Literal["pymeasure"]
    instrument: Text
    attribute: Text
    address: Text | None = None
    arguments: dict[str, Any] | None = None


class PyMeasureKnob(KnobKeys, _PyMeasureKeys):
    """A property (or method) of a PyMeasure instrument, such as ``ch_1.amplitude``.

    ``instrument`` is ``module:Class``; it is made with ``address`` and ``arguments``. ``readback``
    names what is read where that is another property than the one that is set.
    """

    driver: Literal["pymeasure"]
    readback: Text | None = None


class PyMeasureSensor(SensorKeys, _PyMeasureKeys):
    """A property (or method) of a PyMeasure instrument that is read; see the knob."""

    driver: Literal["pymeasure"]


class _QcodesKeys(Table):
    """A QCoDeS instrument, ``module:Class``, and its parameter."""

    driver: Literal["qcodes"]
    instrument: Text
    parameter: Text
    address: Text | None = None
    arguments: dict[str, Any] | None = None


class QcodesKnob(KnobKeys, _QcodesKeys):
    """A parameter of a QCoDeS instrument, such as ``ch1.frequency``.

    ``instrument`` is ``module:Class``; it is made with ``address`` and ``arguments``. ``readback``
    names the parameter that is read where that is another one.
    """

    driver: Literal["qcodes"]
    readback: Text | None = None


class QcodesSensor(SensorKeys, _QcodesKeys):
    """A parameter of a QCoDeS instrument that is read; see the knob."""

    driver: Literal["qcodes"]


class PluginKnob(KnobKeys, PluginTable):
    """A knob of another package; its options are the keys that are not every knob's."""

    model_config = ConfigDict(extra="allow")
    family = "knob"

    def options(self) -> dict[str, Any]:
        """Options as they stand in the file."""
        return dict(self.model_extra or {})


class PluginSensor(SensorKeys, PluginTable):
    """A sensor of another package; its options are the keys that are not every sensor's."""

    model_config = ConfigDict(extra="allow")
    family = "sensor"

    def options(self) -> dict[str, Any]:
        """Options as they stand in the file."""
        return dict(self.model_extra or {})
