from __future__ import annotations

import numpy as np
import pytest

from optobind.instruments.fakes import FakeDigitizer, FakeGate, FakeGauge, Fault
from optobind.instruments.protocols import Device, DeviceState, GaugeReading
from optobind.models.blocks import BlockStatus
from optobind.models.errors import DeviceError

RAMP = np.arange(100, dtype=np.int16).reshape(50, 2)


def started(**options) -> FakeDigitizer:
    device = FakeDigitizer(RAMP, **options)
    device.connect()
    device.start()
    return device


def test_fake_digitizer_plays_in_a_loop():
    device = started()
    assert isinstance(device, Device)
    buffer = np.zeros((60, 2), np.int16)
    result = device.read_into(buffer)
    assert (result.samples, result.first_sample, result.finished) == (60, 0, False)
    assert np.array_equal(buffer[50:], RAMP[:10])
    assert device.read_into(buffer).first_sample == 60


def test_fake_digitizer_ends_when_it_plays_once():
    device = started(loop=False)
    buffer = np.zeros((40, 2), np.int16)
    assert not device.read_into(buffer).finished
    result = device.read_into(buffer)
    assert (result.samples, result.finished) == (10, True)


def test_scripted_faults_come_at_their_call():
    faults = {
        "read_into": {
            1: Fault("overflow", 1000),
            2: Fault("saturated"),
            3: Fault("timeout"),
            4: Fault("short", 7),
            5: Fault("disconnect"),
        }
    }
    device = started(faults=faults)
    buffer = np.zeros((10, 2), np.int16)
    assert device.read_into(buffer).first_sample == 0
    overflow = device.read_into(buffer)
    assert overflow.first_sample == 1010
    assert overflow.status is BlockStatus.GAP_BEFORE
    assert device.read_into(buffer).status is BlockStatus.SATURATED
    with pytest.raises(DeviceError, match="in time"):
        device.read_into(buffer)
    assert device.state is DeviceState.RUNNING
    assert device.read_into(buffer).samples == 7
    with pytest.raises(DeviceError, match="disconnected"):
        device.read_into(buffer)
    assert device.state is DeviceState.FAULTED
    with pytest.raises(DeviceError, match="faulted"):
        device.read_into(buffer)


def test_fake_gauge_and_gate_remember():
    gauge = FakeGauge([GaugeReading(1e-6), GaugeReading(None, status="error")])
    gate = FakeGate(faults={"set": {1: Fault("timeout")}})
    gauge.connect()
    gate.connect()
    assert gauge.read().pressure == 1e-6
    assert gauge.read().status == gauge.read().status == "error"
    gate.set(False)
    with pytest.raises(DeviceError):
        gate.set(True)
    assert gate.read() is False
    assert gate.history == [True, False]
