"""Global fits: the start, the climb, and the result with what it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lmfit
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ...errors import InputError
from ...ranges import require_range
from ..edges import Guard
from ..fitted import FittedLikelihood
from ..optimiser import Optimum, maximise
from ..result import MIN_DOF, FitResult, fitted_parameters
from ..space import Space
from ..steps import invert
from .doubtful import described, left_out
from .frame import Tolerances
from .law import PairLaw
from .likelihood import SHARED, JointLikelihood, JointPoint
from .parts import GaussianPart, Measured, Part, part_of
from .reversal import reversed_pairs
from .start import scanned_starts, typical_coupling

__all__ = ["SHARES", "JointFit", "JointOptions", "fit_joint"]

_Array = NDArray[np.float64]

SHARES: dict[str, tuple[str, ...]] = {
    "kd": ("kd_0",),
    "phase": ("phi_0",),
    "equilibria": ("kappa",),
    "lines": ("omega_0", "balance_0"),
    "mixing": ("mix_12", "mix_21"),
    "gains": ("gain_1", "gain_2"),
    "delay": ("delay_12",),
    "common": ("common_D",),
    "power": ("omega_slope",),
}
"""What records may share besides G, by name: its parameters. What is not shared stays at its
nominal value."""

_USUAL = ("kd", "phase", "equilibria", "lines")
_NOMINAL = {"kappa": 0.95, "gain_1": 1.0, "gain_2": 1.0, "omega_slope": 0.5}
_KAPPA = (0.95, 0.1)  # over its lowest order, for silica in tweezers of 0.6 … 1 µm
_COUPLING, _LINE = 0.008, 0.08  # of G/ρ: what the law lacks
_JITTER = 1.0 / 3.0  # of what the law lacks of the lines
_MIX, _GAIN, _SLOPE = 0.3, 0.1, 0.1  # largest mixing; usual errors of gains and of the slope
_LEAST_PHASES = 3  # different phases that tell mixing from physics without a reversal
_PASSES = 2  # the tolerance of the law is a share of the fitted G


@dataclass(frozen=True)
class JointOptions:
    """How a global fit is made.

    Attributes
    ----------
    share : tuple of str or None
        Names of ``SHARES``; by default kd, phase, equilibria and lines, the delay where records
        have it fitted, and the mixing where the phases can tell it.
    summed : bool
        Whether the likelihoods of the records are summed, rather than their Gaussians.
    distance_error : float
        Standard error of the set distance, m.
    phase_drift : float
        Standard deviation of φ from group to group, rad.
    gain_error : float or None
        Relative error of each detector's calibration: frees the gains with that prior.
    priors : mapping of str to (float, float)
        Value and standard error of shared parameters.
    keep_doubtful : bool
        Whether records that their own fits do not describe (p < 1e-6) are used all the same.
    coupling_tolerance, line_tolerance : float
        What the law lacks, as a share of G/kd.
    """

    share: tuple[str, ...] | None = None
    summed: bool = False
    distance_error: float = 1e-7
    phase_drift: float = 0.0
    gain_error: float | None = None
    priors: Mapping[str, tuple[float, float]] | None = None
    keep_doubtful: bool = False
    coupling_tolerance: float = _COUPLING
    line_tolerance: float = _LINE

    def __post_init__(self) -> None:
        """Check names and ranges."""
        for name in self.share or ():
            if name not in SHARES:
                raise InputError(f"cannot share {name!r}; known: {', '.join(SHARES)}")
        require_range("distance_error", self.distance_error, 1e-12, 1e-5, "m")
        require_range("phase_drift", self.phase_drift, 0.0, math.pi, "rad")
        require_range("coupling_tolerance", self.coupling_tolerance, 1e-6, 1.0)
        require_range("line_tolerance", self.line_tolerance, 1e-6, 10.0)
        if self.gain_error is not None:
            require_range("gain_error", self.gain_error, 1e-6, 1.0)
        for name, (value, error) in (self.priors or {}).items():
            if name not in SHARED:
                raise InputError(f"no shared parameter {name!r}; known: {', '.join(SHARED)}")
            if not (math.isfinite(value) and math.isfinite(error) and error > 0.0):
                raise InputError(f"a prior needs a value and a positive error, got {name}: {value}")


@dataclass(frozen=True)
class JointFit:
    """A global fit with everything that predictions need.

    Attributes
    ----------
    result : FitResult
        Shared parameters, model "global".
    measured : tuple of Measured
        What was fitted.
    likelihood : JointLikelihood
        At its maximum.
    point : JointPoint
        The maximum, with the parameters of records and lights.
    free : tuple of str
        Fitted shared parameters.
    """

    result: FitResult
    measured: tuple[Measured, ...]
    likelihood: JointLikelihood
    point: JointPoint
    free: tuple[str, ...]

    @property
    def values(self) -> NDArray[np.float64]:
        """Shared parameters in the order of ``SHARED``."""
        return np.array([self.result.value(n) for n in SHARED])

    @property
    def law(self) -> PairLaw:
        """How the pair follows the light."""
        return self.likelihood.frame.law

    @property
    def tolerances(self) -> Tolerances:
        """What the law lacks."""
        return self.likelihood.frame.tolerances

    def covariance(self) -> NDArray[np.float64]:
        """Covariance of the fitted shared parameters, then all own ones."""
        keep = [SHARED.index(n) for n in self.free]
        kept = np.concatenate([keep, np.arange(len(SHARED), len(self.point.whole))]).astype(int)
        return invert(self.point.whole[np.ix_(kept, kept)])[0]


def fit_joint(measured: Sequence[Measured], law: PairLaw, options: JointOptions) -> JointFit:
    """Fit records of one pair under many lights.

    Parameters
    ----------
    measured : sequence of Measured
        Single fits in quanta with their lights.
    law : PairLaw
        The optics.
    options : JointOptions
        What is shared, and what is known.

    Returns
    -------
    JointFit
        Shared parameters with errors, and the maximum.

    Raises
    ------
    InputError
        For no records, records that a global fit cannot use, or names and values out of range.
    """
    if not measured:
        raise InputError("a global fit needs records, got none")
    every, (measured, said) = measured, described(measured, keep=options.keep_doubtful)
    gaussians = [part_of(m) for m in measured]
    plain = [g for g in gaussians if isinstance(g, GaussianPart)]
    settings = [m.setting for m in measured]
    parts: list[Part] = [part_of(m, summed=True) for m in measured] if options.summed else [*plain]
    shared, of_choice = _shared(measured, plain, options)
    priors = _priors(law, options, shared)
    size, best = typical_coupling(plain), None
    for _ in range(_PASSES):
        tolerances = Tolerances(
            options.coupling_tolerance * size,
            options.line_tolerance * size,
            _JITTER * options.line_tolerance * size,
            options.phase_drift,
        )
        likelihood = JointLikelihood(
            law, settings, parts, _groups(measured), tolerances, priors,
            [m.raw for m in measured], [m.result.model == "pair" for m in measured],
        )  # fmt: skip
        starts = (
            scanned_starts(law, settings, plain, tolerances, options.distance_error, shared)
            if best is None
            else [dict(zip(SHARED, best.values.tolist(), strict=True))]
        )
        best = _best(likelihood, [_parameters(start, shared) for start in starts])
        size = _size(law, settings, best)
    assert best is not None
    omitted = [] if options.keep_doubtful else left_out(every)
    return _dressed(measured, likelihood, best, options, [*said, *of_choice], omitted)


def _size(law: PairLaw, settings: Sequence[Any], best: Optimum[JointPoint]) -> float:
    """G/kd at the middle of the distances, rad/s."""
    v = dict(zip(SHARED, best.values.tolist(), strict=True))
    rho = law.k * float(np.mean([s.distance for s in settings])) + v["kd_0"]
    return float(abs(v["G"]) / rho)


def _groups(measured: Sequence[Measured]) -> list[int]:
    """Number of each record's group; those without one have a group of their own."""
    keys = [m.group if m.group is not None else f"\0{i}" for i, m in enumerate(measured)]
    known = list(dict.fromkeys(keys))
    return [known.index(key) for key in keys]


