from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optobind.instruments.control.calibration import AomCalibration, SineEfficiency
from optobind.instruments.fakes import FakeRFSource, FakeSLM, Fault
from optobind.instruments.protocols import RFTone, SpotPattern
from optobind.instruments.simulated.build import build_simulated_rig
from optobind.instruments.simulated.optics import calibration
from optobind.instruments.tweezer_control import SlmRfControl
from optobind.models.errors import DeviceError, InputError
from optobind.models.light import Site, TweezerState

from .conftest import make_settings, make_trap

LIGHT = TweezerState((Site((1.25e-6, 0, 0), 0.28, 0.4), Site((-1.25e-6, 0, 0), 0.32, 0.0)))


def sim_rig():
    rig = build_simulated_rig(make_trap(), make_settings())
    for _, device in rig.devices():
        device.connect()
    return rig


RIG = sim_rig()


def fake_control(**faults):
    slm = FakeSLM(
        SpotPattern(tuple(s.position for s in LIGHT.sites), (0.5, 0.5), (0.4, 0.0)),
        faults=faults.get("slm"),
    )
    rf = FakeRFSource([RFTone(80e6, 0.3), RFTone(80e6, 0.4)], faults=faults.get("rf"))
    control = SlmRfControl(slm, rf, [AomCalibration(1.0, SineEfficiency(1.0), 80e6, order=-1)] * 2)
    slm.connect()
    rf.connect()
    return control, slm, rf


@given(
    phi=st.floats(-12.0, 12.0),
    separation=st.floats(2e-6, 20e-6),
    power=st.floats(0.05, 1.9),
    balance=st.floats(-0.5, 0.5),
)
@settings(max_examples=60, deadline=None)
def test_what_is_applied_is_read_back_within_the_devices_steps(phi, separation, power, balance):
    control, _, _ = fake_control()
    wanted = LIGHT.with_pair(phi=phi, separation=separation, total_power=power, balance=balance)
    if max(site.power for site in wanted.sites) > 1.0 or min(s.power for s in wanted.sites) < 0.01:
        return
    control.apply(wanted)
    read = control.read().state
    assert read.relative_phase == pytest.approx(phi, abs=1e-9)
    assert read.separation == pytest.approx(separation, abs=1e-15)
    for got, asked in zip(read.sites, wanted.sites, strict=True):
        assert got.power == pytest.approx(asked.power, rel=1e-9)


@pytest.mark.parametrize("phi", [0.0, 0.123, -2.9, 3.3, 7.0])
def test_simulated_light_follows_the_set_point_within_quantisation(phi: float):
    wanted = LIGHT.with_pair(phi=phi, separation=2.71e-6, balance=0.05)
    applied = RIG.light.apply(wanted)
    read = RIG.light.read().state
    assert applied.state == read
    # Two phases, each rounded to the RF source's step.
    assert abs(read.relative_phase - phi) <= 2.0 * math.pi / 16384 + 1e-12
    assert applied.phase_error == pytest.approx(abs(read.relative_phase - phi), abs=1e-9)
    assert read.separation == pytest.approx(2.71e-6, abs=60e-6 / 65536)
    for got, asked in zip(read.sites, wanted.sites, strict=True):
        assert got.power == pytest.approx(asked.power, rel=1e-4)
    # Nobody samples: the world has arrived already.
    world = RIG.world.light
    assert world.relative_phase == pytest.approx(read.relative_phase, abs=1e-9)
    assert world.sites[0].power == pytest.approx(read.sites[0].power, rel=1e-9)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda s: s.with_pair(total_power=40.0), r"power of tweezer 1 .* 0.01 … 1 W, got"),
        (lambda s: s.with_site(1, power=-0.1), r"power of tweezer 2 .* W, got -0.1 W"),
        (lambda s: s.with_pair(separation=3e-7), r"separation of tweezers 1 and 2 .* m, got 3e-07"),
        (lambda s: s.with_pair(separation=1.0), r"x of tweezer 1 .* m, got 0.5 m"),
        (lambda s: s.with_site(0, phase=math.nan), r"phase of tweezer 1 .* rad, got nan"),
        (lambda s: s.with_site(1, detuning=100.0), r"100 Hz .* allowed: 0 Hz"),
        (lambda s: TweezerState(s.sites[:1]), r"has 2 tweezers"),
    ],
)
def test_absurd_set_points_are_refused_and_nothing_changes(change, match):
    before, world = RIG.light.read(), RIG.world.light
    with pytest.raises(InputError, match=match):
        RIG.light.apply(change(before.state))
    assert RIG.light.read() == before
    assert RIG.world.light == world


