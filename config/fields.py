"""Types of the keys in rigs and plans: quantities with their ranges, choices, Jones vectors."""

from __future__ import annotations

import cmath
import math
from functools import partial
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ..models.units import Number, Quantity, parse_quantity, shorten

__all__ = [
    "Accuracy",
    "Amplitude",
    "Bandwidth",
    "BaudRate",
    "Bits",
    "Buffer",
    "Channel",
    "Charge",
    "Damping",
    "Delay",
    "Density",
    "Detuning",
    "Duration",
    "Efficiency",
    "ElectronicNoise",
    "FieldOfView",
    "FocalLength",
    "Frequency",
    "Gain",
    "GainError",
    "Index",
    "Jones",
    "Lag",
    "Latency",
    "LeastPower",
    "Length",
    "Offset",
    "Ordinal",
    "Phase",
    "PhaseLevels",
    "PhaseScale",
    "PhaseTolerance",
    "Pitch",
    "Pixels",
    "Port",
    "Position",
    "PositionScale",
    "PositionSlew",
    "Power",
    "PowerScale",
    "PowerSlew",
    "Pressure",
    "RadioFrequency",
    "Radius",
    "SampleRate",
    "Seed",
    "Share",
    "Table",
    "Temperature",
    "Text",
    "Timeout",
    "Tolerance",
    "Velocity",
    "Voltage",
    "Waist",
    "Wavelength",
    "quantity_of",
]


