"""Segment length and band when the user gives neither.

A segment must be long against a line's correlation time (several bins within the linewidth), and
short enough to be averaged; a record that allows only one of them gets the long segment, because
the likelihood stays right with few averages but not with lines that no bin resolves.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from ...errors import InputError
from ...spectra import CsdEstimate
from .lines import Line, find_lines, principal_lines, with_best_width
from .windows import information_of, kappa

__all__ = ["channel_lines", "choose_band", "choose_segment"]

# Bins within the full width at half maximum of the narrowest line.
_BINS_PER_LINE = 5.0
_SHORTEST = 256
# A line wider than this share of its frequency is nearly overdamped: what tells D and ω lies below
# ω²/γ, and needs so many bins between 0 and the line.
_BROAD, _BINS_BELOW = 0.2, 400.0
# Longer segments are tried only when these do not resolve a line.
_FIRST = 1 << 18
# A band narrower than this many of the record's finest bins may hold none of a shorter segment's.
_NARROW_BINS = 64.0
# A band reaches this many linewidths to either side, and never fewer bins than that. Where ±10
# widths are all wing, D and imprecision stand in for each other: −0.67 σ and +0.41 σ of bias.
# Wanted are 30; widths are read up to a quarter too low.
_WIDTHS = 38.0
_BINS = 40.0
_MOST_BINS = 20000.0
# Frequencies of two particles, and of the lines of one pair, differ by a smaller ratio.
_NEIGHBOURS = 1.35
# Below so many bins per line at the chosen segment, its width was misread: lengthen.
_TOO_FEW_BINS = 2.0
# Medians of this many parts of the spectrum, equal in log f, are its background.
_BLOCKS = 12


def choose_segment(
    samples: NDArray[np.float64],
    sample_rate: float,
    band: tuple[float, float] | None = None,
) -> int:
    """Samples per segment that resolve the lines of a record.

    Parameters
    ----------
    samples : ndarray, shape (n,) or (n, channels)
        Record in any unit, integers allowed.
    sample_rate : float
        Hz.
    band : (float, float), optional
        Look for lines here only, Hz; everywhere if it is narrower than 64 bins of the finest
        spectrum.

    Returns
    -------
    int
        A power of two, or the whole record if even that hardly resolves the lines.

    Raises
    ------
    InputError
        If the record is shorter than 64 samples, not finite, the rate is not positive, or the band
        holds no bin of the finest spectrum.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> samples = record.read(0, 400_000)
    >>> ob.choose_segment(samples, record.sample_rate).bit_count()  # a power of two
    1
    """
    record = np.asarray(samples)
    record = record[:, None] if record.ndim == 1 else record
    n = len(record)
    if n < 64:
        raise InputError(f"a spectrum needs at least 64 samples, the record has {n}")
    if not (math.isfinite(sample_rate) and sample_rate > 0.0):
        raise InputError(f"sample_rate must be positive, got {sample_rate!r} Hz")
    if not np.isfinite(record).all():
        raise InputError("the record holds a value that is not finite")
    longest = 2 ** int(math.log2(n))
    _check_band(band, sample_rate, n)
    if band is not None and band[1] - band[0] < _NARROW_BINS * sample_rate / n:
        band = None
    # Start fine: a width read off too few bins would settle for them.
    segment = min(max(_SHORTEST, min(longest // 4, _FIRST)), longest)
    while True:
        lines = _lines_of(record, sample_rate, segment, band, segment >= longest)
        if not lines:
            return int(max(min(_SHORTEST, longest), segment // 4))
        wanted = sample_rate * _BINS_PER_LINE / min(line.width for line in lines)
        broad = [line.frequency for line in lines if line.width > _BROAD * line.frequency]
        if broad:
            wanted = max(wanted, sample_rate * _BINS_BELOW / min(broad))
        if wanted <= 2.0 * segment:
            best = 2 ** math.ceil(math.log2(wanted))
            best = int(min(max(best, min(_SHORTEST, longest)), longest))
            return _lengthened(record, sample_rate, best, segment, lines)
        if segment >= longest:
            return n
        segment = min(longest, 4 * segment)


def channel_lines(
    samples: NDArray[np.float64],
    sample_rate: float,
    segment: int,
    band: tuple[float, float] | None = None,
) -> list[Line | None]:
    """Strongest line of each channel of a record, None where none stands out.

    Parameters
    ----------
    samples : ndarray, shape (n, channels)
        Consecutive samples.
    sample_rate : float
        Hz.
    segment : int
        Samples of a segment, such as :func:`choose_segment` gives.
    band : (float, float), optional
        Look here only, Hz.
    """
    record, size = np.asarray(samples), min(segment, len(samples))
    return [
        next(iter(_lines_of(record[:, [j]], sample_rate, size, band, False)), None)
        for j in range(record.shape[1])
    ]


def _check_band(band: tuple[float, float] | None, sample_rate: float, samples: int) -> None:
    """Refuse a band that is empty even at the finest segment."""
    if band is None:
        return
    finest = sample_rate / samples
    inside = math.floor(min(band[1], 0.5 * sample_rate) / finest) - math.ceil(band[0] / finest) + 1
    if not inside >= 1:
        raise InputError(
            f"band {band[0]:g} … {band[1]:g} Hz holds no bin of a spectrum up to "
            f"{0.5 * sample_rate:g} Hz with bins of {finest:.3g} Hz"
        )


def _lengthened(
    record: NDArray[np.float64],
    sample_rate: float,
    segment: int,
    finest: int,
    lines: list[Line],
) -> int:
    """Longer segment if the lines, seen with this one, are narrower than some bins."""
    while segment < finest:
        # Only the neighbourhood of the lines: whatever else shows with fewer bins is settled.
        low = min(line.frequency - 20.0 * line.width for line in lines)
        high = max(line.frequency + 20.0 * line.width for line in lines)
        reach = 20.0 * sample_rate / segment
        seen = _lines_of(record, sample_rate, segment, (low - reach, high + reach), False)
        if not seen or min(x.width for x in seen) >= _TOO_FEW_BINS * sample_rate / segment:
            break
        segment *= 2
    return segment


def _lines_of(
    record: NDArray[np.float64],
    sample_rate: float,
    segment: int,
    band: tuple[float, float] | None,
    finest: bool,
) -> list[Line]:
    """Main line of every channel that shows one."""
    taper = signal.get_window("hann", segment)
    step = segment // 2
    count = 1 + (len(record) - segment) // step
    weight = count / kappa(taper, segment - step, count)
    found = []
    for channel in range(record.shape[1]):
        x = record[:, channel].astype(np.float64)
        frequencies, auto = signal.welch(
            x, sample_rate, "hann", segment, segment - step, detrend="constant"
        )
        keep = _inside(frequencies, band, 4)
        f, s = frequencies[keep], auto[keep]
        found.append(principal_lines(_standing_out(f, s, weight, 4), f, s, finest=finest))
    return _main_lines(found)


def _main_lines(found: list[list[Line]]) -> list[Line]:
    """Strongest line of every channel; if they are far apart, those of a common neighbourhood."""
    shown = [lines for lines in found if lines]
    strongest = [lines[0] for lines in shown]
    if len(shown) != 2 or _near(strongest[0], strongest[1]):
        return strongest
    pairs = [(a, b) for a in shown[0] for b in shown[1] if _near(a, b)]
    if not pairs:
        return strongest
    one, two = max(pairs, key=lambda pair: pair[0].gain + pair[1].gain)
    return [one, two]


def _near(one: Line, two: Line) -> bool:
    """Whether the lines may belong to two particles of one experiment."""
    low, high = sorted((one.frequency, two.frequency))
    return high <= _NEIGHBOURS * low or high - low <= 4.0 * (one.width + two.width)


def _standing_out(
    frequencies: NDArray[np.float64], auto: NDArray[np.float64], weight: float, count: int
) -> list[Line]:
    """Lines above a coloured background, clearest first; if none, those above a flat one."""
    if len(frequencies) < 4:
        return []
    background = _background(frequencies, auto)
    if background is not None:
        lines = find_lines(frequencies, auto / background, weight, count=count)
        levels = np.interp([line.frequency for line in lines], frequencies, background)
        raised = [
            replace(line, height=line.height * level, floor=line.floor * level)
            for line, level in zip(lines, levels, strict=True)
        ]
        if raised:
            return raised
    return find_lines(frequencies, auto, weight, count=count)


def _background(
    frequencies: NDArray[np.float64], auto: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Medians over blocks in log f joined by power laws, as drift is; None if there are too few."""
    ratio = frequencies[-1] / frequencies[0]
    edges = np.searchsorted(frequencies, frequencies[0] * ratio ** np.linspace(0, 1, _BLOCKS + 1))
    edges = np.unique(edges[:-1])
    blocks = [block for block in np.split(np.arange(len(auto)), edges[1:]) if len(block) >= 6]
    if len(blocks) < 4:
        return None
    levels = np.array([np.median(auto[block]) for block in blocks])
    if levels.min() <= 0.0:
        return None
    centres = [float(np.log(frequencies[block]).mean()) for block in blocks]
    return np.asarray(np.exp(np.interp(np.log(frequencies), centres, np.log(levels))))


