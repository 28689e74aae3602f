"""What a session offers of the feedback loops: they are set, read back and tried between blocks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from ..instruments.controller_protocol import LoopSetting
from . import loops
from .session_views import SessionViews
from .tuning.probe import Probe, ProbeRequest, probe

__all__ = ["SessionLoops"]


class SessionLoops(SessionViews):
    """Commands for the loops of a rig's controller; the gate is none of them."""

    def set_loop(
        self, particle: int, setting: LoopSetting, *, allow_growth: bool = False
    ) -> Future[LoopSetting]:
        """Set the feedback loop of a particle (from 0); the future has what is read back.

        InputError for a setting out of range or while a run holds the rig, UnstableModelError where
        the rig's model would grow, unless ``allow_growth``; nothing was sent then. After any other
        failure ``status().loops`` says what is. The gate is not touched.
        """
        return self._runner.submit(loops.set_loop(particle, setting, allow_growth=allow_growth))

    def read_loops(self) -> Future[tuple[LoopSetting, ...]]:
        """Read the feedback loops back from the controller; none without one."""
        return self._runner.submit(loops.read_loops)

    def loops_on(self) -> Future[tuple[bool, ...]]:
        """Whether the output of each feedback loop is on at the controller."""
        return self._runner.submit(loops.loops_on)

    def probe_loop(
        self, request: ProbeRequest, stop: Callable[[], bool] = lambda: False
    ) -> Future[Probe]:
        """Try a setting of a loop and watch what it does; see :mod:`.tuning.probe`."""
        return self._runner.submit(probe(request, stop))
