from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from optobind.instruments.protocols import Device, DeviceState, RFTone
from optobind.instruments.simulated import digitizer as digitizer_module
from optobind.instruments.simulated.build import build_simulated_rig
from optobind.instruments.simulated.settings import FeedbackSettings
from optobind.models.blocks import BlockStatus
from optobind.models.errors import DeviceError, InputError
from optobind.models.gas import Gas

from .conftest import TWO_PI, make_settings, make_trap


def make_rig(**changes):
    changes.setdefault("feedback", FeedbackSettings(damping=(TWO_PI * 4e3,)))
    rig = build_simulated_rig(make_trap(), make_settings(**changes))
    for _, device in rig.devices():
        device.connect()
    return rig


def read(rig, rows: int):
    buffer = np.zeros((rows, len(rig.digitizer.info.channels)), np.int16)
    return buffer, rig.digitizer.read_into(buffer)


class Clock:
    """A monotonic clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


def test_devices_are_devices_and_refuse_to_work_unconnected():
    rig = build_simulated_rig(make_trap(), make_settings(pattern_offset=0))
    families = dict(rig.devices())
    assert list(families) == ["gauge", "slm", "rf", "gate", "pattern", "digitizer"]
    for device in families.values():
        assert isinstance(device, Device)
        assert device.state is DeviceState.DISCONNECTED
    for call in (
        rig.gauge.read,
        rig.slm.read,
        lambda: rig.rf.read_tone(0),
        lambda: rig.gate.set(False),
        rig.digitizer.start,
        rig.light.read,
    ):
        with pytest.raises(DeviceError, match="not connected"):
            call()


def test_connecting_and_disconnecting_changes_no_light_and_no_gate():
    rig = build_simulated_rig(make_trap(), make_settings())
    light, gate = rig.world.light, rig.world.gate_closed
    for _, device in rig.devices():
        assert "simulated" in device.connect()
        assert device.state is DeviceState.READY
    rig.digitizer.start()
    read(rig, 100)
    rig.digitizer.stop()
    for _, device in rig.devices():
        device.disconnect()
        device.disconnect()
        assert device.state is DeviceState.DISCONNECTED
    assert rig.world.light == light
    assert rig.world.gate_closed is gate


def test_rig_shows_the_configured_light_within_the_devices_steps():
    rig = make_rig()
    state, trap = rig.light.read().state, make_trap()
    for site, tweezer in zip(state.sites, trap.tweezers, strict=True):
        assert site.power == pytest.approx(tweezer.power, rel=1e-4)
        assert site.phase == pytest.approx(tweezer.phase, abs=4e-4)
        assert site.position == pytest.approx(tweezer.position, abs=60e-6 / 65536)
    assert rig.world.pair.g_r == pytest.approx(trap.pair_constants().constants.g_r, rel=0.02)


def test_virtual_clock_reads_count_on_and_restart_at_zero():
    rig = make_rig()
    rig.digitizer.start()
    assert rig.digitizer.state is DeviceState.RUNNING
    results = [read(rig, n)[1] for n in (10, 500, 3)]
    assert [r.first_sample for r in results] == [0, 10, 510]
    assert [r.samples for r in results] == [10, 500, 3]
    rig.digitizer.stop()
    rig.digitizer.start()
    assert read(rig, 5)[1].first_sample == 0
    assert rig.world.position == 518


def test_digitizer_refuses_what_it_cannot_do():
    rig = make_rig()
    with pytest.raises(DeviceError, match="not running"):
        read(rig, 5)
    rig.digitizer.start()
    with pytest.raises(DeviceError, match="running already"):
        rig.digitizer.start()
    with pytest.raises(DeviceError, match="int16 buffers of 4 columns"):
        rig.digitizer.read_into(np.zeros((5, 3), np.int16))
    with pytest.raises(DeviceError, match="float32"):
        rig.digitizer.read_into(np.zeros((5, 4), np.float32))


def test_gate_acts_from_the_next_sample_on():
    rig = make_rig()
    rig.digitizer.start()
    read(rig, 20)
    rig.gate.set(False)
    assert rig.gate.read() is False
    assert rig.world.growth_rate() > -100.0
    rig.gate.set(True)
    assert rig.world.growth_rate() < -1000.0


def test_real_time_reads_wait_once_until_their_last_sample_is_due(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(digitizer_module, "time", clock)
    rig = make_rig(real_time=True)
    assert rig.digitizer.info.real_time
    waits = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        clock.now += seconds
        return False

    monkeypatch.setattr(rig.digitizer._stopped, "wait", wait)
    rig.digitizer.start()
    for _ in range(3):
        read(rig, 20_000)
    assert waits == pytest.approx([0.02] * 3)


def test_late_reader_catches_up_within_the_buffer_and_loses_samples_beyond(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(digitizer_module, "time", clock)
    rig = make_rig(real_time=True, driver_buffer=2.0)
    rig.digitizer.start()
    clock.now += 1.9
    results = [read(rig, 100_000)[1] for _ in range(3)]
    assert [r.first_sample for r in results] == [0, 100_000, 200_000]
    clock.now += 2.6
    _, late = read(rig, 100_000)
    # 4.5 s have passed, 0.3 s were read, 2 s fit the buffer: the next block is the newest.
    assert late.first_sample == 4_400_000
    assert late.status & BlockStatus.GAP_BEFORE
    following = read(rig, 100_000)[1]
    assert following.first_sample == 4_500_000
    assert not following.status & BlockStatus.GAP_BEFORE
    assert rig.world.position == 500_000  # it is no later for what was lost


def test_stop_ends_a_waiting_read(monkeypatch):
    rig = make_rig(real_time=True)
    rig.digitizer.start()

    def wait(_seconds: float) -> bool:
        rig.digitizer.stop()
        return True

    monkeypatch.setattr(rig.digitizer._stopped, "wait", wait)
    _, result = read(rig, 20_000)
    assert result.samples == 0
    assert result.finished


def test_saturated_samples_are_flagged_and_clipped_to_the_codes():
    rig = make_rig(adc_range=1e-3, adc_bits=12)
    rig.digitizer.start()
    counts, result = read(rig, 5000)
    assert result.status & BlockStatus.SATURATED
    assert counts.max() == 2047
    assert counts.min() == -2048
    assert rig.digitizer.info.scale == (1e-3 / 2048,) * 4


def test_slm_settles_over_the_record_and_rf_acts_at_once():
    rig = make_rig()
    rig.digitizer.start()
    applied = rig.light.apply(rig.light.read().state.with_pair(phi=0.9))
    assert applied.settling_time == pytest.approx(0.035)
    assert rig.light.read().state.relative_phase == pytest.approx(0.9, abs=1e-3)
    assert rig.world.light.relative_phase == pytest.approx(0.4, abs=0.02)
    read(rig, 5000)
    expected = 0.9 - 0.5 * math.exp(-1.0)
    assert rig.world.light.relative_phase == pytest.approx(expected, abs=0.01)
    read(rig, 31_000)
    read_back = rig.light.read().state
    assert rig.world.light.relative_phase == pytest.approx(read_back.relative_phase, abs=1e-9)
    tone = rig.rf.read_tone(0)
    rig.rf.set_tone(0, replace(tone, phase=tone.phase + 0.2))
    assert rig.world.light.relative_phase == pytest.approx(1.1, abs=1e-3)


@pytest.mark.parametrize(
    "detunings", [(1e5, 1e5), (0.0, 1e5), (math.nan, 0.0)], ids=["on the way", "slow", "nan"]
)
def test_light_that_the_world_cannot_describe_is_refused_before_any_device_moves(detunings):
    rig = make_rig()
    before = rig.world.light, rig.slm.read(), [rig.rf.read_tone(j) for j in (0, 1)]
    goal = rig.light.read().state.with_pair(separation=3.5e-6, phi=1.0)
    for site, detuning in enumerate(detunings):
        goal = goal.with_site(site, detuning=detuning)
    with pytest.raises(InputError):
        rig.light.apply(goal)
    assert (rig.world.light, rig.slm.read(), [rig.rf.read_tone(j) for j in (0, 1)]) == before


def test_rf_frequency_change_loses_the_phase_until_aligned():
    rig = make_rig()
    before = rig.world.light.relative_phase
    tone = rig.rf.read_tone(0)
    rig.rf.set_tone(0, replace(tone, frequency=tone.frequency + 1e6))
    assert rig.light.read().state.sites[0].detuning == pytest.approx(-1e6)
    rig.rf.set_tone(0, tone)
    assert rig.world.light.relative_phase != pytest.approx(before, abs=1e-3)
    rig.rf.align()
    assert rig.world.light.relative_phase == pytest.approx(before, abs=1e-9)


def test_slow_beat_is_refused_and_nothing_changes():
    rig = make_rig()
    light, tone = rig.world.light, rig.rf.read_tone(1)
    with pytest.raises(InputError, match="Hz"):
        rig.rf.set_tone(1, replace(tone, frequency=tone.frequency + 50.0))
    assert rig.rf.read_tone(1) == tone
    assert rig.world.light == light


@pytest.mark.parametrize(
    ("channel", "tone", "match"),
    [
        (2, RFTone(80e6, 0.1), "channels 0 … 1, got 2"),
        (0, RFTone(10e6, 0.1), "Hz"),
        (0, RFTone(80e6, 2.0), "V, got 2 V"),
    ],
)
def test_rf_source_refuses_values_out_of_range(channel, tone, match):
    rig = make_rig()
    with pytest.raises(InputError, match=match):
        rig.rf.set_tone(channel, tone)


def test_slm_refuses_patterns_that_it_cannot_show():
    rig = make_rig()
    pattern = rig.slm.read()
    for bad, match in (
        (replace(pattern, weights=(0.9, 0.9)), "at most 1"),
        (replace(pattern, positions=((1.0, 0, 0), pattern.positions[1])), "spot x"),
        (replace(pattern, phases=(0.0,)), "2 spots"),
    ):
        with pytest.raises(InputError, match=match):
            rig.slm.show(bad)
        assert rig.slm.read() == pattern


def test_gauge_reads_the_pressure_with_its_error_and_reports_under_range():
    rig = make_rig()
    readings = np.array([rig.gauge.read().pressure for _ in range(200)])
    assert readings.mean() == pytest.approx(1e-6, rel=0.01)
    assert readings.std() == pytest.approx(1e-8, rel=0.3)
    rig.world.set_pressure(1e-12)
    reading = rig.gauge.read()
    assert reading.pressure is None
    assert reading.status == "under range"


def test_gauge_without_gas_is_off():
    trap = replace(make_trap(), gas=None)
    rig = build_simulated_rig(trap, make_settings())
    rig.gauge.connect()
    assert rig.gauge.read().status == "off"
    with pytest.raises(InputError, match="no gas"):
        rig.world.set_pressure(Gas(1.0).pressure)


def test_rig_maps_its_channels():
    rig = make_rig()
    assert [d.channel for d in rig.channels()] == [0, 1]
    assert [d.particle for d in rig.channels("in_loop")] == [0, 1]
    assert rig.digitizer.info.channels == ("z1", "z2", "in 1", "in 2")
    assert rig.mode == rig.digitizer.info.mode == "SIM"


def test_a_seed_is_a_whole_number_that_fits_a_file():
    with pytest.raises(InputError, match="seed"):
        replace(make_settings(), seed=2**63)
    assert replace(make_settings(), seed=2**63 - 1).seed == 2**63 - 1
