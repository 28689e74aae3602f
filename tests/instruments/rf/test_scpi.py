from __future__ import annotations

import math
from dataclasses import replace

import pytest

from optobind.instruments.fakes import FakeRFSource
from optobind.instruments.links.base import LinkError
from optobind.instruments.links.scripted import ScriptedLink
from optobind.instruments.protocols import DeviceState, RFTone
from optobind.instruments.rf.scpi import KeysightSource, RigolDG1000ZSource, RigolDG4000Source
from optobind.instruments.virtual.text_server import make_instrument
from optobind.models.errors import DeviceError, InputError

from ..virtual.talk import InProcessLink

SOURCES = {
    "keysight": KeysightSource,
    "rigol-dg1000z": RigolDG1000ZSource,
    "rigol-dg4000": RigolDG4000Source,
}
DIALECTS = pytest.mark.parametrize("dialect", list(SOURCES))
TONE = RFTone(40e6, 0.3, 0.25)


def make(dialect: str = "keysight", **options):
    fake = FakeRFSource([TONE, TONE])
    link = InProcessLink(make_instrument(dialect, fake))
    return SOURCES[dialect]("rf", link=link, **options), link, fake


def keysight_answers(**changes: str):
    """Answers of a 33522B as its manual prints them."""
    answers = {
        "*IDN?": "Agilent Technologies,33522B,MY52600670,3.03-1.19-2.00-52-00",
        "SYST:ERR?": '+0,"No error"',
        "UNIT:ANGL?": "DEG",
    }
    for n in "12":
        answers |= {
            f"SOUR{n}:FUNC?": "SIN",
            f"SOUR{n}:VOLT:UNIT?": "VPP",
            f"OUTP{n}:LOAD?": "+5.000000000000000E+01",
            f"SOUR{n}:FREQ?": "+2.000000000000000E+07",
            f"SOUR{n}:VOLT?": "+2.000000000000000E-01",
            f"SOUR{n}:PHAS?": "+9.000000000000000E+01",
            f"OUTP{n}?": "1",
            f"OUTP{n}:POL?": "NORM",
            f"OUTP{n}:MODE?": "NORM",
            f"SOUR{n}:VOLT:OFFS?": "+0.000000000000000E+00",
            f"SOUR{n}:VOLT:RANG:AUTO?": "0",
            f"SOUR{n}:VOLT:COUP?": "0",
            f"SOUR{n}:FREQ:COUP?": "0",
            f"SOUR{n}:FREQ:MODE?": "CW",
            f"SOUR{n}:TRACK?": "OFF",
            f"SOUR{n}:COMB:FEED?": "NONE",
        }
        for kind in ("AM", "FM", "PM", "FSK", "BPSK", "PWM", "SUM", "SWE", "BURS"):
            answers[f"SOUR{n}:{kind}:STAT?"] = "0"
    answers |= {key.replace("_", ":") + "?": value for key, value in changes.items()}
    return ScriptedLink(respond=answers.get)


@DIALECTS
def test_connecting_only_asks(dialect: str):
    source, link, fake = make(dialect)
    assert "VIRTUAL" in source.connect()
    assert source.state is DeviceState.READY
    assert all(line.endswith(b"?\n") for line in link.sent)
    assert fake.calls.get("set_tone") is None


@DIALECTS
def test_tone_is_sent_as_the_manual_says_and_every_write_is_followed_by_the_error_queue(
    dialect: str,
):
    source, link, _ = make(dialect)
    source.connect()
    link.sent.clear()
    source.set_tone(1, RFTone(42.5e6, 0.05, math.pi / 2.0))
    p = b"" if dialect == "keysight" else b":"
    writes = [i for i, line in enumerate(link.sent) if not line.endswith(b"?\n")]
    assert [link.sent[i] for i in writes] == [
        p + b"SOUR2:FREQ 42500000\n",
        p + b"SOUR2:VOLT 0.1\n",
        p + b"SOUR2:PHAS 90\n",
    ]
    assert all(link.sent[i + 1] == p + b"SYST:ERR?\n" for i in writes)
    assert link.sent[-4:] == [
        p + b"SOUR2:FREQ?\n",
        p + b"SOUR2:VOLT?\n",
        p + b"SOUR2:PHAS?\n",
        p + b"OUTP2?\n",
    ]


@pytest.mark.parametrize(
    ("dialect", "command"),
    [
        ("keysight", b"PHAS:SYNC\n"),
        ("rigol-dg1000z", b":SOUR1:PHAS:SYNC\n"),
        ("rigol-dg4000", b":SOUR1:PHAS:INIT\n"),
    ],
)
def test_align_sends_the_dialects_command(dialect: str, command: bytes):
    source, link, fake = make(dialect)
    source.connect()
    link.sent.clear()
    source.align()
    assert link.sent[0] == command
    assert fake.calls["align"] == 1


