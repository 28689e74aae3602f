"""Text tables: columns of samples, with a time column, a rate in a comment, or a rate given.

Separators: comma, semicolon, tab or blanks; with the last three a decimal comma is understood. A
first line of names may be there. Comments begin with #; ``# sample_rate = 1e6``, in Hz unless a
unit follows (``1 MHz``), and ``# unit = V`` are read.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...models.errors import FileError
from ...models.units import to_si, unit_factor
from ..free_memory import require_memory
from ..records.array_source import array_record
from ..records.record import Record, checked_rate
from .npz import UNITS

__all__ = ["load_csv"]

_TIME_NAME = re.compile(
    r"(t|time|zeit|timestamp)(?:(?:[\s_/]*[\(\[]\s*|[\s_/]+)(\w+)\s*[\)\]]?)?", re.IGNORECASE
)
_COMMENT = re.compile(r"#([^\r\n]*)")
# A comma before a digit may be a decimal one: 1,5 MHz must not be read as 1.
_CELLS = re.compile(r"[;\t#]|,(?!\d)")
_ENTRY = re.compile(r"(sample_rate|unit)\s*[:=]\s*(.*)", re.I)
# Largest relative deviation of one step from the mean step of a time column.
_JITTER = 0.01
_MEMORY_PER_BYTE = 8  # text, lines, the text of all lines again, and numbers
_MAX_SIZE = 2_000_000_000


def load_csv(path: Path, sample_rate: float | None = None) -> Record:
    """Read a table.

    Raises
    ------
    FileError
        If it is not a table of finite numbers, or the rate is missing, contradictory or uneven.
    """
    if path.stat().st_size > _MAX_SIZE:
        raise FileError(f"{path} is too long for a text file; store it as NPZ")
    require_memory(path, _MEMORY_PER_BYTE * path.stat().st_size, "its numbers")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise FileError(
            f"{path} is neither a run file, LeCroy waveform, NPZ nor text: its format is not known"
        ) from None
    comments = _comments(text)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise FileError(f"{path} is empty: expected a table of numbers")
    delimiter = _delimiter(lines[0])
    names = _header(lines[0], delimiter)
    values = _table(path, lines[1:] if names else lines, delimiter)
    columns = values.shape[1]
    if names is not None and len(names) != columns:
        raise FileError(f"{path}: {len(names)} names in the first line for {columns} columns")
    stated = _stated_rate(path, sample_rate, comments)
    rate, first = _time_column(path, values, names, stated)
    if rate is None:
        raise FileError(
            f"{path} states no rate: give it (--rate HZ of fit spectrum), or add "
            "'# sample_rate = …' or a column of time"
        )
    unit = comments.get("unit", "V")
    if unit not in UNITS:
        raise FileError(f"{path}: unit {unit!r} is not known; known: {', '.join(UNITS)}")
    data = np.ascontiguousarray(values[:, first:])
    chosen = names[first:] if names else [f"z{j + 1}" for j in range(data.shape[1])]
    ones = np.ones(data.shape[1])
    return array_record("csv", path, checked_rate(str(path), rate), chosen, unit, ones, data)


def _comments(text: str) -> dict[str, str]:
    """Entries ``sample_rate = …`` and ``unit = …`` of comments, each to the end of its cell."""
    cells = (cell for m in _COMMENT.finditer(text) for cell in _CELLS.split(m[1]))
    entries = (_ENTRY.fullmatch(cell.strip(' "')) for cell in cells)
    return {m[1].lower(): m[2].strip(' "') for m in entries if m}


def _delimiter(line: str) -> str | None:
    """Separator of the first line; None for blanks."""
    for candidate in ("\t", ";"):
        if candidate in line:
            return candidate
    return "," if "," in line else None


def _header(line: str, delimiter: str | None) -> list[str] | None:
    """Names in the first line; None if it holds numbers."""
    cells = [cell.strip().strip('"') for cell in line.split(delimiter)]
    try:
        for cell in cells:
            float(cell.replace(",", "."))
    except ValueError:
        return cells
    return None


def _table(path: Path, lines: list[str], delimiter: str | None) -> NDArray[np.float64]:
    """Read the numbers."""
    body = "\n".join(lines)
    if delimiter != "," and "," in body:
        body = body.replace(",", ".")
    if not body:
        raise FileError(f"{path} holds no numbers below its first line")
    try:
        values = np.loadtxt(
            io.StringIO(body), delimiter=delimiter, ndmin=2, dtype=np.float64, quotechar='"'
        )
    except ValueError as error:
        text = " ".join(str(error).split()).partition("; use `usecols`")[0][:120]
        raise FileError(f"{path} is not a table of numbers: {text}") from None
    if values.shape[0] < 2:
        raise FileError(f"{path} holds {values.shape[0]} sample; at least 2 are needed")
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise FileError(
            f"{path}: numbers must be finite; row {row + 1}, column {column + 1} is not"
        )
    return np.asarray(values, np.float64)


def _stated_rate(path: Path, given: float | None, comments: dict[str, str]) -> float | None:
    """Rate in a comment; that of the caller if there is none."""
    if "sample_rate" not in comments:
        return None if given is None else checked_rate(str(path), given)
    try:
        rate = to_si(comments["sample_rate"], "Hz", default="Hz", units=("Hz", "kHz", "MHz"))
    except ValueError as error:
        raise FileError(f"{path}: sample_rate {error}") from None
    return checked_rate(str(path), rate)


def _time_column(
    path: Path, values: NDArray[np.float64], names: list[str] | None, stated: float | None
) -> tuple[float | None, int]:
    """Rate and number of the first column of samples.

    The first column is time if its name says so or, without names and rate, if it grows evenly.
    """
    scale = _time_unit(names[0]) if names else None
    steps = np.diff(values[:, 0])
    mean = float(steps.mean())
    even = mean > 0.0 and bool(np.all(np.abs(steps - mean) <= _JITTER * mean))
    # Without a name, an evenly growing column can only be time: no detector gives a ramp.
    if names and scale and values.shape[1] < 2:
        raise FileError(f"{path} holds a column of time, {names[0]!r}, and no samples beside it")
    if values.shape[1] < 2 or not (scale or (names is None and even)):
        return stated, 0
    if not even:
        raise FileError(f"{path}: the column of time {names[0] if names else 1!r} must grow evenly")
    rate = 1.0 / (mean * (scale or 1.0))
    if stated is not None:
        if abs(rate / stated - 1.0) > _JITTER:
            raise FileError(
                f"{path}: its column of time says {rate:g} Hz, the stated rate is {stated:g} Hz"
            )
        return stated, 1
    return rate, 1


def _time_unit(name: str) -> float | None:
    """Seconds in the unit of a column of time; None if its name is not one of time."""
    found = _TIME_NAME.fullmatch(name)
    if found is None:
        return None
    return 1.0 if found[2] is None else unit_factor(found[2], "s")
