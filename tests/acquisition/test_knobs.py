"""Knobs of the rig: what is sent to them, when, how fast, and what happens if they do not obey."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from optobind.acquisition.knob_actuator import KnobActuator, MoveCalledOffError
from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.session import Session
from optobind.acquisition.slots import LogBook
from optobind.acquisition.slow_channel import SlowChannel
from optobind.acquisition.slow_pace import Calm, Pace
from optobind.acquisition.slow_sensor import NamedSensor
from optobind.instruments.fake_knobs import FakeKnob, FakeSensor
from optobind.instruments.fakes import Fault
from optobind.instruments.knob_protocol import KnobLimits, SensorLimits
from optobind.instruments.protocols import DeviceState
from optobind.instruments.rig import DetectorChannel, Rig
from optobind.models.errors import DeviceError, InputError
from optobind.models.unit_scale import unit_scale

from .slow_stand_ins import RealTimeCard

LONG = 60.0  # s for what happens at once on an idle machine
MILLIWATTS = unit_scale("mW")


def limits(**more: float) -> KnobLimits:
    return KnobLimits(
        MILLIWATTS, 0.0, 0.3, **{"tolerance": 1e-3, "settle": 0.1, "timeout": LONG, **more}
    )


class Knob(FakeKnob):
    """Notes when and in which thread it was set; with ``hang`` a setting does not end."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.times: list[float] = []
        self.threads: set[str] = set()
        self.hang, self.hanging, self.let_go = False, threading.Event(), threading.Event()

    def set_value(self, value: float) -> None:
        if self.hang:
            self.hanging.set()
            self.let_go.wait(120.0)
            raise TimeoutError("VI_ERROR_TMO")
        super().set_value(value)
        self.times.append(time.monotonic())
        self.threads.add(threading.current_thread().name)


class Bench:
    """A knob with its thread."""

    def __init__(self, device: FakeKnob, **more: Any) -> None:
        self.device, self.mail, self.calm, self.log = device, list[Any](), Calm(), LogBook()
        pace = Pace(period=0.05, first_wait=0.05, longest_wait=0.2)
        sensor = NamedSensor(device, "laser")
        self.channel = SlowChannel(sensor, self.mail.append, self.log, self.calm, pace)
        self.actuator = KnobActuator("laser", device, self.channel, **more)
        self.channel.open()
        assert self.channel.settle(LONG)

    def move(self, value: float, ended: Callable[[], bool] = lambda: False) -> float:
        return self.actuator.move(value, ended)


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(device: FakeKnob, **more: Any) -> Bench:
        made.append(Bench(device, **more))
        return made[-1]

    yield make
    for one in made:
        if isinstance(one.device, Knob):
            one.device.let_go.set()
        one.channel.close()


def test_move_sets_the_value_in_the_thread_of_the_device_and_returns_what_it_reads(bench):
    device = Knob(limits(), 0.1, astray=4e-4)
    assert bench(device).move(0.2) == pytest.approx(0.2004)
    assert device.history[1:] == [0.2]
    assert device.threads == {"slow knob fake"}


@pytest.mark.parametrize("value", [0.31, -1e-6, math.nan, math.inf])
def test_value_out_of_range_is_refused_before_anything_is_sent(bench, value):
    device = Knob(limits(), 0.1)
    one = bench(device)
    for act in (one.move, one.actuator.check):
        with pytest.raises(InputError, match=r"laser must lie in 0 W … 300 mW, got"):
            act(value)
    assert device.history == [0.1]


def test_ramp_keeps_its_slew_and_ends_at_the_goal(bench):
    device = Knob(limits(slew=0.2), 0.1)
    assert bench(device).move(0.2) == 0.2
    assert len(device.times) >= 3
    steps = zip(device.times, device.history[1:], strict=True)
    for (began, a), (ended, b) in itertools.pairwise(steps):
        assert b - a <= 0.2 * (ended - began + 0.05)
    assert device.history == sorted(device.history)
    assert device.history[-1] == 0.2


def test_nothing_is_waited_for_against_a_virtual_clock(bench):
    device = Knob(limits(slew=1e-6), 0.1)  # a day
    assert bench(device, hurried=lambda: True).move(0.2) == 0.2
    assert device.history == [0.1, 0.2]


