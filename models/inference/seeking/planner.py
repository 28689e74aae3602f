"""The next setting of a seek: a pure function of what is wanted, of the rig file and the findings.

While the point is not known well enough, the setting is measured that is expected to say most about
what should vanish and what is large there; then the point itself, twice at least. No setting is
proposed, and no straight way to it, where the pair might grow: |δω| is kept above 4G/kd, which is
outside the broken zone δω ∈ 2g_a ± 2√(g_a² − g_r²) for every φ and kd, until the couplings are
known well enough to say where the zone ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..joint.belief import Belief
from .allowed import Allowed, over
from .knowledge import Finding, Reading, readings
from .solving import Place, place_of
from .steered import Knobs, SteeredLaw
from .targets import Aim

__all__ = ["Decision", "Standing", "decide"]

_Array = NDArray[np.float64]

_SURE = 3.0  # standard errors
_NO_GAIN = 0.05  # nats
_TELLING = 1.0  # χ² between two readings that one record is worth
_FAINT = 0.1  # G/kd: a point whose amplitude is smaller is none
_SAME = 0.3  # G/kd: what vanishes at settings that count as one place
_LEAST_ERROR = 0.25  # of what is wanted
_REPEATED = 4  # records at the point: φ walks on, so that one more says less than is foreseen


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
        return enough and self.amplitude_error <= self.amplitude_wanted(accuracy)

    def amplitude_wanted(self, accuracy: float) -> float:
        """Wanted error of the amplitude, rad/s: of a small one not less than can be had."""
        return accuracy * max(0.5 * self.amplitude, _LEAST_ERROR * self.rate)

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
class _Planner(Allowed):
    """Decides."""

    def decision(self) -> Decision:
        place = self.place(self.best)
        if not self.findings:
            return self.measure(self.outside(), "the ramp", None)
        here = self.standing(self.last, place.variant)
        # Readings that foresee the same everywhere, as φ + π with kd + π may, are as good as one.
        if self.ambiguous and self.distinct and self.distinct[0][0] > _TELLING:
            return self.measure(self.telling_apart(), "tell the readings apart", here)
        at_point = replace(place.setting, seen=True)
        there = self.standing(at_point, place.variant)
        if self.absent(place, there):
            return self.ended("impossible", self.nearest_words(place), here)
        if self.faint(there):
            return self.ended("impossible", self.faint_words(there), here)
        repeats = self.repeats(place)
        repeated = repeats >= 2
        if repeated and here.met and here.known(self.aim.accuracy):
            return self.ended("reached", "", here)
        gains = self.gains([at_point, *self.candidates], place, there)
        if not there.known(self.aim.accuracy):
            order = np.argsort(-gains, kind="stable")
            settings = [at_point, *self.candidates]
            nothing = float(gains.max()) < _NO_GAIN or repeats >= _REPEATED
            if nothing and repeated and here.met:
                return self.ended("limited", "no further setting would tell more", here)
            for i in order.tolist():
                if gains[i] < 0.7 * gains.max():
                    break
                if self.reachable(settings[i]):
                    return self.measure(settings[i], "what it tells of the point", here)
        stop = self.approach(at_point)
        # Not where another place has become better: that is gone to.
        held_off = stop is None or (over(at_point, self.last) and not over(stop, self.last))
        if repeated and here.near(self.aim.accuracy) and held_off:
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
            there.amplitude_wanted(self.aim.accuracy),
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

    @cached_property
    def distinct(self) -> list[tuple[float, Knobs]]:
        """χ² by which a record would tell the two likeliest readings apart; the best first."""
        one, two = (r.belief for r in self.readings[:2])
        settings, order = self.candidates, list[tuple[float, Knobs]]()
        (a, error_a), (b, error_b) = one.together(settings), two.together(settings)
        for i, setting in enumerate(settings):
            rows = slice(5 * i, 5 * i + 5)
            noise = self.expected + 0.5 * (error_a + error_b)[rows, rows]
            order.append((float((a - b)[i] @ np.linalg.solve(noise, (a - b)[i])), setting))
        return sorted(order, key=lambda pair: -pair[0])

    def telling_apart(self) -> Knobs | None:
        """The setting at which the two likeliest readings differ most."""
        for _, setting in self.distinct[:12]:
            if self.reachable(setting):
                return setting
        return self.approach(self.distinct[0][1])

    def absent(self, place: Place, there: Standing) -> bool:
        """Whether there is certainly no such point within the limits."""
        if len(self.findings) < 3 or place.missing < 0.02:
            return False
        size = math.hypot(*there.vanishing)
        error = math.hypot(*there.errors)
        sure = size - _SURE * error > 0.5 * self.aim.accuracy * there.rate
        return sure and (error < 2.0 * self.aim.accuracy * there.rate or size > 10.0 * error)

    def faint(self, there: Standing) -> bool:
        """Whether what should be large at the point certainly is not."""
        if len(self.findings) < 3 or not self.aim.target.largest:
            return False
        return abs(there.amplitude) + _SURE * there.amplitude_error < _FAINT * there.rate

    def faint_words(self, there: Standing) -> str:
        """Why there is no such point though what should vanish does."""
        return (
            f"within the limits, its amplitude is {abs(there.amplitude) / there.rate:.2g} G/kd at "
            f"most, less than {_FAINT:g}"
        )

    def nearest_words(self, place: Place) -> str:
        """Why there is no such point."""
        s = place.setting
        return (
            f"within the limits, nearest at phi {s.phi:.3f} rad, distance "
            f"{1e6 * s.distance:.3f} um, balance {s.balance:.3f}, where {place.missing:.2g} G/kd "
            "are missing"
        )


def _far(one: Knobs, other: Knobs) -> bool:
    """Whether two settings are not of one place."""
    return (
        abs(math.remainder(one.phi - other.phi, math.tau)) > 0.3
        or abs(one.distance - other.distance) > 4e-8
        or abs(one.balance - other.balance) > 0.02
    )
