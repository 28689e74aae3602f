"""What every device of a family promises: on fakes, simulated devices and through real drivers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from optobind.instruments.contracts import ContractError, check_contract
from optobind.instruments.fakes import FakeDigitizer, FakeGate, FakeGauge, FakeRFSource, FakeSLM
from optobind.instruments.protocols import DeviceState, GaugeReading, ReadResult

from .makers import MAKERS, PATTERN, TONES


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "maker", "strict"),
    [
        pytest.param(family, maker, strict, id=f"{name}-{family}")
        for name, family, maker, strict in MAKERS
    ],
)
def test_device_keeps_the_promises_of_its_family(family, maker, strict):
    with maker(family) as make:
        check_contract(family, make, strict=strict)


@pytest.mark.parametrize(("family", "maker"), [(f, m) for n, f, m, _ in MAKERS if n == "simulated"])
def test_contract_without_writing_leaves_the_device_alone(family, maker):
    with maker(family) as make:
        check_contract(family, make, writes=False)


class Untouchable(FakeRFSource):
    def set_tone(self, channel, tone):
        pytest.fail(f"{tone} was sent")


class Locked(FakeGate):
    def set(self, closed):
        pytest.fail("the gate was switched")


@pytest.mark.parametrize(("family", "device"), [("rf", Untouchable(TONES)), ("gate", Locked())])
def test_contract_without_writing_sets_nothing_at_all(family, device):
    check_contract(family, lambda: device, writes=False)


# -- the suite finds what is wrong ----------------------------------------------------------------


class WritesOnConnect(FakeRFSource):
    def connect(self):
        identity = super().connect()
        self.set_tone(0, replace(self.read_tone(0), amplitude=0.9 * self.read_tone(0).amplitude))
        return identity


class Deaf(FakeRFSource):
    def set_tone(self, channel, tone):
        self._require_channel(channel)


class LosesFrequency(FakeRFSource):
    def set_tone(self, channel, tone):
        super().set_tone(channel, replace(tone, frequency=tone.frequency + 1.0))


class TakesAnyChannel(FakeRFSource):
    def read_tone(self, channel):
        return super().read_tone(channel % 2)


class Talkative(FakeRFSource):
    def read_tone(self, channel):
        if self.state is DeviceState.DISCONNECTED:
            return TONES[channel]
        return super().read_tone(channel)


class Repeats(FakeDigitizer):
    def read_into(self, buffer):
        return replace(super().read_into(buffer), first_sample=0)


class SaysThePast(FakeDigitizer):
    def present_sample(self):
        return super().present_sample() - 1


class HalfFilled(FakeDigitizer):
    def read_into(self, buffer):
        kept = buffer[:, 1].copy()
        result = super().read_into(buffer)
        buffer[:, 1] = kept
        return result


class HidesGap(FakeDigitizer):
    def read_into(self, buffer):
        result = super().read_into(buffer)
        return ReadResult(result.samples, 2 * result.first_sample)


class DriftsOnDisconnect(FakeGate):
    def disconnect(self):
        self.history.append(True)
        super().disconnect()


class RoundsTwice(FakeSLM):
    def show(self, pattern):
        return super().show(replace(pattern, phases=tuple(p + 0.01 for p in pattern.phases)))


SAMPLES = np.arange(400, dtype=np.int16).reshape(100, 4)


@pytest.mark.parametrize(
    ("family", "device", "promise"),
    [
        ("rf", WritesOnConnect(TONES), "change no tone"),
        ("rf", Deaf(TONES), "amplitude is read back"),
        ("rf", LosesFrequency(TONES), "frequency that stays"),
        ("rf", TakesAnyChannel(TONES), "channel -1 is refused"),
        ("rf", Talkative(TONES), "not connected reads no tone"),
        ("digitizer", Repeats(SAMPLES), "block 1 begins at sample"),
        ("digitizer", HalfFilled(SAMPLES), "every column is filled"),
        ("digitizer", SaysThePast(SAMPLES), "the present sample is none that has been read"),
        ("digitizer", HidesGap(SAMPLES), "says that there is a gap"),
        ("gate", DriftsOnDisconnect(closed=True), "stays as it is"),
        ("slm", RoundsTwice(PATTERN), "shown again"),
        ("gauge", FakeGauge([GaugeReading(1e-6, status="over range")]), "only then"),
        ("gauge", FakeGauge([GaugeReading(None)]), "only then"),
        ("gauge", FakeGauge([GaugeReading(float("nan"))]), "positive"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else None,
)
def test_broken_promise_is_named(family, device, promise):
    with pytest.raises(ContractError, match=promise):
        check_contract(family, lambda: device, strict=False)


def test_source_without_range_checks_is_found_out():
    device = FakeRFSource(TONES)
    with pytest.raises(ContractError, match="is refused: nothing was raised"):
        check_contract("rf", lambda: device)
