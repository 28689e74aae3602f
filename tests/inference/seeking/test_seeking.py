"""Seeks find working points of rigs that are not what their files say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hidden_rigs import DAMPING
from seeks import LIMITS, ORIGIN, sought

import optobind as ob
from optobind.models.inference.seeking.knowledge import prior_of
from optobind.models.inference.seeking.planner import decide
from optobind.models.inference.seeking.steered import Knobs, SteeredLaw
from optobind.models.inference.seeking.targets import POINTS, Aim, Doubts, Target

PHASES = ("reciprocal", "unidirectional", "antireciprocal", "noise-correlated")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "seed"), [("antireciprocal", 2), ("reciprocal", 4)])
def test_a_seek_finds_its_point_on_a_hidden_rig(name: str, seed: int) -> None:
    found = sought(Target(name), seed)
    assert found.decision.kind == "reached"
    assert found.good
    assert found.settings <= 12
    assert found.growth <= 0.5 * DAMPING
    assert abs(found.kd) < 0.03 * math.pi


def test_a_point_beyond_the_coupling_does_not_exist_and_that_is_said() -> None:
    found = sought(Target("given", g_r=math.tau * 10e3), 3)
    assert found.decision.kind == "impossible"
    assert "nearest at phi" in found.decision.why
    assert found.settings <= 12


def test_the_first_setting_is_the_light_of_the_beginning() -> None:
    prior = prior_of(ob.load_trap("simulated-pair"), ORIGIN, Doubts())
    decision = decide(Aim(Target("reciprocal"), LIMITS), prior, ())
    assert decision.kind == "measure"
    assert decision.setting == ORIGIN


def test_what_a_rig_file_says_follows_first_principles() -> None:
    trap = ob.load_trap("simulated-pair")
    prior = prior_of(trap, ORIGIN, Doubts())
    mean, _, _ = prior.predict(Knobs(0.4, 2.45e-6, -0.01 / 0.39, 0.39, seen=False))
    true = trap.pair_constants().constants
    assert mean[0] == pytest.approx(true.g_r, abs=300.0)
    assert mean[1] == pytest.approx(true.g_a, abs=300.0)


def test_turning_one_knob_moves_the_others_as_far_as_they_talk() -> None:
    trap = ob.load_trap("simulated-pair")
    prior = prior_of(trap, ORIGIN, Doubts())
    law, values = prior.law, prior.values.copy()
    assert isinstance(law, SteeredLaw)
    moved = Knobs(ORIGIN.phi, ORIGIN.distance + 1e-7, ORIGIN.balance, ORIGIN.total, seen=False)
    values[law.parameters.index("phi_by_distance")] = 0.04
    turned = Knobs(
        ORIGIN.phi + 0.04 * law.law.k * 1e-7,
        moved.distance, moved.balance, moved.total, seen=False,
    )  # fmt: skip
    there = law.columns(values[None], [moved])[0, 0]
    assert there == pytest.approx(law.columns(prior.values[None], [turned])[0, 0])
    assert not np.allclose(there[:2], law.columns(prior.values[None], [moved])[0, 0, :2])


def test_a_name_that_is_no_point_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ob.InputError, match="known: reciprocal, unidirectional, antireciprocal"):
        Target("antireciprokal")
    with pytest.raises(ob.InputError, match="needs g_r or g_a"):
        Target("given")


@pytest.mark.study
@pytest.mark.parametrize("name", [*PHASES, "exceptional-point"])
def test_of_sixty_hidden_rigs_nearly_all_reach_the_point(name: str) -> None:
    assert name in POINTS
    found = [sought(Target(name), 1000 + seed) for seed in range(60)]
    counts = sorted(s.settings for s in found)
    assert sum(s.good for s in found) >= 57
    assert counts[30] <= 9
    assert counts[54] <= 12
    # The setting after a beginning that grew is a guess of the file.
    assert sum(s.growth > 0.5 * DAMPING for s in found) <= 3
