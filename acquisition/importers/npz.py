"""NumPy archives: ``samples`` and ``sample_rate``, optionally ``unit`` and ``release_index``."""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.errors import FileError
from ..records.array_source import array_record
from ..records.record import Record, checked_rate

__all__ = ["load_npz"]

UNITS = ("quanta", "m", "V")
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
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise FileError(f"{path} is one array; expected an NPZ with samples, sample_rate")
            found = {name: archive[name] for name in archive.files if name in _KEYS}
            names = archive.files
    except FileError:
        raise
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
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
