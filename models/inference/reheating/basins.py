"""The search of a reheating fit: transitions first, then the curves, from several starts.

The transitions fix the point at which the covariance of the curves is evaluated and the curves are
linearised. Where the outcome looks like a wrong basin, it is tried again without coupling; where
damping may show, with damping free.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import lmfit
import numpy as np
from scipy import stats

from ...errors import ConvergenceError, InputError
from ..edges import CrossMoment, Guard
from ..matrices import NAMES
from ..optimiser import Optimum, maximise
from ..parameters import PARAMETERS
from ..result import MIN_DOF
from ..space import Space
from ..steps import invert
from .curves import CurveFit, fit_curves, iterate_curves
from .estimate import ReheatingEstimate
from .gls import GlsProblem
from .transitions import MAX_CORRELATION, TransitionLikelihood, TransitionPoint, physical

__all__ = ["Outcome", "guard_of", "search", "space_of"]

Priors = Mapping[str, tuple[float, float]]

_ITERATIONS = 60
_FIRST_BINS = 12
_SUSPICIOUS = 1e-4
_TURN = 0.5  # largest product of a step in a rate or frequency with the time it acts over
_LEAST = 0.5  # standard errors
# Gain of −2 ln L by two damping rates that counts as visible damping: p = 0.5 % is 10.6, twice that
# because every window serves in two transitions, which inflates the ratio up to 1.8 times.
_VISIBLE = 20.0
_LOST = (
    "the reheating model does not describe these curves at any trial: choose --band "
    "around the two lines, see that both lie close to each other, and exclude "
    "repetitions that a disturbance spoilt"
)


@dataclass(frozen=True)
class Outcome:
    """A fit by transitions, and by curves from there.

    Attributes
    ----------
    space : Space
        Of the curves; its start is where the transitions led.
    transitions : Optimum
        Their maximum.
    problem : GlsProblem
        Curves, weighted there.
    curves : CurveFit
        Their estimate.
    """

    space: Space
    transitions: Optimum[TransitionPoint]
    problem: GlsProblem
    curves: CurveFit

    @property
    def dof(self) -> int:
        """Degrees of freedom of the curves: data, phases and priors less parameters."""
        return self.problem.size - len(self.space.free)

    @property
    def p_value(self) -> float | None:
        """Probability of a larger χ² of the curves; None below 5 degrees of freedom."""
        enough = self.dof >= MIN_DOF
        return float(stats.chi2.sf(self.curves.chi2, self.dof)) if enough else None

    @property
    def agreement(self) -> float:
        """Probability of a larger distance between curves and transitions."""
        return float(stats.chi2.sf(self.curves.shift, len(self.space.free)))

    @property
    def deviance(self) -> float:
        """−2 ln L of the transitions, at their own optimum.

        At the result of the curves, whose errors are larger, it would be far off its minimum, and
        differences would say which result lies nearer to it by chance.
        """
        return -2.0 * self.transitions.point.log_likelihood

    @property
    def doubtful(self) -> bool:
        """Whether this may be a wrong basin: not converged, or a fit too bad or too good."""
        p_value = 0.5 if self.p_value is None else self.p_value
        plausible = _SUSPICIOUS < p_value < 1.0 - 1e-2 * _SUSPICIOUS
        return not (self.transitions.converged and plausible and self.agreement > _SUSPICIOUS)

    @property
    def lost(self) -> bool:
        """Whether a line left the frame in which the windows were demodulated."""
        return bool({"omega_1", "omega_2"} & set(self.transitions.at_bounds))

    @property
    def nonsense(self) -> bool:
        """Whether curves and transitions contradict each other while χ² looks perfect."""
        p_value = 0.5 if self.p_value is None else self.p_value
        return self.agreement < 1e-20 and p_value > 1.0 - 1e-2 * _SUSPICIOUS


def space_of(parameters: lmfit.Parameters) -> Space:
    """Fitted parameters of a reheating fit."""
    return Space(NAMES["reheating"], parameters, "reheating")


def guard_of(vacuum: float, time: float) -> Guard:
    """Bounded cross moments, and rates that may not turn the motion by more than ½ a step.

    Parameters
    ----------
    vacuum : float
        E_j − n_j.
    time : float
        Time over which rates and frequencies act, s.
    """
    limit = MAX_CORRELATION
    cross = (
        CrossMoment(("re_D12",), ("D11", "D22"), limit),
        CrossMoment(("re_C0", "im_C0"), ("n1_0", "n2_0"), limit, vacuum),
    )
    rates = [name for name, p in PARAMETERS.items() if p.nonlinear]
    return Guard(cross, dict.fromkeys(rates, _TURN / time))


def search(
    estimate: ReheatingEstimate,
    priors: Priors,
    parameters: lmfit.Parameters,
    given: lmfit.Parameters | None,
) -> Outcome:
    """Find the estimates from the best of several starts.

    Parameters
    ----------
    estimate : ReheatingEstimate
        Averaged windows.
    priors : mapping
        Name to (value, standard error).
    parameters : lmfit.Parameters
        Start.
    given : lmfit.Parameters or None
        What the user chose: what is said of couplings or damping is not tried otherwise.

    Raises
    ------
    ConvergenceError
        If no model describes the data at any trial.
    """
    outcome = _solve(estimate, priors, parameters)
    flat = _without_coupling(parameters, given)
    if flat is not None and outcome.doubtful:
        other = _solve(estimate, priors, flat)
        # By the likelihood: in a wrong basin the covariance swells until every χ² looks perfect.
        outcome = min(outcome, other, key=lambda o: (not o.transitions.converged, o.deviance))
    if outcome.lost and not _said(given, "omega_1", "omega_2"):
        raise ConvergenceError(_LOST)
    damped = _with_damping(outcome, given)
    if damped is not None and _damping_may_show(outcome, damped):
        other = _solve(estimate, priors, damped)
        if other.transitions.converged and outcome.deviance - other.deviance > _VISIBLE:
            outcome = other
    return _settled(outcome)


def _solve(estimate: ReheatingEstimate, priors: Priors, parameters: lmfit.Parameters) -> Outcome:
    # The earliest windows first: the coupling has not turned anything around there yet.
    bins = _FIRST_BINS
    while 2 * bins <= len(estimate.times):
        optimum = _climb(estimate, priors, parameters, bins, 12, 0.25)
        parameters = _floored(estimate, parameters, optimum)
        bins *= 2
    optimum = _climb(estimate, priors, parameters, len(estimate.times), _ITERATIONS, 1e-6)
    space = space_of(_floored(estimate, parameters, optimum))
    values = dict(zip(space.names, space.all_values(space.start).tolist(), strict=True))
    problem = GlsProblem.weighted_at(estimate, priors, space.moving, values)
    return Outcome(space, optimum, problem, fit_curves(space, problem))


def _climb(
    estimate: ReheatingEstimate,
    priors: Priors,
    parameters: lmfit.Parameters,
    bins: int,
    iterations: int,
    tolerance: float,
) -> Optimum[TransitionPoint]:
    """Maximise the likelihood of the transitions between the first windows."""
    space = space_of(parameters)
    likelihood = TransitionLikelihood(estimate, priors, space.moving, bins)
    guard = guard_of(estimate.vacuum, float(np.diff(likelihood.layout.times).max()))
    try:
        return maximise(
            likelihood, space, guard=guard, max_iterations=iterations, tolerance=tolerance
        )
    except InputError as error:
        raise ConvergenceError(_LOST) from error


def _floored(
    estimate: ReheatingEstimate, parameters: lmfit.Parameters, optimum: Optimum[TransitionPoint]
) -> lmfit.Parameters:
    """Parameters at an optimum, such that a covariance can be made of them.

    A diffusion that drowns in imprecision must not be taken for zero there.
    """
    space = space_of(parameters)
    safe = physical(optimum.point.values, estimate.vacuum)
    x = np.array([safe.get(n, v) for n, v in zip(space.free, optimum.x, strict=True)])
    errors = np.sqrt(np.diag(invert(optimum.fisher)[0]))
    diffusion = np.array([name in ("D11", "D22") for name in space.free])
    x = np.where(diffusion, np.maximum(x, _LEAST * errors), x)
    return space.at(np.clip(x, space.low, space.high))


def _settled(outcome: Outcome) -> Outcome:
    """Iterate where the transitions miss what the curves show: no point to linearise at."""
    if outcome.agreement > _SUSPICIOUS:
        return outcome
    guard = guard_of(outcome.problem.estimate.vacuum, outcome.problem.reach)
    curves = iterate_curves(outcome.space, outcome.problem, Guard((), guard.longest), _ITERATIONS)
    space = space_of(outcome.space.at(curves.x))
    return replace(outcome, space=space, curves=curves)


def _without_coupling(
    parameters: lmfit.Parameters, given: lmfit.Parameters | None
) -> lmfit.Parameters | None:
    """Second start: no coupling, unless the user chose the coupling's start."""
    if given is not None and ("g_r" in given or "g_a" in given):
        return None
    other = parameters.copy()
    for name in ("g_r", "g_a", "re_D12"):
        if other[name].vary:
            other[name].value = 0.0
    return other


