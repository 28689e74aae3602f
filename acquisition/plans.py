"""Run plans: frozen data that say what to measure; the runner carries them out.

This is the only place that says which keys a plan has, see :mod:`.plan_keys`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ..models.errors import InputError
from ..models.units import Number, Quantity
from .plan_keys import Choice, WithKeys, documented, key, keys_of
from .release_setting import Setting

__all__ = [
    "MAX_STEPS",
    "PLANS",
    "STEPS",
    "MonitorPlan",
    "Plan",
    "ReheatingPlan",
    "SequencePlan",
    "plan_from_dict",
    "plan_to_dict",
    "steps_of",
]

MAX_STEPS = 1000
"""Most steps of a sequence."""

_TIME = Quantity("s", 1e-6, 1e7, "2 s", ("us", "ms", "s", "min", "hour"))
_UNSTABLE = "Run although the model of the configured light grows"
_GAUGE = "Refuse to begin without a pressure."


@documented
@dataclass(frozen=True)
class MonitorPlan(WithKeys):
    """Record with feedback on.

    Examples
    --------
    >>> import optobind as ob
    >>> ob.MonitorPlan(duration=2.0).kind
    'monitor'
    """

    duration: float | None = key(
        1.0, "duration", "How long; None records until stopped.", _TIME, blank="until stopped"
    )
    allow_unstable: bool = key(False, "allow unstable", f"{_UNSTABLE}.")
    require_gauge: bool = key(False, "require gauge", _GAUGE)
    kind: str = field(default="monitor", init=False, repr=False)


@documented
@dataclass(frozen=True)
class ReheatingPlan(WithKeys):
    """Cool, check that each particle is there, release, record, feedback on again; M times.

    Examples
    --------
    >>> import optobind as ob
    >>> ob.ReheatingPlan(repetitions=500, release_time=1e-3).extra
    100
    """

    repetitions: int = key(500, "repetitions", "M.", Number(1, 10_000_000, whole=True))
    cool_time: float = key(1e-3, "cooling", "Feedback on before each release.", _TIME)
    release_time: float = key(1e-3, "release", "Feedback off.", _TIME)
    presence_factor: float = key(
        10.0,
        "presence factor",
        "A particle counts as present while its signal's standard deviation during cooling lies "
        "within this factor of the first repetition's, up or down.",
        Number(1.1, 1e6),
    )
    allow_unstable: bool = key(
        False,
        "allow unstable",
        f"{_UNSTABLE} with feedback. Without feedback a release may always grow.",
    )
    require_gauge: bool = key(False, "require gauge", _GAUGE)
    repeat_lost: bool = key(
        True, "repeat lost", "Make a release that lost samples once more, after the planned ones."
    )
    max_extra: float = key(
        0.2,
        "repeats at most",
        "Repeats of lost releases at most, as a share of the repetitions; at least one unless 0.",
        Number(0.0, 10.0),
    )
    timing: Literal["auto", "card", "software"] = key(
        "auto",
        "timing",
        "Who switches the gate: a card on the sample clock, calls of software, or the card where "
        "the rig has one.",
        Choice(("auto", "card", "software")),
    )
    phase_reversal: Literal["none", "repetition", "block"] = key(
        "none",
        "reversal of φ",
        "Alternate between φ as it is set and φ + π, repetition by repetition or block by block: g "
        "and Re D_12 change sign, cross-talk and drifts do not.",
        Choice(("none", "repetition", "block")),
    )
    reversal_block: int = key(
        20,
        "block",
        "Repetitions in a block of one phase, or of one power of releases.",
        Number(1, 1_000_000, whole=True),
    )
    reversal_settling: float = key(
        5e-3,
        "settling",
        "Feedback on before the cooling where φ or the power has changed: the equilibria have "
        "jumped.",
        _TIME,
    )
    phase_rate: float = key(
        0.0,
        "turns of φ",
        "Turns of φ a second while feedback is off, played by a card: at twice the mechanical "
        "frequency this is Eq. (13).",
        Quantity("Hz", 0.0, 1e7, "100 kHz", ("Hz", "kHz", "MHz")),
    )
    release_power: float = key(
        1.0,
        "power of releases",
        "Power of the trap light while feedback is off, as a share of what is set; a card steps it "
        "with the feedback. The rig's limits of the light hold for it.",
        Number(0.05, 4.0),
    )
    stepped_trap: Literal["all", "1", "2"] = key(
        "all",
        "stepped trap",
        "Whose power is stepped: that of all traps, of the first or of the second one.",
        Choice(("all", "1", "2")),
    )
    power_alternation: Literal["none", "repetition", "block"] = key(
        "none",
        "alternate power",
        "Alternate between releases at the power that is set and at the power of releases. With a "
        "reversal of φ the power changes half as often, so that all four occur equally.",
        Choice(("none", "repetition", "block")),
    )
    kind: str = field(default="reheating", init=False, repr=False)

    def __post_init__(self) -> None:
        """Check every key, and that there is a power to alternate with.

        Raises
        ------
        InputError
            Key, allowed range, unit and value.
        """
        super().__post_init__()
        if self.power_alternation != "none" and not self.plays_power:
            raise InputError(
                f"plan.power_alternation = {self.power_alternation} needs a plan.release_power "
                "other than 1: say at which power every other release is to be made"
            )

    @property
    def plays_phase(self) -> bool:
        """Whether φ changes from what is set."""
        return self.alternating > 0 or self.phase_rate > 0.0

    @property
    def plays_power(self) -> bool:
        """Whether the power of a release is another one than what is set."""
        return self.release_power != 1.0

    @property
    def alternating(self) -> int:
        """Repetitions in a row at one phase; 0 where φ is not reversed."""
        return self._row(self.phase_reversal)

    @property
    def power_alternating(self) -> int:
        """Repetitions in a row at one power of releases; 0 where that does not change."""
        return self._row(self.power_alternation) * (2 if self.alternating else 1)

    def _row(self, how: str) -> int:
        return {"none": 0, "repetition": 1, "block": self.reversal_block}[how]

    def turn_of(self, repetition: int) -> float:
        """Phase added to φ as it is set in a repetition (from 0), rad: 0 or π."""
        row = self.alternating
        return math.pi if row and (repetition // row) % 2 else 0.0

    def power_in(self, repetition: int) -> float:
        """Power of a release (from 0) as a share of what is set."""
        row = self.power_alternating
        return 1.0 if row and (repetition // row) % 2 == 0 else self.release_power

    def setting_of(self, repetition: int) -> Setting:
        """Light of a release (from 0), against what is set."""
        power = self.power_in(repetition)
        trap = "all" if power == 1.0 else self.stepped_trap
        return Setting(self.turn_of(repetition), power, trap, self.phase_rate)

    @property
    def shown(self) -> Setting:
        """Light of the releases of which live curves are made: those of the first one."""
        return self.setting_of(0)

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
        1 … 1000; only the last one may run until stopped.

    Examples
    --------
    >>> import optobind as ob
    >>> plan = ob.SequencePlan((ob.MonitorPlan(2.0), ob.ReheatingPlan(repetitions=500)))
    >>> [step.kind for step in plan.steps]
    ['monitor', 'reheating']
    """

    steps: tuple[MonitorPlan | ReheatingPlan, ...]
    kind: str = field(default="sequence", init=False, repr=False)

    def __post_init__(self) -> None:
        """Check number and order of the steps.

        Raises
        ------
        InputError
            If there are none or too many, or one before the last has no end.
        """
        object.__setattr__(self, "steps", tuple(self.steps))
        if not 1 <= len(self.steps) <= MAX_STEPS:
            raise InputError(f"plan.steps must hold 1 … {MAX_STEPS} plans, got {len(self.steps)}")
        for number, step in enumerate(self.steps):
            if not isinstance(step, tuple(STEPS.values())):
                raise InputError(
                    f"plan.steps.{number} must be a plan of kind {' or '.join(STEPS)}, "
                    f"got {type(step).__name__}"
                )
            endless = isinstance(step, MonitorPlan) and step.duration is None
            if endless and number < len(self.steps) - 1:
                raise InputError(
                    f"plan.steps.{number}.duration must be a time: only the last step of a "
                    "sequence may run until stopped"
                )


