from __future__ import annotations

import math
from dataclasses import replace

import pytest

from optobind.instruments.fakes import FakeRFSource
from optobind.instruments.links.base import LinkError
from optobind.instruments.links.scripted import ScriptedLink
from optobind.instruments.protocols import DeviceState, RFTone
from optobind.instruments.rf.moglabs import MoglabsSource
from optobind.instruments.virtual.text_server import make_instrument
from optobind.models.errors import DeviceError, InputError

from ..virtual.talk import InProcessLink

ENDS = ("\r\n", "\r\n")
TONE = RFTone(80e6, 0.5, 0.25)


def make(**options):
    fake = FakeRFSource([TONE, TONE])
    link = InProcessLink(make_instrument("moglabs", fake, **options), ENDS)
    return MoglabsSource("rf", link=link), link, fake


def scripted(**changes: str):
    answers = {
        "INFO": "MOGLabs XRF421 rev6",
        "MODE,1": "NSB",
        "EXTIO,ENABLE,1": "ERR: Unrecognised command",
        "LIMIT,1": "33.00 dBm",
        "FREQ,1": "80.00000009 MHz (0x147AE148)",
        "POW,1": "+30.00 dBm (0x3FFF)",
        "PHASE,1": "90.0000 deg (0x4000)",
        "STATUS,1": "CH1 SIG: on, POW: on",
    }
    answers |= {key.replace("_", ","): value for key, value in changes.items()}
    return ScriptedLink(respond=answers.get, write_termination="\r\n", read_termination="\r\n")


def test_tone_is_sent_in_mhz_dbm_and_degrees():
    source, link, _ = make()
    source.connect()
    link.sent.clear()
    source.set_tone(1, RFTone(81.5e6, 1.0, math.pi / 2.0))
    assert link.sent[4:-4] == [
        b"FREQ,2,81.5\r\n",
        b"POW,2,10.0\r\n",
        b"PHASE,2,90\r\n",
    ]
    link.sent.clear()
    source.align()
    assert link.sent == [b"ALIGNPH,1,2\r\n"]


def test_outputs_are_switched_by_signal_and_all():
    source, link, fake = make()
    source.connect()
    source.set_tone(0, replace(source.read_tone(0), enabled=False))
    assert b"OFF,1,SIG\r\n" in link.sent
    assert fake.read_tone(0).enabled is False
    source.set_tone(0, replace(source.read_tone(0), enabled=True))
    assert b"ON,1,ALL\r\n" in link.sent


def test_answers_of_the_manual_are_understood():
    source = MoglabsSource("rf", link=scripted(), channels=1)
    source.connect()
    tone = source.read_tone(0)
    assert tone.frequency == pytest.approx(80_000_000.09, abs=1e-3)
    assert tone.amplitude == pytest.approx(10.0)
    assert tone.phase == pytest.approx(math.pi / 2.0)
    assert tone.enabled
    assert source.capabilities.amplitude_range[1] == pytest.approx(14.125, abs=1e-3)


def test_limit_of_the_device_is_the_largest_amplitude():
    source, link, _ = make(limit=10.0)
    source.connect()
    link.sent.clear()
    with pytest.raises(InputError, match=r"amplitude must lie in .* 1 V, got 1.1 V"):
        source.set_tone(0, replace(TONE, amplitude=1.1))
    assert link.sent == []


def test_error_of_the_device_is_passed_on_and_the_old_tone_comes_back():
    source, link, fake = make()
    source.connect()
    link.answer(b"LIMIT,1,5.0\r\n")  # lowered at the panel since
    with pytest.raises(
        DeviceError, match=r"ERR: Power 10.00 dBm exceeds limit.*old tone"
    ) as caught:
        source.set_tone(0, RFTone(90e6, 1.0))
    assert not isinstance(caught.value, LinkError)
    assert source.state is DeviceState.READY
    # The old power is above the new limit as well: the device keeps it.
    assert fake.read_tone(0).amplitude == pytest.approx(0.5, rel=1e-3)


def test_quantised_frequency_reads_back_as_asked():
    source, _, _ = make()
    source.connect()
    assert source.read_tone(0).frequency != 80e6
    source.set_tone(0, TONE)
    assert source.read_tone(0).frequency == 80e6


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"INFO": "MOGLabs DLC202"}, DeviceError, "not a MOGLabs QRF"),
        ({"MODE_1": "TSB (table simple)"}, DeviceError, "plays a table.*MODE,1,NSB"),
        ({"FREQ_1": "80.0"}, LinkError, "makes no sense"),
        ({"POW_1": "OK"}, LinkError, "makes no sense"),
        ({"POW_1": "1e200 dBm"}, LinkError, "no such device can have"),
        ({"PHASE_1": "1e999 deg"}, LinkError, "no finite number"),
        ({"STATUS_1": "12"}, LinkError, "no state of SIG"),
        ({"PHASE_1": "ERR: busy"}, DeviceError, "ERR: busy"),
        ({"INFO": "ERR: Unrecognised"}, DeviceError, "Unrecognised"),
    ],
)
def test_unusable_device_is_refused(changes, error, match: str):
    source = MoglabsSource("rf", link=scripted(**changes), channels=1)
    with pytest.raises(error, match=match):
        source.connect()
    assert source.state is DeviceState.FAULTED


def test_answer_without_ok_is_a_broken_link():
    source = MoglabsSource("rf", link=scripted(ALIGNPH_1="aligned"), channels=1)
    source.connect()
    with pytest.raises(LinkError, match=r"not OK"):
        source.align()
