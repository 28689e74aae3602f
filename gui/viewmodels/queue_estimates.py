"""What the entries of a queue take, asked for in a thread: disks and long sweeps are slow."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

from ...acquisition.estimates import RunEstimate
from ...models.errors import OptobindError
from .queue import Entry, QueueModel

if TYPE_CHECKING:
    from .port import SessionPort

__all__ = ["QueueEstimates"]

_SECONDS = 5.0  # between two looks at an entry: the disk fills also without us


class QueueEstimates:
    """Keeps the estimates of a queue, one question at a time.

    Parameters
    ----------
    model : QueueModel
        The queue.
    session : SessionPort
        Is asked.
    work : callable
        Does something in a thread.
    """

    def __init__(
        self,
        model: QueueModel,
        session: SessionPort,
        work: Callable[[Callable[[], RunEstimate]], Future[RunEstimate]],
    ) -> None:
        self._model, self._session, self._work = model, session, work
        self._known: dict[int, tuple[object, float]] = {}  # plan and time, by number
        self._asked: tuple[Entry, object, Future[RunEstimate]] | None = None
        self._now = 0.0

    def current(self, entry: Entry) -> bool:
        """Whether the estimate of an entry is of its plan and of now."""
        plan, at = self._known.get(entry.number, (None, 0.0))
        return plan is entry.plan and self._now - at < 2.0 * _SECONDS

    def step(self, now: float) -> None:
        """Take an answer and ask for the next one; ``now`` is monotonic, s."""
        self._now = now
        if self._asked is not None:
            entry, plan, future = self._asked
            if not future.done():
                return
            self._asked = None
            self._take(entry, plan, future)
        due = [e for e in self._model.entries if e.waits and not self._fresh(e)]
        if due:
            entry = min(due, key=self._asked_last)
            plan = entry.plan
            future = self._work(lambda: self._session.estimate(plan))
            self._asked = entry, plan, future

    def _fresh(self, entry: Entry) -> bool:
        plan, at = self._known.get(entry.number, (None, 0.0))
        return plan is entry.plan and self._now - at < _SECONDS

    def _asked_last(self, entry: Entry) -> float:
        plan, at = self._known.get(entry.number, (None, 0.0))
        return at if plan is entry.plan else -1.0

    def _take(self, entry: Entry, plan: object, future: Future[RunEstimate]) -> None:
        error = future.exception()
        if plan is not entry.plan:
            return  # it was edited meanwhile
        self._known[entry.number] = plan, self._now
        found = None if error is not None else future.result()
        # Before devices are connected the rate is not known: there is nothing to say.
        if error is not None and not isinstance(error, OptobindError):
            found = RunEstimate(None, None, None, 0.0, None, f"internal error: {error!r}")
        if found != entry.estimate:
            entry.estimate = found
            self._model.touch()
