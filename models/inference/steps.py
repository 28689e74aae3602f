"""Steps and covariances from a score and a Fisher matrix: bounds, blind directions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["bounded_step", "invert", "rise"]

_Array = NDArray[np.float64]
# Eigenvalues of a Fisher matrix of unit diagonal below which a direction counts as blind.
_BLIND = 1e-13


def invert(fisher: _Array) -> tuple[_Array, bool]:
    """Covariance from a Fisher matrix, and whether it determines every direction.

    Undetermined directions get a huge variance, not none.
    """
    diagonal = np.diag(fisher)
    blind = ~(diagonal > 0.0)
    scale = np.sqrt(np.where(blind, 1.0, diagonal))
    values, vectors = np.linalg.eigh(fisher / np.outer(scale, scale))
    floor = _BLIND * values.max(initial=1.0)
    determined = bool((values > floor).all())
    inverse = (vectors / np.maximum(values, floor)) @ vectors.T
    return np.asarray(inverse / np.outer(scale, scale)), determined


def _solve(fisher: _Array, gradient: _Array, damping: float) -> _Array:
    """(F + μ diag F)⁻¹ g on a unit diagonal; directions without information are not moved."""
    scale = np.sqrt(np.diag(fisher))
    scale = np.where(scale > 0.0, scale, 1.0)
    values, vectors = np.linalg.eigh(fisher / np.outer(scale, scale))
    usable = values > _BLIND * values.max(initial=0.0)
    inverse = np.where(usable, 1.0 / np.where(usable, values + damping, 1.0), 0.0)
    return np.asarray((vectors @ (inverse * (vectors.T @ (gradient / scale)))) / scale)


def bounded_step(
    fisher: _Array, gradient: _Array, low: _Array, high: _Array, damping: float = 0.0
) -> _Array:
    """Scoring step between bounds on the step; what a bound stops is taken out of it.

    Parameters
    ----------
    fisher : ndarray, shape (p, p)
        Fisher information.
    gradient : ndarray, shape (p,)
        Score.
    low, high : ndarray, shape (p,)
        Least and largest step, low ≤ 0 ≤ high.
    damping : float
        Levenberg's, relative to the diagonal.
    """
    step = np.zeros_like(gradient)
    go = np.ones(len(gradient), dtype=bool)
    while go.any():
        rest = gradient[go] - fisher[np.ix_(go, ~go)] @ step[~go]
        step[go] = _solve(fisher[np.ix_(go, go)], rest, damping)
        outside = go & ((step < low) | (step > high))
        if not outside.any():
            break
        step[outside] = np.clip(step, low, high)[outside]
        go &= ~outside
    # What was clipped far away may have taken the rest downhill, or would now come back.
    left = gradient - fisher @ step
    settled = ((step < high) | (left >= 0.0)) & ((step > low) | (left <= 0.0))
    if rise(fisher, gradient, step) >= 0.0 and settled.all():
        return step
    return _active_set(fisher, gradient, low, high)


def rise(fisher: _Array, gradient: _Array, step: _Array) -> float:
    """Rise of the log-likelihood that score and Fisher information promise of a step."""
    return float(gradient @ step - 0.5 * step @ fisher @ step)


def _active_set(fisher: _Array, gradient: _Array, low: _Array, high: _Array) -> _Array:
    """Best step between bounds, always uphill: hold what a bound stops, free what it lets go."""
    step = np.zeros_like(gradient)
    scale = np.sqrt(np.maximum(np.diag(fisher), 1e-300))
    go = (low < 0.0) & (high > 0.0)
    for _ in range(20 * len(step)):
        left = gradient - fisher @ step
        move = np.zeros_like(step)
        if go.any():
            move[go] = _solve(fisher[np.ix_(go, go)], left[go], 0.0)
        room = np.where(move > 0.0, high - step, low - step)
        share = np.divide(room, move, out=np.full_like(step, np.inf), where=move != 0.0)
        first = int(np.argmin(share))
        if share[first] < 1.0:
            step += share[first] * move
            step[first] = high[first] if move[first] > 0.0 else low[first]
            go[first] = False
            continue
        step += move
        left = (gradient - fisher @ step) / scale
        wrong = np.where(go, 0.0, np.where(step >= high, -left, left))
        wrong[~go & (low >= high)] = 0.0
        worst = int(np.argmax(wrong))
        if wrong[worst] <= 1e-9 * np.abs(gradient / scale).max():
            break
        go[worst] = True
    return np.clip(step, low, high)
