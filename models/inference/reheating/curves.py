"""The estimate from averaged curves: generalised least squares, linearised where transitions lead.

From a start that is consistent one Newton step is as efficient as the minimum itself, and it stays
a linear function of the data: where the curves determine a coupling only through its square, minima
far off have small errors of their own and would be quoted with them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..edges import Guard
from ..optimiser import maximise
from ..space import Space, Ties
from ..steps import bounded_step, invert
from .gls import GlsProblem

__all__ = ["CurveFit", "fit_curves", "iterate_curves", "likelihood_ratio"]

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class CurveFit:
    """Outcome of a fit of curves.

    Attributes
    ----------
    x : ndarray, shape (p,)
        Fitted parameters.
    ties : Ties
        ∂(all parameters)/∂(fitted parameters).
    covariance : ndarray, shape (p, p)
        Inverse Fisher matrix of the fitted parameters.
    chi2 : float
        Squared whitened residuals at the solution.
    shift : float
        Squared distance between solution and start in the metric of the Fisher matrix: χ² with p
        degrees of freedom if curves and transitions tell the same story.
    iterations : int
        Steps.
    converged : bool
        Whether the steps ended.
    """

    x: _Array
    ties: Ties
    covariance: _Array
    chi2: float
    shift: float
    iterations: int
    converged: bool

    def at_bounds(self, space: Space) -> tuple[str, ...]:
        """Names of fitted parameters that sit on a bound."""
        on = (self.x == space.low) | (self.x == space.high)
        return tuple(name for name, held in zip(space.free, on, strict=True) if held)


def _quadratic(problem: GlsProblem, space: Space, x: _Array) -> tuple[float, _Array, _Array, Ties]:
    """χ², score and Fisher information of the fitted parameters at x, and the ties there."""
    point = problem.evaluate(space.all_values(x))
    slope, information = point.normal_equations()
    ties = space.ties(x)
    chi2 = float(point.residual @ point.residual)
    return chi2, ties.gradient(slope), ties.information(information), ties


def fit_curves(space: Space, problem: GlsProblem) -> CurveFit:
    """Solve the equations linearised at the start of the space."""
    x = np.clip(space.start, space.low, space.high)
    chi2, score, fisher, ties = _quadratic(problem, space, x)
    step = bounded_step(fisher, score, space.low - x, space.high - x)
    shift = float(step @ fisher @ step)
    left = chi2 - 2.0 * float(step @ score) + shift
    moved = np.clip(x + step, space.low, space.high)
    return CurveFit(moved, ties, invert(fisher)[0], left, shift, 1, True)


def iterate_curves(space: Space, problem: GlsProblem, guard: Guard, steps: int) -> CurveFit:
    """Climb to the minimum of χ², for curves that the start does not describe."""
    optimum = maximise(problem, space, guard=guard, max_iterations=steps, tolerance=4e-6)
    step = optimum.x - np.clip(space.start, space.low, space.high)
    return CurveFit(
        optimum.x,
        optimum.ties,
        invert(optimum.fisher)[0],
        -2.0 * optimum.point.log_likelihood,
        float(step @ optimum.fisher @ step),
        optimum.iterations,
        optimum.converged,
    )


def likelihood_ratio(origin: Space, problem: GlsProblem, chi2: float, name: str) -> float:
    """Δ(−2 ln L) between a fit of ``chi2`` and the fit with one parameter at 0.

    Same covariance, same point of linearisation, the start of ``origin``, as the fit itself.
    """
    x = np.clip(origin.start, origin.low, origin.high)
    without, score, fisher, _ = _quadratic(problem, origin, x)
    at = origin.free.index(name)
    rest = np.arange(len(x)) != at
    step = np.zeros_like(x)
    step[at] = -x[at]
    step[rest] = bounded_step(
        fisher[np.ix_(rest, rest)],
        score[rest] - fisher[rest, at] * step[at],
        (origin.low - x)[rest],
        (origin.high - x)[rest],
    )
    left = without - 2.0 * float(step @ score) + float(step @ fisher @ step)
    return max(left - chi2, 0.0)
