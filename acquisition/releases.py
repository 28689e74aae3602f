"""Is this release usable: one judgement and one count, for a run under way and for its file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .ranges import Range, Ranges
from .release_setting import AS_SET, Setting

__all__ = [
    "Evidence",
    "LeftOut",
    "Release",
    "ReleaseCount",
    "count_releases",
    "counted_releases",
    "judge",
    "rail_of",
    "reaches_rail",
]


class LeftOut(StrEnum):
    """Why a release cannot be used; the order is that in which it is said."""

    LOST_SAMPLES = "lost_samples"
    SATURATED = "saturated"
    PARTICLE_LOST = "particle_lost"
    GATE = "gate"
    EXCLUDED = "excluded"
    CUT_SHORT = "cut_short"


_COUNTED = {
    LeftOut.LOST_SAMPLES: "after lost samples",
    LeftOut.SATURATED: "saturated",
    LeftOut.PARTICLE_LOST: "after a lost particle",
    LeftOut.GATE: "after a failure of the gate",
    LeftOut.EXCLUDED: "excluded by hand",
    LeftOut.CUT_SHORT: "cut short",
}
_REASONS = {
    LeftOut.LOST_SAMPLES: "samples were lost: gap in the record",
    LeftOut.SATURATED: "detector saturated",
    LeftOut.PARTICLE_LOST: "particle lost",
    LeftOut.CUT_SHORT: "not recorded to its end",
}


@dataclass(frozen=True)
class Release:
    """One stretch with feedback off.

    Attributes
    ----------
    repetition : int
        Number within its step, from 0; a repeat of a lost one has a number of its own.
    first_sample : int
        Index of the first sample with feedback off.
    samples : int
        Number of samples.
    step : int
        Index of the plan's step.
    excluded : str or None
        Why it cannot be used, in words.
    why : LeftOut or None
        The same as a kind; None for a usable release.
    repeats : int or None
        Number of the lost repetition of which this is a repeat.
    setting : Setting
        The light, against what was set.
    """

    repetition: int
    first_sample: int
    samples: int
    step: int = 0
    excluded: str | None = None
    why: LeftOut | None = None
    repeats: int | None = None
    setting: Setting = AS_SET

    @property
    def phase(self) -> float:
        """What was added to φ as it was set, rad."""
        return self.setting.phase

    @property
    def end_sample(self) -> int:
        """Index one past the last sample."""
        return self.first_sample + self.samples

    def left_out(self, why: LeftOut, words: str | None = None) -> Release:
        """Return the same release with the reason why it cannot be used."""
        return replace(self, why=why, excluded=_REASONS[why] if words is None else words)

    def taken_back(self) -> Release:
        """Return the same release without its exclusion by hand; other verdicts stay."""
        return replace(self, why=None, excluded=None) if self.why is LeftOut.EXCLUDED else self


@dataclass(frozen=True)
class Evidence:
    """What is known of the samples.

    Attributes
    ----------
    covered : callable
        Whether samples (start, stop) are there without a gap.
    end_sample : int
        Index one past the last sample that is there.
    at_rail : callable
        Whether, of a saturated block (start, stop), the samples (start, stop) reach the rail.
    saturated : Ranges
        Blocks that are known to saturate.
    particle_lost : int or None
        Sample from which a particle is known to be lost.
    """

    covered: Callable[[int, int], bool]
    end_sample: int
    at_rail: Callable[[Range, int, int], bool]
    saturated: Ranges = field(default_factory=Ranges)
    particle_lost: int | None = None


def judge(release: Release, evidence: Evidence) -> Release:
    """Return the release with what speaks against it.

    What happened to the samples counts before an exclusion by hand.
    """
    if release.why is LeftOut.CUT_SHORT:
        return release
    start, stop = release.first_sample, release.end_sample
    lost = evidence.particle_lost
    # The event stands at the beginning of the block that showed the loss.
    if lost is not None and stop >= lost:
        return release.left_out(LeftOut.PARTICLE_LOST)
    if not (start < stop and evidence.covered(start, stop)):
        end = evidence.end_sample
        cut = start >= stop or (stop > end and (start >= end or evidence.covered(start, end)))
        return release.left_out(LeftOut.CUT_SHORT if cut else LeftOut.LOST_SAMPLES)
    blocks = evidence.saturated.overlapping(start, stop) if len(evidence.saturated) else ()
    for block in blocks:
        if evidence.covered(*block) and evidence.at_rail(block, start, stop):
            return release.left_out(LeftOut.SATURATED)
    return release


def rail_of(block: NDArray[Any]) -> float:
    """Return the value from which on samples of a saturated block, stored counts, are at a rail."""
    if block.size == 0:
        return math.inf
    rail = _largest(block)
    # An int16 converter's ends differ by one count.
    return rail - (1.0 if block.dtype == np.int16 else 1e-4 * rail)


def reaches_rail(inside: NDArray[Any], rail: float) -> bool:
    """Whether a part of a saturated block reaches its rail, of :func:`rail_of`."""
    return inside.size > 0 and _largest(inside) >= rail


def _largest(counts: NDArray[Any]) -> float:
    """Largest absolute value; that of −32768 is no int16."""
    return float(np.maximum(float(counts.max()), -float(counts.min())))


@dataclass(frozen=True)
class ReleaseCount:
    """How many releases were planned, made and can be used.

    Attributes
    ----------
    planned : int
        Repetitions of the plan.
    made : int
        Releases begun, repeats of lost ones among them.
    usable : int
        Those that enter curves and fits.
    left_out : mapping of LeftOut to int
        The others, by reason; what did not occur is left out.
    repeated : int
        Repeats of lost ones, part of ``made``.
    """

    planned: int = 0
    made: int = 0
    usable: int = 0
    left_out: Mapping[LeftOut, int] = field(default_factory=dict)
    repeated: int = 0

    @property
    def missing(self) -> int:
        """Planned releases that are not there to be used, those excluded by hand not counted."""
        return max(0, self.planned - self.usable - self.left_out.get(LeftOut.EXCLUDED, 0))

    @property
    def not_made(self) -> int:
        """Planned releases that were not begun."""
        return max(0, self.planned - (self.made - self.repeated))

    def __add__(self, other: ReleaseCount) -> ReleaseCount:
        """Count of two steps together."""
        both = Counter(dict(self.left_out)) + Counter(dict(other.left_out))
        return ReleaseCount(
            self.planned + other.planned,
            self.made + other.made,
            self.usable + other.usable,
            {why: both[why] for why in LeftOut if both[why]},
            self.repeated + other.repeated,
        )

    def words(self, *, so_far: bool = False) -> str:
        """Say it: "64 of 1000 releases usable (936 after lost samples)".

        With ``so_far``, of a run under way, what is still to come is not said.
        """
        parts = [f"{count} {_COUNTED[why]}" for why, count in self.left_out.items()]
        if self.not_made and not so_far:
            parts.append(f"{self.not_made} not made")
        if self.repeated:
            parts.append(f"{self.repeated} repeat{'s' if self.repeated > 1 else ''} made")
        text = f"{self.usable} of {self.planned} releases usable"
        return f"{text} ({', '.join(parts)})" if parts else text

    def used(self) -> str:
        """Say what enters curves and fits: "39 used, 1 left out (1 excluded by hand)"."""
        text = f"{self.usable} used"
        if not self.left_out:
            return text
        parts = [f"{count} {_COUNTED[why]}" for why, count in self.left_out.items()]
        return f"{text}, {sum(self.left_out.values())} left out ({', '.join(parts)})"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "planned": self.planned,
            "made": self.made,
            "usable": self.usable,
            "repeated": self.repeated,
            "left_out": {why.value: count for why, count in self.left_out.items()},
        }


def count_releases(releases: Iterable[Release], planned: int | None = None) -> ReleaseCount:
    """Count judged releases.

    Parameters
    ----------
    releases : iterable of Release
        Judged.
    planned : int, optional
        Repetitions of the plan; where it is not known, those made but for repeats.
    """
    reasons: Counter[LeftOut | None] = Counter()
    repeated = 0
    for release in releases:
        repeated += release.repeats is not None
        reasons[release.why] += 1
    return counted_releases(reasons, repeated, planned)


def counted_releases(
    reasons: Mapping[LeftOut | None, int], repeated: int, planned: int | None = None
) -> ReleaseCount:
    """Make the count of how many there are of each verdict, None for usable ones.

    Parameters
    ----------
    reasons : mapping of LeftOut or None to int
        Number of releases of each verdict.
    repeated : int
        How many of them are repeats of lost ones.
    planned : int, optional
        As of :func:`count_releases`.
    """
    made = sum(reasons.values())
    left_out = {why: reasons[why] for why in LeftOut if reasons.get(why, 0)}
    return ReleaseCount(
        made - repeated if planned is None else planned,
        made,
        reasons.get(None, 0),
        left_out,
        repeated,
    )
