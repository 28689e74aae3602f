"""How a served instrument talks: bytes in, bytes out, no matter over which line they travel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

__all__ = ["Conversation", "Instrument", "LineConversation"]

# A line longer than this is thrown away, as devices do.
_LONGEST = 4096


class Conversation(Protocol):
    """One client's talk with an instrument.

    Attributes
    ----------
    greeting : bytes
        What the instrument sends by itself when the line opens.
    """

    greeting: bytes

    def receive(self, data: bytes) -> bytes:
        """Take bytes and return what the instrument sends.

        Raises
        ------
        ConnectionError
            To have the line closed.
        """
        ...


class Instrument(Protocol):
    """An instrument whose state is shared by all who talk with it."""

    def converse(self) -> Conversation:
        """Start to talk with a client."""
        ...


class LineConversation:
    """Lines in, lines out.

    Parameters
    ----------
    answer : callable
        Takes a line without its end; returns the answer without its end, or None for none.
    end, answer_end : bytes
        Ends of lines received and sent.
    greeting : bytes
        Sent when the line opens.
    """

    def __init__(
        self,
        answer: Callable[[str], str | None],
        *,
        end: bytes = b"\n",
        answer_end: bytes = b"\n",
        greeting: bytes = b"",
    ) -> None:
        self._answer, self._end, self._answer_end = answer, end, answer_end
        self.greeting = greeting
        self._waiting = b""

    def receive(self, data: bytes) -> bytes:
        """Take bytes; answer the lines that are complete."""
        *lines, self._waiting = (self._waiting + data).split(self._end)
        if len(self._waiting) > _LONGEST:
            self._waiting = b""
        sent = b""
        for line in lines:
            answer = self._answer(line.decode("latin-1").strip("\r\n"))
            if answer is not None:
                sent += answer.encode("ascii", "replace") + self._answer_end
        return sent
