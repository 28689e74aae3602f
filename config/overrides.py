"""``--set path=value``: changes to a rig or plan before it is validated."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from ..models.errors import InputError
from ..models.units import shorten
from .messages import known_keys, suggest, takes_any_key

__all__ = ["apply_overrides", "split_overrides", "value_of"]


def split_overrides(settings: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate those that address the plan (``plan.…``, prefix removed) from those of the rig.

    Parameters
    ----------
    settings : sequence of str
        ``path=value`` each.

    Returns
    -------
    rig, plan : list of str
    """
    plan = [text.removeprefix("plan.") for text in settings if text.startswith("plan.")]
    return [text for text in settings if not text.startswith("plan.")], plan


def value_of(text: str) -> Any:
    """Read a value as TOML, or else as a string ("85 nm" needs no inner quotes)."""
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):  # TOMLDecodeError is a ValueError
        return text
    return table["value"] if list(table) == ["value"] else text


def apply_overrides(
    data: dict[str, Any], settings: Sequence[str], model: type[BaseModel]
) -> dict[str, Any]:
    """Return a copy of a TOML document with some values changed.

    Parameters
    ----------
    data : dict
        The document.
    settings : sequence of str
        ``path=value``; the path is dotted, list entries are numbered from 0.
    model : type
        Schema of the document, for the known keys in messages.

    Raises
    ------
    InputError
        For a setting without ``=`` or a path that the schema does not have.
    """
    result = copy.deepcopy(data)
    for setting in settings:
        path, separator, text = setting.partition("=")
        keys = path.strip().split(".")
        if not separator or not all(keys):
            raise InputError(
                f"--set needs path=value, such as particles.0.radius=85nm, got {shorten(setting)}"
            )
        _assign(result, keys, value_of(text.strip()), model)
    return result


def _assign(data: dict[str, Any], keys: list[str], value: Any, model: type[BaseModel]) -> None:
    """Set one value, creating tables that the schema has but the document leaves out."""
    here: Any = data
    location: list[int | str] = []
    for position, key in enumerate(keys):
        last = position == len(keys) - 1
        step = _step(here, key, keys, location, model)
        location.append(step)
        if last:
            here[step] = value
        elif isinstance(here, dict) and step not in here:
            if keys[position + 1].isdecimal():
                raise InputError(f"--set {'.'.join(keys)}: {'.'.join(map(str, location))} is empty")
            here = here.setdefault(step, {})
        else:
            here = here[step]


def _short(path: str) -> str:
    """Cut a path to a length that fits in a line."""
    return path if len(path) <= 80 else f"{path[:79]}…"


def _step(
    here: Any, key: str, keys: list[str], location: list[int | str], model: type[BaseModel]
) -> int | str:
    """Check one element of a path against document and schema."""
    full, parent = _short(".".join(keys)), ".".join(map(str, location))
    if isinstance(here, list):
        if key.isdecimal() and int(key) < len(here):
            return int(key)
        raise InputError(
            f"--set {full}: {parent} has {len(here)} entries, 0 … {len(here) - 1}, "
            f"got {shorten(key)}"
        )
    if not isinstance(here, dict):
        raise InputError(f"--set {full}: {parent} is a value, not a table")
    known = known_keys(model, tuple(location))
    plugin = takes_any_key(model, tuple(location), here.get("driver"))
    if known and key not in known and not plugin:
        where = f"in {parent}" if parent else "at the top"
        raise InputError(
            f"--set {full}: unknown key {shorten(key)} {where}{suggest(key, known)}; "
            f"known keys: {', '.join(known)}"
        )
    return key
