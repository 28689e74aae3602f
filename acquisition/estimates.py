"""How long a plan takes, and how much of disk and memory, before anything is begun."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..instruments.protocols import DigitizerInfo
from ..models.errors import InputError
from ..models.prefixes import engineering
from .disk_space import free_bytes
from .free_memory import free_memory
from .plans import MonitorPlan, Plan, ReheatingPlan, steps_of
from .sweeps.plan import SweepPlan
from .sweeps.points import Point, most_points, planned_points

__all__ = [
    "Estimate",
    "RunEstimate",
    "estimate",
    "estimate_points",
    "estimate_run",
    "free_at",
    "require_memory_for",
    "require_room",
]

# Of one run file: attributes, tables of records and what HDF5 adds.
_FILE_BYTES = 400_000
_BYTES_PER_RELEASE = 2200  # four events of 485 bytes, their checksums and the slow channel
_SHARE_OF_CHECKS = 0.005
_SECONDS_PER_RUN = 0.1  # starting and closing
# A release is held as volts, for the live display and while it is judged.
_COPIES = 3
_SHARE_OF_MEMORY = 0.5  # of what is free


@dataclass(frozen=True)
class Estimate:
    """What a plan will take.

    Attributes
    ----------
    points : int
        Runs that are known beforehand: 1, or the points of a sweep.
    seconds, size : float
        Time of these, s, and bytes; infinite where the plan ends when it is stopped.
    most_points, most_seconds, most_size : float
        With everything that may be added: repeats of lost releases, points that follow from fits.
    """

    points: int
    seconds: float
    size: float
    most_points: int
    most_seconds: float
    most_size: float


def _of_run(plan: Plan, info: DigitizerInfo, *, most: bool) -> tuple[float, float]:
    """Time of samples (s) and bytes of one run."""
    seconds, records = 0.0, 0.0
    for step in steps_of(plan):
        if isinstance(step, MonitorPlan):
            seconds += math.inf if step.duration is None else step.duration
        else:
            repetitions = step.repetitions + (step.extra if most else 0)
            seconds += repetitions * (step.cool_time + step.release_time) + _turns(step)
            records += repetitions * _BYTES_PER_RELEASE
    rate = info.sample_rate * _bytes_per_sample(info)
    samples = seconds * rate * (1.0 + _SHARE_OF_CHECKS)
    return seconds, _FILE_BYTES + samples + records


def _bytes_per_sample(info: DigitizerInfo) -> int:
    """Bytes of all channels at one instant."""
    return len(info.channels) * np.dtype(info.dtype).itemsize


def _turns(plan: ReheatingPlan) -> float:
    """Time in which φ settles after it was reversed or turned, s."""
    if plan.phase_rate > 0.0:
        return plan.repetitions * plan.reversal_settling
    if plan.alternating:
        return -(-plan.repetitions // plan.alternating) * plan.reversal_settling
    return 0.0


def estimate(plan: Plan | SweepPlan, info: DigitizerInfo) -> Estimate:
    """Say how long a plan takes at least, and how much it writes.

    Parameters
    ----------
    plan : Plan or SweepPlan
        What is to be done.
    info : DigitizerInfo
        Sample rate, channels and type of the samples.

    Returns
    -------
    Estimate
        Time of samples and of settling; what devices need to answer comes on top.
    """
    if not isinstance(plan, SweepPlan):
        (seconds, size), (longer, larger) = (_of_run(plan, info, most=m) for m in (False, True))
        return Estimate(1, seconds, size, 1, longer, larger)
    points, most = len(planned_points(plan)), most_points(plan)
    (seconds, size), (longer, larger) = _of_points(plan, plan.inner, info)
    return Estimate(points, points * seconds, points * size, most, most * longer, most * larger)


def estimate_points(plan: SweepPlan, points: Sequence[Point], info: DigitizerInfo) -> Estimate:
    """Say how long points take that have plans of their own; as :func:`estimate`."""
    seconds = size = longer = larger = 0.0
    for point in points:
        least, most = _of_points(plan, point.plan or plan.inner, info)
        seconds, size = seconds + least[0], size + least[1]
        longer, larger = longer + most[0], larger + most[1]
    return Estimate(len(points), seconds, size, len(points), longer, larger)


def _of_points(
    plan: SweepPlan, inner: Plan, info: DigitizerInfo
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Time (s) and bytes of a point, and with everything that may be repeated."""
    (seconds, size), (longer, larger) = (_of_run(inner, info, most=m) for m in (False, True))
    settling = plan.settle_time + _SECONDS_PER_RUN
    longest = plan.settle_attempts * plan.settle_window
    least = seconds + settling + 2 * plan.settle_window
    return (least, size), (longer + settling + longest, larger)


