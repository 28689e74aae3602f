"""What is read off spectra: cursors, the integral between them, and a table of peaks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .units import format_si

if TYPE_CHECKING:
    from ...models.inference.result import FitResult
    from ...models.spectra import CsdEstimate

__all__ = [
    "BandIntegral",
    "CursorReading",
    "Peak",
    "band_integral",
    "band_text",
    "peaks_of",
    "read_out",
    "reading_of",
]

_MOST_PEAKS = 8
_MOST_MAXIMA = 100
_PROMINENCE = 0.8  # decades by which a peak stands out of what surrounds it
_SMOOTH = 1.5  # the prominence that single bins of few averages need is larger by this / sqrt(ν)


@dataclass(frozen=True)
class CursorReading:
    """Values at one frequency: densities of the channels, coherence, phase (rad)."""

    frequency: float
    densities: tuple[float, ...]
    coherence: float | None
    phase: float | None


@dataclass(frozen=True)
class BandIntegral:
    """∫S df of each channel between two frequencies.

    Attributes
    ----------
    low, high : float
        Hz.
    variances : tuple of float
        unit².
    noise : tuple of float or None
        What of it is imprecision by the fit, unit²; None where it is not known.
    unit : str
        Of the samples.
    """

    low: float
    high: float
    variances: tuple[float, ...]
    noise: tuple[float, ...] | None
    unit: str

    @property
    def occupations(self) -> tuple[float, ...] | None:
        """⟨z²⟩ − ½ in quanta, less imprecision where it is known; None in other units."""
        if self.unit != "quanta":
            return None
        noise = self.noise or (0.0,) * len(self.variances)
        return tuple(v - n - 0.5 for v, n in zip(self.variances, noise, strict=True))


@dataclass(frozen=True)
class Peak:
    """A line: frequency (Hz), density of the stronger channel, its number from 1, width (Hz).

    ``width`` is the full width at half of the height; it is NaN where that is not reached.
    """

    frequency: float
    density: float
    channel: int
    width: float


def reading_of(csd: CsdEstimate, frequency: float) -> CursorReading:
    """Values of the bin nearest to a frequency (Hz)."""
    index = int(np.argmin(np.abs(csd.frequencies - frequency)))
    matrix = csd.matrix[index]
    autos = tuple(float(matrix[j, j].real) for j in range(csd.channels))
    place = float(csd.frequencies[index])
    if csd.channels < 2:
        return CursorReading(place, autos, None, None)
    cross = complex(matrix[0, 1])
    product = max(autos[0] * autos[1], 1e-300)
    coherence = min(abs(cross) ** 2 / product, 1.0)
    return CursorReading(place, autos, coherence, math.atan2(cross.imag, cross.real))


def band_integral(
    csd: CsdEstimate, low: float, high: float, result: FitResult | None = None
) -> BandIntegral | None:
    """Integrate the densities between two frequencies.

    Parameters
    ----------
    csd : CsdEstimate
        One-sided, unit²/Hz.
    low, high : float
        Hz, in any order.
    result : FitResult, optional
        Its imprecision is taken off where it is in the unit of the spectrum.

    Returns
    -------
    BandIntegral or None
        None where no bin lies between them.
    """
    low, high = sorted((low, high))
    inside = (csd.frequencies >= low) & (csd.frequencies <= high)
    if not inside.any():
        return None
    width = csd.bin_width
    variances = tuple(
        float(csd.matrix[inside, j, j].real.sum() * width) for j in range(csd.channels)
    )
    noise = None
    floors = _floors(result, csd)
    if floors is not None:
        noise = tuple(floor * width * int(inside.sum()) for floor in floors)
    return BandIntegral(low, high, variances, noise, csd.unit)


def _floors(result: FitResult | None, csd: CsdEstimate) -> tuple[float, ...] | None:
    """Fitted imprecision of each channel, unit²/Hz; None in another unit, or of another model."""
    if result is None:
        return None
    names = ["noise"] if csd.channels == 1 else [f"noise_{j + 1}" for j in range(csd.channels)]
    wanted = "1/Hz" if csd.unit == "quanta" else f"{csd.unit}^2/Hz"
    found = [result.parameters.get(name) for name in names]
    if any(p is None or p.unit not in (wanted, wanted.replace("^2", "²")) for p in found):
        return None
    return tuple(p.value for p in found if p is not None)


def peaks_of(csd: CsdEstimate, low: float, high: float) -> list[Peak]:
    """Lines that stand out between two frequencies (Hz), the highest first, eight at most."""
    inside = (csd.frequencies >= low) & (csd.frequencies <= high) & (csd.frequencies > 0.0)
    places = np.flatnonzero(inside)
    if places.size < 5:
        return []
    averages = max(csd.effective_averages or float(csd.averages), 1.0)
    prominence = _PROMINENCE + _SMOOTH / math.sqrt(averages)
    found: list[Peak] = []
    for j in range(csd.channels):
        density: NDArray[np.float64] = csd.matrix[places, j, j].real
        level = np.log10(np.maximum(density, 1e-300))
        for index in _prominent(level, prominence):
            frequency = float(csd.frequencies[places[index]])
            width = _half_width(density, index) * csd.bin_width
            found.append(Peak(frequency, float(density[index]), j + 1, width))
    return _without_twins(found, csd.bin_width)[:_MOST_PEAKS]


def _prominent(level: NDArray[np.float64], need: float) -> list[int]:
    """Maxima that stand so far above the lowest points between them and higher ones."""
    inner = level[1:-1]
    maxima = np.flatnonzero((inner > level[:-2]) & (inner >= level[2:])) + 1
    maxima = maxima[level[maxima] > np.median(level) + need]
    highest = maxima[np.argsort(-level[maxima])][:_MOST_MAXIMA]
    found = []
    for index in highest.tolist():
        higher = np.flatnonzero(level > level[index])
        left, right = higher[higher < index], higher[higher > index]
        start = int(left[-1]) if left.size else 0
        stop = int(right[0]) + 1 if right.size else level.size
        base = max(level[start : index + 1].min(), level[index:stop].min())
        if level[index] - base >= need:
            found.append(index)
    return found


def _half_width(density: NDArray[np.float64], index: int) -> float:
    """Full width at half of the height, in bins; NaN where a side does not fall so far."""
    half = 0.5 * density[index]
    below = np.flatnonzero(density < half)
    left, right = below[below < index], below[below > index]
    if not left.size or not right.size:
        return math.nan
    a, b = int(left[-1]), int(right[0])
    start = a + (half - density[a]) / (density[a + 1] - density[a])
    stop = b - (half - density[b]) / (density[b - 1] - density[b])
    return float(stop - start)


def _without_twins(peaks: list[Peak], bin_width: float) -> list[Peak]:
    """The stronger of two channels that show one line."""
    kept: list[Peak] = []
    for peak in sorted(peaks, key=lambda p: -p.density):
        reach = max(3.0 * bin_width, 0.5 * peak.width)
        if all(abs(peak.frequency - other.frequency) > reach for other in kept):
            kept.append(peak)
    return kept


def read_out(found: Sequence[tuple[str, CursorReading]]) -> list[str]:
    """Text lines of the cursors, and of their difference where there are two."""
    lines = [f"{name}  {_describe(reading)}" for name, reading in found]
    if len(found) == 2:
        a, b = found[0][1], found[1][1]
        ratios = [
            f"{10.0 * math.log10(q / p):+.1f} dB".replace("-", "−")
            for p, q in zip(a.densities, b.densities, strict=True)
            if p > 0.0 and q > 0.0
        ]
        distance = format_si(b.frequency - a.frequency, "Hz", 5)
        lines.append(f"B − A  Δf {distance}   B/A {' · '.join(ratios)}")
    return lines


def _describe(reading: CursorReading) -> str:
    parts = [format_si(reading.frequency, "Hz", 6)]
    parts += [
        f"S{i}{i} {value:.3g}".replace("-", "−")
        for i, value in enumerate(reading.densities, start=1)
    ]
    if reading.coherence is not None and reading.phase is not None:
        parts.append(f"coh {reading.coherence:.3f}")
        parts.append(f"phase {reading.phase:+.2f} rad".replace("-", "−"))
    return "   ".join(parts)


def band_text(found: BandIntegral | None) -> str:
    """Write the integral between the cursors: variance, rms, and occupation in quanta."""
    if found is None:
        return "∫ A … B: no bin between the cursors"
    square = "" if found.unit == "quanta" else f" {found.unit}²"
    parts = []
    for j, variance in enumerate(found.variances, start=1):
        text = f"⟨z{j}²⟩ {variance:.4g}{square}"
        if found.unit != "quanta":
            text += f" (rms {format_si(math.sqrt(max(variance, 0.0)), found.unit, 4)})"
        parts.append(text)
    occupations = found.occupations
    if occupations is not None:
        parts += [f"n{j} {n:.4g}" for j, n in enumerate(occupations, start=1)]
        parts.append("imprecision of the fit taken off" if found.noise else "noise included")
    return "∫ A … B: " + " · ".join(parts).replace("-", "−")