def _shared(
    measured: Sequence[Measured], parts: Sequence[GaussianPart], options: JointOptions
) -> tuple[tuple[str, ...], list[str]]:
    """Fitted shared parameters, and what is to be said of the choice."""
    settings, said = [m.setting for m in measured], []
    if options.share is not None:
        names = {"G", *(n for share in options.share for n in SHARES[share])}
    else:
        names = {"G", *(n for share in _USUAL for n in SHARES[share])}
        phases = {round(math.remainder(s.phi, math.tau), 2) for s in settings}
        if reversed_pairs(settings) or len(phases) >= _LEAST_PHASES:
            names |= set(SHARES["mixing"])
            if any(m.result.model == "pair" for m in measured):
                names |= set(SHARES["common"])
        else:
            said.append(
                "no two records at φ and φ + π, and fewer than three phases: cross-talk of the "
                "detectors cannot be told from the physics and is taken for 0 (re_D12_cross_talk)"
            )
        if any("delay_12" in part.names for part in parts):
            names |= set(SHARES["delay"])
    if options.gain_error is not None:
        names |= set(SHARES["gains"])
    if "delay_12" in names and not any("delay_12" in part.names for part in parts):
        raise InputError("no record has the delay fitted: there is none to share")
    names |= set(options.priors or {})
    return tuple(n for n in SHARED if n in names), said


