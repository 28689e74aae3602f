"""One way in for every kind of recorded data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py

from ...models.errors import FileError, InputError
from ..importers.catalogue import HDF5, import_file
from ..importers.reading import Reading
from ..run_digest import Progress
from ..runfile_format import SCHEMA
from .joined import joined_record
from .record import Record, checked_rate
from .run_record import run_record

__all__ = ["is_run_file", "open_record"]

_HEAD = 1024


def open_record(
    paths: str | Path | Sequence[str | Path],
    *,
    sample_rate: float | None = None,
    key: str | None = None,
    columns: str | Sequence[str | int] | None = None,
    progress: Progress = lambda share: None,
) -> Record:
    """Open a record; its format is recognised by content, not by name.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        Run file, text table of a scope or program, LeCroy waveform, NPZ, NPY, MATLAB, HDF5, WAV or
        TDMS, or what an importer of another package reads. Several run files of one rig follow one
        another, several imported files of one length stand side by side as channels.
    sample_rate : float, optional
        Hz, for files without a rate; where a file states one, it must agree within 1 %.
    key : str, optional
        Path of the array within a file that holds several, ``"detector/A"``; several with commas.
    columns : str or sequence of str or int, optional
        Columns of samples by name or number from 0, ``"t=0"`` names that of time; also in one
        text with commas, ``"t=0,1,2"``.
    progress : callable, optional
        Called with the share of the work that is done, 0 … 1: a run of millions of releases has
        as many events to be read.

    Returns
    -------
    Record
        Calibrated, with polarity and masses, where a run file states them. To be closed after use
        (``with``). What was noticed on import is in its ``warnings``.

    Raises
    ------
    FileError
        If a file is missing, empty, truncated, foreign, or holds values that are not finite.
    InputError
        If a rate is given for a run file, or several files do not belong together.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> record.unit, record.names
    ('m', ('z1', 'z2'))
    """
    if isinstance(columns, str):
        columns = columns.split(",")
    picked = None if columns is None else tuple(str(column) for column in columns)
    reading = Reading(sample_rate, key, picked)
    if isinstance(paths, str | Path):
        return _open_one(Path(paths), reading, progress)
    if not paths:
        raise InputError("no file was named: give at least one")
    total = len(paths)
    records = [
        _open_one(Path(path), reading, _part(progress, number, total))
        for number, path in enumerate(paths)
    ]
    return records[0] if len(records) == 1 else joined_record(records)


def is_run_file(path: Path) -> bool:
    """Whether a file is a run file, or one so damaged that only its reader can say more.

    Raises
    ------
    FileError
        If it is missing, a directory, empty or cannot be read.
    """
    return _is_run(path, _head_of(path))


def _part(progress: Progress, number: int, total: int) -> Progress:
    """Progress of one file of several."""
    return lambda share: progress((number + share) / total)


def _head_of(path: Path) -> bytes:
    """First bytes of a file, by which its format is known."""
    if not path.is_file():
        from ..sweeps.folder import is_sweep_folder  # which opens records itself

        if is_sweep_folder(path):
            raise FileError(
                f"{path} is the folder of a sweep: its report is made by optobind report {path}, "
                f"its records are the files in {path / 'points'}"
            )
        raise FileError(
            f"{path} does not exist" if not path.exists() else f"{path} is a directory, not a file"
        )
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}") from None
    if not head:
        raise FileError(f"{path} is empty")
    return head


def _open_one(path: Path, reading: Reading, progress: Progress) -> Record:
    """Open one file."""
    head = _head_of(path)
    if reading.rate is not None:
        checked_rate(str(path), reading.rate)
    try:
        if _is_run(path, head):
            _check_run_options(path, reading)
            return run_record(path, progress)
        return import_file(path, head, reading)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}") from None


def _is_run(path: Path, head: bytes) -> bool:
    """Whether an HDF5 file is a run file, or so damaged that only its reader can say more."""
    if not head.startswith(HDF5):
        return False
    try:
        with h5py.File(path, "r", locking=False) as file:
            stored = file.attrs.get("schema", b"")
            return isinstance(stored, bytes) and stored == SCHEMA.encode("ascii")
    except (OSError, RuntimeError, KeyError, TypeError, ValueError):
        return True


def _check_run_options(path: Path, reading: Reading) -> None:
    """A run file says by itself what it holds."""
    given = {
        "--rate": reading.rate is not None,
        "--key": reading.key is not None,
        "--columns": reading.columns is not None,
    }
    for option, there in given.items():
        if there:
            what = "records its sample rate" if option == "--rate" else "names its channels"
            raise InputError(f"{path} is a run file and {what}: leave {option} out")
