"""Carries a sweep out on a session: point by point, each one in the journal before the next.

One connected rig serves the whole sweep. Feedback is on and no run is under way while the light
moves; all set-points and the ways between them are checked before the first is sent.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ...models.errors import DeviceError, InputError, OptobindError
from ...models.json_values import json_text, json_values
from ..notify import Notifier
from ..origin import light_to_dict
from ..plans import plan_to_dict
from ..session import Session
from ..suspenders import lines_out
from .attempts import Attempts, Failed
from .control import Ended, SweepControl, SweepState, SweepStatus
from .folder import SweepFolder
from .holding import Holding, TimeIsOver
from .knobs import Actuator
from .points import Point, planned_points
from .programs.course import WantedFit
from .programs.pauses import Pauses
from .programs.plan import ProgramPlan
from .rows import FitPoint, PointFit, Row
from .seeking import Verdict
from .sources import source_of
from .stations import Stations
from .table import replace_text

__all__ = ["SweepOutcome", "SweepRunner", "refusal"]


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
    verdict : Verdict or None
        How a seek stands; None for a sweep.
    """

    folder: Path
    state: SweepState
    reason: str
    rows: tuple[Row, ...]
    exit_code: int = 0
    verdict: Verdict | None = None


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
        For knobs that are none of the light, beside those of the rig.
    on_row : callable
        Called with all rows after each point, in the thread of the sweep.
    notifier : Notifier, optional
        Is told of waits and of the end.
    """

    def __init__(
        self,
        session: Session,
        folder: SweepFolder,
        fit: FitPoint | None,
        *,
        actuators: Mapping[str, Actuator] | None = None,
        on_row: Callable[[list[Row]], object] = lambda rows: None,
        notifier: Notifier | None = None,
    ) -> None:
        self._session, self._folder, self._fit = session, folder, fit
        self._plan, self._on_row = folder.plan, on_row
        self._notifier = notifier or Notifier()
        self._source = source_of(folder.header, session.rig)
        known: dict[str, Actuator] = {**session.actuators(), **(actuators or {})}
        self._stations = Stations(session.rig, folder.header, known)
        self._control = SweepControl(len(planned_points(folder.plan)), session.abort)
        write = folder.journal.write
        self._holding = Holding(
            session, self._plan.suspend, self._plan.inner, folder.path, write, self._notifier
        )
        self._attempts = Attempts(
            session, folder, self._stations, self._holding, self._control, folder.header.origin
        )
        program = folder.plan.source if isinstance(folder.plan, ProgramPlan) else None
        self._pauses = None if program is None else Pauses(session, self._control, program)
        self._refused: dict[int, str] = {}
        self._began = time.monotonic()

    # -- from any thread --------------------------------------------------------------------------

    def request_stop(self) -> None:
        """End after the point under way."""
        self._control.stop.set()

    def request_abort(self) -> None:
        """End now; the point under way will be measured anew."""
        self._control.abort.set()

    def request_pause(self, on: bool) -> None:
        """Hold the point under way, feedback on, and begin no other one; or go on."""
        if on:
            self._control.held.set()
            self._session.pause()
        else:
            self._control.held.clear()
            self._session.resume()

    def status(self) -> SweepStatus:
        """Return how far the sweep is."""
        return self._control.status

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
            self._folder.require_unchanged(rows)
            rows = [self._fitted(row, self._plan.fitted) for row in rows]
            if self._source.next(rows) is None:
                self._publish(rows)
                return self._outcome(Ended("complete", ""), rows)
            try:
                self._refused = self._check(rows)
            except Ended as ended:  # a device that does not answer, and somebody who lost patience
                return self._outcome(ended, rows)
            self._folder.journal.write(
                "opened",
                light=self._light_now(),
                points=len(rows),
                header=self._folder.fingerprint,
            )
            end = Ended("failed", "internal error", 1)
            try:
                self._measure(rows)
                if self._pauses is not None:
                    self._pauses.close()
                end = Ended("complete", "")
            except Ended as ended:
                end = ended
            except OptobindError as error:
                end = Ended("failed", str(error), error.exit_code)
            finally:
                self._close(end, rows)
            return self._outcome(end, rows)

    def _outcome(self, end: Ended, rows: list[Row]) -> SweepOutcome:
        """How it ended."""
        verdict = self._source.verdict(rows)
        return SweepOutcome(
            self._folder.path, end.state, end.reason, tuple(rows), end.exit_code, verdict
        )

    def _check(self, rows: list[Row]) -> dict[int, str]:
        """Points that may not be measured; refuses the sweep unless they may be left out."""
        session, answer = self._session, self._control.answer
        found = self._stations.refused(
            rows, lambda start, goal: answer(session.check_way(start, goal))
        )
        if found and self._plan.on_refused == "end":
            raise InputError(refusal(found))
        return found

    def _close(self, end: Ended, rows: list[Row]) -> None:
        """Write how it ended, and both tables."""
        self._source.close()
        if self._pauses is not None:
            try:
                self._pauses.close()
            except (Ended, OptobindError) as error:  # the session goes on trying; what was measured
                self._folder.journal.write("note", text=f"feedback is not known to be on: {error}")
        self._folder.journal.write(
            "closed", state=end.state, reason=end.reason, light=self._light_now(), points=len(rows)
        )
        words = f"{end.state}: {len(rows)} points" + (f"; {end.reason}" if end.reason else "")
        self._notifier.tell(end.state, words, folder=str(self._folder.path))
        self._publish(rows)

    def _measure(self, rows: list[Row]) -> None:
        """Measure one point after the other; ``rows`` grows."""
        while (point := self._next_point(rows)) is not None:
            self._control.look()
            longest = self._plan.longest
            if longest is not None and time.monotonic() - self._began > longest:
                raise Ended("stopped", f"the time of {longest:g} s is over")
            self._holding.needs(point.plan or self._plan.inner)
            self._control.wait_while_held()
            self._hold()
            self._control.tell(f"point {point.number}", len(rows))
            rows.append(self._row_of(point))  # known also if its fit is given up
            rows[-1] = self._fitted(rows[-1], self._plan.fitted)
            self._control.tell("", len(rows))
            self._publish(rows)
            self._look_at_lines(rows[-1])

    def _next_point(self, rows: list[Row]) -> Point | None:
        """The point that follows the rows; fits and pauses that come before it are made."""
        while True:
            if not self._plan.foreseen:
                self._control.tell("thinking about the next setting")
            step = self._source.next(rows)
            if isinstance(step, WantedFit):
                rows[step.number - 1] = self._fitted(rows[step.number - 1], step.kind)
            elif step is None or isinstance(step, Point):
                return step
            else:
                assert self._pauses is not None
                self._pauses.make(step)
                self._source.made()

    def _hold(self) -> None:
        """Wait while the conditions are not given."""
        try:
            self._holding.wait(self._control.rest, running=False)
        except TimeIsOver as over:
            raise Ended("failed", str(over), DeviceError.exit_code) from None

    def _look_at_lines(self, row: Row) -> None:
        """End where the lines have left their window: what follows would be fitted to nothing."""
        omegas = [row.value(name) for name in ("omega", "omega_1", "omega_2")]
        lines = [omega.value / math.tau for omega in omegas if omega is not None]
        out = lines_out(self._plan.suspend, lines)
        if out:
            raise Ended("failed", f"point {row.number}: {out}", DeviceError.exit_code)

    def _publish(self, rows: list[Row]) -> None:
        self._folder.write_tables(rows)
        verdict = self._source.verdict(rows)
        if verdict is not None:
            text = json_text(verdict.values, indent=2)
            replace_text(self._folder.path / "seek.json", text + "\n")
        self._on_row(list(rows))

    def _light_now(self) -> list[dict[str, Any]] | None:
        applied = self._session.light().applied
        return None if applied is None else light_to_dict(applied.state)

    # -- one point --------------------------------------------------------------------------------

    def _row_of(self, point: Point) -> Row:
        """Measure a point, with as many tries as allowed, and write it into the journal."""
        if why := self._why_refused(point):
            return self._skipped(point, why)
        setting, attempt = list(self._stations.target(point).setting), 0
        while True:
            began, attempt = time.time(), attempt + 1
            self._folder.journal.write(
                "started", point=point.number, attempt=attempt, setting=setting
            )
            try:
                row, path = self._attempts.make(point)
            except Failed as failed:
                if self._gives_up(point, failed, attempt):
                    return self._skipped(point, failed.reason)
                continue
            return self._accepted(row, path, {"began": began, "tries": attempt})

    def _why_refused(self, point: Point) -> str:
        """Say why a point may not be measured; "" if it may.

        Raises
        ------
        Ended
            If the sweep ends because of it.
        """
        if point.plan is None:
            return self._refused.get(point.number, "")
        session, answer = self._session, self._control.answer
        why, _ = self._stations.look_at(
            point, None, lambda start, goal: answer(session.check_way(start, goal))
        )
        if why and self._plan.on_refused == "end":
            raise Ended("failed", f"point {point.number}, {why}", InputError.exit_code)
        return why

    def _accepted(self, row: Row, path: Path, conditions: Mapping[str, Any]) -> Row:
        """Write a point that was measured into the journal, then give its file its name."""
        pressure = self._session.status().pressure
        row = replace(row, conditions={**conditions, "ended": time.time(), "pressure": pressure})
        self._folder.journal.write(
            "measured", row=_as_json(row), attempt=path.name, light=self._light_now()
        )
        self._folder.accept(path, row.number)
        return row

    def _gives_up(self, point: Point, failed: Failed, attempt: int) -> bool:
        """Whether the point is to be left out after a try that failed; else another follows.

        Raises
        ------
        Ended
            If the sweep is to end because of it.
        """
        self._folder.journal.write(
            "failed", point=point.number, attempt=attempt, reason=failed.reason
        )
        if failed.lost:
            self._after_loss(point, failed)
        policy = self._plan.on_failure if failed.transient else self._plan.on_refused
        if failed.transient and attempt <= self._plan.retries:
            self._control.rest(
                self._plan.retry_wait, f"point {point.number} failed: {failed.reason}"
            )
            return False
        if policy == "end":
            raise Ended("failed", f"point {point.number}: {failed.reason}", failed.exit_code)
        return True

    def _after_loss(self, point: Point, failed: Failed) -> None:
        """Reload lost particles where that was asked for and is possible, or end."""
        if self._plan.on_lost != "reload" or self._session.rig.world is None:
            raise Ended("failed", f"point {point.number}: {failed.reason}", failed.exit_code)
        self._control.answer(self._session.reload_particles())
        self._folder.journal.write("reloaded", point=point.number)

    def _skipped(self, point: Point, reason: str) -> Row:
        """Leave a point out."""
        setting = self._stations.target(point).setting
        plan = None if point.plan is None else json_values(plan_to_dict(point.plan))
        row = Row(point.number, point.kind, setting, point.repeat, "skipped", reason, plan=plan)
        self._folder.journal.write("skipped", row=_as_json(row))
        return row

    def _fitted(self, row: Row, kind: str) -> Row:
        """Fit a row unless it has been, or has no samples; a fit that fails is a finding, too."""
        if self._fit is None or kind == "none" or row.fit is not None or not row.file:
            return row
        self._control.tell(f"fitting point {row.number}")
        try:
            fit = self._fit(self._folder.file_of(row.number), kind)
        except OptobindError as error:
            fit = PointFit(failure=str(error))
        self._folder.journal.write("fitted", point=row.number, fit=fit.to_dict())
        return replace(row, fit=PointFit.from_dict(fit.to_dict()))


def _as_json(row: Row) -> dict[str, Any]:
    """Row as the journal holds it; its fit is an event of its own."""
    return {name: value for name, value in asdict(replace(row, fit=None)).items() if name != "fit"}


def refusal(found: Mapping[int, str]) -> str:
    """Say why a sweep with points that are not allowed is refused."""
    number, why = next(iter(found.items()))
    more = f" ({len(found) - 1} more points are not allowed)" if len(found) > 1 else ""
    return f"point {number}, {why}{more}; to leave such points out, set plan.on_refused=skip"
