"""What a global fit says of each light: couplings, avoided crossing, exceptional points.

δω = ω_2 − ω_1 of the bare frequencies is ω̃_2 − ω̃_1 + 2g_a, Eq. (9). With S = g_a² − g_r², the
eigenfrequencies of Eq. (12) come nearest at δω = 2g_a: for S < 0 by a gap of 2√−S, for S > 0 they
meet at the exceptional points δω = 2g_a ± 2√S. S has an error of its own; so an exceptional point
near |g_a| = |g_r| may not exist, which ``exists`` says in standard deviations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from .fits import JointFit
from .law import PairSetting
from .likelihood import SHARED

__all__ = [
    "FORESEEN",
    "Estimated",
    "Forecast",
    "LightPoint",
    "foreseen_table",
    "light_points",
    "predicted",
]

_Array = NDArray[np.float64]

FORESEEN = ("g_r", "g_a", "re_D12", "omega_1", "omega_2")
"""Columns of what is foreseen at a light."""

_STEP = 1e-6

S = TypeVar("S", contravariant=True)


class Forecast(Protocol[S]):
    """A law of light: what fits find at settings of the kind S."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of its parameters."""
        ...

    def columns(self, values: _Array, settings: Sequence[S]) -> _Array:
        """Columns ``FORESEEN`` for rows of values (k, P), shape (k, n, 5)."""
        ...


@dataclass(frozen=True)
class Estimated:
    """A value with its standard error.

    Attributes
    ----------
    value, stderr : float
        In one unit.
    """

    value: float
    stderr: float

    def to_dict(self) -> dict[str, float]:
        """JSON values."""
        return {"value": self.value, "stderr": self.stderr}