Plan = MonitorPlan | ReheatingPlan | SequencePlan

STEPS: dict[str, type[MonitorPlan] | type[ReheatingPlan]] = {
    "monitor": MonitorPlan,
    "reheating": ReheatingPlan,
}
"""Kinds of plans that may be steps of a sequence."""

PLANS: dict[str, type[Plan]] = {**STEPS, "sequence": SequencePlan}
"""All kinds of plans."""


def steps_of(plan: Plan) -> tuple[MonitorPlan | ReheatingPlan, ...]:
    """Return the steps of a plan: those of a sequence, else the plan itself.

    Raises
    ------
    InputError
        For anything that is not recorded in one run, such as a sweep.
    """
    if isinstance(plan, SequencePlan):
        return plan.steps
    if not isinstance(plan, tuple(STEPS.values())):
        raise InputError(
            f"a plan of kind {', '.join(PLANS)} is needed, got {type(plan).__name__}; sweeps are "
            "carried out by optobind run"
        )
    return (plan,)


def plan_to_dict(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON values (SI), as run files hold it."""
    return asdict(plan)


def plan_from_dict(data: Mapping[str, Any]) -> Plan:
    """Return the plan that :func:`plan_to_dict` wrote.

    Parameters
    ----------
    data : mapping
        JSON values (SI); keys that are left out have their defaults.

    Raises
    ------
    InputError
        For an unknown kind or key, or a value out of range.

    Examples
    --------
    >>> plan_from_dict({"kind": "monitor", "duration": 2.0})
    MonitorPlan(duration=2.0, allow_unstable=False, require_gauge=False)
    """
    kind = data.get("kind")
    if kind == "sequence":
        steps = data.get("steps", ())
        return SequencePlan(tuple(plan_from_dict(step) for step in steps))  # type: ignore[misc]
    if kind not in STEPS:
        raise InputError(f"plan kind {kind!r} is not known; known kinds: {', '.join(PLANS)}")
    plan = STEPS[kind]
    known = [declared.name for declared in keys_of(plan)]
    for name in data:
        if name != "kind" and name not in known:
            raise InputError(f"plan key {name!r} is not known; known keys: {', '.join(known)}")
    return plan(**{name: value for name, value in data.items() if name != "kind"})
