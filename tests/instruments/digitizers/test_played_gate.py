"""A gate whose releases a card plays, behind its guardian: lent, taken back, and killed midway."""

from __future__ import annotations

import os
import pickle
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from optobind.instruments.contracts import check_contract
from optobind.instruments.digitizers.ni_gate import NiGate
from optobind.instruments.digitizers.ni_pattern import NiPatternPlayer
from optobind.instruments.digitizers.ni_watchdog import WATCHDOG_SECONDS
from optobind.instruments.guardian.gate import GuardedGate
from optobind.instruments.guardian.played import PlayedGate
from optobind.instruments.guardian.player import GuardedPlayer
from optobind.instruments.patterns import PatternPlayer
from optobind.instruments.protocols import DeviceState
from optobind.models.errors import DeviceError, InputError

from .conftest import make_rig
from .hand_timers import HandTimers
from .test_ni_pattern import LINE, PIN, RATE, edges, record, release_edges, releases, wired

pytestmark = pytest.mark.realtime

MAIN = Path(__file__).with_name("played_main.py")
PATIENCE = 60.0


def wait_for(what, why):
    until = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < until, why
        time.sleep(0.005)


def close(gate):
    """Close it, however busy the computer is: the guardian goes on trying."""

    def done():
        try:
            gate.set(True)
        except DeviceError:
            return False
        return True

    wait_for(done, "the gate is not closed")


@pytest.fixture
def pair():
    """Makes a guarded gate and its player on a server."""
    made = []

    def make(server, line=LINE, **options):
        options = options or {"feedback_line": line}
        player = NiPatternPlayer("pattern", grpc=server.address, timeout=2.0, **options)
        gate = GuardedGate(PlayedGate(NiGate("gate", line=line, grpc=server.address), player))
        made.append(gate)
        return gate, GuardedPlayer(gate, "pattern")

    yield make
    for gate in made:
        gate.disconnect()


@pytest.mark.parametrize(
    ("line", "options"), [(LINE, {"feedback_line": LINE}), (PIN, {"feedback_counter": "ctr0"})]
)
def test_a_lent_line_is_played_exactly_and_taken_back(serve, digitizers, pair, line, options):
    server, digitizer = wired(serve, digitizers, line)
    gate, player = pair(server, line, **options)
    gate.connect()
    close(gate)
    assert "with the guardian of gate" in player.connect()
    assert isinstance(player, PatternPlayer)
    assert gate.capabilities.hardware_timed is True
    for _ in range(2):
        gate.lend()
        player.arm(releases(), RATE)
        assert player.state is DeviceState.RUNNING
        digitizer.start()
        seen, _ = record(digitizer, 2500).T
        digitizer.stop()
        assert edges(seen, 0.25) == release_edges(player.offset)
        player.halt()
        close(gate)
        assert gate.read() is True
        gate.set(False)
        close(gate)
    assert gate.take_incidents() == []


def test_closing_the_gate_ends_what_is_played(serve, digitizers, pair):
    server, digitizer = wired(serve, digitizers, LINE)
    gate, player = pair(server)
    gate.connect()
    close(gate)
    player.connect()
    gate.lend()
    player.arm(releases(repetitions=1000), RATE)
    digitizer.start()
    record(digitizer, 400)
    assert server.card.levels[LINE] is False
    close(gate)
    assert server.card.levels[LINE] is True
    record(digitizer, 2000)
    assert server.card.levels[LINE] is True
    assert gate.may_be_open is False


@pytest.mark.parametrize(
    ("line", "options"), [(LINE, {"feedback_line": LINE}), (PIN, {"feedback_counter": "ctr0"})]
)
def test_a_player_is_halted_though_the_gate_has_its_line_back(
    serve, digitizers, pair, line, options
):
    """As after a guardian has closed by itself: the program, which thinks it lent, halts first."""
    server, digitizer = wired(serve, digitizers, line)
    gate, player = pair(server, line, **options)
    gate.connect()
    close(gate)
    player.connect()
    gate.lend()
    player.arm(releases(repetitions=1000), RATE)
    digitizer.start()
    record(digitizer, 400)
    close(gate)
    player.halt()
    assert server.card.levels[line] is True
    close(gate)
    assert gate.read() is True
    assert gate.take_incidents() == []


def test_a_line_that_was_not_lent_is_not_played(serve, pair):
    server = serve(make_rig())
    gate, player = pair(server)
    with pytest.raises(DeviceError, match="connect it first"):
        player.arm(releases(), RATE)
    gate.connect()
    player.connect()
    with pytest.raises(DeviceError, match="has not lent its line"):
        player.arm(releases(), RATE)
    gate.lend()
    with pytest.raises(InputError, match="sample rate must lie in"):
        player.arm(releases(), 1e9)
    close(gate)
    assert gate.take_incidents() == [], "a refusal is not an incident"