@dataclass(frozen=True)
class LightPoint:
    """One light of a global fit, drifts of φ taken off; rates in rad/s.

    Attributes
    ----------
    setting : PairSetting
        As set.
    records : int
        Number of records at it.
    g_r, g_a, re_D12 : Estimated
        Couplings and correlated recoil.
    delta_omega : Estimated
        Detuning of the bare frequencies.
    kind : str
        "avoided crossing" or "exceptional points": what a sweep of δω meets.
    exists : float
        |S| in standard deviations: how surely it is that kind.
    centre : Estimated
        δω = 2g_a, where the eigenfrequencies are nearest.
    gap : Estimated or None
        Of an avoided crossing.
    exceptional : tuple of Estimated, or None
        Detunings δω of the exceptional points, lower first.
    balances : tuple of Estimated
        Set balances (P_2 − P_1)/(P_1 + P_2) of the crossing, or of both exceptional points.
    """

    setting: PairSetting
    records: int
    g_r: Estimated
    g_a: Estimated
    re_D12: Estimated
    delta_omega: Estimated
    kind: str
    exists: float
    centre: Estimated
    gap: Estimated | None
    exceptional: tuple[Estimated, Estimated] | None
    balances: tuple[Estimated, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        s = self.setting
        return {
            "phi": s.phi,
            "distance": s.distance,
            "powers": list(s.powers),
            "records": self.records,
            **{n: getattr(self, n).to_dict() for n in ("g_r", "g_a", "re_D12", "delta_omega")},
            "kind": self.kind,
            "exists_sigma": self.exists,
            "centre": self.centre.to_dict(),
            "gap": None if self.gap is None else self.gap.to_dict(),
            "exceptional_points": None
            if self.exceptional is None
            else [e.to_dict() for e in self.exceptional],
            "balances": [b.to_dict() for b in self.balances],
        }


def predicted(
    fit: JointFit, settings: Sequence[PairSetting]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What the law foresees at other lights, with its covariance.

    Parameters
    ----------
    fit : JointFit
        A global fit.
    settings : sequence of PairSetting
        n lights, which need not have been measured.

    Returns
    -------
    values : ndarray, shape (n, 5)
        g_r, g_a, re_D12, omega_1, omega_2, rad/s.
    covariance : ndarray, shape (n, 5, 5)
        What is not known of the shared parameters, and what the law lacks.
    """
    values, slopes = foreseen_table(fit.law, fit.values, fit.free, settings)
    shared = fit.covariance()[: len(fit.free), : len(fit.free)]
    covariance = slopes @ shared @ np.swapaxes(slopes, 1, 2)
    return values, covariance + np.diag(_lacking(fit) ** 2)


def _lacking(fit: JointFit) -> _Array:
    t = fit.tolerances
    return np.array([t.coupling] * 3 + [t.line] * 2)


def foreseen_table(
    law: Forecast[S],
    values: _Array,
    free: Sequence[str],
    settings: Sequence[S],
    parameters: Sequence[str] = SHARED,
) -> tuple[_Array, _Array]:
    """Columns ``FORESEEN`` (n, 5) and derivatives by the free parameters, (n, 5, p)."""
    places = [parameters.index(n) for n in free]
    steps = _STEP * np.maximum(np.abs(values[places]), 1.0)
    moved = np.tile(values, (2 * len(places) + 1, 1))
    for j, (place, step) in enumerate(zip(places, steps, strict=True)):
        moved[2 * j, place] += step
        moved[2 * j + 1, place] -= step
    table = law.columns(moved, settings)
    slopes = (table[0:-1:2] - table[1:-1:2]) / (2.0 * steps[:, None, None])
    return table[-1], np.moveaxis(slopes, 0, -1)


def light_points(fit: JointFit) -> list[LightPoint]:
    """Every light of a global fit, in the order of the records."""
    frame, covariance = fit.likelihood.frame, fit.covariance()
    values, slopes = foreseen_table(fit.law, fit.values, fit.free, frame.lights)
    p, lacking = len(fit.free), _lacking(fit)
    found = []
    for i, setting in enumerate(frame.lights):
        own = frame.slots.light[int(np.flatnonzero(frame.light_of == i)[0])]
        wide = np.zeros((5, len(covariance)))
        wide[:, :p] = slopes[i]
        wide[np.arange(5), p + own] = lacking
        at = values[i] + lacking * fit.point.own[own]
        count = int(np.sum(frame.light_of == i))
        step = 1e-3
        other = _with_balance(setting, setting.balance + step)
        there = fit.law.foresee(dict(zip(SHARED, fit.values, strict=True)), [other])
        here = values[i]
        tuning = float(there.omega_2[0] - there.omega_1[0] - here[4] + here[3]) / step
        found.append(_point(setting, count, at, wide @ covariance @ wide.T, tuning))
    return found


def _with_balance(setting: PairSetting, balance: float) -> PairSetting:
    """The same light with its power shared otherwise."""
    half = 0.5 * sum(setting.powers)
    powers = half * (1.0 - balance), half * (1.0 + balance)
    return PairSetting(setting.phi, setting.distance, powers, setting.pressure)


def _point(
    setting: PairSetting, records: int, at: _Array, covariance: _Array, tuning: float
) -> LightPoint:
    g_r, g_a, _, first, second = at.tolist()

    def linear(*weights: float) -> Estimated:
        w = np.array(weights)
        return Estimated(float(w @ at), math.sqrt(max(float(w @ covariance @ w), 0.0)))

    square = g_a * g_a - g_r * g_r
    of_square = np.array([-2.0 * g_r, 2.0 * g_a, 0.0, 0.0, 0.0])
    spread = math.sqrt(float(of_square @ covariance @ of_square))
    root = 2.0 * math.sqrt(abs(square))
    # The root of S is no linear function near 0: what S ± its error give.
    ends = [2.0 * math.sqrt(max(abs(square) + s * spread, 0.0)) for s in (-1.0, 1.0)]
    of_root = of_square * (2.0 / root) if root > 0.0 else np.zeros(5)
    slack = 0.5 * (ends[1] - ends[0])
    away = _balances(setting, second - first, root if square > 0.0 else 0.0, tuning)
    shares = []
    for balance, sign in away:
        w = (np.array([0.0, 0.0, 0.0, 1.0, -1.0]) + sign * of_root) / tuning
        shares.append(Estimated(balance, math.sqrt(max(float(w @ covariance @ w), 0.0))))
    exceptional = None
    if square > 0.0:
        both = []
        for sign in (-1.0, 1.0):
            w = np.array([0.0, 2.0, 0.0, 0.0, 0.0]) + sign * of_root
            error = math.sqrt(max(float(w @ covariance @ w), 0.0))
            if root * root < 4.0 * spread:  # near |g_a| = |g_r| the root decides
                error = math.hypot(linear(0.0, 2.0, 0.0, 0.0, 0.0).stderr, slack)
            both.append(Estimated(2.0 * g_a + sign * root, error))
        exceptional = (both[0], both[1])
    return LightPoint(
        setting=setting,
        records=records,
        g_r=linear(1.0, 0.0, 0.0, 0.0, 0.0),
        g_a=linear(0.0, 1.0, 0.0, 0.0, 0.0),
        re_D12=linear(0.0, 0.0, 1.0, 0.0, 0.0),
        delta_omega=linear(0.0, 2.0, 0.0, -1.0, 1.0),
        kind="exceptional points" if square > 0.0 else "avoided crossing",
        exists=abs(square) / spread if spread > 0.0 else math.inf,
        centre=linear(0.0, 2.0, 0.0, 0.0, 0.0),
        gap=None if square > 0.0 else Estimated(root, slack),
        exceptional=exceptional,
        balances=tuple(shares),
    )


def _balances(
    setting: PairSetting, splitting: float, root: float, tuning: float
) -> list[tuple[float, float]]:
    """Set balances at which ω̃_2 − ω̃_1 is 0, or −root and +root; each with the sign of root."""
    signs = (0.0,) if root == 0.0 else (-1.0, 1.0)
    return [(setting.balance + (s * root - splitting) / tuning, s) for s in signs]
