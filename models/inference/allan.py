"""Allan deviation: how long averaging helps before drift sets in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

__all__ = ["AllanDeviation", "allan_deviation"]

_Array = NDArray[np.float64]
_FEWEST = 4


@dataclass(frozen=True)
class AllanDeviation:
    """Scatter of means over neighbouring stretches of a series.

    Attributes
    ----------
    times : ndarray, shape (n,)
        τ, s: blocks of one, two, four, … intervals.
    values : ndarray, shape (n,)
        √(½⟨(ȳ_{i+1} − ȳ_i)²⟩) over all overlapping stretches, in the unit of the series.
    stderr : ndarray, shape (n,)
        Standard error of each, from the number of stretches that do not overlap.

    Examples
    --------
    >>> import numpy as np, optobind as ob
    >>> white = np.random.default_rng(1).normal(size=4096)
    >>> found = ob.allan_deviation(white, 0.5)
    >>> bool(abs(found.values[0] - 1.0) < 0.05), float(found.times[1])
    (True, 1.0)
    """

    times: _Array
    values: _Array
    stderr: _Array

    def __repr__(self) -> str:
        """Range of τ and least deviation in one line."""
        return (
            f"<AllanDeviation of {len(self.times)} times, {self.times[0]:.4g} to "
            f"{self.times[-1]:.4g} s, least {self.values.min():.4g}>"
        )


def allan_deviation(values: Sequence[float] | _Array, interval: float) -> AllanDeviation:
    """Overlapping Allan deviation of an even series of means.

    White noise of standard deviation σ has σ/√m after m intervals; where the deviation stops
    falling, drift sets in and longer averaging does not help.

    Parameters
    ----------
    values : array_like, shape (n,)
        At least 4 means over neighbouring intervals.
    interval : float
        Length of one, s.

    Returns
    -------
    AllanDeviation
        Up to a quarter of the series.

    Raises
    ------
    InputError
        For fewer than 4 values, values that are not finite, or an interval that is not positive.

    Examples
    --------
    >>> import optobind as ob
    >>> ob.allan_deviation([1.0, 2.0, 1.0, 2.0, 1.0], 1.0).values.round(3).tolist()
    [0.707]
    """
    series = np.asarray(values, dtype=np.float64)
    if series.ndim != 1 or len(series) < _FEWEST or not np.isfinite(series).all():
        raise InputError(f"an Allan deviation needs at least {_FEWEST} finite values in a row")
    if not (np.isfinite(interval) and interval > 0.0):
        raise InputError(f"the interval must be positive, got {interval!r} s")
    total = np.concatenate([[0.0], np.cumsum(series)])
    widths = 2 ** np.arange(int(np.log2(len(series) // _FEWEST)) + 1)
    found: list[float] = []
    errors: list[float] = []
    for width in widths.tolist():
        means = (total[width:] - total[:-width]) / width
        apart = means[width:] - means[:-width]
        found.append(float(np.sqrt(0.5 * np.mean(apart**2))))
        errors.append(found[-1] / math.sqrt(2.0 * max(len(series) // width - 1, 1)))
    times = np.asarray(widths * float(interval), dtype=np.float64)
    return AllanDeviation(times, np.array(found), np.array(errors))
