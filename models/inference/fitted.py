"""The likelihood that a result came from: what intervals and comparisons of models go back to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .edges import Guard
from .optimiser import Likelihood, Optimum, maximise
from .space import Space
from .steps import invert

if TYPE_CHECKING:
    import lmfit

__all__ = ["FittedLikelihood"]

_Array = NDArray[np.float64]
Shown = Callable[[_Array], _Array]
"""All parameters of the model, (P,), as the record has them → as the result shows them."""

_TOLERANCE = 1e-6  # squared standard errors


@dataclass(frozen=True)
class FittedLikelihood:
    """A likelihood with its maximum, in the unit of the record.

    Attributes
    ----------
    likelihood : Likelihood
        Value, score and Fisher information.
    guard : Guard
        Bounded cross moments, longest steps.
    optimum : Optimum
        The maximum, with its bounds, fixed parameters and ties.
    inflation : mapping of str to float
        Standard error of a fitted parameter over what the Fisher information claims; 1 where the
        likelihood is one, another number where it takes dependent data as independent.
    scatter : ndarray, shape (p, p), or None
        Covariance of the fitted parameters where the likelihood's own information does not say it
        although every parameter is known by how much; None elsewhere.
    shown : callable or None
        From parameters in the unit of the record to those of the result; None if they are the same.
    """

    likelihood: Likelihood[Any]
    guard: Guard
    optimum: Optimum[Any]
    inflation: Mapping[str, float] = field(default_factory=dict)
    shown: Shown | None = None
    scatter: _Array | None = None

    @property
    def composite(self) -> bool:
        """Whether it is a sum over dependent parts that can be no likelihood of all data."""
        return self.scatter is None and any(v != 1.0 for v in self.inflation.values())

    def spread(self) -> _Array:
        """B of x − x̂ = B (x′ − x̂): x scatters as the estimates do where x′ does as F⁻¹, (p, p)."""
        count = len(self.optimum.free)
        if self.scatter is None:
            return np.eye(count)
        own, _ = invert(self.optimum.fisher)
        # On a unit diagonal: units differ by many orders of magnitude.
        scale = np.sqrt(np.diag(own))
        unit = np.outer(scale, scale)
        ratio = _root(self.scatter / unit, 0.5) @ _root(own / unit, -0.5)
        return np.asarray(ratio * scale[:, None] / scale[None, :])

    @property
    def space(self) -> Space:
        """Bounds, fixed parameters and ties."""
        return self.optimum.space

    @property
    def maximum(self) -> float:
        """Ln L at the maximum."""
        return float(self.optimum.point.log_likelihood)

    def converted(self, convert: Shown) -> FittedLikelihood:
        """The same likelihood whose result is shown in another unit."""
        first = self.shown
        if first is None:
            return replace(self, shown=convert)
        return replace(self, shown=lambda values: convert(first(values)))

    def of(self, likelihood: Likelihood[Any], params: lmfit.Parameters) -> FittedLikelihood:
        """Other data of the same kind with their own maximum, climbed to from these parameters."""
        space = Space(self.space.names, params, self.space.model)
        return replace(
            self,
            likelihood=likelihood,
            optimum=maximise(likelihood, space, guard=self.guard, tolerance=_TOLERANCE),
        )

    def as_shown(self, values: _Array, name: str) -> float:
        """One parameter of the model as the result shows it, from all in the unit of the record."""
        shown = values if self.shown is None else self.shown(values)
        return float(shown[self.space.names.index(name)])

    def parameters(self, x: _Array | None = None) -> lmfit.Parameters:
        """Parameters with bounds and ties, at fitted values x or at the maximum."""
        return self.space.at(self.optimum.x if x is None else x)

    def maximised(self, params: lmfit.Parameters) -> tuple[float, _Array, lmfit.Parameters]:
        """Maximise over what these parameters leave free.

        Returns
        -------
        log_likelihood : float
            −inf where the parameters are no model.
        values : ndarray, shape (P,)
            All parameters of the model there.
        params : lmfit.Parameters
            The same with their bounds and ties: the next start.
        """
        if not any(p.vary and not p.expr for p in params.values()):
            values = np.array([float(params[n].value) for n in self.space.names])
            return float(self.likelihood.evaluate(values).log_likelihood), values, params
        space = Space(self.space.names, params, self.space.model)
        found = maximise(self.likelihood, space, guard=self.guard, tolerance=_TOLERANCE)
        return float(found.point.log_likelihood), found.values, space.at(found.x)


def _root(matrix: _Array, power: float) -> _Array:
    """Power of a symmetric positive matrix."""
    values, vectors = np.linalg.eigh(matrix)
    kept = np.maximum(values, 1e-12 * values.max(initial=0.0))
    return np.asarray((vectors * kept**power) @ vectors.T)
