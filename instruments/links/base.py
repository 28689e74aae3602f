"""What drivers ask of a text link, and how a broken one is told from a device that says no."""

from __future__ import annotations

from typing import Protocol

from ...models.errors import DeviceError

__all__ = ["LinkError", "TextLink"]


class LinkError(DeviceError):
    """The link itself failed (timeout, disconnect, garbage): the device is faulted then.

    A device that answers with an error of its own raises a plain DeviceError and stays ready.
    """


class TextLink(Protocol):
    """A line-oriented link; every call ends within its timeout.

    Texts go without terminators: the link appends its own to what it writes and strips it from
    what it reads.
    """

    @property
    def address(self) -> str:
        """Where the device is, for messages."""
        ...

    def open(self) -> None:
        """Open the link; what was waiting in it is thrown away.

        Raises
        ------
        LinkError
            Names the address and the remedy.
        """
        ...

    def close(self) -> None:
        """Close the link. Safe to call in any state; never raises."""
        ...

    def write(self, text: str) -> None:
        """Send one line."""
        ...

    def read(self) -> str:
        """Receive one line."""
        ...

    def query(self, text: str) -> str:
        """Send one line and receive the answer."""
        ...

    def write_raw(self, data: bytes) -> None:
        """Send bytes as they are, for protocols that are not lines (ENQ, ETX)."""
        ...

    def read_until(self, mark: bytes, extra: int = 0) -> bytes:
        """Receive up to and including ``mark`` and ``extra`` bytes more."""
        ...

    def flush(self) -> None:
        """Throw away what was received and not read."""
        ...
