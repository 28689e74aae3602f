import cmath
import math

import numpy as np
import pytest

from optobind.models.array import TrapArray
from optobind.models.constants import EPSILON_0, SPEED_OF_LIGHT
from optobind.models.errors import InputError
from optobind.models.objective import AplanaticObjective, aplanatic_factor
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer, total_field

WAVELENGTH = 1064e-9
K = 2 * math.pi / WAVELENGTH


def _beam(**options):
    objective = options.pop("objective", AplanaticObjective(0.8))
    position = options.pop("position", (0.0, 0.0, 0.0))
    return Tweezer.focused(objective, position, 0.17, WAVELENGTH, **options)


def test_overfilled_na_08_has_the_stated_factor():
    assert aplanatic_factor(0.8) == pytest.approx(0.82, abs=0.005)
    # √c(1+c) c against √c(1+c), c from 0.6 to 1, in closed form.
    top = (1 - 0.6**2.5) / 2.5 + (1 - 0.6**3.5) / 3.5
    bottom = (1 - 0.6**1.5) / 1.5 + (1 - 0.6**2.5) / 2.5
    assert aplanatic_factor(0.8) == pytest.approx(top / bottom, rel=1e-12)


def test_weak_focusing_is_the_paraxial_gaussian():
    objective = AplanaticObjective(0.4, 0.3)
    beam = _beam(objective=objective)
    # w_in/f = NA·f_0 = 2/(k w): the waist of the paraxial theory.
    assert beam.waist_x == pytest.approx(2 / (K * 0.12), rel=0.01)
    gaussian = Tweezer((0, 0, 0), 0.17, beam.waist_x, beam.waist_y)
    assert beam.propagation_factor(K) == pytest.approx(gaussian.propagation_factor(K), abs=2e-4)
    points = np.array([[0, 0, 0], [1e-6, 5e-7, 2e-6], [0, 1.5e-6, -3e-6]])
    found, expected = (total_field([b], points, K).value[0, :, 1] for b in (beam, gaussian))
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


@pytest.mark.parametrize("polarization", [(0, 1), (0.6, 0.8j)])
def test_field_obeys_maxwells_equations_and_its_phase(polarization, central_difference):
    beam = _beam(polarization=polarization, phase=0.4, position=(1e-7, 0, 0))
    points = np.random.default_rng(3).uniform(-1.5e-6, 1.5e-6, (5, 3))
    field = total_field([beam], points, K)
    scale = np.abs(field.value).max()
    divergence = np.einsum("gnaa->gn", field.first)
    laplacian = np.einsum("gnaai->gni", field.second)
    assert np.abs(divergence).max() < 1e-10 * K * scale
    assert np.abs(laplacian + K**2 * field.value).max() < 1e-10 * K**2 * scale
    slope = central_difference(
        lambda r: total_field([beam], r[None], K).value[0, 0], points[0], step=3e-9
    )
    assert np.abs(field.first[0, 0] - slope).max() < 1e-7 * np.abs(slope).max()
    focus = total_field([beam], np.array([[1e-7, 0, 0]]), K).value[0, 0]
    assert cmath.phase(focus @ np.conj((*beam.polarization, 0))) == pytest.approx(0.4)


def test_quadrature_has_converged_far_from_the_focus(monkeypatch):
    beam, point = _beam(), np.array([[9e-6, 4e-6, 3e-6]])
    plain = total_field([beam], point, K)
    monkeypatch.setattr("optobind.models.objective._NODES", 80)
    fine = total_field([beam], point, K)
    assert np.abs(plain.value - fine.value).max() < 1e-9 * beam.focus_amplitude


def test_power_through_a_plane_is_the_set_power():
    beam = _beam(objective=AplanaticObjective(0.6, 0.5))
    x = np.linspace(-6e-6, 6e-6, 41)
    grid = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    points = np.concatenate([grid, np.full((len(grid), 1), 1e-6)], axis=1)
    field = total_field([beam], points, K)
    # B = curl E/(iω); S_z = Re(E × B*)_z/(2μ0).
    value, first = field.value[0], field.first[0]
    curl_x = first[:, 1, 2] - first[:, 2, 1]
    curl_y = first[:, 2, 0] - first[:, 0, 2]
    cross = value[:, 0] * np.conj(curl_y / 1j) - value[:, 1] * np.conj(curl_x / 1j)
    flux = 0.5 * EPSILON_0 * SPEED_OF_LIGHT * cross.real / K
    assert flux.sum() * (x[1] - x[0]) ** 2 == pytest.approx(0.17, rel=0.005)


def test_light_along_minus_z_is_the_mirror_image():
    point = np.array([[3e-7, -2e-7, 5e-7]])
    mirror = np.array([1, 1, -1])
    forward = total_field([_beam(polarization=(0.6, 0.8))], point, K)
    backward = total_field([_beam(polarization=(0.6, 0.8), direction=-1)], point * mirror, K)
    assert np.allclose(backward.value[0, 0], mirror * forward.value[0, 0])
    assert np.allclose(backward.first[0, 0, 2], -mirror * forward.first[0, 0, 2])
    assert np.allclose(np.einsum("gnaa->gn", backward.first), 0, atol=1e-6 * K)


def test_a_focused_pair_keeps_the_exact_identities(central_difference):
    beams = (_beam(phase=0.7), _beam(position=(3e-6, 0, 0)))
    array = TrapArray((Sphere(7e-8), Sphere(7e-8)), beams)
    pair = array.pair_constants()
    assert pair.D[0, 1].imag == pytest.approx(pair.constants.g_a, rel=1e-9)
    places = array.equilibrium()
    assert np.all(places[:, 2] > 0)
    jacobian = central_difference(array.forces, places, 2e-9)
    expected = -jacobian.transpose(2, 3, 0, 1).reshape(6, 6)
    assert np.abs(array.stiffness(places) - expected).max() < 1e-8 * np.abs(expected).max()
    factor = beams[0].propagation_factor(K)
    assert array.far_field("focus").slopes[0].real == pytest.approx(factor, rel=0.01)


def test_focus_across_the_polarisation_is_tighter():
    beam = _beam(polarization=(0, 1))
    assert beam.waist_x < beam.waist_y


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((1.2,), "numerical_aperture must lie in 0.05 … 0.99, got 1.2"),
        ((0.8, 0.0), "filling must be at least 0.1"),
        ((0.8, math.nan), "filling must be at least 0.1"),
    ],
)
def test_absurd_objectives_are_refused(arguments, text):
    with pytest.raises(InputError, match=text):
        AplanaticObjective(*arguments)
