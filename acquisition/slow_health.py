"""How well a slow device answers: counts, silences, and which of its faults are worth a line."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter

__all__ = ["Health"]

# A fault is told at its onset. One that comes back within this time is told only if it lasts: a
# gauge that garbles every third answer for a night is two lines a minute at most.
_QUIET_SECONDS = 60.0
_LASTING = 3
_SILENCES_TOLD = 3


class Health:
    """Keeps the score of one device; any thread may ask.

    Parameters
    ----------
    device : str
        How the device is called in sentences.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._lock = threading.Lock()
        self._silent: float | None = None
        self._text = ""
        self._in_a_row = 0
        self._told = False
        self._begin()

    def begin(self) -> str | None:
        """Begin to count anew, for a run; return what is wrong at this moment."""
        with self._lock:
            self._begin()
            if self._silent is None:
                return None
            self._silent = time.time()
            self._told, self._last_told = True, time.time()
            return self._text

    def _begin(self) -> None:
        self._asked = self._failed = 0
        self._silences: list[tuple[float, float]] = []
        self._without: Counter[str] = Counter()
        self._last_told = -math.inf

    def good(self, now: float, status: str) -> str | None:
        """Note an answer at a time (s since the epoch); return what is to be told, if anything."""
        with self._lock:
            self._asked += 1
            self._in_a_row = 0
            if status != "ok":
                self._without[status] += 1
            if self._silent is None:
                return None
            since, self._silent = self._silent, None
            self._silences.append((since, now))
            if not self._told:
                return None
            self._told = False
            return f"{self._device} answers again after {max(0.0, now - since):.3g} s"

    def bad(self, now: float, text: str) -> str | None:
        """Note a question without a good answer; return what is to be told, if anything."""
        with self._lock:
            self._asked += 1
            self._failed += 1
            return self._fall_silent(now, text)

    def late(self, now: float, text: str) -> str | None:
        """Note that an answer is overdue; the question itself is counted when it has ended."""
        with self._lock:
            return self._fall_silent(now, text)

    def _fall_silent(self, now: float, text: str) -> str | None:
        self._in_a_row += 1
        self._text = text
        if self._silent is None:
            self._silent = now
        due = now - self._last_told >= _QUIET_SECONDS or self._in_a_row >= _LASTING
        if self._told or not due:
            return None
        self._told, self._last_told = True, now
        return f"{self._text}; it is asked again, no value is recorded meanwhile"

    @property
    def trouble(self) -> str | None:
        """What is wrong at this moment."""
        with self._lock:
            return None if self._silent is None else self._text

    def summary(self) -> list[str]:
        """Sentences about what was missed since :meth:`begin`; none if all was well."""
        with self._lock:
            lines = []
            if self._failed or self._silent is not None:
                lines.append(f"{self._device}: {self._counts()}{self._silences_in_words()}")
            for status, count in sorted(self._without.items()):
                lines.append(
                    f"{self._device}: {count} of {self._asked} readings without a value: {status}"
                )
            return lines

    def _counts(self) -> str:
        if not self._asked:
            return f"no reading ({self._text})"
        text = f"{self._failed} of {self._asked} readings failed"
        return f"{text} (last: {self._text})" if self._text else text

    def _silences_in_words(self) -> str:
        """Describe the stretches without an answer, the longest ones first."""
        spans = sorted(self._silences, key=lambda span: span[0] - span[1])[:_SILENCES_TOLD]
        parts = [f"from {_clock(a)} to {_clock(b)}" for a, b in sorted(spans) if b - a >= 0.5]
        if self._silent is not None:
            parts.append(f"from {_clock(self._silent)} to the end")
        return f", silent {', '.join(parts)}" if parts else ""


def _clock(moment: float) -> str:
    """Wall-clock time of a moment."""
    return time.strftime("%H:%M:%S", time.localtime(moment))
