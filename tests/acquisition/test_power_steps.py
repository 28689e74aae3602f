"""Releases at another power than is set: allowed or not, played, recorded, and fitted apart."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import optobind as ob
from optobind.acquisition.plans import ReheatingPlan
from optobind.acquisition.release_pattern import Cycle
from optobind.acquisition.runfile import RunFile
from optobind.instruments.guard import GuardedLight, LightLimits
from optobind.instruments.patterns import POWER, power_of
from optobind.models.errors import InputError, NotTrappedError

from .test_played_releases import QUICK, RATE, assert_exact, begin, played_rig

__all__ = ["begin"]

COLD = {"damping": (2.0 * math.pi * 20e3,)}


class Watch:
    """Notes the powers of the world, as shares of those at the beginning, at each piece made."""

    def __init__(self, rig: Any) -> None:
        self.seen: list[tuple[int, tuple[float, ...]]] = []
        world = rig.world
        base = [site.power for site in world.light.sites]
        run = world._engine.run

        def note(counts: Any, truth: Any) -> Any:
            powers = [site.power / b for site, b in zip(world.light.sites, base, strict=True)]
            self.seen.append((world.position, tuple(powers)))
            return run(counts, truth)

        world._engine.run = note

    def shares(self, start: int, stop: int) -> list[tuple[float, ...]]:
        """Powers between two samples of the record."""
        first = self.seen[0][0]
        begin = max(at - first for at, _ in self.seen if at - first <= start)  # a piece is steady
        found = [powers for at, powers in self.seen if begin <= at - first < stop]
        return sorted({tuple(round(p, 3) for p in powers) for powers in found})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [(0.8, 0.8)] * 6),
        ({"stepped_trap": "2"}, [(1.0, 0.8)] * 6),
        ({"power_alternation": "repetition"}, [(1.0, 1.0), (0.8, 0.8)] * 3),
        (
            {"power_alternation": "block", "reversal_block": 2, "stepped_trap": "1"},
            [(1.0, 1.0)] * 2 + [(0.8, 1.0)] * 2 + [(1.0, 1.0)] * 2,
        ),
    ],
)
def test_each_release_has_the_power_that_is_recorded_and_feedback_that_of_before(
    begin, options, expected
):
    rig = played_rig(**COLD, adc_range=30.0)
    before = rig.world.light
    session = begin(rig)
    watch = Watch(rig)
    outcome = session.start(ReheatingPlan(6, release_power=0.8, **QUICK, **options)).result(120)
    assert outcome.outcome == "complete", outcome.words()
    assert_exact(outcome.path, made=6)
    with RunFile.open(outcome.path) as run:
        releases = run.all_releases()
    for number, release in enumerate(releases):
        trap = options.get("stepped_trap", "all")
        told = tuple(
            release.setting.power if release.setting.trap in ("all", str(j)) else 1.0
            for j in (1, 2)
        )
        assert told == expected[number]
        assert release.setting.trap == (trap if 0.8 in told else "all")
        inside = watch.shares(release.first_sample, release.end_sample)
        assert inside == [expected[number]]
        # Settling and cooling before it have the power that is set.
        warm = watch.shares(release.first_sample - 900, release.first_sample)
        assert warm == [(1.0, 1.0)]
    for site, was in zip(rig.world.light.sites, before.sites, strict=True):
        assert site.power == pytest.approx(was.power, rel=1e-9)


def test_where_phase_and_power_alternate_all_four_lights_occur_equally():
    plan = ReheatingPlan(
        80, phase_reversal="block", power_alternation="block", reversal_block=5,
        release_power=0.7, stepped_trap="1", **QUICK,
    )  # fmt: skip
    lights = [plan.setting_of(n) for n in range(80)]
    counts = {light: lights.count(light) for light in lights}
    assert sorted(counts.values()) == [20] * 4
    played = Cycle.of(plan, RATE).played(range(80), plan)
    assert (len(played.starts), played.pattern.repetitions, played.count) == (20, 4, 80)
    waves = played.pattern.waveforms
    assert sorted(waves) == ["phase", power_of(1)]
    for number, start in enumerate(played.starts):
        free = slice(start, start + 500)
        assert np.all(waves[power_of(1)].values[free] == lights[number].power)
        assert np.all(waves["phase"].values[free] == lights[number].phase)
    assert np.all(waves[power_of(1)].values[: played.starts[0]] == 1.0)


def test_the_equilibria_settle_after_each_step_of_the_power():
    plan = ReheatingPlan(8, release_power=0.8, power_alternation="block", reversal_block=2, **QUICK)
    played = Cycle.of(plan, RATE).played(range(8), plan)
    warm = np.diff([0, *played.starts]) - np.array([0, *[500] * 3])
    # set, set, 0.8, 0.8 and again: after anything, after set, after set, after 0.8.
    assert warm.tolist() == [6000, 1000, 1000, 6000]
    assert set(played.pattern.waveforms) == {POWER}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"release_power": 0.8, "timing": "software"}, r"release_power needs a card that plays"),
        ({"release_power": 0.05}, r"power of tweezer 1 must lie in 0.02 … 1 W, got 0.01"),
        ({"release_power": 4.0}, r"power of tweezer 1 must lie in 0.02 … 1 W, got 1.1"),
        ({"release_power": 0.06, "stepped_trap": "2"}, r"power of tweezer 2 must lie in 0.02 …"),
    ],
)
def test_a_power_that_is_not_allowed_is_refused_before_anything_is_played(begin, options, why):
    rig = played_rig(**COLD)
    rig.light._control._least_power = 0.02
    session, played = begin(rig), []
    rig.pattern.arm = lambda *arguments: played.append(arguments)
    with pytest.raises(InputError, match=why):
        session.start(ReheatingPlan(4, **QUICK, **options)).result(60)
    assert not played
    assert rig.world.gate_closed


def test_a_step_is_refused_where_only_ramps_are_allowed(begin):
    rig = played_rig(**COLD)
    rig.light = GuardedLight(rig.light._control, LightLimits(power_slew=1.0), rig.trap)
    with pytest.raises(InputError, match=r"by 1 W/s at most \(power_slew of the light\)"):
        begin(rig).start(ReheatingPlan(4, release_power=0.9, **QUICK)).result(60)


def test_a_step_to_light_that_holds_no_pair_is_refused_by_the_model_of_the_rig():
    """So close together the stronger tweezer pulls the other one's particle over."""
    rig = ob.load_rig("simulated-pair")
    rig.rf.connect()
    rig.slm.connect()
    state = rig.light.read().state
    near = tuple(p + q for p, q in zip(state.sites[0].position, (1.5e-6, 0.0, 0.0), strict=True))
    close = state.with_site(1, position=near)
    rig.light.check_jump(close.with_site(1, power=0.5 * close.sites[1].power))
    with pytest.raises(NotTrappedError, match=r"mW do not hold the particles; nothing was sent"):
        rig.light.check_jump(close.with_site(1, power=0.1 * close.sites[1].power))


