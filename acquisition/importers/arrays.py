"""From the named arrays of a file (NPZ, MATLAB, HDF5, TDMS) to a record.

Which array holds the samples: the one the user names, ``samples``, or the only one there is beside
time; several one-dimensional ones of one group and length stand side by side. The rate is looked
for where it belongs: with the array, then in the groups around it. Time follows the one policy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.errors import FileError, InputError
from ...models.inference.parameters import UNITS
from ..free_memory import require_memory
from ..records.array_source import array_record
from ..records.record import Record, checked_rate
from .checks import checked_samples, release_of, stored_number, stored_text
from .names import Unit, is_time_name, known_unit, split_name
from .preamble import rate_of_entry
from .reading import Reading, shown_names, time_and_columns
from .time_axis import Axis, Stated, TimeColumn, find_axis

__all__ = ["NamedArray", "record_of_arrays"]

_MOST_CHANNELS = 64
_MOST_SIDE_BY_SIDE = 4
_UNIT_NAMES = {"unit", "units", "unit_string"}
_SCALARS = {"sample_rate", "release_index"}
_CLOCKS = {"clockbase"}


@dataclass(frozen=True)
class NamedArray:
    """An array of a file.

    Attributes
    ----------
    path : str
        Names of the groups around it and its own, joined by "/".
    shape : tuple of int
        Axes of length 1 around a single long one left out.
    dtype : dtype
        Of its values.
    load : callable
        Returns the values, of that shape.
    attributes : mapping
        What is written beside it.
    """

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    load: Callable[[], NDArray[Any]] = field(repr=False)
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, path: str, values: NDArray[Any], attributes: Mapping[str, Any] | None = None
    ) -> NamedArray:
        """An array that is in memory already."""
        flat = flattened(values.shape)
        return cls(path, flat, values.dtype, lambda: values.reshape(flat), attributes or {})

    @property
    def group(self) -> str:
        """Path of the group around it, "" at the top."""
        return self.path.rpartition("/")[0]

    @property
    def leaf(self) -> str:
        """Its own name."""
        return self.path.rpartition("/")[2]

    @property
    def is_record(self) -> bool:
        """Whether it can hold samples or time: real numbers, two at least."""
        return self.dtype.kind in "iuf" and self.size >= 2 and 1 <= len(self.shape) <= 3

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


def flattened(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape without axes of length 1, as MATLAB adds them, where one long axis is left."""
    long = [n for n in shape if n != 1]
    return (long[0],) if len(shape) == 2 and len(long) == 1 and shape[0] == 1 else shape


def record_of_arrays(
    kind: str,
    path: Path,
    arrays: Sequence[NamedArray],
    groups: Mapping[str, Mapping[str, Any]],
    reading: Reading,
) -> Record:
    """Make a record of the arrays of a file.

    Parameters
    ----------
    kind : str
        Format of the file.
    path : Path
        The file.
    arrays : sequence of NamedArray
        All arrays and numbers.
    groups : mapping
        Attributes of each group, by path.
    reading : Reading
        What the user says.

    Raises
    ------
    FileError
        If no array can be chosen, or it does not hold finite samples at one rate.
    InputError
        If the user names an array that is not there.
    """
    chosen = _chosen(path, arrays, reading)
    samples, names = _samples(path, chosen, arrays)
    around = list(_around(chosen[0], arrays, groups))
    stated = [rate for a in chosen for rate in _stated(path, a, arrays, groups)]
    times = _times(chosen, arrays, around)
    chosen_time, columns = time_and_columns(reading, names, str(path))
    rows = samples if samples.ndim == 2 else samples[0]
    own = [TimeColumn(name, rows[:, j], *_time_unit(name)) for j, name in enumerate(names)]
    try:
        axis = find_axis(str(path), [*own, *times], stated, reading.rate, chosen_time, columns)
    except FileError as error:
        raise _with_names(path, error, arrays) from None
    if any(column >= len(names) for column in axis.shifts):
        raise FileError(
            f"{path}: its arrays of time begin at different times, and which samples have which is "
            "not said: choose time and samples, --columns t=0,1,2"
        )
    kept = list(columns or (j for j in range(len(names)) if j not in axis.columns))
    if not kept:
        raise FileError(f"{path} holds time and no samples beside it: choose an array with --key")
    return _record(kind, path, samples, names, kept, chosen, arrays, around, axis)


def _record(
    kind: str,
    path: Path,
    samples: NDArray[Any],
    names: Sequence[str],
    kept: Sequence[int],
    chosen: Sequence[NamedArray],
    arrays: Sequence[NamedArray],
    around: Sequence[tuple[str, Any]],
    axis: Axis,
) -> Record:
    """Check the samples that are kept and make the record."""
    data = samples if len(kept) == len(names) else np.ascontiguousarray(samples[..., list(kept)])
    data = checked_samples(path, data)
    unit = _unit(path, chosen, around)
    scale = np.full(len(kept), unit.factor)
    if unit.factor != 1.0:
        data, scale = data * scale, np.ones(len(kept))
    return array_record(
        kind,
        path,
        checked_rate(str(path), axis.rate),
        [names[j] for j in kept],
        unit.si,
        scale,
        data,
        release_of(path, around, data, axis),
        axis.warnings,
        delays=axis.delays(kept),
    )


