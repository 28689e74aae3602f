"""Gauges as they are on a table: out of range, behind adapters, just powered up, slow."""

from __future__ import annotations

import math

import pytest

from optobind.instruments.catalogue import find_driver
from optobind.instruments.gauges.agilent import AgilentGauge
from optobind.instruments.gauges.mks import MksGauge
from optobind.instruments.gauges.pfeiffer import PfeifferGauge
from optobind.instruments.gauges.species import SENSORS
from optobind.instruments.gauges.validity import WIDEST_RANGE, judge, sensor_range
from optobind.instruments.links.base import LinkError
from optobind.instruments.links.scripted import ScriptedLink
from optobind.instruments.protocols import DeviceState, GaugeReading
from optobind.models.errors import DeviceError, InputError

from .rude_server import RudeServer

pytestmark = pytest.mark.realtime

DIALECTS = ("pfeiffer-tpg", "mks-937b", "agilent-xgs600")
ACK = b"\x06\r\n"


def pfeiffer(value: str, **options) -> PfeifferGauge:
    start = [ACK, "302-510-A", ACK, "???", ACK, "2", ACK, "1.000", b"\x15\r\n", "0001"]
    link = ScriptedLink(
        [*start, ACK, "2", ACK, f"0,{value}"], write_termination="\r", read_termination="\r\n"
    )
    return PfeifferGauge("gauge", link=link, **options)


def mks(value: str, **options) -> MksGauge:
    fixed = {"MD?": "937B", "SN?": "1", "U?": "PASCAL", "GT1?": "NITROGEN", "GC1?": "1.0"}
    fixed["PR1?"] = value.replace("E-0", "E-").replace("E+0", "E+")
    answers = {f"@253{key}": f"@253ACK{text}" for key, text in fixed.items()}
    link = ScriptedLink(respond=answers.get, write_termination=";FF", read_termination=";FF")
    return MksGauge("gauge", link=link, **options)


def agilent(value: str, **options) -> AgilentGauge:
    answers = {"#0005": ">0300", "#0013": ">02", "#000F": f">{value}"}
    link = ScriptedLink(respond=answers.get, write_termination="\r", read_termination="\r")
    return AgilentGauge("gauge", link=link, **options)


@pytest.mark.parametrize("make", [pfeiffer, mks, agilent])
@pytest.mark.parametrize("sensor", [*sorted(SENSORS), None])
@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("0.000E+00", "under range"),
        ("9.900E+09", "over range"),
        ("1.333E+05", "over range"),  # 1.0E+3 torr: what a saturated Pirani shows
        ("1.000E-12", "under range"),
    ],
)
def test_a_number_that_no_gauge_can_have_measured_is_no_reading(make, sensor, value, status):
    gauge = make(value, sensor=sensor)
    gauge.connect()
    assert gauge.read() == GaugeReading(None, "air", status)
    assert gauge.state is DeviceState.READY


@pytest.mark.parametrize("make", [pfeiffer, mks, agilent])
@pytest.mark.parametrize(
    ("sensor", "value", "status"),
    [
        ("pirani", "4.000E-02", "under range"),
        ("pirani", "6.000E-02", "ok"),
        ("cold-cathode", "1.300E+00", "over range"),
        ("cold-cathode", "9.000E-10", "under range"),
        ("cold-cathode", "2.000E-09", "ok"),
        ("hot-cathode", "1.000E+03", "over range"),
        ("full-range", "4.000E-07", "under range"),
        ("full-range", "6.000E-07", "ok"),
        ("capacitance", "5.000E-03", "under range"),
        ("capacitance", "1.050E+05", "ok"),
    ],
)
def test_readings_end_where_the_sensor_does(make, sensor, value, status):
    gauge = make(value, sensor=sensor)
    gauge.connect()
    reading = gauge.read()
    assert reading.status == status
    assert (reading.pressure is None) == (status != "ok")


