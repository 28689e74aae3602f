"""The simulated world as one exact discrete linear system: states, filters, delays, detectors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from ...models.errors import UnstableModelError
from .kernels import Chain, Dynamics, Loop

__all__ = ["ClosedLoop", "build_closed_loop"]


@dataclass(frozen=True)
class ClosedLoop:
    """X[k+1] = step X[k] + inflow ξ[k], volts y[k] = output X[k] + feedthrough ξ[k], ⟨ξξᵀ⟩ = 1.

    Attributes
    ----------
    step : ndarray, shape (n, n)
        The first 2N states are (z_1, p_1, …) in quanta.
    inflow : ndarray, shape (n, s)
        From the unit noises to the states.
    output, feedthrough : ndarray, shapes (c, n) and (c, s)
        Volts of all detectors, before offset and ADC.
    dt : float
        Sample period, s.
    states : int
        2N.
    """

    step: NDArray[np.float64]
    inflow: NDArray[np.float64]
    output: NDArray[np.float64]
    feedthrough: NDArray[np.float64]
    dt: float
    states: int

    @cached_property
    def poles(self) -> NDArray[np.complex128]:
        """Poles ln(λ)/dt, 1/s, least damped first; those of pure delays (λ = 0) are left out."""
        eigenvalues = linalg.eigvals(self.step)
        kept = eigenvalues[np.abs(eigenvalues) > 1e-6]
        poles = np.log(kept) / self.dt
        return np.asarray(poles[np.argsort(-poles.real)], dtype=np.complex128)

    @property
    def growth_rate(self) -> float:
        """Largest real part of the poles, 1/s."""
        return float(self.poles[0].real)

    @cached_property
    def covariance(self) -> NDArray[np.float64]:
        """Stationary covariance of X, shape (n, n).

        Raises
        ------
        UnstableModelError
            If the loop grows.
        """
        if self.growth_rate >= 0.0:
            raise UnstableModelError(self.growth_rate, "a steady state does not exist")
        # Doubling V ← V + F V Fᵀ, F ← F²: exact, and safe with the singular F of a delay line.
        covariance, power = self.inflow @ self.inflow.T, self.step
        while np.abs(power).max() > 1e-18:
            covariance = covariance + power @ covariance @ power.T
            power = power @ power
        return np.asarray(0.5 * (covariance + covariance.T))

    def csd(self, frequencies: ArrayLike) -> NDArray[np.complex128]:
        """One-sided CSD of the sampled voltages, shape (n_freq, c, c), V²/Hz; aliases included."""
        f = np.ravel(np.asarray(frequencies, dtype=np.float64))
        shift = np.exp(2j * np.pi * f * self.dt)[:, None, None] * np.eye(len(self.step))
        response = self.output @ np.linalg.solve(
            shift - self.step, np.broadcast_to(self.inflow, (len(f), *self.inflow.shape))
        )
        response = response + self.feedthrough
        return np.asarray(2.0 * self.dt * response @ response.conj().swapaxes(-1, -2))


def _selectors(sizes: list[int]) -> list[NDArray[np.float64]]:
    """Identity matrices that pick consecutive parts of a vector."""
    total = sum(sizes)
    starts = np.cumsum([0, *sizes])
    return [np.eye(total)[a:b] for a, b in pairwise(starts)]


def build_closed_loop(
    dynamics: Dynamics, chain: Chain, loop: Loop, gate: bool, dt: float
) -> ClosedLoop:
    """Write one sample of the kernels as a linear map."""
    states, particles = dynamics.step.shape[0], dynamics.force.shape[1]
    detectors = chain.response.shape[0]
    # The current v is not a state: only v[k−1] … v[k−history] are carried over.
    history = max(1, int(loop.lags.max()))
    sizes = [states, detectors, particles * history, states, detectors, detectors]
    x, held, past, pushed, seen, dark = _selectors(sizes)
    size = sum(sizes[:3])
    keep = chain.keep[:, None]
    signal = chain.response @ x[0::2] + chain.skew @ x[1::2] + chain.mixing @ seen
    passed = keep * held + (1.0 - keep) * signal
    volts = passed + chain.dark[:, None] * dark
    force = np.zeros((particles, sum(sizes)))
    shifted = []
    for j in range(particles):
        line = past[j * history : (j + 1) * history]
        record = loop.per_volt[j] * volts[loop.detector[j]]
        now = loop.keep[j] * line[0] + (1.0 - loop.keep[j]) * record
        taps = np.vstack([now, line])
        force[j] = loop.taps[j] @ taps[loop.lags[j]]
        shifted.append(taps[:history])
    moved = dynamics.step @ x + dynamics.root @ pushed + float(gate) * dynamics.force @ force
    whole = np.vstack([moved, passed, *shifted])
    return ClosedLoop(
        step=whole[:, :size],
        inflow=whole[:, size:],
        output=volts[:, :size],
        feedthrough=volts[:, size:],
        dt=dt,
        states=states,
    )
