"""What says which point of a sweep is next: its plan, a seek, or a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ...instruments.rig import Rig
from .folder import SweepHeader
from .plan import SweepPlan
from .points import Point, next_point
from .programs.course import Pause, Program, WantedFit, beginning_of
from .programs.plan import ProgramPlan
from .rows import Row
from .seek_plan import SeekPlan
from .seeking import Seeker, Verdict

__all__ = ["Source", "source_of"]


class Source(Protocol):
    """Says what is next; a pure function of the rows, but for pauses of a program."""

    def next(self, rows: Sequence[Row]) -> Point | WantedFit | Pause | None:
        """What follows the rows; None when the sweep is whole.

        Raises
        ------
        InputError
            If that cannot be said.
        """
        ...

    def made(self) -> None:
        """Say that the pause which was returned last has been made."""
        ...

    def close(self) -> None:
        """Nothing more is asked."""
        ...

    def verdict(self, rows: Sequence[Row]) -> Verdict | None:
        """How a seek stands; None for others."""
        ...


@dataclass(frozen=True)
class _Planned:
    """Points of a plan."""

    plan: SweepPlan

    def next(self, rows: Sequence[Row]) -> Point | None:
        return next_point(self.plan, rows)

    def made(self) -> None:
        pass

    def close(self) -> None:
        pass

    def verdict(self, rows: Sequence[Row]) -> None:
        return None


@dataclass(frozen=True)
class _Sought:
    """Points of a seek."""

    seeker: Seeker

    def next(self, rows: Sequence[Row]) -> Point | None:
        return self.seeker.next_point(rows)

    def made(self) -> None:
        pass

    def close(self) -> None:
        pass

    def verdict(self, rows: Sequence[Row]) -> Verdict:
        return self.seeker.verdict(rows)


def source_of(header: SweepHeader, rig: Rig) -> Source:
    """Return what says which point of a sweep is next.

    Raises
    ------
    InputError
        If the rig cannot be used for it.
    """
    if isinstance(header.plan, SeekPlan):
        return _Sought(Seeker(header, rig))
    if isinstance(header.plan, ProgramPlan):
        return Program(header.plan, beginning_of(header.plan, header.light))
    return _Planned(header.plan)
