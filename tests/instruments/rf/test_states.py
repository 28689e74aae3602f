"""Sources that somebody left in another state: refused or reported, with value and remedy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from optobind.instruments.catalogue import find_driver
from optobind.instruments.fakes import FakeRFSource
from optobind.instruments.links.base import LinkError
from optobind.instruments.protocols import DeviceState, RFTone
from optobind.instruments.virtual.text_server import make_instrument
from optobind.models.errors import DeviceError

from ..gauges.rude_server import RudeServer
from ..virtual.talk import InProcessLink

TONE = RFTone(40e6, 0.3, 0.25)
ENDS = {"siglent": "\n", "moglabs": "\r\n", "novatech-409b": "\r\n", "aa-mdsnc": "\r"}

_SCPI = [
    ("OUTP2:POL INV", "OUTP2:POL NORM", r"channel 2: the polarity is INV\w* .*not NORMAL.*by π"),
    ("SOUR1:VOLT:OFFS 0.1", "SOUR1:VOLT:OFFS 0", r"the offset is \+?1.0+E-01 .*not 0 V"),
    ("SOUR2:SWE:STAT ON", "SOUR2:SWE:STAT OFF", r"the sweep is .*change by themselves"),
    ("SOUR1:BURS:STAT ON", "SOUR1:BURS:STAT OFF", r"the burst is .*interrupted"),
    ("OUTP1:LOAD INF", "OUTP1:LOAD 50", r"the load is .*9.9\S*E\+37 .*not 50 Ω"),
    ("SOUR1:VOLT:UNIT DBM", "SOUR1:VOLT:UNIT VPP", r"unit of amplitudes is DBM .*not VPP"),
    ("SOUR2:FUNC SQU", "SOUR2:FUNC SIN", r"the waveform is SQU .*not SIN"),
    ("SOUR2:FUNC TRI", "SOUR2:FUNC SIN", r"the waveform is TRI .*not SIN"),
]
_KEYSIGHT = [
    *((f"SOUR1:{kind}:STAT ON", f"SOUR1:{kind}:STAT OFF", rf"{kind} modulation is 1 ")
      for kind in ("AM", "FM", "PM", "FSK", "BPSK", "PWM", "SUM")),
    ("SOUR2:FREQ:MODE LIST", "SOUR2:FREQ:MODE CW", r"frequency mode is LIST .*not CW"),
    ("SOUR1:FREQ:COUP ON", "SOUR1:FREQ:COUP OFF", r"coupling of frequencies .*the other one"),
    ("SOUR1:VOLT:COUP ON", "SOUR1:VOLT:COUP OFF", r"coupling of amplitudes .*the other one"),
    ("SOUR1:TRAC INV", "SOUR1:TRACK OFF", r"tracking of the channels is INV"),
    ("SOUR1:COMB:FEED CH2", "SOUR1:COMB:FEED NONE", r"added to this one is CH2"),
    ("OUTP1:MODE GAT", "OUTP1:MODE NORM", r"output mode is GAT"),
    ("UNIT:ANGL RAD", "UNIT:ANGL DEG", r"unit of phases is RAD"),
]  # fmt: skip
_RIGOL = [
    (":SOUR1:MOD:STAT ON", ":SOUR1:MOD:STAT OFF", r"the modulation is ON .*not OFF"),
    (":COUP:STAT ON", ":COUP:STAT OFF", r"coupling of the channels is FREQ:ON,PHASE:ON,AMPL:ON"),
    (":COUP:AMPL:STAT ON", ":COUP:STAT OFF", r"coupling of the channels is FREQ:OFF.*AMPL:ON"),
]
_OTHERS = [
    ("rigol-dg4000", ":OUTP1:NOIS ON", ":OUTP1:NOIS OFF", r"added noise is ON"),
    ("rigol-dg1000z", ":SOUR1:TRACK ON", ":SOUR1:TRACK OFF", r"tracking of the channels is ON"),
    ("siglent", "C2:OUTP PLRT,INVT", "C2:OUTP PLRT,NOR", r"channel 2: PLRT is INVT, not NOR"),
    ("siglent", "C1:BSWV OFST,0.2", "C1:BSWV OFST,0", r"channel 1: OFST is 0.2V, not 0"),
    ("siglent", "C1:OUTP LOAD,HZ", "C1:OUTP LOAD,50", r"LOAD is HZ, not 50"),
    ("siglent", "C1:BSWV WVTP,RAMP", "C1:BSWV WVTP,SINE", r"WVTP is RAMP, not SINE"),
    ("siglent", "C2:MDWV STATE,ON", "C2:MDWV STATE,OFF", r"the modulation is C2:MDWV STATE,ON"),
    ("siglent", "C1:SWWV STATE,ON", "C1:SWWV STATE,OFF", r"the sweep is C1:SWWV STATE,ON"),
    ("siglent", "C1:BTWV STATE,ON", "C1:BTWV STATE,OFF", r"the burst is C1:BTWV STATE,ON"),
    ("siglent", "C1:CMBN ON", "C1:CMBN OFF", r"added to this one is C1:CMBN ON"),
    ("siglent", "COUP ACOUP,ON", "COUP ACOUP,OFF", r"coupling of the channels is COUP TRACE,OFF"),
    ("siglent", "COUP TRACE,ON", "COUP TRACE,OFF", r"coupling of the channels is COUP TRACE,ON"),
    ("siglent", "MODE INDEPENDENT", "MODE PHASE-LOCKED", r"not PHASE-LOCKED.*would drift"),
    ("moglabs", "MODE,2,TSB", "MODE,2,NSB", r"channel 2: its mode is TSB, not NSB"),
    ("moglabs", "EXTIO,ENABLE,1,ON", "EXTIO,ENABLE,1,OFF", r"its external input is ON, not OFF"),
    ("aa-mdsnc", "I1", "I0", r"channel 1 is in external mode.*\(I0\)"),
]
CASES = [
    *(("keysight", *case) for case in (*_SCPI, *_KEYSIGHT)),
    *((d, *case) for d in ("rigol-dg1000z", "rigol-dg4000") for case in (*_SCPI, *_RIGOL)),
    *_OTHERS,
]


def make(dialect: str, *, tones=(TONE, TONE), **options):
    fake = FakeRFSource(list(tones))
    instrument = make_instrument(dialect, fake)
    end = ENDS.get(dialect, "\n")
    link = InProcessLink(instrument, (end, end))
    return find_driver("rf", dialect).load()("rf", link=link, **options), link, instrument, end


def send(link: InProcessLink, command: str, end: str) -> None:
    link.answer((command + end).encode("ascii"))


@pytest.mark.parametrize(("dialect", "left", "remedy", "match"), CASES)
def test_a_state_that_falsifies_the_light_is_refused_at_connect_and_before_a_run(
    dialect: str, left: str, remedy: str, match: str
):
    source, link, _, end = make(dialect)
    link.open()
    send(link, left, end)
    with pytest.raises(DeviceError, match=match) as refused:
        source.connect()
    text = str(refused.value)
    assert text.startswith("rf")
    assert "\n" not in text
    assert remedy.replace("ACOUP", "TRACE", 1).lstrip(":") in text  # what to send is in the message
    assert source.state is DeviceState.FAULTED
    link.open()
    send(link, remedy, end)
    source.connect()
    assert source.check_setup() == ()
    send(link, left, end)
    with pytest.raises(DeviceError, match=match):
        source.check_setup()
    assert source.state is DeviceState.READY
    send(link, remedy, end)
    assert source.check_setup() == ()


@pytest.mark.parametrize("bits", [0x400000, 0x800000, 0x004000])
def test_a_modulated_or_swept_novatech_is_refused(bits: int):
    source, _, instrument, _ = make("novatech-409b")
    instrument.registers[1] |= bits
    with pytest.raises(DeviceError, match=r"channel 1: its function register is .*swept"):
        source.connect()
    instrument.registers[1] = 0x000301
    instrument.registers[3] |= bits  # a channel that is not in use
    source.connect()
    assert source.check_setup() == ()


@pytest.mark.parametrize("dialect", ["keysight", "rigol-dg1000z"])
def test_light_that_is_on_keeps_its_amplitude_while_ranges_may_switch(dialect: str):
    source, link, instrument, _ = make(dialect)
    link.open()
    send(link, "SOUR2:VOLT:RANG:AUTO ON", "\n")
    source.connect()
    assert len(source.remarks) == 1
    assert "output range of channel 2 is automatic" in source.remarks[0]
    assert "VOLT:RANG:AUTO OFF" in source.remarks[0]
    link.sent.clear()
    darker = replace(TONE, amplitude=0.2)
    for channel in (0, 1):
        with pytest.raises(DeviceError, match=r"rf keeps its amplitude: .*a particle is lost"):
            source.set_tone(channel, darker)
        with pytest.raises(DeviceError, match="keeps its amplitude"):
            source.step_tone(channel, darker, TONE)
    assert all(line.endswith(b"?\n") for line in link.sent)
    source.set_tone(1, replace(TONE, phase=1.0))  # what keeps its amplitude may change
    source.set_tone(1, replace(TONE, enabled=False))
    source.set_tone(1, darker)  # nothing was there to lose
    send(link, "SOUR2:VOLT:RANG:AUTO OFF", "\n")
    source.step_tone(0, darker, TONE)  # mended by hand, and seen
    assert instrument._tones.tone(0).amplitude == pytest.approx(0.2)


def test_a_rig_may_say_that_ranges_may_switch():
    source, link, instrument, _ = make("keysight", allow_autorange=True)
    link.open()
    send(link, "SOUR1:VOLT:RANG:AUTO ON", "\n")
    source.connect()
    assert source.remarks == ()
    source.set_tone(0, replace(TONE, amplitude=0.2))
    assert instrument._tones.tone(0).amplitude == pytest.approx(0.2)


@pytest.mark.parametrize("dialect", ["keysight", "rigol-dg1000z", "rigol-dg4000"])
def test_errors_that_somebody_else_left_are_told_and_not_blamed_on_us(dialect: str):
    source, link, _, _ = make(dialect)
    link.open()
    send(link, "BOGUS", "\n")
    source.connect()
    assert len(source.remarks) == 1
    assert "not caused here: -113 Undefined header" in source.remarks[0]
    assert source.check_setup() == ()
    send(link, "BOGUS", "\n")
    source.set_tone(0, replace(TONE, amplitude=0.2))
    assert "not caused here" in source.remarks[0]
    assert source.check_setup() == ()


@pytest.mark.parametrize(
    "dialect",
    ["keysight", "rigol-dg1000z", "rigol-dg4000", "siglent", "moglabs", "novatech-409b",
     "aa-mdsnc"],
)  # fmt: skip
def test_an_output_that_is_off_is_said(dialect: str):
    dark = replace(TONE, enabled=False)
    source, _, _, _ = make(dialect, tones=(TONE, dark))
    source.connect()
    found = [remark for remark in source.remarks if "its output is off" in remark]
    assert len(found) == 1
    assert found == [remark for remark in source.check_setup() if "its output is off" in remark]


def test_an_amplifier_that_is_off_behind_a_signal_that_is_on_is_said():
    source, link, _, end = make("moglabs")
    link.open()
    send(link, "OFF,2,POW", end)
    source.connect()
    assert any("channel 2: its signal is on but its amplifier is off" in r for r in source.remarks)
    send(link, "ON,2,POW", end)
    assert source.check_setup() == ()


def test_an_aa_source_in_external_mode_waits_for_the_light_and_no_run_begins_before():
    source, link, _, end = make("aa-mdsnc", internal=True)
    link.open()
    send(link, "I1", end)
    source.connect()
    assert any("external mode until the light is set" in remark for remark in source.remarks)
    with pytest.raises(DeviceError, match="set the light once, which does it"):
        source.check_setup()
    source.set_tone(0, replace(TONE, phase=0.0, amplitude=0.4))
    assert source.check_setup() == ()


class Silent(InProcessLink):
    """A model that does not know some headers: it queues an error and says nothing."""

    headers: tuple[str, ...] = ()

    def write_raw(self, data: bytes) -> None:
        super().write_raw(data)
        if any(header.encode() in data for header in self.headers):
            self._waiting = self.answer(b"BOGUS?\n")


def test_what_a_model_does_not_know_is_not_asked_twice_and_does_not_hinder():
    source, _, instrument, _ = make("keysight")
    silent = Silent(instrument)
    silent.headers = ("TRACK?", "COMB:FEED?", "RANG:AUTO?")
    source = type(source)("rf", link=silent)
    source.connect()
    assert source.remarks == ()
    silent.sent.clear()
    assert source.check_setup() == ()
    assert not any(h.encode() in line for h in silent.headers for line in silent.sent)


def test_silence_without_an_error_is_a_broken_link():
    source, _, instrument, _ = make("keysight")
    link = InProcessLink(instrument)
    link.fault, link.at = lambda *_: b"", 10
    source = type(source)("rf", link=link)
    with pytest.raises(LinkError, match="rf: "):
        source.connect()


@pytest.mark.parametrize("prefix", [b"\x00", b"\xff", b"\x00\xff\x00"])
@pytest.mark.parametrize("dialect", ["moglabs", "novatech-409b", "aa-mdsnc", "keysight"])
def test_bytes_of_an_adapter_before_an_answer_do_not_matter(dialect: str, prefix: bytes):
    tone = replace(TONE, phase=0.0, amplitude=0.4)
    with RudeServer(dialect, prefix=prefix, device=FakeRFSource([tone, tone])) as server:
        source = find_driver("rf", dialect).load()("rf", server.visa_address)
        source.connect()
        source.set_tone(0, replace(tone, frequency=41e6))
        assert source.read_tone(0).frequency == 41e6
        source.disconnect()
