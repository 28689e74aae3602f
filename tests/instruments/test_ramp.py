"""Ramps on slow, held-up and failing links: the slew is kept, the time too, nothing is lowered."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

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
from optobind.instruments.fakes import FakeRFSource, FakeSLM, Fault
from optobind.instruments.guard import GuardedLight, LightLimits
from optobind.instruments.protocols import RFCapabilities, RFTone, SlmCapabilities, SpotPattern
from optobind.instruments.ramp import MOST_STEPS, RampPace
from optobind.instruments.tweezer_control import SlmRfControl
from optobind.models.errors import DeviceError, InputError
from optobind.models.light import TweezerState

PLACES = ((1.5e-6, 0.0, 0.0), (-1.5e-6, 0.0, 0.0))
KINDS = ("slm", "slm+rf", "aom", "aod")


class Clock:
    """Time that passes when somebody sleeps or a device is slow."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class SlowSource(FakeRFSource):
    """Takes time for each call; writes down when each tone came."""

    def __init__(self, tones, clock: Clock, delays: Iterable[float]) -> None:
        super().__init__(tones)
        self.clock, self.delays = clock, iter(delays)
        self.log: list[tuple[float, int, RFTone]] = []
        self.reads = 0

    def set_tone(self, channel, tone):
        self.clock.sleep(next(self.delays))
        self.log.append((self.clock.now, channel, tone))
        super().set_tone(channel, tone)

    def read_tone(self, channel):
        self.clock.sleep(next(self.delays))
        self.reads += 1
        return super().read_tone(channel)


def slow_light(delays: Iterable[float], **limits):
    clock = Clock()
    source = SlowSource([RFTone(80e6, 0.3), RFTone(80e6, 0.3)], clock, delays)
    source.connect()
    control = AomControl(source, [AomCalibration(0.5, SineEfficiency(0.9), 80e6)] * 2, PLACES)
    return GuardedLight(control, LightLimits(**limits), clock=clock, sleep=clock.sleep), source


def power(tone: RFTone) -> float:
    return 0.5 * math.sin(0.5 * math.pi * tone.amplitude / 0.9) ** 2


def constant(delay: float):
    while True:
        yield delay


def unsteady(seed: int):
    rng = np.random.default_rng(seed)
    while True:
        yield float(rng.choice([0.001, 0.02, 0.06, 0.4], p=[0.4, 0.4, 0.15, 0.05]))


def moves(source: SlowSource, slew: float) -> list[tuple[float, float]]:
    """Share of what the slew allows, and step in nominal steps, of each change of a channel."""
    found = []
    for channel in (0, 1):
        own = [(at, power(tone)) for at, number, tone in source.log if number == channel]
        for (t, p), (u, q) in pairwise(own):
            found.append((abs(q - p) / (slew * (u - t)), abs(q - p) / (slew * 0.02)))
    return found


@pytest.mark.parametrize("delay", [0.0, 0.002, 0.02, 0.045])
def test_ramp_keeps_slew_and_time_on_a_slow_link(delay):
    light, source = slow_light(constant(delay), power_slew=0.4)
    start = light.read().state
    begin, reads = source.clock.now, source.reads
    applied = light.apply(start.with_pair(total_power=sum(s.power for s in start.sites) + 0.4))
    assert applied.state.sites[0].power == pytest.approx(start.sites[0].power + 0.2)
    # Half a second, what is read before and after, and two steps: how slow the link is shows first.
    assert source.clock.now - begin <= 0.5 + 4 * delay + 2 * max(0.02, 2 * delay) + 1e-6
    assert source.reads - reads == 4
    # The ends of two writes are as far apart as the step between them needs.
    assert max(share for share, _ in moves(source, 0.4)) <= 1.0 + 1e-6


@pytest.mark.parametrize("seed", range(5))
def test_a_link_that_is_held_up_makes_no_step_jump(seed):
    light, source = slow_light(unsteady(seed), power_slew=0.4)
    start = light.read().state
    light.apply(start.with_pair(total_power=sum(s.power for s in start.sites) + 0.4))
    for channel in (0, 1):
        own = [power(tone) for _, number, tone in source.log if number == channel]
        assert own == sorted(own)
        steps = np.diff([start.sites[channel].power, *own])
        assert steps.max() <= MOST_STEPS * 0.02 * 0.4 * (1 + 1e-6)


