"""Points that follow from what was fitted: finer steps, and repeats until an error is small.

Each function takes the rows so far, without references, and returns a setting or None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from .plan import SweepPlan
from .rows import Row

__all__ = ["combined", "refined_setting", "repeated_setting"]

Setting = tuple[float, ...]


def combined(rows: Sequence[Row], name: str) -> tuple[float, float] | None:
    """Weighted mean of a parameter over rows, with its standard error; None without any."""
    found = [m for row in rows if (m := row.value(name)) is not None and m.stderr]
    weights = [1.0 / m.stderr**2 for m in found if m.stderr]
    total = sum(weights)
    if not (total > 0.0 and math.isfinite(total)):
        return None
    mean = sum(w * m.value for w, m in zip(weights, found, strict=True)) / total
    return mean, total**-0.5


def _by_setting(rows: Sequence[Row]) -> dict[Setting, list[Row]]:
    """Rows of each setting, in the order of their first appearance."""
    found: dict[Setting, list[Row]] = {}
    for row in rows:
        found.setdefault(row.setting, []).append(row)
    return found


def repeated_setting(plan: SweepPlan, rows: Sequence[Row]) -> Setting | None:
    """Setting whose error is farthest from what is wanted; None when all are known well enough.

    A setting whose fits all failed counts as farthest, until it was repeated often enough.
    """
    if plan.until_parameter is None:
        return None
    worst: tuple[float, Setting] | None = None
    for setting, mine in _by_setting(rows).items():
        if len(mine) >= plan.max_repeats:
            continue
        excess = _excess(plan, mine)
        if excess > 1.0 and (worst is None or excess > worst[0]):
            worst = excess, setting
    return None if worst is None else worst[1]


def _excess(plan: SweepPlan, rows: Sequence[Row]) -> float:
    """Error over wanted error; infinite where nothing is known."""
    assert plan.until_parameter is not None
    known = combined(rows, plan.until_parameter)
    if known is None:
        return math.inf
    value, error = known
    wanted = max(plan.until_relative * abs(value), plan.until_absolute)
    return error / wanted if wanted > 0.0 else math.inf


def refined_setting(plan: SweepPlan, rows: Sequence[Row]) -> Setting | None:
    """Middle of the interval that says least as it is; None when all were inserted.

    Of "gap" it is the wider neighbour of the least gap; of any other parameter the interval in
    which its curve, scaled to its range and that of the axis, is longest.
    """
    name = plan.refine_parameter
    if name is None or sum(row.kind == "refined" for row in rows) >= plan.refine_points:
        return None
    known = {
        setting[0]: found[0]
        for setting, mine in _by_setting(rows).items()
        if (found := combined(mine, name)) is not None
    }
    places = sorted(known)
    if len(places) < 2:
        return None
    taken = {row.setting[0] for row in rows}
    intervals = [
        (low, high)
        for low, high in pairwise(places)
        if low < (middle := 0.5 * (low + high)) < high and middle not in taken
    ]
    if not intervals:
        return None
    score = _near_gap(known) if name == "gap" else _length(known)
    low, high = max(intervals, key=lambda pair: (score(*pair), -pair[0]))
    return (0.5 * (low + high),)


def _length(known: dict[float, float]) -> Callable[[float, float], float]:
    """Length of the curve in an interval, axis and values scaled to 1."""
    wide = max(known) - min(known)
    high = (max(known.values()) - min(known.values())) or 1.0

    def score(a: float, b: float) -> float:
        return math.hypot((b - a) / wide, (known[b] - known[a]) / high)

    return score


def _near_gap(known: dict[float, float]) -> Callable[[float, float], float]:
    """Width of an interval that ends at the least gap, 0 for all others."""
    least = min(known, key=lambda place: (known[place], place))

    def score(a: float, b: float) -> float:
        return b - a if least in (a, b) else 0.0

    return score
