"""The releases of a record as fits read them: again and again, in the unit of the record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..acquisition.records.record import Ranges, Record
from ..models.inference.reheating.samples import line_frequencies
from ..models.inference.reheating.single import paired
from ..models.lowpass import unfiltered
from .detection import lowpass_of

__all__ = ["Releases", "probed_line"]

# The lines are looked for in about so many releases, spread over the record, and so many samples.
_PROBE_RELEASES = 200
_PROBE_SAMPLES = 1 << 20
# Samples of all channels that are kept in memory (128 MB) instead of being read for every pass.
_KEPT = 1 << 25


@dataclass
class Releases:
    """Releases in the unit of the record, (m, n, columns) a batch; small records are kept.

    Known low-passes of the detectors are taken off, which costs a release its first sample.
    """

    record: Record
    columns: tuple[int, ...]
    ranges: Ranges
    kept: list[NDArray[np.float32]] = field(default_factory=list)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        if self.kept:
            yield from self.kept
            return
        small = self.ranges.samples * len(self.columns) <= _KEPT
        read = []
        for batch in self._batches(self.ranges):
            if small:
                read.append(batch.astype(np.float32))
            yield batch
        self.kept = read

    def _batches(self, ranges: Ranges) -> Iterator[NDArray[np.float64]]:
        keeps = lowpass_of(self.record, self.columns)
        for batch in self.record.released_batches(self.columns, ranges):
            yield batch if keeps is None else unfiltered(batch, keeps)

    def some(self) -> NDArray[np.float64]:
        """Some releases, spread over the record."""
        length = int(self.ranges.lengths[0])
        wanted = max(2, min(_PROBE_RELEASES, _PROBE_SAMPLES // length))
        chosen = self.ranges[:: max(1, len(self.ranges) // wanted)]
        return np.concatenate(list(self._batches(chosen)))


def probed_line(releases: Releases, band: tuple[float, float] | None) -> float:
    """Mean angular frequency of the lines, rad/s, from some of the releases."""
    some = releases.some()
    if some.shape[2] == 1:
        some = paired(some)
    return float(np.mean(line_frequencies(some, releases.record.sample_rate, band)))
