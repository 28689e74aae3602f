"""The tables of a sweep: one of what was set and found, one of when and how.

``table.csv`` depends on the samples alone, so a simulated sweep gives the same one however often it
was interrupted; ``conditions.csv`` holds times, tries and pressures.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ...models.errors import FileError
from .knobs import knob_of
from .plan import SweepPlan
from .rows import Row

__all__ = ["conditions_text", "replace_text", "table_text"]

_DIGITS = 10


def _number(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return ""
    return f"{value:.{_DIGITS}g}"


def _head(name: str, unit: str) -> str:
    """Name with its unit, as the importers of tables read it."""
    return f"{name} ({unit})" if unit else name


def table_text(plan: SweepPlan, rows: Sequence[Row]) -> str:
    """Return the table as CSV: a line per point, SI, standard errors beside the values."""
    parameters = _parameters(rows)
    axes = [(axis.knob, knob_of(axis.knob).holds.unit) for axis in plan.axes]
    heads = ["point", "kind", "repeat"]
    heads += [_head(name, unit) for name, unit in axes]
    heads += [_head(f"{name}_read", unit) for name, unit in axes]
    heads += ["outcome", "samples", "lost_samples", "stationary", "seed", "file", "fit"]
    for name, unit in parameters.items():
        heads += [_head(name, unit), _head(f"{name}_error", unit)]
    heads.append("remarks")
    return _csv([heads, *(_cells(row, len(axes), list(parameters)) for row in rows)])


def _parameters(rows: Iterable[Row]) -> dict[str, str]:
    """Units of all parameters that were fitted, in the order of their first appearance."""
    found: dict[str, str] = {}
    for row in rows:
        for name, value in (row.fit.values if row.fit is not None else {}).items():
            found.setdefault(name, value.unit)
    return found


def _cells(row: Row, axes: int, parameters: Sequence[str]) -> list[str]:
    """Cells of one line; a fit that may not be quoted leaves its numbers out and says so."""
    cells = [str(row.number), row.kind, str(row.repeat)]
    for values in (row.setting, row.read):
        cells += [_number(value) for value in values] or [""] * axes
    stationary = "" if row.stationary is None else str(row.stationary).lower()
    fit = row.fit
    state = "" if fit is None else (fit.model if fit.converged else "failed")
    seed = "" if row.seed is None else str(row.seed)
    cells += [row.outcome, str(row.samples), str(row.lost_samples), stationary, seed, row.file]
    cells.append(state)
    for name in parameters:
        found = row.value(name)
        cells += ["", ""] if found is None else [_number(found.value), _number(found.stderr)]
    said = [row.reason] if row.reason else []
    if fit is not None:
        said += [fit.failure] if fit.failure else []
        said += fit.warnings
    cells.append("; ".join(said))
    return cells


def conditions_text(rows: Sequence[Row]) -> str:
    """Return when and how each point was measured, as CSV."""
    heads = ["point", "began (UTC)", "seconds (s)", "tries", "pressure (Pa)"]
    lines = []
    for row in rows:
        began, ended = row.conditions.get("began"), row.conditions.get("ended")
        took = None if began is None or ended is None else float(ended) - float(began)
        lines.append(
            [
                str(row.number),
                "" if began is None else datetime.fromtimestamp(float(began), UTC).isoformat(),
                _number(took),
                str(row.conditions.get("tries", "")),
                _number(row.conditions.get("pressure")),
            ]
        )
    return _csv([heads, *lines])


def _csv(lines: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def replace_text(path: Path, text: str, *, durable: bool = False) -> None:
    """Write a file beside its place and move it there: readers never see half of it.

    Raises
    ------
    FileError
        If it cannot be written; the old one is still there then.
    """
    new = path.with_name(path.name + ".new")
    try:
        with new.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(new, path)
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror or error}") from None
