"""What a run is worth: how many releases and samples of those planned can be used.

Computed from the run file alone, so that the run's own verdict, ``optobind info`` and the fits say
the same numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from .events import Event, EventKind
from .releases import LeftOut, Release, ReleaseCount, count_releases

__all__ = ["MAX_LOST_SHARE", "RunWorth", "StepWorth", "gaps_of", "worth_of"]

MAX_LOST_SHARE = 0.01
"""Of the releases, or a monitor's samples: a run that lost more is not complete."""


@dataclass(frozen=True)
class StepWorth:
    """What one step of the plan brought.

    Attributes
    ----------
    index : int
        Number of the step, from 0.
    kind : str
        "monitor" or "reheating".
    planned_samples : int or None
        Samples that a monitor was to take; None until stopped, and for reheating.
    samples, lost_samples : int
        Recorded within the step, and lost there.
    releases : ReleaseCount or None
        Of a reheating step.
    """

    index: int
    kind: str
    planned_samples: int | None
    samples: int
    lost_samples: int
    releases: ReleaseCount | None

    @property
    def lost_share(self) -> float:
        """Share of the planned releases, or of the samples taken, that is missing; 0 … 1."""
        if self.releases is not None:
            return self.releases.missing / max(1, self.releases.planned)
        return self.lost_samples / max(1, self.samples + self.lost_samples)

    @property
    def incomplete(self) -> bool:
        """Whether so much is missing that the step cannot be called complete."""
        return self.lost_share > MAX_LOST_SHARE

    def words(self) -> str:
        """Say what the step brought; empty for a monitor that misses nothing."""
        if self.releases is not None:
            return self.releases.words()
        planned = self.planned_samples
        short = planned is not None and self.samples + self.lost_samples < planned
        parts = [f"{self.samples} of {planned} samples taken"] if short else []
        if self.lost_samples:
            percent = f"{100.0 * self.lost_share:.3g} %"
            parts.append(f"{self.lost_samples} samples lost ({percent} of those taken)")
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "index": self.index,
            "kind": self.kind,
            "planned_samples": self.planned_samples,
            "samples": self.samples,
            "lost_samples": self.lost_samples,
            "releases": None if self.releases is None else self.releases.to_dict(),
        }


@dataclass(frozen=True)
class RunWorth:
    """What a run brought.

    Attributes
    ----------
    samples : int
        In the file.
    gaps, lost_samples : int
        Number of gaps, and samples lost in them.
    steps : tuple of StepWorth
        One for each step of the plan, in its order.
    """

    samples: int
    gaps: int
    lost_samples: int
    steps: tuple[StepWorth, ...] = ()

    @property
    def releases(self) -> ReleaseCount | None:
        """Releases of all steps; None for a run that was to make none."""
        counts = [step.releases for step in self.steps if step.releases is not None]
        return reduce(add, counts) if counts else None

    @property
    def incomplete(self) -> bool:
        """Whether a step lost more than :data:`MAX_LOST_SHARE`."""
        return any(step.incomplete for step in self.steps)

    def words(self) -> str:
        """Say what there is to be said, step by step; empty when nothing was lost of a monitor."""
        said = [(step, step.words()) for step in self.steps]
        parts = [
            f"step {step.index + 1}: {text}" if len(self.steps) > 1 else text
            for step, text in said
            if text
        ]
        if self.gaps:
            parts.append(f"{counted(self.gaps, 'gap')}, {self.lost_samples} samples lost in all")
        return "; ".join(parts)

    def remedy(self, mode: str) -> str:
        """Say what to do about what was lost; empty where nothing was."""
        lost = self.lost_samples > 0
        left_out = {} if self.releases is None else self.releases.left_out
        parts = []
        if lost and mode == "REPLAY":
            parts.append("the record that is played has these gaps")
        elif lost:
            slower = "or let simulated time wait (simulation.clock=fast)" if mode == "SIM" else ""
            parts.append(
                "close other programs, record on a local disk or lower the sample rate"
                f"{', ' + slower if slower else ''}, then run the plan again"
            )
        if left_out.get(LeftOut.SATURATED, 0):
            parts.append("lower the gain of the detector or the motion, or check the feedback")
        if left_out.get(LeftOut.GATE, 0):
            parts.append("check the link and the power of the feedback gate")
        return "; ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values: ``gaps`` is a number of gaps, ``lost_samples`` what they hold."""
        releases = self.releases
        return {
            "samples": self.samples,
            "gaps": self.gaps,
            "lost_samples": self.lost_samples,
            "releases": None if releases is None else releases.to_dict(),
            "steps": [step.to_dict() for step in self.steps],
        }


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: "1 gap", "3 gaps"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def gaps_of(
    stretches: Sequence[tuple[int, int]], begin: int | None = None, end: int | None = None
) -> list[tuple[int, int]]:
    """Ranges (start, stop) of samples that are missing between stretches.

    Parameters
    ----------
    stretches : sequence of (int, int)
        Samples (start, stop) recorded without a gap, in order.
    begin, end : int, optional
        First sample that was taken, and one past the last, where that is known: what is missing
        before the first stretch and after the last one is a gap, too.
    """
    edges = [*stretches]
    if begin is not None:
        edges.insert(0, (begin, begin))
    if end is not None:
        edges.append((max(end, edges[-1][1] if edges else end),) * 2)
    found = ((a[1], b[0]) for a, b in itertools.pairwise(edges))
    return [gap for gap in found if gap[1] > gap[0]]  # 0: the seam of a replayed loop


