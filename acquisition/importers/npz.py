"""NumPy's files: archives of named arrays (``samples``, ``sample_rate``, …) and single arrays."""

from __future__ import annotations

import ast
import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np

from ...models.errors import FileError
from ..free_memory import require_memory
from ..records.record import Record
from .arrays import record_of_arrays
from .named_arrays import NamedArray
from .reading import Reading, shown_names

__all__ = ["load_npy", "load_npz"]

# What zipfile, its unpackers and NumPy raise on damaged, encrypted or foreign archives.
_UNREADABLE = (
    *(OSError, ValueError, EOFError, LookupError, TypeError, SyntaxError, RuntimeError),
    *(AttributeError, OverflowError, struct.error, lzma.LZMAError),
    *(zipfile.BadZipFile, zlib.error),
)
_MAX_HEADER = 10_000  # of NumPy, too
_MAGIC = b"\x93NUMPY"


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
        if file.read(6) == _MAGIC:  # an array under the name of an archive
            return load_npy(path, reading)
        file.seek(0)
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            return _single(path, archive, reading)
        assert archive.zip is not None  # it was just opened
        _check_content(path, archive.zip)
        _check_sizes(path, archive.zip)
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
                members += _fields(name, values)
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
        _check_size(path, "samples", file, path.stat().st_size)
        file.seek(0)
        return _single(path, np.load(file, allow_pickle=False), reading)


def _single(path: Path, values: np.ndarray, reading: Reading) -> Record:
    """Record of one array; one with fields is taken apart."""
    members = _fields("" if values.dtype.names else "samples", values)
    return record_of_arrays("npy", path, members, {}, reading)


def _fields(name: str, values: np.ndarray) -> list[NamedArray]:
    """An array, or one for each of its fields."""
    if not values.dtype.names:
        return [NamedArray.of(name, values)]
    return [
        NamedArray.of(f"{name}/{field}" if name else field, values[field])
        for field in values.dtype.names
    ]


def _check_content(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse archives of others: workbooks of Excel, and packed files of any kind."""
    names = archive.namelist()
    if any(name.startswith("xl/") for name in names):
        raise FileError(
            f"{path} is a workbook of Excel, which optobind does not read: save it as CSV"
        )
    if names and not any(name.endswith(".npy") for name in names):
        shown = shown_names(names[:3])
        raise FileError(f"{path} is an archive (ZIP) without arrays of NumPy, {shown}: unpack it")


@contextmanager
def _opened(path: Path, what: str) -> Iterator[BinaryIO]:
    """Open a file and turn what numpy says of a damaged one into a line."""
    try:
        # numpy leaves a file open that it opened itself and could not read.
        with path.open("rb") as file:
            yield file
    except FileError:
        raise
    except _UNREADABLE as error:
        text = " ".join(str(error).split())[:120]
        if "Object arrays" in text:
            raise FileError(f"{path} holds pickled objects: they are never loaded") from None
        if "pickle" in text:  # what numpy says of a file that it does not know at all
            text = "it is no archive"
        raise FileError(f"{path} cannot be read as {what} (truncated or foreign): {text}") from None


def _check_sizes(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse arrays that claim another size than they have, or more than memory holds."""
    for info in archive.infolist():
        if info.filename.endswith(".npy"):
            with archive.open(info) as member:
                _check_size(path, info.filename.removesuffix(".npy"), member, info.file_size)


def _check_size(path: Path, name: str, file: IO[bytes], length: int) -> None:
    """Compare what the header of an array claims with the bytes that there are."""
    if file.read(6) != _MAGIC:
        return  # refused by the reader of arrays
    major = file.read(2)[0]
    width = 2 if major == 1 else 4
    described = int.from_bytes(file.read(width), "little")
    text = file.read(min(described, _MAX_HEADER)).decode("latin-1")
    shape, dtype = _described(text)
    size = math.prod(shape) * dtype.itemsize
    if not dtype.hasobject and size != length - 8 - width - described:
        raise FileError(f"{path}: {name} of shape {shape} is not {length} bytes long")
    # Once as stored, once as 64-bit numbers, and marks of which are finite.
    require_memory(path, size + math.prod(shape) * 9, f"{name} of shape {shape}")


def _described(text: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type that the header of an array states."""
    found = ast.literal_eval(text.strip())
    shape = tuple(found["shape"]) if isinstance(found, dict) else None
    if shape is None or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("its header makes no sense")
    return shape, np.dtype(found["descr"])
