"""Fits by the exact likelihood of raw samples: releases, and steady records.

A Kalman filter of the linear model foresees every sample from all earlier ones; what it does not
foresee is white, and its likelihood is that of the record itself: no window, band or average comes
between. Initial covariance, frequencies and imprecision are estimated with everything else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import lmfit
import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..edges import CrossMoment, Guard
from ..fitted import FittedLikelihood
from ..matrices import NAMES
from ..optimiser import Optimum, maximise
from ..parameters import PARAMETERS
from ..priors import checked_priors
from ..reheating.outcome import evidence_of
from ..reheating.surface import bounded_parameters, with_ties
from ..reheating.transitions import physical
from ..result import FitResult, fitted_parameters
from ..space import Space
from ..steps import invert
from .goodness import Whiteness, whiteness_of
from .likelihood import ExactLikelihood, ExactPoint
from .model import FilterModel
from .warnings import exact_warnings

__all__ = ["Known", "Samples", "fit_exact", "samples_of"]

Known = float | tuple[float, float] | None
"""A parameter of the detection: a value that is fixed, a value and its standard error, or free."""

_LIMIT = 0.98
# A start this many standard deviations of noise above zero has a filter.
_LEAST_NOISE = 1e-3
_DIFFUSE = 1e4
_TOLERANCE = 1e-6
# Score test of one or two dampings, p = 0.5 % of χ² with two degrees of freedom.
_VISIBLE = 10.6
_CORRELATION = "re_D12"


@dataclass(frozen=True)
class Samples:
    """Records and what the likelihood needs to know of them beforehand.

    Attributes
    ----------
    records : iterable of ndarray, shape (M, T, c)
        Iterated over again and again, in any real type.
    scale, offset : ndarray, shape (c,)
        value·scale − offset has zero mean.
    power : float
        Mean square of the samples, unit².
    repetitions, length : int
        Number of records, and the longest.
    """

    records: Iterable[NDArray[Any]]
    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    power: float
    repetitions: int
    length: int


def samples_of(
    records: Iterable[NDArray[Any]], scale: NDArray[np.float64] | float = 1.0
) -> Samples:
    """Read records once: their number, constant offset and power.

    Parameters
    ----------
    records : iterable of ndarray, shape (M, T, c), or one such array
        NaN marks missing samples.
    scale : ndarray, shape (c,), or float
        Unit per stored value.

    Raises
    ------
    InputError
        For no samples, other shapes, or an iterator that can be read but once.
    """
    if isinstance(records, np.ndarray):
        records = [records]
    if iter(records) is records:
        raise InputError(
            "records are read several times: give a list or an object that can be iterated over "
            "again, not an iterator"
        )
    total: Any = 0.0
    square: Any = 0.0
    seen: Any = 0
    repetitions = length = 0
    for batch in records:
        if batch.ndim != 3:
            raise InputError(
                f"records need the shape (repetitions, samples, channels), got {batch.shape}"
            )
        data = batch.astype(np.float64)
        seen = seen + np.isfinite(data).sum(axis=(0, 1))
        total = total + np.nansum(data, axis=(0, 1))
        square = square + np.nansum(data * data, axis=(0, 1))
        repetitions, length = repetitions + len(batch), max(length, batch.shape[1])
    if not np.all(seen):
        raise InputError("there are no samples: a channel is empty")
    factor = np.broadcast_to(np.asarray(scale, dtype=np.float64), np.shape(total)).copy()
    mean = total / seen
    power = float(np.mean(factor**2 * (square / seen - mean**2)))
    return Samples(records, factor, factor * mean, power, repetitions, length)


def fit_exact(
    samples: Samples,
    sample_rate: float,
    model: Literal["single", "pair"],
    start: FitResult | Mapping[str, float],
    *,
    released: bool = True,
    params: lmfit.Parameters | None = None,
    detection: Mapping[str, Known] | None = None,
    priors: Mapping[str, tuple[float, float]] | None = None,
    mass_ratio: float = 1.0,
    unit: str = "quanta",
    progress: Callable[[float], object] | None = None,
) -> FitResult:
    """Maximise the exact likelihood of raw samples.

    Parameters
    ----------
    samples : Samples
        From :func:`samples_of`.
    sample_rate : float
        Hz.
    model : {"single", "pair"}
        One particle in one channel, or two in two.
    start : FitResult or mapping
        Start values of all parameters of the model; parameters that a fit held fixed stay so.
    released : bool
        Whether each record begins at a release; else it is stationary from its first sample on.
    params : lmfit.Parameters, optional
        Values, bounds, ``vary`` and ``expr`` on top of that.
    detection : mapping, optional
        What the detection of a pair adds, by name (``noise_12``, ``mix_12``, ``mix_21``,
        ``delay_12``): a number fixes it, a value with its standard error is a prior, None frees it.
    priors : mapping, optional
        What is known from elsewhere: name to (value, standard error).
    mass_ratio : float
        m_2/m_1 for a record in m.
    unit : str
        "quanta", "m" or "V".
    progress : callable, optional
        Called with the share of the work that is done, 0 … 1.

    Returns
    -------
    FitResult
        ``statistics``: ``estimator`` "exact"; ``chi2, dof, p_value`` of the whiteness of the
        innovations; of a pair ``re_D12_z``, ``re_D12_likelihood_ratio``, ``re_D12_p_value`` and
        ``re_D12_cross_talk``, the symmetric cross-talk that would feign its standard error.

    Raises
    ------
    InputError
        For unknown names, or a start that is no model.
    """
    known = dict(detection or {})
    unknown = sorted(set(known) - set(NAMES["detection"]))
    if unknown or (known and model == "single"):
        raise InputError(
            f"unknown parameter of the detection {unknown[0] if unknown else sorted(known)[0]!r}; "
            f"known, for a pair: {', '.join(NAMES['detection'])}"
        )
    vacuum = 0.5 if unit == "quanta" else 0.0
    order = tuple(name for name in NAMES["detection"] if name in known)
    filtered = FilterModel(model, released, order, vacuum, mass_ratio)
    given = dict(priors or {})
    given.update({n: v for n, v in known.items() if isinstance(v, tuple)})
    given = checked_priors(given, filtered.names)
    parameters = with_ties(
        _parameters(filtered, _informed(start, given), known, sample_rate), params
    )
    fit = _Fit(filtered, samples, sample_rate, given, unit, progress)
    silent = [
        name
        for name in filtered.names
        if released and PARAMETERS[name].kind == "damping" and not parameters[name].vary
        and name not in (params or ()) and parameters[name].value == 0.0
    ]  # fmt: skip
    return fit.result(parameters, silent)


def _informed(
    start: FitResult | Mapping[str, float], priors: Mapping[str, tuple[float, float]]
) -> FitResult | Mapping[str, float]:
    """The start, with damping of which something is known free and begun there."""
    told = {n: v for n, (v, _) in priors.items() if PARAMETERS[n].kind == "damping" and v > 0.0}
    if not isinstance(start, FitResult):
        return {**start, **told}
    known = {
        name: replace(start.parameters[name], value=value, vary=True)
        for name, value in told.items()
        if name in start.parameters
    }
    return replace(start, parameters={**start.parameters, **known})


def _parameters(
    model: FilterModel,
    start: FitResult | Mapping[str, float],
    known: Mapping[str, Known],
    sample_rate: float,
) -> lmfit.Parameters:
    """Start values within what has a filter, bounds, and what is fixed."""
    fixed: set[str] = set()
    if isinstance(start, FitResult):
        fixed = {n for n, p in start.parameters.items() if not p.vary and p.stderr is None}
        start = {name: p.value for name, p in start.parameters.items()}
    values = dict(start)
    if model.released:  # damping begins as in other fits of releases: at 0, until it shows
        fixed |= {n for n in model.names if PARAMETERS[n].kind == "damping" and not values.get(n)}
    for name, value in known.items():
        values[name] = value[0] if isinstance(value, tuple) else (value or 0.0)
        if value is not None and not isinstance(value, tuple):
            fixed.add(name)
    missing = [name for name in model.names if name not in values]
    if missing:
        raise InputError(f"the start lacks {', '.join(missing)}")
    if model.particles == "pair":
        whole = {"n1_0": 1.0, "n2_0": 1.0, "re_C0": 0.0, "im_C0": 0.0, **values}
        values.update({k: v for k, v in physical(whole, model.vacuum).items() if k in values})
    omega = values.get("omega", 0.5 * (values.get("omega_1", 0.0) + values.get("omega_2", 0.0)))
    parameters = bounded_parameters(model.names, values, omega)
    for name in model.names:
        parameter = parameters[name]
        parameter.vary = name not in fixed
        if PARAMETERS[name].kind == "imprecision" and PARAMETERS[name].positive:
            size = abs(parameter.value) or max(values[n] for n in model.names if "noise" in n)
            parameter.set(min=_LEAST_NOISE * size, value=max(parameter.value, size))
        if name == "delay_12":
            parameter.set(min=-1.0 / sample_rate, max=1.0 / sample_rate)
        if PARAMETERS[name].kind == "mixing":
            parameter.set(min=-0.9, max=0.9)
    return parameters


@dataclass
class _Fit:
    """One fit: model, samples, priors."""

    model: FilterModel
    samples: Samples
    sample_rate: float
    priors: Mapping[str, tuple[float, float]]
    unit: str
    progress: Callable[[float], object] | None
    filtered: int = 0

    def _tick(self, records: int) -> None:
        """Say how far the work is; how many passes it takes is known in the end only."""
        self.filtered += records
        if self.progress is not None:
            self.progress(1.0 - math.exp(-self.filtered / (4.0 * self.samples.repetitions)))

    def _likelihood(self, *, ticks: bool = True) -> ExactLikelihood:
        s = self.samples
        return ExactLikelihood(
            self.model, s.records, self.sample_rate, s.scale, s.offset, self.priors,
            _DIFFUSE * s.power, tick=self._tick if ticks else None,
        )  # fmt: skip

    @property
    def guard(self) -> Guard:
        """Bounded cross moments, and steps that turn no phase by more than half a turn."""
        vacuum = self.model.vacuum
        cross = (
            CrossMoment(("re_D12",), ("D11", "D22"), 1.0 - 1e-7),
            CrossMoment(("re_C0", "im_C0"), ("n1_0", "n2_0"), _LIMIT, vacuum),
            CrossMoment(("noise_12",), ("noise_1", "noise_2"), _LIMIT),
        )
        reach = min(self.samples.length / self.sample_rate, 1e3 * math.pi / self.sample_rate)
        turning = [n for n, p in PARAMETERS.items() if p.nonlinear]
        return Guard(cross, dict.fromkeys(turning, math.pi / reach))

    def climb(self, parameters: lmfit.Parameters, tolerance: float) -> Optimum[ExactPoint]:
        """Maximum of the likelihood from these parameters."""
        space = Space(self.model.names, parameters, "exact")
        return maximise(self._likelihood(), space, guard=self.guard, tolerance=tolerance)

    def _damping_shows(self, optimum: Optimum[ExactPoint], silent: Sequence[str]) -> bool:
        """Score test of damping that was fixed because nobody said anything about it."""
        if not silent or not optimum.converged:
            return False
        slope, fisher = optimum.point.normal_equations()
        places = [self.model.names.index(name) for name in silent]
        across = optimum.ties.matrix.T @ fisher[:, places]
        left = fisher[np.ix_(places, places)] - across.T @ invert(optimum.fisher)[0] @ across
        score = np.maximum(slope[places], 0.0)
        return bool(score @ invert(left)[0] @ score > _VISIBLE)

    def result(self, parameters: lmfit.Parameters, silent: Sequence[str]) -> FitResult:
        """Climb, judge, and put the numbers together; ``silent`` are dampings fixed by default."""
        optimum = self.climb(parameters, _TOLERANCE)
        if self._damping_shows(optimum, silent):
            for name in silent:
                parameters[name].vary = True
            for name, value in zip(optimum.free, optimum.x, strict=True):
                parameters[name].value = float(value)
            optimum = self.climb(parameters, _TOLERANCE)
        covariance, determined = invert(optimum.fisher)
        names = self.model.names
        table = fitted_parameters(
            dict(zip(names, optimum.values.tolist(), strict=True)),
            dict(zip(optimum.free, optimum.x.tolist(), strict=True)),
            optimum.ties,
            covariance,
            self.unit,
        )
        white = whiteness_of(optimum, covariance)
        statistics = self._statistics(optimum, white)
        if _CORRELATION in optimum.free:
            statistics.update(evidence_of(table, self._ratio(parameters, optimum)))
        if self.progress is not None:
            self.progress(1.0)
        converged = bool(optimum.converged)
        return FitResult(
            model="reheating" if self.model.released and self.model.channels == 2
            else self.model.particles,
            parameters=table,
            varying=optimum.free,
            covariance=covariance,
            statistics=statistics,
            input=self._input(),
            converged=converged,
            warnings=exact_warnings(table, statistics, converged, determined, optimum.at_bounds),
            fitted=FittedLikelihood(self._likelihood(ticks=False), self.guard, optimum),
        )  # fmt: skip

    def _statistics(self, optimum: Optimum[ExactPoint], white: Whiteness) -> dict[str, Any]:
        counts = sum(count * gains.samples for gains, count in optimum.point.passes.values())
        return {
            "estimator": "exact",
            "chi2": white.chi2,
            "dof": white.dof,
            "reduced_chi2": white.chi2 / white.dof if white.dof > 0.0 else None,
            "p_value": white.p_value,
            "log_likelihood": optimum.point.log_likelihood,
            "iterations": optimum.iterations,
            "fitted_parameters": len(optimum.free),
            "repetitions": self.samples.repetitions,
            "samples": counts,
        }

    def _ratio(self, parameters: lmfit.Parameters, optimum: Optimum[ExactPoint]) -> float:
        """Δ(−2 ln L) against Re D_12 = 0, everything else fitted again."""
        fixed = parameters.copy()
        for name, value in zip(optimum.free, optimum.x, strict=True):
            fixed[name].value = float(value)
        # Where the others go to first order when Re D_12 is taken away.
        at = optimum.free.index(_CORRELATION)
        column = invert(optimum.fisher)[0][:, at]
        shift = -optimum.x[at] / column[at] * column
        for name, value, change in zip(optimum.free, optimum.x, shift, strict=True):
            moved = float(value + change)
            if fixed[name].min < moved < fixed[name].max:
                fixed[name].value = moved
        fixed[_CORRELATION].set(value=0.0, vary=False)
        try:
            null = self.climb(fixed, 1e-3)
        except InputError:  # the first-order start is no model: begin at the estimate
            for name, value in zip(optimum.free, optimum.x, strict=True):
                if name != _CORRELATION:
                    fixed[name].value = float(value)
            null = self.climb(fixed, 1e-3)
        return max(2.0 * (optimum.point.log_likelihood - null.point.log_likelihood), 0.0)

    def _input(self) -> dict[str, Any]:
        s = self.samples
        return {
            "unit": self.unit,
            "sample_rate": self.sample_rate,
            "duration": s.length / self.sample_rate,
            "repetitions": s.repetitions,
            "offset": s.offset.tolist(),
            "priors": {name: list(pair) for name, pair in self.priors.items()},
            "mass_ratio": self.model.mass_ratio,
        }
