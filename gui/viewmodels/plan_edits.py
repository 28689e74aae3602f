"""Plans that differ from another one by what was typed, added or taken away."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...acquisition.plans import PLANS, STEPS, MonitorPlan, Plan, ReheatingPlan, SequencePlan
from ...acquisition.sweeps.any_plan import any_plan_from_dict, any_plan_to_dict
from ...acquisition.sweeps.knobs import knob_of
from ...acquisition.sweeps.plan import Axis, SweepPlan
from ...models.errors import InputError

if TYPE_CHECKING:
    from ...models.light import TweezerState

    AnyPlan = Plan | SweepPlan

__all__ = [
    "KINDS",
    "changed",
    "new_plan",
    "with_axis",
    "with_inner",
    "with_knob",
    "with_step",
    "without",
]

KINDS = (*PLANS, "sweep")
"""Kinds of plans that can be made without a file."""

_SPAN = 0.1  # of a value: how far a new axis reaches to either side
_ANGLE = 1.0  # rad: the same of an angle


def new_plan(kind: str, light: TweezerState | None = None) -> AnyPlan:
    """Return a plan of a kind to begin with; a sweep begins about the light that is.

    Raises
    ------
    InputError
        For an unknown kind.
    """
    if kind == "sequence":
        return SequencePlan((MonitorPlan(), ReheatingPlan()))
    if kind == "sweep":
        return SweepPlan((_axis("phi", light),), MonitorPlan(0.3), settle_time=0.05)
    if kind not in STEPS:
        raise InputError(f"plan kind {kind!r} is not known; known kinds: {', '.join(KINDS)}")
    return STEPS[kind]()


def _axis(name: str, light: TweezerState | None) -> Axis:
    """Axis of a knob about its present value."""
    knob = knob_of(name)
    low, high = knob.holds.low, knob.holds.high
    value = 0.5 * (max(low, -1.0) + min(high, 1.0))
    if light is not None and knob.read_light is not None:
        value = knob.read_light(light)
    half = _ANGLE if knob.turns else _SPAN * abs(value) or _SPAN * (min(high, 1.0) - value)
    start, stop = max(low, value - half), min(high, value + half)
    return Axis(name, start=start, stop=stop, points=9)


def changed(plan: AnyPlan, path: tuple[str | int, ...], value: Any) -> AnyPlan:
    """Return the plan with another value at a place of its JSON values.

    Raises
    ------
    InputError
        If that makes no plan.
    """

    def put(data: dict[str, Any]) -> None:
        place: Any = data
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value

    return _edited(plan, put)


def _edited(plan: AnyPlan, edit: Callable[[dict[str, Any]], object]) -> AnyPlan:
    data = _open(any_plan_to_dict(plan))
    edit(data)
    return any_plan_from_dict(data)


def _open(value: Any) -> Any:
    """Copy in which every table and list can be changed."""
    if isinstance(value, dict):
        return {name: _open(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_open(entry) for entry in value]
    return value


def with_step(plan: SequencePlan, kind: str) -> AnyPlan:
    """Return a sequence with one more step, before a last one that has no end."""
    last = plan.steps[-1]
    endless = isinstance(last, MonitorPlan) and last.duration is None
    place = len(plan.steps) - 1 if endless else len(plan.steps)
    return SequencePlan((*plan.steps[:place], STEPS[kind](), *plan.steps[place:]))


def without(plan: AnyPlan, kind: str, index: int) -> AnyPlan:
    """Return the plan without a step or an axis.

    Raises
    ------
    InputError
        If it was the only one.
    """
    name = {"step": "steps", "axis": "axes"}[kind]
    return _edited(plan, lambda data: data[name].pop(index))


def with_axis(plan: SweepPlan, knob: str, light: TweezerState | None) -> AnyPlan:
    """Return a sweep with one more axis, the innermost.

    Raises
    ------
    InputError
        If the knob has an axis, or the sweep would have too many points.
    """
    axis = _axis(knob, light)
    entry = {"knob": knob, "start": axis.start, "stop": axis.stop, "points": axis.points}
    return _edited(plan, lambda data: data["axes"].append(entry))


def with_knob(plan: SweepPlan, index: int, knob: str, light: TweezerState | None) -> AnyPlan:
    """Return a sweep with another knob on an axis, about its present value.

    Raises
    ------
    InputError
        If another axis has the knob.
    """
    axis = _axis(knob, light)
    entry = {"knob": knob, "start": axis.start, "stop": axis.stop, "points": axis.points}

    def put(data: dict[str, Any]) -> None:
        data["reference"].pop(data["axes"][index]["knob"], None)
        data["axes"][index] = entry

    return _edited(plan, put)


def with_inner(plan: SweepPlan, kind: str) -> AnyPlan:
    """Return a sweep that measures another kind of plan at each point."""
    inner = new_plan(kind)
    assert not isinstance(inner, SweepPlan)
    return changed(plan, ("inner",), _open(any_plan_to_dict(inner)))
