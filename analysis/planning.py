"""Plans of measurements: repetitions and times for a significance, and what would spoil it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..models.array import TrapArray
from ..models.constants import HBAR
from ..models.errors import InputError, OptobindError
from ..models.inference.convention import fit_convention
from ..models.inference.parameters import PARAMETERS
from ..models.inference.planning.forecast import (
    Cooling,
    exact_error,
    reported_errors,
    spectrum_error,
)
from ..models.ranges import require_range
from .choice import Progress

__all__ = [
    "EstimatorForecast",
    "Forecast",
    "Requirements",
    "WorkingPoint",
    "forecast_reheating",
    "pair_values",
    "planned_value",
    "requirements_of",
    "settings_around",
]

_RELEASES = (0.2e-3, 0.5e-3, 1e-3, 2e-3, 5e-3)  # s
_TENTH = 0.1  # of the value: what a systematic may amount to
_MOST_GROWTH = 3.0  # e-folds within a release
_PHASES, _DISTANCES = 12, 5


@dataclass(frozen=True)
class EstimatorForecast:
    """What one estimator needs.

    Attributes
    ----------
    repetitions : int or None
        Releases; None for a spectrum.
    release_time : float or None
        s.
    measuring_time : float
        Seconds of releases and cooling, or of the cooled record.
    stderr : float
        Standard error of the parameter after that time, rad/s.
    """

    repetitions: int | None
    release_time: float | None
    measuring_time: float
    stderr: float


@dataclass(frozen=True)
class WorkingPoint:
    """Where a measurement is quickest.

    Attributes
    ----------
    phi : float
        Set phase, rad.
    distance : float
        Of the foci, m.
    release_time : float or None
        s; None for a spectrum.
    measuring_time : float
        s.
    """

    phi: float
    distance: float
    release_time: float | None
    measuring_time: float


@dataclass(frozen=True)
class Requirements:
    """What must hold so that a systematic stays below a tenth of the value, without reversal.

    Attributes
    ----------
    cross_talk : float
        Symmetric mixing ε of the detectors: it adds ε(D_11 + D_22) to Re D_12 and −ε(ω_2 − ω_1)
        to g_a.
    phase_drift : float
        Change of φ, rad.
    calibration : float
        Relative error of V/m.
    rin : float
        One-sided density of differential intensity noise at the lines, P_1(1 + ε/2) and
        P_2(1 − ε/2), 1/Hz: it shakes both particles against each other.
    """

    cross_talk: float
    phase_drift: float
    calibration: float
    rin: float


@dataclass(frozen=True)
class Forecast:
    """A planned measurement of one parameter.

    Attributes
    ----------
    parameter : str
        Name.
    value : float
        Predicted, rad/s.
    significance : float
        Wanted value over error.
    estimators : mapping of str to EstimatorForecast
        "exact", "transitions", "curves" and "cooled_spectrum" of releases, "wishart" and "exact" of
        a spectrum; what cannot be had is missing.
    best : WorkingPoint or None
        None if no trap setting within reach can be measured.
    requires : Requirements
        Of the planned setting.
    cooling : Cooling
        Assumed before each release.
    releases : tuple of (float, int)
        Release time, s, and repetitions of the exact estimator.

    Examples
    --------
    >>> import optobind as ob
    >>> plan = ob.forecast_reheating(ob.load_trap("simulated-pair"), 0.3, 2e6, search=False)
    >>> 50 < plan.estimators["exact"].repetitions < 150
    True
    """

    parameter: str
    value: float
    significance: float
    estimators: dict[str, EstimatorForecast]
    best: WorkingPoint | None
    requires: Requirements
    cooling: Cooling
    releases: tuple[tuple[float, int], ...] = field(default=())


def forecast_reheating(
    trap: TrapArray,
    efficiency: float,
    sample_rate: float,
    *,
    parameter: str = "re_D12",
    significance: float = 5.0,
    release_time: float = 1e-3,
    cool_time: float = 1e-3,
    damping: float | None = None,
    search: bool = True,
    progress: Progress | None = None,
) -> Forecast:
    """Forecast the measurement of a pair's parameter by releases, or by its cooled spectrum.

    Parameters
    ----------
    trap : TrapArray
        Two particles with their light.
    efficiency : float
        η of the detection, 0 … 1.
    sample_rate : float
        Hz.
    parameter : str
        A parameter of a reheating fit in rad/s.
    significance : float
        Wanted value over standard error.
    release_time, cool_time : float
        Of a repetition, s.
    damping : float, optional
        Γ of the feedback, 1/s; that of the lowest occupation by default.
    search : bool
        Whether to look for the phase, distance and release time that need the least time.
    progress : callable, optional
        Called with the share that is done.

    Returns
    -------
    Forecast
        Repetitions, times and errors, the best setting, and what would spoil the result.

    Raises
    ------
    InputError
        For a trap that is no stable pair, an unknown parameter, or one that is predicted to be 0.

    References
    ----------
    physics.md §7 and §10.

    Examples
    --------
    >>> import optobind as ob
    >>> trap = ob.load_trap("simulated-pair")
    >>> plan = ob.forecast_reheating(trap, 0.3, 2e6, parameter="g_a", search=False)
    >>> plan.estimators["exact"].repetitions < plan.estimators["curves"].repetitions
    True
    """
    if not 0.0 < efficiency <= 1.0:
        raise InputError(f"efficiency must lie in 0 … 1, got {efficiency:g}")
    require_range("significance", significance, 0.1, 1e3)
    require_range("release_time", release_time, 20.0 / sample_rate, 10.0, "s")
    require_range("cool_time", cool_time, 0.0, 3600.0, "s")
    values, cooling = pair_values(trap, efficiency, damping)
    value = planned_value(values, parameter)
    wanted = abs(value) / significance
    counts = {
        time: _repetitions(exact_error(values, parameter, time, sample_rate), wanted)
        for time in (*_RELEASES, release_time)
    }
    errors = {
        "exact": exact_error(values, parameter, release_time, sample_rate),
        **reported_errors(values, parameter, release_time, sample_rate),
    }
    found = {
        name: _of_releases(error, wanted, release_time, cool_time)
        for name, error in errors.items()
        if math.isfinite(error)
    }
    error = spectrum_error(values, parameter, cooling, sample_rate)
    if math.isfinite(error):
        seconds = (error / wanted) ** 2
        found["cooled_spectrum"] = EstimatorForecast(None, None, seconds, wanted)
    best = None
    if search:
        wish = _Wish(efficiency, sample_rate, parameter, significance, cool_time, damping)
        best = _best(trap, wish, progress)
    return Forecast(
        parameter=parameter,
        value=value,
        significance=significance,
        estimators=found,
        best=best,
        requires=requirements_of(trap, values, parameter, efficiency, damping),
        cooling=cooling,
        releases=tuple(sorted((time, n) for time, n in counts.items() if n is not None)),
    )


def pair_values(
    trap: TrapArray, efficiency: float, damping: float | None
) -> tuple[dict[str, float], Cooling]:
    """Parameters of a reheating fit in quanta of its own scale, and the cooling before it."""
    constants = trap.pair_constants().constants
    values = fit_convention(constants, "m")
    recoil = fit_convention(replace(constants, gamma=(0.0, 0.0)), "m")
    values |= {f"noise_{j}": 1.0 / (4.0 * efficiency * recoil[f"D{j}{j}"]) for j in (1, 2)}
    cooling = Cooling.of(values, damping)
    values |= cooling.start(values)
    return values, cooling


def planned_value(values: dict[str, float], parameter: str) -> float:
    """Predicted value of a parameter that can be planned for.

    Raises
    ------
    InputError
        For an unknown parameter, or one that is predicted to be 0.
    """
    known = [n for n in values if PARAMETERS[n].unit("quanta") == "rad/s" and "gamma" not in n]
    if parameter not in known:
        raise InputError(f"{parameter!r} cannot be planned for; known: {', '.join(known)}")
    if values[parameter] == 0.0:
        raise InputError(f"{parameter} is predicted to be 0 at this light: nothing to find")
    return values[parameter]


def _repetitions(error: float, wanted: float) -> int | None:
    return math.ceil((error / wanted) ** 2) if math.isfinite(error) else None


def _of_releases(
    error: float, wanted: float, release_time: float, cool_time: float
) -> EstimatorForecast:
    count = max(math.ceil((error / wanted) ** 2), 1)
    seconds = count * (release_time + cool_time)
    return EstimatorForecast(count, release_time, seconds, error / math.sqrt(count))


def settings_around(trap: TrapArray) -> Iterator[tuple[float, float, TrapArray]]:
    """Phases around the circle and distances within half a wavelength of the trap's own."""
    first, second = trap.tweezers[:2]
    between = np.subtract(first.position, second.position)
    distance = float(np.linalg.norm(between))
    for change in np.linspace(-0.25, 0.25, _DISTANCES) * trap.wavelength:
        place = np.add(second.position, between * (1.0 + change / distance))
        for phi in np.linspace(-math.pi, math.pi, _PHASES, endpoint=False):
            moved = replace(
                first,
                position=(float(place[0]), float(place[1]), float(place[2])),
                phase=second.phase + float(phi),
            )
            tweezers = (moved, second, *trap.tweezers[2:])
            yield float(phi), distance + float(change), replace(trap, tweezers=tweezers)


