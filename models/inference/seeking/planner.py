"""The next setting of a seek: a pure function of what is wanted, of the rig file and the findings.

While the point is not known well enough, the setting is measured that is expected to say most about
what should vanish and what is large there; then the point itself, twice at least. No setting is
proposed, and no straight way to it, where the pair might grow: |δω| is kept above 4G/kd, which is
outside the broken zone δω ∈ 2g_a ± 2√(g_a² − g_r²) for every φ and kd, until the couplings are
known well enough to say where the zone ends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..joint.belief import Belief
from ..joint.points import FORESEEN
from .knowledge import Finding, Reading, readings
from .solving import Place, place_of
from .steered import Knobs, SteeredLaw
from .targets import Target

__all__ = ["Aim", "Decision", "Standing", "decide"]

_Array = NDArray[np.float64]

_ZONE = 4.2  # G/kd: least |δω| where the zone is not known
_SURE = 3.0  # standard errors
_AMBIGUOUS = 0.01  # weight of another reading that has to be ruled out
_NO_GAIN = 0.05  # nats
_SAME = 0.3  # G/kd: what vanishes at settings that count as one place
_LEAST_ERROR = 0.25  # of what is wanted
_ALONG = 9  # settings that are looked at along a way
_PHASES, _DISTANCES = 10, 5  # of the candidates


@dataclass(frozen=True)
class Aim:
    """What is wanted, and what may be done for it.

    Attributes
    ----------
    target : Target
        The point.
    limits : mapping of str to (float, float)
        Least and largest value of each knob that may be turned.
    accuracy : float
        Wanted standard error of what vanishes over G/kd; half of it of the amplitude.
    allow_unstable : bool
        Whether settings are allowed at which the pair might grow faster.
    held : float
        Growth rate that feedback holds for certain, rad/s.
    """

    target: Target
    limits: Mapping[str, tuple[float, float]]
    accuracy: float = 0.03
    allow_unstable: bool = False
    held: float = 0.0


@dataclass(frozen=True)
class Standing:
    """How the rig stands to the point at a setting.

    Attributes
    ----------
    setting : Knobs
        Where.
    vanishing, errors : tuple of float
        What should vanish with standard errors, rad/s.
    amplitude, amplitude_error : float
        rad/s.
    rate : float
        G/kd there, rad/s.
    """

    setting: Knobs
    vanishing: tuple[float, ...]
    errors: tuple[float, ...]
    amplitude: float
    amplitude_error: float
    rate: float

    def known(self, accuracy: float) -> bool:
        """Whether the errors are as small as wanted."""
        enough = max(self.errors) <= accuracy * self.rate
        return enough and self.amplitude_error <= 0.5 * accuracy * self.amplitude

    @property
    def met(self) -> bool:
        """Whether what should vanish does, within its errors."""
        return all(abs(v) <= 1.2 * e for v, e in zip(self.vanishing, self.errors, strict=True))

    def near(self, accuracy: float) -> bool:
        """Whether what should vanish is less than twice the wanted error."""
        return max(abs(v) for v in self.vanishing) <= 2.0 * accuracy * self.rate


@dataclass(frozen=True)
class Decision:
    """What is to be done.

    Attributes
    ----------
    kind : {"measure", "reached", "limited", "impossible", "blocked"}
        Measure a setting; or end: at the point as well known as wanted, at the point but less well
        known since nothing would tell more, because there is no such point within the limits, or
        no setting that may be gone to.
    setting : Knobs or None
        To be measured.
    why : str
        In words.
    standing : Standing or None
        At the last setting that was measured.
    readings : tuple of Reading
        What the findings say.
    """

    kind: Literal["measure", "reached", "limited", "impossible", "blocked"]
    setting: Knobs | None
    why: str
    standing: Standing | None
    readings: tuple[Reading, ...]


def decide(
    aim: Aim,
    prior: Belief[Knobs],
    findings: Sequence[Finding],
    refused: Sequence[Knobs] = (),
) -> Decision:
    """Say what to do next.

    Parameters
    ----------
    aim : Aim
        What is wanted.
    prior : Belief
        Of :func:`~.knowledge.prior_of`.
    findings : sequence of Finding
        What was measured, in order.
    refused : sequence of Knobs
        Settings that could not be measured; they and what lies near are not proposed again.

    Returns
    -------
    Decision
        The next setting, or why there is none.
    """
    law = prior.law
    assert isinstance(law, SteeredLaw)
    known = readings(prior, findings)
    if not findings and not refused:
        return Decision("measure", law.origin, "the light of the beginning", None, known)
    return _Planner(aim, law.origin, known, tuple(findings), tuple(refused)).decision()


@dataclass(frozen=True)
class _Planner:
    aim: Aim
    origin: Knobs
    readings: tuple[Reading, ...]
    findings: tuple[Finding, ...]
    refused: tuple[Knobs, ...]

    # -- what is known ----------------------------------------------------------------------------

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

    # -- settings that are allowed ----------------------------------------------------------------

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
        """Least balance, on this side, at which no φ and no d of the limits can make it grow."""
        if "balance" not in self.aim.limits:
            return self.origin.balance
        low, high = self.aim.limits["balance"]
        shortest = self.aim.limits.get("distance", (self.origin.distance,) * 2)[0]
        found = []
        for reading in self.readings:
            here = replace(self.origin, seen=False)
            there = replace(here, balance=here.balance + 0.01)
            table = reading.belief.law.columns(reading.belief.values[None], [here, there])[0]
            splitting = table[:, 4] - table[:, 3] + 2.0 * table[:, 1]
            slope = float(splitting[1] - splitting[0]) / 0.01
            _, covariance = reading.belief.together([here])
            error = math.sqrt(covariance[3, 3] + covariance[4, 4] - 2.0 * covariance[3, 4])
            least = _ZONE * self.rate(reading.belief, shortest) + 2.0 * error
            found.append(here.balance + (self.side * least - float(splitting[0])) / slope)
        wanted = max(found) if self.side > 0 else min(found)
        return float(np.clip(wanted, low, high))

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

    # -- the decision -----------------------------------------------------------------------------

    def decision(self) -> Decision:
        place = self.place(self.best)
        if not self.findings:
            return self.measure(replace(self.origin, balance=self.ramp), "the ramp", None)
        here = self.standing(self.last, place.variant)
        if self.ambiguous:
            return self.measure(self.telling_apart(), "tell the readings apart", here)
        if self.absent(place):
            return self.ended("impossible", self.nearest_words(place), here)
        at_point = replace(place.setting, seen=True)
        there = self.standing(at_point, place.variant)
        repeated = self.repeats(place) >= 2
        if repeated and here.met and here.known(self.aim.accuracy):
            return self.ended("reached", "", here)
        gains = self.gains([at_point, *self.candidates], place, there)
        if not there.known(self.aim.accuracy):
            order = np.argsort(-gains, kind="stable")
            settings = [at_point, *self.candidates]
            if float(gains.max()) < _NO_GAIN and repeated and here.met:
                return self.ended("limited", "no further setting would tell more", here)
            for i in order.tolist():
                if gains[i] < 0.7 * gains.max():
                    break
                if self.reachable(settings[i]):
                    return self.measure(settings[i], "what it tells of the point", here)
        stop = self.approach(at_point)
        if repeated and here.near(self.aim.accuracy) and not (stop and _over(stop, self.last)):
            return self.ended("limited", "feedback is not known to hold it any nearer", here)
        return self.measure(stop, "the point", here)

    def measure(self, setting: Knobs | None, why: str, here: Standing | None) -> Decision:
        """Go on, or say that there is no way."""
        if setting is None:
            why = "no further setting is outside the broken zone for certain and can be set"
            return Decision("blocked", None, why, here, self.readings)
        return Decision("measure", replace(setting, seen=True), why, here, self.readings)

    def ended(
        self, kind: Literal["reached", "limited", "impossible"], why: str, here: Standing
    ) -> Decision:
        """Say that it is over."""
        return Decision(kind, None, why, here, self.readings)

    def reachable(self, setting: Knobs) -> bool:
        """Whether a setting is allowed and can be gone to straight."""
        return not self.was_refused(setting) and self.way_is_stable(setting)

    def approach(self, goal: Knobs) -> Knobs | None:
        """The goal, or the next stop on a way to it that is stable; None where there is none."""
        last, above = self.last, replace(goal, balance=self.ramp)
        # Above the goal: as far down as is certain.
        down = [
            replace(goal, balance=last.balance + share * (goal.balance - last.balance))
            for share in (0.85, 0.7, 0.5, 0.3)
        ]
        stops = [goal, *(down if _over(above, last) else [above])]
        for stop in stops:
            if self.reachable(stop):
                return stop
        back = replace(last, balance=self.ramp)
        if _apart(back, last) and not self.was_refused(back):
            return back  # away from the zone, φ and d as they are
        return None

    def place(self, belief: Belief[Knobs]) -> Place:
        """Where the point is by a reading."""
        variant = self.side if self.aim.target.name == "exceptional-point" else None
        limits = dict(self.aim.limits)
        near = self.last
        if not self.aim.target.tunes_detuning and "balance" in limits:
            near = replace(near, balance=self.ramp)
        rate = self.rate(belief, self.origin.distance)
        return place_of(self.aim.target, belief, limits, near, rate, variant)

    def standing(self, setting: Knobs, variant: int) -> Standing:
        """What is known of the point's components at a setting."""
        bare = replace(setting, seen=False)
        mean, _, covariance = self.best.predict(bare)
        values, slopes = self.aim.target.linear(mean, variant)
        errors = np.sqrt(np.maximum(np.diag(slopes @ covariance @ slopes.T), 0.0))
        rate = self.rate(self.best, setting.distance)
        # φ walks on and set-points come back with a tolerance: no error is quoted below that.
        errors[:-1] = np.maximum(errors[:-1], _LEAST_ERROR * self.aim.accuracy * rate)
        return Standing(
            setting,
            tuple(values[:-1].tolist()),
            tuple(errors[:-1].tolist()),
            float(values[-1]),
            float(errors[-1]),
            rate,
        )

    def repeats(self, place: Place) -> int:
        """Number of records at the point, the last among them; 0 where that is elsewhere."""
        count = 0
        for f in reversed(self.findings):
            here = self.standing(f.setting, place.variant)
            if max(abs(v) for v in here.vanishing) > _SAME * here.rate or _far(
                f.setting, self.last
            ):
                break
            count += 1
        return count

    def gains(self, settings: Sequence[Knobs], place: Place, there: Standing) -> _Array:
        """Expected information of records about what is wanted at the point, nats."""
        point = replace(place.setting, seen=False)
        _, covariance = self.best.together([point, *settings])
        mean, _, _ = self.best.predict(point)
        _, slopes = self.aim.target.linear(mean, place.variant)
        # Information on what is known better than wanted is worth nothing.
        wanted = np.append(
            np.full(len(slopes) - 1, self.aim.accuracy * there.rate),
            0.5 * self.aim.accuracy * there.amplitude,
        )
        slopes = slopes / (0.5 * wanted[:, None])
        own = slopes @ covariance[:5, :5] @ slopes.T
        before = float(np.linalg.slogdet(np.eye(len(own)) + own)[1])
        found = []
        for i in range(len(settings)):
            rows = slice(5 * (i + 1), 5 * (i + 2))
            cross = slopes @ covariance[:5, rows]
            noise = covariance[rows, rows] + self.expected
            left = own - cross @ np.linalg.solve(noise, cross.T)
            found.append(0.5 * (before - float(np.linalg.slogdet(np.eye(len(own)) + left)[1])))
        return np.array(found)

    def telling_apart(self) -> Knobs | None:
        """The setting at which the two likeliest readings differ most."""
        one, two = (r.belief for r in self.readings[:2])
        settings, order = self.candidates, list[tuple[float, Knobs]]()
        (a, error_a), (b, error_b) = one.together(settings), two.together(settings)
        for i, setting in enumerate(settings):
            rows = slice(5 * i, 5 * i + 5)
            noise = self.expected + 0.5 * (error_a + error_b)[rows, rows]
            order.append((float((a - b)[i] @ np.linalg.solve(noise, (a - b)[i])), setting))
        order.sort(key=lambda pair: -pair[0])
        for _, setting in order[:12]:
            if self.reachable(setting):
                return setting
        return self.approach(order[0][1]) if order else None

    def absent(self, place: Place) -> bool:
        """Whether there is certainly no such point within the limits."""
        if len(self.findings) < 3 or place.missing < 0.02:
            return False
        there = self.standing(replace(place.setting, seen=True), place.variant)
        size = math.hypot(*there.vanishing)
        error = math.hypot(*there.errors)
        sure = size - _SURE * error > 0.5 * self.aim.accuracy * there.rate
        return sure and (error < 2.0 * self.aim.accuracy * there.rate or size > 10.0 * error)

    def nearest_words(self, place: Place) -> str:
        """Why there is no such point."""
        s = place.setting
        return (
            f"within the limits, nearest at phi {s.phi:.3f} rad, distance "
            f"{1e6 * s.distance:.3f} um, balance {s.balance:.3f}, where {place.missing:.2g} G/kd "
            "are missing"
        )


def _apart(one: Knobs, other: Knobs) -> bool:
    """Whether two settings are not the same to the precision of set-points."""
    return (
        abs(math.remainder(one.phi - other.phi, math.tau)) > 1e-3
        or abs(one.distance - other.distance) > 1e-9
        or abs(one.balance - other.balance) > 1e-3
    )


def _over(one: Knobs, other: Knobs) -> bool:
    """Whether two settings have nearly the same φ and d, whatever their balance."""
    turned = abs(math.remainder(one.phi - other.phi, math.tau))
    return turned < 0.15 and abs(one.distance - other.distance) < 2e-8


def _far(one: Knobs, other: Knobs) -> bool:
    """Whether two settings are not of one place."""
    return (
        abs(math.remainder(one.phi - other.phi, math.tau)) > 0.3
        or abs(one.distance - other.distance) > 4e-8
        or abs(one.balance - other.balance) > 0.02
    )


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
