"""Slow devices: they hold up nothing, and nothing ends their record."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from optobind.acquisition.events import EventKind
from optobind.acquisition.plans import MonitorPlan, ReheatingPlan, SequencePlan, plan_from_dict
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.session import Session
from optobind.acquisition.slots import LogBook
from optobind.acquisition.slow_channels import SlowChannels
from optobind.acquisition.slow_health import Health
from optobind.acquisition.slow_pace import Calm, Pace
from optobind.instruments.catalogue import find_driver
from optobind.instruments.protocols import DeviceState, GaugeReading
from optobind.instruments.rig import DetectorChannel, Rig
from optobind.models.errors import DeviceError, InputError

from ..instruments.gauges.rude_server import RudeServer
from .slow_stand_ins import RealTimeCard, StandInGauge, WatchedGate

pytestmark = pytest.mark.realtime

FAST = {"period": 0.05, "first_wait": 0.05, "longest_wait": 0.2}
LONG = 60.0  # s for what happens at once on an idle machine


def garbled(number: int) -> GaugeReading:
    if number % 3 == 2:
        raise DeviceError("gauge: COM9 answered '~x' to 'PR1', which makes no sense")
    return GaugeReading(1e-4)


Make = Callable[..., Session]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make a session on a real-time card; all are closed, gauges that hang let go."""
    made: list[Session] = []

    def session(gauge: Any, *, connect: bool = True, **pace: float) -> Session:
        detectors = tuple(DetectorChannel(j, f"z{j + 1}", j) for j in range(2))
        rig = Rig("table", "LIVE", RealTimeCard(), detectors, gate=WatchedGate(), gauge=gauge)
        asked = Pace(**{**FAST, **pace})
        new = Session(rig, run_directory=tmp_path, live_fits=False, slow_pace=asked)
        made.append(new)
        if connect:
            new.connect().result(LONG)
        return new

    yield session
    for one in made:
        if isinstance(one.rig.gauge, StandInGauge):
            one.rig.gauge.let_go.set()
        one.close()


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def record(path: Path) -> tuple[list[Any], list[Any]]:
    """Faults and slow readings of a run file."""
    with RunFile.open(path) as run:
        return [e for e in run.events() if e.kind is EventKind.FAULT], run.slow()


def log(session: Session) -> list[str]:
    return [f"{line.text} ×{line.count}" for line in session.take_log()]


