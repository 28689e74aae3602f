"""The calls of a session: what a window, a notebook and a remote may ask of an experiment.

:class:`.Session` answers them itself, a record answers what concerns records
(``analysis/recorded``), and a remote has them answered elsewhere (``remote``).
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Literal, Protocol

from ..instruments.protocols import AppliedLight
from ..models.inference.result import FitResult
from ..models.light import TweezerState
from .estimates import RunEstimate
from .events import Event
from .outcome import RunOutcome
from .plans import Plan
from .snapshots import (
    FitSnapshot,
    LightPreview,
    LightSnapshot,
    LogEntry,
    ReheatingSnapshot,
    SessionStatus,
    SpectrumSnapshot,
    TraceSnapshot,
    TrackSnapshot,
)

__all__ = ["SessionCalls"]


class SessionCalls(Protocol):
    """Commands return futures or at once; snapshots are the newest and cost nothing to take."""

    def connect(self) -> Future[None]:
        """Connect the devices; writes no setting."""
        ...

    def disconnect(self) -> Future[None]:
        """Disconnect the devices; outputs stay."""
        ...

    def stream(self, on: bool) -> Future[None]:
        """Switch the live display."""
        ...

    def set_light(
        self, state: TweezerState, *, allow_untrapped: bool = False
    ) -> Future[AppliedLight]:
        """Set the light; refused while a run holds it, or where it would hold no particles."""
        ...

    def set_feedback(self, closed: bool) -> Future[None]:
        """Switch the feedback gate."""
        ...

    def start(self, plan: Plan, out: Path | None = None) -> Future[RunOutcome]:
        """Start a run; the future resolves at its end."""
        ...

    def estimate(self, plan: Plan) -> RunEstimate:
        """What a run would take; DeviceError while the rate of the samples is not known."""
        ...

    def stop_after_repetition(self) -> None:
        """Ask for an orderly end; does not wait."""
        ...

    def abort(self) -> None:
        """End the run now; its file is closed all the same."""
        ...

    def pause(self) -> None:
        """Pause between repetitions."""
        ...

    def resume(self) -> None:
        """Go on."""
        ...

    def set_fit(
        self,
        *,
        model: Literal["pair", "single"],
        band: tuple[float, float] | None,
        channels: tuple[int, ...] | None,
        vary: Mapping[str, bool],
        exclude: tuple[tuple[float, float], ...] = (),
    ) -> None:
        """Say what the live fit does; ``exclude`` are ranges (Hz) that it leaves out."""
        ...

    def note(self, text: str) -> None:
        """Have a line noted: in the log, among the events, of a run also in its file."""
        ...

    def exclude_repetition(self, number: int, reason: str) -> None:
        """Leave one repetition, counted from 1, out of the curves."""
        ...

    def include_repetition(self, number: int) -> None:
        """Take an exclusion by hand back."""
        ...

    def release_particles(self, confirm: str) -> Future[None]:
        """Switch all trap light off; ``confirm`` is "release particles"."""
        ...

    def reload_particles(self) -> Future[None]:
        """Put lost particles of a simulated rig back."""
        ...

    def prediction(self) -> Mapping[str, float] | None:
        """Parameters that the pair fit should find at the present light, rad/s."""
        ...

    def preview(self, light: TweezerState) -> LightPreview | None:
        """What the rig's model expects of a light that is not set yet; None if not known yet."""
        ...

    def close(self, timeout: float = 10.0) -> None:
        """End orderly; trap light stays as it is."""
        ...

    def status(self) -> SessionStatus:
        """Status bar."""
        ...

    def trace(self) -> TraceSnapshot | None:
        """Newest voltages."""
        ...

    def track(self) -> TrackSnapshot | None:
        """Newest live trajectories; None while they are switched off or there is no fit."""
        ...

    def set_tracking(self, on: bool) -> None:
        """Switch the live trajectories."""
        ...

    def spectrum(self) -> SpectrumSnapshot | None:
        """Newest averaged spectra."""
        ...

    def fit(self) -> FitSnapshot | None:
        """Newest fit."""
        ...

    def reheating(self) -> ReheatingSnapshot | None:
        """Reheating curves so far."""
        ...

    def light(self) -> LightSnapshot:
        """Requested and applied light."""
        ...

    def fit_history(self) -> list[tuple[float, FitResult]]:
        """Past live fits with their time (s since the epoch), bounded."""
        ...

    def take_log(self) -> list[LogEntry]:
        """Drain the new log lines."""
        ...

    def take_events(self) -> list[Event]:
        """Drain the new events."""
        ...
