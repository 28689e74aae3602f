"""What digitizers share whose samples come in pieces of the device's choosing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.blocks import BlockStatus
from ...models.errors import DeviceError
from ...models.ranges import require_range
from ..capabilities import DigitizerCapabilities
from ..driver import Driver
from ..links.base import LinkError
from ..protocols import DeviceState, DigitizerInfo, ReadResult
from .patience import Patience

__all__ = ["BufferedDigitizer", "RowQueue"]


class RowQueue:
    """Pieces of a record in order of their index; a piece that does not join on is a gap."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[int, NDArray[Any]]] = deque()
        self.end = 0

    def put(self, first: int, rows: NDArray[Any]) -> None:
        """Append rows (n, channels) whose first has index ``first``.

        Raises
        ------
        DeviceError
            If the index runs backwards.
        """
        if first < self.end:
            raise DeviceError(f"samples came twice: index {first} after {self.end}")
        if len(rows):
            self._pieces.append((first, rows))
            self.end = first + len(rows)

    def contiguous(self) -> tuple[int, bool]:
        """Rows without a gap at the head, and whether a gap follows them."""
        rows, expected = 0, None
        for first, piece in self._pieces:
            if expected is not None and first != expected:
                return rows, True
            rows += len(piece)
            expected = first + len(piece)
        return rows, False

    def take(self, view: NDArray[Any]) -> int:
        """Fill ``view`` from the head, which holds enough rows; return the first index."""
        start, done = self._pieces[0][0], 0
        while done < len(view):
            first, piece = self._pieces.popleft()
            count = min(len(piece), len(view) - done)
            view[done : done + count] = piece[:count]
            if count < len(piece):
                self._pieces.appendleft((first + count, piece[count:]))
            done += count
        return start


class BufferedDigitizer(Driver):
    """A digitizer that fetches pieces until a block is full.

    Subclasses give ``_open`` (which sets ``_info`` and ``_capabilities``), ``_begin``, ``_fetch``
    and ``_halt``. ``_awaited`` says in words which trigger the first sample waits for, ``_piece``
    how much time lies between two pieces, s.

    Parameters
    ----------
    name : str
        Name in the rig.
    timeout : float
        Longest silence beyond the time between two pieces, s.
    """

    def __init__(self, name: str, timeout: float) -> None:
        super().__init__(name)
        self._timeout = require_range("timeout", timeout, 0.01, 60.0, "s")
        self._patience = Patience(self._timeout)
        self._awaited, self._piece = "", 0.0
        self._info: DigitizerInfo | None = None
        self._capabilities: DigitizerCapabilities | None = None
        self._queue = RowQueue()
        self._expected = 0
        self._saturated = False

    @property
    def info(self) -> DigitizerInfo:
        """Set-up, valid after ``connect``."""
        if self._info is None:
            raise DeviceError(f"{self._name} is {self._state.value}: connect it first")
        return self._info

    @property
    def capabilities(self) -> DigitizerCapabilities:
        """Limits of the device."""
        if self._capabilities is None:
            raise DeviceError(f"{self._name} is {self._state.value}: connect it first")
        return self._capabilities

    @contextmanager
    def _using(self) -> Iterator[None]:
        """Talk to the device; every error names it."""
        with self._talking():
            try:
                yield
            except LinkError:
                raise
            except DeviceError as error:
                if str(error).startswith(self._name):
                    raise
                raise DeviceError(f"{self._name}: {error}") from error

    def _begin(self) -> None:
        """Configure the device and start sampling."""
        raise AttributeError(f"{type(self).__name__} lacks _begin")

    def _fetch(self, queue: RowQueue) -> None:
        """Put what has come into the queue; waits for some hundredths of a second at most."""
        raise AttributeError(f"{type(self).__name__} lacks _fetch")

    def _halt(self) -> None:
        """Stop sampling."""

    def present_sample(self) -> int | None:
        """None: a device that sends pieces does not say how far it is beyond the last one."""
        return None

    def start(self) -> None:
        """Configure and start sampling; the next sample has index 0.

        Raises
        ------
        DeviceError
            If it is not connected, runs already or refuses.
        """
        if self._state is DeviceState.RUNNING:
            raise DeviceError(f"{self._name} is running already: stop it first")
        self._queue, self._expected, self._saturated = RowQueue(), 0, False
        with self._using():
            self._begin()
        self._patience.start(self._awaited, self._piece)
        self._state = DeviceState.RUNNING

    def read_into(self, buffer: NDArray[np.int16] | NDArray[np.float32]) -> ReadResult:
        """Fill ``buffer`` (rows, channels), or its beginning if the rest is lost or late.

        Raises
        ------
        DeviceError
            If it runs and stays silent for the timeout, or answers with an error.
        LinkError
            If the device is gone; the digitizer is faulted then.
        """
        info = self.info
        self._require_running("start it before reading")
        shaped = buffer.ndim == 2 and buffer.shape[1] == len(info.channels)
        if buffer.dtype != info.dtype or not shaped:
            raise DeviceError(
                f"{self._name} fills {info.dtype} buffers of {len(info.channels)} columns, "
                f"got {buffer.dtype} of shape {buffer.shape}"
            )
        with self._using():
            rows = self._wait(len(buffer))
        if not rows:
            return ReadResult(0, self._expected, waiting=self._patience.awaited)
        first = self._queue.take(buffer[:rows])
        status = BlockStatus.SATURATED if self._saturated else BlockStatus.OK
        if first != self._expected:
            status |= BlockStatus.GAP_BEFORE
        self._expected, self._saturated = first + rows, False
        return ReadResult(rows, first, status)

    def _wait(self, rows: int) -> int:
        """Fetch until ``rows`` samples are there, or fewer and a gap or silence; say how many."""
        self._patience.begin(rows / self.info.sample_rate)
        end = self._queue.end
        while True:
            there, gap = self._queue.contiguous()
            if self._queue.end > end:
                self._patience.news()
                end = self._queue.end
            if there >= rows or gap:
                return min(there, rows)
            if self._patience.spent(there, rows):
                return there
            try:
                self._fetch(self._queue)
            except DeviceError as error:
                if not isinstance(error, LinkError):
                    self.stop()
                raise

    def stop(self) -> None:
        """Stop sampling. Safe to call in any state."""
        if self._state is DeviceState.RUNNING:
            self._state = DeviceState.READY
            self._halt()
