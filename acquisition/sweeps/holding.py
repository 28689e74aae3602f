"""Waits while the conditions for measuring are not given; feedback on, the light as it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..estimates import estimate, free_at
from ..notify import Notifier
from ..plans import Plan
from ..session import Session
from ..suspenders import Picture, SuspendRules, troubles

__all__ = ["Holding", "TimeIsOver"]

_LOOK_SECONDS = 0.25


class TimeIsOver(Exception):
    """Conditions did not come back in time; says which."""


class Holding:
    """Compares an experiment with the rules, and waits.

    Parameters
    ----------
    session : Session
        Connected.
    rules : SuspendRules
        What is allowed.
    plan : Plan
        What a point measures, for the room that it needs.
    folder : Path
        Where it is recorded.
    write : callable
        Writes an event: (kind, reason=…).
    notifier : Notifier
        Is told of waits.
    """

    def __init__(
        self,
        session: Session,
        rules: SuspendRules,
        plan: Plan,
        folder: Path,
        write: Callable[..., Any],
        notifier: Notifier,
    ) -> None:
        self._session, self._rules, self._folder = session, rules, folder
        self._write, self._notifier = write, notifier
        self.needs(plan)

    def needs(self, plan: Plan) -> None:
        """Say what the next point measures."""
        self._needed = estimate(plan, self._session.rig.digitizer.info).size

    def now(self, *, running: bool) -> tuple[str, ...]:
        """What is wrong now; while a run is under way only what it shows is looked at."""
        status = self._session.status()
        free = None
        if not running:
            try:
                free = float(free_at(self._folder))
            except OSError:
                free = None  # the run will say what is wrong with this disk
        seen = Picture(
            pressure=status.pressure,
            gauge=tuple(self._session.slow_troubles()),
            free=free,
            needed=self._needed,
            monitors=(*status.monitors, *self._session.sensors_out()),
            saturated=bool(status.saturated) and (running or status.streaming),
        )
        return troubles(self._rules, seen)

    def wait(self, rest: Callable[[float, str], None], *, running: bool) -> None:
        """Return at once where all is well, else when it has been for long enough.

        Parameters
        ----------
        rest : callable
            Waits (s, message) and raises where the sweep is to end.
        running : bool
            Whether a run is under way, which is paused then.

        Raises
        ------
        TimeIsOver
            If the trouble lasts longer than allowed.
        """
        found = self.now(running=running)
        if not found:
            return
        reason = "; ".join(found)
        self._write("suspended", reason=reason)
        self._notifier.tell("suspended", f"waiting: {reason}", folder=str(self._folder))
        began = time.monotonic()
        good_since: float | None = None
        while True:
            rest(_LOOK_SECONDS, f"waiting: {reason}")
            found, now = self.now(running=running), time.monotonic()
            if found:
                reason, good_since = "; ".join(found), None
                if now - began > self._rules.timeout:
                    raise TimeIsOver(
                        f"{reason}; this has lasted longer than {self._rules.timeout:g} s"
                    )
                continue
            good_since = now if good_since is None else good_since
            if now - good_since >= self._rules.quiet:
                self._write("continued", seconds=now - began)
                self._notifier.tell("continued", "all is well again: going on")
                return
