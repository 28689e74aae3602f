"""A program that ends while a thread of it is starting a guardian ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.realtime

_PROGRAM = """
import sys, threading, time
from multiprocessing.context import SpawnProcess
sys.path.insert(0, {folder!r})
from gate_standin import TcpGate
from optobind.instruments.guardian.gate import GuardedGate

if __name__ == "__main__":
    started, start = threading.Event(), SpawnProcess.start

    def slow(process):
        start(process)
        started.set()
        time.sleep(1000.0)

    SpawnProcess.start = slow
    gate = GuardedGate(TcpGate("gate", 1))
    threading.Thread(target=gate.connect, daemon=True).start()
    started.wait()
    sys.exit(7)
"""

_LATE = """
import atexit, multiprocessing.util, sys
sys.path.insert(0, {folder!r})

def late():
    from gate_standin import GateServer, TcpGate
    from optobind.models.errors import DeviceError
    server = GateServer()
    gate = GuardedGate(TcpGate("gate", server.port))
    try:
        gate.connect()
    except DeviceError as error:
        print(error, flush=True)

if __name__ == "__main__":
    atexit.register(late)  # as a thread may that was about to connect: no guardian is awaited yet
    from optobind.instruments.guardian.gate import GuardedGate
    sys.exit(7)
"""


def test_a_program_that_is_ending_starts_no_guardian_that_would_hold_it_up(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(_LATE.format(folder=str(Path(__file__).parent)), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(program)], timeout=100.0, check=False, capture_output=True, text=True
    )
    assert done.returncode == 7, done.stderr
    assert "the program is ending" in done.stdout


def test_a_program_that_ends_while_a_guardian_is_being_started_is_not_held_up(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM.format(folder=str(Path(__file__).parent)), encoding="utf-8")
    done = subprocess.run([sys.executable, str(program)], timeout=100.0, check=False)
    assert done.returncode == 7
