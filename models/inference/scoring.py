"""Fisher scoring, Levenberg-damped, over lmfit parameters with bounds, fixed values and ties.

Steps are taken in the parameters themselves and clipped to their bounds; a bound that the gradient
presses on is held for that step. Steps into unstable or non-positive models are rejected, as is any
step that lowers the likelihood.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import lmfit
import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .spectral.wishart import Evaluation, SpectralProblem

__all__ = ["Optimum", "maximise"]

# Largest |Re D_12|/sqrt(D_11 D_22): noise of rank one is still a model, more is not.
_FULL_CORRELATION = 1.0 - 1e-7
_POSITIVE = ("gamma", "D", "noise")


@dataclass(frozen=True)
class Optimum:
    """Where a climb ended.

    Attributes
    ----------
    values : ndarray, shape (P,)
        All parameters of the model.
    evaluation : Evaluation
        Likelihood there.
    free : tuple of str
        Fitted parameters.
    ties : ndarray, shape (P, p)
        ∂(all parameters)/∂(fitted parameters).
    fisher : ndarray, shape (p, p)
        Fisher information of the fitted parameters.
    iterations : int
        Steps tried.
    converged : bool
        Whether the Newton decrement vanished.
    at_bounds : tuple of str
        Fitted parameters that sit on a bound.
    """

    values: NDArray[np.float64]
    evaluation: Evaluation
    free: tuple[str, ...]
    ties: NDArray[np.float64]
    fisher: NDArray[np.float64]
    iterations: int
    converged: bool
    at_bounds: tuple[str, ...]


class _Space:
    """Fitted parameters: their bounds, and how the others follow from them."""

    def __init__(self, problem: SpectralProblem, params: lmfit.Parameters) -> None:
        self.names = problem.names
        missing = [name for name in self.names if name not in params]
        if missing:
            raise InputError(
                f"parameters lack {', '.join(missing)}; a {problem.model} fit needs "
                + ", ".join(self.names)
            )
        self.params = params.copy()
        self.params.update_constraints()
        # Helper parameters of a tie (not of the model) may vary too.
        self.free = tuple(n for n, p in self.params.items() if p.vary and not p.expr)
        self.tied = any(p.expr for p in self.params.values()) or any(
            n not in self.names for n in self.free
        )
        self.low = np.array([self.params[n].min for n in self.free])
        self.high = np.array([self.params[n].max for n in self.free])
        self.start = np.array([float(self.params[n].value) for n in self.free])
        self.positive = np.array([n.startswith(_POSITIVE) for n in self.free])
        self.cross = self.free.index("re_D12") if "re_D12" in self.free else -1
        if not self.free:
            raise InputError("every parameter of the fit is fixed: nothing to fit")
        self.plain = np.array([float(self.params[n].value) for n in self.names])
        self.index = [self.names.index(n) for n in self.free] if not self.tied else []

    def all_values(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Every parameter of the model at fitted values x."""
        if not self.tied:
            values = self.plain.copy()
            values[self.index] = x
            return values
        for name, value in zip(self.free, x, strict=True):
            self.params[name].value = float(value)
        self.params.update_constraints()
        return np.array([float(self.params[n].value) for n in self.names])

    def ties(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """∂(all)/∂(fitted): exact without ties, central differences of the expressions else."""
        matrix = np.zeros((len(self.names), len(self.free)))
        if not self.tied:
            matrix[self.index, np.arange(len(self.free))] = 1.0
            return matrix
        for j in range(len(x)):
            step = 1e-6 * (abs(x[j]) or 1.0)
            up, down = x.copy(), x.copy()
            up[j] = min(x[j] + step, self.high[j])
            down[j] = max(x[j] - step, self.low[j])
            if up[j] > down[j]:
                change = self.all_values(up) - self.all_values(down)
                matrix[:, j] = change / (up[j] - down[j])
        self.all_values(x)
        return matrix

    def clip(self, x: NDArray[np.float64], old: NDArray[np.float64]) -> NDArray[np.float64]:
        """Keep to the bounds, shrink a positive parameter at most fourfold, keep D_12 physical."""
        # What has shrunk a thousandfold is on its way to the bound: let it arrive.
        slow = self.positive & (old > 1e-3 * np.abs(self.start))
        floor = np.where(slow, np.maximum(self.low, 0.25 * old), self.low)
        x = np.clip(x, np.minimum(floor, self.high), self.high)
        if self.cross >= 0:
            values = self.all_values(x)
            limit = _FULL_CORRELATION * math.sqrt(max(values[6] * values[7], 0.0))
            x[self.cross] = np.clip(x[self.cross], -limit, limit)
        return x

    def held(self, x: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Fitted parameters that sit on a bound the gradient presses on."""
        tiny = 1e-12 * np.maximum(np.abs(x), np.finfo(float).tiny)
        low = (x - self.low <= tiny) & (gradient < 0.0)
        high = (self.high - x <= tiny) & (gradient > 0.0)
        return np.asarray(low | high)


def _follow_correlation(
    space: _Space, values: NDArray[np.float64], ties: NDArray[np.float64], push: float
) -> bool:
    """At full noise correlation let Re D_12 follow D_11 and D_22; True if it was held."""
    if space.cross < 0 or values[6] * values[7] <= 0.0:
        return False
    rho = values[8] / math.sqrt(values[6] * values[7])
    if abs(rho) < _FULL_CORRELATION * (1.0 - 1e-9) or rho * push <= 0.0:
        return False
    ties[8] += 0.5 * values[8] * (ties[6] / values[6] + ties[7] / values[7])
    ties[8, space.cross] = 0.0
    return True


def _solve(
    fisher: NDArray[np.float64], gradient: NDArray[np.float64], damping: float
) -> NDArray[np.float64]:
    """(F + μ diag F)⁻¹ g on a unit diagonal; directions without information are not moved."""
    scale = np.sqrt(np.diag(fisher))
    scale = np.where(scale > 0.0, scale, 1.0)
    unit = fisher / np.outer(scale, scale)
    values, vectors = np.linalg.eigh(unit)
    usable = values > 1e-13 * values.max(initial=0.0)
    inverse = np.where(usable, 1.0 / np.where(usable, values + damping, 1.0), 0.0)
    return np.asarray((vectors @ (inverse * (vectors.T @ (gradient / scale)))) / scale)


class _Local(NamedTuple):
    """Normal equations at a point: what moves, what is held, and the full Fisher information."""

    gradient: NDArray[np.float64]
    fisher: NDArray[np.float64]
    full: NDArray[np.float64]
    ties: NDArray[np.float64]
    held: NDArray[np.bool_]
    correlated: bool

    def step(self, damping: float) -> NDArray[np.float64]:
        """Damped scoring step; zero for what is held."""
        go = ~self.held
        step = np.zeros_like(self.gradient)
        if go.any():
            step[go] = _solve(self.fisher[go][:, go], self.gradient[go], damping)
        return step

    @property
    def decrement(self) -> float:
        """gᵀF⁻¹g, the squared distance to the maximum in standard errors."""
        return float(self.gradient @ self.step(0.0))


def _localise(
    problem: SpectralProblem, space: _Space, x: NDArray[np.float64], values: NDArray[np.float64],
    evaluation: Evaluation,
) -> _Local:  # fmt: skip
    """Gradient and Fisher information of the fitted parameters at x."""
    slope, information = (problem.weight * part for part in evaluation.normal_equations())
    ties = space.ties(x)
    moving = ties.copy()
    push = float(slope[8]) if problem.model == "pair" else 0.0
    correlated = _follow_correlation(space, values, moving, push)
    gradient = moving.T @ slope
    held = space.held(x, gradient)
    if correlated:
        held[space.cross] = True
    full = ties.T @ information @ ties
    return _Local(gradient, moving.T @ information @ moving, full, ties, held, correlated)


def _proposal(
    space: _Space, local: _Local, x: NDArray[np.float64], values: NDArray[np.float64],
    damping: float,
) -> NDArray[np.float64]:  # fmt: skip
    """Next point: the damped step within the bounds, on the edge of full correlation if there."""
    trial = x + local.step(damping)
    if local.correlated:
        after = space.all_values(trial)
        edge = _FULL_CORRELATION * math.sqrt(max(after[6] * after[7], 0.0))
        trial[space.cross] = math.copysign(edge, values[8])
    return space.clip(trial, x)


def maximise(
    problem: SpectralProblem,
    params: lmfit.Parameters,
    *,
    max_iterations: int = 100,
    tolerance: float = 1e-9,
) -> Optimum:
    """Climb to the maximum of the likelihood.

    Parameters
    ----------
    problem : SpectralProblem
        Data, model and weight.
    params : lmfit.Parameters
        Start, bounds, ``vary`` and expressions; not changed.
    max_iterations : int
        Evaluations of the likelihood at most.
    tolerance : float
        Stop when gᵀF⁻¹g, the squared distance to the maximum in standard errors, is below.

    Raises
    ------
    InputError
        If the start is no admissible model (unstable, or |Re D_12|² > D_11 D_22).
    """
    space = _Space(problem, params)
    x = space.clip(space.start, space.start)
    values = space.all_values(x)
    here = problem.evaluate(values)
    if not np.isfinite(here.log_likelihood):
        raise InputError(
            f"the start of the {problem.model} fit is unstable or |re_D12|² exceeds D11·D22: "
            + ", ".join(f"{n}={v:.4g}" for n, v in zip(problem.names, values, strict=True))
        )
    local = _localise(problem, space, x, values, here)
    damping, iterations = 1e-3, 0
    while local.decrement >= tolerance and iterations < max_iterations and damping < 1e12:
        iterations += 1
        trial = _proposal(space, local, x, values, damping)
        trial_values = space.all_values(trial)
        there = problem.evaluate(trial_values)
        # Rounding may lower the sum by its last digits at the maximum itself.
        if there.log_likelihood < here.log_likelihood - 1e-12 * abs(here.log_likelihood):
            damping = max(10.0 * damping, 1e-4)
            continue
        damping = 0.0 if damping < 1e-6 else 0.1 * damping
        x, values, here = trial, trial_values, there
        local = _localise(problem, space, x, values, here)
    # Without an uphill step left, a hundredth of a standard error is as near as rounding allows.
    converged = local.decrement < (tolerance if damping < 1e12 else 1e-4)
    at_bounds = tuple(n for n, held in zip(space.free, local.held, strict=True) if held)
    return Optimum(
        values, here, space.free, local.ties, local.full, iterations, converged, at_bounds
    )
