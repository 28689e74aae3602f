"""Light on its way: what an SLM that settles shows, followed in steps."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import numpy as np

from ...models.light import TweezerState

__all__ = ["LightPath", "Settling"]

LightPath = Callable[[float], TweezerState]

# Steps in which a settling light is followed; the equilibrium moves smoothly between them.
_KNOTS = 16


def _knots(duration: float) -> list[float]:
    """Return times, s, at which an exponential (e^{−7} left at the end) has made equal steps."""
    floor = math.exp(-7.0)
    shares = np.linspace(1.0, floor, _KNOTS + 1)[1:]
    return [duration * (math.log(float(share)) / math.log(floor)) for share in shares]


class Settling:
    """The way of the light to where it rests.

    Parameters
    ----------
    rate : float
        Samples a second.
    """

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._path: LightPath | None = None
        self._start, self._duration = 0, 0.0
        self._knots: deque[tuple[int, float]] = deque()

    def begin(self, path: LightPath, duration: float, position: int) -> None:
        """Follow a path, of a time in s, from a sample on for ``duration`` s."""
        self.end()
        self._path, self._start, self._duration = path, position, duration
        sample = position
        for time in _knots(duration):
            sample = max(sample + 1, position + round(time * self._rate))
            self._knots.append((sample, time))

    def end(self) -> None:
        """Rest."""
        self._path = None
        self._knots.clear()

    def light(self, position: int) -> TweezerState | None:
        """Light at a sample; None while it rests."""
        return None if self._path is None else self._path((position - self._start) / self._rate)

    @property
    def goal(self) -> TweezerState | None:
        """Light at the last knot; None while it rests."""
        return None if self._path is None else self._path(self._duration)

    def left(self, position: int) -> int:
        """Samples to the next knot; 0 while the light rests."""
        return self._knots[0][0] - position if self._knots else 0

    def target(self) -> TweezerState | None:
        """Light at the next knot; None when there is none, and it rests then."""
        if not self._knots or self._path is None:
            self._path = None
            return None
        return self._path(self._knots[0][1])

    def reached(self, position: int) -> bool:
        """Whether a sample is the next knot, which is passed then."""
        if not self._knots or position < self._knots[0][0]:
            return False
        self._knots.popleft()
        return True
