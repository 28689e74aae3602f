"""One start of the digitizer: read blocks into the ring, know where in time we are."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..instruments.protocols import Digitizer, ReadResult
from ..models.blocks import BlockStatus
from ..models.errors import InputError
from .monitors import MonitorWatch
from .ring import Ring
from .shared_segment import free_shared_bytes

__all__ = ["RING_SECONDS", "Stream"]

# The ring outlasts a disk that stalls: so many seconds of samples, within a bounded part of the
# memory; at very high rates it is shorter, but never so short that the next stall costs samples.
RING_SECONDS = 8.0
_LEAST_SECONDS = 0.5
_MOST_BYTES = 512e6
_SHARE_OF_FREE = 0.5
_LEAST_BLOCKS = 64


class Stream:
    """A running digitizer, its ring and its clock.

    Parameters
    ----------
    digitizer : Digitizer
        Connected; it is started here.
    block_seconds : float
        Longest block, s.
    on_gap : callable
        Called with (sample, lost) when the device lost samples.
    on_mark : callable
        Called with (status, first sample) of each block that the device marked.
    on_wait : callable
        Called with what the device waits for, in words, and with "" when that is over.
    monitors : MonitorWatch, optional
        Sees all samples.

    Attributes
    ----------
    ring_seconds : float
        Samples that the ring holds for a reader that is late, s: 8 unless memory is scarce.

    Raises
    ------
    InputError
        If too little shared memory is free for half a second of samples.
    """

    def __init__(
        self,
        digitizer: Digitizer,
        block_seconds: float,
        on_gap: Callable[[int, int], None],
        on_mark: Callable[[BlockStatus, int], None] = lambda status, sample: None,
        on_wait: Callable[[str], None] = lambda awaited: None,
        monitors: MonitorWatch | None = None,
    ) -> None:
        info = digitizer.info
        self.info = info
        self._digitizer = digitizer
        self._on_gap, self._on_mark, self._on_wait = on_gap, on_mark, on_wait
        self.monitors = monitors
        self.block_rows = max(16, round(block_seconds * info.sample_rate))
        capacity = self._capacity()
        self.ring_seconds = capacity / info.sample_rate
        self.ring = Ring.create(
            rows=self.block_rows,
            channels=len(info.channels),
            dtype=info.dtype,
            capacity=capacity,
            scale=info.scale,
            sample_rate=info.sample_rate,
        )
        self.position = 0
        self.lost = 0  # samples that the device lost
        self.gaps = 0
        self.finished = False
        self.waiting = ""
        self.status = BlockStatus.OK
        self._off_from, self._off_until = 0, 0.0
        self._played: Callable[[int, int], bool] | None = None
        self._base, self._seam = 0, False
        self.newest_time = time.monotonic()
        try:
            digitizer.start()
        except BaseException:
            self.ring.close()
            raise

    def read(
        self,
        rows: int,
        stop: Callable[[], bool],
        keep: NDArray[Any] | None = None,
    ) -> ReadResult:
        """Read one block of at most ``rows`` samples into the ring; without samples, nothing.

        Parameters
        ----------
        rows : int
            At most ``block_rows``.
        stop : callable
            Asked while waiting for room (virtual clock only).
        keep : ndarray, shape (rows, channels), optional
            Receives a copy of the samples.
        """
        view = self.ring.writable(rows)
        result = self._in_the_record(self._digitizer.read_into(view))
        now = time.monotonic()
        self.finished = result.finished
        if result.waiting != self.waiting:
            self.waiting = result.waiting
            self._on_wait(result.waiting)
        status = result.status
        if self._may_be_free(result.first_sample, result.first_sample + result.samples):
            status |= BlockStatus.FEEDBACK_OFF
        if result.first_sample > self.position:
            lost = result.first_sample - self.position
            self.lost += lost
            self.gaps += 1
            status |= BlockStatus.GAP_BEFORE
            self._on_gap(result.first_sample, lost)
        if result.status:
            self._on_mark(result.status, result.first_sample)
        if result.samples:
            if self.monitors is not None:
                self.monitors.see(view[: result.samples], result.first_sample)
            if keep is not None:
                keep[: result.samples] = view[: result.samples]
            self.position = result.first_sample + result.samples
            self.status, self.newest_time = status, now
            # A virtual clock can be held up without loss; a real one never is.
            self.ring.commit(
                rows=result.samples,
                first_sample=result.first_sample,
                host_time=now,
                status=status,
                wait=not self.info.real_time,
                stop=stop,
            )
        return result

    def restart(self, arm: Callable[[], None]) -> int:
        """Start the digitizer anew, once ``arm`` has prepared what is to begin with its samples.

        The index of the samples runs on over this seam: nothing is lost, for nothing was sampled;
        what had been sampled and not been read is given up.

        Returns
        -------
        int
            Index of the first sample of the new start.
        """
        self._digitizer.stop()
        arm()
        self._digitizer.start()
        self._base, self._seam = self.position, True
        return self._base

    def _in_the_record(self, result: ReadResult) -> ReadResult:
        """Result of a read with the index of the whole record, marked at a seam."""
        status = result.status
        if self._seam and result.samples:
            status, self._seam = status | BlockStatus.GAP_BEFORE, False
        return replace(result, first_sample=self._base + result.first_sample, status=status)

    def _may_be_free(self, start: int, stop: int) -> bool:
        """Whether feedback may be off in samples start … stop, none or more."""
        if start < self._off_until and stop > self._off_from:
            return True
        return self._played is not None and self._played(start, stop)

    def present(self) -> int:
        """Index of the sample that is being taken now.

        A card runs ahead of what has been read, and of what it has told by its latency; what
        software switches acts there. Where reading makes time pass (a virtual clock, the simulated
        laboratory) it is the next sample.

        Raises
        ------
        DeviceError
            If the digitizer does not answer.
        """
        if not self.info.real_time:
            return self.position
        told = self._digitizer.present_sample()
        known = self.position if told is None else max(self.position, self._base + told)
        return known + round(self.info.latency * self.info.sample_rate)

    def feedback_off(self, sample: int) -> None:
        """Mark blocks from here on: feedback may be off from a sample, perhaps yet to be read."""
        if self._off_until <= self.position:  # else what is yet to be read may be free before it
            self._off_from = sample
        self._off_until = math.inf

    def feedback_on(self, sample: int) -> None:
        """Mark blocks no longer than to a sample from which feedback acts for certain."""
        self._off_until = min(self._off_until, sample)

    def feedback_played(self, free: Callable[[int, int], bool] | None) -> None:
        """Let a pattern say which samples (start, stop) may be free; None when it has ended."""
        self._played = free

    @property
    def settled(self) -> int:
        """Sample from which feedback acts for certain; 0 while it is off or was never switched."""
        return 0 if math.isinf(self._off_until) else int(self._off_until)

    def _capacity(self) -> int:
        """Samples that the ring is to hold: RING_SECONDS of them where memory allows."""
        rate, least_rows = self.info.sample_rate, _LEAST_BLOCKS * self.block_rows
        bytes_per_row = self.bytes_per_second / rate
        free = free_shared_bytes()
        most = _MOST_BYTES if free is None else min(_MOST_BYTES, _SHARE_OF_FREE * free)
        rows = min(max(least_rows, round(RING_SECONDS * rate)), int(most / bytes_per_row))
        least = max(self.block_rows, round(_LEAST_SECONDS * rate))
        if rows >= least:
            return rows
        needed = least * bytes_per_row
        if needed > _MOST_BYTES or free is None:
            raise InputError(
                f"{self.bytes_per_second / 1e6:.0f} MB/s of samples are more than this computer "
                f"can hold for {_LEAST_SECONDS:g} s (at most {_MOST_BYTES / 1e6:.0f} MB): lower "
                "the sample rate or use fewer channels"
            )
        raise InputError(
            f"{_LEAST_SECONDS:g} s of samples need {needed / 1e6:.1f} MB of shared memory, of "
            f"which {free / 1e6:.1f} MB are free and {_SHARE_OF_FREE:.0%} may be used: close other "
            "programs or lower the sample rate (Docker gives 64 MB unless it is started with "
            "--shm-size)"
        )

    @property
    def bytes_per_second(self) -> float:
        """Rate of the raw samples."""
        size = np.dtype(self.info.dtype).itemsize
        return self.info.sample_rate * len(self.info.channels) * size

    def close(self) -> None:
        """Stop the digitizer and free the ring. Each step is tried independently."""
        try:
            self._digitizer.stop()
        finally:
            self.ring.close()
