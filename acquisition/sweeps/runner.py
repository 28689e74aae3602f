"""Carries a sweep out on a session: point by point, each one in the journal before the next.

One connected rig serves the whole sweep. Feedback is on and no run is under way while the light
moves; all set-points and the ways between them are checked before the first is sent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from ...models.errors import DeviceError, InputError, OptobindError
from ...models.light import TweezerState
from ..origin import RunOrigin, light_to_dict
from ..outcome import RunOutcome
from ..runfile import RunFile
from ..session import Session
from .folder import SweepFolder
from .knobs import Actuator
from .points import Point, next_point, planned_points, seed_of
from .rows import FitPoint, PointFit, Row
from .stations import Stations

__all__ = ["SweepOutcome", "SweepRunner", "SweepStatus"]

T = TypeVar("T")
State = Literal["complete", "stopped", "aborted", "failed"]

_POLL_SECONDS = 0.02
_FINALISE_SECONDS = 60.0


@dataclass(frozen=True)
class SweepOutcome:
    """How a sweep, or one sitting of it, ended.

    Attributes
    ----------
    folder : Path
        Of the sweep.
    state : {"complete", "stopped", "aborted", "failed"}
        Why it ended.
    reason : str
        In words; empty when complete.
    rows : tuple of Row
        All points that are known.
    exit_code : int
        0, or that of the error that ended it.
    """

    folder: Path
    state: State
    reason: str
    rows: tuple[Row, ...]
    exit_code: int = 0


@dataclass(frozen=True)
class SweepStatus:
    """How far a sweep is: points done, points known so far, and what is being done."""

    done: int = 0
    planned: int = 0
    message: str = "preparing"


class _Ended(Exception):
    """The sweep is to end; carries state, reason and exit code."""

    def __init__(self, state: State, reason: str, exit_code: int = 0) -> None:
        super().__init__(reason)
        self.state, self.reason, self.exit_code = state, reason, exit_code


class _Failed(Exception):
    """A try at a point failed; says whether another one may succeed."""

    def __init__(self, reason: str, *, transient: bool, exit_code: int = 4) -> None:
        super().__init__(reason)
        self.reason, self.transient, self.exit_code = reason, transient, exit_code
        self.lost = False


class SweepRunner:
    """Measures the points of a sweep that are yet to be measured.

    Parameters
    ----------
    session : Session
        Connected.
    folder : SweepFolder
        New, or with some points measured.
    fit : callable or None
        Fits a run file, see :data:`~.rows.FitPoint`; None where nothing is to be fitted.
    actuators : mapping of str to Actuator
        For knobs that are none of the light.
    on_row : callable
        Called with all rows after each point, in the thread of the sweep.
    """

    def __init__(
        self,
        session: Session,
        folder: SweepFolder,
        fit: FitPoint | None,
        *,
        actuators: Mapping[str, Actuator] | None = None,
        on_row: Callable[[list[Row]], object] = lambda rows: None,
    ) -> None:
        self._session, self._folder, self._fit = session, folder, fit
        self._plan, self._on_row = folder.plan, on_row
        self._stations = Stations(session.rig, folder.header, actuators or {})
        self._stop, self._abort = threading.Event(), threading.Event()
        self._status = SweepStatus(0, len(planned_points(folder.plan)))
        self._refused: dict[int, str] = {}
        self._began = time.monotonic()

    # -- from any thread --------------------------------------------------------------------------

    def request_stop(self) -> None:
        """End after the point under way."""
        self._stop.set()

    def request_abort(self) -> None:
        """End now; the point under way will be measured anew."""
        self._abort.set()

    def status(self) -> SweepStatus:
        """Return how far the sweep is."""
        return self._status

    # -- from beginning to end --------------------------------------------------------------------

    def carry_out(self) -> SweepOutcome:
        """Measure until the sweep is whole, or ends; the journal says why.

        Raises
        ------
        InputError, DeviceError
            If it cannot begin: a set-point is not allowed, another program goes on with it, ….
        FileError
            If the folder cannot be read or written.
        """
        with self._folder.owned():
            rows = self._folder.rows()
            if next_point(self._plan, self._fitted(rows)) is None:
                self._publish(rows)
                return SweepOutcome(self._folder.path, "complete", "", tuple(rows))
            self._refused = self._check(rows)
            self._folder.journal.write("opened", light=self._light_now(), points=len(rows))
            end = _Ended("failed", "internal error", 1)
            try:
                self._measure(rows)
                end = _Ended("complete", "")
            except _Ended as ended:
                end = ended
            except OptobindError as error:
                end = _Ended("failed", str(error), error.exit_code)
            finally:
                self._close(end, rows)
            return SweepOutcome(
                self._folder.path, end.state, end.reason, tuple(rows), end.exit_code
            )

    def _check(self, rows: list[Row]) -> dict[int, str]:
        """Points that may not be measured; refuses the sweep unless they may be left out."""
        session = self._session
        found = self._stations.refused(
            rows, lambda start, goal: self._await(session.check_way(start, goal))
        )
        if found and self._plan.on_refused == "end":
            number, why = next(iter(found.items()))
            more = f" ({len(found) - 1} more points are not allowed)" if len(found) > 1 else ""
            raise InputError(
                f"point {number}, {why}{more}; to leave such points out, set plan.on_refused=skip"
            )
        return found

    def _close(self, end: _Ended, rows: list[Row]) -> None:
        """Write how it ended, and both tables."""
        self._folder.journal.write(
            "closed", state=end.state, reason=end.reason, light=self._light_now(), points=len(rows)
        )
        self._publish(rows)

    def _measure(self, rows: list[Row]) -> None:
        """Measure one point after the other; ``rows`` grows."""
        while (point := next_point(self._plan, rows)) is not None:
            self._look_for_end()
            self._tell(len(rows), f"point {point.number}")
            rows.append(self._fit_row(self._row_of(point)))
            self._publish(rows)
            self._tell(len(rows), "")

    def _look_for_end(self) -> None:
        """End where that was asked for, or the time is over."""
        if self._abort.is_set():
            raise _Ended("aborted", "aborted on request")
        if self._stop.is_set():
            raise _Ended("stopped", "stopped on request")
        longest = self._plan.longest
        if longest is not None and time.monotonic() - self._began > longest:
            raise _Ended("stopped", f"the time of {longest:g} s is over")

    def _publish(self, rows: list[Row]) -> None:
        self._folder.write_tables(rows)
        self._on_row(list(rows))

    def _tell(self, done: int, message: str) -> None:
        planned = max(len(planned_points(self._plan)), done)
        self._status = SweepStatus(done, planned, message)

    def _light_now(self) -> list[dict[str, Any]] | None:
        applied = self._session.light().applied
        return None if applied is None else light_to_dict(applied.state)

    # -- one point --------------------------------------------------------------------------------

    def _row_of(self, point: Point) -> Row:
        """Measure a point, with as many tries as allowed, and write it into the journal."""
        if point.number in self._refused:
            return self._skipped(point, self._refused[point.number])
        for attempt in range(1, self._plan.retries + 2):
            began = time.time()
            target = self._stations.target(point)
            self._folder.journal.write(
                "started", point=point.number, attempt=attempt, setting=list(target.setting)
            )
            try:
                row, path = self._try(point)
            except _Failed as failed:
                self._folder.journal.write(
                    "failed", point=point.number, attempt=attempt, reason=failed.reason
                )
                self._after_failure(point, failed, last=attempt > self._plan.retries)
                if not failed.transient or attempt > self._plan.retries:
                    return self._skipped(point, failed.reason)
                continue
            conditions = {
                "began": began,
                "ended": time.time(),
                "tries": attempt,
                "pressure": self._session.status().pressure,
            }
            row = replace(row, conditions=conditions)
            values = {name: value for name, value in asdict(row).items() if name != "fit"}
            self._folder.journal.write(
                "measured", row=values, attempt=path.name, light=self._light_now()
            )
            self._folder.accept(path, point.number)
            return row
        raise AssertionError("unreachable")

    def _after_failure(self, point: Point, failed: _Failed, *, last: bool) -> None:
        """End the sweep or get ready for another try."""
        if failed.lost:
            self._after_loss(point, failed)
        gives_up = last or not failed.transient
        policy = self._plan.on_failure if failed.transient else self._plan.on_refused
        if gives_up and policy == "end":
            raise _Ended("failed", f"point {point.number}: {failed.reason}", failed.exit_code)
        if not gives_up:
            self._rest(self._plan.retry_wait, f"point {point.number} failed: {failed.reason}")

    def _after_loss(self, point: Point, failed: _Failed) -> None:
        """Reload lost particles where that was asked for and is possible, or end."""
        if self._plan.on_lost == "reload" and self._session.rig.world is not None:
            self._await(self._session.reload_particles())
            self._folder.journal.write("reloaded", point=point.number)
            return
        raise _Ended("failed", f"point {point.number}: {failed.reason}", failed.exit_code)

    def _skipped(self, point: Point, reason: str) -> Row:
        """Leave a point out."""
        setting = self._stations.target(point).setting
        row = Row(point.number, point.kind, setting, point.repeat, "skipped", reason)
        values = {name: value for name, value in asdict(row).items() if name != "fit"}
        self._folder.journal.write("skipped", row=values)
        return row

    def _try(self, point: Point) -> tuple[Row, Path]:
        """Set the light, wait, measure; returns the row and the file of this try."""
        session, target = self._session, self._stations.target(point)
        seed = None if session.rig.world is None else seed_of(self._plan, point.number)
        path = self._folder.new_try(point.number)
        try:
            read = self._go_to(target.light, target.others)
            origin = RunOrigin(
                seed=seed,
                requested=target.light,
                sweep={
                    "identity": self._folder.header.identity,
                    "point": point.number,
                    "kind": point.kind,
                    "setting": dict(zip(self._stations.names, target.setting, strict=True)),
                },
            )
            outcome = self._run(path, origin)
        except DeviceError as error:
            raise _Failed(str(error), transient=True) from None
        except InputError as error:
            raise _Failed(str(error), transient=False, exit_code=2) from None
        self._judge(outcome)
        row = Row(
            number=point.number,
            kind=point.kind,
            setting=target.setting,
            repeat=point.repeat,
            outcome=outcome.outcome,
            reason=outcome.reason,
            read=self._stations.read(read, target),
            seed=seed,
            file=self._folder.file_of(point.number).name,
            samples=outcome.samples,
            lost_samples=outcome.lost_samples,
        )
        return row, outcome.path

    def _go_to(
        self, light: TweezerState | None, others: Mapping[str, float]
    ) -> tuple[TweezerState | None, dict[str, float]]:
        """Set the light in allowed steps, feedback on, and the other knobs; return what is read."""
        session, applied = self._session, None
        if session.rig.gate is not None:
            self._await(session.set_feedback(True))
        moved = self._stations.move_others(others, self._abort.is_set)
        if light is not None:
            for leg in self._stations.legs(session.light().applied, light):
                applied = self._await(session.set_light(leg))
        if session.rig.digitizer.info.real_time:
            settling = 0.0 if applied is None else applied.settling_time
            self._rest(settling + self._plan.settle_time, "the light settles")
        return None if applied is None else applied.state, moved

    def _run(self, path: Path, origin: RunOrigin) -> RunOutcome:
        """Record the inner plan."""
        return self._await(self._session.start(self._plan.inner, path, origin))

    def _judge(self, outcome: RunOutcome) -> None:
        """Raise unless the run may stand for the point."""
        if outcome.outcome in ("stopped", "aborted"):
            raise _Ended("aborted", outcome.reason)
        with RunFile.open(outcome.path) as run:
            lost = run.digest().counts.get("particle_lost", 0)
        if lost or (outcome.outcome == "failed" and "lost" in outcome.reason):
            failed = _Failed(outcome.reason or "a particle was lost", transient=True)
            failed.lost = True
            raise failed
        if outcome.outcome != "complete":
            raise _Failed(outcome.reason, transient=True, exit_code=outcome.exit_code or 4)

    # -- fits -------------------------------------------------------------------------------------

    def _fitted(self, rows: list[Row]) -> list[Row]:
        """Fit the rows that a kill kept from being fitted."""
        rows[:] = [self._fit_row(row) for row in rows]
        return rows

    def _fit_row(self, row: Row) -> Row:
        """Fit a row unless it has been, or has no samples; a fit that fails is a finding, too."""
        kind = self._plan.fitted
        if self._fit is None or kind == "none" or row.fit is not None or not row.file:
            return row
        self._tell(self._status.done, f"fitting point {row.number}")
        try:
            fit = self._fit(self._folder.file_of(row.number), kind)
        except OptobindError as error:
            fit = PointFit(failure=str(error))
        self._folder.journal.write("fitted", point=row.number, fit=fit.to_dict())
        return replace(row, fit=PointFit.from_dict(fit.to_dict()))

    # -- waiting ----------------------------------------------------------------------------------

    def _await(self, future: Future[T]) -> T:
        """Wait for an answer; an abort ends the run under way."""
        deadline = None
        while not future.done():
            wait([future], timeout=_POLL_SECONDS)
            if self._abort.is_set():
                self._session.abort()
                deadline = deadline or time.monotonic() + _FINALISE_SECONDS
                if time.monotonic() > deadline:
                    raise _Ended("aborted", "aborted on request; a device did not answer")
        return future.result()

    def _rest(self, seconds: float, message: str) -> None:
        """Wait; a request to end is heard."""
        self._tell(self._status.done, message)
        self._abort.wait(seconds)
        if self._abort.is_set():
            raise _Ended("aborted", "aborted on request")
