"""Ranges of samples, as many as a night brings: two numbers each, and sums of them by array."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

__all__ = ["NO_END", "Range", "Ranges"]

Range = tuple[int, int]
"""Indices (start, stop) of samples that were taken one after the other without a gap."""

NO_END = int(np.iinfo(np.int64).max)
"""Stop of a range that has no end."""

_PIECE = 4096


class Ranges(Sequence[Range]):
    """Ranges (start, stop) in the order of their samples, none overlapping another.

    Ranges may touch: at a border two samples do not follow each other though their indices do.

    Parameters
    ----------
    pairs : iterable of (int, int), or ndarray of shape (n, 2)
        In order.
    """

    def __init__(self, pairs: Iterable[Range] | NDArray[np.int64] = ()) -> None:
        found = pairs if isinstance(pairs, np.ndarray) else list(pairs)
        self.array: NDArray[np.int64] = np.asarray(found, np.int64).reshape(-1, 2)

    @classmethod
    def of(cls, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> Ranges:
        """Return those ranges (start, stop) that are not empty."""
        return cls(np.stack([starts, stops], axis=1)[stops > starts])

    @property
    def starts(self) -> NDArray[np.int64]:
        """First samples, shape (n,)."""
        return self.array[:, 0]

    @property
    def stops(self) -> NDArray[np.int64]:
        """Indices one past the last samples, shape (n,)."""
        return self.array[:, 1]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of samples of each, shape (n,)."""
        return self.stops - self.starts

    @property
    def samples(self) -> int:
        """Number of samples of all."""
        return int(self.lengths.sum())

    def __len__(self) -> int:
        return len(self.array)

    @overload
    def __getitem__(self, index: int) -> Range: ...
    @overload
    def __getitem__(self, index: slice) -> Ranges: ...
    def __getitem__(self, index: int | slice) -> Range | Ranges:
        if isinstance(index, slice):
            return Ranges(self.array[index])
        start, stop = self.array[index].tolist()
        return start, stop

    def __iter__(self) -> Iterator[Range]:
        # Piece by piece: a million pairs of Python's integers are 150 MB.
        for at in range(0, len(self), _PIECE):
            piece = self.array[at : at + _PIECE]
            yield from zip(piece[:, 0].tolist(), piece[:, 1].tolist(), strict=True)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Ranges):
            return np.array_equal(self.array, other.array)
        return isinstance(other, list | tuple) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(f"{a} … {b}" for a, b in self[:5])
        return f"<{len(self)} ranges: {shown}{', …' if len(self) > 5 else ''}>"

    # -- what they have in common with others ----------------------------------------------------

    def holding(self, start: int, stop: int) -> int | None:
        """Return the number of the range that holds all of start … stop; None if none does."""
        index = int(np.searchsorted(self.starts, start, side="right")) - 1
        return index if index >= 0 and stop <= self.array[index, 1] else None

    def overlapping(self, start: int, stop: int) -> Ranges:
        """Return those ranges, whole, that share a sample with start … stop."""
        low = np.searchsorted(self.stops, start, side="right")
        return self[int(low) : int(np.searchsorted(self.starts, stop, side="left"))]

    def within(self, start: int, stop: int) -> int:
        """Return how many samples lie in start … stop."""
        shared = np.minimum(self.stops, stop) - np.maximum(self.starts, start)
        return int(np.maximum(shared, 0).sum())

    def cut_to(self, others: Ranges) -> Ranges:
        """Return what lies in one of the others, cut at the borders of both."""
        low = np.searchsorted(others.stops, self.starts, side="right")
        high = np.searchsorted(others.starts, self.stops, side="left")
        count = np.maximum(high - low, 0)
        own = np.repeat(np.arange(len(self)), count)
        # The others that each range meets, numbered on: low, low + 1, … for every one.
        met = np.arange(len(own)) - np.repeat(np.cumsum(count) - count - low, count)
        return Ranges.of(
            np.maximum(self.starts[own], others.starts[met]),
            np.minimum(self.stops[own], others.stops[met]),
        )

    def without(self, others: Ranges) -> Ranges:
        """Return what lies in none of the others."""
        edges = np.concatenate([[-NO_END], others.array.ravel(), [NO_END]]).reshape(-1, 2)
        return self.cut_to(Ranges.of(edges[:, 0], edges[:, 1]))

    def shifted(self, samples: int) -> Ranges:
        """Return the same ranges, so many samples later."""
        return Ranges(self.array + samples)

    def merged(self) -> Ranges:
        """Return the samples of ranges that may overlap and stand in any order."""
        array = self.array[np.argsort(self.starts, kind="stable")]
        reach = np.maximum.accumulate(array[:, 1]) if len(array) else array[:, 1]
        first = np.ones(len(array), bool)
        first[1:] = array[1:, 0] > reach[:-1]
        last = np.append(first[1:], True)[: len(array)]
        return Ranges.of(array[first, 0], reach[last])
