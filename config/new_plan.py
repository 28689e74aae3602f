"""New plan files with a comment at every key, from the plans' own declarations."""

from __future__ import annotations

import textwrap
from typing import Any

import tomlkit

from ..acquisition.plan_keys import PlanKey, keys_of
from ..acquisition.plans import STEPS
from ..models.errors import InputError
from ..models.prefixes import engineering
from ..models.units import Number, Quantity
from .commented import add, rows
from .load import shipped_text
from .messages import suggest

__all__ = ["NEW_PLANS", "new_plan", "range_text"]

NEW_PLANS = (*STEPS, "sequence", "sweep")
"""Kinds that can be written."""


def new_plan(kind: str) -> str:
    """Write a plan with comments: every key with its default, unit and meaning.

    Raises
    ------
    InputError
        For a kind that there is not.
    """
    if kind == "sweep":
        return shipped_text("plans", "sweep-phase")
    document = tomlkit.document()
    document.add(tomlkit.comment("A plan: optobind run FILE --rig RIG; set keys by --set plan.…"))
    if kind == "sequence":
        add(document, "kind", kind, "steps, one after the other")
        document.add("steps", rows(_step(tomlkit.table(), name) for name in STEPS))
        return tomlkit.dumps(document)
    if kind not in STEPS:
        raise InputError(
            f"no plan of kind {kind!r}{suggest(kind, NEW_PLANS)}; known: {', '.join(NEW_PLANS)}"
        )
    return tomlkit.dumps(_step(document, kind))


def _step(table: Any, kind: str) -> Any:
    """Add the keys of a kind of plan."""
    add(table, "kind", kind, "")
    for declared in keys_of(STEPS[kind]):
        for line in _wrapped(declared):
            table.add(tomlkit.comment(line))
        add(table, declared.name, _file_value(declared), range_text(declared))
    return table


def _wrapped(declared: PlanKey) -> list[str]:
    return textwrap.wrap(f"{declared.title}: {declared.text}", 96)


def _file_value(declared: PlanKey) -> object:
    """A default as a file has it."""
    if declared.default is None:
        return declared.blank
    if isinstance(declared.holds, Quantity):
        return engineering(declared.default, declared.holds.unit).replace("µ", "u")
    return declared.default


def range_text(declared: PlanKey) -> str:
    """Units or words that a key of a plan takes."""
    holds = declared.holds
    if holds is None:
        return "true, false"
    if isinstance(holds, Quantity):
        blank = f', or "{declared.blank}"' if declared.blank else ""
        return f"{', '.join(holds.units)}{blank}"
    if isinstance(holds, Number):
        return f"{holds.low:g} … {holds.high:g}"
    return ", ".join(holds.words)
