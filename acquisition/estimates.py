"""How long a plan takes and how much it writes, before anything is begun."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..instruments.protocols import DigitizerInfo
from ..models.errors import InputError
from .disk_space import free_bytes
from .plans import MonitorPlan, Plan, ReheatingPlan, steps_of
from .sweeps.plan import SweepPlan
from .sweeps.points import most_points, planned_points

__all__ = ["Estimate", "estimate", "free_at", "require_room"]

# Of one run file: attributes, tables of records and what HDF5 adds.
_FILE_BYTES = 400_000
_BYTES_PER_RELEASE = 2200  # four events of 485 bytes, their checksums and the slow channel
_SHARE_OF_CHECKS = 0.005
_SECONDS_PER_RUN = 0.1  # starting and closing


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
    row = len(info.channels) * np.dtype(info.dtype).itemsize
    samples = seconds * info.sample_rate * row * (1.0 + _SHARE_OF_CHECKS)
    return seconds, _FILE_BYTES + samples + records


def _turns(plan: ReheatingPlan) -> float:
    """Time in which φ is reversed, s."""
    return plan.reversal_settling * plan.repetitions / plan.alternating if plan.alternating else 0.0


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
    (seconds, size), (longer, larger) = (_of_run(plan.inner, info, most=m) for m in (False, True))
    settling = plan.settle_time + _SECONDS_PER_RUN
    points, most = len(planned_points(plan)), most_points(plan)
    window = 2 * plan.settle_window, plan.settle_attempts * plan.settle_window
    return Estimate(
        points,
        points * (seconds + settling + window[0]),
        points * size,
        most,
        most * (longer + settling + window[1]),
        most * larger,
    )


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
            f"disk full: the plan writes {found.size / 1e6:.4g} MB, {max(0, free) / 1e6:.4g} MB "
            f"are free in {folder}: make room, choose another folder, or measure for less time or "
            "at a lower sample rate"
        )
