"""What each channel's delay and filter are: simulated as such, kept in the file, read with it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.records.opening import open_record
from optobind.acquisition.session import Session
from optobind.instruments.simulated.build import build_simulated_rig
from optobind.instruments.simulated.settings import DetectorSettings, WorldSettings
from optobind.models.errors import InputError

from .test_faults import RATE, simulated_rig

SKEW = 250e-9


def skewed_rig(**settings: Any) -> Any:
    """Two detectors of one particle, the second one a quarter of a sample late."""
    trap = simulated_rig().trap
    assert trap is not None
    usual = {"volts_per_metre": 2e8, "efficiency": 1.0}
    detectors = (
        DetectorSettings("z1", 0, bandwidth=4e5, **usual),
        DetectorSettings("z1 late", 0, delay=SKEW, **usual),
        DetectorSettings("z2", 1, **usual),
    )
    return build_simulated_rig(
        trap, WorldSettings(sample_rate=RATE, real_time=False, detectors=detectors, **settings)
    )


def test_a_late_channel_shows_the_motion_as_much_later():
    rig = skewed_rig()
    world = rig.world
    counts = np.zeros((2000, 3), np.int16)
    truth = np.zeros((2000, 4))
    world.set_gate(False)
    world._engine.memory.state[:] = (500.0, 0.0, 0.0, 0.0)
    world.advance(counts, truth)
    point = world.point
    line = math.sqrt(-point.model.drift[1, 0] * point.omega)
    z, p = truth[:, 0], truth[:, 1]
    later = z * math.cos(line * SKEW) + p * point.omega / line * math.sin(line * SKEW)
    volts = counts[:, 1] / 32768.0
    expected = later * point.lengths[0] * 2e8
    assert np.abs(volts - expected).max() < 0.02 * np.abs(expected).max()
    early = z * point.lengths[0] * 2e8
    assert np.abs(volts - early).max() > 0.08 * np.abs(expected).max()


def test_the_file_keeps_delay_and_filter_and_the_record_tells_them(tmp_path: Path):
    rig = skewed_rig()
    info = rig.digitizer.info
    multiplexed = replace(info, delays=(0.0, 1e-7, 2e-7))

    class Multiplexed(type(rig.digitizer)):
        @property
        def info(self) -> Any:
            return multiplexed

    rig.digitizer.__class__ = Multiplexed
    with_session = Session(rig, run_directory=tmp_path, live_fits=False)
    try:
        with_session.connect().result(60)
        outcome = with_session.start(MonitorPlan(0.01)).result(60)
    finally:
        with_session.close()
    record = open_record(outcome.path)
    assert record.delays == pytest.approx((0.0, SKEW + 1e-7, 2e-7))
    assert record.lowpass == (4e5, None, None)


def test_a_delay_of_more_than_a_sample_is_refused():
    with pytest.raises(InputError, match=r"delay must lie in 0 … 1e-06 s, got 2e-06 s"):
        WorldSettings(sample_rate=RATE, detectors=(DetectorSettings("z1", 0, delay=2e-6),))
