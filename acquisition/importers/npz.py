"""NumPy archives: ``samples`` and ``sample_rate``, optionally ``unit`` and ``release_index``."""

from __future__ import annotations

import ast
import lzma
import math
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.errors import FileError
from ..free_memory import require_memory
from ..records.array_source import array_record
from ..records.record import Record, checked_rate

__all__ = ["load_npz"]

UNITS = ("quanta", "m", "V")
# What zipfile, its unpackers and NumPy raise on damaged, encrypted or foreign archives.
_UNREADABLE = (
    *(OSError, ValueError, EOFError, LookupError, TypeError, SyntaxError, RuntimeError),
    *(AttributeError, OverflowError, struct.error, lzma.LZMAError),
    *(zipfile.BadZipFile, zlib.error),
)
_MAX_HEADER = 10_000  # of NumPy, too
_KEYS = ("samples", "sample_rate", "unit", "release_index", "channels")


def load_npz(path: Path, sample_rate: float | None = None) -> Record:
    """Read an archive; objects are never unpickled. A rate given counts if the file states none.

    ``samples`` (n, c) or (repetitions, n, c), real; ``sample_rate`` in Hz; ``unit`` "quanta", "m"
    or "V" (default); ``release_index`` the first sample of each repetition with feedback off.

    Raises
    ------
    FileError
        If something is missing, of the wrong shape or type, or not finite.
    """
    try:
        # numpy leaves a file open that it opened itself and could not read.
        with path.open("rb") as file:
            if file.read(6) == b"\x93NUMPY":  # not to be read: it may claim any length
                raise FileError(f"{path} is one array; expected an NPZ with samples, sample_rate")
            file.seek(0)
            archive = np.load(file, allow_pickle=False)
            assert isinstance(archive, np.lib.npyio.NpzFile)  # no pickle, no array
            _check_sizes(path, archive.zip)
            found = {name: archive[name] for name in archive.files if name in _KEYS}
            names = archive.files
    except FileError:
        raise
    except _UNREADABLE as error:
        text = " ".join(str(error).split())[:120]
        if "Object arrays" in text:
            raise FileError(f"{path} holds pickled objects: they are never loaded") from None
        if "pickle" in text:  # what numpy says of a file that it does not know at all
            text = "it is no archive"
        raise FileError(f"{path} cannot be read as NPZ (truncated or foreign): {text}") from None
    foreign = [name for name, value in found.items() if not isinstance(value, np.ndarray)]
    if foreign:  # a member without NumPy's header comes as bytes
        raise FileError(f"{path}: {foreign[0]!r} is no array of NumPy")
    if "samples" not in found:
        raise FileError(f"{path} has no array 'samples'; it has: {', '.join(names) or 'nothing'}")
    samples = _checked_samples(path, found["samples"])
    if sample_rate is None and "sample_rate" not in found:
        raise FileError(f"{path} has no 'sample_rate' (Hz); it has: {', '.join(names)}")
    stated = found.get("sample_rate")
    rate = sample_rate if stated is None else _number(path, "sample_rate", stated)
    assert rate is not None
    unit = _unit(path, found.get("unit"))
    if unit not in UNITS:
        raise FileError(f"{path}: unit {unit!r} is not known; known: {', '.join(UNITS)}")
    return array_record(
        "npz",
        path,
        checked_rate(str(path), rate),
        _names(path, found.get("channels"), samples.shape[-1]),
        unit,
        np.ones(samples.shape[-1]),
        samples,
        _release(path, found.get("release_index"), samples),
    )


def _check_sizes(path: Path, archive: Any) -> None:
    """Refuse arrays that claim another size than they have, or more than memory holds."""
    for name in _KEYS:
        info = archive.NameToInfo.get(f"{name}.npy")
        if info is None:
            continue
        with archive.open(info) as member:
            if member.read(6) != b"\x93NUMPY":
                continue  # refused by the reader of arrays
            major = member.read(2)[0]
            width = 2 if major == 1 else 4
            length = int.from_bytes(member.read(width), "little")
            text = member.read(min(length, _MAX_HEADER)).decode("latin-1")
        shape, dtype = _described(text)
        size = math.prod(shape) * dtype.itemsize
        if not dtype.hasobject and size != info.file_size - 8 - width - length:
            raise FileError(f"{path}: {name} of shape {shape} is not {info.file_size} bytes long")
        # Once as stored, once as 64-bit numbers, and marks of which are finite.
        require_memory(path, size + math.prod(shape) * 9, f"{name} of shape {shape}")


def _described(text: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type that the header of an array states."""
    found = ast.literal_eval(text.strip())
    shape = tuple(found["shape"]) if isinstance(found, dict) else None
    if shape is None or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError("its header makes no sense")
    return shape, np.dtype(found["descr"])


def _checked_samples(path: Path, samples: NDArray[Any]) -> NDArray[Any]:
    """Return finite floating-point samples of two or three dimensions."""
    if samples.ndim not in (2, 3) or samples.dtype.kind not in "iuf":
        raise FileError(
            f"{path}: samples must be real of shape (n, channels) or (repetitions, n, channels), "
            f"got {samples.dtype} of shape {samples.shape}"
        )
    if samples.size == 0:
        raise FileError(f"{path}: samples of shape {samples.shape} are empty")
    if samples.dtype != np.float32:
        samples = samples.astype(np.float64)
    bad = ~np.isfinite(samples)
    if bad.any():
        where = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), samples.shape))
        raise FileError(
            f"{path}: samples must be finite; {int(bad.sum())} are not, first at {where}"
        )
    return samples


def _number(path: Path, name: str, value: NDArray[Any]) -> float:
    """Return a real scalar."""
    if value.size != 1 or value.dtype.kind not in "iuf":
        raise FileError(f"{path}: {name} must be one real number, got {value.dtype} {value.shape}")
    return float(value.item())


def _unit(path: Path, value: NDArray[Any] | None) -> str:
    """Return the unit's name; V when there is none."""
    if value is None:
        return "V"
    if value.size != 1 or value.dtype.kind not in "US":
        raise FileError(f"{path}: unit must be one text, got {value.dtype} of shape {value.shape}")
    text = value.item()
    return text.decode("ascii", "replace") if isinstance(text, bytes) else str(text)


def _release(path: Path, value: NDArray[Any] | None, samples: NDArray[Any]) -> int | None:
    """Return the release index, checked against the number of samples."""
    if value is None:
        return None
    number = _number(path, "release_index", value)
    n = samples.shape[-2]
    if not (math.isfinite(number) and number == int(number) and 0 <= number < n):
        raise FileError(f"{path}: release_index must be a whole number 0 … {n - 1}, got {number:g}")
    return int(number)


def _names(path: Path, value: NDArray[Any] | None, channels: int) -> tuple[str, ...]:
    """Return the channels' names."""
    if value is None:
        return tuple(f"z{j + 1}" for j in range(channels))
    names = tuple(str(v) for v in np.atleast_1d(value))
    if len(names) != channels:
        raise FileError(f"{path}: {len(names)} channel names for {channels} channels")
    return names
