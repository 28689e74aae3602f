"""Text to SI and back: "250 mW", "17 deg", "75.312 ± 0.024 kHz"."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ...models.errors import InputError
from ...models.inference.digits import measured
from ...models.units import to_si

__all__ = [
    "ANGLE",
    "COUNT",
    "DURATION",
    "FREQUENCY",
    "LENGTH",
    "POWER",
    "RATIO",
    "Dimension",
    "format_quantity",
    "format_si",
    "parse_quantity",
    "prefix_factor",
    "value_with_error",
]

_PREFIXES = {
    -24: "y",
    -21: "z",
    -18: "a",
    -15: "f",
    -12: "p",
    -9: "n",
    -6: "µ",
    -3: "m",
    0: "",
    3: "k",
    6: "M",
    9: "G",
    12: "T",
}


@dataclass(frozen=True)
class Dimension:
    """A kind of quantity.

    Attributes
    ----------
    name : str
        For messages.
    unit : str
        SI unit of its values.
    shown : mapping of str to float
        Units used for display, small to large, with their factors to SI.
    """

    name: str
    unit: str
    shown: Mapping[str, float]


POWER = Dimension("power", "W", {"µW": 1e-6, "mW": 1e-3, "W": 1.0})
LENGTH = Dimension("length", "m", {"nm": 1e-9, "µm": 1e-6, "mm": 1e-3, "m": 1.0})
FREQUENCY = Dimension("frequency", "Hz", {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6})
DURATION = Dimension("time", "s", {"µs": 1e-6, "ms": 1e-3, "s": 1.0})
ANGLE = Dimension("angle", "rad", {"rad": 1.0})
RATIO = Dimension("ratio", "", {"": 1.0})
COUNT = Dimension("count", "", {"": 1.0})


def parse_quantity(
    text: str,
    dimension: Dimension,
    *,
    default_unit: str | None = None,
    low: float = -math.inf,
    high: float = math.inf,
    name: str = "",
) -> float:
    """Read what was typed into a field; the grammar is that of files and options.

    Parameters
    ----------
    text : str
        For example "250 mW" or "0.5 π".
    dimension : Dimension
        What is expected.
    default_unit : str, optional
        Unit of a bare number; without it a bare number is refused unless the dimension has none.
    low, high : float
        Allowed range, SI.
    name : str
        Name of the field, for messages.

    Returns
    -------
    float
        SI.

    Raises
    ------
    InputError
        If it is no number, the unit is unknown or the value out of range.
    """
    label = name or dimension.name
    try:
        value = to_si(text, dimension.unit, default=default_unit, units=tuple(dimension.shown))
    except ValueError as error:
        raise InputError(f"{label} {error}") from None
    if dimension is COUNT and not (math.isfinite(value) and value == int(value)):
        raise InputError(f"{label} must be a whole number, got {text.strip()!r}")
    if not (math.isfinite(value) and low <= value <= high):
        raise InputError(
            f"{label} must lie within {format_quantity(low, dimension)} … "
            f"{format_quantity(high, dimension)}, got {text.strip()!r}"
        )
    return value


def display_unit(value: float, dimension: Dimension) -> str:
    """Unit in which a value reads well: 1 ≤ number < 1000 where possible."""
    units = list(dimension.shown)
    chosen = units[0]
    for unit, factor in dimension.shown.items():
        # 0.9999995 keeps 999.9999 µ from being shown where 1 m is meant.
        if abs(value) >= 0.9999995 * factor:
            chosen = unit
    if value == 0.0:
        chosen = units[min(1, len(units) - 1)]
    return chosen


def format_quantity(
    value: float | None, dimension: Dimension, *, digits: int = 4, unit: str | None = None
) -> str:
    """Write a value (SI) with a unit that reads well; an en dash for None or NaN."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    shown = display_unit(value, dimension) if unit is None else unit
    number = value / dimension.shown[shown]
    text = f"{round(number)}" if dimension is COUNT else _plain(number, digits)
    return f"{text} {shown}".rstrip()


def _plain(number: float, digits: int) -> str:
    """Write ``digits`` significant digits, without an exponent for ordinary sizes."""
    if number == 0.0:
        return "0"
    size = math.floor(math.log10(abs(number)))
    if -4 <= size < 7:
        text = f"{number:.{max(0, digits - 1 - size)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{number:.{digits}g}"
    return text.replace("-", "−")


def format_si(value: float | None, unit: str, digits: int = 4) -> str:
    """Write a value with an SI prefix: 75312, "Hz" → "75.31 kHz"."""
    if value is None or not math.isfinite(value):
        return "–"
    exponent = _exponent(abs(value))
    number = _plain(value / 10.0**exponent, digits)
    return f"{number} {_PREFIXES[exponent]}{unit}".rstrip()


def _exponent(size: float) -> int:
    """Exponent of the SI prefix that suits a size."""
    if size <= 0.0 or not math.isfinite(size):
        return 0
    return int(min(12, max(-24, 3 * math.floor((math.log10(size) + 1e-9) / 3))))


def value_with_error(value: float, stderr: float | None, unit: str) -> tuple[str, str]:
    """Split into text and unit, the prefix chosen by the larger of value and error.

    Compound units such as "V²/Hz" take no prefix: a prefixed square is easily misread.
    """
    if not math.isfinite(value):
        return "–", unit
    spread = stderr if stderr is not None and math.isfinite(stderr) else 0.0
    exponent = _exponent(max(abs(value), spread)) if re.fullmatch(r"[A-Za-z]+", unit) else 0
    scale = 10.0**exponent
    scaled = None if stderr is None else stderr / scale
    return measured(value / scale, scaled), _PREFIXES[exponent] + unit


def prefix_factor(prefixed: str, unit: str) -> float:
    """Factor of the SI prefix in front of a unit: "kHz", "Hz" → 1000."""
    prefix = prefixed[: len(prefixed) - len(unit)] if unit else ""
    return next((10.0**e for e, text in _PREFIXES.items() if text == prefix), 1.0)