def test_read_back_beyond_the_tolerance_names_knob_wish_and_reading(bench):
    device = Knob(limits(), 0.1, astray=-0.02)
    with pytest.raises(DeviceError, match=r"laser was set to 200 mW and reads 180 mW, more than"):
        bench(device).move(0.2)


def test_read_back_may_take_its_time(bench):
    device = Knob(limits(settle=LONG), 0.1, astray=-0.02)
    one = bench(device)
    threading.Timer(0.2, lambda: setattr(device, "astray", 0.0)).start()
    assert one.move(0.2) == 0.2


def test_knob_that_stands_out_of_its_range_is_not_moved(bench):
    device = Knob(limits(), 0.5)
    with pytest.raises(DeviceError, match="reads 500 mW, out of its range 0 W … 300 mW"):
        bench(device).move(0.2)
    assert device.history == [0.5]


def test_failure_while_setting_tells_what_is_read_then(bench):
    device = Knob(limits(), 0.1, faults={"set_value": {0: Fault("timeout")}})
    with pytest.raises(DeviceError, match=r"did not answer in time.*; it reads 100 mW"):
        bench(device).move(0.2)


def test_foreign_exception_while_setting_is_one_line_of_the_knob(bench):
    class Rude(Knob):
        def set_value(self, value: float) -> None:
            raise SystemExit("bye\nbye")

    with pytest.raises(DeviceError, match="knob fake") as caught:
        bench(Rude(limits(), 0.1)).move(0.2)
    assert "\n" not in str(caught.value)


def test_hanging_knob_is_waited_for_no_longer_than_its_timeout(bench):
    device = Knob(limits(timeout=0.2), 0.1)
    device.hang = True
    with pytest.raises(DeviceError, match=r"did not answer within 0\.2 s.*is not known"):
        bench(device).move(0.2)
    assert device.history == [0.1]


def test_step_that_waits_behind_a_hanging_one_is_never_sent(bench):
    device = Knob(limits(timeout=0.2), 0.1)
    device.hang = True
    one = bench(device)
    for _ in range(2):
        with pytest.raises(DeviceError):
            one.move(0.2)
    device.hang = False
    device.let_go.set()
    assert one.channel.ask(lambda: 7).result(LONG) == 7  # behind all that was asked for before
    assert device.history == [0.1]


def test_move_can_be_called_off_while_the_knob_hangs(bench):
    device = Knob(limits(), 0.1)
    device.hang = True
    with pytest.raises(MoveCalledOffError, match="called off"):
        bench(device).move(0.2, device.hanging.is_set)


def test_ramp_that_is_called_off_stays_where_it_is(bench):
    device = Knob(limits(slew=0.01), 0.1)
    with pytest.raises(MoveCalledOffError):
        bench(device).move(0.3, lambda: len(device.times) > 1)
    assert 0.1 < device.history[-1] < 0.2


def test_nothing_is_set_within_a_release(bench):
    device = Knob(limits(), 0.1)
    one = bench(device)
    one.calm.hold()
    asked = one.channel.ask(lambda: device.set_value(0.2))
    assert not asked.done()
    one.calm.let_go()
    asked.result(LONG)
    assert device.history == [0.1, 0.2]


def test_knob_is_held_by_a_run(bench):
    device = Knob(limits(), 0.1)
    with pytest.raises(InputError, match="laser is held by run 3: stop that run first"):
        bench(device, held_by=lambda: "run 3").move(0.2)
    assert device.history == [0.1]


def test_knob_that_is_away_says_so_and_comes_back(bench):
    device = Knob(limits(), 0.1, faults={"read_value": {1: Fault("disconnect")}})
    one = bench(device)
    until = time.monotonic() + LONG
    while True:
        try:
            assert one.move(0.2) == 0.2
            break
        except DeviceError:
            assert time.monotonic() < until
    assert device.state is DeviceState.READY


def test_closed_channel_answers_what_was_asked_for(bench):
    one = bench(Knob(limits(), 0.1))
    one.channel.close()
    with pytest.raises(DeviceError, match="is not connected"):
        one.move(0.2)


