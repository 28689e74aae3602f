"""One run: a plan carried out and recorded, and always finalised.

States: preparing → running (⇄ paused) → stopping → idle, or failed. A run is given an apparatus
and returns what happened; it writes nothing into whoever carries it out.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ..instruments.protocols import AppliedLight
from ..models.errors import InputError, OptobindError, UnstableModelError
from ..models.light import TweezerState
from .apparatus import Apparatus
from .devices import check_setups, remarks_of
from .estimates import estimate, require_memory_for, require_room
from .events import EventKind
from .finalise import Finalise
from .origin import NO_ORIGIN, RunOrigin
from .outcome import Outcome, RunOutcome, in_words
from .plans import Plan, ReheatingPlan, plan_to_dict, steps_of
from .prediction import NOTICEABLE_GROWTH, open_loop_growth
from .procedures import Aborted, run_plan
from .run_control import RunControl, RunStatus
from .run_procedure import RunProcedure
from .run_releases import RunReleases
from .timing import timing_of

if TYPE_CHECKING:  # HDF5 is loaded when a run begins
    from .recording import Recording

__all__ = ["Run", "RunOutcome"]


class Run:
    """A plan that waits for its turn, is under way, or has ended.

    Parameters
    ----------
    plan : Plan
        What to do.
    path : Path
        The run file.
    name : str
        Such as "run 3".
    origin : RunOrigin
        Where it comes from: note, seed, ….
    """

    def __init__(
        self,
        plan: Plan,
        path: Path,
        name: str = "run 1",
        origin: RunOrigin = NO_ORIGIN,
    ) -> None:
        self.name = name
        self._plan, self._path, self._origin = plan, path, origin
        self._control = RunControl()
        self._ledger = RunReleases(plan, path)
        self._recording: Recording | None = None

    # -- called from any thread ---------------------------------------------------------------

    def request_stop(self) -> None:
        """End after this repetition (a monitor: after this block)."""
        self._control.stop.set()

    def request_abort(self) -> None:
        """End after this block; finalise still runs."""
        self._control.abort.set()

    def request_pause(self, paused: bool) -> None:
        """Hold the run, feedback on, or go on; a reheating run between two repetitions."""
        pause = self._control.pause
        (pause.set if paused else pause.clear)()

    def note(self, text: str) -> bool:
        """Have a note written into the run file; False if the run is over or has none yet."""
        return self._recording is not None and self._control.note(text)

    def exclude(
        self, plan: ReheatingPlan, number: int, reason: str, *, undone: bool = False
    ) -> bool:
        """Have it written that a repetition (from 0) is to be left out, or with ``undone`` not.

        Returns
        -------
        bool
            False if the repetition is none of this run, or its file is being closed.
        """
        return self._ledger.exclude(plan, number, reason, undone=undone)

    def status(self) -> RunStatus:
        """Picture of the run."""
        recording, progress, releases = self._recording, self._control.progress, self._ledger.count
        if recording is None:
            return RunStatus(self._path, progress, releases=releases)
        return RunStatus(
            self._path,
            progress,
            recording.samples,
            recording.gaps,
            recording.lost_samples,
            releases,
        )

    # -- from beginning to end ------------------------------------------------------------------

    def carry_out(self, apparatus: Apparatus) -> RunOutcome:
        """Refuse, or record from beginning to end.

        Parameters
        ----------
        apparatus : Apparatus
            Means and listeners; in the thread of the call.

        Returns
        -------
        RunOutcome
            How it ended, the light read back, and whether feedback acts.

        Raises
        ------
        InputError, DeviceError, FileError
            If the run cannot begin.
        """
        self._refuse_impossible(apparatus)
        procedure = self._prepare(apparatus)
        assert self._recording is not None
        light: AppliedLight | None = None
        bug: BaseException | None = None
        try:
            light = self._begin(apparatus, procedure)
            whole = run_plan(procedure, self._plan)
            ending = self._ending(whole)
        except Aborted:
            ending = ("aborted", "aborted on request", 0)
        except BaseException as error:  # a bug, of a driver perhaps: finalise, then let it out
            ending = ("failed", *in_words(error))
            bug = None if isinstance(error, OptobindError) else error
        self._control.tell(state="stopping")
        end = Finalise(apparatus, procedure, self._recording, self._ledger, ending)
        end.carry_out()
        path = self._recording.path
        result = RunOutcome(
            path, end.outcome, end.reason, end.worth, end.code, light, procedure.gate.closed
        )
        apparatus.log.add(end.level, f"{self.name}: {result.words()}")
        bug = bug or end.bug
        if bug is not None:
            raise bug
        return result

    def _ending(self, whole: bool) -> tuple[Outcome, str, int]:
        """How a plan ended that was neither aborted nor failed."""
        if self._control.stop.is_set():
            return "stopped", "stopped on request", 0
        if not whole:
            return "stopped", "the record that is played ended before the plan", 0
        return "complete", "", 0

    def _refuse_impossible(self, apparatus: Apparatus) -> None:
        steps, rig = steps_of(self._plan), apparatus.rig
        if self._origin.seed is not None and rig.world is None:
            raise InputError(f"rig {rig.name} ({rig.mode}) is not simulated: it takes no seed")
        require_room(estimate(self._plan, rig.digitizer.info), self._path.parent)
        if any(isinstance(s, ReheatingPlan) for s in steps) and rig.gate is None:
            raise InputError(
                f"a reheating plan needs a feedback gate; rig {rig.name} ({rig.mode}) has none"
            )
        require_memory_for(self._plan, rig.digitizer.info)
        for step in steps:
            if isinstance(step, ReheatingPlan):
                timing_of(step, rig)
        if any(s.require_gauge for s in steps):
            apparatus.slow.require("gauge", lambda: self._control.unwanted)
        growth = apparatus.growth_at_start()
        if growth is not None and growth > 0.0 and not all(s.allow_unstable for s in steps):
            raise UnstableModelError(
                growth, "change the light or the feedback, or set plan.allow_unstable=true"
            )
        check_setups(rig, apparatus.log)

    def _prepare(self, apparatus: Apparatus) -> RunProcedure:
        """Start digitizer and recorder; what was started is stopped if that fails."""
        from .recording import Recording

        rig, seed = apparatus.rig, self._origin.seed
        if seed is not None and rig.world is not None:
            rig.world.renew(seed)
        stream = apparatus.begin_stream(lambda: self._control.unwanted)
        try:
            apparatus.slow.begin()
            self._recording = Recording(self._path, rig, self._plan, stream, seed)
        except BaseException:
            apparatus.end_stream()
            raise
        self._ledger.show_to(apparatus.listeners)
        return RunProcedure(
            apparatus, self._control, self._ledger, stream, self._recording, self.name
        )

    def _begin(self, apparatus: Apparatus, procedure: RunProcedure) -> AppliedLight | None:
        """Write what holds at the beginning, feedback on; return the light read back."""
        plan, said = plan_to_dict(self._plan), self._origin.to_dict()
        procedure.event(EventKind.RUN_START, rig=apparatus.rig.name, plan=plan, **said)
        for remark in remarks_of(apparatus.rig):
            procedure.event(EventKind.NOTE, text=remark)
        applied = apparatus.read_light()
        if applied is not None:
            sites = [asdict(site) for site in applied.state.sites]
            procedure.event(EventKind.LIGHT, sites=sites, phase_error=applied.phase_error)
            self._warn_of_growth(apparatus, procedure, applied.state)
        procedure.tell_loops()
        procedure.gate.begin()
        procedure.note_slow()
        self._control.tell(state="running")
        return applied

    def _warn_of_growth(
        self, apparatus: Apparatus, procedure: RunProcedure, light: TweezerState
    ) -> None:
        """Say what hardware has to expect: its feedback is not modelled, so nothing is refused."""
        rig = apparatus.rig
        if rig.world is not None or rig.trap is None:
            return
        growth = open_loop_growth(rig.trap, light)
        if growth is None:
            text = "the rig's model finds no particles held by this light"
        elif growth > NOTICEABLE_GROWTH:
            text = f"by the rig's model amplitudes grow at {growth:.3g} 1/s where feedback is off"
        else:
            return
        apparatus.log.add("warning", text)
        procedure.event(EventKind.NOTE, text=text)
