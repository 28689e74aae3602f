"""Analogue outputs of the served card turn φ and step the power of the world, at exact samples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from optobind.instruments.digitizers.ni import NiDigitizer
from optobind.instruments.digitizers.ni_gate import NiGate
from optobind.instruments.digitizers.ni_pattern import NiPatternPlayer
from optobind.instruments.guardian.played import PlayedGate
from optobind.instruments.patterns import FEEDBACK, PHASE, POWER, LevelTrack, Pattern, Waveform
from optobind.instruments.virtual.ni_server_light import LightWire
from optobind.models.errors import InputError

from .conftest import make_rig

pytestmark = pytest.mark.realtime

RATE = 1e6
LINE = "port0/line0"
LIGHT = {"ao0": LightWire(PHASE, 1.5), "ao1": LightWire(POWER, 4.0)}
WIRING = {
    "phase_output": "ao0", "volts_per_rad": 1.5, "power_output": "ao1", "volts_per_share": 4.0,
}  # fmt: skip


def blocks(period=3000, repetitions=2, *, turning=0.0):
    """φ + π in the second half of each period, and 0.8 of the power in its last third."""
    phase = np.where(np.arange(period) < period // 2, 0.0, math.pi)
    if turning:
        phase = np.mod(math.tau * turning / RATE * np.arange(period), math.tau)
        phase[:500] = phase[-500:] = 0.0
    power = np.where(np.arange(period) < 2 * period // 3, 1.0, 0.8)
    power[-400:] = 1.0
    track = LevelTrack(True, ((1000, False), (2000, True)))
    waves = {PHASE: Waveform(0.0, phase, "rad")}
    if not turning:
        waves[POWER] = Waveform(1.0, power, "share")
    return Pattern(period, repetitions, levels={FEEDBACK: track}, waveforms=waves)


class Played:
    """A rig on the served card: inputs and player; ``run`` records while a pattern is played."""

    def __init__(self, serve, rig, **options):
        self.rig = rig
        self.server = serve(rig, light=LIGHT, **options)
        self.digitizer = NiDigitizer(
            "daq", channels=("ai0", "ai1"), full_scale=1.0, timeout=20.0, grpc=self.server.address
        )
        self.player = NiPatternPlayer(
            "pattern", feedback_line=LINE, grpc=self.server.address, timeout=2.0, **WIRING
        )
        self.digitizer.connect()
        self.player.connect()

    def run(self, pattern, rows):
        self.player.arm(pattern, RATE)
        self.digitizer.start()
        return self.read(rows)

    def read(self, rows):
        counts = np.empty((rows, 2), np.int16)
        self.digitizer.read_into(counts)
        return counts

    def close(self):
        self.player.disconnect()
        self.digitizer.disconnect()


@pytest.fixture
def played(serve):
    made = []

    def make(rig, **options):
        made.append(Played(serve, rig, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def in_process(pattern, rows, offset):
    """The record of the same rig when the simulated player plays it."""
    rig = make_rig(pattern_offset=offset)
    for device in (rig.digitizer, rig.gate, rig.pattern):
        device.connect()
    rig.pattern.arm(pattern, RATE)
    rig.digitizer.start()
    counts = np.empty((rows, 2), np.int16)
    rig.digitizer.read_into(counts)
    return counts


@pytest.mark.parametrize("turning", [0.0, 106e3])
def test_the_record_is_that_of_the_simulated_player_to_the_last_bit(played, turning):
    """Slow steps and an optical phase that turns 106 000 times a second, line and light at once."""
    pattern = blocks(turning=turning)
    one = played(make_rig())
    served = one.run(pattern, 7000)
    expected = in_process(pattern, 7000, one.player.offset)
    # Volts are rounded to a converter's steps: what is alike is alike within counts.
    spread = np.abs(expected.astype(float)).max()
    assert spread > 500
    assert np.abs(served.astype(float) - expected).max() <= 2e-3 * spread


def test_the_light_follows_each_edge_and_halting_brings_back_what_was_set(played):
    one = played(make_rig())
    world, before = one.rig.world, one.rig.world.light
    seen = []
    run = world._engine.run

    def note(counts, truth):
        light = world.light
        turn = (light.relative_phase - before.relative_phase) / math.pi
        seen.append((world.position, round(turn, 3), light.sites[1].power / before.sites[1].power))
        return run(counts, truth)

    world._engine.run = note
    one.run(blocks(), 5000)
    first = seen[0][0] + one.player.offset

    def at(sample):
        return next(s for s in reversed(seen) if s[0] <= first + sample)[1:]

    # No pattern reaches the record before its first tick is seen.
    assert seen[0][1:] == (0.0, 1.0)
    for period in (0, 3000):
        assert at(period + 1499)[0] % 2.0 == pytest.approx(0.0, abs=1e-3)
        if period + 1500 < 5000:
            assert at(period + 1500)[0] % 2.0 == pytest.approx(1.0, abs=1e-3)
    assert at(1999)[1] == pytest.approx(1.0)
    assert at(2000)[1] == pytest.approx(0.8, abs=1e-3)
    assert at(2599)[1] == pytest.approx(0.8, abs=1e-3)
    assert at(2600)[1] == pytest.approx(1.0)
    one.digitizer.stop()
    one.player.halt()
    assert one.server.card.volts["ao0"] == one.server.card.volts["ao1"] == 0.0
    light = world.light
    assert light.relative_phase == pytest.approx(before.relative_phase, abs=1e-9)
    assert [s.power for s in light.sites] == pytest.approx([s.power for s in before.sites])


def test_a_voltage_that_rests_is_light_and_adds_to_what_devices_set(serve):
    rig = make_rig()
    card = serve(rig, light=LIGHT).card
    before = rig.world.light
    card.set_volts("ao0", 0.75)
    card.set_volts("ao1", -1.0)
    assert rig.world.light.relative_phase == pytest.approx(before.relative_phase + 0.5)
    assert rig.world.light.sites[0].power == pytest.approx(0.75 * before.sites[0].power)
    rig.rf.connect()
    tone = rig.rf.read_tone(0)
    rig.rf.set_tone(0, type(tone)(tone.frequency, 0.9 * tone.amplitude, tone.phase))
    turned = rig.world.light
    assert turned.relative_phase == pytest.approx(before.relative_phase + 0.5, abs=1e-6)
    assert turned.sites[0].power < 0.7 * before.sites[0].power
    card.set_volts("ao0", 0.0)
    card.set_volts("ao1", 0.0)
    assert rig.world.light.relative_phase == pytest.approx(before.relative_phase)
    assert rig.world.light.sites[1].power == pytest.approx(before.sites[1].power)


def test_an_output_that_is_stopped_midway_leaves_its_light(played):
    one = played(make_rig())
    before = one.rig.world.light.relative_phase
    one.run(blocks(), 1800)
    one.player._tasks._tasks["output"].stop()
    assert one.rig.world.light.relative_phase == pytest.approx(before + math.pi, abs=1e-3)
    one.read(500)
    assert one.rig.world.light.relative_phase == pytest.approx(before + math.pi, abs=1e-3)


def test_a_gate_that_is_closed_while_a_card_plays_gives_the_light_back(serve):
    """As the guardian does when the program has died: lines first, then φ and power."""
    rig = make_rig()
    server = serve(rig, light=LIGHT)
    before = rig.world.light
    player = NiPatternPlayer(
        "pattern", feedback_line=LINE, grpc=server.address, timeout=2.0, **WIRING
    )
    gate = PlayedGate(NiGate("gate", line=LINE, grpc=server.address), player)
    gate.connect()
    gate.set(True)
    digitizer = NiDigitizer("daq", channels=("ai0",), full_scale=1.0, grpc=server.address)
    digitizer.connect()
    gate.lend()
    gate.player_call("arm", (blocks(), RATE))
    digitizer.start()
    digitizer.read_into(np.empty((2500, 1), np.int16))
    assert rig.world.light.sites[0].power < 0.9 * before.sites[0].power
    gate.set(True)
    assert gate.read() is True
    assert server.card.volts["ao1"] == 0.0
    assert rig.world.light.relative_phase == pytest.approx(before.relative_phase, abs=1e-9)
    assert rig.world.light.sites[0].power == pytest.approx(before.sites[0].power)
    # A copy of a driver that was lost does not know what has been played: 0 V.
    server.card.set_volts("ao1", -0.5)
    gate.set(True)
    assert server.card.volts["ao1"] == -0.5, "nothing has been played since"
    gate.inherit()
    gate._busy = True
    gate.set(True)
    assert server.card.volts["ao1"] == 0.0
    gate.disconnect()
    digitizer.disconnect()


def test_signals_that_the_world_lacks_and_outputs_used_twice_are_refused(serve):
    with pytest.raises(InputError, match=r"no signal power 3, it has phase, power, power 1"):
        serve(make_rig(), light={"ao0": LightWire("power 3", 1.0)})
    with pytest.raises(InputError, match="phase and power cannot both be played on ao0"):
        NiPatternPlayer("p", feedback_line=LINE, phase_output="ao0", power_output="ao0")
    with pytest.raises(InputError, match="size of volts_per_share must lie in"):
        NiPatternPlayer("p", feedback_line=LINE, power_output="ao0", volts_per_share=0.0)


def test_powers_that_the_wiring_cannot_play_are_refused_with_the_reason(serve):
    server = serve(make_rig())
    one = NiPatternPlayer(
        "p", feedback_line=LINE, grpc=server.address, power_output="ao1", volts_per_share=40.0,
        power_trap="2",
    )  # fmt: skip
    one.connect()
    wave = {"power 2": Waveform(1.0, np.full(100, 0.7), "share")}
    assert one.capabilities.waveforms == ("power 2",)
    with pytest.raises(InputError, match=r"largest voltage of power 2 must lie in 0 … 10 V"):
        one.check(Pattern(100, waveforms=wave), RATE)
    with pytest.raises(InputError, match="cannot play power, it can play feedback, power 2"):
        one.check(Pattern(100, waveforms={POWER: wave["power 2"]}), RATE)
    watts = {"power 2": Waveform(0.2, np.full(100, 0.2), "W")}
    with pytest.raises(InputError, match="power 2 is played in V or share, not in W"):
        one.check(Pattern(100, waveforms=watts), RATE)
    one.disconnect()
