from __future__ import annotations

from dataclasses import replace

import pytest

from optobind.instruments.fakes import FakeRFSource
from optobind.instruments.links.base import LinkError
from optobind.instruments.links.scripted import ScriptedLink
from optobind.instruments.protocols import DeviceState, RFTone
from optobind.instruments.rf.aa import AaSource
from optobind.instruments.rf.base import dbm_of, volts_of
from optobind.instruments.virtual.text_server import make_instrument
from optobind.models.errors import DeviceError, InputError

from ..virtual.talk import InProcessLink

ENDS = ("\r", "\r")
TONE = RFTone(80e6, 0.5)
MANUAL = ["", "L1 F=121.321 P=19.2 ON", "\nL2 F=080.000 P=10.0 OFF"]


def make(*, internal: bool = False, **options):
    fake = FakeRFSource([TONE, TONE])
    link = InProcessLink(make_instrument("aa-mdsnc", fake, **options), ENDS)
    return AaSource("rf", link=link, internal=internal), link, fake


def scripted(*answers: str):
    return ScriptedLink(answers, write_termination="\r", read_termination="\r")


def test_status_list_of_the_manual_is_understood():
    link = scripted(*MANUAL, *MANUAL, "l1 F=80.000 P=0.00 ON INT", "noise", "l2 F=1.0 P=1.0 ON")
    source = AaSource("rf", link=link)
    source.connect()
    assert link.sent == [b"S\r"]
    tone = source.read_tone(0)
    assert tone.frequency == pytest.approx(121.321e6)
    assert tone.amplitude == pytest.approx(volts_of(19.2))
    assert tone.enabled
    assert tone.phase == 0.0
    assert source.read_tone(1).amplitude == pytest.approx(volts_of(1.0))


@pytest.mark.parametrize("shows_mode", [True, False])
def test_tone_is_sent_as_the_manual_says(shows_mode: bool):
    source, link, fake = make(shows_mode=shows_mode)
    source.connect()
    link.sent.clear()
    source.set_tone(1, RFTone(103.32e6, volts_of(9.3)))
    assert link.sent == [b"S\r", b"L2F103.32\r", b"L2D09.30\r", b"S\r"]
    assert fake.read_tone(1).frequency == pytest.approx(103.32e6)
    source.set_tone(1, replace(source.read_tone(1), enabled=False))
    assert link.sent[-2] == b"L2O0\r"
    source.set_tone(1, replace(source.read_tone(1), enabled=True))
    assert link.sent[-2] == b"L2O1\r"


def test_phase_is_absent_and_says_so():
    source, link, _ = make()
    source.connect()
    assert source.capabilities.phase == "absent"
    link.sent.clear()
    with pytest.raises(InputError, match=r"phase cannot be set on rf, got 0.3 rad"):
        source.set_tone(0, replace(TONE, phase=0.3))
    assert b"L1" not in b"".join(link.sent)
    source.align()
    assert source.read_tone(0).phase == 0.0


def test_external_mode_is_refused_unless_the_rig_file_asks_to_switch():
    source, link, _ = make(external=True)
    with pytest.raises(DeviceError, match=r"external mode.*I0.*internal = true"):
        source.connect()
    assert link.sent == [b"S\r"]
    source, link, _ = make(external=True, internal=True)
    source.connect()
    assert link.sent == [b"S\r"]
    source.set_tone(0, replace(TONE, amplitude=0.6))
    source.set_tone(0, replace(TONE, amplitude=0.7))
    assert link.sent.count(b"I0\r") == 1


def test_power_below_the_scale_is_refused():
    source, link, _ = make()
    source.connect()
    link.sent.clear()
    with pytest.raises(InputError, match=r"amplitude must lie in 0.316228"):
        source.set_tone(0, replace(TONE, amplitude=0.3))
    assert link.sent == []


def test_value_that_the_device_passes_over_is_noticed():
    source, _, fake = make()
    source.connect()
    with pytest.raises(DeviceError, match=r"reads back .* V instead of 1.5 V.*old tone again"):
        source.set_tone(0, replace(TONE, amplitude=1.5))  # the acting device stops at 1 V
    assert fake.read_tone(0).amplitude == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize(
    "lines",
    [["L1 F=121.321 P=19.2"], ["L1 F=121.321 P=19.2 ON"], ["?"] * 50, ["L1 F= P= ON"] * 50],
)
def test_list_that_is_cut_is_no_value(lines):
    source = AaSource("rf", link=scripted(*lines))
    with pytest.raises(LinkError):
        source.connect()
    assert source.state is DeviceState.FAULTED


def test_powers_are_into_50_ohm():
    assert dbm_of(1.0) == pytest.approx(10.0)
    assert volts_of(30.0) == pytest.approx(10.0)  # 1 W
    assert volts_of(dbm_of(0.123)) == pytest.approx(0.123)


class LateLink(InProcessLink):
    """A line on which answers come only when they are waited for: flushing finds nothing."""

    def flush(self) -> None:
        """What is on its way cannot be thrown away."""


def test_late_answers_to_the_steps_of_a_ramp_are_not_read_as_the_light_afterwards():
    fake = FakeRFSource([TONE, TONE])
    source = AaSource("rf", link=LateLink(make_instrument("aa-mdsnc", fake), ENDS))
    source.connect()
    tones = [source.read_tone(0), source.read_tone(1)]
    for step in range(1, 6):
        for channel in (0, 1):
            wanted = replace(tones[channel], amplitude=0.5 * (1.0 + 0.01 * step))
            source.step_tone(channel, wanted, tones[channel])
            tones[channel] = wanted
    for channel in (0, 1):
        found = source.read_tone(channel).amplitude
        assert found == pytest.approx(fake.read_tone(channel).amplitude, rel=1e-3)
        assert found == pytest.approx(0.525, rel=2e-3)


class DroppingLink(LateLink):
    """Loses the first command after it was told to; all answers come late."""

    lose = False

    def write(self, text: str) -> None:
        if self.lose:
            self.lose = False
            return
        super().write(text)


def test_a_command_that_the_line_lost_is_no_firmware_that_answers_none():
    fake = FakeRFSource([TONE, TONE])
    link = DroppingLink(make_instrument("aa-mdsnc", fake), ENDS)
    source = AaSource("rf", link=link)
    source.connect()
    tones = [source.read_tone(0), source.read_tone(1)]
    link.lose = True
    for step in range(1, 8):
        for channel in (0, 1):
            wanted = replace(tones[channel], amplitude=0.5 * (1.0 + 0.01 * step))
            source.step_tone(channel, wanted, tones[channel])
            tones[channel] = wanted
    for channel in (0, 1):
        found = source.read_tone(channel).amplitude
        assert found == pytest.approx(fake.read_tone(channel).amplitude, rel=1e-3)
        assert found == pytest.approx(0.535, rel=2e-3)


def test_firmware_that_answers_no_command_is_waited_for_once():
    link = scripted(*MANUAL)
    source = AaSource("rf", link=link)
    source.connect()
    reads = []
    read = link.read
    link.read = lambda: (reads.append(1), read())[1]
    tone = RFTone(121.321e6, volts_of(19.2))
    for step in range(1, 4):
        source.step_tone(0, replace(tone, amplitude=volts_of(19.2 + 0.1 * step)), tone)
    assert len(reads) == 1
    assert link.sent[-1] == b"L1D19.50\r"
