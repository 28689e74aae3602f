"""The log and the toasts: equal lines are counted, not repeated."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ...acquisition.snapshots import LogEntry

__all__ = ["Level", "LogLine", "LogModel"]

Level = Literal["info", "warning", "error"]


@dataclass
class LogLine:
    """A line of the log; ``time`` is that of the last repetition (s since the epoch)."""

    time: float
    level: Level
    text: str
    count: int = 1

    @property
    def label(self) -> str:
        """Text with the number of repetitions."""
        return self.text if self.count == 1 else f"{self.text}  (×{self.count})"

    @property
    def clock(self) -> str:
        """Local time of day."""
        return time.strftime("%H:%M:%S", time.localtime(self.time))


_SHORTEST = 12  # letters; shorter texts end others by chance
_DIGITS = re.compile(r"\d+(?:\.\d+)?")


class LogModel:
    """Bounded list of lines; faults that differ from a recent one by numbers only are counted.

    Parameters
    ----------
    limit : int
        Lines kept.
    reach : int
        How far back an equal line is looked for; two alternating errors coalesce as well.
    """

    def __init__(self, limit: int = 2000, reach: int = 8) -> None:
        self.lines: deque[LogLine] = deque(maxlen=limit)
        self.reach = reach
        self.version = 0
        self.toasts: list[LogLine] = []

    def add(self, entry: LogEntry) -> LogLine:
        """Take a line of the session."""
        return self.write(entry.level, entry.text, when=entry.time, count=entry.count)

    def write(
        self, level: Level, text: str, *, when: float | None = None, count: int = 1
    ) -> LogLine:
        """Append or count a line; warnings and errors become toasts as well."""
        now = time.time() if when is None else when
        self.version += 1
        line = self._recent(level, text) if level != "info" else self._same(text)
        if line is None:
            line = LogLine(now, level, text, count)
            self.lines.append(line)
        else:
            line.count += count
            line.time, line.text = now, text
            if self.lines[-1] is not line:  # the log is in the order of time
                self.lines.remove(line)
                self.lines.append(line)
        if level != "info" and not any(t is line for t in self.toasts):
            self.toasts.append(line)
        return line

    def take_toasts(self) -> list[LogLine]:
        """Return the lines to toast since the last call; each appears once."""
        taken, self.toasts = self.toasts, []
        return taken

    def _same(self, text: str) -> LogLine | None:
        """Last line if it says literally the same: numbers in reports of progress matter."""
        last = self.lines[-1] if self.lines else None
        return last if last is not None and (last.level, last.text) == ("info", text) else None

    def _recent(self, level: Level, text: str) -> LogLine | None:
        wanted = _without_numbers(text)
        for index, line in enumerate(reversed(self.lines)):
            if index >= self.reach:
                return None
            known = _without_numbers(line.text)
            if line.level == level and (known == wanted or _one_cause(known, wanted)):
                return line
        return None

    def counts(self) -> dict[Level, int]:
        """How often warnings and errors have been said, repeats counted."""
        found: dict[Level, int] = {"warning": 0, "error": 0}
        for line in self.lines:
            if line.level in found:
                found[line.level] += line.count
        return found

    def chosen(self, levels: Collection[str], words: str = "") -> list[LogLine]:
        """Lines of these levels that contain the words, in the order of time."""
        wanted = words.strip().lower()
        return [n for n in self.lines if n.level in levels and wanted in n.text.lower()]


def _one_cause(known: str, new: str) -> bool:
    """Whether one report repeats the other behind a label: "set φ: slm: no answer"."""
    short, long = sorted((known, new), key=len)
    return len(short) >= _SHORTEST and long.endswith(": " + short)


def _without_numbers(text: str) -> str:
    """What two reports of the same fault have in common."""
    return _DIGITS.sub("#", text)
