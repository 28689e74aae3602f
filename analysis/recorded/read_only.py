"""The commands of a session that a record refuses: nothing of it can be set or measured again."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ...models.errors import InputError

if TYPE_CHECKING:
    from ...acquisition.estimates import RunEstimate
    from ...acquisition.origin import RunOrigin
    from ...acquisition.outcome import RunOutcome
    from ...acquisition.plans import Plan
    from ...acquisition.snapshots import TrackSnapshot
    from ...acquisition.sweeps.plan import SweepPlan
    from ...instruments.light_protocol import AppliedLight
    from ...models.light import TweezerState

__all__ = ["READ_ONLY", "ReadOnlyCommands"]

READ_ONLY = "this is a record: knobs and runs belong to a laboratory (optobind gui --rig …)"
"""Why a record takes no command."""


class ReadOnlyCommands:
    """Every command fails with :data:`READ_ONLY`; nothing is sent anywhere."""

    def connect(self) -> Future[None]:
        """Refuse."""
        return _refused()

    def disconnect(self) -> Future[None]:
        """Refuse."""
        return _refused()

    def stream(self, on: bool) -> Future[None]:
        """Refuse."""
        return _refused()

    def set_light(
        self, state: TweezerState, *, allow_untrapped: bool = False
    ) -> Future[AppliedLight]:
        """Refuse."""
        return _refused()

    def set_feedback(self, closed: bool) -> Future[None]:
        """Refuse."""
        return _refused()

    def start(
        self, plan: Plan, out: Path | None = None, origin: RunOrigin | None = None
    ) -> Future[RunOutcome]:
        """Refuse."""
        return _refused()

    def estimate(self, plan: Plan | SweepPlan) -> RunEstimate:
        """Refuse."""
        _refuse()

    def stop_after_repetition(self) -> None:
        """Nothing runs."""

    def abort(self) -> None:
        """Nothing runs."""

    def pause(self) -> None:
        """Nothing runs."""

    def resume(self) -> None:
        """Nothing runs."""

    def note(self, text: str) -> None:
        """Refuse."""
        _refuse()

    def release_particles(self, confirm: str) -> Future[None]:
        """Refuse."""
        return _refused()

    def reload_particles(self) -> Future[None]:
        """Refuse."""
        return _refused()

    def set_tracking(self, on: bool) -> None:
        """Refuse."""
        _refuse()

    def track(self) -> TrackSnapshot | None:
        """Live trajectories are none of a record; ``optobind track`` makes them."""
        return None


def _refused() -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(InputError(READ_ONLY))
    return future


def _refuse() -> NoReturn:
    raise InputError(READ_ONLY)
