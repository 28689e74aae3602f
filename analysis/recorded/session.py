"""A record in the place of a session: what a window asks, answered from a stretch of a file.

Samples are read by one thread, spectra and releases fitted by one process: whoever asks never
waits, and of several stretches that are chosen meanwhile the newest counts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from ...acquisition.events import Event
from ...acquisition.prediction import LightPrediction
from ...acquisition.records.record import Record
from ...acquisition.records.selected import stretch_of
from ...acquisition.slots import Latest
from ...acquisition.snapshots import (
    Basis,
    FitSnapshot,
    LightPreview,
    LightSnapshot,
    LogEntry,
    ReheatingSnapshot,
    SessionStatus,
    SpectrumSnapshot,
    TraceSnapshot,
)
from ...instruments.light_protocol import AppliedLight
from ...models.array import TrapArray
from ...models.errors import InputError, OptobindError
from ...models.inference.result import FitResult
from ...models.light import TweezerState
from ..notebook import write_notebook
from .overview import Overview, beginning_of, overview_of
from .read_only import ReadOnlyCommands
from .release_choice import ReleaseChoice
from .released import FittedReleases
from .rows import RecordedRows, SpectraRows
from .story import RecordStory, rig_of
from .tasks import FittedStretch, StretchTask
from .work import Kind, StretchWork, Task

__all__ = ["RecordedSession"]

_TRACE_SECONDS = 0.02
_UNSTEADY = "no steady part: Fit releases, in the record panel, fits its releases"
# Values of a stretch that is analysed without having been chosen: some seconds of work.
_MOST_AT_ONCE = 40_000_000


class RecordedSession(ReadOnlyCommands):
    """A record that is looked at; close it after use.

    Parameters
    ----------
    record : Record
        The samples.
    story : RecordStory
        What happened.
    trap : TrapArray, optional
        Particles and light of its rig, for predictions.
    options : mapping, optional
        How the file was read, for the process that fits.
    """

    def __init__(
        self,
        record: Record,
        story: RecordStory,
        trap: TrapArray | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.record, self.story = record, story
        self.rig = rig_of(record, story, trap)
        ranges = record.recorded()
        self.extent = ranges[0][0], ranges[-1][1]
        first, last = self.extent
        self.stretch = first, min(last, first + _MOST_AT_ONCE // len(record.names))
        self.choice = ReleaseChoice.of(record, story)
        self.options = dict(options or {})
        self.rows = RecordedRows(record, self.options)
        self.overview: Latest[Overview] = Latest()
        self._task = StretchTask(record.path, self.options, *self.stretch)
        self._basis = Basis()
        self._sequence = 0
        self._log = [*story.log]
        self._trace: Latest[TraceSnapshot] = Latest()
        self._spectrum: Latest[SpectrumSnapshot] = Latest()
        self._fit: Latest[FitSnapshot] = Latest()
        self._reheating: Latest[ReheatingSnapshot] = Latest()
        self._history: list[tuple[float, FitResult]] = []
        self._prediction, self._preview = LightPrediction(self.rig), LightPrediction(self.rig)
        self._lock = threading.RLock()
        self._closed = False
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="record-reader")
        self._work = StretchWork(self._take, self._say)
        self._read(self._read_trace)
        self._read(self._read_overview)
        self._ask("average", "spectrum")
        if self.releases and not self.steady:
            self._begin_releases()  # there is nothing else to be seen
        if story.results:
            self._say("info", f"the file holds results: {', '.join(sorted(story.results))}")

    # -- the stretch ------------------------------------------------------------------------------

    def seconds(self, sample: float) -> float:
        """Time of a sample since the first one, s."""
        return (sample - self.extent[0]) / self.record.sample_rate

    def sample_at(self, seconds: float) -> int:
        """Sample at a time since the first one, within the record."""
        first, last = self.extent
        return min(max(first + round(seconds * self.record.sample_rate), first), last)

    def select(self, start: int, stop: int) -> None:
        """Look at another stretch: its traces and spectra follow, and a fit of them.

        Raises
        ------
        InputError
            If the stretch is empty.
        """
        first, last = self.extent
        start, stop = max(start, first), min(stop, last)
        if not start < stop:
            raise InputError("the stretch is empty: its end must be later than its beginning")
        if (start, stop) == self.stretch:
            return
        with self._lock:
            self.stretch = start, stop
            self._task = replace(self._task, start=start, stop=stop)
            self._basis = replace(self._basis, light=self._basis.light + 1)
        self._read(self._read_trace)
        self.choice.say("")
        self._show_releases()
        self._ask("average", "spectrum")

    def set_fit(
        self,
        *,
        model: Literal["pair", "single"],
        band: tuple[float, float] | None,
        channels: tuple[int, ...] | None,
        vary: Mapping[str, bool],
        exclude: tuple[tuple[float, float], ...] = (),
    ) -> None:
        """Fit the stretch in another way; all parameters of a record vary."""
        with self._lock:
            task = replace(self._task, model=model, band=band, exclude=tuple(exclude))
            if task == self._task:
                return
            self._task = task
            self._basis = replace(self._basis, settings=self._basis.settings + 1)
        self._ask("spectrum")

    @property
    def release_settings(self) -> tuple[str, ...]:
        """Light of the releases in words, where a run has several."""
        return tuple(setting.words() for setting in self.record.settings)

    @property
    def releases(self) -> int:
        """Usable releases within the stretch, those left out by hand among them."""
        return self.choice.within(*self.stretch)

    def exclude_repetition(self, number: int, reason: str) -> None:
        """Leave a release out of curves and fit; the file stays as it is.

        Raises
        ------
        InputError
            If the record has no such release.
        """
        self._choose(lambda: self.choice.leave_out(number, reason))
        self._say("info", f"repetition {number} left out here, not in the file: {reason}")

    def include_repetition(self, number: int) -> None:
        """Let a release count again that was left out here.

        Raises
        ------
        InputError
            If it is not left out here.
        """
        self._choose(lambda: self.choice.take_back(number))
        self._say("info", f"repetition {number} counts again")

    def _choose(self, change: Callable[[], object]) -> None:
        """Change what counts; the curves are averaged and fitted anew."""
        with self._lock:
            change()
            self._task = replace(self._task, without=self.choice.first_samples)
        self._begin_releases()

    def fit_releases(self, setting: int = 0) -> None:
        """Fit the releases of the stretch; their curves show when that is done."""
        with self._lock:
            self._task = replace(self._task, setting=setting)
        self._begin_releases()

    def _begin_releases(self) -> None:
        """Have the releases averaged, then fitted, and say so where their curves are."""
        self.choice.say("averaging and fitting the releases …")
        self._show_releases()
        self._ask("curves", "releases")

    def write_notebook(self, path: Path) -> Path:
        """Write a notebook that opens and fits this stretch as it is fitted here.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        with self._lock:
            task, whole = self._task, self.stretch == self.extent
        settings = self.record.settings if self.releases else None
        return write_notebook(path, task, whole=whole, steady=self.steady, settings=settings)

    @property
    def steady(self) -> bool:
        """Whether the stretch holds something whose spectrum can be fitted."""
        try:
            return len(stretch_of(self.record, *self.stretch).steady()) > 0
        except OptobindError:
            return False

    @property
    def working(self) -> tuple[str, float] | None:
        """What is being computed, and for how long, s; None for nothing."""
        return self._work.now

    def give_up(self) -> None:
        """End what is being computed."""
        self._work.give_up()

    # -- work -------------------------------------------------------------------------------------

    def _read(self, work: Callable[[], object]) -> None:
        def careful() -> None:
            try:
                work()
            except OptobindError as error:
                self._say("error", str(error))

        if not self._closed:
            self._reader.submit(careful)

    def _read_overview(self) -> None:
        self.overview.put(overview_of(self.record, self.record.usual))

    def _read_trace(self) -> None:
        record, found = self.record, beginning_of(self.record, *self.stretch, _TRACE_SECONDS)
        if found is not None:
            made = TraceSnapshot(self._next(), found[0], record.sample_rate, found[1], record.names)
            self._trace.put(made)

    def look_through(self) -> None:
        """Have spectra along the whole record averaged, once somebody looks at them."""
        if not self.rows.begun:
            self.rows.begun = True
            self._ask_rows()

    def _ask_rows(self) -> None:
        if (task := self.rows.next_task()) is not None:
            self._work.ask(task, self._basis, "rows")

    def _ask(self, *kinds: Kind) -> None:
        with self._lock:
            task, basis = self._task, self._basis
        self._work.ask(task, basis, *kinds)

    def _take(
        self,
        kind: Kind,
        found: FittedStretch | FittedReleases | SpectraRows,
        basis: Basis,
        task: Task,
    ) -> None:
        if isinstance(found, SpectraRows):
            if error := self.rows.take(found):
                self._say("error", error)
            self._ask_rows()
        elif isinstance(found, FittedReleases):
            assert isinstance(task, StretchTask)
            self._take_releases(found, task, fitted=kind == "releases")
        else:
            self._take_spectrum(found, basis, fitted=kind == "spectrum")

    def _take_spectrum(self, found: FittedStretch, basis: Basis, *, fitted: bool) -> None:
        if basis != self._basis:  # another stretch is wanted by now
            return
        number, error = self._next(), found.error
        error = _UNSTEADY if error and self.releases and not self.steady else error
        if found.csd is not None:
            self._spectrum.put(SpectrumSnapshot(number, found.csd, found.channels, basis))
        if not fitted:
            return
        self._fit.put(
            FitSnapshot(number, found.result, found.frequencies, found.curve, error, basis=basis)
        )
        if found.result is not None:
            middle = self.seconds(0.5 * sum(self.stretch))
            self._history.append((middle, found.result))

    def _take_releases(self, found: FittedReleases, task: StretchTask, *, fitted: bool) -> None:
        with self._lock:
            if task.without != self._task.without or task.setting != self._task.setting:
                return  # others count by now: their curves come
            self.choice.take(found, (task.start, task.stop), task.without)
        if not fitted and not found.error:
            self.choice.say("fitting the releases …")
        self._show_releases()

    def _show_releases(self) -> None:
        if (snapshot := self.choice.snapshot(self._next(), self.stretch)) is not None:
            self._reheating.put(snapshot)

    def _say(self, level: Literal["info", "warning", "error"], text: str) -> None:
        self._log.append(LogEntry(time.time(), level, text))

    def _next(self) -> int:
        with self._lock:
            self._sequence += 1
            return self._sequence

    # -- what is looked at ------------------------------------------------------------------------

    def status(self) -> SessionStatus:
        """What the status bar shows; nothing is connected."""
        worth, working = self.record.worth, self.working
        self.prediction()  # known by the time that a fit is
        text = "" if working is None else f"{working[0]} … {working[1]:.0f} s"
        return SessionStatus(
            "RECORD",
            message=text,
            gaps=0 if worth is None else worth.gaps,
            lost_samples=0 if worth is None else worth.lost_samples,
            samples=self.stretch[1] - self.stretch[0],
            pressure=self.story.pressure_at(*self.stretch),
            basis=self._basis,
        )

    def trace(self) -> TraceSnapshot | None:
        """Beginning of the stretch."""
        return self._trace.get()

    def spectrum(self) -> SpectrumSnapshot | None:
        """Averaged spectra of the newest stretch that is done."""
        return self._spectrum.get()

    def fit(self) -> FitSnapshot | None:
        """Newest fit."""
        return self._fit.get()

    def reheating(self) -> ReheatingSnapshot | None:
        """Curves of the releases, once they were fitted."""
        return self._reheating.get()

    def light(self) -> LightSnapshot:
        """Light at the end of the stretch, as it was recorded."""
        state = self.story.light_at(self.stretch[1] - 1)
        return LightSnapshot(state, None if state is None else AppliedLight(state))

    def prediction(self) -> Mapping[str, float] | None:
        """Parameters that the pair fit should find by the rig's model, rad/s."""
        light = self.story.light_at(self.stretch[1] - 1)
        return self._prediction.at(light, self.story.gated)

    def preview(self, light: TweezerState) -> LightPreview | None:
        """What the rig's model expects of another light."""
        return self._preview.preview(light)

    def fit_history(self) -> list[tuple[float, FitResult]]:
        """Middle of each stretch that was fitted (s since the first sample), and its result."""
        return list(self._history)

    def take_log(self) -> list[LogEntry]:
        """Drain what happened in the run, and while looking at it."""
        with self._lock:
            taken, self._log = self._log, []
        return taken

    def take_events(self) -> list[Event]:
        """Events of a record are marks of its time: there are no new ones."""
        return []

    def close(self, timeout: float = 10.0) -> None:
        """End what is computed and close the file."""
        with self._lock:
            self._closed = True
        self._work.close()
        self._reader.shutdown(wait=True, cancel_futures=True)
        self.record.close()
