"""How long a read waits for samples: never so long that a run could not be ended meanwhile.

A device that waits for its trigger may do so for ever, and one that pauses may go on: a read gives
back what has come, perhaps nothing, once no sample has come for a moment. Only a device that was
running and stays silent for longer than its own timeout has failed.
"""

from __future__ import annotations

import time

from ...models.errors import DeviceError

__all__ = ["LONGEST_SILENCE", "Patience"]

LONGEST_SILENCE = 0.1
"""Longest wait of one read without a sample, and for the end of one that is late, s."""


class Patience:
    """Decides when a read gives back what has come, and when the device has failed.

    Parameters
    ----------
    timeout : float
        Longest silence of a device that runs, beyond the time between two of its pieces, s.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self.start()

    def start(self, awaited: str = "", piece: float = 0.0) -> None:
        """The device was started.

        Parameters
        ----------
        awaited : str
            What it waits for before its first sample, in words; empty if it runs at once.
        piece : float
            Time between two pieces of its samples, s.
        """
        self._awaited, self._piece = awaited, piece
        self._silent = 0.0  # of the reads before; nobody listens between two reads
        self.begin(0.0)

    @property
    def awaited(self) -> str:
        """What the first sample waits for; empty once it has come."""
        return self._awaited

    def begin(self, duration: float) -> None:
        """Begin a read of so many seconds."""
        now = time.monotonic()
        self._since = now - self._silent
        self._quiet = now + LONGEST_SILENCE
        self._late = now + duration + LONGEST_SILENCE

    def news(self) -> None:
        """Samples have come."""
        now = time.monotonic()
        self._awaited, self._silent = "", 0.0
        self._since, self._quiet = now, now + LONGEST_SILENCE

    def spent(self, there: int, rows: int) -> bool:
        """Return whether the read is to give back the ``there`` of ``rows`` samples that have come.

        Raises
        ------
        DeviceError
            If the device was running and has been silent for longer than its timeout.
        """
        now = time.monotonic()
        if self._awaited:
            return now >= self._quiet
        if not there and now - self._since > self._timeout + self._piece:
            self._silent = 0.0
            raise DeviceError(
                f"{there} of {rows} samples came within {self._timeout:g} s more than they last: "
                "check trigger, clock and cable"
            )
        if now < min(self._quiet, self._late):
            return False
        self._silent = now - self._since
        return True
