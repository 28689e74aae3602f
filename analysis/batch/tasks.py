"""One task of many: a function with plain arguments, known by a key, and what became of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ...models.errors import InputError, OptobindError
from ...models.json_values import json_text, json_values

__all__ = ["Outcome", "Row", "State", "Task", "carry_out", "unique"]

Row = Mapping[str, Any]
"""Values of a line of the table by the name of the column, the unit in brackets: "D11 [rad/s]"."""

State = Literal["ok", "failed", "crashed"]
"""A crashed task is tried again: a bug or a dead worker is no property of the data."""


def _version() -> str:
    from ... import __version__

    return __version__


@dataclass(frozen=True)
class Task:
    """A function of a module with arguments that JSON can hold.

    Attributes
    ----------
    work : callable
        Called with the arguments by name, in any process; returns a :data:`Row`.
    arguments : mapping
        Plain values; they and the function make the key.
    place : mapping
        Columns that say what the task was, whatever becomes of it.
    """

    work: Callable[..., Row]
    arguments: Mapping[str, Any]
    place: Row = field(default_factory=dict)
    version: str = field(default_factory=_version)

    @property
    def key(self) -> str:
        """What the task is known by: the same function, arguments and version have the same one."""
        name = f"{self.work.__module__}.{self.work.__qualname__}"
        text = json_text([name, dict(self.arguments), self.version])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes
    ----------
    state : State
        What kind of end it had.
    row : mapping
        JSON values; empty unless it went well.
    reason : str
        Why it did not.
    """

    state: State
    row: Row
    reason: str = ""

    def __post_init__(self) -> None:
        # The same through a journal and without: NaN is None, numpy's numbers are Python's.
        object.__setattr__(self, "row", json_values(dict(self.row)))


def carry_out(task: Task) -> Outcome:
    """Carry a task out; whatever it raises is its outcome."""
    if task.version != _version():
        return Outcome(
            "crashed", {}, f"the worker has optobind {_version()}, its caller {task.version}"
        )
    try:
        return Outcome("ok", task.work(**task.arguments))
    except OptobindError as error:
        return Outcome("failed", {}, str(error))
    except MemoryError:
        return Outcome("crashed", {}, "not enough memory")
    except Exception as error:  # a bug ends its task, not the others
        return Outcome("crashed", {}, f"internal error: {type(error).__name__}: {error}")


def unique(tasks: list[Task]) -> list[Task]:
    """Tasks, each once, in order.

    Raises
    ------
    InputError
        If there is none.
    """
    found = list({task.key: task for task in tasks}.values())
    if not found:
        raise InputError("there is nothing to do: no task was given")
    return found
