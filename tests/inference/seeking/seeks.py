"""Seeks of hidden rigs by the planner alone, and what came of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from hidden_rigs import DAMPING, FORESEEN, HiddenRig
from numpy.typing import NDArray
from scipy.optimize import least_squares

import optobind as ob
from optobind.models.inference.seeking.knowledge import Finding, prior_of
from optobind.models.inference.seeking.planner import Decision, decide
from optobind.models.inference.seeking.steered import Knobs
from optobind.models.inference.seeking.targets import Aim, Doubts, Target

ORIGIN = Knobs(0.4, 2.45e-6, -0.01 / 0.39, 0.39)
LIMITS = {"phi": (-math.pi, math.pi), "distance": (2.15e-6, 2.75e-6), "balance": (-0.25, 0.25)}
HELD = 0.4 * DAMPING


@dataclass(frozen=True)
class Sought:
    """A seek that is over.

    ``pull`` is the largest true |vanishing component| over its stated error, ``wrong`` the largest
    true less stated component over its error, ``amplitude`` the relative error of the stated
    amplitude, ``growth`` the fastest true growth rate of an undamped pair at any setting but that
    of the beginning, rad/s, ``kd`` the error of the calibrated distance and ``kd_error`` the
    stated one, rad.
    """

    decision: Decision
    settings: int
    pull: float
    wrong: float
    amplitude: float
    growth: float
    kd: float
    kd_error: float

    @property
    def good(self) -> bool:
        return self.decision.kind == "reached" and self.pull <= 3.0 and self.amplitude <= 0.03


def sought(
    target: Target,
    seed: int,
    most: int = 20,
    limits: Mapping[str, tuple[float, float]] = LIMITS,
) -> Sought:
    """Seek a point on a hidden rig."""
    trap = ob.load_trap("simulated-pair")
    rig = HiddenRig.drawn(trap, seed)
    aim, prior = Aim(target, limits, 0.03, held=HELD), prior_of(trap, ORIGIN, Doubts())
    findings: list[Finding] = []
    refused: list[Knobs] = []
    growth = 0.0
    while True:
        decision = decide(aim, prior, findings, refused)
        count = len(findings) + len(refused)
        if decision.kind != "measure" or count == most:
            break
        assert decision.setting is not None
        if count:
            growth = max(growth, rig.growth(decision.setting, ORIGIN))
        found = rig.measure(decision.setting, ORIGIN)
        if found is None:
            refused.append(decision.setting)
        else:
            findings.append(found)
    return _judged(target, rig, findings, decision, count, growth)


def _judged(
    target: Target,
    rig: HiddenRig,
    findings: list[Finding],
    decision: Decision,
    count: int,
    growth: float,
) -> Sought:
    """What came of a seek, by the truth of its rig."""
    standing, best = decision.standing, decision.readings[0]
    kd = best.value("kd_0") - rig.distance * rig.trap.k
    if standing is None:
        return Sought(decision, count, math.inf, math.inf, math.inf, growth, kd, math.inf)
    columns = _columns(rig, findings[-1].setting)
    errors, stated = np.array(standing.errors), np.array(standing.vanishing)
    true = [target.vanishing(columns, v) for v in target.variants]
    pulls = [float(np.max(np.abs(t) / errors)) for t in true]
    wrong = [float(np.max(np.abs(t - stated) / errors)) for t in true]
    variant = target.variants[int(np.argmin(wrong))]
    amplitude = abs(float(target.amplitude(columns, variant)) / standing.amplitude - 1.0)
    return Sought(
        decision, count, min(pulls), min(wrong), amplitude, growth, kd, best.stderr("kd_0")
    )


def _columns(rig: HiddenRig, setting: Knobs) -> NDArray[np.float64]:
    true = rig.truth(setting, ORIGIN)
    return np.array([true[n] for n in FORESEEN])


def side_of(rig: HiddenRig) -> int:
    """Side of the broken zone on which seeks of a rig stay: that of the beginning."""
    if rig.growth(ORIGIN, ORIGIN) > 0.45 * DAMPING:
        return -1  # not to be measured: the side of its file
    true = rig.truth(ORIGIN, ORIGIN)
    return 1 if true["omega_2"] > true["omega_1"] else -1


def given_point(seed: int) -> Target:
    """Couplings and δω that the hidden rig of a seed has at some light, outside the zone."""
    rig, rng = HiddenRig.drawn(ob.load_trap("simulated-pair"), seed), np.random.default_rng(seed)
    side = side_of(rig)
    while True:
        setting = Knobs(
            float(rng.uniform(-math.pi, math.pi)),
            float(rng.uniform(2.25e-6, 2.65e-6)),
            side * float(rng.uniform(0.02, 0.15)),
            ORIGIN.total,
        )
        g_r, g_a, _, first, second = _columns(rig, setting).tolist()
        clear = side * (second - first) - 2.0 * math.sqrt(max(g_a**2 - g_r**2, 0.0))
        if clear > math.tau * 300.0 and math.hypot(g_r, g_a) > math.tau * 600.0:
            return Target("given", g_r, g_a, second - first + 2.0 * g_a)


def least_missing(
    target: Target, seed: int, limits: Mapping[str, tuple[float, float]]
) -> tuple[float, float]:
    """What the hidden rig lacks of a point at best, and its largest amplitude there, in G/kd."""
    rig = HiddenRig.drawn(ob.load_trap("simulated-pair"), seed)
    side = side_of(rig)
    variants = (side,) if target.name == "exceptional-point" else target.variants
    free = [k for k in ("phi", "distance", "balance") if k in limits]
    if not target.tunes_detuning:
        free = [k for k in free if k != "balance"]
    rng, rate = np.random.default_rng(seed), math.tau * 1700.0
    low, high = (np.array([limits[k][e] for k in free]) for e in (0, 1))
    found = [(math.inf, 0.0)]
    for variant in variants:

        def residuals(x: NDArray[np.float64], variant: int = variant) -> NDArray[np.float64]:
            at = dict(zip(free, (low + x * (high - low)).tolist(), strict=True))
            columns = _columns(rig, replace(ORIGIN, **at))
            rest = np.ravel(target.vanishing(columns, variant)) / rate
            amplitude = float(target.amplitude(columns, variant)) / rate
            return np.append(rest, 0.01 * (1.2 - amplitude) if target.largest else 0.0)

        for start in rng.uniform(0.05, 0.95, (6, len(free))):
            x = least_squares(residuals, start, bounds=(0.0, 1.0), diff_step=1e-4).x
            rest = residuals(x)
            found.append((float(np.linalg.norm(rest[:-1])), 1.2 - 100.0 * float(rest[-1])))
    least = min(f[0] for f in found)
    return least, max(f[1] for f in found if f[0] < least + 0.01)
