"""One way in for every kind of recorded data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...models.errors import FileError
from ..runfile import RunFile
from .csv import load_csv
from .lecroy import is_lecroy, load_lecroy
from .npz import load_npz
from .record import Record, checked_rate

__all__ = ["load_record"]

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_NPY = b"\x93NUMPY"


def load_record(path: str | Path, *, sample_rate: float | None = None) -> Record:
    """Load a record; its format is recognised by content, not by name.

    Parameters
    ----------
    path : path-like
        Run file, LeCroy ``.raw``/``.trc``, NPZ or CSV.
    sample_rate : float, optional
        Hz, for text without a rate; where a file states one, it must agree within 1 %.

    Returns
    -------
    Record
        To be closed after use (``with``).

    Raises
    ------
    FileError
        If the file is missing, empty, truncated, foreign, or holds values that are not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise FileError(f"{path} does not exist" if not path.exists() else f"{path} is no file")
    rate = None if sample_rate is None else checked_rate(str(path), sample_rate)
    try:
        with path.open("rb") as file:
            head = file.read(512)
        if not head:
            raise FileError(f"{path} is empty")
        record = _dispatch(path, head, rate)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from None
    if rate is not None and abs(record.sample_rate / rate - 1.0) > 0.01:
        record.close()
        raise FileError(f"{path} was recorded at {record.sample_rate:g} Hz, not at {rate:g} Hz")
    return record


def _dispatch(path: Path, head: bytes, rate: float | None) -> Record:
    """Choose the reader by the first bytes."""
    if head.startswith(_HDF5) or path.suffix.lower() in (".h5", ".hdf5"):
        return _load_run(path)
    if head.startswith((_ZIP, _NPY)) or path.suffix.lower() == ".npz":
        return load_npz(path, None if not head.startswith(_ZIP) else rate)
    if is_lecroy(head):
        return load_lecroy(path)
    if path.suffix.lower() in (".raw", ".trc"):
        raise FileError(f"{path} is not a LeCroy waveform: no WAVEDESC header")
    return load_csv(path, rate)


def _load_run(path: Path) -> Record:
    """Open a run file."""
    run = RunFile.open(path)
    scale = np.asarray(run.scale, np.float64)
    return Record(
        "run", str(path), run.sample_rate, run.channels, run.unit, scale, data=None, run=run
    )
