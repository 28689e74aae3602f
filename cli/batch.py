"""``optobind fit batch``: the same fit of many files, one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.errors import ConvergenceError, InputError
from .options import ReadingOptions
from .output import make_directory, print_json, print_result, progress_bar, require_makeable, warn

if TYPE_CHECKING:
    from ..analysis.batch.fits import Analysis
    from ..analysis.batch.run import BatchOutcome

__all__ = ["BatchOptions", "fit_batch"]

_SHOWN = 5  # reasons


@dataclass(frozen=True)
class BatchOptions:
    """Options of ``fit batch`` as they were given; blocks in s."""

    blocks: float | None = None
    jobs: int | None = None
    scheduler: str | None = None
    retry: bool = False


def fit_batch(
    analysis: Analysis,
    files: Sequence[Path],
    options: Mapping[str, Any],
    reading: ReadingOptions,
    how: BatchOptions,
    table: Path,
    as_json: bool,
) -> None:
    """Fit files one by one and write their table.

    Raises
    ------
    ConvergenceError
        If not one fit went well; after the table was written.
    """
    if how.scheduler is not None and how.jobs is not None:
        raise InputError("--jobs and --scheduler: the scheduler's workers do the work, leave one")
    require_makeable(table.parent)
    from ..analysis.batch.fits import fit_tasks
    from ..analysis.batch.local import usable_cores
    from ..analysis.batch.run import run_batch
    from ..analysis.batch.table import check_table

    check_table(table)
    make_directory(table.parent)
    given = {name: value for name, value in options.items() if value not in (None, ())}
    known = {name: value for name, value in asdict(reading).items() if value is not None}
    with progress_bar("looking at files") as progress:
        tasks = fit_tasks(
            analysis, _expanded(files), given, reading=known, blocks=how.blocks, progress=progress
        )
    jobs = usable_cores() if how.jobs is None else how.jobs
    with progress_bar(f"{len(tasks)} fits") as progress:
        outcome = run_batch(
            tasks, table, jobs=jobs, scheduler=how.scheduler, retry=how.retry, progress=progress
        )
    _deliver(outcome, as_json)


def _expanded(files: Sequence[Path]) -> list[Path]:
    """Files; patterns that no shell has expanded, as on Windows or in quotes, are."""
    found: list[Path] = []
    for path in files:
        pattern = any(mark in str(path) for mark in "*?[") and not path.exists()
        matches = sorted(glob(str(path), recursive=True)) if pattern else []
        found += [Path(match) for match in matches] or [path]
    return list(dict.fromkeys(found))


def _deliver(outcome: BatchOutcome, as_json: bool) -> None:
    """Say what became of the fits."""
    counts = outcome.counts
    bad = counts["failed"] + counts["crashed"]
    if as_json:
        print_json(
            {
                "out": str(outcome.table),
                "rows": outcome.tasks,
                **counts,
                "done_before": outcome.before,
                "reasons": list(outcome.reasons),
            }
        )
    else:
        print_result(
            f"{counts['ok']} of {outcome.tasks} fits in {outcome.table}"
            + (f"; {outcome.before} were done before" if outcome.before else "")
        )
    if bad:
        shown = list(outcome.reasons[:_SHOWN])
        more = len(outcome.reasons) - len(shown)
        warn([f"{bad} of {outcome.tasks} fits failed, see the column reason", *shown])
        if more:
            warn([f"and {more} other reasons"])
    if not counts["ok"]:
        raise ConvergenceError(f"none of {outcome.tasks} fits went well, see {outcome.table}")
