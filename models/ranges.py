"""Range checks whose message names the value, the allowed range and the unit."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError

__all__ = [
    "require_choice",
    "require_count",
    "require_finite",
    "require_finite_array",
    "require_range",
    "require_vector",
]


def require_range(name: str, value: float, low: float, high: float, unit: str = "") -> float:
    """Return the value as a float if low ≤ value ≤ high.

    Raises
    ------
    InputError
        If the value is not a finite number or lies outside the range.
    """
    suffix = f" {unit}" if unit else ""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be a number, got {value!r}") from None
    if not (math.isfinite(number) and low <= number <= high):
        raise InputError(f"{name} must lie in {low:g} … {high:g}{suffix}, got {number:g}{suffix}")
    return number


def require_finite(name: str, value: float, unit: str = "") -> float:
    """Return the value as a float if it is one finite number.

    Raises
    ------
    InputError
        If it is not.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be a number, got {value!r}") from None
    if not math.isfinite(number):
        raise InputError(f"{name} must be finite, got {number:g}{f' {unit}' if unit else ''}")
    return number


def require_count(name: str, value: int, low: int, high: int = 10**9) -> int:
    """Return the value as an int if it is a whole number with low ≤ value ≤ high.

    Raises
    ------
    InputError
        If it is not.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise InputError(f"{name} must be a whole number, got {value!r}") from None
    if isinstance(value, bool) or not low <= number <= high:
        limit = f"of at least {low}" if high == 10**9 else f"in {low} … {high}"
        raise InputError(f"{name} must be a whole number {limit}, got {value!r}")
    return number


def require_finite_array(name: str, values: ArrayLike, unit: str = "") -> NDArray[np.float64]:
    """Return the values as an array of floats of the same shape if all are finite.

    Raises
    ------
    InputError
        If one is not finite, or they are no numbers.
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be numbers, got {values!r}") from None
    if not np.isfinite(array).all():
        raise InputError(f"{name} must be finite{f', in {unit}' if unit else ''}")
    return array


def require_choice(name: str, value: str, known: Sequence[str]) -> None:
    """Raise InputError unless the value is among the known ones."""
    if value not in known:
        raise InputError(f"{name} {value!r} is not known; known: {', '.join(known)}")


def require_vector(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return one number or a row of them as an array, shape (n,), if all are finite.

    Raises
    ------
    InputError
        If one is not finite, there are none, or they are no row of numbers.
    """
    try:
        vector = np.atleast_1d(np.asarray(values, dtype=np.float64))
    except (TypeError, ValueError):
        raise InputError(f"{name} must be numbers, got {values!r}") from None
    if vector.ndim != 1 or not vector.size or not np.isfinite(vector).all():
        raise InputError(f"{name} must be finite numbers, shape (n,); got shape {vector.shape}")
    return vector
