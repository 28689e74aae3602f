"""A named array of a file, and what stands around it: rates, time, units.

What belongs to an array is looked for where it is: in its attributes, then in the groups around it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..records.record import checked_rate
from .checks import stored_number, stored_text
from .names import is_time_name, known_unit, split_name
from .preamble import rate_of_entry
from .time_axis import Stated, TimeColumn

__all__ = [
    "UNIT_NAMES",
    "NamedArray",
    "around_of",
    "flattened",
    "is_time",
    "stated_rates",
    "time_unit",
    "times_beside",
]

UNIT_NAMES = {"unit", "units", "unit_string", "yunits", "yunit"}
_SCALARS = {"sample_rate", "release_index", "scale", "scale_factor", "offset", "add_offset"}
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
        own = dict(attributes or {})
        if values.dtype.kind in "mM" and len(flat) == 1 and flat[0]:
            # Dates as seconds since the first of them; not a time, as pandas writes it, stays none.
            ticks = (values - values.flat[0]).astype("m8[ns]").astype(np.float64)
            values, own = np.where(np.isnat(values), np.nan, ticks) * 1e-9, {**own, "unit": "s"}
        return cls(path, flat, values.dtype, lambda: values.reshape(flat), own)

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
    return (long[0],) if len(shape) == 2 and len(long) == 1 else shape


def is_time(array: NamedArray) -> bool:
    """Whether the name of a one-dimensional array says time."""
    return len(array.shape) == 1 and is_time_name(split_name(array.leaf).name)


def around_of(
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


def stated_rates(
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


def times_beside(
    chosen: Sequence[NamedArray], arrays: Sequence[NamedArray], around: Sequence[tuple[str, Any]]
) -> list[TimeColumn]:
    """One-dimensional arrays beside the samples that may be time, as columns."""
    length = chosen[0].shape[-2] if len(chosen[0].shape) > 1 else chosen[0].shape[0]
    clock = next(
        (float(v) for name, v in around if name.lower() in _CLOCKS and np.size(v) == 1), None
    )
    found = []
    for array in arrays:
        own = chosen[0].group
        beside = not array.group or f"{own}/".startswith(f"{array.group}/")
        if array in chosen or not beside or not array.is_record or not is_time(array):
            continue
        if array.shape != (length,):
            continue
        unit, called = time_unit(array.leaf, array.attributes)
        values = array.load()
        if unit is None and clock and values.dtype.kind in "iu":
            unit = 1.0 / clock  # Zurich Instruments: ticks of the clock
            values = values - values[0]
        real = values if values.dtype.kind == "f" else values.astype(np.float64)
        found.append(TimeColumn(array.leaf, real, unit, called))
    return found


def time_unit(name: str, attributes: Mapping[str, Any] | None = None) -> tuple[float | None, bool]:
    """Seconds per unit of an array, where stated, and whether its name says time."""
    head = split_name(name)
    called = is_time_name(head.name)
    unit = head.unit
    for key, value in (attributes or {}).items():
        if key.lower() in UNIT_NAMES and called:
            stated = stored_text(value).partition(" since ")[0]  # "microseconds since 2026-01-01"
            unit = known_unit(stated, time=True) or unit
    return (unit.factor if unit is not None and unit.si == "s" else None), called
