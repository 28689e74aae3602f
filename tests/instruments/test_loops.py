"""Loops of the simulated world: what phase and gain do, by routes that know no kernel."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from optobind.config.build import build_rig
from optobind.config.load import read_rig
from optobind.models.detection import cold_damping_occupation, imprecision_psd
from optobind.models.errors import InputError

ALONE = 'tweezers.1.position=["40 um", "0 um", "0 um"]'
QUIET = (
    "devices.controller.phase_offset=[0]",
    "devices.controller.gain_error=[0]",
    'devices.gate.damping="1 kHz"',
)


def laboratory(*settings):
    rig = build_rig(read_rig("simulated-feedback", [*QUIET, *settings]), watched=False)
    rig.controller.connect()
    return rig


def line_of(world, particle):
    """Pole of a particle's line with the loops as they are: frequency (Hz), damping (1/s)."""
    poles = world.closed_loop(True).poles
    pole = poles[np.argmin(np.abs(poles.imag - math.tau * world.line(particle)))]
    return pole.imag / math.tau, -2.0 * pole.real


def sampled(world, seconds):
    world.warm_up()
    rate = world.settings.sample_rate
    counts = np.zeros((round(seconds * rate), 2), dtype=np.int16)
    world.advance(counts)
    return counts * (world.settings.adc_range / 2**15)


def test_a_controller_that_is_not_touched_changes_no_number():
    without = build_rig(read_rig("simulated-pair"), watched=False)
    rig = build_rig(
        read_rig("simulated-pair", ['devices.controller.driver="simulated"']), watched=False
    )
    assert without.controller is None
    assert rig.controller is not None
    assert np.array_equal(sampled(rig.world, 0.002), sampled(without.world, 0.002))


@pytest.mark.parametrize("phase", [-2.0, -1.0, 0.0, 0.7, 1.4, 2.5])
def test_damping_goes_as_the_cosine_and_the_line_as_the_sine_of_the_phase(phase):
    rig = laboratory(ALONE)
    world, gain = rig.world, 2000.0
    rig.controller.set(0, replace(rig.controller.read(0), gain=0.0))
    bare, _ = line_of(world, 0)
    rig.controller.set(0, replace(rig.controller.read(0), gain=gain, phase=phase))
    frequency, damping = line_of(world, 0)
    assert damping == pytest.approx(gain * math.cos(phase), abs=0.03 * gain)
    assert math.tau * (frequency - bare) == pytest.approx(
        -0.5 * gain * math.sin(phase), abs=0.03 * gain
    )
    assert world.damping[0] == pytest.approx(gain * math.cos(phase))


def test_the_hidden_offset_and_error_are_what_the_experimenter_does_not_see():
    rig = laboratory("devices.controller.phase_offset=[2.0]", "devices.controller.gain_error=[0.5]")
    assert rig.controller.read(0).gain == pytest.approx(math.tau * 1000.0)
    assert rig.controller.read(0).phase == 0.0
    assert rig.world.damping[0] == pytest.approx(1.5 * math.tau * 1000.0 * math.cos(2.0))
    assert rig.world.growth_rate() > 1000.0


def test_a_setting_acts_from_the_next_sample_on():
    one, two = laboratory(), laboratory()
    a, b = sampled(one.world, 0.001), sampled(two.world, 0.001)
    assert np.array_equal(a, b)
    two.controller.set(0, replace(two.controller.read(0), phase=1.0))
    a, b = sampled(one.world, 0.001), sampled(two.world, 0.001)
    # The force is held over a sample and drives the momentum first: the second sample differs.
    assert np.array_equal(a[0], b[0])
    assert not np.array_equal(a[:, 0], b[:, 0])


@pytest.mark.parametrize(("gain", "phase"), [(8000.0, 0.0), (30000.0, 0.3), (50000.0, -0.2)])
def test_the_simulated_variance_is_that_of_the_lyapunov_equation(gain, phase):
    rig = laboratory("simulation.seed=3")
    world = rig.world
    for loop in (0, 1):
        rig.controller.set(loop, replace(rig.controller.read(loop), gain=gain, phase=phase))
    states = np.zeros((400_000, 4))
    world.warm_up()
    world.advance(np.zeros((len(states), 2), dtype=np.int16), states)
    found = (states**2).reshape(8, -1, 4).mean(axis=1)
    error = found.std(axis=0, ddof=1) / math.sqrt(8.0)
    wanted = np.diag(world.closed_loop(True).covariance)[:4]
    assert np.all(np.abs(found.mean(axis=0) - wanted) < 5.0 * error + 0.02 * wanted)


