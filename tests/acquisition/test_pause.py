"""A wait can be interrupted, a pause holds any plan, and a damaged file hangs nothing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from optobind.acquisition import recording as recording_module
from optobind.acquisition.events import EventKind
from optobind.acquisition.plans import MonitorPlan, ReheatingPlan, SequencePlan
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.run import RunOutcome
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.session import Session
from optobind.instruments.contracts import check_trigger
from optobind.instruments.fakes import FakeDigitizer, FakeGate, Fault
from optobind.instruments.protocols import DeviceState
from optobind.instruments.rig import DetectorChannel, Rig

RATE = 1e5
RELEASES = ReheatingPlan(repetitions=1000, cool_time=5e-3, release_time=5e-3)


def make_rig(trigger: threading.Event | None = None, **options) -> Rig:
    at = np.arange(100_000)
    lines = [8000.0 * np.sin(2.0 * np.pi * f * at) for f in (0.06, 0.07)]
    samples = np.stack(lines, axis=1).astype(np.int16)
    digitizer = FakeDigitizer(samples, RATE, trigger=trigger, **options)
    detectors = tuple(DetectorChannel(j, f"z{j + 1}", j) for j in range(2))
    return Rig("fake", "LIVE", digitizer, detectors, gate=FakeGate())


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., tuple[Session, Future[RunOutcome]]]]:
    sessions: list[Session] = []

    def start(plan, rig=None, *, paused=False):
        session = Session(rig or make_rig(pause=1e-3), run_directory=tmp_path, live_fits=False)
        sessions.append(session)
        session.connect().result(60)
        if not paused:
            return session, session.start(plan, tmp_path / "run.h5")
        # The runner is held up, so that the run is paused before it begins.
        held = threading.Event()
        waiting = session._runner.submit(lambda bench: held.wait(30))
        future = session.start(plan, tmp_path / "run.h5")
        session.pause()
        held.set()
        waiting.result(60)
        return session, future

    yield start
    for session in sessions:
        session.close()


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def releases_of(path: Path) -> int:
    with RunFile.open(path) as run:
        return sum(e.kind is EventKind.RELEASE for e in run.events())


def notes_of(path: Path) -> list[tuple[str, int]]:
    with RunFile.open(path) as run:
        notes = [e for e in run.events() if e.kind is EventKind.NOTE]
        return [(e.payload["text"], e.sample) for e in notes]


def is_paused(session: Session) -> bool:
    return session.status().state == "paused"


# -- waiting --------------------------------------------------------------------------------------


@pytest.mark.parametrize("plan", [MonitorPlan(duration=1.0), RELEASES])
@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (Session.stop_after_repetition, "stopped"),
        (Session.abort, "aborted"),
        (Session.close, "aborted"),
    ],
)
def test_a_trigger_that_never_comes_obeys_stop_abort_and_close(begin, plan, end, outcome):
    session, future = begin(plan, make_rig(threading.Event()))
    wait_until(lambda: session.status().message == "waiting for the trigger of the script")
    lines = [entry.text for entry in session.take_log()]
    assert lines.count("waiting for the trigger of the script") == 1
    reads = session.rig.digitizer.calls["read_into"]
    end(session)
    result = future.result(60)
    assert session.rig.digitizer.calls["read_into"] - reads <= 2
    assert (result.outcome, result.samples, result.gaps) == (outcome, 0, 0)
    assert session.rig.gate.history[-1] is True
    assert False not in session.rig.gate.history, "nothing was released"


def test_after_its_trigger_a_run_goes_on_whole(begin):
    trigger = threading.Event()
    session, future = begin(MonitorPlan(duration=0.1), make_rig(trigger))
    wait_until(lambda: session.status().message.startswith("waiting for"))
    trigger.set()
    assert future.result(60).outcome == "complete"
    assert future.result().samples == round(0.1 * RATE)
    assert "the first samples have come" in [entry.text for entry in session.take_log()]


def test_samples_that_stay_away_in_between_are_waited_for_and_none_is_lost(begin):
    silence = {n: Fault("silent", samples=n % 3) for n in range(2, 8)}
    rig = make_rig(faults={"read_into": silence})
    _, future = begin(ReheatingPlan(repetitions=4, cool_time=5e-3, release_time=5e-3), rig)
    outcome = future.result(60)
    assert (outcome.outcome, outcome.gaps) == ("complete", 0)
    with RunFile.open(outcome.path) as run:
        stored = run.samples(0, outcome.samples)
    assert np.array_equal(stored, rig.digitizer._samples[: outcome.samples])


def test_the_fake_keeps_the_contract_of_a_trigger():
    trigger = threading.Event()
    check_trigger(lambda: make_rig(trigger).digitizer, trigger.set)


# -- pausing --------------------------------------------------------------------------------------


def test_a_paused_monitor_records_on_and_its_pause_does_not_count(begin):
    session, future = begin(MonitorPlan(duration=3.0), make_rig(pause=5e-3))
    wait_until(lambda: session.status().recorded > 2000)
    session.pause()
    wait_until(lambda: is_paused(session))
    assert session.status().message.startswith("paused: monitoring")
    before = session.status().recorded
    wait_until(lambda: session.status().recorded > before + round(0.3 * RATE))
    assert not future.done()
    session.resume()
    session.resume()
    outcome = future.result(60)
    assert outcome.outcome == "complete"
    (paused, first), (resumed, last) = notes_of(outcome.path)
    assert (paused, resumed) == ("paused", "resumed")
    assert outcome.samples == round(3.0 * RATE) + last - first
    assert last - first > 0.2 * RATE  # the recorder lags where it began to be counted


def test_what_was_played_in_a_pause_is_missing_from_a_monitor_of_the_whole_record(begin):
    rig = make_rig(loop=False, pause=5e-3)
    session, future = begin(MonitorPlan(duration=100_000 / RATE), rig)
    wait_until(lambda: session.status().recorded > 2000)
    session.pause()
    wait_until(lambda: is_paused(session))
    before = session.status().recorded
    wait_until(lambda: session.status().recorded > before + 4000)
    session.resume()
    outcome = future.result(60)
    assert (outcome.outcome, outcome.samples) == ("stopped", 100_000)
    assert "ended before the plan" in outcome.reason


@pytest.mark.parametrize(
    "plan",
    [
        MonitorPlan(duration=None),
        RELEASES,
        SequencePlan((MonitorPlan(duration=0.02), RELEASES, MonitorPlan(duration=5.0))),
    ],
)
@pytest.mark.parametrize(
    ("end", "outcome"),
    [(Session.stop_after_repetition, "stopped"), (Session.abort, "aborted")],
)
def test_any_plan_pauses_and_ends_from_there_without_a_further_release(
    begin, plan, end, outcome, tmp_path
):
    session, future = begin(plan)
    wait_until(lambda: session.status().recorded > 4000)
    session.pause()
    wait_until(lambda: is_paused(session))
    switched = list(session.rig.gate.history)
    assert switched[-1] is True, "feedback is on in a pause"
    assert any("is paused" in entry.text for entry in session.take_log())
    end(session)
    assert future.result(60).outcome == outcome
    assert session.rig.gate.history.count(False) == switched.count(False)
    assert releases_of(tmp_path / "run.h5") == switched.count(False)
    assert [text for text, _ in notes_of(tmp_path / "run.h5")] == ["paused", "resumed"]


def test_a_run_paused_before_it_begins_releases_nothing_until_resumed(begin, tmp_path):
    plan = ReheatingPlan(repetitions=3, cool_time=5e-3, release_time=5e-3)
    session, future = begin(plan, paused=True)
    wait_until(lambda: is_paused(session))
    assert False not in session.rig.gate.history
    session.resume()
    assert future.result(60).outcome == "complete"
    assert releases_of(tmp_path / "run.h5") == 3


def test_a_pause_during_the_last_repetition_lets_the_run_end(begin, tmp_path):
    plan = ReheatingPlan(repetitions=1, cool_time=0.5, release_time=0.5)
    session, future = begin(plan)
    wait_until(lambda: False in session.rig.gate.history)
    session.pause()
    assert future.result(60).outcome == "complete"
    assert session.rig.gate.history[-1] is True
    assert releases_of(tmp_path / "run.h5") == 1


def test_a_stop_before_the_run_begins_releases_nothing(begin, tmp_path):
    session, future = begin(RELEASES, paused=True)
    session.stop_after_repetition()
    session.resume()
    assert future.result(60).outcome == "stopped"
    assert releases_of(tmp_path / "run.h5") == 0


# -- files and drivers that misbehave -------------------------------------------------------------


def damage(path: Path, how: str) -> None:
    size = path.stat().st_size
    if how in ("empty", "half"):
        os.truncate(path, 0 if how == "empty" else size // 2)
        return
    with open(path, "r+b") as file:
        file.write(bytes(100_000) if how == "zeros" else os.urandom(size - 1000))


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps others from an open file")
@pytest.mark.parametrize("how", ["empty", "half", "zeros", "garbage"])
def test_a_file_that_somebody_damages_does_not_hang_the_run(begin, tmp_path, how):
    session, future = begin(RELEASES)
    wait_until(lambda: session.status().recorded > 20_000)
    damage(tmp_path / "run.h5", how)
    session.stop_after_repetition()
    outcome = future.result(60)  # HDF5 would read damaged metadata for ever
    assert outcome.outcome == "failed" or how == "half"
    assert session.rig.gate.history[-1] is True
    session.close()
    assert session.rig.digitizer.state is DeviceState.DISCONNECTED


def test_a_disk_that_never_answers_ends_the_run_within_bounds(begin, monkeypatch):
    answer = threading.Event()
    monkeypatch.setattr(recording_module, "_LONGEST_STALL", 0.5)
    real, written = Recorder.append, []

    def append(self, *arguments, **named):
        written.append(arguments)
        if len(written) > 2:
            answer.wait(120.0)
        real(self, *arguments, **named)

    finish = recording_module.RecorderThread.finish
    monkeypatch.setattr(
        recording_module.RecorderThread, "finish", lambda self, end=None: finish(self, end, 0.5)
    )
    monkeypatch.setattr(Recorder, "append", append)
    session, future = begin(RELEASES)
    outcome = future.result(60)
    assert outcome.outcome == "failed"
    assert "the disk has taken no sample for 0.5 s" in outcome.reason
    assert session.rig.gate.history[-1] is True
    answer.set()


@pytest.mark.parametrize("error", [RuntimeError("a bug"), SystemExit(3), KeyboardInterrupt()])
def test_whatever_a_driver_raises_the_run_is_finalised_and_the_future_has_it(
    begin, tmp_path, error
):
    rig = make_rig(pause=1e-3)
    real, reads = rig.digitizer.read_into, []

    def read_into(buffer):
        reads.append(len(buffer))
        if len(reads) > 20:
            raise error
        return real(buffer)

    rig.digitizer.read_into = read_into
    session, future = begin(RELEASES, rig)
    with pytest.raises(type(error)):
        future.result(60)
    with RunFile.open(tmp_path / "run.h5") as run:
        assert run.complete
        assert run.info()["outcome"] == "failed"
    assert rig.gate.history[-1] is True
    session.stream(False).result(60)  # the runner goes on


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_runner_that_dies_between_runs_answers_those_who_wait(begin, monkeypatch):
    session = Session(make_rig(), live_fits=False)
    session.connect().result(60)
    monkeypatch.setattr(session._runner, "_look_after", lambda: 1 / 0)
    assert session._runner.join(30.0)
    with pytest.raises(Exception, match="closed"):
        session.stream(True).result(60)
    assert any("internal error" in entry.text for entry in session.take_log())
    session.close()


def test_closing_does_not_wait_without_end_for_a_device_that_does_not_let_go(begin):
    rig = make_rig()
    hang = threading.Event()
    rig.gate.disconnect = lambda: hang.wait(120.0)
    session = Session(rig, live_fits=False)
    session.connect().result(60)
    session.close(timeout=1.0)
    assert not hang.is_set()
    assert any("did not disconnect within 1 s" in entry.text for entry in session.take_log())
    hang.set()
