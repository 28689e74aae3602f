"""What a run is worth: how many releases and samples of those planned can be used.

Computed from the run file alone, so that the run's own verdict, ``optobind info`` and the fits say
the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from .ranges import Ranges
from .releases import LeftOut, ReleaseCount
from .run_digest import RunDigest, StepSpan

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


def gaps_of(stretches: Ranges, begin: int | None = None, end: int | None = None) -> Ranges:
    """Ranges of samples that are missing between stretches.

    Parameters
    ----------
    stretches : Ranges
        Samples recorded without a gap.
    begin, end : int, optional
        First sample that was taken, and one past the last, where that is known: what is missing
        before the first stretch and after the last one is a gap, too.
    """
    edges = [stretches.array]
    if begin is not None:
        edges.insert(0, np.array([[begin, begin]], np.int64))
    if end is not None:
        edges.append(np.array([[end, end]], np.int64))
    found = np.concatenate(edges)
    return Ranges.of(found[:-1, 1], found[1:, 0])  # empty ones are seams of a replayed loop


def worth_of(
    plan: Mapping[str, Any] | None,
    digest: RunDigest,
    stretches: Ranges,
    sample_rate: float,
    end: int | None = None,
) -> RunWorth:
    """Say what a run brought.

    Parameters
    ----------
    plan : mapping or None
        As the manifest keeps it.
    digest : RunDigest
        What its events say, releases judged.
    stretches : Ranges
        Samples recorded without a gap.
    sample_rate : float
        Hz.
    end : int, optional
        Samples taken, where the run's last event does not yet say so.
    """
    end = digest.end if end is None else end
    gaps = gaps_of(stretches, digest.begin, end)
    last = max([end or 0, *(stop for _, stop in stretches[-1:])])
    steps = []
    for index, step in enumerate(_steps_of(plan, digest)):
        low, high = _span(digest.steps.get(index), last)
        reheating = step.get("kind") == "reheating"
        planned = step.get("repetitions")
        steps.append(
            StepWorth(
                index,
                str(step.get("kind", "")),
                _planned_samples(step, sample_rate),
                stretches.within(low, high),
                gaps.within(low, high),
                digest.releases.count(index, None if planned is None else int(planned))
                if reheating
                else None,
            )
        )
    return RunWorth(stretches.samples, len(gaps), gaps.samples, tuple(steps))


def _steps_of(plan: Mapping[str, Any] | None, digest: RunDigest) -> list[Mapping[str, Any]]:
    """Steps of the plan; those that the events tell where the file holds no plan."""
    if plan and plan.get("kind") == "sequence":
        return list(plan.get("steps", ()))
    if plan and plan.get("kind"):
        return [plan]
    found = {index: {"kind": step.kind} for index, step in digest.steps.items()}
    return [found.get(index, {}) for index in range(max(found, default=-1) + 1)]


def _span(step: StepSpan | None, last: int) -> tuple[int, int]:
    """Samples (start, stop) of a step; it goes on to the last one where its end is not known."""
    if step is None:
        return 0, 0
    return step.start, max(step.start, last) if step.stop is None else step.stop


def _planned_samples(step: Mapping[str, Any], sample_rate: float) -> int | None:
    """Samples that a monitor was to take."""
    duration = step.get("duration")
    if step.get("kind") != "monitor" or duration is None:
        return None
    return max(1, round(float(duration) * sample_rate))
