"""Endings that no plan foresees: drivers with bugs, races at start and close, gates left open."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optobind.acquisition import shared_segment
from optobind.acquisition.plans import MonitorPlan, ReheatingPlan
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.recover import recover
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.runfile_format import Manifest
from optobind.acquisition.session import Session
from optobind.instruments.fakes import FakeDigitizer, FakeGate, Fault
from optobind.instruments.rig import DetectorChannel, Rig
from optobind.instruments.simulated.build import build_simulated_rig
from optobind.instruments.simulated.settings import (
    DetectorSettings,
    FeedbackSettings,
    WorldSettings,
)
from optobind.instruments.supervisor import Supervisor
from optobind.models.array import TrapArray
from optobind.models.blocks import Block
from optobind.models.errors import DeviceError, FileError, InputError, UnstableModelError
from optobind.models.gas import Gas
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer

RATE = 1e6


def fake_rig(faults: dict[str, dict[int, Fault]] | None = None) -> Rig:
    time = np.arange(100_000)
    lines = [8000.0 * np.sin(2.0 * np.pi * f * time) for f in (0.06, 0.07)]
    digitizer = FakeDigitizer(np.stack(lines, axis=1).astype(np.int16), RATE, faults=faults)
    detectors = tuple(DetectorChannel(j, f"z{j + 1}", j) for j in range(2))
    return Rig("fake", "LIVE", digitizer, detectors, gate=FakeGate())


def simulated_rig(**feedback: Any) -> Rig:
    tweezers = (
        Tweezer((1.25e-6, 0.0, 0.0), 0.28, 0.70e-6, 0.75e-6, 0.4),
        Tweezer((-1.25e-6, 0.0, 0.0), 0.32, 0.70e-6, 0.75e-6, 0.0),
    )
    settings = WorldSettings(
        sample_rate=RATE,
        real_time=False,
        detectors=tuple(DetectorSettings(f"z{j + 1}", j, volts_per_metre=2e8) for j in range(2)),
        feedback=FeedbackSettings(**feedback),
    )
    spheres = (Sphere(80e-9), Sphere(80e-9))
    return build_simulated_rig(TrapArray(spheres, tweezers, 1064e-9, Gas(1e-6)), settings)


def break_method(monkeypatch: pytest.MonkeyPatch, device: object, name: str, first: int) -> None:
    """From its call ``first`` on, a method raises what no driver should raise."""
    original, calls = getattr(device, name), iter(range(10**9))

    def broken(*arguments: Any) -> Any:
        if next(calls) >= first:
            raise OSError("a bug of the driver")
        return original(*arguments)

    monkeypatch.setattr(device, name, broken)


@pytest.fixture
def segments(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing that the test makes stays in the shared memory."""
    original, names = shared_segment._create, []

    def create(size: int) -> Any:
        memory = original(size)
        names.append(memory.name)
        return memory

    monkeypatch.setattr(shared_segment, "_create", create)
    yield
    assert names
    for name in names:
        with pytest.raises(InputError, match="does not exist"):
            shared_segment.SharedSegment(name=name)