@DIALECTS
def test_output_goes_off_first_and_on_last(dialect: str):
    source, link, _ = make(dialect)
    source.connect()
    p = b"" if dialect == "keysight" else b":"
    for enabled in (False, True):
        link.sent.clear()
        source.set_tone(0, replace(TONE, amplitude=0.2, enabled=enabled))
        writes = [line for line in link.sent if not line.endswith(b"?\n")]
        assert writes[-1 if enabled else 0] == p + (b"OUTP1 ON\n" if enabled else b"OUTP1 OFF\n")
        assert source.read_tone(0).enabled is enabled


def test_what_the_device_has_already_is_not_sent_again_but_the_phase_is():
    source, link, _ = make()
    source.connect()
    link.sent.clear()
    source.set_tone(0, TONE)
    assert [line for line in link.sent if not line.endswith(b"?\n")] == [
        b"SOUR1:PHAS 14.3239\n",
    ]


def test_phases_are_radians_without_turns():
    link = keysight_answers(SOUR1_PHAS="-9.000000000000000E+01")
    source = KeysightSource("rf", link=link)
    source.connect()
    assert source.read_tone(0) == RFTone(20e6, 0.1, -math.pi / 2.0, True)
    assert source.read_tone(1).phase == pytest.approx(math.pi / 2.0)


def test_33500b_stops_at_30_mhz_and_nothing_is_sent():
    link = keysight_answers()
    source = KeysightSource("rf", link=link)
    assert source.capabilities.frequency_range[1] == 120e6
    source.connect()
    assert source.capabilities.frequency_range[1] == 30e6
    link.sent.clear()
    with pytest.raises(InputError, match=r"frequency must lie in .* Hz, got 8e\+07 Hz"):
        source.set_tone(0, RFTone(80e6, 0.1))
    with pytest.raises(InputError, match=r"amplitude must lie in 0.0005 … 5 V, got 6 V"):
        source.set_tone(0, RFTone(20e6, 6.0))
    with pytest.raises(InputError, match=r"channels 0 … 1, got 2"):
        source.set_tone(2, RFTone(20e6, 0.1))
    with pytest.raises(InputError, match=r"phase must lie"):
        source.set_tone(0, RFTone(20e6, 0.1, math.nan))
    assert link.sent == []


def test_rig_file_narrows_the_limits_and_may_contradict_the_model():
    source, _, _ = make(frequency_range=[35e6, 45e6], amplitude_range=(0.0, 0.4))
    source.connect()
    assert source.capabilities.frequency_range == (35e6, 45e6)
    assert source.capabilities.amplitude_range == (0.5e-3, 0.4)
    with pytest.raises(InputError, match=r"V, got 0.41 V"):
        source.set_tone(0, replace(TONE, amplitude=0.41))
    source = KeysightSource("rf", link=keysight_answers(), frequency_range=(60e6, 100e6))
    with pytest.raises(DeviceError, match=r"no frequencies within the configured limits"):
        source.connect()
    assert source.state is DeviceState.FAULTED


def test_options_are_checked():
    with pytest.raises(InputError, match=r"rf needs an address"):
        KeysightSource("rf")
    with pytest.raises(InputError, match=r"channels must lie in 1 … 2, got 3"):
        make(channels=3)
    with pytest.raises(InputError, match=r"two rising values in Hz"):
        make(frequency_range=(2.0, 1.0))
    with pytest.raises(InputError, match=r"timeout must lie"):
        KeysightSource("rf", "TCPIP0::127.0.0.1::5025::SOCKET", timeout=-1.0)


def test_single_channel_model_is_refused_for_two_channels():
    identity = "Agilent Technologies,33521B,MY1,1.00"
    link = ScriptedLink(respond=lambda line: identity if line == "*IDN?" else '+0,"No error"')
    with pytest.raises(DeviceError, match=r"1 channel"):
        KeysightSource("rf", link=link).connect()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"SOUR1_VOLT_UNIT": "DBM"}, r"is DBM \(SOUR1:VOLT:UNIT\?\), not VPP.*SOUR1:VOLT:UNIT VPP"),
        ({"SOUR2_VOLT_UNIT": "VRMS"}, "SOUR2:VOLT:UNIT VPP"),
        ({"OUTP2_LOAD": "+9.9E+37"}, "OUTP2:LOAD 50"),
        ({"OUTP1_LOAD": "INF"}, "OUTP1:LOAD 50"),
        ({"UNIT_ANGL": "RAD"}, "UNIT:ANGL DEG"),
        ({"SOUR1_FUNC": "SQU"}, "SOUR1:FUNC SIN"),
        ({"*IDN": "RIGOL TECHNOLOGIES,DG4162,DG4E1,00.01"}, "correct address or driver"),
        ({"SOUR1_FREQ": "+2.0000000000"}, "makes no sense"),
        ({"SOUR1_VOLT": "nan"}, "makes no sense"),
        ({"OUTP1": "2"}, "makes no sense"),
        ({"SOUR1_VOLT": "+2.000000000000000E+07"}, "no such device can have"),
    ],
)
def test_device_whose_numbers_mean_something_else_is_refused_with_the_remedy(changes, match: str):
    link = keysight_answers(**changes)
    source = KeysightSource("rf", link=link)
    with pytest.raises(DeviceError, match=match) as caught:
        source.connect()
    assert str(caught.value).startswith("rf")
    assert source.state is DeviceState.FAULTED
    assert not link.is_open
    assert all(line.endswith(b"?\n") for line in link.sent)


