"""Releases that a card plays: exact in the record, whatever the PC does, and ended in every way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import optobind as ob
from optobind.acquisition import pattern_line
from optobind.acquisition.events import EventKind
from optobind.acquisition.plans import MonitorPlan, Plan, ReheatingPlan, SequencePlan
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.session import Session
from optobind.instruments.capabilities import GateCapabilities
from optobind.instruments.fakes import FakePatternPlayer
from optobind.instruments.patterns import FEEDBACK, LevelTrack, Pattern
from optobind.instruments.rig import Rig
from optobind.instruments.simulated.build import build_simulated_rig
from optobind.instruments.simulated.devices import SimulatedGate
from optobind.instruments.simulated.pattern_player import SimulatedPatternPlayer
from optobind.instruments.simulated.settings import (
    DetectorSettings,
    FeedbackSettings,
    WorldSettings,
)
from optobind.models.blocks import BlockStatus
from optobind.models.errors import DeviceError, InputError

from .test_faults import fake_rig, simulated_rig

pytestmark = pytest.mark.realtime

RATE = 1e6
OFFSET = 2
QUICK = {"cool_time": 1e-3, "release_time": 0.5e-3}
TRUTH = 2  # channel that shows whether feedback acts


def played_rig(*, real_time: bool = False, adc_range: float = 1.0, **feedback: Any) -> Rig:
    """Two particles and a monitor of the feedback, which is the truth of each sample."""
    trap = simulated_rig().trap
    assert trap is not None
    settings = WorldSettings(
        sample_rate=RATE,
        real_time=real_time,
        pattern_offset=OFFSET,
        adc_range=adc_range,
        detectors=(
            *(DetectorSettings(f"z{j + 1}", j, volts_per_metre=2e8) for j in range(2)),
            DetectorSettings("feedback", None, "monitor"),
        ),
        feedback=FeedbackSettings(**feedback),
    )
    return build_simulated_rig(trap, settings)


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[[Rig], Session]]:
    made: list[Session] = []

    def begin(rig: Rig) -> Session:
        session = Session(rig, run_directory=tmp_path, live_fits=False)
        made.append(session)
        session.connect().result(60)
        return session

    yield begin
    for session in made:
        session.close()


def truth(run: RunFile, start: int, stop: int) -> np.ndarray:
    """Whether feedback acted, of samples start … stop, by the monitor channel."""
    return np.asarray(run.samples(start, stop, [TRUTH]))[:, 0] > 8000


def assert_exact(path: Path, *, made: int) -> None:
    """Every recorded release is free from its first sample to its last, and no sample beyond."""
    with RunFile.open(path) as run:
        releases = run.all_releases()
        assert len(releases) == made
        free = run.digest().free
        for low, high in run.recorded():
            acts = truth(run, low, high)
            expected = np.ones(high - low, bool)
            for start, stop in free:
                expected[max(0, start - low) : max(0, stop - low)] = False
            # The first gate event has nobody know what was before.
            begin = 0 if low else 1
            assert np.array_equal(acts[begin:], expected[begin:])
        for release in releases:
            if release.why is None:
                assert not truth(run, release.first_sample, release.end_sample).any()


def gates(path: Path) -> list[tuple[int, bool, int]]:
    with RunFile.open(path) as run:
        return [
            (e.sample, e.payload["closed"], e.payload["spread"])
            for e in run.events()
            if e.kind is EventKind.GATE
        ]


@pytest.mark.parametrize("real_time", [False, True])
def test_every_release_has_exactly_the_planned_samples(begin, real_time):
    session = begin(played_rig(real_time=real_time))
    plan = ReheatingPlan(30, **QUICK)
    outcome = session.start(plan).result(120)
    assert outcome.outcome == "complete", outcome.words()
    assert_exact(outcome.path, made=30)
    with RunFile.open(outcome.path) as run:
        starts = [r.first_sample for r in run.all_releases()]
    assert set(np.diff(starts)) == {1500}
    assert {spread for _, _, spread in gates(outcome.path)[1:]} == {0}
    assert outcome.feedback is True


def test_steps_of_a_sequence_follow_one_another_over_seams_that_lose_nothing(begin):
    session = begin(played_rig())
    steps = (MonitorPlan(0.02), ReheatingPlan(5, **QUICK), MonitorPlan(0.01))
    outcome = session.start(SequencePlan((*steps, ReheatingPlan(4, **QUICK)))).result(120)
    assert outcome.outcome == "complete", outcome.words()
    assert (outcome.worth.gaps, outcome.worth.lost_samples) == (0, 0)
    assert_exact(outcome.path, made=9)
    with RunFile.open(outcome.path) as run:
        restarts = [e.sample for e in run.events() if e.kind is EventKind.RESTART]
        stretches = list(run.recorded())
        assert restarts == [start for start, _ in stretches[1:]]
        assert [stop for _, stop in stretches[:-1]] == restarts, "the index runs on"
        assert len(restarts) == 2


def test_a_pc_that_stands_still_changes_no_release(begin):
    """The thread that reads sleeps for longer than many releases; nothing of it shows."""
    rig = played_rig(real_time=True)
    session = begin(rig)
    read, calls = rig.digitizer.read_into, [0]

    def sleepy(buffer: Any) -> Any:
        calls[0] += 1
        if calls[0] in (20, 250, 480):
            time.sleep(0.3)
        return read(buffer)

    rig.digitizer.read_into = sleepy
    outcome = session.start(ReheatingPlan(200, **QUICK)).result(120)
    assert outcome.outcome == "complete", outcome.words()
    assert outcome.worth.releases.usable == 200
    assert_exact(outcome.path, made=200)


def test_samples_that_a_late_reader_loses_move_no_release(begin):
    """The driver's buffer overflows: whole releases are lost, the others lie where they lie."""
    rig = played_rig(real_time=True)
    world = rig.world
    world._settings = replace(world.settings, driver_buffer=0.4)
    session = begin(rig)
    read, calls = rig.digitizer.read_into, [0]

    def sleepy(buffer: Any) -> Any:
        calls[0] += 1
        if calls[0] == 60:
            time.sleep(0.7)
        return read(buffer)

    rig.digitizer.read_into = sleepy
    plan = ReheatingPlan(400, **QUICK, max_extra=1.0)
    outcome = session.start(plan).result(120)
    assert outcome.worth.lost_samples > 100_000
    assert outcome.worth.releases.repeated > 0
    if outcome.worth.gaps == 1:  # a computer that stands still elsewhere, too, loses repeats
        assert outcome.outcome == "complete", outcome.words()
        assert outcome.worth.releases.usable == 400
    assert_exact(outcome.path, made=400 + outcome.worth.releases.repeated)


