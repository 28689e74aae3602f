"""One tidy table of many tasks: a line each, units in the names of the columns."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...models.errors import FileError, InputError
from .tasks import Outcome, Task

__all__ = ["check_table", "column", "unit_of_column", "write_table"]

_SUFFIXES = (".csv", ".parquet")


def column(name: str, unit: str = "") -> str:
    """Name of a column of values in a unit: "D11 [rad/s]"."""
    return f"{name} [{unit}]" if unit else name


def unit_of_column(name: str) -> str:
    """Unit in the name of a column; "" for none."""
    return name.rpartition(" [")[2].removesuffix("]") if name.endswith("]") else ""


def check_table(path: Path) -> None:
    """Refuse a table of another kind, before the work.

    Raises
    ------
    InputError
        For another suffix, a directory, or Parquet without its package.
    """
    if path.suffix not in _SUFFIXES:
        raise InputError(f"{path}: a table is written to {' or '.join(_SUFFIXES)} files")
    if path.is_dir():
        raise InputError(f"{path} is a directory, not a file")
    if path.suffix == ".parquet":
        _parquet()


def _parquet() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError(
            "Parquet needs pyarrow: install with: pip install 'optobind[parquet]', or write a .csv"
        ) from None
    return pyarrow, pyarrow.parquet


def write_table(path: Path, tasks: Sequence[Task], outcomes: Mapping[str, Outcome]) -> int:
    """Write the lines of those tasks that have an outcome, in their order; how many there are.

    The same outcomes make the same bytes. The file is replaced when the new one is complete.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    lines = [
        {**task.place, "status": found.state, "reason": found.reason, **found.row}
        for task in tasks
        if (found := outcomes.get(task.key)) is not None
    ]
    names = list(dict.fromkeys(name for line in lines for name in line))
    place = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.suffix == ".parquet":
            _write_parquet(place, names, lines)
        else:
            place.write_text(_csv(names, lines), encoding="utf-8", newline="")
        place.replace(path)
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            place.unlink(missing_ok=True)
    return len(lines)


def _csv(names: Sequence[str], lines: Sequence[Mapping[str, Any]]) -> str:
    """Text of the table; numbers with all digits, so that reading gives them back."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for line in lines:
        writer.writerow([_cell(line.get(name)) for name in names])
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def _write_parquet(place: Path, names: Sequence[str], lines: Sequence[Mapping[str, Any]]) -> None:
    """Columns of one type each, the unit in the metadata of the field as well."""
    arrow, parquet = _parquet()
    arrays, fields = [], []
    for name in names:
        values = [line.get(name) for line in lines]
        array = arrow.array(_of_one_type(values))
        unit = unit_of_column(name)
        metadata = {"unit": unit} if unit else None
        fields.append(arrow.field(name, array.type, metadata=metadata))
        arrays.append(array)
    parquet.write_table(arrow.table(arrays, schema=arrow.schema(fields)), place)


def _of_one_type(values: Sequence[Any]) -> list[Any]:
    """Whole numbers among others are such as well; what is of several kinds is text."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return [None if value is None else float(value) for value in values]
    if len(kinds) > 1 or kinds & {list, dict}:
        return [None if value is None else _cell(value) for value in values]
    return list(values)
