"""Bad repetitions of a release, named and left out before they are fitted; a wrong release index.

One look at every release: dead, held and copied ones, those with a lost particle, outliers of the
law that the others follow. The mean energy along a repetition, what was recorded before the release
included, says where heating begins, and whether there is any.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..acquisition.records.record import Ranges, Record
from ..models.errors import InputError
from ..models.inference.reheating.samples import line_frequencies
from ..models.inference.reheating.single import paired
from ..models.repetitions import Onset, amplitudes, lost_repetitions, onset_of, outliers
from ..models.soundness import SampleWatch

__all__ = ["sound_releases"]

_WINDOWS = 16  # of a release, from which outliers are judged
_PERIODS = 2.0  # of the line in a window, at least
_PROBE = 200  # releases from which the lines are read
_MOST_ONSET = 2000  # releases of which the energies are averaged
_MOST_ENERGIES = 32  # windows of a release and what lies before it
_BEFORE = 0.5  # of a release, that is looked at before it
_MOST_LEFT_OUT = 0.5


def sound_releases(
    record: Record,
    ranges: Ranges,
    columns: tuple[int, ...],
    band: tuple[float, float] | None,
) -> tuple[Ranges, tuple[str, ...]]:
    """Leave out what cannot be used of the releases.

    Parameters
    ----------
    record : Record
        With releases.
    ranges : Ranges
        Those, of one length.
    columns : tuple of int
        Columns that are fitted.
    band : (float, float) or None
        Where the lines lie, Hz.

    Returns
    -------
    ranges : Ranges
        Sound releases.
    said : tuple of str
        What was left out and why, and what else is wrong.

    Raises
    ------
    InputError
        If more than half of them cannot be used, copies aside, or a channel holds no signal.
    """
    names = [record.names[column] for column in columns]
    probe = ranges[:: max(1, len(ranges) // _PROBE)]
    samples = np.concatenate(list(record.released_batches(columns, probe)))
    lines = _lines(samples, record.sample_rate, band)
    length = int(ranges.lengths[0])
    period = 2.0 * math.pi * record.sample_rate / min(lines)
    windows = max(1, min(_WINDOWS, int(length / (_PERIODS * period))))
    watch = SampleWatch(names, [2.0 * math.pi * record.sample_rate / line for line in lines])
    parts = []
    for batch in record.released_batches(columns, ranges):
        watch.add(batch)
        parts.append(amplitudes(batch, lines, record.sample_rate, windows))
    copies = _touched(watch.copies(), length, len(ranges))
    left, why = _left_out(np.concatenate(parts), watch, length, names)
    said = [text for text in watch.findings() if "clipped" in text]
    if left[~copies].mean() > _MOST_LEFT_OUT:  # what is copied is there once, and sound
        raise InputError(
            f"{record.path}: too few releases are sound, {int((~left).sum())} of {len(left)}: "
            f"{'; '.join(why)}"
        )
    if left.any():
        count = int(left.sum())
        text = f"{count} of {len(left)} releases ({100.0 * count / len(left):.2g} %) are left out"
        said.append(f"{'; '.join(why)}: {text}")
        ranges = Ranges(ranges.array[~left])
    onset, size = _onset(record, ranges, columns, lines, period)
    return ranges, (*said, *_words(onset, size, record))


def _lines(
    samples: NDArray[np.float64], sample_rate: float, band: tuple[float, float] | None
) -> tuple[float, ...]:
    """Line of each channel, rad/s; releases of one particle are looked at two by two."""
    if samples.shape[2] == 1:
        return (float(np.mean(line_frequencies(paired(samples), sample_rate, band))),)
    return line_frequencies(samples, sample_rate, band)


def _touched(stretches: Sequence[tuple[int, int]], length: int, count: int) -> NDArray[np.bool_]:
    """Releases of a length in which stretches of their samples, laid end to end, lie."""
    touched = np.zeros(count, bool)
    for start, stop in stretches:
        # A copy begins where its words can be told, up to some samples early or late.
        touched[max(0, (start + length // 4) // length) : -(-(stop - length // 4) // length)] = True
    return touched


def _left_out(
    amplitude: NDArray[np.complex128], watch: SampleWatch, length: int, names: list[str]
) -> tuple[NDArray[np.bool_], list[str]]:
    """Releases that cannot be used, and why."""
    left, why = _touched(watch.bad(), length, len(amplitude)), []
    if left.any():
        why += [text for text in watch.findings() if "clipped" not in text]
    late = (np.abs(amplitude[:, amplitude.shape[1] // 2 :]) ** 2).mean(axis=1)
    for number, name in enumerate(names):
        lost, ratio = lost_repetitions(late[:, number])
        if (lost & ~left).any():
            rows = np.flatnonzero(lost)
            why.append(
                f"the line of {name} is gone in {len(rows)} releases, the first is number "
                f"{rows[0]} ({100.0 * ratio:.2g} % of its energy): the particle was lost"
            )
            left |= lost
    rest = np.flatnonzero(~left)
    odd = outliers(amplitude[rest]) if len(rest) else np.zeros(0, bool)
    if odd.any():
        rows = rest[odd]
        shown = ", ".join(map(str, rows[:8])) + (", …" if len(rows) > 8 else "")
        why.append(f"{len(rows)} releases are outliers of the law of all others (number {shown})")
        left[rows] = True
    return left, why


def _onset(
    record: Record,
    ranges: Ranges,
    columns: tuple[int, ...],
    lines: tuple[float, ...],
    period: float,
) -> tuple[Onset | None, int]:
    """Where the energy begins to rise, and the samples of a window."""
    length, recorded = int(ranges.lengths[0]), record.recorded()
    some = ranges[:: max(1, len(ranges) // _MOST_ONSET)]
    holding = np.searchsorted(recorded.starts, some.starts, side="right") - 1
    before = int(min((some.starts - recorded.starts[holding]).min(), _BEFORE * length))
    size = math.ceil(max(_PERIODS * period, (length + before) / _MOST_ENERGIES))
    windows_before = before // size
    wide = Ranges.of(some.starts - windows_before * size, some.stops)
    windows = (length + windows_before * size) // size
    if windows < 8:
        return None, size
    parts = []
    for batch in record.released_batches(columns, wide):
        used = batch[:, : windows * size]
        parts.append(np.abs(amplitudes(used, lines, record.sample_rate, windows)) ** 2)
    energy = np.concatenate(parts)
    energy /= energy.mean(axis=(0, 1))
    return onset_of(energy.sum(axis=2), windows_before, size), size


def _words(onset: Onset | None, size: int, record: Record) -> tuple[str, ...]:
    """What the mean energy says of the release."""
    if onset is None:
        return ()
    if onset.everywhere:
        return (
            f"the energy rises before the release ({onset.before:.3g} standard errors) as after "
            "it: feedback was off there already, or the release index is wrong",
        )
    if onset.elsewhere and abs(onset.place) > size:
        index = record.release_index
        stated = "" if index is None else f" (sample {index + round(onset.place)})"
        side = "after" if onset.place > 0.0 else "before"
        return (
            f"the energy begins to rise {abs(onset.place):.0f} ± {onset.error:.0f} samples {side} "
            f"the stated release{stated}: the release index is wrong, or feedback goes off there",
        )
    if onset.absent:
        return (
            f"the energy does not rise after the release ({onset.rise:.2g} standard errors): "
            "feedback was left on, or off all the time; D is not what these data show",
        )
    return ()
