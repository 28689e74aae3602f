"""The growing dataset of samples: chunks are written past HDF5's cache, each once an append."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SampleStore"]


class SampleStore:
    """Appends rows to a chunked dataset; what is cut short is written as a whole chunk.

    Parameters
    ----------
    dataset : h5py.Dataset
        Of shape (rows, columns), to grow along its rows.

    Attributes
    ----------
    rows : int
        Rows in the file, flushed.
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self._size = int(dataset.chunks[0])
        self._tail = np.zeros(dataset.chunks, dataset.dtype)
        self.rows = int(dataset.shape[0])

    def append(self, pieces: Sequence[NDArray[Any]]) -> None:
        """Append arrays of shape (n, columns), with one resize and one flush for all of them."""
        row = self.rows
        end = row + sum(len(piece) for piece in pieces)
        if end == row:
            return
        self._dataset.resize(end, axis=0)
        for piece in pieces:
            row = self._put(piece, row)
        if row % self._size:
            self._write(row - row % self._size, self._tail)
        self._dataset.flush()
        self.rows = end

    def truncate(self) -> None:
        """Take back rows that were announced and not written: they would read as zeros."""
        self._dataset.resize(self.rows, axis=0)

    def _put(self, piece: NDArray[Any], row: int) -> int:
        """Write the whole chunks of a piece that begins at ``row``, keep the rest in the tail."""
        done, count, size = 0, len(piece), self._size
        while done < count:
            at = row % size
            part = piece[done : done + size - at]
            if len(part) == size:
                self._write(row, np.ascontiguousarray(part))
            else:
                if at == 0:
                    self._tail[:] = 0
                self._tail[at : at + len(part)] = part
                if at + len(part) == size:
                    self._write(row - at, self._tail)
            done += len(part)
            row += len(part)
        return row

    def _write(self, row: int, chunk: NDArray[Any]) -> None:
        """Write the chunk that begins at ``row``."""
        self._dataset.id.write_direct_chunk((row, 0), chunk)
