"""The one grammar of quantities: rig and plan files, options, the window and headers of tables.

A quantity is a number and a unit, "105 nm", "0,2 W", "0.5 π", "−17 deg". A comma is a decimal one;
where it could as well separate thousands, "1,000 mW", the number is refused. A bare number is
refused where a dimension is needed, with three exceptions that cannot be misread: 0 where zero is
allowed and the unit has no offset, radians for phases, and a count of elementary charges for
charges. This is the only place that knows pint.
"""

from __future__ import annotations

import math
import numbers
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from .prefixes import engineering

__all__ = [
    "Number",
    "Quantity",
    "parse_quantity",
    "shorten",
    "split_number",
    "to_si",
]

_NUMBER = re.compile(r"([+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?)(.*)", re.DOTALL)
# 1,000 is a thousand to one reader and one to another; 0,125 and 1,5 are not.
_AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?![\d])")
_THOUSANDS = re.compile(
    r"[+-]?\d{1,3}(?:[.,' \u2009]\d{3})+[.,]\d|[+-]?\d{1,3}(?:[' \u2009]\d{3})+"
)
_PI = re.compile(r"([+-]?)(?:(.*?)\s*)??(?:π|pi)(?:\s*/\s*(\d+(?:[.,]\d+)?))?")
# What is typed or printed in other ways: minus, micro and ohm signs, blanks that do not break.
_SPELLING = str.maketrans({"−": "-", "–": "-", "μ": "µ", "Ω": "Ω", "\u00a0": " ", "\u202f": " "})
# Factors joined by * / or a space, with one-digit powers: nothing that could be costly to evaluate.
_FACTOR = r"[A-Za-zµμΩ°%][A-Za-z_µμΩ°%]*(?:(?:\^|\*\*)-?\d(?:\.5)?|[²³])?"
_UNIT = re.compile(rf"(?:1\s*/\s*)?{_FACTOR}(?:\s*[*/ ]\s*{_FACTOR})*")
# What most files are written in, as SI unit and power of ten: these are read without pint, which
# takes a second to load.
_COMMON: dict[str, tuple[str, int]] = {
    "pm": ("m", -12),
    "nm": ("m", -9),
    "um": ("m", -6),
    "mm": ("m", -3),
    "m": ("m", 0),
    "ns": ("s", -9),
    "us": ("s", -6),
    "ms": ("s", -3),
    "s": ("s", 0),
    "Hz": ("Hz", 0),
    "mHz": ("Hz", -3),
    "kHz": ("Hz", 3),
    "MHz": ("Hz", 6),
    "GHz": ("Hz", 9),
    "nW": ("W", -9),
    "uW": ("W", -6),
    "mW": ("W", -3),
    "W": ("W", 0),
    "kW": ("W", 3),
    "mV": ("V", -3),
    "uV": ("V", -6),
    "V": ("V", 0),
    "V/m": ("V/m", 0),
    "rad": ("rad", 0),
    "mrad": ("rad", -3),
    "K": ("K", 0),
    "Pa": ("Pa", 0),
    "mbar": ("Pa", 2),
    "kg/m^3": ("kg/m^3", 0),
    "B": ("B", 0),
    "kB": ("B", 3),
    "MB": ("B", 6),
    "GB": ("B", 9),
    "TB": ("B", 12),
}
# Factors that are no powers of ten and are read without pint, too.
_OTHERS: dict[str, tuple[str, float]] = {
    "deg": ("rad", math.pi / 180.0),
    "°": ("rad", math.pi / 180.0),
    "min": ("s", 60.0),
    "h": ("s", 3600.0),
    "%": ("", 0.01),
}
_ELEMENTARY_CHARGE = 1.602176634e-19  # C, exact


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

    def check(self, value: object) -> float:
        """Return a number that is in ``unit`` already as a float.

        Raises
        ------
        ValueError
            One line, without the key: no number, or out of range.
        """
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise ValueError(f"must be a number in {self.describe_range()}, got {shorten(value)}")
        return self.within(float(value), value)

    def within(self, number: float, given: object) -> float:
        """Return the number if it is in the range; ``given`` is what the message quotes."""
        if not self.low <= number <= self.high:  # nor NaN
            raise ValueError(f"must lie in {self.describe_range()}, got {shorten(given)}")
        return number


@dataclass(frozen=True)
class Number:
    """What a key that holds a plain number may be.

    Attributes
    ----------
    low, high : float
        Allowed range.
    whole : bool
        Whether it counts something.
    """

    low: float
    high: float
    whole: bool = False

    def check(self, value: object) -> float:
        """Return the number as an int if ``whole``, else as a float.

        Raises
        ------
        ValueError
            One line, without the key: no such number, or out of range.
        """
        needed = "whole number" if self.whole else "number"
        fits = isinstance(value, numbers.Integral if self.whole else numbers.Real)
        if isinstance(value, bool) or not fits:
            raise ValueError(
                f"must be a {needed} in {self.low:g} … {self.high:g}, got {shorten(value)}"
            )
        if not self.low <= value <= self.high:  # type: ignore[operator]
            raise ValueError(f"must lie in {self.low:g} … {self.high:g}, got {shorten(value)}")
        return int(value) if self.whole else float(value)  # type: ignore[call-overload,arg-type]


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
    return quantity.within(number, value)


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
    number, unit = split_number(text, f'a unit, such as "{quantity.example}"')
    if not unit:
        return _from_number(number, quantity)
    return _convert(number, unit, quantity.unit, quantity.units, quantity.example)


