import cmath
import math

import numpy as np
import pytest

from optobind.models.constants import EPSILON_0, SPEED_OF_LIGHT
from optobind.models.errors import InputError
from optobind.models.tweezer import Tweezer, total_field

K = 2 * math.pi / 1064e-9
BEAM = Tweezer((1e-7, -2e-7, 3e-7), 0.17, 6.7e-7, 7.7e-7, 0.4, (0.6, 0.8j))


def _value(tweezers, points):
    return (
        total_field(tweezers, np.reshape(points, (-1, 3)), K)
        .value[0]
        .reshape((*np.shape(points)[:-1], 3))
    )


def test_focus_holds_the_amplitude_of_the_power_and_the_set_phase():
    value = _value([BEAM], np.array(BEAM.position))
    square = 4 * 0.17 / (math.pi * EPSILON_0 * SPEED_OF_LIGHT * 6.7e-7 * 7.7e-7)
    assert np.vdot(value, value).real == pytest.approx(square, rel=1e-12)
    assert cmath.phase(value[0]) == pytest.approx(0.4, abs=1e-12)
    assert value[2] == 0.0


@pytest.mark.parametrize("height", [0.0, 8e-7, -2.5e-6])
def test_power_through_every_plane_is_the_set_power(height):
    x = np.linspace(-8e-6, 8e-6, 401)
    grid = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1)
    points = np.concatenate([grid, np.full((*grid.shape[:2], 1), height)], axis=-1)
    square = (np.abs(_value([BEAM], points)) ** 2).sum(axis=-1)
    power = 0.5 * EPSILON_0 * SPEED_OF_LIGHT * square.sum() * (x[1] - x[0]) ** 2
    assert power == pytest.approx(0.17, rel=1e-6)


@pytest.mark.parametrize("direction", [1, -1])
def test_numerical_fresnel_propagation_gives_the_same_field(direction):
    beam = Tweezer((0, 0, 0), 0.1, 6.7e-7, 9e-7, direction=direction)
    x = (np.arange(256) - 128) * 1e-7
    grid = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1)
    start = np.concatenate([grid, np.zeros((*grid.shape[:2], 1))], axis=-1)
    distance = 1.3e-6
    q = 2 * math.pi * np.fft.fftfreq(256, 1e-7)
    # e^{−iω_L t}: a component of transverse wave number q turns by k − q²/2k along the beam.
    turn = np.exp(1j * distance * (K - (q[:, None] ** 2 + q[None, :] ** 2) / (2 * K)))
    expected = np.fft.ifft2(np.fft.fft2(_value([beam], start)[..., 1]) * turn)
    start[..., 2] = direction * distance
    found = _value([beam], start)[..., 1]
    assert np.abs(found - expected).max() < 1e-6 * np.abs(found).max()


def test_gouy_phase_slows_the_phase_and_fronts_open_behind_the_focus():
    beam = Tweezer((0, 0, 0), 0.1, 7e-7, 7e-7)
    step = 1e-9
    axis = _value([beam], np.array([[0, 0, -step], [0, 0, step]]))[:, 1]
    slope = cmath.phase(axis[1] / axis[0]) / (2 * step)
    assert slope / K == pytest.approx(beam.propagation_factor(K), abs=1e-6)
    assert slope < K
    # A front that opens towards +z lags off axis: E there has a larger phase k√(z² + ρ²).
    pair = _value([beam], np.array([[0, 0, 2e-6], [3e-7, 0, 2e-6]]))[:, 1]
    assert cmath.phase(pair[1] / pair[0]) > 0


@pytest.mark.parametrize("direction", [1, -1])
def test_derivatives_match_finite_differences(central_difference, direction):
    beams = [
        BEAM,
        Tweezer((2e-6, 0, 0), 0.2, 7e-7, 8e-7, -1.0, (1, 1), direction=direction),
    ]
    rng = np.random.default_rng(5)
    for point in rng.uniform(-6e-7, 6e-7, (5, 3)) + np.array([1e-6, 0, 3e-7]):
        field = total_field(beams, point[None], K)
        first = central_difference(
            lambda r: total_field(beams, r[None], K).value[0, 0], point, 3e-9
        )
        second = central_difference(
            lambda r: total_field(beams, r[None], K).first[0, 0], point, 3e-9
        )
        assert np.abs(field.first[0, 0] - first).max() < 1e-7 * np.abs(first).max()
        assert np.abs(field.second[0, 0] - second).max() < 1e-7 * np.abs(second).max()


def test_beams_of_different_frequency_are_kept_apart():
    beams = [BEAM, Tweezer((2e-6, 0, 0), 0.2, 7e-7, 8e-7, detuning=2e6), BEAM]
    field = total_field(beams, np.zeros((1, 3)), K)
    assert field.value.shape == (2, 1, 3)
    alone = total_field([BEAM], np.zeros((1, 3)), K)
    assert np.allclose(field.value[0], 2.0 * alone.value[0])


def test_polarization_is_normalised_and_may_carry_a_zero_z():
    beam = Tweezer((0, 0, 0), 0.1, 7e-7, 7e-7, polarization=(3, 4j, 0))
    assert beam.polarization == pytest.approx((0.6, 0.8j))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"power": -0.1}, "power must lie in 0 … 100 W, got -0.1 W"),
        ({"waist_x": 0.0}, "waist_x must lie in 5e-08 … 0.001 m"),
        ({"polarization": (0, 0)}, "polarization must not be zero"),
        ({"polarization": (0, 1, 0.1)}, "x–y plane"),
        ({"polarization": (0,)}, "needs 2 finite entries"),
        ({"polarization": ("a", 1)}, "Jones vector"),
        ({"position": (0, 0)}, "three entries"),
        ({"direction": 2}, "direction must be 1 or -1"),
    ],
)
def test_absurd_values_are_refused(changes, text):
    values = {"position": (0, 0, 0), "power": 0.1, "waist_x": 7e-7, "waist_y": 7e-7, **changes}
    with pytest.raises(InputError, match=text):
        Tweezer(**values)


def test_a_waist_below_a_quarter_wavelength_is_refused():
    with pytest.raises(InputError, match=r"waist_y must be at least .* 2\.66e-07 m, got 2e-07 m"):
        Tweezer((0, 0, 0), 0.1, 7e-7, 2e-7).check_waists(K)
