"""Whether a series of rows follows a trend: its low orders in time against its own scatter.

The rows are those of a record whose line is looked at (``steadiness.py``). What is left beside
polynomials of time says how far their coefficients stray by chance (F test), so that neither the
law of the rows nor their number has to be known; rows that hang together are seen by how slowly
means of them calm down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_law

__all__ = ["Trend", "power_trend_gain", "trend_of"]

_ORDERS = 4  # of the polynomials: straight, and to and fro
_JOINED = (2, 4)  # rows that are joined to see whether neighbours hang together
_LEAST_JOINED = 12  # of them that say so


@dataclass(frozen=True)
class Trend:
    """Slow part of a series.

    Attributes
    ----------
    span : float
        From its lowest to its highest value, with the sign of the straight part; in the unit of
        the series.
    error : float
        Standard error of a straight change over the series.
    chance : float
        That a series without a trend shows as much, of the straight part or of all orders,
        whichever is smaller, twice.
    """

    span: float
    error: float
    chance: float


def trend_of(
    values: NDArray[np.float64],
    times: NDArray[np.float64],
    weights: NDArray[np.float64] | None = None,
    excess: float = 1.0,
) -> Trend:
    """Slow part of a series and the chance of it.

    Parameters
    ----------
    values : ndarray, shape (n,)
        At least eight.
    times : ndarray, shape (n,)
        Increasing.
    weights : ndarray, shape (n,), optional
        Inverse variances but for a factor.
    excess : float
        Variance of means of many rows over that of independent ones, where it is known.

    Examples
    --------
    >>> import numpy as np
    >>> from optobind.models.trends import trend_of
    >>> noise = np.random.default_rng(0).standard_normal(50)
    >>> bool(trend_of(noise, np.arange(50.0)).chance > 0.01)
    True
    >>> bool(trend_of(noise + np.arange(50.0) / 5.0, np.arange(50.0)).chance < 1e-9)
    True
    """
    n = len(values)
    root = np.ones(n) if weights is None else np.sqrt(weights / weights.mean())
    t = 2.0 * (times - times[0]) / (times[-1] - times[0]) - 1.0
    orders = min(_ORDERS, (n - 1) // 2)
    plain = np.polynomial.legendre.legvander(t, orders)
    design = plain * root[:, None]
    # Orthonormal columns: the coefficients of a series without a trend scatter alike.
    basis, triangle = np.linalg.qr(design)
    coefficients = basis.T @ (values * root)
    rest = values * root - basis @ coefficients
    freedom = n - orders - 1
    variance = _scatter(rest, freedom) * excess
    if variance <= 0.0:
        return Trend(0.0, 0.0, 1.0)
    straight = coefficients[1] ** 2 / variance
    all_orders = float((coefficients[1:] ** 2).sum()) / variance / orders
    chance = min(
        float(f_law.sf(straight, 1, freedom)), float(f_law.sf(all_orders, orders, freedom))
    )
    slow = plain @ np.linalg.solve(triangle, coefficients)
    sign = 1.0 if slow[-1] >= slow[0] else -1.0
    error = 2.0 * math.sqrt(variance) / abs(float(triangle[1, 1]))
    return Trend(sign * float(np.ptp(slow)), error, min(1.0, 2.0 * chance))


def _scatter(rest: NDArray[np.float64], freedom: int) -> float:
    """Variance of independent rows whose means would scatter as those of these."""
    found = float(rest @ rest) / freedom
    for size in _JOINED:
        count = len(rest) // size
        if count >= _LEAST_JOINED:
            means = rest[: count * size].reshape(count, size).mean(axis=1)
            share = max(1.0 - (len(rest) - freedom) / count, 0.5)
            found = max(found, size * float(np.mean(means**2)) / share)
    return found


def power_trend_gain(power: NDArray[np.float64], shape: float) -> float:
    """Rise of ln L by a power that changes slowly, its logarithm a parabola of time.

    Parameters
    ----------
    power : ndarray, shape (n,)
        Positive, in the order of time.
    shape : float
        Of the gamma law that rows follow about their mean.
    """
    t = np.linspace(-1.0, 1.0, len(power))
    design = np.polynomial.legendre.legvander(t, 2)
    values = np.array([math.log(float(power.mean())), 0.0, 0.0])
    for _ in range(20):
        ratio = power * np.exp(-design @ values)
        values += np.linalg.lstsq(design, np.clip(ratio - 1.0, -1.0, 1.0), rcond=None)[0]
    ratio = power * np.exp(-design @ values)
    flat = len(power) * (math.log(float(power.mean())) + 1.0)
    return shape * (flat - float((design @ values + ratio).sum()))
