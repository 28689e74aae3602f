"""A sweep that is carried out beside something else: in threads, its fits in a process.

A window goes on meanwhile: it asks how far the sweep is, and asks for its end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, wait
from pathlib import Path

from ..acquisition.fit_process import FitProcess
from ..acquisition.session import Session
from ..acquisition.sweeps.control import Ended, SweepStatus
from ..acquisition.sweeps.folder import SweepFolder
from ..acquisition.sweeps.rows import FitPoint, PointFit, Row
from ..acquisition.sweeps.runner import SweepOutcome, SweepRunner
from ..models.errors import OptobindError
from .report.sweep_reports import SweepReports
from .sweep import fit_point

__all__ = ["SweepWork"]

_POLL_SECONDS = 0.1
_TRIES = 2  # at a fit whose process is killed


class SweepWork:
    """One sitting of a sweep on a session that is connected.

    Parameters
    ----------
    session : Session
        Serves the sweep; stays open.
    begin : callable
        Makes or opens the folder, in the thread of the sweep; raises where that is refused.
    new : bool
        Whether the folder is of this sweep alone: one that is refused is removed again.
    say : callable
        Called with one line for the log.
    fit : callable, optional
        Fits a run file in the thread of the sweep; without it :func:`~.sweep.fit_point` does, in a
        process of its own.
    """

    def __init__(
        self,
        session: Session,
        begin: Callable[[], SweepFolder],
        *,
        new: bool,
        say: Callable[[str], object] = lambda text: None,
        fit: FitPoint | None = None,
    ) -> None:
        self._session, self._begin, self._new, self._say = session, begin, new, say
        self._lock = threading.Lock()
        self._runner: SweepRunner | None = None
        self._stop, self._abort, self._paused = (threading.Event() for _ in range(3))
        self._fits = FitProcess()
        self._fit = fit or self._fit_elsewhere
        self.folder: SweepFolder | None = None
        self.rows: tuple[Row, ...] = ()
        self.future: Future[SweepOutcome] = Future()
        self._thread = threading.Thread(target=self._work, name="sweep", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def join(self, timeout: float) -> bool:
        """Wait for the end of the thread, at most so many s; return whether it has ended."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # -- from any thread --------------------------------------------------------------------------

    def request_stop(self) -> None:
        """End after the point under way."""
        with self._lock:
            self._stop.set()
            if self._runner is not None:
                self._runner.request_stop()

    def request_abort(self) -> None:
        """End now; the point under way will be measured anew by whoever goes on."""
        with self._lock:
            self._abort.set()
            if self._runner is not None:
                self._runner.request_abort()

    def request_pause(self, on: bool) -> None:
        """Hold the point under way, feedback on, and begin no other one; or go on."""
        with self._lock:
            (self._paused.set if on else self._paused.clear)()
            if self._runner is not None:
                self._runner.request_pause(on)

    @property
    def paused(self) -> bool:
        """Whether a pause was asked for."""
        return self._paused.is_set()

    def status(self) -> SweepStatus:
        """How far it is."""
        return SweepStatus() if self._runner is None else self._runner.status()

    # -- the thread -------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self.future.set_result(self._carried_out())
        except BaseException as error:  # handed to whoever waits
            self.future.set_exception(error)
        finally:
            self._fits.close()

    def _carried_out(self) -> SweepOutcome:
        folder = self._begin()
        self.folder = folder
        try:
            self.rows = tuple(folder.rows())
            reports = SweepReports(folder, self._say)

            def on_row(rows: list[Row]) -> None:
                self.rows = tuple(rows)
                reports.after_row(rows)

            runner = SweepRunner(self._session, folder, self._fit, on_row=on_row)
            self._take(runner)
            outcome = runner.carry_out()
        except Ended as ended:  # before the sweep was open: while an older point was fitted
            return SweepOutcome(folder.path, ended.state, ended.reason, self.rows)
        except OptobindError:
            if self._new:
                folder.discard()
            raise
        self.rows = outcome.rows
        reports.write(list(outcome.rows))
        return outcome

    def _take(self, runner: SweepRunner) -> None:
        """Hand over what was asked for before there was a runner."""
        with self._lock:
            self._runner = runner
            if self._paused.is_set():
                runner.request_pause(True)
            if self._stop.is_set():
                runner.request_stop()
            if self._abort.is_set():
                runner.request_abort()

    def _fit_elsewhere(self, path: Path, kind: str) -> PointFit:
        """Fit a point in the process of the fits; after an abort the fit is given up.

        A fit that was given up is made by whoever goes on with the sweep.
        """
        why = ""
        for _ in range(_TRIES):
            future = self._fits.task(_fitted, (path, kind))
            while not future.done():
                wait([future], timeout=_POLL_SECONDS)
                if self._abort.is_set():
                    self._fits.close()
                    raise Ended("aborted", "aborted on request")
            try:
                return future.result()
            except (RuntimeError, OSError, CancelledError) as error:  # a broken pool, too
                why = str(error) or type(error).__name__
        return PointFit(failure=f"the process of the fits failed: {why.splitlines()[0][:120]}")


def _fitted(task: tuple[Path, str]) -> PointFit:
    """Fit a point; a fit that fails is a finding."""
    try:
        return fit_point(*task)
    except OptobindError as error:
        return PointFit(failure=str(error))
