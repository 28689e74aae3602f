from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optobind.instruments.hologram.calibration import Grating, GratingCalibration
from optobind.models.errors import InputError

LAMBDA, F, PITCH = 1064e-9, 3e-3, (8e-6, 9e-6)
K = 2.0 * math.pi / LAMBDA


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    place=st.tuples(*[st.floats(-8e-5, 8e-5)] * 3),
    rotation=st.floats(-3.0, 3.0),
    flips=st.tuples(st.booleans(), st.booleans()),
    offset=st.tuples(*[st.floats(-3e-5, 3e-5)] * 3),
    distance=st.floats(-0.02, 0.02),
)
def test_positions_and_gratings_convert_both_ways(place, rotation, flips, offset, distance):
    calibration = GratingCalibration.from_optics(
        LAMBDA, F, PITCH, rotation=rotation, flip_x=flips[0], flip_y=flips[1], offset=offset,
        front_distance=distance,
    )  # fmt: skip
    assert calibration.position(calibration.grating(place)) == pytest.approx(place, abs=1e-12)


def test_a_slope_of_one_turn_a_period_deflects_by_wavelength_over_period():
    calibration = GratingCalibration.from_optics(LAMBDA, F, PITCH)
    period = 10.0  # pixels
    x, y, z = calibration.position(Grating((2.0 * math.pi / period, 0.0), 0.0, 0.0))
    assert (x, y, z) == pytest.approx((LAMBDA / (period * PITCH[0]) * F, 0.0, 0.0))


def test_rotation_and_flips_act_on_the_traps_axes():
    turned = GratingCalibration.from_optics(LAMBDA, F, (8e-6, 8e-6), rotation=math.pi / 2)
    x, y, _ = turned.position(Grating((0.1, 0.0), 0.0, 0.0))
    assert x == pytest.approx(0.0, abs=1e-15)
    assert y > 0.0
    flipped = GratingCalibration.from_optics(LAMBDA, F, (8e-6, 8e-6), flip_x=True)
    x, y, _ = flipped.position(Grating((0.1, 0.1), 0.0, 0.0))
    assert x < 0.0 < y


def test_a_measured_matrix_is_used_as_it_is():
    matrix = ((6e-5, 2e-6), (-1e-6, 5.5e-5))
    calibration = GratingCalibration(matrix, (8e-6, 8e-6), LAMBDA, F, (1e-6, 2e-6, 0.0))
    x, y, z = calibration.position(Grating((0.2, -0.1), 0.0, 0.0))
    assert (x, y, z) == pytest.approx((1e-6 + 1.18e-5, 2e-6 - 5.7e-6, 0.0))


@pytest.mark.parametrize("distance", [0.0, 0.11, -0.05])
def test_place_and_phase_follow_from_fresnel_propagation(distance):
    """One dimension: modulator → f + s → lens → f + Z, each step by Fresnel's integral."""
    focal = 0.1  # gentle enough that the integrals are sampled well
    calibration = GratingCalibration.from_optics(
        LAMBDA, focal, (8e-6, 8e-6), front_distance=distance
    )
    x = (np.arange(900) - 449.5) * 3e-6
    lens_x = (np.arange(2000) - 999.5) * 4e-6
    beam = np.exp(-((x / 5e-4) ** 2))

    def fresnel(field, source, target, length):
        step = source[1] - source[0]
        wave = np.exp(1j * K * (target[:, None] - source) ** 2 / (2.0 * length))
        return np.exp(1j * K * length) / np.sqrt(1j * LAMBDA * length) * (wave @ field) * step

    phases = []
    for place in ((3e-4, 0.0, 0.0), (5e-4, 0.0, 2e-3), (-2e-4, 0.0, -1e-3)):
        grating = calibration.grating(place)
        mask = grating.slope[0] / 8e-6 * x + grating.curvature * x**2 - grating.phase
        at_lens = fresnel(beam * np.exp(1j * mask), x, lens_x, focal + distance)
        at_lens *= np.exp(-1j * K * lens_x**2 / (2.0 * focal))
        scan = place[0] + np.linspace(-3e-5, 3e-5, 121)
        light = fresnel(at_lens, lens_x, scan, focal + place[2])
        assert scan[int(np.argmax(np.abs(light)))] == pytest.approx(place[0], abs=6e-7)
        phases.append(np.angle(light[60]))  # at the place itself
    # All spots get the same phase: what each gains on its way was taken off its mask.
    assert np.angle(np.exp(1j * (np.array(phases) - phases[0]))) == pytest.approx(
        np.zeros(3), abs=2e-3
    )


def test_a_focus_moved_by_z_gains_the_phase_kz():
    calibration = GratingCalibration.from_optics(LAMBDA, F, PITCH)
    assert calibration.grating((0.0, 0.0, 1e-6)).phase == pytest.approx(K * 1e-6)


def test_the_field_of_view_is_the_square_that_slopes_reach():
    calibration = GratingCalibration.from_optics(LAMBDA, F, (8e-6, 8e-6))
    assert calibration.field_of_view() == pytest.approx(LAMBDA * F / 8e-6)
    assert calibration.field_of_view(math.pi / 2) == pytest.approx(0.5 * LAMBDA * F / 8e-6)
    turned = GratingCalibration.from_optics(
        LAMBDA, F, PITCH, rotation=0.4, offset=(2e-5, -1e-5, 0.0)
    )
    half = 0.5 * turned.field_of_view(1.5)
    corners = [turned.grating((sx * half, sy * half, 0.0)) for sx in (1, -1) for sy in (1, -1)]
    steepest = max(abs(s) for grating in corners for s in grating.slope)
    assert steepest == pytest.approx(1.5)


def test_calibrations_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="maps a plane to a line"):
        GratingCalibration(((1e-5, 2e-5), (1e-5, 2e-5)), PITCH, LAMBDA, F)
    with pytest.raises(InputError, match="wavelength must lie in 1e-07"):
        GratingCalibration.from_optics(1064.0, F, PITCH)
    far = GratingCalibration.from_optics(LAMBDA, F, PITCH, offset=(1e-3, 0.0, 0.0))
    with pytest.raises(InputError, match="origin is out of reach"):
        far.field_of_view()
    with pytest.raises(InputError, match="out of reach with front_distance"):
        GratingCalibration.from_optics(LAMBDA, F, PITCH, front_distance=1.0).grating((0, 0, 1e-5))
