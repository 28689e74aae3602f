"""A record between two samples: blocks of a long one, each fitted by itself."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np

from ...models.errors import InputError
from .record import Ranges, Record
from .selected import SelectedSource

__all__ = ["blocks_of", "part_of"]


def part_of(record: Record, start: int, stop: int) -> Record:
    """The record from one sample to another: what was recorded there, and whole releases.

    Parameters
    ----------
    record : Record
        Of any format.
    start, stop : int
        Sample indices.

    Raises
    ------
    InputError
        If nothing was recorded there.
    """
    source = _PartSource(record, start, stop)
    if not len(source.recorded()):
        raise InputError(f"{record.path} holds no samples in {start} … {stop}")
    kept = replace(record, source=source, worth=None)
    return kept.with_provenance(part=[start, stop])


def blocks_of(record: Record, seconds: float) -> list[tuple[int, int]]:
    """Borders of blocks of one length, in samples; the last one may be half longer or shorter.

    Parameters
    ----------
    record : Record
        Of any format; blocks without a sample are left out.
    seconds : float
        Length of a block, s.

    Raises
    ------
    InputError
        For a length that is not positive and finite, or below one sample.
    """
    if not (math.isfinite(seconds) and seconds * record.sample_rate >= 1.0):
        raise InputError(
            f"blocks must be at least a sample long, {1.0 / record.sample_rate:.3g} s, got "
            f"{seconds:g} s"
        )
    ranges = record.recorded()
    first, end = int(ranges.starts[0]), int(ranges.stops[-1])
    size = round(seconds * record.sample_rate)
    count = max(1, round((end - first) / size))
    edges = [first + number * size for number in range(count)] + [end]
    return [(low, high) for low, high in itertools.pairwise(edges) if ranges.within(low, high)]


class _PartSource(SelectedSource):
    """The samples of another source between two indices."""

    def __init__(self, record: Record, start: int, stop: int) -> None:
        super().__init__(record.source, Ranges())
        self._path, self._start, self._stop = record.path, start, stop

    def _cut(self, ranges: Ranges) -> Ranges:
        return ranges.cut_to(Ranges(np.array([[self._start, self._stop]], np.int64)))

    def recorded(self) -> Ranges:
        """What was recorded in the part."""
        return self._cut(super().recorded())

    def steady(self) -> Ranges:
        """Steady stretches of the part."""
        found = self._cut(self.inner.steady())
        if not len(found):
            raise InputError(
                f"{self._path} holds no usable steady record in samples {self._start} … "
                f"{self._stop}"
            )
        return found

    def releases(self, release_index: int | None) -> Ranges:
        """Releases that begin and end in the part."""
        found = super().releases(release_index)
        inside = (found.starts >= self._start) & (found.stops <= self._stop)
        if not inside.any():
            raise InputError(
                f"{self._path} holds no usable release in samples {self._start} … {self._stop}"
            )
        return Ranges(found.array[inside])
