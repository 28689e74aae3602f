"""A link that answers from a script and keeps what was sent, byte by byte."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from .base import LinkError

__all__ = ["ScriptedLink"]

Answer = str | bytes | Exception


class ScriptedLink:
    """Stands in for a device in tests.

    Parameters
    ----------
    answers : iterable of str, bytes or Exception
        What reads return in turn; an exception is raised, bytes go to ``read_until``. With
        ``respond`` they are not needed.
    respond : callable, optional
        Takes a line that was written; returns the answer that waits then, or None.
    write_termination, read_termination : str
        As for a real link.
    """

    def __init__(
        self,
        answers: Iterable[Answer] = (),
        *,
        respond: Callable[[str], str | None] | None = None,
        write_termination: str = "\n",
        read_termination: str = "\n",
        address: str = "scripted",
    ) -> None:
        self._answers: deque[Answer] = deque(answers)
        self._respond = respond
        self._ends = (write_termination, read_termination)
        self._address = address
        self.sent: list[bytes] = []
        self.is_open = False

    @property
    def address(self) -> str:
        """Name in messages."""
        return self._address

    def open(self) -> None:
        """Open."""
        self.is_open = True

    def close(self) -> None:
        """Close."""
        self.is_open = False

    def write(self, text: str) -> None:
        """Keep one line; let ``respond`` answer it."""
        self.write_raw((text + self._ends[0]).encode("ascii"))
        if self._respond is not None:
            answer = self._respond(text)
            if answer is not None:
                self._answers.append(answer)

    def write_raw(self, data: bytes) -> None:
        """Keep bytes."""
        if not self.is_open:
            raise LinkError(f"{self._address} is not open: connect the device first")
        self.sent.append(data)

    def read(self) -> str:
        """Return the next answer as a line."""
        answer = self._next()
        return answer.decode("ascii") if isinstance(answer, bytes) else answer

    def query(self, text: str) -> str:
        """Send one line and return the answer."""
        self.write(text)
        return self.read()

    def read_until(self, mark: bytes, extra: int = 0) -> bytes:
        """Return the next answer as bytes; it must hold the mark."""
        answer = self._next()
        data = answer if isinstance(answer, bytes) else (answer + self._ends[1]).encode("ascii")
        at = data.find(mark)
        if at < 0 or len(data) < at + len(mark) + extra:
            raise LinkError(f"{self._address} did not end its answer: {data[:40]!r}")
        return data

    def flush(self) -> None:
        """Nothing waits in a script."""

    def _next(self) -> str | bytes:
        if not self._answers:
            raise LinkError(f"{self._address} did not answer in time: check address and cable")
        answer = self._answers.popleft()
        if isinstance(answer, Exception):
            raise answer
        return answer
