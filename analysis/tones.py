"""Coherent tones beside the lines of a record, of drives and of mains, named before a fit.

A strong tone passes for the line itself: it is taken out of the samples and the line is looked for
again, so that the level beside a tone is that of the particle.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..acquisition.records.record import Record
from ..models.errors import InputError
from ..models.inference.spectral.choose import channel_lines, choose_segment
from ..models.inference.spectral.lines import Line
from ..models.tones import Tone, ToneSearch
from .detection import Ranges, notched

__all__ = ["Tones", "tones_of"]

_WIDTHS = 40.0  # to either side of the lines, as far as a fit's band reaches
_LEAST_REACH = 200.0  # bins
_NOTCH = 8.0  # bins to either side of a tone
_CREDIBLE = 5.5  # times the reach of a notch, that a line beneath a tone is wide
_LINE_SAMPLES = 1 << 20  # from which lines are read
_MOST_TONES = 3


class Tones:
    """Lines of each channel, tones taken out, and what is to be said of the tones.

    Attributes
    ----------
    lines : list of (Line or None)
        Strongest line of each channel that is no tone.
    said : tuple of str
        A line for each tone.
    """

    def __init__(self, lines: list[Line | None], said: tuple[str, ...]) -> None:
        self.lines, self.said = lines, said


def tones_of(
    record: Record,
    columns: tuple[int, ...],
    probe: NDArray[np.float64],
    segment: int,
    band: tuple[float, float] | None,
    exclude: Ranges = (),
) -> Tones:
    """Find the lines of a record, and tones among them.

    Parameters
    ----------
    record : Record
        For rate, names and unit.
    columns : tuple of int
        Columns that are fitted.
    probe : ndarray, shape (n, columns)
        Consecutive samples of them.
    segment : int
        Samples of a segment that resolves the lines.
    band : (float, float) or None
        Where the lines lie, Hz.
    exclude : sequence of (float, float)
        What is left out already, Hz.
    """
    rate = record.sample_rate
    lines = channel_lines(probe[:_LINE_SAMPLES], rate, segment, band)
    reach = _reach(lines, rate / max(len(probe), 1), rate, band)
    if reach is None:
        return Tones(lines, ())
    searches = [ToneSearch(column, rate, reach) for column in probe.T]
    sure = [tone for search in searches for tone in search.tones([])]
    if sure:
        beneath = _without(probe[:_LINE_SAMPLES], rate, band, sure)
        # A line of a few bins passes for a tone, and its wings for a broader line beneath.
        least = _CREDIBLE * _NOTCH * rate / len(probe[:_LINE_SAMPLES])
        if all(line is None or line.width > least for line in beneath):
            lines = beneath
    known = [(line.frequency, line.width) for line in lines if line is not None]
    if not known:
        return Tones(lines, ())
    said: list[str] = []
    for column, search in zip(columns, searches, strict=True):
        kept = [t for t in search.tones(known) if not _excluded(t, exclude)]
        narrowest = min(width for _, width in known)
        said += [_words(record, column, tone, narrowest) for tone in kept[:_MOST_TONES]]
    return Tones(lines, tuple(said))


def _reach(
    lines: Sequence[Line | None],
    resolution: float,
    sample_rate: float,
    band: tuple[float, float] | None,
) -> tuple[float, float] | None:
    """Where tones are looked for, Hz; None without a line."""
    seen = [line for line in lines if line is not None]
    if band is not None or not seen:
        return band
    far = [max(_WIDTHS * line.width, _LEAST_REACH * resolution) for line in seen]
    low = min(line.frequency - away for line, away in zip(seen, far, strict=True))
    high = max(line.frequency + away for line, away in zip(seen, far, strict=True))
    return max(low, 0.0), min(high, 0.5 * sample_rate)


def _without(
    probe: NDArray[np.float64],
    sample_rate: float,
    band: tuple[float, float] | None,
    tones: Sequence[Tone],
) -> list[Line | None]:
    """Lines of the channels without what lies at the tones."""
    wide = _NOTCH * sample_rate / len(probe)
    clean = notched(probe, sample_rate, [(t.frequency - wide, t.frequency + wide) for t in tones])
    try:
        segment = choose_segment(clean, sample_rate, band)
    except InputError:
        return [None] * probe.shape[1]
    return channel_lines(clean, sample_rate, segment, band)


def _excluded(tone: Tone, exclude: Ranges) -> bool:
    """Whether a tone is left out already."""
    return any(low <= tone.frequency <= high for low, high in exclude)


def _words(record: Record, column: int, tone: Tone, width: float) -> str:
    """Say where a tone stands, how strong it is and what to do."""
    what = "a drive" if tone.mains is None else f"a multiple of {tone.mains:g} Hz, the mains"
    reach = max(10.0 * tone.resolution, 0.05 * width)
    return (
        f"a tone at {tone.frequency:.7g} Hz of {tone.amplitude:.3g} {record.unit} stands in "
        f"{record.names[column]} by the line, {tone.excess:.2g} times what else a bin of "
        f"{tone.resolution:.2g} Hz holds ({what}): leave it out, --exclude "
        f"{tone.frequency - reach:.{_digits(reach)}f} {tone.frequency + reach:.{_digits(reach)}f}"
    )


def _digits(reach: float) -> int:
    """Digits behind the point that resolve a range, Hz."""
    return max(0, int(np.ceil(-np.log10(0.1 * reach))))
