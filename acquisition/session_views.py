"""What a session shows: frozen snapshots, the newest that there are."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from ..instruments.rig import Rig
from ..models.inference.result import FitResult
from ..models.light import TweezerState
from .devices import remarks_of
from .events import Event
from .knob_actuator import KnobActuator
from .live import LiveAnalysis
from .live_reheating import LiveReheating
from .live_track import LiveTracker
from .prediction import LightPrediction
from .runner import Runner
from .session_status import DiskLeft, status_of
from .slots import Listener, LogBook
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

__all__ = ["SessionViews"]


class SessionViews:
    """The part of a session that is looked at; the commands are those of :class:`.Session`."""

    rig: Rig
    _runner: Runner
    _live: LiveAnalysis
    _tracker: LiveTracker
    _reheating: LiveReheating
    _prediction: LightPrediction
    _preview: LightPrediction
    _disk: DiskLeft
    _log: LogBook
    _events: deque[Event]

    def status(self) -> SessionStatus:
        """Newest state of everything in the status bar."""
        known = self._runner.state()
        growth = self._prediction.growth(known.light)
        live = self._live
        return status_of(self.rig.mode, known, live.skipped, growth, self._disk, live.basis)

    def trace(self) -> TraceSnapshot | None:
        """Newest stretch of voltages."""
        return self._live.trace.get()

    def track(self) -> TrackSnapshot | None:
        """Newest live trajectories; None while they are switched off or there is no fit."""
        return self._tracker.snapshot.get()

    def spectrum(self) -> SpectrumSnapshot | None:
        """Newest averaged cross-spectra."""
        return self._live.spectrum.get()

    def fit(self) -> FitSnapshot | None:
        """Newest live fit."""
        return self._live.fit.get()

    def reheating(self) -> ReheatingSnapshot | None:
        """Newest reheating curves."""
        return self._reheating.snapshot.get()

    def prediction(self) -> Mapping[str, float] | None:
        """Parameters that the pair fit should find at the light read back, rad/s; None if unknown.

        From first principles; computed in the background when the light has changed.
        """
        known = self._runner.state()
        feedback = self.rig.gate is not None and known.gate.closed is not False
        return self._prediction.at(known.light, feedback)

    def preview(self, light: TweezerState) -> LightPreview | None:
        """What the rig's model expects of a light before it is set; None if not known yet."""
        return self._preview.preview(light)

    def light(self) -> LightSnapshot:
        """Requested light and the light read back."""
        known = self._runner.state()
        return LightSnapshot(known.requested, known.applied)

    def take_log(self) -> list[LogEntry]:
        """Remove and return the new lines of the log."""
        return self._log.take()

    def take_events(self) -> list[Event]:
        """Remove and return the new events."""
        events = []
        while self._events:
            events.append(self._events.popleft())
        return events

    def listen(self) -> Listener:
        """Lines and events for one more reader, whoever else takes them; :meth:`unlisten` ends it.

        Returns
        -------
        Listener
            Has :meth:`take_log` and :meth:`take_events` of its own.
        """
        return self._log.listen()

    def unlisten(self, listener: Listener) -> None:
        """End what :meth:`listen` began."""
        self._log.leave(listener)

    def actuators(self) -> dict[str, KnobActuator]:
        """What turns the knobs of the rig, by name; they wait, so from a thread of your own."""
        return self._runner.slow.actuators(lambda: self._runner.state().held_by)

    def sensors_out(self) -> list[str]:
        """Sensors that read beyond the limits at which a sweep waits, a line each."""
        return self._runner.slow.sensors_out()

    def refresh_readings(self, ended: Callable[[], bool] = lambda: False) -> None:
        """Have gauge, knobs and sensors asked anew, after knobs were turned; waits for a moment.

        ``ended`` ends the wait.
        """
        self._runner.slow.refresh(ended)

    def remarks(self) -> list[str]:
        """What the user of the connected devices should know, a line each."""
        return remarks_of(self.rig)

    def slow_troubles(self) -> list[str]:
        """What is wrong with slow devices (the gauge) at this moment, a line each."""
        return list(self._runner.state().slow_troubles)

    def slow_summary(self) -> list[str]:
        """What slow devices left out since the latest run began, a line each; none if nothing."""
        return list(self._runner.state().slow_summary)

    def fit_history(self) -> list[tuple[float, FitResult]]:
        """Times (s since epoch) and results of the latest live fits."""
        return list(self._live.history)
