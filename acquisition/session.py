"""A session: the façade that the command line and the window work on.

Free of any GUI toolkit, safe to call from any thread, and never waiting: commands return futures,
snapshots are the newest that there are.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..instruments.protocols import AppliedLight
from ..instruments.rig import Rig
from ..models.errors import InputError
from ..models.light import TweezerState
from . import commands, exclusions
from .apparatus import Listeners
from .devices import disconnect
from .estimates import RunEstimate, estimate_run
from .events import Event, EventKind
from .fit_process import NO_WORKER, FitProcess
from .live import LiveAnalysis
from .live_reheating import LiveReheating
from .live_track import LiveTracker
from .origin import NO_ORIGIN, RunOrigin
from .outcome import RunOutcome
from .plans import Plan, ReheatingPlan
from .prediction import LightPrediction
from .releases import Release
from .runner import Runner
from .session_loops import SessionLoops
from .session_status import DiskLeft
from .slots import LogBook
from .slow_pace import Pace
from .stream import Stream

if TYPE_CHECKING:
    from .sweeps.plan import SweepPlan

__all__ = ["RELEASE_PHRASE", "Session", "new_run_path"]

RELEASE_PHRASE = "release particles"
"""What must be typed to switch the trap light off."""


def new_run_path(directory: Path, kind: str) -> Path:
    """Return ``directory/<date>-<time>-<kind>/run.h5``, not existing yet (no colon: Windows)."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    for number in range(1000):
        suffix = f"-{number}" if number else ""
        folder = directory / f"{stamp}-{kind}{suffix}"
        if not folder.exists():
            return folder / "run.h5"
    raise InputError(f"{directory} holds a thousand runs of this second: choose another folder")