def test_a_broken_link_ends_the_pattern_over_a_new_one(serve, digitizers, pair):
    """The guardian's driver dies with its call; a copy of it finds the tasks on the server."""
    server, digitizer = wired(serve, digitizers, LINE)
    player = NiPatternPlayer("pattern", feedback_line=LINE, grpc=server.address, timeout=2.0)
    played = PlayedGate(NiGate("gate", line=LINE, grpc=server.address), player)
    packed = pickle.dumps(played)
    played.connect()
    played.set(True)
    played.lend()
    played.player_call("arm", (releases(free=50_000), RATE))
    digitizer.start()
    record(digitizer, 1000)
    assert server.card.levels[LINE] is False
    played.abandon()
    again = pickle.loads(packed)
    again.connect()
    again.set(True)
    assert again.read() is True
    assert server.card.levels[LINE] is True
    again.disconnect()


def test_a_guarded_played_gate_keeps_the_promises_of_a_gate(serve):
    server = serve(make_rig())
    driver = NiGate("gate", grpc=server.address)
    player = NiPatternPlayer("pattern", feedback_line=LINE, grpc=server.address)
    check_contract("gate", lambda: PlayedGate(driver, player))


def _killed(server, rate, wire, line, rng, what=signal.SIGKILL):
    """Kill a program that plays, at a moment; return how long the gate was open after, s."""
    program = subprocess.Popen(
        [sys.executable, str(MAIN), server.address, str(rate), wire],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert program.stdout is not None
        guardian = int(program.stdout.readline())
        begun = len(server.card.history)
        wait_for(lambda: len(server.card.history) >= begun + 4, "nothing is played")
        time.sleep(rng.uniform(0.0, 0.2))
        struck = time.monotonic()
        os.killpg(program.pid, what)
        program.wait(PATIENCE)
        wait_for(lambda: not _lives(guardian), "the guardian stays")
    finally:
        program.kill()
        program.wait(PATIENCE)
        program.stdout.close()
    after = [entry for entry in server.card.history if entry[0] > struck and entry[2] == line]
    assert server.card.levels[line] is True, "the gate stays open"
    switched = len(server.card.history)
    time.sleep(0.5)
    assert len(server.card.history) == switched, "the pattern goes on"
    return after[-1][0] - struck if after else 0.0


def _lives(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(("wire", "line"), [(LINE, LINE), ("ctr0", PIN)])
def test_a_program_killed_in_the_middle_of_a_pattern_leaves_the_gate_closed(serve, wire, line):
    """The inputs of the dead program go on, as on NI's server: the pattern would, too."""
    rate = 2e5
    rig = make_rig(real_time=True, sample_rate=rate)
    server = serve(rig, gate_line=line)
    rng = random.Random(wire)
    for _ in range(2):
        _killed(server, rate, wire, line, rng)
        assert rig.world.gate_closed
        for task in list(server._calls._tasks.values()):  # what the dead program has left
            task.stop()
        server._calls._tasks.clear()


@pytest.mark.parametrize(
    ("line", "options"), [(LINE, {"feedback_line": LINE}), (PIN, {"feedback_counter": "ctr0"})]
)
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_pattern_that_plays_on_without_guardian_and_program_is_ended_by_the_cards_watchdog(
    serve, digitizers, pair, line, options
):
    card = HandTimers()
    server, digitizer = wired(serve, digitizers, line, make_timer=card)
    gate, player = pair(server, line, **options)
    assert "watchdog 2 s" in gate.connect()
    close(gate)
    player.connect()
    gate.lend()
    assert card.started == 0
    player.arm(releases(repetitions=100_000), RATE)
    digitizer.start()
    for _ in range(2):
        fed = card.started
        wait_for(lambda fed=fed: card.started > fed, "the guardian feeds it")
        card.advance(0.95 * WATCHDOG_SECONDS)
    seen = record(digitizer, 2400)[:, 0]
    assert edges(seen, 0.25) == release_edges(player.offset, repetitions=5)[:-1]
    os.kill(gate.guardian, signal.SIGSTOP)  # as a computer that stands still
    try:
        card.advance(1.05 * WATCHDOG_SECONDS)
        record(digitizer, 100)
        seen = record(digitizer, 5000)[:, 0]
        assert (seen > 0.25).all(), "what is still played on the line acts no more"
    finally:
        os.kill(gate.guardian, signal.SIGCONT)
    wait_for(lambda: not gate.may_be_open, "the guardian sees it and ends the pattern")
    assert "watchdog" in " ".join(gate.take_incidents())
    with pytest.raises(DeviceError, match="nothing is played any more"):
        player.played()  # or the run would go on
    close(gate)
    assert gate.read() is True
    gate.lend()
    player.arm(releases(), RATE)
    close(gate)


def test_a_card_without_a_watchdog_says_on_connect_that_it_does_not_watch(serve, pair):
    server = serve(make_rig(), watchdog=False)
    gate, player = pair(server)
    assert "no watchdog" in gate.connect()
    assert any("feedback stays off (" in remark for remark in gate.remarks), gate.remarks
    player.connect()
    close(gate)
    gate.lend()
    player.arm(releases(), RATE)
    close(gate)
