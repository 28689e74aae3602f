"""What a remote may ask of a session, and which of it needs the knobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol

from ...instruments.rig import Rig
from ...models.light import TweezerState
from ..origin import RunOrigin
from ..outcome import RunOutcome
from ..plans import Plan
from ..session_calls import SessionCalls
from ..slots import Listener

__all__ = ["SNAPSHOTS", "STEERING", "VIEWS", "RemoteCalls", "ServedSession"]

VIEWS = frozenset(
    (
        "check_way",
        "estimate",
        "fit",
        "fit_history",
        "light",
        "prediction",
        "preview",
        "reheating",
        "remarks",
        "slow_summary",
        "slow_troubles",
        "spectrum",
        "status",
        "take_events",
        "take_log",
        "trace",
        "track",
    )
)
"""Calls that everybody with a token may make."""

SNAPSHOTS = frozenset(("fit", "reheating", "spectrum", "trace", "track"))
"""Those of them that are large and stay as they are until there is a newer one."""

STEERING = frozenset(
    (
        "abort",
        "connect",
        "disconnect",
        "exclude_repetition",
        "give_up_feedback",
        "include_repetition",
        "note",
        "pause",
        "release_particles",
        "reload_particles",
        "resume",
        "set_feedback",
        "set_fit",
        "set_light",
        "set_tracking",
        "start",
        "stop_after_repetition",
        "stream",
    )
)
"""Calls of whoever holds the knobs; each is noted with the name of the one who asked."""


class RemoteCalls(SessionCalls, Protocol):
    """The calls that a session answers itself and to its remotes; arguments are checked by them."""

    def start(
        self, plan: Plan, out: Path | None = None, origin: RunOrigin | None = None
    ) -> Future[RunOutcome]:
        """Start a run."""
        ...

    def set_fit(
        self,
        *,
        model: str = "pair",
        band: tuple[float, float] | None = None,
        channels: tuple[int, ...] | None = None,
        vary: Mapping[str, bool] | None = None,
        exclude: tuple[tuple[float, float], ...] = (),
    ) -> None:
        """Say what the live fit does."""
        ...

    def check_way(self, start: TweezerState | None, goal: TweezerState) -> Future[None]:
        """Refuse light, or the way to it, that is not allowed."""
        ...

    def give_up_feedback(self) -> None:
        """End trying to switch feedback on again."""
        ...

    def remarks(self) -> list[str]:
        """What the user of the devices should know."""
        ...

    def slow_troubles(self) -> list[str]:
        """What is wrong with slow devices."""
        ...

    def slow_summary(self) -> list[str]:
        """What slow devices left out."""
        ...


class ServedSession(RemoteCalls, Protocol):
    """What is asked of a session that is served."""

    run_directory: Path
    rig: Rig

    def listen(self) -> Listener:
        """Lines and events for one more reader."""
        ...

    def at_close(self, callback: Callable[[], object]) -> None:
        """Have something done when the session has been closed."""
        ...

    def unlisten(self, listener: Listener) -> None:
        """End that."""
        ...
