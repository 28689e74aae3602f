"""The keys of plans: each one's unit, range, default and meaning, declared with the plan's field.

A plan is a frozen dataclass whose fields are made by :func:`key`. Everything else follows from
that: the check of a value given in Python or found in a run file (SI numbers), the schema of plan
files and ``--set plan.…`` (texts with units, ``config/plan_schema.py``), and the fields of the
window (``gui/viewmodels/run.py``).
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeVar

from ..models.errors import InputError
from ..models.units import Number, Quantity, parse_quantity, shorten

__all__ = ["Choice", "PlanKey", "WithKeys", "documented", "fixed", "key", "keys_of"]

_T = TypeVar("_T")


@dataclass(frozen=True)
class Choice:
    """What a key that is one of some words may be."""

    words: tuple[str, ...]

    def check(self, value: object) -> str:
        """Return the word.

        Raises
        ------
        ValueError
            One line, without the key, with the known words.
        """
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)  # as an option and a file spell the number of a trap
        if not isinstance(value, str) or value not in self.words:
            raise ValueError(f"must be one of {', '.join(self.words)}, got {shorten(value)}")
        return value


@dataclass(frozen=True)
class PlanKey:
    """One key of a kind of plan.

    Attributes
    ----------
    name : str
        As in a file.
    title : str
        Beside its field in the window.
    text : str
        What it does, for documentation and tips.
    default : object
        SI.
    holds : Quantity, Number, Choice or None
        Unit and range, or the known words; None for a switch, true or false.
    blank : str
        Word for "no value", such as "until stopped", since TOML has no null; "" where a value is
        needed.
    """

    name: str
    title: str
    text: str
    default: Any
    holds: Quantity | Number | Choice | None
    blank: str = ""

    def read(self, value: object) -> Any:
        """Return the SI value of what stands in a file or an option.

        Raises
        ------
        ValueError
            One line, without the name of the key: value, allowed range, unit.
        """
        if self.blank and value == self.blank:
            return None
        if isinstance(self.holds, Quantity) and not (self.blank and value is None):
            return parse_quantity(value, self.holds)
        return self.check(value)

    def check(self, value: object) -> Any:
        """Return a value that is in SI already; errors as for :meth:`read`."""
        if self.blank and value is None:
            return None
        if self.holds is not None:
            return self.holds.check(value)
        if not isinstance(value, bool):
            raise ValueError(f"must be true or false, got {shorten(value)}")
        return value


def key(
    default: Any,
    title: str,
    text: str,
    holds: Quantity | Number | Choice | None = None,
    *,
    blank: str = "",
) -> Any:
    """Declare a field of a plan; see :class:`PlanKey`."""
    return field(default=default, metadata={"key": (title, text, holds, blank)})


def fixed(value: Any) -> Any:
    """Declare a field that a kind of plan inherits and does not let be chosen."""
    return field(default=value, init=False, repr=False)


def keys_of(plan: type) -> tuple[PlanKey, ...]:
    """Return the keys of a kind of plan in their order; those of a sequence are its steps'.

    Parameters
    ----------
    plan : type
        MonitorPlan, ReheatingPlan, …
    """
    declared = [(f, f.metadata["key"]) for f in fields(plan) if "key" in f.metadata]
    return tuple(
        PlanKey(f.name, title, text, f.default, holds, blank)
        for f, (title, text, holds, blank) in declared
    )


class WithKeys:
    """Base of plans: what is given to the constructor is checked against the declarations."""

    _where: ClassVar[str] = "plan"  # what a key belongs to, for messages

    def __post_init__(self) -> None:
        """Check every key; numbers of numpy become plain ones.

        Raises
        ------
        InputError
            Key, allowed range, unit and value.
        """
        for declared in keys_of(type(self)):
            try:
                value = declared.check(getattr(self, declared.name))
            except ValueError as error:
                raise InputError(f"{self._where}.{declared.name} {error}") from None
            object.__setattr__(self, declared.name, value)


def documented(plan: type[_T]) -> type[_T]:
    """Write the declared keys into the docstring of a plan, before its examples."""
    summary, heading, examples = inspect.cleandoc(plan.__doc__ or "").partition("\nExamples\n")
    lines = [summary.rstrip(), "", "Attributes", "----------"]
    for declared in keys_of(plan):
        lines += [f"{declared.name} : {_kind(declared)}", f"    {declared.text}"]
    plan.__doc__ = "\n".join(lines) + ("\n" + heading + examples if heading else "")
    return plan


def _kind(declared: PlanKey) -> str:
    """Type, range and default of a key in words."""
    if isinstance(declared.holds, Quantity):
        kind = f"float, {declared.holds.describe_range()}"
    elif isinstance(declared.holds, Number):
        low, high = declared.holds.low, declared.holds.high
        kind = f"{'int' if declared.holds.whole else 'float'}, {low:g} … {high:g}"
    elif isinstance(declared.holds, Choice):
        kind = "{" + ", ".join(f'"{word}"' for word in declared.holds.words) + "}"
    else:
        kind = "bool"
    kind += f" or None ({declared.blank})" if declared.blank else ""
    unit = f" {declared.holds.unit}" if isinstance(declared.holds, Quantity) else ""
    return f"{kind}, default {declared.default}{unit}"
