"""Bad data, named before they are fitted: stretches of a steady record that are left out.

One look at every sample, of whatever format: dead, held and copied stretches, a line that is gone
or has another power there (both are left out, and said), drifts of power and frequency, clipping.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..acquisition.records.record import Ranges, Record
from ..acquisition.records.selected import with_steady
from ..models.blocks import Block
from ..models.errors import InputError
from ..models.inference.result import FitResult
from ..models.inference.spectral.choose import channel_lines
from ..models.soundness import SampleWatch
from ..models.steadiness import LineRows
from ..models.tones import find_tones
from .changes import described

__all__ = ["SteadySurvey", "tones_beside", "without_stretches"]

_LEAST_SAMPLES = 4096  # that must be sound, of a longer record
_LINE_SAMPLES = 1 << 20  # of the probe, from which lines are read
_BROADEST = 0.3  # linewidth over frequency of lines whose power is followed
_MOST_TONES = 3


class SteadySurvey:
    """Looks at the steady samples of a record as they pass.

    Parameters
    ----------
    record : Record
        The record.
    columns : tuple of int
        Columns that are fitted.
    probe : ndarray, shape (n, columns)
        Some of its samples, for the lines.
    segment : int
        Samples of a segment that resolves the lines.
    band : (float, float) or None
        Where the lines lie, Hz.
    """

    def __init__(
        self,
        record: Record,
        columns: tuple[int, ...],
        probe: NDArray[np.float64],
        segment: int,
        band: tuple[float, float] | None,
    ) -> None:
        self._record, self._columns = record, columns
        self._steady, rate = record.steady(), record.sample_rate
        lines = channel_lines(probe[:_LINE_SAMPLES], rate, segment, band)
        self._watch = SampleWatch(
            [record.names[column] for column in columns],
            [None if line is None else rate / line.frequency for line in lines],
        )
        self._rows = [
            None
            if line is None or line.width > _BROADEST * line.frequency
            else LineRows(
                rate, line.frequency, max(line.width, rate / segment), self._steady.samples
            )
            for line in lines
        ]

    def add(self, block: Block) -> None:
        """Take in a block."""
        self._watch.add(block.samples, block.first_sample)
        for rows, column in zip(self._rows, block.samples.T, strict=True):
            if rows is not None:
                rows.add(column, block.first_sample)

    def result(self) -> tuple[Ranges, tuple[str, ...], tuple[str, ...]]:
        """Ranges to be left out, why, and what else is to be said."""
        bad = self._watch.bad()
        if bad:
            ranges = Ranges(sorted(bad)).merged().cut_to(self._steady)
            said = [t for t in self._watch.findings() if "clipped" not in t]
            # What the line does is looked at again without these.
            return ranges, (f"{'; '.join(said)}: {self._left_out(ranges)}",), ()
        leave, why, said = [], [], list(self._watch.findings())
        for column, rows in zip(self._columns, self._rows, strict=True):
            for change in [] if rows is None else rows.changes():
                text = described(self._record, column, change, rows.frequency, rows.width)
                if change.kind in ("gone", "step"):
                    leave.append((change.start, change.stop))
                    why.append(text)
                else:
                    said.append(text)
        ranges = Ranges(sorted(leave)).merged().cut_to(self._steady)
        reasons = (f"{'; '.join(why)}: {self._left_out(ranges)}",) if why else ()
        return ranges, reasons, tuple(said)

    def _left_out(self, ranges: Ranges) -> str:
        """How much is left out."""
        total = self._steady.samples
        return f"{100.0 * ranges.samples / total:.2g} % of the samples are left out"


def without_stretches(record: Record, bad: Ranges, why: tuple[str, ...]) -> Record:
    """Leave stretches out of the steady record.

    Parameters
    ----------
    record : Record
        The record.
    bad : Ranges
        What is left out.
    why : tuple of str
        What is wrong there, for the refusal.

    Raises
    ------
    InputError
        If hardly anything is left.
    """
    steady = record.steady()
    sound = steady.without(bad)
    if sound.samples < min(_LEAST_SAMPLES, steady.samples):
        raise InputError(
            f"{record.path}: too little of the record is sound, {sound.samples} of "
            f"{steady.samples} samples: {'; '.join(why)}"
        )
    return with_steady(record, sound)


def tones_beside(
    samples: NDArray[np.float64],
    record: Record,
    columns: tuple[int, ...],
    band: tuple[float, float],
    exclude: tuple[tuple[float, float], ...],
    result: FitResult,
) -> tuple[str, ...]:
    """Name coherent tones within the band of a fit.

    Parameters
    ----------
    samples : ndarray, shape (n, columns)
        Consecutive samples, in the unit of the record.
    record : Record
        For names and unit.
    columns : tuple of int
        Fitted columns.
    band : (float, float)
        Hz.
    exclude : tuple of (float, float)
        What is left out already, Hz.
    result : FitResult
        Says how wide the lines are.
    """
    widths = [
        p.value / (2.0 * np.pi) for name, p in result.parameters.items() if name.startswith("gamma")
    ]
    found = []
    for number, column in enumerate(columns):
        tones = find_tones(samples[:, number], record.sample_rate, band, min(widths))
        kept = [t for t in tones if not any(low <= t.frequency <= high for low, high in exclude)]
        for tone in kept[:_MOST_TONES]:
            what = (
                "a drive" if tone.mains is None else f"a multiple of {tone.mains:g} Hz, the mains"
            )
            reach = max(10.0 * tone.resolution, 0.05 * min(widths))
            found.append(
                f"a tone at {tone.frequency:.7g} Hz of {tone.amplitude:.3g} {record.unit} stands "
                f"in {record.names[column]} beside the line ({what}): leave it out, --exclude "
                f"{tone.frequency - reach:.0f} {tone.frequency + reach:.0f}"
            )
    return tuple(found)
