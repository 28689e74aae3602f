"""Where in the record a pattern holds feedback off."""

from __future__ import annotations

from ..instruments.patterns import FEEDBACK, Pattern
from .ranges import Range

__all__ = ["PlayedReleases"]


class PlayedReleases:
    """The stretches that a pattern leaves free.

    Parameters
    ----------
    pattern : Pattern
        What is played.
    origin : int
        Sample of the record at which the pattern's sample 0 acts.

    Attributes
    ----------
    samples : int
        Length of the pattern.
    """

    def __init__(self, pattern: Pattern, origin: int) -> None:
        self._period, self._repetitions = pattern.period, pattern.repetitions
        self.origin = origin
        self._first = origin + pattern.lead
        self.samples = pattern.lead + pattern.period * pattern.repetitions
        self._free: list[Range] = []
        track = pattern.levels.get(FEEDBACK)
        begin: int | None = None
        for at, level in () if track is None else track.edges:
            if not level and begin is None:
                begin = at
            elif level and begin is not None:
                self._free.append((begin, at))
                begin = None

    def stretches(self, start: int, stop: int, most: int = 1000) -> list[Range]:
        """Free stretches that touch samples start … stop, whole, in order; so many at most."""
        found: list[Range] = []
        if start >= stop or not self._free:
            return found
        number = max(0, (start - self._first) // self._period)
        while number < self._repetitions and len(found) < most:
            base = self._first + number * self._period
            if base >= stop:
                break
            found += [
                (base + a, base + b) for a, b in self._free if base + b > start and base + a < stop
            ]
            number += 1
        return found

    def free(self, start: int, stop: int) -> bool:
        """Whether feedback is off somewhere in samples start … stop."""
        return bool(self.stretches(start, stop, most=1))
