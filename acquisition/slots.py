"""Hand-over from producers to consumers that come and go: newest values, and a coalescing log."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import deque
from dataclasses import replace
from typing import Generic, Literal, TypeVar

from ..models.shown import one_line
from .snapshots import LogEntry

__all__ = ["Latest", "LogBook"]

T = TypeVar("T")


class Latest(Generic[T]):
    """A slot that keeps the newest value; readers never wait."""

    def __init__(self) -> None:
        self._value: T | None = None

    def put(self, value: T | None) -> None:
        """Replace the value."""
        self._value = value  # a single reference assignment is atomic

    def get(self) -> T | None:
        """Return the newest value."""
        return self._value


class LogBook:
    """Bounded log in which a repeated line is counted instead of repeated."""

    def __init__(self, limit: int = 1000) -> None:
        self._lock = threading.Lock()
        self._entries: deque[LogEntry] = deque(maxlen=limit)

    def add(self, level: Literal["info", "warning", "error"], text: str) -> None:
        """Add a line; the same text as the last not yet taken one raises its count."""
        with self._lock:
            if self._entries and self._entries[-1].text == text:
                last = self._entries[-1]
                self._entries[-1] = replace(last, count=last.count + 1, time=time.time())
            else:
                self._entries.append(LogEntry(time.time(), level, text))

    def shout(self, level: Literal["info", "warning", "error"], text: str) -> None:
        """Add a line and write it to stderr: it matters to whoever looks at a terminal, too."""
        self.add(level, text)
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or there is none
            sys.stderr.write(f"optobind: {one_line(text)}\n")
            sys.stderr.flush()

    def take(self) -> list[LogEntry]:
        """Remove and return all lines."""
        with self._lock:
            entries = list(self._entries)
            self._entries.clear()
        return entries
