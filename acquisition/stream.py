"""One start of the digitizer: read blocks into the ring, know where in time we are."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..instruments.protocols import Digitizer, ReadResult
from ..models.blocks import BlockStatus
from .ring import Ring

__all__ = ["Stream"]

# Slots must outlast a slow consumer: seconds of data, within a modest amount of memory.
_BUFFER_SECONDS = 4.0
_MINIMUM_SLOTS = 64


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

    Attributes
    ----------
    mark : BlockStatus
        Flags that every block gets from now on, such as FEEDBACK_OFF.
    """

    def __init__(
        self,
        digitizer: Digitizer,
        block_seconds: float,
        on_gap: Callable[[int, int], None],
        on_mark: Callable[[BlockStatus, int], None] = lambda status, sample: None,
        on_wait: Callable[[str], None] = lambda awaited: None,
    ) -> None:
        info = digitizer.info
        self.info = info
        self._digitizer = digitizer
        self._on_gap, self._on_mark, self._on_wait = on_gap, on_mark, on_wait
        self.block_rows = max(16, round(block_seconds * info.sample_rate))
        slots = max(_MINIMUM_SLOTS, round(_BUFFER_SECONDS / block_seconds))
        self.ring = Ring.create(
            rows=self.block_rows,
            channels=len(info.channels),
            dtype=info.dtype,
            slots=slots,
            scale=info.scale,
            sample_rate=info.sample_rate,
        )
        self.position = 0
        self.gaps = 0
        self.finished = False
        self.waiting = ""
        self.status = BlockStatus.OK
        self.mark = BlockStatus.OK
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
        view = self.ring.writable()[:rows]
        result = self._digitizer.read_into(view)
        now = time.monotonic()
        self.finished = result.finished
        if result.waiting != self.waiting:
            self.waiting = result.waiting
            self._on_wait(result.waiting)
        status = result.status | self.mark
        if result.first_sample > self.position:
            lost = result.first_sample - self.position
            self.gaps += lost
            status |= BlockStatus.GAP_BEFORE
            self._on_gap(result.first_sample, lost)
        if result.status:
            self._on_mark(result.status, result.first_sample)
        if result.samples:
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

    def present(self) -> int:
        """Index of the sample that is being taken now.

        A card runs ahead of what has been read, and what software switches acts there. Where
        reading makes time pass (a virtual clock, the simulated laboratory) it is the next sample.
        """
        ask = getattr(self._digitizer, "present_sample", None)
        if ask is None or not self.info.real_time:
            return self.position
        return max(self.position, int(ask()))

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