def test_rigs_without_light_or_a_power_output_are_named(begin):
    rig = played_rig(**COLD)
    rig.light = None
    with pytest.raises(InputError, match=r"release_power needs light whose power is known"):
        begin(rig).start(ReheatingPlan(4, release_power=0.8, **QUICK)).result(60)


def test_an_alternation_of_the_power_needs_a_power():
    with pytest.raises(InputError, match=r"power_alternation = block needs a plan.release_power"):
        ReheatingPlan(4, power_alternation="block")


@pytest.mark.study
def test_one_fit_does_not_mix_powers_and_each_finds_the_constants_of_its_own(tmp_path):
    """Rates scale with the power: g and D by the share, the frequency by its root."""
    rig = ob.load_rig("simulated-unidirectional", ["simulation.seed=5", "simulation.clock=fast"])
    session = ob.Session(rig, live_fits=False)
    try:
        session.connect().result(60)
        plan = ReheatingPlan(600, release_power=0.64, power_alternation="repetition")
        outcome = session.start(plan, tmp_path / "run.h5").result(300)
    finally:
        session.close()
    assert outcome.outcome == "complete", outcome.words()
    record, light = ob.open_record(outcome.path), rig.world.light
    with pytest.raises(InputError, match=r"choose with --power 0.64 or --power 1 \(record.at_pow"):
        ob.analyse_reheating(record)
    fits = {}
    for share in (1.0, 0.64):
        analysis = ob.analyse_reheating(record.at_power(share))
        stepped = light
        for j, site in enumerate(light.sites):
            stepped = stepped.with_site(j, power=share * site.power)
        rig.world.set_light(stepped)
        truth = rig.world.truth()
        for estimator in ("exact", "transitions"):
            found = analysis.estimators[estimator].parameters
            for name in ("g_r", "g_a", "D11", "D22", "re_D12"):
                pull = (found[name].value - truth[name]) / found[name].stderr
                assert abs(pull) < 4.5, (share, estimator, name, pull)
        fits[share] = analysis.result
    assert any("power × 0.64" in text for text in fits[0.64].warnings)
    assert not any("power ×" in text for text in fits[1.0].warnings)
    ratio = fits[0.64].parameters["D11"].value / fits[1.0].parameters["D11"].value
    assert ratio == pytest.approx(0.64, rel=0.1)
    with pytest.raises(InputError, match=r"no usable release at 0.5 × the set power"):
        ob.analyse_reheating(record.at_power(0.5))


def test_joined_runs_at_different_powers_are_not_mixed(tmp_path):
    quick = {"release_time": 5e-4, "cool_time": 5e-4, "reversal_settling": 1e-3}
    paths = []
    for share in (1.0, 0.9):
        plan = ob.ReheatingPlan(4, release_power=share, **quick)
        record = ob.simulate("simulated-pair", plan, out=tmp_path / f"{share}")
        paths.append(record.path)
    joined = ob.open_record(paths)
    with pytest.raises(InputError, match=r"joined files .*choose with --power 0.9 or --power 1"):
        joined.releases()
    assert len(joined.at_power(0.9).releases()) == 4