# -- releases --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "free", "repetitions"), [(0.3, 10e-3, 150), (1.0, 10e-3, 150), (1.0, 1e-3, 1000)]
)
def test_a_slow_gauge_makes_no_release_longer_and_is_not_asked_within_one(
    make, seconds, free, repetitions
):
    gauge = StandInGauge(seconds)
    session = make(gauge, period=0.01)
    gate = session.rig.gate
    gauge.watch, gauge.watched = lambda: not gate.closed, 0
    gauge.count = lambda: gate.switches
    plan = ReheatingPlan(repetitions=repetitions, cool_time=free, release_time=free)
    outcome = session.start(plan).result(LONG)
    with RunFile.open(outcome.path) as run:
        releases, events, readings = run.releases(), run.events(), run.slow()
    starts = [e.sample for e in events if e.kind is EventKind.RELEASE]
    ends = [e.sample for e in events if e.kind is EventKind.RECAPTURE]
    lengths = [(b - a) / 1e5 for a, b in zip(starts, ends, strict=True)]
    assert len(lengths) >= repetitions
    if free > 1e-3:  # a busy disk may cost the recorder samples of the short ones
        assert (outcome.outcome, outcome.gaps) == ("complete", 0)
        assert len(releases) == repetitions
    assert all(release.samples == round(free * 1e5) for release in releases)
    # Whoever waits for the gauge sees it answer between two releases only, not beside them.
    assert sorted(lengths)[repetitions // 2] < 0.5 * seconds
    assert max(gauge.beside) >= 2
    assert gauge.watched == 0
    assert "runner" not in gauge.threads
    assert len(readings) >= 2
    assert [r.sample for r in readings] == sorted(r.sample for r in readings)


def test_a_reading_stands_at_the_sample_at_which_it_came(make):
    values = [1e-4, 2e-4, 3e-4, 4e-4]
    session = make(StandInGauge(0.1, lambda n: GaugeReading(values[n % 4])), period=0.2)
    outcome = session.start(MonitorPlan(duration=1.5)).result(LONG)
    with RunFile.open(outcome.path) as run:
        readings, begin = run.slow(), run.events()[0].host_time
    assert readings[0].sample == 0  # what was known as the run began
    assert readings[0].host_time < begin + 0.2
    later = [r for r in readings if r.sample > 0]
    assert len(later) >= 3
    for reading in later:
        assert reading.sample / 1e5 == pytest.approx(reading.host_time - begin, abs=0.25)


def test_questions_wait_for_short_releases_only():
    calm, stop = Calm(), threading.Event()
    calm.wait(stop)
    calm.hold()
    calm._held -= 3.0  # a release that has lasted for 3 s
    waiting = threading.Thread(target=calm.wait, args=(stop,))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    calm._held -= 3.0
    waiting.join(LONG)
    assert not waiting.is_alive()
    calm.hold()
    calm.let_go()
    calm.wait(stop)


# -- bad answers -----------------------------------------------------------------------------------


def test_garbled_answers_end_no_record_and_fill_no_log(make):
    session = make(StandInGauge(0.0, garbled), period=0.02)
    outcome = session.start(MonitorPlan(duration=2.0)).result(LONG)
    faults, readings = record(outcome.path)
    assert len(readings) >= 15
    assert all(r.value == 1e-4 for r in readings)
    assert [f.payload["returned"] for f in faults] in ([False, True], [False])
    assert faults[0].payload["device"] == "gauge"
    assert "makes no sense" in faults[0].payload["message"]
    assert sum("makes no sense" in line for line in log(session)) <= 2
    (line,) = session.slow_summary()
    assert "readings failed" in line


def test_a_gauge_that_is_dead_for_a_while_comes_back_in_the_same_run(make):
    dead = threading.Event()

    def answer(_: int) -> GaugeReading:
        if dead.is_set():
            gauge.state = DeviceState.FAULTED
            raise DeviceError("gauge: COM9 did not answer in time")
        return GaugeReading(1e-4)

    gauge = StandInGauge(0.0, answer)
    session = make(gauge)
    future = session.start(MonitorPlan(duration=None))
    wait_until(lambda: session.status().recorded > 10_000)
    dead.set()
    wait_until(lambda: session.status().pressure is None)
    connects = gauge.connects
    wait_until(lambda: gauge.connects >= connects + 3)
    (row,) = [d for d in session.status().devices if d.family == "gauge"]
    assert row.state is DeviceState.FAULTED
    assert "did not answer" in row.detail
    dead.clear()
    wait_until(lambda: session.status().pressure == 1e-4)
    session.stop_after_repetition()
    outcome = future.result(LONG)
    faults, readings = record(outcome.path)
    assert [f.payload["returned"] for f in faults] == [False, True]
    onset, back = (f.sample for f in faults)
    assert 0 < onset < back
    assert any(r.sample < onset for r in readings)
    assert any(r.sample >= back for r in readings)
    lines = log(session)
    assert sum("did not answer in time" in line for line in lines) == 1
    assert sum("gauge answers again after" in line for line in lines) == 1
    assert session.slow_summary()[0].startswith("gauge: ")


def test_whatever_a_driver_raises_it_is_asked_again(make):
    def answer(number: int) -> GaugeReading:
        if number == 1:
            raise OSError("a bug of the driver")
        return GaugeReading(1e-4)

    gauge = StandInGauge(0.0, answer)
    session = make(gauge)
    wait_until(lambda: gauge.reads >= 4)
    assert session.status().pressure == 1e-4
    assert any("gauge: internal error: OSError" in line for line in log(session))


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (math.nan, "not a number"),
        (0.0, "under range"),
        (-1e-5, "under range"),
        (1.3e12, "over range"),
        (math.inf, "over range"),
    ],
)
def test_a_number_that_is_no_pressure_is_recorded_as_none(make, value, status):
    session = make(StandInGauge(0.0, lambda _: GaugeReading(value)))
    outcome = session.start(MonitorPlan(duration=0.5)).result(LONG)
    faults, readings = record(outcome.path)
    assert faults == []
    assert readings
    assert all(math.isnan(r.value) and r.status == status for r in readings)
    assert session.status().pressure is None
    assert any(f"gauge gives no pressure: {status}" in line for line in log(session))
    assert f"readings without a value: {status}" in session.slow_summary()[0]


