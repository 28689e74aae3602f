"""The lossless recorder: one HDF5 run file, readable while it grows and after a kill.

Every block is flushed before it is acknowledged, in the single-writer-multiple-reader mode of HDF5:
whatever the writer's end, all acknowledged samples can be read. Datasets and attributes therefore
exist before the first sample. ``/stretches`` holds the row and the sample index at which each
contiguous stretch begins; it is written before the samples that follow it.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from ..models.blocks import Block, BlockStatus
from ..models.errors import FileError, InputError
from .disk_space import free_bytes
from .events import Event, EventKind
from .ring_cursor import Overrun
from .runfile_format import (
    EVENT_TYPE,
    SCHEMA,
    SCHEMA_VERSION,
    SLOW_TYPE,
    STRETCH_TYPE,
    Manifest,
    SlowRecord,
    encode_event,
    json_text,
)
from .swmr import write_swmr

__all__ = ["Recorder"]

_CHUNK_BYTES = 1 << 17
# What stays free: closing needs some room, and HDF5 does not survive a write that fails.
_RESERVE_BYTES = 1 << 20


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
        Rows of a storage chunk; blocks of a multiple of it are stored fastest, far shorter ones
        slowest, because a chunk is written as a whole.

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
        row_bytes = self._dtype.itemsize * len(manifest.channels)
        self._chunk_rows = chunk_rows or max(64, _CHUNK_BYTES // row_bytes)
        self._row_bytes = row_bytes
        self._tail = np.zeros((self._chunk_rows, len(manifest.channels)), self._dtype)
        self._lock = threading.RLock()
        self._failure: str | None = None
        self._closed = False
        self._rows = self._lost = self._gaps = 0
        self._next: int | None = None
        with self._guard():
            exists, directory = self.path.exists(), self.path.parent.is_dir()
        if exists:
            raise FileError(f"{self.path} exists already: a run file is never overwritten")
        if not directory:
            raise FileError(f"{self.path.parent} is not a directory: cannot write {self.path.name}")
        self._require_room(0)
        with self._guard():
            self._create()

    # -- numbers ----------------------------------------------------------------------------------

    @property
    def samples(self) -> int:
        """Rows in the file, acknowledged: flushed, and readable whatever happens."""
        return self._rows

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

    def write(self, block: Block, overrun: Overrun | None = None) -> None:
        """Append a block and flush; a jump of its sample index becomes a recorded gap.

        Saturated blocks are marked by an event each.

        Parameters
        ----------
        block : Block
            Of the manifest's type and channels.
        overrun : Overrun, optional
            What the reader missed before this block: tells a gap of ours from one of the device.

        Raises
        ------
        InputError
            If the block does not fit the file or goes back in time.
        FileError
            If it cannot be written; what was acknowledged before is preserved.
        """
        samples = block.samples
        shape = (samples.shape[0], len(self.manifest.channels))
        if samples.shape != shape or samples.dtype != self._dtype:
            raise InputError(
                f"block of {samples.dtype} {samples.shape} does not fit a file of {self._dtype} "
                f"with {shape[1]} channels"
            )
        with self._lock:
            self._require_open()
            if self._next is not None and block.first_sample < self._next:
                raise InputError(
                    f"sample index {block.first_sample} goes back: expected {self._next} or later"
                )
            self._require_room(samples.nbytes)
            with self._guard():
                if block.first_sample != self._next or block.status & BlockStatus.GAP_BEFORE:
                    self._begin_stretch(block.first_sample, overrun)
                if block.status & BlockStatus.SATURATED:
                    payload = {"samples": shape[0]}
                    self._put(Event(block.first_sample, EventKind.SATURATED, payload, time.time()))
                self._append(samples)
            self._rows += shape[0]
            self._next = block.end_sample

    def event(self, event: Event) -> None:
        """Append an event and flush.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        with self._lock:
            self._require_open()
            self._require_room(EVENT_TYPE.itemsize)
            with self._guard():
                self._put(event)

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
        entry = SlowRecord(sample, name, number, unit, status, stamp)
        record = np.zeros(1, SLOW_TYPE)
        record[0] = (
            entry.sample,
            entry.host_time,
            entry.value,
            _cut(name, 32),
            _cut(unit, 16),
            _cut(status, 32),
        )
        with self._lock:
            self._require_open()
            self._require_room(SLOW_TYPE.itemsize)
            with self._guard():
                _extend(self._slow, record)

    def close(
        self,
        outcome: Literal["complete", "stopped", "aborted", "failed"] = "complete",
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
                attributes = self._file.attrs
                said = _cut(reason or self._failure or "", 400)
                attributes.modify("outcome", np.array(outcome.encode("ascii"), "S16"))
                attributes.modify("reason", np.array(said, "S400"))
                attributes.modify("ended", time.time())
                if self._failure is None:
                    attributes.modify("state", np.array(b"complete", "S16"))
                self._file.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close("complete" if kind is None else "failed")

    # -- inside -----------------------------------------------------------------------------------

    def _create(self) -> None:
        """Make the file with all its datasets and attributes and switch to append mode."""
        m = self.manifest
        # Version 1.10 of the format is the oldest that allows reading while writing.
        self._file = h5py.File(self.path, "x", libver=("v110", "v110"))
        attributes = self._file.attrs
        for name, text in {"schema": SCHEMA, "unit": m.unit, "mode": m.mode}.items():
            attributes[name] = np.bytes_(text.encode("utf-8") or b" ")
        attributes["schema_version"] = SCHEMA_VERSION
        attributes["sample_rate"] = float(m.sample_rate)
        attributes["scale"] = np.asarray(m.scale, np.float64)
        attributes["created"] = time.time()
        attributes["ended"] = 0.0
        attributes["state"] = np.array(b"interrupted", "S16")
        attributes["outcome"] = np.array(b"", "S16")
        attributes["reason"] = np.array(b"", "S400")
        for name, value in {
            "channels": m.channels,
            "config": m.config,
            "plan": m.plan,
            "detectors": m.detectors,
            "calibration": m.calibration,
            "versions": {**_versions(), **m.versions},
            "seed": m.seed,
        }.items():
            attributes[name] = np.bytes_(json_text(value))
        columns = len(m.channels)
        self._file.create_dataset(
            "samples",
            shape=(0, columns),
            maxshape=(None, columns),
            chunks=(self._chunk_rows, columns),
            dtype=self._dtype,
        )
        for name, kind in (
            ("events", EVENT_TYPE),
            ("slow", SLOW_TYPE),
            ("stretches", STRETCH_TYPE),
        ):
            self._growing(name, kind)
        self._file.close()
        self._file = write_swmr(self.path)
        self._samples, self._events = self._file["samples"], self._file["events"]
        self._slow, self._stretches = self._file["slow"], self._file["stretches"]

    def _growing(self, name: str, dtype: np.dtype[Any]) -> None:
        """Make an empty dataset of records."""
        self._file.create_dataset(name, shape=(0,), maxshape=(None,), chunks=(64,), dtype=dtype)

    def _begin_stretch(self, first_sample: int, overrun: Overrun | None) -> None:
        """Note where the next stretch begins, and the gap before it; a seam loses nothing."""
        lost = 0 if self._next is None else first_sample - self._next
        if self._next is not None and lost:
            payload: dict[str, Any] = {
                "lost": lost,
                "cause": "digitizer" if overrun is None else "recorder",
            }
            self._put(Event(self._next, EventKind.GAP, payload, time.time()))
            self._gaps += 1
            self._lost += lost
        _extend(self._stretches, np.array([(self._rows, first_sample)], STRETCH_TYPE))

    def _append(self, samples: NDArray[Any]) -> None:
        """Append rows chunk by chunk, past HDF5's cache; a part is written as a whole chunk."""
        start, end, size = self._rows, self._rows + samples.shape[0], self._chunk_rows
        self._samples.resize(end, axis=0)
        row = start
        while row < end:
            chunk = row - row % size
            stop = min(end, chunk + size)
            piece = np.ascontiguousarray(samples[row - start : stop - start])
            if stop - row < size:
                if row == chunk:
                    self._tail[:] = 0
                self._tail[row - chunk : stop - chunk] = piece
                piece = self._tail
            self._samples.id.write_direct_chunk((chunk, 0), piece)
            row = stop
        self._samples.flush()

    def _put(self, event: Event) -> None:
        """Append an event's records."""
        _extend(self._events, encode_event(event))

    def _require_open(self) -> None:
        """Raise when nothing can be written any more."""
        if self._failure is not None:
            raise FileError(self._failure)
        if self._closed:
            raise InputError(f"{self.path} is closed")

    def _require_room(self, size: int) -> None:
        """Raise FileError in time: HDF5 cannot close a file that met a full disk."""
        # A block may touch two partly filled chunks, each written as a whole.
        needed = size + 4 * self._chunk_rows * self._row_bytes
        needed = _RESERVE_BYTES + (needed if self._rows or size else 0)
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
            # Rows that were announced and not written would read as zeros.
            with contextlib.suppress(OSError, RuntimeError, AttributeError, ValueError):
                self._samples.resize(self._rows, axis=0)
            self._fail(text)

    def _fail(self, reason: str) -> None:
        """Remember and raise a failure."""
        preserved = f"; its {self._rows} samples are preserved" if self._rows else ""
        self._failure = f"cannot write {self.path}: {reason}{preserved}"
        raise FileError(self._failure)


def _extend(dataset: Any, records: NDArray[np.void]) -> None:
    """Append records and flush."""
    start = dataset.shape[0]
    dataset.resize(start + records.size, axis=0)
    dataset[start:] = records
    dataset.flush()


def _cut(text: str, width: int) -> bytes:
    """Encode as at most ``width`` bytes."""
    return text.encode("utf-8")[:width].decode("utf-8", "ignore").encode("utf-8")


def _versions() -> dict[str, str]:
    """Versions of what wrote the file."""
    found = {"python": sys.version.split()[0], "hdf5": h5py.version.hdf5_version}
    for name in ("optobind", "numpy", "scipy", "numba", "h5py"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
