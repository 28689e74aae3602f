"""Loops set by a session: guarded, told with their sample, recorded, and backed off from."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from optobind.acquisition.events import EventKind
from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.session import Session
from optobind.acquisition.tuning.probe import ProbeRequest
from optobind.config.build import build_rig
from optobind.config.load import read_rig
from optobind.instruments.controller_protocol import LoopSetting
from optobind.instruments.fake_controller import FakeController
from optobind.instruments.fakes import Fault
from optobind.models.errors import DeviceError, InputError, UnstableModelError

KNOWN = (
    "devices.controller.phase_offset=[0]",
    "devices.controller.gain_error=[0]",
    'devices.gate.damping="1 kHz"',
)


def opened(tmp_path, *settings, name="simulated-feedback", controller=None, known=KNOWN):
    rig = build_rig(read_rig(name, [*known, *settings]), watched=False)
    if controller is not None:
        rig = replace(rig, controller=controller)
    session = Session(rig, run_directory=tmp_path, live_fits=False, block_seconds=0.001)
    session.connect().result()
    return session


@pytest.fixture
def session(tmp_path):
    one = opened(tmp_path)
    yield one
    one.close()


def test_a_loop_is_set_read_back_told_and_shown(session):
    before = session.status().loops[1]
    wanted = replace(before, gain=9000.0, phase=0.2)
    session.take_events()
    assert session.set_loop(1, wanted).result() == wanted
    assert session.status().loops == (session.status().loops[0], wanted)
    (event,) = [e for e in session.take_events() if e.kind is EventKind.LOOP]
    assert event.payload["particle"] == 1
    assert event.payload["gain"] == 9000.0
    assert event.payload["gain_unit"] == "1/s"
    assert session.status().feedback is True


def test_a_loop_that_would_grow_is_refused_unless_allowed(session):
    wrong = replace(session.status().loops[0], phase=math.pi)
    with pytest.raises(UnstableModelError, match=r"loop 1 stays as it is: lower its gain"):
        session.set_loop(0, wrong).result()
    assert session.status().loops[0].phase == 0.0
    assert session.status().growth_rate < 0.0
    assert session.set_loop(0, wrong, allow_growth=True).result() == wrong
    assert session.status().growth_rate > 1000.0


def test_limits_and_unknown_loops_are_refused_before_anything_is_sent(session):
    setting = session.status().loops[0]
    with pytest.raises(InputError, match=r"more than the rig allows|must lie in"):
        session.set_loop(0, replace(setting, gain=1e7)).result()
    with pytest.raises(InputError, match="loops 0 … 1, got 4"):
        session.set_loop(4, setting).result()
    assert session.status().loops[0] == setting


def test_a_rig_without_a_controller_says_so(tmp_path):
    session = opened(tmp_path, name="simulated-pair", known=())
    try:
        assert session.status().loops == ()
        with pytest.raises(InputError, match="has no feedback controller: add"):
            session.set_loop(0, LoopSetting(1.0)).result()
    finally:
        session.close()


def test_a_run_records_how_the_loops_were_set_and_holds_them(session, tmp_path):
    wanted = replace(session.status().loops[0], gain=9000.0)
    session.set_loop(0, wanted).result()
    outcome = session.start(MonitorPlan(duration=0.02), tmp_path / "run.h5").result()
    assert outcome.outcome == "complete"
    with RunFile.open(outcome.path) as run:
        loops = [e for e in run.events() if e.kind is EventKind.LOOP]
    assert [e.payload["particle"] for e in loops] == [0, 1]
    assert loops[0].payload["gain"] == 9000.0
    assert loops[0].sample == 0


def test_after_a_failure_the_loop_is_read_back(tmp_path):
    settings = [LoopSetting(100.0), LoopSetting(200.0)]
    fake = FakeController(settings, faults={"set": {0: Fault("timeout")}})
    session = opened(tmp_path, controller=fake)
    try:
        with pytest.raises(DeviceError, match="did not answer"):
            session.set_loop(0, LoopSetting(50.0)).result()
        assert session.status().loops == tuple(settings)
        assert any("loop 1 was not set" in entry.text for entry in session.take_log())
        assert session.status().feedback is True
    finally:
        session.close()


def test_loops_that_cannot_be_read_back_are_not_known(tmp_path):
    fake = FakeController(
        [LoopSetting(100.0)] * 2,
        faults={"set": {0: Fault("disconnect")}},
    )
    session = opened(tmp_path, controller=fake)
    try:
        with pytest.raises(DeviceError, match="was disconnected"):
            session.set_loop(0, LoopSetting(50.0)).result()
        assert session.status().loops == ()
    finally:
        session.close()


def request(session, setting, **options):
    values = {
        "back": session.status().loops[0],
        "columns": (0, 1),
        "seconds": 0.01,
        "ceilings": (1.0, 1.0),
        **options,
    }
    return ProbeRequest(0, setting, **values)


def test_a_probe_brings_the_samples_and_goes_back(session):
    start = session.status().loops[0]
    wanted = replace(start, gain=9000.0)
    probe = session.probe_loop(request(session, wanted)).result()
    assert probe.volts.shape == (20_000, 2)
    assert not probe.trouble
    assert session.status().loops[0] == start
    session.probe_loop(request(session, wanted, stay=True)).result()
    assert session.status().loops[0] == wanted


def test_a_probe_that_heats_is_given_up_at_once(session):
    start = session.status().loops[0]
    wrong = replace(start, gain=4000.0, phase=math.pi)
    with pytest.raises(UnstableModelError):
        session.probe_loop(request(session, wrong)).result()
    asked = request(session, wrong, seconds=10.0, ceilings=(0.01, 1.0), allow_growth=True)
    probe = session.probe_loop(asked).result()
    assert "grows" in probe.trouble
    assert probe.column == 0
    assert len(probe.volts) < 40_000
    assert session.status().loops[0] == start
    assert not session.status().lost
    assert not any(session.rig.world.lost)


def test_a_probe_that_is_asked_to_end_ends_at_a_block(session):
    start, asked = session.status().loops[0], []
    wanted = replace(start, gain=9000.0)
    probe = session.probe_loop(
        request(session, wanted, seconds=100.0, stay=True),
        lambda: bool(asked.append(None) or len(asked) > 5),
    ).result()
    assert probe.trouble == "ended on request"
    assert len(probe.volts) < 20_000
    assert session.status().loops[0] == start


def test_a_controller_that_dies_in_a_probe_is_told(tmp_path):
    fake = FakeController([LoopSetting(100.0)] * 2, faults={"set": {1: Fault("timeout")}})
    session = opened(tmp_path, controller=fake)
    try:
        asked = request(session, LoopSetting(50.0))
        with pytest.raises(DeviceError, match="did not answer"):
            session.probe_loop(asked).result()
        assert session.status().loops[0] == LoopSetting(50.0)  # as it is, not as it should be
        assert session.status().streaming is False
    finally:
        session.close()


def test_the_change_of_a_loop_has_its_sample_while_samples_flow(session):
    session.stream(True).result()
    session.take_events()
    session.set_loop(0, replace(session.status().loops[0], gain=9000.0)).result()
    (event,) = [e for e in session.take_events() if e.kind is EventKind.LOOP]
    assert 0 <= event.sample <= session.status().samples
    assert np.isfinite(event.host_time)
