"""What the window asks of cli, which knows rigs and configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..analysis.recorded.session import RecordedSession

__all__ = ["Services"]


@dataclass(frozen=True)
class Services:
    """Work on files, done in a thread; each raises an OptobindError with the reason.

    Attributes
    ----------
    open : callable
        Path of any record → the record as a session.
    report : callable
        Path of a run → path of its report.
    compare : callable
        Paths of two runs → what ``optobind compare --json`` says.
    """

    open: Callable[[Path], RecordedSession]
    report: Callable[[Path], Path]
    compare: Callable[[Path, Path], Mapping[str, Any]]