@pytest.mark.parametrize("make", [pfeiffer, mks, agilent])
def test_the_range_of_the_data_sheet_goes_before_the_usual_one(make):
    narrow = {"sensor": "cold-cathode", "pressure_range": (1e-7, 1e-2)}
    for value, status in (("5.000E-08", "under range"), ("5.000E-02", "over range")):
        gauge = make(value, **narrow)
        gauge.connect()
        assert gauge.read().status == status
    assert gauge.capabilities.pressure_range == (1e-7, 1e-2)
    wide = make("5.000E-10", sensor="cold-cathode", pressure_range=[1e-10, 1.0])
    wide.connect()
    assert wide.read().pressure == pytest.approx(5e-10)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ((1.0, 1e-3), "must rise, got 1 … 0.001 Pa"),
        ((1.0,), "needs two pressures"),
        ((0.0, 1.0), r"pressure_range must lie in 1e-12 … 1e\+07 Pa, got 0 Pa"),
        ((1.0, math.nan), "pressure_range must lie in"),
    ],
)
def test_a_range_that_is_none_is_refused(given, match):
    with pytest.raises(InputError, match=match):
        mks("1.000E-6", pressure_range=given)


def test_what_is_not_a_number_is_no_reading():
    assert judge(math.nan, WIDEST_RANGE) == (None, "not a number")
    assert judge(math.inf, WIDEST_RANGE) == (None, "over range")
    assert judge(-1.0, sensor_range("pirani")) == (None, "under range")


@pytest.mark.parametrize("prefix", [b"\x00", b"\xff", b"\x00\xff\x00", b"\xff" * 5])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_bytes_of_an_adapter_before_an_answer_do_not_matter(dialect, prefix):
    with RudeServer(dialect, prefix=prefix) as server:
        gauge = find_driver("gauge", dialect).load()("gauge", server.visa_address)
        gauge.connect()
        for _ in range(3):
            assert gauge.read().pressure == pytest.approx(1.25e-4, rel=1e-3)
        gauge.disconnect()


@pytest.mark.parametrize("latency", [0.03, 0.08, 0.15])
def test_a_gauge_just_powered_up_behind_a_latency_is_asked_again(latency):
    with RudeServer("pfeiffer-tpg", latency=latency, stream=0.04) as server:
        gauge = PfeifferGauge("gauge", server.visa_address)
        assert gauge.connect().startswith("Pfeiffer TPG")
        assert gauge.read().pressure == pytest.approx(1.25e-4, rel=1e-3)
        gauge.disconnect()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_answer_that_comes_after_its_time_is_not_taken_for_the_next_one(dialect):
    with RudeServer(dialect, latency=0.45) as server:
        gauge = find_driver("gauge", dialect).load()("gauge", server.visa_address, timeout=0.3)
        with pytest.raises(DeviceError, match="gauge: TCPIP0"):
            gauge.connect()
        server.latency = 0.0
        gauge.connect()
        for _ in range(3):
            assert gauge.read().pressure == pytest.approx(1.25e-4, rel=1e-3)
        server.latency = 0.45
        with pytest.raises(LinkError):
            gauge.read()
        server.latency = 0.0
        gauge.connect()
        assert gauge.read().pressure == pytest.approx(1.25e-4, rel=1e-3)
        gauge.disconnect()


def test_a_refusal_is_a_refusal_after_it_has_been_asked_for_once_more():
    fixed = {"MD?": "937B", "SN?": "1", "U?": "PASCAL", "GT1?": "ARGON", "GC1?": "1.0"}
    answers = {f"@253{key}": f"@253ACK{text}" for key, text in fixed.items()}
    link = ScriptedLink(respond=answers.get, write_termination=";FF", read_termination=";FF")
    with pytest.raises(DeviceError, match="corrects for ARGON"):
        MksGauge("gauge", link=link).connect()
    assert link.sent.count(b"@253GT1?;FF") == 2
