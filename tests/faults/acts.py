"""A session on a proxied laboratory, struck in a chosen phase, and what was seen of it."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from optobind.acquisition.events import EventKind
from optobind.acquisition.plans import MonitorPlan, Plan, ReheatingPlan
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.session import Session
from optobind.acquisition.slow_pace import Pace
from optobind.models.errors import OptobindError
from optobind.models.light import TweezerState

from .laboratory import ProxiedLaboratory
from .proxy import Strike
from .referee import CLOSING, Evidence

PHASES = (
    "connect", "check", "cooling", "release", "ramp", "pause", "finalise", "disconnect",
)  # fmt: skip
LONGEST = 60.0  # s, of anything that a fault may hold up
_RAISE = 1.06  # of the power in a ramp


@dataclass(frozen=True)
class Act:
    """One fault: where, when, what."""

    line: str
    phase: str
    strike: Strike

    @property
    def dice(self) -> random.Random:
        return random.Random(f"act {self.strike.seed}")


class Experiment:
    """Somebody who runs an experiment and meets faults.

    Parameters
    ----------
    laboratory : ProxiedLaboratory
        Stays; sessions come and go.
    folder : Path
        Of the run files.
    """

    def __init__(self, laboratory: ProxiedLaboratory, folder: Path) -> None:
        self.laboratory, self.folder = laboratory, folder
        self.session: Session | None = None
        self.trouble: list[str] = []
        self.log: list[str] = []
        self._base: TweezerState | None = None
        self._goal: TweezerState | None = None
        self._ends: list[float] = []

    # -- before and after ---------------------------------------------------------------------

    def ready(self) -> Session:
        """A session that is connected, with the light as it was at first and feedback on."""
        if self.session is None:
            self.session = Session(
                self.laboratory.rig(),
                live_fits=False,
                run_directory=self.folder,
                slow_pace=Pace(period=0.1, first_wait=0.1, longest_wait=0.5),
            )
        until = time.monotonic() + LONGEST
        while True:
            try:
                self._prepare(self.session)
                return self.session
            except OptobindError as error:
                if time.monotonic() > until:
                    self.trouble.append(f"no way back though the lines are good: {error}")
                    raise
                self.log.append(f"not yet ready: {error}")
                time.sleep(0.1)

    def _prepare(self, session: Session) -> None:
        """Do what a user does: connect what is away, light as it was, feedback on."""
        session.connect().result(LONGEST)
        light = session.rig.light
        assert light is not None
        if self._base is None:
            self._base = light.read().state
        session.set_light(self._base).result(LONGEST)
        session.set_feedback(True).result(LONGEST)

    def close(self) -> None:
        """End the session as a user does."""
        session, self.session = self.session, None
        if session is not None:
            session.close()
            self.log += [entry.text for entry in session.take_log()]

    # -- the act ------------------------------------------------------------------------------

    def play(self, act: Act) -> Evidence:
        """Be struck in a phase, go on as the phase asks, come to an end, and look."""
        self.trouble, self._ends, self._goal = [], [], None
        session, place = self.ready(), self.laboratory
        self._take_log()
        session.take_events()
        before, dice = place.tones(), act.dice
        marks = len(place.heard), len(place.gate.levels) - 1
        line = place.lines[act.line]
        text = place.lines["rf"]
        heard = len(text.sent), len(text.received)
        begin = time.monotonic()
        strike = (lambda: None) if act.strike.kind == "none" else lambda: line.strike(act.strike)
        getattr(self, f"_{act.phase}")(session, strike, dice)
        self._wait_for_peace(line)
        due = max([line.healed, *self._ends])
        goal = before if self._goal is None else self._tones_of(self._goal, before)
        self._settle(due)
        end, shown = time.monotonic(), session.light().applied
        self._take_log()
        return Evidence(
            dialect=place.dialects["rf"],
            begin=line.began or begin,
            end=end,
            due=due,
            before=before,
            goal=goal,
            tones=place.heard[marks[0] :],
            wrote=text.sent[heard[0] :],
            got=text.received[heard[1] :],
            gate=place.gate.levels[marks[1] :],
            may_open=act.phase not in ("connect", "ramp", "disconnect"),
            after=place.tones(),
            shown=None if shown is None else tuple(s.power for s in shown.state.sites),
            true=place.powers(),
            pressures=self._pressures(session),
            pressure=place.pressure,
            faults=list(self.trouble),
        )

    def _tones_of(self, goal: TweezerState, before: list[Any]) -> list[Any]:
        assert self.session is not None
        light: Any = self.session.rig.light
        return light._control._tones(goal)

    def _wait_for_peace(self, line: Any) -> None:
        until = time.monotonic() + LONGEST
        while line._strike is not None and time.monotonic() < until:
            time.sleep(0.005)

    def _settle(self, due: float) -> None:
        """Wait for the gate, and a moment longer: nothing may happen any more."""
        until = due + CLOSING + 4.0
        while not self.laboratory.gate.closed and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(0.05)

    def _take_log(self) -> None:
        if self.session is not None:
            self.log += [entry.text for entry in self.session.take_log()]

    def _pressures(self, session: Session) -> list[float]:
        events = [e for e in session.take_events() if e.kind is EventKind.PRESSURE]
        return [float(e.payload["pascal"]) for e in events if e.payload.get("pascal") is not None]

    def _result(self, future: Future[Any]) -> Any:
        """What a command answers, or the error that the user sees; None for an error."""
        try:
            return future.result(LONGEST)
        except FutureTimeout:
            self.trouble.append(f"no answer within {LONGEST:g} s")
        except CancelledError:
            self.trouble.append("a command was cancelled in silence")
        except OptobindError as error:
            self.log.append(f"refused: {error}")
        except Exception as error:
            self.trouble.append(f"internal error: {error!r}")
        finally:
            self._ends.append(time.monotonic())
        return None

    # -- phases -------------------------------------------------------------------------------

    def _connect(self, session: Session, strike: Callable[[], None], dice: random.Random) -> None:
        self._result(session.disconnect())
        strike()
        self._result(session.connect())

    def _disconnect(
        self, session: Session, strike: Callable[[], None], dice: random.Random
    ) -> None:
        strike()
        self._result(session.disconnect())

    def _ramp(self, session: Session, strike: Callable[[], None], dice: random.Random) -> None:
        assert self._base is not None
        total = _RAISE * sum(site.power for site in self._base.sites)
        self._goal = self._base.with_pair(total_power=total)
        if self.laboratory.dialects["rf"] != "aa-mdsnc" and dice.random() < 0.5:
            self._goal = self._goal.with_pair(phi=self._base.relative_phase + 0.2)
        moved = session.set_light(self._goal)
        time.sleep(dice.uniform(0.0, 0.35))
        strike()
        self._result(moved)

    def _check(self, session: Session, strike: Callable[[], None], dice: random.Random) -> None:
        strike()
        run = session.start(self._plan(dice, 0.02, 0.02), self._file())
        self._wait(run, lambda: session.status().recorded > 0, 1.0)
        self._end(session, run, dice)

    def _cooling(self, session: Session, strike: Callable[[], None], dice: random.Random) -> None:
        run = session.start(self._plan(dice, 0.3, 0.02), self._file())
        self._wait(run, lambda: session.status().recorded > 0, 20.0)
        time.sleep(dice.uniform(0.0, 0.25))
        strike()
        self._go_on(session, run, dice)

    def _release(self, session: Session, strike: Callable[[], None], dice: random.Random) -> None:
        run = session.start(self._plan(dice, 0.03, 0.2), self._file())
        self._wait(run, lambda: not self.laboratory.gate.closed, 20.0)
        time.sleep(dice.uniform(0.0, 0.15))
        strike()
        self._go_on(session, run, dice)

    def _pause(self, session: Session, strike: Callable[[], None], dice: random.Random) -> None:
        run = session.start(self._plan(dice, 0.03, 0.03), self._file())
        self._wait(run, lambda: session.status().recorded > 0, 20.0)
        session.pause()
        self._wait(run, lambda: session.status().state == "paused", 5.0)
        strike()
        time.sleep(dice.uniform(0.0, 0.5))
        session.resume()
        self._go_on(session, run, dice)

    def _finalise(self, session: Session, strike: Callable[[], None], dice: random.Random) -> None:
        run = session.start(self._plan(dice, 0.03, 0.1), self._file())
        self._wait(run, lambda: session.status().recorded > 0, 20.0)
        time.sleep(dice.uniform(0.0, 0.3))
        strike()
        self._end(session, run, dice)

    # -- runs ---------------------------------------------------------------------------------

    def _plan(self, dice: random.Random, cool: float, release: float) -> Plan:
        """Releases by card or by calls; a board that pauses between buffers only watches."""
        if self.laboratory.dialects["input"] != "ni":
            return MonitorPlan(None)
        plan = ReheatingPlan(repetitions=10_000, cool_time=cool, release_time=release)
        return replace(plan, timing=dice.choice(["card", "software"]))

    def _file(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.folder)) / "run.h5"

    @staticmethod
    def _wait(run: Future[Any], what: Callable[[], bool], seconds: float) -> None:
        until = time.monotonic() + seconds
        while not run.done() and time.monotonic() < until and not what():
            time.sleep(0.002)

    def _go_on(self, session: Session, run: Future[Any], dice: random.Random) -> None:
        """Let the run meet the fault for a while, then end it."""
        self._wait(run, lambda: False, dice.uniform(0.3, 0.8))
        self._end(session, run, dice)

    def _end(self, session: Session, run: Future[Any], dice: random.Random) -> None:
        (session.abort if dice.random() < 0.5 else session.stop_after_repetition)()
        outcome = self._result(run)
        if outcome is not None:
            self.log.append(f"outcome {outcome.outcome}: {outcome.reason}")
            if outcome.reason.startswith("internal error"):
                self.trouble.append(outcome.reason)
            with RunFile.open(outcome.path) as file:
                if not file.complete:
                    self.trouble.append(f"{outcome.path} was not closed")
            outcome.path.unlink()
