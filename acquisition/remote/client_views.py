"""What a remote sees: the views of a session, asked for over its connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a status needs none of them
    from ...models.inference.result import FitResult
    from ...models.light import TweezerState
    from ..estimates import RunEstimate
    from ..events import Event
    from ..plans import Plan
    from ..snapshots import (
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

__all__ = ["RemoteViews"]


class RemoteViews:
    """The part of a remote that only looks; its commands are those of :class:`.RemoteSession`."""

    def _call(self, call: str, *args: Any, **named: Any) -> Any:
        """Have a call answered."""
        raise NotImplementedError

    def estimate(self, plan: Plan) -> RunEstimate:
        """What a run would take."""
        found: RunEstimate = self._call("estimate", plan)
        return found

    def status(self) -> SessionStatus:
        """Newest state."""
        found: SessionStatus = self._call("status")
        return found

    def trace(self) -> TraceSnapshot | None:
        """Newest stretch of voltages."""
        found: TraceSnapshot | None = self._call("trace")
        return found

    def track(self) -> TrackSnapshot | None:
        """Newest live trajectories."""
        found: TrackSnapshot | None = self._call("track")
        return found

    def spectrum(self) -> SpectrumSnapshot | None:
        """Newest averaged cross-spectra."""
        found: SpectrumSnapshot | None = self._call("spectrum")
        return found

    def fit(self) -> FitSnapshot | None:
        """Newest live fit."""
        found: FitSnapshot | None = self._call("fit")
        return found

    def reheating(self) -> ReheatingSnapshot | None:
        """Newest reheating curves."""
        found: ReheatingSnapshot | None = self._call("reheating")
        return found

    def light(self) -> LightSnapshot:
        """Requested light and the light read back."""
        found: LightSnapshot = self._call("light")
        return found

    def prediction(self) -> Mapping[str, float] | None:
        """Parameters that the pair fit should find at the present light, rad/s."""
        found: Mapping[str, float] | None = self._call("prediction")
        return found

    def preview(self, light: TweezerState) -> LightPreview | None:
        """What the rig's model expects of a light that is not set yet; None if not known yet."""
        found: LightPreview | None = self._call("preview", light)
        return found

    def fit_history(self) -> list[tuple[float, FitResult]]:
        """Times (s since the epoch) and results of the latest live fits."""
        found: list[tuple[float, FitResult]] = self._call("fit_history")
        return found

    def take_log(self) -> list[LogEntry]:
        """Remove and return this remote's new lines of the log; others have their own."""
        found: list[LogEntry] = self._call("take_log")
        return found

    def take_events(self) -> list[Event]:
        """Remove and return this remote's new events."""
        found: list[Event] = self._call("take_events")
        return found

    def remarks(self) -> list[str]:
        """What the user of the connected devices should know, a line each."""
        found: list[str] = self._call("remarks")
        return found

    def slow_troubles(self) -> list[str]:
        """What is wrong with slow devices at this moment, a line each."""
        found: list[str] = self._call("slow_troubles")
        return found

    def slow_summary(self) -> list[str]:
        """What slow devices left out since the latest run began, a line each."""
        found: list[str] = self._call("slow_summary")
        return found
