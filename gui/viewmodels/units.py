"""Text to SI and back: "250 mW", "17 deg", "75.312 ± 0.024 kHz"."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property

from ...models.errors import InputError
from ...models.inference.digits import measured
from ...models.prefixes import prefix_for, prefix_power
from ...models.units import to_si

__all__ = [
    "ANGLE",
    "COUNT",
    "DURATION",
    "FREQUENCY",
    "LENGTH",
    "POWER",
    "RATIO",
    "VOLTAGE",
    "Dimension",
    "HeldPrefixes",
    "format_quantity",
    "format_si",
    "parse_quantity",
    "prefix_factor",
    "value_with_error",
]


@dataclass(frozen=True)
class Dimension:
    """A kind of quantity.

    Attributes
    ----------
    name : str
        For messages.
    unit : str
        SI unit of its values.
    shown : tuple of str
        Units used for display, small to large.
    """

    name: str
    unit: str
    shown: tuple[str, ...]

    @cached_property
    def factors(self) -> dict[str, float]:
        """Factors of the shown units to SI."""
        return {unit: to_si("1", self.unit, default=unit) for unit in self.shown}


POWER = Dimension("power", "W", ("µW", "mW", "W"))
LENGTH = Dimension("length", "m", ("nm", "µm", "mm", "m"))
FREQUENCY = Dimension("frequency", "Hz", ("Hz", "kHz", "MHz"))
DURATION = Dimension("time", "s", ("µs", "ms", "s"))
VOLTAGE = Dimension("voltage", "V", ("µV", "mV", "V"))
ANGLE = Dimension("angle", "rad", ("rad",))
RATIO = Dimension("ratio", "", ("",))
COUNT = Dimension("count", "", ("",))


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
        value = to_si(text, dimension.unit, default=default_unit, units=dimension.shown)
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
    units = dimension.shown
    chosen = units[0]
    for unit, factor in dimension.factors.items():
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
    number = value / dimension.factors[shown]
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
    exponent, prefix = prefix_for(value)
    return f"{_plain(value / 10.0**exponent, digits)} {prefix}{unit}".rstrip()


class HeldPrefixes:
    """Prefixes by row: one is kept while its numbers can be read, so that no row flips."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[int, str]] = {}

    def of(self, row: str, size: float) -> tuple[int, str]:
        """Exponent and prefix for a value of this size in a row."""
        held = self._held.get(row)
        if held is not None and (size == 0.0 or 0.02 <= size / 10.0 ** held[0] < 2e4):
            return held
        self._held[row] = prefix_for(size)
        return self._held[row]


def value_with_error(
    value: float,
    stderr: float | None,
    unit: str,
    held: HeldPrefixes | None = None,
    row: str = "",
) -> tuple[str, str]:
    """Split into text and unit, the prefix chosen by the larger of value and error.

    Compound units such as "V²/Hz" take no prefix: a prefixed square is easily misread. With
    ``held``, a ``row`` keeps the prefix that it had.
    """
    if not math.isfinite(value):
        return "–", unit
    spread = stderr if stderr is not None and math.isfinite(stderr) else 0.0
    size = max(abs(value), spread)
    exponent, prefix = 0, ""
    if re.fullmatch(r"[A-Za-z]+", unit) is not None:
        exponent, prefix = prefix_for(size) if held is None else held.of(row, size)
    scale = 10.0**exponent
    scaled = None if stderr is None else stderr / scale
    return measured(value / scale, scaled), prefix + unit


def prefix_factor(prefixed: str, unit: str) -> float:
    """Factor of the SI prefix in front of a unit: "kHz", "Hz" → 1000."""
    prefix = prefixed[: len(prefixed) - len(unit)] if unit else ""
    return float(10.0 ** (prefix_power(prefix) or 0))
