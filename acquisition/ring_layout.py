"""What lies where in the shared memory of a ring."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..models.errors import InputError
from .ring_cursor import CURSOR_FIELDS

__all__ = [
    "BEFORE",
    "CLAIMED",
    "COMMITTED",
    "FINISHED",
    "FIRST",
    "HOST_TIME",
    "MAX_BLOCKS",
    "MAX_CURSORS",
    "NAME_BYTES",
    "PLACE",
    "ROWS",
    "SEQUENCE",
    "STATUS",
    "TOTAL",
    "RingArrays",
    "RingDescriptor",
    "ring_bytes",
]

# Numbers of the writer: blocks and samples published, and up to where it may have written.
COMMITTED, FINISHED, TOTAL, CLAIMED, _STATE_FIELDS = range(5)
# Columns of the header of a block; the last one is a float.
SEQUENCE, FIRST, ROWS, BEFORE, STATUS, PLACE, HOST_TIME = range(7)
_HEADER_FIELDS = 8
MAX_BLOCKS = 1 << 16
MAX_CURSORS = 16
NAME_BYTES = 32
_ALIGN = 64


@dataclass(frozen=True)
class RingDescriptor:
    """What another process needs to attach to a ring; can be pickled.

    Attributes
    ----------
    name : str
        Name of the shared memory.
    rows, channels : int
        Most rows of a block, and its columns.
    dtype : {"int16", "float32"}
        Type of the samples.
    capacity : int
        Samples that can wait.
    scale : tuple of float
        V per count of each channel.
    sample_rate : float
        Hz.

    Raises
    ------
    InputError
        If a size is out of range.
    """

    name: str
    rows: int
    channels: int
    dtype: Literal["int16", "float32"]
    capacity: int
    scale: tuple[float, ...]
    sample_rate: float

    def __post_init__(self) -> None:
        if self.rows < 1 or self.channels < 1 or self.capacity < self.rows:
            raise InputError(
                "a ring needs rows ≥ 1, channels ≥ 1, capacity ≥ rows; "
                f"got {self.rows}, {self.channels}, {self.capacity}"
            )
        if self.dtype not in ("int16", "float32"):
            raise InputError(f"dtype {self.dtype!r} is not known; known: int16, float32")
        if len(self.scale) != self.channels:
            raise InputError(f"scale must hold {self.channels} values, got {len(self.scale)}")

    @property
    def length(self) -> int:
        """Rows of the buffer.

        While one block is filled, and with less than a block left unused at the end of a turn,
        ``capacity`` samples are whole.
        """
        return self.capacity + 2 * self.rows

    @property
    def blocks(self) -> int:
        """Number of headers."""
        return min(MAX_BLOCKS, self.capacity + 1)


class RingArrays:
    """The arrays of a ring.

    Attributes
    ----------
    state : ndarray of int64
        Numbers of the writer.
    cursors : ndarray of int64, shape (MAX_CURSORS, CURSOR_FIELDS)
        Entries of lossless cursors.
    names : ndarray of bytes, shape (MAX_CURSORS,)
        Names of lossless cursors.
    headers, times : ndarray of int64 and of float64, shape (blocks, 8)
        Headers of blocks, and the same memory seen as floats.
    data : ndarray, shape (length, channels)
        Samples.
    """

    def __init__(self, buffer: memoryview, ring: RingDescriptor) -> None:
        cursors, names, headers, data, _ = _offsets(ring)

        def view(kind: np.dtype[Any], offset: int, *shape: int) -> NDArray[Any]:
            # frombuffer, unlike ndarray(buffer=…), keeps the memory mapped while the array lives.
            return np.frombuffer(buffer, kind, math.prod(shape), offset).reshape(shape)

        integer, real = np.dtype(np.int64), np.dtype(np.float64)
        self.state = view(integer, 0, _STATE_FIELDS)
        self.cursors = view(integer, cursors, MAX_CURSORS, CURSOR_FIELDS)
        self.names = view(np.dtype(f"S{NAME_BYTES}"), names, MAX_CURSORS)
        self.headers = view(integer, headers, ring.blocks, _HEADER_FIELDS)
        self.times = view(real, headers, ring.blocks, _HEADER_FIELDS)
        self.data = view(np.dtype(ring.dtype), data, ring.length, ring.channels)


def ring_bytes(ring: RingDescriptor) -> int:
    """Bytes of shared memory that a ring needs."""
    return _offsets(ring)[-1]


def _offsets(ring: RingDescriptor) -> tuple[int, ...]:
    """Offsets of cursors, names, headers and data, and the size of the whole, in bytes."""
    sizes = [
        8 * _STATE_FIELDS,
        8 * CURSOR_FIELDS * MAX_CURSORS,
        NAME_BYTES * MAX_CURSORS,
        8 * _HEADER_FIELDS * ring.blocks,
        ring.length * ring.channels * np.dtype(ring.dtype).itemsize,
    ]
    offsets: list[int] = []
    position = 0
    for size in sizes:
        position += -(-size // _ALIGN) * _ALIGN
        offsets.append(position)
    return tuple(offsets)
