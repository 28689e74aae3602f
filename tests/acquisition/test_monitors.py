"""A monitor with limits is watched: one line when it leaves them, one when it is back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from optobind.acquisition.events import EventKind
from optobind.acquisition.monitors import MonitorWatch
from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.session import Session
from optobind.acquisition.slots import LogBook
from optobind.acquisition.snapshots import SessionStatus
from optobind.config.load import rig_from_dict
from optobind.config.notebook import load_rig
from optobind.gui.viewmodels.statusbar import status_cells
from optobind.instruments.rig import DetectorChannel
from optobind.models.errors import InputError

RATE, SCALE = 1e4, 1e-4  # pieces of 10 samples
POWER = DetectorChannel(1, "laser power", None, "monitor", low=0.4, high=0.6)


def watch(*detectors: DetectorChannel):
    log = LogBook()
    return MonitorWatch(detectors or (POWER,), (1.0, SCALE, SCALE), RATE, log), log


def rows(volts) -> np.ndarray:
    counts = np.rint(np.asarray(volts, dtype=float) / SCALE)
    return np.stack([np.zeros_like(counts), counts, counts], axis=1).astype(np.int16)


def feed(watcher: MonitorWatch, volts: np.ndarray, block: int) -> None:
    for first in range(0, len(volts), block):
        watcher.see(rows(volts[first : first + block]), first)


@pytest.mark.parametrize("block", [7, 10, 200, 30_000])
@pytest.mark.parametrize(("level", "worst"), [(0.31, 0.31), (0.75, 0.75)])
def test_leaving_and_returning_are_told_once_each(block: int, level: float, worst: float):
    volts = np.full(30_000, 0.5)
    volts[5000:8000] = level
    volts[8500:9000] = level  # within the quiet time: it goes on
    watcher, log = watch()
    feed(watcher, volts, block)
    leaves, returns = log.take()
    assert (leaves.level, returns.level) == ("warning", "info")
    assert leaves.text.startswith("laser power is 0.")
    assert "out of its limits (0.4 … 0.6 V)" in leaves.text
    assert f"at worst {worst} V" in returns.text
    (onset, out), (end, back) = watcher.take()
    assert (out["returned"], back["returned"]) == (False, True)
    assert onset == pytest.approx(5000, abs=block if block < 10 else 10)
    assert end == pytest.approx(9000, abs=20)
    assert watcher.take() == []
    assert watcher.out == ()


def test_noise_beyond_the_limits_is_not_the_power():
    rng = np.random.default_rng(1)
    watcher, log = watch()
    feed(watcher, 0.5 + 0.09 * rng.standard_normal(20_000), 200)
    assert log.take() == []


def test_a_dip_of_some_milliseconds_in_a_long_block_is_seen():
    volts = np.full(10_000, 0.5)
    volts[4000:4030] = 0.1
    watcher, log = watch()
    watcher.see(rows(volts), 0)
    assert len(log.take()) == 1
    assert watcher.out == ("laser power is out of its limits (0.4 … 0.6 V)",)


@pytest.mark.parametrize(
    ("limits", "good", "bad", "words"),
    [
        ({"low": 0.4, "high": None}, 3.0, 0.3, "at least 0.4 V"),
        ({"low": None, "high": 0.6}, -1.0, 0.7, "at most 0.6 V"),
    ],
)
def test_one_limit_is_enough(limits, good: float, bad: float, words: str):
    watcher, _ = watch(replace(POWER, **limits))
    watcher.see(rows(np.full(100, good)), 0)
    assert watcher.out == ()
    watcher.see(rows(np.full(100, bad)), 100)
    assert words in watcher.out[0]


def test_a_monitor_without_limits_is_not_watched():
    watcher, log = watch(DetectorChannel(1, "laser power", None, "monitor"))
    watcher.see(rows(np.full(100, 3.0)), 0)
    assert log.take() == []


def test_a_run_records_it_and_the_status_is_amber(tmp_path: Path):
    rig = load_rig("simulated-pair", ["simulation.clock=fast"])
    rig.detectors = tuple(
        replace(d, role="monitor", low=10.0, high=20.0) if d.channel == 1 else d
        for d in rig.detectors
    )
    session = Session(rig, run_directory=tmp_path, live_fits=False)
    try:
        session.connect().result(60)
        outcome = session.start(MonitorPlan(duration=0.05)).result(60)
        assert outcome.outcome == "complete"
    finally:
        session.close()
    with RunFile.open(outcome.path) as run:
        faults = [event for event in run.events() if event.kind is EventKind.FAULT]
    assert len(faults) == 1
    assert faults[0].payload["device"] == rig.detectors[1].name
    assert "out of its limits (10 … 20 V)" in str(faults[0].payload["message"])


def test_the_status_bar_is_amber_and_says_which():
    status = SessionStatus("LIVE", monitors=("laser power is out of its limits (≥ 1 V)",))
    cell = status_cells(status).state
    assert cell.severity == "warning"
    assert cell.text == "idle · laser power out of limits"
    assert "out of its limits (≥ 1 V)" in cell.tip


def document(**detector: object) -> dict[str, object]:
    from optobind.config.load import read_rig as load

    loaded = load("lab-slm-aom", [])
    source = dict(loaded.source)
    source["detectors"] = [*source["detectors"][:2], {**source["detectors"][2], **detector}]
    return source


def test_a_rig_file_gives_the_limits_with_units():
    detector = rig_from_dict(document(low="400 mV", high="0.6 V"), "test").detectors[2]
    assert (detector.low, detector.high) == (0.4, 0.6)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"low": "0.6 V", "high": "0.4 V"}, r"low = 0.6 V, which is not below high = 0.4 V"),
        ({"low": 0.4}, "low"),
        ({"low": "400 V"}, "low"),
        ({"low": "0.4 V", "role": "out_of_loop", "particle": 0}, 'only role = "monitor"'),
    ],
)
def test_limits_that_make_no_sense_are_refused(wrong, match: str):
    with pytest.raises(InputError, match=match):
        rig_from_dict(document(**wrong), "test")


def test_the_watch_sees_what_a_digitizer_counts():
    watcher, _ = watch(replace(POWER, channel=0))
    floats = SimpleNamespace(data=np.full((100, 3), 0.5, np.float32))
    watcher.see(floats.data, 0)
    assert watcher.out == ()
