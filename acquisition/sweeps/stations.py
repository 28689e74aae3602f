"""What a point asks of the rig: its light, its other knobs, and whether they are allowed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ...instruments.guard import GuardedLight, LightLimits
from ...instruments.protocols import AppliedLight
from ...instruments.rig import Rig
from ...models.errors import InputError, UnstableModelError
from ...models.light import TweezerState
from ..plans import Plan, steps_of
from .folder import SweepHeader
from .knobs import Actuator, Knob, knob_of
from .points import Point, planned_points
from .rows import Row

__all__ = ["Stations", "Target", "difference"]


_USUAL = LightLimits()


@dataclass(frozen=True)
class Target:
    """What a point is to be: values of the axes, the light (None without axes of the light)."""

    setting: tuple[float, ...]
    light: TweezerState | None
    others: Mapping[str, float]


class Stations:
    """Set-points of a sweep on a rig.

    Parameters
    ----------
    rig : Rig
        The devices.
    header : SweepHeader
        Plan and light of the beginning.
    actuators : mapping of str to Actuator
        For knobs that are none of the light.

    Raises
    ------
    InputError
        For a knob that this rig cannot turn.
    """

    def __init__(self, rig: Rig, header: SweepHeader, actuators: Mapping[str, Actuator]) -> None:
        self._rig, self._plan, self._base = rig, header.plan, header.light
        self._actuators = actuators
        self._knobs = [knob_of(axis.knob) for axis in header.plan.axes]
        self.names = [knob.name for knob in self._knobs]
        self._moves_light = any(knob.set_light is not None for knob in self._knobs)
        if self._moves_light and rig.light is None:
            raise InputError(
                f"rig {rig.name} has no light control: it cannot sweep {', '.join(self.names)}"
            )
        pairs = [k.name for k in self._knobs if k.set_light is not None and "_" not in k.name]
        if pairs and len(header.light.sites) < 2:
            raise InputError(f"{', '.join(pairs)}: these knobs need two tweezers, the rig has one")
        for knob in self._knobs:
            if knob.set_light is None and knob.name not in actuators:
                raise InputError(
                    f"rig {rig.name} has nothing that turns {knob.name}; known: "
                    f"{', '.join(actuators) or 'the light alone'}"
                )
            if knob.set_light is None:
                self._require_fit(knob, actuators[knob.name])

    def _require_fit(self, knob: Knob, actuator: Actuator) -> None:
        """Refuse an actuator in another unit, and references that would leave a knob anywhere."""
        if actuator.unit != knob.holds.unit:
            raise InputError(
                f"{knob.name} is in {knob.holds.unit or 'no unit'} in the plan and in "
                f"{actuator.unit or 'no unit'} on rig {self._rig.name}: load the plan with this rig"
            )
        if self._plan.reference_every and knob.name not in dict(self._plan.reference):
            raise InputError(
                f"references need a value of {knob.name}, which has none at the beginning: give "
                f"plan.reference.{knob.name}"
            )

    def target(self, point: Point) -> Target:
        """Return what a point is to be."""
        light, others = self._base, {}
        wanted = dict(self._plan.reference)
        if point.setting:
            wanted = dict(zip(self.names, point.setting, strict=True))
        for knob in self._knobs:
            if knob.name not in wanted:
                continue
            if knob.set_light is not None:
                light = knob.set_light(light, wanted[knob.name])
            elif not math.isnan(wanted[knob.name]):  # a program has not set it yet
                others[knob.name] = wanted[knob.name]
        setting = tuple(
            wanted[knob.name]
            if knob.name in wanted
            else (knob.read_light(self._base) if knob.read_light is not None else float("nan"))
            for knob in self._knobs
        )
        return Target(setting, light if self._moves_light else None, others)

    def read(
        self, light: TweezerState | None, others: Mapping[str, float], target: Target
    ) -> tuple[float, ...]:
        """Values of the axes as read back."""
        return tuple(
            others.get(knob.name, float("nan"))
            if knob.read_light is None or light is None
            else knob.read(light, value)
            for knob, value in zip(self._knobs, target.setting, strict=True)
        )

    def refused(
        self, rows: Sequence[Row], check_way: Callable[[TweezerState | None, TweezerState], object]
    ) -> dict[int, str]:
        """Return the points that may not be measured, by number, and why.

        Looks at every point that is known beforehand and yet to be measured, and at the ways
        between them. Nothing is sent.

        Parameters
        ----------
        rows : sequence of Row
            Points that need not be measured any more.
        check_way : callable
            Raises InputError for light, or a way to it (from None: the light that is), that is not
            allowed.
        """
        found: dict[int, str] = {}
        before: TweezerState | None = None
        for point in planned_points(self._plan)[len(rows) :]:
            why, before = self.look_at(point, before, check_way)
            if why:
                found[point.number] = why
        return found

    def look_at(
        self,
        point: Point,
        before: TweezerState | None,
        check_way: Callable[[TweezerState | None, TweezerState], object],
    ) -> tuple[str, TweezerState | None]:
        """Say why a point may not be measured ("" if it may), and from which light on the next.

        ``before`` is the light from which it is gone to, None for the light that is; ``check_way``
        as for :meth:`refused`.
        """
        target = self.target(point)
        try:
            for name, value in target.others.items():
                self._actuators[name].check(value)
            if target.light is not None and target.light != before:
                check_way(before, target.light)
                self._require_stable(target.light, point.plan or self._plan.inner)
                before = target.light
        except InputError as error:
            return f"{self.words(target)}: {error}", before
        return "", before

    def words(self, target: Target) -> str:
        """Set-points in words: "phi 0.4 rad, balance 0.02"."""
        pairs = zip(self._knobs, target.setting, strict=True)
        return ", ".join(f"{k.name} {v:.6g} {k.holds.unit}".rstrip() for k, v in pairs)

    def _require_stable(self, light: TweezerState, plan: Plan) -> None:
        """Raise UnstableModelError where the simulated laboratory grows with feedback on."""
        world = self._rig.world
        if world is None or all(step.allow_unstable for step in steps_of(plan)):
            return
        growth = world.growth_rate(True if self._rig.gate is not None else None, light)
        if growth > 0.0:
            raise UnstableModelError(growth, "change the points, or set inner.allow_unstable=true")

    def legs(self, applied: AppliedLight | None, goal: TweezerState) -> tuple[TweezerState, ...]:
        """Steps from the light that is to a goal, none longer than allowed."""
        if applied is None or self._rig.light is None:
            return (goal,)
        guard = GuardedLight.around(self._rig.light, self._rig.trap)
        return guard.legs(applied.state, goal)

    def move_others(
        self, others: Mapping[str, float], ended: Callable[[], bool]
    ) -> dict[str, float]:
        """Move the knobs that are none of the light; return what is read back."""
        return {name: self._actuators[name].move(value, ended) for name, value in others.items()}


def difference(left: TweezerState, found: TweezerState, limits: LightLimits = _USUAL) -> str:
    """Say in which way two lights differ by more than read-backs do; empty where they do not."""
    if len(left.sites) != len(found.sites):
        return f"{len(found.sites)} tweezers instead of {len(left.sites)}"
    said = []
    for number, (a, b) in enumerate(zip(left.sites, found.sites, strict=True), start=1):
        moved = math.dist(a.position, b.position)
        if moved > limits.position_tolerance:
            said.append(f"tweezer {number} stands {1e9 * moved:.0f} nm away")
        if abs(b.power - a.power) > limits.power_tolerance * a.power:
            said.append(f"power {number} is {b.power:.4g} W instead of {a.power:.4g} W")
        if abs(b.detuning - a.detuning) > 0.5:
            said.append(f"detuning {number} is {b.detuning:g} Hz instead of {a.detuning:g} Hz")
    if len(left.sites) > 1:
        turned = math.remainder(found.relative_phase - left.relative_phase, math.tau)
        if abs(turned) > limits.phase_tolerance:
            said.append(f"φ differs by {turned:.3g} rad")
    return "; ".join(said)
