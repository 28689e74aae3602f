"""From the run file of a point of a sweep to the values of its row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..acquisition.records.opening import open_record
from ..acquisition.sweeps.rows import Measured, PointFit
from ..models.inference.joint.points import FORESEEN
from ..models.inference.matrices import model_pair
from ..models.inference.result import FitResult
from ..models.regimes import full_frequencies
from .reheating import analyse_reheating
from .spectrum import analyse_spectrum

__all__ = ["DERIVED", "fit_point", "point_fit"]

DERIVED = ("mode_1", "mode_2", "gap")
"""What follows from a pair's fit: Re Ω_1, Re Ω_2 of its eigenfrequencies and |Ω_2 − Ω_1|, rad/s."""

_STEP = 1e-3  # of a standard error, for derivatives


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
    try:
        analysed = analyse_reheating(record) if kind == "reheating" else analyse_spectrum(record)
    finally:
        record.close()
    return point_fit(analysed.result)


def point_fit(result: FitResult) -> PointFit:
    """Values of a row from a fit: its parameters, and what follows from a pair's.

    Standard errors of what follows are propagated linearly with the covariance of the fit. At an
    exceptional point the gap has no derivative: close to it its error is as large as it looks.
    """
    values = {
        name: Measured(p.value, p.stderr, p.unit)
        for name, p in result.parameters.items()
        if p.vary or p.stderr is not None
    }
    if all(name in result.parameters for name in ("omega_2", "g_r", "g_a", "re_D12")):
        values |= _derived(result)
    covariance: tuple[tuple[float, ...], ...] = ()
    if all(name in result.varying for name in FORESEEN):
        rows = [result.varying.index(name) for name in FORESEEN]
        covariance = tuple(map(tuple, result.covariance[np.ix_(rows, rows)].tolist()))
    return PointFit(result.model, result.converged, values, result.warnings, covariance=covariance)


def _derived(result: FitResult) -> dict[str, Measured]:
    """Eigenfrequencies of the fitted drift and their distance."""
    known = {name: p.value for name, p in result.parameters.items()}
    for name in ("noise_1", "noise_2"):
        known.setdefault(name, 0.0)

    def modes(values: dict[str, float]) -> NDArray[np.float64]:
        low, high = full_frequencies(model_pair(values).drift)
        return np.array([low.real, high.real, abs(high - low)])

    found, errors = modes(known), _propagated(modes, known, result)
    return {
        name: Measured(float(value), float(error) if np.isfinite(error) else None, "rad/s")
        for name, value, error in zip(DERIVED, found, errors, strict=True)
    }


def _propagated(
    function: Callable[[dict[str, float]], NDArray[np.float64]],
    known: dict[str, float],
    result: FitResult,
) -> NDArray[np.float64]:
    """Standard errors of a function of the fitted parameters."""
    sigma = np.sqrt(np.diag(result.covariance))
    columns = []
    for name, width in zip(result.varying, sigma, strict=True):
        step = _STEP * float(width)
        if not step > 0.0:
            columns.append(np.zeros(len(DERIVED)))
            continue
        up, down = ({**known, name: known[name] + s} for s in (step, -step))
        columns.append((function(up) - function(down)) / (2.0 * step))
    jacobian = np.stack(columns, axis=-1)
    return np.asarray(np.sqrt(np.einsum("ip,pq,iq->i", jacobian, result.covariance, jacobian)))
