"""Schema of plans: what a plan file may hold."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ..acquisition.plans import MonitorPlan, ReheatingPlan, SequencePlan
from .fields import Duration, Extra, Factor, Repetitions, Table

__all__ = ["PLAN_KINDS", "MonitorConfig", "PlanConfig", "ReheatingConfig", "SequenceConfig"]

_UNTIL_STOPPED = "until stopped"


def _open_end(value: object) -> object:
    """Read "until stopped" as no duration; TOML has no null."""
    return None if value == _UNTIL_STOPPED else value


class MonitorConfig(Table):
    """Record with feedback on, for a time or "until stopped"."""

    kind: Literal["monitor"]
    duration: Annotated[Duration | None, BeforeValidator(_open_end)] = 1.0
    allow_unstable: bool = False
    require_gauge: bool = False
    description: str = ""

    def to_plan(self) -> MonitorPlan:
        """Return the frozen plan."""
        return MonitorPlan(
            duration=self.duration,
            allow_unstable=self.allow_unstable,
            require_gauge=self.require_gauge,
        )


class ReheatingConfig(Table):
    """Cool, check, release, record, feedback on again; so many times."""

    kind: Literal["reheating"]
    repetitions: Repetitions = 500
    cool_time: Duration = 1e-3
    release_time: Duration = 1e-3
    presence_factor: Factor = 10.0
    allow_unstable: bool = False
    require_gauge: bool = False
    repeat_lost: bool = True
    max_extra: Extra = 0.2
    description: str = ""

    def to_plan(self) -> ReheatingPlan:
        """Return the frozen plan."""
        return ReheatingPlan(
            repetitions=self.repetitions,
            cool_time=self.cool_time,
            release_time=self.release_time,
            presence_factor=self.presence_factor,
            allow_unstable=self.allow_unstable,
            require_gauge=self.require_gauge,
            repeat_lost=self.repeat_lost,
            max_extra=self.max_extra,
        )


class SequenceConfig(Table):
    """Plans one after the other in one run file."""

    kind: Literal["sequence"]
    steps: Annotated[
        list[Annotated[MonitorConfig | ReheatingConfig, Field(discriminator="kind")]],
        Field(min_length=1, max_length=1000),
    ]
    description: str = ""

    def to_plan(self) -> SequencePlan:
        """Return the frozen plan."""
        return SequencePlan(tuple(step.to_plan() for step in self.steps))


PlanConfig = MonitorConfig | ReheatingConfig | SequenceConfig

PLAN_KINDS: dict[str, type[MonitorConfig] | type[ReheatingConfig] | type[SequenceConfig]] = {
    "monitor": MonitorConfig,
    "reheating": ReheatingConfig,
    "sequence": SequenceConfig,
}
