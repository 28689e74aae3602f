"""The fitted parameters between their bounds, and how all parameters of a model follow from them.

The surface is lmfit's: start values, bounds, ``vary`` and expressions (ties). Without ties a fitted
parameter is one of the model's, and everything is picked by index; with ties it goes through a
matrix of derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

if TYPE_CHECKING:  # the window opens without lmfit, which takes half a second to load
    import lmfit

__all__ = ["Space", "Ties"]

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ties:
    """∂(all parameters)/∂(fitted parameters).

    Attributes
    ----------
    matrix : ndarray, shape (P, p)
        The derivatives.
    index : ndarray of int, shape (p,), or None
        Place of every fitted parameter among all, where nothing is tied.
    """

    matrix: _Array
    index: NDArray[np.intp] | None = None

    def gradient(self, slope: _Array) -> _Array:
        """Derivatives by the fitted parameters from those by all, shape (p,)."""
        return slope[self.index] if self.index is not None else self.matrix.T @ slope

    def information(self, full: _Array) -> _Array:
        """Fisher information of the fitted parameters from that of all, shape (p, p)."""
        if self.index is not None:
            return full[np.ix_(self.index, self.index)]
        return np.asarray(self.matrix.T @ full @ self.matrix)

    def rows(self, jacobian: _Array) -> _Array:
        """Rows of a Jacobian (P, …) for the fitted parameters, (p, …).

        No BLAS: a product of a small with a very wide matrix wakes threads that only spin.
        """
        if self.index is not None:
            return jacobian[self.index]
        return np.asarray(np.einsum("pa,p...->a...", self.matrix, jacobian, optimize=False))


class Space:
    """Fitted parameters: names, start, bounds, ties.

    Parameters
    ----------
    names : sequence of str
        Parameters of the model, in its order.
    params : lmfit.Parameters
        Start, bounds, ``vary`` and expressions of all of them; copied. Others may serve in ties.
    model : str
        For messages.

    Raises
    ------
    InputError
        If parameters are missing or all are fixed.
    """

    def __init__(self, names: Sequence[str], params: lmfit.Parameters, model: str) -> None:
        self.names = tuple(names)
        self.model = model
        missing = [name for name in self.names if name not in params]
        if missing:
            raise InputError(
                f"parameters lack {', '.join(missing)}; a {model} fit needs {', '.join(self.names)}"
            )
        self.params = params.copy()
        self.params.update_constraints()
        # Helper parameters of a tie (not of the model) may vary too.
        self.free = tuple(n for n, p in self.params.items() if p.vary and not p.expr)
        if not self.free:
            raise InputError("every parameter of the fit is fixed: nothing to fit")
        self.tied = any(p.expr for p in self.params.values()) or any(
            n not in self.names for n in self.free
        )
        self.low = np.array([self.params[n].min for n in self.free])
        self.high = np.array([self.params[n].max for n in self.free])
        self.start = np.array([float(self.params[n].value) for n in self.free])
        self._plain = np.array([float(self.params[n].value) for n in self.names])
        self._index = np.array([self.names.index(n) for n in self.free if n in self.names])

    @property
    def moving(self) -> tuple[str, ...]:
        """Parameters of the model that a fit may change: fitted or tied."""
        return tuple(n for n in self.names if n in self.free or self.params[n].expr)

    def all_values(self, x: _Array) -> _Array:
        """Every parameter of the model at fitted values x."""
        if not self.tied:
            values = self._plain.copy()
            values[self._index] = x
            return values
        self._set(x)
        return np.array([float(self.params[n].value) for n in self.names])

    def _set(self, x: _Array) -> None:
        """Give lmfit's parameters the fitted values x and evaluate the expressions."""
        for name, value in zip(self.free, x, strict=True):
            self.params[name].value = float(value)
        self.params.update_constraints()

    def at(self, x: _Array) -> lmfit.Parameters:
        """Copy of the parameters, ties evaluated, at fitted values x."""
        self._set(x)
        return self.params.copy()

    def ties(self, x: _Array) -> Ties:
        """∂(all)/∂(fitted): exact without ties, central differences of the expressions else."""
        matrix = np.zeros((len(self.names), len(self.free)))
        if not self.tied:
            matrix[self._index, np.arange(len(self.free))] = 1.0
            return Ties(matrix, self._index)
        for j in range(len(x)):
            step = 1e-6 * (abs(x[j]) or 1.0)
            up, down = x.copy(), x.copy()
            up[j] = min(x[j] + step, self.high[j])
            down[j] = max(x[j] - step, self.low[j])
            if up[j] > down[j]:
                change = self.all_values(up) - self.all_values(down)
                matrix[:, j] = change / (up[j] - down[j])
        self.all_values(x)
        return Ties(matrix)
