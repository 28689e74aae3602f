"""From the releases of a record to reheating curves and their fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..acquisition.records.record import Record
from ..acquisition.release_setting import AS_SET
from ..models.errors import InputError, OptobindError
from ..models.inference.convention import on_own_scale, own_scale
from ..models.inference.exact.agreement import distance_p_value
from ..models.inference.exact.blocks import blocked
from ..models.inference.exact.fits import Known, fit_exact, samples_of
from ..models.inference.reheating.estimate import (
    ReheatingEstimate,
)
from ..models.inference.reheating.fits import reheating_estimators
from ..models.inference.reheating.single import single_estimators
from ..models.inference.result import FitResult
from .choice import Progress, check_band, with_input
from .detection import detection_of
from .gas_prior import fitted_with_gas, gas_prior
from .quanta import rescaled_estimate
from .release_average import average_releases, release_columns
from .releases import Releases

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ESTIMATORS", "Estimator", "ReheatingAnalysis", "analyse_reheating"]

# Shares of the work: averaging, then passes of the exact likelihood.
_AVERAGING = 0.3
_DOUBTFUL = 1e-3

Estimator = Literal["exact", "transitions", "curves"]
ESTIMATORS: tuple[Estimator, ...] = ("exact", "transitions", "curves")
"""Estimators by name, the default first."""


@dataclass(frozen=True)
class ReheatingAnalysis:
    """Fitted releases: the windows in the unit of the results, and the result of each estimator.

    Attributes
    ----------
    estimate : ReheatingEstimate
        Averaged windows of all usable releases.
    estimators : mapping of str to FitResult
        "exact", "transitions" and "curves", the chosen one first.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> analysis = ob.analyse_reheating(record)
    >>> analysis.result is analysis.estimators["exact"]
    True
    """

    estimate: ReheatingEstimate
    estimators: Mapping[str, FitResult]

    def __repr__(self) -> str:
        """Repetitions, estimators and the default result in one line."""
        count, names = self.estimate.repetitions, " and ".join(self.estimators)
        return f"<ReheatingAnalysis of {count} releases by {names}: {self.result!r}>"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return self.result._repr_html_()

    def to_dict(self) -> dict[str, Any]:
        """JSON values of the result."""
        return self.result.to_dict()

    def plot(self) -> list[Axes]:
        """Draw curves and fit, :func:`optobind.reheating_figure`; returns its axes."""
        from .figures.reheating import reheating_figure

        return reheating_figure(self.estimate, self.result).axes

    @property
    def result(self) -> FitResult:
        """Result of the chosen estimator."""
        return next(iter(self.estimators.values()))


def analyse_reheating(
    record: Record,
    *,
    band: tuple[float, float] | None = None,
    release_index: int | None = None,
    channels: Sequence[int] | None = None,
    estimator: Estimator = "exact",
    delay: float | None = None,
    mixing: tuple[float, float] | None = None,
    common_noise: bool = False,
    block: int | None = None,
    detection: Mapping[str, Known] | None = None,
    priors: Mapping[str, tuple[float, float]] | None = None,
    gamma_prior: bool = True,
    progress: Progress | None = None,
) -> ReheatingAnalysis:
    """Fit what happens after the releases of a record, by three estimators, in bounded memory.

    *Exact* is the likelihood of the raw samples, *transitions* that of averaging windows and their
    neighbours, *curves* the least squares fit of averaged curves. They know Re D_12 the better the
    earlier they stand in this list; what they do not agree on, a warning says.

    Parameters
    ----------
    record : Record
        From :func:`optobind.open_record`.
    band : (float, float), optional
        Where the lines lie, Hz; everything by default.
    release_index : int, optional
        Sample of the release within each repetition, for records that do not state it.
    channels : sequence of int, optional
        One column for one particle, two for a pair; out-of-loop detectors by default.
    estimator : {"exact", "transitions", "curves"}
        Whose result is that of the analysis.
    delay : float, optional
        By how much the second channel was sampled later than the first, s, at most a sample; by
        default what the record tells of its channels.
    mixing : (float, float), optional
        Known cross-talk of two detectors, T_12 and T_21 of y = Tz; the exact estimate takes it off.
    common_noise : bool
        Whether the exact estimate finds the common noise of the detectors, noise_12.
    block : int, optional
        Releases to a block with constants of its own, so that a drift of the phase between blocks
        does not matter to the exact estimate; see :func:`blocked`.
    detection : mapping, optional
        What the detectors add besides, for the exact estimator: ``noise_12``, ``mix_12``,
        ``mix_21``, ``delay_12`` to a value, a value with its standard error, or None where it is
        fitted.
    priors : mapping of str to (float, float), optional
        What the exact estimator knows from elsewhere: name to (value, standard error). Without
        blocks only: each of them would count it anew.
    gamma_prior : bool
        Whether the exact estimator takes damping by the gas for known, within its errors, where a
        run knows its pressure; where the data contradict it by three standard errors it is left
        out, and said. Not with blocks.
    progress : callable, optional
        Called with the share of the work that is done, 0 … 1.

    Returns
    -------
    ReheatingAnalysis
        In quanta where the record is calibrated and the masses are known.

    Raises
    ------
    InputError
        For a plain record, other than one or two channels, too few repetitions, a band without
        lines or an unknown estimator.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> analysis = ob.analyse_reheating(record)
    >>> sorted(analysis.estimators), analysis.result.parameters["D11"].unit
    (['curves', 'exact', 'transitions'], 'rad/s')
    """
    if estimator not in ESTIMATORS:
        raise InputError(f"unknown estimator {estimator!r}; known: {', '.join(ESTIMATORS)}")
    if priors and block is not None:
        raise InputError("priors and block: each block would count the priors anew, leave one out")
    check_band(band, record.sample_rate)
    if rate := max((one.phase_rate for one in record.settings), default=0.0):
        raise InputError(
            f"φ turns {rate:g} times a second in the releases of {record.path}: a fit of static "
            "couplings does not describe them; read them with record.releases()"
        )
    chosen = release_columns(record, channels)
    known = {**_detection(record, chosen, delay, mixing, common_noise), **(detection or {})}
    averaged = average_releases(
        record,
        band=band,
        release_index=release_index,
        channels=chosen,
        delay=delay,
        progress=None if progress is None else lambda share: progress(_AVERAGING * share),
    )
    releases, factor, scale = averaged.releases, averaged.factor, averaged.scale
    estimate, unit = averaged.estimate, averaged.unit
    found = reheating_estimators(estimate) if len(chosen) == 2 else single_estimators(estimate)
    task = _Exact(releases, factor, unit, known, block, found["transitions"], progress)
    gas = gas_prior(record, chosen, "releases") if gamma_prior and block is None else None
    exact: FitResult | None
    try:
        exact = fitted_with_gas(gas, priors, task.fit)
    except OptobindError:
        if estimator == "exact":
            raise
        exact = None
    found = {"exact": exact, **found} if exact is not None else found
    if unit == "quanta" and scale:
        estimate = rescaled_estimate(estimate, own_scale(found[estimator]) / scale)
        found = {name: on_own_scale(fit, scale) for name, fit in found.items()}
    names = [estimator, *(name for name in ESTIMATORS if name in found and name != estimator)]
    complete: dict[str, FitResult] = {}
    for name in names:
        fit = _with_releases(with_input(found[name], record, chosen), record)
        complete[name] = replace(fit, warnings=(*averaged.said, *fit.warnings))
    return ReheatingAnalysis(estimate, complete)


def _detection(
    record: Record,
    columns: tuple[int, ...],
    delay: float | None,
    mixing: tuple[float, float] | None,
    common_noise: bool,
) -> dict[str, Known]:
    """What the exact estimate is told of the detectors."""
    found = detection_of(record, columns, delay, mixing)
    if common_noise:
        if len(columns) != 2:
            raise InputError("common noise is between two channels, one is fitted")
        found["noise_12"] = None
    return found


@dataclass(frozen=True)
class _Exact:
    """The exact fit of releases, begun where the transitions end."""

    releases: Releases
    factor: NDArray[np.float64]
    unit: str
    detection: Mapping[str, Known]
    block: int | None
    start: FitResult
    progress: Progress | None

    def _later(self, share: float) -> None:
        if self.progress is not None:
            self.progress(_AVERAGING + (1.0 - _AVERAGING) * share)

    def fit(self, priors: Mapping[str, tuple[float, float]] | None) -> FitResult:
        """Fit with what is known of parameters."""
        model: Literal["single", "pair"] = "pair" if len(self.releases.columns) == 2 else "single"
        rate = self.releases.record.sample_rate
        fit = fit_exact(
            samples_of(self.releases, self.factor), rate, model, self.start,
            detection=self.detection, unit=self.unit, priors=priors, progress=self._later,
        )  # fmt: skip
        if self.block is not None:
            fit = blocked(self.releases, self.factor, rate, fit, self.block, self.detection)
        return _compared(fit, self.start)


def _compared(fit: FitResult, start: FitResult) -> FitResult:
    """Add how far the exact estimate lies from the transitions."""
    agreement = distance_p_value(fit, start)
    said = (
        ()
        if agreement is None or agreement > _DOUBTFUL
        else (
            f"the samples and the motion from window to window disagree (p = {agreement:.2g}): a "
            "filter, delay or noise of the detectors, jitter of a frequency or drift between "
            "repetitions; see what the innovations say",
        )
    )
    return replace(
        fit,
        statistics={**fit.statistics, "agreement_p_value": agreement},
        warnings=(*fit.warnings, *said),
    )


def _with_releases(result: FitResult, record: Record) -> FitResult:
    """Say in which light, and how many of the planned releases the fit rests on."""
    light = [one for one in record.settings if one != AS_SET]
    for setting in light:
        result = replace(result, input={**result.input, "light": setting.words()})
        if setting.power != 1.0:
            said = f"released in other light than was set ({setting.words()}): the constants are "
            result = replace(result, warnings=(*result.warnings, said + "those of that power"))
    count = None if record.worth is None else record.worth.releases
    if count is None:
        return result
    left_out = (count.words(),) if count.left_out or count.not_made else ()
    return replace(
        result,
        warnings=(*result.warnings, *left_out),
        input={**result.input, "releases": count.to_dict(), "worth": count.words()},
    )