def _priors(
    law: PairLaw, options: JointOptions, shared: Sequence[str]
) -> dict[str, tuple[float, float]]:
    """What is known of the shared parameters beforehand."""
    known = {"kd_0": (0.0, law.k * options.distance_error), "kappa": _KAPPA}
    gain = _GAIN if options.gain_error is None else options.gain_error
    known |= {"gain_1": (1.0, gain), "gain_2": (1.0, gain), "omega_slope": (0.5, _SLOPE)}
    known.update(options.priors or {})
    return {name: value for name, value in known.items() if name in shared}


def _parameters(start: Mapping[str, float], shared: Sequence[str]) -> lmfit.Parameters:
    """Start values with bounds; what is not shared is fixed."""
    reach = {"phi_0": (-2.0 * math.pi, 2.0 * math.pi), "kd_0": (-math.tau, math.tau)}
    reach |= {"mix_12": (-_MIX, _MIX), "mix_21": (-_MIX, _MIX), "kappa": (-1.0, 4.0)}
    reach |= {"gain_1": (0.1, 10.0), "gain_2": (0.1, 10.0), "balance_0": (-0.5, 0.5)}
    reach |= {"G": (0.0, math.inf), "omega_0": (1.0, math.inf), "omega_slope": (-1.0, 2.0)}
    params = lmfit.Parameters()
    for name in SHARED:
        low, high = reach.get(name, (-math.inf, math.inf))
        value = float(np.clip(start.get(name, _NOMINAL.get(name, 0.0)), low, high))
        params.add(name, value=value, min=low, max=high, vary=name in shared)
    return params


def _best(likelihood: JointLikelihood, starts: Sequence[lmfit.Parameters]) -> Optimum[JointPoint]:
    """Highest maximum over the starts."""
    found = []
    for params in starts:
        space = Space(SHARED, params, "global")
        found.append(maximise(likelihood, space, guard=_guard(), tolerance=1e-8))
    best = max(found, key=lambda one: one.point.log_likelihood)
    # The own parameters go with the maximum that was chosen, not with the last one tried.
    likelihood.begin_at(best.point.own)
    return best


