"""Faults in the light controls, the template driver and the NI drivers, one at a time.

Together with ``virtual/test_text_faults.py`` (792 on the text drivers) more than 1000 are injected:
none hangs, none lets a wrong value pass, none changes an output by itself.
"""

from __future__ import annotations

import math
import random
import time
from dataclasses import replace

import numpy as np
import pytest

from optobind.instruments.control.aod import AodControl
from optobind.instruments.control.aom_pair import AomControl
from optobind.instruments.control.calibration import (
    AodCalibration,
    AomCalibration,
    SineEfficiency,
)
from optobind.instruments.control.slm_only import SlmControl
from optobind.instruments.fakes import FakeDigitizer, FakeGate, FakeGauge, FakeRFSource, FakeSLM
from optobind.instruments.fakes import Fault as FakeFault
from optobind.instruments.guard import GuardedLight, LightLimits
from optobind.instruments.links.base import LinkError
from optobind.instruments.links.scripted import ScriptedLink
from optobind.instruments.protocols import DeviceState, GaugeReading, RFTone, SpotPattern
from optobind.instruments.template import ExampleSource, ExampleTwin
from optobind.instruments.tweezer_control import SlmRfControl
from optobind.models.errors import DeviceError
from optobind.models.light import TweezerState

LONGEST = 60.0  # s, of one call on fakes: none hangs
PLACES = ((1.5e-6, 0.0, 0.0), (-1.5e-6, 0.0, 0.0))
PATTERN = SpotPattern(PLACES, (0.5, 0.5), (0.4, 0.0))
CURVE = SineEfficiency(1.0)


# -- light controls -------------------------------------------------------------------------------


def make_control(kind: str, faults: dict[str, dict[str, dict[int, FakeFault]]]):
    """A guarded control on fakes; returns it with the fakes that it uses."""
    tones = [RFTone(80e6, 0.3, 0.1), RFTone(80e6, 0.32)]
    if kind == "aod":
        tones = [RFTone(80.6e6, 0.3), RFTone(79.4e6, 0.32)]
    rf = FakeRFSource(tones, faults=faults.get("rf"))
    pattern = replace(PATTERN, weights=(0.4, 0.4)) if kind == "slm" else PATTERN
    slm = FakeSLM(pattern, faults=faults.get("slm"))
    rf.connect()
    slm.connect()
    if kind == "slm":
        control = SlmControl(slm, 1.0)
    elif kind == "slm+rf":
        control = SlmRfControl(
            slm, rf, [AomCalibration(1.0, SineEfficiency(1.0), 80e6, order=-1)] * 2
        )
    elif kind == "aom":
        control = AomControl(rf, [AomCalibration(1.0, CURVE, 80e6)] * 2, PLACES)
    else:
        control = AodControl(rf, [AodCalibration(80e6, 2.5e-12)], CURVE, 1.0)
    used = {"slm": [slm], "slm+rf": [slm, rf]}.get(kind, [rf])
    limits = LightLimits(power_slew=2.0, step_time=0.02)
    return GuardedLight(control, limits, sleep=lambda _: None), used


def wanted_light(kind: str, start: TweezerState, rng: random.Random) -> TweezerState:
    """A change that the control can carry out."""
    state = start.with_site(0, power=start.sites[0].power + rng.uniform(-0.05, 0.05))
    if kind != "aod":
        state = state.with_pair(phi=rng.uniform(-3.0, 3.0))
    if kind in ("slm", "slm+rf", "aod"):
        state = state.with_pair(separation=rng.uniform(2.6e-6, 3.6e-6))
    if kind == "aod":
        state = TweezerState(tuple(replace(site, detuning=0.0) for site in state.sites))
    return state


def outputs(device) -> list[tuple[float, ...]]:
    """What a fake emits, past its faults."""
    if isinstance(device, FakeRFSource):
        return [(t.frequency, t.amplitude, t.enabled) for t in device._tones]
    return [
        (*p, w) for p, w in zip(device._pattern.positions, device._pattern.weights, strict=True)
    ]


@pytest.mark.parametrize("kind", ["slm", "slm+rf", "aom", "aod"])
def test_fault_within_a_change_of_the_light_leaves_every_output_on_its_way(kind):
    struck = 0
    for seed in range(60):
        rng = random.Random(f"{kind} {seed}")
        # A dry run tells how often each method is called and where the light passes.
        control, used = make_control(kind, {})
        start = control.read().state
        goal = wanted_light(kind, start, rng)
        before = [outputs(device) for device in used]
        base = [device.calls for device in used]
        control.apply(goal)
        after = [outputs(device) for device in used]
        device = rng.randrange(len(used))
        counts = {m: (base[device].get(m, 0), n) for m, n in used[device].calls.items()}
        method = rng.choice([m for m, (low, high) in counts.items() if high > low])
        number = rng.randrange(*counts[method])
        fault = FakeFault(rng.choice(["timeout", "disconnect"]))
        family = "rf" if isinstance(used[device], FakeRFSource) else "slm"

        control, used = make_control(kind, {family: {method: {number: fault}}})
        control.read()
        begin = time.monotonic()
        with pytest.raises(DeviceError):
            control.apply(goal)
        struck += 1
        assert time.monotonic() - begin < LONGEST
        for fake, old, new in zip(used, before, after, strict=True):
            for found, a, b in zip(outputs(fake), old, new, strict=True):
                for value, low, high in zip(found, map(min, a, b), map(max, a, b), strict=True):
                    slack = 1e-9 * max(abs(low), abs(high))
                    assert low - slack <= value <= high + slack
        left = [outputs(fake) for fake in used]
        for fake in used:
            fake.disconnect()
            fake.connect()
        control.read()
        assert [outputs(fake) for fake in used] == left
    assert struck == 60


