"""``optobind info`` and ``optobind recover``: what a recorded file holds, and how to save it."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .options import ReadingOptions
from .output import print_json, print_result

__all__ = ["recover_file", "show_info"]


def recover_file(path: Path) -> None:
    """Copy an interrupted run to a clean file and print its path."""
    from ..acquisition.recover import recover

    print_result(str(recover(path)))


def show_info(path: Path, reading: ReadingOptions, as_json: bool) -> None:
    """Print state, samples, gaps, sample rate, events and results of a file."""
    values = _info_of(path, reading)
    if as_json:
        print_json(values)
    else:
        print_result(_table(path, values))


def _info_of(path: Path, reading: ReadingOptions) -> dict[str, Any]:
    """Describe a run file, or any other record that can be imported."""
    from ..acquisition.records.opening import open_record

    record = open_record(path, **asdict(reading))
    if record.kind == "run":
        from ..acquisition.runfile import RunFile

        with RunFile.open(path) as run:
            return run.info()
    ranges = record.recorded()
    length = ranges[0][1] - ranges[0][0]
    return {
        "path": str(path),
        "format": record.kind,
        "state": "complete",
        "samples": length * len(ranges),
        "gaps": 0,
        "lost_samples": 0,
        "sample_rate": record.sample_rate,
        "channels": list(record.names),
        "repetitions": len(ranges) if len(ranges) > 1 else None,
        "release_index": record.release_index,
        "duration": length / record.sample_rate,
        "unit": record.unit,
        "events": {},
        "results": [],
        "warnings": list(record.warnings),
    }


def _table(path: Path, values: dict[str, Any]) -> Any:
    from rich.table import Table

    table = Table(title=str(path), title_justify="left", show_header=False)
    for key, value in values.items():
        # What the releases and steps are worth is said in words.
        if key in ("path", "releases", "steps") or value is None or value == []:
            continue
        table.add_row(key.replace("_", " "), _text(key, value))
    return table


def _text(key: str, value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if key == "sample_rate":
        return f"{value:g} Hz"
    if key == "duration" and math.isfinite(value):
        return f"{value:g} s"
    return str(value)