class Session(SessionLoops):
    """An experiment on one rig.

    Parameters
    ----------
    rig : Rig
        The devices; not connected yet.
    run_directory : Path
        Where runs without a path of their own are recorded.
    live_fits : bool
        Fit live spectra and reheating curves, in a process of its own.
    block_seconds : float
        Longest block, s.
    spectrum_segment : int or None
        Samples per segment of the live spectrum; None for one that resolves the lines.
    slow_pace : Pace or None
        When slow devices (the gauge) are asked; None for every 2 s.

    Examples
    --------
    >>> import optobind as ob
    >>> session = ob.Session(ob.load_rig("simulated-pair"), live_fits=False)
    >>> session.connect().result()
    >>> run = session.start(ob.MonitorPlan(duration=0.1)).result()
    >>> session.close()
    >>> run.outcome, run.path.name
    ('complete', 'run.h5')
    """

    def __init__(
        self,
        rig: Rig,
        *,
        run_directory: Path = Path("runs"),
        live_fits: bool = True,
        block_seconds: float = 0.02,
        spectrum_segment: int | None = None,
        slow_pace: Pace | None = None,
    ) -> None:
        self.rig = rig
        self.run_directory = run_directory
        self._log = LogBook()
        self._events: deque[Event] = deque(maxlen=5000)
        self._fits = FitProcess(self._on_lost_fits) if live_fits else None
        self._live = LiveAnalysis(rig, self._log, self._fits, spectrum_segment)
        self._tracker = LiveTracker(self._live)
        self._reheating = LiveReheating(rig, self._fits)
        self._prediction = LightPrediction(rig)
        self._preview = LightPrediction(rig)  # of its own: the light that is set stays known
        self._disk = DiskLeft(run_directory)
        self._closed = threading.Event()
        self._at_close: list[Callable[[], object]] = []
        listeners = Listeners(
            on_stream=self._on_stream,
            on_event=self._on_event,
            on_change=self._on_change,
            on_repetition=self._on_repetition,
            on_releases=self._reheating.judged,
        )
        self._runner = Runner(
            rig, self._log, listeners, block_seconds=block_seconds, pace=slow_pace
        )
        self._runner.start()

    # -- commands -------------------------------------------------------------------------------

    def connect(self) -> Future[None]:
        """Connect every device and read its state; writes nothing."""
        if self._fits is not None:
            self._fits.start()
        return self._runner.submit(commands.connect)

    def disconnect(self) -> Future[None]:
        """Disconnect every device; outputs stay as they are."""
        return self._runner.submit(commands.disconnect)

    def stream(self, on: bool) -> Future[None]:
        """Start or stop the live display without recording."""
        return self._runner.submit(commands.set_streaming(on))

    def set_light(
        self, state: TweezerState, *, allow_untrapped: bool = False
    ) -> Future[AppliedLight]:
        """Set the light while samples go on being read; one change after the other.

        Light that is not allowed, or while a run holds the knobs, is refused (InputError) and
        nothing sent; where the rig's model finds no particles held (NotTrappedError), unless
        ``allow_untrapped``. After any other failure :meth:`light` says what is.
        """
        command = commands.set_light(state, allow_untrapped=allow_untrapped)
        return self._runner.submit(command)

    def check_way(self, start: TweezerState | None, goal: TweezerState) -> Future[None]:
        """Fail with InputError if light, or the way to it, is not allowed; sends nothing.

        ``start`` None is the light that is.
        """
        return self._runner.submit(commands.check_way(start, goal))

    def set_feedback(self, closed: bool) -> Future[None]:
        """Switch feedback cooling; refused while a run holds the gate."""
        return self._runner.submit(commands.set_feedback(closed))

    @property
    def gate_trouble(self) -> str:
        """The line "GATE STILL OPEN …" while feedback cannot be switched on, else empty.

        It is tried again in the background until it succeeds or :meth:`give_up_feedback`.
        """
        return self._runner.state().gate.trouble

    def give_up_feedback(self) -> None:
        """End trying to switch feedback on again, as the user wishes; a guardian goes on."""
        self._runner.give_up_feedback()

    def release_particles(self, confirm: str) -> Future[None]:
        """Switch all trap light off, ending a change that is under way; no fault ever lowers it.

        Parameters
        ----------
        confirm : str
            Exactly "release particles".

        Raises
        ------
        InputError
            For any other phrase; the future fails while a run holds the light.
        """
        if confirm != RELEASE_PHRASE:
            raise InputError(
                f"to switch the trap light off, confirm with {RELEASE_PHRASE!r}, got {confirm!r}; "
                "nothing was changed"
            )
        return self._runner.submit(commands.release_particles)

    def reload_particles(self) -> Future[None]:
        """Put lost particles of a simulated rig back into their traps.

        The future fails with InputError on hardware, while a run holds the rig or when no particle
        is lost, with NotTrappedError where the light does not hold them.
        """
        return self._runner.submit(commands.reload_particles)

    def exclude_repetition(self, number: int, reason: str) -> None:
        """Leave one repetition, counted from 1, out of the reheating curves; the record keeps it.

        Its reason is recorded while the run is under way: fits of the file leave it out, too.
        Without a reason, or for a repetition that was not done, InputError.
        """
        run = self._runner.state().run
        exclusions.exclude(self._reheating, run, self._log, number, reason)

    def include_repetition(self, number: int) -> None:
        """Take an exclusion by hand back: the repetition counts again, in the file as well.

        Parameters
        ----------
        number : int
            Counted from 1, as on screen.

        Raises
        ------
        InputError
            If it has not been left out by hand.
        """
        exclusions.include(self._reheating, self._runner.state().run, self._log, number)

    def estimate(self, plan: Plan | SweepPlan) -> RunEstimate:
        """What a run or sweep takes; looks at the disk, DeviceError while no rate is known."""
        return estimate_run(plan, self.rig.digitizer.info, self.run_directory)

    def start(
        self, plan: Plan, out: Path | None = None, origin: RunOrigin | None = None
    ) -> Future[RunOutcome]:
        """Start a run; the future resolves when it has ended.

        Parameters
        ----------
        plan : Plan
            What to do.
        out : Path or None
            The run file; None for a new folder under ``run_directory``.
        origin : RunOrigin or None
            What the file is to say of where the run comes from; its seed begins a simulated
            world anew.
        """
        path = new_run_path(self.run_directory, plan.kind) if out is None else out
        return self._runner.submit_plan(plan, path, NO_ORIGIN if origin is None else origin)

    def stop_after_repetition(self) -> None:
        """End the run in good order, also one that is yet to begin; does not wait."""
        for run in self._runner.runs():
            run.request_stop()

    def abort(self) -> None:
        """End the run now; feedback goes on, the file is closed. Does not wait."""
        for run in self._runner.runs():
            run.request_abort()

    def pause(self) -> None:
        """Hold the run, feedback on: at once, a reheating between two repetitions.

        What is recorded meanwhile is in the file and does not count for the plan; it lies between
        the notes "paused" and "resumed". Also holds a run that is yet to begin.
        """
        for run in self._runner.runs():
            run.request_pause(True)

    def resume(self) -> None:
        """Go on with a paused run."""
        for run in self._runner.runs():
            run.request_pause(False)

    def set_fit(
        self,
        *,
        model: str = "pair",
        band: tuple[float, float] | None = None,
        channels: tuple[int, ...] | None = None,
        vary: Mapping[str, bool] | None = None,
        exclude: tuple[tuple[float, float], ...] = (),
    ) -> None:
        """Choose what the live fit does: model, band (Hz), columns, and which parameters vary.

        ``exclude`` are ranges (Hz) that it leaves out, such as that of a tone.
        """
        self._live.configure(
            model=model, band=band, channels=channels, vary=vary or {}, exclude=exclude
        )

    def note(self, text: str) -> None:
        """Have a line written into the log and among the events, of a run also into its file.

        Raises
        ------
        InputError
            If it says nothing.
        """
        if not text.strip():
            raise InputError("a note is empty: say what is to be noted")
        run = self._runner.state().run
        if run is not None and run.note(text.strip()):
            self._log.add("info", text.strip())
        else:
            self._runner.submit(commands.note(text.strip()))

    def set_tracking(self, on: bool) -> None:
        """Switch the live trajectories."""
        self._tracker.enable(on)

    def close(self, timeout: float = 40.0) -> None:
        """End everything in good order; trap light stays, feedback is on.

        ``timeout`` (s) is longer than the recorder may take for its last blocks.
        """
        if self._closed.is_set():
            return
        self._closed.set()
        try:
            self._close(timeout)
        finally:
            self._tell_closed()

    def at_close(self, callback: Callable[[], object]) -> None:
        """Have something done when the session has been closed, or now if it is; must not raise."""
        self._at_close.append(callback)
        if self._closed.is_set():
            self._tell_closed()

    def _tell_closed(self) -> None:
        while self._at_close:
            self._at_close.pop()()

    def _close(self, timeout: float) -> None:
        self._runner.request_close()
        ended = self._runner.join(timeout)
        self._reheating.close()
        self._tracker.leave()
        self._live.leave()
        if self._fits is not None:
            self._fits.close()
        if not ended:  # it still owns the devices
            self._log.add("error", f"a device or the disk did not answer within {timeout:g} s")
            return
        leaving = threading.Thread(  # what is still connected; slow ones belong to their threads
            target=disconnect, args=(self.rig, self._log), name="disconnect", daemon=True
        )
        leaving.start()
        leaving.join(timeout)
        if leaving.is_alive():
            self._log.add("error", f"a device did not disconnect within {timeout:g} s")

    # -- wiring ---------------------------------------------------------------------------------

    def _on_stream(self, stream: Stream | None) -> None:
        for follower in (self._tracker, self._live):
            if stream is None:
                follower.leave()
            else:
                follower.follow(stream.ring, stream.info.sample_rate)

    def _on_lost_fits(self, replaced: bool) -> None:
        if replaced:
            lost = "the process of the live fits ended (killed, or short of memory)"
            self._log.add("warning", f"{lost}: a new one takes over")
        else:
            self._log.add("error", NO_WORKER)
        self._live.fits_lost(replaced)

    def _on_change(self, sample: int) -> None:
        """A set-point changed at ``sample``: the live average begins anew there."""
        self._live.restart_average(sample)

    def _on_event(self, event: Event) -> None:
        self._events.append(event)
        self._log.tell(event)
        ends = event.kind is EventKind.STEP_END and event.payload.get("kind") == "reheating"
        if ends or event.kind is EventKind.RUN_END:
            self._reheating.finish()

    def _on_repetition(
        self, volts: NDArray[np.float64], plan: ReheatingPlan, release: Release
    ) -> None:
        self._reheating.add(volts, self.rig.digitizer.info.sample_rate, plan, release)
