"""Plans of sweeps: frozen data that say which set-points are measured, in which order, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ...models.errors import InputError
from ...models.inference.parameters import PARAMETERS
from ...models.units import Number, Quantity
from ..plan_keys import Choice, WithKeys, documented, key
from ..plans import MonitorPlan, Plan, steps_of
from ..suspenders import NO_RULES, SuspendRules
from .knobs import Knob, knob_of

__all__ = ["MAX_POINTS", "Axis", "SweepPlan"]

MAX_POINTS = 100_000
"""Most points of a sweep."""

_TIME = Quantity("s", 0.0, 1e7, "20 ms", ("us", "ms", "s", "min", "hour"))
_WAIT = Quantity("s", 1e-3, 1e8, "10 min", ("s", "min", "hour", "day"))
_FITTED = Choice((*PARAMETERS, "gap"))
_COUNT = Number(0, MAX_POINTS, whole=True)


@dataclass(frozen=True)
class Axis:
    """The values that one knob takes: a list, or a range of equidistant points with both ends.

    Attributes
    ----------
    knob : str
        Such as "phi", "distance", "balance", "power", "detuning" or "power_2".
    values : tuple of float
        SI; empty for a range.
    start, stop : float or None
        Ends of the range, SI.
    points : int or None
        Number of points of the range, ends included.

    Examples
    --------
    >>> import optobind as ob
    >>> ob.Axis("phi", start=0.0, stop=1.0, points=3).settings
    (0.0, 0.5, 1.0)
    """

    knob: str
    values: tuple[float, ...] = ()
    start: float | None = None
    stop: float | None = None
    points: int | None = None

    def __post_init__(self) -> None:
        """Check the values against the knob's range.

        Raises
        ------
        InputError
            Names the axis, the value and the allowed range.
        """
        where, knob = f"axis {self.knob}", knob_of(self.knob)
        object.__setattr__(self, "values", tuple(self.values))
        ends = (self.start, self.stop, self.points)
        if bool(self.values) == any(entry is not None for entry in ends):
            raise InputError(f"{where} needs values, or start, stop and points")
        if not self.values and any(entry is None for entry in ends):
            raise InputError(f"{where} needs start, stop and points together")
        if self.values:
            checked = tuple(_checked(f"{where}: values", knob, v) for v in self.values)
            object.__setattr__(self, "values", checked)
        else:
            for name in ("start", "stop"):
                value = _checked(f"{where}: {name}", knob, getattr(self, name))
                object.__setattr__(self, name, value)
            try:
                count = Number(2, MAX_POINTS, whole=True).check(self.points)
            except ValueError as error:
                raise InputError(f"{where}: points {error}") from None
            object.__setattr__(self, "points", count)
        if len(set(self.settings)) < len(self.settings):
            raise InputError(f"{where} holds a value twice: repeats measure points again")

    @property
    def settings(self) -> tuple[float, ...]:
        """All values in their order, SI."""
        if self.values:
            return self.values
        assert self.start is not None
        assert self.stop is not None
        assert self.points is not None
        return tuple(float(v) for v in np.linspace(self.start, self.stop, self.points))


def _checked(where: str, knob: Knob, value: object) -> float:
    try:
        return knob.holds.check(value)
    except ValueError as error:
        raise InputError(f"{where} {error}") from None


@documented
@dataclass(frozen=True)
class SweepPlan(WithKeys):
    """Measure a plan at many set-points.

    ``axes`` are the knobs and their values, the first one outermost; ``inner`` is what is measured
    at each point; ``reference`` holds (knob, value) of the set-point that references return to,
    and is the light of the beginning where it is empty; ``suspend`` says when the sweep waits. The
    keys are:

    Examples
    --------
    >>> import optobind as ob
    >>> axis = ob.Axis("phi", start=-3.0, stop=3.0, points=7)
    >>> ob.SweepPlan((axis,), ob.MonitorPlan(duration=0.2), repeats=2).size
    14
    """

    axes: tuple[Axis, ...]
    inner: Plan
    reference: tuple[tuple[str, float], ...] = ()
    suspend: SuspendRules = NO_RULES
    order: Literal["grid", "snake", "random"] = key(
        "grid",
        "order",
        "Row by row, every second row backwards (short ways), or in an order drawn from the seed "
        "(drifts do not look like effects).",
        Choice(("grid", "snake", "random")),
    )
    seed: int = key(
        1,
        "seed",
        "Of the random order and of the simulated laboratory, which begins each point anew with a "
        "seed of its own.",
        Number(0, 2**63 - 1, whole=True),
    )
    repeats: int = key(
        1, "repeats", "How often each point is measured.", Number(1, 10_000, whole=True)
    )
    reference_every: int = key(
        0, "reference every", "Points between two references; 0 for none.", _COUNT
    )
    settle_time: float = key(
        0.0,
        "settling",
        "Wait after the light rests, before each point; real time only, a simulated SLM settles "
        "at once.",
        _TIME,
    )
    settle_window: float = key(
        0.0,
        "stationary over",
        "Measure windows of this length before a point until the powers of two in a row agree; 0 "
        "for none.",
        _TIME,
    )
    settle_attempts: int = key(
        10,
        "windows at most",
        "Then the sweep goes on, and the table says so.",
        Number(2, 1000, whole=True),
    )
    fit: Literal["auto", "spectrum", "reheating", "none"] = key(
        "auto",
        "fit",
        "What is fitted to each point; auto: releases where there are some, else spectra.",
        Choice(("auto", "spectrum", "reheating", "none")),
    )
    retries: int = key(
        3,
        "retries",
        "How often a point is tried again after a device failed or samples were lost.",
        Number(0, 1000, whole=True),
    )
    retry_wait: float = key(1.0, "wait", "Before a point is tried again.", _TIME)
    on_failure: Literal["end", "skip"] = key(
        "end",
        "on failure",
        "What a point does that failed at every try: end the sweep, which can be resumed there, or "
        "leave the point out.",
        Choice(("end", "skip")),
    )
    on_refused: Literal["end", "skip"] = key(
        "end",
        "not allowed",
        "What a point does that may not be set (limits, no particles held, a model that grows): "
        "refuse the sweep before anything is sent, or be left out.",
        Choice(("end", "skip")),
    )
    on_lost: Literal["end", "reload"] = key(
        "end",
        "particle lost",
        "End the sweep, or reload the particle (simulated rigs).",
        Choice(("end", "reload")),
    )
    longest: float | None = key(
        None,
        "at most",
        "The sweep ends after the point at which this time has passed.",
        _WAIT,
        blank="as long as it takes",
    )
    until_parameter: str | None = key(
        None,
        "until error of",
        "Repeat points until this parameter is known well enough.",
        _FITTED,
        blank="none",
    )
    until_relative: float = key(
        0.05, "relative error", "Wanted standard error over value.", Number(1e-6, 10.0)
    )
    until_absolute: float = key(
        0.0,
        "absolute error",
        "An error that is small enough whatever the value, in the unit of the table (rad/s).",
        Number(0.0, 1e12),
    )
    max_repeats: int = key(
        20,
        "repeats at most",
        "Of one point, however large its error.",
        Number(1, 10_000, whole=True),
    )
    refine_parameter: str | None = key(
        None,
        "refine where",
        "Insert points where this parameter changes most, or where the gap is least.",
        _FITTED,
        blank="none",
    )
    refine_points: int = key(0, "points inserted", "Number of points that refine the axis.", _COUNT)
    kind: str = field(default="sweep", init=False, repr=False)

    def __post_init__(self) -> None:
        """Check keys, axes and what belongs together.

        Raises
        ------
        InputError
            For a value out of range, an axis given twice, an inner plan without an end, ….
        """
        object.__setattr__(self, "axes", tuple(self.axes))
        object.__setattr__(self, "reference", tuple((str(k), v) for k, v in self.reference))
        super().__post_init__()
        if not isinstance(self.suspend, SuspendRules):
            raise InputError(
                f"plan.suspend must be SuspendRules, got {type(self.suspend).__name__}"
            )
        self._check_axes()
        self._check_inner()
        if self.size > MAX_POINTS:
            raise InputError(f"the sweep has {self.size} points, at most {MAX_POINTS} are allowed")
        adaptive = self.until_parameter or self.refine_parameter
        if adaptive and self.fit == "none":
            raise InputError("plan.fit must not be none where points follow from what was fitted")
        if self.refine_parameter and (len(self.axes) != 1 or not self.refine_points):
            raise InputError("plan.refine_parameter needs one axis and plan.refine_points above 0")
        if self.refine_parameter and len(self.axes[0].settings) < 3:
            raise InputError("plan.refine_parameter needs an axis of at least 3 points")

    def _check_axes(self) -> None:
        if not self.axes or not all(isinstance(axis, Axis) for axis in self.axes):
            raise InputError("plan.axes must hold at least one Axis")
        names = [axis.knob for axis in self.axes]
        if len(set(names)) < len(names):
            raise InputError(f"plan.axes hold a knob twice: {', '.join(names)}")
        for name, value in self.reference:
            if name not in names:
                raise InputError(f"plan.reference: {name} is none of the axes {', '.join(names)}")
            _checked(f"plan.reference.{name}", knob_of(name), value)

    def _check_inner(self) -> None:
        try:
            last = steps_of(self.inner)[-1]
        except InputError as error:
            raise InputError(f"plan.inner: {error}") from None
        if isinstance(last, MonitorPlan) and last.duration is None:
            raise InputError("plan.inner.duration must be a time: a point has to end")

    @property
    def foreseen(self) -> bool:
        """Whether the plan itself says which points are measured, or what was found does."""
        return True

    @property
    def most(self) -> int:
        """Points at most, where they are not foreseen; 0 where nobody knows."""
        return 0

    @property
    def size(self) -> int:
        """Points with their repeats, without references and what is added on the way."""
        grid = 1
        for axis in self.axes:
            grid *= len(axis.settings)
        return grid * self.repeats

    @property
    def fitted(self) -> Literal["spectrum", "reheating", "none"]:
        """What is fitted to each point."""
        if self.fit != "auto":
            return self.fit
        kinds = {step.kind for step in steps_of(self.inner)}
        return "reheating" if "reheating" in kinds else "spectrum"
