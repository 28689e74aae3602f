"""Values of options, in the grammar of all quantities."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..models.errors import InputError
from ..models.units import to_si

__all__ = [
    "PAIRED",
    "ReadingOptions",
    "band_option",
    "choice_option",
    "exclude_option",
    "mixing_option",
    "quantity_option",
    "reading_options",
    "share_option",
    "sure",
    "with_default",
    "with_pairs",
]

_UNITS = {
    "Hz": ("Hz", "kHz", "MHz"),
    "s": ("ms", "s", "min", "h"),
    "Pa": ("mbar", "Pa", "hPa", "Torr"),
    "K": ("K",),
    "kg/m^3": ("kg/m^3", "g/cm^3"),
    "m": ("nm", "um", "m"),
    "rad": ("rad", "deg"),
}


@dataclass(frozen=True)
class ReadingOptions:
    """How a foreign file is to be read: the keywords of ``open_record``."""

    sample_rate: float | None = None
    key: str | None = None
    columns: tuple[str, ...] | None = None


def reading_options(rate: str | None, key: str | None, columns: str | None) -> ReadingOptions:
    """Read ``--rate``, ``--key`` and ``--columns``.

    Raises
    ------
    InputError
        If the rate is no frequency, or an entry of the columns is empty.
    """
    entries = None if columns is None else tuple(entry.strip() for entry in columns.split(","))
    if entries is not None and not all(entries):
        raise InputError(f"--columns needs numbers or names such as 1,2, got {str(columns)[:80]!r}")
    return ReadingOptions(quantity_option("--rate", rate, "Hz"), key, entries)


PAIRED = "\N{HORIZONTAL ELLIPSIS}"
"""Between the two values of an option that may be repeated."""


def with_pairs(arguments: Sequence[str], name: str) -> list[str]:
    """Put the two values behind each ``name`` into one, which a parser of lists can take."""
    joined: list[str] = []
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        joined.append(word)
        if word == name and len(waiting) > 1 and PAIRED not in waiting[0]:
            joined.append(PAIRED.join((waiting.pop(0), waiting.pop(0))))
    return joined


def with_default(
    arguments: Sequence[str], name: str, default: str, takes: Callable[[str], bool]
) -> list[str]:
    """Put a default behind each ``name`` that is not followed by a value of its own."""
    given: list[str] = []
    for word, following in zip(arguments, [*arguments[1:], ""], strict=False):
        given.append(word)
        if word == name and not takes(following):
            given.append(default)
    return given


def quantity_option(
    name: str, text: str | None, unit: str, *, signed: bool = False
) -> float | None:
    """Read the value of an option; a bare number is in ``unit``.

    Parameters
    ----------
    name : str
        The option, for messages.
    text : str or None
        As given, such as "2 MHz"; None when left out.
    unit : {"Hz", "s", "Pa", "K", "kg/m^3", "m", "rad"}
        SI unit of the result.
    signed : bool
        Whether a time may be negative.

    Raises
    ------
    InputError
        If it is no such quantity, not finite, or a negative time.
    """
    if text is None:
        return None
    try:
        value = to_si(text, unit, default=unit, units=_UNITS[unit])
    except ValueError as error:
        raise InputError(f"{name} {error}") from None
    if not (math.isfinite(value) and (unit != "s" or signed or value >= 0.0)):
        least = ", at least 0 s" if unit == "s" and not signed else ""
        raise InputError(f"{name} must be finite{least}, got {text[:60]!r}")
    return value


def sure(name: str, text: str, unit: str) -> float:
    """Read the value of an option that is always there; see :func:`quantity_option`."""
    value = quantity_option(name, text, unit)
    assert value is not None
    return value


def share_option(name: str, text: str, *, least: float = 0.0) -> float:
    """Read a share such as "10 %" or 0.1.

    Raises
    ------
    InputError
        Unless it lies between ``least`` and 1.
    """
    try:
        value = to_si(text, "")
    except ValueError as error:
        raise InputError(f"{name} {error}") from None
    if not least <= value <= 1.0:
        raise InputError(
            f"{name} must lie between {100.0 * least:g} % and 100 %, got {text[:60]!r}"
        )
    return value


def mixing_option(text: str | None) -> tuple[float, float] | None:
    """Read ``--mixing``: one share both ways, or T_12,T_21."""
    if text is None:
        return None
    parts = [share_option("--mixing", part, least=-1.0) for part in text.split(",")]
    if len(parts) > 2:
        raise InputError(f"--mixing needs one share or two, T12,T21, got {text[:60]!r}")
    return parts[0], parts[-1]


def exclude_option(ranges: Sequence[str] | None) -> tuple[tuple[float, float], ...]:
    """Read ``--exclude LO HI``, Hz unless a unit follows; it may be given several times."""
    found = []
    for text in ranges or ():
        low, both, high = text.partition(PAIRED)
        numbers = [m.start() for m in re.finditer(r"(?<!\S)[-+−]?[.,]?\d", text)]
        if not both and len(numbers) == 2:  # "60.1 kHz 61.1 kHz" as one word
            low, high = text[: numbers[1]], text[numbers[1] :]
        if not high.strip():
            raise InputError(
                f"--exclude needs two frequencies, such as --exclude 60400 61400, got {text[:40]!r}"
            )
        pair = sure("--exclude", low, "Hz"), sure("--exclude", high, "Hz")
        if not 0.0 <= pair[0] < pair[1]:
            raise InputError(f"--exclude must rise from 0 Hz or more, got {low[:30]} {high[:30]}")
        found.append(pair)
    return tuple(found)


def choice_option(name: str, text: str | None, known: Sequence[str]) -> str | None:
    """Read an option that is one of some words.

    Raises
    ------
    InputError
        Names them.
    """
    if text is not None and text not in known:
        raise InputError(f"{name} must be one of {', '.join(known)}, got {text[:60]!r}")
    return text


def band_option(text: Sequence[str] | None) -> tuple[float, float] | None:
    """Read ``--band LO HI``, Hz unless a unit follows.

    Raises
    ------
    InputError
        If one of the two is no frequency.
    """
    if text is None:
        return None
    low, high = (quantity_option("--band", entry, "Hz") for entry in text)
    assert low is not None
    assert high is not None
    return low, high
