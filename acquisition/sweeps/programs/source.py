"""A program as it stands in its file: its text, its parameters, and the generator that it makes."""

from __future__ import annotations

import ast
import inspect
import linecache
import math
import traceback
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Annotated, Any, get_args, get_origin

from ....models.errors import InputError
from ....models.units import Quantity, parse_quantity, shorten

__all__ = ["Course", "Parameter", "ProgramSource", "description_of", "place_of_error"]

Course = Generator[Any, Any, object]
"""What a program makes: it yields steps and is sent their answers."""

_ENTRY, _KNOBS, _KEYS = "plan", "KNOBS", "KEYS"


@dataclass(frozen=True)
class Parameter:
    """A parameter of a program: its name, default, and the unit of ``Annotated[float, "rad"]``."""

    name: str
    default: Any
    unit: str = ""

    def read(self, value: object) -> Any:
        """Return a value as the program takes it.

        Raises
        ------
        InputError
            For a value of another type than the default.
        """
        if isinstance(self.default, bool):
            if not isinstance(value, bool):
                raise InputError(f"must be true or false, got {shorten(value)}")
            return value
        if isinstance(self.default, int):
            if isinstance(value, bool) or not isinstance(value, int):
                raise InputError(f"must be a whole number, got {shorten(value)}")
            return value
        if isinstance(self.default, float) or self.unit:
            return self._number(value)
        if not isinstance(
            value, str if isinstance(self.default, str) else bool | int | float | str
        ):
            raise InputError(f"must be a text, got {shorten(value)}")
        return value

    def _number(self, value: object) -> float:
        try:
            if isinstance(value, str) and self.unit:
                holds = Quantity(self.unit, -math.inf, math.inf, f"1 {self.unit}", (self.unit,))
                return parse_quantity(value, holds)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"must be a number, got {shorten(value)}")
            return float(value)
        except ValueError as error:
            raise InputError(str(error)) from None


@dataclass(frozen=True)
class ProgramSource:
    """The text of a program.

    Attributes
    ----------
    name : str
        Of its file, for messages.
    text : str
        Python with a generator function ``plan``, and optionally ``KNOBS``, the names of the knobs
        that it turns, and ``KEYS``, a table of the keys that any sweep has.
    """

    name: str
    text: str

    @property
    def file(self) -> str:
        """Name under which tracebacks know the text."""
        return f"<program {self.name}>"

    @cached_property
    def _names(self) -> Mapping[str, Any]:
        """What the text defines; it is carried out once."""
        lines = self.text.splitlines(keepends=True)
        linecache.cache[self.file] = (len(self.text), None, lines, self.file)
        names: dict[str, Any] = {"__name__": "optobind_program", "__file__": self.name}
        try:
            exec(compile(self.text, self.file, "exec", dont_inherit=True), names)
        except SyntaxError as error:
            raise InputError(f"program {self.name}, line {error.lineno}: {error.msg}") from None
        except Exception as error:
            raise InputError(f"program {self.name}{place_of_error(error, self.file)}") from None
        return names

    @cached_property
    def function(self) -> Callable[..., Course]:
        """The generator function.

        Raises
        ------
        InputError
            If there is none, or the text cannot be carried out.
        """
        found = self._names.get(_ENTRY)
        if not inspect.isgeneratorfunction(found):
            raise InputError(
                f"program {self.name} has no generator function plan: def plan(): yield "
                "steps.acquire(duration=1.0)"
            )
        return found

    @property
    def knobs(self) -> tuple[str, ...]:
        """Names of the knobs that it turns.

        Raises
        ------
        InputError
            If ``KNOBS`` is no tuple of names.
        """
        found = self._names.get(_KNOBS, ())
        if not isinstance(found, tuple | list) or not all(isinstance(n, str) for n in found):
            raise InputError(f'program {self.name}: {_KNOBS} must name knobs, such as ("phi",)')
        return tuple(found)

    @property
    def keys(self) -> Mapping[str, Any]:
        """Keys of any sweep that the program sets, as in a plan file."""
        found = self._names.get(_KEYS, {})
        if not isinstance(found, Mapping) or not all(isinstance(n, str) for n in found):
            raise InputError(
                f'program {self.name}: {_KEYS} must be a table, such as {{"retries": 5}}'
            )
        return found

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """Parameters by name.

        Raises
        ------
        InputError
            For one without a default, or that is not given by its name.
        """
        found, function = {}, self.function
        try:
            hints = inspect.get_annotations(function, eval_str=True)
        except Exception as error:
            raise InputError(f"program {self.name}: annotations of plan: {error}") from None
        for name, entry in inspect.signature(function).parameters.items():
            if entry.kind not in (entry.POSITIONAL_OR_KEYWORD, entry.KEYWORD_ONLY):
                raise InputError(
                    f"program {self.name}: plan takes its parameters by name, not {entry}"
                )
            if entry.default is entry.empty:
                raise InputError(f"program {self.name}: parameter {name} of plan needs a default")
            if not isinstance(entry.default, bool | int | float | str | None):
                raise InputError(
                    f"program {self.name}: the default of {name} must be a number, a text, true or "
                    "false"
                )
            hint = hints.get(name)
            unit = get_args(hint)[1] if get_origin(hint) is Annotated else ""
            found[name] = Parameter(name, entry.default, unit if isinstance(unit, str) else "")
        return found

    def begin(self, values: Mapping[str, Any]) -> Course:
        """Make the generator; nothing of it is carried out yet.

        Raises
        ------
        InputError
            If the text does not take these parameters.
        """
        try:
            return self.function(**values)
        except TypeError as error:
            raise InputError(f"program {self.name}: {error}") from None


def description_of(text: str) -> str | None:
    r"""First line of a program's docstring, read without carrying anything out; None for others.

    Examples
    --------
    >>> description_of("'Walk.'\ndef plan(): yield"), description_of("x = 1")
    ('Walk.', None)
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    if not any(isinstance(node, ast.FunctionDef) and node.name == _ENTRY for node in tree.body):
        return None
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def place_of_error(error: BaseException, file: str) -> str:
    """Say in one line where in a program an error arose: ", line 12: KeyError: 'g_r'"."""
    line = _last_line(error.__traceback__, file)
    said = traceback.format_exception_only(error)[-1].strip().replace("\n", " ")
    said = said.removeprefix("optobind.models.errors.")
    return f"{'' if line is None else f', line {line}'}: {said[:300]}"


def _last_line(trace: TracebackType | None, file: str) -> int | None:
    lines = [frame.lineno for frame in traceback.extract_tb(trace) if frame.filename == file]
    return lines[-1] if lines else None
