"""The pattern player on the virtual NI card: exact samples, refusals, and what is left behind."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from optobind.instruments.digitizers.ni_gate import NiGate
from optobind.instruments.digitizers.ni_pattern import NiPatternPlayer
from optobind.instruments.driver import ReservedError
from optobind.instruments.patterns import (
    FEEDBACK,
    PHASE,
    LevelTrack,
    Pattern,
    PatternPlayer,
    Waveform,
)
from optobind.instruments.protocols import DeviceState
from optobind.models.errors import DeviceError, InputError

from .conftest import make_rig

pytestmark = pytest.mark.realtime

RATE = 1e6
LINE = "port0/line0"
PIN = "port2/line4"  # of the first counter


def releases(cool=300, free=200, repetitions=4, lead=0):
    track = LevelTrack(idle=True, edges=((cool, False), (cool + free, True)))
    return Pattern(cool + free, repetitions, lead, {FEEDBACK: track})


def release_edges(offset, cool=300, free=200, repetitions=4, lead=0):
    begins = [lead + offset + (cool + free) * k for k in range(repetitions)]
    return [begin + step for begin in begins for step in (cool, cool + free)]


@pytest.fixture
def players():
    """Makes players on a server, and disconnects them after the test."""
    made = []

    def make(server, **options):
        if "feedback_counter" not in options:
            options.setdefault("feedback_line", LINE)
        made.append(NiPatternPlayer("pattern", grpc=server.address, timeout=2.0, **options))
        return made[-1]

    yield make
    for player in made:
        player.disconnect()


def wired(serve, digitizers, source, **options):
    """A server whose gate hangs on a line, a digitizer that sees the gate and that line."""
    line = options.pop("gate_line", source if source.startswith("port") else LINE)
    server = serve(make_rig(monitor=True), gate_line=line, wires={"ai3": source}, **options)
    digitizer = digitizers(server, channels=("ai2", "ai3"))
    digitizer.connect()
    return server, digitizer


def record(digitizer, rows):
    counts = np.empty((rows, 2), np.int16)
    digitizer.read_into(counts)
    return counts * np.array(digitizer.info.scale)


def edges(volts, middle):
    return (np.flatnonzero(np.diff(volts > middle)) + 1).tolist()


@pytest.mark.parametrize("active_high", [True, False])
@pytest.mark.parametrize("lead", [0, 100, 731])
def test_releases_of_a_buffered_line_lie_at_their_samples(
    serve, digitizers, players, active_high, lead
):
    server, digitizer = wired(serve, digitizers, LINE, gate_high_closes=active_high)
    player = players(server, active_high=active_high)
    assert "plays port0/line0" in player.connect()
    assert isinstance(player, PatternPlayer)
    assert player.capabilities.lines == (FEEDBACK,)
    player.arm(releases(lead=lead), RATE)
    assert player.state is DeviceState.RUNNING
    assert player.played() == 0
    digitizer.start()
    gate, wire = record(digitizer, 3500).T
    assert edges(gate, 0.25) == release_edges(player.offset, lead=lead)
    assert edges(wire, 2.5) == release_edges(player.offset, lead=lead)
    assert player.played() == releases(lead=lead).samples + 1
    assert gate[-1] > 0.25, "the line ends at its idle level by itself"
    player.halt()
    assert player.state is DeviceState.READY


@pytest.mark.parametrize("timebase", [True, False])
@pytest.mark.parametrize("active_high", [True, False])
def test_releases_of_a_counter_lie_at_the_same_samples(
    serve, digitizers, players, monkeypatch, active_high, timebase
):
    if not timebase:
        monkeypatch.setattr(
            "optobind.instruments.digitizers.ni_pattern_limits._TIMEBASES", {"none": 1e8}
        )
    server, digitizer = wired(serve, digitizers, PIN, gate_high_closes=active_high)
    player = players(server, feedback_counter="ctr0", active_high=active_high)
    player.connect()
    limits = player.capabilities
    assert (limits.single_pulse, limits.returns_to_idle) == (True, timebase)
    player.arm(releases(lead=50), RATE)
    digitizer.start()
    gate, wire = record(digitizer, 3500).T
    assert edges(gate, 0.25) == release_edges(player.offset, lead=50)
    assert edges(wire, 2.5) == release_edges(player.offset, lead=50)
    assert player.played() is None, "a counter does not count samples"
    player.halt()


def test_a_counter_of_a_clock_of_its_own_ends_its_pulse_without_inputs(serve, digitizers, players):
    server, digitizer = wired(serve, digitizers, PIN)
    player = players(server, feedback_counter="ctr0")
    player.connect()
    player.arm(releases(cool=300, free=50_000), RATE)
    digitizer.start()
    record(digitizer, 1000)
    assert server.card.levels[PIN] is False
    digitizer.stop()
    assert server.card.levels[PIN] is True


def test_a_line_whose_inputs_stop_stays_where_it_is_until_it_is_halted(serve, digitizers, players):
    server, digitizer = wired(serve, digitizers, LINE)
    player = players(server)
    player.connect()
    player.arm(releases(cool=300, free=50_000), RATE)
    digitizer.start()
    record(digitizer, 1000)
    digitizer.stop()
    assert server.card.levels[LINE] is False
    player.halt()
    assert server.card.levels[LINE] is True


def test_a_phase_is_played_beside_the_line(serve, digitizers, players):
    server, digitizer = wired(serve, digitizers, "ao0")
    player = players(server, phase_output="ao0", volts_per_rad=0.5)
    player.connect()
    assert player.capabilities.waveforms == (PHASE,)
    turns = np.sin(2.0 * np.pi * np.arange(500) / 50.0)
    wave = Waveform(idle=0.25, values=turns, unit="rad")
    pattern = Pattern(500, 4, levels=releases().levels, waveforms={PHASE: wave})
    player.arm(pattern, RATE)
    digitizer.start()
    gate, volts = record(digitizer, 2600).T
    offset = player.offset
    assert edges(gate, 0.25) == release_edges(offset)
    assert np.allclose(volts[offset : 2000 + offset], 0.5 * np.tile(turns, 4), atol=4e-4)
    assert np.allclose(volts[2000 + offset :], 0.125, atol=4e-4)
    player.halt()
    assert server.card.volts["ao0"] == pytest.approx(0.125)


def test_a_pattern_halted_midway_leaves_the_gate_closed_and_the_line_free(
    serve, digitizers, players
):
    server, digitizer = wired(serve, digitizers, LINE)
    player, gate = players(server), NiGate("gate", grpc=server.address)
    gate.connect()
    gate.set(True)
    player.connect()
    with pytest.raises(ReservedError, match="-200587"):
        player.arm(releases(), RATE)
    gate.lend()
    player.arm(releases(), RATE)
    with pytest.raises(ReservedError, match="-200587"):
        gate.read()
    digitizer.start()
    record(digitizer, 400)
    assert server.card.levels[LINE] is False
    player.halt()
    assert server.card.levels[LINE] is True
    assert gate.read() is True
    gate.set(False)
    gate.set(True)
    gate.disconnect()
    player.halt()  # once more does no harm


def test_an_underflow_is_an_error_with_its_reason(serve, digitizers, players):
    server, digitizer = wired(serve, digitizers, LINE)
    player = players(server)
    player.connect()
    player.arm(releases(repetitions=100), RATE)
    digitizer.start()
    record(digitizer, 400)
    server.card.break_output(-200621)
    with pytest.raises(DeviceError, match=r"-200621.*memory ran empty"):
        player.played()
    assert server.card.levels[LINE] is False, "a stopped task keeps its last level"
    player.halt()
    assert server.card.levels[LINE] is True


def test_a_copy_of_the_driver_ends_what_a_lost_connection_has_left(serve, digitizers, players):
    server, digitizer = wired(serve, digitizers, LINE)
    player = players(server)
    packed = pickle.dumps(player)
    player.connect()
    player.arm(releases(free=50_000), RATE)
    digitizer.start()
    record(digitizer, 1000)
    player.abandon()
    with pytest.raises(DeviceError):
        player.halt()
    assert server.card.levels[LINE] is False
    again = pickle.loads(packed)
    again.connect()
    again.halt()
    assert server.card.levels[LINE] is True
    again.arm(releases(), RATE)
    again.disconnect()


@pytest.mark.parametrize(
    ("model", "options", "reason"),
    [
        ("usb-6009", {}, r"USB-6009: line port0/line0 cannot be played on a clock, it has no"),
        ("x-series", {"feedback_line": "port1/line2"}, "clocked lines are those of port0"),
    ],
)
def test_a_card_that_cannot_play_says_what_it_can(serve, players, model, options, reason):
    player = players(serve(make_rig(), model=model), **options)
    player.connect()
    assert player.capabilities.lines == ()
    with pytest.raises(InputError, match=f"cannot play feedback, it can play nothing.*{reason}"):
        player.check(releases(), RATE)
    with pytest.raises(InputError):
        player.arm(releases(), RATE)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("no-counter", {"feedback_counter": "ctr0"}, "no counter output 'ctr0'; known: none"),
        ("x-series", {"feedback_counter": "ctr7"}, "no counter output 'ctr7'; known: ctr0, ctr1"),
        ("x-series", {"feedback_line": "port0/line9"}, "no digital output line 'port0/line9'"),
        ("x-series", {"phase_output": "ao7"}, "no analogue output 'ao7'; known: ao0, ao1"),
    ],
)
def test_wires_that_the_card_does_not_have_are_refused(serve, players, model, options, message):
    with pytest.raises(InputError, match=message):
        players(serve(make_rig(), model=model), **options).connect()


@pytest.mark.slow
def test_patterns_that_cannot_be_played_are_refused_with_the_limit(serve, players):
    server = serve(make_rig())
    line = players(server, phase_output="ao0")
    counter = players(server, feedback_counter="ctr0")
    for player in (line, counter):
        player.connect()
    twice = LevelTrack(True, ((10, False), (20, True), (30, False), (40, True)))
    wave = {PHASE: Waveform(0.0, np.full(100, 11.0), "V")}
    phase = {PHASE: Waveform(0.0, np.zeros(100), "rad")}
    low = LevelTrack(False, ((10, True), (20, False)))
    for player, pattern, rate, message in [
        (line, Pattern(100), RATE, "cannot play an empty pattern, it can play feedback, phase"),
        (line, Pattern(100, levels={"shutter": LevelTrack(True)}), RATE, "cannot play shutter"),
        (line, releases(), 2e7, "sample rate must lie in"),
        (line, Pattern(100, levels={FEEDBACK: low}), RATE, "idle level of feedback must be on"),
        (line, Pattern(100, waveforms=wave), RATE, r"largest voltage of phase must lie in 0 … 10"),
        (line, Pattern(100, waveforms=phase), RATE, "give volts_per_rad"),
        (counter, Pattern(100, levels={FEEDBACK: twice}), RATE, "one pulse a period, not 2"),
        (counter, releases(cool=300, free=1), RATE, "2 samples or more at each level"),
        (counter, Pattern(100, waveforms=phase), RATE, "cannot play phase, it can play feedback"),
    ]:
        with pytest.raises(InputError, match=message):
            player.check(pattern, rate)
    early = LevelTrack(True, ((0, False), (500, True)))
    long = Pattern(1000, 10**6, levels={FEEDBACK: early})
    with pytest.raises(InputError, match="holds 50000000 samples, this pattern takes 1000000001"):
        line.check(long, RATE)
    counter.check(Pattern(1000, 10**6, 10, {FEEDBACK: early}), RATE)


def test_one_wire_for_the_feedback_is_needed():
    for options in ({}, {"feedback_line": LINE, "feedback_counter": "ctr0"}):
        with pytest.raises(InputError, match="give one of them"):
            NiPatternPlayer("pattern", **options)


def test_nothing_is_sent_by_a_check_and_connecting_touches_no_line(serve, players):
    server = serve(make_rig())
    before = dict(server.card.levels)
    player = players(server, active_high=False)
    player.connect()
    player.check(releases(), RATE)
    assert server.card.levels == before
    assert not server.card.playing
