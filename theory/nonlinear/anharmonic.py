"""How far the traps are from harmonic: force coefficients and amplitude-dependent frequencies.

Along one axis z̈ = −ω²z − a_2z² − a_3z³; an orbit of amplitude A has, to second order in A,
Ω² = ω² + ¾βA² with β = a_3 − (10/9)a_2²/ω² (Landau and Lifshitz, Mechanics, § 28).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...models.array import Place, TrapArray
from ...models.reprs import short_repr

__all__ = ["TrapAnharmonicity", "trap_anharmonicity", "trap_sizes"]

_Array = NDArray[np.float64]
_STEP = 0.02  # of a waist or Rayleigh range: rounding and truncation both below 1e-5


@dataclass(frozen=True)
class TrapAnharmonicity:
    """Coefficients of each particle along each axis, without interaction.

    Attributes
    ----------
    squares : ndarray, shape (n, 3)
        ω², (rad/s)².
    quadratic : ndarray, shape (n, 3)
        a_2, 1/(m s²).
    cubic : ndarray, shape (n, 3)
        a_3, 1/(m² s²).
    """

    squares: _Array
    quadratic: _Array
    cubic: _Array

    __repr__ = short_repr

    @property
    def duffing(self) -> _Array:
        """β = a_3 − (10/9)a_2²/ω², shape (n, 3), 1/(m² s²); negative for a trap that softens."""
        return np.asarray(self.cubic - 10.0 / 9.0 * self.quadratic**2 / self.squares)

    def frequency_shift(self, variance: _Array) -> _Array:
        """Mean shift of the frequency at a position variance (n, 3) in m², rad/s.

        ⟨A²⟩ = 2⟨z²⟩, so δΩ = ¾β⟨z²⟩/ω; the shifts of a thermal ensemble spread by as much.
        """
        return np.asarray(0.75 * self.duffing * variance / np.sqrt(self.squares))


def trap_sizes(trap: TrapArray) -> _Array:
    """(w_x, w_y, shorter z_R) of each tweezer, shape (n, 3), m."""
    return np.array([(t.waist_x, t.waist_y, min(t.rayleigh_ranges(trap.k))) for t in trap.tweezers])


def trap_anharmonicity(trap: TrapArray, at: Place = "equilibrium") -> TrapAnharmonicity:
    """Expand the one-body force around a place, by differences of the analytic stiffness.

    Parameters
    ----------
    trap : TrapArray
        The array.
    at : "equilibrium", "focus" or array_like of shape (n, 3)
        Where to expand.
    """
    places = trap.positions(at)
    n = len(places)
    size = trap_sizes(trap)
    mass = trap.masses[:, None]
    squares, quadratic, cubic = (np.empty((n, 3)) for _ in range(3))

    def stiffness(axis: int, shift: float) -> _Array:
        moved = places.copy()
        moved[:, axis] += shift * size[:, axis]
        full = trap.stiffness(moved, binding=False).reshape(n, 3, n, 3)
        return np.array([full[j, axis, j, axis] for j in range(n)])

    for axis in range(3):
        step = _STEP * size[:, axis]
        low, middle, high = (stiffness(axis, _STEP * s) for s in (-1.0, 0.0, 1.0))
        squares[:, axis] = middle / mass[:, 0]
        # K(z) = m(ω² + 2a_2z + 3a_3z²).
        quadratic[:, axis] = (high - low) / (4.0 * step) / mass[:, 0]
        cubic[:, axis] = (high - 2.0 * middle + low) / (6.0 * step**2) / mass[:, 0]
    return TrapAnharmonicity(squares, quadratic, cubic)
