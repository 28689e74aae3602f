"""What the window asks of cli, which knows rigs and configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..acquisition.plans import Plan
    from ..acquisition.sweeps.plan import SweepPlan
    from ..analysis.recorded.session import RecordedSession
    from ..analysis.sweep_work import SweepWork

__all__ = ["Remotes", "RunServices", "Services"]


@dataclass(frozen=True)
class RunServices:
    """What measures beside single runs; of a laboratory, a record has none.

    Attributes
    ----------
    folder : Path
        Where runs are recorded.
    plan : callable
        Path of a plan's file or program → its name and the plan; done in a thread.
    sweep : callable
        Plan of a sweep and a note → the sweep in a new folder, not started.
    resumed : callable
        Folder of an unfinished sweep → the sweep, not started.
    runs : callable
        Number of the newest runs → what ``optobind runs --json`` says of them; done in a thread.
    """

    folder: Path
    plan: Callable[[Path], tuple[str, Plan | SweepPlan]]
    sweep: Callable[[SweepPlan, str], SweepWork]
    resumed: Callable[[Path], SweepWork]
    runs: Callable[[int], Sequence[Mapping[str, Any]]]


class Remotes(Protocol):
    """Other programs that watch and steer the session."""

    @property
    def owner(self) -> str | None:
        """Name of the one that holds the knobs."""
        ...

    def take_back(self) -> None:
        """Take the knobs from it; done in a thread."""
        ...


@dataclass(frozen=True)
class Services:
    """Work on files, done in a thread; each raises an OptobindError with the reason.

    Attributes
    ----------
    open : callable
        Path of any record → the record as a session.
    report : callable
        Path of a run → path of its report.
    compare : callable
        Paths of two runs → what ``optobind compare --json`` says.
    runs : RunServices or None
        None for a record.
    remotes : Remotes or None
        None where nobody else is let in.
    """

    open: Callable[[Path], RecordedSession]
    report: Callable[[Path], Path]
    compare: Callable[[Path, Path], Mapping[str, Any]]
    runs: RunServices | None = None
    remotes: Remotes | None = None
