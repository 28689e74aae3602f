"""Brings every block of a ring into a run file."""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from collections.abc import Callable

from ..models.blocks import Block
from ..models.errors import FileError
from .events import Event
from .recorder import Recorder
from .ring_cursor import Cursor, Overrun
from .runfile_format import SlowRecord

__all__ = ["RecorderThread"]

_LOOK = 0.05
# What waits is written together, so often, and at once where much waits: a lag is made up for at
# the speed of the disk, whatever the number of blocks and events.
_PERIOD = 0.05
_BATCH_BYTES = 8 << 20
_BATCH_ENTRIES = 4096


class RecorderThread(threading.Thread):
    """Drains a lossless cursor into a recorder until the stream ends or :meth:`finish`.

    When writing fails, the cursor is given up, so that the writer of the ring does not wait, and
    the error is kept in :attr:`error`. The recorder itself is closed by whoever made it.

    Parameters
    ----------
    recorder : Recorder
        The open file.
    cursor : Cursor
        A lossless cursor, made before the first block that is to be recorded.
    on_error : callable, optional
        Called from this thread with the error.
    """

    def __init__(
        self,
        recorder: Recorder,
        cursor: Cursor,
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        super().__init__(name="recorder", daemon=True)
        self.error: Exception | None = None
        self._recorder = recorder
        self._cursor = cursor
        self._on_error = on_error
        self._end_sample: int | None = None
        self._ending = threading.Event()
        self._next_batch = 0.0
        self._entries: queue.SimpleQueue[Event | SlowRecord] = queue.SimpleQueue()

    def post(self, entry: Event | SlowRecord) -> None:
        """Let this thread write something beside the samples; returns at once.

        The thread that reads the digitizer must not wait for the disk.
        """
        self._entries.put(entry)

    @property
    def missed(self) -> int:
        """Samples that the writer of the ring overwrote before they were recorded."""
        return self._cursor.missed

    def run(self) -> None:
        """Record; not to be called directly."""
        try:
            while self._step():
                self._rest()
            self._write_entries()
        except Exception as error:  # a bug, too, must end the run: never go on unrecorded
            self.error = error
            if self._on_error is not None:
                self._on_error(error)
        finally:
            self._cursor.close()

    def finish(self, end_sample: int | None = None, timeout: float = 30.0) -> None:
        """Record what the ring holds now and end.

        Parameters
        ----------
        end_sample : int, optional
            Wait for the samples below this index and take none above it from the ring any more;
            what was recorded before stays.
        timeout : float
            Longest wait, s.

        Raises
        ------
        Exception
            The error that ended the recording.
        FileError
            If the disk does not keep up within the timeout.
        """
        self._end_sample = end_sample
        self._ending.set()
        self.join(timeout)
        if self.is_alive():
            raise FileError(
                f"{self._recorder.path}: the disk is too slow for the last blocks ({timeout:g} s); "
                f"its {self._recorder.samples} samples are preserved"
            )
        if self.error is not None:
            raise self.error
        self._write_entries()  # posted while the thread was ending

    def _step(self) -> bool:
        """Record what waits, a batch at most; False when done."""
        began = time.monotonic()
        blocks, more = self._take_blocks()
        events, slow = self._take_entries()
        if blocks or events or slow:
            self._recorder.append(blocks, events, slow)
        self._next_batch = began + _PERIOD
        return more

    def _rest(self) -> None:
        """Let blocks gather, unless much waits or the end has come."""
        if not self._ending.is_set() and self._waiting_bytes() < _BATCH_BYTES:
            self._ending.wait(max(0.0, self._next_batch - time.monotonic()))

    def _waiting_bytes(self) -> int:
        return self._cursor.behind_samples * self._recorder.bytes_per_sample

    def _take_blocks(self) -> tuple[list[tuple[Block, Overrun | None]], bool]:
        """Take the blocks that wait, up to a batch; whether more may come."""
        taken: list[tuple[Block, Overrun | None]] = []
        size, expected = 0, self._recorder.next_sample or 0
        while size < _BATCH_BYTES:
            ending, end = self._ending.is_set(), self._end_sample
            if ending and end is not None and expected >= end:
                return taken, False
            wait = not taken and not (ending and end is None)
            block = self._cursor.next(timeout=_LOOK if wait else 0.0)
            if block is None:
                if ending and end is None:
                    return taken, False
                return taken, bool(taken) or not self._cursor.finished
            kept = block if end is None or not ending else _before(block, end)
            if kept is None:
                return taken, False
            taken.append((kept, self._cursor.overrun))
            size += kept.samples.nbytes
            expected = kept.end_sample
        return taken, True

    def _take_entries(self) -> tuple[list[Event], list[SlowRecord]]:
        """Take the events and readings that wait now, in their order."""
        events: list[Event] = []
        slow: list[SlowRecord] = []
        # No more than wait now: a stream of new ones must not keep the samples waiting.
        for _ in range(min(_BATCH_ENTRIES, self._entries.qsize())):
            entry = self._entries.get_nowait()
            if isinstance(entry, Event):
                events.append(entry)
            else:
                slow.append(entry)
        return events, slow

    def _write_entries(self) -> None:
        """Write the events and readings that are left."""
        while not self._entries.empty():
            events, slow = self._take_entries()
            self._recorder.append((), events, slow)


def _before(block: Block, end: int) -> Block | None:
    """Rows of a block with an index below ``end``; None if there are none."""
    rows = min(block.samples.shape[0], end - block.first_sample)
    if rows <= 0:
        return None
    return dataclasses.replace(block, samples=block.samples[:rows])
