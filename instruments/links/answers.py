"""Numbers out of answers: anything but the expected form is a broken link, never a value."""

from __future__ import annotations

import math
import re

from .base import LinkError

__all__ = ["NUMBER", "SCIENTIFIC", "decimal", "match", "number"]

# A plain number, and one that must show its exponent: a cut answer of that form is recognised.
NUMBER = r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?"
SCIENTIFIC = r"[+-]?\d(?:\.\d+)?[eE][+-]\d{1,3}"


def match(pattern: str, answer: str, asked: str, address: str) -> re.Match[str]:
    """Match a whole answer.

    Parameters
    ----------
    pattern : str
        Regular expression of a good answer.
    answer, asked, address : str
        What came, what was asked, and whom; for the message.

    Raises
    ------
    LinkError
        If the answer has another form.
    """
    found = re.fullmatch(pattern, answer.strip())
    if found is None:
        raise LinkError(
            f"{address} answered {answer[:60]!r} to {asked!r}, which makes no sense: "
            "check that the right device is connected and that nothing else talks to it"
        )
    return found


def number(answer: str, asked: str, address: str, pattern: str = NUMBER, unit: str = "") -> float:
    """Return an answer as a number.

    Parameters
    ----------
    answer, asked, address : str
        As for :func:`match`.
    pattern : str
        Form of the number.
    unit : str
        Regular expression of what must follow it.

    Raises
    ------
    LinkError
        If the answer is no finite number of that form.
    """
    value = float(match(f"({pattern}){unit}", answer, asked, address)[1])
    if not math.isfinite(value):
        raise LinkError(f"{address} answered {answer[:60]!r} to {asked!r}: no finite number")
    return value


def decimal(value: float, digits: int, least: int = 0) -> str:
    """Write a number without exponent: at most ``digits``, at least ``least`` decimals."""
    text = f"{value + 0.0:.{digits}f}"
    if digits == 0:
        return text
    whole, _, part = text.partition(".")
    part = part.rstrip("0").ljust(least, "0")
    return f"{whole}.{part}" if part else ("0" if whole == "-0" else whole)
