"""TweezerControls on scripted devices: what is set, what is read back, what is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from optobind.instruments.control.aod import AodControl
from optobind.instruments.control.aom_pair import AomControl
from optobind.instruments.control.calibration import (
    AodCalibration,
    AomCalibration,
    SineEfficiency,
    TabulatedEfficiency,
)
from optobind.instruments.control.slm_only import SlmControl
from optobind.instruments.control.tones import set_tones
from optobind.instruments.fakes import FakeRFSource, FakeSLM, Fault
from optobind.instruments.protocols import RFCapabilities, RFTone, SlmCapabilities, SpotPattern
from optobind.models.errors import DeviceError, InputError
from optobind.models.light import Site, TweezerState

PLACES = ((0.0, 0.0, 0.0), (3e-6, 0.0, 0.0))


def light(**changes) -> TweezerState:
    values = {"powers": (0.2, 0.19), "phases": (0.4, 0.0), "detunings": (0.0, 0.0)} | changes
    return TweezerState(
        tuple(
            Site(place, power, phase, detuning)
            for place, power, phase, detuning in zip(
                changes.get("places", PLACES),
                values["powers"],
                values["phases"],
                values["detunings"],
                strict=True,
            )
        )
    )


def source(channels: int = 2, phase: str = "relative", faults=None) -> FakeRFSource:
    rf = FakeRFSource(
        [RFTone(80e6, 0.3)] * channels,
        faults=faults,
        capabilities=RFCapabilities(channels, (5e7, 1.2e8), (0.0, 1.0), phase),
    )
    rf.connect()
    return rf


def aoms(
    order: int = 1, rf: FakeRFSource | None = None, **options
) -> tuple[AomControl, FakeRFSource]:
    rf = rf or source()
    calibrations = [
        AomCalibration(0.5, SineEfficiency(0.9, 0.85), 80e6, order, phase_offset=offset)
        for offset in (0.1, -0.7)
    ]
    return AomControl(rf, calibrations, PLACES, **options), rf


@pytest.mark.parametrize("order", [1, -1])
def test_aoms_carry_phase_and_power_both_ways(order):
    control, rf = aoms(order)
    applied = control.apply(light())
    for found, wanted in zip(applied.state.sites, light().sites, strict=True):
        assert found.power == pytest.approx(wanted.power, rel=1e-12)
        assert math.remainder(found.phase - wanted.phase, math.tau) == pytest.approx(0.0, abs=1e-12)
        assert found.detuning == 0.0
    assert applied.phase_error < 1e-12
    # arg E = −m·ψ + offset: the field of order m carries exp(−im(2πft + ψ)).
    assert rf.read_tone(0).phase == pytest.approx(order * (0.1 - 0.4))
    assert applied.beat == 0.0


@pytest.mark.parametrize("order", [1, -1])
def test_a_detuned_tone_turns_the_phase_as_its_frequency_says(order):
    # A frequency offset δf held for a time t is an RF phase 2πδft: both must turn arg E alike,
    # by −2π·detuning·t (time factor exp(−iω_Lt)).
    calibration = AomCalibration(0.5, SineEfficiency(0.9), 80e6, order)
    offset, time = 250.0, 1e-3
    by_phase = calibration.optical_phase(math.tau * offset * time) - calibration.optical_phase(0.0)
    by_frequency = -math.tau * calibration.detuning(80e6 + offset) * time
    assert by_phase == pytest.approx(by_frequency)
    assert calibration.frequency(calibration.detuning(80.3e6)) == pytest.approx(80.3e6)


def test_fixed_beams_and_static_phases_are_refused_by_name():
    control, _ = aoms()
    with pytest.raises(InputError, match="position of tweezer 2 is fixed"):
        control.apply(light(places=(PLACES[0], (4e-6, 0.0, 0.0))))
    with pytest.raises(InputError, match="detuned"):
        control.apply(light(detunings=(0.0, 1e5)))
    beating, _ = aoms(allow_beat=True)
    assert beating.apply(light(detunings=(0.0, 1e5))).beat == pytest.approx(1e5)
    with pytest.raises(InputError, match=r"power of tweezer 1 must lie in 0.01 … 0.425 W"):
        control.apply(light(powers=(0.5, 0.2)))


def test_a_source_without_phases_says_so_and_refuses_them():
    control, _ = aoms(rf=source(phase="absent"))
    assert not control.capabilities.phase
    assert any("phase" in text for text in control.capabilities.missing)
    same = tuple(site.phase for site in control.read().state.sites)
    control.apply(light(phases=same))
    with pytest.raises(InputError, match="no phase command"):
        control.apply(light(phases=(same[0] + 0.5, same[1])))


def test_relative_phases_are_applied_again_after_an_alignment():
    class Resetting(FakeRFSource):
        def align(self):
            super().align()
            self._tones = [replace(tone, phase=0.0) for tone in self._tones]

    rf = Resetting([RFTone(80e6, 0.3, 0.7)] * 2)
    rf.connect()
    wanted = [RFTone(80e6, 0.3, 0.7), RFTone(81e6, 0.3, 0.2)]
    set_tones(rf, wanted)
    assert [rf.read_tone(j) for j in (0, 1)] == wanted
    assert rf.calls["align"] == 1
    set_tones(rf, [replace(tone, phase=0.1) for tone in wanted])
    assert rf.calls["align"] == 1


@pytest.mark.parametrize("number", [0, 1])
def test_a_failing_channel_leaves_the_last_good_set_point_but_for_what_was_raised(number):
    rf = source(faults={"set_tone": {number: Fault("timeout")}})
    before = [rf.read_tone(j) for j in (0, 1)]
    control, _ = aoms(rf=rf)
    raised = control._tones(light())[0].amplitude
    with pytest.raises(DeviceError):
        control.apply(light())
    after = [rf.read_tone(j) for j in (0, 1)]
    assert [(t.frequency, t.phase, t.enabled) for t in after] == [
        (t.frequency, t.phase, t.enabled) for t in before
    ]
    # A fault never lowers light, not even back to where it was.
    assert [t.amplitude for t in after] == [raised if number == 1 else 0.3, 0.3]


def deflector(axes: int = 1) -> tuple[AodControl, FakeRFSource]:
    rf = source(2 * axes)
    x = AodCalibration.of_optics(80e6, 1064e-9, 2e-3, 650.0)
    y = AodCalibration.of_optics(80e6, 1064e-9, 2e-3, 650.0, axis="y")
    curve = SineEfficiency(1.0)
    return AodControl(rf, (x, y)[:axes], curve, 1.0), rf


def test_an_aod_ties_position_to_optical_frequency_and_reports_the_beat():
    control, rf = deflector()
    applied = control.apply(light(phases=(0.0, 0.0)))
    # d = λfΔν/v.
    difference = 3e-6 * 650.0 / (1064e-9 * 2e-3)
    assert applied.beat == pytest.approx(difference)
    assert rf.read_tone(1).frequency - rf.read_tone(0).frequency == pytest.approx(difference)
    assert applied.state.separation == pytest.approx(3e-6)
    assert not control.capabilities.phase
    # The state read back can be set again; a detuning that contradicts its position cannot.
    again = control.apply(applied.state)
    assert again.beat == pytest.approx(difference)
    with pytest.raises(InputError, match="ties frequency to position"):
        control.apply(light(detunings=(0.0, 5e5)))


def test_crossed_aods_on_the_anti_diagonal_keep_a_static_phase():
    control, _ = deflector(2)
    places = ((1e-6, -1e-6, 0.0), (-1e-6, 1e-6, 0.0))
    applied = control.apply(light(places=places))
    assert applied.beat == 0.0
    assert applied.phase_error < 1e-9
    assert applied.state.relative_phase == pytest.approx(0.4)
    assert [site.power for site in applied.state.sites] == pytest.approx([0.2, 0.19])
    diagonal = control.apply(light(places=((1e-6, 1e-6, 0.0), (-1e-6, -1e-6, 0.0))))
    assert abs(diagonal.beat) > 1e5


def test_an_slm_shares_one_beam_out():
    slm = FakeSLM(SpotPattern(PLACES, (0.5, 0.5), (0.0, 0.0)), capabilities=SlmCapabilities(60e-6))
    slm.connect()
    control = SlmControl(slm, 0.5)
    applied = control.apply(light())
    assert [site.power for site in applied.state.sites] == pytest.approx([0.2, 0.19])
    assert slm.read().weights == pytest.approx((0.4, 0.38))
    with pytest.raises(InputError, match=r"add up to 0\.6 W, at most 0\.5 W"):
        control.apply(light(powers=(0.3, 0.3)))


@pytest.mark.parametrize("make", [lambda: aoms()[0], lambda: deflector()[0]])
def test_only_release_turns_the_light_off(make):
    control = make()
    control.apply(light(phases=(0.0, 0.0)))
    control.release()
    assert all(site.power == 0.0 for site in control.read().state.sites)


def test_efficiency_tables_invert_and_must_rise():
    curve = TabulatedEfficiency((0.0, 0.2, 0.5, 0.8), (0.0, 0.1, 0.55, 0.8))
    for share in (0.0, 0.05, 0.3, 0.799, 0.8):
        assert curve.efficiency(curve.amplitude(share)) == pytest.approx(share, abs=1e-12)
    with pytest.raises(InputError, match=r"must lie in 0 … 0\.8"):
        curve.amplitude(0.9)
    with pytest.raises(InputError, match="must rise strictly"):
        TabulatedEfficiency((0.0, 0.2, 0.5), (0.0, 0.3, 0.2))
