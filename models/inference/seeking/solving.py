"""Which settings of the knobs a working point has, as far as a belief knows them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from ..joint.belief import Belief
from .steered import KNOBS, Knobs
from .targets import Target

__all__ = ["Place", "place_of"]

_Array = NDArray[np.float64]

_PHASES, _STEP = 36, 4e-8  # of the scan: φ in a turn, m
_WEIGHT = 30.0  # of what vanishes against what is to be large
_STARTS = 4
_CORRECTIONS = 2
_ENOUGH, _TRIES = 1e-6, 30  # of a solution: far below what set-points resolve
_SCALE = {"phi": 1.0, "distance": 1.7e-7, "balance": 0.03}  # what counts as much as 1 rad
_SMALL = 1e-6  # step of derivatives, of what counts as much as 1 rad


@dataclass(frozen=True)
class Place:
    """Where a point is.

    Attributes
    ----------
    setting : Knobs
        The nearest setting that comes as near to the point as the limits allow.
    variant : int
        Which of the points of this name.
    missing : float
        What should vanish and does not, over G/kd.
    share : float
        Amplitude over G/kd.
    """

    setting: Knobs
    variant: int
    missing: float
    share: float


def place_of(
    target: Target,
    belief: Belief[Knobs],
    limits: Mapping[str, tuple[float, float]],
    near: Knobs,
    rate: float,
    variant: int | None = None,
) -> Place:
    """Where a point is within the limits of the knobs; of several places the nearest.

    Parameters
    ----------
    target : Target
        The point.
    belief : Belief
        What is known.
    limits : mapping of str to (float, float)
        Least and largest value of each knob that may be turned; the others stay as in ``near``.
    near : Knobs
        Where the rig is; its balance is kept unless the point says which detuning it has.
    rate : float
        G/kd, rad/s.
    variant : int, optional
        The only variant that is looked for.
    """
    found: list[Place] = []
    for one in target.variants if variant is None else (variant,):
        found += _places(target, belief, limits, near, rate, one)
    least = min(p.missing for p in found)
    good = [p for p in found if p.missing < least + 0.01]
    most = max(p.share for p in good)
    good = [p for p in good if p.share > 0.93 * most or not target.largest]
    return min(good, key=lambda p: _way(p.setting, near))


def _way(one: Knobs, other: Knobs) -> float:
    turned = math.remainder(one.phi - other.phi, math.tau) / math.pi
    return math.hypot(turned, (one.distance - other.distance) / 2.66e-7)


def _scan(limits: Mapping[str, tuple[float, float]], near: Knobs) -> list[Knobs]:
    """Settings of φ and d on a grid."""
    low, high = limits.get("phi", (near.phi, near.phi))
    phases = np.linspace(low, high, 1 if low == high else _PHASES)
    low, high = limits.get("distance", (near.distance, near.distance))
    places = np.linspace(low, high, math.ceil((high - low) / _STEP) + 1)
    grid = [(p, d) for p in phases.tolist() for d in places.tolist()]
    return [replace(near, phi=p, distance=d, seen=False) for p, d in grid]


def _places(
    target: Target,
    belief: Belief[Knobs],
    limits: Mapping[str, tuple[float, float]],
    near: Knobs,
    rate: float,
    variant: int,
) -> list[Place]:
    """The best few places, refined."""
    grid = _scan(limits, near)
    table = belief.law.columns(belief.values[None], grid)[0]
    if target.tunes_detuning:
        # The detuning is found with the balance afterwards: here any will do.
        table = table.copy()
        table[:, 4] = table[:, 3] + _wanted_splitting(target, table, variant)
    missing = np.linalg.norm(target.vanishing(table, variant), axis=-1) / rate
    share = target.amplitude(table, variant) / rate
    score = missing**2 * 4.0 + ((1.1 - share) ** 2 if target.largest else 0.0)
    kept: list[Knobs] = []
    for i in np.argsort(score, kind="stable").tolist():
        if all(_way(grid[i], k) > 0.3 for k in kept):
            kept.append(grid[i])
        if len(kept) == _STARTS:
            break
    return [_refined(target, belief, limits, start, rate, variant) for start in kept]


def _wanted_splitting(target: Target, table: _Array, variant: int) -> _Array:
    """ω̃_2 − ω̃_1 that a point which says its detuning has at couplings."""
    if target.delta_omega is not None:
        return np.asarray(target.delta_omega - 2.0 * table[:, 1])
    square = table[:, 1] ** 2 - table[:, 0] ** 2
    return np.asarray(variant * 2.0 * np.sign(square) * np.sqrt(np.abs(square)))


def _refined(
    target: Target,
    belief: Belief[Knobs],
    limits: Mapping[str, tuple[float, float]],
    start: Knobs,
    rate: float,
    variant: int,
) -> Place:
    """Solve for the knobs; what the law lacks there, as far as it is known, is taken off."""
    sought = _Sought(target, belief, limits, start, rate, variant)
    setting, lacking = start, np.zeros(5)
    for _ in range(_CORRECTIONS):
        if sought.free:
            setting = sought.solved(setting, lacking)
        mean, _, _ = belief.predict(setting)
        lacking = mean - belief.law.columns(belief.values[None], [setting])[0, 0]
    columns = belief.law.columns(belief.values[None], [setting])[0, 0] + lacking
    if sought.whole:
        setting = replace(setting, phi=math.remainder(setting.phi, math.tau))
    missing = float(np.linalg.norm(target.vanishing(columns, variant))) / rate
    return Place(setting, variant, missing, float(target.amplitude(columns, variant)) / rate)


@dataclass(frozen=True)
class _Sought:
    """A least-squares problem in the knobs that are free, each in units of about a radian."""

    target: Target
    belief: Belief[Knobs]
    limits: Mapping[str, tuple[float, float]]
    start: Knobs
    rate: float
    variant: int

    @cached_property
    def free(self) -> list[str]:
        """Knobs that are solved for."""
        turned = [k for k in KNOBS if k != "balance" or self.target.tunes_detuning]
        ends = {k: self.limits[k] for k in turned if k in self.limits}
        return [k for k, (low, high) in ends.items() if high > low]

    @property
    def whole(self) -> bool:
        """Whether φ may have any value: a turn has no ends."""
        return "phi" in self.free and np.ptp(self.limits["phi"]) >= math.tau - 1e-9

    def solved(self, near: Knobs, lacking: _Array) -> Knobs:
        """The setting nearby with the least residuals."""
        low, high = (np.array([self.limits[k][e] / _SCALE[k] for k in self.free]) for e in (0, 1))
        if self.whole:
            low[self.free.index("phi")] -= math.pi
            high[self.free.index("phi")] += math.pi
        x = np.array([getattr(near, k) / _SCALE[k] for k in self.free])

        def here(x: _Array) -> _Array:
            return np.asarray(self._residuals(x[None], lacking)[0])

        def slopes(x: _Array) -> _Array:
            # All steps at once: the law is as fast for many settings as for one.
            steps = _SMALL * np.eye(len(x))
            found = self._residuals(np.concatenate([x + steps, x - steps]), lacking)
            return np.asarray((found[: len(x)] - found[len(x) :]).T / (2.0 * _SMALL))

        found = least_squares(
            here,
            np.clip(x, low + 1e-9, high - 1e-9),
            slopes,
            bounds=(low, high),
            x_scale=0.3,
            ftol=_ENOUGH,
            xtol=_ENOUGH,
            max_nfev=_TRIES,
        )
        return self._at(found.x)

    def _at(self, x: _Array) -> Knobs:
        moved: dict[str, Any] = {k: float(v) * _SCALE[k] for k, v in zip(self.free, x, strict=True)}
        return replace(self.start, **moved)

    def _residuals(self, points: _Array, lacking: _Array) -> _Array:
        settings = [self._at(x) for x in points]
        columns = self.belief.law.columns(self.belief.values[None], settings)[0] + lacking
        rest = self.target.vanishing(columns, self.variant) * (_WEIGHT / self.rate)
        if not self.target.largest:
            return np.asarray(rest)
        short = 1.2 - self.target.amplitude(columns, self.variant) / self.rate
        return np.concatenate([rest, short[:, None]], axis=-1)
