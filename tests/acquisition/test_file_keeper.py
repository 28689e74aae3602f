"""The run file while it is written: on the disk within a second, and missed when it is gone."""

import contextlib
import errno
import os
import shutil
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from optobind.acquisition.events import EventKind
from optobind.acquisition.file_keeper import FileKeeper
from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.runfile_format import Manifest
from optobind.acquisition.session import Session
from optobind.instruments.fakes import FakeDigitizer
from optobind.instruments.rig import DetectorChannel, Rig
from optobind.models.blocks import Block
from optobind.models.errors import FileError

pytestmark = pytest.mark.realtime

PATIENCE = 60.0  # s, for machines that do much else
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="open files cannot be taken away there")


def wait_for(condition):
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.005)


class Disk:
    """Stands in for a disk: notes how long files are when it is asked to keep them, and stalls."""

    def __init__(self):
        self.lengths, self.awake, self.error = [], threading.Event(), None
        self.awake.set()
        self.asked = threading.Semaphore(0)

    def __call__(self, file):
        self.asked.release()
        self.awake.wait(PATIENCE)
        if self.error is not None:
            raise self.error
        self.lengths.append(os.fstat(file).st_size)


def recorder_of(path):
    return Recorder(path, Manifest(1e6, ("a",), (1.0,)), chunk_rows=1024)


def write(recorder, rows=1024):
    first = recorder.next_sample or 0
    recorder.write(Block(first, np.ones((rows, 1), np.int16), np.ones(1)))


def test_what_is_acknowledged_reaches_the_disk_without_being_asked_for(tmp_path):
    disk, path = Disk(), tmp_path / "run.h5"
    with recorder_of(path) as recorder:
        keeper = FileKeeper(path, disk, period=0.01)
        for _ in range(3):
            write(recorder)
            size, before = path.stat().st_size, len(disk.lengths)
            wait_for(lambda n=before: len(disk.lengths) > n + 1)  # one begun after the writing
            assert disk.lengths[-1] >= size
    assert keeper.finish(PATIENCE)
    assert disk.lengths[-1] == path.stat().st_size
    assert keeper.trouble is None
    keeper.release()


def test_the_system_is_asked_by_its_own_call(tmp_path, monkeypatch):
    asked = []
    name = "fdatasync" if hasattr(os, "fdatasync") else "fsync"
    monkeypatch.setattr(os, name, lambda file: asked.append(os.fstat(file).st_ino))
    path = tmp_path / "run.h5"
    with recorder_of(path) as recorder:
        keeper = FileKeeper(path)
        write(recorder)
    assert keeper.finish(PATIENCE)
    assert path.stat().st_ino in asked
    keeper.release()


def test_a_stalling_disk_holds_up_neither_the_recorder_nor_the_watch(tmp_path):
    disk, path = Disk(), tmp_path / "run.h5"
    disk.awake.clear()
    recorder = recorder_of(path)
    keeper = FileKeeper(path, disk, period=0.01)
    assert disk.asked.acquire(timeout=PATIENCE)
    for _ in range(50):
        write(recorder)
    assert recorder.samples == 50 * 1024  # while the disk is still silent
    assert disk.lengths == []
    os.truncate(path, 100)
    wait_for(lambda: keeper.trouble is not None)
    assert "was cut to 100 bytes by somebody else" in keeper.trouble
    with pytest.raises(FileError):
        recorder.close()
    assert not keeper.finish(0.05)  # what is not confirmed is not claimed
    disk.awake.set()
    assert keeper.finish(PATIENCE)
    keeper.release()


def test_a_disk_that_cannot_keep_the_data_is_trouble(tmp_path):
    disk, path = Disk(), tmp_path / "run.h5"
    disk.error = OSError(errno.EIO, "Input/output error")
    with recorder_of(path):
        keeper = FileKeeper(path, disk, period=0.01)
        wait_for(lambda: keeper.trouble is not None)
    assert "the disk could not keep" in keeper.trouble
    assert not keeper.finish(0.05)
    keeper.release()


def rig():
    counts = (1000 * np.sin(np.arange(100_000) * 0.3)).astype(np.int16)[:, None]
    digitizer = FakeDigitizer(counts, 1e5)
    return Rig("fake", "LIVE", digitizer, (DetectorChannel(0, "z1", 0),))


def outcome_after(folder, harm):
    """Record; do harm to the file once it holds samples; return how the run ends, and the log."""
    path = folder / "run.h5"
    with contextlib.closing(Session(rig(), live_fits=False)) as session:
        session.connect().result(PATIENCE)
        future = session.start(MonitorPlan(duration=None), path)
        wait_for(lambda: session.status().recorded > 10_000)
        harm(path)
        outcome = future.result(PATIENCE)  # by itself: nobody asked it to end
        log = [entry.text for entry in session.take_log()]
    return outcome, log


def assert_kept(outcome, place):
    assert (outcome.outcome, outcome.exit_code) == ("failed", FileError.exit_code)
    assert outcome.path == place
    with RunFile.open(place) as run:
        assert run.complete
        assert run.rows == outcome.samples > 10_000
        faults = [e for e in run.events() if e.kind is EventKind.FAULT]
        assert [e.payload["device"] for e in faults] == ["run file"]
        run.samples(0, run.rows)  # their checksums fit


def replace_it(path):
    other = path.with_name("other.h5")
    other.write_bytes(b"something else")
    other.replace(path)


@POSIX
@pytest.mark.parametrize(
    ("harm", "word"),
    [(Path.unlink, "removed"), (replace_it, "replaced"), (lambda p: shutil.rmtree(p.parent), "")],
)
def test_a_file_that_is_taken_away_ends_the_run_and_is_saved(tmp_path, harm, word):
    outcome, log = outcome_after(tmp_path / "folder", harm)
    place = tmp_path / "folder" / "run_rescued.h5"
    assert outcome.path == place
    with RunFile.open(place) as run:
        assert run.rows == outcome.samples > 10_000
        run.samples(0, run.rows)
    assert (outcome.outcome, outcome.exit_code) == ("failed", FileError.exit_code)
    assert f"run.h5 was {word}" in outcome.reason or not word
    assert any(str(place) in line and outcome.reason in line for line in log)
    if word:
        assert_kept(outcome, place)
    if word == "replaced":
        assert (tmp_path / "folder" / "run.h5").read_bytes() == b"something else"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not tell")
def test_a_file_that_is_renamed_ends_the_run_and_is_found_again(tmp_path):
    place = tmp_path / "elsewhere.h5"
    outcome, _ = outcome_after(tmp_path / "folder", lambda path: path.rename(place))
    assert "was renamed by somebody else" in outcome.reason
    assert_kept(outcome, place)


@POSIX
def test_a_file_that_cannot_be_saved_is_called_lost(tmp_path, monkeypatch):
    monkeypatch.setattr("optobind.acquisition.file_keeper.free_bytes", lambda _: 0)
    outcome, _ = outcome_after(tmp_path / "folder", Path.unlink)
    assert outcome.outcome == "failed"
    assert "cannot be saved" in outcome.reason
    assert "nothing is kept" in outcome.words()
