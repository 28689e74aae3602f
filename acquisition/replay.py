"""A digitizer that plays recorded files."""

from __future__ import annotations

import math
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..instruments.driver import NamedDevice
from ..instruments.protocols import DeviceState, DigitizerInfo, ReadResult
from ..models.blocks import BlockStatus
from ..models.errors import DeviceError, InputError
from .records.opening import open_record
from .records.record import Ranges, Record

__all__ = ["ReplayDigitizer"]

_LONGEST_WAIT = 0.25  # s of one read: a run must be ended meanwhile


class ReplayDigitizer(NamedDevice):
    """Plays a run file, LeCroy waveform, NPZ or CSV as a Digitizer.

    int16 counts are passed on as they are; everything else as float32, in the unit of the record.
    At a gap of the record the index jumps by what is missing. At the seam of a loop and at the
    border of two repetitions nothing is lost: the index runs on. The block after any of them is
    marked GAP_BEFORE, so that no spectrum runs across.

    Parameters
    ----------
    path : path-like
        File to play.
    loop : bool
        Begin again at the end instead of finishing.
    real_time : bool
        Pace the samples by the clock, or hand them out as fast as they are asked for.
    speed : float
        Multiple of the recorded rate in real time, > 0.
    sample_rate : float, optional
        Hz, for text files without a rate.
    name : str
        Name in messages.

    Raises
    ------
    InputError
        If ``speed`` is not positive.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        loop: bool = False,
        real_time: bool = True,
        speed: float = 1.0,
        sample_rate: float | None = None,
        name: str = "replay",
    ) -> None:
        if not (math.isfinite(speed) and speed > 0.0):
            raise InputError(f"speed must be positive and finite, got {speed!r}")
        super().__init__(name)
        self._path = Path(path)
        self._loop = loop
        self._real_time = real_time
        self._speed = speed
        self._sample_rate = sample_rate
        self._record: Record | None = None
        self._info: DigitizerInfo | None = None
        self._ranges = Ranges()
        self._open_files = ExitStack()
        self._rewind()

    @property
    def info(self) -> DigitizerInfo:
        """Set-up, valid after ``connect``.

        Raises
        ------
        DeviceError
            Before ``connect``.
        """
        if self._info is None:
            raise DeviceError(f"{self._name}: connect first")
        return self._info

    def connect(self) -> str:
        """Open the file and say what it is.

        Raises
        ------
        FileError
            If it cannot be read.
        """
        if self._record is not None:
            return self._identity(self._record)
        record = open_record(self._path, sample_rate=self._sample_rate)
        integer = record.dtype == np.int16
        kind: Literal["int16", "float32"] = "int16" if integer else "float32"
        self._open_files.enter_context(record.source.held())
        self._record = record
        self._ranges = record.recorded()
        self._info = DigitizerInfo(
            sample_rate=record.sample_rate,
            channels=record.names,
            scale=tuple(float(s) for s in record.stored_scale),
            dtype=kind,
            real_time=self._real_time,
            mode="REPLAY",
            unit=record.stored_unit,
        )
        self._state = DeviceState.READY
        return self._identity(record)

    def disconnect(self) -> None:
        """Close the file. Safe to call in any state."""
        self._open_files.close()
        self._record, self._info = None, None
        self._state = DeviceState.DISCONNECTED

    def start(self) -> None:
        """Begin at the first sample, which has index 0."""
        self._opened()
        self._rewind()
        self._started = time.monotonic()
        self._state = DeviceState.RUNNING

    def present_sample(self) -> int:
        """Index of the next sample: a record goes on by being read."""
        return self._index

    def stop(self) -> None:
        """Stop playing. Safe to call in any state."""
        if self._state is DeviceState.RUNNING:
            self._state = DeviceState.READY

    def read_into(self, buffer: NDArray[np.int16] | NDArray[np.float32]) -> ReadResult:
        """Fill ``buffer`` (rows, channels); fewer come before a gap, at the end and late.

        Raises
        ------
        DeviceError
            If it was not started.
        InputError
            If the buffer does not fit.
        """
        record = self._opened()
        if self._state is not DeviceState.RUNNING:
            raise DeviceError(f"{self._name}: start first")
        if buffer.ndim != 2 or buffer.shape[1] != len(record.names):
            raise InputError(f"buffer of shape {buffer.shape} must be (n, {len(record.names)})")
        soon = self._soon(record.sample_rate)
        if not soon:
            time.sleep(_LONGEST_WAIT)
            return ReadResult(0, self._index)
        status = self._enter_range()
        first = self._index
        if self._range >= len(self._ranges):
            return ReadResult(0, first, finished=True)
        low, high = self._ranges[self._range]
        rows = min(buffer.shape[0], high - low - self._position, soon)
        start = low + self._position
        buffer[:rows] = record.source.counts(start, start + rows)
        self._position += rows
        self._index += rows
        self._played += rows
        self._pace(record.sample_rate)
        last = self._range == len(self._ranges) - 1 and self._position == high - low
        return ReadResult(rows, first, status, finished=last and not self._loop)

    def _rewind(self) -> None:
        """Go to the beginning."""
        self._range = self._position = self._index = self._played = 0
        self._started = 0.0

    def _opened(self) -> Record:
        """Return the open record."""
        if self._record is None:
            raise DeviceError(f"{self._name}: connect first")
        return self._record

    def _enter_range(self) -> BlockStatus:
        """Step to the next range at the end of one; the index jumps by what is missing."""
        low, high = self._ranges[self._range] if self._range < len(self._ranges) else (0, 1)
        if self._position < high - low:
            return BlockStatus.OK
        following = self._range + 1
        if following == len(self._ranges) and not self._loop:
            self._range = following
            return BlockStatus.OK
        self._range = following % len(self._ranges)
        self._position = 0
        recorded_gap = self._range > 0 and self._opened().source.jumps
        if recorded_gap:
            self._index += self._ranges[self._range][0] - high
        return BlockStatus.GAP_BEFORE

    def _soon(self, rate: float) -> int:
        """Samples that fall due while a read may wait; all of them with a virtual clock."""
        if not self._real_time:
            return sys.maxsize
        due = (time.monotonic() + _LONGEST_WAIT - self._started) * rate * self._speed
        return max(0, int(due) - self._played)

    def _pace(self, rate: float) -> None:
        """Wait until the samples handed out would have been taken."""
        if self._real_time:
            due = self._started + self._played / (rate * self._speed)
            delay = due - time.monotonic()
            if delay > 0.0:
                time.sleep(delay)

    def _identity(self, record: Record) -> str:
        """Say in words what is played."""
        return (
            f"{record.kind} file {self._path.name}: {self._ranges.samples} samples, "
            f"{len(record.names)} channels, {record.sample_rate:g} Hz"
        )
