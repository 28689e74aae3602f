"""Streaming estimate of the cross-spectral density matrix, straight from the digitizer's blocks.

Each segment is tapered and turned to floating point in one pass, transformed, and added to the
hermitian c × c matrix in float64. Neighbouring segments overlap and run on across the borders of
blocks; a jump of the sample index starts a new segment, so no segment holds two stretches.

Nothing is detrended: an offset appears in the bins 0 and 1, where a Hann taper leaves it. Yet it
would cost precision in a float32 transform. A mean of each segment is therefore taken out before
the transform and its share in these two bins put back behind it, which is exact.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any, Literal

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from ..models.blocks import Block, BlockStatus
from ..models.errors import InputError
from ..models.inference.parameters import require_unit
from ..models.spectra import CsdEstimate
from .csd_kernels import accumulate, hann, kept_share, lag_correlations, taper, work_dtypes

__all__ = ["MIN_SEGMENT", "CsdEstimator", "estimate_csd"]

# Values tapered before they are transformed and summed together (4 MB of float32).
_BATCH_VALUES = 1 << 20
_MAX_BATCH = 64
# Rows kept beyond a segment, so that it is seldom moved; a long one leaves little room for them.
_MAX_AHEAD = 1 << 20
MIN_SEGMENT = 8
"""Fewest samples of a segment."""


class CsdEstimator:
    """Averages the one-sided CSD matrix of a stream of blocks.

    S_jl = ⟨Z_j Z_l*⟩ with Z(f) = ∫ z exp(−2πift) dt, unit²/Hz (the conjugate of
    ``scipy.signal.csd(z_j, z_l)``); Hann taper, no detrending, DC and Nyquist bins not doubled.

    Parameters
    ----------
    channels : int
        Number of channels c.
    segment : int
        Samples per segment, at least 8.
    sample_rate : float
        Hz.
    overlap : int, optional
        Samples shared by neighbouring segments; half a segment by default.
    scale : array_like, shape (c,), optional
        ``unit`` per count, signs (detector polarity) and calibration included; by default the scale
        of the first block, which is in V.
    unit : str
        Unit of scaled samples.
    averaging : {"linear", "exponential"}
        Equal weights, or weights that fall by 1 − alpha per segment. Exponential averages are
        normalised by the weights so far: they are unbiased from the first segment on.
    time_constant : float, optional
        s, of an exponential average: alpha = 1 − exp(−hop/(sample_rate·time_constant)).
    alpha : float, optional
        Weight of the newest segment in a long exponential average, 0 < alpha ≤ 1.

    Raises
    ------
    InputError
        For values out of range.
    """

    def __init__(
        self,
        channels: int,
        segment: int,
        sample_rate: float,
        *,
        overlap: int | None = None,
        scale: ArrayLike | None = None,
        unit: str = "V",
        averaging: Literal["linear", "exponential"] = "linear",
        time_constant: float | None = None,
        alpha: float | None = None,
    ) -> None:
        overlap = segment // 2 if overlap is None else overlap
        _check_geometry(channels, segment, sample_rate, overlap)
        self.channels = channels
        self.segment = segment
        self.sample_rate = float(sample_rate)
        self.overlap = overlap
        self.unit = unit
        self._hop = segment - overlap
        self._keep = kept_share(averaging, time_constant, alpha, self._hop / self.sample_rate)
        self._scale = None if scale is None else _checked_scale(scale, channels)
        self._given_scale = self._scale
        self._window = hann(segment)
        self._lag_correlation = lag_correlations(self._window, self._hop)
        self._batch = max(1, min(_MAX_BATCH, _BATCH_VALUES // (segment * channels)))
        self._buffer: NDArray[Any] | None = None
        self.reset()

    @property
    def segments(self) -> int:
        """Segments averaged since the last reset."""
        self._flush()
        return self._count

    @property
    def rejected(self) -> int:
        """Segments left out because they held NaN or infinity."""
        self._flush()
        return self._rejected

    def reset(self) -> None:
        """Forget everything that came in."""
        bins = self.segment // 2 + 1
        self._auto = np.zeros((self.channels, bins))
        self._cross = np.zeros((2, self.channels * (self.channels - 1) // 2, bins))
        self._scale = self._given_scale
        self._starts: list[int] = []
        self._recent: deque[tuple[int, int]] = deque(maxlen=len(self._lag_correlation))
        self._count = self._rejected = 0
        self._weight_sum = self._square_sum = 0.0
        self._lag_sums = np.zeros(len(self._lag_correlation))
        self._first = self._last = 0
        self._filled = self._start = self._origin = 0
        self._next: int | None = None

    def add(self, block: Block) -> None:
        """Take in a block; a jump of its sample index, or GAP_BEFORE, starts a new segment.

        Raises
        ------
        InputError
            If the number of channels differs from the estimator's.
        """
        samples = block.samples
        if samples.ndim != 2 or samples.shape[1] != self.channels:
            raise InputError(f"block of shape {samples.shape} must be (n, {self.channels})")
        if self._scale is None:
            self._scale = _checked_scale(block.scale, self.channels)
        if block.first_sample != self._next or block.status & BlockStatus.GAP_BEFORE:
            self._filled = self._start = 0
            self._origin = block.first_sample
        self._next = block.end_sample
        self._append(samples)

    def estimate(self) -> CsdEstimate:
        """Return the average so far.

        ``averages`` is (Σw)²/Σw² of the weights (rounded), thus K for a linear average;
        ``effective_averages`` further counts the correlation ρ_m of segments m hops apart:
        ν = (Σw)²/(Σw² + 2 Σ_m ρ_m Σ_i w_i w_{i+m}), the inner sum over segments of one stretch,
        which for a linear Hann average at half overlap is K/[1 + 2(1 − 1/K)/36].

        Raises
        ------
        InputError
            If no segment is complete.
        """
        self._flush()
        if self._count == 0 or self._scale is None:
            raise InputError(
                f"too few samples: no stretch holds a segment of {self.segment} samples"
            )
        norm = self._weight_sum * self.sample_rate * float(np.sum(self._window**2))
        factor = np.full(self._auto.shape[1], 2.0 / norm)
        factor[0] = 1.0 / norm
        if self.segment % 2 == 0:
            factor[-1] = 1.0 / norm
        spread = self._square_sum + 2.0 * float(self._lag_correlation @ self._lag_sums)
        return CsdEstimate(
            frequencies=np.arange(factor.size, dtype=np.float64) * self.sample_rate / self.segment,
            matrix=self._matrix(factor, self._scale),
            averages=max(1, round(self._weight_sum**2 / self._square_sum)),
            window=self._window,
            overlap=self.overlap,
            sample_rate=self.sample_rate,
            unit=self.unit,
            effective_averages=self._weight_sum**2 / spread,
            first_sample=self._first,
            last_sample=self._last,
        )

    def _matrix(
        self, factor: NDArray[np.float64], scale: NDArray[np.float64]
    ) -> NDArray[np.complex128]:
        """Assemble the scaled hermitian matrix (bins, c, c)."""
        c = self.channels
        matrix = np.empty((factor.size, c, c), np.complex128)
        pair = 0
        for j in range(c):
            matrix[:, j, j] = factor * self._auto[j] * scale[j] ** 2
            for m in range(j + 1, c):
                both = self._cross[0, pair] + 1j * self._cross[1, pair]
                matrix[:, j, m] = factor * both * (scale[j] * scale[m])
                matrix[:, m, j] = matrix[:, j, m].conj()
                pair += 1
        return matrix

    def _append(self, samples: NDArray[Any]) -> None:
        """Copy rows behind the running segment and taper every segment that is complete."""
        if self._buffer is None or self._buffer.dtype != work_dtypes(samples.dtype)[0]:
            self._allocate(samples.dtype)
        buffer = self._buffer
        assert buffer is not None
        taken = 0
        while taken < samples.shape[0]:
            rows = min(samples.shape[0] - taken, buffer.shape[0] - self._filled)
            buffer[self._filled : self._filled + rows] = samples[taken : taken + rows]
            taken += rows
            self._filled += rows
            while self._filled - self._start >= self.segment:
                self._taper_one(buffer)
            if self._filled == buffer.shape[0]:
                self._shift(buffer)

    def _shift(self, buffer: NDArray[Any]) -> None:
        """Move the incomplete segment to the front of the buffer."""
        rest = self._filled - self._start
        if rest > 0:
            buffer[:rest] = buffer[self._start : self._filled].copy()
        self._origin += self._start
        self._start, self._filled = (0, rest) if rest >= 0 else (-rest, 0)

    def _taper_one(self, buffer: NDArray[Any]) -> None:
        """Taper the segment at the start mark into the batch."""
        slot = len(self._starts)
        taper(buffer, self._start, self._taper, self._means[slot], self._tapered[slot])
        self._starts.append(self._origin + self._start)
        self._start += self._hop
        if len(self._starts) == self._batch:
            self._flush()

    def _allocate(self, dtype: np.dtype[Any]) -> None:
        """Make the buffers for samples of one type; a change of type starts a new segment."""
        self._flush()
        stored, work = work_dtypes(dtype)
        rows = self.segment + min(3 * self.segment, _MAX_AHEAD)
        self._buffer = np.empty((rows, self.channels), stored)
        self._tapered = np.empty((self._batch, self.segment, self.channels), work)
        self._means = np.empty((self._batch, self.channels), work)
        self._taper = self._window.astype(work)
        if self._filled:
            self._origin += self._filled
        self._filled = self._start = 0

    def _flush(self) -> None:
        """Transform the tapered segments and add them to the sums."""
        batch = len(self._starts)
        if batch == 0:
            return
        spectra = np.asarray(scipy.fft.rfft(self._tapered[:batch], axis=1, workers=1))
        # Transform of the Hann taper: segment/2 at bin 0, −segment/4 at bin 1.
        spectra[:, 0] += self._means[:batch] * (0.5 * self.segment)
        spectra[:, 1] -= self._means[:batch] * (0.25 * self.segment)
        good: NDArray[np.bool_] = np.all(np.isfinite(spectra[:, 0]), axis=1)
        self._rejected += int(batch - good.sum())
        if not good.all():
            spectra = spectra[good]
        starts = [s for s, ok in zip(self._starts, good.tolist(), strict=True) if ok]
        self._starts.clear()
        if starts:
            real = spectra.real.dtype
            ages = np.arange(len(starts) - 1, -1, -1)
            weights = (self._keep**ages).astype(real)
            keep = self._keep ** len(starts)
            accumulate(spectra.view(real), weights, keep, self._auto, self._cross)
            self._count_in(starts)

    def _count_in(self, starts: list[int]) -> None:
        """Update the sums of weights: the newest has 1, every earlier one falls by ``keep``."""
        q = self._keep
        for start in starts:
            self._weight_sum = q * self._weight_sum + 1.0
            self._square_sum = q * q * self._square_sum + 1.0
            self._lag_sums *= q * q
            for earlier, number in self._recent:
                lag, odd = divmod(start - earlier, self._hop)
                if odd == 0 and 1 <= lag <= self._lag_sums.size:
                    self._lag_sums[lag - 1] += q ** (self._count - number)
            self._recent.append((start, self._count))
            self._first = start if self._count == 0 else min(self._first, start)
            self._last = max(self._last, start + self.segment)
            self._count += 1


def estimate_csd(
    samples: ArrayLike,
    sample_rate: float,
    segment: int,
    *,
    overlap: int | None = None,
    scale: ArrayLike | None = None,
    unit: str,
) -> CsdEstimate:
    """Estimate the CSD matrix of samples in memory with the code of :class:`CsdEstimator`.

    :func:`optobind.analyse_spectrum` does the same with a record of any length, chooses the
    segment, leaves out gaps and releases, and fits.

    Parameters
    ----------
    samples : array_like, shape (n,), (n, c) or (r, n, c)
        Repetitions r are stretches of their own. float64 samples are transformed in float64, int16
        and float32 samples in float32.
    sample_rate : float
        Hz.
    segment : int
        Samples per segment.
    overlap : int, optional
        Half a segment by default.
    scale : array_like, shape (c,), optional
        ``unit`` per sample value, 1 by default.
    unit : {"quanta", "m", "V"}
        Unit of scaled samples: that of a record's samples is ``record.unit``.

    Returns
    -------
    CsdEstimate
        One-sided, unit²/Hz, with the number of averages and the window.

    Raises
    ------
    InputError
        For values out of range, an unknown unit, samples that are not finite, too few
        samples, or more channels than samples (a transposed record).

    Examples
    --------
    >>> import numpy as np, optobind as ob
    >>> noise = np.random.default_rng(1).normal(size=(20_000, 2))  # m, white
    >>> csd = ob.estimate_csd(noise, 1e4, 200, unit="m")
    >>> csd.matrix.shape, csd.unit
    ((101, 2, 2), 'm')
    >>> round(float(csd.matrix[5:95, 0, 0].real.mean() * 5e3), 1)  # the variance, m²
    1.0
    """
    require_unit(unit)
    array = np.asarray(samples)
    array = array[:, None] if array.ndim == 1 else array
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3 or array.dtype.kind not in "iuf":
        raise InputError(
            f"samples must be real of shape (n,), (n, c) or (r, n, c), got {array.dtype} "
            f"of shape {np.shape(samples)}"
        )
    channels = array.shape[2]
    if channels > array.shape[1]:
        raise InputError(
            f"samples of shape {np.shape(samples)} hold more channels ({channels}) than rows "
            f"({array.shape[1]}): time runs along rows, transpose the record (x.T)"
        )
    if segment > array.shape[1]:  # asked before the estimator makes room for such a segment
        raise InputError(f"too few samples: no stretch holds a segment of {segment} samples")
    ones = np.ones(channels)
    estimator = CsdEstimator(
        channels,
        segment,
        sample_rate,
        overlap=overlap,
        scale=ones if scale is None else scale,
        unit=unit,
    )
    rows = array.shape[1]
    for number, stretch in enumerate(array):
        estimator.add(Block(number * (rows + 1), stretch, ones, sequence=number))
    if estimator.rejected:
        raise InputError(
            f"samples must be finite: {estimator.rejected} segments hold NaN or infinity"
        )
    return estimator.estimate()


def _check_geometry(channels: int, segment: int, sample_rate: float, overlap: int) -> None:
    """Raise InputError for values out of range."""
    if channels < 1:
        raise InputError(f"channels must be at least 1, got {channels}")
    if segment < MIN_SEGMENT:
        raise InputError(f"segment must be at least {MIN_SEGMENT} samples, got {segment}")
    if not (math.isfinite(sample_rate) and sample_rate > 0.0):
        raise InputError(f"sample_rate must be positive and finite, got {sample_rate!r} Hz")
    if not 0 <= overlap < segment:
        raise InputError(f"overlap must lie within 0 … {segment - 1} samples, got {overlap}")


def _checked_scale(scale: ArrayLike, channels: int) -> NDArray[np.float64]:
    """Return the scale as a float array of one value per channel."""
    array = np.array(scale, dtype=np.float64)
    if array.shape != (channels,) or not np.isfinite(array).all():
        raise InputError(f"scale must hold {channels} finite values, got shape {array.shape}")
    return array
