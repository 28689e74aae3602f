"""A gauge's line as its driver sees it, without what adapters add to the answers.

RS-485 adapters and level shifters put bytes 0x00 or 0xFF before an answer, when the direction of
the line turns: neither is part of any gauge's protocol.
"""

from __future__ import annotations

from ..links.base import LinkError, TextLink

__all__ = ["GaugeLine"]

_TURNAROUND = b"\x00\xff"


class GaugeLine:
    """A TextLink whose answers begin with what the gauge sent.

    Parameters
    ----------
    link : TextLink
        The line.
    end : str
        End of an answer.
    """

    def __init__(self, link: TextLink, end: str) -> None:
        self._link, self._end = link, end.encode("ascii")

    @property
    def address(self) -> str:
        """Where the device is, for messages."""
        return self._link.address

    def open(self) -> None:
        """Open the link; what was waiting in it is thrown away."""
        self._link.open()

    def close(self) -> None:
        """Close the link. Safe to call in any state; never raises."""
        self._link.close()

    def write(self, text: str) -> None:
        """Send one line."""
        self._link.write(text)

    def write_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._link.write_raw(data)

    def read(self) -> str:
        """Receive one line without its end.

        Raises
        ------
        LinkError
            If it is no ASCII text.
        """
        data = self.read_until(self._end)
        try:
            return data[: len(data) - len(self._end)].decode("ascii")
        except UnicodeDecodeError:
            raise LinkError(f"{self.address} sent bytes that are no text: {data[:40]!r}") from None

    def query(self, text: str) -> str:
        """Send one line and receive the answer."""
        self.write(text)
        return self.read()

    def read_until(self, mark: bytes, extra: int = 0) -> bytes:
        """Receive up to and including ``mark`` and ``extra`` bytes more."""
        return self._link.read_until(mark, extra).lstrip(_TURNAROUND)

    def flush(self) -> None:
        """Throw away what was received and not read."""
        self._link.flush()
