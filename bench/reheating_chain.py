"""The reheating chain in real time: short releases by the hundred, and none may be lost.

Beside the monitor chain, which reads blocks of 20 ms, this one reads blocks of a millisecond and
less, with four events a release. The card is a stand-in: it takes samples by the wall's clock and
overflows when its reader is late. All rows are counts.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bench.row import Row
from optobind.acquisition.plans import ReheatingPlan
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.session import Session
from optobind.config.build import build_rig
from optobind.config.load import read_rig
from optobind.instruments.fake_card import FakeCard
from optobind.instruments.fakes import FakeGate
from optobind.instruments.rig import DetectorChannel, Rig

RATE = 2e6
SECONDS = 10.0
STALLS = (0.1, 0.5, 2.0)


def card_rig() -> Rig:
    """A stand-in card of two channels at 2 MS/s, a line on each."""
    rng = np.random.default_rng(1)
    time_axis = np.arange(1 << 18) / RATE
    lines = [np.sin(2.0 * np.pi * f * time_axis) for f in (61e3, 64e3)]
    samples = 3000.0 * np.stack(lines, axis=1) + rng.normal(0.0, 300.0, (len(time_axis), 2))
    return Rig(
        name="card",
        mode="SIM",
        digitizer=FakeCard(samples.astype(np.int16), RATE, buffer_seconds=1.0),
        detectors=tuple(DetectorChannel(j, f"z{j + 1}", j, volts_per_metre=5e8) for j in (0, 1)),
        gate=FakeGate(),
    )


def shipped_rig() -> Rig:
    """The shipped pair with its clock in real time."""
    return build_rig(read_rig("simulated-pair", ["simulation.clock=real-time"]))


@contextmanager
def stalling(seconds: float) -> Iterator[None]:
    """Let the disk stall once, half a second into the run."""
    append, begin, lock = Recorder.append, time.monotonic() + 0.5, threading.Lock()

    def slow(self: Recorder, *args: object, **kwargs: object) -> None:
        if time.monotonic() > begin and lock.acquire(blocking=False):
            time.sleep(seconds)
        append(self, *args, **kwargs)  # type: ignore[arg-type]

    Recorder.append = slow  # type: ignore[method-assign]
    try:
        yield
    finally:
        Recorder.append = append  # type: ignore[method-assign]


def measure(title: str, rig: Rig, plan: ReheatingPlan, least: float) -> Row:
    """Carry a plan out; the share of its releases that can be used."""
    with tempfile.TemporaryDirectory() as folder:
        session = Session(rig, run_directory=Path(folder), live_fits=False)
        try:
            session.connect().result(60.0)
            start = time.monotonic()
            outcome = session.start(plan).result(600.0)
            elapsed = time.monotonic() - start
        finally:
            session.close()
        if outcome.outcome != "complete":
            raise SystemExit(f"bench: the run ended early: {outcome.reason}")
        with RunFile.open(outcome.path) as run:
            usable = len(run.releases())
            lost = run.info()["lost_samples"]
    detail = f"{usable} of {plan.repetitions} releases usable, {lost} samples lost, {elapsed:.1f} s"
    if isinstance(rig.digitizer, FakeCard):
        detail += f"; reader at most {rig.digitizer.latest * 1e3:.0f} ms late"
    return Row(title, usable / plan.repetitions, least, detail)


def rows(seconds: float = SECONDS) -> list[Row]:
    """Usable releases over planned ones."""
    rows = [measure("reheating, simulated pair in real time", shipped_rig(), ReheatingPlan(), 1.0)]
    for cool in (1e-3, 0.5e-3):
        plan = ReheatingPlan(round(seconds / (2.0 * cool)), cool, cool)
        title = f"reheating, card 2 ch × 2 MS/s, {cool * 1e3:g} ms cooled and released"
        rows.append(measure(title, card_rig(), plan, 0.99 if cool < 1e-3 else 1.0))
    for stall in STALLS:
        plan = ReheatingPlan(round((stall + 2.0) / 2e-3), 1e-3, 1e-3)
        with stalling(stall):
            rows.append(measure(f"reheating, disk stalls {stall:g} s", card_rig(), plan, 1.0))
    return rows
