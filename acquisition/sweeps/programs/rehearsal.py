"""A program carried out without devices: every fit is answered by the rig's model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ....instruments.rig import Rig
from ....models.errors import InputError
from ....models.inference.parameters import unit_of
from ....models.json_values import json_values
from ....models.light import TweezerState
from ...plans import plan_to_dict
from ...prediction import expected_pair
from ..folder import SweepHeader
from ..plan import MAX_POINTS
from ..points import Point
from ..rows import Measured, PointFit, Row
from ..stations import Stations
from .course import Program, WantedFit, beginning_of
from .plan import ProgramPlan
from .steps import WaitUntil

__all__ = ["Rehearsal", "rehearse"]

CheckWay = Callable[[TweezerState | None, TweezerState], object]


@dataclass(frozen=True)
class Rehearsal:
    """What a program would do if the rig were as its model.

    Attributes
    ----------
    points : tuple of Point
        Acquisitions in their order.
    refused : dict of int to str
        Those that may not be made, by number, and why.
    waiting : float
        Time that it waits, conditions left out, s.
    """

    points: tuple[Point, ...]
    refused: dict[int, str]
    waiting: float


def rehearse(
    header: SweepHeader,
    rig: Rig,
    stations: Stations,
    check_way: CheckWay,
    *,
    quiet: bool = False,
) -> Rehearsal:
    """Carry a program out without devices.

    Parameters
    ----------
    header : SweepHeader
        Of a program.
    rig : Rig
        Its model answers fits, with errors of 0.
    stations : Stations
        What the points ask for.
    check_way : callable
        Raises InputError for light, or a way to it, that is not allowed.
    quiet : bool
        Whether what the program prints is thrown away.

    Raises
    ------
    InputError
        If the program fails, or asks for more points than allowed.
    """
    plan = header.plan
    assert isinstance(plan, ProgramPlan)
    program = Program(plan, beginning_of(plan, header.light), quiet)
    rows: list[Row] = []
    points: list[Point] = []
    refused: dict[int, str] = {}
    waiting, before = 0.0, None
    try:
        while (step := program.next(rows)) is not None:
            if isinstance(step, Point):
                if len(points) == MAX_POINTS:
                    raise InputError(
                        f"program {plan.source.name} has more than {MAX_POINTS} acquisitions"
                    )
                why, before = stations.look_at(step, before, check_way)
                if why:
                    refused[step.number] = why
                points.append(step)
                rows.append(_row(step, why))
            elif isinstance(step, WantedFit):
                row = rows[step.number - 1]
                light = stations.target(points[step.number - 1]).light
                rows[step.number - 1] = replace(row, fit=_foreseen(rig, light or header.light))
            else:
                waits = isinstance(step, WaitUntil) and step.condition is None
                waiting += step.seconds if isinstance(step, WaitUntil) and waits else 0.0
                program.made()
    finally:
        program.close()
    return Rehearsal(tuple(points), refused, waiting)


def _row(point: Point, why: str) -> Row:
    """A row as it would be."""
    assert point.plan is not None
    outcome, file = ("skipped", "") if why else ("complete", "foreseen")
    plan = json_values(plan_to_dict(point.plan))
    return Row(
        point.number, point.kind, point.setting, point.repeat, outcome, why,
        read=point.setting, file=file, plan=plan,
    )  # fmt: skip


def _foreseen(rig: Rig, light: TweezerState) -> PointFit:
    """The fit that the rig's model expects."""
    pair = None if rig.trap is None else expected_pair(rig.trap, light)
    if pair is None:
        return PointFit(failure="the rig's model holds no pair in this light")
    values = {name: Measured(v, 0.0, unit_of(name, "quanta")) for name, v in pair.items()}
    return PointFit("pair", True, values)
