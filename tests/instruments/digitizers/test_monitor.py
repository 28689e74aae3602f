"""The laser-power monitor: watts, intensity noise and drift of one channel."""

from __future__ import annotations

import numpy as np
import pytest

from optobind.instruments.digitizers.monitor import PowerMonitor
from optobind.models.blocks import Block, BlockStatus
from optobind.models.errors import InputError

RATE, ROWS = 1e5, 1000
SCALE = np.array([1.0, 1e-4])


def block(first: int, counts: np.ndarray, status: BlockStatus = BlockStatus.OK) -> Block:
    samples = np.stack([np.zeros_like(counts), counts], axis=1).astype(np.int16)
    return Block(first, samples, SCALE, status=status)


def test_mean_noise_and_drift_of_a_drifting_power():
    rng = np.random.default_rng(3)
    monitor = PowerMonitor(1, watts_per_volt=0.5, sample_rate=RATE, dark_voltage=0.1)
    for k in range(50):
        t = (k * ROWS + np.arange(ROWS)) / RATE
        watts = 0.3 * (1.0 + 0.02 * (t - 0.25)) + 0.003 * rng.standard_normal(ROWS)
        monitor.add(block(k * ROWS, (watts / 0.5 + 0.1) / 1e-4))
    reading = monitor.reading()
    assert reading.power == pytest.approx(0.3, rel=1e-3)
    assert reading.intensity_noise == pytest.approx(0.01, rel=0.03)
    assert reading.std == pytest.approx(0.003, rel=0.03)
    assert reading.drift == pytest.approx(0.02, abs=0.003)
    assert reading.duration == pytest.approx(0.5)
    assert not reading.saturated


def test_saturation_is_remembered_until_cleared():
    monitor = PowerMonitor(1, -2.0, RATE)
    monitor.add(block(0, np.full(10, -5000.0), BlockStatus.SATURATED))
    reading = monitor.reading()
    assert (reading.power, reading.drift, reading.saturated) == (pytest.approx(1.0), 0.0, True)
    monitor.clear()
    with pytest.raises(InputError, match="has not seen a block"):
        monitor.reading()


@pytest.mark.parametrize(
    "wrong", [{"channel": -1}, {"watts_per_volt": 0.0}, {"sample_rate": 0.0}, {"dark_voltage": 1e9}]
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(InputError):
        PowerMonitor(**{"channel": 1, "watts_per_volt": 1.0, "sample_rate": RATE, **wrong})


def test_a_missing_channel_is_refused():
    with pytest.raises(InputError, match="2 columns, not 4"):
        PowerMonitor(4, 1.0, RATE).add(block(0, np.zeros(5)))
