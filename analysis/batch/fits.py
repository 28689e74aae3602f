"""Fits of many files, or of blocks of them: the tasks, and the line of the table of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ...acquisition.importers.reading import picked_columns
from ...acquisition.records.opening import open_record
from ...acquisition.records.record import Record
from ...acquisition.records.selected import block_borders, stretch_of
from ...models.errors import ConvergenceError, OptobindError
from ...models.inference.result import FitResult
from ..choice import Progress
from .table import column
from .tasks import Row, Task

__all__ = ["Analysis", "fit_file", "fit_tasks", "row_of"]

Analysis = Literal["spectrum", "reheating"]


def fit_tasks(
    analysis: Analysis,
    paths: Sequence[Path],
    options: Mapping[str, Any],
    *,
    reading: Mapping[str, Any] | None = None,
    blocks: float | None = None,
    progress: Progress | None = None,
) -> list[Task]:
    """Make the tasks of fits, one for every file, or for every block of it.

    A task knows its file by path, size and time of change: what is written anew is fitted anew.

    Parameters
    ----------
    analysis : {"spectrum", "reheating"}
        Which fit.
    paths : sequence of Path
        A record each.
    options : mapping
        Keywords of :func:`optobind.analyse_spectrum` or :func:`optobind.analyse_reheating`, as
        plain values; channels may be names.
    reading : mapping, optional
        Keywords of :func:`optobind.open_record`.
    blocks : float, optional
        Length of a block, s.
    progress : callable, optional
        Called with the share of the files that were looked at, 0 … 1.
    """
    tasks: list[Task] = []
    for number, path in enumerate(paths, 1):
        common = {
            "analysis": analysis,
            "file": str(path.absolute()),
            "stamp": _stamp(path),
            "reading": dict(reading or {}),
            "options": dict(options),
        }
        for block, ends in enumerate(_blocks(path, reading or {}, blocks)):
            # Each number with its unit; a file as a whole has no block.
            place: dict[str, Any] = {"file": str(path)}
            if blocks is not None:
                place["block"] = block if ends is not None else None
            tasks.append(Task(fit_file, {**common, "ends": ends}, place))
        if progress is not None:
            progress(number / len(paths))
    return tasks


def _stamp(path: Path) -> list[int] | None:
    """Size and time of change; None for a file that is not there, which its line will say."""
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]


def _blocks(
    path: Path, reading: Mapping[str, Any], seconds: float | None
) -> Sequence[tuple[int, int] | None]:
    """Borders of the blocks of a file; one that cannot be read is a task all the same."""
    if seconds is None:
        return [None]
    try:
        with open_record(path, **reading) as record:
            return block_borders(record, seconds)
    except OptobindError:
        return [None]


def fit_file(
    *,
    analysis: Analysis,
    file: str,
    stamp: Sequence[int] | None,  # part of the key: a changed file is another task
    reading: Mapping[str, Any],
    options: Mapping[str, Any],
    ends: Sequence[int] | None,
) -> Row:
    """Fit a file or a block of it; the line of the table.

    Raises
    ------
    OptobindError
        For what the line says instead of numbers: data that cannot be fitted, or no convergence.
    """
    with open_record(file, **reading) as record:
        part = record if ends is None else stretch_of(record, ends[0], ends[1])
        result = _fitted(analysis, part, dict(options))
        if not result.converged:
            raise ConvergenceError(f"the fit did not converge: {'; '.join(result.warnings)}")
        return {**_extent(part), **row_of(result)}


def _fitted(analysis: Analysis, record: Record, options: dict[str, Any]) -> FitResult:
    """Result of one of the two analyses."""
    names = options.pop("channels", None)
    if names is not None:
        texts = [str(name) for name in names]
        options["channels"] = picked_columns(texts, record.names, str(record.path), "channel")
    phase = options.pop("phase", None)
    if phase is not None:
        record = record.at_phase(phase)
    power = options.pop("power", None)
    if power is not None:
        record = record.at_power(power)
    if analysis == "spectrum":
        from ..spectrum import analyse_spectrum

        return analyse_spectrum(record, **options).result
    from ..reheating import analyse_reheating

    return analyse_reheating(record, **options).result


def _extent(record: Record) -> Row:
    """Where the samples were taken, since the beginning of the record."""
    ranges = record.recorded()
    part = record.provenance.get("stretch", (0, int(ranges.stops[-1])))
    rate = record.sample_rate
    return {
        column("start", "s"): max(float(ranges.starts[0]), float(part[0])) / rate,
        column("stop", "s"): float(ranges.stops[-1]) / rate,
        column("sample_rate", "Hz"): rate,
    }


def row_of(result: FitResult) -> Row:
    """A fit as a line: values and errors with their units, statistics, warnings.

    Parameters
    ----------
    result : FitResult
        Of any fit.
    """
    row: dict[str, Any] = {"model": result.model, "record_unit": result.input.get("unit")}
    for name, parameter in result.parameters.items():
        row[column(name, parameter.unit)] = parameter.value
        row[column(f"{name}_stderr", parameter.unit)] = parameter.stderr
    for name, value in result.statistics.items():
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            row[name] = value
    row["warnings"] = "; ".join(result.warnings)
    return row
