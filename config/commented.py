"""TOML with a comment at every key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import tomlkit
from tomlkit.items import AoT, Item, Table

__all__ = ["add", "hint", "rows"]

_WIDTH = 34  # of a line before its comment


def add(table: Any, key: str, value: object, comment: str) -> None:
    """Add a key with its comment."""
    item = tomlkit.item(value)
    if comment:
        item.comment(comment)
        item.trivia.comment_ws = " " * max(2, _WIDTH - len(f"{key} = {item.as_string()}"))
    table.add(key, item)


def hint(table: Any, key: str, value: str, comment: str) -> None:
    """Add a key as a comment: what holds, or would hold, where it is not given."""
    line = f"{key} = {value}"
    table.add(tomlkit.comment(f"{line:<{_WIDTH - 4}}  # {comment}" if comment else line))


def rows(tables: Iterable[Table]) -> AoT:
    """Put tables into a list; the comments of the first one hold for all."""
    found = tomlkit.aot()
    for number, table in enumerate(tables):
        for item in table.values() if number else ():
            if isinstance(item, Item):
                item.trivia.comment = item.trivia.comment_ws = ""
        found.append(table)
    return found
