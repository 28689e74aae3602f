"""Whether arguments are of the kinds that a call declares: what a remote sends is not trusted."""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ...models.errors import InputError
from .calls import RemoteCalls

__all__ = ["checked"]


def checked(
    call: str, args: tuple[Any, ...], named: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call of :class:`.RemoteCalls` if they fit its declaration.

    Raises
    ------
    InputError
        Names the argument and what it is to be.
    """
    declared = inspect.signature(getattr(RemoteCalls, call))
    try:
        bound = declared.bind(None, *args, **named)  # None in the place of self
    except TypeError as error:
        raise InputError(f"{call}: {error}") from None
    hints = _hints(getattr(RemoteCalls, call))
    for name, value in bound.arguments.items():
        if name != "self" and not _fits(value, hints[name]):
            wanted = str(declared.parameters[name].annotation)
            raise InputError(f"{call}: {name} must be {wanted}, got {type(value).__name__}")
    return bound.args[1:], bound.kwargs


@cache
def _hints(thing: Any) -> dict[str, Any]:
    return get_type_hints(thing)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of the declared kind, all that it holds included."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any or hint is object:
        return True
    if hint is None or hint is type(None):
        return value is None
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if len(inner) == 2 and inner[1] is Ellipsis:
            return all(_fits(one, inner[0]) for one in value)
        return len(value) == len(inner) and all(map(_fits, value, inner))
    if origin is Mapping or origin is dict:
        return isinstance(value, Mapping) and all(
            _fits(key, inner[0]) and _fits(entry, inner[1]) for key, entry in value.items()
        )
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is Path:
        return isinstance(value, Path)
    return isinstance(value, hint) and _whole(value)


def _whole(value: Any) -> bool:
    """Whether the fields of a dataclass are of their kinds."""
    if not is_dataclass(value):
        return True
    kind: Any = type(value)
    hints = _hints(kind)
    return all(_fits(getattr(value, f.name), hints[f.name]) for f in fields(value))
