"""Programs as plan files: their parameters and the keys of any sweep, from ``--set``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..acquisition.sweeps.programs.plan import ProgramPlan
from ..acquisition.sweeps.programs.source import ProgramSource
from ..models.errors import InputError
from .overrides import apply_overrides, value_of
from .plan_schema import PROGRAM_TABLE

__all__ = ["program_document"]

_OF_PROGRAM = ("kind", "description", "source", "parameters", "knobs")


def program_document(name: str, text: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """What a program and ``path=value`` settings make: keys of a sweep, source and parameters.

    Raises
    ------
    InputError
        For a program that cannot be carried out, or a setting that it does not know.
    """
    source = ProgramSource(name, text)
    of_plan, parameters = [], {}
    keys = tuple(field for field in PROGRAM_TABLE.model_fields if field not in _OF_PROGRAM)
    clash = [parameter for parameter in source.parameters if parameter in keys]
    if clash:
        raise InputError(
            f"program {name}: {clash[0]} is a key of every sweep: give the parameter another name"
        )
    for setting in overrides:
        path, separator, value = setting.partition("=")
        if path.strip().split(".")[0] in keys or not separator:
            of_plan.append(setting)
        elif path.strip() in source.parameters:
            parameters[path.strip()] = value_of(value.strip())
        else:
            known = ", ".join((*source.parameters, *keys))
            raise InputError(f"--set {path.strip()[:80]}: unknown; known: {known}")
    document = apply_overrides(dict(source.keys), of_plan, PROGRAM_TABLE)
    plan = ProgramPlan.of(source, parameters)
    return {
        "kind": "program",
        **document,
        "source": {"name": name, "text": text},
        "parameters": dict(plan.parameters),
        "knobs": list(plan.knobs),
    }
