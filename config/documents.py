"""Write rigs and plans as TOML; the standard library only reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from ..models.errors import InputError

__all__ = ["to_toml"]


def to_toml(document: Mapping[str, Any]) -> str:
    """Write a document of tables, lists of tables, and plain values and lists.

    Raises
    ------
    InputError
        For a value that TOML does not have.
    """
    try:
        return tomlkit.dumps(document)
    except (TOMLKitError, TypeError, ValueError) as error:
        raise InputError(f"TOML has no such value: {error}") from None
