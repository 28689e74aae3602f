"""A running analogue input of the virtual NI card: paced by the clock, buffered, overwritten."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...models.errors import DeviceError
from ..protocols import Digitizer

__all__ = ["Acquisition", "DaqFault", "SampleClock"]

_TICK = 0.01  # s between two looks at the clock
_CHUNK = 65536  # rows produced at once
_LONGEST_WAIT = 3600.0

Wire = Callable[[int, int], NDArray[np.int16]]


class DaqFault(Exception):
    """An error as NI-DAQmx reports it: code, text, and samples read in spite of it."""

    def __init__(self, code: int, text: str, samples: NDArray[np.int16] | None = None) -> None:
        super().__init__(text)
        self.code, self.samples = code, samples


class SampleClock(Protocol):
    """What acts on the samples of an acquisition, at exact ones."""

    def reach(self, sample: int) -> None:
        """Let everything act that acts on a sample; called before it is taken."""

    def next_change(self, sample: int, stop: int) -> int:
        """First sample beyond ``sample`` on which something else acts, ``stop`` at the latest."""


class Acquisition:
    """Samples of a digitizer between start and stop.

    With a real clock a thread fetches what is due; changes of outputs fall between two samples, at
    the one that is due when they are made. With a virtual clock samples are made when read.

    Parameters
    ----------
    digitizer : Digitizer
        Connected, not running; started here.
    wires : sequence of callable
        Further columns: called with (first sample, rows), each returns counts.
    capacity : int
        Rows of the buffer.
    overwrite : bool
        Whether unread samples may be overwritten; otherwise an overflow ends the acquisition.
    finite : int or None
        Samples after which it ends.
    clock : SampleClock
        Told of the samples before they are taken.
    transfer : int
        Newest samples that are still on their way to the computer (real clock only).
    """

    def __init__(
        self,
        digitizer: Digitizer,
        wires: Sequence[Wire],
        *,
        capacity: int,
        overwrite: bool,
        finite: int | None,
        clock: SampleClock,
        transfer: int = 0,
    ) -> None:
        info = digitizer.info
        self._digitizer, self._wires = digitizer, tuple(wires)
        self._own = len(info.channels)
        self._rate, self._real_time = info.sample_rate, info.real_time
        self._overwrite, self._finite, self._clock = overwrite, finite, clock
        self._ring = np.zeros(
            (capacity + (transfer if info.real_time else 0), self._own + len(self._wires)),
            dtype=np.int16,
        )
        self._scratch = np.zeros((_CHUNK, self._own), dtype=np.int16)
        self._transfer = transfer if info.real_time else 0
        self._events: list[tuple[int, Callable[[], None]]] = []
        self._producing = threading.Lock()
        self._news = threading.Condition()
        self._ended = threading.Event()
        self._failed: DaqFault | None = None
        self._started = False
        self.total = 0
        self.position = 0
        self.offset = 0
        self._begin = 0.0
        self._thread = threading.Thread(target=self._pump, name="virtual NI card", daemon=True)

    # -- life -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the digitizer; its first sample has index 0."""
        self._digitizer.start()
        self._begin = time.monotonic()
        with self._news:
            self._started = True
            self._news.notify_all()
        if self._real_time:
            self._thread.start()

    def stop(self) -> None:
        """Stop; waiting reads end with an error."""
        self._ended.set()
        with self._news:
            self._news.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        with self._producing:
            self._digitizer.stop()
            for _, action in self._events:  # switched, and not acting yet
                action()
            self._events.clear()

    @property
    def done(self) -> bool:
        """Whether a finite acquisition has all its samples."""
        return self._ended.is_set() or (self._finite is not None and self.total >= self._finite)

    @property
    def arrived(self) -> int:
        """Samples that have reached the computer."""
        whole = self._ended.is_set() or self.total == self._finite
        return self.total if whole else max(0, self.total - self._transfer)

    # -- production -------------------------------------------------------------------------------

    def now(self, action: Callable[[], None]) -> None:
        """Carry out an action at the present sample."""
        with self._producing:
            if self._real_time:
                self._produce(self._due())
            action()

    def schedule(self, sample: int, action: Callable[[], None]) -> None:
        """Carry out an action before a sample is taken; only from within another action."""
        self._events.append((sample, action))
        self._events.sort(key=lambda event: event[0])

    def catch_up(self) -> None:
        """Fetch what is due (real clock)."""
        if self._real_time:
            with self._producing:
                self._produce(self._due())

    def _due(self) -> int:
        if not self._started:
            return 0
        due = int((time.monotonic() - self._begin) * self._rate)
        return due if self._finite is None else min(due, self._finite)

    def _pump(self) -> None:
        """Fetch samples as they fall due, until stopped."""
        while not self._ended.wait(_TICK):
            with self._producing:
                self._produce(self._due())
            if self._failed is not None or (self._finite is not None and self.done):
                return

    def _produce(self, end: int) -> None:
        """Fetch samples up to ``end``; outputs switch at their samples."""
        while self.total < end and self._failed is None and not self._ended.is_set():
            while self._events and self._events[0][0] <= self.total:
                self._events.pop(0)[1]()
            self._clock.reach(self.total)
            stop = self._clock.next_change(self.total, min(end, self.total + _CHUNK))
            if self._events:
                stop = min(stop, self._events[0][0])
            try:
                self._fetch(stop - self.total)
            except DeviceError as error:
                self._failed = DaqFault(-50405, f"the simulated digitizer failed: {error}")
        with self._news:
            self._news.notify_all()

    def _fetch(self, rows: int) -> None:
        part = self._scratch[:rows]
        result = self._digitizer.read_into(part)
        if result.samples < rows:
            self._failed = DaqFault(-200278, "the source of the samples has ended")
            rows = result.samples
        if result.first_sample != self.total:
            self._failed = DaqFault(-200361, "onboard device memory overflow: the host is too slow")
            return
        columns = [part[:rows], *(wire(self.total, rows)[:, None] for wire in self._wires)]
        block = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
        with self._news:
            self._store(block)
            behind = self.total - self.position
            if not self._overwrite and self._finite is None and behind > len(self._ring):
                self._failed = _overflow()

    def _store(self, block: NDArray[np.int16]) -> None:
        capacity = len(self._ring)
        kept = block[-capacity:]
        start = (self.total + len(block) - len(kept)) % capacity
        head = min(len(kept), capacity - start)
        self._ring[start : start + head] = kept[:head]
        self._ring[: len(kept) - head] = kept[head:]
        self.total += len(block)

    # -- readers ----------------------------------------------------------------------------------

    def read(self, rows: int, timeout: float, columns: list[int]) -> NDArray[np.int16]:
        """Take rows out of the buffer, waiting for them.

        Raises
        ------
        DaqFault
            -200284 with what there was, -200279 after an overflow, -88710 when stopped.
        """
        first = self.position + self.offset
        if self._finite is not None and first + rows > self._finite:
            raise DaqFault(-200278, "Samples were requested that will never be available")
        deadline = time.monotonic() + (_LONGEST_WAIT if timeout < 0 else timeout)
        with self._news:
            self._news.wait_for(
                lambda: self._started or self._ended.is_set(), deadline - time.monotonic()
            )
        if not self._real_time and self._started:
            # No further than asked: the record then depends on the commands only.
            with self._producing:
                for end in range(first, first + rows, len(self._ring)):
                    self._produce(min(end + len(self._ring), first + rows))
        self._wait(first + rows, deadline)
        with self._news:
            if self._failed is not None and self._failed.code != -200278:
                raise self._failed
            if first < self.total - len(self._ring):
                raise _overflow()
            there = max(0, min(rows, self.arrived - first))
            block = self._take(first, there, columns)
            self.position = first + there
        if there < rows:
            if self._ended.is_set():
                raise DaqFault(-88710, "The operation was aborted: the task has been stopped")
            if self._failed is not None:
                raise self._failed
            raise DaqFault(-200284, "Some or all of the samples have not yet been acquired", block)
        return block

    def wait_for(self, sample: int, timeout: float) -> bool:
        """Wait until ``sample`` samples have been acquired; False if they are not."""
        self._wait(sample, time.monotonic() + timeout)
        return self.arrived >= sample

    def _wait(self, sample: int, deadline: float) -> None:
        with self._news:
            while self.arrived < sample and self._failed is None and not self._ended.is_set():
                left = deadline - time.monotonic()
                if left <= 0.0:
                    return
                self._news.wait(left)

    def _take(self, first: int, rows: int, columns: list[int]) -> NDArray[np.int16]:
        """Copy rows out of the ring, in the order of the columns wanted."""
        start = first % len(self._ring)
        head = min(rows, len(self._ring) - start)
        parts = [self._ring[start : start + head], self._ring[: rows - head]]
        whole = np.concatenate(parts) if rows > head else parts[0].copy()
        if columns == list(range(whole.shape[1])):
            return whole
        return np.ascontiguousarray(whole[:, columns])


def _overflow() -> DaqFault:
    return DaqFault(
        -200279,
        "The application is not able to keep up with the hardware acquisition: samples that are no "
        "longer available were requested",
    )