# -- fakes of the other families ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["timeout", "disconnect"])
def test_fault_of_gate_or_gauge_is_an_error_and_switches_nothing(kind):
    for number in range(10):
        gate = FakeGate(faults={"set": {number: FakeFault(kind)}})
        gauge = FakeGauge([GaugeReading(1e-6)], faults={"read": {number: FakeFault(kind)}})
        gate.connect()
        gauge.connect()
        for call in range(number + 1):
            if call < number:
                gate.set(call % 2 == 0)
                assert gauge.read().pressure == 1e-6
                continue
            before = list(gate.history)
            with pytest.raises(DeviceError):
                gate.set(True)
            with pytest.raises(DeviceError):
                gauge.read()
            assert gate.history == before


# -- template driver ------------------------------------------------------------------------------

KINDS = ("silence", "cut", "garbage", "refused", "other", "empty", "swapped")


class FaultyTwin:
    """The device of the template; one of its answers is spoilt."""

    def __init__(self, kind: str, at: int, rng: random.Random) -> None:
        self.twin, self.kind, self.at, self.rng = ExampleTwin(), kind, at, rng
        self.calls = 0

    def __call__(self, line: str) -> str | None:
        number, self.calls = self.calls, self.calls + 1
        if number != self.at:
            return self.twin(line)
        if self.kind == "refused":
            return "ERR 7 busy"
        answer = self.twin(line)
        return {
            "silence": None,
            "cut": answer[: self.rng.randrange(len(answer) - 2)] if len(answer) > 4 else "",
            "garbage": "".join(self.rng.choice("~^{}|") for _ in range(8)),
            "other": "EXAMPLE,2RF,1234",
            "empty": "",
            "swapped": ",".join(reversed(answer.split(","))) if "," in answer else "1",
        }[self.kind]


@pytest.mark.parametrize("kind", KINDS)
def test_fault_of_the_template_driver_neither_lies_nor_moves_an_output(kind):
    for seed in range(12):
        rng = random.Random(f"template {kind} {seed}")
        clean = FaultyTwin(kind, -1, rng)
        source = ExampleSource("rf", link=ScriptedLink(respond=clean))
        source.connect()
        connected = clean.calls
        wanted = replace(source.read_tone(0), amplitude=rng.uniform(0.2, 0.9), phase=1.0)
        begin = clean.calls
        source.set_tone(0, wanted)
        calls = clean.calls - begin

        twin = FaultyTwin(kind, connected + rng.randrange(calls), rng)
        source = ExampleSource("rf", link=ScriptedLink(respond=twin))
        source.connect()
        try:
            source.set_tone(0, wanted)
        except LinkError:
            assert source.state is DeviceState.FAULTED
        except DeviceError:
            assert source.state is DeviceState.READY
        else:
            pytest.fail("the fault was not noticed")
        emitted = list(twin.twin.channels)
        frequency, amplitude, degrees, on = emitted[0]
        assert (frequency, on) == (80e6, 1)
        assert (amplitude, degrees) == (0.3, 0.0) or (
            amplitude == pytest.approx(wanted.amplitude, abs=1e-4)
            and degrees == pytest.approx(math.degrees(1.0), abs=0.01)
        )
        assert emitted[1] == [80e6, 0.3, 90.0, 1]
        source.disconnect()
        source.connect()
        assert source.read_tone(0).amplitude == pytest.approx(amplitude)
        assert twin.twin.channels == emitted


def test_faults_of_a_fake_digitizer_never_count_a_sample_twice():
    for seed in range(40):
        rng = random.Random(seed)
        kinds = ("timeout", "disconnect", "short", "overflow", "saturated", "end")
        number = rng.randrange(1, 6)
        fault = FakeFault(rng.choice(kinds), rng.randrange(1, 40))
        data = np.arange(1000, dtype=np.int16).reshape(500, 2)
        device = FakeDigitizer(data, faults={"read_into": {number: fault}})
        device.connect()
        device.start()
        buffer = np.zeros((50, 2), dtype=np.int16)
        expected = 0
        for call in range(8):
            try:
                result = device.read_into(buffer)
            except DeviceError:
                assert call >= number
                break
            assert result.first_sample >= expected
            assert result.first_sample == expected or call == number
            rows = (result.first_sample + np.arange(result.samples)) % 500
            assert (buffer[: result.samples] == data[rows]).all()
            expected = result.first_sample + result.samples
            if result.finished:
                break
