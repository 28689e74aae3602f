"""A stand-in for a digitizer card: its clock is the wall's, and its buffer overflows unread."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..models.blocks import BlockStatus
from .fakes import FakeDigitizer, Fault
from .protocols import DeviceState, DigitizerInfo, ReadResult

__all__ = ["FakeCard"]


class FakeCard(FakeDigitizer):
    """Takes samples by the wall's clock, read or not.

    A card is ahead of its reader: what is switched acts at ``present_sample``. What does not fit
    the driver's buffer is lost, and the next read begins with the newest samples.

    Parameters
    ----------
    samples : ndarray of int16, shape (n, channels)
        What is taken, over and over.
    sample_rate : float
        Hz.
    buffer_seconds : float
        Samples that the driver keeps for a late reader, s.
    faults, name
        As for :class:`~.fakes.FakeDigitizer`.

    Attributes
    ----------
    lost : int
        Samples lost to a full buffer.
    latest : float
        Longest time that the reader was behind, s.
    """

    def __init__(
        self,
        samples: NDArray[np.int16],
        sample_rate: float = 2e6,
        *,
        buffer_seconds: float = 1.0,
        faults: Mapping[str, Mapping[int, Fault]] | None = None,
        name: str = "card",
    ) -> None:
        super().__init__(samples, sample_rate, faults=faults, name=name)
        self._rate, self._buffer = sample_rate, round(buffer_seconds * sample_rate)
        self._begin = 0.0
        self._stopped = threading.Event()
        self.lost, self.latest = 0, 0.0

    @property
    def info(self) -> DigitizerInfo:
        """Set-up."""
        return replace(super().info, real_time=True)

    def present_sample(self) -> int:
        """Index of the sample that is being taken now."""
        return int((time.monotonic() - self._begin) * self._rate)

    def start(self) -> None:
        """Start; the next sample has index 0."""
        super().start()
        self._stopped.clear()
        self._begin = time.monotonic()

    def read_into(self, buffer: NDArray[np.int16] | NDArray[np.float32]) -> ReadResult:
        """Fill the buffer when its last sample has been taken.

        Raises
        ------
        DeviceError
            If the card is not running.
        """
        if self._state is not DeviceState.RUNNING:
            return super().read_into(buffer)  # which says what is wrong
        rows = len(buffer)
        due = self._begin + (self._index + rows) / self._rate
        self._stopped.wait(max(0.0, due - time.monotonic()))
        if self._stopped.is_set():
            return ReadResult(0, self._index, finished=True)
        late = self.present_sample() - self._index - rows
        self.latest = max(self.latest, late / self._rate)
        lost = late if late > self._buffer else 0
        self.lost += lost
        self._index += lost
        result = super().read_into(buffer)
        return replace(result, status=result.status | BlockStatus.GAP_BEFORE) if lost else result

    def stop(self) -> None:
        """Stop; a waiting read returns without samples."""
        self._stopped.set()
        super().stop()
