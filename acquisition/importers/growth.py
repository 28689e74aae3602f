"""How a column grows: evenly, as time and counters do; with jumps; or not at all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Growth", "growth_of"]

# Largest deviation of a step from the others, in steps.
_EVEN = 0.01
# Share of even steps from which a column is time with jumps rather than something else.
_MOSTLY = 0.9
# The same where the digits do not resolve a single step.
_NEARLY_ALL = 0.999
# Fewer values than this, and a staircase is a gate or a trigger.
_LEAST_VALUES = 8
_PROBE = 512
_DIGITS = 17


@dataclass(frozen=True)
class Growth:
    """A column that grows.

    Attributes
    ----------
    step : float
        Mean step, in the unit of the column.
    quantum : float
        Smallest difference that its digits resolve, in the same unit.
    resolution : float
        Relative uncertainty of ``step`` from the digits of the first and the last value.
    counts : bool
        Whether every step is a whole number: a counter, unless a unit says that it is time.
    rounded : bool
        Whether the digits are so few that the steps differ.
    fault : str
        What is uneven, in words; empty if nothing is.
    jitter : bool
        Whether the fault is no more than steps that scatter around a straight line.
    """

    step: float
    quantum: float
    resolution: float
    counts: bool
    rounded: bool = False
    fault: str = ""
    jitter: bool = False


def growth_of(values: NDArray[np.floating]) -> Growth | None:
    """Say how a column grows; None if it does not.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Finite values. Their type tells their digits: float32 has seven.
    """
    n = len(values)
    if n < 2:
        return None
    quantum = _quantum(values)
    v = np.asarray(values, np.float64)
    steps = np.diff(v)
    span = float(v[-1] - v[0])
    median = float(np.median(steps))
    mean = span / (n - 1)
    even = np.abs(steps - median) <= _EVEN * abs(median)
    usual = even | (np.abs(steps - median) <= 2.0 * quantum)
    fine = even.mean() >= _NEARLY_ALL or (
        2.0 * quantum < 0.5 * abs(median) and usual.mean() >= _MOSTLY
    )
    if fine and median > 0.0:
        usual = even if even.mean() >= _NEARLY_ALL and 4.0 * quantum >= median else usual
        return _fine(v, steps, median, mean, quantum, usual)
    if fine and median < 0.0:
        counts = bool(np.all(steps == np.round(steps)))
        return Growth(-median, quantum, math.inf, counts, fault="it runs backwards")
    if span <= 0.0 or steps.min() < 0.0 or len(np.unique(v)) < min(n, _LEAST_VALUES):
        return None
    return _coarse(v, steps, mean, quantum)


def _fine(
    v: NDArray[np.float64],
    steps: NDArray[np.float64],
    median: float,
    mean: float,
    quantum: float,
    usual: NDArray[np.bool_],
) -> Growth:
    """Growth of a column whose digits resolve a single step."""
    counts = bool(median >= 1.0 and np.all(steps == np.round(steps)))
    if usual.all():
        rounded = bool(np.abs(steps - mean).max() > _EVEN * mean)
        # Digits that give the same step every time are taken for exact in a table of a few rows.
        blur = 2.0 * quantum / float(v[-1] - v[0])
        return Growth(mean, quantum, blur if rounded else min(blur, 0.5 * _EVEN), counts, rounded)
    row = int(np.argmin(usual))
    fault = (
        f"and steps by {steps[row]:.6g} at row {row + 2} instead of {median:.6g}: rows are missing "
        "or repeated there, or its unit changes"
    )
    line = np.abs(v - v[0] - mean * np.arange(len(v))).max()
    jitter = bool(mean > 0.0 and steps.min() > 0.0 and line < 0.5 * mean)
    return Growth(mean if jitter else median, quantum, math.inf, counts, False, fault, jitter)


def _coarse(
    v: NDArray[np.float64], steps: NDArray[np.float64], mean: float, quantum: float
) -> Growth:
    """Growth of a column that never falls, whose digits may be too few for its steps."""
    line = np.abs(v - v[0] - mean * np.arange(len(v)))
    resolution = 2.0 * quantum / float(v[-1] - v[0])
    row = int(np.argmax(line))
    if line[row] <= 1.05 * quantum + 2.0 * _EVEN * mean:
        return Growth(mean, quantum, resolution, False, True)
    counts = bool(np.all(steps == np.round(steps))) and mean >= 1.0
    jitter = bool(steps.min() > 0.0 and line[row] < 0.5 * mean + quantum)
    fault = (
        f"and lies {line[row] / mean:.3g} steps beside a straight line at row {row + 1}: rows are "
        "missing, or it is neither time nor samples (choose with --columns)"
    )
    return Growth(mean, quantum, math.inf, counts, False, fault, jitter)


def _quantum(values: NDArray[np.floating]) -> float:
    """Smallest difference that the digits of a column resolve."""
    kind = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
    largest = float(np.abs(values).max())
    smallest = float(np.spacing(np.asarray(largest, kind)))
    probe = np.unique(np.concatenate([values[:_PROBE], values[-_PROBE:]])).astype(np.float64)
    # The fewest decimals, and the fewest significant digits, that give the values back.
    decimals = next((d for d in range(_DIGITS) if _same(probe, np.round(probe, d))), _DIGITS)
    digits = next((d for d in range(1, _DIGITS) if _given_back(probe, d)), _DIGITS)
    leading = math.floor(math.log10(largest)) if largest > 0.0 else 0
    return max(smallest, min(10.0**-decimals, 10.0 ** (leading - digits + 1)))


def _given_back(values: NDArray[np.float64], digits: int) -> bool:
    """Whether so many significant digits give the values back."""
    text = [float(f"{x:.{digits - 1}e}") for x in values.tolist()]
    return _same(values, np.array(text))


def _same(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    return bool(np.all(np.abs(one - other) <= 4.0 * np.spacing(np.abs(one))))
