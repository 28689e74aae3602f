"""Simulated records of a linear model, exact at the samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from .errors import InputError
from .linear import LinearModel

__all__ = ["simulate_model"]

_Array = NDArray[np.float64]
_MOST_CONDITION = 1e6


def simulate_model(
    model: LinearModel,
    samples: int,
    sample_rate: float,
    rng: np.random.Generator,
    *,
    initial: NDArray[np.float64] | None = None,
) -> tuple[_Array, _Array]:
    """Samples of a model and the states behind them.

    Parameters
    ----------
    model : LinearModel
        With its imprecision.
    samples : int
        Number of samples, at least 1.
    sample_rate : float
        Hz.
    rng : numpy.random.Generator
        Of the noise.
    initial : ndarray, shape (n, n), optional
        Covariance of the first state; the stationary one by default.

    Returns
    -------
    samples, states : ndarray, shape (samples, c) and (samples, n)
        In the model's unit.

    Raises
    ------
    UnstableModelError
        If the model grows and no initial covariance is given.
    InputError
        For no samples.
    """
    if samples < 1:
        raise InputError(f"samples must be at least 1, got {samples}")
    step, spread = model.discretise(1.0 / sample_rate)
    start = model.steady_state() if initial is None else initial
    drive = rng.standard_normal((samples, model.states))
    kicks = drive @ _root(spread).T
    kicks[0] = _root(start) @ drive[0]
    states = _walk(step, kicks)
    noise = rng.standard_normal((samples, model.channels))
    seen = states @ model.output.T + noise @ _root(0.5 * sample_rate * model.imprecision).T
    return seen, states


def _root(covariance: _Array) -> _Array:
    """A matrix R with R Rᵀ the covariance, which may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def _walk(step: _Array, kicks: _Array) -> _Array:
    """x_{t+1} = F x_t + kick_{t+1} from x_0 = kick_0: a one-pole filter for each eigenvector of F.

    Where eigenvectors merge the steps are made one by one.
    """
    values, vectors = np.linalg.eig(step)
    if not np.linalg.cond(vectors) < _MOST_CONDITION:
        states = kicks.copy()
        for t in range(1, len(states)):
            states[t] += step @ states[t - 1]
        return states
    modes = kicks @ np.linalg.inv(vectors).T
    for column, value in enumerate(values):
        modes[:, column] = lfilter([1.0], [1.0, -value], modes[:, column])
    return np.ascontiguousarray((modes @ vectors.T).real)