def test_faults_that_come_back_at_once_are_told_once_and_lasting_ones_again():
    health = Health("gauge")
    told = []
    for second in range(50):
        told.append(health.bad(float(second), "gauge: garbled"))
        told.append(health.good(second + 0.5, "ok"))
    assert sum(text is not None for text in told) == 2
    assert "50 of 100 readings failed" in health.summary()[0]
    again = [health.bad(55.0, "gauge: dead") for _ in range(5)]
    assert [text is not None for text in again] == [False, False, True, False, False]
    assert health.good(57.0, "ok") == "gauge answers again after 2 s"
    assert health.begin() is None
    assert health.summary() == []


@pytest.mark.parametrize("dialect", ["pfeiffer-tpg", "mks-937b", "agilent-xgs600"])
def test_real_drivers_go_on_over_a_line_that_is_slow_garbled_and_dead_for_a_while(make, dialect):
    with RudeServer(dialect, latency=0.05, garble=23) as server:
        gauge = find_driver("gauge", dialect).load()("gauge", server.visa_address, timeout=0.5)
        session = make(gauge, period=0.01)
        plan = ReheatingPlan(repetitions=100_000, cool_time=10e-3, release_time=10e-3)
        future = session.start(plan)
        wait_until(lambda: session.status().pressure is not None and server.messages > 60)
        server.dead.set()
        wait_until(lambda: session.status().pressure is None)
        server.dead.clear()
        server.garble = 0
        wait_until(lambda: session.status().pressure is not None)
        session.stop_after_repetition()
        outcome = future.result(LONG)
        session.close()
    faults, readings = record(outcome.path)
    assert outcome.outcome == "stopped"
    assert len(readings) >= 4
    assert all(r.value == pytest.approx(1.25e-4, rel=1e-3) for r in readings)
    assert faults[0].payload["returned"] is False
    assert len(faults) <= 5
    assert "readings failed" in session.slow_summary()[0]


# -- missing gauges --------------------------------------------------------------------------------


def test_a_missing_gauge_refuses_neither_connecting_nor_a_run_and_is_taken_when_it_comes(make):
    gauge = StandInGauge(missing=True)
    session = make(gauge)
    (row,) = [d for d in session.status().devices if d.family == "gauge"]
    assert row.state is DeviceState.FAULTED
    assert "COM9 cannot be opened" in row.detail
    assert session.slow_troubles() == [row.detail]
    assert any("COM9 cannot be opened" in line for line in log(session))
    outcome = session.start(MonitorPlan(duration=0.3)).result(LONG)
    assert outcome.outcome == "complete"
    faults, readings = record(outcome.path)
    assert faults[0].payload["returned"] is False
    assert faults[0].sample == 0
    assert readings == []
    assert "to the end" in session.slow_summary()[0]
    gauge.missing = False
    wait_until(lambda: session.status().pressure == 1e-4)
    (row,) = [d for d in session.status().devices if d.family == "gauge"]
    assert row.state is DeviceState.READY


NEEDY = MonitorPlan(duration=0.1, require_gauge=True)


