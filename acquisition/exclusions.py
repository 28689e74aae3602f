"""Leaving a repetition out by hand, and taking that back: in the live curves and in the file."""

from __future__ import annotations

from ..models.errors import InputError
from .live_reheating import LiveReheating
from .run import Run
from .slots import LogBook

__all__ = ["exclude", "include"]


def exclude(
    reheating: LiveReheating, run: Run | None, log: LogBook, number: int, reason: str
) -> None:
    """Leave one repetition out.

    Parameters
    ----------
    reheating : LiveReheating
        The curves.
    run : Run or None
        The run under way, which writes it into its file.
    log : LogBook
        Receives where it is left out.
    number : int
        Counted from 1, as on screen.
    reason : str
        Why.

    Raises
    ------
    InputError
        If the curves hold no such repetition, or without a reason.
    """
    if not reason.strip():
        raise InputError(f"say why repetition {number} is to be left out")
    plan = reheating.exclude(number - 1)
    recorded = run is not None and run.exclude(plan, number - 1, reason.strip())
    where = "curves and of fits of the file" if recorded else "curves; its run has been closed"
    log.add("info", f"repetition {number} left out of the {where}: {reason}")


def include(reheating: LiveReheating, run: Run | None, log: LogBook, number: int) -> None:
    """Take an exclusion by hand back; arguments as of :func:`exclude`.

    Raises
    ------
    InputError
        If it has not been left out by hand.
    """
    plan = reheating.include(number - 1)
    recorded = run is not None and run.exclude(plan, number - 1, "taken back", undone=True)
    where = "curves and in fits of the file" if recorded else "curves; its run has been closed"
    log.add("info", f"repetition {number} counts again in the {where}")
