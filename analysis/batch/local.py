"""Tasks in processes of this computer; one that kills its worker ends alone."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from ...acquisition.children import deaf_to_the_terminal, die_with_parent, start_tracker
from .tasks import Outcome, Task, carry_out

__all__ = ["in_processes", "usable_cores"]

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_DEAD = "its worker died: killed, or out of memory"


def usable_cores() -> int:
    """Cores that this process may use."""
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable is not None else os.cpu_count() or 1


def _begin() -> None:
    """Start of a worker: leave Ctrl-C to the parent, die with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=die_with_parent, daemon=True).start()


def _pool(jobs: int) -> ProcessPoolExecutor:
    """Spawned workers, alike on every system, with one thread for linear algebra each."""
    start_tracker()
    for name in _THREADS:
        os.environ.setdefault(name, "1")
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin)


def in_processes(tasks: Sequence[Task], jobs: int) -> Iterator[tuple[Task, Outcome]]:
    """Carry tasks out, in the order in which they end.

    Parameters
    ----------
    tasks : sequence of Task
        Independent of each other.
    jobs : int
        Number of processes, at least 1.
    """
    waiting = deque(tasks)
    while waiting:
        suspects: list[Task] = []
        yield from _until_broken(waiting, jobs, suspects)
        # A pool breaks as a whole: of those under way the one that does it again is guilty.
        for task in suspects:
            yield task, _alone(task)


def _until_broken(
    waiting: deque[Task], jobs: int, suspects: list[Task]
) -> Iterator[tuple[Task, Outcome]]:
    """Work until all is done or a worker dies; what was under way then is in ``suspects``."""
    under_way: dict[Future[Outcome], Task] = {}
    pool = _pool(min(jobs, len(waiting)))
    try:
        while waiting or under_way:
            while waiting and len(under_way) < 2 * jobs:
                task = waiting.popleft()
                try:
                    with deaf_to_the_terminal():
                        under_way[pool.submit(carry_out, task)] = task
                except BrokenProcessPool:
                    waiting.appendleft(task)
                    break
            done, _ = wait(under_way, return_when=FIRST_COMPLETED)
            broken = not done
            for future in done:
                task = under_way.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    suspects.append(task)
                    broken = True
                else:
                    yield task, _outcome_of(future)
            if broken:
                suspects.extend(under_way.values())
                return
    finally:
        _end(pool)


def _outcome_of(future: Future[Outcome]) -> Outcome:
    """What a worker answered, or why it could not."""
    error = future.exception()
    if error is None:
        return future.result()
    return Outcome("crashed", {}, f"internal error: {type(error).__name__}: {error}")


def _alone(task: Task) -> Outcome:
    """Carry out a task that may kill its worker."""
    pool = _pool(1)
    try:
        with deaf_to_the_terminal():
            future = pool.submit(carry_out, task)
        if isinstance(future.exception(), BrokenProcessPool):
            return Outcome("crashed", {}, _DEAD)
        return _outcome_of(future)
    finally:
        _end(pool)


def _end(pool: ProcessPoolExecutor) -> None:
    """End workers at once: nobody waits for what they do."""
    workers = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join()
