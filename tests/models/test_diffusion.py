import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optobind.models.array import TrapArray
from optobind.models.constants import EPSILON_0, HBAR
from optobind.models.farfield import noise_kernel
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer

K = 2 * math.pi / 1064e-9


def test_diffusion_matches_the_reference(case):
    reference, array = case
    for at in ("focus", "equilibrium"):
        expected = np.array(reference[at]["momentum_diffusion"]) @ [1, 1j]
        found = array.momentum_diffusion(reference[at]["positions"])
        assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def _quadrature(array, places, nodes=80):
    """P = (ħ²/2)∫Σ_s ∂L ∂L* with the Lindblad operators of Eq. (5)."""
    mu, weight = np.polynomial.legendre.leggauss(nodes)
    turn = np.arange(2 * nodes) * math.pi / nodes
    rho = np.sqrt(1 - mu**2)[:, None]
    n = np.stack(
        [rho * np.cos(turn), rho * np.sin(turn), np.broadcast_to(mu[:, None], (nodes, 2 * nodes))],
        axis=-1,
    ).reshape(-1, 3)
    solid = np.repeat(weight * math.pi / nodes, 2 * nodes)
    field = array.field(places)
    value, first = field.value[0], field.first[0]
    phase = np.exp(-1j * array.k * n @ places.T)  # (directions, particles)
    # ∂_a of E(r)e^{−ikn·r}, then the part transverse to n: Σ_s t t* = 1 − nn.
    slope = first[None] - 1j * array.k * n[:, None, :, None] * value[None, :, None, :]
    slope = slope * phase[..., None, None] * array.polarizabilities[None, :, None, None]
    slope = slope - np.einsum("djai,di,dk->djak", slope, n, n)
    slope = slope.reshape(len(n), -1, 3)
    rate = array.k**3 / (2 * EPSILON_0 * HBAR) / (4 * math.pi) ** 2
    return 0.5 * HBAR**2 * rate * np.einsum("d,dpi,dqi->pq", solid, slope, slope.conj())


@pytest.mark.parametrize("correction", [False, True])
def test_closed_form_is_the_integral_over_the_lindblad_operators(correction):
    spheres = (Sphere(8e-8), Sphere(1e-7, index=1.6), Sphere(6e-8))
    places = np.array([[1e-7, 0, 2e-7], [1.9e-6, 4e-7, -2e-7], [3.5e-6, -3e-7, 1e-7]])
    beams = tuple(
        Tweezer(tuple(place), 0.1 + 0.1 * j, 7e-7, 8e-7, 0.5 * j, polarization)
        for j, (place, polarization) in enumerate(
            zip(places, [(0, 1), (0.6, 0.8j), (1, 0.3)], strict=True)
        )
    )
    array = TrapArray(spheres, beams, radiative_correction=correction)
    places = places + np.array([[5e-8, -1e-7, 3e-7], [0, 1e-7, 0], [-1e-7, 0, 2e-7]])
    expected = _quadrature(array, places)
    found = array.momentum_diffusion(places)
    assert np.abs(found - expected).max() < 1e-12 * np.abs(expected).max()


@given(
    count=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
    spacing=st.floats(0.3e-6, 6e-6),
    correction=st.booleans(),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_diffusion_is_hermitian_and_positive_for_any_array(count, seed, spacing, correction):
    rng = np.random.default_rng(seed)
    grid = np.array([(i, j, 0) for i in range(3) for j in range(2)], dtype=float)[:count]
    spheres = tuple(Sphere(r) for r in rng.uniform(3e-8, 1.4e-7, count))
    beams = tuple(
        Tweezer(
            tuple(spacing * place),
            rng.uniform(0.01, 0.5),
            *rng.uniform(6e-7, 2e-6, 2),
            rng.uniform(0, 7),
            tuple(rng.normal(size=2) + 1j * rng.normal(size=2)),
        )
        for place in grid
    )
    array = TrapArray(spheres, beams, radiative_correction=correction)
    matrix = array.momentum_diffusion(array.foci + rng.normal(scale=2e-7, size=(count, 3)))
    assert np.array_equal(matrix, matrix.conj().T)
    assert np.linalg.eigvalsh(matrix)[0] > -1e-13 * np.abs(matrix).max()


@pytest.mark.parametrize("polarization", [(0, 1), (1, 0), (0.6, 0.8), (0.6, 0.8j), (1, 1j)])
def test_recoil_factors_of_one_particle(polarization):
    beam = Tweezer((0, 0, 0), 0.1, 7e-7, 9e-7, polarization=polarization)
    sphere = Sphere(7e-8)
    array = TrapArray((sphere,), (beam,))
    x, y = beam.polarization
    scale = HBAR * array.k**5 * sphere.polarizability**2 / (24 * math.pi * EPSILON_0)
    factors = array.momentum_diffusion([[0, 0, 0]]) / (scale * beam.focus_amplitude**2)
    weights = abs(x) ** 2, abs(y) ** 2
    assert factors[0, 0].real == pytest.approx((2 * weights[1] + weights[0]) / 5)
    assert factors[1, 1].real == pytest.approx((2 * weights[0] + weights[1]) / 5)
    assert factors[2, 2].real == pytest.approx(beam.propagation_factor(K) ** 2 + 0.4)
    assert factors[0, 1].real == pytest.approx(-(x * np.conj(y)).real / 5, abs=1e-12)


def _kernel_by_quadrature(x, square):
    mu, weight = np.polynomial.legendre.leggauss(120)
    bracket = square * (1 + mu**2) / 2 + (1 - mu**2) / 2 - (1 - mu**2) ** 2 / 8
    return 2 * math.pi * np.sum(weight * np.cos(x * mu) * bracket)


@pytest.mark.parametrize("kd", [1.5, 6.0, 6 * math.pi, 40.0])
def test_noise_kernel_at_any_distance(make_pair, kd):
    # Two beams so narrow that neither reaches the other particle.
    array = make_pair(kd=kd, waist=2.7e-7, phi=0.8, radii=(3e-8, 3e-8))
    factor = array.tweezers[0].propagation_factor(array.k)
    start = _kernel_by_quadrature(0.0, factor**2)
    assert start == pytest.approx(8 * math.pi / 3 * (factor**2 + 0.4))
    kernel = float(noise_kernel(kd, factor))
    assert kernel == pytest.approx(_kernel_by_quadrature(kd, factor**2) / start, abs=1e-13)
    if kd > 5.0:
        pair = array.pair_constants("focus")
        expected = pair.constants.D11 * np.exp(0.8j) * kernel
        assert abs(pair.D[0, 1] - expected) < 1e-5 * pair.constants.D11


def test_noise_kernel_does_not_vanish_where_equation_8_does():
    # statements.json: 6e-4 of D_11 at kd = 6π, A = 0.9; and it tends to Eq. (8).
    assert abs(float(noise_kernel(6 * math.pi, 0.9))) == pytest.approx(6e-4, rel=0.1)
    for kd in (200.25 * math.pi, 200.5 * math.pi):
        letter = 1.5 * 0.81 / (0.81 + 0.4) * math.sin(kd) / kd
        assert float(noise_kernel(kd, 0.9)) == pytest.approx(letter, rel=0.01)


def test_noise_kernel_is_positive_semidefinite_for_any_chain():
    x = np.cumsum(np.random.default_rng(4).uniform(0.1, 5, 30))
    matrix = noise_kernel(x[:, None] - x[None, :], 0.9)
    assert np.linalg.eigvalsh(matrix)[0] > -1e-12
