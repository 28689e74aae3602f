from __future__ import annotations

import pytest

from optobind.instruments.gauges.mks import MksGauge
from optobind.instruments.links.base import LinkError
from optobind.instruments.links.scripted import ScriptedLink
from optobind.instruments.protocols import DeviceState, GaugeReading
from optobind.models.errors import DeviceError, InputError


def make(unit: str = "TORR", gas: str | None = None, **changes: str):
    answers = {
        "MD?": "ACK937B",
        "SN?": "ACK0123456789",
        "U?": f"ACK{unit}",
        "GT1?": "ACKNITROGEN",
        "GC1?": "NAK160",
        "PR1?": "ACK7.602E+2",
    }
    answers |= {key + "?": value for key, value in changes.items()}
    replies = {f"@003{key}": f"@003{value}" for key, value in answers.items()}
    link = ScriptedLink(respond=replies.get, write_termination=";FF", read_termination=";FF")
    options = {} if gas is None else {"gas": gas, "sensor": "cold-cathode"}
    return MksGauge("gauge", link=link, unit_address=3, **options), link


def test_questions_and_answers_are_those_of_the_manual():
    gauge, link = make()
    assert gauge.connect() == "MKS 937B sn 0123456789, channel 1"
    assert link.sent == [
        b"@003MD?;FF",
        b"@003SN?;FF",
        b"@003U?;FF",
        b"@003GT1?;FF",
        b"@003GC1?;FF",
    ]
    link.sent.clear()
    assert gauge.read().pressure == pytest.approx(760.2 * 133.322, rel=1e-5)
    assert link.sent == [b"@003U?;FF", b"@003PR1?;FF"]


@pytest.mark.parametrize(
    ("unit", "pascals"), [("TORR", 133.322), ("mBAR", 100.0), ("PASCAL", 1.0), ("MICRON", 0.133322)]
)
def test_units_become_pascals(unit: str, pascals: float):
    gauge, _ = make(unit, PR1="ACK1.10e-9")
    gauge.connect()
    assert gauge.read().pressure == pytest.approx(1.1e-9 * pascals, rel=1e-5)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("LO<E-11", "under range"),
        ("LOW_EMIS", "low emission"),
        ("ATM", "over range"),
        ("OFF", "sensor off"),
        ("RP_OFF", "sensor off"),
        ("WAIT", "starting"),
        ("NO_GAUGE", "no sensor"),
        ("MISCONN", "no sensor"),
        ("PROTECT", "protected"),
        ("STRANGE", "strange"),
        ("0.00E+0", "under range"),
    ],
)
def test_answer_that_is_no_number_is_a_status(answer: str, status: str):
    gauge, _ = make(PR1=f"ACK{answer}")
    gauge.connect()
    assert gauge.read() == GaugeReading(None, "air", status)


def test_gas_is_corrected_for():
    gauge, _ = make("PASCAL", "He", PR1="ACK1.000E-6")
    gauge.connect()
    assert gauge.read() == GaugeReading(pytest.approx(5.9e-6), "He", "ok")


def test_channel_that_corrects_itself_is_refused():
    for changes in ({"GT1": "ACKARGON"}, {"GC1": "ACK1.29"}):
        gauge, _ = make(**changes)
        with pytest.raises(DeviceError, match=r"device_corrects = true"):
            gauge.connect()


def test_nak_carries_the_devices_code():
    gauge, _ = make(PR1="NAK152")
    gauge.connect()
    with pytest.raises(
        DeviceError, match=r"gauge refused 'PR1\?': NAK152 .not an ion gauge"
    ) as caught:
        gauge.read()
    assert not isinstance(caught.value, LinkError)
    assert gauge.state is DeviceState.READY


@pytest.mark.parametrize(
    "answer",
    [b"@004ACK1.0E-6;FF", b"@003ACK1.0E-6;FE", b"\xff\xfe;FF", b"@003AC;FF", b"@003ACK;FF"],
)
def test_answer_that_makes_no_sense_is_no_value(answer: bytes):
    gauge, link = make()
    gauge.connect()
    link.read_until = lambda mark, extra=0: answer
    with pytest.raises(LinkError, match=r"gauge"):
        gauge.read()
    assert gauge.state is DeviceState.FAULTED


def test_unknown_unit_is_refused_and_silence_is_a_broken_link():
    gauge, _ = make("FURLONG")
    with pytest.raises(LinkError, match=r"no known unit"):
        gauge.connect()
    link = ScriptedLink(write_termination=";FF")
    with pytest.raises(LinkError, match=r"in time"):
        MksGauge("gauge", link=link).connect()
    with pytest.raises(InputError, match=r"unit_address must lie in 1 … 254"):
        MksGauge("gauge", link=link, unit_address=0)
