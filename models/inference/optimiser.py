"""The one optimiser: Fisher scoring, Levenberg-damped, with bounds, ties and cross moments.

A likelihood says its value at θ and, when asked, its score and Fisher information there; nothing
else is needed of it. Steps are taken in the parameters themselves, within their bounds; a step that
lowers the likelihood, or leads where there is no model, is refused and damped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .edges import Edge, Guard, edges_of
from .parameters import PARAMETERS
from .space import Space, Ties
from .steps import bounded_step, rise

__all__ = ["Likelihood", "Optimum", "Point", "maximise"]

_Array = NDArray[np.float64]


class Point(Protocol):
    """A likelihood at given parameters."""

    @property
    def log_likelihood(self) -> float:
        """Ln L, −inf where there is no model."""

    def normal_equations(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Score (P,) and Fisher information (P, P) of all parameters of the model."""


P = TypeVar("P", bound=Point)
P_co = TypeVar("P_co", bound=Point, covariant=True)


class Likelihood(Protocol[P_co]):
    """What can be maximised."""

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters of the model, in the order of values, score and Fisher information."""

    def evaluate(self, values: NDArray[np.float64]) -> P_co:
        """Likelihood at all parameters, shape (P,); what the score costs is paid on demand."""


@dataclass(frozen=True)
class Optimum(Generic[P]):
    """Where a climb ended.

    Attributes
    ----------
    x : ndarray, shape (p,)
        Fitted parameters.
    values : ndarray, shape (P,)
        All parameters of the model.
    point : Point
        Likelihood there.
    space : Space
        Where it climbed: bounds, fixed parameters and ties.
    ties : Ties
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

    x: _Array
    values: _Array
    point: P
    space: Space
    ties: Ties
    fisher: _Array
    iterations: int
    converged: bool
    at_bounds: tuple[str, ...]

    @property
    def free(self) -> tuple[str, ...]:
        """Names of the fitted parameters."""
        return self.space.free


class _Local(NamedTuple):
    """Normal equations at a point, with the edges that are pressed on."""

    gradient: _Array
    fisher: _Array
    full: _Array
    ties: Ties
    pressed: tuple[Edge, ...]


class _Climb(Generic[P]):
    """One maximisation: the space, its edges and limits."""

    def __init__(self, likelihood: Likelihood[P], space: Space, guard: Guard) -> None:
        self.likelihood, self.space = likelihood, space
        self.edges = edges_of(space, guard)
        self.longest = np.array([guard.longest.get(n, math.inf) for n in space.free])
        self.positive = np.array([n in PARAMETERS and PARAMETERS[n].positive for n in space.free])

    def admitted(self, x: _Array) -> _Array:
        """Fitted values within bounds and edges."""
        x = np.clip(x, self.space.low, self.space.high)
        for edge in self.edges:
            edge.admit(x, self.space.all_values(x))
        return x

    def localise(self, x: _Array, values: _Array, point: P) -> _Local:
        """Gradient and Fisher information of the fitted parameters at x."""
        slope, information = point.normal_equations()
        ties = self.space.ties(x)
        full = ties.information(information)
        pressed = tuple(edge for edge in self.edges if edge.pressed(values, slope))
        if not pressed:
            return _Local(ties.gradient(slope), full, full, ties, pressed)
        moving = ties.matrix.copy()
        for edge in pressed:
            edge.follow(values, moving)
        along = Ties(moving)
        return _Local(along.gradient(slope), along.information(information), full, ties, pressed)

    def step(self, local: _Local, x: _Array, damping: float) -> _Array:
        """Damped step within bounds and limits; positive parameters shrink at most fourfold."""
        # What has shrunk a thousandfold is on its way to the bound: let it arrive.
        slow = self.positive & (x > 1e-3 * np.abs(self.space.start))
        floor = np.where(slow, np.maximum(self.space.low, 0.25 * x), self.space.low)
        low, high = np.minimum(floor - x, 0.0), np.maximum(self.space.high - x, 0.0)
        step = bounded_step(local.fisher, local.gradient, low, high, damping)
        with np.errstate(divide="ignore"):
            return step * float(np.min(self.longest / np.abs(step), initial=1.0))

    def decrement(self, local: _Local, x: _Array) -> float:
        """gᵀF⁻¹g within the bounds, the squared distance to the maximum in standard errors."""
        low, high = self.space.low - x, self.space.high - x
        step = bounded_step(local.fisher, local.gradient, low, high)
        return 2.0 * rise(local.fisher, local.gradient, step)

    def proposal(self, local: _Local, x: _Array, damping: float) -> _Array:
        """Next point: the damped step, on the edges that were pressed on."""
        trial = x + self.step(local, x, damping)
        for edge in local.pressed:
            edge.admit(trial, self.space.all_values(trial), onto=True)
        return self.admitted(trial)

    def at_bounds(self, local: _Local, x: _Array) -> tuple[str, ...]:
        """Fitted parameters on a bound, or an edge, that the gradient presses on."""
        low, high = self.space.low, self.space.high
        tiny = 1e-12 * np.maximum(np.abs(x), np.finfo(float).tiny)
        held = ((x - low <= tiny) & (local.gradient < 0.0)) | (
            (high - x <= tiny) & (local.gradient > 0.0)
        )
        for edge in local.pressed:
            held[edge.columns] = True
        return tuple(name for name, on in zip(self.space.free, held, strict=True) if on)


def maximise(
    likelihood: Likelihood[P],
    space: Space,
    *,
    guard: Guard | None = None,
    max_iterations: int = 100,
    tolerance: float = 1e-9,
) -> Optimum[P]:
    """Climb to the maximum of a likelihood.

    Parameters
    ----------
    likelihood : Likelihood
        Value, score and Fisher information.
    space : Space
        Start, bounds, fixed parameters and ties.
    guard : Guard, optional
        Bounded cross moments, longest steps.
    max_iterations : int
        Evaluations of the likelihood at most.
    tolerance : float
        Stop when gᵀF⁻¹g, the squared distance to the maximum in standard errors, is below.

    Raises
    ------
    InputError
        If the start is no admissible model.
    """
    climb = _Climb(likelihood, space, guard or Guard())
    x = climb.admitted(space.start)
    values = space.all_values(x)
    here = likelihood.evaluate(values)
    if not np.isfinite(here.log_likelihood):
        raise InputError(
            f"the start of the {space.model} fit is unstable or |re_D12|² exceeds D11·D22: "
            + ", ".join(f"{n}={v:.4g}" for n, v in zip(space.names, values, strict=True))
        )
    local = climb.localise(x, values, here)
    decrement = climb.decrement(local, x)
    damping, iterations = 1e-3, 0
    while decrement >= tolerance and iterations < max_iterations and damping < 1e12:
        iterations += 1
        trial = climb.proposal(local, x, damping)
        trial_values = space.all_values(trial)
        there = likelihood.evaluate(trial_values)
        # Rounding may lower the sum by its last digits at the maximum itself.
        if there.log_likelihood < here.log_likelihood - 1e-12 * abs(here.log_likelihood):
            damping = max(10.0 * damping, 1e-4)
            continue
        damping = 0.0 if damping < 1e-6 else 0.1 * damping
        x, values, here = trial, trial_values, there
        local = climb.localise(x, values, here)
        decrement = climb.decrement(local, x)
    # Without an uphill step left, a hundredth of a standard error is as near as rounding allows.
    converged = decrement < (tolerance if damping < 1e12 else 1e-4)
    at_bounds = climb.at_bounds(local, x)
    return Optimum(x, values, here, space, local.ties, local.full, iterations, converged, at_bounds)
