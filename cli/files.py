"""``optobind info`` and ``optobind recover``: what a recorded file holds, and how to save it."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.errors import FileError
from .options import ReadingOptions
from .output import print_json, print_result, progress_bar

if TYPE_CHECKING:
    from ..acquisition.runfile_damage import Verification

__all__ = ["recover_file", "show_info"]


def recover_file(path: Path) -> None:
    """Copy an interrupted or damaged run to a clean file and print its path."""
    from ..acquisition.recover import recover

    print_result(str(recover(path)))


def show_info(path: Path, reading: ReadingOptions, as_json: bool, verify: bool = False) -> None:
    """Print state, samples, gaps, sample rate, events and results of a file.

    Raises
    ------
    FileError
        If the file is damaged; after printing, where it can be described all the same.
    """
    found = _verified(path, reading) if verify else None
    values = _info_of(path, reading)
    if found is not None:
        values["verified"] = found.to_dict() if as_json else found.words()
    if as_json:
        print_json(values)
    else:
        print_result(_table(path, values))
    if found is not None and not found.ok:
        copied = (
            f"; optobind recover {path} copies all others" if "samples" in found.damaged else ""
        )
        raise FileError(f"{path} is damaged: {found.words()}{copied}")


def _verified(path: Path, reading: ReadingOptions) -> Verification:
    """Read all of a file and compare it with its checksums, where its format has some."""
    from ..acquisition.records.opening import open_record
    from ..acquisition.runfile import RunFile
    from ..acquisition.runfile_damage import Verification, verify

    with open_record(path, **asdict(reading)) as record:
        if record.kind != "run":
            return Verification(False, 0, {})
    with RunFile.open(path) as run, progress_bar("reading all samples") as progress:
        return verify(run, progress)


def _info_of(path: Path, reading: ReadingOptions) -> dict[str, Any]:
    """Describe a run file, or any other record that can be imported."""
    from ..acquisition.records.opening import is_run_file, open_record

    if reading == ReadingOptions() and is_run_file(path):
        from ..acquisition.runfile import RunFile

        with RunFile.open(path) as run, progress_bar("reading events") as progress:
            run.digest(progress)
            return run.info()
    record = open_record(path, **asdict(reading))  # says which options a run file does not take
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
        if key in ("path", "releases", "steps") or value is None or value in ([], {}):
            continue
        table.add_row(key.replace("_", " "), _text(key, value))
    return table


def _text(key: str, value: Any) -> str:
    if key == "readings":
        from ..acquisition.slow_summary import reading_words

        return "\n".join(f"{name}: {reading_words(entry)}" for name, entry in value.items())
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if key == "sample_rate":
        return f"{value:g} Hz"
    if key == "duration" and math.isfinite(value):
        return f"{value:g} s"
    return str(value)
