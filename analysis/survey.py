"""Bad data, named before they are fitted: stretches of a steady record that are left out.

One look at every sample, of whatever format: dead, held and copied stretches, a line that is gone
or has another power there (both are left out, and said), drifts of power and frequency, tones,
clipping.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..acquisition.records.record import Ranges, Record
from ..acquisition.records.selected import with_steady
from ..models.blocks import Block
from ..models.errors import InputError
from ..models.soundness import SampleWatch
from ..models.steadiness import LineRows
from .changes import described
from .detection import Ranges as Frequencies
from .tones import tones_of

__all__ = ["SteadySurvey", "without_stretches"]

_LEAST_SAMPLES = 4096  # that must be sound, of a longer record
_BROADEST = 0.3  # linewidth over frequency of lines whose power is followed


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
    exclude : sequence of (float, float)
        What is left out of the spectrum, Hz.
    """

    def __init__(
        self,
        record: Record,
        columns: tuple[int, ...],
        probe: NDArray[np.float64],
        segment: int,
        band: tuple[float, float] | None,
        exclude: Frequencies = (),
    ) -> None:
        self._record, self._columns = record, columns
        self._steady, rate = record.steady(), record.sample_rate
        tones = tones_of(record, columns, probe, segment, band, exclude)
        lines, self._tones = tones.lines, tones.said
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
        leave, why, said = [], [], [*self._watch.findings(), *self._tones]
        for column, rows in zip(self._columns, self._rows, strict=True):
            if rows is None:
                continue
            for change in rows.changes():
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
        share = 100.0 * ranges.samples / self._steady.samples
        digits = f"{share:.0f}" if share >= 10.0 else f"{share:.2g}"
        return f"{digits} % of the samples are left out"


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
        others = "; choose others of its channels with --channels" if len(record.names) > 1 else ""
        raise InputError(
            f"{record.path}: too little of the record is sound, {sound.samples} of "
            f"{steady.samples} samples: {'; '.join(why)}{others}"
        )
    return with_steady(record, sound)