def _inside(
    frequencies: NDArray[np.float64], band: tuple[float, float] | None, skip: int
) -> NDArray[np.bool_]:
    """Bins of the band, without the first ones (drift leaks there) and Nyquist."""
    keep = np.ones(len(frequencies), dtype=bool)
    keep[:skip] = False
    keep[-1] = False
    if band is not None:
        keep &= (frequencies >= band[0]) & (frequencies <= band[1])
    return keep


def choose_band(csd: CsdEstimate) -> tuple[float, float]:
    """Band around the lines, Hz: wide enough for the noise floor and the wings, without DC.

    D is told from the imprecision where the wings have sunk into the floor, and Re D_12 sits in
    the wings of the cross spectrum, so the band reaches 30 linewidths to either side (20000 bins in
    all at most); it stops half-way to foreign lines outside 8 linewidths. Hum, tones and drift are
    not taken for the particle while another line stands out.

    Parameters
    ----------
    csd : CsdEstimate
        One or two channels.

    Returns
    -------
    tuple of float
        Low and high edge, Hz.

    Raises
    ------
    InputError
        If no channel shows a line.

    Examples
    --------
    >>> import optobind as ob
    >>> csd = ob.analyse_spectrum(ob.open_record("runs/first/run.h5")).csd
    >>> low, high = ob.choose_band(csd)
    >>> 0.0 < low < 52e3 < high < 1e6  # Hz, around the lines
    True
    """
    weight = information_of(csd).weight
    # Views: the spectra of a narrow line are millions of bins long.
    begin, end = np.searchsorted(
        csd.frequencies, [4.5 * csd.bin_width, 0.5 * csd.sample_rate - 0.5 * csd.bin_width]
    )
    f = csd.frequencies[begin:end]
    autos = [csd.matrix[begin:end, j, j].real for j in range(csd.channels)]
    shown = [_standing_out(f, auto, weight, 4) for auto in autos]
    both = list(zip(shown, autos, strict=True))
    found = [principal_lines(lines, f, auto) for lines, auto in both]
    mains = _main_lines(found)
    if not mains:
        raise InputError("no line stands out of the noise: give the band")
    most = _MOST_BINS * csd.bin_width
    if max(x.frequency for x in mains) - min(x.frequency for x in mains) > 0.5 * most:
        mains = [max(mains, key=lambda line: line.gain)]
    # A tone is no particle's, yet it would be in the way.
    peaks = [principal_lines(lines, f, auto, finest=False) for lines, auto in both]
    foreign = [line for lines in peaks for line in lines if line not in mains]
    near = [
        _undisturbed(main, foreign, f, auto, weight)
        for lines, auto in both
        for main in mains
        if main in lines
    ]
    width = max(*(line.width for line in near), 2.0 * csd.bin_width)
    low = min(line.frequency for line in mains)
    high = max(line.frequency for line in mains)
    reach = min(max(_WIDTHS * width, _BINS * csd.bin_width), 0.5 * (most - (high - low)))
    if any(line.width > _BROAD * line.frequency for line in near):
        # Nearly overdamped: its wings are all there is, and bumps on them are no lines.
        return float(f[0]), min(float(f[0]) + most, float(f[-1]))
    bottom, top = low - reach, high + reach
    for line in foreign:
        bottom, top = _without(line, low, high, width, (bottom, top))
    return max(bottom, float(f[0])), min(top, float(f[-1]))


