"""Schema of plan files, derived from the plans' own declarations.

These are in ``acquisition/plans.py`` and ``acquisition/sweeps/plan.py``; nothing is declared here
but what only a file has: ``kind`` and ``description``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union

from pydantic import BeforeValidator, Field, ValidationInfo, create_model, field_validator

from ..acquisition.plan_keys import keys_of
from ..acquisition.plans import MAX_STEPS, PLANS, STEPS, Plan
from ..acquisition.suspenders import SuspendRules
from ..acquisition.sweeps.any_plan import any_plan_from_dict
from ..acquisition.sweeps.knobs import knob_of
from ..acquisition.sweeps.plan import MAX_POINTS, SweepPlan
from ..acquisition.sweeps.programs.plan import ProgramPlan
from ..acquisition.sweeps.seek_plan import SeekPlan
from ..models.errors import InputError
from ..models.units import Number, parse_quantity
from .fields import Table

__all__ = ["PLAN_TABLES", "PROGRAM_TABLE", "PlanTable"]


class PlanTable(Table):
    """A plan file: all values in SI after validation."""

    kind: str
    description: str = ""

    def to_plan(self) -> Plan | SweepPlan:
        """Return the frozen plan.

        Raises
        ------
        InputError
            For what no single key shows, such as a step without an end before the last one.
        """
        return any_plan_from_dict(_without_description(self.model_dump()))


def _without_description(data: dict[str, Any]) -> dict[str, Any]:
    """Leave out what only the file has, at every level."""
    kept = {name: value for name, value in data.items() if name != "description"}
    if "steps" in kept:
        kept["steps"] = [_without_description(step) for step in kept["steps"]]
    if kept.get("inner") is not None:  # a seek has one of its own
        kept["inner"] = _without_description(kept["inner"])
    return kept


def _table(kind: str, **keys: Any) -> type[PlanTable]:
    """Make the table of one kind of plan."""
    keys["kind"] = (Literal[kind], ...)
    return create_model(f"{kind.capitalize()}Table", __base__=PlanTable, **keys)


def _keys(plan: type) -> dict[str, Any]:
    """Fields of the declared keys of a plan."""
    return {
        declared.name: (Annotated[Any, BeforeValidator(declared.read)], declared.default)
        for declared in keys_of(plan)
    }


def _step_table(kind: str) -> type[PlanTable]:
    """Make the table of a plan with declared keys."""
    return _table(kind, **_keys(STEPS[kind]))


def _in_units_of(knob: str, value: object) -> float:
    """Read a value of a knob, SI."""
    try:
        return parse_quantity(value, knob_of(knob).holds)
    except InputError as error:
        raise ValueError(str(error)) from None


class AxisTable(Table):
    """One axis of a sweep: a knob, and its values or a range, with the knob's units."""

    knob: str
    values: list[Any] = Field(default_factory=list, max_length=MAX_POINTS)
    start: Any = None
    stop: Any = None
    points: Annotated[Any, BeforeValidator(Number(2, MAX_POINTS, whole=True).check)] = None

    @field_validator("knob")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            return knob_of(name).name
        except InputError as error:
            raise ValueError(f"is not usable: {error}") from None

    @field_validator("start", "stop", mode="before")
    @classmethod
    def _end(cls, value: object, info: ValidationInfo) -> object:
        return _in_units_of(info.data["knob"], value) if "knob" in info.data else value

    @field_validator("values", mode="before")
    @classmethod
    def _values(cls, values: object, info: ValidationInfo) -> object:
        if not isinstance(values, list) or "knob" not in info.data:
            return values
        return [_in_units_of(info.data["knob"], value) for value in values]


def _reference(value: object) -> dict[str, float]:
    """Read the set-point of references: a table of knobs and values."""
    if not isinstance(value, Mapping):
        raise ValueError(f"must be a table of knobs and values, got {value!r}"[:120])
    return {str(name): _in_units_of(str(name), entry) for name, entry in value.items()}


_STEP_TABLES = {kind: _step_table(kind) for kind in STEPS}
_STEP: Any = Annotated[Union[tuple(_STEP_TABLES.values())], Field(discriminator="kind")]  # noqa: UP007
_STEP_LIST: Any = Annotated[list[_STEP], Field(min_length=1, max_length=MAX_STEPS)]

_SEQUENCE = _table("sequence", steps=(_STEP_LIST, ...))
_INNER: Any = Annotated[
    Union[(*_STEP_TABLES.values(), _SEQUENCE)],
    Field(discriminator="kind"),
]
_SUSPEND: Any = create_model("SuspendTable", __base__=Table, **_keys(SuspendRules))
_SWEEP = _table(
    "sweep",
    axes=(Annotated[list[AxisTable], Field(min_length=1, max_length=9)], ...),
    inner=(_INNER, ...),
    reference=(Annotated[Any, BeforeValidator(_reference)], {}),
    suspend=(_SUSPEND, Field(default_factory=_SUSPEND)),
    **_keys(SweepPlan),
)
_SEEK = _table(
    "seek",
    inner=(_INNER | None, None),
    suspend=(_SUSPEND, Field(default_factory=_SUSPEND)),
    **_keys(SeekPlan),
)
PROGRAM_TABLE: type[PlanTable] = _table(
    "program",
    source=(dict[str, str], ...),
    parameters=(dict[str, Any], Field(default_factory=dict)),
    knobs=(list[str], Field(default_factory=list)),
    suspend=(_SUSPEND, Field(default_factory=_SUSPEND)),
    **_keys(ProgramPlan),
)
"""Table of a program and what it was given; programs are Python files, not TOML."""

PLAN_TABLES: dict[str, type[PlanTable]] = {
    **{kind: _STEP_TABLES.get(kind, _SEQUENCE) for kind in PLANS},
    "sweep": _SWEEP,
    "seek": _SEEK,
}
"""Tables by the kind of plan."""
