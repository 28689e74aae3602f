"""The lossless recorder: one HDF5 run file, readable while it grows and after a kill.

Samples are flushed before they are acknowledged, in the single-writer-multiple-reader mode of HDF5:
whatever the writer's end, all acknowledged samples can be read. Datasets and attributes therefore
exist before the first sample. ``/stretches`` holds the row and the sample index at which each
contiguous stretch begins; it is written before the samples that follow it.

A resize and a flush cost the same for one sample as for a million, so what waits is written
together: one of each per dataset and :meth:`Recorder.append`, however many blocks and events.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..models.blocks import Block, BlockStatus
from ..models.errors import FileError, InputError
from .checksums import cells_of_records, cells_of_samples
from .disk_space import free_bytes
from .events import Event, EventKind
from .outcome import Outcome
from .ring_cursor import Overrun
from .runfile_create import append_records, close_attributes, create_run_file
from .runfile_format import (
    EVENT_TYPE,
    SLOW_TYPE,
    STRETCH_TYPE,
    Manifest,
    SlowRecord,
    cut_text,
    encode_events,
    encode_slow,
)
from .sample_store import SampleStore

__all__ = ["Recorder"]

_CHUNK_BYTES = 1 << 17
# What stays free: closing needs some room, and HDF5 does not survive a write that fails.
_RESERVE_BYTES = 1 << 20


@dataclass
class _Batch:
    """What one append writes, and the numbers that hold once it is written."""

    rows: int
    next: int | None
    lost: int = 0
    gaps: int = 0
    pieces: list[NDArray[Any]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    stretches: list[tuple[int, int]] = field(default_factory=list)
    refused: InputError | None = None


class Recorder:
    """Writes a run file.

    All methods may be called from any thread.

    Parameters
    ----------
    path : path-like
        File to make; an existing one is never overwritten.
    manifest : Manifest
        What is known when the run begins.
    chunk_rows : int, optional
        Rows of a storage chunk, which is written as a whole; appends of a multiple of it are stored
        fastest.

    Attributes
    ----------
    path : Path
        The file.
    manifest : Manifest
        As given.
    bytes_per_sample : int
        Size of a row of all channels.

    Raises
    ------
    FileError
        If the file exists, its directory does not, it cannot be written or the disk is full.
    """

    def __init__(
        self, path: str | Path, manifest: Manifest, *, chunk_rows: int | None = None
    ) -> None:
        self.path = Path(path)
        self.manifest = manifest
        self._dtype = np.dtype(manifest.dtype)
        self.bytes_per_sample = self._dtype.itemsize * len(manifest.channels)
        self._chunk_rows = chunk_rows or max(64, _CHUNK_BYTES // self.bytes_per_sample)
        self._lock = threading.RLock()
        self._failure: str | None = None
        self._closed = False
        self._lost = self._gaps = 0
        self._samples: SampleStore | None = None
        self._next: int | None = None
        with self._guard():
            exists, directory = self.path.exists(), self.path.parent.is_dir()
        if exists:
            raise FileError(f"{self.path} exists already: a run file is never overwritten")
        if not directory:
            raise FileError(f"{self.path.parent} is not a directory: cannot write {self.path.name}")
        self._require_room(0)
        with self._guard():
            self._file = create_run_file(self.path, manifest, self._chunk_rows)
            self._samples = SampleStore(self._file["samples"])
            self._events, self._slow = self._file["events"], self._file["slow"]
            self._stretches, self._checks = self._file["stretches"], self._file["checksums"]

    # -- numbers ----------------------------------------------------------------------------------

    @property
    def samples(self) -> int:
        """Rows in the file, acknowledged: flushed, and readable whatever happens."""
        return 0 if self._samples is None else self._samples.rows

    @property
    def gaps(self) -> int:
        """Number of gaps."""
        return self._gaps

    @property
    def lost(self) -> int:
        """Samples lost in gaps."""
        return self._lost

    @property
    def next_sample(self) -> int | None:
        """Sample index that would follow without a gap; None before the first block."""
        return self._next

    # -- writing ----------------------------------------------------------------------------------

    def append(
        self,
        blocks: Sequence[tuple[Block, Overrun | None]] = (),
        events: Sequence[Event] = (),
        slow: Sequence[SlowRecord] = (),
    ) -> None:
        """Append what waits and flush; a jump of the sample index becomes a recorded gap.

        Saturated blocks are marked by an event each.

        Parameters
        ----------
        blocks : sequence of (Block, Overrun or None)
            Of the manifest's type and channels, in order, each with what the reader missed before
            it: that tells a gap of ours from one of the device.
        events : sequence of Event
            Their order in the file.
        slow : sequence of SlowRecord
            Slow readings.

        Raises
        ------
        InputError
            If a block does not fit the file or goes back in time; what stands before it is written.
        FileError
            If it cannot be written; what was acknowledged before is preserved.
        """
        with self._lock:
            self._require_open()
            batch = self._arrange(blocks)
            batch.events.extend(events)
            size = sum(piece.nbytes for piece in batch.pieces)
            size += len(batch.events) * EVENT_TYPE.itemsize + len(slow) * SLOW_TYPE.itemsize
            self._require_room(size)
            with self._guard():
                self._write(batch, slow)
            self._next, self._lost, self._gaps = batch.next, batch.lost, batch.gaps
            if batch.refused is not None:
                raise batch.refused

    def write(self, block: Block, overrun: Overrun | None = None) -> None:
        """Append one block and flush, see :meth:`append`."""
        self.append([(block, overrun)])

    def event(self, event: Event) -> None:
        """Append one event and flush, see :meth:`append`."""
        self.append(events=[event])

    def slow(
        self,
        sample: int,
        name: str,
        value: float | None,
        unit: str = "",
        *,
        status: str = "ok",
        host_time: float | None = None,
    ) -> None:
        """Append a slow reading (pressure, temperature, …) and flush; None is stored as NaN.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        stamp = time.time() if host_time is None else host_time
        number = float("nan") if value is None else float(value)
        self.append(slow=[SlowRecord(sample, name, number, unit, status, stamp)])

    def close(
        self,
        outcome: Outcome = "complete",
        reason: str = "",
    ) -> None:
        """Close the file in good order; may be called again.

        After a failed write the file stays marked as interrupted.

        Raises
        ------
        FileError
            If the file cannot be closed.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            with self._guard():
                said, whole = cut_text(reason or self._failure or "", 400), self._failure is None
                close_attributes(self._file.attrs, outcome, said, whole=whole)
                self._file.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close("complete" if kind is None else "failed")

    # -- inside -----------------------------------------------------------------------------------

    def _arrange(self, blocks: Sequence[tuple[Block, Overrun | None]]) -> _Batch:
        """Lay out blocks with their stretches and events, up to the first one that is wrong."""
        batch = _Batch(self.samples, self._next, self._lost, self._gaps)
        for block, overrun in blocks:
            try:
                self._check(block, batch.next)
            except InputError as error:
                batch.refused = error
                break
            if block.first_sample != batch.next or block.status & BlockStatus.GAP_BEFORE:
                _begin_stretch(batch, block.first_sample, overrun)
            rows = block.samples.shape[0]
            if block.status & BlockStatus.SATURATED:
                payload = {"samples": rows}
                saturated = Event(block.first_sample, EventKind.SATURATED, payload, time.time())
                batch.events.append(saturated)
            batch.pieces.append(block.samples)
            batch.rows += rows
            batch.next = block.end_sample
        return batch

    def _check(self, block: Block, expected: int | None) -> None:
        """Raise InputError for a block of another shape or type, or of an earlier time."""
        shape = (block.samples.shape[0], len(self.manifest.channels))
        if block.samples.shape != shape or block.samples.dtype != self._dtype:
            raise InputError(
                f"block of {block.samples.dtype} {block.samples.shape} does not fit a file of "
                f"{self._dtype} with {shape[1]} channels"
            )
        if expected is not None and block.first_sample < expected:
            raise InputError(
                f"sample index {block.first_sample} goes back: expected {expected} or later"
            )

    def _write(self, batch: _Batch, slow: Sequence[SlowRecord]) -> None:
        """Write a batch: checksums, and what tells where samples belong, come before them."""
        assert self._samples is not None
        tables = (
            ("stretches", self._stretches, np.array(batch.stretches, STRETCH_TYPE)),
            ("events", self._events, encode_events(batch.events)),
            ("slow", self._slow, encode_slow(slow)),
        )
        checks = [cells_of_records(name, table.shape[0], new) for name, table, new in tables]
        checks.append(cells_of_samples(self._samples.rows, batch.pieces))
        append_records(self._checks, np.concatenate(checks))
        for _, table, new in tables:
            append_records(table, new)
        self._samples.append(batch.pieces)

    def _require_open(self) -> None:
        """Raise when nothing can be written any more."""
        if self._failure is not None:
            raise FileError(self._failure)
        if self._closed:
            raise InputError(f"{self.path} is closed")

    def _require_room(self, size: int) -> None:
        """Raise FileError in time: HDF5 cannot close a file that met a full disk."""
        # Samples may touch two partly filled chunks, each written as a whole.
        needed = size + 4 * self._chunk_rows * self.bytes_per_sample
        needed = _RESERVE_BYTES + (needed if self.samples or size else 0)
        try:
            free = free_bytes(self.path)
        except OSError as error:
            self._fail(error.strerror or str(error))
        if free < needed:
            self._fail(f"disk full ({max(0, free) / 1e6:.1f} MB free)")

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        """Turn what HDF5 raises on a failing file into a FileError that says what is preserved."""
        try:
            yield
        except (OSError, RuntimeError) as error:
            text = " ".join(str(error).split())
            if "No space left" in text or "errno = 28" in text:
                text = "disk full"
            with contextlib.suppress(OSError, RuntimeError, AttributeError, ValueError):
                if self._samples is not None:
                    self._samples.truncate()
            self._fail(text)

    def _fail(self, reason: str) -> None:
        """Remember and raise a failure."""
        preserved = f"; its {self.samples} samples are preserved" if self.samples else ""
        if self.samples and not self.path.exists():
            preserved = "; the file was removed or renamed by somebody else"
        self._failure = f"cannot write {self.path}: {reason}{preserved}"
        raise FileError(self._failure)


def _begin_stretch(batch: _Batch, first_sample: int, overrun: Overrun | None) -> None:
    """Note where the next stretch begins, and the gap before it; a seam loses nothing."""
    lost = 0 if batch.next is None else first_sample - batch.next
    if batch.next is not None and lost:
        cause = "digitizer" if overrun is None else "recorder"
        payload: dict[str, Any] = {"lost": lost, "cause": cause}
        batch.events.append(Event(batch.next, EventKind.GAP, payload, time.time()))
        batch.gaps += 1
        batch.lost += lost
    batch.stretches.append((batch.rows, first_sample))
