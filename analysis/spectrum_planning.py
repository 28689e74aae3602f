"""Plans of spectra: how long a cooled pair must be recorded for a significance."""

from __future__ import annotations

import math

from ..models.array import TrapArray
from ..models.errors import InputError, OptobindError
from ..models.inference.planning.forecast import Cooling, spectrum_error, steady_error
from ..models.ranges import require_range
from .choice import Progress
from .planning import (
    EstimatorForecast,
    Forecast,
    WorkingPoint,
    pair_values,
    planned_value,
    requirements_of,
    settings_around,
)

__all__ = ["forecast_spectrum"]

_ESTIMATORS = {"wishart": spectrum_error, "exact": steady_error}


def forecast_spectrum(
    trap: TrapArray,
    efficiency: float,
    sample_rate: float,
    *,
    parameter: str = "re_D12",
    significance: float = 5.0,
    damping: float | None = None,
    search: bool = True,
    progress: Progress | None = None,
) -> Forecast:
    """Forecast the measurement of a pair's parameter by spectra with feedback on.

    Feedback is cold damping by independent loops, whose force noise adds to D_jj; detectors are
    those out of the loop. Errors follow from Fisher information, of averaged spectra ("wishart")
    and of the Fourier coefficients of the whole record ("exact"), and fall with the root of time.

    Parameters
    ----------
    trap : TrapArray
        Two particles with their light.
    efficiency : float
        η of the detection, 0 … 1.
    sample_rate : float
        Hz.
    parameter : str
        A parameter of a pair fit in rad/s.
    significance : float
        Wanted value over standard error.
    damping : float, optional
        Γ of the feedback, 1/s; that of the lowest occupation by default.
    search : bool
        Whether to look for the phase and distance that need the least time.
    progress : callable, optional
        Called with the share that is done.

    Returns
    -------
    Forecast
        ``release_time`` and ``repetitions`` are None, ``releases`` is empty.

    Raises
    ------
    InputError
        For a pair that feedback does not hold, an unknown parameter, or one predicted to be 0.

    References
    ----------
    physics.md §6 and §10.

    Examples
    --------
    >>> import optobind as ob
    >>> trap = ob.load_trap("simulated-pair")
    >>> plan = ob.forecast_spectrum(trap, 0.3, 2e6, damping=6283.0, search=False)
    >>> 0.05 < plan.estimators["wishart"].measuring_time < 0.3
    True
    """
    if not 0.0 < efficiency <= 1.0:
        raise InputError(f"efficiency must lie in 0 … 1, got {efficiency:g}")
    require_range("significance", significance, 0.1, 1e3)
    values, cooling = pair_values(trap, efficiency, damping)
    value = planned_value(_fitted(values, cooling), parameter)
    wanted = abs(value) / significance
    errors = {
        name: error(values, parameter, cooling, sample_rate) for name, error in _ESTIMATORS.items()
    }
    found = {
        name: EstimatorForecast(None, None, (error / wanted) ** 2, wanted)
        for name, error in errors.items()
        if math.isfinite(error)
    }
    if not found:
        raise InputError(
            "feedback does not hold this pair: it is unstable while it is cooled; choose another "
            "phase, or more damping"
        )

    def time_at(moved: TrapArray) -> float:
        there, cooled = pair_values(moved, efficiency, damping)
        size = abs(_fitted(there, cooled)[parameter])
        error = spectrum_error(there, parameter, cooled, sample_rate)
        return (significance * error / size) ** 2 if size else math.inf

    best: list[WorkingPoint] = []
    settings = list(settings_around(trap)) if search else []
    for done, (phi, distance, moved) in enumerate(settings):
        if progress is not None:
            progress(done / len(settings))
        try:
            seconds = time_at(moved)
        except OptobindError:
            continue
        if math.isfinite(seconds):
            best.append(WorkingPoint(phi, distance, None, seconds))
    return Forecast(
        parameter=parameter,
        value=value,
        significance=significance,
        estimators=found,
        best=min(best, key=lambda point: point.measuring_time, default=None),
        requires=requirements_of(trap, values, parameter, efficiency, damping),
        cooling=cooling,
    )


def _fitted(values: dict[str, float], cooling: Cooling) -> dict[str, float]:
    """Parameters as a fit of the cooled pair finds them: D_jj with the noise of the loops."""
    cooled = cooling.cooled(values)
    return {name: cooled[name] for name in cooled if name in values}
