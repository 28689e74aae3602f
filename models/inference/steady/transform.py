"""Fourier coefficients of a band of whole stretches of a record, in bounded memory.

X_k = Σ_t y_t e^{−2πikt/N} over all N samples of a stretch, but only for the k of a band: block by
block by the chirp transform, so that a stretch may be much longer than memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from ...errors import InputError

__all__ = ["MAX_COEFFICIENTS", "Stretches", "band_coefficients", "stretches_of"]

_Array = NDArray[np.float64]
_Complex = NDArray[np.complex128]

MAX_COEFFICIENTS = 200_000
"""Coefficients of a channel, of all stretches, that one fit takes at most."""

_BLOCK = 1 << 16
# More different lengths than this are cut to fewer, at a loss of 1.6 % of the samples at most.
_MOST_LENGTHS = 6
_SHORTEST = 64


@dataclass(frozen=True)
class Stretches:
    """Coefficients of all stretches of one length.

    Attributes
    ----------
    length : int
        Samples N of a stretch.
    bins : ndarray of int, shape (k,)
        k of the coefficients, ω_k = 2πk/N per sample; neither 0 nor N/2.
    data : ndarray of complex, shape (s, k, c)
        X_k/√N, in the unit of the record.
    """

    length: int
    bins: NDArray[np.int64]
    data: _Complex

    def __post_init__(self) -> None:
        if len(self.bins) and not 0 < self.bins.min() <= self.bins.max() < self.length / 2:
            raise ValueError("bins must lie between 0 and N/2")


def band_coefficients(
    blocks: Iterable[NDArray[np.floating]], length: int, bins: NDArray[np.int64]
) -> _Complex:
    """X_k/√N of one stretch that comes in blocks.

    Parameters
    ----------
    blocks : iterable of ndarray, shape (n, c)
        Together at least ``length`` samples; what follows is left out.
    length : int
        Samples N.
    bins : ndarray of int, shape (k,)
        Consecutive k.

    Returns
    -------
    ndarray of complex, shape (k, c)

    Raises
    ------
    InputError
        If a sample is not finite.
    """
    done, zoom = 0, None
    total: _Complex | None = None
    size = min(length, _BLOCK)
    for part in _pieces(blocks, size):
        samples = np.asarray(part[: length - done], dtype=np.float64)
        if not np.isfinite(samples).all():
            raise InputError("samples must be finite: the record holds NaN or infinity")
        if zoom is None or total is None:
            ends = bins[0] / length, (bins[-1] + 1) / length
            zoom = signal.ZoomFFT(size, ends, len(bins), fs=1.0)
            total = np.zeros((len(bins), samples.shape[1]), dtype=np.complex128)
        padded = np.zeros((size, samples.shape[1]))
        padded[: len(samples)] = samples
        # The phase of a late block by exact integers: k·t mod N.
        phase = np.exp((-2j * math.pi / length) * np.mod(bins * done, length))
        total = total + phase[:, None] * zoom(padded, axis=0)
        done += len(samples)
        if done >= length:
            break
    if total is None or done < length:
        raise InputError(f"a stretch of {length} samples was promised, {done} came")
    return np.asarray(total / math.sqrt(length))


def _pieces(blocks: Iterable[NDArray[np.floating]], size: int) -> Iterator[NDArray[np.floating]]:
    """The same samples in pieces of one size; the last one may be shorter."""
    kept: list[NDArray[np.floating]] = []
    have = 0
    for block in blocks:
        at = 0
        while at < len(block):
            part = block[at : at + size - have]
            kept.append(part)
            have, at = have + len(part), at + len(part)
            if have == size:
                yield kept[0] if len(kept) == 1 else np.concatenate(kept)
                kept, have = [], 0
    if kept:
        yield np.concatenate(kept)


def stretches_of(
    lengths: Iterable[int],
    sample_rate: float,
    band: tuple[float, float],
    exclude: Iterable[tuple[float, float]] = (),
) -> list[tuple[int, NDArray[np.int64], NDArray[np.bool_]]]:
    """Choose length, bins and which of them count, for every stretch.

    Parameters
    ----------
    lengths : iterable of int
        Samples of the stretches.
    sample_rate : float
        Hz.
    band, exclude : (float, float) and several of them
        Hz.

    Returns
    -------
    list of (length, bins, kept)
        Length 0 for a stretch without a bin of the band.

    Raises
    ------
    InputError
        If no stretch has a bin there, or all together have more than ``MAX_COEFFICIENTS``.
    """
    wanted = [int(length) for length in lengths]
    if len(set(wanted)) > _MOST_LENGTHS:
        wanted = [n >> s << s for n in wanted for s in [max(n.bit_length() - 7, 0)]]
    found, total = [], 0
    for length in wanted:
        low = max(math.ceil(band[0] * length / sample_rate), 1)
        high = min(math.floor(band[1] * length / sample_rate), (length - 1) // 2)
        if length < _SHORTEST or high < low:
            found.append((0, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)))
            continue
        total += high - low + 1
        if total > MAX_COEFFICIENTS:
            raise InputError(
                f"the band {band[0]:.6g} … {band[1]:.6g} Hz of {sum(wanted) / sample_rate:.4g} s "
                f"holds more than {MAX_COEFFICIENTS} Fourier coefficients, the most of an exact "
                "fit: choose a narrower band, or --estimator wishart"
            )
        bins = np.arange(low, high + 1, dtype=np.int64)
        hertz = bins * (sample_rate / length)
        kept = np.ones(len(bins), dtype=bool)
        for first, last in exclude:
            kept &= (hertz < first) | (hertz > last)
        found.append((length, bins, kept))
    if not any(kept.any() for _, _, kept in found):
        raise InputError(
            f"the band {band[0]:.6g} … {band[1]:.6g} Hz holds no Fourier coefficient of the record"
        )
    return found
