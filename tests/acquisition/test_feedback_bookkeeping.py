"""What the record says of the feedback gate, checked against the samples themselves.

Each sample tells whether feedback acted on it (``truthful``), so every claim of marks, events,
releases, steady ranges, live spectra and curves can be held against the truth.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optobind.acquisition import live_reheating
from optobind.acquisition.events import Event, EventKind
from optobind.acquisition.plans import MonitorPlan, ReheatingPlan, SequencePlan
from optobind.acquisition.releases import LeftOut, Release
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.session import Session
from optobind.models.blocks import BlockStatus
from optobind.models.errors import DeviceError

from .truthful import (
    COUNT,
    INDEX,
    LINES,
    RATE,
    TRUTH,
    Bench,
    truthful_rig,
    watch_blocks,
    watch_spectra,
)

TIMES = {"cool_time": 5e-3, "release_time": 4e-3}
COOL, FREE = round(5e-3 * RATE), round(4e-3 * RATE)
PLAN = ReheatingPlan(6, **TIMES)
# Samples: how far the card is ahead, until the gate acts, until it answers. A block has 2000.
BENCHES = {
    "at once": (0, 0, 0),
    "card ahead": (3000, 0, 0),
    "card far ahead": (9000, 30, 50),
    "gate acts late": (0, 700, 1),
    "gate answers late": (0, 1, 700),
    "gate slower than the cooling": (100, 900, 1300),
    "all of it": (5100, 350, 910),
}


@pytest.fixture(params=BENCHES.values(), ids=BENCHES.keys())
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(*request.param)
    watch_blocks(made, monkeypatch)
    return made


@pytest.fixture
def worst(monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(*BENCHES["all of it"])
    watch_blocks(made, monkeypatch)
    return made


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    sessions: list[Session] = []

    def start(bench: Bench, **gate: Any) -> Session:
        rig = truthful_rig(bench, **gate)
        # A segment that is given: these benches are faster than any clock, a choice is not.
        made = Session(rig, run_directory=tmp_path, live_fits=False, spectrum_segment=512)
        sessions.append(made)
        sessions[-1].connect().result(60)
        return sessions[-1]

    yield start
    for session in sessions:
        session.close()


def carry_out(session: Session, plan: Any, ends: str = "complete") -> Path:
    outcome = session.start(plan).result(120)
    assert outcome.outcome == ends, outcome.reason
    return outcome.path


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def events_of(path: Path, kind: EventKind) -> list[Event]:
    with RunFile.open(path) as run:
        return [event for event in run.events() if event.kind is kind]


def usable(path: Path) -> list[Release]:
    with RunFile.open(path) as run:
        return run.releases()


# -- what has to be true of every record, however it came about -----------------------------------


def assert_true_to_the_samples(path: Path, bench: Bench) -> None:
    """Compare releases, gate events, steady ranges and marks with what the gate did."""
    with RunFile.open(path) as run:
        for stretch in run.stretches():  # the file keeps what the card took
            stored = run.samples(stretch.first_sample, stretch.end_sample)
            truth = bench.feedback(stretch.first_sample, stretch.end_sample)
            assert np.array_equal(stored[:, TRUTH] > 0, truth)
            at = np.arange(stretch.first_sample, stretch.end_sample)
            assert np.array_equal(stored[:, INDEX], at % 32768)
        for release in run.releases():
            inside = run.samples(release.first_sample, release.end_sample, [TRUTH])
            assert np.all(inside == -1), f"release {release.repetition} has feedback on"
        for start, stop in run.digest().steady(run.recorded()):
            assert np.all(run.samples(start, stop, [TRUTH]) == 1), "a steady record is free"
    assert_gate_events(path, bench)
    assert_marks(bench)


def assert_gate_events(path: Path, bench: Bench) -> None:
    """Opening lies at the end of its spread and closing at its beginning: free for certain."""
    gates = events_of(path, EventKind.GATE)
    assert gates[-1].payload["closed"] is True
    told = {
        False: [
            (e.sample - e.payload["spread"], e.sample) for e in gates if not e.payload["closed"]
        ],
        True: [(e.sample, e.sample + e.payload["spread"]) for e in gates if e.payload["closed"]],
    }
    opened, closed = bench.acts(False), bench.acts(True)
    assert len(told[False]) == len(opened)
    for (low, high), act in zip(told[False], opened, strict=True):
        assert low <= act <= high <= low + bench.spread
    # The first one is the run's own, of a gate that was closed before or not.
    assert len(told[True]) == len(opened) + 1
    for (low, high), act in zip(told[True][len(told[True]) - len(closed) :], closed, strict=True):
        assert low <= act <= high <= low + bench.spread


def assert_marks(bench: Bench) -> None:
    """FEEDBACK_OFF is on each block with a sample that is or may be free, and on no other one."""
    first_on = bench.calls[0][1]  # how the gate was left before, the run does not know
    for start, stop, status in bench.blocks:
        marked = bool(status & BlockStatus.FEEDBACK_OFF)
        if not bench.feedback(start, stop).all():
            assert marked, f"samples {start} … {stop} are free but not marked"
        elif start > first_on and not any(a < stop and start <= b for a, b in bench.calls):
            assert not marked, f"samples {start} … {stop} are marked for nothing"


# -- releases -------------------------------------------------------------------------------------


def test_every_sample_of_every_release_is_free_wherever_the_card_is(
    bench: Bench, begin: Any
) -> None:
    path = carry_out(begin(bench), PLAN)
    assert_true_to_the_samples(path, bench)
    found = usable(path)
    assert [(r.repetition, r.samples) for r in found] == [(n, FREE) for n in range(6)]
    opened, closed = bench.acts(False), bench.acts(True)
    for release, recapture, begun, ended in zip(
        found, events_of(path, EventKind.RECAPTURE), opened, closed, strict=True
    ):
        # The later sample around the opening, the earlier one around the closing.
        assert begun + bench.answer <= release.first_sample <= begun + bench.answer + 2
        assert ended - bench.reaction - 2 <= recapture.sample <= ended - bench.reaction
        assert release.end_sample <= recapture.sample
        assert recapture.payload["repetition"] == release.repetition


def listeners(session: Any) -> Any:
    """Who is told of releases."""
    return session._runner._bench.listeners


def listen(session: Any, on_repetition: Any) -> None:
    """Have somebody else told of each release."""
    session._runner._bench.listeners = replace(listeners(session), on_repetition=on_repetition)


def test_the_live_curves_get_the_samples_of_the_release_and_no_others(
    bench: Bench, begin: Any
) -> None:
    session, seen = begin(bench), {}
    told = listeners(session).on_repetition

    def note(volts: Any, plan: Any, release: Release) -> None:
        seen[release.repetition] = (np.rint(volts / COUNT), release)
        told(volts, plan, release)

    listen(session, note)
    path = carry_out(session, PLAN)
    assert sorted(seen) == list(range(6))
    for (counts, live), filed in zip(seen.values(), usable(path), strict=True):
        assert live == filed
        at = np.arange(filed.first_sample, filed.end_sample)
        assert np.array_equal(counts[:, INDEX], at % 32768)
        assert np.all(counts[:, TRUTH] == -1)


def test_the_live_curves_are_of_the_particles_detectors(
    worst: Bench, begin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    added: list[Any] = []
    accumulator = live_reheating.ReheatingAccumulator
    add = accumulator.add

    def note(self: Any, data: Any) -> None:
        added.append(data.copy())
        add(self, data)

    session = begin(worst)
    monkeypatch.setattr(accumulator, "add", note)
    path = carry_out(session, PLAN)
    wait_until(lambda: len(added) == 7)  # the first one is tried, too
    with RunFile.open(path) as run:
        for data, release in zip(added[1:], run.releases(), strict=True):
            volts = run.volts(release.first_sample, release.end_sample)
            assert np.allclose(data, volts[:, LINES], rtol=1e-12)  # of 1 V/m


def test_feedback_acts_for_the_whole_cooling_and_not_much_longer(bench: Bench, begin: Any) -> None:
    path = carry_out(begin(bench), PLAN)
    opened, closed = bench.acts(False), bench.acts(True)
    for on, off in zip(closed[:-1], opened[1:], strict=True):
        assert COOL <= off - on <= COOL + bench.ahead + 2 * bench.spread
    checked = [e.sample for e in events_of(path, EventKind.RELEASE)]
    assert len(checked) == 6


def test_samples_lost_before_a_release_begins_shift_nothing(worst: Bench, begin: Any) -> None:
    """The card is ahead: what is lost on the way to the release is none of its samples."""
    session, seen = begin(worst), {}
    listen(
        session,
        lambda volts, plan, release: seen.update({release.repetition: np.rint(volts / COUNT)}),
    )
    lost: list[int] = []

    def lose(index: int, rows: int) -> int:
        opened = worst.acts(False)
        if len(opened) == 3 and not lost and index < opened[-1] - 3000:
            lost.append(index)
            return 37
        return 0

    worst.lost = lose
    path = carry_out(session, PLAN)
    assert lost
    assert_true_to_the_samples(path, worst)
    assert [r.repetition for r in usable(path)] == list(range(6))
    for release in usable(path):
        counts = seen[release.repetition]
        at = np.arange(release.first_sample, release.end_sample)
        assert np.array_equal(counts[:, INDEX], at % 32768)


@pytest.mark.parametrize("again", [0, 1, 2])
def test_a_release_that_loses_samples_is_repeated_until_one_is_whole(
    bench: Bench, begin: Any, again: int
) -> None:
    """Repetition 2 loses samples, and so do the first ``again`` repeats of it."""
    lossy = {2, *range(6, 6 + again)}

    def lose(index: int, rows: int) -> int:
        opened = worst_opened = len(bench.acts(False)) - 1
        if opened not in lossy or bench.switched[-1][1]:
            return 0
        first = bench.acts(False)[worst_opened]
        inside = first + bench.spread <= index < first + bench.spread + FREE
        return 11 if inside or (index <= first < index + rows - 11) else 0

    bench.lost = lose
    path = carry_out(begin(bench), ReheatingPlan(6, max_extra=1.0, **TIMES))
    assert_true_to_the_samples(path, bench)
    with RunFile.open(path) as run:
        made = run.all_releases()
    assert [r.repetition for r in made] == list(range(len(made)))
    assert [r.repeats for r in made[:6]] == [None] * 6
    why = {r.repetition: r.why for r in made}
    spoiled = {n for n, reason in why.items() if reason is LeftOut.LOST_SAMPLES}
    assert {r.repeats for r in made if r.repetition >= 6} <= spoiled | {2}
    assert all(r.why is None for r in made if r.repetition not in spoiled)
    of = [r.repeats if r.repeats is not None else r.repetition for r in made if r.why is None]
    assert sorted(of) == list(range(6))


# -- live spectra and steady records --------------------------------------------------------------


def test_live_spectra_average_no_sample_without_feedback(
    bench: Bench, begin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    averaged = watch_spectra(monkeypatch)
    session = begin(bench)
    bench.before_read = lambda: time.sleep(1e-3)  # the display keeps up
    monitor = MonitorPlan(0.1)
    carry_out(session, SequencePlan((monitor, PLAN, monitor, PLAN, monitor)))
    opened = bench.acts(False)
    assert len(opened) == 12
    for start, stop in averaged:
        assert bench.feedback(start, stop).all(), f"{start} … {stop}"
    for low, high in ((0, opened[0]), (opened[5], opened[6]), (opened[11], bench.now)):
        assert any(low <= start and stop <= high for start, stop in averaged), "nothing was shown"


def test_a_monitor_after_releases_begins_where_feedback_acts_for_certain(
    bench: Bench, begin: Any
) -> None:
    """The step begins at the sample that is read next; the gate closed where the card is."""
    at_once = ReheatingPlan(6, repeat_lost=False, **TIMES)  # no wait for the recorder in between
    path = carry_out(begin(bench), SequencePlan((at_once, MonitorPlan(0.3))))
    assert_true_to_the_samples(path, bench)
    with RunFile.open(path) as run:
        ((start, stop),) = run.digest().steady(run.recorded())
        record_end = run.stretches()[-1].end_sample
    assert bench.acts(True)[-1] <= start <= bench.acts(True)[-1] + bench.spread
    assert stop == record_end


def test_what_was_taken_before_feedback_was_first_switched_on_is_not_steady(
    bench: Bench, begin: Any
) -> None:
    """Somebody left the gate open; a run closes it, a little late."""
    session = begin(bench)
    session.set_feedback(False).result(60)
    path = carry_out(session, MonitorPlan(0.2))
    assert_true_to_the_samples(path, bench)
    with RunFile.open(path) as run:
        ((start, _),) = run.digest().steady(run.recorded())
    assert start <= bench.acts(True)[0] + bench.spread


def test_a_rig_without_a_gate_marks_nothing(worst: Bench, begin: Any) -> None:
    session = begin(worst)
    session.rig.gate = None
    path = carry_out(session, MonitorPlan(0.1))
    assert len(worst.blocks) >= 5
    assert not any(status & BlockStatus.FEEDBACK_OFF for _, _, status in worst.blocks)
    with RunFile.open(path) as run:
        assert run.digest().steady(run.recorded()) == [(0, 10_000)]


# -- the presence check ---------------------------------------------------------------------------


def test_the_presence_check_looks_at_no_sample_of_a_release(bench: Bench, begin: Any) -> None:
    """Free motion is a hundred times as loud: one free sample in ten would pass for a change."""
    path = carry_out(begin(bench), ReheatingPlan(6, presence_factor=1.3, **TIMES))
    assert len(usable(path)) == 6


@pytest.mark.parametrize("louder", [0.5, 2.0])
def test_the_presence_check_sees_what_changed_while_feedback_acted(
    bench: Bench, begin: Any, louder: float
) -> None:
    changed = lambda: len(bench.acts(True)) >= 3  # noqa: E731
    bench.cold = lambda at: 300.0 * (louder if changed() else 1.0)
    outcome = begin(bench).start(ReheatingPlan(6, presence_factor=1.3, **TIMES)).result(120)
    assert outcome.outcome == "failed"
    assert "before repetition 4" in outcome.reason
    assert len(bench.acts(False)) == 3
    assert_true_to_the_samples(outcome.path, bench)


def test_the_presence_check_does_not_take_motion_that_decays_for_another_particle(
    bench: Bench, begin: Any
) -> None:
    """Feedback takes a third of the cooling to take out what the release has heated."""

    def decaying(at: Any) -> Any:
        on = max([0, *bench.acts(True)])
        return np.where((at < on + bench.answer + COOL // 3) & (on > 0), 20_000.0, 300.0)

    bench.cold = decaying
    path = carry_out(begin(bench), ReheatingPlan(6, presence_factor=1.3, **TIMES))
    assert len(usable(path)) == 6


@pytest.mark.parametrize(("growth", "repetitions", "passes"), [(1.01, 45, True), (1.08, 12, False)])
def test_the_reference_of_the_presence_check_follows_slow_drifts_and_no_fast_ones(
    worst: Bench, begin: Any, growth: float, repetitions: int, passes: bool
) -> None:
    """Of growth g a repetition the reference, a tenth of it new each time, lags by (g − 0.9)/0.1.

    So 45 steps of 1 %, 1.6-fold in all, pass a factor of 1.4, and eleven of 8 %, 1.8 times what the
    reference has become, do not, though no step is as large as the factor.
    """
    worst.cold = lambda at: 300.0 * growth ** len(worst.acts(True))
    plan = ReheatingPlan(repetitions, presence_factor=1.4, **TIMES)
    outcome = begin(worst).start(plan).result(120)
    assert (outcome.outcome == "complete") is passes, outcome.reason
    if not passes:
        assert "changed 1.4" in outcome.reason


# -- pauses ---------------------------------------------------------------------------------------


def test_a_pause_holds_feedback_on_and_its_samples_count_for_nothing(
    bench: Bench, begin: Any
) -> None:
    session, read = begin(bench), itertools.count()
    paused_at: list[int] = []

    def hold() -> None:
        """Pause in the third release for twenty reads."""
        if len(bench.acts(False)) == 3 and not paused_at:
            paused_at.append(next(read))
            session.pause()
        elif paused_at and session.status().state == "paused" and next(read) > 20:
            session.resume()

    bench.before_read = hold
    path = carry_out(session, PLAN)
    assert_true_to_the_samples(path, bench)
    assert [r.repetition for r in usable(path)] == list(range(6))
    (paused, first), (resumed, last) = (
        (e.payload["text"], e.sample) for e in events_of(path, EventKind.NOTE)
    )
    assert (paused, resumed) == ("paused", "resumed")
    assert last - first >= 18 * 2000
    opened, closed = bench.acts(False), bench.acts(True)
    assert opened[2] < closed[2] <= first + bench.ahead + bench.spread
    # The pause is no cooling: all of it follows, from where the run goes on.
    assert opened[3] >= last + COOL
    assert np.all(bench.feedback(max(first, closed[2]), last))


# -- endings, in every phase ----------------------------------------------------------------------


def phase(bench: Bench, name: str) -> bool:
    """Whether the next read is of the cooling, of a release, or of what follows it."""
    opened, off = len(bench.acts(False)), not bench.switched[-1][1]
    return {
        "first cooling": opened == 0,
        "release": opened == 3 and off,
        "cooling": opened == 3 and not off,
        "last release": opened == 6 and off,
    }[name]


PHASES = ["first cooling", "release", "cooling", "last release"]


@pytest.mark.parametrize("name", PHASES)
@pytest.mark.parametrize("ending", ["stop", "abort", "close", "driver", "pause, abort"])
def test_however_and_whenever_a_run_ends_its_record_is_true(
    worst: Bench, begin: Any, name: str, ending: str, tmp_path: Path
) -> None:
    session, done = begin(worst), []

    def end() -> None:
        if ending == "pause, abort" and session.status().state == "paused":
            session.abort()
        if done or not phase(worst, name):
            return
        done.append(ending)
        if ending == "stop":
            session.stop_after_repetition()
        elif ending == "abort":
            session.abort()
        elif ending == "close":
            threading.Thread(target=session.close).start()
            wait_until(lambda: session._runner._closing.is_set())
        elif ending == "driver":
            raise DeviceError("the card is gone")
        else:
            session.pause()

    worst.before_read = end
    outcome = session.start(PLAN).result(60)
    assert done
    if ending == "stop":
        assert outcome.outcome == "stopped"
    elif ending == "driver":
        assert outcome.outcome == "failed"
    elif not (ending == "pause, abort" and name == "last release"):
        assert outcome.outcome == "aborted"
    assert session.rig.gate.history[-1] is True
    assert_true_to_the_samples(outcome.path, worst)
    with RunFile.open(outcome.path) as run:
        assert run.complete
        for release in run.releases():  # one that was cut short does not pass for whole
            assert release.samples == FREE
            assert release.end_sample <= run.stretches()[-1].end_sample


@pytest.mark.parametrize("ending", ["stop", "abort"])
def test_a_release_in_which_no_samples_come_is_left_out(
    worst: Bench, begin: Any, ending: str
) -> None:
    session = begin(worst)
    read, silent = session.rig.digitizer.read_into, []

    def read_into(buffer: Any) -> Any:
        if phase(worst, "release"):
            silent.append(len(buffer))
            if len(silent) == 3:
                session.stop_after_repetition() if ending == "stop" else session.abort()
            if len(silent) > 1:
                return read(buffer[:0])
        return read(buffer)

    session.rig.digitizer.read_into = read_into
    told, repetition = [], listeners(session).on_repetition

    def note(volts: Any, plan: Any, release: Release) -> None:
        told.append(release.why)
        repetition(volts, plan, release)

    listen(session, note)
    outcome = session.start(PLAN).result(60)
    assert len(silent) >= 3
    assert told == [None, None, LeftOut.CUT_SHORT][: 3 if ending == "stop" else 2]
    assert_true_to_the_samples(outcome.path, worst)
    with RunFile.open(outcome.path) as run:
        made = run.all_releases()
    assert [r.why for r in made] == [None, None, LeftOut.CUT_SHORT]


def test_a_stop_while_no_samples_come_in_the_cooling_releases_nothing(
    worst: Bench, begin: Any
) -> None:
    session = begin(worst)
    read, silent = session.rig.digitizer.read_into, []

    def read_into(buffer: Any) -> Any:
        if not phase(worst, "cooling"):
            return read(buffer)
        silent.append(len(buffer))
        if len(silent) == 2:
            session.stop_after_repetition()
        return read(buffer[:0])

    session.rig.digitizer.read_into = read_into
    outcome = session.start(PLAN).result(60)
    assert outcome.outcome == "stopped"
    assert len(silent) >= 2
    assert len(worst.acts(False)) == 3
    assert_true_to_the_samples(outcome.path, worst)


def test_a_card_that_does_not_say_where_it_is_keeps_no_gate_from_closing(
    worst: Bench, begin: Any
) -> None:
    session = begin(worst)
    card, present = session.rig.digitizer, session.rig.digitizer.present_sample

    def silent() -> int:
        if len(worst.acts(False)) == 2 and len(worst.acts(True)) == 2:
            worst.now += 1
            raise DeviceError("the card does not answer")
        return present()

    card.present_sample = silent  # from the second closing on: it fails after the call
    outcome = session.start(PLAN).result(60)
    assert outcome.outcome == "failed"  # at the next release
    assert "feedback could not" not in outcome.reason
    assert worst.switched[-1][1] is True
    assert [r.repetition for r in usable(outcome.path)] == [0, 1]
    for release in usable(outcome.path):
        assert worst.feedback(release.first_sample, release.end_sample).sum() == 0


@pytest.mark.parametrize("acts", [True, False])
@pytest.mark.parametrize("call", range(7))
def test_a_gate_whose_answer_is_lost_leaves_a_true_record(
    worst: Bench, begin: Any, call: int, acts: bool
) -> None:
    """At one call the gate does, or does not do, what it was told, and fails to say so."""
    session = begin(worst)
    gate, calls = session.rig.gate, itertools.count()
    act = gate.act

    def rude(closed: bool) -> None:
        this = next(calls) == call
        if acts or not this:
            act(closed)
        if this:
            worst.now += 400
            raise DeviceError("gate did not answer in time: check its cable and power")

    gate.act = rude
    outcome = session.start(PLAN).result(120)
    assert next(calls) > call
    assert worst.switched[-1][1] is True
    assert_marks(worst)
    with RunFile.open(outcome.path) as run:
        for release in run.releases():
            assert np.all(run.samples(release.first_sample, release.end_sample, [TRUTH]) == -1)
        for start, stop in run.digest().steady(run.recorded()):
            assert np.all(run.samples(start, stop, [TRUTH]) == 1)
    assert events_of(outcome.path, EventKind.GATE)[-1].payload["closed"] is True


def test_a_card_that_cannot_say_where_it_is_makes_no_release(worst: Bench, begin: Any) -> None:
    """The place of a release would be a guess, far from the truth."""
    session = begin(worst)
    card, present = session.rig.digitizer, session.rig.digitizer.present_sample

    def silent() -> int:
        if len(worst.acts(False)) == 2 and not worst.switched[-1][1]:
            worst.now += 1
            raise DeviceError("the card does not answer")
        return present()

    card.present_sample = silent
    outcome = session.start(PLAN).result(60)
    assert outcome.outcome == "failed"
    assert "the card does not answer" in outcome.reason
    assert worst.switched[-1][1] is True
    assert_marks(worst)
    for release in usable(outcome.path):
        assert worst.feedback(release.first_sample, release.end_sample).sum() == 0
