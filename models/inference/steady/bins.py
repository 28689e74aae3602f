"""What a linear model says of Fourier coefficients of a finite stretch, without approximation.

x' = Fx + w, y = Cx + e over N samples, z = e^{−2πik/N}. The sum over the stretch telescopes,

    X_k = Φ_k (x_0 − x_N + z W_k),  Φ_k = (1 − zF)⁻¹,

with W_k white between the k. But for the ends x_0 − x_N, which all k share, this is Whittle's
likelihood; with them the covariance of y_k = X_k/√N is, V that of the stationary state,

    ⟨y_k y_l*⟩ = D_k δ_kl + U_k J U_l*,  U_k = [A_k, B_k]/√N,  J = [[0, E], [Eᵀ, 0]],
    D_k = A_k Q A_k* + R,  A_k = CΦ_k,  B_k = −z* C V Fᵀ Φ_k*,  E = 1 − F^N

(from ⟨(x_0 − x_N)(x_0 − x_N)ᵀ⟩ = EV + VEᵀ and ⟨zW_k (x_0 − x_N)ᵀ⟩ = −QΦ_k*Eᵀ, * the conjugate
transpose). The ends are real, so that ⟨y_k y_lᵀ⟩ follows from the same J.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..exact.statespace import StateSpace
from .kernels import fill_bins, fill_slopes

__all__ = ["TILE", "BinModel", "BinSlopes", "Ends"]

TILE = 128
"""Bins that are done together: what they need stays in the second cache."""

_Array = NDArray[np.float64]
_Complex = NDArray[np.complex128]


@dataclass(frozen=True)
class Ends:
    """J of a length of stretch, and its derivatives.

    Attributes
    ----------
    matrix : ndarray, shape (r, r)
        J.
    slopes : ndarray, shape (P, r, r)
        Derivatives.
    """

    matrix: _Array
    slopes: _Array

    @classmethod
    def of(cls, model: StateSpace, length: int) -> Ends:
        """Of stretches of so many samples."""
        n, count = len(model.step), model.d_step.shape[2]
        step, d_step = model.step, np.moveaxis(model.d_step, -1, 0)
        power, d_power = np.eye(n), np.zeros((count, n, n))
        left = length
        while left:
            if left & 1:
                power, d_power = power @ step, d_power @ step + power @ d_step
            left >>= 1
            if left:
                step, d_step = step @ step, step @ d_step + d_step @ step
        matrix, slopes = np.zeros((2 * n, 2 * n)), np.zeros((count, 2 * n, 2 * n))
        matrix[:n, n:], slopes[:, :n, n:] = np.eye(n) - power, -d_power
        matrix[n:, :n], slopes[:, n:, :n] = matrix[:n, n:].T, -d_power.swapaxes(1, 2)
        return cls(matrix, slopes)


@dataclass(frozen=True)
class BinModel:
    """Covariances of some bins of a stretch.

    Attributes
    ----------
    model : StateSpace
        One step; ``initial`` is the stationary covariance.
    turn : ndarray of complex, shape (k,)
        z.
    inverse : ndarray of complex, shape (k, n, n)
        Φ.
    output : ndarray of complex, shape (k, c, n)
        A.
    spread : ndarray of complex, shape (k, c, c)
        D.
    ends : ndarray of complex, shape (k, c, 2n)
        U.
    root : float
        1/√N.
    """

    model: StateSpace
    turn: _Complex
    inverse: _Complex
    output: _Complex
    spread: _Complex
    ends: _Complex
    root: float

    @classmethod
    def of(cls, model: StateSpace, length: int, bins: NDArray[np.int64]) -> BinModel:
        """Of bins k of stretches of ``length`` samples."""
        turn = np.exp(-2j * np.pi / length * bins)
        (c, n), k, root = model.output.shape, len(bins), 1.0 / np.sqrt(length)
        found = cls(
            model, turn, _empty(k, n, n), _empty(k, c, n), _empty(k, c, c), _empty(k, c, 2 * n),
            float(root),
        )  # fmt: skip
        behind = model.output @ model.initial @ model.step.T
        constants = tuple(
            map(_complex, (model.step, model.spread, model.output, model.noise, behind))
        )
        fill_bins(
            turn, constants, found.root, found.inverse, found.output, found.spread, found.ends
        )
        return found

    def slopes(self) -> BinSlopes:
        """Derivatives by all parameters."""
        m = self.model
        d_step, d_output = np.moveaxis(m.d_step, -1, 0), np.moveaxis(m.d_output, -1, 0)
        d_spread, d_noise = np.moveaxis(m.d_spread, -1, 0), np.moveaxis(m.d_noise, -1, 0)
        count, (k, c, n) = len(d_step), self.output.shape
        d_behind = (
            d_output @ m.initial @ m.step.T
            + m.output @ np.moveaxis(m.d_initial, -1, 0) @ m.step.T
            + m.output @ m.initial @ d_step.swapaxes(1, 2)
        )
        found = BinSlopes(_empty(count, k, c, c), _empty(count, k, c, 2 * n))
        constants = tuple(map(_complex, (m.spread, d_step, d_output, d_spread, d_noise, d_behind)))
        moved = np.stack([x.reshape(count, -1).any(axis=1) for x in constants[1:4]], axis=1)
        moved = np.column_stack([moved, d_behind.reshape(count, -1).any(axis=1)])
        tile = (self.inverse, self.output, self.ends)
        fill_slopes(self.turn, constants, moved, self.root, tile, found.spread, found.ends)
        return found


@dataclass(frozen=True)
class BinSlopes:
    """Derivatives of D and U.

    Attributes
    ----------
    spread : ndarray of complex, shape (P, k, c, c)
        Of D.
    ends : ndarray of complex, shape (P, k, c, r)
        Of U.
    """

    spread: _Complex
    ends: _Complex


def _empty(*shape: int) -> _Complex:
    return np.empty(shape, dtype=np.complex128)


def _complex(matrix: _Array) -> _Complex:
    """As the kernels take it."""
    return np.ascontiguousarray(matrix, dtype=np.complex128)
