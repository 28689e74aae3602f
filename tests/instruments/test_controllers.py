"""Feedback controllers: limits of a rig, rude devices, the lock-in on a scripted server."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from optobind.instruments.contract_base import ContractError
from optobind.instruments.contracts import check_contract
from optobind.instruments.controller_protocol import (
    ControllerCapabilities,
    FeedbackController,
    LoopSetting,
)
from optobind.instruments.controllers.base import CheckedController
from optobind.instruments.controllers.limited import LimitedController, LoopLimits
from optobind.instruments.controllers.zurich import ZurichController
from optobind.instruments.fake_controller import FakeController
from optobind.instruments.fakes import Fault
from optobind.instruments.links.base import LinkError
from optobind.models.errors import DeviceError, InputError

SETTING = LoopSetting(100.0, 0.5, centre=5e4, bandwidth=1e4)


def controller(**options) -> FakeController:
    device = FakeController([SETTING, SETTING], **options)
    device.connect()
    return device


def test_a_fake_is_a_controller():
    assert isinstance(controller(), FeedbackController)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"gain": -1.0}, "gain must lie in"),
        ({"gain": math.nan}, "gain must lie in"),
        ({"gain": 2e6}, "gain must lie in"),
        ({"phase": 100.0}, "phase must lie in"),
        ({"delay": 1e-6}, "set by its phase"),
        ({"centre": 1e12}, "centre must lie in"),
        ({"bandwidth": -1.0}, "bandwidth must lie in"),
    ],
)
def test_settings_out_of_range_are_refused_with_the_loop_and_the_value(change, match):
    with pytest.raises(InputError, match=match) as error:
        controller().check(1, replace(SETTING, **change))
    assert "loop 1" in str(error.value)


def test_a_loop_without_a_line_to_follow_needs_a_centre():
    limits = ControllerCapabilities(loops=1, gain_range=(0.0, 1.0))
    device = FakeController([LoopSetting(0.5, centre=5e4)], capabilities=limits)
    with pytest.raises(InputError, match="needs a centre frequency"):
        device.check(0, LoopSetting(0.5))


def test_the_limit_of_the_rig_is_named_and_nothing_is_sent():
    inner = controller()
    device = LimitedController(inner, LoopLimits(max_gain=150.0))
    assert device.capabilities.gain_range == (0.0, 150.0)
    with pytest.raises(InputError, match=r"more than the rig allows: at most 150 1/s .*max_gain"):
        device.set(0, replace(SETTING, gain=151.0))
    assert inner.history == []


def test_a_gain_rises_no_faster_than_its_slew_and_falls_at_once():
    inner, time = controller(), [0.0]

    def sleep(seconds: float) -> None:
        time[0] += seconds

    device = LimitedController(
        inner, LoopLimits(gain_slew=1000.0), clock=lambda: time[0], sleep=sleep
    )
    device.set(0, replace(SETTING, gain=300.0))
    gains = [setting.gain for _, setting in inner.history]
    assert gains[-1] == 300.0
    assert time[0] == pytest.approx(0.2, rel=0.15)
    assert max(b - a for a, b in zip([100.0, *gains], gains, strict=False)) < 60.0
    inner.history.clear()
    device.set(0, replace(SETTING, gain=1.0))
    assert len(inner.history) == 1


class Rude(CheckedController):
    """A device that rounds, refuses or dies as it is told."""

    _limits = ControllerCapabilities(loops=1, gain_range=(0.0, 10.0), follows=True)

    def __init__(self, takes) -> None:
        super().__init__("rude")
        self.held, self._takes, self.sent = LoopSetting(1.0), takes, []

    def _open(self) -> str:
        return "rude"

    def _read(self, loop):
        return self.held

    def _write(self, loop, setting, now):
        self.sent.append(setting)
        self.held = self._takes(setting)

    def enabled(self, loop):
        return True


def test_a_controller_that_rounds_in_silence_is_found_and_taken_back():
    device = Rude(lambda setting: replace(setting, gain=float(round(setting.gain))))
    device.connect()
    with pytest.raises(DeviceError, match=r"loop 0 holds gain 2, asked for 2.4"):
        device.set(0, LoopSetting(2.4))
    assert device.held == LoopSetting(1.0)


def test_a_controller_that_ignores_what_it_is_told_is_found():
    device = Rude(lambda setting: LoopSetting(1.0))
    device.connect()
    with pytest.raises(DeviceError, match=r"phase 0, asked for 0\.3"):
        device.set(0, LoopSetting(1.0, 0.3))


def test_a_link_that_breaks_leaves_the_controller_faulted():
    def dies(setting):
        raise LinkError("the line is dead")

    device = Rude(dies)
    device.connect()
    with pytest.raises(LinkError, match="rude: the line is dead"):
        device.set(0, LoopSetting(2.0))
    with pytest.raises(DeviceError, match="faulted"):
        device.set(0, LoopSetting(2.0))


class WritesOnConnect(FakeController):
    def connect(self):
        told = super().connect()
        self.set(0, replace(self.read(0), gain=0.5 * self.read(0).gain))
        return told


class Deaf(FakeController):
    def set(self, loop, setting):
        self.check(loop, setting)
        return setting


class SetsBoth(FakeController):
    def set(self, loop, setting):
        super().set(1 - loop, setting)
        return super().set(loop, setting)


@pytest.mark.parametrize(
    ("kind", "promise"),
    [
        (WritesOnConnect, "connecting and disconnecting change no loop"),
        (Deaf, "set returns what is read back"),
        (SetsBoth, "a loop is set by itself"),
    ],
)
def test_the_contract_finds_a_rude_controller(kind, promise):
    device = kind([SETTING, replace(SETTING, gain=50.0)])
    with pytest.raises(ContractError, match=promise):
        check_contract("controller", lambda: device)


def test_a_fault_of_the_script_is_raised():
    device = controller(faults={"set": {0: Fault("timeout")}})
    with pytest.raises(DeviceError, match="did not answer"):
        device.set(0, SETTING)


# -- the lock-in, scripted: nothing here was seen on an instrument ---------------------------


class DataServer:
    """Keeps nodes; knows what a data server's node tree has of them."""

    def __init__(self) -> None:
        self.nodes = {
            "demods/0/oscselect": 0,
            "demods/1/oscselect": 1,
            "demods/0/order": 1,
            "demods/1/order": 2,
            "demods/0/timeconstant": 1e-5,
            "demods/1/timeconstant": 1e-5,
            "demods/0/phaseshift": 90.0,
            "demods/1/phaseshift": -45.0,
            "oscs/0/freq": 54e3,
            "oscs/1/freq": 52e3,
            "auxouts/0/scale": 0.5,
            "auxouts/1/scale": 0.25,
            "auxouts/0/outputselect": 0,
            "auxouts/1/outputselect": -1,
            "auxouts/0/demodselect": 0,
            "auxouts/1/demodselect": 1,
        }
        self.sent: list[str] = []
        self.dead = False

    def _leaf(self, path: str) -> str:
        if self.dead:
            raise RuntimeError("ZIAPIServerException: connection lost")
        assert path.startswith("/dev1234/")
        return path.removeprefix("/dev1234/")

    def connectDevice(self, device, interface):
        assert device == "dev1234"

    def getInt(self, path):
        return int(self.nodes[self._leaf(path)])

    def getDouble(self, path):
        return float(self.nodes[self._leaf(path)])

    def setDouble(self, path, value):
        leaf = self._leaf(path)
        self.sent.append(leaf)
        self.nodes[leaf] = value

    def sync(self):
        self._leaf("/dev1234/")

    def disconnect(self):
        pass


