"""NumPy's files: archives of named arrays (``samples``, ``sample_rate``, …) and single arrays."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...models.errors import FileError
from ..records.record import Record
from .arrays import NamedArray, record_of_arrays
from .reading import Reading

__all__ = ["load_npy", "load_npz"]


def load_npz(path: Path, reading: Reading) -> Record:
    """Read an archive; objects are never unpickled.

    ``samples`` (n,), (n, c) or (repetitions, n, c), real; ``sample_rate`` in Hz; ``unit`` "quanta",
    "m", "V" (default) or another; ``release_index`` the first sample of each repetition with
    feedback off; ``channels`` names. Archives of other programs: ``arrays.py`` says what is found.

    Raises
    ------
    FileError
        If something is missing, of the wrong shape or type, or not finite.
    """
    with _opened(path, "NPZ") as file:
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            return _single(path, archive, reading)
        members, pickled = [], []
        for name in archive.files:
            try:
                values = archive[name]
            except ValueError as error:
                if "Object arrays" not in str(error):
                    raise
                pickled.append(name)
                continue
            if isinstance(values, np.ndarray):
                members.append(NamedArray.of(name, values))
            elif name in ("samples", *reading.keys()):  # a member without NumPy's header
                raise FileError(f"{path}: {name!r} is no array of NumPy")
    if pickled and ("samples" in pickled or not any(member.is_record for member in members)):
        raise FileError(f"{path} holds pickled objects: they are never loaded")
    return record_of_arrays("npz", path, members, {}, reading)


def load_npy(path: Path, reading: Reading) -> Record:
    """Read a single array, (n,), (n, c) or (repetitions, n, c).

    Raises
    ------
    FileError
        As :func:`load_npz`; the rate must be given, or a column be time.
    """
    with _opened(path, "NPY") as file:
        return _single(path, np.load(file, allow_pickle=False), reading)


def _single(path: Path, values: np.ndarray, reading: Reading) -> Record:
    """Record of one array; one with fields is taken apart."""
    if values.dtype.names:
        members = [NamedArray.of(name, values[name]) for name in values.dtype.names]
    else:
        members = [NamedArray.of("samples", values)]
    return record_of_arrays("npy", path, members, {}, reading)


@contextmanager
def _opened(path: Path, what: str) -> Iterator[BinaryIO]:
    """Open a file and turn what numpy says of a damaged one into a line."""
    try:
        # numpy leaves a file open that it opened itself and could not read.
        with path.open("rb") as file:
            yield file
    except FileError:
        raise
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        text = " ".join(str(error).split())[:120]
        if "Object arrays" in text:
            raise FileError(f"{path} holds pickled objects: they are never loaded") from None
        if "pickle" in text:  # what numpy says of a file that it does not know at all
            text = "it is no archive"
        raise FileError(f"{path} cannot be read as {what} (truncated or foreign): {text}") from None