# -- in a session ---------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Callable[..., Session]]:
    made: list[Session] = []

    def make(knobs: dict[str, Any], sensors: dict[str, Any]) -> Session:
        detectors = tuple(DetectorChannel(j, f"z{j + 1}", j) for j in range(2))
        rig = Rig("table", "LIVE", RealTimeCard(), detectors, knobs=knobs, sensors=sensors)
        pace = Pace(period=0.02, first_wait=0.05, longest_wait=0.2)
        made.append(Session(rig, run_directory=tmp_path, live_fits=False, slow_pace=pace))
        made[-1].connect().result(LONG)
        return made[-1]

    yield make
    for session in made:
        for knob in session.rig.knobs.values():
            knob.let_go.set()  # type: ignore[attr-defined]
        session.close()


KELVIN = SensorLimits(unit_scale("degC"), 273.15, 373.15)


def test_knobs_and_sensors_are_recorded_under_their_names(table):
    sensor = FakeSensor(KELVIN, [293.0, 500.0, 294.0], name="sensor room")
    session = table({"laser": Knob(limits(), 0.1, name="knob laser")}, {"room": sensor})
    run = session.start(MonitorPlan(0.3)).result(LONG)
    with RunFile.open(run.path) as file:
        found = file.slow()
    assert {(r.name, r.unit) for r in found} == {("laser", "W"), ("room", "K")}
    assert {r.value for r in found if r.name == "laser"} == {0.1}
    assert all(math.isnan(r.value) == (r.status != "ok") for r in found)
    assert not {500.0} & {r.value for r in found}


def test_knob_is_not_turned_while_a_run_is_under_way(table):
    knob = Knob(limits(), 0.1, name="knob laser")
    session = table({"laser": knob}, {})
    future = session.start(MonitorPlan(None))
    while session.status().held_by is None:
        time.sleep(0.005)
    with pytest.raises(InputError, match="held by run"):
        session.actuators()["laser"].move(0.2, lambda: False)
    session.stop_after_repetition()
    future.result(LONG)
    assert session.actuators()["laser"].move(0.2, lambda: False) == 0.2


def test_knob_that_hangs_ends_neither_a_run_nor_the_session_late(table):
    knob = Knob(limits(timeout=0.2), 0.1, name="knob laser")
    session = table({"laser": knob}, {})
    knob.hang = True
    with pytest.raises(DeviceError, match="did not answer"):
        session.actuators()["laser"].move(0.2, lambda: False)
    outcome = session.start(MonitorPlan(0.1)).result(LONG)
    assert outcome.outcome == "complete"
    session.close()
    assert not knob.let_go.is_set()  # it hangs still: nobody waited for it
    assert knob.history == [0.1]


def test_knobs_are_left_as_they_are_by_connecting_and_disconnecting(table):
    knob = Knob(limits(), 0.1, name="knob laser")
    session = table({"laser": knob}, {})
    session.disconnect().result(LONG)
    session.connect().result(LONG)
    session.close()
    assert knob.history == [0.1]


def test_sensor_with_limits_says_when_a_sweep_has_to_wait(table):
    watched = SensorLimits(unit_scale("degC"), 273.15, 373.15, wait_above=300.0)
    hot = FakeSensor(watched, [303.0], name="sensor hot")
    cold = FakeSensor(watched, [293.0], name="sensor cold")
    broken = FakeSensor(watched, [500.0], name="sensor broken")
    unwatched = FakeSensor(KELVIN, [500.0], name="sensor other")
    session = table({}, {"hot": hot, "cold": cold, "broken": broken, "other": unwatched})
    session.refresh_readings()
    assert session.sensors_out() == [
        "hot reads 303 K, at most 300 K is allowed",
        "broken has no reading: over range",
    ]


def test_after_a_knob_was_turned_a_run_begins_with_new_readings(table):
    knob = Knob(limits(), 0.1, name="knob laser")

    class Follows(FakeSensor):
        def read_value(self) -> float:
            super().read_value()
            return 1e3 * knob.history[-1]

    session = table({"laser": knob}, {"after": Follows(KELVIN, [0.0], name="sensor after")})
    session.actuators()["laser"].move(0.3, lambda: False)
    session.refresh_readings()
    run = session.start(MonitorPlan(0.05)).result(LONG)
    with RunFile.open(run.path) as file:
        values = {(r.name, r.value) for r in file.slow()}
    assert values == {("laser", 0.3), ("after", 300.0)}
