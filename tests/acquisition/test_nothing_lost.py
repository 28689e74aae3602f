"""In real time nothing is lost: many short releases, disks that stall, computers that are busy.

The card is a stand-in that takes samples by the wall's clock and overflows when its reader is late.
What counts is how many releases can be used, not how long anything took.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optobind.acquisition.conditions import SIMULATION_LAGS
from optobind.acquisition.plans import MonitorPlan, ReheatingPlan
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.sample_store import SampleStore
from optobind.acquisition.session import Session
from optobind.config.build import build_rig
from optobind.config.load import read_rig
from optobind.instruments.fake_card import FakeCard
from optobind.instruments.fakes import FakeGate
from optobind.instruments.rig import DetectorChannel, Rig

pytestmark = [pytest.mark.realtime, pytest.mark.slow]

RATE = 2e6


def card_rig(buffer_seconds: float = 60.0) -> Rig:
    """Two channels at 2 MS/s, a line on each; the record tells the sample's index.

    The driver's buffer is that of a card with memory: how fast this computer is plays no part.
    """
    index = np.arange(1 << 17)
    lines = [8000.0 * np.sin(2.0 * np.pi * f * index) for f in (0.030, 0.032)]
    samples = np.stack(lines, axis=1).astype(np.int16)
    digitizer = FakeCard(samples, RATE, buffer_seconds=buffer_seconds)
    detectors = tuple(DetectorChannel(j, f"z{j + 1}", j) for j in range(2))
    return Rig("card", "LIVE", digitizer, detectors, gate=FakeGate())


def carry_out(
    rig: Rig, plan: Any, folder: Path, timeout: float = 200.0, ends: str = "complete"
) -> tuple[Any, list[str]]:
    session = Session(rig, run_directory=folder, live_fits=False)
    try:
        session.connect().result(60)
        outcome = session.start(plan).result(timeout)
        lines = [entry.text for entry in session.take_log()]
    finally:
        session.close()
    assert outcome.outcome == ends, outcome.reason
    return outcome, lines


def releases_of(path: Path) -> tuple[int, int]:
    """Usable and all releases."""
    with RunFile.open(path) as run:
        return len(run.releases()), len(run.all_releases())


@contextmanager
def a_disk_that_stalls(monkeypatch: pytest.MonkeyPatch, seconds: float) -> Iterator[list[float]]:
    """Once, while the run goes on, a flush takes so long."""
    stalls: list[float] = []
    append = SampleStore.append

    def slow(self: SampleStore, pieces: Any) -> None:
        append(self, pieces)
        if not stalls and self.rows > RATE / 10:
            stalls.append(seconds)
            time.sleep(seconds)

    with monkeypatch.context() as patch:
        patch.setattr(SampleStore, "append", slow)
        yield stalls


@pytest.mark.parametrize(("length", "repetitions"), [(1e-3, 400), (0.5e-3, 400)])
def test_short_releases_of_a_card_are_all_usable(
    tmp_path: Path, length: float, repetitions: int
) -> None:
    rig = card_rig()
    plan = ReheatingPlan(repetitions, length, length)
    outcome, _ = carry_out(rig, plan, tmp_path)
    assert rig.digitizer.lost == 0  # type: ignore[attr-defined]
    assert outcome.lost_samples == 0
    assert releases_of(outcome.path) == (repetitions, repetitions)
    with RunFile.open(outcome.path) as run:
        last = run.rows - 1000
        taken = rig.digitizer._samples[(last + np.arange(1000)) % (1 << 17)]  # type: ignore[attr-defined]
        np.testing.assert_array_equal(run.samples(last, last + 1000), taken)


@pytest.mark.parametrize("seconds", [0.1, 0.5, pytest.param(2.0, marks=pytest.mark.slow)])
def test_a_disk_that_stalls_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    repetitions = round((seconds + 0.5) / 2e-3)
    with a_disk_that_stalls(monkeypatch, seconds) as stalls:
        outcome, _ = carry_out(card_rig(), ReheatingPlan(repetitions, 1e-3, 1e-3), tmp_path)
    assert stalls == [seconds]
    assert outcome.lost_samples == 0
    assert releases_of(outcome.path) == (repetitions, repetitions)


def test_a_run_flushes_far_less_often_than_it_has_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[int, int]] = []
    append = Recorder.append

    def counted(self: Recorder, blocks: Any = (), events: Any = (), slow: Any = ()) -> None:
        written.append((len(blocks), len(events)))
        append(self, blocks, events, slow)

    monkeypatch.setattr(Recorder, "append", counted)
    outcome, _ = carry_out(card_rig(), ReheatingPlan(300, 1e-3, 1e-3), tmp_path)
    blocks, events = (sum(column) for column in zip(*written, strict=True))
    assert outcome.lost_samples == 0
    assert blocks >= 600
    assert events >= 1200
    # The first and the last events come one by one.
    assert len(written) < events / 4


def test_a_reader_that_the_interpreter_holds_up_loses_nothing(tmp_path: Path) -> None:
    """Calls that keep the interpreter to themselves stop the reader and the recorder alike."""
    ended = threading.Event()

    def hog() -> None:
        while not ended.wait(0.3):
            sum(range(3_000_000))  # never lets go until it is done

    thread = threading.Thread(target=hog, daemon=True)
    thread.start()
    try:
        outcome, _ = carry_out(card_rig(), ReheatingPlan(200, 1e-3, 1e-3), tmp_path)
    finally:
        ended.set()
        thread.join()
    assert outcome.lost_samples == 0
    assert releases_of(outcome.path) == (200, 200)


def test_a_card_whose_buffer_overflows_says_what_it_lost(tmp_path: Path) -> None:
    """The stand-in is no better than a card: unread samples are gone, and counted."""
    rig = card_rig()
    card: Any = rig.digitizer
    read, large = card.read_into, card._buffer

    def late(buffer: Any) -> Any:
        if not card.lost and card._index > 100_000:
            time.sleep(0.5)
            card._buffer = round(0.05 * RATE)  # of this reading alone
        try:
            return read(buffer)
        finally:
            card._buffer = large

    card.read_into = late
    outcome, lines = carry_out(rig, MonitorPlan(duration=0.5), tmp_path, ends="incomplete")
    assert outcome.lost_samples == card.lost > 0.4 * RATE
    assert any(line.startswith(f"the digitizer lost {card.lost} samples") for line in lines)


def test_a_simulation_that_is_too_slow_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = build_rig(read_rig("simulated-pair", ["simulation.clock=real-time"]))
    world: Any = rig.world
    world._settings = replace(world._settings, driver_buffer=0.01)
    advance = world.advance

    def slow(counts: Any, truth: Any = None) -> Any:
        time.sleep(2.0 * len(counts) / RATE)
        return advance(counts, truth)

    monkeypatch.setattr(world, "advance", slow)
    outcome, lines = carry_out(rig, MonitorPlan(duration=0.5), tmp_path, ends="incomplete")
    assert outcome.lost_samples > 0
    assert sum(line.startswith(SIMULATION_LAGS) for line in lines) == 1
    assert not any("the digitizer lost" in line for line in lines)


def test_the_shipped_plan_and_rig_in_real_time_lose_nothing(tmp_path: Path) -> None:
    rig = build_rig(read_rig("simulated-pair", ["simulation.clock=real-time"]))
    # A busy computer may make the simulation late; it must not make it lose.
    world: Any = rig.world
    world._settings = replace(world._settings, driver_buffer=60.0)
    outcome, _ = carry_out(rig, ReheatingPlan(), tmp_path)
    assert outcome.lost_samples == 0
    assert releases_of(outcome.path) == (500, 500)


def test_a_minute_beside_two_busy_programs_keeps_99_percent(tmp_path: Path) -> None:
    busy = [sys.executable, "-c", "while True: pass"]
    with ExitStack() as stack:
        session = Session(card_rig(buffer_seconds=1.0), run_directory=tmp_path, live_fits=False)
        stack.callback(session.close)
        session.connect().result(60)
        for _ in range(2):
            hog = subprocess.Popen(busy)
            stack.callback(hog.wait)
            stack.callback(hog.kill)
        # A reader that is late makes releases less often, not worse: what counts is the share.
        running = session.start(ReheatingPlan(30_000, 1e-3, 1e-3))
        with suppress(TimeoutError):
            running.result(60.0)
        session.stop_after_repetition()
        outcome = running.result(120.0)
    assert outcome.outcome in ("complete", "stopped"), outcome.reason
    usable, made = releases_of(outcome.path)
    assert made >= 500
    assert usable >= 0.99 * made
