"""From the releases of a record to reheating curves and their fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..acquisition.records.record import Record
from ..models.constants import HBAR
from ..models.errors import InputError
from ..models.inference.convention import on_own_scale, own_scale
from ..models.inference.reheating.estimate import (
    MIN_REPETITIONS,
    ReheatingAccumulator,
    ReheatingEstimate,
)
from ..models.inference.reheating.fits import reheating_estimators
from ..models.inference.reheating.samples import line_frequencies
from ..models.inference.result import FitResult
from .choice import Progress, check_band, with_input
from .quanta import rescaled_estimate

__all__ = ["ReheatingAnalysis", "analyse_reheating"]

# Five periods of at least four samples: no release that is shorter can be demodulated.
_MIN_RELEASE = 20
# The lines are looked for in about so many releases, spread over the record, and so many samples.
_PROBE_RELEASES = 200
_PROBE_SAMPLES = 1 << 20


@dataclass(frozen=True)
class ReheatingAnalysis:
    """Fitted releases: the windows in the unit of the results, and the result of each estimator.

    Attributes
    ----------
    estimate : ReheatingEstimate
        Averaged windows of all usable releases.
    estimators : mapping of str to FitResult
        "curves" and "transitions".

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> analysis = ob.analyse_reheating(record)
    >>> analysis.result is analysis.estimators["curves"]
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
        """Result of the default estimator, the averaged curves."""
        return self.estimators["curves"]


def analyse_reheating(
    record: Record,
    *,
    band: tuple[float, float] | None = None,
    release_index: int | None = None,
    channels: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> ReheatingAnalysis:
    """Average and fit the reheating curves of a record's releases, in bounded memory.

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
    progress : callable, optional
        Called with the share of the releases that were averaged, 0 … 1.

    Returns
    -------
    ReheatingAnalysis
        In quanta where the record is calibrated and the masses are known.

    Raises
    ------
    InputError
        For a plain record, other than two channels, too few repetitions, or a band without lines.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> analysis = ob.analyse_reheating(record)
    >>> sorted(analysis.estimators), analysis.result.parameters["D11"].unit
    (['curves', 'transitions'], 'rad/s')
    """
    check_band(band, record.sample_rate)
    if rate := record.provenance.get("phase_rate"):
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
    masses = record.masses_of(chosen) if record.unit == "m" else None
    unit, scale, factor = record.unit, 0.0, np.ones(2)
    if masses is not None:
        wanted = max(1, min(_PROBE_RELEASES, _PROBE_SAMPLES // length))
        probe = ranges[:: max(1, len(ranges) // wanted)]
        batches = record.released_batches(chosen, probe)
        samples = np.concatenate(list(batches))
        scale = float(np.mean(line_frequencies(samples, record.sample_rate, band)))
        factor = np.sqrt(np.array(masses) * scale / HBAR)
        unit = "quanta"
    accumulator = ReheatingAccumulator(record.sample_rate, band=band, unit=unit, keep=False)
    for batch in record.released_batches(chosen, ranges):
        batch *= factor
        done = accumulator.add(batch)
        if progress is not None:
            progress(done / len(ranges))
    estimate = accumulator.estimate()
    estimators = reheating_estimators(estimate)
    if masses is not None:
        estimate = rescaled_estimate(estimate, own_scale(estimators["curves"]) / scale)
        estimators = {name: on_own_scale(fit, scale) for name, fit in estimators.items()}
    complete = {
        name: _with_releases(with_input(fit, record, chosen), record)
        for name, fit in estimators.items()
    }
    return ReheatingAnalysis(estimate, complete)


def _with_releases(result: FitResult, record: Record) -> FitResult:
    """Say how many of the planned releases the fit rests on; warn where some are left out."""
    count = None if record.worth is None else record.worth.releases
    if count is None:
        return result
    said = (count.words(),) if count.left_out or count.not_made else ()
    return replace(
        result,
        warnings=(*result.warnings, *said),
        input={**result.input, "releases": count.to_dict(), "worth": count.words()},
    )
