"""From the named arrays of a file (NPZ, MATLAB, HDF5, TDMS) to a record.

Which array holds the samples: the one the user names, ``samples``, or the only one there is beside
time; several one-dimensional ones of one group and length stand side by side. The rate is looked
for where it belongs: with the array, then in the groups around it. Time follows the one policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.errors import FileError, InputError
from ...models.inference.parameters import UNITS
from ..free_memory import require_memory
from ..records.array_source import array_record
from ..records.record import Record, checked_rate
from .checks import checked_samples, finite_columns, release_of, stored_text
from .named_arrays import (
    NamedArray,
    around_of,
    is_time,
    stated_rates,
    time_unit,
    times_beside,
)
from .names import ColumnName, is_time_name, split_name
from .reading import Reading, shown_names, time_and_columns
from .stored_scale import Worth, worth_of
from .time_axis import Axis, TimeColumn, find_axis

__all__ = ["record_of_arrays"]

_MOST_CHANNELS = 64
_MOST_SIDE_BY_SIDE = 4
_LABELS = {
    "legend", "labels", "columns", "column_names", "channel_names", "channels", "channel", "names",
}  # fmt: skip


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
    around = list(around_of(chosen[0], arrays, groups))
    samples = _samples(path, chosen)
    heads = _heads(path, chosen, arrays, around, samples.shape[-1])
    names = [head.name for head in heads]
    stated = [rate for a in chosen for rate in stated_rates(path, a, arrays, groups)]
    times = times_beside(chosen, arrays, around)
    chosen_time, columns = time_and_columns(reading, names, str(path))
    rows = finite_columns(samples if samples.ndim == 2 else samples[0])
    own = [_time_column(head, rows[:, j]) for j, head in enumerate(heads)]
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
    worth = worth_of(path, chosen, arrays, groups)
    worth = _labelled_units(path, heads, kept, worth)
    return _record(kind, path, samples, names, kept, worth, around, axis)


def _time_column(head: ColumnName, values: NDArray[np.floating]) -> TimeColumn:
    """A column of an array as the policy for time sees it."""
    if head.unit is None:
        return TimeColumn(head.name, values, *time_unit(head.name))
    unit = head.unit.factor if head.unit.si == "s" else None
    return TimeColumn(head.name, values, unit, is_time_name(head.name))


def _labelled_units(
    path: Path, heads: Sequence[ColumnName], kept: Sequence[int], worth: Worth
) -> Worth:
    """Units of labels, "Input 1 (mV)", where the array states none.

    Raises
    ------
    FileError
        If they differ, or are none of positions.
    """
    units = [heads[j].unit for j in kept]
    if worth.stated or not any(units):
        return worth
    found = {unit.si if unit is not None else "none" for unit in units}
    if len(found) > 1 or not found <= set(UNITS):
        shown = ", ".join(f"{heads[j].name} in {_si(heads[j])}" for j in kept)
        raise FileError(f"{path}: its columns have other units ({shown}): choose with --columns")
    factors = {j: unit.factor for j, unit in zip(kept, units, strict=True) if unit is not None}
    scale = tuple(value * factors.get(j, 1.0) for j, value in enumerate(worth.scale))
    return replace(worth, unit=found.pop(), scale=scale)


def _record(
    kind: str,
    path: Path,
    samples: NDArray[Any],
    names: Sequence[str],
    kept: Sequence[int],
    worth: Worth,
    around: Sequence[tuple[str, Any]],
    axis: Axis,
) -> Record:
    """Check the samples that are kept and make the record."""
    data = samples if len(kept) == len(names) else np.ascontiguousarray(samples[..., list(kept)])
    data = checked_samples(path, data)
    scale, offset = (np.array(values)[list(kept)] for values in (worth.scale, worth.offset))
    if np.any(scale != 1.0) or np.any(offset):
        data, scale = data * scale + offset, np.ones(len(kept))
    return array_record(
        kind,
        path,
        checked_rate(str(path), axis.rate),
        [names[j] for j in kept],
        worth.unit,
        scale,
        data,
        release_of(path, around, data, axis),
        (*axis.warnings, *worth.said),
        delays=axis.delays(kept),
    )


def _si(head: ColumnName) -> str:
    """Unit of a label in words."""
    return "no known unit" if head.unit is None else head.unit.si


def _chosen(path: Path, arrays: Sequence[NamedArray], reading: Reading) -> list[NamedArray]:
    """The arrays that hold the samples."""
    able = [array for array in arrays if array.is_record]
    keys = reading.keys()
    if keys:
        return [array for key in keys for array in _of_key(path, key, arrays)]
    named = [a for a in arrays if a.path == "samples"]
    if named:
        return named
    samples = [array for array in able if not is_time(array)]
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
    found = found or [a for a in able if a.path.startswith(f"{key}/") and not is_time(a)]
    if not found:
        raise InputError(
            f"array {key!r} does not exist: {path} has {shown_names([a.path for a in able])}"
        )
    return found


def _samples(path: Path, chosen: Sequence[NamedArray]) -> NDArray[Any]:
    """Samples (n, c) or (r, n, c) of the chosen arrays."""
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
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)


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
        of_one = len(shape) == 2 and shape[0] > _MOST_SIDE_BY_SIDE
        repetitions = "; repetitions of one channel: samples[:, :, None]" if of_one else ""
        raise FileError(
            f"{what} of shape {shape}: the axes look exchanged, expected {order}; store it with "
            f"numpy.swapaxes(samples, -1, -2){repetitions}"
        )


def _heads(
    path: Path,
    chosen: Sequence[NamedArray],
    arrays: Sequence[NamedArray],
    around: Sequence[tuple[str, Any]],
    channels: int,
) -> list[ColumnName]:
    """Names of the columns: those stored, or of the arrays that stand side by side."""
    stored = [a for a in arrays if a.path == "channels" and a.dtype.kind in "US"]
    if stored and len(chosen) == 1:
        names = [stored_text(value) for value in np.atleast_1d(stored[0].load())]
        if len(names) != channels:
            raise FileError(f"{path}: {len(names)} channel names for {channels} channels")
        return [ColumnName(name) for name in names]
    labels = _labels(around, channels) if len(chosen) == 1 else None
    if labels is not None:
        return [split_name(label) for label in labels]
    if channels == len(chosen) and chosen[0].path != "samples":
        leaves = [array.leaf for array in chosen]
        unique = len(set(leaves)) == len(leaves)
        return [ColumnName(name) for name in (leaves if unique else [a.path for a in chosen])]
    return [ColumnName(f"z{j + 1}") for j in range(channels)]


def _labels(around: Sequence[tuple[str, Any]], channels: int) -> list[str] | None:
    """Labels of the columns that stand with an array: the legend of Moku, names of pandas."""
    for name, value in around:
        texts = np.atleast_1d(np.asarray(value, object)).ravel()
        if name.lower() not in _LABELS or len(texts) != channels:
            continue
        labels = [stored_text(text).strip() for text in texts]
        if all(isinstance(t, str | bytes) for t in texts) and len(set(labels)) == channels:
            return labels
    return None


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
