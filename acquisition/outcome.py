"""How a run ended, in words and numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..instruments.protocols import AppliedLight
from ..models.errors import DeviceError, OptobindError
from .worth import RunWorth

__all__ = ["Outcome", "RunOutcome", "attempt", "in_words", "verdict"]

Outcome = Literal["complete", "incomplete", "stopped", "aborted", "failed"]


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Attributes
    ----------
    path : Path
        The run file; closed, complete up to the end of the run.
    outcome : {"complete", "incomplete", "stopped", "aborted", "failed"}
        Why it ended; "incomplete" came to its end and lost more than 1 %, see :mod:`.worth`.
    reason : str
        In words; empty when complete.
    worth : RunWorth
        What of the plan can be used, as the run file says.
    exit_code : int
        0, 4 when incomplete, or that of the error that ended the run.
    light : AppliedLight or None
        The light read back when the run began; None without light control.
    feedback : bool or None
        Whether feedback acts since; None when that is not known, or without a gate.
    """

    path: Path
    outcome: Outcome
    reason: str
    worth: RunWorth
    exit_code: int = 0
    light: AppliedLight | None = None
    feedback: bool | None = None

    @property
    def samples(self) -> int:
        """Samples recorded."""
        return self.worth.samples

    @property
    def gaps(self) -> int:
        """Number of gaps."""
        return self.worth.gaps

    @property
    def lost_samples(self) -> int:
        """Samples lost in the gaps."""
        return self.worth.lost_samples

    def place(self) -> str:
        """Say where the samples are, or that somebody has taken the file away."""
        if self.path.exists():
            return f"{self.samples} samples are kept in {self.path}"
        return f"nothing is kept: {self.path} was removed or renamed by somebody else"

    def words(self) -> str:
        """Say how it ended, where the record is, what of the plan can be used, and why."""
        parts = [f"{self.outcome}, {self.place()}"]
        said = self.worth.words()
        if said and not self.reason.startswith(said):
            parts.append(said)
        if self.reason:
            parts.append(self.reason)
        return "; ".join(parts)


def verdict(worth: RunWorth, mode: str) -> tuple[Outcome, str, int]:
    """Outcome, reason and exit code of a run that came to the end of its plan."""
    if not worth.incomplete:
        return "complete", "", 0
    remedy = worth.remedy(mode)
    reason = f"{worth.words()}; {remedy}" if remedy else worth.words()
    return "incomplete", reason, DeviceError.exit_code


def attempt(step: Callable[[], object]) -> BaseException | None:
    """Do one step of finalise; whatever a driver raises, SystemExit too, the next must follow."""
    try:
        step()
    except BaseException as error:
        return error
    return None


def in_words(error: BaseException) -> tuple[str, int]:
    """Text and exit code of an error; anything but our own errors is a bug."""
    if isinstance(error, OptobindError):
        return str(error), error.exit_code
    return f"internal error: {error!r}", 1
