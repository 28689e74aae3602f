"""Checks, slew and read-back of light in one place; faulted devices come back, settings do not."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from optobind.instruments.control.aom_pair import AomControl
from optobind.instruments.control.calibration import AomCalibration, SineEfficiency
from optobind.instruments.fakes import FakeGate, FakeGauge, FakeRFSource, Fault
from optobind.instruments.guard import GuardedLight, LightLimits
from optobind.instruments.protocols import DeviceState, GaugeReading, RFTone
from optobind.instruments.supervisor import Supervisor
from optobind.models.errors import DeviceError, InputError


def guarded(limits, faults=None, waits=None):
    rf = FakeRFSource([RFTone(80e6, 0.3), RFTone(80e6, 0.3)], faults=faults)
    rf.connect()
    calibration = AomCalibration(0.5, SineEfficiency(0.9), 80e6)
    places = ((0.0, 0.0, 0.0), (3e-6, 0.0, 0.0))
    control = AomControl(rf, (calibration, calibration), places)
    return GuardedLight(control, limits, sleep=(waits or []).append), rf


def test_light_ramps_its_power():
    waits: list[float] = []
    light, rf = guarded(LightLimits(power_slew=1.0), waits=waits)
    start = light.read().state
    goal = start.with_pair(total_power=sum(s.power for s in start.sites) + 0.2)
    applied = light.apply(goal)
    assert applied.state.sites[0].power == pytest.approx(goal.sites[0].power)
    assert rf.calls["set_tone"] == 2 * 5
    with pytest.raises(InputError, match="move in smaller steps"):
        guarded(LightLimits(power_slew=1e-3))[0].apply(goal)


def test_a_fault_in_a_ramp_leaves_the_light_at_the_last_step_that_held():
    light, _ = guarded(LightLimits(power_slew=1.0), faults={"set_tone": {4: Fault("timeout")}})
    start = light.read().state
    goal = start.with_pair(total_power=sum(s.power for s in start.sites) + 0.2)
    with pytest.raises(DeviceError):
        light.apply(goal)
    powers = [site.power for site in light.read().state.sites]
    # Two of five steps had been made, on both sites alike; nothing was lowered.
    assert powers == pytest.approx([start.sites[0].power + 0.04] * 2)


def test_light_that_reads_back_differently_is_an_error():
    class Deaf(FakeRFSource):
        def set_tone(self, channel, tone):
            super().set_tone(channel, RFTone(tone.frequency, 0.5 * tone.amplitude, tone.phase))

    rf = Deaf([RFTone(80e6, 0.3), RFTone(80e6, 0.3)])
    rf.connect()
    calibration = AomCalibration(0.5, SineEfficiency(0.9), 80e6)
    control = AomControl(rf, (calibration,) * 2, ((0.0, 0.0, 0.0), (3e-6, 0.0, 0.0)))
    light = GuardedLight(control, LightLimits())
    state = light.read().state
    with pytest.raises(DeviceError, match="reads back"):
        light.apply(state.with_pair(balance=0.1))


@pytest.mark.parametrize("times", [0.9, 1.1])
@pytest.mark.parametrize(
    ("what", "said"),
    [("power", "reads back"), ("position", "from where it was set"), ("phase", "φ is off")],
)
def test_a_read_back_may_differ_by_its_tolerance_and_no_more(what, said, times):
    limits = LightLimits()

    class Off(AomControl):
        """Answers with the second site a little off."""

        def apply(self, state):
            applied = super().apply(state)
            first, second = applied.state.sites
            if what == "power":
                second = replace(
                    second, power=second.power * (1.0 - times * limits.power_tolerance)
                )
            elif what == "position":
                x, y, z = second.position
                second = replace(second, position=(x, y + times * limits.position_tolerance, z))
            else:
                applied = replace(applied, phase_error=times * limits.phase_tolerance)
            return replace(applied, state=replace(applied.state, sites=(first, second)))

    rf = FakeRFSource([RFTone(80e6, 0.3), RFTone(80e6, 0.3)])
    rf.connect()
    calibration = AomCalibration(0.5, SineEfficiency(0.9), 80e6)
    light = GuardedLight(Off(rf, (calibration,) * 2, ((0.0, 0.0, 0.0), (3e-6, 0.0, 0.0))), limits)
    goal = light.read().state.with_pair(balance=0.1)
    if times < 1.0:
        light.apply(goal)
        return
    with pytest.raises(DeviceError, match=said):
        light.apply(goal)


def test_a_faulted_device_is_brought_back_with_growing_waits_and_nothing_is_applied():
    now = [0.0]
    faults = {
        "set": {0: Fault("disconnect")},
        "connect": {n: Fault("timeout") for n in (1, 2, 3)},
    }
    gate = FakeGate(faults=faults)
    gate.connect()
    supervisor = Supervisor(
        [("gate", gate)], first_wait=1.0, longest_wait=3.0, clock=lambda: now[0]
    )
    assert supervisor.poll() == []
    with pytest.raises(DeviceError):
        gate.set(False)
    assert gate.state is DeviceState.FAULTED
    seen = []
    for _ in range(200):
        seen += [(now[0], incident.kind) for incident in supervisor.poll()]
        now[0] += 0.1
    kinds = [kind for _, kind in seen]
    assert kinds == ["faulted", "retrying", "retrying", "retrying", "reconnected"]
    waits = [b[0] - a[0] for a, b in pairwise(seen)]
    assert waits == pytest.approx([1.0, 2.0, 3.0, 3.0], abs=0.15)
    assert gate.state is DeviceState.READY
    assert gate.history == [True]


def test_a_device_that_stays_away_is_given_up_and_taken_back_by_hand():
    now = [0.0]
    faults = {
        "connect": {n: Fault("timeout") for n in range(1, 4)},
        "read": {0: Fault("disconnect")},
    }
    gauge = FakeGauge([GaugeReading(1e-6)], faults=faults)
    gauge.connect()
    with pytest.raises(DeviceError):
        gauge.read()
    supervisor = Supervisor([("gauge", gauge)], attempts=3, clock=lambda: now[0])
    kinds = []
    for _ in range(50):
        kinds += [incident.kind for incident in supervisor.poll()]
        now[0] += 1.0
    assert kinds == ["faulted", "retrying", "retrying", "given up"]
    gauge.connect()
    assert supervisor.poll() == []
    assert gauge.state is DeviceState.READY


def test_while_recording_faults_are_noted_but_nothing_is_connected():
    gate = FakeGate(faults={"read": {0: Fault("disconnect")}})
    gate.connect()
    with pytest.raises(DeviceError):
        gate.read()
    supervisor = Supervisor([("gate", gate)], first_wait=0.0)
    assert [i.kind for i in supervisor.poll(may_connect=False)] == ["faulted"]
    assert supervisor.poll(may_connect=False) == []
    assert gate.calls["connect"] == 1
    assert [i.kind for i in supervisor.poll()] == ["reconnected"]