def test_samples_lost_beyond_the_end_of_a_pattern_are_repeated(begin, monkeypatch):
    """A finite pattern ends while the reader stands still: the card does not stand still."""
    monkeypatch.setattr(pattern_line, "_LOOK_SECONDS", 0.0)
    rig = played_rig(real_time=True)
    world, plan = rig.world, ReheatingPlan(20, **QUICK, max_extra=3.0)
    world._settings = replace(world.settings, driver_buffer=0.02)
    session = begin(rig)
    read, arm, played = rig.digitizer.read_into, rig.pattern.arm, rig.pattern.played
    ends, slept = [0], []

    def armed(pattern: Pattern, sample_rate: float) -> None:
        ends[0] = pattern.lead + pattern.period * pattern.repetitions
        arm(pattern, sample_rate)

    def sleepy(buffer: Any) -> Any:
        if ends[0] and not slept:
            slept.append(True)
            time.sleep(0.5)
        return read(buffer)

    rig.digitizer.read_into, rig.pattern.arm = sleepy, armed
    rig.pattern.played = lambda: min(played() or 0, ends[0])
    outcome = session.start(plan).result(120)
    assert outcome.worth.lost_samples > 200_000
    assert outcome.outcome in ("complete", "incomplete"), outcome.reason
    assert outcome.worth.releases.repeated > 0