def free_at(folder: Path) -> int:
    """Bytes that may be written to a folder, which need not exist yet.

    Raises
    ------
    OSError
        If its disk cannot be looked at.
    """
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    return free_bytes(there / "run.h5")


def require_room(found: Estimate, folder: Path, spare: float = 0.0) -> None:
    """Refuse a plan that does not fit on the disk and leave ``spare`` bytes there.

    Raises
    ------
    InputError
        Says what is needed and what is free.
    """
    try:
        free = free_at(folder)
    except OSError:
        return  # the run itself will say what is wrong with this disk
    if math.isfinite(found.size) and found.size + spare > free:
        raise InputError(
            f"disk full: the plan writes {engineering(found.size, 'B')}, "
            f"{engineering(max(0, free), 'B')} are free in {folder}: make room, choose another "
            "folder, or measure for less time or at a lower sample rate"
        )


@dataclass(frozen=True)
class RunEstimate:
    """What a plan takes on a digitizer; repeats of lost releases are not counted.

    Attributes
    ----------
    seconds : float or None
        Of samples, in a sweep with settling; None for a plan that runs until stopped and for what
        follows from what is found.
    samples : int or None
        Per channel; None also for sweeps.
    size : int or None
        Bytes of the run file.
    rate : float
        Bytes a second.
    free : int or None
        Bytes by which a file can grow; None where that is not known.
    refused : str
        Why the plan cannot be started; empty if it can.
    points : int
        Of a sweep, known beforehand; 0 for one that nobody foresees.
    """

    seconds: float | None
    samples: int | None
    size: int | None
    rate: float
    free: int | None
    refused: str = ""
    points: int = 1

    @property
    def fits(self) -> bool:
        """Whether the disk holds it, as far as that is known."""
        return self.size is None or self.free is None or self.size <= self.free


def estimate_run(plan: Plan | SweepPlan, info: DigitizerInfo, folder: Path) -> RunEstimate:
    """Say what one run or sweep takes, as a window shows it.

    Parameters
    ----------
    plan : Plan or SweepPlan
        What is to be done.
    info : DigitizerInfo
        Rate, channels and type of the samples.
    folder : Path
        Where it is to be recorded; need not exist yet.

    Examples
    --------
    >>> import optobind as ob
    >>> rig = ob.load_rig("simulated-pair")
    >>> plan = ob.ReheatingPlan(repetitions=1000, cool_time=1e-3, release_time=1e-3)
    >>> found = estimate_run(plan, rig.digitizer.info, Path("."))
    >>> found.seconds, found.refused
    (2.0, '')
    """
    found, refused = estimate(plan, info), ""
    sweep = isinstance(plan, SweepPlan)
    try:
        require_memory_for(plan.inner if isinstance(plan, SweepPlan) else plan, info)
    except InputError as error:
        refused = str(error)
    try:
        free = free_at(folder)
    except OSError:
        free = None
    ends = math.isfinite(found.seconds) and found.points > 0
    return RunEstimate(
        found.seconds if ends else None,
        round(found.seconds * info.sample_rate) if ends and not sweep else None,
        round(found.size) if ends else None,
        info.sample_rate * _bytes_per_sample(info),
        free,
        refused,
        found.points,
    )


def require_memory_for(plan: Plan, info: DigitizerInfo) -> None:
    """Refuse a plan whose releases memory cannot hold, before anything is switched.

    Raises
    ------
    InputError
        Says what would fit.
    """
    longest = max(
        (s.release_time for s in steps_of(plan) if isinstance(s, ReheatingPlan)), default=0.0
    )
    bytes_per_second = 8.0 * _COPIES * info.sample_rate * len(info.channels)
    allowed = _SHARE_OF_MEMORY * free_memory()
    if longest * bytes_per_second > allowed:
        raise InputError(
            f"plan.release_time {engineering(longest, 's')} is too long: a release is held in "
            f"memory, {longest * bytes_per_second / 1e9:.3g} GB at this rate of samples, at most "
            f"{engineering(allowed / bytes_per_second, 's')} fit; record it as a monitor plan"
        )
