"""``optobind run`` does not leave a gate open in silence."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from optobind.acquisition import feedback
from optobind.cli import gate as cli_gate
from optobind.instruments.guardian.gate import GuardedGate

sys.path.insert(0, str(Path(__file__).parents[1] / "instruments"))

from gate_standin import GateServer, TcpGate

from ..acquisition.test_feedback import rig_with

pytestmark = pytest.mark.realtime

PLAN = ["--set", "plan.repetitions=40", "--set", "plan.cool_time=2 ms"]
PLAN += ["--set", "plan.release_time=20 ms"]


@pytest.fixture
def server():
    server = GateServer()
    yield server
    server.stop()


@pytest.fixture
def run(optobind, server, monkeypatch, tmp_path):
    """Runs the command on a rig whose gate is the server; it is away from the first release on."""
    monkeypatch.setattr(feedback, "RUN_SECONDS", 0.5)
    monkeypatch.setattr("optobind.acquisition.runner.CLOSING_SECONDS", 0.5)
    gate = GuardedGate(TcpGate("gate", server.port))
    monkeypatch.setattr("optobind.cli.run.build_rig", lambda _loaded, **_: rig_with(gate))

    def leave(back_after):
        server.wait(False, 60.0)
        server.go_away()
        if back_after is not None:
            time.sleep(back_after)
            server.come_back()

    def run(back_after=None):
        thread = threading.Thread(target=leave, args=(back_after,), daemon=True)
        thread.start()
        answer = optobind("run", "reheating", "--rig", "simulated-pair", "--out", tmp_path, *PLAN)
        thread.join()
        return answer

    return run


def test_a_gate_that_stays_away_is_the_last_word_and_exit_4(run, server, monkeypatch):
    monkeypatch.setattr(cli_gate, "WAIT_SECONDS", 1.0)
    answer = run()
    assert answer.code == 4
    assert answer.out == ""
    last = answer.err.splitlines()[-1]
    assert last.startswith("optobind: GATE STILL OPEN")
    assert "samples are kept in" in answer.err  # where the record is
    server.come_back()
    server.wait(True)  # the guardian goes on


@pytest.mark.slow
def test_the_command_waits_until_feedback_is_on_again(run, server):
    answer = run(back_after=5.0)
    assert server.closed
    assert answer.code == 4
    last = answer.err.splitlines()[-1]
    assert "GATE STILL OPEN" not in last
    assert "feedback could not be switched on again" in last
    assert "feedback is on again" in answer.err


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_ends_the_waiting(run, server, monkeypatch):
    original = cli_gate.warn

    def interrupt(lines):
        original(lines)
        if not server.closed:
            monkeypatch.setattr(cli_gate, "warn", original)
            threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()

    monkeypatch.setattr(cli_gate, "warn", interrupt)
    answer = run()
    assert answer.code == 4
    assert answer.err.splitlines()[-1].startswith("optobind: GATE STILL OPEN")
    server.come_back()
    server.wait(True)
