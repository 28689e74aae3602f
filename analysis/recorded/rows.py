"""Spectra along a whole record, row by row: what a waterfall of it is made of.

Rows are spectra of everything that was recorded, releases included, as a waterfall of a running
laboratory has them. They are computed in the process of the fits, a few at a time, so that nobody
waits for them.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...acquisition.csd import MIN_SEGMENT
from ...acquisition.records.record import Ranges, Record
from ...acquisition.records.selected import with_steady
from ...acquisition.snapshots import Basis, SpectrumSnapshot
from ...models.errors import OptobindError
from ...models.inference.spectral.choose import choose_segment
from ...models.reprs import short_repr
from ...models.spectra import CsdEstimate
from ..averaging import plain_csd, probe_of
from .tasks import opened_record

__all__ = ["MOST_ROWS", "RecordedRows", "RowTask", "SpectraRows", "average_rows"]

MOST_ROWS = 300
_LONGEST = 0.25  # s of samples that enter a row, from its middle
_SHORTEST = 512  # samples of a row
_BATCH = 12  # rows at a time: what was asked meanwhile comes before the next
_SEGMENTS = 4  # fewest of a row


@dataclass(frozen=True)
class RowTask:
    """Rows of a file: where they begin, how many samples each has, and their segment if known."""

    path: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    starts: tuple[int, ...] = ()
    length: int = 0
    segment: int | None = None


@dataclass(frozen=True)
class SpectraRows:
    """Spectra of rows, None where nothing was recorded, or why there are none."""

    rows: tuple[tuple[int, CsdEstimate | None], ...] = ()
    channels: tuple[str, ...] = ()
    segment: int | None = None
    error: str = ""

    __repr__ = short_repr


def average_rows(task: RowTask) -> SpectraRows:
    """Average the samples of each row."""
    try:
        record = opened_record(task.path, task.options)
        columns = tuple(record.usual)
        segment = task.segment
        found: list[tuple[int, CsdEstimate | None]] = []
        for start in task.starts:
            part = record.recorded().cut_to(Ranges([(start, start + task.length)]))
            csd = None
            if len(part) and int(part.lengths.max()) >= _SHORTEST // 2:
                row = with_steady(record, part)
                if segment is None:
                    segment = _segment(row, columns, task.length)
                if int(part.lengths.max()) >= segment:
                    csd = plain_csd(row, columns, segment)
            found.append((start, csd))
    except OptobindError as error:
        return SpectraRows(error=str(error))
    names = tuple(record.names[column] for column in columns)
    return SpectraRows(tuple(found), names, segment)


def _segment(row: Record, columns: tuple[int, ...], length: int) -> int:
    """One that resolves the lines, and of which several fit into a row."""
    most = max(MIN_SEGMENT, 1 << int(math.log2(max(2, length // _SEGMENTS))))
    return min(most, choose_segment(probe_of(row, columns), row.sample_rate, None))


class RecordedRows:
    """The rows of a record as they come, the oldest first.

    Parameters
    ----------
    record : Record
        What is looked at.
    options : mapping
        How a foreign file is read.

    Attributes
    ----------
    period : float
        Length of a row, s.
    count : int
        Rows of the whole record.
    """

    def __init__(self, record: Record, options: Mapping[str, Any]) -> None:
        ranges = record.recorded()
        self._first, last = ranges[0][0], ranges[-1][1]
        rate = record.sample_rate
        size = max(_SHORTEST, math.ceil((last - self._first) / MOST_ROWS))
        self.period, self.count = size / rate, math.ceil((last - self._first) / size)
        self._rate, self._size, self._next = rate, size, 0
        self._length = min(size, max(_SHORTEST, round(_LONGEST * rate)))
        self._task = RowTask(record.path, dict(options), length=self._length)
        self._found: deque[tuple[float, SpectrumSnapshot]] = deque()
        self._lock = threading.Lock()
        self.begun = False

    def next_task(self) -> RowTask | None:
        """The next few rows; None after the last one."""
        numbers = range(self._next, min(self._next + _BATCH, self.count))
        if not numbers:
            return None
        inset = (self._size - self._length) // 2
        starts = tuple(self._first + n * self._size + inset for n in numbers)
        return RowTask(
            self._task.path, self._task.options, starts, self._length, self._task.segment
        )

    def take(self, found: SpectraRows) -> str:
        """Take rows; return why there are none, and will be none."""
        if found.error:
            self._next = self.count
            return found.error
        with self._lock:
            for _, csd in found.rows:
                self._next += 1
                if csd is not None:
                    middle = (self._next - 0.5) * self.period
                    snapshot = SpectrumSnapshot(self._next, csd, found.channels, Basis())
                    self._found.append((middle, snapshot))
        task = self._task
        self._task = RowTask(task.path, task.options, (), self._length, found.segment)
        return ""

    def drain(self) -> list[tuple[float, SpectrumSnapshot]]:
        """Rows that came since: middle of each, s since the first sample, and its spectra."""
        with self._lock:
            found = list(self._found)
            self._found.clear()
        return found