@dataclass(frozen=True)
class _Wish:
    """What is to be measured, and how; see :func:`forecast_reheating`."""

    efficiency: float
    sample_rate: float
    parameter: str
    significance: float
    cool_time: float
    damping: float | None


def _best(trap: TrapArray, wish: _Wish, progress: Progress | None) -> WorkingPoint | None:
    """The setting that needs the least measuring time by the exact estimator."""
    found: list[WorkingPoint] = []
    for done, (phi, distance, moved) in enumerate(settings_around(trap)):
        if progress is not None:
            progress(done / (_PHASES * _DISTANCES))
        try:
            values, _ = pair_values(moved, wish.efficiency, wish.damping)
            growth = moved.pair_constants().constants.to_linear().growth_rate
        except OptobindError:
            continue
        for time in _RELEASES:
            value = abs(values[wish.parameter])
            if growth * time > _MOST_GROWTH or value == 0.0:
                continue
            error = exact_error(values, wish.parameter, time, wish.sample_rate)
            count = _repetitions(error, value / wish.significance)
            if count is not None:
                seconds = max(count, 1) * (time + wish.cool_time)
                found.append(WorkingPoint(phi, distance, time, seconds))
    return min(found, key=lambda point: point.measuring_time, default=None)


def requirements_of(
    trap: TrapArray,
    values: dict[str, float],
    parameter: str,
    efficiency: float,
    damping: float | None,
) -> Requirements:
    """Sizes of systematics that make up a tenth of the value."""
    value = abs(values[parameter])
    per_mixing = {
        "re_D12": values["D11"] + values["D22"],
        "g_a": abs(values["omega_2"] - values["omega_1"]),
    }.get(parameter, 0.0)
    turn = 1e-3
    first = trap.tweezers[0]
    moved = (replace(first, phase=first.phase + turn), *trap.tweezers[1:])
    there, _ = pair_values(replace(trap, tweezers=moved), efficiency, damping)
    slope = abs(there[parameter] - values[parameter]) / turn
    noise = _per_intensity_noise(trap, parameter)
    quadratic = bool(PARAMETERS[parameter].particles)
    return Requirements(
        cross_talk=_TENTH * value / per_mixing if per_mixing else math.inf,
        phase_drift=_TENTH * value / slope if slope else math.inf,
        calibration=0.5 * _TENTH if quadratic else math.inf,
        rin=_TENTH * value / noise if noise else math.inf,
    )