def test_blocks_are_marked_where_and_only_where_feedback_is_off(begin, monkeypatch):
    from optobind.acquisition.ring import Ring

    blocks: list[tuple[int, int, BlockStatus]] = []
    commit = Ring.commit

    def note(ring: Ring, **named: Any) -> Any:
        blocks.append(
            (named["first_sample"], named["first_sample"] + named["rows"], named["status"])
        )
        return commit(ring, **named)

    monkeypatch.setattr(Ring, "commit", note)
    session = begin(played_rig())
    outcome = session.start(ReheatingPlan(5, **QUICK)).result(60)
    with RunFile.open(outcome.path) as run:
        for start, stop, status in blocks:
            if start >= 1 and stop <= run.worth().samples:
                free = not truth(run, start, stop).all()
                assert bool(status & BlockStatus.FEEDBACK_OFF) is free, (start, stop)


# -- endings ------------------------------------------------------------------------------------


def running(session: Session, plan: Plan, releases: int = 3) -> Any:
    future = session.start(plan)
    until = time.monotonic() + 60.0
    while time.monotonic() < until and not future.done():
        count = session.status().releases
        if count is not None and count.made >= releases:
            return future
        time.sleep(0.002)
    raise AssertionError(future.result(1).words() if future.done() else "no release was made")


LONG = ReheatingPlan(100_000, **QUICK)


@pytest.mark.parametrize("real_time", [False, True])
@pytest.mark.parametrize("how", ["stop_after_repetition", "abort", "close"])
def test_what_ends_a_run_ends_the_pattern_and_feedback_is_on(begin, how, real_time):
    rig = played_rig(real_time=real_time)
    session = begin(rig)
    future = running(session, LONG)
    getattr(session, how)()
    outcome = future.result(60)
    assert outcome.outcome == ("stopped" if how.startswith("stop") else "aborted")
    assert rig.world.played is None
    assert rig.world.gate_closed
    assert outcome.feedback is True
    with RunFile.open(outcome.path) as run:
        assert_exact(outcome.path, made=len(run.all_releases()))


def test_a_stop_ends_after_the_repetition(begin):
    session = begin(played_rig())
    future = running(session, LONG)
    session.stop_after_repetition()
    outcome = future.result(60)
    with RunFile.open(outcome.path) as run:
        assert all(r.why is None for r in run.all_releases())


@pytest.mark.slow
def test_a_pause_halts_after_the_repetition_and_goes_on_with_a_fresh_pattern(begin):
    rig = played_rig()
    session = begin(rig)
    future = running(session, ReheatingPlan(3000, **QUICK))
    session.pause()
    until = time.monotonic() + 60.0
    while session.status().state != "paused" and time.monotonic() < until:
        time.sleep(0.002)
    assert rig.world.played is None
    assert rig.world.gate_closed
    session.resume()
    outcome = future.result(120)
    assert outcome.outcome == "complete", outcome.words()
    assert outcome.worth.releases.usable == 3000
    assert_exact(outcome.path, made=3000)
    with RunFile.open(outcome.path) as run:
        assert sum(e.kind is EventKind.RESTART for e in run.events()) == 2
        assert [r.repetition for r in run.all_releases()] == list(range(3000))


@pytest.mark.parametrize("release_time", [0.5e-3, 2.0])
def test_a_lost_particle_halts_the_pattern_within_a_tenth_of_a_second(begin, release_time):
    rig = played_rig()
    session = begin(rig)
    future = session.start(ReheatingPlan(1000, cool_time=1e-3, release_time=release_time))
    world, lost = rig.world, [0]
    advance = world.advance

    def lose(counts: Any, truth: Any = None) -> Any:
        if not lost[0] and world.played is not None and world.played > 20_000:
            world._engine.memory.state[0] = 1e9
            lost[0] = world.position
        return advance(counts, truth)

    world.advance = lose
    outcome = future.result(60)
    assert outcome.outcome == "failed"
    assert "lost" in outcome.reason
    assert world.gate_closed
    assert world.played is None
    assert world.position - lost[0] <= 0.1 * RATE
    assert outcome.feedback is True


