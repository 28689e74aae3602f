"""A card or a line that somebody else holds, or one that has crashed, on the virtual NI card."""

from __future__ import annotations

import pickle
import time

import pytest

from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.session import Session
from optobind.instruments.digitizers.ni_gate import NiGate
from optobind.instruments.driver import ReservedError
from optobind.instruments.rig import DetectorChannel, Rig
from optobind.instruments.virtual import ni_server_calls
from optobind.models.errors import DeviceError

from .conftest import make_rig

pytestmark = pytest.mark.realtime


@pytest.fixture
def crashed(serve, digitizers):
    """A server with the acquisition of a client that was killed."""
    server = serve(make_rig())
    gone = digitizers(server)
    gone.connect()
    gone.start()
    gone._system.close()
    return server


@pytest.fixture
def session(crashed, digitizers, tmp_path):
    digitizer = digitizers(crashed)
    detectors = tuple(DetectorChannel(j, f"z{j + 1}", j) for j in range(2))
    rig = Rig("reserved", "LIVE", digitizer, detectors)
    session = Session(rig, run_directory=tmp_path, live_fits=False)
    session.connect().result(60)
    yield session
    session.close()


def test_a_start_after_a_crash_waits_for_the_card_and_says_so_at_once(session, monkeypatch, capsys):
    monkeypatch.setattr(ni_server_calls, "_ABANDONED", 3.0)
    outcome = session.start(MonitorPlan(duration=0.05)).result(60)
    assert outcome.outcome == "complete"
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("optobind: waiting up to 12 s: daq: DAQmx error -50103")
    assert "one that crashed" in first
    assert "free after" in last


@pytest.mark.parametrize("ending", ["stop", "abort", "close"])
def test_the_wait_for_a_card_is_ended_by_the_user(session, monkeypatch, ending):
    monkeypatch.setattr("optobind.acquisition.reserved.WAIT_SECONDS", 300.0)
    monkeypatch.setattr(ni_server_calls, "_ABANDONED", 1e9)
    future = session.start(MonitorPlan(duration=0.05))
    until = time.monotonic() + 60.0
    lines = []
    while not any("waiting up to" in line for line in lines):
        assert time.monotonic() < until
        lines += [entry.text for entry in session.take_log()]
    {"stop": session.stop_after_repetition, "abort": session.abort, "close": session.close}[
        ending
    ]()
    with pytest.raises(ReservedError, match="-50103"):
        future.result(60)


def test_two_programs_do_not_share_the_line_of_a_gate(serve):
    server = serve(make_rig())
    first, second = (NiGate("gate", **server.gate_options) for _ in range(2))
    for gate in (first, second):
        gate.connect()
    first.set(False)
    for call in (second.read, lambda: second.set(True)):
        with pytest.raises(ReservedError, match=r"-200587: .*another task or program"):
            call()
    first.disconnect()
    second.set(True)
    assert second.read() is True
    second.disconnect()


@pytest.mark.parametrize("how", ["reconnects", "is copied"])
def test_the_line_that_a_broken_connection_has_left_reserved_is_found_again(serve, how):
    server = serve(make_rig())
    gate = NiGate("gate", **server.gate_options)
    packed = pickle.dumps(gate)
    gate.connect()
    gate.set(False)
    gate.abandon()
    with pytest.raises(DeviceError):
        gate.set(True)
    again = gate if how == "reconnects" else pickle.loads(packed)
    again.disconnect()
    again.connect()
    assert again.read() is False
    again.set(True)
    assert again.read() is True
    again.disconnect()
    other = NiGate("gate", **server.gate_options)
    other.connect()
    assert other.read() is True, "nothing is left reserved"
    other.disconnect()
