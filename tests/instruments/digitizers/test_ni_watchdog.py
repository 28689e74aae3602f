"""The watchdog of the virtual NI card, and the guardian that feeds it, through the real client."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from optobind.instruments.digitizers import ni_watchdog
from optobind.instruments.digitizers.ni_gate import NiGate
from optobind.instruments.guardian.gate import GuardedGate

from .conftest import make_rig


def wait_for(what, seconds=30.0):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("high", [True, False])
def test_a_gate_that_nobody_feeds_is_closed_by_the_card(serve, monkeypatch, high):
    monkeypatch.setattr(ni_watchdog, "WATCHDOG_SECONDS", 0.5)
    rig = make_rig()
    server = serve(rig, gate_high_closes=high)
    gate = NiGate("gate", **server.gate_options)
    assert "watchdog" in gate.connect()
    gate.arm_watchdog()
    gate.set(False)
    assert not rig.world.gate_closed
    wait_for(lambda: rig.world.gate_closed)
    assert gate.read() is True
    gate.set(False)  # unlocked first
    assert not rig.world.gate_closed
    gate.set(True)
    gate.disarm_watchdog()
    gate.disconnect()
    assert rig.world.gate_closed


def test_a_gate_that_is_fed_stays_open_and_one_that_was_closed_can_be_opened_again(
    serve, monkeypatch
):
    monkeypatch.setattr(ni_watchdog, "WATCHDOG_SECONDS", 0.6)
    server = serve(make_rig())
    gate = NiGate("gate", **server.gate_options)
    gate.connect()
    for _ in range(2):
        gate.arm_watchdog()
        gate.set(False)
        for _ in range(12):
            time.sleep(0.1)
            gate.feed_watchdog()
        assert gate.read() is False
        gate.set(True)
        gate.disarm_watchdog()
    time.sleep(0.8)
    gate.set(False)
    time.sleep(0.8)
    assert gate.read() is False, "nothing watches what was not armed"
    gate.set(True)
    gate.disconnect()


def test_a_card_without_a_watchdog_says_so_and_works(serve):
    server = serve(make_rig(), watchdog=False)
    gate = NiGate("gate", **server.gate_options)
    assert "no watchdog" in gate.connect()
    gate.arm_watchdog()
    gate.set(False)
    gate.feed_watchdog()
    gate.set(True)
    gate.disarm_watchdog()
    gate.disconnect()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_when_guardian_and_program_stop_the_card_closes_the_gate(serve):
    rig = make_rig()
    server = serve(rig)
    gate = GuardedGate(NiGate("gate", **server.gate_options))
    assert "watchdog 2 s" in gate.connect()
    gate.set(False)
    time.sleep(2.5)
    assert not rig.world.gate_closed, "the guardian feeds it"
    guardian = gate.guardian
    os.kill(guardian, signal.SIGSTOP)  # as a computer that stands still
    try:
        wait_for(lambda: rig.world.gate_closed)
    finally:
        os.kill(guardian, signal.SIGCONT)
    gate.set(True)
    assert gate.read() is True
    assert gate.take_incidents(), "the release was cut: not in silence"
    gate.set(False)
    assert gate.read() is False
    gate.set(True)
    gate.disconnect()
