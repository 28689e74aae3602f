"""SI prefixes: the one table of them, and numbers written with the prefix that suits."""

from __future__ import annotations

import math

__all__ = ["engineering", "prefix_for", "prefix_power"]

_PREFIXES = {
    -24: "y", -21: "z", -18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "",
    3: "k", 6: "M", 9: "G", 12: "T",
}  # fmt: skip
_POWERS = {prefix: power for power, prefix in _PREFIXES.items()}


def prefix_for(size: float, *, power: int = 1) -> tuple[int, str]:
    """Choose the prefix with which a number has one to three digits before the point.

    Parameters
    ----------
    size : float
        In the unit without prefix (to the given power); zero, NaN and infinity take none.
    power : int
        Exponent of the unit: 2 for m².

    Returns
    -------
    exponent, prefix : int, str
        Power of ten of the prefix, −24 … 12 in steps of 3; divide by ``10**(exponent * power)``.

    Examples
    --------
    >>> prefix_for(75312.0), prefix_for(3e-24, power=2)
    ((3, 'k'), (-12, 'p'))
    """
    size = abs(size)
    if size == 0.0 or not math.isfinite(size):
        return 0, ""
    # A billionth keeps 999.999999999 from missing the prefix of 1000.
    exponent = 3 * math.floor((math.log10(size) + 1e-9) / (3.0 * power))
    exponent = min(max(exponent, -24), 12)
    return exponent, _PREFIXES[exponent]


def prefix_power(prefix: str) -> int | None:
    """Power of ten of a prefix, None if there is no such prefix.

    Examples
    --------
    >>> prefix_power("k"), prefix_power(""), prefix_power("?")
    (3, 0, None)
    """
    return _POWERS.get(prefix)


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

    Examples
    --------
    >>> engineering(1.05e-7, "m"), engineering(1e-7, "kg/m^3")
    ('105 nm', '1e-07 kg/m^3')
    """
    plain = not unit or unit in {"K", "rad", "kg"} or not unit.isalpha()
    if value == 0.0 or plain or not math.isfinite(value):
        return f"{value:.{digits}g} {unit}".rstrip()
    exponent, prefix = prefix_for(value)
    return f"{value / 10.0**exponent:.{digits}g} {prefix}{unit}"
