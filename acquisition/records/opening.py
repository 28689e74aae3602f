"""One way in for every kind of recorded data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...models.errors import FileError, InputError
from ..importers.csv import load_csv
from ..importers.lecroy import is_lecroy, load_lecroy
from ..importers.npz import load_npz
from ..run_digest import Progress
from .joined import joined_record
from .record import Record, checked_rate
from .run_record import run_record

__all__ = ["is_run_file", "open_record"]

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_NPY = b"\x93NUMPY"
_RATE_AGREES = 0.01


def open_record(
    paths: str | Path | Sequence[str | Path],
    *,
    sample_rate: float | None = None,
    progress: Progress = lambda share: None,
) -> Record:
    """Open a record; its format is recognised by content, not by name.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        Run file, LeCroy ``.raw``/``.trc``, NPZ or CSV. Several run files of one rig follow one
        another, several imported files of one length stand side by side as channels.
    sample_rate : float, optional
        Hz, for text without a rate; where an imported file states one, it must agree within 1 %.
    progress : callable, optional
        Called with the share of the work that is done, 0 … 1: a run of millions of releases has
        as many events to be read.

    Returns
    -------
    Record
        Calibrated, with polarity and masses, where a run file states them. To be closed after use
        (``with``).

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
    if isinstance(paths, str | Path):
        return _open_one(Path(paths), sample_rate, progress)
    if not paths:
        raise InputError("no file was named: give at least one")
    total = len(paths)
    records = [
        _open_one(Path(path), sample_rate, _part(progress, number, total))
        for number, path in enumerate(paths)
    ]
    return records[0] if len(records) == 1 else joined_record(records)


def is_run_file(path: Path) -> bool:
    """Whether a file is a run file, or ought to be, by its first bytes or its name.

    Raises
    ------
    FileError
        If it is missing, a directory, empty or cannot be read.
    """
    return _is_run(path, _head_of(path))


def _is_run(path: Path, head: bytes) -> bool:
    return head.startswith(_HDF5) or path.suffix.lower() in (".h5", ".hdf5")


def _part(progress: Progress, number: int, total: int) -> Progress:
    """Progress of one file of several."""
    return lambda share: progress((number + share) / total)


def _head_of(path: Path) -> bytes:
    """First bytes of a file, by which its format is known."""
    if not path.is_file():
        raise FileError(
            f"{path} does not exist" if not path.exists() else f"{path} is a directory, not a file"
        )
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from None
    if not head:
        raise FileError(f"{path} is empty")
    return head


def _open_one(path: Path, sample_rate: float | None, progress: Progress) -> Record:
    """Open one file."""
    head = _head_of(path)
    rate = None if sample_rate is None else checked_rate(str(path), sample_rate)
    try:
        record = _dispatch(path, head, rate, progress)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from None
    if rate is not None and abs(record.sample_rate / rate - 1.0) > _RATE_AGREES:
        raise FileError(f"{path} was recorded at {record.sample_rate:g} Hz, not at {rate:g} Hz")
    return record


def _dispatch(path: Path, head: bytes, rate: float | None, progress: Progress) -> Record:
    """Choose the reader by the first bytes."""
    if _is_run(path, head):
        record = run_record(path, progress)
        if rate is not None:
            raise InputError(f"{path} is a run file and records its sample rate: leave --rate out")
        return record
    if head.startswith((_ZIP, _NPY)) or path.suffix.lower() == ".npz":
        return load_npz(path, None if not head.startswith(_ZIP) else rate)
    if is_lecroy(head):
        return load_lecroy(path)
    if path.suffix.lower() in (".raw", ".trc"):
        raise FileError(f"{path} is not a LeCroy waveform: no WAVEDESC header")
    return load_csv(path, rate)