def _undisturbed(
    main: Line,
    foreign: list[Line],
    frequencies: NDArray[np.float64],
    auto: NDArray[np.float64],
    weight: float,
) -> Line:
    """Read the main line again, foreign ones cut out: their peaks would pass for its wing."""
    bin_width = float(frequencies[1] - frequencies[0])
    kept = np.ones(len(frequencies), dtype=bool)
    for line in foreign:
        guard = 8.0 * max(line.width, bin_width)
        if abs(line.frequency - main.frequency) > guard:
            kept &= np.abs(frequencies - line.frequency) > guard
    f, s = frequencies[kept], auto[kept]
    again = [
        line
        for line in ([] if kept.all() else _standing_out(f, s, weight, 1))
        if abs(line.frequency - main.frequency) < main.width
    ]
    return with_best_width(again[0] if again else main, f, s)


def _without(
    line: Line, low: float, high: float, width: float, band: tuple[float, float]
) -> tuple[float, float]:
    """Narrow the band so that a foreign line far from low … high stays outside."""
    bottom, top = band
    guard = 8.0 * max(width, line.width)
    if line.frequency < low - guard:
        bottom = max(bottom, 0.5 * (line.frequency + low))
    elif line.frequency > high + guard:
        top = min(top, 0.5 * (line.frequency + high))
    return bottom, top
