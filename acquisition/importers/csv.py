"""Text tables of any program: scopes' exports, spreadsheets, numpy.savetxt, pandas.

Separators are commas, semicolons, tabs or blanks; numbers may have decimal commas. What stands
above the numbers is read by ``preamble.py``, what time is by ``time_axis.py``.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...models.errors import FileError
from ...models.inference.parameters import UNITS
from ...models.units import split_number
from ..records.array_source import array_record
from ..records.record import Record, checked_rate
from .cells import clock_seconds, is_out_of_range, split_cells
from .checks import finite_columns, not_measured
from .layout import Layout, lay_out
from .names import ColumnName, Unit, is_time_name, known_unit
from .preamble import Preamble, read_preamble
from .reading import Reading, time_and_columns
from .scale_keys import scale_of_count
from .text import read_text
from .time_axis import Axis, TimeColumn, find_axis

__all__ = ["load_csv"]

# Rows from which whole numbers are no accident.
_LEAST_WHOLE = 32
# Numbers in a row from which more of them than rows are no channels.
_LEAST_ACROSS = 8
# Divisions of a scope's screen that no voltage leaves by far.
_MOST_DIVISIONS = 50.0


def load_csv(path: Path, reading: Reading) -> Record:
    """Read a table.

    Raises
    ------
    FileError
        If it is not a table of finite numbers, its units are not known, or the rate is missing,
        contradictory or uneven.
    InputError
        If the user names columns that are not there.
    """
    source = str(path)
    text = read_text(path)
    layout = lay_out(source, text)
    values = _table(source, layout)
    width = values.shape[1]
    head = read_preamble(source, layout.above, layout.comments, layout.delimiter, layout.width)
    left_out = _keep_numbers(head, layout)
    _check_shape(source, values, reading)
    names = [f"z{j + 1}" for j in range(width)]
    if head.columns is not None:
        names = [column.name for column in head.columns]
    chosen_time, chosen = time_and_columns(reading, names, source)
    segments = _segments(source, head, len(values))
    first = finite_columns(values[: len(values) // segments])
    axis = find_axis(
        source,
        [_time_column(source, head, layout, names, first, j) for j in range(width)],
        head.stated,
        reading.rate,
        chosen_time,
        chosen,
    )
    columns = list(chosen or (j for j in range(width) if j not in axis.columns))
    if not columns:
        shown = ", ".join(repr(names[j]) if head.columns else str(j) for j in sorted(axis.columns))
        raise FileError(f"{source} holds a column of time, {shown}, and no samples beside it")
    return _record(path, head, values, names, columns, axis, segments, left_out)


def _record(
    path: Path,
    head: Preamble,
    values: NDArray[np.float64],
    names: list[str],
    columns: list[int],
    axis: Axis,
    segments: int,
    left_out: list[str],
) -> Record:
    """Make the record of the chosen columns, in their SI unit."""
    source = str(path)
    _check_finite(source, values, columns)
    units, said = _units(source, head, values, columns)
    scale = np.array([unit.factor for unit in units])
    data = np.ascontiguousarray(values[:, columns]) * scale
    shown = [names[j] or f"z{k + 1}" for k, j in enumerate(columns)]
    if head.columns is None:
        shown = [f"z{k + 1}" for k in range(len(columns))]
    rate = checked_rate(source, axis.rate)
    release = None
    if segments > 1:
        data = data.reshape(segments, -1, len(columns))
        if axis.start is not None and axis.start <= 0.0:
            release = min(round(-axis.start * rate), data.shape[1] - 1)
    return array_record(
        "csv",
        path,
        rate,
        shown,
        units[0].si,
        np.ones(len(columns)),
        data,
        release,
        (*axis.warnings, *said, *left_out),
        delays=axis.delays(columns),
    )


def _table(source: str, layout: Layout) -> NDArray[np.float64]:
    """Read the numbers, and times of the day as seconds."""
    try:
        values = np.loadtxt(
            io.StringIO(layout.body),
            delimiter=layout.delimiter,
            ndmin=2,
            dtype=np.float64,
            quotechar='"',
            usecols=layout.columns,
        )
    except ValueError as error:
        raise FileError(f"{source} is not a table of numbers: {_what_is_wrong(error)}") from None
    if values.shape[0] < 2:
        raise FileError(f"{source} holds {values.shape[0]} sample; at least 2 are needed")
    if layout.clock is None or layout.columns is None:
        return np.asarray(values, np.float64)
    rows = (split_cells(line, layout.delimiter) for line in layout.body.splitlines())
    try:
        clock = [clock_seconds(cells[layout.clock]) for cells in rows]
    except (ValueError, IndexError) as error:
        raise FileError(f"{source} is not a table of numbers: {error}") from None
    place = sum(1 for j in layout.columns if j < layout.clock)
    return np.insert(np.asarray(values, np.float64), place, clock, axis=1)


def _what_is_wrong(error: ValueError) -> str:
    """What numpy says of a table, with rows and columns from 1, and what words may mean."""
    text = " ".join(str(error).split()).partition("; use `usecols`")[0]
    found = re.match(r"could not convert string (.*) to float64 at row (\d+), column (\d+)", text)
    if found is None:
        return text[:120]
    word = found[1].strip("'\"")
    said = f"row {int(found[2]) + 1}, column {found[3]} holds {word[:40]!r}"
    if re.fullmatch(r"[+-]?\d{1,3}(?:[,'\u2019\s]\d{3})+(?:[.,]\d*)?", word):
        return f"{said}: save it without thousands separators"
    return f"{said} (out of range, or missing)" if is_out_of_range(word) else said


def _keep_numbers(head: Preamble, layout: Layout) -> list[str]:
    """Leave the names of columns of words out of a head; return what is to be said of them."""
    if not layout.words:
        return []
    kept = sorted([*(layout.columns or ()), *([] if layout.clock is None else [layout.clock])])
    named = [""] * layout.width if head.columns is None else [c.name for c in head.columns]
    if head.columns is not None:
        head.columns = [head.columns[j] for j in kept]
    return [f"column {named[j] or j!r} holds words: left out" for j in layout.words]


def _check_shape(source: str, values: NDArray[np.float64], reading: Reading) -> None:
    """Refuse a table whose rows are channels."""
    rows, width = values.shape
    if reading.columns is None and width > max(rows, _LEAST_ACROSS):
        raise FileError(
            f"{source} holds {rows} rows of {width} numbers: the axes look exchanged, expected a "
            "row for each sample; exchange them (numpy: table.T) and store it again"
        )


def _check_finite(source: str, values: NDArray[np.float64], columns: list[int]) -> None:
    """Refuse NaN, infinity and 9.9e37, which scopes write for what was out of range."""
    bad = not_measured(values[:, columns])
    if bad.any():
        row, column = np.argwhere(bad)[0]
        value = values[row, columns[column]]
        what = "is not" if not np.isfinite(value) else f"is {value:g}"
        raise FileError(
            f"{source}: numbers must be finite; row {row + 1}, column {columns[column] + 1} {what}"
            " (out of range, or missing)"
        )


def _time_column(
    source: str,
    head: Preamble,
    layout: Layout,
    names: list[str],
    values: NDArray[np.float64],
    j: int,
) -> TimeColumn:
    """A column as the policy for time sees it."""
    column = head.columns[j] if head.columns is not None else ColumnName("")
    if layout.clock is not None and j == sum(1 for k in layout.columns or () if k < layout.clock):
        return TimeColumn(column.name, values[:, j], 1.0, True)
    called = is_time_name(column.name)
    if column.foreign and is_time_name(column.name.partition("(")[0].partition("[")[0]):
        raise FileError(
            f"{source}: the unit of column {column.name!r} is not known; known: s, ms, µs"
        )
    unit = column.unit.factor if column.unit is not None and column.unit.si == "s" else None
    first = j == 0 and head.columns is None
    if unit is None and head.time_unit is not None and (called or first):
        unit = head.time_unit.factor
    if unit is None and called and "segments" in head.entries and "segmentsize" in head.entries:
        unit = 1.0  # LeCroy's text files are in seconds
    name = column.name if head.columns is not None else ""
    return TimeColumn(name, values[:, j], unit, called)


def _whole(values: NDArray[np.float64]) -> bool:
    """Whether a column of some length holds whole numbers only, and not all the same."""
    return len(values) >= _LEAST_WHOLE and bool(
        np.all(values == np.round(values)) and np.ptp(values)
    )


def _units(
    source: str, head: Preamble, values: NDArray[np.float64], columns: list[int]
) -> tuple[list[Unit], list[str]]:
    """Units of the chosen columns, of one dimension; V where none is stated."""
    found, said = [], []
    for number, j in enumerate(columns):
        unit, more = _unit_of(source, head, values[:, j], number, j)
        found.append(unit)
        said += more
    if len({unit.si for unit in found}) > 1:
        shown = ", ".join(f"{j} in {u.si}" for j, u in zip(columns, found, strict=True))
        raise FileError(
            f"{source}: its columns have different units ({shown}): choose some with --columns"
        )
    if found[0].si not in UNITS:
        raise FileError(
            f"{source}: column {columns[0]} is in {found[0].si}, which is no unit of positions; "
            f"known: {', '.join(UNITS)}; choose others with --columns"
        )
    return found, said


def _unit_of(
    source: str, head: Preamble, values: NDArray[np.float64], number: int, j: int
) -> tuple[Unit, list[str]]:
    """Unit of one column, and what is to be said of it."""
    column = head.columns[j] if head.columns is not None else ColumnName("")
    if column.foreign:
        raise FileError(
            f"{source}: column {column.name!r} is in {column.other}, which is no unit of "
            f"positions; known: {', '.join(UNITS)}; choose others with --columns"
        )
    said = [f"column {column.name!r}: {column.other!r} is no unit that is known"]
    said = said if column.other else []
    stated = _stated_unit(source, head, number)
    unit, shown = column.unit or stated, repr(column.name or number)
    if unit is not None and unit.si in ("counts", "a.u."):
        return unit, said
    if not _whole(values):
        return unit or Unit("V", 1.0), said
    scale = None if column.unit is not None else scale_of_count(source, head.entries, number)
    if scale is not None:
        return scale[1], [*said, f"column {shown}: whole numbers are scaled by {scale[0]!r}"]
    if unit is None:
        said.append(
            f"column {shown}: whole numbers of no stated unit are taken for "
            "V; if they are counts, add '# unit: counts'"
        )
    elif column.unit is None:
        _check_divisions(source, head, values)
        said.append(
            f"column {shown}: whole numbers in {unit.si}; if they are counts, save them as volts"
        )
    return unit or Unit("V", 1.0), said


def _check_divisions(source: str, head: Preamble, values: NDArray[np.float64]) -> None:
    """Refuse codes that are called volts: they would fill many screens of the scope."""
    try:
        division = split_number(head.entries.get("verticalscale", [""])[0])[0]
    except ValueError:
        return
    reach = float(np.ptp(values))
    if division > 0.0 and reach > _MOST_DIVISIONS * division:
        raise FileError(
            f"{source}: whole numbers over {reach:g} do not fit its vertical scale of {division:g} "
            "a division: these are the scope's codes; save it with volts, or scale them and leave "
            "the vertical scale out"
        )


def _stated_unit(source: str, head: Preamble, number: int) -> Unit | None:
    """Unit that a key states for all columns, or for this one."""
    texts = head.unit_texts
    if not texts:
        return None
    text = texts[number] if len(texts) > 1 and number < len(texts) else texts[0]
    unit = known_unit(text)
    if unit is None:
        raise FileError(f"{source}: unit {text!r} is not known; known: {', '.join(UNITS)}")
    return unit


def _segments(source: str, head: Preamble, rows: int) -> int:
    """Segments of a sequence in a LeCroy text file; 1 for every other table."""
    count = head.entries.get("segments", ["1"])[0].strip()
    if not count.isdecimal() or int(count) < 2:
        return 1
    if rows % int(count):
        raise FileError(
            f"{source}: {rows} rows do not fill {count} segments: the file is truncated"
        )
    return int(count)
