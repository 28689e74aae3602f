from __future__ import annotations

import math
from dataclasses import replace

import pytest

from optobind.instruments.fakes import FakeRFSource
from optobind.instruments.links.base import LinkError
from optobind.instruments.links.scripted import ScriptedLink
from optobind.instruments.protocols import DeviceState, RFTone
from optobind.instruments.rf.novatech import NovatechSource
from optobind.instruments.virtual.text_server import make_instrument
from optobind.models.errors import DeviceError, InputError

from ..virtual.talk import InProcessLink

ENDS = ("\r\n", "\r\n")
TONE = RFTone(80e6, 0.25, 0.25)
# QUE of a device: 1 MHz, half a turn, 501 of 1023.
LINES = ["00989680 2000 01F5 0000 00000000 00000000 000301"] * 4 + ["80 BC0000 0000 0102 21"]


def make(**options):
    fake = FakeRFSource([TONE, TONE])
    link = InProcessLink(make_instrument("novatech-409b", fake, **options), ENDS)
    return NovatechSource("rf", link=link), link, fake


def scripted(*answers: str | bytes | Exception):
    return ScriptedLink(answers, write_termination="\r\n", read_termination="\r\n")


def test_connecting_only_asks_and_understands_the_words():
    link = scripted(*LINES, *LINES)
    source = NovatechSource("rf", link=link)
    assert source.connect() == "Novatech 409B, firmware 21"
    tone = source.read_tone(3 - 2)
    assert link.sent == [b"QUE\r\n"] * 2
    assert tone.frequency == 1e6
    assert tone.amplitude == pytest.approx(0.5 * 501 / 1023)
    assert abs(tone.phase) == pytest.approx(math.pi)


@pytest.mark.parametrize("echo", [True, False])
def test_new_values_wait_until_they_act_together(echo: bool):
    source, link, fake = make(echo=echo)
    source.connect()
    link.sent.clear()
    tone = RFTone(80.5e6, 0.5, math.pi)
    source.set_tone(1, tone)
    # With the first change, what waits for the other channels is replaced by what was read.
    assert link.sent[1:-1] == [
        b"I m\r\n",
        b"F0 80.0000000\r\n",
        b"V0 512\r\n",
        b"P0 652\r\n",
        b"F1 80.5000000\r\n",
        b"V1 1023\r\n",
        b"P1 8192\r\n",
        b"I p\r\n",
    ]
    assert link.sent[0] == link.sent[-1] == b"QUE\r\n"
    assert fake.read_tone(1).frequency == pytest.approx(80.5e6)
    link.sent.clear()
    source.set_tone(0, TONE)
    assert [line[:2] for line in link.sent] == [b"QU", b"I ", b"F0", b"V0", b"P0", b"I ", b"QU"]


def test_align_clears_the_phase_registers_with_the_next_update():
    source, link, fake = make()
    source.connect()
    source.set_tone(0, TONE)
    link.sent.clear()
    source.align()
    assert link.sent == [b"I m\r\n", b"M a\r\n", b"I p\r\n"]
    assert fake.calls["align"] == 1


def test_nothing_acts_before_the_update():
    source, link, fake = make()
    source.connect()
    link.fault, link.at = lambda *_: b"", link.writes + 8  # the I p is lost
    with pytest.raises(LinkError):
        source.set_tone(0, RFTone(90e6, 0.1, 1.0))
    assert fake.read_tone(0) == TONE
    link.fault = None
    # What waits is seen after the fault, not applied by the next change of the other channel.
    source.connect()
    assert source.read_tone(0).frequency == 90e6
    assert fake.read_tone(0) == TONE


def test_off_is_amplitude_zero():
    source, _, fake = make()
    source.connect()
    source.set_tone(0, replace(TONE, enabled=False))
    assert source.read_tone(0).enabled is False
    assert fake.read_tone(0).enabled is False
    source.set_tone(0, TONE)
    assert source.read_tone(0).enabled is True


def test_full_scale_scales_the_amplitudes():
    link = scripted(*LINES)
    source = NovatechSource("rf", link=link, full_scale=0.6)
    source.connect()
    assert source.capabilities.amplitude_range == (0.0, 0.6)
    with pytest.raises(InputError, match=r"got 0.61 V"):
        source.set_tone(0, RFTone(1e6, 0.61))
    assert len(link.sent) == 1


@pytest.mark.parametrize("code", ["?0", "?1", "?4", "?7", "?8", "?f"])
def test_refusals_carry_the_devices_code(code: str):
    link = scripted(*LINES, *LINES, "OK", code, *["OK"] * 5, *LINES)
    source = NovatechSource("rf", link=link, channels=1)
    source.connect()
    match = rf"refused 'F0 2.0000000': \{code} .*has its old tone again"
    with pytest.raises(DeviceError, match=match) as caught:
        source.set_tone(0, RFTone(2e6, 0.1))
    assert not isinstance(caught.value, LinkError)
    assert source.state is DeviceState.READY
    # The old words went back: F0 1 MHz, V0 501, P0 half a turn.
    assert link.sent[4:8] == [b"I m\r\n", b"F0 1.0000000\r\n", b"V0 501\r\n", b"P0 8192\r\n"]


@pytest.mark.parametrize(
    "lines",
    [
        ["00989680 2000 01F5 0000 00000000 00000000 0003"],
        ["0098968 2000 01F5 0000 00000000 00000000 000301"],
        ["?0"],
        [*LINES[:2], "80 BC0000 0000 0102 21"],
        [*LINES[:4], "80 BC0000 0000 0102 2"],
        LINES[:3],
    ],
)
def test_status_that_is_cut_or_wrong_is_no_value(lines):
    source = NovatechSource("rf", link=scripted(*lines))
    with pytest.raises(LinkError):
        source.connect()
    assert source.state is DeviceState.FAULTED


def test_words_that_read_back_differently_are_an_error():
    link = scripted(*LINES, *LINES, *["OK"] * 5, *LINES, *["OK"] * 5, *LINES)
    source = NovatechSource("rf", link=link, channels=1)
    source.connect()
    with pytest.raises(DeviceError, match=r"reads back the words .* instead of \(20000000,"):
        source.set_tone(0, RFTone(2e6, 0.1))
