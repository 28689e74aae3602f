"""What a sweep has found as columns: values and errors over the set-points, for figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..acquisition.sweeps.rows import Row
from ..models.inference.digits import in_hertz

__all__ = ["GROUPS", "fitted_names", "fitted_values", "set_points"]

Array = NDArray[np.float64]

GROUPS: tuple[tuple[str, ...], ...] = (
    ("g_r", "g_a"),
    ("re_D12",),
    ("mode_1", "mode_2"),
    ("gap",),
    ("D11", "D22"),
    ("gamma_1", "gamma_2"),
)
"""What shares a panel, what is asked for most first."""


def fitted_names(rows: Sequence[Row]) -> list[str]:
    """Names of all that was found at any point, what is asked for most first."""
    known = dict.fromkeys(
        name for row in rows if row.fit is not None and row.fit.converged for name in row.fit.values
    )
    first = [name for group in GROUPS for name in group if name in known]
    return [*first, *(name for name in known if name not in first)]


def fitted_values(rows: Sequence[Row], name: str) -> tuple[list[int], Array, Array, str]:
    """Indices of rows with a value, values and errors (rates in Hz), and the unit.

    Parameters
    ----------
    rows : sequence of Row
        Those whose fit may not be quoted are left out.
    name : str
        Of a parameter, or of what follows from a pair's.
    """
    index, values, errors, unit = [], [], [], ""
    for i, row in enumerate(rows):
        found = row.value(name)
        if found is None:
            continue
        value, unit = in_hertz(found.value, found.unit)
        error = in_hertz(found.stderr, found.unit)[0]
        index.append(i)
        values.append(np.nan if value is None else value)
        errors.append(0.0 if error is None else error)
    return index, np.array(values), np.array(errors), unit


def set_points(rows: Sequence[Row], axis: int) -> Array:
    """Values of an axis, SI: as read back where they were, else as set."""
    return np.array([row.read[axis] if row.read else row.setting[axis] for row in rows], float)
