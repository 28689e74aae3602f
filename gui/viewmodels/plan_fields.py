"""Fields of any plan as they are shown and typed: name, unit, range and default are the plan's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...acquisition.plan_keys import Choice, PlanKey, keys_of
from ...acquisition.plans import MonitorPlan, Plan, ReheatingPlan, SequencePlan
from ...acquisition.suspenders import SuspendRules
from ...acquisition.sweeps.knobs import knob_of
from ...acquisition.sweeps.plan import MAX_POINTS, Axis, SweepPlan
from ...models.errors import InputError
from ...models.units import Number, Quantity
from .units import (
    ANGLE,
    COUNT,
    DURATION,
    FREQUENCY,
    LENGTH,
    POWER,
    RATIO,
    Dimension,
    display_unit,
    format_quantity,
    parse_quantity,
)

if TYPE_CHECKING:
    AnyPlan = Plan | SweepPlan
    Path = tuple[str | int, ...]

__all__ = ["FieldGroup", "PlanField", "groups_of"]

_SIZE = Dimension("size", "B", ("kB", "MB", "GB"))
_DIMENSIONS = {d.unit: d for d in (DURATION, FREQUENCY, LENGTH, POWER, ANGLE, _SIZE)}
_SWITCH = ("off", "on")
# What is asked for at once; the other keys wait behind "more".
_FIRST = {
    "monitor": ("duration",),
    "reheating": ("repetitions", "cool_time", "release_time"),
    "sweep": ("order", "repeats", "reference_every", "settle_time", "fit"),
    "seek": ("point", "accuracy", "max_settings", "settle_time"),
}
_AXIS_POINTS = Number(2, MAX_POINTS, whole=True)


@dataclass(frozen=True)
class PlanField:
    """A key of a plan as it is shown and typed; name, range, default and tip are the plan's.

    Attributes
    ----------
    declared : PlanKey
        Declaration.
    title : str
        Beside the field.
    optional : bool
        Whether an empty field means something.
    path : tuple of str or int
        Where the value stands in the plan's JSON values.
    value : object
        Of the plan that the fields are of, SI.
    many : bool
        Whether it holds several values, with semicolons between them.
    """

    declared: PlanKey
    title: str
    optional: bool = False
    path: Path = ()
    value: Any = None
    many: bool = False

    @property
    def key(self) -> str:
        """Name of the key."""
        return self.declared.name

    @property
    def tip(self) -> str:
        """What the key does."""
        return self.declared.text

    @property
    def default(self) -> str:
        """Text of the default."""
        return self.text(self.declared.default)

    @property
    def blank(self) -> str:
        """What an empty field means."""
        return self.declared.blank

    @property
    def words(self) -> tuple[str, ...]:
        """What can be chosen; empty where a value is typed."""
        holds = self.declared.holds
        if holds is None:
            return _SWITCH
        if not isinstance(holds, Choice):
            return ()
        return (self.blank, *holds.words) if self.optional else holds.words

    @property
    def dimension(self) -> Dimension:
        """How values are written."""
        holds = self.declared.holds
        if isinstance(holds, Number):
            return COUNT if holds.whole else RATIO
        if not isinstance(holds, Quantity) or not holds.unit:
            return RATIO
        known = _DIMENSIONS.get(holds.unit)
        return known or Dimension(self.title, holds.unit, (holds.units or (holds.unit,))[:1])

    def parse(self, text: str) -> Any:
        """Read the field; an empty optional field gives None.

        Raises
        ------
        InputError
            For a foreign unit or a value out of range.
        """
        if self.optional and text.strip() in ("", self.blank):
            return None
        if self.words:
            return self._chosen(text)
        if self.many:
            return tuple(self._read(part) for part in text.split(";") if part.strip())
        return self._read(text)

    def _chosen(self, word: str) -> Any:
        if self.declared.holds is None:
            return word == _SWITCH[1]
        try:
            return self.declared.check(word)
        except ValueError as error:
            raise InputError(f"{self.title} {error}") from None

    def _read(self, text: str) -> float:
        holds, dimension = self.declared.holds, self.dimension
        assert isinstance(holds, Quantity | Number)  # of those that are typed
        like = self.declared.default if self.value is None else self.value
        like = like[0] if isinstance(like, tuple) and like else like
        unit = display_unit(float(like or 0.0), dimension)
        value = parse_quantity(
            text, dimension, default_unit=unit, low=holds.low, high=holds.high, name=self.title
        )
        return int(value) if dimension is COUNT else value

    def text(self, value: Any) -> str:
        """Write a value with all its digits: the plan is built of what the field shows."""
        if self.words:
            return _SWITCH[bool(value)] if self.declared.holds is None else str(value or self.blank)
        if value is None:
            return ""
        if self.many:
            return "; ".join(format_quantity(v, self.dimension, digits=12) for v in value)
        return format_quantity(value, self.dimension, digits=12)


@dataclass(frozen=True)
class FieldGroup:
    """Fields that belong together.

    Attributes
    ----------
    title : str
        Such as "step 2: reheating"; empty for a plan's own first fields.
    fields : tuple of PlanField
        In the order of their declaration.
    more : bool
        Whether they are seldom needed.
    kind : str
        "plan", "step", "axis", "inner" or "suspend": what can be done with the group.
    index : int
        Of the step or axis.
    """

    title: str
    fields: tuple[PlanField, ...]
    more: bool = False
    kind: str = "plan"
    index: int = 0


def groups_of(plan: AnyPlan) -> tuple[FieldGroup, ...]:
    """Return the fields of a plan, those that are asked for at once before the seldom ones.

    Parameters
    ----------
    plan : Plan or SweepPlan
        Of any kind.

    Examples
    --------
    >>> [field.text(field.value) for field in groups_of(MonitorPlan(2.0))[0].fields]
    ['2 s']
    """
    if isinstance(plan, SequencePlan):
        return tuple(_of_sequence(plan, ()))
    if isinstance(plan, SweepPlan):
        return tuple(_of_sweep(plan))
    return tuple(_of_step(plan, (), ""))


def _of_sequence(plan: SequencePlan, above: Path) -> Iterator[FieldGroup]:
    for index, step in enumerate(plan.steps):
        title = f"step {index + 1}: {step.kind}"
        for group in _of_step(step, (*above, "steps", index), title):
            yield replace(group, kind="step", index=index)


def _of_step(plan: MonitorPlan | ReheatingPlan, above: Path, title: str) -> Iterator[FieldGroup]:
    first, more = _split(plan, _FIRST[plan.kind], above)
    yield FieldGroup(title, first)
    yield FieldGroup(f"{title}, more" if title else "more", more, more=True)


def _of_sweep(plan: SweepPlan) -> Iterator[FieldGroup]:
    for index, axis in enumerate(plan.axes if plan.kind == "sweep" else ()):
        yield FieldGroup(
            f"axis {index + 1}: {axis.knob}", _of_axis(axis, index), kind="axis", index=index
        )
    if plan.kind == "sweep":
        yield from _of_inner(plan.inner)
    first, more = _split(plan, _FIRST.get(plan.kind, ()), ())
    yield FieldGroup(f"the {plan.kind}", first or more)
    if plan.kind == "seek":
        yield from _of_inner(plan.inner)
    if first:
        yield FieldGroup(f"the {plan.kind}, more", more, more=True)
    rules = tuple(_fields(plan.suspend, ("suspend",)))
    yield FieldGroup("it waits while", rules, more=True, kind="suspend")


def _of_inner(inner: Plan) -> Iterator[FieldGroup]:
    if isinstance(inner, SequencePlan):
        for group in _of_sequence(inner, ("inner",)):
            yield replace(group, title=f"each point, {group.title}", kind="inner")
        return
    for group in _of_step(inner, ("inner",), f"each point: {inner.kind}"):
        yield replace(group, kind="inner")


def _of_axis(axis: Axis, index: int) -> tuple[PlanField, ...]:
    knob, above = knob_of(axis.knob), ("axes", index)
    if axis.values:
        key = PlanKey("values", "values", f"{knob.text}; semicolons between", (), knob.holds)
        path: Path = (*above, "values")
        return (PlanField(key, "values", path=path, value=axis.values, many=True),)
    ends = [("start", "from", axis.start), ("stop", "to", axis.stop)]
    found = [
        PlanField(
            PlanKey(name, title, knob.text, value, knob.holds),
            title,
            path=(*above, name),
            value=value,
        )
        for name, title, value in ends
    ]
    key = PlanKey("points", "points", "Both ends are points.", axis.points, _AXIS_POINTS)
    return (*found, PlanField(key, "points", path=(*above, "points"), value=axis.points))


def _split(
    plan: object, first: tuple[str, ...], above: Path
) -> tuple[tuple[PlanField, ...], tuple[PlanField, ...]]:
    """Fields that are asked for at once, and the others."""
    fields = tuple(_fields(plan, above))
    return (
        tuple(field for field in fields if field.key in first),
        tuple(field for field in fields if field.key not in first),
    )


def _fields(plan: object | SuspendRules, above: Path) -> Iterator[PlanField]:
    for key in keys_of(type(plan)):
        value = getattr(plan, key.name)
        yield PlanField(key, key.title, bool(key.blank), (*above, key.name), value)
