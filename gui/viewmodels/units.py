"""Text to SI and back: "250 mW", "17 deg", "75.312 ± 0.024 kHz"."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ...models.errors import InputError
from ...models.inference.digits import measured

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

_NUMBER = re.compile(r"\s*([+\-−]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+\-−]?\d+)?)?\s*(.*?)\s*")
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
    units : mapping of str to float
        Every spelling that is understood, with its factor to SI.
    shown : tuple of str
        Units used for display, small to large.
    """

    name: str
    units: Mapping[str, float]
    shown: tuple[str, ...]


def _prefixed(unit: str, exponents: tuple[int, ...]) -> dict[str, float]:
    table = {_PREFIXES[e] + unit: 10.0**e for e in exponents}
    if -6 in exponents:  # both code points of the micro sign, and the typewriter's u
        table["u" + unit] = table["μ" + unit] = 1e-6
    return table


POWER = Dimension("power", _prefixed("W", (-9, -6, -3, 0, 3)), ("µW", "mW", "W"))
LENGTH = Dimension("length", _prefixed("m", (-12, -9, -6, -3, 0)), ("nm", "µm", "mm", "m"))
FREQUENCY = Dimension("frequency", _prefixed("Hz", (-3, 0, 3, 6, 9)), ("Hz", "kHz", "MHz"))
DURATION = Dimension(
    "time",
    {**_prefixed("s", (-9, -6, -3, 0)), "min": 60.0, "h": 3600.0},
    ("µs", "ms", "s"),
)
ANGLE = Dimension(
    "angle",
    {
        "rad": 1.0,
        "mrad": 1e-3,
        "deg": math.pi / 180.0,
        "°": math.pi / 180.0,
        "pi": math.pi,
        "π": math.pi,
    },
    ("rad",),
)
RATIO = Dimension("ratio", {"": 1.0, "%": 0.01}, ("",))
COUNT = Dimension("count", {"": 1.0}, ("",))


def parse_quantity(
    text: str,
    dimension: Dimension,
    *,
    default_unit: str | None = None,
    low: float = -math.inf,
    high: float = math.inf,
    name: str = "",
) -> float:
    """Read a number with a unit.

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
    match = _NUMBER.fullmatch(text)
    digits, unit = (match.group(1), match.group(2)) if match else (None, "")
    known = ", ".join(u or "(none)" for u in dimension.units)
    if digits is None and not (dimension is ANGLE and unit in ("pi", "π")):
        raise InputError(f"{label}: {text.strip()!r} is not a number with a unit; units: {known}")
    number = float(digits.replace("−", "-").replace(",", ".")) if digits is not None else 1.0
    if unit == "" and "" not in dimension.units:
        unit = default_unit or ""
    if unit not in dimension.units:
        raise InputError(f"{label}: unit {unit!r} is not known; units: {known}")
    value = number * dimension.units[unit]
    if dimension is COUNT and value != int(value):
        raise InputError(f"{label} must be a whole number, got {text.strip()!r}")
    if not (math.isfinite(value) and low <= value <= high):
        raise InputError(
            f"{label} must lie within {format_quantity(low, dimension)} … "
            f"{format_quantity(high, dimension)}, got {text.strip()!r}"
        )
    return value


def display_unit(value: float, dimension: Dimension) -> str:
    """Unit in which a value reads well: 1 ≤ number < 1000 where possible."""
    chosen = dimension.shown[0]
    for unit in dimension.shown:
        # 0.9999995 keeps 999.9999 µ from being shown where 1 m is meant.
        if abs(value) >= 0.9999995 * dimension.units[unit]:
            chosen = unit
    if value == 0.0:
        chosen = dimension.shown[min(1, len(dimension.shown) - 1)]
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
    number = value / dimension.units[shown]
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
