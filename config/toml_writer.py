"""Write a rig as TOML; the standard library only reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ..models.errors import InputError

__all__ = ["to_toml"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(document: Mapping[str, Any]) -> str:
    """Write a document of tables, lists of tables, and plain values and lists.

    Raises
    ------
    InputError
        For a value that TOML does not have.
    """
    lines: list[str] = []
    _write_table(lines, "", document)
    return "\n".join(lines).strip() + "\n"


def _write_table(lines: list[str], path: str, table: Mapping[str, Any]) -> None:
    """Write the plain values first, then the tables below."""
    tables = {key: value for key, value in table.items() if _holds_tables(value)}
    for key, value in table.items():
        if key not in tables:
            lines.append(f"{_key(key)} = {_value(value)}")
    for key, value in tables.items():
        name = f"{path}.{_key(key)}" if path else _key(key)
        entries = [value] if isinstance(value, Mapping) else value
        brackets = ("[", "]") if isinstance(value, Mapping) else ("[[", "]]")
        for entry in entries:
            # A table that holds nothing but tables needs no header of its own.
            if not entry or not all(map(_holds_tables, entry.values())):
                lines += ["", f"{brackets[0]}{name}{brackets[1]}"]
            _write_table(lines, name, entry)


def _holds_tables(value: object) -> bool:
    if isinstance(value, Mapping):
        return True
    return isinstance(value, list) and bool(value) and all(isinstance(v, Mapping) for v in value)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for the character DEL.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    raise InputError(f"TOML has no value such as {value!r}")
