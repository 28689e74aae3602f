"""Checks of what a file stores: finite samples, one number, one text, the release's sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.errors import FileError
from .time_axis import Axis

__all__ = [
    "checked_samples",
    "finite_columns",
    "not_measured",
    "release_of",
    "stored_number",
    "stored_text",
]

# Instruments write 9.9e37 and 9.91e37 (IEEE 488.2), archives 1e20 and 9.97e36, for no value.
_NO_VALUE = 1e19
# Whole numbers beyond are not all different as 64-bit floating-point numbers.
_MOST_EXACT = 2**53


def checked_samples(path: Path, samples: NDArray[Any]) -> NDArray[Any]:
    """Return finite samples as float32 or float64."""
    if samples.dtype.kind in "iu" and samples.dtype.itemsize == 8:
        low, high = int(samples.min()), int(samples.max())
        if max(-low, high) > _MOST_EXACT:
            raise FileError(
                f"{path}: whole numbers {low} … {high} are too large to be told apart: store them "
                "less their mean"
            )
    if samples.dtype != np.float32:
        samples = samples.astype(np.float64)
    bad = not_measured(samples)
    if bad.any():
        where = tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), samples.shape))
        value = samples[where]
        shown = "" if not np.isfinite(value) else f", {value:g} (out of range, or missing)"
        raise FileError(
            f"{path}: samples must be finite; {int(bad.sum())} are not, first at {where}{shown}"
        )
    return samples


def not_measured(values: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Marks of values that stand for none: not finite, or 9.9e37 and its likes."""
    return np.asarray(~(np.abs(values) < _NO_VALUE), np.bool_)


def finite_columns(rows: NDArray[Any]) -> NDArray[Any]:
    """Columns as the policy for time sees them: one that is not finite is no time."""
    if rows.dtype.kind != "f" or np.isfinite(rows).all():
        return rows
    return np.where(np.isfinite(rows).all(axis=0), rows, 0.0)


def stored_number(path: Path, name: str, value: NDArray[Any]) -> float:
    """Return a real scalar."""
    if value.size != 1 or value.dtype.kind not in "iuf":
        raise FileError(f"{path}: {name} must be one real number, got {value.dtype} {value.shape}")
    return float(value.item())


def release_of(
    path: Path, around: Sequence[tuple[str, Any]], samples: NDArray[Any], axis: Axis
) -> int | None:
    """Release of each repetition: stated, or where time passes zero."""
    n = int(samples.shape[-2])
    for name, value in around:
        if name == "release_index":
            number = stored_number(path, name, np.asarray(value))
            if not (math.isfinite(number) and number == int(number) and 0 <= number < n):
                raise FileError(
                    f"{path}: release_index must be a whole number 0 … {n - 1}, got {number:g}"
                )
            return int(number)
    if samples.ndim == 3 and axis.start is not None and axis.start < 0.0:
        return min(round(-axis.start * axis.rate), n - 1)
    return None


def stored_text(value: Any) -> str:
    """A stored value of one element as text."""
    item = np.asarray(value).ravel()
    first = item[0] if item.size else ""
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
