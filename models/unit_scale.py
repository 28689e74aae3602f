"""Units of devices that nobody has planned for: the SI unit of a text, and the way there and back.

A laser driver speaks mA, a stage µm, a thermometer °C; plans, records and tables hold SI. What a
unit means is said by :mod:`.units`; what has no SI unit in the list here is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from .units import shorten, split_number, to_si

__all__ = ["UnitScale", "difference_in", "unit_scale"]

_SI = (
    "m", "s", "Hz", "W", "V", "A", "K", "Pa", "N", "kg", "T", "C", "J", "ohm", "F", "H", "mol",
    "m/s", "V/m", "V/s", "T/m", "W/m^2", "kg/s", "m^3/s",
)  # fmt: skip
# pint takes any number without a dimension for an angle.
_ANGLES = ("rad", "mrad", "urad", "µrad", "deg", "°", "turn")
_TRIED = (0.0, 1.0, -40.0, 1e3)
_DIGITS = 14  # a value that goes there and back is to be what it was: 0.7 W is 700 mW


@dataclass(frozen=True)
class UnitScale:
    """How a unit and its SI unit follow from each other: SI = factor × number + offset.

    Attributes
    ----------
    unit, si : str
        Of the device, and SI; empty for a plain number.
    factor, offset : float
        In the SI unit.

    Examples
    --------
    >>> unit_scale("degC").to_si(20.0), unit_scale("mW").from_si(0.7)
    (293.15, 700.0)
    """

    unit: str
    si: str
    factor: float = 1.0
    offset: float = 0.0

    def to_si(self, number: float) -> float:
        """Turn a number in the unit into SI."""
        return _rounded(self.factor * number + self.offset)

    def from_si(self, value: float) -> float:
        """Turn a value in SI into a number in the unit."""
        return _rounded((value - self.offset) / self.factor)


@cache
def unit_scale(unit: str) -> UnitScale:
    """Find the SI unit of a unit.

    Parameters
    ----------
    unit : str
        Such as "mW", "degC", "deg" or "%"; empty for a plain number.

    Raises
    ------
    ValueError
        One line: for a unit that is not known, or has no SI unit here (dBm: take "" then).
    """
    text = unit.strip()
    if not text:
        return UnitScale("", "")
    for si in ("", "rad") if text in (*_ANGLES, "%") else _SI:
        try:
            offset, *values = (to_si(f"{number} {text}", si) for number in _TRIED)
        except ValueError:
            continue
        factors = [(v - offset) / n for v, n in zip(values, _TRIED[1:], strict=True)]
        if not all(math.isclose(factor, factors[-1], rel_tol=1e-9) for factor in factors):
            break  # a logarithm
        return UnitScale(text, si, _rounded(factors[-1]), offset)
    raise ValueError(
        f"is no unit that can be used, got {shorten(unit)}; known: those of {', '.join(_SI)}, rad "
        'and %; "" for a plain number'
    )


def difference_in(text: object, si: str) -> float:
    """Turn a text into a difference of values in an SI unit: 1 degC is 1 K.

    Parameters
    ----------
    text : object
        A number with a unit.
    si : str
        SI unit; empty for a plain number.

    Raises
    ------
    ValueError
        One line, without the key: no text, no number, another dimension.

    Examples
    --------
    >>> difference_in("0.5 degC", "K"), difference_in("3 mW", "W")
    (0.5, 0.003)
    """
    if isinstance(text, int | float) and not isinstance(text, bool) and not si:
        return float(text)
    if not isinstance(text, str):
        example = f"1 {si}".strip()
        raise ValueError(f'needs a quantity such as "{example}", got {shorten(text)}')
    value = to_si(text, si)  # refuses what does not fit
    number, unit = split_number(text)
    if not unit:
        return value
    return _rounded(number * unit_scale(unit).factor)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
