"""Quantities with units in TOML, turned into SI floats; the only place that knows pint.

A quantity is a string of a number and a unit, "105 nm". A bare number is refused where a dimension
is needed, with three exceptions that cannot be misread: 0 where zero is allowed and the unit has no
offset, radians for phases, and a count of elementary charges for charges.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

__all__ = ["Quantity", "engineering", "parse_quantity", "shorten"]

_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*", re.DOTALL)
# Factors joined by * / or a space, with one-digit powers: nothing that could be costly to evaluate.
_FACTOR = r"[A-Za-zµμΩ°%][A-Za-z_µμΩ°%]*(?:(?:\^|\*\*)-?\d(?:\.5)?|[²³])?"
_UNIT = re.compile(rf"(?:1\s*/\s*)?{_FACTOR}(?:\s*[*/ ]\s*{_FACTOR})*")
# What most files are written in, as SI unit and power of ten: these are read without pint, which
# takes a second to load.
_COMMON: dict[str, tuple[str, int]] = {
    "nm": ("m", -9),
    "um": ("m", -6),
    "mm": ("m", -3),
    "m": ("m", 0),
    "ns": ("s", -9),
    "us": ("s", -6),
    "ms": ("s", -3),
    "s": ("s", 0),
    "Hz": ("Hz", 0),
    "kHz": ("Hz", 3),
    "MHz": ("Hz", 6),
    "uW": ("W", -6),
    "mW": ("W", -3),
    "W": ("W", 0),
    "mV": ("V", -3),
    "V": ("V", 0),
    "V/m": ("V/m", 0),
    "rad": ("rad", 0),
    "K": ("K", 0),
    "Pa": ("Pa", 0),
    "mbar": ("Pa", 2),
    "kg/m^3": ("kg/m^3", 0),
}
_ELEMENTARY_CHARGE = 1.602176634e-19  # C, exact
_PREFIXES = {-18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}


@dataclass(frozen=True)
class Quantity:
    """What a key of a rig or plan may hold.

    Attributes
    ----------
    unit : str
        SI unit of the value, in pint's spelling.
    low, high : float
        Allowed range in that unit.
    example : str
        A good value, quoted in messages.
    units : tuple of str
        Units to propose when one is not known or does not fit.
    bare : str or None
        What a bare number means: None (refused, 0 excepted), "value" (SI) or "charge" (multiples
        of the elementary charge).
    """

    unit: str
    low: float
    high: float
    example: str
    units: tuple[str, ...]
    bare: str | None = None

    def describe_range(self) -> str:
        """Return the allowed range as text."""
        return f"{engineering(self.low, self.unit)} … {engineering(self.high, self.unit)}"


def engineering(value: float, unit: str = "", digits: int = 4) -> str:
    """Write a number with a unit, "105 nm"; units that take no prefix get powers of ten.

    Parameters
    ----------
    value : float
        In ``unit``.
    unit : str
        A plain SI unit; compound units, K, rad and no unit take no prefix.
    digits : int
        Significant digits.
    """
    plain = not unit or unit in {"K", "rad", "kg"} or not unit.isalpha()
    if value == 0.0 or plain or not math.isfinite(value):
        return f"{value:.{digits}g} {unit}".rstrip()
    exponent = 3 * math.floor(math.log10(abs(value) * (1 + 1e-12)) / 3)
    exponent = min(max(exponent, -18), 9)
    return f"{value / 10.0**exponent:.{digits}g} {_PREFIXES[exponent]}{unit}"


@cache
def _registry() -> Any:
    """Create pint's registry at the first quantity: it takes longer than everything else here."""
    import pint

    return pint.UnitRegistry()


def parse_quantity(value: object, quantity: Quantity) -> float:
    """Turn a TOML value into an SI float.

    Parameters
    ----------
    value : object
        A string such as "105 nm", or a bare number where :class:`Quantity` allows one.
    quantity : Quantity
        Dimension and range.

    Raises
    ------
    ValueError
        One line: unknown unit, wrong dimension, bare number or out of range. The key is not named;
        the caller knows it.
    """
    if isinstance(value, str):
        number = _from_text(value, quantity)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = _from_number(value, quantity)
        except OverflowError:
            number = math.inf
    else:
        raise ValueError(f'needs a quantity such as "{quantity.example}", got {shorten(value)}')
    if not (math.isfinite(number) and quantity.low <= number <= quantity.high):
        raise ValueError(f"must lie in {quantity.describe_range()}, got {shorten(value)}")
    return number


def _from_number(value: float, quantity: Quantity) -> float:
    """Accept a bare number where it has one meaning only."""
    if quantity.bare == "value":
        return float(value)
    if quantity.bare == "charge" and isinstance(value, int):
        return value * _ELEMENTARY_CHARGE
    # 0 K and 0 °C differ; for every other dimension zero is zero in any unit.
    if value == 0 and quantity.unit != "K":
        return 0.0
    raise ValueError(f'needs a unit, such as "{quantity.example}", got {shorten(value)}')


def _from_text(text: str, quantity: Quantity) -> float:
    """Split number and unit, and convert."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(
            f'is not a number with a unit, such as "{quantity.example}", got {shorten(text)}'
        )
    number, unit = float(match[1]), match[2]
    if not unit:
        return _from_number(number, quantity)
    if _UNIT.fullmatch(unit) is None:
        raise ValueError(_unknown(unit, quantity))
    return _convert(number, unit, quantity)


def shorten(value: object) -> str:
    """Quote a value in a message, cut to a length that fits in a line."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        text = "a huge integer"
    return text if len(text) <= 60 else f"{text[:57]}…"


def _unknown(unit: str, quantity: Quantity) -> str:
    known = ", ".join(quantity.units)
    return f'has the unknown unit {shorten(unit)}; known: {known}, such as "{quantity.example}"'


def _convert(number: float, unit: str, quantity: Quantity) -> float:
    """Convert, with pint if need be; hertz and rad/s are kept apart, which pint does not do."""
    si, power = _COMMON.get(unit.replace("µ", "u"), ("", 0))
    if si == quantity.unit:
        return number * float(f"1e{power}")
    registry = _registry()
    try:
        measured = registry.Quantity(number, registry.Unit(unit))
    # pint lets errors of its tokenizer and parser through beside its own.
    except (AttributeError, ValueError, AssertionError, SyntaxError, TypeError, ArithmeticError):
        raise ValueError(_unknown(unit, quantity)) from None
    except Exception as error:
        if type(error).__module__.startswith(("pint", "tokenize")):
            raise ValueError(_unknown(unit, quantity)) from None
        raise
    target = registry.Unit(quantity.unit)
    try:
        result = float(measured.to(target).magnitude)
    except Exception as error:
        if not type(error).__module__.startswith("pint"):
            raise
        known = ", ".join(quantity.units)
        raise ValueError(
            f"has the unit {shorten(unit)}, which does not fit; known: {known}, "
            f'such as "{quantity.example}"'
        ) from None
    radians = measured.to_root_units().unit_items()
    if quantity.unit == "Hz" and any(name == "radian" for name, _ in radians):
        result /= 2.0 * math.pi
    return result
