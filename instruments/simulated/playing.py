"""A pattern while it is played, and the feedback gate: what holds at the next sample."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque

from ..patterns import FEEDBACK, Pattern

__all__ = ["Playing", "Switching"]


class Playing:
    """Follows a pattern sample by sample.

    Parameters
    ----------
    pattern : Pattern
        What is played; its sample 0 is the next one.

    Attributes
    ----------
    position : int
        Samples of the pattern's clock that have passed; it runs on after the last period.
    """

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        self.position = 0
        self._edges = {
            name: ([at for at, _ in track.edges], [level for _, level in track.edges])
            for name, track in pattern.levels.items()
        }
        every = {at for times, _ in self._edges.values() for at in times}
        self._changes = sorted({0, pattern.period, *every})

    def mark(self, steps: list[int]) -> None:
        """Note samples of the period at which something else changes than the lines."""
        self._changes = sorted({*self._changes, *steps})

    @property
    def over(self) -> bool:
        """Whether the last period has been played."""
        return self.position >= self.pattern.samples

    @property
    def phase(self) -> int | None:
        """Sample of the period that comes next; None before the first and after the last one."""
        since = self.position - self.pattern.lead
        return None if since < 0 or self.over else since % self.pattern.period

    def level(self, name: str) -> bool:
        """Level of a line at the next sample.

        Raises
        ------
        KeyError
            For a line that the pattern does not hold.
        """
        times, levels = self._edges[name]
        at = self.phase
        row = 0 if at is None else bisect_right(times, at)
        return levels[row - 1] if row else self.pattern.levels[name].idle

    def steady(self, most: int) -> int:
        """Samples, at most so many, for which nothing changes from the next one on."""
        if self.position < self.pattern.lead:
            return min(most, self.pattern.lead - self.position)
        at = self.phase
        if at is None:
            return most
        return min(most, self._changes[bisect_right(self._changes, at)] - at)

    def step(self, samples: int) -> None:
        """Let so many samples pass."""
        self.position += samples


class Switching:
    """Whether feedback acts: as the gate was commanded, and as a pattern says that is played.

    Parameters
    ----------
    closed : bool
        Whether the gate is closed at the beginning.

    Attributes
    ----------
    playing : Playing or None
        What is played.
    """

    def __init__(self, closed: bool) -> None:
        self._closed = closed
        self._commands: deque[tuple[int, bool]] = deque()
        self.playing: Playing | None = None

    def command(self, sample: int, closed: bool) -> None:
        """Close (True) or open the gate from a sample of the world on."""
        self._commands.append((sample, closed))

    @property
    def settled(self) -> bool:
        """Whether feedback acts once all commands have."""
        closed = self._commands[-1][1] if self._commands else self._closed
        return closed and self._lets_act()

    def acts(self, position: int) -> bool:
        """Whether feedback acts at a sample of the world, the next one."""
        while self._commands and self._commands[0][0] <= position:
            self._closed = self._commands.popleft()[1]
        return self._closed and self._lets_act()

    def _lets_act(self) -> bool:
        """Whether the pattern lets feedback act."""
        playing = self.playing
        if playing is None or FEEDBACK not in playing.pattern.levels:
            return True
        return playing.level(FEEDBACK)

    def steady(self, position: int, most: int) -> int:
        """Samples, at most so many, for which nothing changes from the next one on."""
        if self._commands:
            most = min(most, max(1, self._commands[0][0] - position))
        return most if self.playing is None else self.playing.steady(most)

    def step(self, samples: int) -> None:
        """Let so many samples pass."""
        if self.playing is not None:
            self.playing.step(samples)
