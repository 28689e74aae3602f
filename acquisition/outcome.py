"""How a run ended, in words and numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..models.errors import OptobindError

__all__ = ["Outcome", "RunOutcome", "attempt", "in_words"]

Outcome = Literal["complete", "stopped", "aborted", "failed"]


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended.

    Attributes
    ----------
    path : Path
        The run file; closed, complete up to the end of the run.
    outcome : {"complete", "stopped", "aborted", "failed"}
        Why it ended.
    reason : str
        In words; empty when complete.
    samples, gaps : int
        Samples recorded and samples lost.
    exit_code : int
        0, or that of the error that ended the run.
    """

    path: Path
    outcome: Outcome
    reason: str
    samples: int
    gaps: int
    exit_code: int = 0


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