def test_failing_rf_source_leaves_the_last_good_set_point_but_for_what_was_raised():
    control, slm, rf = fake_control(rf={"set_tone": {1: Fault("timeout")}})
    before = control.read()
    goal = LIGHT.with_pair(phi=1.5, separation=4e-6, balance=0.2)
    with pytest.raises(DeviceError, match="did not answer"):
        control.apply(goal)
    kept = before.state.with_site(0, power=pytest.approx(goal.sites[0].power))
    assert control.read().state == kept  # a fault never lowers light
    assert slm.calls["show"] == 2
    assert rf.calls["set_tone"] == 2  # the SLM took the phase back


def test_failing_slm_changes_nothing():
    control, _, rf = fake_control(slm={"show": {0: Fault("disconnect")}})
    with pytest.raises(DeviceError, match="disconnected"):
        control.apply(LIGHT)
    assert "set_tone" not in rf.calls


def test_source_without_phase_leaves_the_phase_to_the_slm():
    control, _, rf = fake_control()
    rf._capabilities = replace(rf.capabilities, phase="absent")
    control.apply(LIGHT.with_pair(phi=1.0))
    assert rf.read_tone(0).phase == 0.0
    assert control.capabilities.phase
    assert control.capabilities.phase_resolution == pytest.approx(2.0 * math.pi / 256)


def test_the_simulated_light_is_of_order_minus_one():
    path = calibration(make_settings())
    # A tone that is 1 Hz high runs 2π ahead in a second, and so does the optical phase: the
    # light's frequency is lower, for its time factor is exp(−iωt).
    assert path.optical_phase(2.0 * math.pi) == pytest.approx(2.0 * math.pi)
    assert path.detuning(path.carrier + 1.0) == pytest.approx(-1.0)
    assert path.frequency(-1.0) == pytest.approx(path.carrier + 1.0)


@pytest.mark.parametrize(("order", "passes"), [(1, 1), (-1, 1), (1, 2), (-1, 2)])
def test_the_rf_takes_up_what_the_slm_left_with_the_sign_of_the_order(order, passes):
    """RF cos(2πft + ψ) turns light of order m by −mψ on each pass (time factor exp(−iωt))."""
    slm = FakeSLM(SpotPattern(((0.0, 0.0, 0.0),) * 2, (0.5, 0.5), (0.0, 0.0)))
    rf = FakeRFSource([RFTone(80e6, 0.3), RFTone(80e6, 0.4)])
    aoms = [
        AomCalibration(1.0, SineEfficiency(1.0), 80e6, order, offset, passes)
        for offset in (0.3, -0.2)
    ]
    control = SlmRfControl(slm, rf, aoms)
    slm.connect()
    rf.connect()
    applied = control.apply(LIGHT.with_pair(phi=1.1))
    assert applied.phase_error < 1e-3
    for j, (site, offset) in enumerate(
        zip(LIGHT.with_pair(phi=1.1).sites, (0.3, -0.2), strict=True)
    ):
        light = np.exp(
            1j * (slm.read().phases[j] + offset - order * passes * rf.read_tone(j).phase)
        )
        assert light == pytest.approx(np.exp(1j * site.phase), abs=1e-3)


def test_release_switches_every_tone_off_and_applying_light_brings_it_back():
    rig = sim_rig()
    control, rf = rig.light, rig.rf
    before = control.read().state
    control.release()
    assert [rf.read_tone(j).enabled for j in (0, 1)] == [False, False]
    assert [site.power for site in control.read().state.sites] == [0.0, 0.0]
    control.apply(before)
    assert all(rf.read_tone(j).enabled for j in (0, 1))


def test_a_release_goes_on_past_a_channel_that_fails():
    slm = FakeSLM(SpotPattern(((0.0, 0.0, 0.0),) * 2, (0.5, 0.5), (0.0, 0.0)))
    tones = [RFTone(80e6, 0.3), RFTone(80e6, 0.4)]
    rf = FakeRFSource(tones, faults={"set_tone": {0: Fault("timeout")}})
    control = SlmRfControl(slm, rf, [AomCalibration(1.0, SineEfficiency(1.0), 80e6, order=-1)] * 2)
    slm.connect()
    rf.connect()
    with pytest.raises(DeviceError, match="block the beam by hand: channel 1"):
        control.release()
    assert [rf.read_tone(j).enabled for j in (0, 1)] == [True, False]