def test_a_write_that_was_late_is_not_followed_at_once_by_a_large_step():
    clock = Clock()
    pace = RampPace(1.0, 0.02, clock=clock, sleep=clock.sleep)
    for took in (0.01, 0.01, 3.0):
        pace.wait()
        clock.sleep(took)
        pace.written()
    before = pace.share
    assert pace.wait() - before == pytest.approx(0.02)


def test_a_jump_needs_no_time():
    light, source = slow_light(constant(0.0))
    start = light.read().state
    light.apply(start.with_pair(balance=0.1))
    assert len(source.log) == 2


# -- every control ----------------------------------------------------------------------------


def make_control(kind: str, faults: dict | None = None):
    faults = faults or {}
    tones = [RFTone(80e6, 0.3, 0.1), RFTone(80e6, 0.32)]
    if kind == "aod":
        tones = [RFTone(80.6e6, 0.3), RFTone(79.4e6, 0.32)]
    capabilities = RFCapabilities(2, (5e7, 1.2e8), (0.0, 0.8))
    rf = FakeRFSource(tones, faults=faults.get("rf"), capabilities=capabilities)
    weights = (0.4, 0.4) if kind == "slm" else (0.5, 0.5)
    slm = FakeSLM(
        SpotPattern(PLACES, weights, (0.0, 0.0)),
        faults=faults.get("slm"),
        capabilities=SlmCapabilities(20e-6),
    )
    rf.connect()
    slm.connect()
    calibrations = [AomCalibration(1.0, SineEfficiency(1.0), 80e6)] * 2
    if kind == "slm":
        return SlmControl(slm, 1.0), slm, rf
    if kind == "slm+rf":
        return SlmRfControl(slm, rf, calibrations), slm, rf
    if kind == "aom":
        return AomControl(rf, calibrations, PLACES), slm, rf
    aod = AodControl(rf, [AodCalibration(80e6, 2.5e-12)], SineEfficiency(1.0), 1.0)
    return aod, slm, rf


def sent(slm: FakeSLM, rf: FakeRFSource) -> int:
    return slm.calls.get("show", 0) + rf.calls.get("set_tone", 0) + rf.calls.get("align", 0)


def moved(state: TweezerState, site: int, axis: int, value: float) -> TweezerState:
    position = list(state.sites[site].position)
    position[axis] = value
    return state.with_site(site, position=tuple(position))


FORBIDDEN = {
    "too dark": lambda s: s.with_site(0, power=1e-3),
    "too bright": lambda s: s.with_site(1, power=3.0),
    "negative": lambda s: s.with_site(0, power=-0.1),
    "power nan": lambda s: s.with_site(0, power=math.nan),
    "power inf": lambda s: s.with_site(1, power=math.inf),
    "no number": lambda s: s.with_site(1, power="much"),
    "phase nan": lambda s: s.with_site(0, phase=math.nan),
    "phase inf": lambda s: s.with_site(1, phase=math.inf),
    "detuned nan": lambda s: s.with_site(1, detuning=math.nan),
    "detuned inf": lambda s: TweezerState(tuple(replace(a, detuning=math.inf) for a in s.sites)),
    "detuned": lambda s: s.with_site(1, detuning=3e5),
    "detuned together": lambda s: TweezerState(tuple(replace(a, detuning=9e7) for a in s.sites)),
    "x nan": lambda s: moved(s, 0, 0, math.nan),
    "y nan": lambda s: moved(s, 1, 1, math.nan),
    "z inf": lambda s: moved(s, 0, 2, math.inf),
    "out of the field": lambda s: moved(s, 0, 0, 1e-3),
    "too close": lambda s: s.with_pair(separation=1e-6),
    "too far": lambda s: s.with_pair(separation=1e-4),
    "one site": lambda s: TweezerState(s.sites[:1]),
    "three sites": lambda s: TweezerState((*s.sites, s.sites[0])),
    "two coordinates": lambda s: s.with_site(0, position=(0.0, 0.0)),
    "too long a way": lambda s: s.with_site(0, power=s.sites[0].power + 0.2),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FORBIDDEN)
def test_nothing_is_sent_for_light_that_is_not_allowed(kind, name):
    control, slm, rf = make_control(kind)
    slew = 0.1 if name == "too long a way" else 1.0
    light = GuardedLight(control, LightLimits(power_slew=slew, position_slew=1e-5))
    goal = FORBIDDEN[name](light.read().state)
    checks = [light.check, light.apply]
    if name != "too long a way":
        checks += [control.check, control.apply]
    for refuse in checks:
        with pytest.raises(InputError):
            refuse(goal)
    assert sent(slm, rf) == 0


