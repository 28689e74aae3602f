import math

import numpy as np
import pytest
from scipy.special import spherical_jn, spherical_yn

from optobind.models.errors import InputError
from optobind.models.mie import dipole_radius, mie_corrections
from optobind.models.sphere import Sphere

pytest.importorskip("miepython")
WAVELENGTH = 1064e-9
K = 2.0 * math.pi / WAVELENGTH


def _coefficients(index, x, orders):
    """a_n and b_n of Bohren and Huffman (4.53) from spherical Bessel functions, exp(−iωt)."""
    n = np.arange(1, orders + 1)
    mx = index * x

    def riccati(z):
        j, dj = spherical_jn(n, z), spherical_jn(n, z, derivative=True)
        return z * j, j + z * dj

    psi, dpsi = riccati(x)
    psim, dpsim = riccati(mx)
    y, dy = spherical_yn(n, x), spherical_yn(n, x, derivative=True)
    xi, dxi = psi + 1j * x * y, dpsi + 1j * (y + x * dy)
    a = (index * psim * dpsi - psi * dpsim) / (index * psim * dxi - xi * dpsim)
    b = (psim * dpsi - index * psi * dpsim) / (psim * dxi - index * xi * dpsim)
    return a, b


@pytest.mark.parametrize("radius", [20e-9, 71.5e-9, 150e-9, 300e-9])
@pytest.mark.parametrize("index", [1.45, 2.39])
def test_polarisabilities_are_those_of_independent_coefficients(radius, index):
    x = K * radius
    a, b = _coefficients(index, x, 12 + math.ceil(4 * x))
    order = np.arange(1, len(a) + 1)
    forward = 0.5 * np.sum((2 * order + 1) * (a + b))
    scale = (index**2 + 2.0) / (index**2 - 1.0) / x**3
    found = mie_corrections(Sphere(radius, index=index), WAVELENGTH)
    assert found.size == pytest.approx(x)
    assert found.gradient == pytest.approx((1j * forward).real * scale, rel=1e-6)
    assert found.electric_dipole == pytest.approx((1.5j * a[0]).real * scale, rel=1e-6)
    # Pressure: C_ext − g C_sca from the coefficients alone (Bohren and Huffman, sec. 4.5).
    extinction = 2.0 * np.sum((2 * order + 1) * (a + b).real)
    n = order[:-1]
    first = (n * (n + 2) / (n + 1)) * (a[:-1] * a[1:].conj() + b[:-1] * b[1:].conj()).real
    second = ((2 * order + 1) / (order * (order + 1))) * (a * b.conj()).real
    pressure = extinction - 4.0 * (first.sum() + second.sum())
    dipole = 8.0 / 3.0 * x**6 * ((index**2 - 1.0) / (index**2 + 2.0)) ** 2
    assert found.pressure == pytest.approx(pressure / dipole, rel=1e-6)


def test_small_spheres_are_dipoles_and_first_corrections_are_known():
    tiny = mie_corrections(Sphere(2e-9), WAVELENGTH)
    for ratio in (tiny.gradient, tiny.pressure, tiny.electric_dipole, *tiny.recoil):
        assert ratio == pytest.approx(1.0, abs=3e-4)
    assert tiny.asymmetry == pytest.approx(0.0, abs=1e-3)
    # a_1 to second order in x: α_e = α/(1 − (3/5)x²(ε − 2)/(ε + 2) − …).
    radius, epsilon = 30e-9, 1.45**2
    x = K * radius
    expected = 1.0 + 0.6 * x**2 * (epsilon - 2.0) / (epsilon + 2.0)
    assert mie_corrections(Sphere(radius), WAVELENGTH).electric_dipole == pytest.approx(
        expected, abs=2e-4
    )


@pytest.mark.parametrize("factor", [0.8, 1.0])
def test_recoil_of_the_three_axes_adds_up_to_the_momentum_transfer(factor):
    found = mie_corrections(Sphere(150e-9), WAVELENGTH, factor)
    share = 0.4 * found.recoil[0] + 0.2 * found.recoil[1]
    axial = (factor**2 + 0.4) * found.recoil[2]
    # Σ(Aẑ − n)² = A² + 1 − 2A cos θ, and C_pr = (1 − g)C_sca for a lossless sphere.
    scattered = found.pressure / (1.0 - found.asymmetry)
    expected = scattered * (factor**2 + 1.0 - 2.0 * factor * found.asymmetry)
    assert share + axial == pytest.approx(expected, rel=1e-9)


def test_doubts_name_what_is_off_and_the_radius_where_it_begins():
    limit = dipole_radius(1.45, WAVELENGTH)
    assert 60e-9 < limit < 200e-9
    assert not mie_corrections(Sphere(0.99 * limit), WAVELENGTH).doubts()
    text = mie_corrections(Sphere(1.01 * limit), WAVELENGTH).doubts()
    assert len(text) == 1
    assert "Mie theory gives" in text[0]
    assert len(mie_corrections(Sphere(300e-9), WAVELENGTH).doubts()) > 3


def test_a_missing_package_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "miepython", None)
    with pytest.raises(InputError, match=r"pip install optobind\[mie\]"):
        mie_corrections(Sphere(1e-7), WAVELENGTH)


@pytest.mark.parametrize(
    ("wavelength", "factor", "text"),
    [(1e-8, 1.0, "wavelength must lie"), (WAVELENGTH, 1.5, "propagation_factor must lie")],
)
def test_absurd_requests_are_refused(wavelength, factor, text):
    with pytest.raises(InputError, match=text):
        mie_corrections(Sphere(1e-7), wavelength, factor)
