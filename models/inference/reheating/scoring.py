"""Gauss–Newton and Fisher scoring with the bounds and ties of lmfit.Parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import lmfit
import numpy as np
from numpy.typing import NDArray

from ...errors import ConvergenceError
from .gls import NAMES, GlsProblem
from .surface import expression_gradient, parameter_values
from .transitions import NONLINEAR, MarkovLikelihood, physical

__all__ = [
    "GlsSolution",
    "Surface",
    "inverse",
    "iterate_gls",
    "likelihood_ratio",
    "run_gls",
    "run_markov",
]

_Array = NDArray[np.float64]

_HALVINGS = 12
_TURN = 0.5  # largest product of a step in a rate or frequency with the time it acts over
_LEAST = 0.5  # standard errors


class Surface:
    """The varying parameters between their bounds, and their part in the model's parameters.

    Parameters
    ----------
    parameters : lmfit.Parameters
        Copied.
    """

    def __init__(self, parameters: lmfit.Parameters) -> None:
        self.parameters = parameters.copy()
        self.varying = tuple(name for name in self.parameters if self.parameters[name].vary)
        self.converged = False
        self.iterations = 0

    @property
    def values(self) -> dict[str, float]:
        """All parameters after evaluating ties."""
        return parameter_values(self.parameters)

    @property
    def vector(self) -> _Array:
        """Varying parameters, shape (p,)."""
        return np.array([self.parameters[name].value for name in self.varying])

    def move(self, vector: _Array) -> None:
        """Set the varying parameters, clipped to their bounds."""
        for name, value in zip(self.varying, vector, strict=True):
            parameter = self.parameters[name]
            parameter.value = float(min(max(value, parameter.min), parameter.max))

    def columns(self) -> tuple[tuple[str, ...], _Array]:
        """Model parameters that move, and their derivatives by the varying ones."""
        if all(self.parameters[name].expr is None for name in self.parameters):
            moving = tuple(name for name in NAMES if name in self.varying)
            return moving, np.array([[float(a == b) for b in self.varying] for a in moving])
        steps = np.array([1e-6 * max(abs(value), 1e-6) for value in self.vector])
        gradient = expression_gradient(self.parameters, self.varying, steps)
        chain = np.stack([gradient[name] for name in NAMES])
        used = np.flatnonzero(np.abs(chain).sum(axis=1))
        return tuple(NAMES[index] for index in used), chain[used]

    def bounded(self, fisher: _Array, score: _Array) -> _Array:
        """Newton step; parameters that a bound stops are taken out of it."""
        step = np.zeros(len(self.varying))
        free = np.ones(len(self.varying), dtype=bool)
        low = np.array([self.parameters[name].min for name in self.varying]) - self.vector
        high = np.array([self.parameters[name].max for name in self.varying]) - self.vector
        while free.any():
            rest = score[free] - fisher[np.ix_(free, ~free)] @ step[~free]
            step[free] = inverse(fisher[np.ix_(free, free)]) @ rest
            outside = free & ((step < low) | (step > high))
            if not outside.any():
                break
            step[outside] = np.clip(step, low, high)[outside]
            free &= ~outside
        return step

    def advance(
        self,
        fisher: _Array,
        score: _Array,
        time: float,
        deviance: Callable[[dict[str, float]], float],
    ) -> float:
        """Take one step that does not raise the deviance; return its length in standard errors.

        Parameters
        ----------
        fisher, score : ndarray
            Of the varying parameters.
        time : float
            Time over which rates and frequencies act, s: limits their steps.
        deviance : callable
            What is minimised.

        Raises
        ------
        ConvergenceError
            If the data leave the step undetermined.
        """
        with np.errstate(over="ignore", invalid="ignore"):  # a step that is not finite is refused
            step, start = self.bounded(fisher, score), self.vector
        if not np.isfinite(step).all():
            raise ConvergenceError(
                "the reheating model does not describe these curves at any trial: choose --band "
                "around the two lines, see that both lie close to each other, and exclude "
                "repetitions that a disturbance spoilt"
            )
        turns = [abs(s) * time for s, n in zip(step, self.varying, strict=True) if n in NONLINEAR]
        step *= min(1.0, _TURN / max([*turns, 1e-300]))
        before = deviance(self.values)
        for _ in range(_HALVINGS):
            self.move(start + step)
            if deviance(self.values) <= before + 1e-7 * max(abs(before), 1.0):
                break
            step *= 0.5
        else:
            self.move(start)
            return 0.0
        errors = np.sqrt(np.diag(inverse(fisher)))
        return float(np.max(np.abs(self.vector - start) / errors, initial=0.0))

    def at_bound(self) -> tuple[str, ...]:
        """Names of varying parameters that sit on a bound."""
        kept = [(name, self.parameters[name]) for name in self.varying]
        return tuple(name for name, p in kept if p.value in (p.min, p.max))


def run_markov(
    surface: Surface, likelihood: MarkovLikelihood, iterations: int, tolerance: float
) -> None:
    """Fisher scoring of the transitions between windows."""
    time = float(np.diff(likelihood.layout.times).max())
    errors = np.zeros(len(surface.varying))
    for _ in range(iterations):
        names, part = surface.columns()
        score, fisher = likelihood.score(surface.values, names)
        before = surface.vector
        fisher = part.T @ fisher @ part
        surface.advance(fisher, part.T @ score, time, likelihood.deviance)
        # The likelihood is flat beyond what is physical: come back before the next step.
        safe = physical(surface.values, likelihood.estimate.vacuum)
        surface.move(np.array([safe.get(name, surface.values[name]) for name in surface.varying]))
        errors = np.sqrt(np.diag(inverse(fisher)))
        length = float(np.max(np.abs(surface.vector - before) / errors, initial=0.0))
        surface.iterations += 1
        if length < tolerance:
            surface.converged = True
            break
    # A diffusion that drowns in imprecision must not be taken for zero in a covariance.
    diffusion = np.array([name in ("D11", "D22") for name in surface.varying])
    surface.move(np.where(diffusion, np.maximum(surface.vector, _LEAST * errors), surface.vector))


@dataclass(frozen=True)
class GlsSolution:
    """Outcome of a GLS fit.

    Attributes
    ----------
    covariance : ndarray, shape (p, p)
        Inverse Fisher matrix of the varying parameters.
    chi2 : float
        Squared whitened residuals at the solution.
    shift : float
        Squared distance between solution and start in the metric of the Fisher matrix: χ² with p
        degrees of freedom if curves and transitions tell the same story.
    """

    covariance: _Array
    chi2: float
    shift: float


def run_gls(surface: Surface, problem: GlsProblem) -> GlsSolution:
    """Solve the GLS equations, linearised at the start, and move the surface to the solution.

    From a start that is consistent one Newton step is as efficient as the minimum itself, and it
    stays a linear function of the data: where the curves determine a coupling only through its
    square, minima far off have small errors of their own and would be quoted with them.
    """
    names, part = surface.columns()
    residuals = problem.residuals(surface.values, names)
    jacobian = problem.jacobian(surface.values, names) @ part
    fisher, start = jacobian.T @ jacobian, surface.vector
    surface.move(start + surface.bounded(fisher, jacobian.T @ residuals))
    surface.iterations += 1
    step = surface.vector - start
    left = residuals - jacobian @ step
    return GlsSolution(inverse(fisher), float(left @ left), float(step @ fisher @ step))


def iterate_gls(
    surface: Surface, problem: GlsProblem, iterations: int, tolerance: float
) -> GlsSolution:
    """Gauss–Newton down to the minimum, for curves that the start does not describe."""
    surface.converged = False
    start = surface.vector
    for _ in range(iterations):
        names, part = surface.columns()
        jacobian = problem.jacobian(surface.values, names) @ part
        score = jacobian.T @ problem.residuals(surface.values, names)
        length = surface.advance(
            jacobian.T @ jacobian, score, problem.reach, lambda values: _chi2(problem, values)
        )
        surface.iterations += 1
        if length < tolerance:
            surface.converged = True
            break
    names, part = surface.columns()
    jacobian = problem.jacobian(surface.values, names) @ part
    fisher, step = jacobian.T @ jacobian, surface.vector - start
    chi2 = _chi2(problem, surface.values)
    return GlsSolution(inverse(fisher), chi2, float(step @ fisher @ step))


def _chi2(problem: GlsProblem, values: dict[str, float]) -> float:
    residuals = problem.residuals(values, NAMES)
    return float(residuals @ residuals)


def likelihood_ratio(
    origin: Surface, problem: GlsProblem, solution: GlsSolution, name: str
) -> float:
    """Δ(−2 ln L) between a fit and the fit with one parameter at 0.

    Same covariance, same point of linearisation ``origin`` as the fit itself.
    """
    names, part = origin.columns()
    residuals = problem.residuals(origin.values, names)
    jacobian = problem.jacobian(origin.values, names) @ part
    at = origin.varying.index(name)
    residuals = residuals + jacobian[:, at] * origin.vector[at]
    jacobian = np.delete(jacobian, at, axis=1)
    parameters = origin.parameters.copy()
    parameters[name].vary = False
    step = Surface(parameters).bounded(jacobian.T @ jacobian, jacobian.T @ residuals)
    left = residuals - jacobian @ step
    return max(float(left @ left) - solution.chi2, 0.0)


def inverse(fisher: _Array) -> _Array:
    """Inverse in natural scales; directions without information get huge errors, not none."""
    scale = np.sqrt(np.maximum(np.diag(fisher), 1e-300))
    correlation = fisher / np.outer(scale, scale)
    eigenvalues, vectors = np.linalg.eigh(correlation)
    result = (vectors / np.maximum(eigenvalues, 1e-12)) @ vectors.T
    return np.asarray(result / np.outer(scale, scale))