def test_tweezers_that_would_pass_each_other_too_closely_stay_where_they_are():
    control, slm, rf = make_control("slm")
    light = GuardedLight(control, LightLimits(position_slew=1e-3))
    state = light.read().state
    a, b = state.sites
    swapped = TweezerState((replace(a, position=b.position), replace(b, position=a.position)))
    control.check(swapped)
    with pytest.raises(InputError, match=r"separation of tweezers 1 and 2 on the way .* 50%"):
        light.apply(swapped)
    assert sent(slm, rf) == 0


def test_a_deflector_ramps_between_lights_that_carry_the_detunings_of_their_positions():
    control, _, _ = make_control("aod")
    light = GuardedLight(control, LightLimits(position_slew=1e-5), sleep=lambda _: None)
    state = light.read().state
    goal = state.with_pair(separation=3.2e-6)
    free = TweezerState(tuple(replace(site, detuning=0.0) for site in goal.sites))
    there = light.apply(free).state
    assert there.separation == pytest.approx(3.2e-6)
    assert light.apply(state).state.separation == pytest.approx(state.separation)


@pytest.mark.parametrize("kind", KINDS)
def test_a_ramp_may_begin_in_the_dark(kind):
    control, _, _ = make_control(kind)
    light = GuardedLight(control, LightLimits(power_slew=1.0), sleep=lambda _: None)
    state = light.read().state
    light.release()
    applied = light.apply(state)
    for found, wanted in zip(applied.state.sites, state.sites, strict=True):
        assert found.power == pytest.approx(wanted.power)


def test_a_mask_that_is_not_known_is_set_in_one_step():
    rf = FakeRFSource([RFTone(80e6, 0.3), RFTone(80e6, 0.3)])
    slm = FakeSLM(SpotPattern((), (), ()))
    rf.connect()
    slm.connect()
    control = SlmRfControl(slm, rf, [AomCalibration(1.0, SineEfficiency(1.0), 80e6)] * 2)
    light = GuardedLight(control, LightLimits(power_slew=0.5))
    with pytest.raises(DeviceError, match="set the light first"):
        light.read()
    goal = make_control("slm+rf")[0].read().state
    assert light.apply(goal).state.separation == pytest.approx(3e-6)
    assert slm.calls["show"] == 1


@pytest.mark.parametrize("kind", ["slm+rf", "aom", "aod"])
@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize("fault", ["timeout", "disconnect"])
def test_a_fault_at_any_command_never_lowers_light(kind, up, fault):
    class Watched(FakeRFSource):
        def set_tone(self, channel, tone):
            try:
                super().set_tone(channel, tone)
            except DeviceError:
                struck.append(len(kept))
                raise
            finally:
                kept.append([t.amplitude if t.enabled else 0.0 for t in self._tones])

    number = 0
    while True:
        control, _, rf = make_control(kind, {"rf": {"set_tone": {number: Fault(fault)}}})
        rf.__class__ = Watched
        light = GuardedLight(control, LightLimits(power_slew=1.0), sleep=lambda _: None)
        kept, struck = [[t.amplitude for t in rf._tones]], []
        state = light.read().state
        change = 0.05 if up else -0.05
        goal = TweezerState(tuple(replace(s, power=s.power + change) for s in state.sites))
        try:
            applied = light.apply(goal)
        except DeviceError:
            number += 1
        else:
            assert applied.state.sites[0].power == pytest.approx(goal.sites[0].power)
            break
        after = kept[struck[0] - 1 :]
        for channel in (0, 1):
            own = [amplitudes[channel] for amplitudes in (kept if up else after)]
            assert own == sorted(own)
    assert number >= 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("device", ["set", "read"])
@pytest.mark.parametrize("number", [0, 1])
def test_a_release_goes_on_past_whatever_fails(kind, device, number):
    if kind == "slm":
        faults = {"slm": {"show" if device == "set" else "read": {0: Fault("timeout")}}}
    else:
        faults = {"rf": {f"{device}_tone": {number: Fault("timeout")}}}
    control, slm, rf = make_control(kind, faults)
    if device == "set":
        wanted = "trap light may still be on, block the beam by hand: "
        wanted += "slm" if kind == "slm" else f"channel {number + 1}: rf did not answer"
        with pytest.raises(DeviceError, match=wanted):
            control.release()
    else:
        control.release()  # the command is sent all the same
    if kind == "slm":
        assert slm._pattern.weights == ((0.4, 0.4) if device == "set" else (0.0, 0.0))
        return
    on = [tone.enabled for tone in rf._tones]
    assert on == [device == "set" and channel == number for channel in (0, 1)]