def _guard() -> Guard:
    """Steps that turn no phase by more than a third of a turn."""
    return Guard((), {"phi_0": 1.0, "kd_0": 0.5, "mix_12": 0.1, "mix_21": 0.1, "kappa": 0.5})


def _dressed(
    measured: Sequence[Measured],
    likelihood: JointLikelihood,
    optimum: Optimum[JointPoint],
    options: JointOptions,
    said: Sequence[str],
    omitted: Sequence[Mapping[str, Any]],
) -> JointFit:
    covariance, determined = invert(optimum.fisher)
    table = fitted_parameters(
        dict(zip(SHARED, optimum.values.tolist(), strict=True)),
        dict(zip(optimum.free, optimum.x.tolist(), strict=True)),
        optimum.ties,
        covariance,
        "quanta",
    )
    statistics = _statistics(likelihood, optimum)
    warnings = [*said, *_warnings(statistics, optimum, determined)]
    result = FitResult(
        model="global",
        parameters=table,
        varying=optimum.free,
        covariance=covariance,
        statistics=statistics,
        input={
            "unit": "quanta",
            "records": [m.name for m in measured],
            "left_out": list(omitted),
            "wavelength": likelihood.frame.law.wavelength,
            "summed_likelihoods": options.summed,
            "distance_error": options.distance_error,
            "phase_drift": options.phase_drift,
            "coupling_tolerance": likelihood.frame.tolerances.coupling,
            "line_tolerance": likelihood.frame.tolerances.line,
            "priors": {n: list(v) for n, v in likelihood.priors.items()},
        },
        converged=bool(optimum.converged),
        warnings=tuple(warnings),
        fitted=FittedLikelihood(likelihood, _guard(), optimum),
    )
    return JointFit(result, tuple(measured), likelihood, optimum.point, optimum.free)


def _statistics(likelihood: JointLikelihood, optimum: Optimum[JointPoint]) -> dict[str, Any]:
    """χ² of what the records say against the law, its degrees of freedom, p."""
    frame, parts = likelihood.frame, likelihood.parts
    chi2 = -2.0 * float(optimum.point.log_likelihood)
    rows = sum(len(part.names) for part in parts) + len(likelihood.priors)
    rows += 2 * len(parts) + frame.constrained
    dof = float(rows - frame.size - len(optimum.free))
    p_value = float(stats.chi2.sf(chi2, dof)) if dof >= MIN_DOF else None
    return {
        "log_likelihood": float(optimum.point.log_likelihood),
        "chi2": chi2,
        "dof": dof,
        "reduced_chi2": chi2 / dof if dof > 0.0 else None,
        "p_value": p_value,
        "fitted_parameters": len(optimum.free),
        "records": len(parts),
        "lights": len(frame.lights),
        "iterations": int(optimum.iterations),
    }


def _warnings(
    statistics: Mapping[str, Any], optimum: Optimum[JointPoint], determined: bool
) -> list[str]:
    """What the user should know before quoting the numbers."""
    found = []
    if not determined:
        found.append(
            "the records do not determine every shared parameter: share fewer, or add records at "
            "other phases or distances"
        )
    if optimum.at_bounds:
        found.append(f"at a bound: {', '.join(optimum.at_bounds)}; errors there are one-sided")
    if not optimum.converged:
        found.append("the fit did not converge")
    p_value = statistics["p_value"]
    if p_value is not None and p_value < 1e-3:
        found.append(
            f"the records do not agree with one pair (p = {p_value:.1e}): φ, distance or power of "
            "a record is not what was set, φ drifts (phase_drift), or the detectors changed"
        )
    if p_value is not None and p_value > 1.0 - 1e-3:
        found.append(
            f"the records agree better than their errors allow (1 − p = {1.0 - p_value:.1e}): the "
            "tolerances of the law or the drift of φ are smaller than stated"
        )
    return found
