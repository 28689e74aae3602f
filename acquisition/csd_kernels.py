"""Taper, weights and inner loops of the cross-spectral estimate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..models.errors import InputError

__all__ = ["accumulate", "hann", "kept_share", "lag_correlations", "taper", "work_dtypes"]

# Bins summed at a time: the working planes of four channels stay in the first-level cache.
_TILE = 512
# A thinned mean is good enough (its share is put back exactly) and costs next to nothing.
_THIN = 16


def hann(segment: int) -> NDArray[np.float64]:
    """Periodic Hann taper w_n = sin²(πn/segment), whose transform has the bins 0 and ±1 only."""
    return np.asarray(np.sin(np.pi * np.arange(segment) / segment) ** 2)


def kept_share(
    averaging: str, time_constant: float | None, alpha: float | None, hop: float
) -> float:
    """Return 1 − alpha: 1 for a linear average."""
    if averaging == "linear":
        if time_constant is not None or alpha is not None:
            raise InputError("time_constant and alpha belong to averaging='exponential'")
        return 1.0
    if averaging != "exponential":
        raise InputError(f"averaging {averaging!r} is not known; known: linear, exponential")
    if (time_constant is None) == (alpha is None):
        raise InputError("an exponential average needs either time_constant (s) or alpha")
    if time_constant is not None:
        if not (math.isfinite(time_constant) and time_constant > 0.0):
            raise InputError(f"time_constant must be positive and finite, got {time_constant!r} s")
        return math.exp(-hop / time_constant)
    if alpha is None or not 0.0 < alpha <= 1.0:
        raise InputError(f"alpha must lie within 0 … 1 (0 excluded), got {alpha!r}")
    return 1.0 - alpha


def lag_correlations(window: NDArray[np.float64], hop: int) -> NDArray[np.float64]:
    """Correlation ρ_m = (Σ_n w_n w_{n+m·hop}/Σw²)² of periodograms m = 1, 2, … hops apart."""
    power = float(np.sum(window**2))
    lags = range(hop, window.size, hop)
    return np.array([(float(window[: window.size - s] @ window[s:]) / power) ** 2 for s in lags])


def work_dtypes(dtype: np.dtype[Any]) -> tuple[np.dtype[Any], np.dtype[Any]]:
    """Type in which samples are kept and type in which they are transformed."""
    if dtype == np.int16:
        return np.dtype(np.int16), np.dtype(np.float32)
    if dtype == np.float32:
        return np.dtype(np.float32), np.dtype(np.float32)
    return np.dtype(np.float64), np.dtype(np.float64)


@njit(cache=True, nogil=True, fastmath={"contract"})
def taper(
    samples: NDArray[Any], start: int, window: NDArray[Any], means: NDArray[Any], out: NDArray[Any]
) -> None:
    """Write window·(samples − mean) of the segment at row ``start`` to ``out`` (n, c).

    ``means`` (c,) receives what was subtracted, in the precision of ``out``.
    """
    rows, channels = out.shape
    step = _THIN if rows >= 64 * _THIN else 1
    for j in range(channels):
        total = 0.0
        for n in range(0, rows, step):
            total += samples[start + n, j]
        means[j] = total / ((rows + step - 1) // step)
    for n in range(rows):
        w = window[n]
        for j in range(channels):
            out[n, j] = w * (samples[start + n, j] - means[j])


@njit(cache=True, nogil=True, fastmath={"contract"})
def accumulate(
    spectra: NDArray[Any],
    weights: NDArray[Any],
    keep: float,
    auto: NDArray[Any],
    cross: NDArray[Any],
) -> None:
    """Replace sums by keep·sums + Σ_b weights_b Z_j Z_l*.

    ``spectra`` (b, bins, 2c) holds real and imaginary parts in turn; ``auto`` (c, bins) and
    ``cross`` (2, c(c−1)/2, bins), real and imaginary parts of the pairs j < l, are float64. The
    sums are larger than the spectra: adding several segments at a time saves memory traffic.
    """
    batch, bins, twice = spectra.shape
    channels = twice // 2
    pairs = cross.shape[1]
    real = np.empty((channels, _TILE), spectra.dtype)
    imag = np.empty((channels, _TILE), spectra.dtype)
    power = np.empty((channels, _TILE), spectra.dtype)
    co = np.empty((pairs, _TILE), spectra.dtype)
    quad = np.empty((pairs, _TILE), spectra.dtype)
    for s in range(0, bins, _TILE):
        e = min(_TILE, bins - s)
        power[:] = 0.0
        co[:] = 0.0
        quad[:] = 0.0
        for b in range(batch):
            weight = weights[b]
            for k in range(e):
                for j in range(channels):
                    real[j, k] = spectra[b, s + k, 2 * j]
                    imag[j, k] = spectra[b, s + k, 2 * j + 1]
            p = 0
            for j in range(channels):
                for k in range(e):
                    power[j, k] += weight * (real[j, k] * real[j, k] + imag[j, k] * imag[j, k])
                for m in range(j + 1, channels):
                    for k in range(e):
                        co[p, k] += weight * (real[j, k] * real[m, k] + imag[j, k] * imag[m, k])
                        quad[p, k] += weight * (imag[j, k] * real[m, k] - real[j, k] * imag[m, k])
                    p += 1
        for j in range(channels):
            for k in range(e):
                auto[j, s + k] = keep * auto[j, s + k] + power[j, k]
        for p in range(pairs):
            for k in range(e):
                cross[0, p, s + k] = keep * cross[0, p, s + k] + co[p, k]
            for k in range(e):
                cross[1, p, s + k] = keep * cross[1, p, s + k] + quad[p, k]
