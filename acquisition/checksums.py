"""Checksums of a run file: every row that was recorded is covered by one, and checked when read.

``/checksums`` holds one record for each cell: the rows of one append to one dataset, cut every
64 kB where they are samples. It grows before the rows do, so that rows in the file always have
theirs, whatever ends the writer; cells of rows that never came are passed over. The sum is CRC-32
(zlib's) of the rows as they are stored. A record has a check of its own: a damaged one must not
mislead.

HDF5's own filter (fletcher32) was not used: it covers whole chunks, and the last one is written
again with every append, so that a kill in between would cost what had been acknowledged.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CHECK_TYPE",
    "CheckedTables",
    "DamagedRows",
    "attributes_crc",
    "cells_of_records",
    "cells_of_samples",
]

CHECK_TYPE = np.dtype(
    [("start", "<i8"), ("rows", "<u4"), ("table", "<u4"), ("crc", "<u4"), ("own", "<u4")]
)
_TABLES = ("samples", "events", "slow", "stretches")
_CELL_BYTES = 1 << 16
_PIECE = 1 << 16  # checksums that are read at once
_VERIFY_BYTES = 4 << 20
# A bit that flips anywhere changes the sum: odd factors lose nothing modulo 2^32.
_FACTORS = (0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35, 0x27D4EB2F, 0x165667B1)

Rows = tuple[int, int]


class DamagedRows(Exception):
    """Rows (start, stop) of a dataset whose checksums do not fit; for the reader of the file."""

    def __init__(self, table: str, ranges: Sequence[Rows]) -> None:
        super().__init__(f"{table}: {ranges}")
        self.table, self.ranges = table, tuple(ranges)


def cells_of_samples(row: int, pieces: Sequence[NDArray[Any]]) -> NDArray[np.void]:
    """Return the checksums of samples that are to be appended.

    Parameters
    ----------
    row : int
        Row of the first one.
    pieces : sequence of ndarray, shape (n, channels)
        One after the other.

    Returns
    -------
    ndarray of CHECK_TYPE
        One for each 64 kB, and for what is left at either end.
    """
    cells: list[tuple[int, int, int]] = []
    begin, crc = row, 0
    for piece in pieces:
        size, done = cell_rows(piece), 0
        while done < len(piece):
            part = piece[done : done + size - row % size]
            crc = zlib.crc32(_bytes_of(part), crc)
            done, row = done + len(part), row + len(part)
            if row % size == 0:
                cells.append((begin, row - begin, crc))
                begin, crc = row, 0
    if row > begin:
        cells.append((begin, row - begin, crc))
    return _records("samples", cells)


def cells_of_records(table: str, start: int, records: NDArray[np.void]) -> NDArray[np.void]:
    """Return the checksum of records that are to be appended from row ``start`` on; none of none.

    Parameters
    ----------
    table : {"events", "slow", "stretches"}
        Dataset.
    start : int
        Row of the first record.
    records : ndarray
        As they are stored.
    """
    crc = zlib.crc32(records.tobytes())
    return _records(table, [(start, len(records), crc)] if len(records) else [])


def cell_rows(samples: Any) -> int:
    """Rows of a whole cell of samples of that type and number of channels."""
    return max(1, _CELL_BYTES // (int(samples.dtype.itemsize) * int(samples.shape[1])))


def attributes_crc(attributes: Any, names: Iterable[str]) -> np.uint32:
    """Checksum of attributes as they are stored, by name."""
    crc = 0
    for name in sorted(names):
        stored = np.asarray(attributes[name]).tobytes()
        crc = zlib.crc32(name.encode("ascii") + stored, crc)
    return np.uint32(crc)


def _records(table: str, cells: Sequence[tuple[int, int, int]]) -> NDArray[np.void]:
    number = _TABLES.index(table)
    found = np.array([(start, rows, number, crc, 0) for start, rows, crc in cells], CHECK_TYPE)
    found["own"] = _own(found)
    return found


def _own(records: NDArray[np.void]) -> NDArray[np.uint32]:
    """What records say of themselves, whatever their last field."""
    start = records["start"].astype(np.uint64)
    words = (start, start >> np.uint64(32), records["rows"], records["table"], records["crc"])
    total = np.full(len(records), 0x5BD1E995, np.uint64)
    for word, factor in zip(words, _FACTORS, strict=True):
        total += (word.astype(np.uint64) & np.uint64(0xFFFFFFFF)) * np.uint64(factor)
    return (total & np.uint64(0xFFFFFFFF)).astype(np.uint32)


@dataclass
class _Cells:
    """Cells of one dataset in the order of its rows; which of them were found whole."""

    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    crcs: NDArray[np.uint32]
    whole: NDArray[np.bool_]

    def touching(self, start: int, stop: int) -> tuple[int, int]:
        """Numbers (low, high) of the cells that share a row with start … stop."""
        low = int(np.searchsorted(self.stops, start, side="right"))
        return low, max(low, int(np.searchsorted(self.starts, stop, side="left")))


class CheckedTables:
    """The datasets of a run file; rows are checked when they are read for the first time.

    Parameters
    ----------
    file : h5py.File
        Open; a file without checksums is read as it is.

    Attributes
    ----------
    present : bool
        Whether the file holds checksums.
    datasets : dict of str to h5py.Dataset
        By name. Opened once: that takes h5py as long as a read, and HDF5 can read a growing dataset
        again through one handle only.
    """

    def __init__(self, file: Any) -> None:
        self.present = "checksums" in file
        names = (*_TABLES, *(["checksums"] if self.present else []))
        self.datasets = {name: file[name] for name in names}
        self._cells: dict[str, _Cells] = {}
        self._known = 0

    def refresh(self) -> None:
        """Look again at a file that is being written; checksums last, they come before rows."""
        for name in sorted(self.datasets, key="checksums".__eq__):
            self.datasets[name].refresh()

    def read(self, table: str, start: int, stop: int) -> NDArray[Any]:
        """Return rows start … stop of a dataset.

        Raises
        ------
        DamagedRows
            If a checksum that covers one of them does not fit, or none covers it.
        """
        dataset = self.datasets[table]
        stop = min(stop, int(dataset.shape[0]))
        if not self.present or stop <= start:
            rows: NDArray[Any] = dataset[start:stop]
            return rows
        cells = self._cells_of(table, stop)
        low, high = cells.touching(start, stop)
        fresh = low + np.flatnonzero(~cells.whole[low:high])
        first = min([start, *cells.starts[fresh[:1]].tolist()])
        last = min(max([stop, *cells.stops[fresh[-1:]].tolist()]), int(dataset.shape[0]))
        read: NDArray[Any] = dataset[first:last]
        bad = [*_uncovered(cells, low, high, start, stop), *self._check(cells, fresh, read, first)]
        if bad:
            raise DamagedRows(table, sorted(bad))
        return read[start - first : stop - first]

    def damage(self) -> Iterator[DamagedRows | int]:
        """Read everything; yield the bytes of each piece, after what of it is damaged."""
        for table in _TABLES:
            dataset = self.datasets[table]
            width = dataset.dtype.itemsize * int(np.prod(dataset.shape[1:], dtype=np.int64))
            step = max(1, _VERIFY_BYTES // max(1, width))
            for start in range(0, dataset.shape[0], step):
                stop = min(start + step, dataset.shape[0])
                try:
                    self.read(table, start, stop)
                except DamagedRows as damaged:
                    yield damaged
                yield (stop - start) * width

    @staticmethod
    def _check(
        cells: _Cells, numbers: NDArray[np.intp], rows: NDArray[Any], first: int
    ) -> list[Rows]:
        """Compare cells with rows that were read from ``first`` on; those that do not fit."""
        bad = []
        for number in numbers.tolist():
            start, stop = int(cells.starts[number]), int(cells.stops[number])
            part = rows[start - first : stop - first]
            if len(part) == stop - start and zlib.crc32(_bytes_of(part)) == cells.crcs[number]:
                cells.whole[number] = True
            else:
                bad.append((start, stop))
        return bad

    def _cells_of(self, table: str, stop: int) -> _Cells:
        """Cells of a dataset; read again where a live file has grown past those known."""
        known = self._cells.get(table)
        if known is None or not (len(known.stops) and known.stops[-1] >= stop):
            if known is None or self.datasets["checksums"].shape[0] > self._known:
                self._load()
        return self._cells[table]

    def _load(self) -> None:
        """Read the checksums, without those that are damaged themselves."""
        dataset = self.datasets["checksums"]
        self._known = int(dataset.shape[0])
        pieces: dict[int, list[NDArray[np.void]]] = {number: [] for number in range(len(_TABLES))}
        for at in range(0, self._known, _PIECE):
            piece = dataset[at : min(at + _PIECE, self._known)]
            piece = piece[piece["own"] == _own(piece)]
            for number, found in pieces.items():
                found.append(piece[piece["table"] == number])
        for number, table in enumerate(_TABLES):
            self._cells[table] = _in_order(pieces[number])


def _in_order(pieces: Sequence[NDArray[np.void]]) -> _Cells:
    """Cells of the records of one dataset; those that overlap an earlier one cover nothing."""
    found = np.concatenate([np.empty(0, CHECK_TYPE), *pieces])
    starts = found["start"].astype(np.int64)
    stops = starts + found["rows"].astype(np.int64)
    kept = np.ones(len(found), bool)
    kept[1:] = starts[1:] >= np.maximum.accumulate(stops)[:-1]
    whole = np.zeros(int(kept.sum()), bool)
    return _Cells(starts[kept], stops[kept], found["crc"][kept].copy(), whole)


def _uncovered(cells: _Cells, low: int, high: int, start: int, stop: int) -> list[Rows]:
    """Rows of start … stop that no cell covers: their checksum is damaged itself."""
    ends = [start, *cells.stops[low:high].tolist()]
    begins = [*cells.starts[low:high].tolist(), stop]
    return [(a, b) for a, b in zip(ends, begins, strict=True) if a < b]


def _bytes_of(rows: NDArray[Any]) -> Any:
    """Rows as bytes, copied only where they do not lie together or hold fields."""
    return rows if rows.dtype.names is None and rows.flags.c_contiguous else rows.tobytes()
