"""What a tuning is told, what it tried, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

from ...acquisition.tuning.probe import Probe, ProbeRequest
from ...instruments.controller_protocol import ControllerCapabilities, LoopSetting
from ...models.errors import OptobindError
from ...models.ranges import require_range
from .reading import Occupation

__all__ = ["Desk", "LoopTuning", "Step", "TuneSettings", "TuningEndedError"]

Stage = Literal["start", "phase", "fine phase", "gain", "best"]


class TuningEndedError(OptobindError):
    """A tuning that ended before its end; loops are at settings that were known to cool."""

    exit_code = 3


class Desk(Protocol):
    """What a tuning may do to a rig; a session offers it."""

    @property
    def capabilities(self) -> ControllerCapabilities:
        """Of the controller."""
        ...

    def read(self, loop: int) -> LoopSetting:
        """Read a loop back."""
        ...

    def set(self, loop: int, setting: LoopSetting) -> LoopSetting:
        """Set a loop, whatever a model predicts: it is one that was known to cool, or was there."""
        ...

    def probe(self, request: ProbeRequest) -> Probe:
        """Try a setting; InputError or UnstableModelError where it is refused."""
        ...


@dataclass(frozen=True)
class TuneSettings:
    """How a tuning goes about it.

    Attributes
    ----------
    seconds : float
        Record of each setting that is read off, s.
    probe_gain : float or None
        Gain at which phases are tried first, in the controller's unit; None for a third of what is
        set.
    probe_seconds : float
        Longest time of a setting that may heat, s.
    most_gain : float or None
        No gain above is tried; None for the limits of rig and controller.
    heat : float
        Energy, as a multiple of what was there before, above which a setting that should cool is
        given up.
    """

    seconds: float = 0.2
    probe_gain: float | None = None
    probe_seconds: float = 0.03
    most_gain: float | None = None
    heat: float = 30.0

    def __post_init__(self) -> None:
        require_range("seconds", self.seconds, 1e-3, 3600.0, "s")
        require_range("probe_seconds", self.probe_seconds, 1e-4, 600.0, "s")
        if self.probe_gain is not None:
            require_range("probe_gain", self.probe_gain, 1e-12, 1e18)
        if self.most_gain is not None:
            require_range("most_gain", self.most_gain, 1e-12, 1e18)


@dataclass(frozen=True)
class Step:
    """One setting that was tried.

    Attributes
    ----------
    particle : int
        From 0.
    stage : str
        What it was tried for.
    setting : LoopSetting
        As set.
    damping, damping_stderr : float or None
        Γ, 1/s, where it was read off; negative where the line grows.
    occupation : Occupation or None
        Where it was read off.
    trouble : str
        Why it was given up; empty if it was not.
    """

    particle: int
    stage: Stage
    setting: LoopSetting
    damping: float | None = None
    damping_stderr: float | None = None
    occupation: Occupation | None = None
    trouble: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


@dataclass
class LoopTuning:
    """The tuning of one loop, as far as it has come.

    Attributes
    ----------
    particle : int
        From 0.
    start : LoopSetting
        As found.
    safe : LoopSetting
        Newest setting that is known to cool; the start (or its gain lowered) until there is one.
    cools : bool
        Whether ``safe`` is known to cool.
    before, after : Occupation or None
        At the start, None where it did not cool, and at the best setting.
    best : LoopSetting or None
        Of lowest occupation.
    rate_per_gain : float or None
        Damping per unit of gain at the right phase, 1/s.
    phase, phase_stderr : float or None
        Of most damping, rad.
    steps : list of Step
        What was tried.
    """

    particle: int
    start: LoopSetting
    safe: LoopSetting
    cools: bool = False
    before: Occupation | None = None
    after: Occupation | None = None
    best: LoopSetting | None = None
    rate_per_gain: float | None = None
    phase: float | None = None
    phase_stderr: float | None = None
    steps: list[Step] = field(default_factory=list)
    tell: Callable[[Step], None] = lambda step: None

    def add(self, step: Step) -> None:
        """Note a step and tell it."""
        self.steps.append(step)
        self.tell(step)