def _chosen(path: Path, arrays: Sequence[NamedArray], reading: Reading) -> list[NamedArray]:
    """The arrays that hold the samples."""
    able = [array for array in arrays if array.is_record]
    keys = reading.keys()
    if keys:
        return [array for key in keys for array in _of_key(path, key, arrays)]
    named = [a for a in arrays if a.path == "samples"]
    if named:
        return named
    samples = [array for array in able if not _is_time(array)]
    if not samples:
        found = shown_names([array.path for array in arrays])
        raise FileError(f"{path} has no array 'samples'; it has: {found or 'nothing'}")
    if len(samples) == 1:
        return samples
    first = samples[0]
    together = all(
        len(a.shape) == 1 and a.shape == first.shape and a.group == first.group for a in samples
    )
    if together and len(samples) <= _MOST_SIDE_BY_SIDE:
        return samples
    shown = shown_names([f"{array.path} {array.shape}" for array in samples])
    raise FileError(f"{path} holds several arrays: choose with --key, of {shown}")


def _of_key(path: Path, key: str, arrays: Sequence[NamedArray]) -> list[NamedArray]:
    """The array of a key, by its path or by its own name where only one has it; or of a group."""
    able = [array for array in arrays if array.is_record]
    found = [array for array in arrays if array.path == key]
    found = found or [array for array in able if array.leaf == key]
    if len(found) > 1:
        raise InputError(
            f"{path} has {len(found)} arrays {key!r}: give the path, "
            f"{shown_names([array.path for array in found])}"
        )
    found = found or [a for a in able if a.path.startswith(f"{key}/") and not _is_time(a)]
    if not found:
        raise InputError(
            f"array {key!r} does not exist: {path} has {shown_names([a.path for a in able])}"
        )
    return found


def _is_time(array: NamedArray) -> bool:
    """Whether the name of a one-dimensional array says time."""
    return len(array.shape) == 1 and is_time_name(split_name(array.leaf).name)


def _samples(
    path: Path, chosen: Sequence[NamedArray], arrays: Sequence[NamedArray]
) -> tuple[NDArray[Any], list[str]]:
    """Samples (n, c) or (r, n, c) of the chosen arrays, and names of the channels."""
    for array in chosen:
        _check_shape(path, array)
    # Once as stored, once as 64-bit numbers, and marks of which are finite.
    needed = sum(array.size * (array.dtype.itemsize + 9) for array in chosen)
    require_memory(path, needed, f"samples of shape {chosen[0].shape}")
    lengths = {array.shape[0] if len(array.shape) < 3 else array.shape for array in chosen}
    if len(lengths) > 1:
        shown = ", ".join(f"{array.path} {array.shape}" for array in chosen)
        raise FileError(f"{path}: arrays of different lengths cannot stand side by side: {shown}")
    parts = [a.load()[:, None] if len(a.shape) == 1 else a.load() for a in chosen]
    samples = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
    return samples, _names(path, chosen, arrays, samples.shape[-1])


def _check_shape(path: Path, array: NamedArray) -> None:
    """Refuse what is no record, or one with its axes exchanged."""
    what, shape = f"{path}: {array.leaf}", array.shape
    if array.dtype.kind not in "iuf" or not 1 <= len(shape) <= 3:
        raise FileError(
            f"{what} must be real of shape (n, channels) or (repetitions, n, channels), got "
            f"{array.dtype} of shape {shape}"
        )
    if array.size == 0:
        raise FileError(f"{what} of shape {shape} are empty")
    if len(shape) > 1 and (shape[-1] > shape[-2] or shape[-1] > _MOST_CHANNELS):
        order = "(n, channels)" if len(shape) == 2 else "(repetitions, n, channels)"
        raise FileError(
            f"{what} of shape {shape}: the axes look exchanged, expected {order}; store it with "
            "numpy.swapaxes(samples, -1, -2)"
        )


def _names(
    path: Path, chosen: Sequence[NamedArray], arrays: Sequence[NamedArray], channels: int
) -> list[str]:
    """Names of the channels: those stored, or of the arrays that stand side by side."""
    stored = [a for a in arrays if a.path == "channels" and a.dtype.kind in "US"]
    if stored and len(chosen) == 1:
        names = [stored_text(value) for value in np.atleast_1d(stored[0].load())]
        if len(names) != channels:
            raise FileError(f"{path}: {len(names)} channel names for {channels} channels")
        return names
    if channels == len(chosen) and chosen[0].path != "samples":
        leaves = [array.leaf for array in chosen]
        unique = len(set(leaves)) == len(leaves)
        return leaves if unique else [array.path for array in chosen]
    return [f"z{j + 1}" for j in range(channels)]


