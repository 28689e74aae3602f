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

__all__ = ["BinModel", "BinSlopes", "Ends"]

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
        n, root = len(model.step), 1.0 / np.sqrt(length)
        inverse: _Complex = np.asarray(
            np.linalg.inv(np.eye(n) - turn[:, None, None] * model.step), dtype=np.complex128
        )
        output: _Complex = np.asarray(model.output @ inverse, dtype=np.complex128)
        spread: _Complex = np.asarray(
            output @ model.spread @ _adjoint(output) + model.noise, dtype=np.complex128
        )
        behind = model.output @ model.initial @ model.step.T
        back = -turn.conj()[:, None, None] * (behind @ _adjoint(inverse))
        ends = root * np.concatenate([output, back], axis=2)
        return cls(model, turn, inverse, output, spread, ends, float(root))

    def slopes(self) -> BinSlopes:
        """Derivatives by all parameters."""
        m = self.model
        z, zc = self.turn[:, None, None], self.turn.conj()[:, None, None]
        d_step, d_output = np.moveaxis(m.d_step, -1, 0), np.moveaxis(m.d_output, -1, 0)
        count, (k, c, n) = len(d_step), self.output.shape
        adjoint = _adjoint(self.inverse)
        d_behind = (
            d_output @ m.initial @ m.step.T
            + m.output @ np.moveaxis(m.d_initial, -1, 0) @ m.step.T
            + m.output @ m.initial @ d_step.swapaxes(1, 2)
        )
        spread = np.empty((count, k, c, c), dtype=np.complex128)
        ends = np.zeros((count, k, c, 2 * n), dtype=np.complex128)
        right = m.spread @ _adjoint(self.output)
        back = self.ends[:, :, n:]
        for p in range(count):
            change = np.zeros((k, c, n), dtype=np.complex128)
            if d_output[p].any():
                change += d_output[p] @ self.inverse
            if d_step[p].any():
                change += z * (self.output @ d_step[p] @ self.inverse)
                ends[p, :, :, n:] = zc * (back @ d_step[p].T @ adjoint)
            ends[p, :, :, :n] = self.root * change
            ends[p, :, :, n:] -= self.root * zc * (d_behind[p] @ adjoint)
            half = change @ right
            d_spread = self.output @ m.d_spread[:, :, p] @ _adjoint(self.output)
            spread[p] = half + _adjoint(half) + d_spread + m.d_noise[:, :, p]
        return BinSlopes(spread, ends)


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


def _adjoint(rows: _Complex) -> _Complex:
    """Conjugate transpose of the last two axes."""
    return np.asarray(rows.conj().swapaxes(-1, -2))