def only_run(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("*/run.h5")
    with RunFile.open(path) as run:
        return run.info()


@pytest.mark.usefixtures("segments")
@pytest.mark.parametrize(("family", "method"), [("digitizer", "read_into"), ("gate", "set")])
def test_whatever_a_driver_raises_the_file_is_closed_and_feedback_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str, method: str
) -> None:
    monkeypatch.setattr("optobind.acquisition.feedback.RUN_SECONDS", 0.5)
    monkeypatch.setattr("optobind.acquisition.runner.CLOSING_SECONDS", 0.5)
    rig = fake_rig()
    session = Session(rig, run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        break_method(monkeypatch, getattr(rig, family), method, 3)
        with pytest.raises(OSError, match="a bug of the driver"):
            session.start(ReheatingPlan(repetitions=1000)).result(60)
        info = only_run(tmp_path)
        assert (info["state"], info["outcome"]) == ("complete", "failed")
        assert session.status().state == "failed"
        assert rig.digitizer.state.value == "ready"
        if family == "digitizer":
            assert isinstance(rig.gate, FakeGate)
            assert rig.gate.history[-1]
        else:
            assert "feedback could not be switched on again" in info["reason"]
            assert session.status().feedback is None
    finally:
        session.close()


@pytest.mark.usefixtures("segments")
def test_driver_bug_in_the_live_display_leaves_a_session_that_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = fake_rig()
    session = Session(rig, run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        break_method(monkeypatch, rig.digitizer, "read_into", 2)
        session.stream(True).result(60)
        session.stream(False).result(60)
        monkeypatch.undo()
        assert session.start(MonitorPlan(duration=0.01)).result(60).outcome == "complete"
    finally:
        session.close()


@pytest.mark.usefixtures("segments")
def test_outcome_survives_a_digitizer_that_cannot_go_on_with_the_live_display(
    tmp_path: Path,
) -> None:
    rig = fake_rig({"start": {2: Fault("timeout")}})
    session = Session(rig, run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        session.stream(True).result(60)
        outcome = session.start(MonitorPlan(duration=0.05)).result(60)
        assert (outcome.outcome, outcome.samples) == ("complete", 50_000)
        assert any("live display could not go on" in line.text for line in session.take_log())
    finally:
        session.close()


@pytest.mark.usefixtures("segments")
def test_digitizer_that_does_not_start_leaves_no_shared_memory(tmp_path: Path) -> None:
    session = Session(
        fake_rig({"start": {0: Fault("timeout")}}), run_directory=tmp_path, live_fits=False
    )
    session.connect().result(60)
    future = session.stream(True)
    with pytest.raises(DeviceError, match="did not answer"):
        future.result(60)
    session.close()


@pytest.mark.parametrize("ending", ["abort", "stop", "close"])
def test_a_run_that_is_yet_to_begin_can_be_ended(tmp_path: Path, ending: str) -> None:
    session = Session(simulated_rig(), run_directory=tmp_path, live_fits=False)
    session.connect()
    future = session.start(MonitorPlan(duration=None))
    try:
        if ending == "abort":
            session.abort()
        elif ending == "stop":
            session.stop_after_repetition()
        else:
            session.close()
        if ending == "close" and future.exception(20) is not None:
            return  # refused before it began
        assert future.result(60).outcome == ("stopped" if ending == "stop" else "aborted")
    finally:
        session.close()
    assert not session.status().state == "running"


@pytest.mark.parametrize("ending", ["close", "disconnect"])
def test_a_gate_opened_by_hand_is_closed_at_the_end(tmp_path: Path, ending: str) -> None:
    rig = simulated_rig()
    session = Session(rig, run_directory=tmp_path, live_fits=False)
    session.connect().result(60)
    session.set_feedback(False).result(60)
    before = rig.world.light
    if ending == "disconnect":
        session.disconnect().result(60)
        assert rig.world.gate_closed
    session.close()
    assert rig.world.gate_closed
    assert rig.world.light == before


def test_a_gate_found_open_is_left_as_it_was_found(tmp_path: Path) -> None:
    rig = simulated_rig(closed=False)
    session = Session(rig, run_directory=tmp_path, live_fits=False)
    session.connect().result(60)
    session.close()
    assert not rig.world.gate_closed


def test_stability_is_judged_with_the_feedback_that_a_run_switches_on(tmp_path: Path) -> None:
    rig = simulated_rig(closed=False, delay=5e-6, assumed_delay=0.0)
    session = Session(rig, run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        assert rig.world.growth_rate() < 100.0 < rig.world.growth_rate(True)
        with pytest.raises(UnstableModelError, match="grow"):
            session.start(MonitorPlan(duration=0.01)).result(60)
        assert not rig.world.gate_closed
    finally:
        session.close()


def test_recovery_without_room_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.h5"
    recorder = Recorder(path, Manifest(RATE, ("z",), (1.0,)))
    recorder.write(Block(0, np.arange(1000, dtype=np.int16)[:, None], np.ones(1)))
    recorder._file.close()  # as a killed writer leaves it: without its mark of completeness
    with monkeypatch.context() as patched:
        patched.setattr("optobind.acquisition.recover.free_bytes", lambda _: 1 << 20)
        with pytest.raises(FileError, match=r"disk full \(.* MB needed, 1.0 MB free\)"):
            recover(path)
    assert [p.name for p in tmp_path.iterdir()] == ["run.h5"]
    assert recover(path).name == "run_recovered.h5"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.h5", "run_recovered.h5"]


def test_a_bug_of_the_recorder_ends_the_run_instead_of_going_on_unrecorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("a bug")

    session = Session(simulated_rig(), run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        monkeypatch.setattr("optobind.acquisition.recorder.Recorder.append", broken)
        with pytest.raises(KeyError, match="a bug"):
            session.start(MonitorPlan(duration=None)).result(60)
        assert session.rig.world.gate_closed
        assert only_run(tmp_path)["outcome"] == "failed"
    finally:
        session.close()


@pytest.mark.parametrize("ending", ["close", "disconnect"])
def test_a_device_that_does_not_disconnect_keeps_no_other_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    rig = fake_rig()
    session = Session(rig, run_directory=tmp_path, live_fits=False)
    session.connect().result(60)
    break_method(monkeypatch, rig.gate, "disconnect", 0)
    if ending == "disconnect":
        session.disconnect().result(60)
    session.close()
    assert rig.digitizer.state.value == "disconnected"
    assert "gate could not be disconnected" in session.take_log()[-1].text


class AheadDigitizer(FakeDigitizer):
    """A card that takes samples 5000 ahead of what has been read."""

    ahead = 5000

    @property
    def info(self) -> Any:
        return replace(super().info, real_time=True)

    def present_sample(self) -> int:
        return self._index + self.ahead


def test_a_release_stands_where_the_card_is_not_where_the_reader_is(tmp_path: Path) -> None:
    rig = fake_rig()
    samples = rig.digitizer._samples
    switched: list[tuple[bool, int]] = []
    digitizer = AheadDigitizer(samples, RATE)

    class Gate(FakeGate):
        def set(self, closed: bool) -> None:
            switched.append((closed, digitizer.present_sample()))
            super().set(closed)

    rig = replace(rig, digitizer=digitizer, gate=Gate())
    session = Session(rig, run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        plan = ReheatingPlan(repetitions=3, cool_time=2e-3, release_time=1e-3)
        outcome = session.start(plan).result(60)
    finally:
        session.close()
    assert outcome.outcome == "complete", outcome.reason
    with RunFile.open(outcome.path) as run:
        releases = run.releases()
    opened = [sample for closed, sample in switched if not closed]
    assert [r.first_sample for r in releases] == opened
    assert all(r.samples == 1000 for r in releases)
    # Closing acts later still: nothing of the stretch is cooled.
    closings = [sample for closed, sample in switched if closed]
    for release in releases:
        after = min(sample for sample in closings if sample > release.first_sample)
        assert after >= release.end_sample


def test_a_dead_digitizer_does_not_keep_the_gate_from_closing(tmp_path: Path) -> None:
    class Dying(AheadDigitizer):
        def present_sample(self) -> int:
            if self.calls.get("read_into", 0) > 8:
                raise DeviceError("the card is gone")
            return super().present_sample()

    rig = fake_rig()
    gate = FakeGate()
    faults = {"read_into": {9: Fault("disconnect")}}
    digitizer = Dying(rig.digitizer._samples, RATE, faults=faults)
    session = Session(
        replace(rig, digitizer=digitizer, gate=gate), run_directory=tmp_path, live_fits=False
    )
    try:
        session.connect().result(60)
        plan = ReheatingPlan(repetitions=50, cool_time=2e-3, release_time=30e-3)
        outcome = session.start(plan).result(60)
    finally:
        session.close()
    assert outcome.outcome == "failed"
    assert gate.history[-1] is True


def test_a_device_that_drops_out_between_runs_comes_back_without_its_setting(tmp_path) -> None:
    gate = FakeGate(faults={"read": {1: Fault("disconnect")}, "connect": {1: Fault("timeout")}})
    rig = replace(fake_rig(), gate=gate)
    session = Session(rig, run_directory=tmp_path, live_fits=False)
    session._runner._bench.devices._supervisor = Supervisor(rig.devices(), first_wait=0.05)
    try:
        session.connect().result(60)
        with pytest.raises(DeviceError):
            gate.read()
        deadline = time.monotonic() + 60.0
        lines: list[str] = []
        while not any("is back" in line for line in lines):
            assert time.monotonic() < deadline, lines
            lines += [entry.text for entry in session.take_log()]
            time.sleep(0.02)
        assert gate.history == [True]
    finally:
        session.close()
    assert any("is faulted" in line for line in lines)
    assert any("still away" in line for line in lines)
