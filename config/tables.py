"""What the schema of rigs says of each table: drivers of a family, keys, ranges, defaults."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import tomlkit
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ..models.prefixes import engineering
from ..models.units import Quantity
from .devices import DevicesConfig
from .fields import quantity_of

__all__ = [
    "FAMILIES",
    "NAMED_FAMILIES",
    "drivers_of",
    "key_rows",
    "quantity_at",
    "shown_default",
    "tag_of",
    "words_of",
]

FAMILIES = ("digitizer", "gate", "pattern", "slm", "rf", "gauge", "controller", "light")
"""Families of devices, in the order of a file."""

NAMED_FAMILIES = ("knobs", "sensors")
"""Those of which a rig may have any number, each with a name."""


def _arms(annotation: Any) -> list[type[BaseModel]]:
    """Tables of a family, plugins left out."""
    if get_origin(annotation) is Annotated:
        return _arms(get_args(annotation)[0])
    arms = [arm for part in get_args(annotation) for arm in _arms(part)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [] if annotation.model_config.get("extra") == "allow" else [annotation]
    return arms


def tag_of(family: str) -> str:
    """Key that tells the tables of a family apart."""
    return "control" if family == "light" else "driver"


def drivers_of(family: str) -> dict[str, type[BaseModel]]:
    """Tables of the drivers of a family by the driver's name; of the light, by its control."""
    annotation = DevicesConfig.model_fields[family].annotation
    return {
        str(name): arm
        for arm in _arms(annotation)
        for name in get_args(arm.model_fields[tag_of(family)].annotation)
    }


def key_rows(model: type[BaseModel]) -> list[tuple[str, str, str]]:
    """Keys of a table of the schema: name, what it holds, default as a file has it.

    A key without a default is "needed".
    """
    rows = []
    for key, info in model.model_fields.items():
        holds = quantity_at(info)
        what = words_of(info)
        if holds is not None:
            what = f"{holds.describe_range()} ({', '.join(holds.units)})"
        if info.is_required():
            rows.append((key, what or _kind(info), "needed"))
        elif isinstance(info.get_default(call_default_factory=True), BaseModel | tuple):
            rows.append((key, what, ""))
        else:
            rows.append((key, what or _kind(info), shown_default(info, holds) or ""))
    return rows


def _kind(info: FieldInfo) -> str:
    """Name of a plain type, or what a key says of itself; nothing for tables."""
    if info.description:
        return info.description
    names = {bool: "true, false", int: "a whole number", float: "a number", str: "text"}
    return next((names[t] for t in (*get_args(info.annotation), info.annotation) if t in names), "")


def quantity_at(info: FieldInfo) -> Quantity | None:
    """Quantity that a key holds; None for another kind."""
    whole: Any = info.annotation
    return quantity_of(Annotated[(whole, *info.metadata)] if info.metadata else whole)


def shown_default(info: FieldInfo, holds: Quantity | None) -> str | None:
    """Write a default; None where there is none."""
    default = info.get_default(call_default_factory=True)
    entries = default if isinstance(default, list) else [default]
    if default is None or math.inf in entries:
        return None
    if holds is not None:
        entries = [engineering(float(v), holds.unit).replace("µ", "u") for v in entries]
    return str(tomlkit.item(entries if isinstance(default, list) else entries[0]).as_string())


def words_of(info: FieldInfo) -> str:
    """Known words of a key."""
    annotation = info.annotation
    arms = get_args(annotation) if get_origin(annotation) is Union else (annotation,)
    words = [str(word) for arm in arms if get_origin(arm) is Literal for word in get_args(arm)]
    return ", ".join(words)
