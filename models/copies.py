"""Stretches of samples that occur twice: found anywhere in a record, in bounded memory.

Every word of consecutive samples is hashed as it passes; the few whose hash ends in zeros are kept
(which ones does not depend on where they stand). A copy brings back a whole row of them, each so
many samples later.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["CopyWatch"]

_MOST = 1 << 17  # words kept; more halve what is kept
_BASE = np.uint64(0x9E3779B97F4A7C15)
_LEAST_WORDS = 3  # kept words in a row that make a copy
_FAR = 64  # mean distances of kept words: what lies farther apart is another copy
_FIRST_SHIFT = 5  # one word in 32 is kept at first


@njit(cache=True, nogil=True)
def _kept_words(
    values: NDArray[np.uint64], length: int, power: np.uint64, shift: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:  # pragma: no cover - compiled
    """Hashes and ends of those words that are kept, of one value left out; uses up ``values``."""
    base = np.uint64(0x9E3779B97F4A7C15)
    mask = (np.uint64(1) << np.uint64(shift)) - np.uint64(1)
    hashes = np.empty(len(values), np.uint64)
    ends = np.empty(len(values), np.int64)
    count, rolling, same = 0, np.uint64(0), 1
    for n in range(len(values)):
        # Small whole numbers in binary64 end in zeros, which no product brings down again.
        value = (values[n] ^ (values[n] >> np.uint64(32))) * np.uint64(0xBF58476D1CE4E5B9)
        values[n] = value ^ (value >> np.uint64(29))
    for n in range(len(values)):
        same = same + 1 if n and values[n] == values[n - 1] else 1
        rolling = rolling * base + values[n] + np.uint64(1)
        if n >= length:
            rolling -= (values[n - length] + np.uint64(1)) * power
        if n < length - 1 or same >= length:
            continue
        mixed = (rolling ^ (rolling >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(32)
        if mixed & mask == np.uint64(0):
            hashes[count], ends[count] = mixed, n + 1
            count += 1
    return hashes[:count].copy(), ends[:count].copy()


class CopyWatch:
    """Finds copies among consecutive samples of one channel.

    Parameters
    ----------
    length : int
        Samples of a word: so many that none occurs twice by chance.
    """

    def __init__(self, length: int) -> None:
        self._length, self._shift = length, _FIRST_SHIFT
        power = np.uint64(1)
        with np.errstate(over="ignore"):
            for _ in range(length):
                power = power * _BASE
        self._power = power
        self._hashes: list[NDArray[np.uint64]] = []
        self._ends: list[NDArray[np.int64]] = []
        self._tail: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._next = 0
        self.total = 0

    def add(self, x: NDArray[Any], first: int) -> None:
        """Take in consecutive samples, from the sample ``first`` of the record on."""
        bits = np.ascontiguousarray(x).view(f"u{x.dtype.itemsize}").astype(np.uint64)
        joined = first == self._next
        values = np.concatenate([self._tail, bits]) if joined else bits
        tail = values[len(values) - min(len(values), self._length - 1) :].copy()
        begin = first - (len(values) - len(bits))
        hashes, ends = _kept_words(values, self._length, self._power, self._shift)
        self._hashes.append(hashes)
        self._ends.append(ends + begin)
        self._tail = tail
        self._next = first + len(x)
        self.total += len(x)
        while sum(map(len, self._hashes)) > _MOST:
            self._thin()

    def _thin(self) -> None:
        """Keep half of the words, by one more bit of their hashes."""
        self._shift += 1
        mask = np.uint64((1 << self._shift) - 1)
        hashes, ends = np.concatenate(self._hashes), np.concatenate(self._ends)
        keep = hashes & mask == 0
        self._hashes, self._ends = [hashes[keep]], [ends[keep]]

    def copies(self) -> tuple[NDArray[np.int64], float]:
        """Stretches (k, 2) that repeat earlier ones, and the share of words that do."""
        none = np.zeros((0, 2), np.int64)
        if not self._hashes:
            return none, 0.0
        hashes, ends = np.concatenate(self._hashes), np.concatenate(self._ends)
        order = np.lexsort((ends, hashes))
        same = hashes[order][1:] == hashes[order][:-1]
        later, earlier = ends[order][1:][same], ends[order][:-1][same]
        if not len(later):
            return none, 0.0
        by_place = np.argsort(later)
        later, lag = later[by_place], (later - earlier)[by_place]
        far = self._length + (_FAR << self._shift)
        cuts = np.flatnonzero((np.diff(lag) != 0) | (np.diff(later) > far)) + 1
        found = []
        for part in np.split(np.arange(len(later)), cuts):
            if len(part) >= _LEAST_WORDS:
                # Kept words lie 2^shift apart on average: the ends of the copy lie as far out.
                beyond = min(1 << self._shift, int(lag[part[0]]))
                low = later[part[0]] - self._length - beyond
                found.append((max(0, low), min(later[part[-1]] + beyond, self._next)))
        share = len(later) / len(hashes)
        return np.array(found, np.int64).reshape(-1, 2), share
