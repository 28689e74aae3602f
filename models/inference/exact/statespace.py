"""The model that the filter runs: one exact step per sample, with derivatives by all parameters.

x' = F x + w, ⟨wwᵀ⟩ = Q, y = C x + e, ⟨eeᵀ⟩ = R, ⟨xxᵀ⟩ = V at the first sample. F and Q follow from
A and N of V̇ = AV + VAᵀ + N by Van Loan's block exponential; its derivatives are the upper right
blocks of exp[[B, dB], [0, B]], all in one batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

__all__ = ["Continuous", "StateSpace", "discretised", "propagator", "stationary"]

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Continuous:
    """A linear model in continuous time with derivatives by P parameters.

    Attributes
    ----------
    drift, noise : ndarray, shape (n, n)
        A in 1/s and N of V̇ = AV + VAᵀ + N.
    output : ndarray, shape (c, n)
        C, before delays.
    imprecision : ndarray, shape (c, c)
        One-sided density of the detection noise, unit²/Hz.
    initial : ndarray, shape (n, n), or None
        V at the first sample; None for a steady record.
    d_drift, d_noise : ndarray, shape (P, n, n)
        Derivatives.
    d_output : ndarray, shape (P, c, n)
        Derivatives.
    d_imprecision : ndarray, shape (P, c, c)
        Derivatives.
    d_initial : ndarray, shape (P, n, n), or None
        Derivatives.
    lead : ndarray, shape (c,)
        How much later than the first sample's time each channel looks, s, below a sample.
    d_lead : ndarray, shape (P, c)
        Derivatives.
    """

    drift: _Array
    noise: _Array
    output: _Array
    imprecision: _Array
    initial: _Array | None
    d_drift: _Array
    d_noise: _Array
    d_output: _Array
    d_imprecision: _Array
    d_initial: _Array | None
    lead: _Array
    d_lead: _Array


@dataclass(frozen=True)
class StateSpace:
    """The same per sample; derivatives have the parameters last, as the recursions take them.

    Attributes
    ----------
    step, spread : ndarray, shape (n, n)
        F and Q.
    output : ndarray, shape (c, n)
        C.
    noise : ndarray, shape (c, c)
        R.
    initial : ndarray, shape (n, n)
        V at the first sample.
    d_step, d_spread : ndarray, shape (n, n, P)
        Derivatives.
    d_output : ndarray, shape (c, n, P)
        Derivatives.
    d_noise : ndarray, shape (c, c, P)
        Derivatives.
    d_initial : ndarray, shape (n, n, P)
        Derivatives.
    """

    step: _Array
    spread: _Array
    output: _Array
    noise: _Array
    initial: _Array
    d_step: _Array
    d_spread: _Array
    d_output: _Array
    d_noise: _Array
    d_initial: _Array

    @property
    def channels(self) -> int:
        """Number of channels c."""
        return len(self.output)


def propagator(
    drift: _Array, noise: _Array, d_drift: _Array, d_noise: _Array, time: float
) -> tuple[_Array, _Array, _Array, _Array]:
    """F, Q after a time and their derivatives, (n, n) and (P, n, n); Van Loan (1978).

    Parameters
    ----------
    drift, noise : ndarray, shape (n, n)
        A and N.
    d_drift, d_noise : ndarray, shape (P, n, n)
        Their derivatives.
    time : float
        s, at least 0; short against the time in which the model grows or decays e^30 times.
    """
    n, count = len(drift), len(d_drift)
    moving = np.flatnonzero(
        np.any(d_drift.reshape(count, -1), axis=1) | np.any(d_noise.reshape(count, -1), axis=1)
    )
    # Without a moving parameter the batch still needs one block.
    blocks = np.zeros((max(len(moving), 1), 4 * n, 4 * n))
    for at in (0, 2 * n):
        blocks[:, at : at + n, at : at + n] = -drift
        blocks[:, at : at + n, at + n : at + 2 * n] = noise
        blocks[:, at + n : at + 2 * n, at + n : at + 2 * n] = drift.T
    blocks[: len(moving), :n, 2 * n : 3 * n] = -d_drift[moving]
    blocks[: len(moving), :n, 3 * n :] = d_noise[moving]
    blocks[: len(moving), n : 2 * n, 3 * n :] = d_drift[moving].swapaxes(1, 2)
    found = np.asarray(linalg.expm(blocks * time))
    step = np.ascontiguousarray(found[0, n : 2 * n, n : 2 * n].T)
    upper = found[0, :n, n : 2 * n]
    d_step, d_spread = np.zeros_like(d_drift), np.zeros_like(d_noise)
    changed = found[: len(moving), n : 2 * n, 3 * n :].swapaxes(1, 2)
    d_step[moving] = changed
    d_spread[moving] = changed @ upper + step @ found[: len(moving), :n, 3 * n :]
    spread = step @ upper
    d_spread = 0.5 * (d_spread + d_spread.swapaxes(1, 2))
    return step, 0.5 * (spread + spread.T), d_step, d_spread


def stationary(
    step: _Array, spread: _Array, d_step: _Array, d_spread: _Array
) -> tuple[_Array, _Array] | None:
    """V = FVFᵀ + Q and its derivatives (n, n), (P, n, n); None where a motion does not decay."""
    if not np.abs(np.linalg.eigvals(step)).max() < 1.0 - 1e-12:
        return None
    n = len(step)
    solve = np.linalg.inv(np.eye(n * n) - np.kron(step, step))
    covariance = (solve @ spread.ravel()).reshape(n, n)
    change = d_step @ covariance @ step.T
    source = change + change.swapaxes(1, 2) + d_spread
    d_covariance = np.einsum("ij,pj->pi", solve, source.reshape(len(source), -1))
    return 0.5 * (covariance + covariance.T), d_covariance.reshape(source.shape)


def discretised(model: Continuous, sample_rate: float, diffuse: float) -> StateSpace:
    """Take a model to the samples.

    A channel that looks a time τ later than the others sees C F(τ) x: what the noise adds to the
    position meanwhile, 2Dω²τ³/3, is far below any imprecision for τ below a sample.

    Parameters
    ----------
    model : Continuous
        With derivatives.
    sample_rate : float
        Hz.
    diffuse : float
        Variance of each state at the first sample where a steady record has no stationary one.
    """
    step, spread, d_step, d_spread = propagator(
        model.drift, model.noise, model.d_drift, model.d_noise, 1.0 / sample_rate
    )
    output, d_output = model.output.copy(), model.d_output.copy()
    for row, lead in enumerate(model.lead):
        if lead or model.d_lead[:, row].any():
            _look_later(model, row, output, d_output)
    initial, d_initial = model.initial, model.d_initial
    if initial is None or d_initial is None:
        found = stationary(step, spread, d_step, d_spread)
        if found is None:
            found = diffuse * np.eye(len(step)), np.zeros_like(d_step)
        initial, d_initial = found
    half = 0.5 * sample_rate

    def last(rows: _Array) -> _Array:
        return np.ascontiguousarray(np.moveaxis(rows, 0, -1))

    return StateSpace(
        step, spread, output, half * model.imprecision, np.ascontiguousarray(initial),
        last(d_step), last(d_spread), last(d_output), last(half * model.d_imprecision),
        last(d_initial),
    )  # fmt: skip


def _look_later(model: Continuous, row: int, output: _Array, d_output: _Array) -> None:
    """Turn a row of C, and of its derivatives, by the time that its channel looks later."""
    ahead, _, d_ahead, _ = propagator(
        model.drift, model.noise, model.d_drift, model.d_noise, float(model.lead[row])
    )
    seen = model.output[row]
    output[row] = seen @ ahead
    d_output[:, row] = model.d_output[:, row] @ ahead + seen @ d_ahead
    d_output[:, row] += model.d_lead[:, row, None] * (seen @ model.drift @ ahead)
