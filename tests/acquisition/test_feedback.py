"""Feedback comes back: broken, frozen and lying gates in runs, at their end and by hand."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optobind.acquisition import feedback, run_gate
from optobind.acquisition.feedback import FeedbackGate, GateStillOpenError, ReleaseRefusedError
from optobind.acquisition.plans import ReheatingPlan
from optobind.acquisition.releases import LeftOut
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.session import Session
from optobind.acquisition.slots import LogBook
from optobind.instruments.fakes import FakeDigitizer, FakeGate
from optobind.instruments.guardian.gate import GuardedGate
from optobind.instruments.rig import DetectorChannel, Rig
from optobind.models.errors import DeviceError

sys.path.insert(0, str(Path(__file__).parents[1] / "instruments"))

from gate_standin import GateServer, TcpGate

pytestmark = pytest.mark.realtime

RATE = 1e6
PLAN = ReheatingPlan(repetitions=40, cool_time=2e-3, release_time=20e-3)


class PacedDigitizer(FakeDigitizer):
    """As many samples a second as it says, so that a release takes its time."""

    def read_into(self, buffer: Any) -> Any:
        time.sleep(len(buffer) / RATE)
        return super().read_into(buffer)


def rig_with(gate: Any) -> Rig:
    t = np.arange(3_000_000)
    lines = [8000.0 * np.sin(2.0 * np.pi * f * t) for f in (0.06, 0.07)]
    digitizer = PacedDigitizer(np.stack(lines, axis=1).astype(np.int16), RATE)
    detectors = tuple(DetectorChannel(j, f"z{j + 1}", j) for j in range(2))
    return Rig("stand-in", "LIVE", digitizer, detectors, gate=gate)


@pytest.fixture
def server():
    server = GateServer()
    yield server
    server.stop()


@pytest.fixture(params=["guarded", "plain"])
def gate(request, server):
    made = TcpGate("gate", server.port)
    gate = GuardedGate(made) if request.param == "guarded" else made
    yield gate
    gate.disconnect()


@pytest.fixture
def session(gate, tmp_path):
    session = Session(rig_with(gate), run_directory=tmp_path, live_fits=False)
    session.connect().result(60)
    yield session
    session.close()


def lines_of(session: Session, wanted: str, seconds: float = 60.0) -> list[str]:
    """Lines of the log up to the one that holds ``wanted``."""
    lines: list[str] = []
    until = time.monotonic() + seconds
    while not any(wanted in line for line in lines):
        assert time.monotonic() < until, lines
        lines += [entry.text for entry in session.take_log()]
        time.sleep(0.01)
    return lines


def excluded(path: Path) -> list[int]:
    with RunFile.open(path) as run:
        return [e.payload["repetition"] for e in run.events() if e.kind == "excluded"]


def kinds(path: Path) -> list[str]:
    with RunFile.open(path) as run:
        return [str(e.kind) for e in run.events()]


@pytest.mark.parametrize("fault", ["freeze", "away"])
def test_a_link_that_is_back_after_a_second_costs_a_repetition_and_not_the_run(
    server, session, fault
):
    future = session.start(PLAN)
    server.wait(False)
    (server.freeze if fault == "freeze" else server.go_away)()
    time.sleep(1.0)
    (server.thaw if fault == "freeze" else server.come_back)()
    outcome = future.result(120)
    assert outcome.exit_code in (0, 4), outcome.reason
    assert server.closed
    assert server.log[-1][1] == "READ"
    found = kinds(outcome.path)
    assert 1 <= found.count("fault") <= 4
    assert found.count("release") > PLAN.repetitions  # what was spoiled is made once more
    assert outcome.worth.releases.usable == PLAN.repetitions
    assert 1 <= len(excluded(outcome.path)) <= 2
    with RunFile.open(outcome.path) as run:
        assert len(run.releases()) == PLAN.repetitions
    assert session.status().feedback is True


def test_a_link_that_does_not_come_back_ends_the_run_and_is_tried_until_it_does(
    server, session, monkeypatch, capsys
):
    monkeypatch.setattr(feedback, "RUN_SECONDS", 1.0)
    future = session.start(PLAN)
    server.wait(False)
    server.go_away()
    outcome = future.result(120)
    assert (outcome.outcome, outcome.exit_code) == ("failed", 4)
    assert "feedback could not be switched on again" in outcome.reason
    with RunFile.open(outcome.path) as run:
        assert run.info()["state"] == "complete"
        assert run.info()["outcome"] == "failed"
    assert session.status().feedback is None
    assert session.gate_trouble.startswith("GATE STILL OPEN")
    assert not server.closed
    last = capsys.readouterr().err.splitlines()[-1]
    assert "GATE STILL OPEN" in last
    assert "by hand" in last
    lines_of(session, "GATE STILL OPEN")
    server.come_back()
    server.wait(True)
    lines_of(session, "feedback is on again", 40.0)
    assert session.gate_trouble == ""
    assert session.status().feedback is True


def test_a_release_whose_gate_could_not_be_closed_is_none_and_its_record_says_why(
    server, session, monkeypatch
):
    monkeypatch.setattr(feedback, "RUN_SECONDS", 0.5)
    future = session.start(replace(PLAN, release_time=1.0))
    server.wait(False)
    time.sleep(0.2)  # the opening has been acknowledged
    server.go_away()
    outcome = future.result(120)
    found = kinds(outcome.path)
    assert found.count("release") == 1
    assert found.count("fault") == 1  # however often finalise has tried
    assert excluded(outcome.path) == [0]
    count = outcome.worth.releases
    assert (count.made, count.usable, count.left_out) == (1, 0, {LeftOut.GATE: 1})
    server.come_back()
    server.wait(True)


@pytest.mark.slow
def test_a_digitizer_that_hangs_in_a_release_does_not_keep_feedback_off(
    server, tmp_path, monkeypatch
):
    monkeypatch.setattr(run_gate, "LATE_SECONDS", 0.3)
    gate = GuardedGate(TcpGate("gate", server.port))
    rig, answers = rig_with(gate), threading.Event()
    original = rig.digitizer.read_into

    def read_into(buffer: Any) -> Any:
        if not server.closed:
            assert answers.wait(60.0)
        return original(buffer)

    rig.digitizer.read_into = read_into  # type: ignore[method-assign]
    session = Session(rig, run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        future = session.start(PLAN)
        server.wait(False)
        server.wait(True)  # the digitizer still hangs
        assert not future.done()
        answers.set()
        outcome = future.result(120)
    finally:
        answers.set()
        session.close()
    assert excluded(outcome.path) == [0]
    assert outcome.worth.releases.usable == PLAN.repetitions  # it was made once more
    with RunFile.open(outcome.path) as run:
        faults = [e.payload["message"] for e in run.events() if e.kind == "fault"]
    assert "feedback was off for longer than 0.32 s" in faults[0]


def test_a_link_that_is_back_for_the_end_of_the_run_is_told_so(server, session, monkeypatch):
    monkeypatch.setattr(feedback, "RUN_SECONDS", 0.5)
    future = session.start(PLAN)
    server.wait(False)
    server.go_away()
    lines_of(session, "GATE STILL OPEN")
    server.come_back()
    outcome = future.result(120)
    assert outcome.outcome == "failed"
    assert server.wait(True) >= 0.0
    lines_of(session, "feedback is on again", 40.0)


@pytest.mark.parametrize("ending", ["close", "disconnect"])
def test_a_gate_opened_by_hand_is_closed_over_a_fresh_link(server, session, ending):
    session.set_feedback(False).result(60)
    server.go_away()
    threading.Timer(1.0, server.come_back).start()
    if ending == "disconnect":
        session.disconnect().result(60)
    session.close()
    assert server.wait(True) >= 0.0


def test_closing_a_session_on_a_gate_that_is_away_ends_in_time_and_says_so(
    server, session, monkeypatch, capsys
):
    monkeypatch.setattr("optobind.acquisition.runner.CLOSING_SECONDS", 1.0)
    session.set_feedback(False).result(60)
    server.go_away()
    session.close(timeout=30.0)
    assert "GATE STILL OPEN" in session.gate_trouble
    assert "GATE STILL OPEN" in capsys.readouterr().err.splitlines()[-1]
    server.come_back()
    if isinstance(session.rig.gate, GuardedGate):
        server.wait(True)  # its guardian goes on


def test_an_opening_whose_answer_is_lost_is_closed_and_not_tried_again(server, session):
    server.swallow(True)
    threading.Timer(1.5, lambda: server.swallow(False)).start()
    with pytest.raises(ReleaseRefusedError, match=r"not switched off: .*feedback is on"):
        session.set_feedback(False).result(60)
    server.wait(True)
    assert server.words("OPEN") == 1
    assert session.status().feedback is True


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_the_death_of_the_guardian_during_a_release_ends_the_run(server, tmp_path):
    gate = GuardedGate(TcpGate("gate", server.port))
    session = Session(rig_with(gate), run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        plan = ReheatingPlan(repetitions=3, cool_time=2e-3, release_time=500e-3)
        future = session.start(plan)
        server.wait(False)
        os.kill(gate.guardian, signal.SIGKILL)
        outcome = future.result(120)
        assert (outcome.outcome, outcome.exit_code) == ("failed", 4)
        assert "the guardian of the gate died while feedback was off" in outcome.reason
        assert server.closed
        assert excluded(outcome.path) == [0]
        assert session.status().feedback is True
        session.connect().result(60)  # or a moment later by itself
        again = session.start(ReheatingPlan(repetitions=2, cool_time=2e-3, release_time=6e-3))
        assert again.result(120).outcome == "complete", again.result().reason
    finally:
        session.close()
    assert gate.guardian is None


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_program_that_hangs_in_a_release_loses_that_release_and_says_so(server, tmp_path):
    gate = GuardedGate(TcpGate("gate", server.port))
    session = Session(rig_with(gate), run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        future = session.start(ReheatingPlan(repetitions=2, cool_time=2e-3, release_time=1.0))
        server.wait(False)
        gate._line.watch(False)  # what a stop of the whole program does to the signs of life
        server.wait(True)
        outcome = future.result(120)
    finally:
        session.close()
    assert outcome.outcome == "complete", outcome.reason
    assert excluded(outcome.path) == [0]
    with RunFile.open(outcome.path) as run:
        faults = [e.payload["message"] for e in run.events() if e.kind == "fault"]
    assert any("no sign of life" in text for text in faults)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_the_death_of_the_guardian_while_feedback_is_on_costs_no_release(server, tmp_path):
    gate = GuardedGate(TcpGate("gate", server.port))
    session = Session(rig_with(gate), run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        future = session.start(ReheatingPlan(repetitions=2, cool_time=1.0, release_time=0.02))
        server.wait(False)
        server.wait(True)
        while not session.status().feedback:  # until it is known here, too
            time.sleep(0.005)
        os.kill(gate.guardian, signal.SIGKILL)
        outcome = future.result(120)
    finally:
        session.close()
    assert outcome.outcome == "complete", outcome.reason
    assert excluded(outcome.path) == []
    assert kinds(outcome.path).count("fault") == 1
    assert server.closed


def test_release_after_release_lost_to_the_gate_ends_the_run(tmp_path):
    class Stubborn(FakeGate):
        opened = 0

        def set(self, closed: bool) -> None:
            self.opened += not closed
            if not closed and self.opened > 2:
                raise DeviceError("gate refused")
            super().set(closed)

    gate = Stubborn()
    session = Session(rig_with(gate), run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        outcome = session.start(PLAN).result(60)
    finally:
        session.close()
    assert (outcome.outcome, outcome.exit_code) == ("failed", 4)
    assert "3 releases one after the other" in outcome.reason
    assert "feedback is on" in outcome.reason
    assert excluded(outcome.path) == [2, 3, 4]
    assert gate.history[-1] is True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class LyingGate(FakeGate):
    """Accepts everything and stays open for some time."""

    lies = 10**9

    def read(self) -> bool:
        super().read()
        self.lies -= 1
        return self.lies < 0


def test_a_gate_that_reads_open_after_it_was_closed_is_not_believed():
    gate, log, clock = LyingGate(), LogBook(), Clock()
    gate.connect()
    held = FeedbackGate(gate, log, clock=clock, sleep=clock.sleep)
    with pytest.raises(GateStillOpenError, match="was closed but reads open: check its wiring"):
        held.close(3.0)
    assert 3.0 <= clock.now < 4.0
    assert held.closed is None
    held.tend()  # too early
    tried = len(gate.history)
    clock.now += 1.0
    gate.lies = 0
    held.tend()
    assert len(gate.history) == tried + 1
    assert held.closed is True
    assert held.trouble == ""


def test_the_user_can_end_the_trying():
    gate, clock = LyingGate(), Clock()
    gate.connect()
    held = FeedbackGate(gate, LogBook(), clock=clock, sleep=clock.sleep)
    with pytest.raises(GateStillOpenError):
        held.close(1.0)
    held.give_up()
    tried = len(gate.history)
    clock.now += 100.0
    held.tend()
    assert len(gate.history) == tried
    held.restore(10.0)
    assert len(gate.history) == tried + 1, "one last attempt when the session closes"
    assert held.trouble.startswith("GATE STILL OPEN")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("link", ["there", "away"])
def test_feedback_switched_off_by_hand_is_on_again_when_the_guardian_dies(server, tmp_path, link):
    gate = GuardedGate(TcpGate("gate", server.port))
    session = Session(rig_with(gate), run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        session.set_feedback(False).result(60)
        if link == "away":
            server.go_away()
        os.kill(gate.guardian, signal.SIGKILL)
        if link == "away":
            time.sleep(1.0)
            server.come_back()
        server.wait(True)
        lines_of(session, "the guardian of the gate died while feedback was off")
        until = time.monotonic() + 60.0
        while session.status().feedback is not True:
            assert time.monotonic() < until
            time.sleep(0.01)
    finally:
        session.close()
    assert server.closed