def _per_intensity_noise(trap: TrapArray, parameter: str) -> float:
    """|ΔD_jl| per density of differential intensity noise, 1/s per 1/Hz.

    Forces f_j = (∂F_j/∂ε) ε of white ε with one-sided density S have ⟨f_j f_l⟩ = ½S ∂F_j ∂F_l δ,
    and 2D_jl = ⟨p_j p_l⟩' = ½S ∂F_j ∂F_l/(ħω √(m_j m_l)).
    """
    particles = PARAMETERS[parameter].particles
    if PARAMETERS[parameter].kind != "diffusion":
        return 0.0
    places, change = trap.equilibrium(), 1e-4

    def forces(sign: float) -> NDArray[np.float64]:
        shares = (1.0 + 0.5 * sign * change, 1.0 - 0.5 * sign * change)
        moved = tuple(
            replace(tweezer, power=tweezer.power * share)
            for tweezer, share in zip(trap.tweezers[:2], shares, strict=True)
        )
        light = replace(trap, tweezers=(*moved, *trap.tweezers[2:]))
        return np.asarray(light.forces(places))[:, 2]

    slope = (forces(1.0) - forces(-1.0)) / (2.0 * change)
    pair = trap.pair_constants()
    one, two = particles
    mass = math.sqrt(pair.masses[one] * pair.masses[two])
    return abs(float(slope[one] * slope[two])) / (4.0 * HBAR * pair.constants.omega * mass)
