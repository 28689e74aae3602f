"""A program that plays releases through the guardian of a gate, to be killed by a test."""

from __future__ import annotations

import sys
import time

import numpy as np

from optobind.instruments.digitizers.ni import NiDigitizer
from optobind.instruments.digitizers.ni_gate import NiGate
from optobind.instruments.digitizers.ni_pattern import NiPatternPlayer
from optobind.instruments.guardian.gate import GuardedGate
from optobind.instruments.guardian.played import PlayedGate
from optobind.instruments.guardian.player import GuardedPlayer
from optobind.instruments.patterns import FEEDBACK, LevelTrack, Pattern


def main(address: str, rate: str, wire: str) -> None:
    counter = wire.startswith("ctr")
    where = {"feedback_counter": wire} if counter else {"feedback_line": wire}
    driver = NiGate("gate", grpc=address, line="port2/line4" if counter else wire)
    gate = GuardedGate(
        PlayedGate(driver, NiPatternPlayer("pattern", grpc=address, timeout=2.0, **where))
    )
    player = GuardedPlayer(gate, "pattern")
    digitizer = NiDigitizer("daq", grpc=address, full_scale=1.0, sample_rate=float(rate))
    for device in (gate, player, digitizer):
        device.connect()
    gate.set(True)
    cycle = round(0.2 * float(rate))
    track = LevelTrack(True, ((cycle // 4, False), (cycle, True)))
    gate.lend()
    player.arm(Pattern(cycle, 10_000, levels={FEEDBACK: track}), float(rate))
    digitizer.start()
    print(gate.guardian, flush=True)
    buffer = np.empty((round(0.05 * float(rate)), 2), np.int16)
    end = time.monotonic() + 120.0
    while time.monotonic() < end:
        digitizer.read_into(buffer)
        player.played()


if __name__ == "__main__":
    main(*sys.argv[1:])