def _with_damping(outcome: Outcome, given: lmfit.Parameters | None) -> lmfit.Parameters | None:
    """Third start: gas damping free, unless the user said something about it."""
    if _said(given, "gamma_1", "gamma_2"):
        return None
    other = outcome.space.at(outcome.space.start)
    estimate = outcome.problem.estimate
    for name in ("gamma_1", "gamma_2"):
        if not other[name].expr:
            other[name].set(value=0.02 / float(estimate.times[-1]), vary=True)
    return other


def _said(given: lmfit.Parameters | None, *names: str) -> bool:
    """Whether the user chose one of these, other than to tie it."""
    return given is not None and any(name in given and not given[name].expr for name in names)


def _damping_may_show(outcome: Outcome, damped: lmfit.Parameters) -> bool:
    """Score test of damping, far quicker than the fit: whether the fit is worth its time."""
    if not outcome.transitions.converged:
        return True
    still = damped.copy()
    for name in ("gamma_1", "gamma_2"):
        if not still[name].expr:
            still[name].value = 0.0
    space = space_of(still)
    estimate, priors = outcome.problem.estimate, outcome.problem.priors
    likelihood = TransitionLikelihood(estimate, priors, space.moving, len(estimate.times))
    point = likelihood.evaluate(space.all_values(space.start))
    slope, information = point.normal_equations()
    ties = space.ties(space.start)
    score, fisher = ties.gradient(slope), ties.information(information)
    return bool(score @ invert(fisher)[0] @ score > 0.5 * _VISIBLE)
