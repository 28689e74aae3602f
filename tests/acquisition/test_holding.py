"""A sweep waits while its conditions are not given, says so, and ends when that lasts too long."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.suspenders import SuspendRules
from optobind.acquisition.sweeps.holding import Holding, TimeIsOver
from optobind.instruments.protocols import DigitizerInfo


class Experiment:
    """A session that shows what a test says, one picture a look."""

    def __init__(self, pressures, monitors=(), sensors=()):
        self.sensors = list(sensors)
        info = DigitizerInfo(1e6, ("a", "b"), (1.0, 1.0))
        self.rig = SimpleNamespace(digitizer=SimpleNamespace(info=info))
        self.pressures, self.monitors, self.looks = list(pressures), monitors, 0

    def status(self):
        self.looks += 1
        left = self.pressures
        pressure = left.pop(0) if len(left) > 1 else left[0]
        return SimpleNamespace(
            pressure=pressure, monitors=self.monitors, saturated=False, streaming=False
        )

    def slow_troubles(self):
        return ["gauge: no answer for 10 s"]

    def sensors_out(self):
        return self.sensors.pop(0) if self.sensors else []


class Told:
    def __init__(self):
        self.events = []

    def tell(self, event, text, **more):
        self.events.append((event, text))


def holding(session, tmp_path, written, told=None, **rules):
    rules = SuspendRules(**{"quiet": 0.0, "disk_free": 0.0, **rules})

    def write(event, **values):
        written.append((event, values))

    plan = MonitorPlan(0.1)
    return Holding(session, rules, plan, tmp_path, write, told or Told())


def no_rest(seconds, message):
    pass


def test_nothing_is_waited_for_while_all_is_well(tmp_path):
    written = []
    found = holding(Experiment([1e-6]), tmp_path, written, pressure_high=1e-5)
    found.wait(lambda *_: pytest.fail("it waited"), running=False)
    assert written == []


def test_it_waits_until_the_pressure_is_back_and_tells_both(tmp_path):
    written, told, said = [], Told(), []
    session = Experiment([3e-5, 2e-5, None, 1.5e-5, 5e-6])
    found = holding(session, tmp_path, written, told, pressure_high=1e-5)
    found.wait(lambda seconds, message: said.append(message), running=False)
    assert [event for event, _ in written] == ["suspended", "continued"]
    assert "30 µPa, at most 10 µPa" in written[0][1]["reason"]
    assert [event for event, _ in told.events] == ["suspended", "continued"]
    assert any("gauge: no answer" in message for message in said)
    assert session.looks == 5


def test_what_is_well_for_a_moment_only_does_not_count(tmp_path, monkeypatch):
    from optobind.acquisition.sweeps import holding as module

    clock = iter(range(1000))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    written, session = [], Experiment([3e-5, 1e-6, 3e-5, 1e-6])
    found = holding(session, tmp_path, written, pressure_high=1e-5, quiet=3.0, timeout=500.0)
    found.wait(no_rest, running=False)
    assert written[-1][0] == "continued"
    assert session.looks >= 3 + 4


def test_it_gives_up_in_the_end_and_says_why(tmp_path, monkeypatch):
    from optobind.acquisition.sweeps import holding as module

    clock = iter(range(0, 100_000, 10))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    found = holding(Experiment([3e-5]), tmp_path, [], pressure_high=1e-5, timeout=60.0)
    with pytest.raises(TimeIsOver, match=r"30 µPa, at most 10 µPa .*longer than 60 s"):
        found.wait(no_rest, running=True)


def test_a_disk_that_is_nearly_full_holds_the_next_point_and_no_run(tmp_path, monkeypatch):
    from optobind.acquisition.sweeps import holding as module

    monkeypatch.setattr(module, "free_at", lambda folder: 1_000_000)
    found = holding(Experiment([1e-6]), tmp_path, [], disk_free=5e6)
    (said,) = found.now(running=False)
    assert "1 MB are free on the disk" in said
    assert found.now(running=True) == ()


def test_a_monitor_out_of_its_limits_is_waited_for_unless_told_otherwise(tmp_path):
    session = Experiment([1e-6], monitors=("laser is out of its limits (1 … 2 V)",))
    assert holding(session, tmp_path, []).now(running=True) == session.monitors
    assert holding(session, tmp_path, [], monitors=False).now(running=True) == ()


@pytest.mark.parametrize("monitors", [True, False])
def test_sensor_beyond_its_limits_is_waited_for_unless_monitors_are_not_watched(tmp_path, monitors):
    hot = "room reads 303 K, at most 300 K is allowed"
    written = []
    session = Experiment([1e-6], sensors=[[hot], [hot]])
    holding(session, tmp_path, written, monitors=monitors).wait(no_rest, running=False)
    waited = [values["reason"] for event, values in written if event == "suspended"]
    assert waited == ([hot] if monitors else [])
