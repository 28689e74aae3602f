"""Anderson mixing: a fixed-point iteration that learns from its last steps.

D. G. Anderson, J. ACM 12, 547 (1965): x ← x + r − (ΔX + ΔR) γ, where γ minimises |r − ΔR γ| over
the last few differences of x and of the residual r.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["AndersonMixer"]

_Array = NDArray[np.float64]


class AndersonMixer:
    """Proposes the next point of an iteration x → x + r(x).

    Parameters
    ----------
    depth : int
        Differences that are remembered; 0 is the plain iteration.
    longest : float
        Largest change of one component in one step.
    """

    def __init__(self, depth: int, longest: float = 1.0) -> None:
        self._depth, self._longest = depth, longest
        self._points: list[_Array] = []
        self._residuals: list[_Array] = []

    def step(self, point: _Array, residual: _Array) -> _Array:
        """Return the next point after ``point``, whose residual is ``residual``."""
        self._points = [*self._points[-self._depth :], point] if self._depth else [point]
        self._residuals = (
            [*self._residuals[-self._depth :], residual] if self._depth else [residual]
        )
        change = residual.copy()
        if len(self._points) > 1:
            dx = np.diff(np.array(self._points), axis=0).T
            dr = np.diff(np.array(self._residuals), axis=0).T
            change -= (dx + dr) @ np.linalg.lstsq(dr, residual, rcond=1e-8)[0]
        largest = float(np.abs(change).max(initial=0.0))
        return point + change * min(1.0, self._longest / largest if largest > 0.0 else 1.0)