def test_a_signal_that_dies_in_a_long_release_halts_the_pattern(begin):
    """No flag tells: the record itself shows that the particle has gone."""
    rig = played_rig()
    read, seen = rig.digitizer.read_into, [0]

    def dead(buffer: Any) -> Any:
        result = read(buffer)
        if rig.world.played is not None and rig.world.played > 200_000:
            seen[0] = seen[0] or rig.world.position
            buffer[:, 0] = 0
        return result

    rig.digitizer.read_into = dead
    outcome = begin(rig).start(ReheatingPlan(3, cool_time=1e-3, release_time=2.0)).result(60)
    assert outcome.outcome == "failed"
    assert "particle 0 fell to 0 of what it is when cooled" in outcome.reason
    assert rig.world.position - seen[0] <= 0.1 * RATE
    assert rig.world.gate_closed


# -- players that misbehave ------------------------------------------------------------------------


class Hostile(SimulatedPatternPlayer):
    """Plays as the world does, but answers as it is told.

    Attributes
    ----------
    faults : dict of str to callable
        Called before the method of that name.
    """

    faults: dict[str, Callable[[], None]]

    def _fault(self, method: str) -> None:
        self.faults.get(method, lambda: None)()

    def arm(self, pattern: Pattern, sample_rate: float) -> None:
        self._fault("arm")
        super().arm(pattern, sample_rate)
        self._fault("armed")

    def played(self) -> int | None:
        self._fault("played")
        return super().played()

    def halt(self) -> None:
        self._fault("halt")
        super().halt()


def hostile_rig(faults: dict[str, Callable[[], None]], *, real_time: bool = False) -> Rig:
    rig = played_rig(real_time=real_time)
    player = Hostile(rig.world, OFFSET)
    player.faults = faults
    rig.pattern = player
    return rig


def refuse() -> None:
    raise DeviceError("pattern: the card has no memory left (-200000)")


@pytest.mark.parametrize("method", ["arm", "armed"])
def test_a_player_that_refuses_to_arm_ends_the_run_with_feedback_on(begin, method):
    rig = hostile_rig({method: refuse})
    outcome = begin(rig).start(LONG).result(60)
    assert (outcome.outcome, outcome.exit_code) == ("failed", 4)
    assert "no memory left" in outcome.reason
    assert rig.world.gate_closed
    assert not rig.world.held
    assert outcome.feedback is True


def test_a_player_that_dies_while_it_plays_ends_the_run_with_feedback_on(begin, monkeypatch):
    monkeypatch.setattr(pattern_line, "_LOOK_SECONDS", 0.0)

    def die() -> None:
        raise DeviceError("pattern: the task was aborted (-200018)")

    faults: dict[str, Callable[[], None]] = {}
    rig = hostile_rig(faults)
    session = begin(rig)
    future = running(session, LONG)
    faults["played"] = die
    outcome = future.result(60)
    assert (outcome.outcome, outcome.exit_code) == ("failed", 4)
    assert "was aborted" in outcome.reason
    assert rig.world.gate_closed


def test_releases_since_the_card_was_last_seen_to_play_are_left_out(begin, monkeypatch):
    """Its guardian may have ended the pattern: feedback acts, and nothing in the record says so."""
    seen = []

    def gone() -> None:
        if seen:
            raise DeviceError("gate: nothing is played any more: no sign of life")
        seen.append(True)

    faults: dict[str, Callable[[], None]] = {"played": gone}
    looks = iter([*[False] * 19, True, *[False] * 15, True])
    look = pattern_line.PatternLine.require_playing

    def now_and_then(line: pattern_line.PatternLine, sample: int) -> bool:
        line._looked = -1e9 if next(looks) else 1e9
        return look(line, sample)

    monkeypatch.setattr(pattern_line.PatternLine, "require_playing", now_and_then)
    outcome = begin(hostile_rig(faults)).start(LONG).result(60)
    assert outcome.outcome == "failed"
    with RunFile.open(outcome.path) as run:
        why = [release.excluded for release in run.all_releases()]
    assert len(why) == 18, "two edges each"
    assert why[:10] == [None] * 10
    assert all("nothing is played any more" in str(text) for text in why[10:]), why


def test_a_player_that_stands_still_is_found_out(begin, monkeypatch):
    monkeypatch.setattr(pattern_line, "_LOOK_SECONDS", 0.0)
    rig = hostile_rig({})
    monkeypatch.setattr(rig.pattern, "played", lambda: 17)
    outcome = begin(rig).start(LONG).result(60)
    assert outcome.outcome == "failed"
    assert "stands still: it has played 17 samples" in outcome.reason
    assert rig.world.gate_closed


