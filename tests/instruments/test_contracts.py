"""What every device of a family promises, on fakes and on the simulated laboratory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from optobind.instruments.fakes import (
    FakeDigitizer,
    FakeGate,
    FakeGauge,
    FakeRFSource,
    FakeSLM,
)
from optobind.instruments.protocols import DeviceState, GaugeReading, RFTone, SpotPattern
from optobind.instruments.simulated.build import build_simulated_rig
from optobind.models.errors import DeviceError, InputError

from .conftest import make_settings, make_trap

PATTERN = SpotPattern(((1e-6, 0.0, 0.0), (-1e-6, 0.0, 0.0)), (0.5, 0.5), (0.4, 0.0))


def fake(family: str):
    return {
        "digitizer": lambda: FakeDigitizer(np.arange(400, dtype=np.int16).reshape(100, 4)),
        "slm": lambda: FakeSLM(PATTERN),
        "rf": lambda: FakeRFSource([RFTone(80e6, 0.3), RFTone(80e6, 0.3)]),
        "gauge": lambda: FakeGauge([GaugeReading(1e-6)]),
        "gate": lambda: FakeGate(),
    }[family]()


def simulated(family: str):
    return getattr(build_simulated_rig(make_trap(), make_settings()), family)


MAKERS = pytest.mark.parametrize("make", [fake, simulated])


@MAKERS
@pytest.mark.parametrize("family", ["digitizer", "slm", "rf", "gauge", "gate"])
def test_life_cycle(make, family: str):
    device = make(family)
    assert device.state is DeviceState.DISCONNECTED
    assert device.name == family
    device.disconnect()
    assert device.name in device.connect()
    assert device.state is DeviceState.READY
    device.disconnect()
    assert device.state is DeviceState.DISCONNECTED
    device.connect()
    assert device.state is DeviceState.READY


@MAKERS
def test_digitizer_counts_samples_from_start_and_keeps_to_its_info(make):
    device = make("digitizer")
    device.stop()
    with pytest.raises(DeviceError):
        device.start()
    device.connect()
    info = device.info
    assert len(info.channels) == len(info.scale) == 4
    buffer = np.full((30, 4), 12345, dtype=info.dtype)
    with pytest.raises(DeviceError):
        device.read_into(buffer)
    for _ in range(2):
        device.start()
        assert device.state is DeviceState.RUNNING
        results = [device.read_into(buffer) for _ in range(3)]
        assert [r.first_sample for r in results] == [0, 30, 60]
        assert all(r.samples == 30 and not r.finished for r in results)
        assert not (buffer == 12345).all()
        device.stop()
        device.stop()
        assert device.state is DeviceState.READY


@MAKERS
def test_slm_shows_what_it_returns(make):
    device = make("slm")
    with pytest.raises(DeviceError):
        device.read()
    device.connect()
    shown = device.show(PATTERN)
    assert device.read() == shown
    assert np.allclose(shown.positions, PATTERN.positions, rtol=0.0, atol=1e-9)
    assert np.allclose(shown.phases, PATTERN.phases, rtol=0.0, atol=0.02)
    assert device.show(shown) == shown


@MAKERS
def test_rf_source_reads_back_what_was_set(make):
    device = make("rf")
    with pytest.raises(DeviceError):
        device.read_tone(0)
    device.connect()
    tone = replace(device.read_tone(1), amplitude=0.41, phase=0.3)
    device.set_tone(1, tone)
    device.align()
    read = device.read_tone(1)
    assert read.frequency == tone.frequency
    assert read.amplitude == pytest.approx(0.41, abs=1e-5)
    assert read.phase == pytest.approx(0.3, abs=4e-4)
    with pytest.raises(InputError, match="channels"):
        device.read_tone(7)


@MAKERS
def test_gate_and_gauge_are_read_back(make):
    gate, gauge = make("gate"), make("gauge")
    for device in (gate, gauge):
        with pytest.raises(DeviceError):
            device.read()
        device.connect()
    for closed in (False, True, True, False):
        gate.set(closed)
        assert gate.read() is closed
    reading = gauge.read()
    assert reading.status == "ok"
    assert reading.pressure == pytest.approx(1e-6, rel=0.1)
