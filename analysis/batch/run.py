"""Carry out many tasks, once each: what is done is kept, a second call goes on where it ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...models.errors import InputError
from ..choice import Progress
from .cluster import on_cluster
from .journal import Journal
from .local import in_processes
from .table import check_table, write_table
from .tasks import Outcome, State, Task, carry_out, unique

__all__ = ["BatchOutcome", "run_batch"]

_MOST_JOBS = 1024


@dataclass(frozen=True)
class BatchOutcome:
    """What became of many tasks.

    Attributes
    ----------
    table : Path
        Where their lines are.
    counts : mapping of State to int
        Tasks by their end.
    before : int
        Tasks that an earlier call had done.
    reasons : tuple of str
        Why tasks failed, each reason once.
    """

    table: Path
    counts: dict[State, int]
    before: int
    reasons: tuple[str, ...]

    @property
    def tasks(self) -> int:
        """Number of all tasks."""
        return sum(self.counts.values())


def run_batch(
    tasks: Sequence[Task],
    table: Path,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    retry: bool = False,
    progress: Progress | None = None,
) -> BatchOutcome:
    """Carry out tasks and write one table of their results, a line each, in their order.

    A task that fails is a line with its reason. Outcomes are written to ``TABLE.journal`` as they
    come: after an interruption, or with more tasks, the same call carries out what is missing
    only. The numbers do not depend on where a task was carried out.

    Parameters
    ----------
    tasks : sequence of Task
        Independent of each other.
    table : Path
        A .csv or .parquet file; written anew at the end, and when the work is interrupted.
    jobs : int
        Processes on this computer; 0 works in this process.
    scheduler : str, optional
        Address of a Dask scheduler that does the work instead.
    retry : bool
        Whether tasks that failed are tried again; those that crashed always are.
    progress : callable, optional
        Called with the share of the tasks that is done, 0 … 1.

    Raises
    ------
    InputError
        For no tasks, a table of another kind, another number of jobs, or no such scheduler.
    FileError
        If table or journal cannot be written, or another program works on them.
    """
    check_table(table)
    if not 0 <= jobs <= _MOST_JOBS:
        raise InputError(f"jobs must lie in 0 … {_MOST_JOBS}, got {jobs}")
    tasks = unique(list(tasks))
    with Journal(table) as journal:
        final: tuple[State, ...] = ("ok",) if retry else ("ok", "failed")
        missing = [task for task in tasks if not _is(journal.outcomes.get(task.key), final)]
        done = len(tasks) - len(missing)
        before = done
        try:
            for task, outcome in _results(missing, jobs, scheduler):
                journal.add(task.key, outcome)
                done += 1
                if progress is not None:
                    progress(done / len(tasks))
        finally:
            write_table(table, tasks, journal.outcomes)
        found = [journal.outcomes[task.key] for task in tasks]
    counts: dict[State, int] = {"ok": 0, "failed": 0, "crashed": 0}
    for outcome in found:
        counts[outcome.state] += 1
    reasons = tuple(dict.fromkeys(outcome.reason for outcome in found if outcome.reason))
    return BatchOutcome(table, counts, before, reasons)


def _is(outcome: Outcome | None, states: Sequence[State]) -> bool:
    return outcome is not None and outcome.state in states


def _results(
    tasks: Sequence[Task], jobs: int, scheduler: str | None
) -> Iterator[tuple[Task, Outcome]]:
    """Outcomes as they come, from wherever the work is done."""
    if not tasks:
        return
    if scheduler is not None:
        yield from on_cluster(tasks, scheduler)
    elif jobs:
        yield from in_processes(tasks, jobs)
    else:
        yield from ((task, carry_out(task)) for task in tasks)
