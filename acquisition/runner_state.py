"""What is known of an experiment at one moment: a frozen picture, replaced under the one lock.

The runner alone holds it. Threads that look at it take the picture and need no lock of their own;
what one command finds out (the light asked for and the light read back) appears in it at once.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..instruments.controller_protocol import LoopSetting
from ..instruments.protocols import AppliedLight, DeviceReport
from ..models.light import TweezerState
from .feedback import GateState

if TYPE_CHECKING:
    from .run import Run
    from .stream import Stream

__all__ = ["RunnerState", "StateBoard"]


@dataclass(frozen=True)
class RunnerState:
    """A picture of the experiment.

    Attributes
    ----------
    stream : Stream or None
        The running digitizer.
    run : Run or None
        The run under way; it owns the knobs.
    runs : tuple of Run
        Runs that have not ended: the one under way and those that wait for their turn.
    last_failed : bool
        Whether the latest run failed.
    requested : TweezerState or None
        Light that was asked for last; None before any is known.
    applied : AppliedLight or None
        Light as read back; None while it is not known.
    growth_rate : float or None
        Of the simulated world at this light, feedback as it acts, 1/s; None on hardware.
    gate : GateState
        What is known of the feedback gate.
    loops : tuple of LoopSetting
        Feedback loops as read back, that of particle 0 first; empty while they are not known.
    identities : mapping
        What each connected device said it is, or why it could not be connected, by family.
    pressure : float or None
        Present pressure, Pa; None without a fresh value.
    devices : tuple of DeviceReport
        States of the devices.
    slow_troubles, slow_summary : tuple of str
        What is wrong with slow devices now, and what they left out since the latest run began.
    """

    stream: Stream | None = None
    run: Run | None = None
    runs: tuple[Run, ...] = ()
    last_failed: bool = False
    requested: TweezerState | None = None
    applied: AppliedLight | None = None
    growth_rate: float | None = None
    gate: GateState = field(default_factory=GateState)
    loops: tuple[LoopSetting, ...] = ()
    identities: Mapping[str, str] = field(default_factory=dict)
    pressure: float | None = None
    devices: tuple[DeviceReport, ...] = ()
    slow_troubles: tuple[str, ...] = ()
    slow_summary: tuple[str, ...] = ()

    @property
    def held_by(self) -> str | None:
        """Name of the run that owns the knobs."""
        return None if self.run is None else self.run.name

    @property
    def light(self) -> TweezerState | None:
        """Light as read back; None while it is not known."""
        return None if self.applied is None else self.applied.state


class StateBoard:
    """Holds the newest picture; any thread may look, writers replace it as a whole."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state = RunnerState()

    @property
    def state(self) -> RunnerState:
        """The newest picture."""
        with self._lock:
            return self._state

    def change(self, **values: Any) -> None:
        """Replace some values, all at once.

        Parameters
        ----------
        **values
            By the names of :class:`RunnerState`.
        """
        with self._lock:
            self._state = replace(self._state, **values)

    def identify(self, family: str, text: str) -> None:
        """Note what a device said it is, or why it could not be connected."""
        with self._lock:
            known = {**self._state.identities, family: text}
            self._state = replace(self._state, identities=known)

    def expect(self, run: Run) -> None:
        """Note a run that waits for its turn."""
        with self._lock:
            self._state = replace(self._state, runs=(*self._state.runs, run))

    def forget(self, run: Run) -> None:
        """Note that a run has ended."""
        with self._lock:
            left = tuple(other for other in self._state.runs if other is not run)
            self._state = replace(self._state, runs=left)
