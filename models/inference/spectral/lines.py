"""Finding lines in an auto spectrum without being told where, how wide or how strong they are.

A scan over boxes of all widths and places takes the likelihood ratio of "two levels" against
"flat"; the winner gives place, width and significance. A Lorentzian on a floor then refines it by
iterated weighted least squares with the weights of the model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["Line", "find_lines", "principal_lines", "with_best_width"]

_MAX_BINS = 4000
# Some ten scales times n places are looked at: noise alone passes in well under 1 % of spectra.
_SIGNIFICANT = 6.0
# A peak is this much higher than what lies to either side of it.
_PEAK = 1.25
# Mains frequencies, Hz, and the highest multiple of them that is taken for hum.
_MAINS = (50.0, 60.0)
_HUM_ENDS = 2000.0


@dataclass(frozen=True)
class Line:
    """A Lorentzian line on a floor.

    Attributes
    ----------
    frequency : float
        Hz.
    width : float
        Full width at half maximum, Hz, the window's own width taken off.
    height : float
        Peak above the floor, unit²/Hz.
    floor : float
        Level beside the line, unit²/Hz.
    gain : float
        Rise of the log-likelihood by the line.
    """

    frequency: float
    width: float
    height: float
    floor: float
    gain: float

    @property
    def area(self) -> float:
        """Variance in the line, unit²."""
        return 0.5 * math.pi * self.height * self.width

    def shape(self, frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
        """Line without floor, unit²/Hz."""
        half = 0.5 * self.width
        return self.height * half**2 / ((frequencies - self.frequency) ** 2 + half**2)


def _scan(spectrum: NDArray[np.float64], weight: float) -> tuple[int, int, float]:
    """Best box: first bin, bins, and the log-likelihood of two levels over one."""
    n = len(spectrum)
    total = np.concatenate([[0.0], np.cumsum(spectrum)])
    tiny = 1e-300
    flat = n * math.log(max(total[-1] / n, tiny))
    best = (0, 1, -np.inf)
    size = 1
    while size <= max(1, n // 2):
        inside = total[size:] - total[:-size]
        outside = np.maximum(total[-1] - inside, tiny)
        level = size * np.log(np.maximum(inside / size, tiny))
        gain = flat - level - (n - size) * np.log(outside / (n - size))
        # Only a raised box is a line.
        gain[inside / size <= outside / (n - size)] = -np.inf
        place = int(np.argmax(gain))
        if weight * gain[place] > best[2]:
            best = (place, size, float(weight * gain[place]))
        size = max(size + 1, int(size * 1.3))
    return best


def _innermost(
    spectrum: NDArray[np.float64], box: tuple[int, int, float]
) -> tuple[int, int, float]:
    """Shrink a box that holds several lines, or one line's wings, to the part that towers."""
    place, size, gain = box
    while size >= 12:
        inside = spectrum[place : place + size]
        first, length, _ = _scan(inside, 1.0)
        core = inside[first : first + length].mean()
        beside = (inside.sum() - core * length) / (size - length)
        if core < 4.0 * beside:
            break
        place, size = place + first, length
    return place, size, gain


def _levels(
    shape: NDArray[np.float64], spectrum: NDArray[np.float64], start: float
) -> tuple[float, float, float]:
    """Height and floor of height·shape + floor by Fisher scoring, and Σ[ln S + Ŝ/S]."""
    low = float(spectrum.mean()) * 1e-9
    floor, height = max(start, low), max(float(spectrum.max()), low)
    for _ in range(12):
        model = height * shape + floor
        w = 1.0 / model**2
        a, b, c = float((w * shape * shape).sum()), float((w * shape).sum()), float(w.sum())
        u, v = float((w * shape * spectrum).sum()), float((w * spectrum).sum())
        det = a * c - b * b
        if det <= 0.0:
            break
        height = max((c * u - b * v) / det, 0.2 * height, low)
        floor = max((a * v - b * u) / det, 0.2 * floor, low)
    model = height * shape + floor
    return height, floor, float((np.log(model) + spectrum / model).sum())


