"""What a run will take before it is started: time, samples, room on the disk and in memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..instruments.protocols import DigitizerInfo
from ..models.errors import InputError
from ..models.prefixes import engineering
from .disk_space import free_bytes
from .free_memory import free_memory
from .plans import MonitorPlan, Plan, ReheatingPlan, steps_of

__all__ = ["RunEstimate", "estimate_run", "require_memory_for"]

# A release is held as volts, for the live display and while it is judged.
_COPIES = 3
_SHARE = 0.5  # of the free memory


@dataclass(frozen=True)
class RunEstimate:
    """What a plan takes on a digitizer; repeats of lost releases are not counted.

    Attributes
    ----------
    seconds : float or None
        Of samples; None for a plan that runs until stopped.
    samples : int or None
        Per channel.
    size : int or None
        Bytes of the run file.
    rate : float
        Bytes a second.
    free : int or None
        Bytes by which a file can grow; None where that is not known.
    refused : str
        Why the plan cannot be started; empty if it can.
    """

    seconds: float | None
    samples: int | None
    size: int | None
    rate: float
    free: int | None
    refused: str = ""

    @property
    def fits(self) -> bool:
        """Whether the disk holds it, as far as that is known."""
        return self.size is None or self.free is None or self.size <= self.free


def estimate_run(plan: Plan, info: DigitizerInfo, folder: Path) -> RunEstimate:
    """Estimate what a run takes.

    Parameters
    ----------
    plan : Plan
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
    rate = info.sample_rate * len(info.channels) * np.dtype(info.dtype).itemsize
    parts = [_seconds(step) for step in steps_of(plan)]
    seconds = None if None in parts else float(sum(p for p in parts if p is not None))
    refused = ""
    try:
        require_memory_for(plan, info)
    except InputError as error:
        refused = str(error)
    return RunEstimate(
        seconds,
        None if seconds is None else round(seconds * info.sample_rate),
        None if seconds is None else round(seconds * rate),
        rate,
        _free(folder),
        refused,
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
    allowed = _SHARE * free_memory()
    if longest * bytes_per_second > allowed:
        raise InputError(
            f"plan.release_time {engineering(longest, 's')} is too long: a release is held in "
            f"memory, {longest * bytes_per_second / 1e9:.3g} GB at this rate of samples, at most "
            f"{engineering(allowed / bytes_per_second, 's')} fit; record it as a monitor plan"
        )


def _seconds(step: MonitorPlan | ReheatingPlan) -> float | None:
    """Time of the samples of a step, s."""
    if isinstance(step, MonitorPlan):
        return step.duration
    settles = 0.0
    if step.phase_rate > 0.0:
        settles = step.repetitions * step.reversal_settling
    elif step.alternating:
        settles = -(-step.repetitions // step.alternating) * step.reversal_settling
    return step.repetitions * (step.cool_time + step.release_time) + settles


def _free(folder: Path) -> int | None:
    """Bytes by which a file in a folder can grow."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return free_bytes(folder / "run.h5")
    except OSError:
        return None
