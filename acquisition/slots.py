"""Hand-over from producers to consumers that come and go: newest values, and a coalescing log.

Whoever looks in beside the one that drains a log has a :class:`Listener` of his own.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Generic, Literal, TypeVar

from ..models.shown import one_line
from .events import Event
from .snapshots import LogEntry

__all__ = ["Latest", "Listener", "LogBook"]

T = TypeVar("T")

_REMEMBERED = 100  # lines that a new listener is told
_KEPT = 1000  # lines, and events, that one keeps that does not take them


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
        self._recent: deque[LogEntry] = deque(maxlen=_REMEMBERED)
        self._listeners: tuple[Listener, ...] = ()

    def add(self, level: Literal["info", "warning", "error"], text: str) -> None:
        """Add a line; the same text as the last not yet taken one raises its count."""
        entry = LogEntry(time.time(), level, text)
        with self._lock:
            _add(self._entries, entry)
            _add(self._recent, entry)
            for listener in self._listeners:
                listener.hear(entry)

    def listen(self) -> Listener:
        """Have all lines told to a listener as well, the newest ones of the past first."""
        with self._lock:
            listener = Listener(self._recent)
            self._listeners = (*self._listeners, listener)
        return listener

    def tell(self, event: Event) -> None:
        """Tell the listeners an event."""
        for listener in self._listeners:
            listener.hear_event(event)

    def leave(self, listener: Listener) -> None:
        """Tell a listener nothing any more."""
        with self._lock:
            self._listeners = tuple(one for one in self._listeners if one is not listener)

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


class Listener:
    """New lines and events for one that looks in; what it does not take in time is counted.

    Parameters
    ----------
    recent : iterable of LogEntry
        Lines to begin with.
    """

    def __init__(self, recent: Iterable[LogEntry] = ()) -> None:
        self._lock = threading.Lock()
        self._entries: deque[LogEntry] = deque(recent, maxlen=_KEPT)
        self._events: deque[Event] = deque(maxlen=_KEPT)
        self._missed = 0

    def hear(self, entry: LogEntry) -> None:
        """Take a line of the log; never waits."""
        with self._lock:
            self._missed += len(self._entries) == _KEPT
            _add(self._entries, entry)

    def hear_event(self, event: Event) -> None:
        """Take an event; never waits."""
        with self._lock:
            self._missed += len(self._events) == _KEPT
            self._events.append(event)

    def take_log(self) -> list[LogEntry]:
        """Remove and return the lines; a last one says how much was missed."""
        with self._lock:
            entries, missed = list(self._entries), self._missed
            self._entries.clear()
            self._missed = 0
        if missed:
            text = f"{missed} earlier lines or events were not taken in time by this reader"
            entries.append(LogEntry(time.time(), "warning", text))
        return entries

    def take_events(self) -> list[Event]:
        """Remove and return the events."""
        with self._lock:
            events = list(self._events)
            self._events.clear()
        return events


def _add(entries: deque[LogEntry], entry: LogEntry) -> None:
    """Add a line, or count it where it repeats the last one."""
    if entries and entries[-1].text == entry.text:
        entries[-1] = replace(entry, level=entries[-1].level, count=entries[-1].count + 1)
    else:
        entries.append(entry)
