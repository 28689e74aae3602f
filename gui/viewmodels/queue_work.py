"""What is under way for an entry of the queue: a run of the session, or a sweep on it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ...acquisition.origin import RunOrigin
from ...acquisition.run_catalogue import sweep_worth
from ...models.errors import OptobindError
from .queue import EntryState

if TYPE_CHECKING:
    from ...acquisition.outcome import RunOutcome
    from ...acquisition.plans import Plan
    from ...acquisition.sweeps.control import SweepStatus
    from ...analysis.sweep_work import SweepWork
    from .port import SessionPort

__all__ = ["Ending", "RunWork", "SweepSitting", "Work"]


@dataclass(frozen=True)
class Ending:
    """How an entry ended: state, reason, what can be used, and where it is."""

    state: EntryState
    reason: str = ""
    worth: str = ""
    path: Path | None = None


class Work(Protocol):
    """Something under way; none of the calls waits."""

    @property
    def path(self) -> Path | None:
        """Where it is recorded, as soon as that is known."""
        ...

    def start(self) -> None:
        """Begin; raises OptobindError where that is refused at once."""
        ...

    def ending(self) -> Ending | None:
        """How it ended; None while it goes on."""
        ...

    def stop(self) -> None:
        """End in good order: after the repetition, or the point."""
        ...

    def abort(self) -> None:
        """End now."""
        ...

    def pause(self, on: bool) -> None:
        """Hold, feedback on, or go on."""
        ...

    def progress(self) -> tuple[float | None, str] | None:
        """Share and words where the session does not tell them: of a sweep between its points."""
        ...


class RunWork:
    """A run of the session, as Start makes it.

    Parameters
    ----------
    session : SessionPort
        Carries it out.
    plan : Plan
        What is measured.
    label : str
        Note of the run.
    """

    def __init__(self, session: SessionPort, plan: Plan, label: str) -> None:
        self._session, self._plan, self._label = session, plan, label
        self._future: Future[RunOutcome] | None = None

    @property
    def path(self) -> Path | None:
        """Of the run file that is written."""
        recording = self._session.status().recording
        return None if recording is None else Path(recording)

    def start(self) -> None:
        """Begin."""
        origin = RunOrigin(note=self._label) if self._label else None
        self._future = self._session.start(self._plan, None, origin)

    def ending(self) -> Ending | None:
        """How the run ended."""
        if self._future is None or not self._future.done():
            return None
        error = _error_of(self._future)
        if error is not None:
            return Ending("failed", _words(error))
        outcome = self._future.result()
        return Ending(outcome.outcome, outcome.reason, outcome.worth.words(), outcome.path)

    def stop(self) -> None:
        """End after the repetition."""
        self._session.stop_after_repetition()

    def abort(self) -> None:
        """End now."""
        self._session.abort()

    def pause(self, on: bool) -> None:
        """Hold or go on."""
        (self._session.pause if on else self._session.resume)()

    def progress(self) -> None:
        """None: the session tells it."""
        return None


class SweepSitting:
    """A sweep, until it is whole or ends.

    Parameters
    ----------
    make : callable
        Makes the sweep, not started.
    """

    def __init__(self, make: Callable[[], SweepWork]) -> None:
        self.work = make()

    @property
    def path(self) -> Path | None:
        """Of the folder."""
        folder = self.work.folder
        return None if folder is None else folder.path

    def start(self) -> None:
        """Begin."""
        self.work.start()

    def ending(self) -> Ending | None:
        """How the sweep ended."""
        future = self.work.future
        if not future.done():
            return None
        error = _error_of(future)
        if error is not None:
            folder = self.path
            left = folder is not None and folder.exists()  # that of a refused one is removed again
            return Ending("failed", _words(error), path=folder if left else None)
        outcome = future.result()
        worth = sweep_worth(outcome.rows)
        verdict = outcome.verdict
        if outcome.state == "complete" and verdict is not None and not verdict.at_point:
            return Ending("incomplete", "the point was not reached", worth, outcome.folder)
        return Ending(outcome.state, outcome.reason, worth, outcome.folder)

    def stop(self) -> None:
        """End after the point."""
        self.work.request_stop()

    def abort(self) -> None:
        """End now."""
        self.work.request_abort()

    def pause(self, on: bool) -> None:
        """Hold or go on."""
        self.work.request_pause(on)

    def progress(self) -> tuple[float | None, str]:
        """Share of the points, and what is being done."""
        status = self.work.status()
        return share_of(status), points_text(status)


def share_of(status: SweepStatus) -> float | None:
    """Share of the points that are known beforehand; None where nobody knows them."""
    return min(1.0, status.done / status.planned) if status.planned else None


def points_text(status: SweepStatus) -> str:
    """How far a sweep is: "3 of 9 points · fitting point 3"."""
    count = f"{status.done} of {status.planned} points" if status.planned else "sweep"
    return f"{count} · {status.message}" if status.message else count


def _error_of(future: Future[Any]) -> BaseException | None:
    try:
        return future.exception()
    except CancelledError:
        return OptobindError("it was cancelled before it began")


def _words(error: BaseException) -> str:
    return str(error) if isinstance(error, OptobindError) else f"internal error: {error!r}"
