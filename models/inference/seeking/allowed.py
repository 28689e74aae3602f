"""Settings that may be gone to: within the limits, and outside the broken zone for certain.

|δω| is kept above 4G/kd, which is outside the zone δω ∈ 2g_a ± 2√(g_a² − g_r²) for every φ and kd,
until the couplings are known well enough to say where the zone ends; ω̃_2 − ω̃_1 keeps its sign.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..joint.belief import Belief
from ..joint.points import FORESEEN
from .knowledge import Finding, Reading
from .steered import Knobs, SteeredLaw
from .targets import Aim

__all__ = ["Allowed", "over"]

_Array = NDArray[np.float64]

_ZONE = 4.2  # G/kd: least |δω| where the zone is not known
_SURE = 3.0  # standard errors
_AMBIGUOUS = 0.01  # weight of another reading that has to be ruled out
_ALONG = 9  # settings that are looked at along a way
_PHASES, _DISTANCES = 10, 5  # of the candidates
_BARE = np.array([0.0, 2.0, 0.0, -1.0, 1.0])  # δω of ``FORESEEN``
_OUTWARDS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)  # of the way from the ramp to the limit
_DOWN = (0.85, 0.7, 0.5, 0.3)  # of the way from above a goal down to it


@dataclass(frozen=True)
class Allowed:
    """Settings that may be gone to with what is known.

    Attributes
    ----------
    aim : Aim
        What is wanted and allowed.
    origin : Knobs
        The light of the beginning.
    readings : tuple of Reading
        What the findings say, the likeliest first.
    findings : tuple of Finding
        What was measured, in order.
    refused : tuple of Knobs
        Settings that could not be measured.
    """

    aim: Aim
    origin: Knobs
    readings: tuple[Reading, ...]
    findings: tuple[Finding, ...]
    refused: tuple[Knobs, ...]

    @property
    def best(self) -> Belief[Knobs]:
        """The likeliest reading."""
        return self.readings[0].belief

    @property
    def last(self) -> Knobs:
        """Where the rig is."""
        return self.findings[-1].setting if self.findings else self.origin

    @cached_property
    def ambiguous(self) -> bool:
        """Whether the findings can still be read otherwise."""
        return len(self.readings) > 1 and self.readings[1].weight > _AMBIGUOUS

    def rate(self, belief: Belief[Knobs], distance: float) -> float:
        """G/kd, rad/s."""
        law = belief.law
        assert isinstance(law, SteeredLaw)
        at = law.parameters.index
        values = belief.values
        return float(values[at("G")] / (law.law.k * distance + values[at("kd_0")]))

    @cached_property
    def expected(self) -> _Array:
        """Covariance of what the next record will find, (5, 5): that of the records so far."""
        full = [f.covariance for f in self.findings if f.names == FORESEEN]
        if full:
            return np.asarray(np.mean(full, axis=0))
        rate = self.rate(self.best, self.origin.distance)
        return np.diag(np.array([0.03, 0.03, 0.3, 0.03, 0.03]) * rate) ** 2

    @cached_property
    def side(self) -> int:
        """Sign of ω̃_2 − ω̃_1, which is never changed: between the two lies the broken zone."""
        mean, _, _ = self.best.predict(self.last)
        apart = float(mean[4] - mean[3])
        if self.findings:
            return 1 if apart > 0.0 else -1
        low, high = self.aim.limits.get("balance", (-math.inf, math.inf))
        sign = 1 if apart > 0.0 else -1
        return sign if (high if sign > 0 else -low) > 0.0 else -sign

    @cached_property
    def ramp(self) -> float:
        """Least balance, on this side, at which no φ and no d of the limits can make it grow.

        The limit, where there is none within it.
        """
        if "balance" not in self.aim.limits:
            return self.origin.balance
        return float(np.clip(self._clear(2.0), *self.aim.limits["balance"]))

    def _clear(self, errors: float) -> float:
        """Least balance outside the zone by so many standard errors, whatever the limits."""
        shortest = self.aim.limits.get("distance", (self.origin.distance,) * 2)[0]
        found = []
        for reading in self.readings:
            here = replace(self.origin, seen=False)
            there = replace(here, balance=here.balance + 0.01)
            table = reading.belief.law.columns(reading.belief.values[None], [here, there])[0]
            splitting = table[:, 4] - table[:, 3] + 2.0 * table[:, 1]
            slope = float(splitting[1] - splitting[0]) / 0.01
            _, covariance = reading.belief.together([here])
            # δω = ω̃_2 − ω̃_1 + 2g_a does not turn with φ, which may not be known at all.
            error = math.sqrt(float(_BARE @ covariance @ _BARE))
            least = _ZONE * self.rate(reading.belief, shortest) + errors * error
            found.append(here.balance + (self.side * least - float(splitting[0])) / slope)
        return max(found) if self.side > 0 else min(found)

    def stable(self, settings: Sequence[Knobs]) -> NDArray[np.bool_]:
        """Whether the pair certainly does not grow at settings, whatever reading is right."""
        if self.aim.allow_unstable:
            return np.ones(len(settings), dtype=bool)
        safe = np.ones(len(settings), dtype=bool)
        bare = [replace(s, seen=False) for s in settings]
        for reading in self.readings:
            belief = reading.belief
            mean, covariance = belief.together(bare)
            blocks = covariance.reshape(len(bare), 5, len(bare), 5)
            own = np.stack([blocks[i, :, i] for i in range(len(bare))])
            rates = np.array([self.rate(belief, s.distance) for s in bare])
            safe &= _largest_growth(mean, own, rates, self.side) <= self.aim.held
        return safe

    def way_is_stable(self, goal: Knobs) -> bool:
        """Whether a straight way to a setting, and the setting, are."""
        if self.aim.allow_unstable:
            return True
        last = self.last
        shares = np.linspace(0.0, 1.0, _ALONG)[1:]
        turn = math.remainder(goal.phi - last.phi, math.tau)
        along = [
            replace(
                last,
                phi=last.phi + s * turn,
                distance=last.distance + s * (goal.distance - last.distance),
                balance=last.balance + s * (goal.balance - last.balance),
            )
            for s in shares.tolist()
        ]
        if replace(goal, seen=True) == replace(last, seen=True):
            return True
        return bool(self.stable(along).all())

    def was_refused(self, setting: Knobs) -> bool:
        """Whether a setting like this could not be measured."""
        return any(
            abs(math.remainder(setting.phi - r.phi, math.tau)) < 0.05
            and abs(setting.distance - r.distance) < 1e-8
            and abs(setting.balance - r.balance) < 0.01
            for r in self.refused
        )

    @cached_property
    def candidates(self) -> list[Knobs]:
        """Settings that may be measured for what they tell."""
        balances = [self.ramp] if "balance" in self.aim.limits else [self.origin.balance]
        low, high = self.aim.limits.get("phi", (self.origin.phi,) * 2)
        phases = np.linspace(low, high, _PHASES, endpoint=False) if high > low else [low]
        low, high = self.aim.limits.get("distance", (self.origin.distance,) * 2)
        places = np.linspace(low, high, _DISTANCES) if high > low else [low]
        grid = [
            replace(self.origin, phi=float(p), distance=float(d), balance=b)
            for b in balances
            for p in phases
            for d in places
        ]
        return [s for s in grid if not self.was_refused(s)]

    def reachable(self, setting: Knobs) -> bool:
        """Whether a setting is allowed and can be gone to straight."""
        return not self.was_refused(setting) and self.way_is_stable(setting)

    @cached_property
    def heights(self) -> list[float]:
        """Balances above the zone, on this side: the ramp, then outwards to the limit."""
        if "balance" not in self.aim.limits:
            return [self.origin.balance]
        furthest = self.aim.limits["balance"][1 if self.side > 0 else 0]
        return [self.ramp + share * (furthest - self.ramp) for share in _OUTWARDS]

    def outside(self) -> Knobs | None:
        """The nearest height above the light of the beginning, where that cannot be measured."""
        if self.side * (self._clear(1.0) - self.ramp) > 0.0 and not self.aim.allow_unstable:
            return None  # the limits end within reach of the zone
        above = [replace(self.origin, balance=height) for height in self.heights]
        stops = [s for s in above if _apart(s, self.origin) and not self.was_refused(s)]
        return next(iter(stops), None)

    def approach(self, goal: Knobs) -> Knobs | None:
        """The goal, or the next stop on a way to it that is stable; None where there is none.

        With φ and d what talks to the balance moves, too: where the ramp is not outside the zone
        for certain at the goal, or on the way there, what lies further out may be.
        """
        last = self.last
        if self.reachable(goal):
            return goal
        if over(goal, last):  # as far down as is certain
            reach = goal.balance - last.balance
            stops = [replace(goal, balance=last.balance + share * reach) for share in _DOWN]
        else:
            stops = [replace(goal, balance=height) for height in self.heights]
        # Else straight outwards, away from the zone, φ and d as they are.
        outwards = [replace(last, balance=height) for height in self.heights]
        away = [s for s in outwards if self.side * (s.balance - last.balance) > 1e-3]
        for stop in stops:
            if _apart(stop, last) and self.reachable(stop):
                return stop
        return next((stop for stop in away if not self.was_refused(stop)), None)


def _apart(one: Knobs, other: Knobs) -> bool:
    """Whether two settings are not the same to the precision of set-points."""
    return (
        abs(math.remainder(one.phi - other.phi, math.tau)) > 1e-3
        or abs(one.distance - other.distance) > 1e-9
        or abs(one.balance - other.balance) > 1e-3
    )


def over(one: Knobs, other: Knobs) -> bool:
    """Whether two settings have nearly the same φ and d, whatever their balance."""
    turned = abs(math.remainder(one.phi - other.phi, math.tau))
    return turned < 0.15 and abs(one.distance - other.distance) < 2e-8


def _largest_growth(mean: _Array, covariance: _Array, rates: _Array, side: int) -> _Array:
    """Growth rates of Eq. (12), ½√(4(g_a² − g_r²) − (ω̃_2 − ω̃_1)²), at their worst, rad/s.

    Lines are three standard errors nearer, couplings two worse; on the other side of the zone, or
    within it, the rate is that of the middle of the zone.
    """
    g_r, g_a = mean[:, 0], mean[:, 1]
    between = covariance[:, 4, 4] + covariance[:, 3, 3] - 2.0 * covariance[:, 3, 4]
    apart = np.maximum(side * (mean[:, 4] - mean[:, 3]) - _SURE * np.sqrt(between), 0.0)
    error_r, error_a = (np.sqrt(covariance[:, j, j]) for j in (0, 1))
    # Neither coupling exceeds G/kd, however badly it is known.
    largest = np.minimum(np.abs(g_a) + 2.0 * error_a, 1.05 * rates)
    least = np.maximum(np.abs(g_r) - 2.0 * error_r, 0.0)
    square = 4.0 * np.maximum(largest**2 - least**2, 0.0) - apart**2
    return np.asarray(0.5 * np.sqrt(np.maximum(square, 0.0)))
