"""Many independent fits on all cores, unless other tests have them already."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

__all__ = ["shared"]

# Fewer fits than this are not worth the start of another process.
_MANY = 80

T = TypeVar("T")


def shared(work: Callable[[int], T], seeds: Sequence[int]) -> list[T]:
    """Results of picklable work for every seed, in their order, by spawned processes if many.

    Workers of pytest-xdist do it themselves: the other cores have tests of their own, and processes
    would only cost their start.
    """
    if len(seeds) < _MANY or "PYTEST_XDIST_WORKER" in os.environ:
        return [work(seed) for seed in seeds]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(os.cpu_count() or 1, 4), mp_context=context) as pool:
        return list(pool.map(work, seeds, chunksize=10))
