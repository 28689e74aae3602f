"""The replay digitizer: every format, once or looped, paced or not, gaps kept."""

import time
from pathlib import Path

import numpy as np
import pytest

from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.records.opening import open_record
from optobind.acquisition.replay import ReplayDigitizer
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.runfile_format import Manifest
from optobind.acquisition.session import Session
from optobind.instruments.protocols import Device, DeviceState
from optobind.instruments.rig import DetectorChannel, Rig
from optobind.models.blocks import Block, BlockStatus
from optobind.models.errors import DeviceError, FileError, InputError

REAL = Path(__file__).parents[1] / "data" / "levitated_nanosphere_lecroy.raw"


def drain(digitizer, rows, limit=10_000):
    info = digitizer.info
    pieces, results = [], []
    for _ in range(limit):
        buffer = np.zeros((rows, len(info.channels)), info.dtype)
        result = digitizer.read_into(buffer)
        pieces.append(buffer[: result.samples])
        results.append(result)
        if result.finished:
            break
    return np.concatenate(pieces), results


@pytest.fixture
def npz(tmp_path):
    samples = np.random.default_rng(1).normal(size=(1000, 2))
    path = tmp_path / "a.npz"
    np.savez(path, samples=samples, sample_rate=1e5)
    return path, samples


def test_waveform_is_played_once_as_counts():
    digitizer = ReplayDigitizer(REAL, real_time=False)
    assert isinstance(digitizer, Device)
    assert digitizer.state is DeviceState.DISCONNECTED
    assert "250002 samples, 1 channels, 2.5e+06 Hz" in digitizer.connect()
    info = digitizer.info
    assert (info.mode, info.dtype, info.sample_rate, info.real_time) == (
        "REPLAY",
        "int16",
        2.5e6,
        False,
    )
    digitizer.start()
    assert digitizer.state is DeviceState.RUNNING
    counts, results = drain(digitizer, 40_000)
    np.testing.assert_array_equal(counts * info.scale, open_record(REAL).samples)
    assert [r.finished for r in results] == [False] * 6 + [True]
    assert digitizer.read_into(np.zeros((10, 1), np.int16)).samples == 0
    digitizer.stop()
    digitizer.start()
    assert digitizer.read_into(np.zeros((10, 1), np.int16)).first_sample == 0
    digitizer.disconnect()
    digitizer.disconnect()
    assert digitizer.state is DeviceState.DISCONNECTED


def test_loop_marks_its_seam_and_loses_nothing(npz):
    path, samples = npz
    digitizer = ReplayDigitizer(path, loop=True, real_time=False)
    digitizer.connect()
    digitizer.start()
    played, results = drain(digitizer, 300, limit=9)
    assert [r.samples for r in results] == [300, 300, 300, 100] * 2 + [300]
    assert [r.first_sample for r in results] == [0, 300, 600, 900, 1000, 1300, 1600, 1900, 2000]
    assert [bool(r.status & BlockStatus.GAP_BEFORE) for r in results] == [0] * 4 + [1] + [
        0,
        0,
        0,
        1,
    ]
    np.testing.assert_array_equal(played[1000:2000], samples.astype(np.float32))


def test_gap_of_a_run_file_is_played_as_a_gap(tmp_path):
    counts = np.arange(400, dtype=np.int16).reshape(200, 2)
    with Recorder(tmp_path / "run.h5", Manifest(1e6, ("a", "b"), (1e-3, 2e-3))) as recorder:
        recorder.write(Block(10, counts[:120], np.ones(2)))
        recorder.write(Block(150, counts[120:], np.ones(2)))
    digitizer = ReplayDigitizer(tmp_path / "run.h5", real_time=False)
    digitizer.connect()
    digitizer.start()
    played, results = drain(digitizer, 100)
    np.testing.assert_array_equal(played, counts)
    assert [(r.first_sample, r.samples) for r in results] == [(0, 100), (100, 20), (140, 80)]
    assert digitizer.info.scale == (1e-3, 2e-3)
    assert results[2].status is BlockStatus.GAP_BEFORE
    assert results[2].finished
    digitizer.disconnect()


def test_borders_of_repetitions_lose_nothing(tmp_path):
    np.savez(tmp_path / "a.npz", samples=np.ones((3, 50, 1)), sample_rate=1e5)
    digitizer = ReplayDigitizer(tmp_path / "a.npz", real_time=False)
    digitizer.connect()
    digitizer.start()
    _, results = drain(digitizer, 100)
    assert [(r.first_sample, r.samples) for r in results] == [(0, 50), (50, 50), (100, 50)]
    assert [r.status for r in results] == [BlockStatus.OK] + [BlockStatus.GAP_BEFORE] * 2


def test_a_recorded_loop_has_no_gaps_but_is_read_seam_by_seam(npz, tmp_path):
    digitizer = ReplayDigitizer(npz[0], loop=True, real_time=False)
    detectors = (DetectorChannel(0, "a", 0), DetectorChannel(1, "b", 1))
    session = Session(
        Rig("loop", "REPLAY", digitizer, detectors),
        run_directory=tmp_path,
        live_fits=False,
        block_seconds=3e-3,
    )
    try:
        session.connect().result(60)
        outcome = session.start(MonitorPlan(duration=0.025)).result(60)
        texts = [line.text for line in session.take_log()]
    finally:
        session.close()
    assert (outcome.samples, outcome.gaps) == (2500, 0)
    assert not any("lost" in text for text in texts)
    with RunFile.open(outcome.path) as run:
        assert (run.info()["gaps"], run.info()["lost_samples"]) == (0, 0)
        assert run.digest().steady(run.recorded()) == [(0, 1000), (1000, 2000), (2000, 2500)]
        assert all(event.kind != "gap" for event in run.events())


def test_text_file_is_played_with_the_rate_given(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n3,4\n5,6\n", encoding="utf-8")
    digitizer = ReplayDigitizer(path, real_time=False, sample_rate=10.0)
    digitizer.connect()
    digitizer.start()
    played, _ = drain(digitizer, 2)
    np.testing.assert_array_equal(played, [[1, 2], [3, 4], [5, 6]])
    assert digitizer.info.dtype == "float32"
    assert digitizer.info.unit == "V"


def test_pace_follows_rate_and_speed(npz, monkeypatch):
    now, slept = [100.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", sleep)
    digitizer = ReplayDigitizer(npz[0], real_time=True, speed=2.0)
    digitizer.connect()
    digitizer.start()
    drain(digitizer, 100)
    assert sum(slept) == pytest.approx(1000 / (1e5 * 2.0))


def test_misuse_is_named(npz, tmp_path):
    with pytest.raises(InputError, match="speed must be positive"):
        ReplayDigitizer(npz[0], speed=0.0)
    digitizer = ReplayDigitizer(npz[0], name="player")
    for call in (lambda: digitizer.info, digitizer.start):
        with pytest.raises(DeviceError, match="player: connect first"):
            call()
    digitizer.connect()
    buffer = np.zeros((4, 2), np.float32)
    with pytest.raises(DeviceError, match="player: start first"):
        digitizer.read_into(buffer)
    digitizer.start()
    with pytest.raises(InputError, match=r"must be \(n, 2\)"):
        digitizer.read_into(buffer[:, :1])
    with pytest.raises(FileError, match="does not exist"):
        ReplayDigitizer(tmp_path / "none.raw").connect()
