"""What is known of one point that was measured: a row of the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...models.json_values import json_values

__all__ = ["FitPoint", "Measured", "PointFit", "Row"]


@dataclass(frozen=True)
class Measured:
    """A value with its standard error (None where it was fixed or is not known) and unit."""

    value: float
    stderr: float | None
    unit: str


@dataclass(frozen=True)
class PointFit:
    """What was fitted to a point.

    Attributes
    ----------
    model : str
        "pair", "single" or "reheating"; empty where nothing could be fitted.
    converged : bool
        Whether the numbers may be quoted.
    values : mapping of str to Measured
        By name of the parameter.
    warnings : tuple of str
        What the user should know before quoting them.
    failure : str
        Why there are no values; else empty.
    covariance : tuple of tuple of float
        Of g_r, g_a, re_D12, omega_1, omega_2 of a pair, in that order; empty where not all were
        fitted.
    """

    model: str = ""
    converged: bool = False
    values: Mapping[str, Measured] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    failure: str = ""
    covariance: tuple[tuple[float, ...], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "model": self.model,
            "converged": self.converged,
            "values": {
                name: json_values([m.value, m.stderr, m.unit]) for name, m in self.values.items()
            },
            "warnings": list(self.warnings),
            "failure": self.failure,
            "covariance": json_values([list(row) for row in self.covariance]),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PointFit:
        """Return the fit that :meth:`to_dict` wrote."""
        values = {
            str(name): Measured(
                float("nan") if value is None else float(value),
                None if stderr is None else float(stderr),
                str(unit),
            )
            for name, (value, stderr, unit) in data["values"].items()
        }
        warnings = tuple(map(str, data["warnings"]))
        failure = str(data["failure"])
        rows = data.get("covariance") or ()  # records of earlier versions have none
        covariance = tuple(tuple(map(float, row)) for row in rows)
        model, converged = str(data["model"]), bool(data["converged"])
        return cls(model, converged, values, warnings, failure, covariance)


FitPoint = Callable[[Path, str], PointFit]
"""(run file, "spectrum" or "reheating") → fit; handed over by whoever starts the sweep."""


@dataclass(frozen=True)
class Row:
    """One point that has been measured, or was left out.

    Attributes
    ----------
    number : int
        Of the point.
    kind : str
        "point", "reference", "repeat", "refined", "sought" or "acquired".
    setting : tuple of float
        As set, one value for each axis, SI.
    repeat : int
        How often the setting has been measured with this row.
    outcome : str
        "complete", "incomplete" (it lost samples at every try) or "skipped".
    reason : str
        Why it was left out or is incomplete.
    read : tuple of float
        As read back, one value for each axis.
    seed : int or None
        Of the simulated laboratory.
    file : str
        Name of the run file within the folder of points; empty where it was left out.
    samples, lost_samples : int
        Recorded, and lost.
    stationary : bool or None
        Whether the signals were found to be stationary before; None where it was not asked.
    fit : PointFit or None
        None until it was fitted.
    conditions : mapping
        When and under which conditions: began, ended (s since the epoch), tries, pressure (Pa).
    plan : mapping or None
        What was measured, JSON values; None for the sweep's own inner plan.
    """

    number: int
    kind: str
    setting: tuple[float, ...]
    repeat: int
    outcome: str
    reason: str = ""
    read: tuple[float, ...] = ()
    seed: int | None = None
    file: str = ""
    samples: int = 0
    lost_samples: int = 0
    stationary: bool | None = None
    fit: PointFit | None = None
    conditions: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] | None = None

    def value(self, name: str) -> Measured | None:
        """Fitted value of a parameter; None unless the fit may be quoted."""
        if self.fit is None or not self.fit.converged:
            return None
        return self.fit.values.get(name)