@pytest.mark.parametrize("plan", [NEEDY, SequencePlan((MonitorPlan(0.1), NEEDY))])
def test_a_plan_that_needs_the_pressure_is_refused_without_one(make, tmp_path, plan):
    session = make(StandInGauge(missing=True))
    with pytest.raises(
        DeviceError, match=r"needs the pressure, which gauge does not give .*COM9.*require_gauge"
    ):
        session.start(plan).result(LONG)
    session = make(StandInGauge(0.0, lambda _: GaugeReading(None, status="sensor off")))
    with pytest.raises(DeviceError, match=r"its status is 'sensor off'"):
        session.start(plan).result(LONG)
    session = make(None)
    with pytest.raises(InputError, match=r"needs a gauge, and rig table has none"):
        session.start(plan).result(LONG)
    assert list(tmp_path.iterdir()) == []
    assert plan_from_dict({"kind": "monitor", "require_gauge": True}).require_gauge


def test_a_plan_that_needs_the_pressure_waits_for_a_gauge_that_is_only_slow(make):
    session = make(StandInGauge(2.0))
    outcome = session.start(NEEDY).result(LONG)
    _, readings = record(outcome.path)
    assert readings[0].value == 1e-4


def test_waiting_for_the_pressure_can_be_ended(make):
    gauge = StandInGauge()
    gauge.hang = True
    session = make(gauge)
    future = session.start(NEEDY)
    assert gauge.hanging.wait(LONG)
    session.stop_after_repetition()
    assert future.result(8.0).outcome == "stopped"  # less than it would wait for the gauge


def test_a_run_that_ends_before_the_gauge_has_answered_says_so(make):
    gauge = StandInGauge()
    gauge.hang = True
    session = make(gauge)
    assert session.slow_summary() == []  # no run yet
    session.start(MonitorPlan(duration=0.1)).result(LONG)
    assert session.slow_summary() == ["gauge: no reading, it did not answer before the end"]


def test_nobody_but_its_thread_brings_a_gauge_back(make):
    gauge = StandInGauge(missing=True)
    session = make(gauge)
    wait_until(lambda: gauge.connects >= 5)
    assert gauge.threads == {"slow gauge"}
    assert session._runner._bench.devices._supervisor.poll() == []


# -- gauges that hang ------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["close", "disconnect", "run"])
def test_a_gauge_that_hangs_delays_no_end(make, ending):
    gauge = StandInGauge()
    session = make(gauge)
    gauge.hang = True
    assert gauge.hanging.wait(LONG)
    began = time.monotonic()
    if ending == "run":
        assert session.start(MonitorPlan(duration=0.2)).result(LONG).outcome == "complete"
    elif ending == "disconnect":
        session.disconnect().result(LONG)
    session.close()
    assert time.monotonic() - began < 90.0  # it would hang for 120 s
    assert session.rig.digitizer.state is DeviceState.DISCONNECTED
    assert any("gauge hangs: it is left to itself" in line for line in log(session))


def test_a_gauge_that_hangs_is_told_cut_off_and_asked_again(make):
    gauge = StandInGauge(wakes=True)
    session = make(gauge, late=0.2, hung=0.5)
    gauge.hang = True
    assert gauge.hanging.wait(LONG)
    wait_until(lambda: any("has not answered for 0.2 s" in line for line in log(session)))
    gauge.hang = False
    wait_until(lambda: session.status().pressure == 1e-4)


def test_a_gauge_that_hangs_is_never_asked_by_two_threads(make):
    gauge = StandInGauge()
    session = make(gauge)
    gauge.hang = True
    assert gauge.hanging.wait(LONG)
    session.disconnect().result(LONG)
    session.connect().result(LONG)
    reads = gauge.reads
    time.sleep(0.3)
    assert (gauge.reads, gauge.overlaps) == (reads, 0)
    gauge.hang = False
    gauge.let_go.set()
    wait_until(lambda: session.status().pressure == 1e-4)
    assert gauge.overlaps == 0


def test_closing_twice_and_without_a_gauge_is_quiet():
    rig = Rig("table", "LIVE", RealTimeCard(), ())
    slow = SlowChannels(rig, LogBook())
    slow.open()
    slow.settle(0.0)
    slow.close()
    slow.close()
    assert (slow.pressure, slow.take(), slow.summary()) == (None, [], [])
