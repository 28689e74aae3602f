"""Intervals from profile likelihoods: honest where a standard error at the estimate is not.

The signed root of a parameter θ is r(θ) = sign(θ − θ̂) √(2[ln L(θ̂) − ln L_p(θ)]), with ln L_p the
maximum over all other parameters. If θ is the truth it is normal with variance 1 far better than
(θ − θ̂)/σ: it does not depend on how θ is written (a scale in its logarithm needs no other
treatment), and it follows the likelihood where that is no parabola, as at a bound or where noise is
as high as the line (physics.md §10). The limits of an interval are where r = ±z.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq

from ..errors import InputError
from .fitted import FittedLikelihood
from .parameters import PARAMETERS
from .result import FitResult, Interval
from .steps import invert

if TYPE_CHECKING:
    import lmfit

__all__ = ["LEVELS", "Profile", "profile", "signed_root", "with_intervals"]

_Array = NDArray[np.float64]

LEVELS = (0.68, 0.95)
"""Levels of confidence that a report states."""

_FARTHEST = 40.0  # standard errors from the estimate within which a limit is looked for
_PRECISE = 2e-3  # standard errors: precision of a limit
_COUPLINGS = ("g_r", "g_a")
_FOREIGN = 0.2  # of its own error: what the other may shift a coupling by as it is shown
_BETTER = 1e-2  # rise of ln L above the maximum that is more than rounding


@dataclass(frozen=True)
class Profile:
    """The profile likelihood of one parameter.

    Attributes
    ----------
    name : str
        Parameter.
    unit : str
        Unit of values and limits.
    estimate : float
        Where the likelihood is largest.
    values : ndarray, shape (n,)
        Values in rising order.
    roots : ndarray, shape (n,)
        Signed roots r there, normal with variance 1 at the truth.
    intervals : mapping of str to (low, high)
        By level of confidence, such as "0.68".

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> profile = ob.profile(ob.analyse_spectrum(record).result, "D11")
    >>> low, high = profile.intervals["0.68"]
    >>> low < profile.estimate < high
    True
    """

    name: str
    unit: str
    estimate: float
    values: NDArray[np.float64]
    roots: NDArray[np.float64]
    intervals: Mapping[str, Interval]

    def __repr__(self) -> str:
        """Name, estimate and intervals in one line."""
        said = ", ".join(f"{level}: {a:.6g} … {b:.6g}" for level, (a, b) in self.intervals.items())
        return f"<Profile of {self.name} = {self.estimate:.6g} {self.unit}; {said}>"


class _Walk:
    """Signed roots along one fitted parameter, in the unit of the record; warm starts."""

    def __init__(self, fitted: FittedLikelihood, name: str) -> None:
        free = fitted.optimum.free
        if name not in free or name not in fitted.space.names:
            known = ", ".join(n for n in free if n in fitted.space.names)
            raise InputError(f"{name!r} was not fitted: it has no profile; fitted: {known}")
        self.fitted, self.name = fitted, name
        at = free.index(name)
        self.low, self.high = float(fitted.space.low[at]), float(fitted.space.high[at])
        self.estimate = float(fitted.optimum.x[at])
        self.inflation = float(fitted.inflation.get(name, 1.0))
        self.sigma = self._spread(at) * self.inflation
        self.points: dict[float, tuple[float, _Array]] = {
            self.estimate: (0.0, fitted.optimum.values)
        }
        self._starts: dict[float, lmfit.Parameters] = {self.estimate: fitted.parameters()}

    def _spread(self, at: int) -> float:
        """Standard error that the Fisher information of the fitted parameters claims."""
        return math.sqrt(max(float(invert(self.fitted.optimum.fisher)[0][at, at]), 0.0))

    def root(self, value: float) -> float:
        """Signed root at a value; ∞ with its sign where that is no model."""
        if value not in self.points:
            self.points[value] = self._solve(value)
        return self.points[value][0]

    def _solve(self, value: float) -> tuple[float, _Array]:
        nearest = min(self._starts, key=lambda known: abs(known - value))
        params = self._starts[nearest].copy()
        params[self.name].set(value=value, vary=False)
        sign = math.copysign(1.0, value - self.estimate)
        try:
            log_likelihood, values, found = self.fitted.maximised(params)
        except InputError:  # not even a start there
            log_likelihood, values = -math.inf, self.fitted.optimum.values
        if not math.isfinite(log_likelihood):
            return sign * math.inf, values
        fall = self.fitted.maximum - log_likelihood
        if fall < -_BETTER:
            raise InputError(
                f"the likelihood is larger at {self.name} = {value:.6g} than at the result: the "
                "fit had ended in a side maximum; start it from there (params=)"
            )
        found[self.name].set(vary=True)
        self._starts[value] = found
        return sign * math.sqrt(2.0 * max(fall, 0.0)) / self.inflation, values

    def interval(self, level: float) -> Interval:
        """Limits of a level of confidence; one-sided where the estimate lies on a bound."""
        tiny = 1e-9 * max(abs(self.estimate), self.sigma)
        at_low, at_high = self.estimate - self.low <= tiny, self.high - self.estimate <= tiny
        z = float(stats.norm.ppf(level if at_low or at_high else 0.5 * (1.0 + level)))
        z = max(z, 1e-3)  # a level below one half, one-sided
        low = self.low if at_low else self.limit(-z)
        return low, self.high if at_high else self.limit(z)

    def shown(self, value: float) -> float:
        """A value in the unit of the result; infinite where the data do not end an interval."""
        if not math.isfinite(value):
            return value
        self.root(value)
        return self.fitted.as_shown(self.points[value][1], self.name)

    def limit(self, z: float) -> float:
        """Where the root is z; the bound if that comes first, ∞ if neither comes."""
        sign = math.copysign(1.0, z)
        bound = self.high if sign > 0.0 else self.low
        inner, outer, step = self.estimate, self.estimate, abs(z) * self.sigma
        while abs(self.root(outer)) < abs(z):
            far = abs(outer - self.estimate)
            if outer == bound:
                return bound
            if far >= _FARTHEST * self.sigma:
                return sign * math.inf
            if far > 0.0:  # along the secant, at most twice as far again
                ratio = abs(z) / max(abs(self.root(outer)), 1e-3)
                step = min(max(1.1 * far * (ratio - 1.0), 0.1 * far), 2.0 * far)
            inner, outer = outer, self._ahead(outer, sign * step, bound)
        if math.isinf(self.root(outer)):
            outer = self._edge(inner, outer)
            if abs(self.root(outer)) < abs(z):
                return outer
        accuracy = _PRECISE * self.sigma
        if abs(outer - inner) <= accuracy:
            return outer
        return float(brentq(lambda v: self.root(v) - z, inner, outer, xtol=accuracy, rtol=1e-12))

    def _ahead(self, value: float, step: float, bound: float) -> float:
        """Next value; a scale shrinks by a factor rather than through zero."""
        known = PARAMETERS.get(self.name)
        if step < 0.0 and known is not None and known.positive and value > 0.0:
            trial = value * math.exp(max(step / value, -3.0))
            # What has shrunk a thousandfold may as well be none.
            return max(trial, bound) if trial > 1e-3 * self.estimate else bound
        return min(value + step, bound) if step > 0.0 else max(value + step, bound)

    def _edge(self, inner: float, outer: float) -> float:
        """Last value on the way outwards that is a model."""
        while abs(outer - inner) > _PRECISE * self.sigma:
            middle = 0.5 * (inner + outer)
            if math.isinf(self.root(middle)):
                outer = middle
            else:
                inner = middle
        return inner


def profile(
    result: FitResult, name: str, *, levels: Sequence[float] = LEVELS, points: int = 0
) -> Profile:
    """Profile likelihood of a fitted parameter: signed roots and intervals.

    Parameters
    ----------
    result : FitResult
        As a fit or an analysis of this process returned it: one that was sent elsewhere or read
        from a file has left its data behind.
    name : str
        A fitted parameter, not a tied one.
    levels : sequence of float
        Levels of confidence, between 0 and 1.
    points : int
        So many further values, evenly spread over the widest interval, for a plot.

    Returns
    -------
    Profile
        In the unit of the result. An interval is one-sided where the estimate or a limit lies on a
        bound, and infinite where the data do not end it.

    Raises
    ------
    InputError
        If the parameter was not fitted, the result holds no likelihood (averaged curves have none),
        a level is not between 0 and 1, or a larger maximum turns up.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> result = ob.analyse_spectrum(record).result
    >>> found = ob.profile(result, "re_D12", points=20)
    >>> bool((abs(found.roots) < 5.0).all())
    True
    """
    for level in levels:
        if not 0.0 < level < 1.0:
            raise InputError(f"a level of confidence lies between 0 and 1, got {level!r}")
    fitted = _likelihood_of(result)
    walk = _Walk(fitted, name)
    if not (math.isfinite(walk.sigma) and walk.sigma > 0.0):
        raise InputError(f"{name} is not determined by these data: fix or tie other parameters")
    _require_own(walk)
    found = {f"{level:g}": walk.interval(level) for level in levels}
    ends = [end for pair in found.values() for end in pair if math.isfinite(end)]
    if points > 1 and ends:
        for value in np.linspace(min(ends), max(ends), points).tolist():
            walk.root(value)
    values = sorted(v for v, (root, _) in walk.points.items() if math.isfinite(root))
    return Profile(
        name=name,
        unit=result.parameters[name].unit,
        estimate=result.value(name),
        values=np.array([walk.shown(v) for v in values]),
        roots=np.array([walk.points[v][0] for v in values]),
        intervals={level: (walk.shown(a), walk.shown(b)) for level, (a, b) in found.items()},
    )


def _require_own(walk: _Walk) -> None:
    """Refuse a coupling that the result shows as a mixture of both of the fit.

    Its limits are not those of either: g_r and g_a of a pair that was fitted without its unequal
    masses.
    """
    if walk.name not in _COUPLINGS:
        return
    fitted, optimum = walk.fitted, walk.fitted.optimum
    errors = np.sqrt(np.maximum(np.diag(invert(optimum.fisher)[0]), 0.0))
    shifts = {}
    for name, error in zip(optimum.free, errors, strict=True):
        # The scale ω, too, shifts what is counted in quanta, by far less than is not known of it.
        if name in _COUPLINGS and math.isfinite(error):
            step = np.zeros(len(optimum.values))
            step[fitted.space.names.index(name)] = 0.5 * error
            up, down = (fitted.as_shown(optimum.values + s * step, walk.name) for s in (1, -1))
            shifts[name] = abs(up - down)
    foreign = [n for n in shifts if n != walk.name and shifts[n] > _FOREIGN * shifts[walk.name]]
    if foreign:
        raise InputError(
            f"{walk.name} as it is shown mixes {walk.name} and {', '.join(foreign)} of the fit: "
            "fit with the true masses (masses=)"
        )


def signed_root(result: FitResult, name: str, value: float) -> float:
    """Signed root of the profile likelihood at one value, in the unit of the record.

    Normal with variance 1 if ``value`` is the truth: the pull of an honest interval.

    Parameters
    ----------
    result : FitResult
        See :func:`profile`.
    name : str
        A fitted parameter.
    value : float
        Value to be judged, in the unit of the record that was fitted.

    Returns
    -------
    float
        Negative below the estimate; infinite where the value is no model.

    Raises
    ------
    InputError
        See :func:`profile`.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> result = ob.analyse_spectrum(record).result
    >>> ob.signed_root(result, "omega_1", result.value("omega_1"))
    0.0
    """
    return _Walk(_likelihood_of(result), name).root(value)


def with_intervals(
    result: FitResult,
    levels: Sequence[float] = LEVELS,
    progress: Callable[[float], object] | None = None,
) -> FitResult:
    """Add the intervals of all fitted parameters to a result, as ``FitResult.confidence``.

    Parameters
    ----------
    result : FitResult
        See :func:`profile`. One without a likelihood, or that has not converged, stays as it is.
    levels : sequence of float
        Levels of confidence.
    progress : callable, optional
        Called with the share that is done, 0 … 1.

    Returns
    -------
    FitResult
        A parameter without an interval, such as an undetermined one, is left out of it, with a
        warning.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> result = ob.with_intervals(ob.analyse_spectrum(record).result)
    >>> low, high = result.confidence["g_a"]["0.95"]
    >>> low < result.value("g_a") < high
    True
    """
    if result.fitted is None or not result.converged:
        return result
    table, failed = {}, []
    names = [name for name in result.varying if name in result.fitted.space.names]
    for done, name in enumerate(names):
        try:
            table[name] = profile(result, name, levels=levels).intervals
        except InputError as error:
            failed.append(f"no interval of {name}: {error}")
        if progress is not None:
            progress((done + 1) / len(names))
    return replace(result, confidence=table, warnings=(*result.warnings, *failed))


def _likelihood_of(result: FitResult) -> FittedLikelihood:
    """The likelihood behind a result."""
    if result.fitted is None:
        raise InputError(
            f"this {result.model} result holds no likelihood: intervals need the fit itself, by a "
            "likelihood (not averaged curves), in the process that made it"
        )
    return result.fitted
