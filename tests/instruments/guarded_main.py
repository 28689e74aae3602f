"""A program with a guarded gate, to be killed, stopped or left alone by a test."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from gate_standin import TcpGate

from optobind.instruments.guardian.gate import GuardedGate


def main(port: str, what: str) -> None:
    gate = GuardedGate(TcpGate("gate", int(port)))
    gate.connect()
    print(gate.guardian, flush=True)
    if what == "fork" and os.fork() == 0:  # a child that has every pipe, and lives on
        time.sleep(60.0)
        os._exit(0)
    if what == "raise":
        gate.set(False)
        raise RuntimeError("a bug")
    end = time.monotonic() + (60.0 if what != "short" else 0.5)
    while time.monotonic() < end:
        gate.set(False)
        time.sleep(0.15)
        gate.set(True)
        for text in gate.take_incidents():
            print(text, flush=True)
        time.sleep(0.02)
    if what != "short":
        return
    gate.set(False)  # and leaves it open


if __name__ == "__main__":
    main(*sys.argv[1:])
