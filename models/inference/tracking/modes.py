"""Amplitudes of particles and of normal modes from states, and occupations from covariances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...linear import LinearModel

__all__ = ["Modes", "Occupations", "amplitude_weights", "normal_modes", "occupations_of"]

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Modes:
    """Normal modes of a drift: b_k = weights_k · x oscillates alone.

    Attributes
    ----------
    eigenvalues : ndarray, shape (k,)
        −iΩ_k − Γ_k/2, 1/s; amplitudes turn as exp(−iΩt).
    weights : ndarray, shape (k, n)
        Left eigenvectors of unit length: those of an uncoupled particle make b = (z + ip)/√2.
    condition : float
        Of the eigenvectors; it grows without bound towards an exceptional point, where two modes
        become one.
    """

    eigenvalues: NDArray[np.complex128]
    weights: NDArray[np.complex128]
    condition: float


def normal_modes(model: LinearModel) -> Modes:
    """Normal modes of a linear model that oscillate, by ascending frequency.

    Parameters
    ----------
    model : LinearModel
        States (z_1, p_1, z_2, p_2, …).
    """
    values, right = np.linalg.eig(model.drift)
    condition = float(np.linalg.cond(right))
    if not np.isfinite(condition) or condition > 1e12:
        return Modes(np.zeros(0, complex), np.zeros((0, model.states), complex), condition)
    left = np.linalg.inv(right)
    kept = np.flatnonzero(values.imag < 0.0)
    kept = kept[np.argsort(-values.imag[kept], kind="stable")]
    weights = left[kept] / np.linalg.norm(left[kept], axis=1, keepdims=True)
    # The largest share of a position counts as real and positive.
    positions = weights[:, ::2]
    largest = positions[np.arange(len(kept)), np.abs(positions).argmax(axis=1)]
    weights = weights * (np.abs(largest) / largest)[:, None]
    return Modes(values[kept], weights, condition)


def amplitude_weights(particles: int) -> NDArray[np.complex128]:
    """Rows that make a_j = (z_j + ip_j)/√2 of a state, shape (particles, 2·particles)."""
    weights = np.zeros((particles, 2 * particles), dtype=np.complex128)
    own = np.arange(particles)
    weights[own, 2 * own], weights[own, 2 * own + 1] = np.sqrt(0.5), 1j * np.sqrt(0.5)
    return weights


@dataclass(frozen=True)
class Occupations:
    """Second moments of the amplitudes of particles.

    Attributes
    ----------
    energies : ndarray, shape (particles,)
        ⟨|a_j|²⟩ = n_j + ½ in quanta, else unit².
    coherences : ndarray, shape (particles, particles)
        ⟨a_j* a_l⟩.
    vacuum : float
        ½ in quanta, 0 else.
    """

    energies: _Array
    coherences: NDArray[np.complex128]
    vacuum: float

    @property
    def occupations(self) -> _Array:
        """n_j; in other units than quanta the mean squares ⟨|a_j|²⟩."""
        return self.energies - self.vacuum


def occupations_of(covariance: _Array, unit: str = "quanta") -> Occupations:
    """Occupations and coherences of a covariance (2N, 2N) of (z_1, p_1, …)."""
    weights = amplitude_weights(len(covariance) // 2)
    moments = weights.conj() @ covariance @ weights.T
    vacuum = 0.5 if unit == "quanta" else 0.0
    return Occupations(moments.diagonal().real.copy(), moments, vacuum)
