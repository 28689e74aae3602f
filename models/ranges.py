"""Range checks whose message names the value, the allowed range and the unit."""

from __future__ import annotations

import math

from .errors import InputError

__all__ = ["require_range"]


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
