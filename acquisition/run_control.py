"""What is asked of a run while it goes on, and what it tells of itself; from any thread."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path

from .releases import ReleaseCount
from .snapshots import RunState

__all__ = ["RunControl", "RunProgress", "RunStatus"]


@dataclass(frozen=True)
class RunProgress:
    """How far a run is.

    Attributes
    ----------
    state : RunState
        preparing → running (⇄ paused) → stopping.
    fraction : float or None
        0 … 1 of the step; None when open-ended.
    message : str
        What is being done, in words.
    """

    state: RunState = "preparing"
    fraction: float | None = None
    message: str = ""


@dataclass(frozen=True)
class RunStatus:
    """Picture of a run.

    Attributes
    ----------
    path : Path or None
        The run file; None while there is no run.
    progress : RunProgress
        How far it is.
    recorded : int
        Samples in the run file, acknowledged.
    gaps, lost_samples : int
        Number of gaps in the run file so far, and samples lost in them.
    releases : ReleaseCount or None
        Releases so far; None for a run that is to make none.
    """

    path: Path | None = None
    progress: RunProgress = RunProgress()
    recorded: int = 0
    gaps: int = 0
    lost_samples: int = 0
    releases: ReleaseCount | None = None


class RunControl:
    """Stop, abort and pause as they are asked for, and the run's progress.

    Attributes
    ----------
    stop, abort, pause : threading.Event
        End after this repetition, end after this block, hold.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.abort = threading.Event()
        self.pause = threading.Event()
        self._progress = RunProgress()
        self._notes: list[str] = []
        self._ended = False
        self._lock = threading.Lock()

    @property
    def unwanted(self) -> bool:
        """Whether the run has been asked to end."""
        return self.stop.is_set() or self.abort.is_set()

    def note(self, text: str) -> bool:
        """Have a note written; False if nothing is written any more."""
        with self._lock:
            if not self._ended:
                self._notes.append(text)
            return not self._ended

    def take_notes(self, *, last: bool = False) -> list[str]:
        """Remove and return the notes; after the ``last`` time none is taken any more."""
        with self._lock:
            notes, self._notes = self._notes, []
            self._ended = self._ended or last
        return notes

    @property
    def progress(self) -> RunProgress:
        """How far the run is."""
        return self._progress

    def tell(
        self,
        *,
        state: RunState | None = None,
        fraction: float | None = None,
        message: str | None = None,
    ) -> None:
        """Replace what is told; what is left out stays. Called by the run's thread alone."""
        before = self._progress
        self._progress = replace(
            before,
            state=before.state if state is None else state,
            fraction=before.fraction if fraction is None else fraction,
            message=before.message if message is None else message,
        )

    def step(self, fraction: float | None, message: str) -> None:
        """Say how far the step is; a fraction of None is open-ended."""
        self._progress = replace(self._progress, fraction=fraction, message=message)
