"""Run plans: frozen data that say what to measure; the runner carries them out."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from ..models.errors import InputError

__all__ = [
    "MAX_EXTRA",
    "MonitorPlan",
    "Plan",
    "ReheatingPlan",
    "SequencePlan",
    "plan_from_dict",
    "plan_to_dict",
    "steps_of",
]

MAX_EXTRA = 10.0
"""Largest share of repetitions that may be added as repeats of lost ones."""


def _positive(name: str, value: float, unit: str) -> None:
    if not (math.isfinite(value) and value > 0.0):
        raise InputError(f"plan.{name} must be positive and finite, got {value!r} {unit}")


@dataclass(frozen=True)
class MonitorPlan:
    """Record with feedback on.

    Attributes
    ----------
    duration : float or None
        s; None records until stopped.
    allow_unstable : bool
        Run although the model of the configured light grows.
    require_gauge : bool
        Refuse to begin without a pressure.

    Examples
    --------
    >>> import optobind as ob
    >>> ob.MonitorPlan(duration=2.0).kind
    'monitor'
    """

    duration: float | None = 1.0
    allow_unstable: bool = False
    require_gauge: bool = False
    kind: str = "monitor"

    def __post_init__(self) -> None:
        if self.duration is not None:
            _positive("duration", self.duration, "s")


@dataclass(frozen=True)
class ReheatingPlan:
    """Cool, check, release, record, feedback on again; M times.

    Attributes
    ----------
    repetitions : int
        M, at least 1.
    cool_time : float
        Feedback on before each release, s.
    release_time : float
        Feedback off, s.
    presence_factor : float
        A particle counts as present while its signal's standard deviation during cooling lies
        within this factor of the first repetition's, up or down.
    allow_unstable : bool
        Run although the model with feedback grows. Without feedback a release may always grow.
    require_gauge : bool
        Refuse to begin without a pressure.
    repeat_lost : bool
        Make a release that lost samples once more, after the planned ones.
    max_extra : float
        Repeats at most, as a share of ``repetitions``, 0 … 10; at least one where it is not 0.

    Examples
    --------
    >>> import optobind as ob
    >>> ob.ReheatingPlan(repetitions=500, release_time=1e-3).extra
    100
    """

    repetitions: int = 500
    cool_time: float = 1e-3
    release_time: float = 1e-3
    presence_factor: float = 10.0
    allow_unstable: bool = False
    require_gauge: bool = False
    repeat_lost: bool = True
    max_extra: float = 0.2
    kind: str = "reheating"

    def __post_init__(self) -> None:
        if self.repetitions < 1:
            raise InputError(f"plan.repetitions must be at least 1, got {self.repetitions}")
        _positive("cool_time", self.cool_time, "s")
        _positive("release_time", self.release_time, "s")
        if not self.presence_factor > 1.0:
            raise InputError(f"plan.presence_factor must exceed 1, got {self.presence_factor!r}")
        if not isinstance(self.repeat_lost, bool):
            raise InputError(f"plan.repeat_lost must be true or false, got {self.repeat_lost!r}")
        if not 0.0 <= self.max_extra <= MAX_EXTRA:
            raise InputError(
                f"plan.max_extra must lie in 0 … {MAX_EXTRA:g} (repeats of lost releases, as a "
                f"share of the repetitions), got {self.max_extra!r}"
            )

    @property
    def extra(self) -> int:
        """Repeats of lost releases that may be made."""
        if not self.repeat_lost or self.max_extra == 0.0:
            return 0
        return max(1, math.floor(self.max_extra * self.repetitions + 1e-9))


@dataclass(frozen=True)
class SequencePlan:
    """Plans one after the other in one run file.

    Attributes
    ----------
    steps : tuple of MonitorPlan or ReheatingPlan
        In order; only the last may be without a duration.

    Examples
    --------
    >>> import optobind as ob
    >>> plan = ob.SequencePlan((ob.MonitorPlan(2.0), ob.ReheatingPlan(repetitions=500)))
    >>> [step.kind for step in plan.steps]
    ['monitor', 'reheating']
    """

    steps: tuple[MonitorPlan | ReheatingPlan, ...]
    kind: str = "sequence"

    def __post_init__(self) -> None:
        if not self.steps:
            raise InputError("plan.steps must hold at least one plan")
        if any(isinstance(s, MonitorPlan) and s.duration is None for s in self.steps[:-1]):
            raise InputError("only the last step of a sequence may run until stopped")


Plan = MonitorPlan | ReheatingPlan | SequencePlan


def steps_of(plan: Plan) -> tuple[MonitorPlan | ReheatingPlan, ...]:
    """Return the steps of a plan: those of a sequence, else the plan itself."""
    return plan.steps if isinstance(plan, SequencePlan) else (plan,)


_KINDS: dict[str, type[MonitorPlan] | type[ReheatingPlan]] = {
    "monitor": MonitorPlan,
    "reheating": ReheatingPlan,
}


def plan_to_dict(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON values (SI)."""
    return asdict(plan)


def plan_from_dict(data: dict[str, Any]) -> Plan:
    """Build a plan from JSON values (SI).

    Raises
    ------
    InputError
        For an unknown kind or key, or a value out of range.
    """
    kind = data.get("kind")
    if kind == "sequence":
        steps = tuple(plan_from_dict(dict(step)) for step in data.get("steps", ()))
        if any(isinstance(step, SequencePlan) for step in steps):
            raise InputError("a sequence cannot hold a sequence")
        return SequencePlan(steps)  # type: ignore[arg-type]
    if kind not in _KINDS:
        known = ", ".join([*_KINDS, "sequence"])
        raise InputError(f"plan kind {kind!r} is not known; known kinds: {known}")
    cls = _KINDS[str(kind)]
    known_keys = cls.__dataclass_fields__
    for key in data:
        if key not in known_keys:
            raise InputError(f"plan key {key!r} is not known; known keys: {', '.join(known_keys)}")
    return cls(**data)
