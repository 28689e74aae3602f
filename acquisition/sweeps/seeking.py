"""Where a seek goes next, and how it stands: a pure function of its header, rig and rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...instruments.rig import Rig
from ...models.errors import InputError
from ...models.inference.joint.points import FORESEEN
from ...models.inference.seeking.knowledge import Finding, prior_of
from ...models.inference.seeking.planner import Decision, decide
from ...models.inference.seeking.steered import KNOBS, Knobs
from ...models.inference.seeking.targets import Aim
from ...models.json_values import json_values
from .folder import SweepHeader
from .points import Point
from .rows import Row
from .seek_plan import SeekPlan

__all__ = ["Seeker", "Verdict", "require_steerable"]

_HELD = 0.4  # of Γ: feedback holds growth below Γ/2


@dataclass(frozen=True)
class Verdict:
    """How a seek stands.

    Attributes
    ----------
    state : {"reached", "limited", "impossible", "blocked", "not reached"}
        At the point as well known as wanted; at the point, but nothing would tell more; there is no
        such point within the limits; no setting may be gone to; none of these so far.
    why : str
        In words.
    values : dict
        JSON values: the point, the light, what was found there, what was calibrated on the way.
    """

    state: str
    why: str
    values: dict[str, Any]

    @property
    def at_point(self) -> bool:
        """Whether the rig stands at the point."""
        return self.state in ("reached", "limited")


class Seeker:
    """The source of a seek's points.

    Parameters
    ----------
    header : SweepHeader
        Of a seek.
    rig : Rig
        The devices, with the particles and tweezers that its file has.

    Raises
    ------
    InputError
        For a rig without light control or without a pair.
    """

    def __init__(self, header: SweepHeader, rig: Rig) -> None:
        plan = header.plan
        assert isinstance(plan, SeekPlan)
        require_steerable(rig)
        assert rig.trap is not None
        self._plan, light = plan, header.light
        total = light.sites[0].power + light.sites[1].power
        self._total = total
        phi = math.remainder(light.relative_phase, math.tau)
        self._origin = Knobs(phi, light.separation, light.balance, total)
        limits = {"phi": (-math.pi, math.pi)}
        if plan.distance_reach > 0.0:
            d, reach = light.separation, plan.distance_reach
            limits["distance"] = (max(d - reach, 0.5 * d), d + reach)
        if plan.balance_reach > 0.0:
            limits["balance"] = (-plan.balance_reach, plan.balance_reach)
        held = _held_growth(plan, rig)
        self._aim = Aim(plan.target, limits, plan.accuracy, plan.allow_unstable, held)
        self._prior = prior_of(rig.trap, self._origin, plan.doubts)
        self._known: tuple[int, Decision] | None = None

    def next_point(self, rows: Sequence[Row]) -> Point | None:
        """Return the point that follows the rows, or None when the seek is over."""
        if len(rows) >= self._plan.max_settings:
            return None
        decision = self._decision(rows)
        if decision.kind != "measure" or decision.setting is None:
            return None
        s = decision.setting
        setting = (s.phi, s.distance, s.balance)
        repeat = 1 + sum(row.setting == setting for row in rows)
        return Point(len(rows) + 1, "sought", setting, repeat)

    def verdict(self, rows: Sequence[Row]) -> Verdict:
        """Say how the seek stands."""
        decision, plan = self._decision(rows), self._plan
        state, why = (decision.kind if decision.kind != "measure" else "not reached"), decision.why
        if state == "not reached":
            over = len(rows) >= plan.max_settings
            why = f"the {plan.max_settings} settings are used up" if over else f"next: {why}"
        return Verdict(state, why, json_values(self._values(decision, state, why, rows)))

    def _decision(self, rows: Sequence[Row]) -> Decision:
        if self._known is None or self._known[0] != len(rows):
            found = [(row, self._finding(row)) for row in rows]
            findings = [f for _, f in found if f is not None]
            refused = [self._knobs(row.setting) for row, f in found if f is None]
            self._known = len(rows), decide(self._aim, self._prior, findings, refused)
        return self._known[1]

    def _knobs(self, values: Sequence[float]) -> Knobs:
        phi, distance, balance = (float(v) for v in values)
        return Knobs(phi, distance, balance, self._total)

    def _finding(self, row: Row) -> Finding | None:
        """What a row tells; None for one that was left out or not fitted."""
        measured = {n: m for n in (*FORESEEN, "D11", "D22") if (m := row.value(n)) is not None}
        if any(n not in measured for n in ("g_r", "g_a", "omega_1", "omega_2")):
            return None
        # Without calibration Re D_12 is no rate: couplings and lines do not need one.
        names = [n for n in FORESEEN if n in measured and measured[n].unit in ("rad/s", "1/s")]
        errors = [measured[n].stderr for n in names]
        if any(e is None or not (e > 0.0 and math.isfinite(e)) for e in errors):
            return None
        covariance = np.diag([float(e or 0.0) ** 2 for e in errors])
        if row.fit is not None and row.fit.covariance:
            rows = [FORESEEN.index(n) for n in names]
            covariance = np.array(row.fit.covariance)[np.ix_(rows, rows)]
        values = np.array([measured[n].value for n in names])
        heating = [measured[n].value if n in measured else 0.0 for n in ("D11", "D22")]
        if "re_D12" not in names:
            heating = [0.0, 0.0]
        read = row.read if len(row.read) == 3 and all(map(math.isfinite, row.read)) else row.setting
        return Finding(
            self._knobs(read), values, covariance, tuple(names), (heating[0], heating[1])
        )

    def _values(
        self, decision: Decision, state: str, why: str, rows: Sequence[Row]
    ) -> dict[str, Any]:
        plan, best, here = self._plan, decision.readings[0], decision.standing
        values: dict[str, Any] = {
            "point": plan.point,
            "state": state,
            "reason": why,
            "settings": len(rows),
            "accuracy": plan.accuracy,
        }
        if here is not None:
            values["light"] = {n: getattr(here.setting, n) for n in KNOBS}
            values["vanishing"] = [
                {"value": v, "stderr": e} for v, e in zip(here.vanishing, here.errors, strict=True)
            ]
            values["amplitude"] = {"value": here.amplitude, "stderr": here.amplitude_error}
            values["rate"] = here.rate
        names = best.belief.names
        values["calibration"] = {
            n: {"value": _turned(n, best.value(n)), "stderr": best.stderr(n)} for n in names
        }
        values["readings"] = [r.weight for r in decision.readings]
        return values


def require_steerable(rig: Rig) -> None:
    """Refuse a rig that no seek can steer.

    Raises
    ------
    InputError
        For fixed beams, or anything but two particles in two tweezers.
    """
    if rig.light is None:
        raise InputError(
            f"rig {rig.name} has no light control, its beams are fixed: a seek turns φ, distance "
            "and balance"
        )
    if rig.trap is None or len(rig.trap.spheres) != 2 or len(rig.trap.tweezers) != 2:
        raise InputError(f"rig {rig.name} holds no pair: a seek needs two particles")


def _turned(name: str, value: float) -> float:
    return math.remainder(value, math.tau) if name == "phi_0" else value


def _held_growth(plan: SeekPlan, rig: Rig) -> float:
    """Growth rate that feedback holds, rad/s: as the plan says, or as a simulated loop has it."""
    if plan.held_growth is not None:
        return math.tau * plan.held_growth
    if rig.world is None or rig.gate is None:
        return 0.0
    return _HELD * min(rig.world.damping)
