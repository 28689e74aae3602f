"""From a working point of the theory to a plan: the light is the same, and so is what it does."""

from __future__ import annotations

import math

import numpy as np
import pytest

import optobind as ob
from optobind.acquisition.release_pattern import Cycle
from optobind.instruments.patterns import PHASE
from optobind.models.errors import InputError

RIG = ["tweezers.0.phase=0 rad", "tweezers.1.power=0.17 W"]


@pytest.fixture(scope="module")
def found():
    return ob.theory.array_working_point(ob.load_trap("simulated-pair", RIG), "one_mode_squeezing")


def test_what_a_plan_plays_is_the_light_of_the_working_point(found):
    plan = ob.ReheatingPlan(repetitions=3, release_time=1e-3, **found.plan_keys())
    played = Cycle.of(plan, 1e6).played(range(3), plan)
    times = np.arange(1000) / 1e6
    wave = played.pattern.waveforms[PHASE].values[played.starts[0] :][:1000]
    # The weights of a pair: 1, p_1, p_2, √(p_1p_2) cos φ, √(p_1p_2) sin φ.
    light = found.program(times)
    expected = np.unwrap(np.arctan2(light[..., -1], light[..., -2]))
    turns = (np.unwrap(wave) - (expected - expected[0])) / math.tau
    assert np.abs(turns - np.round(turns[0])).max() < 1e-6


@pytest.mark.parametrize("drive", ["phase", "power"])
def test_light_that_no_plan_plays_is_refused(drive):
    array = ob.load_trap("simulated-pair", RIG)
    other = ob.theory.array_working_point(
        array, "one_mode_squeezing", drive=drive, phi_0=0.3, depth=0.2
    )
    with pytest.raises(InputError, match=rf"does not play a modulated {drive}"):
        other.plan_keys()


@pytest.mark.study
@pytest.mark.parametrize(("beside", "lost"), [(1.0, True), (0.95, False), (1.05, False)])
def test_the_simulated_pair_is_amplified_at_the_working_point_and_not_beside_it(
    found, beside, lost
):
    """4700 1/s without damping: what the step of the mean force has kicked leaves the trap."""
    assert found.point.growth_rate * 1.6e-3 > 7.0
    world = ob.load_rig("simulated-pair", [*RIG, "simulation.seed=3"]).world
    rate = beside * found.plan_keys()["phase_rate"]
    plan = ob.ReheatingPlan(repetitions=4, release_time=1.6e-3, phase_rate=rate)
    clock = world.settings.sample_rate
    pattern = Cycle.of(plan, clock).played(range(4), plan).pattern
    world.warm_up()
    world.play(pattern)
    world.skip(pattern.samples)
    assert any(world.lost) is lost
