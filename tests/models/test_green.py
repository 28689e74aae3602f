import math

import numpy as np
import pytest
from scipy.special import spherical_jn

from optobind.models.green import green, imaginary_green

K = 2 * math.pi / 1064e-9


def _letter(r):
    """The tensor as printed below Eq. (1)."""
    d = np.linalg.norm(r)
    outer = np.outer(r, r)
    near = (1 - 1j * K * d) * (3 * outer - d**2 * np.eye(3)) / d**5
    return np.exp(1j * K * d) / (4 * math.pi) * (near + K**2 * (d**2 * np.eye(3) - outer) / d**3)


def _points():
    rng = np.random.default_rng(3)
    return rng.normal(size=(6, 3)) * np.geomspace(2e-8, 2e-5, 6)[:, None]


def test_green_tensor_is_the_one_of_the_letter():
    for r in _points():
        assert np.allclose(green(r, K).value, _letter(r), rtol=1e-9, atol=0)


def test_imaginary_part_matches_spherical_bessel_functions():
    for r in _points():
        x = K * np.linalg.norm(r)
        radial = np.outer(r, r) / (r @ r)
        expected = spherical_jn(0, x) * np.eye(3) + 0.5 * spherical_jn(2, x) * (
            3 * radial - np.eye(3)
        )
        found = imaginary_green(r, K).value
        assert np.allclose(found, K**3 / (6 * math.pi) * expected, rtol=0, atol=1e-13 * K**3)


def test_imaginary_part_at_contact_is_isotropic():
    tensor = imaginary_green(np.zeros(3), K)
    assert np.allclose(tensor.value, K**3 / (6 * math.pi) * np.eye(3), rtol=1e-14)
    assert not tensor.first.any()
    # Im G ∝ ∫(1 − nn)e^{ikn·r}: ⟨n_z²(1 − n_z²)⟩ and ⟨n_z²(1 − n_x²)⟩ over the sphere.
    scale = K**5 / (16 * math.pi**2) * 4 * math.pi
    assert tensor.second[2, 2, 2, 2] == pytest.approx(-scale * 2 / 15)
    assert tensor.second[2, 2, 0, 0] == pytest.approx(-scale * 4 / 15)
    assert tensor.second[0, 2, 0, 2] == pytest.approx(scale / 15)


@pytest.mark.parametrize("function", [green, imaginary_green])
def test_derivatives_match_finite_differences(function, central_difference):
    for r in _points():
        step = 1e-3 * min(np.linalg.norm(r), 1 / K)
        tensor = function(r, K)
        first = central_difference(lambda x: function(x, K).value, r, step)
        second = central_difference(lambda x: function(x, K).first, r, step)
        assert np.abs(tensor.first - first).max() < 1e-8 * np.abs(first).max()
        assert np.abs(tensor.second - second).max() < 1e-8 * np.abs(second).max()


def test_imaginary_green_is_the_imaginary_part_on_both_sides_of_the_series():
    direction = np.array([1.0, 2.0, -2.0]) / 3.0
    for x in (0.5, 2.999, 3.001, 40.0):
        full, part = green(direction * x / K, K), imaginary_green(direction * x / K, K)
        for name, tolerance in (("value", 1e-12), ("first", 1e-11), ("second", 1e-9)):
            wanted = getattr(full, name).imag
            scale = np.abs(getattr(full, name)).max()
            assert np.abs(getattr(part, name) - wanted).max() < tolerance * scale