def _thin(
    frequencies: NDArray[np.float64], spectrum: NDArray[np.float64], place: int, size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bins around the box for the refinement: at most some thousand, thinned evenly."""
    reach = max(30 * size, 60)
    cut = slice(max(0, place - reach), min(len(spectrum), place + size + reach))
    f, s = frequencies[cut], spectrum[cut]
    group = -(-len(f) // _MAX_BINS)
    if group > 1:
        keep = len(f) // group * group
        f = f[:keep].reshape(-1, group).mean(axis=1)
        s = s[:keep].reshape(-1, group).mean(axis=1)
    return f, s


def _refine(
    frequencies: NDArray[np.float64],
    spectrum: NDArray[np.float64],
    box: tuple[int, int, float],
    bin_width: float,
) -> Line:
    """Lorentzian of best likelihood over a grid of widths and places around a box."""
    place, size, gain = _innermost(spectrum, box)
    f, s = _thin(frequencies, spectrum, place, size)
    inside = slice(place, place + size)
    weights = spectrum[inside]
    centre = float((frequencies[inside] * weights).sum() / weights.sum())
    start = float(np.quantile(s, 0.1))
    best: tuple[float, Line] | None = None
    for ratio in (0.12, 0.25, 0.4, 0.65, 1.0, 1.6, 2.6, 4.2):
        width = max(ratio * size, 1.6) * bin_width
        for shift in (-0.2, 0.0, 0.2):
            place_hz = centre + shift * min(width, size * bin_width)
            shape = 1.0 / (1.0 + ((f - place_hz) / (0.5 * width)) ** 2)
            height, floor, cost = _levels(shape, s, start)
            if best is None or cost < best[0]:
                # A Hann bin alone is some 1.5 bins wide: what is left is the line's own width.
                own = max(width - 1.5 * bin_width, 0.1 * bin_width)
                line = Line(place_hz, own, height * width / own, floor, gain)
                best = (cost, line)
    assert best is not None
    return best[1]


def find_lines(
    frequencies: NDArray[np.float64],
    spectrum: NDArray[np.float64],
    weight: float,
    *,
    count: int = 1,
    threshold: float | None = None,
) -> list[Line]:
    """Strongest lines of an auto spectrum, the most significant first.

    Parameters
    ----------
    frequencies, spectrum : ndarray, shape (n,)
        Hz and unit²/Hz, one-sided.
    weight : float
        K/κ, the information in one bin.
    count : int
        Lines at most.
    threshold : float, optional
        Gain in log-likelihood that a line must exceed; 6 + ln n by default, which allows for the
        places and widths looked at.

    Returns
    -------
    list of Line
        Empty if none stands out. What lies within its own width of a more significant line is that
        line's shoulder, left by dividing through an imperfect shape, and is not listed.
    """
    if len(spectrum) < 4:
        return []
    bin_width = float(np.median(np.diff(frequencies)))
    rest = np.asarray(spectrum, dtype=np.float64)
    lines: list[Line] = []
    for _ in range(count):
        box = _scan(rest, weight)
        if box[2] < (_SIGNIFICANT + math.log(len(rest)) if threshold is None else threshold):
            break
        line = _refine(frequencies, rest, box, bin_width)
        if lines:
            at = np.array([line.frequency])
            level = lines[0].floor + sum(float(known.shape(at)[0]) for known in lines)
            line = replace(line, height=line.height * level, floor=lines[0].floor)
        lines.append(line)
        # What remains is relative to the lines found: a weak line beside a strong one shows.
        model = lines[0].floor + sum(known.shape(frequencies) for known in lines)
        rest = spectrum / model
    return _without_shoulders(sorted(lines, key=lambda line: -line.gain))


def with_best_width(
    line: Line, frequencies: NDArray[np.float64], spectrum: NDArray[np.float64]
) -> Line:
    """Read the width again, on a finer grid than a search needs; it may be half of the true one.

    Parameters
    ----------
    line : Line
        From :func:`find_lines`.
    frequencies, spectrum : ndarray, shape (n,)
        Hz and unit²/Hz, one-sided, foreign lines cut out.
    """
    bin_width = float(np.median(np.diff(frequencies)))
    near = np.abs(frequencies - line.frequency) < max(20.0 * line.width, 30.0 * bin_width)
    f, s = frequencies[near], spectrum[near]
    start = float(np.quantile(s, 0.1))
    costs = {}
    for ratio in (0.6, 0.7, 0.85, 1.0, 1.2, 1.45, 1.75, 2.1, 2.5):
        own = ratio * line.width
        shape = 1.0 / (1.0 + ((f - line.frequency) / (0.5 * own + 0.75 * bin_width)) ** 2)
        costs[own] = _levels(shape, s, start)[2]
    return replace(line, width=min(costs, key=lambda own: costs[own]))


def _without_shoulders(lines: list[Line]) -> list[Line]:
    """Drop lines centred within their own width of a line before them."""
    kept: list[Line] = []
    for line in lines:
        if all(abs(line.frequency - known.frequency) > line.width for known in kept):
            kept.append(line)
    return kept


def principal_lines(
    lines: list[Line],
    frequencies: NDArray[np.float64],
    spectrum: NDArray[np.float64],
    *,
    finest: bool = True,
) -> list[Line]:
    """Lines that may be a particle's: without clutter, tones and hum where another line stands out.

    Three kinds are dropped, each only while something is left: what is no peak or reaches down to
    0 Hz (drift, the wings of a tone, remainders beside a strong line), what is narrower than a bin
    (a tone), and multiples of the mains frequencies.

    Parameters
    ----------
    lines : list of Line
        From :func:`find_lines`.
    frequencies, spectrum : ndarray, shape (n,)
        Hz and unit²/Hz, one-sided: where the lines were found.
    finest : bool
        No finer bins are to be had: a line narrower than a bin counts as a tone.
    """
    bin_width = float(np.median(np.diff(frequencies))) if len(frequencies) > 1 else 0.0
    peaks = [
        line
        for line in lines
        if line.width < line.frequency and _is_peak(line, frequencies, spectrum, bin_width)
    ]
    if not peaks:
        # A single ragged spectrum of a line that nothing resolves: the clearest is the best guess.
        return lines
    kept = peaks
    if finest:
        kept = [line for line in kept if line.width >= bin_width] or kept
    return [line for line in kept if not _is_hum(line, bin_width)] or kept


def _is_peak(
    line: Line, frequencies: NDArray[np.float64], spectrum: NDArray[np.float64], bin_width: float
) -> bool:
    """Whether the spectrum is higher here than on both sides."""
    half = 0.5 * line.width + 0.75 * bin_width
    at = np.searchsorted(
        frequencies, line.frequency + half * np.array([-5.0, -2.0, -1.0, 1.0, 2.0, 5.0])
    )
    below, inside, above = (spectrum[at[i] : at[i + 1]] for i in (0, 2, 4))
    if min(len(below), len(above)) < 2 or not len(inside):
        return False
    return bool(inside.mean() > _PEAK * max(below.mean(), above.mean()))


def _is_hum(line: Line, bin_width: float) -> bool:
    """Whether the line is narrow and at a multiple of a mains frequency."""
    if line.frequency > _HUM_ENDS or line.width > max(2.0 * bin_width, 5.0):
        return False
    off = [abs(line.frequency / mains - round(line.frequency / mains)) * mains for mains in _MAINS]
    return min(off) < 0.5 * bin_width + 0.1