def worth_of(
    plan: Mapping[str, Any] | None,
    events: Sequence[Event],
    stretches: Sequence[tuple[int, int]],
    releases: Sequence[Release],
    sample_rate: float,
    end: int | None = None,
) -> RunWorth:
    """Say what a run brought.

    Parameters
    ----------
    plan : mapping or None
        As the manifest keeps it.
    events : sequence of Event
        In the order of their samples.
    stretches : sequence of (int, int)
        Samples (start, stop) recorded without a gap, in order.
    releases : sequence of Release
        Judged.
    sample_rate : float
        Hz.
    end : int, optional
        Samples taken, where the run's last event does not yet say so.
    """
    begin = next((e.sample for e in events if e.kind is EventKind.RUN_START), None)
    if end is None:
        end = next((e.sample for e in events if e.kind is EventKind.RUN_END), None)
    gaps = gaps_of(stretches, begin, end)
    last = max([end or 0, *(stop for _, stop in stretches[-1:])])
    spans = _spans(events, last)
    made: dict[int, list[Release]] = {}
    for release in releases:
        made.setdefault(release.step, []).append(release)
    steps = []
    for index, step in enumerate(_steps_of(plan, events)):
        low, high = spans.get(index, (0, 0))
        reheating = step.get("kind") == "reheating"
        planned = step.get("repetitions")
        steps.append(
            StepWorth(
                index,
                str(step.get("kind", "")),
                _planned_samples(step, sample_rate),
                _within(stretches, low, high),
                _within(gaps, low, high),
                count_releases(made.get(index, ()), None if planned is None else int(planned))
                if reheating
                else None,
            )
        )
    samples = sum(stop - start for start, stop in stretches)
    return RunWorth(samples, len(gaps), sum(b - a for a, b in gaps), tuple(steps))


def _steps_of(plan: Mapping[str, Any] | None, events: Sequence[Event]) -> list[Mapping[str, Any]]:
    """Steps of the plan; those that the events tell where the file holds no plan."""
    if plan and plan.get("kind") == "sequence":
        return list(plan.get("steps", ()))
    if plan and plan.get("kind"):
        return [plan]
    begun = (e for e in events if e.kind is EventKind.STEP_START)
    found = {int(e.payload.get("index", 0)): {"kind": e.payload.get("kind")} for e in begun}
    return [found.get(index, {}) for index in range(max(found, default=-1) + 1)]


def _spans(events: Sequence[Event], last: int) -> dict[int, tuple[int, int]]:
    """Samples (start, stop) of each step that was begun."""
    spans: dict[int, tuple[int, int]] = {}
    for event in events:
        index = int(event.payload.get("index", 0))
        if event.kind is EventKind.STEP_START:
            spans[index] = (event.sample, max(event.sample, last))
        elif event.kind is EventKind.STEP_END and index in spans:
            spans[index] = (spans[index][0], max(spans[index][0], event.sample))
    return spans


def _within(ranges: Sequence[tuple[int, int]], low: int, high: int) -> int:
    """Samples that ranges and low … high have in common."""
    return sum(max(0, min(stop, high) - max(start, low)) for start, stop in ranges)


def _planned_samples(step: Mapping[str, Any], sample_rate: float) -> int | None:
    """Samples that a monitor was to take."""
    duration = step.get("duration")
    if step.get("kind") != "monitor" or duration is None:
        return None
    return max(1, round(float(duration) * sample_rate))
