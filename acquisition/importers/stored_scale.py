"""What stored values are worth: their unit, and scale and offset of whole numbers.

Whole numbers without a scale are counts, never volts in silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.errors import FileError
from ...models.inference.parameters import UNITS
from .checks import stored_text
from .named_arrays import UNIT_NAMES, NamedArray, around_of
from .names import Unit, known_unit, split_name
from .scale_keys import PER_COUNT, SPELLED

__all__ = ["Worth", "worth_of"]

_SCALES = {"scale", "scalefactor", "conversionfactor", "lsb", "yinc", "yincrement", "ymult"}
_OFFSETS = {"offset", "addoffset", "yorg", "yorigin"}


@dataclass(frozen=True)
class Worth:
    """What the columns of an array are worth.

    Attributes
    ----------
    unit : str
        Of scaled values.
    scale, offset : tuple of float
        Unit per stored value, and what is added, of each column.
    said : tuple of str
        What the user should know.
    stated : bool
        Whether the unit is written down, or follows from whole numbers.
    """

    unit: str
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    said: tuple[str, ...]
    stated: bool = True


def worth_of(
    path: Path,
    chosen: Sequence[NamedArray],
    arrays: Sequence[NamedArray],
    groups: Mapping[str, Mapping[str, Any]],
) -> Worth:
    """Say what the columns of the chosen arrays are worth, one array after the other.

    Raises
    ------
    FileError
        If a unit is not known, units differ, or a scale is no number for each column.
    """
    parts = [_of_array(path, array, arrays, groups) for array in chosen]
    if len({part.unit for part in parts}) > 1:
        shown = ", ".join(f"{a.leaf} in {p.unit}" for a, p in zip(chosen, parts, strict=True))
        raise FileError(f"{path}: its arrays have different units ({shown}): choose with --key")
    return Worth(
        parts[0].unit,
        tuple(value for part in parts for value in part.scale),
        tuple(value for part in parts for value in part.offset),
        tuple(dict.fromkeys(text for part in parts for text in part.said)),
        any(part.stated for part in parts),
    )


def _of_array(
    path: Path,
    array: NamedArray,
    arrays: Sequence[NamedArray],
    groups: Mapping[str, Mapping[str, Any]],
) -> Worth:
    around = list(around_of(array, arrays, groups))
    width = array.shape[-1] if len(array.shape) > 1 else 1
    stated = _stated_unit(path, array, around)
    found = _stated_scale(path, array, around, width)
    offset = _stated_offset(path, around, width)
    whole = array.dtype.kind in "iu"
    said: tuple[str, ...] = ()
    unit, scale = stated or Unit("V", 1.0), np.ones(width)
    if whole and found is not None:
        name, scale, own = found
        unit = stated or own or unit
        said = (f"{array.leaf}: whole numbers are scaled by {name!r}, {_shown(scale)}",)
    elif whole and stated is None:
        unit = Unit("counts", 1.0)
    elif whole and stated is not None and stated.si not in ("counts", "a.u."):
        said = (
            f"{array.leaf}: whole numbers in {stated.si}; if these are counts, store their scale "
            "beside them ('scale')",
        )
    elif found is not None and np.any(found[1] != 1.0):
        said = (f"{array.leaf}: {found[0]!r} is not applied, the values are no whole numbers",)
    if not whole or found is None:
        offset = np.zeros(width)
    return Worth(
        unit.si,
        tuple((scale * unit.factor).tolist()),
        tuple((offset * unit.factor).tolist()),
        said,
        whole or stated is not None,
    )


def _stated_unit(path: Path, array: NamedArray, around: Sequence[tuple[str, Any]]) -> Unit | None:
    """Unit of samples: stated with them, or in their name."""
    for name, value in around:
        if name.lower() not in UNIT_NAMES:
            continue
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
    own = split_name(array.leaf).unit
    return own if own is not None and own.si in UNITS else None


def _stated_scale(
    path: Path, array: NamedArray, around: Sequence[tuple[str, Any]], width: int
) -> tuple[str, NDArray[np.float64], Unit | None] | None:
    """Name and values of the scale that stands nearest, with the unit that its name says."""
    for name, value in around:
        plain = re.sub(r"[\s_\-.]+", "", name.lower())
        match = PER_COUNT.fullmatch(plain)
        unit = known_unit(SPELLED.get(match[1], "")) if match else None
        if plain in _SCALES or unit is not None:
            scale = _numbers(path, name, value, width)
            if np.any(scale == 0.0):
                raise FileError(f"{path}: {name} of {array.leaf} must not be 0")
            return name, scale, unit
    return None


def _stated_offset(
    path: Path, around: Sequence[tuple[str, Any]], width: int
) -> NDArray[np.float64]:
    """What is added to scaled values."""
    for name, value in around:
        if re.sub(r"[\s_\-.]+", "", name.lower()) in _OFFSETS:
            return _numbers(path, name, value, width)
    return np.zeros(width)


def _numbers(path: Path, name: str, value: Any, width: int) -> NDArray[np.float64]:
    """A number for all columns, or one for each."""
    values = np.asarray(value)
    if values.dtype.kind not in "iuf" or values.size not in (1, width):
        raise FileError(
            f"{path}: {name} must be one number, or one for each of {width} channels, got "
            f"{values.dtype} of shape {values.shape}"
        )
    numbers = np.broadcast_to(values.astype(np.float64).ravel(), (width,)).copy()
    if not np.isfinite(numbers).all():
        raise FileError(f"{path}: {name} must be finite")
    return numbers


def _shown(scale: NDArray[np.float64]) -> str:
    return ", ".join(f"{value:.6g}" for value in dict.fromkeys(scale.tolist()))
