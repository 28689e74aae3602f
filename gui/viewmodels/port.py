"""What the window asks of a session; ``acquisition.session.Session`` satisfies it.

mypy checks that where ``cli/window.py`` hands one to the window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ...acquisition.session_calls import SessionCalls

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from ...acquisition.estimates import RunEstimate
    from ...acquisition.origin import RunOrigin
    from ...acquisition.outcome import RunOutcome
    from ...acquisition.plans import Plan
    from ...acquisition.sweeps.plan import SweepPlan
    from ...instruments.rig import Rig

__all__ = ["SessionPort"]


class SessionPort(SessionCalls, Protocol):
    """The calls of a session and the rig that it runs on.

    A window is beside the experiment: it may say more than a remote of plans and where they come
    from.
    """

    @property
    def rig(self) -> Rig:
        """Devices with what is known about them."""
        ...

    def start(
        self, plan: Plan, out: Path | None = None, origin: RunOrigin | None = None
    ) -> Future[RunOutcome]:
        """Start a run; the future resolves at its end."""
        ...

    def estimate(self, plan: Plan | SweepPlan) -> RunEstimate:
        """What a run or sweep would take; DeviceError while the rate of samples is not known."""
        ...
