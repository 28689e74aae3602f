"""The computer is kept awake while a run records, and only then; nothing waits for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from optobind.acquisition import awake
from optobind.acquisition.awake import kept_awake
from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.session import Session
from optobind.acquisition.slots import LogBook
from optobind.config.notebook import load_rig

pytestmark = pytest.mark.realtime

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks logind")


def until(condition) -> None:
    deadline = time.monotonic() + 60.0
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A systemd-inhibit that notes what it is asked and when it ends."""

    def make(body: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        script = folder / "systemd-inhibit"
        script.write_text(f"#!/bin/sh\ncd {tmp_path}\n{body}\n", encoding="utf-8")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(awake, "_SAID", threading.Event())
        return tmp_path

    return make


HOLDS = 'echo "$@" >> asked\nfor last; do :; done\n"$last"\necho ended >> ended'


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


@LINUX
def test_logind_is_asked_within_the_block_and_let_go_after(helper):
    folder, log = helper(HOLDS), LogBook()
    with kept_awake(log):
        until(lambda: lines(folder / "asked"))
        assert not lines(folder / "ended")
    until(lambda: lines(folder / "ended"))
    (asked,) = lines(folder / "asked")
    assert "--what=sleep:idle" in asked
    assert "--mode=block" in asked
    assert log.take() == []


@pytest.mark.slow
@LINUX
def test_a_run_in_real_time_is_kept_awake_and_a_fast_one_needs_not(helper, tmp_path):
    folder = helper(HOLDS)
    for clock, count in (("fast", 0), ("real-time", 1)):
        rig = load_rig("simulated-pair", [f"simulation.clock={clock}"])
        session = Session(rig, run_directory=tmp_path / clock, live_fits=False)
        try:
            session.connect().result(60)
            assert session.start(MonitorPlan(duration=0.1)).result(60).path.exists()
        finally:
            session.close()
        if count:
            until(lambda: len(lines(folder / "ended")) == 1)
        assert len(lines(folder / "asked")) == count


@LINUX
def test_a_computer_that_cannot_be_kept_awake_is_said_once(helper):
    helper('echo "Failed to inhibit: Access denied" >&2\nexit 1')
    log, told = LogBook(), []
    with kept_awake(log):
        until(lambda: told.extend(log.take()) or told)
    with kept_awake(log):
        pass
    (entry,) = [*told, *log.take()]
    assert entry.level == "warning"
    assert "may fall asleep while runs record (Failed to inhibit: Access denied)" in entry.text


@LINUX
def test_a_helper_that_hangs_holds_nobody_up(helper):
    folder = helper("echo $$ > pid\ntrap '' TERM\nexec sleep 1000")
    log = LogBook()
    with kept_awake(log):
        until(lambda: lines(folder / "pid"))
    pid = int(lines(folder / "pid")[0])
    until(lambda: not Path(f"/proc/{pid}").exists())
    assert log.take() == []


@LINUX
def test_a_killed_program_lets_the_computer_sleep_again(helper):
    folder = helper(HOLDS)
    script = """
import sys
from optobind.acquisition.awake import kept_awake
from optobind.acquisition.slots import LogBook
with kept_awake(LogBook()):
    print("holds", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout.readline() == "holds\n"
        until(lambda: lines(folder / "asked"))
        program.send_signal(signal.SIGKILL)
        program.wait(60)
    until(lambda: lines(folder / "ended"))


@LINUX
def test_without_logind_it_is_said(monkeypatch):
    monkeypatch.setattr(awake, "_SAID", threading.Event())
    monkeypatch.setattr(awake.shutil, "which", lambda name: None)
    log, told = LogBook(), []
    with kept_awake(log):
        until(lambda: told.extend(log.take()) or told)
    assert "no systemd-inhibit" in told[0].text


def test_windows_is_asked_by_the_thread_that_holds(monkeypatch):
    import ctypes
    from types import SimpleNamespace

    asked: list[tuple[int, int]] = []

    def state(flags: int) -> int:
        asked.append((flags, threading.get_ident()))
        return 1

    kernel = SimpleNamespace(kernel32=SimpleNamespace(SetThreadExecutionState=state))
    monkeypatch.setattr(ctypes, "windll", kernel, raising=False)
    monkeypatch.setattr(awake, "sys", SimpleNamespace(platform="win32"))
    with kept_awake(LogBook()):
        until(lambda: asked)
        assert len(asked) == 1
    until(lambda: len(asked) == 2)
    assert [flags for flags, _ in asked] == [0x80000001, 0x80000000]
    assert asked[0][1] == asked[1][1] != threading.get_ident()
