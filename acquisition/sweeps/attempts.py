"""One try at a point: set the light, wait until it rests, record, and judge what came."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...models.errors import DeviceError, FileError, InputError
from ...models.json_values import json_values
from ...models.light import TweezerState
from ..knob_actuator import MoveCalledOffError
from ..origin import RunOrigin
from ..outcome import RunOutcome
from ..plans import Plan, plan_to_dict
from ..runfile import RunFile
from ..session import Session
from .control import POLL_SECONDS, Ended, SweepControl
from .folder import SweepFolder
from .holding import Holding, TimeIsOver
from .points import Point, seed_of
from .rows import Row
from .settling import Settling
from .stations import Stations, Target

__all__ = ["Attempts", "Failed"]

_LOOK_SECONDS = 0.25
_FINALISE_SECONDS = 60.0


class Failed(Exception):
    """A try at a point failed.

    Attributes
    ----------
    transient : bool
        Whether another try may succeed.
    lost : bool
        Whether a particle was lost.
    """

    def __init__(
        self, reason: str, *, transient: bool = True, lost: bool = False, exit_code: int = 4
    ) -> None:
        super().__init__(reason)
        self.reason, self.transient, self.lost = reason, transient, lost
        self.exit_code = exit_code or DeviceError.exit_code


@dataclass(frozen=True)
class _Reached:
    """Where the knobs came to rest."""

    light: TweezerState | None
    others: Mapping[str, float]
    stationary: bool | None


class Attempts:
    """Makes tries.

    Parameters
    ----------
    session : Session
        Connected.
    folder : SweepFolder
        Where the files go.
    stations : Stations
        What the points ask for.
    holding : Holding
        Says when measuring has to wait.
    control : SweepControl
        Requests to end.
    origin : mapping
        Note, operator and state of the program.
    """

    def __init__(
        self,
        session: Session,
        folder: SweepFolder,
        stations: Stations,
        holding: Holding,
        control: SweepControl,
        origin: Mapping[str, Any],
    ) -> None:
        self._session, self._folder, self._stations = session, folder, stations
        self._plan, self._holding, self._control = folder.plan, holding, control
        self._origin = origin
        self._settling = Settling(session, folder, control)

    def make(self, point: Point) -> tuple[Row, Path]:
        """Try a point; return its row, not fitted, and the file of this try.

        Raises
        ------
        Failed
            If it may not stand for the point.
        Ended
            If the sweep is to end.
        """
        target = self._stations.target(point)
        seed = None if self._session.rig.world is None else seed_of(self._plan, point.number)
        try:
            reached = self._go_to(point, target)
            plan = point.plan or self._plan.inner
            outcome = self._run(
                plan, self._folder.new_try(point.number), self._origin_of(point, target, seed)
            )
        except DeviceError as error:
            raise Failed(str(error)) from None
        except FileError:
            raise  # a disk that is full or gone is no property of this point
        except InputError as error:
            raise Failed(str(error), transient=False, exit_code=error.exit_code) from None
        _judge(outcome)
        row = Row(
            number=point.number,
            kind=point.kind,
            setting=target.setting,
            repeat=point.repeat,
            outcome=outcome.outcome,
            reason=outcome.reason,
            read=self._stations.read(reached.light, reached.others, target),
            seed=seed,
            file=self._folder.file_of(point.number).name,
            samples=outcome.samples,
            lost_samples=outcome.lost_samples,
            stationary=reached.stationary,
            plan=None if point.plan is None else json_values(plan_to_dict(point.plan)),
        )
        return row, outcome.path

    def _origin_of(self, point: Point, target: Target, seed: int | None) -> RunOrigin:
        """What the run file says of its place in the sweep."""
        return RunOrigin(
            note=str(self._origin.get("note", "")),
            operator=str(self._origin.get("operator", "")),
            program=self._origin.get("program", {}),
            seed=seed,
            requested=target.light,
            sweep={
                "identity": self._folder.header.identity,
                "point": point.number,
                "kind": point.kind,
                "setting": dict(zip(self._stations.names, target.setting, strict=True)),
            },
        )

    def _go_to(self, point: Point, target: Target) -> _Reached:
        """Move all knobs in allowed steps, feedback on, and wait until they rest."""
        session, answer, applied = self._session, self._control.answer, None
        if session.rig.gate is not None:
            answer(session.set_feedback(True))
        others = self._turn(point, target)
        if target.light is not None:
            for leg in self._stations.legs(session.light().applied, target.light):
                applied = answer(session.set_light(leg))
        if session.rig.digitizer.info.real_time:
            settling = 0.0 if applied is None else applied.settling_time
            self._control.rest(settling + self._plan.settle_time, "light and knobs settle")
        if others:
            session.refresh_readings(self._control.abort.is_set)
        stationary = self._settling.wait(point)
        return _Reached(None if applied is None else applied.state, others, stationary)

    def _turn(self, point: Point, target: Target) -> dict[str, float]:
        """Move the knobs that are none of the light; return what they read."""
        if target.others:
            self._control.tell(f"point {point.number}: turning {', '.join(target.others)}")
        try:
            return self._stations.move_others(target.others, self._control.abort.is_set)
        except MoveCalledOffError:
            raise Ended("aborted", "aborted on request") from None

    def _run(self, plan: Plan, path: Path, origin: RunOrigin) -> RunOutcome:
        """Record a plan; it is paused while the conditions are not given."""
        future, next_look = self._session.start(plan, path, origin), 0.0
        if self._control.held.is_set():  # asked for between the last look and now
            self._session.pause()
        while not (future.done() or self._control.abort.is_set()):
            now = time.monotonic()
            if now >= next_look:
                next_look = now + _LOOK_SECONDS
                if self._holding.now(running=True):
                    self._pause(future)
            wait([future], timeout=POLL_SECONDS)
        return self._control.answer(future)

    def _pause(self, future: Future[RunOutcome]) -> None:
        """Hold the run until the conditions are given again, or abort it."""
        self._session.pause()
        try:
            self._holding.wait(self._control.rest, running=True)
        except TimeIsOver as over:
            self._session.abort()
            wait([future], timeout=_FINALISE_SECONDS)
            raise Ended("failed", str(over), DeviceError.exit_code) from None
        finally:
            if not self._control.held.is_set():
                self._session.resume()


def _judge(outcome: RunOutcome) -> None:
    """Raise unless the run may stand for the point."""
    if outcome.outcome in ("stopped", "aborted"):
        raise Ended("aborted", outcome.reason)
    with RunFile.open(outcome.path) as run:
        lost = run.digest().counts.get("particle_lost", 0)
    if lost or (outcome.outcome == "failed" and "lost" in outcome.reason):
        raise Failed(outcome.reason or "a particle was lost", lost=True)
    if outcome.exit_code == FileError.exit_code:
        raise FileError(outcome.reason)  # the disk is full: no other point would do better
    if outcome.outcome != "complete":
        raise Failed(outcome.reason, exit_code=outcome.exit_code)
