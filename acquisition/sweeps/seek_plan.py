"""Plan of a seek: which working point the rig is to be brought to, and what may be done for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from ...models.errors import InputError
from ...models.inference.seeking.targets import POINTS, Doubts, Target
from ...models.units import Number, Quantity
from ..plan_keys import Choice, WithKeys, documented, fixed, key
from ..plans import MonitorPlan, Plan
from ..suspenders import NO_RULES, SuspendRules
from .plan import Axis, SweepPlan

__all__ = ["SeekPlan"]

_COUPLING = Quantity("Hz", -1e7, 1e7, "1.5 kHz", ("Hz", "kHz"))
_SHARE = Quantity("", 1e-3, 0.5, "3 %", ("%",), "value")
_DOUBT = Quantity("", 0.0, 0.5, "5 %", ("%",), "value")
_AXES = (
    Axis("phi", start=-math.pi, stop=math.pi, points=2),
    Axis("distance", values=(1e-6,)),
    Axis("balance", start=-0.25, stop=0.25, points=2),
)

_INNER = MonitorPlan(duration=1.0)


@documented
@dataclass(frozen=True)
class SeekPlan(SweepPlan):
    """Bring a pair to a working point by live fits.

    A seek is a sweep over φ, distance and balance whose next point follows from a global fit of all
    that was measured so far. ``inner`` is what is measured at each setting; ``suspend`` says when
    the seek waits. The keys are:

    Examples
    --------
    >>> import optobind as ob
    >>> plan = ob.SeekPlan(point="antireciprocal", accuracy=0.02)
    >>> plan.max_settings
    20
    """

    axes: tuple[Axis, ...] = field(default=_AXES, init=False, repr=False)
    inner: Plan = _INNER
    reference: tuple[tuple[str, float], ...] = fixed(())
    suspend: SuspendRules = NO_RULES
    order: Literal["grid", "snake", "random"] = fixed("grid")
    repeats: int = fixed(1)
    reference_every: int = fixed(0)
    on_refused: Literal["end", "skip"] = key(
        "skip",
        "not allowed",
        "What a setting does that may not be set: be left out and avoided, or end the seek.",
        Choice(("end", "skip")),
    )
    until_parameter: str | None = fixed(None)
    until_relative: float = fixed(0.05)
    until_absolute: float = fixed(0.0)
    max_repeats: int = fixed(20)
    refine_parameter: str | None = fixed(None)
    refine_points: int = fixed(0)
    point: str = key("", "point", "The working point.", Choice(tuple(POINTS)))
    g_r: float = key(0.0, "g_r/2π", "Of a given point.", _COUPLING)
    g_a: float = key(0.0, "g_a/2π", "Of a given point.", _COUPLING)
    delta_omega: float | None = key(
        None, "δω/2π", "Of a given point: ω_2 − ω_1 without binding.", _COUPLING, blank="any"
    )
    accuracy: float = key(
        0.03,
        "accuracy",
        "Wanted standard error of what vanishes at the point over G/kd; that of what is large "
        "there is to be half of it.",
        _SHARE,
    )
    max_settings: int = key(
        20, "settings at most", "Then the seek ends where it is.", Number(2, 500, whole=True)
    )
    allow_unstable: bool = key(
        False, "unstable", "Go and measure where the pair may grow faster than feedback holds."
    )
    distance_reach: float = key(
        3e-7,
        "distance ±",
        "How far the distance may be changed from that of the beginning; 0 keeps it.",
        Quantity("m", 0.0, 1e-4, "0.3 um", ("nm", "um")),
    )
    balance_reach: float = key(
        0.25,
        "balance ±",
        "Largest |(P_2 − P_1)/(P_1 + P_2)|; 0 keeps that of the beginning.",
        Quantity("", 0.0, 0.9, "0.25", ("%",), "value"),
    )
    held_growth: float | None = key(
        None,
        "growth held",
        "Growth rate over 2π that feedback holds; as far as it is not known, none is allowed.",
        Quantity("Hz", 0.0, 1e6, "200 Hz", ("Hz", "kHz")),
        blank="as the rig knows",
    )
    phase_error: float | None = key(
        None,
        "error of φ",
        "How well the offset of φ is known beforehand.",
        Quantity("rad", 1e-4, 10.0, "0.2 rad", ("rad", "π", "deg")),
        blank="not known",
    )
    distance_error: float = key(
        1.5e-7,
        "error of d",
        "How well the distance is known beforehand.",
        Quantity("m", 1e-10, 1e-6, "150 nm", ("nm", "um")),
    )
    balance_error: float = key(
        0.04, "error of balance", "How well the balance is known beforehand.", _DOUBT
    )
    knob_talk: float = key(
        0.05, "cross-talk of knobs", "By how much turning one knob moves the others.", _DOUBT
    )
    detector_talk: float = key(
        0.02,
        "cross-talk of detectors",
        "Mixing of the detectors, and error of their gains.",
        _DOUBT,
    )
    kind: str = field(default="seek", init=False, repr=False)

    def __post_init__(self) -> None:
        """Check keys and what belongs together.

        Raises
        ------
        InputError
            For a value out of range, an unknown point, an inner plan without an end.
        """
        WithKeys.__post_init__(self)
        if not isinstance(self.suspend, SuspendRules):
            raise InputError(
                f"plan.suspend must be SuspendRules, got {type(self.suspend).__name__}"
            )
        self._check_inner()
        if self.fit == "none":
            raise InputError("plan.fit must not be none: a seek follows from what was fitted")
        if self.point != "given" and (self.g_r or self.g_a or self.delta_omega is not None):
            raise InputError(
                f"plan.g_r, g_a and delta_omega are for point given; point is {self.point}"
            )
        self.target  # noqa: B018 - refuses a given point without couplings

    @property
    def target(self) -> Target:
        """The working point."""
        detuning = None if self.delta_omega is None else math.tau * self.delta_omega
        return Target(self.point, math.tau * self.g_r, math.tau * self.g_a, detuning)

    @property
    def doubts(self) -> Doubts:
        """Standard errors of what the rig file says."""
        return Doubts(
            phase=10.0 if self.phase_error is None else self.phase_error,
            distance=self.distance_error,
            balance=max(self.balance_error, 1e-4),
            knobs=max(self.knob_talk, 1e-5),
            detectors=max(self.detector_talk, 1e-5),
        )

    @property
    def size(self) -> int:
        """Settings that are known beforehand: none."""
        return 0

    @property
    def foreseen(self) -> bool:
        """Each setting follows from what was found."""
        return False

    @property
    def most(self) -> int:
        """Settings at most."""
        return self.max_settings
