"""Weights of the light as functions of time, their cycle averages and Fourier coefficients."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.errors import InputError
from .waveform import time_array

__all__ = ["Retimed", "Weights", "fourier_weights", "mean_weights"]

Array: TypeAlias = NDArray[np.float64]

_GAUSS = 20  # nodes of the quadrature between two breaks
_MOST_NODES = 1 << 14
_SETTLED = 1e-14


class Weights(Protocol):
    """Weights w_k(t) and what an integrator must know about them."""

    @property
    def count(self) -> int:
        """Number k of weights; the first is 1."""

    @property
    def period(self) -> float | None:
        """Common period, s; 0 if constant, None if there is none."""

    @property
    def rate(self) -> float:
        """Bound on how fast a weight turns, rad/s."""

    @property
    def stepwise(self) -> bool:
        """Whether the weights are constant between breaks."""

    def __call__(self, times: ArrayLike) -> Array:
        """Weights at times (s), shape (t, k)."""

    def breaks(self, start: float, stop: float) -> Array:
        """Times in (start, stop) where a weight or a derivative jumps, s."""


@dataclass(frozen=True)
class Retimed:
    """The same light played faster: w(t·speed).

    Attributes
    ----------
    weights : Weights
        What is played.
    speed : float
        Positive factor.
    """

    weights: Weights
    speed: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.speed) and self.speed > 0.0):
            raise InputError(f"speed must be positive, got {self.speed!r}")

    @property
    def count(self) -> int:
        """Number of weights."""
        return self.weights.count

    @property
    def period(self) -> float | None:
        """Period, s."""
        period = self.weights.period
        return None if period is None else period / self.speed

    @property
    def rate(self) -> float:
        """Bound on how fast a weight turns, rad/s."""
        return self.weights.rate * self.speed

    @property
    def stepwise(self) -> bool:
        """Whether the weights are constant between breaks."""
        return self.weights.stepwise

    def __call__(self, times: ArrayLike) -> Array:
        """Weights at times (s), shape (t, k)."""
        return self.weights(time_array(times) * self.speed)

    def breaks(self, start: float, stop: float) -> Array:
        """Breaks in (start, stop), s."""
        return self.weights.breaks(start * self.speed, stop * self.speed) / self.speed


def _quadrature(weights: Weights, cycles: int) -> tuple[Array, Array]:
    """Nodes (s) and normalised weights of an average over one period, for ``cycles`` harmonics."""
    period = weights.period
    if period is None or period == 0.0:
        raise InputError("the light has no period")
    least = max(cycles, math.ceil(weights.rate * period / (2.0 * math.pi)), 8)
    edges = weights.breaks(0.0, period)
    if edges.size == 0:
        return _equidistant(weights, period, 8 * least)
    panels = np.unique(np.concatenate([[0.0], edges, np.linspace(0.0, period, least + 1)[1:]]))
    node, share = np.polynomial.legendre.leggauss(_GAUSS)
    # 3s² − 2s³ is flat at both ends of a panel, where √P of a power that falls to 0 is not smooth.
    s = 0.5 * (1.0 + node)
    node, share = s * s * (3.0 - 2.0 * s), 3.0 * s * (1.0 - s) * share
    width = np.diff(panels)
    nodes = panels[:-1, None] + width[:, None] * node
    return nodes.ravel(), (width[:, None] * share / period).ravel()


def _equidistant(weights: Weights, period: float, size: int) -> tuple[Array, Array]:
    """Equidistant nodes, which converge exponentially for a smooth periodic function.

    They are doubled until the averages rest: √P of a power that almost falls to 0 needs many.
    """
    nodes = period * np.arange(size) / size
    average = weights(nodes).mean(axis=0)
    while size < _MOST_NODES:
        between = nodes + 0.5 * period / size
        finer = 0.5 * (average + weights(between).mean(axis=0))
        if np.abs(finer - average).max() <= _SETTLED * max(1.0, float(np.abs(finer).max())):
            break
        nodes, average, size = np.sort(np.concatenate([nodes, between])), finer, 2 * size
    return nodes, np.full(size, 1.0 / size)


def mean_weights(weights: Weights) -> Array:
    """Cycle average of the weights, shape (k,).

    Raises
    ------
    InputError
        If the light has no period.
    """
    if weights.period == 0.0:
        return np.asarray(weights([0.0])[0])
    nodes, share = _quadrature(weights, 8)
    return np.asarray(share @ weights(nodes))


def fourier_weights(weights: Weights, orders: int) -> NDArray[np.complex128]:
    """Fourier coefficients w_n of w(t) = Σ_n w_n e^{2πint/T}, n = −orders … orders.

    Parameters
    ----------
    weights : Weights
        Periodic or constant.
    orders : int
        Highest order, at least 0.

    Returns
    -------
    ndarray, shape (2·orders + 1, k)
    """
    if orders < 0:
        raise InputError(f"orders must be at least 0, got {orders}")
    if weights.period == 0.0:
        found = np.zeros((2 * orders + 1, weights.count), dtype=np.complex128)
        found[orders] = weights([0.0])[0]
        return found
    nodes, share = _quadrature(weights, 2 * orders + 8)
    assert weights.period
    order = np.arange(-orders, orders + 1)
    turn = np.exp(-2j * np.pi * order[:, None] * (nodes / weights.period))
    return np.asarray((turn * share) @ weights(nodes))
