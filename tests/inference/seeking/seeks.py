"""Seeks of hidden rigs by the planner alone, and what came of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from hidden_rigs import DAMPING, FORESEEN, HiddenRig

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

    ``pull`` is the largest true |vanishing component| over its stated error, ``amplitude`` the
    relative error of the stated amplitude, ``growth`` the fastest true growth rate of an undamped
    pair at any setting but that of the beginning, rad/s.
    """

    decision: Decision
    settings: int
    pull: float
    amplitude: float
    growth: float
    kd: float

    @property
    def good(self) -> bool:
        return self.decision.kind == "reached" and self.pull <= 3.0 and self.amplitude <= 0.03


def sought(target: Target, seed: int, most: int = 20) -> Sought:
    """Seek a point on a hidden rig."""
    trap = ob.load_trap("simulated-pair")
    rig = HiddenRig.drawn(trap, seed)
    aim, prior = Aim(target, LIMITS, 0.03, held=HELD), prior_of(trap, ORIGIN, Doubts())
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
    true = rig.truth(findings[-1].setting, ORIGIN)
    columns = np.array([true[n] for n in FORESEEN])
    standing = decision.standing
    assert standing is not None
    pulls = [
        np.max(np.abs(target.vanishing(columns, v)) / np.array(standing.errors))
        for v in target.variants
    ]
    best = target.variants[int(np.argmin(pulls))]
    amplitude = abs(float(target.amplitude(columns, best)) / standing.amplitude - 1.0)
    kd = decision.readings[0].value("kd_0") - rig.distance * trap.k
    return Sought(decision, count, float(min(pulls)), amplitude, growth, kd)