# -- rate, time, unit -----------------------------------------------------------------------------


def _around(
    array: NamedArray, arrays: Sequence[NamedArray], groups: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, Any]]:
    """Names and values that belong to an array: its attributes, then those of the groups around."""
    for _, name, value in _levels(array, arrays, groups):
        yield name, value


def _levels(
    array: NamedArray, arrays: Sequence[NamedArray], groups: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[int, str, Any]]:
    """The same with the distance: 0 for its own attributes, 1 for its group, and so on."""
    for name, value in array.attributes.items():
        yield 0, name, value
    group, level = array.group, 1
    while True:
        for name, value in groups.get(group, {}).items():
            yield level, name, value
        for other in arrays:
            known = other.leaf in _SCALARS or other.dtype.kind in "US"
            if other.group == group and (other.size == 1 or known):
                yield level, other.leaf, other.load()
        if not group:
            return
        group, level = group.rpartition("/")[0], level + 1


def _stated(
    path: Path,
    array: NamedArray,
    arrays: Sequence[NamedArray],
    groups: Mapping[str, Mapping[str, Any]],
) -> list[Stated]:
    """Rates stated nearest to an array."""
    found: list[Stated] = []
    nearest = -1
    for level, name, value in _levels(array, arrays, groups):
        if found and level != nearest:
            break
        if name == "sample_rate":
            number = stored_number(path, name, np.asarray(value))
            found.append(Stated(name, checked_rate(str(path), number)))
            nearest = level
            continue
        text = stored_text(value) if np.size(value) == 1 else ""
        rate = rate_of_entry(str(path), name, text)
        if rate is not None:
            found.append(Stated(name, checked_rate(str(path), rate.rate)))
            nearest = level
    return found


def _times(
    chosen: Sequence[NamedArray], arrays: Sequence[NamedArray], around: Sequence[tuple[str, Any]]
) -> list[TimeColumn]:
    """One-dimensional arrays beside the samples that may be time, as columns."""
    length = chosen[0].shape[-2] if len(chosen[0].shape) > 1 else chosen[0].shape[0]
    clock = next(
        (float(v) for name, v in around if name.lower() in _CLOCKS and np.size(v) == 1), None
    )
    found = []
    for array in arrays:
        beside = array.group == chosen[0].group or not array.group
        if array in chosen or not beside or not array.is_record or not _is_time(array):
            continue
        if array.shape != (length,):
            continue
        unit, called = _time_unit(array.leaf, array.attributes)
        values = array.load()
        if unit is None and clock and values.dtype.kind in "iu":
            unit = 1.0 / clock  # Zurich Instruments: ticks of the clock
            values = values - values[0]
        real = values if values.dtype.kind == "f" else values.astype(np.float64)
        found.append(TimeColumn(array.leaf, real, unit, called))
    return found


def _time_unit(name: str, attributes: Mapping[str, Any] | None = None) -> tuple[float | None, bool]:
    """Seconds per unit of an array, where stated, and whether its name says time."""
    head = split_name(name)
    called = is_time_name(head.name)
    unit = head.unit
    for key, value in (attributes or {}).items():
        if key.lower() in _UNIT_NAMES and called:
            unit = known_unit(stored_text(value), time=True) or unit
    return (unit.factor if unit is not None and unit.si == "s" else None), called


def _unit(path: Path, chosen: Sequence[NamedArray], around: Sequence[tuple[str, Any]]) -> Unit:
    """Unit of the samples: stated with them, in their names, or V."""
    for name, value in around:
        if name.lower() in _UNIT_NAMES:
            if np.size(value) != 1 or np.asarray(value).dtype.kind not in "USO":
                shown = np.asarray(value)
                raise FileError(
                    f"{path}: unit must be one text, got {shown.dtype} of shape {shown.shape}"
                )
            text = stored_text(value)
            unit = known_unit(text)
            if unit is None or unit.si not in UNITS:
                raise FileError(f"{path}: unit {text!r} is not known; known: {', '.join(UNITS)}")
            return unit
    found = {split_name(array.leaf).unit for array in chosen}
    if len(found) > 1:
        raise FileError(f"{path}: its arrays have different units: choose with --key")
    unit = found.pop()
    return Unit("V", 1.0) if unit is None or unit.si not in UNITS else unit


def _with_names(path: Path, error: FileError, arrays: Sequence[NamedArray]) -> FileError:
    """The question for the rate in the words of arrays."""
    if "states no rate" not in str(error):
        return error
    found = shown_names([array.path for array in arrays])
    _, _, hint = str(error).partition("'time (ms)'")
    return FileError(
        f"{path} has no 'sample_rate' (Hz): give it (--rate HZ), or store it, or an array of time "
        f"in seconds; it has: {found}{hint}"
    )
