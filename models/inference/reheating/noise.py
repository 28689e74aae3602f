"""Imprecision of the detectors from the same repetitions, off resonance.

y = (1 − 2 cos(ω_ref dt) B + B²)² z, with B the shift by one sample, removes the free oscillation of
a released particle whatever its amplitude, so that its power cannot leak over the spectrum. What
remains far above the line is white imprecision and the tail of the motion under white force noise,
whose sampled shape is known: their amplitudes are fitted per channel.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import fft

__all__ = ["NOISE_BANDS", "band_powers", "fit_noise_floor"]

NOISE_BANDS = 16
"""Frequency bands per channel that are kept of every repetition."""

_CHUNK = 32
_MAX_SAMPLES = 4096
_LOWEST = 1.45
_HIGHEST = 0.98
_KAPPA = 1.944  # bins of a Hann window correlate: variance of band means, physics conventions §6
_ALIASES = 6


def _filter(omega_ref: float, sample_rate: float) -> NDArray[np.float64]:
    once = np.array([1.0, -2.0 * math.cos(omega_ref / sample_rate), 1.0])
    return np.asarray(np.convolve(once, once))


def _bins(samples: int, omega_ref: float, sample_rate: float) -> NDArray[np.int64]:
    """Fourier bins well above the line, as boundaries of at most NOISE_BANDS + 1 entries."""
    length = min(samples, _MAX_SAMPLES) - 4
    low = _LOWEST * omega_ref / (2.0 * math.pi) * length / sample_rate
    low, high = math.ceil(low), math.floor(_HIGHEST * 0.5 * length)
    count = min(NOISE_BANDS, high - low)
    return np.unique(np.linspace(low, high, max(count, 1) + 1).astype(np.int64))


def _window(length: int) -> NDArray[np.float64]:
    return np.asarray(np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2)


def band_powers(
    samples: NDArray[np.floating], sample_rate: float, omega_ref: float
) -> NDArray[np.float64]:
    """One-sided band powers of the filtered records, divided by the filter's gain, unit²/Hz.

    Parameters
    ----------
    samples : ndarray, shape (m, n, c)
        Released stretches.

    Returns
    -------
    ndarray, shape (m, bands, c)
    """
    taps = _filter(omega_ref, sample_rate)
    edges = _bins(samples.shape[1], omega_ref, sample_rate)
    length = min(samples.shape[1], _MAX_SAMPLES) - 4
    window = _window(length)
    scale = 2.0 / (sample_rate * float(np.sum(window**2)))
    gain = _gain(length, taps)
    out = np.empty((len(samples), len(edges) - 1, samples.shape[2]))
    gain, window = gain[:, None], window[:, None]
    for at in range(0, len(samples), _CHUNK):
        part = samples[at : at + _CHUNK]
        filtered = taps[0] * part[:, :length]
        for k in range(1, len(taps)):
            filtered += taps[k] * part[:, k : k + length]
        power = scale * np.abs(fft.rfft(window * filtered, axis=1)) ** 2 / gain
        out[at : at + _CHUNK] = np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)
    return np.asarray(out / np.diff(edges)[None, :, None])


def _gain(length: int, taps: NDArray[np.float64]) -> NDArray[np.float64]:
    turn = np.exp(-2j * np.pi * np.arange(length // 2 + 1) / length)
    # The gain vanishes on the line, where nothing is used: keep the division finite.
    return np.asarray(np.maximum(np.abs(np.polynomial.polynomial.polyval(turn, taps)) ** 2, 1e-12))


def _basis(
    length: int, sample_rate: float, omega_ref: float, omega: float, edges: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Expected band powers of unit imprecision and of the motion's tail, shape (bands, 3).

    The tail is the sampled (aliased) 1/((ω/ω̃)² − 1)², with the third power in place of the square
    for what the coupling adds to first order; all are smeared by the Hann window, with
    ⅙, ⅔, ⅙ on neighbouring bins, after the filter and before its gain is divided out.
    """
    gain = _gain(length, _filter(omega_ref, sample_rate))
    fold = 2.0 * math.pi * sample_rate / omega
    ratio = np.arange(length // 2 + 1) / length * fold
    aliases = ratio + fold * np.arange(-_ALIASES, _ALIASES + 1)[:, None]
    # On the line itself the tail diverges; the filter's zero is of the same order there.
    inverse = 1.0 / (np.sign(aliases**2 - 1.0) * np.maximum(np.abs(aliases**2 - 1.0), 1e-3))
    columns = []
    for order in (0, 2, 3):
        shape = np.sum(inverse**order, axis=0) if order else np.ones(len(ratio))
        filtered = np.concatenate([gain * shape, [gain[-2] * shape[-2]]])
        smeared = filtered[:-1] * (2.0 / 3.0)
        smeared[1:] += (filtered[:-2] + filtered[2:]) / 6.0
        summed = np.add.reduceat((smeared / gain)[: edges[-1]], edges[:-1])
        columns.append(summed / np.diff(edges))
    return np.stack(columns, axis=1)


def fit_noise_floor(
    powers: NDArray[np.float64],
    repetitions: int,
    samples: int,
    sample_rate: float,
    omega_ref: float,
    lines: tuple[float, float],
) -> NDArray[np.float64]:
    """Imprecision and its standard error per channel, shape (c, 2), one-sided unit²/Hz.

    Parameters
    ----------
    powers : ndarray, shape (bands, c)
        Mean of :func:`band_powers` over repetitions.
    repetitions : int
        How many were averaged.
    samples : int
        Length of the released stretches.
    sample_rate, omega_ref : float
        Hz, rad/s.
    lines : tuple of float
        Line of each channel, rad/s.
    """
    edges = _bins(samples, omega_ref, sample_rate)
    length = min(samples, _MAX_SAMPLES) - 4
    counts = repetitions * np.diff(edges) / _KAPPA
    out = np.empty((powers.shape[1], 2))
    for channel in range(powers.shape[1]):
        basis = _basis(length, sample_rate, omega_ref, lines[channel], edges)
        basis = basis[:, : min(3, max(1, len(basis) - 2))]
        out[channel] = _scoring(powers[:, channel], basis, counts)
    return out


def _scoring(
    powers: NDArray[np.float64], basis: NDArray[np.float64], counts: NDArray[np.float64]
) -> tuple[float, float]:
    """Iteratively reweighted fit of gamma-distributed powers; value and error of the constant."""
    model = np.maximum(powers, 1e-300)
    for _ in range(30):
        weights = np.sqrt(counts) / model
        design = basis * weights[:, None]
        solution, *_ = np.linalg.lstsq(design, powers * weights, rcond=None)
        model = np.maximum(basis @ solution, 1e-3 * powers + 1e-300)
    covariance = np.linalg.pinv(design.T @ design)
    return float(solution[0]), float(math.sqrt(covariance[0, 0]))
