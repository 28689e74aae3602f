"""How a whole record looks: extremes of each channel at a few hundred places of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...acquisition.records.record import Record

__all__ = ["Overview", "beginning_of", "overview_of"]

_PLACES, _ROWS = 300, 512


@dataclass(frozen=True)
class Overview:
    """Extremes of short pieces of a record.

    Attributes
    ----------
    samples : ndarray, shape (n,)
        Middle of each piece.
    low, high : ndarray, shape (n, c)
        Smallest and largest value, in ``unit``.
    unit : str
        Stored unit of the record, normally V.
    """

    samples: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    unit: str


def beginning_of(
    record: Record, start: int, stop: int, seconds: float
) -> tuple[int, NDArray[np.float32]] | None:
    """First sample and samples, in the stored unit, of the beginning of a stretch; or nothing."""
    met = record.recorded().overlapping(start, stop)
    if not len(met):
        return None
    first = max(start, met[0][0])
    last = min(stop, met[0][1], first + max(64, round(seconds * record.sample_rate)))
    values = record.source.counts(first, last) * record.stored_scale
    return first, values.astype(np.float32)


def overview_of(record: Record, columns: tuple[int, ...]) -> Overview:
    """Look at pieces of a record; a record of a night takes as long as one of a second.

    Parameters
    ----------
    record : Record
        Any.
    columns : tuple of int
        Channels to look at.
    """
    ranges = record.recorded()
    first, last = ranges[0][0], ranges[-1][1]
    places = np.unique(np.linspace(first, max(first, last - _ROWS), _PLACES).astype(np.int64))
    found: list[tuple[float, NDArray[np.float64], NDArray[np.float64]]] = []
    with record.source.held():
        for place in places.tolist():
            met = ranges.overlapping(place, place + _ROWS)
            if not len(met):
                continue
            start, stop = max(met[0][0], place), min(met[0][1], place + _ROWS)
            values = record.source.counts(start, stop, columns)
            scale = record.stored_scale[list(columns)]
            ends = (values.min(axis=0) * scale, values.max(axis=0) * scale)
            found.append((0.5 * (start + stop), np.minimum(*ends), np.maximum(*ends)))
    samples, low, high = zip(*found, strict=True)
    return Overview(np.array(samples), np.array(low), np.array(high), record.stored_unit)
