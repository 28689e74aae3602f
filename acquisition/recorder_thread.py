"""Brings every block of a ring into a run file."""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections.abc import Callable

from ..models.blocks import Block
from ..models.errors import FileError
from .recorder import Recorder
from .ring_cursor import Cursor

__all__ = ["RecorderThread"]

_LOOK = 0.05


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
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def post(self, order: Callable[[], None]) -> None:
        """Let this thread write something beside the samples; returns at once.

        The thread that reads the digitizer must not wait for the disk.
        """
        self._orders.put(order)

    def _carry_out_orders(self) -> None:
        # No more than wait now: a stream of new orders must not keep the samples waiting.
        for _ in range(self._orders.qsize()):
            self._orders.get_nowait()()

    @property
    def missed(self) -> int:
        """Samples that the writer of the ring overwrote before they were recorded."""
        return self._cursor.missed

    def run(self) -> None:
        """Record; not to be called directly."""
        try:
            while self._step():
                self._carry_out_orders()
            self._carry_out_orders()
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
            Then record samples below this index only, and wait for them.
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

    def _step(self) -> bool:
        """Record one block; False when done."""
        ending, end = self._ending.is_set(), self._end_sample
        if ending and end is not None and (self._recorder.next_sample or 0) >= end:
            return False
        block = self._cursor.next(timeout=0.0 if ending and end is None else _LOOK)
        if block is not None:
            kept = block if end is None or not ending else _before(block, end)
            if kept is not None:
                self._recorder.write(kept, self._cursor.overrun)
            return kept is not None
        if ending and end is None:
            return False
        return not self._cursor.finished


def _before(block: Block, end: int) -> Block | None:
    """Rows of a block with an index below ``end``; None if there are none."""
    rows = min(block.samples.shape[0], end - block.first_sample)
    if rows <= 0:
        return None
    return dataclasses.replace(block, samples=block.samples[:rows])
