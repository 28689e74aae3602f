"""Exports a record: checked before, streamed, and complete when its name appears."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...acquisition.disk_space import free_bytes
from ...acquisition.records.record import Record
from ...models.errors import FileError, InputError
from ..choice import Progress
from .decimate import SampleStream
from .extra_sinks import NetcdfSink, ParquetSink, ZarrSink
from .sinks import CsvSink, MatlabSink, NpzSink, Sink
from .tables import KINDS, Table, available, table_of

__all__ = ["FORMATS", "export"]

_SINKS: dict[str, Callable[[Path], Sink]] = {
    "csv": CsvSink,
    "npz": NpzSink,
    "mat": MatlabSink,
    "nc": NetcdfSink,
    "zarr": ZarrSink,
    "parquet": ParquetSink,
}
FORMATS = tuple(_SINKS)
"""Formats by the ending of their name."""

_TEXT_BYTES = 24  # of a number in a CSV file
_MARGIN = 1 << 20


def export(
    record: Record,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    what: Sequence[str] | None = None,
    channels: Sequence[int] | None = None,
    start: float | None = None,
    stop: float | None = None,
    decimate: int = 1,
    progress: Progress | None = None,
) -> Path:
    """Write a record in the format of other programs, in bounded memory.

    Parameters
    ----------
    record : Record
        From :func:`optobind.open_record`.
    path : path-like
        File or folder to make; it must not exist. CSV, Parquet and Zarr are folders.
    format : {"csv", "npz", "mat", "nc", "zarr", "parquet"}, optional
        By the ending of ``path`` if it is not given.
    what : sequence of str, optional
        Of "samples", "spectra", "curves", "fits", "slow", "events"; samples, slow channels and
        events of a run file, the samples of another record by default.
    channels : sequence of int, optional
        Columns of samples; all by default.
    start, stop : float, optional
        First and last time of samples, s from the record's sample 0; everything by default.
    decimate : int
        Every so many samples, behind an anti-alias filter that the metadata tell.
    progress : callable, optional
        Called with the share of the samples that are written, 0 … 1.

    Returns
    -------
    Path
        What was made.

    Raises
    ------
    InputError
        For a format or kind that is not known, a package that is missing, or a range without
        samples.
    FileError
        If ``path`` exists, cannot be written, or the disk cannot hold it.

    Examples
    --------
    >>> import optobind as ob, pathlib, tempfile
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "first.npz"
    >>> made = ob.export(record, path, stop=1e-3, decimate=4)
    >>> ob.open_record(made).sample_rate
    500000.0
    """
    target = Path(path)
    kind = format if format is not None else target.suffix.lower().lstrip(".")
    if kind not in _SINKS:
        raise InputError(f"format {kind!r} is not known; known: {', '.join(FORMATS)}")
    wanted = available(record) if what is None else tuple(dict.fromkeys(what))
    for name in wanted:
        if name not in KINDS:
            raise InputError(f"{name!r} cannot be exported; known: {', '.join(KINDS)}")
    columns = tuple(range(len(record.names))) if channels is None else tuple(channels)
    columns = record.check_columns(columns)
    rate = record.sample_rate
    stream = None
    if "samples" in wanted:
        ends = [None if t is None else round(t * rate) for t in (start, stop)]
        stream = SampleStream(record, columns, ends[0], ends[1], decimate)
    if target.exists():
        raise FileError(f"{target} exists: remove it, or choose another name")
    tables = [table_of(record, name) for name in wanted if name != "samples"]
    _require_room(target, kind, stream, tables)
    part = target.with_name(f".{target.name}.part{os.getpid()}")
    try:
        _write(_SINKS[kind](part), record, stream, tables, columns, progress)
        part.rename(target)
    except OSError as error:
        raise FileError(f"cannot write {target}: {error.strerror or error}") from None
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        part.unlink(missing_ok=True)
    return target


def _write(
    sink: Sink,
    record: Record,
    stream: SampleStream | None,
    tables: Sequence[Table],
    columns: tuple[int, ...],
    progress: Progress | None,
) -> None:
    """Write everything."""
    names = tuple(record.names[column] for column in columns)
    if stream is not None:
        watched = stream if progress is None else _Watched(stream, progress)
        sink.samples(watched, names, record.unit)
    for table in tables:
        sink.table(table)
    sink.close(_about(record, stream, tables, columns))


class _Watched(SampleStream):
    """A stream that says how far it is."""

    def __init__(self, stream: SampleStream, progress: Progress) -> None:
        self.__dict__.update(stream.__dict__, _progress=progress)

    def __iter__(self) -> Any:
        done, rows = 0, self.rows
        for piece in super().__iter__():
            yield piece
            done += len(piece[0])
            self.__dict__["_progress"](done / rows)


def _about(
    record: Record,
    stream: SampleStream | None,
    tables: Sequence[Table],
    columns: tuple[int, ...],
) -> dict[str, Any]:
    """What is known of the whole."""
    from ... import __version__

    about: dict[str, Any] = {
        "source": record.path.name,
        "written_by": f"optobind {__version__}",
        "unit": record.unit,
        "channels": [record.names[column] for column in columns],
        "masses_kg": [record.masses[column] for column in columns],
        "tables": {table.name: table.about for table in tables},
    }
    if stream is not None:
        about |= {
            "sample_rate": stream.sample_rate,
            "recorded_sample_rate": record.sample_rate,
            "decimation": stream.factor,
            "filter": stream.filter_text,
        }
    if record.warnings:
        about["warnings"] = list(record.warnings)
    return about


def _require_room(
    target: Path, kind: str, stream: SampleStream | None, tables: Sequence[Table]
) -> None:
    """Refuse what the disk cannot hold, before anything is written."""
    if not target.parent.is_dir():
        raise FileError(f"{target} cannot be written: {target.parent} is not a directory")
    needed = _MARGIN
    if stream is not None:
        number = _TEXT_BYTES if kind == "csv" else stream.dtype.itemsize
        index = 2 * _TEXT_BYTES if kind == "csv" else 16
        needed += stream.rows * (index + number * len(stream.columns))
    for table in tables:
        for column in table.columns:
            texts = column.values.dtype == object
            size = sum(map(len, column.values)) if texts else column.values.nbytes
            needed += 3 * size
    free = free_bytes(target)
    if needed > free:
        raise FileError(
            f"{target} needs about {needed / 1e6:.0f} MB, the disk has {free / 1e6:.0f} MB free: "
            "export a range (--from, --to-time), fewer channels, or --decimate"
        )
