"""A record between two samples: blocks of a long one, each fitted by itself."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.errors import InputError
from .record import Ranges, Record
from .source import SampleSource

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


class _PartSource:
    """The samples of another source between two indices."""

    def __init__(self, record: Record, start: int, stop: int) -> None:
        self._path, self._inner = record.path, record.source
        self._start, self._stop = start, stop

    def _cut(self, ranges: Ranges) -> Ranges:
        return ranges.cut_to(Ranges(np.array([[self._start, self._stop]], np.int64)))

    @property
    def inner(self) -> SampleSource:
        """Where the samples come from."""
        return self._inner

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the stored samples."""
        return self._inner.dtype

    @property
    def jumps(self) -> bool:
        """As of the record."""
        return self._inner.jumps

    @property
    def release_index(self) -> int | None:
        """As of the record."""
        return self._inner.release_index

    def recorded(self) -> Ranges:
        """What was recorded in the part."""
        return self._cut(self._inner.recorded())

    def steady(self) -> Ranges:
        """Steady stretches of the part."""
        found = self._cut(self._inner.steady())
        if not len(found):
            raise InputError(
                f"{self._path} holds no usable steady record in samples {self._start} … "
                f"{self._stop}"
            )
        return found

    def releases(self, release_index: int | None) -> Ranges:
        """Releases that begin and end in the part."""
        found = self._inner.releases(release_index)
        inside = (found.starts >= self._start) & (found.stops <= self._stop)
        if not inside.any():
            raise InputError(
                f"{self._path} holds no usable release in samples {self._start} … {self._stop}"
            )
        return Ranges(found.array[inside])

    def counts(self, start: int, stop: int, columns: Sequence[int] | None = None) -> NDArray[Any]:
        """Stored values of a range within one stretch."""
        return self._inner.counts(start, stop, columns)

    def held(self) -> AbstractContextManager[object]:
        """As of the record."""
        return self._inner.held()

    def close(self) -> None:
        """As of the record."""
        self._inner.close()
