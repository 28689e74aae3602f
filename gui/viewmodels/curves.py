"""Reduction of long arrays to what a screen can show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Curve", "averaged", "bin_starts", "envelope", "peak_curve", "thin"]

Floats = NDArray[np.float64]
# Noise of ten exponentially distributed bins exceeds six times its mean in 2 % of the columns.
_LINE_TO_MEAN = 6.0


@dataclass(frozen=True)
class Curve:
    """A line ready to draw: x and y of one length, finite."""

    x: Floats
    y: Floats

    @classmethod
    def empty(cls) -> Curve:
        """Return a line without points."""
        return cls(np.empty(0), np.empty(0))


def envelope(samples: NDArray[np.floating], start: float, step: float, pixels: int) -> Curve:
    """Minimum and maximum per pixel column of an evenly sampled line.

    Parameters
    ----------
    samples : ndarray, shape (n,)
        Values.
    start, step : float
        x of the first sample and distance of samples.
    pixels : int
        Columns of the screen; at most two points are returned for each.

    Returns
    -------
    Curve
        The samples themselves when they are few enough.
    """
    n, pixels = int(samples.shape[0]), max(1, pixels)
    if n <= 2 * pixels:
        values: Floats = samples.astype(np.float64)
        return Curve(start + step * np.arange(n, dtype=np.float64), values)
    width = -(-n // pixels)
    full = n // width
    body = samples[: full * width].reshape(full, width)
    low, high = body.min(axis=1), body.max(axis=1)
    if full * width < n:
        rest = samples[full * width :]
        low, high = np.append(low, rest.min()), np.append(high, rest.max())
    y = np.empty(2 * low.size)
    # Alternating order joins neighbouring columns at the same end: fewer crossing strokes.
    y[0::4], y[1::4] = low[0::2], high[0::2]
    y[2::4], y[3::4] = high[1::2], low[1::2]
    centre = start + step * width * (np.arange(low.size) + 0.5)
    return Curve(np.repeat(centre, 2), y)


def bin_starts(x: Floats, low: float, high: float, pixels: int) -> NDArray[np.intp]:
    """First index of every non-empty pixel column over [low, high] of sorted ``x``.

    Points outside the range are left out, except one on either side, so that lines reach the edge.
    The last entry is the end of the last column.
    """
    edges = np.linspace(low, high, max(2, pixels + 1))
    cuts = np.searchsorted(x, edges)
    first, last = max(0, int(cuts[0]) - 1), min(x.size, int(cuts[-1]) + 1)
    inside = cuts[(cuts >= first) & (cuts <= last)]
    bounds = np.concatenate(([first], inside, [last]))  # in order: no sorting needed
    return np.asarray(bounds[np.append(True, np.diff(bounds) > 0)], dtype=np.intp)


def thin(x: Floats, y: Floats, low: float, high: float, pixels: int) -> Curve:
    """Minimum and maximum per pixel column of a line over sorted x.

    Columns that hold one point keep its exact place; the others give two points.
    """
    if x.size == 0:
        return Curve.empty()
    cuts = bin_starts(x, low, high, pixels)
    starts = cuts[:-1]
    if starts.size == 0:
        return Curve.empty()
    end = int(cuts[-1])
    if np.all(np.diff(cuts) == 1):
        return Curve(x[starts[0] : end], y[starts[0] : end])
    bottom = np.minimum.reduceat(y[:end], starts)
    top = np.maximum.reduceat(y[:end], starts)
    counts = np.diff(cuts)
    middle = 0.5 * (x[starts] + x[starts + counts - 1])
    several = counts > 1
    repeats = np.where(several, 2, 1)
    out_x, out_y = np.repeat(middle, repeats), np.repeat(bottom, repeats)
    out_y[(np.cumsum(repeats) - 1)[several]] = top[several]
    return Curve(out_x, out_y)


def averaged(x: Floats, log_y: Floats, low: float, high: float, pixels: int) -> Curve:
    """Mean power per pixel column, for noisy moduli whose envelope would be a solid block.

    A column that holds a line, a bin far above the mean, shows the line.
    """
    if x.size == 0:
        return Curve.empty()
    cuts = bin_starts(x, low, high, pixels)
    starts, end = cuts[:-1], int(cuts[-1])
    if starts.size == 0:
        return Curve.empty()
    counts = np.diff(cuts)
    # Scaled to the largest value: 10^log_y may lie at the edge of what floats hold.
    top = float(log_y[starts[0] : end].max())
    power = 10.0 ** (log_y[:end] - top)
    mean = np.add.reduceat(power, starts) / counts
    peak = np.maximum.reduceat(power, starts)
    middle = 0.5 * (x[starts] + x[starts + counts - 1])
    shown = np.where(peak > _LINE_TO_MEAN * mean, peak, mean)
    return Curve(middle, np.log10(np.maximum(shown, 1e-300)) + top)


def peak_index(weight: Floats, cuts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Index of the largest weight of each column."""
    starts = cuts[:-1]
    if starts.size == 0:
        return np.empty(0, dtype=np.intp)
    top = np.maximum.reduceat(weight[: int(cuts[-1])], starts)
    column = np.repeat(np.arange(starts.size), np.diff(cuts))
    hits = np.flatnonzero(weight[starts[0] : int(cuts[-1])] >= top[column])
    _, first = np.unique(column[hits], return_index=True)
    return np.asarray(hits[first] + starts[0], dtype=np.intp)


def peak_curve(x: Floats, y: Floats, weight: Floats, low: float, high: float, px: int) -> Curve:
    """One point per column: y where ``weight`` is largest (phases cannot be averaged by eye)."""
    if x.size == 0:
        return Curve.empty()
    chosen = peak_index(weight, bin_starts(x, low, high, px))
    return Curve(x[chosen], y[chosen])
