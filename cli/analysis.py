"""From a recorded file to a fit: record → spectra or curves → FitResult.

Used by the ``fit`` commands, the demo, the report and offline views.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..acquisition.csd import CsdEstimator
from ..models.blocks import Block
from ..models.constants import HBAR
from ..models.errors import InputError
from ..models.inference.convention import in_quanta, on_own_scale, own_scale
from ..models.inference.reheating.estimate import (
    ReheatingEstimate,
    estimate_reheating,
)
from ..models.inference.reheating.fits import reheating_estimators
from ..models.inference.reheating.samples import line_frequencies
from ..models.inference.result import FitResult
from ..models.inference.spectral.choose import choose_band, choose_segment
from ..models.inference.spectral.fits import fit_pair, fit_single
from ..models.spectra import CsdEstimate
from .records import Record

__all__ = ["ReheatingAnalysis", "SpectrumAnalysis", "analyse_reheating", "analyse_spectrum"]

# The segment is chosen from so many samples at most: lines show in less.
_PROBE_SAMPLES = 1 << 22
_BLOCK_ROWS = 1 << 16
# A band narrower than this many of the record's finest bins may hold none of a shorter segment's.
_PROBE_BINS = 64.0
# One segment alone is fitted when a line is narrower than its bins, as in high vacuum; of a record
# shorter than this it says nothing that is worth an error bar.
_SHORTEST_ALONE = 4096
# Five periods of at least four samples: no release that is shorter can be demodulated.
_MIN_RELEASE = 20


@dataclass(frozen=True)
class SpectrumAnalysis:
    """A fitted spectrum: the whole estimate in the unit of the result, and the result."""

    csd: CsdEstimate
    result: FitResult


@dataclass(frozen=True)
class ReheatingAnalysis:
    """Fitted releases: the windows in the unit of the results, and the result of each estimator."""

    estimate: ReheatingEstimate
    estimators: Mapping[str, FitResult]

    @property
    def result(self) -> FitResult:
        """Result of the default estimator, the averaged curves."""
        return self.estimators["curves"]


def analyse_spectrum(
    record: Record,
    *,
    model: Literal["single", "pair"] | None = None,
    band: tuple[float, float] | None = None,
    channels: Sequence[int] | None = None,
    segment: int | None = None,
) -> SpectrumAnalysis:
    """Estimate and fit the spectra of a record's steady stretches.

    Parameters
    ----------
    record : Record
        From :func:`~.records.open_record`.
    model : {"single", "pair"}, optional
        "pair" if two or more channels are chosen, else "single".
    band : (float, float), optional
        Hz; around the lines by default.
    channels : sequence of int, optional
        Columns, particle 1 first; out-of-loop detectors by default.
    segment : int, optional
        Samples per segment; so that the lines are resolved by default.

    Returns
    -------
    SpectrumAnalysis
        In quanta where the record is calibrated and the masses are known (on the fit's own scale
        ω), otherwise in the record's unit.

    Raises
    ------
    InputError
        For channels that do not suit the model, a band outside 0 … Nyquist or without bins, too few
        samples or averages, or no line.
    """
    chosen, model = _choose(record, channels, model)
    _check_band(band, record.sample_rate)
    csd = _estimate_csd(record, chosen, segment, band)
    if segment is not None and csd.averages < 2:
        raise InputError(
            f"too few averages: {csd.averages} segment of {segment} samples, at least 2 are "
            "needed; choose a shorter segment"
        )
    if csd.averages < 2 and record.longest() < _SHORTEST_ALONE:
        raise InputError(
            f"too few averages: {record.path} holds {record.longest()} samples, which give 1 "
            f"segment; at least {_SHORTEST_ALONE} samples are needed, or a shorter --segment"
        )
    used = choose_band(csd) if band is None else band
    masses = record.masses_of(chosen) if record.unit == "m" else None
    if model == "pair":
        pair_masses = None if masses is None else (masses[0], masses[1])
        result = fit_pair(csd, band=used, masses=pair_masses)
    else:
        result = fit_single(csd, band=used)
    if masses is not None:
        result = in_quanta(result, masses)
        csd = _csd_in_quanta(csd, masses, own_scale(result))
    if channels is None:
        result = _with_choice(result, record, chosen)
    return SpectrumAnalysis(csd, _with_input(result, record, chosen))


def analyse_reheating(
    record: Record,
    *,
    band: tuple[float, float] | None = None,
    release_index: int | None = None,
    channels: Sequence[int] | None = None,
) -> ReheatingAnalysis:
    """Average and fit the reheating curves of a record's releases.

    Parameters
    ----------
    record : Record
        From :func:`~.records.open_record`.
    band : (float, float), optional
        Where the lines lie, Hz; everything by default.
    release_index : int, optional
        Sample of the release within each repetition, for records that do not state it.
    channels : sequence of int, optional
        Two columns; out-of-loop detectors by default.

    Returns
    -------
    ReheatingAnalysis
        In quanta where the record is calibrated and the masses are known.

    Raises
    ------
    InputError
        For a plain record, other than two channels, too few repetitions, or a band without lines.
    """
    _check_band(band, record.sample_rate)
    record.require_releases()
    chosen = record.check_columns(record.usual if channels is None else channels)
    if len(chosen) != 2:
        raise InputError(
            f"a reheating fit needs 2 channels, {record.path} offers {len(chosen)}: "
            f"{', '.join(record.names[c] for c in chosen) or 'none'}; choose them with --channels"
        )
    samples = record.released(chosen, release_index)
    if (length := samples.shape[1]) < _MIN_RELEASE:
        raise InputError(
            f"{record.path} holds {length} sample{'s' if length > 1 else ''} after the release, "
            f"at least {_MIN_RELEASE} are needed"
        )
    masses = record.masses_of(chosen) if record.unit == "m" else None
    unit, scale = record.unit, 0.0
    if masses is not None:
        scale = float(np.mean(line_frequencies(samples, record.sample_rate, band)))
        samples = samples * np.sqrt(np.array(masses) * scale / HBAR)
        unit = "quanta"
    estimate = estimate_reheating(samples, record.sample_rate, band=band, unit=unit)
    estimators = reheating_estimators(estimate)
    if masses is not None:
        ratio = own_scale(estimators["curves"]) / scale
        estimate = _rescaled_estimate(estimate, ratio)
        estimators = {name: on_own_scale(fit, scale) for name, fit in estimators.items()}
    return ReheatingAnalysis(
        estimate, {name: _with_input(fit, record, chosen) for name, fit in estimators.items()}
    )


def _choose(
    record: Record, channels: Sequence[int] | None, model: Literal["single", "pair"] | None
) -> tuple[tuple[int, ...], Literal["single", "pair"]]:
    """Settle channels and model, each from the other where it is not given."""
    columns = record.usual if channels is None else channels
    chosen = record.check_columns(columns)
    if model is None:
        model = "pair" if len(chosen) >= 2 else "single"
    wanted = 2 if model == "pair" else 1
    if channels is None and len(chosen) > wanted:
        chosen = chosen[:wanted]
    if len(chosen) != wanted:
        raise InputError(
            f"a {model} fit needs {wanted} channel{'s' if wanted > 1 else ''}, {len(chosen)} "
            f"{'is' if len(chosen) == 1 else 'are'} chosen of {record.path} "
            f"({', '.join(record.names)})"
        )
    return chosen, model


def _check_band(band: tuple[float, float] | None, sample_rate: float) -> None:
    """Refuse a band before the work of averaging."""
    nyquist = 0.5 * sample_rate
    if band is not None and not 0.0 <= band[0] < band[1] <= nyquist:
        raise InputError(
            f"band {band[0]:g} … {band[1]:g} Hz must lie within 0 … {nyquist:g} Hz (Nyquist), "
            "low < high"
        )


def _estimate_csd(
    record: Record,
    columns: tuple[int, ...],
    segment: int | None,
    band: tuple[float, float] | None,
) -> CsdEstimate:
    """Average over all steady stretches."""
    stretches = record.steady(columns)
    first = next(stretches, None)
    if first is None:
        raise InputError(f"{record.path} holds no samples")
    if segment is None:
        segment = _segment_for(first[:_PROBE_SAMPLES], record.sample_rate, band)
    elif segment > (longest := record.longest()):
        # Asked before the estimator makes room for such a segment.
        raise InputError(
            f"too few samples: a segment of {segment} is longer than the longest steady stretch "
            f"of {record.path}, {longest} samples"
        )
    estimator = CsdEstimator(
        len(columns),
        segment,
        record.sample_rate,
        scale=record.scale[list(columns)],
        unit=record.unit,
    )
    position = number = 0
    ones = np.ones(len(columns))
    for stretch in chain([first], stretches):
        for low in range(0, len(stretch), _BLOCK_ROWS):
            rows = stretch[low : low + _BLOCK_ROWS]
            estimator.add(Block(position + low, rows, ones, number))
            number += 1
        position += len(stretch) + 1  # a jump of the index: no segment spans two stretches
    if estimator.rejected:
        raise InputError(
            f"{record.path}: samples must be finite, {estimator.rejected} segments hold NaN or "
            "infinity"
        )
    return estimator.estimate()


def _segment_for(
    samples: NDArray[np.float64], sample_rate: float, band: tuple[float, float] | None
) -> int:
    """Choose the segment by the lines of the band, unless it is too narrow to look for lines."""
    if band is not None and band[1] - band[0] < _PROBE_BINS * sample_rate / len(samples):
        band = None
    return choose_segment(samples, sample_rate, band)


def _csd_in_quanta(csd: CsdEstimate, masses: tuple[float, ...], omega: float) -> CsdEstimate:
    """Express a spectrum in m²/Hz in quanta²/Hz."""
    root = np.sqrt(np.array(masses) * omega / HBAR)
    return replace(csd, matrix=csd.matrix * np.outer(root, root), unit="quanta")


def _rescaled_estimate(estimate: ReheatingEstimate, ratio: float) -> ReheatingEstimate:
    """Count the quanta of curves on another scale ω: energies ∝ ω."""
    return replace(
        estimate,
        E1=estimate.E1 * ratio,
        E2=estimate.E2 * ratio,
        C=estimate.C * ratio,
        lag=estimate.lag * ratio,
        pairs=estimate.pairs * ratio,
        stderr=estimate.stderr * ratio,
        mean_amplitude=estimate.mean_amplitude * ratio**0.5,
        noise_floor=estimate.noise_floor * ratio,
    )


def _with_choice(result: FitResult, record: Record, columns: tuple[int, ...]) -> FitResult:
    """Warn of columns that were left out without having been asked for."""
    if len(columns) == len(record.usual):
        return result
    taken = ", ".join(f"{column} ({record.names[column]})" for column in columns)
    text = f"{len(record.usual)} channels, fitted: {taken}; choose others with --channels"
    return replace(result, warnings=(*result.warnings, text))


def _with_input(result: FitResult, record: Record, columns: tuple[int, ...]) -> FitResult:
    """Add the file and its channels to the provenance."""
    source = {
        **record.provenance,
        "channels": list(columns),
        "channel_names": [record.names[column] for column in columns],
        "sample_rate": record.sample_rate,
        "record_unit": record.unit,
    }
    return replace(result, input={**result.input, **source})
