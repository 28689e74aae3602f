"""Keys that say what a count is worth, "volts per bit", "LSB", and how tables spell them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from ...models.errors import FileError
from ...models.inference.parameters import UNITS
from ...models.units import split_number
from .names import Unit, known_unit

__all__ = ["PER_COUNT", "SPELLED", "is_scale_of_count", "scale_of_count"]

PER_COUNT = re.compile(r"([a-zµμ]+?)per(?:count|bit|lsb|adu|tick|digit|code|adcvalue)s?")
SPELLED = {"volt": "V", "volts": "V", "v": "V", "mv": "mV", "uv": "uV", "µv": "uV", "μv": "uV",
            "m": "m", "nm": "nm", "pm": "pm", "a": "A"}  # fmt: skip
_OF_QUANTITY = {"voltage": "volt", "": "volt"}


def is_scale_of_count(key: str) -> bool:
    """Whether a key above a table, without blanks and case, says what a count is worth."""
    return key == "lsb" or PER_COUNT.fullmatch(key) is not None


def scale_of_count(
    source: str, entries: Mapping[str, Sequence[str]], number: int
) -> tuple[str, Unit] | None:
    """What a count of a column is worth, as the lines above a table say it.

    Parameters
    ----------
    source : str
        The file, for messages.
    entries : mapping
        Keys without blanks and case, and their values.
    number : int
        Of the column, among those of samples.

    Returns
    -------
    tuple of str and Unit, or None
        The key, and the unit with the factor of a count.

    Raises
    ------
    FileError
        If it is no positive number, or its unit is not known.
    """
    for key, values in entries.items():
        if not is_scale_of_count(key) or not values:
            continue
        match = PER_COUNT.fullmatch(key)
        name = "" if match is None else match[1]
        name = _OF_QUANTITY.get(name, name)
        text = values[number] if number < len(values) else values[0]
        try:
            factor, unit = split_number(text)
        except ValueError:
            factor, unit = math.nan, ""
        known = known_unit(unit or SPELLED.get(name, name))
        if known is None or known.si not in UNITS or not (factor > 0.0 and math.isfinite(factor)):
            raise FileError(
                f"{source}: {key!r} is {text[:40]!r}: expected what a count is worth, '0.3 mV'"
            )
        return key, Unit(known.si, known.factor * factor)
    return None
