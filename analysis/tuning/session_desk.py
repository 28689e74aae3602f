"""A session as the desk of a tuning: every call is bounded, and a signal ends a try at a block."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TypeVar

from ...acquisition.loops import controller_of
from ...acquisition.session import Session
from ...acquisition.tuning.probe import Probe, ProbeRequest
from ...instruments.controller_protocol import ControllerCapabilities, LoopSetting
from ...models.errors import DeviceError

__all__ = ["SessionDesk"]

T = TypeVar("T")

_GRACE = 60.0  # s beyond the record itself that device and digitizer may take
_POLL = 0.2


class SessionDesk:
    """Sets and probes loops through a session's commands.

    Parameters
    ----------
    session : Session
        Connected.
    stop : callable
        Whether the user has asked for the end: the try under way ends at its next block.
    grace : float
        Longest wait for an answer beyond what is recorded, s.
    """

    def __init__(
        self,
        session: Session,
        stop: Callable[[], bool] = lambda: False,
        *,
        grace: float = _GRACE,
    ) -> None:
        self._session, self._stop, self._grace = session, stop, grace
        self._controller = controller_of(session.rig)

    @property
    def capabilities(self) -> ControllerCapabilities:
        """Of the controller."""
        return self._controller.capabilities

    def read(self, loop: int) -> LoopSetting:
        """Read a loop back."""
        return self._answer(self._session.read_loops(), 0.0)[loop]

    def on(self) -> tuple[bool, ...]:
        """Whether the output of each loop is on at the controller."""
        return self._answer(self._session.loops_on(), 0.0)

    def set(self, loop: int, setting: LoopSetting) -> LoopSetting:
        """Set a loop, whatever a model predicts."""
        return self._answer(self._session.set_loop(loop, setting, allow_growth=True), 0.0)

    def probe(self, request: ProbeRequest) -> Probe:
        """Try a setting."""
        return self._answer(self._session.probe_loop(request, self._stop), request.seconds)

    def _answer(self, future: Future[T], seconds: float) -> T:
        """Wait for an answer, longer than the wall takes for it; never for ever."""
        # A simulated world may take longer than the wall for its samples.
        until = time.monotonic() + self._grace + 20.0 * seconds
        while True:
            try:
                return future.result(_POLL)
            except FutureTimeout:
                if future.done() or time.monotonic() < until:
                    continue
                future.cancel()
                raise DeviceError(
                    f"{self._controller.name} or the digitizer did not answer within "
                    f"{self._grace + 20.0 * seconds:.3g} s: the loop may be at the setting that "
                    "was tried, look at the controller"
                ) from None
