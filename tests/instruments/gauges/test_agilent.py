from __future__ import annotations

import pytest

from optobind.instruments.gauges.agilent import AgilentGauge
from optobind.instruments.links.base import LinkError
from optobind.instruments.links.scripted import ScriptedLink
from optobind.instruments.protocols import DeviceState, GaugeReading
from optobind.models.errors import DeviceError, InputError


def make(
    unit: str = "00", pressures: str = "1.234E-07,OPEN,7.600E+02", argon: str = "0", **options
):
    answers = {
        "#0005": ">0300,0205",
        "#0013": f">{unit}",
        "#000F": f">{pressures}",
        "#004ET1": f">{argon}",
    }
    link = ScriptedLink(respond=answers.get, write_termination="\r", read_termination="\r")
    return AgilentGauge("gauge", link=link, **options), link


def test_questions_and_answers_are_those_of_the_manual():
    gauge, link = make()
    assert gauge.connect() == "Agilent XGS-600, version 0300,0205, sensor 1"
    assert link.sent == [b"#0005\r", b"#0013\r", b"#000F\r"]
    link.sent.clear()
    assert gauge.read().pressure == pytest.approx(1.234e-7 * 133.322, rel=1e-5)
    assert link.sent == [b"#0013\r", b"#000F\r"]


@pytest.mark.parametrize(("unit", "pascals"), [("00", 133.322), ("01", 100.0), ("02", 1.0)])
def test_units_become_pascals(unit: str, pascals: float):
    gauge, _ = make(unit, channel=3)
    gauge.connect()
    assert gauge.read().pressure == pytest.approx(760.0 * pascals, rel=1e-5)


@pytest.mark.parametrize(
    ("entry", "status"),
    [("OPEN", "no sensor"), ("OFF", "sensor off"), ("NOCBL", "no sensor"), ("DEGAS", "degas")],
)
def test_entry_that_is_no_number_is_a_status(entry: str, status: str):
    gauge, _ = make(pressures=f" {entry} ")
    gauge.connect()
    assert gauge.read() == GaugeReading(None, "air", status)


def test_gas_is_corrected_for_once():
    gauge, _ = make("02", "1.000E+01", gas="Ar", sensor="pirani", code="T1")
    gauge.connect()
    assert gauge.read() == GaugeReading(pytest.approx(17.0), "Ar", "ok")
    gauge, _ = make("02", "1.000E+01", argon="1", gas="Ar", sensor="pirani", code="T1")
    with pytest.raises(DeviceError, match=r"set to argon.*device_corrects"):
        gauge.connect()
    options = {"gas": "Ar", "sensor": "pirani", "code": "T1", "device_corrects": True}
    gauge, _ = make("02", "1.000E+01", argon="1", **options)
    gauge.connect()
    assert gauge.read() == GaugeReading(pytest.approx(10.0), "Ar", "ok")


def test_gas_without_a_known_sensor_gives_no_value():
    gauge, _ = make(gas="Ar")
    gauge.connect()
    reading = gauge.read()
    assert reading.pressure is None
    assert "unknown sensor" in reading.status


def test_refusal_and_missing_sensors_are_device_errors():
    gauge, link = make(channel=5)
    with pytest.raises(DeviceError, match=r"lists 3 sensors, number 5"):
        gauge.connect()
    gauge, link = make()
    gauge.connect()
    link._respond = lambda line: "?FF"
    with pytest.raises(DeviceError, match=r"refused '#0013': \?FF") as caught:
        gauge.read()
    assert not isinstance(caught.value, LinkError)
    assert gauge.state is DeviceState.READY


@pytest.mark.parametrize(
    "pressures", ["1.2", "1.234E-0", "1.234E-07x", "-", "", "1.234E-07;OPEN", "nan", "~!"]
)
def test_entry_that_makes_no_sense_is_no_value(pressures: str):
    gauge, link = make()
    gauge.connect()
    respond = link._respond
    link._respond = lambda line: f">{pressures}" if line == "#000F" else respond(line)
    with pytest.raises(LinkError, match=r"gauge"):
        gauge.read()
    assert gauge.state is DeviceState.FAULTED


def test_options_are_checked():
    with pytest.raises(InputError, match=r"code must be"):
        make(code="X1")