def test_occupation_follows_cold_damping_where_that_applies():
    """Weak loops: n̄ + ½ = (D + Γ²S/4)/Γ of theory; damping noise adds little there."""
    rig = laboratory(ALONE)
    world = rig.world
    recoil = world.point.recoil[0]
    psd = imprecision_psd(0.01, recoil)
    for gain in (2000.0, 4000.0, 8000.0):
        for loop in (0, 1):
            rig.controller.set(loop, replace(rig.controller.read(loop), gain=gain))
        total = 0.5 * world.point.model.noise[1, 1]  # recoil and gas
        wanted = cold_damping_occupation(total, gain, psd) + 0.5
        covariance = np.diag(world.closed_loop(True).covariance)
        assert 0.5 * covariance[:2].sum() == pytest.approx(wanted, rel=0.03)


def test_too_much_gain_feeds_imprecision_in_while_the_in_loop_record_is_squashed():
    """The in-loop spectrum falls below its own floor; the particle heats all the same."""
    rig = laboratory()
    world = rig.world
    energies = []
    for gain in (1e4, 3e4, 8e4):
        for loop in (0, 1):
            rig.controller.set(loop, replace(rig.controller.read(loop), gain=gain))
        energies.append(world.closed_loop(True).covariance[0, 0])
    assert energies[1] < energies[0]
    assert energies[2] > 1.5 * energies[1]
    # In-loop voltage at the line over the imprecision that it has without the particle.
    detectors = len(world.settings.detectors)
    f = np.array([world.line(0)])
    spectrum = world.closed_loop(True).csd(f)[0].real
    far = world.closed_loop(True).csd(np.array([9e5]))[0].real
    assert spectrum.shape[0] == detectors + 2
    assert spectrum[detectors, detectors] < far[detectors, detectors]
    assert spectrum[0, 0] > far[0, 0]


def test_a_centre_that_is_set_stays_and_one_beside_the_line_turns_the_phase():
    rig = laboratory(ALONE)
    line = rig.world.line(0)
    rig.controller.set(0, replace(rig.controller.read(0), gain=2000.0, centre=line))
    _, there = line_of(rig.world, 0)
    rig.controller.set(0, replace(rig.controller.read(0), centre=2.0 * line))
    _, beside = line_of(rig.world, 0)
    assert there == pytest.approx(2000.0, rel=0.05)
    assert abs(beside - there) > 200.0
    assert rig.controller.read(0).centre == 2.0 * line
    assert rig.controller.read(1).centre is None


def test_a_narrow_band_costs_the_loop_its_margin():
    rig = laboratory()
    wide = rig.world.growth_rate()
    for loop in (0, 1):
        rig.controller.set(loop, replace(rig.controller.read(loop), gain=4e4, bandwidth=5e3))
    assert rig.world.settings.feedback.corner_of(0) == 5e3
    assert rig.world.growth_rate() != wide


def test_growth_is_known_before_it_is_set():
    rig = laboratory()
    device, before = rig.controller.inner, rig.world.closed_loop().step
    setting = replace(device.read(0), phase=math.pi)
    assert device.growth(0, setting) > 1000.0
    assert np.array_equal(rig.world.closed_loop().step, before)
    rig.controller.set(0, setting)
    assert rig.world.growth_rate(True) == pytest.approx(device.growth(0, setting))


def test_the_rig_limits_the_gain_and_an_unknown_loop_is_refused():
    rig = laboratory()
    with pytest.raises(InputError, match=r"at most 1\.25664e"):
        rig.controller.set(0, replace(rig.controller.read(0), gain=2e6))
    with pytest.raises(InputError, match="loops 0 … 1"):
        rig.controller.read(2)
