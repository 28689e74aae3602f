"""Ring of blocks in shared memory: one writer, several readers, in one process or many.

The writer never waits unless told to. Each slot carries the running number of its block, which is
taken away before the slot is overwritten and set when the block is whole; a reader copies the block
and looks at the number before and after. A reader that was overtaken therefore never sees a torn
block, and learns exactly what it missed from the running count of samples kept with each block.

The order of stores matters: number last. x86-64 keeps it, and between two stores of an interpreter
there is always enough of a barrier on other machines.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..models.blocks import Block, BlockStatus
from ..models.errors import InputError
from .ring_cursor import ACTIVE, CURSOR_FIELDS, EXPECTED, POSITION, Cursor
from .shared_segment import SharedSegment

__all__ = ["Ring", "RingDescriptor"]

_COMMITTED, _FINISHED, _TOTAL, _WRITERS = range(4)
_SEQUENCE, _FIRST, _ROWS, _BEFORE, _STATUS, _HOST_TIME = range(6)
_MAX_CURSORS = 16
_NAME_BYTES = 32
_ALIGN = 64
_POLL = 0.0005


@dataclass(frozen=True)
class RingDescriptor:
    """What another process needs to attach to a ring; can be pickled.

    Attributes
    ----------
    name : str
        Name of the shared memory.
    rows, channels : int
        Size of a slot.
    dtype : {"int16", "float32"}
        Type of the samples.
    slots : int
        Number of slots.
    scale : tuple of float
        V per count of each channel.
    sample_rate : float
        Hz.
    """

    name: str
    rows: int
    channels: int
    dtype: Literal["int16", "float32"]
    slots: int
    scale: tuple[float, ...]
    sample_rate: float


class Ring:
    """A ring of blocks; made by :meth:`create` or :meth:`attach`.

    Attributes
    ----------
    rows, channels, slots : int
        Most rows of a block, channels, number of slots.
    scale : ndarray, shape (channels,)
        V per count.
    sample_rate : float
        Hz.
    """

    def __init__(self, descriptor: RingDescriptor, segment: SharedSegment, owner: bool) -> None:
        self._descriptor = descriptor
        self._segment = segment
        self._owner = owner
        self._lock = threading.Lock()
        self._closed = False
        self.rows, self.channels = descriptor.rows, descriptor.channels
        self.slots, self.sample_rate = descriptor.slots, descriptor.sample_rate
        self.scale = np.array(descriptor.scale, dtype=np.float64)
        self._map(segment.buffer)

    @classmethod
    def create(
        cls,
        rows: int,
        channels: int,
        dtype: Literal["int16", "float32"],
        slots: int,
        scale: Sequence[float] | NDArray[np.float64],
        sample_rate: float,
    ) -> Ring:
        """Make a ring; this process writes to it and removes it.

        Raises
        ------
        InputError
            If a size is out of range or there is not enough memory.
        """
        if rows < 1 or channels < 1 or slots < 2:
            raise InputError(
                f"a ring needs rows ≥ 1, channels ≥ 1, slots ≥ 2; got {rows}, {channels}, {slots}"
            )
        if dtype not in ("int16", "float32"):
            raise InputError(f"dtype {dtype!r} is not known; known: int16, float32")
        if len(scale) != channels:
            raise InputError(f"scale must hold {channels} values, got {len(scale)}")
        layout = _layout(rows, channels, np.dtype(dtype), slots)
        segment = SharedSegment(size=layout[-1])
        descriptor = RingDescriptor(
            segment.name,
            rows,
            channels,
            dtype,
            slots,
            tuple(float(s) for s in scale),
            float(sample_rate),
        )
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

    def writable(self) -> NDArray[Any]:
        """View (rows, channels) of the next slot, to be filled before :meth:`commit`.

        The oldest block is given up; a reader still copying it notices.

        Raises
        ------
        InputError
            If the ring is closed.
        """
        self._check_open()
        index = self.committed % self.slots
        self._headers[index, _SEQUENCE] = -1
        view: NDArray[Any] = self._data[index]
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
        """Publish the slot filled last.

        Parameters
        ----------
        rows : int
            Rows filled.
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
        if not 1 <= rows <= self.rows:
            raise InputError(f"a block must have 1 … {self.rows} rows, got {rows}")
        number = self.committed
        header = self._headers[number % self.slots]
        header[_FIRST], header[_ROWS] = first_sample, rows
        header[_BEFORE], header[_STATUS] = self._state[_TOTAL], int(status)
        self._times[number % self.slots, _HOST_TIME] = host_time
        header[_SEQUENCE] = number
        self._state[_TOTAL] += rows
        self._state[_COMMITTED] = number + 1
        return self.wait_for_room(timeout, stop) if wait else self.has_room()

    def has_room(self) -> bool:
        """Whether the next block overwrites nothing that a lossless cursor still has to read."""
        active = self._cursors[:, ACTIVE] != 0
        positions = self._cursors[active, POSITION]
        return bool(positions.size == 0 or self.committed - positions.min() < self.slots - 1)

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
            self._state[_FINISHED] = 1

    # -- readers ----------------------------------------------------------------------------------

    @property
    def committed(self) -> int:
        """Number of blocks published so far."""
        return int(self._state[_COMMITTED])

    @property
    def finished(self) -> bool:
        """Whether no further block will come."""
        return self._closed or bool(self._state[_FINISHED])

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
            Blocks that a lossy cursor may lie behind before it skips to the newest; half the
            slots by default.

        Raises
        ------
        InputError
            For a name that is in use, too long or (attached) not known.
        """
        self._check_open()
        behind = self.slots // 2 if max_behind is None else max_behind
        if not lossless:
            entry = np.zeros(CURSOR_FIELDS, np.int64)
            self._place(entry)
            return Cursor(self, name, entry, lossless=False, max_behind=behind)
        with self._lock:
            entry = self._claim(name) if self._owner else self._find(name)
        return Cursor(self, name, entry, lossless=True, max_behind=behind)

    def read(self, number: int) -> tuple[Block, int] | None:
        """Copy block ``number`` and the count of samples before it; None if it is not there."""
        index = number % self.slots
        header = self._headers[index]
        if header[_SEQUENCE] != number:
            return None
        _, first, rows, before, status, _ = (int(value) for value in header)
        if not 1 <= rows <= self.rows:
            return None
        samples = self._data[index, :rows].copy()
        host_time = float(self._times[index, _HOST_TIME])
        if header[_SEQUENCE] != number:
            return None
        block = Block(first, samples, self.scale, number, host_time, BlockStatus(status))
        return block, before

    def close(self) -> None:
        """Leave the ring; its creator also ends and removes it. May be called again, in any order.

        Readers in other threads and processes can read what is there and then see the end.
        """
        if self._closed:
            return
        if self._owner:
            self._state[_FINISHED] = 1
        self._closed = True
        self._segment.close()

    # -- inside -----------------------------------------------------------------------------------

    def _map(self, buffer: memoryview) -> None:
        """Lay the arrays over the shared memory."""
        slots, dtype = self.slots, np.dtype(self._descriptor.dtype)
        cursors, names, headers, data, _ = _layout(self.rows, self.channels, dtype, slots)

        def view(kind: np.dtype[Any], offset: int, *shape: int) -> NDArray[Any]:
            # frombuffer, unlike ndarray(buffer=…), keeps the memory mapped while the array lives.
            return np.frombuffer(buffer, kind, math.prod(shape), offset).reshape(shape)

        integer, real = np.dtype(np.int64), np.dtype(np.float64)
        self._state = view(integer, 0, _WRITERS)
        self._cursors = view(integer, cursors, _MAX_CURSORS, CURSOR_FIELDS)
        self._names = view(np.dtype(f"S{_NAME_BYTES}"), names, _MAX_CURSORS)
        self._headers = view(integer, headers, slots, 6)
        self._times = view(real, headers, slots, 6)
        self._data = view(dtype, data, slots, self.rows, self.channels)
        if self._owner:
            self._headers[:, _SEQUENCE] = -1

    def _check_open(self) -> None:
        """Raise InputError when closed."""
        if self._closed:
            raise InputError("the ring is closed")

    def _place(self, entry: NDArray[np.int64]) -> None:
        """Set a cursor behind the newest block."""
        entry[:] = 0
        entry[EXPECTED] = self._state[_TOTAL]
        entry[POSITION] = self._state[_COMMITTED]

    def _claim(self, name: str) -> NDArray[np.int64]:
        """Take a free place for a lossless cursor."""
        encoded = name.encode("utf-8")
        if not 0 < len(encoded) <= _NAME_BYTES:
            raise InputError(f"cursor name {name!r} must have 1 … {_NAME_BYTES} bytes")
        active = self._cursors[:, ACTIVE] != 0
        if encoded in self._names[active].tolist():
            raise InputError(f"cursor {name!r} is in use")
        free = np.flatnonzero(~active)
        if free.size == 0:
            raise InputError(f"a ring holds at most {_MAX_CURSORS} lossless cursors")
        index = int(free[0])
        self._names[index] = encoded
        entry: NDArray[np.int64] = self._cursors[index]
        self._place(entry)
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


def _layout(rows: int, channels: int, dtype: np.dtype[Any], slots: int) -> tuple[int, ...]:
    """Offsets of cursors, names, headers and data, and the size of the whole, in bytes."""
    sizes = [
        8 * _WRITERS,
        8 * CURSOR_FIELDS * _MAX_CURSORS,
        _NAME_BYTES * _MAX_CURSORS,
        8 * 6 * slots,
        slots * rows * channels * dtype.itemsize,
    ]
    offsets: list[int] = []
    position = 0
    for size in sizes:
        position += -(-size // _ALIGN) * _ALIGN
        offsets.append(position)
    return tuple(offsets)
