"""From the releases of a record to reheating curves and their fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..acquisition.records.record import Ranges, Record
from ..acquisition.release_setting import AS_SET
from ..models.constants import HBAR
from ..models.errors import InputError, OptobindError
from ..models.inference.convention import on_own_scale, own_scale
from ..models.inference.exact.agreement import distance_p_value
from ..models.inference.exact.fits import fit_exact, samples_of
from ..models.inference.reheating.estimate import (
    MIN_REPETITIONS,
    ReheatingAccumulator,
    ReheatingEstimate,
)
from ..models.inference.reheating.fits import reheating_estimators
from ..models.inference.reheating.samples import line_frequencies
from ..models.inference.result import FitResult
from ..models.soundness import SampleWatch
from .choice import Progress, check_band, with_input
from .quanta import rescaled_estimate

__all__ = ["ESTIMATORS", "Estimator", "ReheatingAnalysis", "analyse_reheating"]

# Five periods of at least four samples: no release that is shorter can be demodulated.
_MIN_RELEASE = 20
# The lines are looked for in about so many releases, spread over the record, and so many samples.
_PROBE_RELEASES = 200
_PROBE_SAMPLES = 1 << 20
# Samples of all channels that are kept in memory (128 MB) instead of being read for every pass.
_KEPT = 1 << 25
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
        Two columns; out-of-loop detectors by default.
    estimator : {"exact", "transitions", "curves"}
        Whose result is that of the analysis.
    progress : callable, optional
        Called with the share of the work that is done, 0 … 1.

    Returns
    -------
    ReheatingAnalysis
        In quanta where the record is calibrated and the masses are known.

    Raises
    ------
    InputError
        For a plain record, other than two channels, too few repetitions, a band without lines or an
        unknown estimator.

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
    check_band(band, record.sample_rate)
    ranges, chosen = _released(record, release_index, channels)
    masses = record.masses_of(chosen) if record.unit == "m" else None
    unit, scale, factor = record.unit, 0.0, np.ones(2)
    if masses is not None:
        scale = _probed_scale(record, chosen, ranges, band)
        factor = np.sqrt(np.array(masses) * scale / HBAR)
        unit = "quanta"
    accumulator = ReheatingAccumulator(record.sample_rate, band=band, unit=unit, keep=False)
    releases = _Releases(record, chosen, ranges)
    watch = SampleWatch([record.names[column] for column in chosen])
    for batch in releases:
        done = accumulator.add(batch * factor)
        watch.add(batch)
        if progress is not None:
            progress(_AVERAGING * done / len(ranges))
    estimate = accumulator.estimate()
    found = reheating_estimators(estimate)
    exact = _exact(releases, factor, unit, found["transitions"], estimator, progress)
    found = {"exact": exact, **found} if exact is not None else found
    if masses is not None:
        estimate = rescaled_estimate(estimate, own_scale(found[estimator]) / scale)
        found = {name: on_own_scale(fit, scale) for name, fit in found.items()}
    names = [estimator, *(name for name in ESTIMATORS if name in found and name != estimator)]
    said = watch.findings()
    complete: dict[str, FitResult] = {}
    for name in names:
        fit = _with_releases(with_input(found[name], record, chosen), record)
        complete[name] = replace(fit, warnings=(*said, *fit.warnings))
    return ReheatingAnalysis(estimate, complete)


def _released(
    record: Record, release_index: int | None, channels: Sequence[int] | None
) -> tuple[Ranges, tuple[int, ...]]:
    """Releases and the two columns to fit; refuses what no fit of static couplings describes."""
    if rate := max((one.phase_rate for one in record.settings), default=0.0):
        raise InputError(
            f"φ turns {rate:g} times a second in the releases of {record.path}: a fit of static "
            "couplings does not describe them; read them with record.releases()"
        )
    ranges = record.releases(release_index)
    chosen = record.check_columns(record.usual if channels is None else channels)
    if len(chosen) != 2:
        raise InputError(
            f"a reheating fit needs 2 channels, {record.path} offers {len(chosen)}: "
            f"{', '.join(record.names[c] for c in chosen) or 'none'}; choose them with --channels"
        )
    if (length := ranges[0][1] - ranges[0][0]) < _MIN_RELEASE:
        raise InputError(
            f"{record.path} holds {length} sample{'s' if length > 1 else ''} after the release, "
            f"at least {_MIN_RELEASE} are needed"
        )
    if len(ranges) < MIN_REPETITIONS:
        raise InputError(
            f"too few repetitions: {len(ranges)}, at least {MIN_REPETITIONS} are needed"
        )
    return ranges, chosen


def _probed_scale(
    record: Record, chosen: Sequence[int], ranges: Ranges, band: tuple[float, float] | None
) -> float:
    """Mean frequency of the lines in some of the releases, rad/s: the scale of first quanta."""
    length = ranges[0][1] - ranges[0][0]
    wanted = max(1, min(_PROBE_RELEASES, _PROBE_SAMPLES // length))
    probe = ranges[:: max(1, len(ranges) // wanted)]
    samples = np.concatenate(list(record.released_batches(chosen, probe)))
    return float(np.mean(line_frequencies(samples, record.sample_rate, band)))


@dataclass
class _Releases:
    """Releases in the unit of the record, (m, n, columns) a batch; small records are kept."""

    record: Record
    columns: tuple[int, ...]
    ranges: Ranges
    kept: list[NDArray[np.float32]] = field(default_factory=list)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        if self.kept:
            yield from self.kept
            return
        small = self.ranges.samples * len(self.columns) <= _KEPT
        read = []
        for batch in self.record.released_batches(self.columns, self.ranges):
            if small:
                read.append(batch.astype(np.float32))
            yield batch
        self.kept = read


def _exact(
    releases: _Releases,
    factor: NDArray[np.float64],
    unit: str,
    start: FitResult,
    estimator: Estimator,
    progress: Progress | None,
) -> FitResult | None:
    """Exact fit, begun where the transitions end; None where it fails and is not asked for."""

    def later(share: float) -> None:
        if progress is not None:
            progress(_AVERAGING + (1.0 - _AVERAGING) * share)

    try:
        samples = samples_of(releases, factor)
        rate = releases.record.sample_rate
        fit = fit_exact(samples, rate, "pair", start, unit=unit, progress=later)
    except OptobindError:
        if estimator == "exact":
            raise
        return None
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
