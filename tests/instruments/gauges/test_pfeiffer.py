from __future__ import annotations

import pytest

from optobind.instruments.gauges.pfeiffer import PfeifferGauge
from optobind.instruments.links.base import LinkError
from optobind.instruments.links.scripted import ScriptedLink
from optobind.instruments.protocols import DeviceState, GaugeReading
from optobind.models.errors import DeviceError, InputError

ACK, NAK, ENQ, ETX = b"\x06\r\n", b"\x15\r\n", b"\x05", b"\x03"


def start(sensor: str = "PKR,noSEn", unit: str = "0", cal: str = "1.000,1.000"):
    """Answers of a TPG 262 to the questions of a connection."""
    return [ACK, "302-510-A", ACK, sensor, ACK, unit, ACK, cal, NAK, "0001"]


def make(*answers, begin=None, **options):
    script = [*(start() if begin is None else begin), *answers]
    link = ScriptedLink(script, write_termination="\r", read_termination="\r\n")
    return PfeifferGauge("gauge", link=link, **options), link


def test_every_question_is_acknowledged_and_enquired():
    gauge, link = make(ACK, "0", ACK, "0,+1.2500E-07")
    assert gauge.connect() == "Pfeiffer TPG, firmware 302-510-A, channel 1: PKR"
    assert link.sent == [
        ETX,
        b"PNR\r",
        ENQ,
        b"TID\r",
        ENQ,
        b"UNI\r",
        ENQ,
        b"CAL\r",
        ENQ,
        b"GAS\r",
        ENQ,
    ]
    link.sent.clear()
    assert gauge.read() == GaugeReading(pytest.approx(1.25e-5), "air", "ok")
    assert link.sent == [b"UNI\r", ENQ, b"PR1\r", ENQ]
    assert gauge.capabilities.pressure_range == (5e-7, 1e5)
    assert gauge.capabilities.depends_on_gas


@pytest.mark.parametrize(
    ("unit", "pascals"), [("0", 100.0), ("1", 133.322), ("2", 1.0), ("3", 0.133322), ("4", 100.0)]
)
def test_units_become_pascals(unit: str, pascals: float):
    gauge, _ = make(ACK, unit, ACK, "0,+2.0000E+00")
    gauge.connect()
    assert gauge.read().pressure == pytest.approx(2.0 * pascals, rel=1e-5)


def test_unit_is_asked_with_every_reading():
    gauge, _ = make(ACK, "0", ACK, "0,1.000E-06", ACK, "2", ACK, "0,1.000E-04")
    gauge.connect()
    assert [gauge.read().pressure for _ in range(2)] == pytest.approx([1e-4, 1e-4])


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("1", "under range"),
        ("2", "over range"),
        ("3", "sensor error"),
        ("4", "sensor off"),
        ("5", "no sensor"),
        ("6", "identification error"),
        ("9", "status 9"),
    ],
)
def test_status_other_than_ok_carries_no_value(code: str, status: str):
    gauge, _ = make(ACK, "0", ACK, f"{code},+2.0000E-02")
    gauge.connect()
    assert gauge.read() == GaugeReading(None, "air", status)
    assert gauge.state is DeviceState.READY


def test_second_channel_is_asked_as_pr2():
    gauge, link = make(ACK, "0", ACK, "0,+1.0000E-03", begin=start("PKR,TPR"), channel=2, gas="Ar")
    gauge.connect()
    reading = gauge.read()
    assert b"PR2\r" in link.sent
    assert reading == GaugeReading(pytest.approx(0.1 * 1.7), "Ar", "ok")


def test_gas_is_corrected_for_with_the_sensor_that_the_controller_names():
    gauge, _ = make(ACK, "0", ACK, "0,+1.0000E-07", ACK, "0", ACK, "0,+5.0000E-03", gas="He")
    gauge.connect()
    assert gauge.read() == GaugeReading(pytest.approx(5.9e-5), "He", "ok")
    reading = gauge.read()
    assert reading.pressure is None
    assert reading.status == "no correction of a full-range sensor for He here"


def test_controller_that_corrects_itself_is_refused_or_believed():
    gauge, _ = make(begin=start(cal="0.800,1.000"), gas="Ar")
    with pytest.raises(DeviceError, match=r"calibration factor 0.800 \(CAL\).*device_corrects"):
        gauge.connect()
    answers = [ACK, "010100", ACK, "PKR", ACK, "0", NAK, "0001", ACK, "1"]
    gauge, _ = make(begin=answers)
    with pytest.raises(DeviceError, match=r"gas type 1 \(GAS\)"):
        gauge.connect()
    begin = [ACK, "302-510-A", ACK, "PKR,noSEn", ACK, "2"]
    gauge, _ = make(
        ACK, "2", ACK, "0,+4.0000E-01", begin=begin, gas="Ar", sensor="pirani", device_corrects=True
    )
    gauge.connect()
    assert gauge.read() == GaugeReading(pytest.approx(0.4), "Ar", "ok")


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("0001", "syntax error"),
        ("0010", "inadmissible parameter"),
        ("0100", "hardware not installed"),
        ("1000", "controller error"),
    ],
)
def test_refusal_carries_the_error_word(word: str, text: str):
    gauge, link = make(ACK, "0", NAK, word)
    gauge.connect()
    with pytest.raises(DeviceError, match=f"gauge refused 'PR1': {word} .{text}") as caught:
        gauge.read()
    assert not isinstance(caught.value, LinkError)
    assert gauge.state is DeviceState.READY
    assert link.sent[-1] == ENQ


@pytest.mark.parametrize(
    "answers",
    [
        (b"0,+1.0000E-07\r\n",),  # a streamed reading instead of the acknowledgement
        (b"\x06",),
        (b"\x07\r\n",),
        (ACK, "0", ACK, "0,+1.2500"),
        (ACK, "0", ACK, "0,+1.2500E-0"),
        (ACK, "0", ACK, "+1.2500E-07"),
        (ACK, "0", ACK, "0,nan"),
        (ACK, "0", ACK, ""),
        (ACK, "x"),
        (ACK, "0", ACK),
        (NAK, "garbage"),
        (LinkError("gone"),),
    ],
)
def test_answer_that_makes_no_sense_is_no_value(answers):
    gauge, _ = make(*answers)
    gauge.connect()
    with pytest.raises(LinkError, match=r"gauge"):
        gauge.read()
    assert gauge.state is DeviceState.FAULTED
    with pytest.raises(DeviceError, match=r"faulted"):
        gauge.read()


def test_unit_that_is_no_pressure_and_missing_channels_are_refused():
    gauge, _ = make(begin=start(unit="5"))
    with pytest.raises(DeviceError, match=r"unit 5, which is no pressure"):
        gauge.connect()
    gauge, _ = make(begin=start("PKR,noSEn"), channel=3)
    with pytest.raises(DeviceError, match=r"2 channel.*channel 3"):
        gauge.connect()


def test_options_are_checked():
    with pytest.raises(InputError, match=r"gauge needs an address"):
        PfeifferGauge("gauge")
    with pytest.raises(InputError, match=r"unknown gas"):
        make(gas="smoke")
    with pytest.raises(InputError, match=r"channel must lie in 1 … 6"):
        make(channel=7)
