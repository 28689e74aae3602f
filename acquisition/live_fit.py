"""What live fits are asked and answer; :mod:`.fit_process` does them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..models.errors import InputError, OptobindError
from ..models.inference.reheating.estimate import ReheatingEstimate
from ..models.inference.result import FitResult
from ..models.reprs import short_repr
from ..models.spectra import CsdEstimate

if TYPE_CHECKING:  # lmfit takes seconds to load; only the worker needs it
    import lmfit

__all__ = [
    "FitSettings",
    "FitTask",
    "FittedCurve",
    "Probe",
    "fit_reheating_curves",
    "fit_spectrum",
    "segment_of",
]

_BAD_FIT = 1e-4  # p-value below which the next fit searches anew


@dataclass(frozen=True)
class FitSettings:
    """What the live fit does: model, band (Hz), which parameters vary, and values of the others.

    ``held`` is in the unit of the spectrum; ``exclude`` are ranges (Hz) that are left out.
    """

    model: str = "pair"
    band: tuple[float, float] | None = None
    vary: Mapping[str, bool] = field(default_factory=dict)
    held: Mapping[str, float] = field(default_factory=dict)
    exclude: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class FitTask:
    """A spectrum to fit.

    Attributes
    ----------
    csd : CsdEstimate
        Unit "m" or "V".
    settings : FitSettings
        What to do.
    masses : tuple of float or None
        kg; turn a record in m into quanta.
    warm : FittedCurve or None
        Last good fit of the same light: the search starts, and stays, at its optimum and band.
    """

    csd: CsdEstimate
    settings: FitSettings
    masses: tuple[float, ...] | None
    warm: FittedCurve | None = None


@dataclass(frozen=True)
class FittedCurve:
    """A fit and the expected CSD on its band.

    Attributes
    ----------
    result : FitResult or None
        In quanta when masses are known; None when there is no fit.
    frequencies : ndarray, shape (n,)
        Hz.
    curve : ndarray, shape (n, c, c), or None
        unit²/Hz of the spectrum that was fitted.
    error : str
        Why there is no fit.
    optimum : mapping
        Parameters in the unit of the spectrum.
    band : (float, float) or None
        Hz.
    """

    result: FitResult | None
    frequencies: NDArray[np.float64]
    curve: NDArray[np.complex128] | None
    error: str = ""
    optimum: Mapping[str, float] = field(default_factory=dict)
    band: tuple[float, float] | None = None

    __repr__ = short_repr

    @property
    def converged(self) -> bool:
        """Whether the next fit may start from this one."""
        return self.result is not None and self.result.converged

    @property
    def good(self) -> bool:
        """Whether the model describes the data."""
        if self.result is None:
            return False
        p_value = self.result.statistics.get("p_value")
        return p_value is None or p_value > _BAD_FIT


@dataclass(frozen=True)
class Probe:
    """Samples of which the segment is chosen.

    Attributes
    ----------
    samples : ndarray, shape (n, channels)
        Unbroken, in counts or V.
    sample_rate : float
        Hz.
    band : (float, float) or None
        Hz; lines are looked for here only.
    """

    samples: NDArray[Any]
    sample_rate: float
    band: tuple[float, float] | None

    __repr__ = short_repr


def segment_of(probe: Probe) -> int | None:
    """Samples per segment that resolve the lines of a probe; None if it holds unusable samples.

    A band without a bin of the probe does not count: the fit will say so.
    """
    from ..models.inference.spectral.choose import choose_segment

    for band in dict.fromkeys((probe.band, None)):
        try:
            return choose_segment(probe.samples, probe.sample_rate, band)
        except InputError:
            continue
    return None


def fit_spectrum(task: FitTask) -> FittedCurve:
    """Fit one spectrum; a fault of the data becomes the curve's ``error``."""
    try:
        return _fit_spectrum(task)
    except OptobindError as error:
        return FittedCurve(None, np.zeros(0), None, str(error))


def _fit_spectrum(task: FitTask) -> FittedCurve:
    from ..models.inference.convention import in_quanta
    from ..models.inference.spectral.choose import choose_band
    from ..models.inference.spectral.fits import expected_csd, fit_pair, fit_single

    settings, warm = task.settings, task.warm
    pair = settings.model == "pair"
    csd = task.csd if pair else task.csd.select((0,))
    for excluded in settings.exclude:
        csd = csd.without(*excluded)
    masses = None
    if pair and csd.unit == "m" and task.masses is not None and len(task.masses) == 2:
        masses = (task.masses[0], task.masses[1])
    band = settings.band or (warm.band if warm is not None else None) or choose_band(csd)
    cut = csd.band(*band)
    params = _held(task, cut, pair)
    if pair:
        start = None if warm is None or params is not None else warm.optimum
        result = fit_pair(cut, params=params, masses=masses, start=start)
    else:
        result = fit_single(cut, params=params)
    curve = expected_csd(cut, result, masses=masses)
    optimum = {name: p.value for name, p in result.parameters.items()}
    if csd.unit == "m" and task.masses is not None:
        result = in_quanta(result, task.masses if pair else task.masses[:1])
    return FittedCurve(result, cut.frequencies, curve, optimum=optimum, band=band)


def _held(task: FitTask, cut: CsdEstimate, pair: bool) -> lmfit.Parameters | None:
    """Parameters when some are held, at their values of then; None when all vary."""
    from ..models.inference.spectral.problem import pair_parameters, single_parameters

    held = [name for name, vary in task.settings.vary.items() if not vary]
    if not held:
        return None
    params = pair_parameters(cut) if pair else single_parameters(cut)
    start = dict(task.warm.optimum) if task.warm is not None else {}
    for name, value in {**start, **task.settings.held}.items():
        if name in params:
            params[name].value = value
    for name in held:
        if name in params:
            params[name].vary = False
    return params


def fit_reheating_curves(estimate: ReheatingEstimate) -> tuple[FitResult | None, str]:
    """Fit releases by their transitions; a user's or data's fault becomes the text.

    Averages are kept of a running measurement, not its samples: the transitions are the best that
    they hold, with 1.2 to 1.5 times the error of the exact likelihood of the file.
    """
    from ..models.inference.reheating.fits import fit_reheating

    try:
        return fit_reheating(estimate, estimator="transitions"), ""
    except OptobindError as error:
        return None, str(error)
