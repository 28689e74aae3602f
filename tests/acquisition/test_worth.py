"""A run says what it is worth, and the same as its file, its fit and its window."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optobind.acquisition.events import Event, EventKind
from optobind.acquisition.outcome import RunOutcome
from optobind.acquisition.plans import (
    MonitorPlan,
    Plan,
    ReheatingPlan,
    SequencePlan,
    plan_to_dict,
)
from optobind.acquisition.ranges import Ranges
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.recover import recover
from optobind.acquisition.releases import LeftOut
from optobind.acquisition.run_digest import digest_of
from optobind.acquisition.run_procedure import RunProcedure
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.runfile_format import Manifest
from optobind.acquisition.session import Session
from optobind.acquisition.worth import StepWorth, worth_of
from optobind.instruments.rig import Rig
from optobind.models.blocks import Block
from optobind.models.errors import InputError

from .lossy import RATE, StalledDisk, in_releases, lossy_rig

QUICK = {"cool_time": 0.5e-3, "release_time": 0.2e-3}


def rig_losing_in(chosen: Callable[[int], bool], *, live: bool = False) -> Rig:
    """A rig whose card loses samples inside the chosen releases."""
    held: list[Rig] = []
    rig = lossy_rig(in_releases(lambda: held[0].gate, chosen), live=live)
    held.append(rig)
    return rig


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[Rig], Session]]:
    sessions: list[Session] = []

    def make(rig: Rig) -> Session:
        session = Session(rig, run_directory=tmp_path, live_fits=False)
        sessions.append(session)
        session.connect().result(60)
        return session

    yield make
    for session in sessions:
        session.close()


def carry_out(session: Session, plan: Plan) -> RunOutcome:
    return session.start(plan).result(120)


def shown(session: Session, done: int) -> Any:
    """The live display when it holds all that was made."""
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline:
        snapshot = session.reheating()
        if snapshot is not None and snapshot.repetitions_done == done:
            return snapshot
        time.sleep(0.01)
    raise AssertionError("waited in vain for the live display")


def agree(session: Session, outcome: RunOutcome) -> None:
    """File, outcome and window say the same."""
    count = outcome.worth.releases
    assert count is not None
    with RunFile.open(outcome.path) as run:
        assert run.worth() == outcome.worth
        info, usable = run.info(), run.releases()
    assert info["releases"] == count.to_dict()
    assert (info["gaps"], info["lost_samples"]) == (outcome.gaps, outcome.lost_samples)
    assert len(usable) == count.usable
    deadline = time.monotonic() + 60.0
    while (snapshot := shown(session, count.made)).releases != count:
        assert time.monotonic() < deadline, (snapshot.releases, count)
        time.sleep(0.01)
    if count.usable >= 2:
        assert snapshot.estimate is not None
        assert snapshot.estimate.repetitions == count.usable


@pytest.mark.parametrize(
    ("every", "lost", "word"),
    [
        (None, 0, "complete"),
        (200, 1, "complete"),  # 0.5 %
        (20, 10, "incomplete"),  # 5 %
        (1, 200, "incomplete"),
    ],
)
def test_a_run_that_lost_more_than_one_percent_is_not_complete(
    start: Any, every: int | None, lost: int, word: str
) -> None:
    session = start(rig_losing_in(lambda n: every is not None and n % every == every - 1))
    outcome = carry_out(session, ReheatingPlan(200, **QUICK, repeat_lost=False))
    assert (outcome.outcome, outcome.exit_code) == (word, 4 if word == "incomplete" else 0)
    count = outcome.worth.releases
    assert count is not None
    assert (count.planned, count.made, count.usable) == (200, 200, 200 - lost)
    assert outcome.gaps == lost
    assert outcome.lost_samples == 50 * lost
    words = f"{200 - lost} of 200 releases usable" + (
        f" ({lost} after lost samples)" if lost else ""
    )
    assert outcome.worth.words().startswith(words)
    last = [line.text for line in session.take_log() if line.text.startswith("run 1: ")][-1]
    assert words in last
    if word == "incomplete":
        assert outcome.reason.startswith(words)
        assert "lower the sample rate" in outcome.reason
    agree(session, outcome)


def test_nine_tenths_lost_is_said_in_file_window_and_log(start: Any) -> None:
    session = start(rig_losing_in(lambda n: n % 10 > 0))
    outcome = carry_out(session, ReheatingPlan(100, **QUICK, repeat_lost=False))
    assert outcome.outcome == "incomplete"
    with RunFile.open(outcome.path) as run:
        info = run.info()
    assert (info["outcome"], info["state"]) == ("incomplete", "complete")
    assert info["worth"].startswith("10 of 100 releases usable (90 after lost samples)")
    agree(session, outcome)


def test_lost_repetitions_are_made_once_more_under_numbers_of_their_own(start: Any) -> None:
    session = start(rig_losing_in(lambda n: n in (3, 17, 50)))  # 50 is the first repeat
    outcome = carry_out(session, ReheatingPlan(50, **QUICK))
    assert outcome.outcome == "complete"
    count = outcome.worth.releases
    assert count is not None
    assert (count.usable, count.made, count.repeated) == (50, 53, 3)
    assert (
        "50 of 50 releases usable (3 after lost samples, 3 repeats made)" in outcome.worth.words()
    )
    with RunFile.open(outcome.path) as run:
        found = run.all_releases()
    assert [r.repetition for r in found] == list(range(53))
    assert [r.repeats for r in found[50:]] == [3, 17, 3]
    agree(session, outcome)


@pytest.mark.parametrize(
    ("settings", "made"), [({}, 24), ({"max_extra": 0.0}, 20), ({"max_extra": 0.01}, 21)]
)
def test_a_run_that_keeps_losing_ends_bounded_and_says_so(
    start: Any, settings: dict[str, float], made: int
) -> None:
    session = start(rig_losing_in(lambda n: True))
    outcome = carry_out(session, ReheatingPlan(20, **QUICK, **settings))
    count = outcome.worth.releases
    assert count is not None
    assert (outcome.outcome, count.usable, count.made) == ("incomplete", 0, made)
    agree(session, outcome)


def test_a_repeat_can_be_excluded_by_its_own_number(start: Any) -> None:
    session = start(rig_losing_in(lambda n: n == 3))
    future = session.start(SequencePlan((ReheatingPlan(10, **QUICK), MonitorPlan(None))))
    shown(session, 11)
    session.exclude_repetition(11, "a flash")
    time.sleep(0.1)
    session.stop_after_repetition()
    outcome = future.result(60)
    with RunFile.open(outcome.path) as run:
        reasons = {r.repetition: r.why for r in run.all_releases() if r.why}
    assert reasons == {3: "lost_samples", 10: "excluded"}
    agree(session, outcome)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("max_extra", "word", "first"),
    [(0.05, "incomplete", 40), (2.0, "complete", 40), (0.05, "incomplete", 0)],
    ids=["bounded", "made up for", "from the first block"],
)
def test_a_recorder_that_falls_behind_costs_the_releases_that_its_file_misses(
    start: Any, monkeypatch: pytest.MonkeyPatch, max_extra: float, word: str, first: int
) -> None:
    disk, rig = StalledDisk(monkeypatch), lossy_rig(live=True)
    session = start(rig)
    reads = itertools.count()

    def pace() -> None:
        released = False in rig.gate.history  # type: ignore[union-attr]
        disk.stalled = first <= (next(reads) if released else 0) < 1300  # 15 s of samples
        if not disk.stalled:
            time.sleep(0.004)

    rig.digitizer.before_read = pace  # type: ignore[attr-defined]
    plan = ReheatingPlan(700, cool_time=0.02, release_time=0.005, max_extra=max_extra)
    outcome = carry_out(session, plan)
    count = outcome.worth.releases
    assert count is not None
    lost = count.left_out.get(LeftOut.LOST_SAMPLES, 0)
    assert outcome.gaps >= 1
    assert lost > 50
    # Decided on what the file misses: the samples themselves had all been seen.
    assert count.repeated == (lost if word == "complete" else 35)
    assert (outcome.outcome, count.usable) == (word, 700 - lost + count.repeated)
    agree(session, outcome)


@pytest.mark.parametrize(
    ("period", "word"), [(None, "complete"), (40_000, "complete"), (4_000, "incomplete")]
)
def test_a_monitor_is_judged_by_its_samples(start: Any, period: int | None, word: str) -> None:
    last = [0]

    def lost(index: int, rows: int) -> int:
        if period is None or index // period == last[0]:
            return 0
        last[0] = index // period
        return 100

    session = start(lossy_rig(lost))
    session._runner._bench.streaming._block_seconds = 1e-3
    outcome = carry_out(session, MonitorPlan(duration=0.2))
    assert outcome.outcome == word
    assert outcome.samples == 200_000
    assert outcome.lost_samples == 100 * outcome.gaps
    if outcome.gaps:
        assert f"{outcome.lost_samples} samples lost" in outcome.worth.words()
    with RunFile.open(outcome.path) as run:
        assert run.worth() == outcome.worth


def test_samples_lost_before_the_first_block_count(start: Any) -> None:
    session = start(lossy_rig(lambda index, rows: 5_000 if index == 0 else 0))
    outcome = carry_out(session, MonitorPlan(duration=0.1))
    assert (outcome.gaps, outcome.lost_samples) == (1, 5_000)
    assert outcome.outcome == "incomplete"


def test_each_step_of_a_sequence_is_judged(start: Any) -> None:
    rig = rig_losing_in(lambda n: n % 5 == 0)
    session = start(rig)
    steps = (MonitorPlan(0.05), ReheatingPlan(20, **QUICK, repeat_lost=False), MonitorPlan(0.05))
    outcome = carry_out(session, SequencePlan(steps))
    assert outcome.outcome == "incomplete"
    assert [step.incomplete for step in outcome.worth.steps] == [False, True, False]
    assert "step 2: 16 of 20 releases usable (4 after lost samples)" in outcome.reason
    agree(session, outcome)


@pytest.mark.parametrize("ending", ["stop", "abort"])
def test_a_run_that_was_ended_says_how_much_of_its_plan_there_is(start: Any, ending: str) -> None:
    session = start(rig_losing_in(lambda n: n == 2))
    future = session.start(ReheatingPlan(1_000_000, **QUICK))
    while (count := session.status().releases) is None or count.made < 10:
        time.sleep(0.002)
    (session.stop_after_repetition if ending == "stop" else session.abort)()
    outcome = future.result(60)
    count = outcome.worth.releases
    assert count is not None
    assert outcome.outcome == ("stopped" if ending == "stop" else "aborted")
    assert "of 1000000 releases usable (1 after lost samples" in outcome.worth.words()
    assert f"{count.not_made} not made" in outcome.worth.words()
    assert count.planned == 1_000_000
    agree(session, outcome)


def test_saturated_releases_are_counted_alike_live_and_in_the_file(start: Any) -> None:
    rig = lossy_rig()
    session = start(rig)
    rig.digitizer.saturates = (  # type: ignore[attr-defined]
        lambda index: not rig.gate.history[-1] and rig.gate.history.count(False) % 4 == 0
    )
    outcome = carry_out(session, ReheatingPlan(20, **QUICK))
    assert "15 of 20 releases usable (5 saturated)" in outcome.worth.words()
    assert outcome.outcome == "incomplete"
    assert "lower the gain" in outcome.reason
    agree(session, outcome)


def test_samples_lost_while_a_card_is_ahead_do_not_shift_the_live_curve(start: Any) -> None:
    rig = lossy_rig(live=True)
    card: Any = rig.digitizer
    card._lost = lambda index, rows: 77 if index > 3000 else 0  # before each read
    card.present_sample = lambda: card._index + 5000
    session = start(rig)
    seen: dict[int, Any] = {}
    bench = session._runner._bench
    told = bench.listeners.on_repetition

    def note(volts: Any, plan: Any, release: Any) -> None:
        seen[release.repetition] = volts
        told(volts, plan, release)

    bench.listeners = replace(bench.listeners, on_repetition=note)
    outcome = carry_out(session, ReheatingPlan(20, **QUICK))
    assert outcome.gaps > 20
    assert (outcome.outcome, outcome.worth.releases.usable) == ("complete", 20)
    with RunFile.open(outcome.path) as run:
        for release in run.releases():
            recorded = run.volts(release.first_sample, release.end_sample)
            assert np.array_equal(seen[release.repetition], recorded)
    agree(session, outcome)


def test_the_file_of_a_killed_run_says_what_it_is_worth(tmp_path: Path) -> None:
    plan = plan_to_dict(ReheatingPlan(10))
    recorder = Recorder(tmp_path / "run.h5", Manifest(RATE, ("z",), (1.0,), plan=plan))
    recorder.event(Event(0, EventKind.RUN_START))
    recorder.event(Event(0, EventKind.STEP_START, {"index": 0, "kind": "reheating"}))
    for number in range(4):  # the last one was under way
        release = {"repetition": number, "samples": 100}
        recorder.event(Event(100 + 200 * number, EventKind.RELEASE, release))
        if number < 3:
            recorder.event(Event(200 + 200 * number, EventKind.RECAPTURE, {"repetition": number}))
    for first, rows in ((0, 310), (330, 420)):
        counts = np.zeros((rows, 1), np.int16)
        recorder.write(Block(first, counts, np.ones(1)))
    recorder._file.close()  # as a killed writer leaves it
    clean = recover(tmp_path / "run.h5")
    for path in (tmp_path / "run.h5", clean):
        with RunFile.open(path) as run:
            words, info = run.worth().words(), run.info()
        assert words == (
            "2 of 10 releases usable (1 after lost samples, 1 cut short, 6 not made); "
            "1 gap, 20 samples lost in all"
        )
        assert (info["state"], info["worth"]) == ("interrupted", words)


def test_a_release_whose_gate_failed_is_repeated_and_counted_as_such(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start(lossy_rig())
    feedback = RunProcedure.feedback

    def failing(run: RunProcedure, closed: bool, **named: Any) -> int:
        at = feedback(run, closed, **named)
        if closed and session.rig.gate.history.count(False) == 3 and not done:
            done.append(True)
            payload = {"step": 0, "repetition": 2, "reason": "closed late", "cause": "gate"}
            run.event(EventKind.EXCLUDED, **payload)
        return at

    done: list[bool] = []
    monkeypatch.setattr(RunProcedure, "feedback", failing)
    outcome = carry_out(session, ReheatingPlan(10, **QUICK))
    words = "10 of 10 releases usable (1 after a failure of the gate, 1 repeat made)"
    assert (outcome.outcome, outcome.worth.words()) == ("complete", words)
    assert outcome.worth.remedy("LIVE") == "check the link and the power of the feedback gate"
    agree(session, outcome)


@pytest.mark.parametrize("value", [-0.1, 11.0, float("nan")])
def test_a_share_of_repeats_out_of_range_is_refused(value: float) -> None:
    with pytest.raises(InputError, match=r"max_extra must lie in 0 … 10"):
        ReheatingPlan(max_extra=value)


# -- the numbers of a step, to the sample ----------------------------------------------------------


def monitor(samples: int, lost: int, planned: int | None = 1000) -> StepWorth:
    return StepWorth(0, "monitor", planned, samples, lost, None)


@pytest.mark.parametrize(("lost", "incomplete"), [(0, False), (10, False), (11, True), (19, True)])
def test_one_percent_may_be_lost_and_no_more(lost: int, incomplete: bool) -> None:
    assert monitor(1000 - lost, lost).incomplete is incomplete


def test_a_monitor_is_short_by_what_was_not_taken_not_by_what_was_lost() -> None:
    assert monitor(990, 10).words() == "10 samples lost (1 % of those taken)"
    assert monitor(989, 10).words().startswith("989 of 1000 samples taken, 10 samples lost")
    assert monitor(1000, 0).words() == ""


def test_each_step_counts_its_own_samples_and_what_is_lost_at_the_end_counts() -> None:
    events = [
        Event(0, EventKind.RUN_START),
        Event(0, EventKind.STEP_START, {"index": 0, "kind": "monitor"}),
        Event(500, EventKind.STEP_END, {"index": 0, "kind": "monitor"}),
        Event(500, EventKind.STEP_START, {"index": 1, "kind": "monitor"}),
        Event(1000, EventKind.STEP_END, {"index": 1, "kind": "monitor"}),
        Event(1000, EventKind.RUN_END),
    ]
    found = worth_of(None, digest_of(events), Ranges([(0, 300), (310, 980)]), RATE)
    assert [(s.samples, s.lost_samples) for s in found.steps] == [(490, 10), (480, 20)]
    assert (found.samples, found.gaps, found.lost_samples) == (970, 2, 30)