def test_unit_changed_at_the_panel_is_noticed_before_the_next_change():
    source, link, fake = make()
    source.connect()
    link.answer(b"SOUR1:VOLT:UNIT DBM\n")
    with pytest.raises(DeviceError, match=r"SOUR1:VOLT:UNIT VPP"):
        source.set_tone(0, replace(TONE, amplitude=0.2))
    assert fake.calls.get("set_tone") is None


def test_errors_left_in_the_queue_are_not_blamed_on_the_next_command():
    source, link, _ = make()
    link.open()
    link.answer(b"BOGUS\nFREQ\n")
    source.connect()
    source.set_tone(0, replace(TONE, amplitude=0.2))
    assert source.read_tone(0).amplitude == pytest.approx(0.2, abs=1e-4)


def test_refused_command_names_the_devices_codes_and_the_old_tone_comes_back():
    source, link, fake = make()
    source.connect()

    def refuse(link, data, _answer):
        link.answer(b"SOUR1:BOGUS 1\nSOUR1:FREQ x\n")
        return link.answer(data)

    link.fault, link.at = refuse, link.writes + 8 + 2  # the write of the amplitude
    with pytest.raises(DeviceError, match=r"-113 Undefined header.*-104.*old tone again") as caught:
        source.set_tone(0, RFTone(45e6, 0.2, 1.0))
    assert not isinstance(caught.value, LinkError)
    assert source.state is DeviceState.READY
    assert source.read_tone(0).frequency == 40e6
    tone = fake.read_tone(0)
    assert (tone.frequency, tone.amplitude) == (40e6, 0.3)


def test_error_queue_that_does_not_end_is_given_up():
    answers = keysight_answers()
    source = KeysightSource("rf", link=answers)
    source.connect()
    respond = answers._respond
    answers._respond = lambda line: '-222,"x"' if line == "SYST:ERR?" else respond(line)
    with pytest.raises(DeviceError, match=r"does not end"):
        source.align()


def test_tone_that_reads_back_differently_is_an_error():
    link = keysight_answers()
    source = KeysightSource("rf", link=link)
    source.connect()
    with pytest.raises(DeviceError, match=r"reads back 20000000 Hz instead of 21000000 Hz"):
        source.set_tone(0, RFTone(21e6, 0.1, math.pi / 2.0))


def test_switching_off_is_possible_beyond_narrowed_limits():
    source, _, fake = make(amplitude_range=(0.0, 0.1))
    source.connect()
    source.set_tone(0, replace(source.read_tone(0), enabled=False))
    assert fake.read_tone(0).enabled is False
    with pytest.raises(InputError, match=r"amplitude"):
        source.set_tone(0, replace(TONE, amplitude=0.2, enabled=False))


def test_frequency_is_given_as_asked_though_rigol_reports_seven_digits():
    source, link, _ = make("rigol-dg4000")
    source.connect()
    source.set_tone(0, RFTone(40_000_001.25, 0.3, 0.25))
    assert source.read_tone(0).frequency == 40_000_001.25
    link.answer(b":SOUR1:FREQ 41E6\n")
    assert source.read_tone(0).frequency == 41e6


def test_link_that_breaks_faults_the_device_and_nothing_more_is_sent():
    source, link, fake = make()
    source.connect()
    before = fake.read_tone(0)
    link.fault, link.at = lambda *_: b"", link.writes + 6
    with pytest.raises(LinkError, match=r"rf: .*in time"):
        source.set_tone(0, RFTone(45e6, 0.2))
    assert source.state is DeviceState.FAULTED
    assert link.sent[-1].endswith(b"?\n")
    assert fake.read_tone(0) == before
    with pytest.raises(DeviceError, match=r"faulted \(.*connect it again"):
        source.read_tone(0)
    link.fault = None
    source.connect()
    assert fake.read_tone(0) == before
    assert source.read_tone(0).frequency == before.frequency


def test_disconnected_source_does_nothing_and_leaves_its_outputs():
    source, link, fake = make()
    with pytest.raises(DeviceError, match=r"disconnected: connect it first"):
        source.read_tone(0)
    source.connect()
    count = len(link.sent)
    source.disconnect()
    source.disconnect()
    assert len(link.sent) == count
    assert fake.read_tone(0) == TONE
    with pytest.raises(DeviceError, match=r"connect it first"):
        source.set_tone(0, TONE)
