"""Which point is measured next: a pure function of the plan and of the rows so far.

So a sweep that was interrupted goes on as if it had not been.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from ..plans import Plan
from .adaptive import refined_setting, repeated_setting
from .plan import SweepPlan
from .rows import Row

__all__ = ["Point", "most_points", "next_point", "planned_points", "points_words", "seed_of"]

Kind = Literal["point", "reference", "repeat", "refined", "sought", "acquired"]
Setting = tuple[float, ...]


@dataclass(frozen=True)
class Point:
    """One point of a sweep.

    Attributes
    ----------
    number : int
        From 1, in the order of measuring.
    kind : {"point", "reference", "repeat", "refined", "sought", "acquired"}
        Of the plan, a reference, or added because of what was fitted; of a seek; of a program.
    setting : tuple of float
        One value for each axis, SI; empty for a reference.
    repeat : int
        How often this setting has been measured with this point, from 1.
    plan : Plan or None
        What is measured; None for the sweep's own inner plan.
    """

    number: int
    kind: Kind
    setting: Setting
    repeat: int = 1
    plan: Plan | None = None


@lru_cache(maxsize=8)
def planned_points(plan: SweepPlan) -> tuple[Point, ...]:
    """Return the points that are known beforehand, references among them.

    Examples
    --------
    >>> import optobind as ob
    >>> plan = ob.SweepPlan(
    ...     (ob.Axis("phi", (0.0, 1.0)), ob.Axis("balance", (0.0, 0.1))),
    ...     ob.MonitorPlan(0.1),
    ...     order="snake",
    ... )
    >>> [point.setting for point in planned_points(plan)]
    [(0.0, 0.0), (0.0, 0.1), (1.0, 0.1), (1.0, 0.0)]
    """
    if not plan.foreseen:
        return ()
    wanted = [(setting, n) for setting in _grid(plan) for n in range(1, plan.repeats + 1)]
    if plan.order == "random":
        order = np.random.default_rng(plan.seed).permutation(len(wanted))
        settings = [wanted[i][0] for i in order]
        seen: dict[Setting, int] = {}
        wanted = []
        for setting in settings:
            seen[setting] = seen.get(setting, 0) + 1
            wanted.append((setting, seen[setting]))
    points: list[Point] = []
    references = itertools.count(1)
    for index, (setting, repeat) in enumerate(wanted):
        if plan.reference_every and index % plan.reference_every == 0:
            points.append(Point(len(points) + 1, "reference", (), next(references)))
        points.append(Point(len(points) + 1, "point", setting, repeat))
    if plan.reference_every:
        points.append(Point(len(points) + 1, "reference", (), next(references)))
    return tuple(points)


def _grid(plan: SweepPlan) -> Iterator[Setting]:
    """Settings row by row, the first axis outermost; snakes turn at the end of each row."""
    axes = [axis.settings for axis in plan.axes]
    if plan.order != "snake":
        yield from itertools.product(*axes)
        return
    yield from _snake(axes)


def _snake(axes: Sequence[Setting]) -> Iterator[Setting]:
    """Settings in an order in which one axis moves by one step each time."""
    if not axes:
        yield ()
        return
    inner = list(_snake(axes[1:]))
    for number, value in enumerate(axes[0]):
        for rest in inner if number % 2 == 0 else reversed(inner):
            yield (value, *rest)


def next_point(plan: SweepPlan, rows: Sequence[Row]) -> Point | None:
    """Return the point that follows the rows, or None when the sweep is whole.

    Parameters
    ----------
    plan : SweepPlan
        What is measured.
    rows : sequence of Row
        Of all points so far, in the order of their numbers.
    """
    planned = planned_points(plan)
    number = len(rows) + 1
    if number <= len(planned):
        return planned[number - 1]
    taken = [row for row in rows if row.kind != "reference"]
    setting = refined_setting(plan, taken)
    if setting is not None:
        return Point(number, "refined", setting)
    setting = repeated_setting(plan, taken)
    if setting is None:
        return None
    return Point(number, "repeat", setting, 1 + sum(row.setting == setting for row in taken))


def points_words(plan: SweepPlan, done: int) -> str:
    """Say how far a sweep is: "3 of 9 points", or "3 points" where nobody knows how many come."""
    if not plan.foreseen:
        return f"{done} point{'' if done == 1 else 's'}"
    return f"{done} of {max(len(planned_points(plan)), done)} points"


def seed_of(plan: SweepPlan, number: int) -> int:
    """Seed with which a simulated laboratory begins a point anew, 0 … 2^63 − 1."""
    state = np.random.SeedSequence((plan.seed, number)).generate_state(1, np.uint64)
    return int(state[0]) >> 1


def most_points(plan: SweepPlan) -> int:
    """Largest number of points, those that may be added included; 0 where nobody knows it."""
    if not plan.foreseen:
        return plan.most
    added = plan.refine_points if plan.refine_parameter else 0
    if not plan.until_parameter:
        return len(planned_points(plan)) + added
    settings = math.prod(len(axis.settings) for axis in plan.axes) + added
    references = len(planned_points(plan)) - plan.size
    return settings * max(plan.max_repeats, plan.repeats) + references
