"""Ring of samples in shared memory: one writer, several readers, in one process or many.

Blocks of any length lie one behind the other, each in one piece; a table says where. What the ring
holds is therefore a number of samples, of seconds, however short the blocks are.

The writer never waits unless told to. Before it fills a place it raises the mark up to which it may
write, counted through all turns; a reader copies a block and looks at that mark, and at the number
of the block's header, before and after. A reader that was overtaken therefore never sees a torn
block, and learns exactly what it missed from the running count of samples kept with each block.

The order of stores matters: mark first, number last. x86-64 keeps it, and between two stores of an
interpreter there is always enough of a barrier on other machines.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..models.blocks import Block, BlockStatus
from ..models.errors import InputError
from .ring_cursor import ACTIVE, CURSOR_FIELDS, EXPECTED, POSITION, Cursor
from .ring_layout import (
    BEFORE,
    CLAIMED,
    COMMITTED,
    FINISHED,
    FIRST,
    HOST_TIME,
    MAX_CURSORS,
    NAME_BYTES,
    PLACE,
    ROWS,
    SEQUENCE,
    STATUS,
    TOTAL,
    RingArrays,
    RingDescriptor,
    ring_bytes,
)
from .shared_segment import SharedSegment

__all__ = ["Ring", "RingDescriptor"]

_POLL = 0.0005


class Ring:
    """A ring of samples; made by :meth:`create` or :meth:`attach`.

    Attributes
    ----------
    rows, channels, capacity, scale, sample_rate
        As given to :meth:`create`; ``capacity`` samples can wait while the writer fills a further
        block, of no more than 65536 blocks.
    """

    def __init__(self, descriptor: RingDescriptor, segment: SharedSegment, owner: bool) -> None:
        self._descriptor = descriptor
        self._segment = segment
        self._owner = owner
        self._lock = threading.Lock()
        self._closed = False
        self.rows, self.channels = descriptor.rows, descriptor.channels
        self.capacity, self.sample_rate = descriptor.capacity, descriptor.sample_rate
        self.scale = np.array(descriptor.scale, dtype=np.float64)
        self._length, self._blocks = descriptor.length, descriptor.blocks
        # Writer only: where the newest block ends and the next begins, counted through all turns.
        self._end = 0
        self._filling: tuple[int, int] | None = None
        arrays = RingArrays(segment.buffer, descriptor)
        self._state, self._cursors, self._names = arrays.state, arrays.cursors, arrays.names
        self._headers, self._times, self._data = arrays.headers, arrays.times, arrays.data
        if owner:
            self._headers[:, SEQUENCE] = -1

    @classmethod
    def create(
        cls,
        rows: int,
        channels: int,
        dtype: Literal["int16", "float32"],
        capacity: int,
        scale: ArrayLike,
        sample_rate: float,
    ) -> Ring:
        """Make a ring; this process writes to it and removes it.

        Parameters
        ----------
        rows, channels : int
            Most rows of a block, and its columns.
        dtype : {"int16", "float32"}
            Type of the samples.
        capacity : int
            Samples that can wait to be read, at least ``rows``.
        scale : array_like, shape (channels,)
            V per count.
        sample_rate : float
            Hz.

        Raises
        ------
        InputError
            If a size is out of range or there is not enough memory.
        """
        rate, volts = float(sample_rate), tuple(np.asarray(scale, np.float64).tolist())
        draft = RingDescriptor("", rows, channels, dtype, capacity, volts, rate)
        segment = SharedSegment(size=ring_bytes(draft))
        descriptor = replace(draft, name=segment.name)
        return cls(descriptor, segment, owner=True)

    @classmethod
    def attach(cls, descriptor: RingDescriptor) -> Ring:
        """Open a ring made elsewhere, to read from it.

        Raises
        ------
        InputError
            If the ring is gone.
        """
        return cls(descriptor, SharedSegment(name=descriptor.name), owner=False)

    def descriptor(self) -> RingDescriptor:
        """Return what :meth:`attach` needs in another process."""
        return self._descriptor

    def __enter__(self) -> Ring:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- writer -----------------------------------------------------------------------------------

    def writable(self, rows: int | None = None) -> NDArray[Any]:
        """View of the place of the next block, to be filled before :meth:`commit`.

        The oldest blocks are given up; a reader still copying one notices.

        Parameters
        ----------
        rows : int, optional
            Rows wanted, at most ``self.rows``, which is the default.

        Returns
        -------
        ndarray, shape (rows, channels)

        Raises
        ------
        InputError
            If the ring is closed or a block of so many rows does not fit.
        """
        self._check_open()
        wanted = self.rows if rows is None else rows
        _check_rows(wanted, self.rows)
        place = self._place_for(wanted)
        # Never lowered: what an earlier view allowed to be written may have been.
        self._state[CLAIMED] = max(int(self._state[CLAIMED]), place + wanted)
        self._headers[self.committed % self._blocks, SEQUENCE] = -1
        self._filling = place, wanted
        start = place % self._length
        view: NDArray[Any] = self._data[start : start + wanted]
        return view

    def commit(
        self,
        rows: int,
        first_sample: int,
        host_time: float = 0.0,
        status: BlockStatus = BlockStatus.OK,
        *,
        wait: bool = False,
        stop: Callable[[], bool] | None = None,
        timeout: float | None = None,
    ) -> bool:
        """Publish the block filled last.

        Parameters
        ----------
        rows : int
            Rows filled, of those that :meth:`writable` gave.
        first_sample : int
            Index of the first row.
        host_time : float
            Monotonic clock, s.
        status : BlockStatus
            Flags.
        wait : bool
            Then wait until every lossless cursor has room for one more block: for a virtual clock.
        stop : callable, optional
            Ends the wait when it returns True.
        timeout : float, optional
            Longest wait, s; for ever when left out.

        Returns
        -------
        bool
            Whether there is room for one more block.
        """
        self._check_open()
        if self._filling is None:
            raise InputError("there is no block to commit: call writable() first")
        place, most = self._filling
        _check_rows(rows, most)
        number = self.committed
        header = self._headers[number % self._blocks]
        header[FIRST], header[ROWS] = first_sample, rows
        header[BEFORE], header[STATUS] = self._state[TOTAL], int(status)
        header[PLACE] = place
        self._times[number % self._blocks, HOST_TIME] = host_time
        header[SEQUENCE] = number
        self._end, self._filling = place + rows, None
        self._state[TOTAL] += rows
        self._state[COMMITTED] = number + 1
        return self.wait_for_room(timeout, stop) if wait else self.has_room()

    def has_room(self) -> bool:
        """Whether the next block overwrites nothing that a lossless cursor still has to read."""
        active = self._cursors[:, ACTIVE] != 0
        positions = self._cursors[active, POSITION]
        if positions.size == 0:
            return True
        oldest, number = int(positions.min()), self.committed
        if oldest >= number:
            return True
        header = self._headers[oldest % self._blocks]
        if number - oldest >= self._blocks or header[SEQUENCE] != oldest:
            return False
        end = self._place_for(self.rows) + self.rows
        return bool(end <= int(header[PLACE]) + self._length)

    def wait_for_room(
        self, timeout: float | None = None, stop: Callable[[], bool] | None = None
    ) -> bool:
        """Wait for room; False after ``timeout`` (s), on ``stop()`` or when closed."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._closed:
            if self.has_room():
                return True
            if stop is not None and stop():
                return False
            if deadline is not None and time.monotonic() >= deadline:
                return False
            time.sleep(_POLL)
        return False

    def finish(self) -> None:
        """Tell the readers that no further block will come."""
        if not self._closed:
            self._state[FINISHED] = 1

    # -- readers ----------------------------------------------------------------------------------

    @property
    def committed(self) -> int:
        """Number of blocks published so far."""
        return int(self._state[COMMITTED])

    @property
    def finished(self) -> bool:
        """Whether no further block will come."""
        return self._closed or bool(self._state[FINISHED])

    @property
    def total(self) -> int:
        """Number of samples published so far."""
        return int(self._state[TOTAL])

    def cursor(self, name: str, *, lossless: bool = True, max_behind: int | None = None) -> Cursor:
        """Make a reader that starts with the next block.

        Parameters
        ----------
        name : str
            Of a lossless cursor, at most 32 bytes. A waiting writer waits for it from now on. A
            process that attached can only take over a cursor that the creator made before: by its
            name, and from where that stands.
        lossless : bool
            A lossless cursor that was overtaken goes on with old blocks, to lose no more than
            necessary; any other takes the newest, and holds nobody up.
        max_behind : int, optional
            Samples that a lossy cursor may lie behind before it skips to the newest block; half
            the capacity by default.

        Raises
        ------
        InputError
            For a name that is in use, too long or (attached) not known.
        """
        self._check_open()
        behind = self.capacity // 2 if max_behind is None else max_behind
        if not lossless:
            entry = np.zeros(CURSOR_FIELDS, np.int64)
            self._put_behind_newest(entry)
            return Cursor(self, name, entry, lossless=False, max_behind=behind)
        with self._lock:
            entry = self._claim(name) if self._owner else self._find(name)
        return Cursor(self, name, entry, lossless=True, max_behind=behind)

    def read(self, number: int) -> tuple[Block, int] | None:
        """Copy block ``number`` and the count of samples before it; None if it is not there."""
        header = self._headers[number % self._blocks]
        sequence, first, rows, before, status, place, *_ = header.tolist()
        if sequence != number or not 1 <= rows <= self.rows or self._is_given_up(place):
            return None
        start = place % self._length
        samples = self._data[start : start + rows].copy()
        host_time = float(self._times[number % self._blocks, HOST_TIME])
        if header[SEQUENCE] != number or self._is_given_up(place):
            return None
        block = Block(first, samples, self.scale, number, host_time, BlockStatus(status))
        return block, before

    def oldest_within(self, samples: int) -> int:
        """Number of the oldest block of those that hold the newest ``samples`` samples."""
        end = self.committed
        low, high = max(0, end - self._blocks + 1), max(0, end - 1)
        target = self.total - samples
        while low < high:
            middle = (low + high) // 2
            if self._headers[middle % self._blocks, BEFORE] < target:
                low = middle + 1
            else:
                high = middle
        return low

    def close(self) -> None:
        """Leave the ring; its creator also ends and removes it. May be called again, in any order.

        Readers in other threads and processes can read what is there and then see the end.
        """
        if self._closed:
            return
        if self._owner:
            self._state[FINISHED] = 1
        self._closed = True
        self._segment.close()

    # -- inside -----------------------------------------------------------------------------------
    def _check_open(self) -> None:
        """Raise InputError when closed."""
        if self._closed:
            raise InputError("the ring is closed")

    def _place_for(self, rows: int) -> int:
        """Where the next block begins: behind the newest, or with the next turn if it is in one."""
        left = self._length - self._end % self._length
        return self._end if rows <= left else self._end + left

    def _is_given_up(self, place: int) -> bool:
        """Whether the writer may have written over a block that begins at ``place``."""
        return int(self._state[CLAIMED]) > place + self._length

    def _put_behind_newest(self, entry: NDArray[np.int64]) -> None:
        """Set a cursor behind the newest block."""
        entry[:] = 0
        entry[EXPECTED] = self._state[TOTAL]
        entry[POSITION] = self._state[COMMITTED]

    def _claim(self, name: str) -> NDArray[np.int64]:
        """Take a free place for a lossless cursor."""
        encoded = name.encode("utf-8")
        if not 0 < len(encoded) <= NAME_BYTES:
            raise InputError(f"cursor name {name!r} must have 1 … {NAME_BYTES} bytes")
        active = self._cursors[:, ACTIVE] != 0
        if encoded in self._names[active].tolist():
            raise InputError(f"cursor {name!r} is in use")
        free = np.flatnonzero(~active)
        if free.size == 0:
            raise InputError(f"a ring holds at most {MAX_CURSORS} lossless cursors")
        index = int(free[0])
        self._names[index] = encoded
        entry: NDArray[np.int64] = self._cursors[index]
        self._put_behind_newest(entry)
        entry[ACTIVE] = 1
        return entry

    def _find(self, name: str) -> NDArray[np.int64]:
        """Find a lossless cursor that the creator made."""
        active = np.flatnonzero(self._cursors[:, ACTIVE])
        known = {self._names[i].decode("utf-8"): int(i) for i in active}
        if name not in known:
            listed = ", ".join(known) or "none"
            raise InputError(f"cursor {name!r} is not known; the ring's creator made: {listed}")
        entry: NDArray[np.int64] = self._cursors[known[name]]
        return entry


def _check_rows(rows: int, most: int) -> None:
    """Raise InputError for a block of too few or too many rows."""
    if not 1 <= rows <= most:
        raise InputError(f"a block must have 1 … {most} rows, got {rows}")
