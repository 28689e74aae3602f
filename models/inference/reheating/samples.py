"""What is read off the samples before they are averaged: shape, lines, a window that suits them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from ...errors import InputError
from .bins import BinLayout
from .noise import band_powers, fit_noise_floor

__all__ = ["best_window", "checked_samples", "line_frequencies", "refined_lines"]


def line_frequencies(
    samples: ArrayLike, sample_rate: float, band: tuple[float, float] | None = None
) -> tuple[float, float]:
    """Return the angular frequency of each channel's strongest line, rad/s, to about a bin.

    Parameters
    ----------
    samples : array_like, shape (m, n, c)
        Released stretches.
    sample_rate : float
        Hz.
    band : tuple of float, optional
        Where to look, Hz; default all but the lowest bins.
    """
    data = checked_samples(samples)
    data = data[:: max(1, len(data) // 200)]
    window = np.hanning(data.shape[1] + 2)[1:-1]
    power = np.zeros((data.shape[1] // 2 + 1, data.shape[2]))
    for record in data:
        centred = record - record.mean(axis=0)
        power += np.abs(fft.rfft(window[:, None] * centred, axis=0)) ** 2
    frequencies = fft.rfftfreq(data.shape[1], 1.0 / sample_rate)
    low, high = band if band is not None else (2.5 * frequencies[1], 0.5 * sample_rate)
    inside = (frequencies >= low) & (frequencies <= high)
    if not inside.any():
        raise InputError(
            f"the band {low:.6g} to {high:.6g} Hz holds no frequency of the record "
            f"(0 to {0.5 * sample_rate:.6g} Hz in steps of {frequencies[1]:.6g} Hz)"
        )
    lines = []
    for channel in power[inside].T:
        if not channel.max() > 0.0:
            raise InputError("a channel holds no signal: all its samples are equal")
        # Centroid of the strongest line: the bins above a tenth of its height around the peak.
        peak = int(np.argmax(channel))
        reach = slice(max(0, peak - 2), peak + 3)
        lines.append(np.sum(channel[reach] * frequencies[inside][reach]) / np.sum(channel[reach]))
    return float(2.0 * np.pi * lines[0]), float(2.0 * np.pi * lines[1])


def checked_samples(samples: ArrayLike) -> NDArray[np.floating]:
    """Samples as (m, n, 2) floats, or an error that says what is wrong."""
    data = np.asarray(samples)
    if data.ndim == 2:
        raise InputError(
            "a reheating record needs repetitions: samples of shape (repetitions, n, 2), "
            f"got {data.shape}; a plain record is fitted as spectra"
        )
    if data.ndim != 3 or data.shape[2] != 2:
        raise InputError(
            f"a reheating record needs 2 channels: samples of shape (repetitions, n, 2), "
            f"got {data.shape}"
        )
    if data.dtype not in (np.float32, np.float64):
        data = data.astype(np.float64)
    if not np.isfinite(data).all():
        bad = int(np.argmin(np.isfinite(data).all(axis=(1, 2))))
        raise InputError(f"samples that are not finite in repetition {bad}")
    return data


def refined_lines(
    layout: BinLayout,
    energies: NDArray[np.float64],
    lag: NDArray[np.complex128],
    coarse: tuple[float, float],
) -> tuple[float, float]:
    """Lines from the advance of the phases, short gaps first so that no turn is lost."""
    gaps = np.diff(layout.starts)
    found = np.array(coarse) - layout.omega_ref
    size = np.sqrt(energies[:, :-1] * energies[:, 1:]).T
    for gap in np.unique(gaps):
        chosen = gaps == gap
        tau = gap / layout.sample_rate
        # a ∝ e^{−i(ω̃−ω_ref)t}: the mean product turns by −(ω̃−ω_ref)τ.
        turned = np.sum(lag[chosen] * np.exp(1j * found * tau), axis=0)
        clear = np.abs(turned) > 0.3 * np.sum(size[chosen], axis=0)
        found = np.where(clear, found - np.angle(turned) / tau, found)
    return float(layout.omega_ref + found[0]), float(layout.omega_ref + found[1])


def best_window(
    data: NDArray[np.floating],
    sample_rate: float,
    omega_ref: float,
    lines: tuple[float, float],
) -> float | None:
    """Window at which imprecision S/h and heating D·h weigh alike, or None for the default.

    It lasts 4, 8, … periods; lines that lie apart must not turn by much more than a radian in it.
    The choice is coarse, one repetition is enough for it, and no value biases the fit.
    """
    powers = band_powers(data, sample_rate, omega_ref).mean(axis=0)
    floor = fit_noise_floor(powers, len(data), data.shape[1], sample_rate, omega_ref, lines)
    half = data.shape[1] // 2
    early, late = (
        np.mean(part.astype(np.float64) ** 2) for part in (data[:, :half], data[:, half:])
    )
    duration = data.shape[1] / sample_rate
    heating = max(late - early, 0.02 * (early + late)) / (0.5 * duration)
    noise = max(float(floor[:, 0].max()), 0.0)
    wanted = math.sqrt(noise / heating) if heating > 0.0 else 0.0
    period = 2.0 * math.pi / omega_ref
    periods = 2.0
    limit = min(wanted, duration / 12.0, 4.0 / max(abs(lines[1] - lines[0]), 1e-300))
    while 2.0 * periods * period <= limit:
        periods *= 2.0
    return periods * period if periods > 2.0 else None
