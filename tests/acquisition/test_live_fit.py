"""The worker that fits: it ends at once, and its failures do not reach the live analysis."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest

from optobind.acquisition.csd import estimate_csd
from optobind.acquisition.fit_process import FitProcess
from optobind.acquisition.live_fit import FitSettings, FitTask, FittedCurve
from optobind.acquisition.session import Session
from optobind.instruments.fakes import FakeDigitizer
from optobind.instruments.rig import DetectorChannel, Rig

pytestmark = pytest.mark.realtime

QUIT_WHILE_STARTING = """
import time

if __name__ != "__main__":
    time.sleep(3600.0)  # the worker never gets ready

import numpy as np
from optobind.acquisition.csd import estimate_csd
from optobind.acquisition.fit_process import FitProcess
from optobind.acquisition.live_fit import FitSettings, FitTask

if __name__ == "__main__":
    fits = FitProcess()
    samples = np.random.default_rng(1).normal(size=(20_000, 1))
    fits.spectrum(FitTask(estimate_csd(samples, 1e6, 1024, unit="V"), FitSettings("single"), None))
    time.sleep(0.3)
    fits.close()
"""


def task() -> FitTask:
    samples = np.random.default_rng(1).normal(size=(20_000, 1))
    return FitTask(estimate_csd(samples, 1e6, 1024, unit="V"), FitSettings("single"), None)


def workers(seconds: float = 60.0) -> list[object]:
    """Workers that are still there after a while: two threads may be at waiting for one."""
    end = time.monotonic() + seconds
    while True:
        left = [p for p in multiprocessing.active_children() if "Spawn" in type(p).__name__]
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.01)


def test_a_worker_that_is_starting_ends_at_once_on_close():
    fits = FitProcess()
    future = fits.spectrum(task())
    fits.close()
    assert workers() == []
    with pytest.raises((BrokenProcessPool, CancelledError)):
        future.result(60)


@pytest.mark.slow
def test_a_program_that_quits_while_its_worker_starts_is_not_held_up(tmp_path: Path):
    script = tmp_path / "quit.py"
    script.write_text(QUIT_WHILE_STARTING, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=tmp_path,
        check=True,
    )
    assert "leaked" not in done.stderr


def test_a_closed_process_refuses_and_starts_nothing():
    fits = FitProcess()
    fits.close()
    with pytest.raises(RuntimeError, match="closed"):
        fits.spectrum(task()).result(1.0)
    assert workers() == []


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_that_is_said_once():
    lost = []
    fits = FitProcess(lost.append)
    try:
        assert isinstance(fits.spectrum(task()).result(60.0), FittedCurve)
        multiprocessing.active_children()[0].kill()
        time.sleep(0.3)
        assert isinstance(fits.spectrum(task()).result(60.0), FittedCurve)
        assert lost == [True]
    finally:
        fits.close()


@pytest.mark.slow
def test_a_worker_killed_while_nothing_is_fitted_is_noticed_and_replaced():
    lost = threading.Event()
    fits = FitProcess(lambda replaced: lost.set())
    try:
        assert isinstance(fits.spectrum(task()).result(60.0), FittedCurve)
        (worker,) = multiprocessing.active_children()
        worker.kill()
        assert lost.wait(60.0)
        end = time.monotonic() + 60.0
        while not (others := set(multiprocessing.active_children()) - {worker}):
            assert time.monotonic() < end
            time.sleep(0.01)
        assert len(others) == 1
        assert isinstance(fits.spectrum(task()).result(60.0), FittedCurve)
    finally:
        fits.close()


@pytest.mark.slow
def test_a_worker_that_cannot_start_is_given_up_and_that_is_said(monkeypatch):
    """As in a script without a main block, or one that is piped to Python."""
    monkeypatch.setattr("optobind.acquisition.fit_process._initialise", _end_at_once)
    lost: list[bool] = []
    over = threading.Event()
    fits = FitProcess(lambda replaced: (lost.append(replaced), replaced or over.set()))
    try:
        fits.start()
        assert over.wait(120.0)
        assert lost == [True, True, False]
        with pytest.raises(RuntimeError, match="__main__"):
            fits.spectrum(task()).result(1.0)
        assert multiprocessing.active_children() == []
        over.clear()
        fits.start()  # as connecting again does
        assert over.wait(120.0)
        assert lost == [True, True, False] * 2
    finally:
        fits.close()


def _end_at_once() -> None:
    os._exit(1)


def test_a_killed_worker_takes_the_validity_of_the_last_fit_away(tmp_path: Path):
    digitizer = FakeDigitizer(np.zeros((4096, 2), dtype=np.int16), 1e6)
    detectors = tuple(DetectorChannel(j, f"z{j + 1}", j) for j in range(2))
    session = Session(Rig("fake", "LIVE", digitizer, detectors), run_directory=tmp_path)
    try:
        session.connect().result(60)
        end = time.monotonic() + 60.0
        while not multiprocessing.active_children() and time.monotonic() < end:
            time.sleep(0.01)
        multiprocessing.active_children()[0].kill()
        while (fit := session.fit()) is None and time.monotonic() < end:
            time.sleep(0.01)
        assert fit is not None
        assert fit.result is None
        assert fit.basis == session.status().basis
        assert "a new one is starting" in fit.error
        assert sum("process of the live fits" in line.text for line in session.take_log()) == 1
    finally:
        session.close()


@pytest.mark.slow
def test_a_worker_that_cannot_be_spawned_leaves_the_spectra_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor.submit", refuse)
    wave = 8000.0 * np.sin(0.4 * np.arange(200_000))
    digitizer = FakeDigitizer(np.stack([wave, wave], axis=1).astype(np.int16), 1e6)
    detectors = tuple(DetectorChannel(j, f"z{j + 1}", j) for j in range(2))
    session = Session(Rig("fake", "LIVE", digitizer, detectors), run_directory=tmp_path)
    try:
        session.connect().result(60)
        session.stream(True).result(60)
        seen: set[int] = set()
        deadline = time.monotonic() + 60.0
        while len(seen) < 3 and time.monotonic() < deadline:
            snapshot = session.spectrum()
            if snapshot is not None and session.fit() is not None:
                seen.add(snapshot.sequence)
            time.sleep(0.01)
        assert len(seen) == 3
        assert "unavailable" in (session.fit().error)
    finally:
        session.close()


def test_a_program_ends_though_a_long_task_was_on_its_way_to_a_worker_that_is_ended():
    """On Debian's Python 3.11 the window hung on closing: its sender waited for a full pipe."""
    script = """
import time
import numpy as np
from optobind.acquisition.fit_process import FitProcess
from optobind.acquisition.live_fit import Probe

if __name__ == "__main__":
    process = FitProcess()
    samples = np.random.default_rng(0).standard_normal((1 << 20, 2))
    for _ in range(3):
        process.segment(Probe(samples, 2e6, None))
    time.sleep(1.0)
    process.close()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
