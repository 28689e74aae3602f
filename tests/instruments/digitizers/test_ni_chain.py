"""The whole chain on the NI driver: a virtual laboratory in its own process, session, run file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from optobind.acquisition.plans import MonitorPlan, ReheatingPlan
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.session import Session
from optobind.instruments.digitizers.ni import NiDigitizer
from optobind.instruments.digitizers.ni_gate import NiGate
from optobind.instruments.protocols import DeviceState
from optobind.instruments.rig import DetectorChannel, Rig

pytestmark = pytest.mark.realtime

RATE = 1e6
WORKER = Path(__file__).with_name("ni_worker.py")


@pytest.fixture
def laboratory() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Address and process of a virtual laboratory."""
    process = subprocess.Popen(
        [sys.executable, str(WORKER), str(RATE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert process.stdout is not None
    assert process.stdin is not None
    yield process.stdout.readline().strip(), process
    process.stdin.close()
    process.wait(60.0)
    process.stdout.close()


def rig_at(address: str, *, buffer_seconds: float = 20.0, timeout: float = 5.0) -> Rig:
    options = {"sample_rate": RATE, "full_scale": 1.0, "buffer_seconds": buffer_seconds}
    return Rig(
        name="virtual card",
        mode="SIM",
        digitizer=NiDigitizer("digitizer", grpc=address, timeout=timeout, **options),
        detectors=tuple(DetectorChannel(j, f"z{j + 1}", j, volts_per_metre=1e8) for j in (0, 1)),
        gate=NiGate("gate", grpc=address, timeout=timeout, jitter=1e-3),
    )


@pytest.mark.slow
def test_a_server_that_is_killed_fails_the_run_and_keeps_the_file(laboratory, tmp_path):
    address, process = laboratory
    session = Session(rig_at(address, timeout=1.0), run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        run = session.start(MonitorPlan(duration=600.0))
        while session.status().recorded < 0.2 * RATE:
            assert not run.done()
        process.kill()
        outcome = run.result(60)
        assert outcome.outcome == "failed"
        assert "gRPC server" in outcome.reason
        assert session.rig.digitizer.state is DeviceState.FAULTED
    finally:
        session.close()
    with RunFile.open(outcome.path) as file:
        assert file.complete
        assert file.rows >= 0.2 * RATE


@pytest.mark.slow
def test_twenty_seconds_of_two_channels_at_1_ms_per_s_lose_nothing(laboratory, tmp_path):
    session = Session(rig_at(laboratory[0]), run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        outcome = session.start(MonitorPlan(duration=20.0)).result(200)
    finally:
        session.close()
    assert (outcome.outcome, outcome.gaps, outcome.samples) == ("complete", 0, 20_000_000)
    with RunFile.open(outcome.path) as file:
        assert file.rows == 20_000_000
        assert len(file.stretches()) == 1


@pytest.mark.slow
def test_a_reheating_run_through_the_card_is_complete_and_heats(laboratory, tmp_path):
    session = Session(rig_at(laboratory[0]), run_directory=tmp_path, live_fits=False)
    plan = ReheatingPlan(repetitions=6, cool_time=0.05, release_time=0.006)
    try:
        session.connect().result(60)
        outcome = session.start(plan).result(120)
    finally:
        session.close()
    assert (outcome.outcome, outcome.gaps) == ("complete", 0), outcome.reason
    with RunFile.open(outcome.path) as file:
        releases = file.all_releases()
        assert [release.samples for release in releases] == [6_000] * 6
        growth = []
        for release in releases:
            late = file.samples(release.first_sample + 4_000, release.end_sample, (0, 1))
            cold = file.samples(
                release.first_sample - 45_000, release.first_sample - 25_000, (0, 1)
            )
            growth.append(late.astype(float).var(axis=0) / cold.astype(float).var(axis=0))
    # The stretch that the events name is the one in which the particles heat.
    assert np.median(growth) > 3.0