@pytest.fixture
def server(monkeypatch):
    one = DataServer()
    core = SimpleNamespace(ziDAQServer=lambda host, port, level: one)
    monkeypatch.setitem(sys.modules, "zhinst", SimpleNamespace(core=core))
    monkeypatch.setitem(sys.modules, "zhinst.core", core)
    return one


def test_the_lock_in_keeps_the_promises_of_a_controller(server):
    check_contract("controller", lambda: ZurichController("controller", device="DEV1234"))
    assert all(not leaf.startswith("sig") for leaf in server.sent)


def test_the_lock_in_converts_degrees_and_time_constants(server):
    device = ZurichController("controller", device="dev1234")
    device.connect()
    found = device.read(0)
    assert found.phase == pytest.approx(0.5 * math.pi)
    assert found.bandwidth == pytest.approx(1.0 / (2.0 * math.pi * 1e-5))
    assert device.enabled(0)
    assert not device.enabled(1)
    device.set(1, replace(device.read(1), phase=0.1, gain=0.2))
    assert server.nodes["demods/1/phaseshift"] == pytest.approx(math.degrees(0.1))
    assert server.sent[0] == "auxouts/1/scale"  # what falls is sent first


def test_loops_on_one_oscillator_are_refused(server):
    server.nodes["demods/1/oscselect"] = 0
    with pytest.raises(DeviceError, match="share an oscillator"):
        ZurichController("controller", device="dev1234").connect()


def test_a_dead_data_server_is_a_broken_link(server):
    device = ZurichController("controller", device="dev1234")
    device.connect()
    server.dead = True
    with pytest.raises(LinkError, match="check the data server"):
        device.read(0)


def test_a_missing_package_names_the_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "zhinst.core", None)
    with pytest.raises(DeviceError, match=r"pip install optobind\[zurich\]"):
        ZurichController("controller", device="dev1234").connect()
