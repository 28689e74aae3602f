"""The watchdog of the virtual NI card, and the guardian that feeds it, through the real client.

The card's time is moved by the tests: how busy the computer is plays no part.
"""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from optobind.instruments.digitizers.ni_watchdog import WATCHDOG_SECONDS
from optobind.instruments.guardian.gate import GuardedGate
from optobind.instruments.virtual.ni_server_stream import DaqFault
from optobind.instruments.virtual.ni_server_watchdog import Watchdog
from optobind.models.errors import DeviceError

from .conftest import make_rig
from .hand_timers import HandTimers

pytestmark = pytest.mark.realtime

LONGER, SHORTER = 1.05 * WATCHDOG_SECONDS, 0.95 * WATCHDOG_SECONDS


@pytest.fixture
def card():
    """Time of the card."""
    return HandTimers()


@pytest.mark.parametrize("high", [True, False])
def test_a_gate_that_nobody_feeds_is_closed_by_the_card(serve, gates, card, high):
    rig = make_rig()
    gate = gates(serve(rig, gate_high_closes=high, make_timer=card))
    assert "watchdog" in gate.connect()
    gate.arm_watchdog()
    gate.set(False)
    card.advance(SHORTER)
    assert not rig.world.gate_closed
    card.advance(LONGER - SHORTER)
    assert rig.world.gate_closed
    assert gate.read() is True
    gate.set(True)  # unlocked first
    gate.disarm_watchdog()
    gate.disconnect()
    assert rig.world.gate_closed


@pytest.mark.slow
@pytest.mark.parametrize("high", [True, False])
def test_a_gate_that_is_opened_after_its_watchdog_expired_is_watched_anew(serve, gates, card, high):
    rig = make_rig()
    gate = gates(serve(rig, gate_high_closes=high, make_timer=card))
    gate.connect()
    gate.arm_watchdog()
    card.advance(LONGER)  # a busy computer: armed, and opened much later
    for _ in range(3):
        gate.set(False)
        assert not rig.world.gate_closed
        card.advance(SHORTER)
        gate.feed_watchdog()
        card.advance(SHORTER)
        assert not rig.world.gate_closed
        card.advance(LONGER)
        assert rig.world.gate_closed, "opened after an expiry, and watched by nobody"


def test_a_gate_whose_watchdog_cannot_start_anew_stays_closed(serve, gates, card, monkeypatch):
    rig = make_rig()
    gate = gates(serve(rig, make_timer=card))
    gate.connect()
    gate.arm_watchdog()
    card.advance(LONGER)

    def refuse(_self):
        raise DaqFault(-200077, "Requested value is not supported")

    monkeypatch.setattr(Watchdog, "begin", refuse)
    with pytest.raises(DeviceError, match="200077"):
        gate.set(False)
    assert rig.world.gate_closed
    gate.set(True)
    assert gate.read() is True


def test_a_second_arming_gives_the_whole_time_again(serve, gates, card):
    rig = make_rig()
    gate = gates(serve(rig, make_timer=card))
    gate.connect()
    gate.arm_watchdog()
    gate.set(False)
    card.advance(SHORTER)
    gate.arm_watchdog()
    gate.set(False)
    card.advance(SHORTER)
    assert not rig.world.gate_closed
    card.advance(LONGER)
    assert rig.world.gate_closed


def test_a_gate_that_the_card_closes_before_it_was_read_back_says_so(
    serve, gates, card, monkeypatch
):
    gate = gates(serve(make_rig(), make_timer=card))
    gate.connect()
    gate.arm_watchdog()
    read = gate._read_closed

    def late():
        card.advance(LONGER)
        return read()

    monkeypatch.setattr(gate, "_read_closed", late)
    with pytest.raises(DeviceError, match=r"closed by the card's watchdog .* too busy"):
        gate.set(False)


def test_a_gate_that_is_fed_stays_open_and_one_that_was_closed_can_be_opened_again(
    serve, gates, card
):
    gate = gates(serve(make_rig(), make_timer=card))
    gate.connect()
    for _ in range(2):
        gate.arm_watchdog()
        gate.set(False)
        for _ in range(12):
            card.advance(SHORTER)
            gate.feed_watchdog()
        assert gate.read() is False
        gate.set(True)
        gate.disarm_watchdog()
    card.advance(10 * LONGER)
    gate.set(False)
    card.advance(10 * LONGER)
    assert gate.read() is False, "nothing watches what was not armed"


def test_a_watchdog_that_is_not_moved_by_a_test_acts_in_real_time(serve, gates, monkeypatch):
    monkeypatch.setattr("optobind.instruments.digitizers.ni_watchdog.WATCHDOG_SECONDS", 0.05)
    rig = make_rig()
    gate = gates(serve(rig))
    gate.connect()
    gate.set(False)
    gate.arm_watchdog()
    wait_for(lambda: rig.world.gate_closed)


def test_a_card_without_a_watchdog_says_so_and_works(serve, gates):
    gate = gates(serve(make_rig(), watchdog=False))
    assert "no watchdog" in gate.connect()
    gate.arm_watchdog()
    gate.set(False)
    gate.feed_watchdog()
    gate.set(True)
    gate.disarm_watchdog()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_when_guardian_and_program_stop_the_card_closes_the_gate(serve, gates, card):
    rig = make_rig()
    gate = GuardedGate(gates(serve(rig, make_timer=card)))
    assert "watchdog 2 s" in gate.connect()
    try:
        gate.set(False)
        for _ in range(3):
            fed = card.started
            wait_for(lambda fed=fed: card.started > fed)
            card.advance(SHORTER)
        assert not rig.world.gate_closed, "the guardian feeds it"
        guardian = gate.guardian
        os.kill(guardian, signal.SIGSTOP)  # as a computer that stands still
        try:
            card.advance(LONGER)
            assert rig.world.gate_closed
            time.sleep(1.0)  # longer than the guardian lets pass between two looks
        finally:
            os.kill(guardian, signal.SIGCONT)
        gate.set(True)
        assert gate.read() is True
        assert gate.take_incidents(), "the release was cut: not in silence"
        gate.set(False)
        assert gate.read() is False
        gate.set(True)
    finally:
        gate.disconnect()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_the_line_of_a_guardian_that_was_killed_is_closed_and_free_for_the_next_run(serve, gates):
    rig = make_rig()
    server = serve(rig)
    gate = GuardedGate(gates(server))
    gate.connect()
    gate.set(False)
    os.kill(gate.guardian, signal.SIGKILL)
    wait_for(lambda: rig.world.gate_closed)
    wait_for(lambda: not gate.may_be_open)
    gate.disconnect()
    other = gates(server)
    other.connect()
    assert other.read() is True


def wait_for(what, seconds=60.0):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until
        time.sleep(0.01)
