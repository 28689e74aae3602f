from __future__ import annotations

import numpy as np
import pytest

from optobind.instruments.hologram.grid import PixelGrid
from optobind.instruments.hologram.zernike import noll_indices, zernike, zernike_wavefront
from optobind.models.errors import InputError

# Noll's table I, term by term.
TABLE = {
    1: lambda r, t: np.ones_like(r),
    2: lambda r, t: 2.0 * r * np.cos(t),
    3: lambda r, t: 2.0 * r * np.sin(t),
    4: lambda r, t: np.sqrt(3.0) * (2.0 * r**2 - 1.0),
    5: lambda r, t: np.sqrt(6.0) * r**2 * np.sin(2.0 * t),
    6: lambda r, t: np.sqrt(6.0) * r**2 * np.cos(2.0 * t),
    7: lambda r, t: np.sqrt(8.0) * (3.0 * r**3 - 2.0 * r) * np.sin(t),
    8: lambda r, t: np.sqrt(8.0) * (3.0 * r**3 - 2.0 * r) * np.cos(t),
    9: lambda r, t: np.sqrt(8.0) * r**3 * np.sin(3.0 * t),
    10: lambda r, t: np.sqrt(8.0) * r**3 * np.cos(3.0 * t),
    11: lambda r, t: np.sqrt(5.0) * (6.0 * r**4 - 6.0 * r**2 + 1.0),
    12: lambda r, t: np.sqrt(10.0) * (4.0 * r**4 - 3.0 * r**2) * np.cos(2.0 * t),
    13: lambda r, t: np.sqrt(10.0) * (4.0 * r**4 - 3.0 * r**2) * np.sin(2.0 * t),
    14: lambda r, t: np.sqrt(10.0) * r**4 * np.cos(4.0 * t),
    15: lambda r, t: np.sqrt(10.0) * r**4 * np.sin(4.0 * t),
}


def test_terms_are_those_of_nolls_table():
    rng = np.random.default_rng(1)
    r, t = np.sqrt(rng.uniform(0.0, 1.0, 50)), rng.uniform(-np.pi, np.pi, 50)
    for j, term in TABLE.items():
        assert np.allclose(zernike(j, r, t), term(r, t)), j


def test_terms_are_orthonormal_over_the_pupil():
    nodes, weights = np.polynomial.legendre.leggauss(24)
    r, t = np.sqrt(0.5 * (nodes + 1.0)), np.arange(48) * 2.0 * np.pi / 48
    radius, angle = np.meshgrid(r, t)
    values = np.array([zernike(j, radius, angle) for j in range(1, 37)])
    gram = np.einsum("jtr,ktr,r->jk", values, values, 0.5 * weights) / len(t)
    assert np.allclose(gram, np.eye(36), atol=1e-10)


def test_indices_go_round_the_orders():
    assert [noll_indices(j) for j in (1, 2, 3, 4, 5, 6, 16, 22, 36)] == [
        (0, 0), (1, 1), (1, -1), (2, 0), (2, -2), (2, 2), (5, 1), (6, 0), (7, 7),
    ]  # fmt: skip


def test_wavefronts_add_terms_by_number_and_by_name_and_go_on_at_the_edge():
    grid = PixelGrid((101, 61), (1e-5, 1e-5))
    both = zernike_wavefront(grid, {4: 0.5, "spherical": -0.2, "6": 0.1}, 2e-4)
    rho = np.minimum(np.hypot(grid.x, grid.y[:, None]) / 2e-4, 1.0)
    theta = np.arctan2(grid.y[:, None], grid.x)
    expected = 0.5 * TABLE[4](rho, theta) - 0.2 * TABLE[11](rho, theta) + 0.1 * TABLE[6](rho, theta)
    assert np.allclose(both, expected)
    assert both[30, 50] == pytest.approx(-0.5 * np.sqrt(3.0) - 0.2 * np.sqrt(5.0))
    assert both[30, 0] == both[30, 10]


def test_unknown_terms_are_refused():
    grid = PixelGrid((10, 10), (1e-5, 1e-5))
    with pytest.raises(InputError, match=r"unknown Zernike term 'comma'.*coma_x"):
        zernike_wavefront(grid, {"comma": 1.0}, 1e-3)
    with pytest.raises(InputError, match="Noll index must lie in 1 … 1000"):
        zernike_wavefront(grid, {0: 1.0}, 1e-3)
    with pytest.raises(InputError, match="pupil radius must lie in"):
        zernike_wavefront(grid, {4: 1.0}, 0.0)