class Table(BaseModel):
    """A TOML table: unknown keys are refused, values are never coerced from another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _read(quantity: Quantity, value: object) -> object:
    """Turn a string with a unit into an SI float."""
    return value if value is None else parse_quantity(value, quantity)


def _quantity(*args: Any, **kwargs: Any) -> BeforeValidator:
    """Make the validator of a quantity, which :func:`quantity_of` finds again."""
    return BeforeValidator(
        partial(_read, Quantity(*args, **kwargs)),
        json_schema_input_type=str,
    )


def quantity_of(annotation: Any) -> Quantity | None:
    """Quantity that a key, or each entry of a key, of this type holds; None for another kind."""
    for part in getattr(annotation, "__metadata__", ()):
        read = getattr(part, "func", None)
        if isinstance(read, partial) and read.func is _read:
            return read.args[0] if isinstance(read.args[0], Quantity) else None
    inner = (quantity_of(arm) for arm in get_args(annotation))
    return next((found for found in inner if found is not None), None)


_LENGTHS = ("nm", "um", "mm", "m")
_FREQUENCIES = ("Hz", "kHz", "MHz", "rad/s")

Wavelength = Annotated[float, _quantity("m", 2e-7, 2e-5, "1064 nm", _LENGTHS)]
Radius = Annotated[float, _quantity("m", 5e-9, 5e-6, "105 nm", _LENGTHS)]
Position = Annotated[float, _quantity("m", -1e-3, 1e-3, "3 um", _LENGTHS)]
Waist = Annotated[float, _quantity("m", 1e-7, 1e-4, "0.75 um", _LENGTHS)]
FieldOfView = Annotated[float, _quantity("m", 1e-6, 1e-2, "100 um", _LENGTHS)]
Density = Annotated[float, _quantity("kg/m^3", 100.0, 25000.0, "1850 kg/m^3", ("kg/m^3", "g/cm^3"))]
Charge = Annotated[float, _quantity("C", -1e-14, 1e-14, "10 e", ("e", "C"), "charge")]
Power = Annotated[float, _quantity("W", 1e-6, 20.0, "200 mW", ("uW", "mW", "W"))]
Phase = Annotated[float, _quantity("rad", -1000.0, 1000.0, "60 deg", ("deg", "rad"), "value")]
Detuning = Annotated[float, _quantity("Hz", -1e10, 1e10, "80 MHz", _FREQUENCIES)]
Pressure = Annotated[
    float, _quantity("Pa", 0.0, 1.1e5, "1e-7 mbar", ("mbar", "Pa", "hPa", "torr", "bar"))
]
Temperature = Annotated[float, _quantity("K", 1.0, 3000.0, "293 K", ("K", "degC"))]
Frequency = Annotated[float, _quantity("Hz", 1.0, 1e8, "55 kHz", _FREQUENCIES)]
SampleRate = Annotated[float, _quantity("Hz", 1e3, 1e9, "1 MHz", ("Hz", "kHz", "MHz"))]
Duration = Annotated[float, _quantity("s", 1e-6, 1e7, "2 s", ("us", "ms", "s", "min", "hour"))]
Gain = Annotated[float, _quantity("V/m", 1e-3, 1e15, "5e6 V/m", ("V/m", "V/um", "mV/nm"))]
Voltage = Annotated[float, _quantity("V", 1e-4, 100.0, "1 V", ("mV", "V"))]
Offset = Annotated[float, _quantity("V", -100.0, 100.0, "10 mV", ("mV", "V"))]
ElectronicNoise = Annotated[
    float, _quantity("V/Hz^0.5", 0.0, 1.0, "1 uV/Hz^0.5", ("V/Hz^0.5", "uV/Hz^0.5", "nV/Hz^0.5"))
]

RadioFrequency = Annotated[float, _quantity("Hz", 1e5, 1e10, "80 MHz", ("kHz", "MHz", "GHz"))]
Damping = Annotated[float, _quantity("Hz", 0.0, 1e6, "1 kHz", _FREQUENCIES)]
Delay = Annotated[float, _quantity("s", 0.0, 10.0, "1 us", ("ns", "us", "ms", "s"))]
Lag = Annotated[float, _quantity("s", 0.0, 3600.0, "2 s", ("ms", "s", "min"))]
Latency = Annotated[float, _quantity("s", 0.0, 1.0, "2 ms", ("us", "ms", "s"))]
Bandwidth = Annotated[float, _quantity("Hz", 1.0, 1e12, "5 MHz", _FREQUENCIES)]
Timeout = Annotated[float, _quantity("s", 0.01, 60.0, "2 s", ("ms", "s"))]
Buffer = Annotated[float, _quantity("s", 2.0, 600.0, "4 s", ("s", "min"))]
Amplitude = Annotated[float, _quantity("V", 0.0, 100.0, "0.3 V", ("mV", "V"))]
LeastPower = Annotated[float, _quantity("W", 0.0, 20.0, "10 mW", ("uW", "mW", "W"))]
FocalLength = Annotated[float, _quantity("m", 1e-5, 10.0, "4 mm", ("um", "mm", "cm", "m"))]
Length = Annotated[float, _quantity("m", -10.0, 10.0, "5 mm", (*_LENGTHS, "cm"))]
Pitch = Annotated[float, _quantity("m", 5e-7, 1e-3, "8 um", _LENGTHS)]
Velocity = Annotated[float, _quantity("m/s", 100.0, 2e4, "650 m/s", ("m/s", "km/s"))]
PositionScale = Annotated[
    float, _quantity("m/Hz", -1e-6, 1e-6, "2.5 um/MHz", ("um/MHz", "nm/kHz", "m/Hz"))
]
PhaseScale = Annotated[float, _quantity("V/rad", -100.0, 100.0, "1.2 V/rad", ("V/rad", "mV/rad"))]
PowerScale = Annotated[float, _quantity("V", -100.0, 100.0, "5 V", ("mV", "V"))]
PowerSlew = Annotated[float, _quantity("W/s", 1e-9, 1e9, "1 W/s", ("mW/s", "W/s"))]
PositionSlew = Annotated[float, _quantity("m/s", 1e-12, 1e3, "20 um/s", ("nm/s", "um/s", "mm/s"))]
Tolerance = Annotated[float, _quantity("m", 0.0, 1e-3, "50 nm", _LENGTHS)]
PhaseTolerance = Annotated[float, _quantity("rad", 0.0, math.pi, "5 deg", ("deg", "rad"), "value")]

_ANGLE = Quantity("rad", -math.tau, math.tau, "90 deg", ("deg", "rad"), "value")


def _bounded(kind: type[int] | type[float], low: float, high: float) -> BeforeValidator:
    """Make a validator of a plain number whose message names the whole range."""
    number = Number(low, high, whole=kind is int)
    return BeforeValidator(lambda value: value if value is None else number.check(value))


Index = Annotated[float, _bounded(float, 1.0001, 5.0)]
Efficiency = Annotated[float, _bounded(float, 1e-6, 1.0)]
Ordinal = Annotated[int, _bounded(int, 0, 63)]
Seed = Annotated[int, _bounded(int, 0, 2**63 - 1)]
PhaseLevels = Annotated[int, _bounded(int, 2, 65536)]
Accuracy = Annotated[float, _bounded(float, 0.0, 1.0)]
GainError = Annotated[float, _bounded(float, -0.99, 100.0)]
Bits = Annotated[int, _bounded(int, 8, 16)]
Channel = Annotated[int, _bounded(int, 1, 256)]
Pixels = Annotated[int, _bounded(int, 1, 65535)]
Port = Annotated[int, _bounded(int, 1, 65535)]
BaudRate = Annotated[int, _bounded(int, 110, 4_000_000)]
Share = Annotated[float, _bounded(float, 0.0, 1.0)]
Text = Annotated[str, Field(min_length=1, max_length=256)]


def _complex_entry(value: object) -> complex:
    """Read an entry of a Jones vector: a number or [re, im]."""
    if isinstance(value, complex):
        return value
    parts = list(value) if isinstance(value, list | tuple) else [value, 0.0]
    try:
        numbers = [
            float(p) for p in parts if isinstance(p, int | float) and not isinstance(p, bool)
        ]
    except OverflowError:
        numbers = []
    if len(parts) == len(numbers) == 2:
        return complex(numbers[0], numbers[1])
    raise ValueError(f"needs numbers or pairs [re, im] as entries, got {shorten(value)}")


def _jones(value: object) -> tuple[complex, complex]:
    """Read a polarisation: "x", "y", an angle from x, or a Jones vector (x, y[, 0])."""
    if isinstance(value, str):
        named = {"x": (1.0 + 0j, 0j), "y": (0j, 1.0 + 0j)}
        if value.strip().lower() in named:
            return named[value.strip().lower()]
        try:
            angle = parse_quantity(value, _ANGLE)
        except ValueError:
            raise ValueError(
                f'must be "x", "y", an angle from x such as "90 deg" or a Jones vector such as '
                f"[0, 1] or [1, [0, 1]], got {shorten(value)}"
            ) from None
        return complex(math.cos(angle)), complex(math.sin(angle))
    if not isinstance(value, list | tuple) or len(value) not in (2, 3):
        raise ValueError(f"needs a Jones vector of 2 entries such as [0, 1], got {shorten(value)}")
    entries = [_complex_entry(entry) for entry in value]
    if len(entries) == 3 and entries[2] != 0.0:
        raise ValueError(f"must lie in the x–y plane: its third entry is {value[2]!r}, not 0")
    if not all(map(cmath.isfinite, entries)):
        raise ValueError(f"needs finite entries, got {shorten(value)}")
    norm = math.hypot(abs(entries[0]), abs(entries[1]))
    if not 1e-12 < norm < 1e12:
        raise ValueError(f"must not be zero, got {shorten(value)}")
    return entries[0] / norm, entries[1] / norm


Jones = Annotated[tuple[complex, complex], BeforeValidator(_jones)]
