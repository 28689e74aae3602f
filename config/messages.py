"""Lines of text out of a failed validation: the key's path, the value, what would be right."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from ..models.errors import InputError
from ..models.units import shorten

__all__ = ["PLUGIN", "SchemaError", "known_keys", "suggest", "takes_any_key"]

PLUGIN = "plugin"
"""Tag of the table of a driver that the schema does not describe."""


def suggest(word: str, known: Iterable[str]) -> str:
    """Return " (did you mean …?)" if a known word is close, otherwise nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else ""


def _branches(annotation: Any) -> list[Any]:
    """Undo Annotated and Union."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _branches(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [leaf for arm in get_args(annotation) for leaf in _branches(arm)]
    return [annotation]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _driver_of(model: type[BaseModel]) -> tuple[str, ...]:
    """Values of the key that tells the arms of a union apart."""
    for key in ("driver", "control", "kind"):
        if key in model.model_fields:
            return tuple(map(str, get_args(model.model_fields[key].annotation)))
    return ()


def _is_open(arm: Any) -> bool:
    """Whether an arm takes keys that the schema does not know."""
    return _is_model(arm) and arm.model_config.get("extra") == "allow"


def _walk(model: Any, location: tuple[int | str, ...]) -> tuple[list[str], list[Any]]:
    """Follow a location; return the path as the user wrote it and the types at its end."""
    path: list[str] = []
    current = _branches(model)
    for step in location:
        models = [arm for arm in current if _is_model(arm)]
        tagged = [arm for arm in models if len(models) > 1 and step in _driver_of(arm)]
        if step == PLUGIN:
            tagged = [arm for arm in models if _is_open(arm)]
        if tagged:  # pydantic names the arm of a union in between
            current = tagged
            continue
        path.append(str(step))
        following: list[Any] = []
        for arm in current:
            if _is_model(arm) and step in arm.model_fields:
                field = arm.model_fields[str(step)]
                following += _branches(field.annotation)
            elif get_origin(arm) in (list, tuple):
                following += _branches(get_args(arm)[0])
            elif get_origin(arm) is dict:
                following += _branches(get_args(arm)[1])
        current = following
    return path, current


def known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Keys of the table at a location of the schema."""
    _, ends = _walk(model, location)
    return sorted({key for arm in ends if _is_model(arm) for key in arm.model_fields})


def takes_any_key(model: type[BaseModel], location: tuple[int | str, ...], driver: object) -> bool:
    """Whether the table at a location is that of a driver which the schema does not describe."""
    _, ends = _walk(model, location)
    known = {name for arm in ends if _is_model(arm) for name in _driver_of(arm)}
    return any(map(_is_open, ends)) and driver is not None and driver not in known


def _choices(allowed: Iterable[object]) -> str:
    return ", ".join(f'"{value}"' if isinstance(value, str) else str(value) for value in allowed)


class SchemaError(InputError):
    """A document that the schema refuses (exit code 2).

    Parameters
    ----------
    error : ValidationError
        Of ``model``.
    model : type
        Root of the schema.
    label : str
        Name of the file.
    what : str
        Name of the root in messages, such as "the rig".

    Attributes
    ----------
    problems : tuple of str
        A line each; the text of the error is the first one and how many more there are.
    """

    def __init__(
        self, error: ValidationError, model: type[BaseModel], label: str, what: str
    ) -> None:
        failures = error.errors(include_url=False)
        # An unknown key explains a missing one beside it (a typo), not the other way round.
        failures.sort(key=lambda failure: failure["type"] != "extra_forbidden")
        self.problems = tuple(_sentence(dict(failure), model, what) for failure in failures)
        more = len(failures) - 1
        others = f" ({more} more {'problem' if more == 1 else 'problems'})" if more else ""
        super().__init__(f"{label}: {self.problems[0]}{others}")


def _sentence(failure: dict[str, Any], model: type[BaseModel], what: str) -> str:
    """Describe one failure."""
    location, kind = failure["loc"], failure["type"]
    path, ends = _walk(model, location)
    name = ".".join(map(_short, path)) or what
    value, context = failure.get("input"), failure.get("ctx", {})
    if kind == "extra_forbidden":
        known = known_keys(model, location[:-1])
        hint = suggest(path[-1], known)
        return f"unknown key {name}{hint}; known keys: {', '.join(known)}"
    if kind in ("union_tag_invalid", "literal_error"):
        return _unknown_choice(kind, name, ends, value, context)
    if kind == "union_tag_not_found":
        key = "control" if path[-1:] == ["light"] else "driver"
        return f"{name} lacks {key}; known: {_drivers(ends)}"
    if kind == "unknown_driver":
        parent, known = ".".join(path[:-1]), context["known"]
        hint = suggest(str(value), known)
        return f"unknown driver {shorten(value)} of {parent}{hint}; known: {_choices(known)}"
    if kind == "missing":
        return f"{name} is missing"
    if kind == "value_error":
        return f"{name} {context['error']}"
    if kind == "too_short" or kind == "too_long":
        return f"{name} holds {context['actual_length']} entries, needs {_length(context)}"
    needed = _KINDS.get(kind)
    if needed:
        return f"{name} must be {needed}, got {shorten(value)}"
    return f"{name}: {failure['msg']}, got {shorten(value)}"


def _short(key: str) -> str:
    """Cut a key to a length that fits in a line."""
    return key if len(key) <= 60 else f"{key[:59]}…"


_KINDS = {
    "bool_type": "true or false",
    "dict_type": "a table",
    "finite_number": "a finite number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_attributes_type": "a table",
    "model_type": "a table",
    "string_type": "a string",
}


def _length(context: dict[str, Any]) -> str:
    if "min_length" in context:
        return f"at least {context['min_length']}"
    return f"at most {context['max_length']}"


def _drivers(ends: list[Any]) -> str:
    return _choices(sorted({d for arm in ends if _is_model(arm) for d in _driver_of(arm)}))


def _unknown_choice(
    kind: str, name: str, ends: list[Any], value: object, context: dict[str, Any]
) -> str:
    """Describe a word that is not among the known ones."""
    if kind == "union_tag_invalid":
        given, key = context["tag"], context["discriminator"].strip("'")
        return f"unknown {key} {given!r} of {name}; known: {_drivers(ends)}"
    allowed = [a for arm in ends if get_origin(arm) is Literal for a in get_args(arm)]
    words = [str(a) for a in allowed]
    hint = suggest(str(value), words)
    if name.rpartition(".")[2] in ("driver", "control", "kind"):
        return f"unknown {name} {shorten(value)}{hint}; known: {_choices(allowed)}"
    return f"{name} must be one of {_choices(allowed)}, got {shorten(value)}{hint}"