@pytest.mark.slow
def test_a_player_that_hangs_is_left_behind_and_the_gate_is_shouted_about_until_it_halts(
    begin, monkeypatch
):
    monkeypatch.setattr(pattern_line, "_HALT_SECONDS", 0.05)
    hang, faults = threading.Event(), {}
    rig = hostile_rig(faults)
    session = begin(rig)
    future = running(session, LONG)
    faults["halt"] = hang.wait
    session.abort()
    outcome = future.result(60)
    assert outcome.outcome == "failed"
    assert "feedback could not be switched on" in outcome.reason
    assert "GATE STILL OPEN" in session.gate_trouble
    faults.clear()
    hang.set()
    until = time.monotonic() + 60.0
    while session.gate_trouble and time.monotonic() < until:
        time.sleep(0.01)
    assert rig.world.gate_closed
    assert session.status().feedback is True


def test_a_player_that_halts_late_is_waited_for_and_its_last_release_is_in_the_record(begin):
    """It goes on playing for a while after it was told to halt."""
    faults: dict[str, Callable[[], None]] = {}
    rig = hostile_rig(faults, real_time=True)
    session = begin(rig)
    future = running(session, LONG)
    faults["halt"] = lambda: time.sleep(0.2)
    session.stop_after_repetition()
    outcome = future.result(60)
    assert outcome.outcome == "stopped"
    assert outcome.feedback is True
    assert rig.world.gate_closed


def test_the_digitizer_that_does_not_start_again_leaves_feedback_on(begin):
    rig = played_rig()
    start = rig.digitizer.start

    def refuse() -> None:
        if rig.world.armed is not None:
            raise DeviceError("digitizer: resource reserved (-50103)")
        start()

    rig.digitizer.start = refuse
    outcome = begin(rig).start(LONG).result(60)
    assert (outcome.outcome, outcome.exit_code) == ("failed", 4)
    assert "resource reserved" in outcome.reason
    assert not rig.world.held
    assert rig.world.gate_closed


def test_the_gate_lets_nobody_switch_its_line_while_a_pattern_has_it():
    rig = played_rig()
    for _, device in rig.devices():
        device.connect()
    assert rig.pattern is not None
    assert rig.gate is not None
    release = LevelTrack(True, ((10, False), (20, True)))
    rig.pattern.arm(Pattern(20, levels={FEEDBACK: release}), RATE)
    with pytest.raises(DeviceError, match="held by the pattern: halt that first"):
        rig.gate.set(True)
    rig.pattern.halt()
    rig.gate.set(True)
    assert rig.gate.read()


# -- who switches ----------------------------------------------------------------------------------


def test_a_plan_that_asks_for_a_card_is_refused_where_there_is_none(begin):
    session = begin(simulated_rig())
    with pytest.raises(InputError, match=r"plan\.timing = card needs .* add \[devices\.pattern\]"):
        session.start(ReheatingPlan(3, timing="card", **QUICK)).result(60)


def test_software_switches_where_the_plan_says_so(begin):
    rig = played_rig()
    outcome = begin(rig).start(ReheatingPlan(3, timing="software", **QUICK)).result(60)
    assert outcome.outcome == "complete", outcome.words()
    with RunFile.open(outcome.path) as run:
        assert not any(e.kind is EventKind.RESTART for e in run.events())
    assert_exact(outcome.path, made=3)


class Slow(FakePatternPlayer):
    """A card whose clock is too slow."""

    def check(self, pattern: Pattern, sample_rate: float) -> None:
        raise InputError("pattern follows at most 1e+05 Hz, not 1e+06 Hz")


def test_a_card_that_cannot_play_the_plan_leaves_it_to_software_and_says_so(begin):
    rig = fake_rig()
    rig.pattern = Slow()
    session = begin(rig)
    outcome = session.start(ReheatingPlan(3, **QUICK)).result(60)
    assert outcome.outcome == "complete", outcome.words()
    said = [line.text for line in session.take_log()]
    assert "releases are switched by software: pattern follows at most 1e+05 Hz, not 1e+06 Hz" in (
        said
    )
    with pytest.raises(InputError, match="follows at most"):
        session.start(ReheatingPlan(3, timing="card", **QUICK)).result(60)


