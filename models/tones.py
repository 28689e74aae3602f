"""Coherent tones among thermal lines: of drives and of mains, found in one long spectrum.

A tone keeps its phase, so that all its power lies in one bin of the spectrum of the whole record,
however long that is; a particle in gas spreads over all bins of its linewidth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import prev_fast_len, rfft

__all__ = ["Tone", "find_tones"]

_MAIN_LOBE = 3  # bins to either side that a Hann window lets a tone fill
_LEAST_NEAR, _MOST_NEAR = 8, 64  # bins to either side that say the level there
_CHANCE = 1e-6  # that noise alone shows a tone somewhere
_MAINS = (50.0, 60.0)


@dataclass(frozen=True)
class Tone:
    """A coherent tone.

    Attributes
    ----------
    frequency : float
        Hz.
    amplitude : float
        Peak, in the unit of the samples.
    resolution : float
        Width of a bin of the spectrum that shows it, Hz.
    """

    frequency: float
    amplitude: float
    resolution: float

    @property
    def mains(self) -> float | None:
        """Mains frequency whose multiple it is, Hz, if any."""
        for base in _MAINS:
            number = round(self.frequency / base)
            # Networks keep their frequency to some 10⁻³.
            near = abs(self.frequency - number * base)
            if 1 <= number <= 20 and near <= 2.0 * self.resolution + 1e-3 * self.frequency:
                return base
        return None


def find_tones(
    samples: NDArray[Any], sample_rate: float, band: tuple[float, float], width: float
) -> list[Tone]:
    """Find tones within a band.

    Parameters
    ----------
    samples : ndarray, shape (n,)
        Consecutive samples.
    sample_rate : float
        Hz.
    band : (float, float)
        Hz.
    width : float
        Of the narrowest thermal line, Hz, full width at half maximum: one that is hardly resolved
        cannot be told from a tone.

    Returns
    -------
    list of Tone
        Strongest first.
    """
    n = _fast_length(len(samples))
    resolution = sample_rate / n
    near = int(min(_MOST_NEAR, width / resolution / 4.0))
    inner, outer = _MAIN_LOBE, _MAIN_LOBE + near
    bins = n // 2 + 1
    first = max(outer, math.ceil(band[0] / resolution))
    last = min(bins - outer - 2, math.floor(band[1] / resolution))
    if near < _LEAST_NEAR or last < first:
        return []
    # Of the band and what lies beside it only: a long record has millions of bins.
    low = first - outer
    power = _power(samples[:n])[low : last + outer + 2]
    total = np.concatenate([[0.0], np.cumsum(power)])
    k = np.arange(outer, len(power) - outer - 1)
    beside = total[k + outer + 1] - total[k + inner] + total[k - inner + 1] - total[k - outer]
    count = 2 * near
    # Of the ratio r of a bin to the mean of N others, P(> r) = (1 + r/N)^−N.
    chance = _CHANCE / bins
    least = count * (chance ** (-1.0 / count) - 1.0)
    ratio = power[k] * (count + 2) / np.maximum(beside, 1e-300)
    peak = (power[k] >= power[k - 1]) & (power[k] > power[k + 1])
    found = k[peak & (ratio > 2.0 * least)]
    tones = []
    for bin_number in found.tolist():
        lobe = power[bin_number - 2 : bin_number + 3]
        amplitude = math.sqrt(float(lobe.sum()) / (0.375 * n) / n) * 2.0
        place = float((lobe * np.arange(-2, 3)).sum() / lobe.sum())
        tones.append(Tone((low + bin_number + place) * resolution, amplitude, resolution))
    return sorted(tones, key=lambda tone: -tone.amplitude)


def _fast_length(n: int) -> int:
    """Length, hardly shorter, of which a Fourier transform needs neither time nor room."""
    return prev_fast_len(n, real=True) if n else 0


def _power(samples: NDArray[Any]) -> NDArray[np.float64]:
    """Periodogram with a Hann taper, in the samples' unit squared."""
    n = len(samples)
    x = samples - samples.mean()
    x *= np.sin((math.pi / n) * np.arange(n)) ** 2
    spectrum = rfft(x, overwrite_x=True)
    return np.asarray(spectrum.real**2 + spectrum.imag**2, np.float64)
