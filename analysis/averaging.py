"""Averaged spectra of what is sound of a record's steady stretches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..acquisition.csd import MIN_SEGMENT, CsdEstimator
from ..acquisition.records.record import Record
from ..models.errors import InputError
from ..models.inference.spectral.choose import choose_segment
from ..models.spectra import CsdEstimate
from .choice import Progress
from .detection import Ranges, notched
from .survey import SteadySurvey, without_stretches

__all__ = ["average_spectra", "plain_csd", "probe_of", "sound_csd"]

# The segment is chosen from so many samples at most: lines show in less.
_PROBE_SAMPLES = 1 << 22
# Looks at a record: what is held or copied, then what the line does, each left out before the next.
_MOST_PASSES = 3


def sound_csd(
    record: Record,
    columns: tuple[int, ...],
    segment: int | None,
    band: tuple[float, float] | None,
    exclude: Ranges,
    progress: Progress | None,
) -> tuple[CsdEstimate, Record, tuple[str, ...]]:
    """Average what is sound of a record; the rest is left out, and said."""
    left_out: tuple[str, ...] = ()
    for _ in range(_MOST_PASSES):
        size = _segment(record, columns, segment, band, exclude)
        probe = probe_of(record, columns)
        survey = SteadySurvey(record, columns, probe, size, band, exclude)
        del probe
        csd = _estimate_csd(record, columns, size, survey, progress)
        bad, why, said = survey.result()
        if not len(bad):
            return csd, record, (*left_out, *said)
        left_out += why
        record = without_stretches(record, bad, left_out)
    size = _segment(record, columns, segment, band, exclude)
    return _estimate_csd(record, columns, size, None, progress), record, left_out


def average_spectra(record: Record, channels: Sequence[int] | None = None) -> CsdEstimate:
    """Average the spectra of what is sound of a record, without a fit.

    Parameters
    ----------
    record : Record
        From :func:`optobind.open_record`.
    channels : sequence of int, optional
        Columns; out-of-loop detectors by default.
    """
    columns = record.check_columns(record.usual if channels is None else channels)
    return sound_csd(record, columns, None, None, (), None)[0]


def plain_csd(record: Record, columns: tuple[int, ...], segment: int) -> CsdEstimate:
    """Average the steady stretches as they are: nothing is looked for, nothing left out."""
    return _estimate_csd(record, columns, segment, None, None)


def probe_of(record: Record, columns: tuple[int, ...]) -> NDArray[np.float64]:
    """Samples in the unit of the record, from which lines are read."""
    ranges = record.steady()
    start, stop = ranges[int(np.argmax(ranges.lengths))]
    return record.read(start, min(stop, start + _PROBE_SAMPLES), columns)


def _segment(
    record: Record,
    columns: tuple[int, ...],
    segment: int | None,
    band: tuple[float, float] | None,
    exclude: Ranges,
) -> int:
    """Samples of a segment, chosen if it is not given."""
    if segment is None:
        probe = notched(probe_of(record, columns), record.sample_rate, exclude)
        return choose_segment(probe, record.sample_rate, band)
    if segment < MIN_SEGMENT:
        raise InputError(f"segment must be at least {MIN_SEGMENT} samples, got {segment}")
    if segment > (longest := record.longest()):
        # Asked before the estimator makes room for such a segment.
        raise InputError(
            f"too few samples: a segment of {segment} is longer than the longest steady stretch "
            f"of {record.path}, {longest} samples"
        )
    return segment


def _estimate_csd(
    record: Record,
    columns: tuple[int, ...],
    segment: int,
    survey: SteadySurvey | None,
    progress: Progress | None,
) -> CsdEstimate:
    """Average over all steady stretches, block by block."""
    total = record.steady().samples
    estimator = CsdEstimator(
        len(columns),
        segment,
        record.sample_rate,
        scale=record.scale[list(columns)],
        unit=record.unit,
    )
    done = 0
    for block in record.steady_blocks(columns):
        estimator.add(block)
        if survey is not None:
            survey.add(block)
        done += len(block.samples)
        if progress is not None:
            progress(done / total)
    if estimator.rejected:
        raise InputError(
            f"{record.path}: samples must be finite, {estimator.rejected} segments hold NaN or "
            "infinity"
        )
    return estimator.estimate()
