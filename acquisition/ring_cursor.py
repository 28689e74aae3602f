"""A reader's place in a ring, and what it missed."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..models.blocks import Block, BlockStatus

__all__ = ["ACTIVE", "CURSOR_FIELDS", "EXPECTED", "POSITION", "Cursor", "Overrun"]

# Columns of a cursor's entry, which for lossless cursors lies in the shared memory.
ACTIVE, POSITION, EXPECTED, MISSED_SAMPLES, MISSED_BLOCKS = range(5)
CURSOR_FIELDS = 8

_POLL_FAST, _POLL_SLOW = 0.0002, 0.002
_ATTEMPTS = 8  # to read a block that the writer is about to overwrite


@dataclass(frozen=True)
class Overrun:
    """What a reader missed because the writer overtook it.

    Attributes
    ----------
    first_sample : int
        Index expected next, of the first sample missed; -1 when no block was read before.
    missed_samples, missed_blocks : int
        Samples and blocks that were in the ring and were not read.
    """

    first_sample: int
    missed_samples: int
    missed_blocks: int


class _Source(Protocol):
    """What a cursor needs of its ring."""

    capacity: int

    @property
    def committed(self) -> int: ...
    @property
    def total(self) -> int: ...
    @property
    def finished(self) -> bool: ...
    def read(self, number: int) -> tuple[Block, int] | None: ...
    def oldest_within(self, samples: int) -> int: ...


class Cursor:
    """Reads blocks in order; made by :meth:`Ring.cursor`, used by one thread.

    Attributes
    ----------
    name : str
        Name in messages.
    overrun : Overrun or None
        What was missed right before the block returned last; that block is marked GAP_BEFORE.
    """

    def __init__(
        self,
        ring: _Source,
        name: str,
        entry: NDArray[np.int64],
        *,
        lossless: bool,
        max_behind: int,
    ) -> None:
        self.name = name
        self.overrun: Overrun | None = None
        self._ring = ring
        self._entry = entry
        self._lossless = lossless
        self._max_behind = max_behind
        self._end = -1

    @property
    def missed(self) -> int:
        """Samples missed so far."""
        return int(self._entry[MISSED_SAMPLES])

    @property
    def missed_blocks(self) -> int:
        """Blocks missed so far."""
        return int(self._entry[MISSED_BLOCKS])

    @property
    def behind(self) -> int:
        """Blocks still to be read."""
        return self._ring.committed - int(self._entry[POSITION])

    @property
    def behind_samples(self) -> int:
        """Samples still to be read."""
        return self._ring.total - int(self._entry[EXPECTED])

    @property
    def finished(self) -> bool:
        """Whether everything was read and nothing will come."""
        return self._ring.finished and self.behind <= 0

    def next(self, timeout: float | None = None) -> Block | None:
        """Return the next block, a copy.

        Parameters
        ----------
        timeout : float, optional
            Longest wait, s; 0 does not wait; for ever when left out.

        Returns
        -------
        Block or None
            None after the timeout or at the end of the stream, see :attr:`finished`.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = _POLL_FAST
        while True:
            ended = self._ring.finished
            behind = self.behind
            if behind > 0:
                block = self._take_next()
                if block is not None:
                    return block
            if ended and behind <= 0:
                return None
            if deadline is not None and time.monotonic() >= deadline:
                return None
            # Also when the writer has just begun to fill the place of the only block.
            time.sleep(pause)
            pause = min(_POLL_SLOW, 1.5 * pause)

    def newest(self) -> Block | None:
        """Return the newest block if it was not read yet; what lies between counts as missed."""
        for _ in range(_ATTEMPTS):
            newest = self._ring.committed - 1
            if newest < int(self._entry[POSITION]):
                return None
            block = self._take(newest)
            if block is not None:
                return block
        return None

    def close(self) -> None:
        """Give up the place: the writer no longer waits for it."""
        self._entry[ACTIVE] = 0

    def _take_next(self) -> Block | None:
        """Read the next block, or where the reader was overtaken the one to go on with."""
        position = int(self._entry[POSITION])
        if self._lossless:
            block = self._take(position)
            if block is not None:
                return block
            # From the middle, a reader that was overtaken has time to recover.
            return self._take(max(position, self._ring.oldest_within(self._ring.capacity // 2)))
        if self.behind_samples <= self._max_behind:
            block = self._take(position)
            if block is not None:
                return block
        return self._take(self._ring.committed - 1)

    def _take(self, position: int) -> Block | None:
        """Read one block, book what lies before it as missed, and step on; None if overtaken."""
        found = self._ring.read(position)
        if found is None:
            return None
        block, before = found
        entry = self._entry
        samples, blocks = before - int(entry[EXPECTED]), position - int(entry[POSITION])
        self.overrun = None
        if blocks > 0:
            self.overrun = Overrun(self._end, samples, blocks)
            entry[MISSED_SAMPLES] += samples
            entry[MISSED_BLOCKS] += blocks
            block = replace(block, status=block.status | BlockStatus.GAP_BEFORE)
        entry[EXPECTED] = before + block.samples.shape[0]
        self._end = block.end_sample
        entry[POSITION] = position + 1
        return block
