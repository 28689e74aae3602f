"""Holograms against the far field by the book (optics.py), never against themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optobind.instruments.hologram.feedback import HologramSettings, make_hologram
from optobind.instruments.hologram.lut import PhaseLut
from optobind.instruments.hologram.zernike import zernike_wavefront
from optobind.instruments.protocols import SpotPattern

from .optics import (
    DUMP,
    FOCAL_LENGTH,
    PITCH,
    WAVELENGTH,
    amplitude_on,
    errors_of,
    field_at,
    make_optics,
    make_pair,
    spots_of,
)

OPTICS = make_optics()
BEAM = amplitude_on((480, 300))
LEVEL = 2.0 * np.pi / 256.0
# Slope of a spot at 1 µm, rad per pixel.
SLOPE = 2.0 * np.pi * 1e-6 * PITCH / (WAVELENGTH * FOCAL_LENGTH)


def array_of_spots(count: int, seed: int, step: float, jitter: float) -> SpotPattern:
    """Spots on a square lattice, off it by ``jitter`` and up to as much along z."""
    rng, side = np.random.default_rng(seed), math.ceil(math.sqrt(count))
    places = [(i % side - (side - 1) / 2, i // side - (side - 1) / 2) for i in range(count)]
    positions = tuple(
        (
            x * step + float(rng.normal(0.0, jitter)),
            y * step + float(rng.normal(0.0, jitter)),
            float(rng.uniform(-jitter, jitter)),
        )
        for x, y in places
    )
    weights = rng.uniform(0.5, 1.5, count)
    phases = rng.uniform(-3.0, 3.0, count)
    return SpotPattern(positions, tuple(weights / weights.sum()), tuple(phases))


@pytest.mark.slow
@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    separation=st.floats(2.4e-6, 30e-6),
    angle=st.floats(0.0, 2.0 * np.pi),
    weight=st.floats(0.15, 0.85),
    phi=st.floats(-np.pi, np.pi),
    x=st.floats(-3e-5, 3e-5),
    y=st.floats(-3e-5, 3e-5),
    dz=st.floats(-3e-6, 3e-6),
)
def test_any_pair_has_its_phase_within_a_tenth_of_a_degree_and_its_weights_within_half_a_percent(
    separation, angle, weight, phi, x, y, dz
):
    pattern = make_pair(separation, angle, weight, phi, (x, y), dz)
    hologram = make_hologram(OPTICS, pattern, dump=DUMP)
    light = spots_of(hologram.image * LEVEL, BEAM, pattern.positions)
    phase_error, weight_error = errors_of(light, pattern)
    assert hologram.report.converged, str(hologram.report)
    assert phase_error < 0.1
    assert weight_error < 0.005
    # What is reported is what the mask really does.
    assert np.allclose(hologram.report.amplitudes, light, rtol=0.0, atol=2e-5)
    assert math.degrees(hologram.report.phase_error) == pytest.approx(phase_error, abs=2e-3)
    assert hologram.report.weight_error == pytest.approx(weight_error, abs=1e-4)
    assert hologram.pattern.positions == pattern.positions
    assert np.allclose(hologram.pattern.phases, pattern.phases, rtol=0.0, atol=0.01)


@pytest.mark.parametrize("period", [160, 40, 8, 4])
@pytest.mark.parametrize("phi", [0.4, 1.234])
@pytest.mark.parametrize(("along_y", "shift"), [(False, 0.0), (True, 0.3), (False, 0.3)])
def test_an_equal_pair_in_step_with_the_pixels_keeps_its_phase(period, phi, along_y, shift):
    half = math.pi / period / SLOPE * 1e-6
    offset = shift / SLOPE * 1e-6
    ends = [(offset + s * half, 0.1 * offset) for s in (1.0, -1.0)]
    ends = [(y, x) for x, y in ends] if along_y else ends
    pattern = SpotPattern(tuple((x, y, 0.0) for x, y in ends), (0.5, 0.5), (phi, 0.0))
    optics, beam = make_optics(waist=None), np.ones((300, 480))
    hologram = make_hologram(optics, pattern, dump=DUMP)
    light = spots_of(hologram.image * LEVEL, beam, pattern.positions)
    phase_error, weight_error = errors_of(light, pattern)
    assert hologram.report.converged, str(hologram.report)
    assert phase_error < 0.1
    assert weight_error < 0.005


def test_plain_superposition_of_such_a_pair_is_nearly_binary_and_off_by_degrees():
    half = math.pi / 40 / SLOPE * 1e-6
    pattern = SpotPattern(((half, 0.0, 0.0), (-half, 0.0, 0.0)), (0.5, 0.5), (0.4, 0.0))
    once = HologramSettings(phase_tolerance=1.0, weight_tolerance=1.0, quick_passes=0)
    hologram = make_hologram(make_optics(waist=None), pattern, dump=DUMP, settings=once)
    assert len(np.unique(hologram.image)) == 2
    light = spots_of(hologram.image * LEVEL, np.ones((300, 480)), pattern.positions)
    phase_error, _ = errors_of(light, pattern)
    assert phase_error > 2.0
    assert math.degrees(hologram.report.phase_error) == pytest.approx(phase_error, abs=1e-3)


@pytest.mark.parametrize(
    ("count", "step", "jitter"),
    [
        (1, 6e-6, 0.0),
        (3, 4e-6, 0.0),
        (4, 6e-6, 0.0),
        (9, 6e-6, 0.0),
        (16, 6e-6, 0.0),
        (25, 7e-6, 1e-6),
        (40, 6e-6, 3e-7),
        (100, 6e-6, 3e-7),
        (100, 6e-6, 0.0),
    ],
)
def test_arrays_and_exact_lattices_have_their_phases_and_weights(count, step, jitter):
    pattern = array_of_spots(count, count, step, jitter)
    hologram = make_hologram(OPTICS, pattern, dump=DUMP)
    light = spots_of(hologram.image * LEVEL, BEAM, pattern.positions)
    phase_error, weight_error = errors_of(light, pattern)
    assert hologram.report.converged, str(hologram.report)
    assert phase_error < 0.1
    assert weight_error < 0.005
    assert hologram.report.diffraction_efficiency == pytest.approx(np.sum(np.abs(light) ** 2), 1e-3)
    assert 0.995 < sum(hologram.pattern.weights) <= 1.0 + 1e-12


@pytest.mark.slow
def test_a_hundred_spots_on_a_full_modulator_need_few_passes():
    pattern = array_of_spots(100, 1, 6e-6, 3e-7)
    hologram = make_hologram(make_optics((1920, 1200), waist=None), pattern, dump=DUMP)
    light = spots_of(hologram.image * LEVEL, np.ones((1200, 1920)), pattern.positions)
    phase_error, weight_error = errors_of(light, pattern)
    assert hologram.report.passes <= 6
    assert hologram.report.reserve == 0.0
    assert phase_error < 0.1
    assert weight_error < 0.005


@pytest.mark.parametrize("pixels", [(301, 203), (127, 500), (512, 512)])
@pytest.mark.parametrize("pupil", [None, 7e-4])
def test_any_pixel_count_and_a_round_pupil(pixels, pupil):
    optics = make_optics(pixels, waist=None, pupil=pupil, fill=0.9)
    pattern = make_pair(7e-6, 0.9, 0.35, -1.1)
    hologram = make_hologram(optics, pattern, dump=DUMP)
    beam = amplitude_on(pixels, None, pupil)
    light = spots_of(hologram.image * LEVEL, beam, pattern.positions, fill=0.9)
    phase_error, weight_error = errors_of(light, pattern)
    assert hologram.image.shape == pixels[::-1]
    assert phase_error < 0.1
    assert weight_error < 0.005


def test_pixels_need_not_be_square():
    pitch = (8e-6, 12e-6)
    optics = make_optics((300, 260), pitch=pitch)
    pattern = make_pair(6e-6, 1.1, 0.6, 2.0)
    hologram = make_hologram(optics, pattern, dump=DUMP)
    beam = amplitude_on((300, 260), pitch=pitch)
    light = spots_of(hologram.image * LEVEL, beam, pattern.positions, pitch=pitch)
    phase_error, weight_error = errors_of(light, pattern)
    assert phase_error < 0.1
    assert weight_error < 0.005


@pytest.mark.slow
@pytest.mark.parametrize(
    "lut",
    [
        PhaseLut.linear(211.3),
        PhaseLut.linear(256.0, sign=-1),
        PhaseLut.linear(940.0, bits=10),
        PhaseLut.linear(60.0, bits=6),
        PhaseLut(2.0 * np.pi * (np.linspace(0.0, 1.0, 256) ** 1.3) * 1.07),
    ],
)
def test_with_any_lut_and_a_wavefront_correction_the_light_is_right(lut):
    correction = zernike_wavefront(OPTICS.grid, {"coma_x": 1.3, 5: -0.8, "spherical": 2.0}, 1.5e-3)
    optics = make_optics(lut=lut, correction=correction)
    pattern = make_pair(4e-6, 0.4, 0.45, 0.9, dz=1e-6)
    hologram = make_hologram(optics, pattern, dump=DUMP)
    # The aberration of the set-up is what the correction cancels.
    phase = lut.phases[hologram.image] - correction
    phase_error, weight_error = errors_of(spots_of(phase, BEAM, pattern.positions), pattern)
    assert hologram.report.converged, str(hologram.report)
    assert phase_error < 0.1
    assert weight_error < 0.005


def test_weights_below_one_leave_the_rest_to_the_dump():
    pattern = make_pair(weight=0.5)
    dim = SpotPattern(pattern.positions, (0.3, 0.2), pattern.phases)
    hologram = make_hologram(OPTICS, dim, dump=DUMP)
    light = spots_of(hologram.image * LEVEL, BEAM, [*dim.positions, DUMP])
    shares = np.abs(light) ** 2 / np.sum(np.abs(light) ** 2)
    assert shares == pytest.approx([0.3, 0.2, 0.5], rel=0.005)
    assert hologram.pattern.weights == pytest.approx((0.3, 0.2), rel=0.005)
    dark = SpotPattern(pattern.positions, (0.0, 0.0), pattern.phases)
    hologram = make_hologram(OPTICS, dark, dump=DUMP)
    light = spots_of(hologram.image * LEVEL, BEAM, [*dark.positions, DUMP])
    assert np.all(np.abs(light[:2]) ** 2 < 1e-4)
    assert abs(light[2]) ** 2 > 0.5
    assert max(hologram.pattern.weights) < 1e-4


def test_with_an_efficiency_powers_do_not_depend_on_the_other_spots():
    powers = []
    for weight in (0.5, 0.25):
        pattern = make_pair()
        pattern = SpotPattern(pattern.positions, (0.5, weight), pattern.phases)
        hologram = make_hologram(OPTICS, pattern, dump=DUMP, efficiency=0.6)
        light = spots_of(hologram.image * LEVEL, BEAM, pattern.positions)
        powers.append(np.abs(light) ** 2)
        assert hologram.report.converged
        assert hologram.pattern.weights == pytest.approx(pattern.weights, rel=0.005)
    assert powers[0] == pytest.approx([0.3, 0.3], rel=0.005)
    assert powers[1] == pytest.approx([0.3, 0.15], rel=0.005)


def test_what_cannot_be_reached_is_said_not_to_have_converged():
    pattern = make_pair()
    hologram = make_hologram(OPTICS, pattern, dump=DUMP, efficiency=0.95)
    assert not hologram.report.converged
    assert hologram.report.weight_error > 0.05
    assert str(hologram.report).startswith("NOT converged")
    light = spots_of(hologram.image * LEVEL, BEAM, pattern.positions)
    assert np.allclose(hologram.report.amplitudes, light, rtol=0.0, atol=2e-5)


def test_the_same_pattern_gives_the_same_mask():
    half = math.pi / 40 / SLOPE * 1e-6
    pattern = SpotPattern(((half, 0.0, 0.0), (-half, 0.0, 0.0)), (0.5, 0.5), (0.4, 0.0))
    first = make_hologram(OPTICS, pattern, dump=DUMP)
    second = make_hologram(OPTICS, pattern, dump=DUMP)
    assert np.array_equal(first.image, second.image)
    assert first.pattern == second.pattern


def test_the_padded_transform_shows_the_spots_where_they_belong_and_nothing_brighter():
    pattern = make_pair(12e-6, 0.5, 0.6, 0.3, (15e-6, 10e-6))
    hologram = make_hologram(OPTICS, pattern, dump=DUMP)
    size = 2048
    field = BEAM * np.exp(1j * hologram.image * LEVEL)
    far = np.fft.fftshift(np.fft.fft2(field, (size, size))) / BEAM.sum()
    power = np.abs(far) ** 2
    axis = np.fft.fftshift(np.fft.fftfreq(size, PITCH)) * WAVELENGTH * FOCAL_LENGTH
    for position, weight in zip(pattern.positions, pattern.weights, strict=True):
        near_x, near_y = np.abs(axis - position[0]) < 2e-6, np.abs(axis - position[1]) < 2e-6
        window = power[np.ix_(near_y, near_x)]
        row, column = np.unravel_index(window.argmax(), window.shape)
        step = axis[1] - axis[0]
        assert axis[near_x][column] == pytest.approx(position[0], abs=step)
        assert axis[near_y][row] == pytest.approx(position[1], abs=step)
        assert window.max() == pytest.approx(0.81 * weight, rel=0.06)
        power[np.ix_(near_y, near_x)] = 0.0
    assert power.max() < 0.08  # the brightest ghost is the third order on the stronger spot's side


def test_the_lens_term_moves_the_focus_along_z():
    target = (6e-6, -4e-6, 8e-6)
    pattern = SpotPattern((target, (-8e-6, 3e-6, -5e-6)), (0.5, 0.5), (0.0, 1.0))
    hologram = make_hologram(OPTICS, pattern, dump=DUMP)
    heights = np.linspace(-14e-6, 14e-6, 57)
    for x, y, z in pattern.positions:
        along = [abs(field_at(hologram.image * LEVEL, BEAM, (x, y, h))) ** 2 for h in heights]
        assert heights[int(np.argmax(along))] == pytest.approx(z, abs=6e-7)


@pytest.mark.slow
def test_pairs_on_a_full_modulator_are_exact_for_many_sizes_and_beams():
    rng = np.random.default_rng(11)
    worst = np.zeros(2)
    for waist, pupil in ((None, None), (3e-3, None), (4e-3, 2.4e-3)):
        optics = make_optics((1920, 1200), waist=waist, pupil=pupil)
        beam = amplitude_on((1920, 1200), waist, pupil)
        for _ in range(25):
            pattern = make_pair(
                rng.uniform(1.5e-6, 50e-6),
                rng.uniform(0.0, 2.0 * np.pi),
                rng.uniform(0.1, 0.9),
                rng.uniform(-np.pi, np.pi),
                tuple(rng.uniform(-4e-5, 4e-5, 2)),
                rng.uniform(-5e-6, 5e-6),
            )
            hologram = make_hologram(optics, pattern, dump=DUMP)
            light = spots_of(hologram.image * LEVEL, beam, pattern.positions)
            assert hologram.report.converged
            worst = np.maximum(worst, errors_of(light, pattern))
    assert worst[0] < 0.1
    assert worst[1] < 0.005
