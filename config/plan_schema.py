"""Schema of plan files, derived from the plans' own declarations in ``acquisition/plans.py``.

Nothing is declared here but what only a file has: ``kind`` and ``description``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Union

from pydantic import BeforeValidator, Field, create_model

from ..acquisition.plan_keys import keys_of
from ..acquisition.plans import MAX_STEPS, PLANS, STEPS, Plan, plan_from_dict
from .fields import Table

__all__ = ["PLAN_TABLES", "PlanTable"]


class PlanTable(Table):
    """A plan file: all values in SI after validation."""

    kind: str
    description: str = ""

    def to_plan(self) -> Plan:
        """Return the frozen plan.

        Raises
        ------
        InputError
            For what no single key shows, such as a step without an end before the last one.
        """
        return plan_from_dict(_without_description(self.model_dump()))


def _without_description(data: dict[str, Any]) -> dict[str, Any]:
    """Leave out what only the file has, at every level."""
    kept = {name: value for name, value in data.items() if name != "description"}
    if "steps" in kept:
        kept["steps"] = [_without_description(step) for step in kept["steps"]]
    return kept


def _table(kind: str, **keys: Any) -> type[PlanTable]:
    """Make the table of one kind of plan."""
    keys["kind"] = (Literal[kind], ...)
    return create_model(f"{kind.capitalize()}Table", __base__=PlanTable, **keys)


def _step_table(kind: str) -> type[PlanTable]:
    """Make the table of a plan with declared keys."""
    keys = {
        declared.name: (Annotated[Any, BeforeValidator(declared.read)], declared.default)
        for declared in keys_of(STEPS[kind])
    }
    return _table(kind, **keys)


_STEP_TABLES = {kind: _step_table(kind) for kind in STEPS}
_STEP: Any = Annotated[Union[tuple(_STEP_TABLES.values())], Field(discriminator="kind")]  # noqa: UP007
_STEP_LIST: Any = Annotated[list[_STEP], Field(min_length=1, max_length=MAX_STEPS)]

PLAN_TABLES: dict[str, type[PlanTable]] = {
    kind: _STEP_TABLES[kind] if kind in STEPS else _table(kind, steps=(_STEP_LIST, ...))
    for kind in PLANS
}
"""Tables by the kind of plan."""
