"""Fits of steady records by the exact likelihood of a band of their Fourier coefficients.

Averaged spectra need segments longer than a line's correlation time; a line that is narrower than a
bin, or than the record is long, has none. Here whole stretches are transformed and their ends are
part of the model, so that errors hold for any width; what lies outside the band does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import lmfit
import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..convention import OF_EQUAL_PARTICLES
from ..edges import CrossMoment, Guard
from ..exact.fits import Known
from ..exact.model import FilterModel
from ..fitted import FittedLikelihood
from ..matrices import NAMES
from ..optimiser import Optimum, maximise
from ..parameters import PARAMETERS
from ..priors import checked_priors
from ..reheating.surface import with_ties
from ..result import FitResult, FittedParameter, fitted_parameters, presupposed_cross_talk
from ..space import Space
from ..steps import invert
from .goodness import SteadyGoodness, goodness_of
from .likelihood import SteadyLikelihood, SteadyPoint
from .transform import Stretches

__all__ = ["fit_steady", "steady_parameters"]

_Array = NDArray[np.float64]
_TOLERANCE = 1e-6
_TRIED_STEPS = 30
# Passes over all bins in which a fit is usually well on its way, and the least progress to tell.
_USUAL_PASSES = 4.0
_SEEN = 2e-3
# Widths that are tried at constant power: a start from a window may be far too wide.
_WIDTHS = (1.0, 0.25, 0.05)
# A start of more widths than this in the longest stretch, γT, was resolved.
_RESOLVED = 60.0
_DOUBTFUL = 1e-3
# A start this far below 1 in |Re D_12|²/(D_11 D_22) is within the model.
_INSIDE = 0.9
_GUARD = Guard(
    (
        CrossMoment(("re_D12",), ("D11", "D22"), 1.0 - 1e-7),
        CrossMoment(("noise_12",), ("noise_1", "noise_2"), 0.98),
    )
)


def fit_steady(
    data: Sequence[Stretches],
    sample_rate: float,
    model: Literal["single", "pair"],
    start: FitResult | Mapping[str, float],
    *,
    params: lmfit.Parameters | None = None,
    detection: Mapping[str, Known] | None = None,
    priors: Mapping[str, tuple[float, float]] | None = None,
    mass_ratio: float | None = None,
    unit: str = "quanta",
    progress: Callable[[float], object] | None = None,
) -> FitResult:
    """Maximise the exact likelihood of a band of Fourier coefficients of steady stretches.

    Parameters
    ----------
    data : sequence of Stretches
        By length of the stretches.
    sample_rate : float
        Hz.
    model : {"single", "pair"}
        One particle in one channel, or two in two.
    start : FitResult or mapping
        Start values, such as a fit of averaged spectra; narrower lines are tried as well.
    params : lmfit.Parameters, optional
        Values, bounds, ``vary`` and ``expr`` on top of that.
    detection, priors : mapping, optional
        As for ``fit_exact``.
    mass_ratio : float, optional
        m_2/m_1 for a record in m.
    unit : str
        "quanta", "m" or "V".
    progress : callable, optional
        Called with a share that grows from 0 to 1: how many steps a fit takes is not known before.

    Returns
    -------
    FitResult
        ``statistics["estimator"]`` is "exact"; ``model`` "single" or "pair".

    Raises
    ------
    InputError
        For unknown names, or if no start is a model that decays.
    """
    known = dict(detection or {})
    unknown = sorted(set(known) - set(NAMES["detection"]))
    if unknown or (known and model == "single"):
        raise InputError(
            f"unknown parameter of the detection {unknown[0] if unknown else sorted(known)[0]!r}; "
            f"known, for a pair: {', '.join(NAMES['detection'])}"
        )
    order = tuple(name for name in NAMES["detection"] if name in known)
    filtered = FilterModel(model, False, order, 0.0, 1.0 if mass_ratio is None else mass_ratio)
    stated = {**(priors or {}), **{n: v for n, v in known.items() if isinstance(v, tuple)}}
    given = checked_priors(stated, filtered.names)
    likelihood = SteadyLikelihood(filtered, data, sample_rate, given)
    starts = _starts(likelihood, start, known)
    told = None if progress is None else _Passes(data, len(starts), progress)
    best = _climbed(replace(likelihood, told=told), starts, params)
    best = replace(best, point=replace(best.point, likelihood=likelihood))
    return _result(likelihood, best, unit, mass_ratio)


class _Passes:
    """Turns bins that were passed into a share that is done.

    A climb takes a few steps, of two passes each; the share nears 1 whatever it takes.
    """

    def __init__(
        self, data: Sequence[Stretches], starts: int, progress: Callable[[float], object]
    ) -> None:
        self._usual = _USUAL_PASSES * starts * sum(len(part.bins) for part in data)
        self._done, self._share, self._progress = 0, 0.0, progress

    def __call__(self, bins: int) -> None:
        self._done += bins
        share = 1.0 - math.exp(-self._done / self._usual)
        if share > self._share + _SEEN:
            self._share = share
            self._progress(share)


def steady_parameters(
    likelihood: SteadyLikelihood, values: Mapping[str, float]
) -> lmfit.Parameters:
    """Parameters at start values with the bounds of their kinds.

    Parameters
    ----------
    likelihood : SteadyLikelihood
        Its bins give the bounds of frequencies, its stretches that of the width.
    values : mapping
        All parameters of the model.
    """
    rates = 2.0 * math.pi * likelihood.sample_rate
    low = min(float(part.bins[0]) / part.length for part in likelihood.data) * rates
    high = max(float(part.bins[-1]) / part.length for part in likelihood.data) * rates
    longest = max(part.length for part in likelihood.data) / likelihood.sample_rate
    params = lmfit.Parameters()
    for name in likelihood.names:
        least, most, kind = -math.inf, math.inf, PARAMETERS[name].kind
        if kind == "frequency":
            margin = 0.25 * (high - low) + 2.0 * math.pi / longest
            least, most = max(low - margin, 0.5 * low), high + margin
        elif kind == "damping":
            # A motion that loses a thousandth over the record is as good as undamped.
            least, most = 1e-3 / longest, 4.0 * high
        elif kind == "imprecision" and PARAMETERS[name].positive:
            least = 1e-6 * abs(values[name])
        elif PARAMETERS[name].positive:
            least = 0.0
        elif kind == "coupling":
            least, most = -0.5 * high, 0.5 * high
        elif kind == "mixing":
            least, most = -0.9, 0.9
        elif kind == "delay":
            least, most = -1.0 / likelihood.sample_rate, 1.0 / likelihood.sample_rate
        params.add(name, value=float(np.clip(values[name], least, most)), min=least, max=most)
    return params


def _starts(
    likelihood: SteadyLikelihood,
    start: FitResult | Mapping[str, float],
    known: Mapping[str, Known],
) -> list[lmfit.Parameters]:
    """The start, and narrower lines of the same power."""
    fixed: set[str] = set()
    if isinstance(start, FitResult):
        fixed = {n for n, p in start.parameters.items() if not p.vary and p.stderr is None}
        start = {name: p.value for name, p in start.parameters.items()}
    values = dict(start)
    for name, value in known.items():
        values[name] = value[0] if isinstance(value, tuple) else (value or 0.0)
        if value is not None and not isinstance(value, tuple):
            fixed.add(name)
    missing = [name for name in likelihood.names if name not in values]
    if missing:
        raise InputError(f"the start lacks {', '.join(missing)}")
    if "re_D12" in values:
        edge = _INSIDE * math.sqrt(max(values["D11"] * values["D22"], 0.0))
        values["re_D12"] = float(np.clip(values["re_D12"], -edge, edge))
    found = []
    longest = max(part.length for part in likelihood.data) / likelihood.sample_rate
    narrowest = min(value for name, value in values.items() if name.startswith("gamma"))
    for width in _WIDTHS if narrowest * longest < _RESOLVED else (1.0,):
        narrowed = {
            name: value * (width if _with_width(name) else 1.0) for name, value in values.items()
        }
        params = steady_parameters(likelihood, narrowed)
        for name in fixed & set(params):
            params[name].set(value=values[name], vary=False)
        found.append(params)
    return found


def _with_width(name: str) -> bool:
    """Whether a parameter shrinks with the width at constant power."""
    return name in PARAMETERS and PARAMETERS[name].kind in ("damping", "diffusion")


def _climbed(
    likelihood: SteadyLikelihood, starts: Sequence[lmfit.Parameters], given: lmfit.Parameters | None
) -> Optimum[SteadyPoint]:
    """Highest maximum over the starts."""
    best: Optimum[SteadyPoint] | None = None
    failure: InputError | None = None
    for params in starts:
        space = Space(likelihood.names, with_ties(params, given), likelihood.model.particles)
        try:
            found = maximise(
                likelihood, space, guard=_GUARD, tolerance=_TOLERANCE, max_iterations=_TRIED_STEPS
            )
        except InputError as error:
            failure = error
            continue
        if best is None or found.point.log_likelihood > best.point.log_likelihood + 1e-6:
            best = found
    if best is None:
        raise failure or InputError("no start of the fit is an admissible model")
    if not best.converged:
        space = Space(likelihood.names, best.space.at(best.x), likelihood.model.particles)
        best = maximise(likelihood, space, guard=_GUARD, tolerance=_TOLERANCE)
    return best


def _result(
    likelihood: SteadyLikelihood,
    optimum: Optimum[SteadyPoint],
    unit: str,
    mass_ratio: float | None,
) -> FitResult:
    """Dress an optimum as a result."""
    covariance, determined = invert(optimum.fisher)
    table = fitted_parameters(
        dict(zip(likelihood.names, optimum.values.tolist(), strict=True)),
        dict(zip(optimum.free, optimum.x.tolist(), strict=True)),
        optimum.ties,
        covariance,
        unit,
    )
    good = goodness_of(optimum, covariance)
    counted = _counted(likelihood)
    converged = bool(optimum.converged and np.isfinite(np.diag(covariance)).all())
    said = _Doubts(table, good, optimum, determined, unit, mass_ratio)
    return FitResult(
        model=likelihood.model.particles,
        parameters=table,
        varying=optimum.free,
        covariance=covariance,
        statistics=_statistics(counted, optimum, good, table),
        input={
            "band": counted["band"],
            "unit": unit,
            "sample_rate": likelihood.sample_rate,
            "duration": counted["samples"] / likelihood.sample_rate,
            "mass_ratio": 1.0 if mass_ratio is None else mass_ratio,
            "priors": {name: list(pair) for name, pair in likelihood.priors.items()},
            "omega": "lines without coupling; bare frequencies are not determined by a spectrum",
        },
        converged=converged,
        warnings=said.lines(converged),
        fitted=FittedLikelihood(likelihood, _GUARD, optimum),
    )


def _counted(likelihood: SteadyLikelihood) -> dict[str, Any]:
    """Stretches, samples, coefficients and band, plain JSON values."""
    rate, data = likelihood.sample_rate, likelihood.data
    low = min(float(part.bins[0]) / part.length for part in data) * rate
    high = max(float(part.bins[-1]) / part.length for part in data) * rate
    return {
        "bins": sum(part.data.shape[0] * len(part.bins) for part in data),
        "stretches": sum(len(part.data) for part in data),
        "samples": sum(len(part.data) * part.length for part in data),
        "band": [low, high],
    }


def _statistics(
    counted: Mapping[str, Any],
    optimum: Optimum[SteadyPoint],
    good: SteadyGoodness,
    table: Mapping[str, FittedParameter],
) -> dict[str, Any]:
    presupposed = presupposed_cross_talk(table)
    known = {} if presupposed is None else {"re_D12_cross_talk": presupposed}
    return {
        "estimator": "exact",
        "log_likelihood": optimum.point.log_likelihood,
        "aic": 2.0 * len(optimum.free) - 2.0 * optimum.point.log_likelihood,
        "bins": counted["bins"],
        "weight": 1.0,
        "stretches": counted["stretches"],
        "samples": counted["samples"],
        "fitted_parameters": len(optimum.free),
        "chi2": good.chi2,
        "dof": good.dof,
        "reduced_chi2": good.chi2 / good.dof,
        "p_value": good.p_value,
        "groups": good.groups,
        "iterations": optimum.iterations,
        **known,
    }


@dataclass(frozen=True)
class _Doubts:
    """What the user should know before quoting the numbers."""

    table: Mapping[str, FittedParameter]
    good: SteadyGoodness
    optimum: Optimum[SteadyPoint]
    determined: bool
    unit: str
    mass_ratio: float | None

    def lines(self, converged: bool) -> tuple[str, ...]:
        """One line each."""
        found = []
        if not converged:
            found.append("the exact fit did not converge: do not quote its numbers")
        if not self.determined:
            found.append("the data do not determine every parameter: fix or tie some of them")
        p_value = self.good.p_value
        if p_value is not None and p_value < _DOUBTFUL:
            found.append(
                f"the model does not describe the data (p = {p_value:.1e}): other lines in the "
                "band, a line broadened by nonlinearity or drift of its frequency; the errors are "
                "too small"
            )
        if p_value is not None and p_value > 1.0 - _DOUBTFUL:
            found.append(
                f"the data lie closer to the model than their errors allow (1 − p = "
                f"{1.0 - p_value:.1e}): smoothed or repeated samples"
            )
        if self.optimum.at_bounds:
            names = ", ".join(self.optimum.at_bounds)
            found.append(f"at a bound: {names}; errors there are one-sided")
        if "D11" in self.table and self.unit not in ("m", "quanta"):
            found.append(
                f"{OF_EQUAL_PARTICLES} detectors: the record is in {self.unit}, not calibrated"
            )
        elif "D11" in self.table and self.unit == "m" and self.mass_ratio is None:
            found.append(f"{OF_EQUAL_PARTICLES} masses: the record is in m, masses are not known")
        return tuple(found)
