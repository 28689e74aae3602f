"""φ and φ + π in turn: played by a card or set between releases, recorded, and fitted apart."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import optobind as ob
from optobind.acquisition.plans import ReheatingPlan
from optobind.acquisition.release_pattern import MOST_SAMPLES, Cycle, Played
from optobind.acquisition.runfile import RunFile
from optobind.instruments.patterns import FEEDBACK, PHASE
from optobind.models.errors import InputError

from .test_played_releases import QUICK, RATE, assert_exact, begin, played_rig

__all__ = ["begin"]


def phases(path: Path) -> list[int]:
    """Half turns of each release, as recorded."""
    with RunFile.open(path) as run:
        return [round(r.phase / math.pi) for r in run.all_releases()]


class Watch:
    """Notes the light of the world at each sample that is made."""

    def __init__(self, rig: Any) -> None:
        self.turns: list[tuple[int, float]] = []
        world, base = rig.world, rig.world.light.relative_phase
        run = world._engine.run

        def note(counts: Any, truth: Any) -> Any:
            turn = (world.light.relative_phase - base) / math.pi
            self.turns.append((world.position, turn))
            return run(counts, truth)

        world._engine.run = note


@pytest.mark.slow
@pytest.mark.parametrize("timing", ["card", "software"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"phase_reversal": "repetition"}, [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]),
        ({"phase_reversal": "block", "reversal_block": 3}, [0, 0, 0, 1, 1, 1, 0, 0, 0, 1]),
        ({}, [0] * 10),
    ],
)
def test_each_release_has_the_phase_that_is_recorded_with_it(begin, timing, options, expected):
    rig = played_rig(damping=(2.0 * math.pi * 20e3,))
    before = rig.world.light
    session = begin(rig)
    watch = Watch(rig)
    plan = ReheatingPlan(10, timing=timing, **QUICK, **options)
    outcome = session.start(plan).result(120)
    assert outcome.outcome == "complete", outcome.words()
    assert phases(outcome.path) == expected
    assert_exact(outcome.path, made=10)
    at = np.array([sample for sample, _ in watch.turns])
    seen = np.array([turn for _, turn in watch.turns])
    with RunFile.open(outcome.path) as run:
        skew = at[0]  # samples of the world before the record began
        for release in run.all_releases():
            inside = (at - skew >= release.first_sample) & (at - skew < release.end_sample)
            assert inside.any()
            assert seen[inside] == pytest.approx(round(release.phase / math.pi), abs=0.01)
    assert rig.world.light.relative_phase == pytest.approx(before.relative_phase, abs=1e-6)


def turns(played: Played) -> list[int]:
    """Half turns at the beginning of each release of a period."""
    values = played.pattern.waveforms[PHASE].values
    return [round(values[start] / math.pi) for start in played.starts]


def test_what_is_left_over_of_the_blocks_is_played_by_itself():
    plan = ReheatingPlan(50, phase_reversal="block", reversal_block=10, **QUICK)
    cycle = Cycle.of(plan, RATE)
    first = cycle.played(range(50), plan)
    assert (first.count, first.pattern.repetitions) == (40, 2)
    assert first.pattern.period == 20 * 1500 + 2 * 5000
    assert turns(first) == [0] * 10 + [1] * 10
    assert [first.start(n) for n in (0, 1, 10, 20)] == [6000, 7500, 26000, 46000]
    rest = cycle.played(range(40, 50), plan)
    assert (rest.count, turns(rest)) == (10, [0] * 10)
    # Thirteen repetitions on, in the middle of the blocks, and lost ones in any order.
    again = cycle.played(range(13, 50), plan)
    assert again.count == 20
    assert turns(again) == [1] * 7 + [0] * 10 + [1] * 3
    lost = cycle.played((3, 12, 13, 29), plan)
    assert (lost.count, lost.pattern.repetitions, turns(lost)) == (4, 1, [0, 1, 1, 0])
    assert len(lost.pattern.levels[FEEDBACK].edges) == 8


def test_blocks_that_are_too_long_for_a_waveform_are_refused_with_what_is_possible():
    plan = ReheatingPlan(100_000, phase_reversal="block", reversal_block=10_000, **QUICK)
    with pytest.raises(InputError, match=rf"at most {MOST_SAMPLES} .*reversal_block to 1290"):
        Cycle.of(plan, RATE).played(range(100_000), plan)


def test_reversal_without_anything_that_turns_the_phase_is_refused(begin):
    rig = played_rig()
    rig.light, rig.pattern = None, None
    with pytest.raises(InputError, match=r"phase_reversal needs a card .* has neither"):
        begin(rig).start(ReheatingPlan(4, phase_reversal="repetition", **QUICK)).result(60)


@pytest.mark.slow
def test_one_fit_does_not_mix_the_phases_and_each_finds_its_own_couplings(tmp_path):
    rig = ob.load_rig("simulated-unidirectional", ["simulation.seed=5", "simulation.clock=fast"])
    session = ob.Session(rig, live_fits=False)
    try:
        session.connect().result(60)
        plan = ReheatingPlan(400, phase_reversal="block", reversal_block=10)
        outcome = session.start(plan, tmp_path / "run.h5").result(300)
    finally:
        session.close()
    assert outcome.outcome == "complete", outcome.words()
    record = ob.open_record(outcome.path)
    with pytest.raises(InputError, match="one fit must not mix: choose with --phase"):
        ob.analyse_reheating(record)
    fits = {
        which: ob.analyse_reheating(record.at_phase(which)).estimators["transitions"].parameters
        for which in ("as-set", "reversed")
    }
    for name, least in {"g_r": 5.0, "re_D12": 1.0}.items():
        a, b = fits["as-set"][name], fits["reversed"][name]
        assert a.value * b.value < 0.0, name
        assert abs(a.value - b.value) > least * math.hypot(a.stderr, b.stderr), name


def test_the_phase_turns_in_each_release_and_rests_in_between(begin):
    # The force jumps where φ begins to turn: the particles are kicked by tens of nanometres.
    rig = played_rig(damping=(2.0 * math.pi * 20e3,), adc_range=30.0)
    plan = ReheatingPlan(5, phase_rate=200e3, **QUICK)
    played = Cycle.of(plan, RATE).played(range(5), plan)
    values = played.pattern.waveforms[PHASE].values
    assert np.all(values[:6000] == 0.0)
    assert values[6000:6009] == pytest.approx(math.tau * (np.arange(9) % 5) / 5.0)
    session = begin(rig)
    outcome = session.start(plan).result(120)
    assert outcome.outcome == "complete", outcome.words()
    assert_exact(outcome.path, made=5)
    with RunFile.open(outcome.path) as run:
        rates = [e.payload["phase_rate"] for e in run.events() if e.kind == "release"]
    assert rates == [200e3] * 5
    with pytest.raises(InputError, match="does not describe them"):
        ob.analyse_reheating(ob.open_record(outcome.path))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"phase_rate": 300e3}, r"phase_rate 300 kHz is too fast: .* at most 250 kHz"),
        ({"phase_rate": 100e3, "timing": "software"}, r"phase_rate needs a card"),
    ],
)
def test_a_phase_that_cannot_turn_is_refused(begin, options, why):
    with pytest.raises(InputError, match=why):
        begin(played_rig()).start(ReheatingPlan(5, **QUICK, **options)).result(60)


def test_a_phase_without_releases_is_named():
    plan = ob.ReheatingPlan(repetitions=4, release_time=5e-4, cool_time=5e-4)
    record = ob.simulate("simulated-pair", plan)
    with pytest.raises(
        InputError, match="no usable release at φ \\+ π: leave --phase and --power out"
    ):
        ob.analyse_reheating(record.at_phase("reversed"))
