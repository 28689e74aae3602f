"""Several hundred faults, one at a time, on every text driver against its served instrument."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from optobind.instruments.catalogue import find_driver
from optobind.instruments.fakes import FakeGauge, FakeRFSource
from optobind.instruments.links.base import LinkError
from optobind.instruments.protocols import DeviceState, GaugeReading, RFTone
from optobind.instruments.virtual.text_server import make_instrument
from optobind.models.errors import DeviceError

from .talk import InProcessLink

ENDS = {
    "keysight": ("\n", "\n"),
    "rigol-dg1000z": ("\n", "\n"),
    "rigol-dg4000": ("\n", "\n"),
    "siglent": ("\n", "\n"),
    "moglabs": ("\r\n", "\r\n"),
    "novatech-409b": ("\r\n", "\r\n"),
    "aa-mdsnc": ("\r", "\r"),
    "pfeiffer-tpg": ("\r", "\r\n"),
    "mks-937b": (";FF", ";FF"),
    "agilent-xgs600": ("\r", "\r"),
}
REFUSALS = {
    "moglabs": b"ERR: busy\r\n",
    "novatech-409b": b"?0\r\n",
    "pfeiffer-tpg": b"\x15\r\n",
    "mks-937b": b"@253NAK160;FF",
    "agilent-xgs600": b"?FF\r",
}
SOURCES = list(ENDS)[:7]
GAUGES = list(ENDS)[7:]
KINDS = ("silence", "deaf", "cut", "garbage", "noise", "doubled", "gone", "refused")
TONES = [RFTone(40e6, 0.4, 0.0), RFTone(41e6, 0.45, 0.0)]
PRESSURE = 1.25e-4


def inject(kind: str, dialect: str, rng: random.Random):
    """A fault of a kind; what it does to an answer is drawn at random."""

    def fault(link: InProcessLink, data: bytes, _: bytes) -> bytes:
        link.lost = kind in ("gone", "silence", "garbage", "cut")
        if kind == "gone":
            link.broken = True
            raise LinkError("the other end hung up")
        if kind == "deaf":
            return b""
        if kind == "refused":
            if dialect in REFUSALS:
                return REFUSALS[dialect]
            if hasattr(link.instrument, "_push"):
                link.instrument._push(-310, "System error")
            return link.answer(data)
        answer = link.answer(data)
        link.lost = link.lost and answer != b""
        junk = bytes(rng.choice(b"~^\xff\x80{}|") for _ in range(rng.randint(1, 12)))
        end = link.ends[1].encode()
        return {
            "silence": b"",
            "cut": answer[: rng.randrange(len(answer))] if answer else b"",
            "garbage": junk + end,
            "noise": junk + answer,
            "doubled": answer + answer,
        }[kind]

    return fault


def close(a: RFTone, b: RFTone, *, phase: bool) -> bool:
    """Whether two tones are the same within the steps of the coarsest device."""
    return (
        abs(a.frequency - b.frequency) < 600.0
        and abs(a.amplitude - b.amplitude) < 0.01 * b.amplitude
        and (not phase or abs(math.remainder(a.phase - b.phase, 2.0 * math.pi)) < 2e-3)
        and a.enabled == b.enabled
    )


def check_outputs(fake: FakeRFSource, channel: int, before: RFTone, wanted: RFTone) -> None:
    """Nothing but the old or the new value of each quantity, and the other channel untouched."""
    now = fake.read_tone(channel)
    assert now.enabled
    for name, step in (("frequency", 600.0), ("amplitude", 0.005), ("phase", 2e-3)):
        old, new, found = (getattr(tone, name) for tone in (before, wanted, now))
        assert min(abs(found - old), abs(found - new)) < step
    assert fake.read_tone(1 - channel) == TONES[1 - channel]


def writes_of(make, dialect: str, action: str, channel: int, wanted: RFTone) -> int:
    """How often an action writes when all is well; at least 1."""
    link = InProcessLink(make_instrument(dialect, FakeRFSource(TONES)), ENDS[dialect])
    source = make("rf", link=link)
    source.connect()
    begin = link.writes
    if action == "set":
        source.set_tone(channel, wanted)
    elif action == "read":
        source.read_tone(channel)
    else:
        source.align()
    return max(1, link.writes - begin)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dialect", SOURCES)
def test_fault_of_an_rf_source_neither_hangs_nor_lies_nor_moves_an_output(dialect: str, kind: str):
    phase, make = dialect != "aa-mdsnc", find_driver("rf", dialect).load()
    for seed in range(9):
        rng = random.Random(f"{dialect} {kind} {seed}")
        fake = FakeRFSource(TONES)
        link = InProcessLink(make_instrument(dialect, fake), ENDS[dialect])
        source = make("rf", link=link)
        source.connect()
        channel = rng.randrange(2)
        before = fake.read_tone(channel)
        wanted = replace(
            before,
            frequency=before.frequency + rng.choice([0.0, 1e6]),
            amplitude=rng.choice([before.amplitude, 0.47]),
            phase=rng.choice([0.0, 1.0]) if phase else 0.0,
        )
        action = rng.choice(["set", "set", "set", "read", "align"])
        link.fault = inject(kind, dialect, rng)
        link.at = link.writes + rng.randrange(writes_of(make, dialect, action, channel, wanted))
        try:
            if action == "set":
                source.set_tone(channel, wanted)
                assert close(fake.read_tone(channel), wanted, phase=phase)
            elif action == "read":
                assert close(source.read_tone(channel), before, phase=phase)
            else:
                source.align()
        except LinkError:
            assert source.state is DeviceState.FAULTED
            # After an answer that was lost or made no sense nothing more was sent.
            assert not link.lost or link.writes == link.at + 1
            count = len(link.sent)
            with pytest.raises(DeviceError, match=r"faulted .*connect it again"):
                source.set_tone(channel, wanted)
            assert len(link.sent) == count
        except DeviceError as error:
            assert source.state is DeviceState.READY
            if "has its old tone again" in str(error):
                assert close(fake.read_tone(channel), before, phase=phase)
        assert link.writes > link.at or action == "align"
        check_outputs(fake, channel, before, wanted)
        after = [fake.read_tone(c) for c in range(2)]
        link.fault = None
        source.disconnect()
        source.connect()
        source.read_tone(channel)
        assert [fake.read_tone(c) for c in range(2)] == after


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dialect", GAUGES)
def test_fault_of_a_gauge_never_gives_a_wrong_pressure(dialect: str, kind: str):
    make = find_driver("gauge", dialect).load()
    for seed in range(12):
        rng = random.Random(f"{dialect} {kind} {seed}")
        link = InProcessLink(
            make_instrument(dialect, FakeGauge([GaugeReading(PRESSURE)])), ENDS[dialect]
        )
        gauge = make("gauge", link=link)
        gauge.connect()
        link.fault = inject(kind, dialect, rng)
        link.at = link.writes + rng.randrange(4)
        for _ in range(3):
            try:
                reading = gauge.read()
            except LinkError:
                assert gauge.state is DeviceState.FAULTED
                gauge.connect()
            except DeviceError:
                assert gauge.state is DeviceState.READY
            else:
                assert (reading.pressure is None) == (reading.status != "ok")
                assert reading.pressure in (None, pytest.approx(PRESSURE, rel=1e-3))
        assert link.writes > link.at
        assert gauge.read().pressure == pytest.approx(PRESSURE, rel=1e-3)
