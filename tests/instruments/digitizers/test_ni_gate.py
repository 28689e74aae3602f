"""Gate, outputs and the loop-back self test on the virtual NI card and in process."""

from __future__ import annotations

import time

import nidaqmx
import numpy as np
import pytest

from optobind.instruments.digitizers.loopback import loopback_test
from optobind.instruments.links.base import LinkError
from optobind.instruments.protocols import DeviceState
from optobind.models.errors import DeviceError, InputError

from .conftest import make_rig

RATE = 1e6


def test_gate_switches_the_simulated_feedback_and_reads_it_back(serve, gates):
    rig = make_rig()
    gate = gates(serve(rig))
    with pytest.raises(DeviceError, match="connect it first"):
        gate.read()
    assert "port0/line0" in gate.connect()
    assert rig.world.gate_closed
    for closed in (False, True, False):
        gate.set(closed)
        assert gate.read() is closed
        assert rig.world.gate_closed is closed
    gate.disconnect()
    assert not rig.world.gate_closed, "the line keeps its level"
    gate.connect()
    assert gate.read() is False


def test_connecting_a_gate_touches_no_line(serve, gates):
    server = serve(make_rig())
    before = dict(server.card.levels)
    gate = gates(server, active_high=False)
    gate.connect()
    assert gate.read() is False, "high means open for this polarity"
    assert server.card.levels == before


def test_active_low_gate(serve, gates):
    rig = make_rig()
    server = serve(rig, gate_high_closes=False)
    assert server.gate_options["active_high"] is False
    gate = gates(server, active_high=False)
    gate.connect()
    assert gate.read() is True
    gate.set(False)
    assert server.card.levels["port0/line0"] is True
    assert not rig.world.gate_closed


def test_several_lines_switch_together_and_must_agree(serve, gates):
    server = serve(make_rig())
    gate = gates(server, line=("port0/line0", "port0/line3"))
    gate.connect()
    gate.set(False)
    gate.set(True)
    assert server.card.levels["port0/line3"] is True
    server.card.levels["port0/line3"] = False
    with pytest.raises(DeviceError, match=r"^gate: the lines .* differ"):
        gate.read()


def test_unknown_line_is_refused_with_those_there_are(serve, gates):
    with pytest.raises(InputError, match=r"no digital output line 'port0/line9'; known: port0"):
        gates(serve(make_rig()), line="port0/line9").connect()


def test_gate_without_server_is_a_broken_link(serve, gates):
    server = serve(make_rig())
    gate = gates(server)
    gate.connect()
    gate.set(True)
    server.stop(None)
    with pytest.raises(LinkError, match=r"^gate: gRPC server"):
        gate.set(False)
    assert gate.state is DeviceState.FAULTED


# -- loop-back test --------------------------------------------------------------------------------


def test_in_process_gate_acts_at_the_next_sample():
    rig = make_rig(monitor=True)
    rig.digitizer.connect()
    rig.gate.connect()
    report = loopback_test(rig.digitizer, rig.gate, 2, toggles=6, dwell=1e-3)
    assert report.passed, report.problems
    assert report.polarity == 1
    assert report.delays == (0,) * 6
    assert rig.gate.read() is True
    assert rig.digitizer.state is DeviceState.READY


def test_loopback_measures_delay_and_polarity_through_the_card(serve, digitizers, gates):
    server = serve(make_rig(monitor=True), gate_delay=250e-6)
    digitizer = digitizers(server, channels=("ai0", "ai1", "ai2"))
    gate = gates(server)
    digitizer.connect()
    gate.connect()
    options = {"toggles": 6, "dwell": 2e-3}
    report = loopback_test(digitizer, gate, 2, delay=250e-6, tolerance=1e-6, **options)
    assert report.passed, report.problems
    assert report.delays == (250,) * 6
    assert (report.delay, report.jitter) == (pytest.approx(250e-6), pytest.approx(0.0, abs=1e-9))
    wrong = loopback_test(digitizer, gate, 2, polarity=-1, tolerance=1e-6, **options)
    assert len(wrong.problems) == 2
    assert "polarity is reversed" in wrong.problems[0]
    assert "delay is 0.00025 s, configured are 0 s" in wrong.problems[1]


def test_loopback_in_real_time_shows_the_delay_of_software(serve, digitizers, gates):
    rig = make_rig(monitor=True, real_time=True, sample_rate=2e5)
    server = serve(rig)
    digitizer = digitizers(server, channels=("ai0", "ai1", "ai2"), sample_rate=2e5)
    gate = gates(server)
    digitizer.connect()
    gate.connect()
    report = loopback_test(
        digitizer, gate, 2, toggles=5, dwell=0.2, tolerance=0.19, longest_jitter=0.19
    )
    assert report.passed, report.problems
    assert all(0 <= delay < 0.19 * 2e5 for delay in report.delays)
    assert 0.0 <= report.lag < 0.19


def test_an_unconnected_channel_is_a_problem_not_a_number(serve, digitizers, gates):
    server = serve(make_rig(), wires={"ai2": "port0/line5"})
    digitizer = digitizers(server, channels=("ai2",), full_scale=10.0)
    gate = gates(server)
    digitizer.connect()
    gate.connect()
    report = loopback_test(digitizer, gate, 0, toggles=2, dwell=1e-3)
    assert report.polarity == 0
    assert "does not follow the gate" in report.problems[0]
    assert np.isnan(report.delay)
    gate.disconnect()
    with pytest.raises(DeviceError):
        loopback_test(digitizer, gate, 0)
    with pytest.raises(InputError, match="channel must lie in 0 … 0"):
        loopback_test(digitizer, gate, 3)


# -- the plain client ------------------------------------------------------------------------------


def test_plain_client_switches_a_line(serve, gates):
    rig = make_rig()
    server = serve(rig)
    import grpc

    with grpc.insecure_channel(server.address) as channel:
        options = nidaqmx.GrpcSessionOptions(channel, "")
        with nidaqmx.Task(grpc_options=options) as task:
            task.do_channels.add_do_chan("Dev1/port0/line0")
            task.write(False)
            assert not rig.world.gate_closed
            assert task.read() is False
            task.write(True)
        assert rig.world.gate_closed


def test_a_change_in_real_time_falls_on_the_sample_that_is_due(serve, digitizers, gates):
    rate = 2e5
    rig = make_rig(monitor=True, real_time=True, sample_rate=rate)
    server = serve(rig)
    digitizer = digitizers(server, channels=("ai2",), sample_rate=rate)
    gate = gates(server)
    digitizer.connect()
    gate.connect()
    gate.set(True)
    digitizer.start()
    time.sleep(0.3)
    before = digitizer.present_sample()
    gate.set(False)
    after = digitizer.present_sample()
    assert 0.25 * rate < before < after
    counts = np.empty((after + round(0.1 * rate), 1), np.int16)
    digitizer.read_into(counts)
    edge = int(np.flatnonzero(counts[:, 0] < 8192)[0])
    assert before <= edge <= after


def test_a_reader_that_cannot_keep_up_is_told_so(serve, digitizers, gates, monkeypatch):
    server = serve(make_rig(monitor=True))
    digitizer = digitizers(server, channels=("ai0", "ai1", "ai2"))
    gate = gates(server)
    digitizer.connect()
    gate.connect()
    monkeypatch.setattr(digitizer, "present_sample", lambda: 10**9)
    with pytest.raises(DeviceError, match="more than half a dwell behind"):
        loopback_test(digitizer, gate, 2, dwell=1e-4)
    assert gate.read() is True
    assert digitizer.state is DeviceState.READY
