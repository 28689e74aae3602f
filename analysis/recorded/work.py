"""What is computed of stretches, one thing after the other, in a process of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Literal

from ...acquisition.fit_process import NO_WORKER, FitProcess
from ...acquisition.snapshots import Basis
from .released import average_curves, fit_releases
from .rows import RowTask, average_rows
from .tasks import StretchTask, average_stretch, fit_stretch

__all__ = ["Kind", "StretchWork", "Task"]

Kind = Literal["average", "spectrum", "curves", "releases", "rows"]
Task = StretchTask | RowTask
_WORK: dict[Kind, tuple[str, Callable[[Any], Any]]] = {
    "average": ("averaging the spectra", average_stretch),
    "spectrum": ("fitting the spectra", fit_stretch),
    "curves": ("averaging the releases", average_curves),
    "releases": ("fitting the releases", fit_releases),
    "rows": ("averaging along the record", average_rows),
}


class StretchWork:
    """Of several tasks of one kind that wait, the newest is done.

    Parameters
    ----------
    take : callable
        Called with kind, result, basis and task of each task that is done, in a thread of the
        pool.
    say : callable
        Called with a level and a line for the log.
    """

    def __init__(
        self,
        take: Callable[[Kind, Any, Basis, Task], object],
        say: Callable[[Literal["info", "error"], str], object],
    ) -> None:
        self._take, self._say = take, say
        self._lock = threading.RLock()
        self._closed = False
        self._working: tuple[str, float] | None = None
        self._waiting: dict[Kind, tuple[Task, Basis]] = {}
        self._fits = FitProcess(self._on_lost)

    @property
    def now(self) -> tuple[str, float] | None:
        """What is being computed, and for how long, s; None for nothing."""
        working = self._working
        return None if working is None else (working[0], time.monotonic() - working[1])

    def ask(self, task: Task, basis: Basis, *kinds: Kind) -> None:
        """Have a stretch computed, now or once what is under way is done."""
        with self._lock:
            if self._closed:
                return
            for kind in kinds:
                self._waiting[kind] = task, basis
            if self._working is None:
                self._begin()

    def give_up(self) -> None:
        """End what is being computed; the next task starts a process of its own."""
        with self._lock:
            self._waiting.clear()
            if self._working is None:
                return
            old, self._fits = self._fits, FitProcess(self._on_lost)
            words, self._working = self._working[0], None
        old.close()
        self._say("info", f"{words} was given up")

    def close(self) -> None:
        """End at once."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
        self._fits.close()

    def _begin(self) -> None:
        """Begin the oldest thing that waits; rows along the record wait for all else."""
        if not self._waiting or self._closed:
            self._working = None
            return
        kind = min(self._waiting, key=lambda waits: waits == "rows")
        task, basis = self._waiting.pop(kind)
        words, function = _WORK[kind]
        self._working = words, time.monotonic()
        fits = self._fits
        future: Future[Any] = fits.task(function, task)
        future.add_done_callback(lambda done: self._done(fits, kind, basis, task, done))

    def _done(
        self,
        fits: FitProcess,
        kind: Kind,
        basis: Basis,
        task: Task,
        future: Future[Any],
    ) -> None:
        """Hand a result over; one of a process that was given up is none."""
        with self._lock:
            if fits is not self._fits or self._closed:
                return
            error = None if future.cancelled() else future.exception()
            if error is not None:
                self._say("error", f"{_WORK[kind][0]} failed: {error}")
            elif not future.cancelled():
                self._take(kind, future.result(), basis, task)
            self._begin()

    def _on_lost(self, replaced: bool) -> None:
        lost = "the process of the fits ended; a new one is starting"
        self._say("error", lost if replaced else NO_WORKER)
