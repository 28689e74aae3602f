from __future__ import annotations

import math
from dataclasses import replace

import pytest

from optobind.instruments.fakes import FakeRFSource
from optobind.instruments.links.base import LinkError
from optobind.instruments.links.scripted import ScriptedLink
from optobind.instruments.protocols import DeviceState, RFTone
from optobind.instruments.rf.siglent import SiglentSource
from optobind.instruments.virtual.text_server import make_instrument
from optobind.models.errors import DeviceError, InputError

from ..virtual.talk import InProcessLink

TONE = RFTone(80e6, 0.25, 0.25)
WAVE = (
    "C1:BSWV WVTP,SINE,FRQ,80000000HZ,PERI,1.25e-08S,AMP,0.5V,AMPVRMS,0.177Vrms,OFST,0V,"
    "HLEV,0.25V,LLEV,-0.25V,PHSE,90"
)


def make(**options):
    fake = FakeRFSource([TONE, TONE])
    link = InProcessLink(make_instrument("siglent", fake))
    return SiglentSource("rf", link=link, **options), link, fake


def scripted(wave: str = WAVE, output: str = "C1:OUTP ON,LOAD,50,PLRT,NOR"):
    answers = {
        "*IDN?": "Siglent Technologies,SDG2042X,SDG2XCAX1,2.01.01.35R3B2",
        "C1:BSWV?": wave,
        "C1:OUTP?": output,
    }
    return ScriptedLink(respond=answers.get)


def test_tone_is_sent_as_the_manual_says():
    source, link, _ = make()
    assert "SDG6052X" in source.connect()
    assert all(line.endswith(b"?\n") for line in link.sent)
    link.sent.clear()
    source.set_tone(1, RFTone(81e6, 0.3, math.pi / 2.0))
    assert link.sent[2:-2] == [
        b"C2:BSWV FRQ,81000000\n",
        b"C2:BSWV AMP,0.6\n",
        b"C2:BSWV PHSE,90\n",
    ]
    link.sent.clear()
    source.align()
    assert link.sent == [b"EQPHASE\n"]


def test_output_is_switched_alone():
    source, link, fake = make()
    source.connect()
    source.set_tone(0, replace(source.read_tone(0), enabled=False))
    assert b"C1:OUTP OFF\n" in link.sent
    assert fake.read_tone(0).enabled is False
    source.set_tone(0, replace(source.read_tone(0), enabled=True))
    assert b"C1:OUTP ON\n" in link.sent


def test_answer_of_a_device_is_understood():
    source = SiglentSource("rf", link=scripted(), channels=1)
    source.connect()
    assert source.read_tone(0) == RFTone(80e6, 0.25, math.pi / 2.0, True)
    assert source.capabilities.frequency_range[1] == 40e6
    with pytest.raises(InputError, match=r"Hz, got 8e\+07 Hz"):
        source.set_tone(0, RFTone(80e6, 0.2))


@pytest.mark.parametrize(
    ("answers", "match"),
    [
        ({"output": "C1:OUTP ON,LOAD,HZ,PLRT,NOR"}, r"LOAD is HZ.*C1:OUTP LOAD,50"),
        ({"wave": WAVE.replace("SINE", "SQUARE")}, "C1:BSWV WVTP,SINE"),
    ],
)
def test_load_or_function_that_changes_the_numbers_is_refused(answers, match: str):
    with pytest.raises(DeviceError, match=match):
        SiglentSource("rf", link=scripted(**answers), channels=1).connect()


@pytest.mark.parametrize(
    "answers",
    [
        {"wave": WAVE.replace("80000000HZ", "80000000")},
        {"wave": WAVE.replace(",AMP,0.5V", "")},
        {"wave": WAVE[:-9]},
        {"wave": WAVE[:-3]},
        {"wave": WAVE.replace("C1:", "C2:")},
        {"wave": "ERR"},
        {"wave": WAVE.replace("PHSE,90", "PHSE,1e999")},
        {"wave": WAVE.replace("AMP,0.5V", "AMP,1e300V")},
        {"output": "C1:OUTP O,LOAD,50"},
    ],
)
def test_answer_that_is_cut_or_for_something_else_is_no_value(answers):
    source = SiglentSource("rf", link=scripted(**answers), channels=1)
    with pytest.raises(LinkError):
        source.connect()
    assert source.state is DeviceState.FAULTED


def test_other_devices_are_refused():
    link = ScriptedLink(["RIGOL TECHNOLOGIES,DG4162,DG4E1,00.01"])
    with pytest.raises(DeviceError, match=r"not a Siglent SDG"):
        SiglentSource("rf", link=link).connect()


def test_value_that_the_device_passes_over_is_noticed_and_taken_back():
    fake = FakeRFSource([TONE, TONE])
    link = InProcessLink(make_instrument("siglent", fake, model="SDG2082X"))
    source = SiglentSource("rf", link=link)
    source.connect()
    source._model = source.widest  # a driver that does not know this model's limit
    with pytest.raises(DeviceError, match=r"reads back 80000000 Hz.*has its old tone again"):
        source.set_tone(0, replace(TONE, frequency=100e6, amplitude=0.1))
    assert fake.read_tone(0).amplitude == pytest.approx(0.25)
    assert source.state is DeviceState.READY
