"""Gaussian maps x → Fx + c + w, ⟨wwᵀ⟩ = Q: exact steps, their composition and their powers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...models.errors import InputError

__all__ = ["GaussianMap", "exponential_steps"]

Array: TypeAlias = NDArray[np.float64]

_RADIUS = 0.5  # norm up to which the series of _TERMS terms is exact to rounding
_TERMS = 14


@dataclass(frozen=True)
class GaussianMap:
    """One map, or a stack of maps in leading dimensions.

    Attributes
    ----------
    step : ndarray, shape (..., n, n)
        F, the state-transition matrix.
    added : ndarray, shape (..., n, n)
        Q, symmetric, unit².
    shift : ndarray, shape (..., n)
        c, unit.
    """

    step: Array
    added: Array
    shift: Array

    @classmethod
    def identity(cls, states: int) -> GaussianMap:
        """Map of no time."""
        return cls(np.eye(states), np.zeros((states, states)), np.zeros(states))

    def __getitem__(self, index: int | NDArray[np.int64]) -> GaussianMap:
        """One map of a stack, or a stack of some (copied)."""
        return GaussianMap(self.step[index], self.added[index], self.shift[index])

    def __len__(self) -> int:
        return len(self.step)

    def then(self, later: GaussianMap) -> GaussianMap:
        """Compose: first this map, then ``later``."""
        turned = later.step.swapaxes(-1, -2)
        added = later.step @ self.added @ turned + later.added
        return GaussianMap(
            later.step @ self.step,
            0.5 * (added + added.swapaxes(-1, -2)),
            (later.step @ self.shift[..., None])[..., 0] + later.shift,
        )

    def reduced(self, lengths: NDArray[np.int64]) -> GaussianMap:
        """Compose runs of a stack, first to last, each into one map; a stack of as many maps.

        Parameters
        ----------
        lengths : ndarray, shape (r,)
            Maps in each run, at least 1; they add up to the length of the stack.
        """
        stack, left = self, np.asarray(lengths)
        while left.max(initial=1) > 1:
            place = np.arange(left.sum()) - np.repeat(np.cumsum(left) - left, left)
            first = np.flatnonzero(place % 2 == 0)
            paired = place[first] + 1 < np.repeat(left, left)[first]
            merged = stack[first[paired]].then(stack[first[paired] + 1])
            kept = stack[first]
            for mine, theirs in (
                (kept.step, merged.step),
                (kept.added, merged.added),
                (kept.shift, merged.shift),
            ):
                mine[paired] = theirs
            stack, left = kept, (left + 1) // 2
        return stack

    def power(self, count: int) -> GaussianMap:
        """Apply the map ``count`` times, by squaring.

        Raises
        ------
        InputError
            If ``count`` is negative.
        """
        if count < 0:
            raise InputError(f"a map cannot be applied {count} times")
        total, base = GaussianMap.identity(self.step.shape[-1]), self
        while count:
            if count & 1:
                total = total.then(base)
            base = base.then(base)
            count >>= 1
        return total

    def mean(self, mean: Array) -> Array:
        """Mean after the map, shape (..., n)."""
        return np.asarray((self.step @ mean[..., None])[..., 0] + self.shift)

    def covariance(self, covariance: Array) -> Array:
        """Covariance after the map, shape (..., n, n)."""
        return np.asarray(self.step @ covariance @ self.step.swapaxes(-1, -2) + self.added)

    def distance(self, other: GaussianMap) -> float:
        """Largest deviation of F and Q from another map, relative to the largest entries."""
        worst = 0.0
        for mine, theirs in ((self.step, other.step), (self.added, other.added)):
            scale = np.abs(theirs).max(axis=(-1, -2))
            gap = np.abs(mine - theirs).max(axis=(-1, -2))
            worst = max(worst, float(np.max(gap / np.where(scale > 0.0, scale, 1.0), initial=0.0)))
        scale = np.abs(other.shift).max(initial=0.0)
        if scale > 0.0:
            worst = max(worst, float(np.abs(self.shift - other.shift).max() / scale))
        return worst


def exponential_steps(drift: Array, noise: Array, force: Array) -> GaussianMap:
    """Maps of constant generators over unit time: F = e^a, Q = ∫_0^1 e^{as} b e^{aᵀs} ds.

    The same block exponential as Van Loan's, summed as a series that keeps Q symmetric:
    Q = Σ B_j/(j+1)! with B_0 = b, B_{j+1} = aB_j + B_jaᵀ. Generators of norm above ½ are halved
    until the series is exact to rounding, and the map is then squared back.

    Parameters
    ----------
    drift : ndarray, shape (m, n, n)
        a, generators times step.
    noise : ndarray, shape (m, n, n)
        b, symmetric.
    force : ndarray, shape (m, n)
        f; the shift is ∫_0^1 e^{as} f ds.

    Returns
    -------
    GaussianMap
        A stack of m maps.
    """
    norm = float(np.abs(drift).sum(axis=-1).max(initial=0.0))
    doublings = max(0, math.ceil(math.log2(norm / _RADIUS))) if norm > _RADIUS else 0
    scale = 0.5**doublings
    a = drift * scale
    lyapunov, vector = noise * scale, force * scale
    term = np.broadcast_to(np.eye(drift.shape[-1]), drift.shape).copy()
    step, added, shift = term.copy(), lyapunov.copy(), vector.copy()
    for order in range(1, _TERMS + 1):
        term = a @ term / order
        step += term
        half = a @ lyapunov / (order + 1)
        lyapunov = half + half.swapaxes(-1, -2)
        added += lyapunov
        vector = (a @ vector[..., None])[..., 0] / (order + 1)
        shift += vector
    maps = GaussianMap(step, added, shift)
    for _ in range(doublings):
        maps = maps.then(maps)
    return maps
