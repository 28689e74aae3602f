"""Parameters followed over the blocks of a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..acquisition.csd import estimate_csd
from ..acquisition.ranges import Ranges
from ..acquisition.records.record import Record
from ..models.constants import HBAR
from ..models.errors import InputError
from ..models.inference.allan import AllanDeviation, allan_deviation
from ..models.inference.convention import in_quanta, on_own_scale, own_scale
from ..models.inference.exact.blocks import blocks_of, fit_blocks
from ..models.inference.parameters import PARAMETERS
from ..models.inference.result import FitResult
from ..models.inference.spectral.fits import fit_pair, fit_single
from ..models.inference.steady.fits import fit_steady
from .detection import corrected, detection_of
from .reheating import analyse_reheating
from .releases import Releases
from .spectrum import analyse_spectrum
from .steady import steady_coefficients

__all__ = ["BlockSeries", "follow_releases", "follow_spectrum"]

_Array = NDArray[np.float64]
# A block of fewer segments is not averaged.
_SEGMENTS = 8


@dataclass(frozen=True)
class BlockSeries:
    """Fits of neighbouring blocks of one record.

    Attributes
    ----------
    times : ndarray, shape (b,)
        Middle of each block, s after the first sample of the record.
    results : tuple of FitResult
        Their fits.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> start, stop = record.steady()[0]
    >>> series = ob.follow_spectrum(record, (stop - start) / record.sample_rate / 4.5)
    >>> series.values("omega_1").shape == series.times.shape
    True
    """

    times: _Array
    results: tuple[FitResult, ...] = field(repr=False)

    def __repr__(self) -> str:
        """Number of blocks and time in one line."""
        return f"<BlockSeries of {len(self.times)} blocks, {self.times[-1]:.4g} s>"

    def values(self, name: str) -> _Array:
        """Estimates of one parameter, shape (b,)."""
        return np.array([result.value(name) for result in self.results])

    def errors(self, name: str) -> _Array:
        """Standard errors, shape (b,); NaN where it was fixed."""
        found = [result.stderr(name) for result in self.results]
        return np.array([np.nan if error is None else error for error in found])

    def allan(self, name: str) -> AllanDeviation:
        """Allan deviation of one parameter; blocks count as evenly spaced.

        Raises
        ------
        InputError
            For fewer than 4 blocks.
        """
        interval = float(np.median(np.diff(self.times))) if len(self.times) > 1 else 1.0
        return allan_deviation(self.values(name), interval)


def follow_spectrum(
    record: Record,
    seconds: float,
    *,
    band: tuple[float, float] | None = None,
    channels: Sequence[int] | None = None,
) -> BlockSeries:
    """Fit blocks of the steady stretches.

    Averaged spectra are fitted where a block has enough segments, its exact likelihood else.

    Parameters
    ----------
    record : Record
        From :func:`optobind.open_record`.
    seconds : float
        Length of a block; what is left of a stretch is not used.
    band : (float, float), optional
        Hz; around the lines by default.
    channels : sequence of int, optional
        As for :func:`analyse_spectrum`.

    Returns
    -------
    BlockSeries
        In the unit of the analysis of the whole.

    Raises
    ------
    InputError
        If no stretch is as long as a block, or a fit cannot be made.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> start, stop = record.steady()[0]
    >>> series = ob.follow_spectrum(record, (stop - start) / record.sample_rate / 4.5)
    >>> bool((series.errors("omega_1") > 0.0).all())
    True
    """
    length = round(seconds * record.sample_rate)
    starts = [
        low
        for start, stop in record.steady()
        for low in range(start, stop - length + 1, max(length, 1))
    ]
    if length < 1 or not starts:
        raise InputError(
            f"no steady stretch is as long as a block of {seconds:g} s; the longest has "
            f"{record.longest() / record.sample_rate:.4g} s"
        )
    whole = analyse_spectrum(record, band=band, channels=channels).result
    fit = _Block(record, tuple(whole.input["channels"]), length, whole)
    middle = (np.array(starts) + 0.5 * length) / record.sample_rate
    return BlockSeries(middle, tuple(fit.at(low) for low in starts))


@dataclass(frozen=True)
class _Block:
    """Fits of blocks of one length, each begun at the fit of all."""

    record: Record
    columns: tuple[int, ...]
    length: int
    whole: FitResult

    def at(self, low: int) -> FitResult:
        """Of the block that begins at a sample: averaged spectra, or exact where those fail."""
        record, masses = self.record, None
        if record.unit == "m":
            masses = record.masses_of(self.columns)
        band = (self.whole.input["band"][0], self.whole.input["band"][1])
        start = _in_unit(self.whole, masses)
        segment = self.whole.input.get("segment", self.length)
        ratio = masses[1] / masses[0] if masses is not None and len(masses) == 2 else None
        if self.length < _SEGMENTS * segment:
            data = steady_coefficients(
                record, self.columns, band, ranges=Ranges([(low, low + self.length)])
            )
            fit = fit_steady(
                data, record.sample_rate, "pair" if len(self.columns) == 2 else "single", start,
                detection=detection_of(record, self.columns, None, None), mass_ratio=ratio,
                unit=record.unit,
            )  # fmt: skip
        else:
            samples = record.read(low, low + self.length, self.columns)
            csd = estimate_csd(samples, record.sample_rate, segment, unit=record.unit)
            csd = corrected(csd, record, self.columns, None, None)
            if len(self.columns) == 1:
                fit = fit_single(csd, band=band)
            else:
                pair = None if masses is None else (masses[0], masses[1])
                fit = fit_pair(csd, band=band, start=start, masses=pair)
        return fit if masses is None else in_quanta(fit, masses)


def _in_unit(whole: FitResult, masses: tuple[float, ...] | None) -> dict[str, float]:
    """Values of a result in quanta, in the unit of the record."""
    values = {name: p.value for name, p in whole.parameters.items()}
    if masses is None:
        return values
    for name in values:
        if name in PARAMETERS and PARAMETERS[name].particles:
            one, two = (masses[particle] for particle in PARAMETERS[name].particles)
            values[name] *= HBAR / (own_scale(whole) * float(np.sqrt(one * two)))
    return values


def follow_releases(
    record: Record,
    releases: int = 20,
    *,
    release_index: int | None = None,
    channels: Sequence[int] | None = None,
) -> BlockSeries:
    """Fit blocks of releases by their exact likelihood.

    Parameters
    ----------
    record : Record
        From :func:`optobind.open_record`.
    releases : int
        To a block, about.
    release_index, channels
        As for :func:`analyse_reheating`.

    Returns
    -------
    BlockSeries
        In the unit of the analysis of the whole.

    Raises
    ------
    InputError
        For fewer than 5 releases to a block, or than two blocks.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> series = ob.follow_releases(record, 20)
    >>> bool(series.values("D11").min() > 0.0)
    True
    """
    whole = analyse_reheating(record, release_index=release_index, channels=channels).result
    columns, ranges = tuple(whole.input["channels"]), record.releases(release_index)
    masses, scale = record.masses_of(columns) if record.unit == "m" else None, own_scale(whole)
    factor = np.ones(len(columns))
    if masses is not None:
        factor = np.sqrt(np.array(masses) * scale / HBAR)
    parts = list(blocks_of(Releases(record, columns, ranges), len(ranges), releases))
    known = detection_of(record, columns, None, None)
    fits = fit_blocks(parts, factor, record.sample_rate, whole, known)
    if masses is not None:
        fits = [on_own_scale(fit, scale) for fit in fits]
    edges = np.cumsum([0, *(len(part) for part in parts)])
    middle = [ranges.starts[a:b].mean() for a, b in pairwise(edges)]
    return BlockSeries(np.array(middle) / record.sample_rate, tuple(fits))
