"""A link straight into a served instrument, with faults on the way. No sockets, no waiting."""

from __future__ import annotations

from collections.abc import Callable

from optobind.instruments.links.base import LinkError

Fault = Callable[["InProcessLink", bytes, bytes], bytes]


class InProcessLink:
    """TextLink over a Conversation.

    ``fault`` is called with the link, the bytes that were written and the bytes that the instrument
    answered; it returns what arrives, or raises. ``at`` is the number of the write it acts on.
    """

    address = "in process"

    def __init__(self, instrument, ends: tuple[str, str] = ("\n", "\n")) -> None:
        self.instrument, self.ends = instrument, ends
        self.sent: list[bytes] = []
        self.fault: Fault | None = None
        self.at = -1
        self.writes = 0
        self.broken = self.lost = False
        self._conversation = None
        self._waiting = b""

    def open(self) -> None:
        self.broken = False
        self._conversation = self.instrument.converse()
        self._waiting = b""

    def close(self) -> None:
        self._conversation = None

    def write(self, text: str) -> None:
        self.write_raw(text.encode("ascii") + self.ends[0].encode())

    def write_raw(self, data: bytes) -> None:
        if self._conversation is None or self.broken:
            raise LinkError(f"{self.address} is not open: connect the device first")
        self.sent.append(data)
        number, self.writes = self.writes, self.writes + 1
        if self.fault is not None and number == self.at:
            self._waiting += self.fault(self, data, b"")
        else:
            self._waiting += self._conversation.receive(data)

    def answer(self, data: bytes) -> bytes:
        """What the instrument answers, for faults that let it hear."""
        return self._conversation.receive(data)

    def read(self) -> str:
        end = self.ends[1].encode()
        data = self.read_until(end)
        try:
            return data[: -len(end)].decode("ascii")
        except UnicodeDecodeError:
            raise LinkError(f"{self.address} sent bytes that are no text") from None

    def query(self, text: str) -> str:
        self.write(text)
        return self.read()

    def read_until(self, mark: bytes, extra: int = 0) -> bytes:
        if self._conversation is None or self.broken:
            raise LinkError(f"{self.address} is gone")
        at = self._waiting.find(mark)
        end = at + len(mark) + extra
        if at < 0 or len(self._waiting) < end:
            raise LinkError(f"{self.address} did not answer in time")
        data, self._waiting = self._waiting[:end], self._waiting[end:]
        return data

    def flush(self) -> None:
        self._waiting = b""
