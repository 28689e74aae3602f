"""The end of a run: feedback on, samples drained, run judged, file closed, digitizer stopped.

Each step is tried independently, whatever the others raised; trap light is never touched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from ..models.errors import OptobindError
from .apparatus import Apparatus
from .events import EventKind
from .outcome import Outcome, attempt, in_words, verdict
from .run_procedure import RunProcedure
from .run_releases import RunReleases
from .worth import RunWorth

if TYPE_CHECKING:  # HDF5 is loaded when a run begins
    from .recording import Recording

__all__ = ["Finalise"]

_NOT_ON = "feedback could not be switched on again"


class Finalise:
    """Ends one run.

    Parameters
    ----------
    apparatus : Apparatus
        Means.
    procedure : RunProcedure
        The run's.
    recording : Recording
        The file.
    ledger : RunReleases
        Says what the run is worth.
    ending : (Outcome, str, int)
        Outcome, reason and exit code of the plan.

    Attributes
    ----------
    outcome, reason, code : Outcome, str, int
        How the run has ended.
    worth : RunWorth
        What it is worth.
    bug : BaseException or None
        The first error that is none of ours, of a driver perhaps.
    """

    def __init__(
        self,
        apparatus: Apparatus,
        procedure: RunProcedure,
        recording: Recording,
        ledger: RunReleases,
        ending: tuple[Outcome, str, int],
    ) -> None:
        self._apparatus, self._procedure = apparatus, procedure
        self._recording, self._ledger = recording, ledger
        self.outcome, self.reason, self.code = ending
        self.worth = RunWorth(recording.samples, recording.gaps, recording.lost_samples)
        self.bug: BaseException | None = None

    def carry_out(self) -> None:
        """Take all steps, in their order."""
        self._switch_on()
        steps: tuple[Callable[[], object], ...] = (
            self._recording.drain,
            self._judge,
            self._note_end,
            self._close,
            self._apparatus.end_stream,
        )
        for step in steps:
            error = attempt(step)
            if error is not None:
                self._take(error)

    def _switch_on(self) -> None:
        error = attempt(lambda: self._procedure.feedback(True))
        if error is not None:
            self._take(error, of_gate=True)
        elif _NOT_ON in self.reason:
            self.reason = f"{self.reason}; it is on again now"

    def _judge(self) -> None:
        self._procedure.write_asked(last=True)
        if self._recording.gone:
            return  # judged when it has been saved
        self.worth = self._ledger.worth(self._procedure.position)
        if self.outcome == "complete":
            self.outcome, self.reason, self.code = verdict(self.worth, self._apparatus.rig.mode)

    def _note_end(self) -> None:
        self._procedure.event(EventKind.RUN_END, outcome=self.outcome, reason=self.reason)

    def _close(self) -> None:
        self._recording.close(self.outcome, self.reason)
        if not self._recording.confirmed:
            self._apparatus.log.add(
                "warning",
                f"the disk has not confirmed that it holds all of {self._recording.path}: leave "
                "this computer switched on until it has come to rest",
            )
        if self._recording.gone:
            self.worth = self._ledger.worth(self._procedure.position, self._recording.path)

    def _take(self, error: BaseException, *, of_gate: bool = False) -> None:
        """Say what went wrong with a step; it makes a run failed that had not failed yet."""
        text, code = in_words(error)
        if not isinstance(error, OptobindError):
            self.bug = self.bug or error
        if of_gate and _NOT_ON not in text:
            text = f"{_NOT_ON}: {text}"
        self._apparatus.log.add("error", text)
        if self.outcome != "failed":
            self.outcome, self.code = "failed", code
        if text not in self.reason and not (of_gate and _NOT_ON in self.reason):
            self.reason = f"{self.reason}; {text}" if self.reason else text

    @property
    def level(self) -> Literal["info", "error"]:
        """Of the line in the log."""
        return "error" if self.outcome in ("failed", "incomplete") else "info"
