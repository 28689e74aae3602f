"""The course of a program: answered from the rows that are known, then step by step.

The generator is made anew by whoever goes on with a sweep and answered from the journal; what it
asks for then is compared with what was measured, so that a program which takes another way than
before is not mixed with it.
"""

from __future__ import annotations

import contextlib
import io
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ....models.errors import InputError
from ....models.json_values import json_values
from ....models.light import TweezerState
from ...plans import Plan, plan_from_dict, plan_to_dict, steps_of
from ..knobs import knob_of
from ..points import Point
from ..rows import PointFit, Row
from .plan import ProgramPlan
from .source import place_of_error
from .steps import Acquire, Feedback, Fit, SetLight, Step, WaitUntil

__all__ = ["Pause", "Program", "WantedFit", "beginning_of", "fitted_kind"]

_ENDLESS = 100_000  # steps without an acquisition


@dataclass(frozen=True)
class WantedFit:
    """The program asks for a fit of a point."""

    number: int
    kind: str


Pause = Feedback | WaitUntil
"""What is done between two points and is not recorded."""


class Program:
    """A program under way.

    Parameters
    ----------
    plan : ProgramPlan
        What is carried out.
    beginning : mapping of str to float
        Value of each of its knobs in the light of the beginning; knobs that are none of the light
        are NaN until they are set.
    quiet : bool
        Whether what the program prints is thrown away; else it goes to stderr.
    """

    def __init__(
        self, plan: ProgramPlan, beginning: Mapping[str, float], quiet: bool = False
    ) -> None:
        self._plan, self._name = plan, plan.source.name
        self._knobs = {axis.knob: beginning[axis.knob] for axis in plan.axes}
        self._course = plan.source.begin(dict(plan.parameters))
        self._printed = io.StringIO() if quiet else sys.stderr
        self._answered = 0  # points whose rows the program has been given
        self._answer: object = None
        self._begun = False
        self._fitted: dict[int, str] = {}  # kind of the fit that was asked for, by point
        self._wanted: Step | None = None  # the step that is yet to be answered

    def close(self) -> None:
        """Leave the program where it is; what it has to clean up it does now."""
        with contextlib.suppress(Exception), contextlib.redirect_stdout(self._printed):
            self._course.close()

    def verdict(self, rows: Sequence[Row]) -> None:
        """A program steers to no point."""
        return None

    def next(self, rows: Sequence[Row]) -> Point | WantedFit | Pause | None:
        """Return what is to be done after the rows; None when the program has ended.

        A pause is returned until :meth:`made` says that it was made, or a row follows it.

        Raises
        ------
        InputError
            If the program fails, asks for something that is no step, or takes another way than
            the rows.
        """
        for _ in range(_ENDLESS):
            step = self._wanted if self._wanted is not None else self._advance()
            if step is None:
                return None
            self._wanted = step
            known = len(rows) > self._answered
            if isinstance(step, SetLight):
                self._turn(step)
                self._answer_with(None)
            elif isinstance(step, Acquire):
                point = self._point(step, rows)
                if not known:
                    return point
                row = rows[self._answered]
                self._require_same(point, row)
                self._answered += 1
                self._answer_with(row)
            elif isinstance(step, Fit):
                row, kind = self._row_to_fit(rows, step)
                if row.fit is None and row.file:
                    return WantedFit(row.number, kind)
                self._answer_with(row.fit or PointFit(failure=row.reason or "nothing was recorded"))
            else:
                if not known:
                    return step
                self._answer_with(None)
        raise InputError(f"program {self._name} goes on for ever without an acquisition")

    def made(self) -> None:
        """Say that the pause which was returned last has been made."""
        self._answer_with(None)

    def _answer_with(self, answer: object) -> None:
        self._answer, self._wanted = answer, None

    def _advance(self) -> Step | None:
        """Send the last answer and return the next step."""
        try:
            with contextlib.redirect_stdout(self._printed):
                step = self._course.send(self._answer if self._begun else None)
        except StopIteration:
            return None
        except Exception as error:
            where = place_of_error(error, self._plan.source.file)
            raise InputError(f"program {self._name}{where}") from None
        finally:
            self._begun = True
        if not isinstance(step, Step):
            raise InputError(
                f"program {self._name} yields {type(step).__name__}, which is no step: use "
                "set_light, acquire, release, fit, feedback and wait_until of optobind.steps"
            )
        return step

    def _turn(self, step: SetLight) -> None:
        for name, value in step.values.items():
            if name not in self._knobs:
                knob_of(name)
                raise InputError(
                    f"program {self._name} turns {name}, which its KNOBS do not name: "
                    f"KNOBS = ({', '.join(repr(n) for n in (*self._knobs, name))},)"
                )
            self._knobs[name] = value

    def _point(self, step: Acquire, rows: Sequence[Row]) -> Point:
        setting = tuple(self._knobs.values())
        earlier = rows[: self._answered]
        repeat = 1 + sum(row.setting == setting for row in earlier)
        return Point(self._answered + 1, "acquired", setting, repeat, step.plan)

    def _require_same(self, point: Point, row: Row) -> None:
        """Refuse a program that asks for something else than it was answered with."""
        assert point.plan is not None
        same = row.kind == point.kind and row.plan == json_values(plan_to_dict(point.plan))
        if not same or not _same_setting(row.setting, point.setting):
            raise InputError(
                f"program {self._name} takes another way than before at point {point.number}: what "
                "it does may depend on its parameters and on answers alone, not on time or chance"
            )

    def _row_to_fit(self, rows: Sequence[Row], step: Fit) -> tuple[Row, str]:
        if not self._answered:
            raise InputError(f"program {self._name} asks for a fit before anything was acquired")
        row = rows[self._answered - 1]
        kind: str = step.kind
        if kind == "auto":
            kind = fitted_kind(plan_from_dict(row.plan or {}))
        if self._fitted.setdefault(row.number, kind) != kind:
            raise InputError(
                f"program {self._name} asks for a second kind of fit of point {row.number}: a "
                "point is fitted once"
            )
        return row, kind


def beginning_of(plan: ProgramPlan, light: TweezerState) -> dict[str, float]:
    """Values of a program's knobs in the light of the beginning; NaN for those of other devices.

    Raises
    ------
    InputError
        For a knob that this light has not.
    """
    found = {}
    for axis in plan.axes:
        knob = knob_of(axis.knob)
        found[axis.knob] = math.nan if knob.read_light is None else knob.read_light(light)
    return found


def fitted_kind(plan: Plan) -> str:
    """What is fitted to a plan: releases where there are some, else spectra."""
    return "reheating" if any(s.kind == "reheating" for s in steps_of(plan)) else "spectrum"


def _same_setting(one: Sequence[float], other: Sequence[float]) -> bool:
    return len(one) == len(other) and all(
        a == b or (a != a and b != b) for a, b in zip(one, other, strict=True)
    )
