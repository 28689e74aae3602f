"""Any plan as JSON values and back: of a run, a sweep, a seek, a program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from ...models.errors import InputError
from ..plan_keys import keys_of
from ..plans import Plan, plan_from_dict, plan_to_dict
from ..suspenders import SuspendRules
from .plan import Axis, SweepPlan
from .programs.plan import ProgramPlan
from .programs.source import ProgramSource
from .seek_plan import SeekPlan

__all__ = ["any_plan_from_dict", "any_plan_to_dict"]


_TABLES: dict[object, tuple[type[SweepPlan], tuple[str, ...]]] = {
    "sweep": (SweepPlan, ("axes", "inner", "reference", "suspend")),
    "seek": (SeekPlan, ("inner", "suspend")),
    "program": (ProgramPlan, ("source", "parameters", "knobs", "suspend")),
}
# Kinds of sweeps, and which of their values are no keys.


def any_plan_to_dict(plan: Plan | SweepPlan) -> dict[str, Any]:
    """Return a plan, of a sweep too, as JSON values (SI)."""
    if not isinstance(plan, SweepPlan):
        return plan_to_dict(plan)
    names = (f.name for f in fields(plan) if f.init or f.name == "kind")
    values = {name: getattr(plan, name) for name in names}
    values["suspend"] = asdict(plan.suspend)
    if isinstance(plan, ProgramPlan):
        source = {"name": plan.source.name, "text": plan.source.text}
        return values | {
            "source": source,
            "parameters": dict(plan.parameters),
            "knobs": list(plan.knobs),
        }
    values["inner"] = plan_to_dict(plan.inner)
    if not isinstance(plan, SeekPlan):
        values["axes"] = [asdict(axis) for axis in plan.axes]
        values["reference"] = dict(plan.reference)
    return values


def any_plan_from_dict(data: Mapping[str, Any]) -> Plan | SweepPlan:
    """Return the plan that :func:`any_plan_to_dict` wrote.

    Raises
    ------
    InputError
        For an unknown kind or key, or a value out of range.
    """
    kind = data.get("kind")
    if kind not in _TABLES:
        return plan_from_dict(data)
    made, tables = _TABLES[kind]
    rest = {name: value for name, value in data.items() if name != "kind"}
    given = {name: rest.pop(name, None) for name in tables}
    known = [declared.name for declared in keys_of(made)]
    for name in rest:
        if name not in known:
            raise InputError(f"plan key {name!r} is not known; known keys: {', '.join(known)}")
    rules = SuspendRules(**(given["suspend"] or {}))
    if made is ProgramPlan:
        source, parameters = given["source"] or {}, given["parameters"] or {}
        program = ProgramSource(str(source["name"]), str(source["text"]))
        return ProgramPlan(
            suspend=rules,
            source=program,
            parameters=tuple(parameters.items()),
            knobs=tuple(given["knobs"] or ()),
            **rest,
        )
    inner = given["inner"]
    if made is SeekPlan:
        if inner is not None:
            rest["inner"] = plan_from_dict(inner)
        return SeekPlan(suspend=rules, **rest)
    axes = given["axes"]
    if not isinstance(inner, Mapping) or not isinstance(axes, list | tuple):
        raise InputError("a sweep needs plan.axes and plan.inner")
    axes = tuple(Axis(**{**axis, "values": tuple(axis.get("values") or ())}) for axis in axes)
    reference = tuple((given["reference"] or {}).items())
    return SweepPlan(axes, plan_from_dict(inner), reference, rules, **rest)
