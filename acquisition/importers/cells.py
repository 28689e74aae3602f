"""Single cells of a text table: numbers, times of the day, and what stands where none is."""

from __future__ import annotations

import csv
import re

__all__ = ["clock_seconds", "is_clock", "is_number", "is_out_of_range", "split_cells"]

_NUMBER = re.compile(
    r'"?\s*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?|nan|inf(?:inity)?|∞)\s*"?', re.I
)
# With a date or a number of days before it, or a zone behind it: 2026-01-31T09:30:00.25+01:00.
_CLOCK = re.compile(
    r"(?:[\w.,/+\- ]*[\sT])?(\d{1,2}):(\d{2}):(\d{2}(?:[.,]\d*)?)\s*(?:Z|[+-]\d{2}:?\d{2})?"
)
# What instruments and spreadsheets write for a value that they do not have.
_NO_VALUE = re.compile(
    r"[*\-?]*|[<>].*|#.*|1\.#.*|[+\-]?(?:ovl|ol|over\w*|under\w*|clip\w*|invalid|none|null|n/?a|err\w*|"
    r"nan|inf\w*)", re.I
)  # fmt: skip


def split_cells(line: str, delimiter: str | None) -> list[str]:
    """Cells of a line; a delimiter between quotes separates nothing."""
    if delimiter is None or '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [""])
    except csv.Error:  # a cell that is longer than any
        return line.split(delimiter)


def is_number(cell: str) -> bool:
    """Whether a cell is a number with a decimal point, infinities among them."""
    return _NUMBER.fullmatch(cell.strip()) is not None


def is_clock(cell: str) -> bool:
    """Whether a cell is a time of the day with seconds, with or without a date before it."""
    return _CLOCK.fullmatch(cell.strip().strip('"')) is not None


def clock_seconds(cell: str) -> float:
    """Seconds since midnight of a time of the day.

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> clock_seconds("2026-01-31 00:01:00.25")
    60.25
    """
    found = _CLOCK.fullmatch(cell.strip().strip('"'))
    if found is None:
        raise ValueError(f"{cell[:40]!r} is no time of the day")
    hours, minutes, seconds = found.groups()
    return 3600.0 * int(hours) + 60.0 * int(minutes) + float(seconds.replace(",", "."))


def is_out_of_range(word: str) -> bool:
    """Whether a word stands for a value that was out of range, or is missing."""
    return _NO_VALUE.fullmatch(word.strip().strip('"')) is not None
