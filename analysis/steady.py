"""The exact fit of a record's steady stretches: its Fourier coefficients, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..acquisition.ranges import Ranges as Stretched
from ..acquisition.records.record import Record
from ..models.inference.result import FitResult
from ..models.inference.steady.fits import fit_steady
from ..models.inference.steady.transform import Stretches, band_coefficients, stretches_of
from ..models.lowpass import unfiltered
from .choice import Progress
from .detection import Ranges, detection_of, lowpass_of

__all__ = ["exact_spectrum", "is_narrow", "steady_coefficients"]

_ROWS = 1 << 16
# Bins within a line below which averaged spectra understate errors of gamma and D.
_RESOLVED = 1.5
# Stretches a gap apart that a line forgets less than this share of are not independent.
_FORGOTTEN = 3.0
# Share of the progress that the Fourier coefficients take.
_TRANSFORMED = 0.25


def is_narrow(result: FitResult, bin_width: float) -> bool:
    """Whether a fitted line is narrower than 1.5 bins of its spectrum."""
    widths = [p.value for name, p in result.parameters.items() if name.startswith("gamma")]
    return min(widths) < 2.0 * np.pi * _RESOLVED * bin_width


def steady_coefficients(
    record: Record,
    columns: tuple[int, ...],
    band: tuple[float, float],
    exclude: Ranges = (),
    progress: Progress | None = None,
    ranges: Stretched | None = None,
) -> list[Stretches]:
    """Fourier coefficients of a band of every steady stretch, in the unit of the record.

    Parameters
    ----------
    record : Record
        Known low-passes of its channels are taken off.
    columns : tuple of int
        Columns to read.
    band : (float, float)
        Hz.
    exclude : sequence of (float, float)
        Ranges that are left out, Hz.
    progress : callable, optional
        Called with the share of the samples that are done, 0 … 1.
    ranges : Ranges, optional
        Stretches that are transformed; all steady ones by default.

    Raises
    ------
    InputError
        If the band holds no coefficient, or too many for an exact fit.
    """
    keeps = lowpass_of(record, columns)
    lost = 0 if keeps is None else 1
    ranges = record.steady() if ranges is None else ranges
    chosen = stretches_of(ranges.lengths - lost, record.sample_rate, band, exclude)
    scale = record.scale[list(columns)]
    found: dict[int, tuple[NDArray[np.int64], list[NDArray[np.complex128]]]] = {}
    done, total = 0, max(sum(length for length, _, _ in chosen), 1)
    with record.source.held():
        for (start, _), (length, bins, kept) in zip(ranges, chosen, strict=True):
            if not kept.any():
                continue
            blocks = _samples(record, columns, start, start + length + lost, scale, keeps)
            values = band_coefficients(blocks, length, bins)[kept]
            found.setdefault(length, (bins[kept], []))[1].append(values)
            done += length
            if progress is not None:
                progress(done / total)
    return [Stretches(n, bins, np.stack(rows)) for n, (bins, rows) in found.items()]


def _samples(
    record: Record,
    columns: Sequence[int],
    start: int,
    stop: int,
    scale: NDArray[np.float64],
    keeps: NDArray[np.float64] | None,
) -> Iterator[NDArray[np.float64]]:
    """Samples of a stretch in the unit of the record, known low-passes taken off."""
    last: NDArray[Any] | None = None
    for low in range(start, stop, _ROWS):
        block = record.source.counts(low, min(stop, low + _ROWS), columns) * scale
        if keeps is None:
            yield block
            continue
        yield unfiltered(block if last is None else np.concatenate([last, block]), keeps)
        last = block[-1:]


def exact_spectrum(
    record: Record,
    columns: tuple[int, ...],
    band: tuple[float, float],
    start: FitResult,
    *,
    exclude: Ranges = (),
    delay: float | None = None,
    mixing: tuple[float, float] | None = None,
    masses: tuple[float, ...] | None = None,
    priors: Mapping[str, tuple[float, float]] | None = None,
    progress: Progress | None = None,
) -> FitResult:
    """Fit the steady stretches of a record by their exact likelihood.

    Parameters
    ----------
    record : Record
        In the unit of the result.
    columns : tuple of int
        One or two, as the model of ``start`` has.
    band : (float, float)
        Hz.
    start : FitResult
        Of averaged spectra, in the same unit.
    exclude, delay, mixing, priors, progress
        As for ``analyse_spectrum``.
    masses : tuple of float, optional
        kg, for a record in m.

    Raises
    ------
    InputError
        For a band with too few or too many coefficients, or a delay of a sample and more.
    """
    known = detection_of(record, columns, delay, mixing)

    def part(first: float, last: float) -> Progress | None:
        return None if progress is None else lambda s: progress(first + (last - first) * s)

    data = steady_coefficients(record, columns, band, exclude, part(0.0, _TRANSFORMED))
    model: Literal["single", "pair"] = "pair" if len(columns) == 2 else "single"
    ratio = masses[1] / masses[0] if masses is not None and len(masses) == 2 else None
    result = fit_steady(
        data, record.sample_rate, model, start, detection=known, priors=priors,
        mass_ratio=ratio, unit=record.unit, progress=part(_TRANSFORMED, 1.0),
    )  # fmt: skip
    if progress is not None:
        progress(1.0)
    return replace(result, warnings=(*result.warnings, *_dependent(result, record)))


def _dependent(result: FitResult, record: Record) -> tuple[str, ...]:
    """Warn of stretches that follow each other faster than a line forgets."""
    ranges = record.steady()
    if len(ranges) < 2:
        return ()
    gaps = (ranges.starts[1:] - ranges.stops[:-1]) / record.sample_rate
    slowest = min(p.value for name, p in result.parameters.items() if name.startswith("gamma"))
    near = int(np.sum(0.5 * slowest * np.maximum(gaps, 0.0) < _FORGOTTEN))
    longest = float(ranges.lengths.max()) / record.sample_rate
    if not near or 0.5 * slowest * longest > 100.0:  # ends do not count in long stretches
        return ()
    return (
        f"{near} of {len(ranges) - 1} gaps of this record are shorter than its motion remembers "
        f"({2.0 * _FORGOTTEN / slowest:.2g} s): the stretches are not independent of each other, "
        "the errors of gamma and D are too small; fit one stretch, or record without gaps",
    )