def split_number(text: str, wanted: str = "a unit") -> tuple[float, str]:
    """Split a text into its number and what follows it, the unit.

    Parameters
    ----------
    text : str
        For example "0,2 W", "−17 deg" or "π/2"; a multiple of π comes back in rad.
    wanted : str
        What should follow the number, for the message.

    Raises
    ------
    ValueError
        One line: no number, or one that can be read in two ways.

    Examples
    --------
    >>> split_number("0,2 W")
    (0.2, 'W')
    >>> split_number("−0.5 π")
    (-1.5707963267948966, 'rad')
    """
    plain = text.translate(_SPELLING).strip()
    if _AMBIGUOUS.match(plain) or _THOUSANDS.match(plain):
        raise ValueError(
            f"is ambiguous, thousands or decimals: {shorten(text)}; write 1000 or 1.0, without a "
            "separator of thousands"
        )
    turns = _PI.fullmatch(plain)
    if turns is not None:
        return _multiple_of_pi(turns, text), "rad"
    match = _NUMBER.fullmatch(plain)
    if match is None:
        raise ValueError(f"is not a number with {wanted}, got {shorten(text)}")
    return float(match[1].replace(",", ".")), match[2].strip()


def _multiple_of_pi(found: re.Match[str], text: str) -> float:
    """Value of "0.5 π", "-π" or "2π/3", rad."""
    factor = 1.0
    if found[2]:
        match = _NUMBER.fullmatch(found[2].removesuffix("*").removesuffix("·").strip())
        if match is None or match[2].strip():
            raise ValueError(f"is not a multiple of π, got {shorten(text)}")
        factor = float(match[1].replace(",", "."))
    divisor = float(found[3].replace(",", ".")) if found[3] else 1.0
    if divisor == 0.0:
        raise ValueError(f"divides by zero, got {shorten(text)}")
    return (-1.0 if found[1] == "-" else 1.0) * factor * math.pi / divisor


def to_si(
    text: str, unit: str, *, default: str | None = None, units: tuple[str, ...] = ()
) -> float:
    """Turn a text into a number in an SI unit, without a range.

    Parameters
    ----------
    text : str
        A number with a unit.
    unit : str
        SI unit of the result; "" for a plain number or a percentage.
    default : str, optional
        Unit of a bare number; without it a bare number is refused, unless ``unit`` is "".
    units : tuple of str
        Units to propose.

    Raises
    ------
    ValueError
        One line; the caller knows the name of the quantity.

    Examples
    --------
    >>> to_si("50 kHz", "Hz"), to_si("50", "Hz", default="kHz")
    (50000.0, 50000.0)
    """
    known = units or (unit or "%",)
    number, given = split_number(text, f"a unit of {', '.join(known)}" if unit else "or without %")
    if not given:
        if unit and default is None:
            raise ValueError(f"needs a unit of {', '.join(known)}, got {shorten(text)}")
        given = default or ""
    return number if given == unit else _convert(number, given, unit, known, f"1 {known[0]}")


def shorten(value: object) -> str:
    """Quote a value in a message, cut to a length that fits in a line."""
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        text = "a huge integer"
    return text if len(text) <= 60 else f"{text[:57]}…"


def _known(units: tuple[str, ...], example: str) -> str:
    return f"known: {', '.join(units)}" + (f', such as "{example}"' if example else "")


def _unknown(unit: str, units: tuple[str, ...], example: str) -> str:
    return f"has the unknown unit {shorten(unit)}; {_known(units, example)}"


def _misfit(unit: str, units: tuple[str, ...], example: str) -> str:
    return f"has the unit {shorten(unit)}, which does not fit; {_known(units, example)}"


def _convert(number: float, unit: str, target: str, units: tuple[str, ...], example: str) -> float:
    """Convert, with pint if need be; hertz and rad/s are kept apart, which pint does not do."""
    plain = unit.replace("µ", "u")
    si, power = _COMMON.get(plain, ("", 0))
    if si and si == target:
        return number * float(f"1e{power}")
    other, factor = _OTHERS.get(plain, ("", math.nan))
    if plain in _OTHERS and other == target:
        return number * factor
    if si or plain in _OTHERS:  # known, of another dimension: no need to ask
        raise ValueError(_misfit(unit, units, example))
    if _UNIT.fullmatch(unit) is None or not target:
        raise ValueError(_unknown(unit, units, example))
    return _convert_with_pint(number, unit, target, units, example)


def _convert_with_pint(
    number: float, unit: str, target: str, units: tuple[str, ...], example: str
) -> float:
    """Convert what is not written every day."""
    registry = _registry()
    try:
        measured = registry.Quantity(number, registry.Unit(unit))
    # pint lets errors of its tokenizer and parser through beside its own.
    except (AttributeError, ValueError, AssertionError, SyntaxError, TypeError, ArithmeticError):
        raise ValueError(_unknown(unit, units, example)) from None
    except Exception as error:
        if type(error).__module__.startswith(("pint", "tokenize")):
            raise ValueError(_unknown(unit, units, example)) from None
        raise
    try:
        result = float(measured.to(registry.Unit(target)).magnitude)
    except Exception as error:
        if not type(error).__module__.startswith("pint"):
            raise
        raise ValueError(_misfit(unit, units, example)) from None
    radians = measured.to_root_units().unit_items()
    if target == "Hz" and any(name == "radian" for name, _ in radians):
        result /= 2.0 * math.pi
    return result