@pytest.mark.parametrize("timing", ["auto", "software"])
def test_releases_short_against_the_jitter_of_the_gate_are_refused_with_the_remedy(begin, timing):
    rig = played_rig(switch_jitter=0.3e-3)
    if timing == "auto":
        rig.pattern = None
    session = begin(rig)
    remedy = r"add \[devices\.pattern\]" if timing == "auto" else r"plan\.timing = card"
    with pytest.raises(
        InputError,
        match=r"release_time 1 ms is shorter than 5 × the jitter of the gate \(300 µs\), allowed: "
        rf"1\.5 ms or more .* \({remedy}\)",
    ):
        session.start(ReheatingPlan(3, release_time=1e-3, timing=timing)).result(60)
    outcome = session.start(ReheatingPlan(3, release_time=1.5e-3, timing=timing)).result(60)
    assert outcome.outcome == "complete", outcome.words()


def test_a_card_needs_no_steady_gate(begin):
    rig = played_rig(switch_jitter=0.3e-3, switch_delay=1e-3)
    outcome = begin(rig).start(ReheatingPlan(3, **QUICK)).result(60)
    assert outcome.outcome == "complete", outcome.words()


@pytest.mark.parametrize("jitter", [0.0, 50e-6])
def test_a_gate_that_acts_late_is_taken_into_account(begin, jitter):
    """Delay and jitter of the switch: what is recorded as free is free, and what is not is not."""
    rig = played_rig(switch_delay=100e-6, switch_jitter=jitter)
    plan = ReheatingPlan(20, cool_time=1e-3, release_time=1e-3, timing="software")
    outcome = begin(rig).start(plan).result(60)
    assert outcome.outcome == "complete", outcome.words()
    slack = round(2 * jitter * RATE)
    with RunFile.open(outcome.path) as run:
        for release in run.all_releases():
            start, stop = release.first_sample, release.end_sample
            assert not truth(run, start, stop).any(), "free for certain"
            assert truth(run, start - slack - 2, start).any(), "begun as soon as it can be known"
        free = run.digest().free
        (whole,) = run.recorded()
        steady = np.ones(whole[1], bool)
        for start, stop in free:
            steady[start:stop] = False
        assert truth(run, 1, whole[1])[steady[1:]].all(), "steady for certain"


def released_fit(tmp_path: Path, name: str, *settings: str, timing: str) -> tuple[Any, Any]:
    """Fit of 400 releases of 1 ms, and what it should find."""
    rig = ob.load_rig("simulated-pair", ["simulation.seed=3", "simulation.clock=fast", *settings])
    session = ob.Session(rig, live_fits=False)
    try:
        session.connect().result(60)
        plan = ReheatingPlan(400, timing=timing)
        outcome = session.start(plan, tmp_path / name / "run.h5").result(300)
    finally:
        session.close()
    rig.world.set_gate(False)
    rig.world.skip(1000)
    # By the curves: the exact likelihood takes D from every step, and is not moved by 0.1 ms.
    fits = ob.analyse_reheating(ob.open_record(outcome.path)).estimators
    return fits["curves"].parameters, rig.world.truth()


def pulls(parameters: Any, truth: Any) -> np.ndarray:
    names = ("D11", "D22")
    return np.array([(parameters[n].value - truth[n]) / parameters[n].stderr for n in names])


@pytest.mark.slow
def test_a_gate_with_a_delay_leaves_the_heating_rates_unbiased(tmp_path, monkeypatch):
    late = "devices.gate.switch_delay=100us"
    assert np.abs(pulls(*released_fit(tmp_path, "a", late, timing="software"))).max() < 3.5
    assert np.abs(pulls(*released_fit(tmp_path, "b", late, timing="card"))).max() < 3.5
    monkeypatch.setattr(SimulatedGate, "capabilities", GateCapabilities())
    ignored = pulls(*released_fit(tmp_path, "c", late, timing="software"))
    assert ignored.min() < -3.5, "what a delay that is not known does"
