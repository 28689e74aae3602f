"""Plan of a program: its text, its parameters, and the keys that any sweep has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ....models.errors import InputError
from ...plan_keys import Choice, WithKeys, documented, fixed, key
from ...plans import MonitorPlan, Plan
from ...suspenders import NO_RULES, SuspendRules
from ..knobs import knob_of
from ..plan import Axis, SweepPlan
from .source import ProgramSource

__all__ = ["ProgramPlan", "axes_of"]

_NOTHING = ProgramSource("", "")
_INNER = MonitorPlan(duration=1.0)


def axes_of(knobs: tuple[str, ...]) -> tuple[Axis, ...]:
    """Axes that stand for knobs whose values only the program knows."""
    found = []
    for name in knobs:
        holds = knob_of(name).holds
        found.append(Axis(name, (min(max(0.0, holds.low), holds.high),)))
    return tuple(found)


@documented
@dataclass(frozen=True)
class ProgramPlan(SweepPlan):
    """Measure what a program in Python asks for, step by step.

    A program is a sweep whose next point follows from the program and from the answers so far.
    ``source`` is its text, ``parameters`` holds (name, value) of what it was given, ``knobs`` names
    what it turns; :meth:`of` makes the plan of a text. ``suspend`` says when it waits. The keys
    are:

    Examples
    --------
    >>> from optobind.acquisition.sweeps.programs.plan import ProgramPlan
    >>> from optobind.acquisition.sweeps.programs.source import ProgramSource
    >>> text = '''from optobind import steps
    ... KNOBS = ("phi",)
    ... def plan(points: int = 2):
    ...     for i in range(points):
    ...         yield steps.set_light(phi=0.1 * i)
    ...         yield steps.acquire(0.5)
    ... '''
    >>> plan = ProgramPlan.of(ProgramSource("scan.py", text), {"points": 3})
    >>> plan.kind, [axis.knob for axis in plan.axes]
    ('program', ['phi'])
    """

    axes: tuple[Axis, ...] = fixed(())
    inner: Plan = field(default=_INNER, init=False, repr=False)
    reference: tuple[tuple[str, float], ...] = fixed(())
    suspend: SuspendRules = NO_RULES
    source: ProgramSource = _NOTHING
    parameters: tuple[tuple[str, Any], ...] = ()
    knobs: tuple[str, ...] = ()
    order: Literal["grid", "snake", "random"] = fixed("grid")
    repeats: int = fixed(1)
    reference_every: int = fixed(0)
    fit: Literal["auto", "spectrum", "reheating", "none"] = fixed("none")
    on_refused: Literal["end", "skip"] = key(
        "end",
        "not allowed",
        "What an acquisition does whose light may not be set: end the program, or be answered as "
        "left out.",
        Choice(("end", "skip")),
    )
    until_parameter: str | None = fixed(None)
    until_relative: float = fixed(0.05)
    until_absolute: float = fixed(0.0)
    max_repeats: int = fixed(20)
    refine_parameter: str | None = fixed(None)
    refine_points: int = fixed(0)
    kind: str = field(default="program", init=False, repr=False)

    def __post_init__(self) -> None:
        """Check keys and knobs; nothing of the text is carried out.

        Raises
        ------
        InputError
            For an unknown knob, or a value out of range.
        """
        WithKeys.__post_init__(self)
        if not isinstance(self.suspend, SuspendRules):
            raise InputError(
                f"plan.suspend must be SuspendRules, got {type(self.suspend).__name__}"
            )
        object.__setattr__(self, "parameters", tuple((str(n), v) for n, v in self.parameters))
        object.__setattr__(self, "knobs", tuple(self.knobs))
        object.__setattr__(self, "axes", axes_of(self.knobs))

    @classmethod
    def of(
        cls, source: ProgramSource, given: Mapping[str, Any] | None = None, **keys: Any
    ) -> ProgramPlan:
        """Make the plan of a program: carry its text out once, for its parameters and knobs.

        Parameters
        ----------
        source : ProgramSource
            The text.
        given : mapping, optional
            Parameters that are not to have their defaults.
        **keys
            Of any sweep.

        Raises
        ------
        InputError
            For a text that cannot be carried out, an unknown parameter or knob, a value of another
            type or out of range.
        """
        declared, given = source.parameters, dict(given or {})
        for name in given:
            if name not in declared:
                known = ", ".join(declared) or "none"
                raise InputError(f"program {source.name} has no parameter {name}; it has {known}")
        values = {}
        for name, parameter in declared.items():
            try:
                values[name] = parameter.read(given[name]) if name in given else parameter.default
            except InputError as error:
                raise InputError(f"plan.{name} {error}") from None
        return cls(source=source, parameters=tuple(values.items()), knobs=source.knobs, **keys)

    @property
    def size(self) -> int:
        """Points that are known beforehand: none."""
        return 0

    @property
    def foreseen(self) -> bool:
        """Each point follows from the program."""
        return False
