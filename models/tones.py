"""Coherent tones among thermal lines: of drives and of mains, found in one long spectrum.

A tone keeps its phase, so that all its power lies in one bin of the spectrum of the whole record,
however long that is; a particle in gas spreads over all bins of its linewidth. In the band the
spectrum is read at twice as many frequencies as there are bins, so that a tone between two of them
is not lost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft, ifft, next_fast_len, prev_fast_len, rfft

__all__ = ["Tone", "ToneSearch"]

_MAIN_LOBE = 3  # bins to either side that a Hann window lets a tone fill
_NEAR = (8, 16, 32, 64)  # bins to either side that may say the level there
_PER_WIDTH, _PER_DISTANCE = 0.25, 0.25  # of a line: so far it is as good as straight
_INDEPENDENT = 1.94  # bins of a Hann spectrum that hold one independent value
_CHANCE = 1e-4  # that noise alone shows a tone somewhere
_ALONE = 10.0  # times the next bins, that a tone stands out of at least
_SIDE_LOBES, _SIDE_REACH = 3e-3, 200  # of a stronger tone, and bins that they reach
_LEAST_BINS = 100
_MAINS = (50.0, 60.0)
_PADDED = 2  # frequencies a bin


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
    excess : float
        Its power in one bin over what else is there.
    """

    frequency: float
    amplitude: float
    resolution: float
    excess: float = math.inf

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


class ToneSearch:
    """Looks for tones in a band of consecutive samples.

    Parameters
    ----------
    samples : ndarray, shape (n,)
        Consecutive samples.
    sample_rate : float
        Hz.
    band : (float, float)
        Hz.

    Examples
    --------
    >>> import numpy as np
    >>> from optobind.models.tones import ToneSearch
    >>> x = np.random.default_rng(0).standard_normal(20_000)
    >>> x += 0.2 * np.cos(2 * np.pi * 0.123 * np.arange(20_000))
    >>> [round(t.frequency, 4) for t in ToneSearch(x, 1.0, (0.1, 0.2)).tones([])]
    [0.123]
    """

    def __init__(
        self, samples: NDArray[Any], sample_rate: float, band: tuple[float, float]
    ) -> None:
        n = prev_fast_len(len(samples), real=True) if len(samples) else 0
        self._resolution = sample_rate / max(n, 1)
        margin = _MAIN_LOBE + _NEAR[-1] + 1
        first = max(1, math.floor(band[0] / self._resolution) - margin)
        last = min(n // 2, math.ceil(band[1] / self._resolution) + margin)
        self._first, self._bins = first, max(0, last - first)
        self._power, self._grain = np.zeros(0), 0.0
        if self._bins >= _LEAST_BINS:
            self._look(samples[:n])

    def _look(self, samples: NDArray[Any]) -> None:
        """Periodogram of the band with a Hann taper, in the unit squared of a tone's amplitude."""
        n, first, bins = len(samples), self._first, self._bins
        part = rfft(samples - samples.mean(), overwrite_x=True)[first : first + bins]
        slow = ifft(part)  # the band alone, as slowly sampled as its width allows
        slow *= np.sin((math.pi / bins) * np.arange(bins)) ** 2
        padded = next_fast_len(_PADDED * bins)
        spectrum = fft(slow, padded)
        self._grain = padded / bins  # frequencies a bin
        # A tone of amplitude A is n A/2 in a bin of the record, and A n/(2 bins) in ``slow``.
        self._power = (spectrum.real**2 + spectrum.imag**2) * (4.0 / n) ** 2

    def tones(self, lines: Sequence[tuple[float, float]]) -> list[Tone]:
        """Tones of the band, strongest first.

        Parameters
        ----------
        lines : sequence of (float, float)
            Thermal lines, frequency and full width at half maximum, Hz. Where they are narrower
            than some ten bins, a tone can be told at a distance from them only. Without lines,
            tones are found that stand out of the nearest bins.
        """
        power = self._power
        if not len(power):
            return []
        levels, freedoms = self._levels()
        reach = self._straight(lines)
        kind = np.searchsorted(np.array(_NEAR), reach, side="right") - 1
        at = np.arange(len(power))
        level = levels[np.maximum(kind, 0), at]
        n = freedoms[np.maximum(kind, 0)]
        # Of the ratio r of a bin to the mean of N others, P(> r) = (1 + r/N)^−N.
        least = n * ((_CHANCE / len(power)) ** (-1.0 / n) - 1.0)
        peak = np.zeros(len(power), bool)
        peak[1:-1] = (power[1:-1] >= power[:-2]) & (power[1:-1] > power[2:])
        peak &= (kind >= 0) & (power > least * level) & (power > _ALONE * levels[0])
        found = [self._tone(int(k), float(power[k] / level[k])) for k in np.flatnonzero(peak)]
        kept: list[Tone] = []
        for tone in sorted(found, key=lambda tone: -tone.amplitude):
            if not any(self._shadows(strong, tone) for strong in kept):
                kept.append(tone)
        return kept

    def _tone(self, k: int, excess: float) -> Tone:
        """A tone at a peak, its place by a parabola through the logarithms."""
        left, here, right = np.log(np.maximum(self._power[k - 1 : k + 2], 1e-300))
        bend = left - 2.0 * here + right
        shift = 0.5 * (left - right) / bend if bend < 0.0 else 0.0
        place = self._first + (k + float(np.clip(shift, -0.5, 0.5))) / self._grain
        amplitude = math.sqrt(float(self._power[k]))
        return Tone(place * self._resolution, amplitude, self._resolution, excess)

    def _shadows(self, strong: Tone, weak: Tone) -> bool:
        """Whether a weak tone may be a side lobe of a strong one."""
        near = abs(strong.frequency - weak.frequency) < _SIDE_REACH * self._resolution
        return near and weak.amplitude**2 < _SIDE_LOBES * strong.amplitude**2

    def _levels(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Means beside each frequency over each reach, and how many independent values they hold.

        Both at the ends of the band, where what lies beside is missing, cannot be told: infinite.
        """
        power = self._power
        total = np.concatenate([[0.0], np.cumsum(power)])
        inner = round(_MAIN_LOBE * self._grain)
        levels = np.full((len(_NEAR), len(power)), np.inf)
        for row, near in zip(levels, _NEAR, strict=True):
            count = round(near * self._grain)
            outer = inner + count
            k = np.arange(outer, len(power) - outer - 1)
            beside = (
                total[k + outer + 1] - total[k + inner + 1] + total[k - inner] - total[k - outer]
            )
            row[k] = np.maximum(beside / (2 * count), 1e-300)
        return levels, 2.0 * np.array(_NEAR) / _INDEPENDENT

    def _straight(self, lines: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
        """Bins to either side over which the thermal spectrum is as good as straight."""
        if not lines:
            return np.full(len(self._power), float(_NEAR[0]))
        place = self._first + np.arange(len(self._power)) / self._grain
        reach = np.full(len(self._power), float(_NEAR[-1]))
        for frequency, width in lines:
            distance = np.abs(place - frequency / self._resolution)
            wide = _PER_WIDTH * width / self._resolution
            reach = np.minimum(reach, np.maximum(wide, _PER_DISTANCE * distance))
        return reach
