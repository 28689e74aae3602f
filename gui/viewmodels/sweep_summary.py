"""What a sweep has found so far: its points in a table, a parameter against a knob."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...acquisition.sweeps.knobs import knob_of
from ...acquisition.sweeps.plan import SweepPlan
from ...acquisition.sweeps.points import planned_points
from ...acquisition.sweeps.rows import Row
from ...analysis.sweep_values import fitted_names, fitted_values, set_points
from ...models.inference.parameters import PARAMETERS, symbol_of
from ...models.prefixes import prefix_for
from .units import HeldPrefixes, format_si, value_with_error

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["POINT", "SweepCurve", "SweepSummary"]

POINT = "point"
"""Against which a parameter is drawn where no knob is chosen: the number of the point."""

_OWN = {"mode_1": "Ω₁", "mode_2": "Ω₂", "gap": "|Ω₂ − Ω₁|"}
_MOST_PLANNED = 2000
_MOST_ROWS = 500

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SweepCurve:
    """A parameter against a knob, in the units of its axes.

    Attributes
    ----------
    x, y, error : ndarray
        Points, repeats singly; an error that is not known is 0.
    planned : ndarray
        Places on x that are yet to be measured.
    reference : (float, float) or None
        Range of the references.
    x_title, y_title : str
        With units.
    """

    x: Array
    y: Array
    error: Array
    planned: Array
    reference: tuple[float, float] | None
    x_title: str
    y_title: str


@dataclass
class SweepSummary:
    """A sweep, measured or under way.

    Attributes
    ----------
    plan : SweepPlan
        What is measured.
    rows : tuple of Row
        Points so far.
    path : Path or None
        Of the folder, once there is one.
    """

    plan: SweepPlan
    rows: tuple[Row, ...] = ()
    path: Path | None = None
    _held: HeldPrefixes = field(default_factory=HeldPrefixes)

    @property
    def names(self) -> list[str]:
        """Parameters that can be drawn."""
        return fitted_names(self.rows)

    @property
    def knobs(self) -> list[str]:
        """What they can be drawn against."""
        own = [axis.knob for axis in self.plan.axes] if self._drawn_by_axes else []
        return [*own, POINT]

    @property
    def _drawn_by_axes(self) -> bool:
        return self.plan.foreseen or self.plan.kind == "seek"

    def curve(self, name: str, knob: str) -> SweepCurve:
        """A parameter against a knob, or against the number of the point.

        Parameters
        ----------
        name : str
            One of ``names``.
        knob : str
            One of ``knobs``.
        """
        taken = [row for row in self.rows if row.kind != "reference"]
        index, values, errors, unit = fitted_values(taken, name)
        mine = [taken[i] for i in index]
        x, planned, x_title = self._places(mine, knob)
        again = fitted_values([r for r in self.rows if r.kind == "reference"], name)[1]
        largest = float(np.nanmax(np.abs([*values, *again]), initial=0.0))
        exponent, prefix = prefix_for(largest) if unit else (0, "")
        scale = 10.0**exponent
        turns = "/2π" if unit == "Hz" else ""
        shown = f" ({prefix}{unit})" if unit else ""
        reference = None
        if again.size:
            reference = float(np.nanmin(again)) / scale, float(np.nanmax(again)) / scale
        return SweepCurve(
            x, values / scale, errors / scale, planned, reference, x_title,
            f"{name_of(name)}{turns}{shown}",
        )  # fmt: skip

    def _places(self, rows: Sequence[Row], knob: str) -> tuple[Array, Array, str]:
        """Places of rows and of what is planned, and the title of the axis."""
        if knob == POINT:
            numbers = np.array([float(row.number) for row in rows])
            count = len(planned_points(self.plan)) if self.plan.foreseen else 0
            planned = np.arange(len(self.rows) + 1, count + 1, dtype=float)[:_MOST_PLANNED]
            return numbers, planned, "point"
        axis = [entry.knob for entry in self.plan.axes].index(knob)
        known, places, planned = knob_of(knob), set_points(rows, axis), self._still(knob, axis)
        if known.turns:
            return places / math.pi, planned / math.pi, f"{known.symbol} (π)"
        if not known.holds.unit:
            return places, planned, known.symbol
        largest = float(np.abs(np.concatenate([places, planned])).max(initial=0.0))
        exponent, prefix = prefix_for(largest)
        scale = 10.0**exponent
        return places / scale, planned / scale, f"{known.symbol} ({prefix}{known.holds.unit})"

    def _still(self, knob: str, axis: int) -> Array:
        """Values of a knob at the points that are yet to be measured."""
        if not self.plan.foreseen:
            return np.zeros(0)
        left = planned_points(self.plan)[len(self.rows) :][:_MOST_PLANNED]
        return np.array([p.setting[axis] for p in left if p.setting], float)

    def table(self, name: str, knob: str) -> list[tuple[str, str, str, str]]:
        """Number, place, value and state of each point, the newest first.

        Parameters
        ----------
        name : str
            One of ``names``; empty where nothing was fitted.
        knob : str
            One of ``knobs``.
        """
        axes = [axis.knob for axis in self.plan.axes]
        axis = axes.index(knob) if knob in axes else None
        return [
            (
                str(row.number),
                "" if axis is None else _place(row, knob, axis),
                self._value(row, name),
                _state(row),
            )
            for row in reversed(self.rows[-_MOST_ROWS:])
        ]

    def tips(self) -> list[str]:
        """What the table does not hold of each point: all set-points and what is to be known."""
        knobs = [axis.knob for axis in self.plan.axes]
        found = []
        for row in reversed(self.rows[-_MOST_ROWS:]):
            places = [
                f"{k} {_place(row, k, i)}" for i, k in enumerate(knobs) if i < len(row.setting)
            ]
            said = [row.reason] if row.reason else []
            if row.fit is not None:
                said += [*([row.fit.failure] if row.fit.failure else []), *row.fit.warnings]
            found.append("\n".join([", ".join(places), *said]).strip())
        return found

    def _value(self, row: Row, name: str) -> str:
        index, values, errors, unit = fitted_values([row], name)
        if not index:
            return "–"
        error = float(errors[0]) or None
        text, shown = value_with_error(float(values[0]), error, unit, self._held, name)
        return f"{text} {shown}".rstrip()


def name_of(name: str) -> str:
    """Symbol of a parameter or of what follows from a fit."""
    return symbol_of(name) if name in PARAMETERS else _OWN.get(name, name)


def _place(row: Row, knob: str, axis: int) -> str:
    """A set-point in words."""
    if axis >= len(row.setting):
        return "–"
    known, value = knob_of(knob), row.setting[axis]
    if known.turns:
        return f"{value:.4f} rad".replace("-", "−")
    if known.holds.unit:
        return format_si(value, known.holds.unit)
    return f"{value:.4g}".replace("-", "−")


def _state(row: Row) -> str:
    """How a point stands, in a word."""
    if row.outcome == "skipped":
        return "left out"
    if row.fit is None:
        return "not fitted"
    if not row.fit.converged:
        return "fit failed"
    return "fitted" if row.kind == "point" else row.kind
