"""One line of the benchmark's table, and how CPU time is taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Row:
    """A measured ratio and the floor that it must reach (or the ceiling, ``at_most``)."""

    name: str
    ratio: float
    floor: float
    detail: str = ""
    at_most: bool = False

    @property
    def passed(self) -> bool:
        """Whether the floor is reached."""
        return self.ratio <= self.floor if self.at_most else self.ratio >= self.floor

    @property
    def floor_text(self) -> str:
        """The floor as the table shows it."""
        return f"{'≤' if self.at_most else '≥'} {self.floor:g}"

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "name": self.name,
            "ratio": self.ratio,
            "floor": self.floor,
            "at_most": self.at_most,
            "pass": self.passed,
            "detail": self.detail,
        }


def cpu_seconds(function: Callable[[], Any]) -> float:
    """CPU time of one call in this process, all threads, s."""
    start = time.process_time()
    function()
    return time.process_time() - start


def paired(a: Callable[[], Any], b: Callable[[], Any], pairs: int) -> tuple[float, float, float]:
    """Median CPU times of a and b and the median of b/a, taken in turn after one warm-up each."""
    a()
    b()
    times = [(cpu_seconds(a), cpu_seconds(b)) for _ in range(pairs)]
    return (
        median(t for t, _ in times),
        median(t for _, t in times),
        median(u / t for t, u in times),
    )
