import cmath
import math
from dataclasses import replace

import numpy as np
import pytest

from optobind.models.array import TrapArray
from optobind.models.errors import InputError
from optobind.models.farfield import noise_kernel
from optobind.models.pair import PairConstants
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer
from optobind.theory.quantum.entanglement import log_negativity
from optobind.theory.quantum.evolution import evolve
from optobind.theory.quantum.free_space import (
    coupling_to_recoil,
    exact_separable_distance,
    far_field_separable_distance,
    free_space_pair,
    reactive_kernel,
)
from optobind.theory.quantum.separability import (
    locc_sufficient,
    remains_separable,
    separability,
)
from optobind.theory.quantum.states import product_state, squeezed_state, symplectic_form

TIMES = np.concatenate([np.geomspace(1e-3, 1.0, 8), np.linspace(2.0, 30.0, 10)])


def _transposed_flow_is_positive(pair):
    """Complete positivity of the partially transposed flow: Ñ − i(ÃΩ + ΩÃᵀ)/2 ≥ 0."""
    model = pair.to_linear()
    flip = np.diag([1.0, 1.0, 1.0, -1.0])
    drift, noise = flip @ model.drift @ flip, flip @ model.noise @ flip
    form = symplectic_form(2)
    matrix = noise - 0.5j * (drift @ form + form @ drift.T)
    return np.linalg.eigvalsh(matrix)[0] > -1e-12


def test_criterion_is_the_positivity_of_the_transposed_flow(draw_pair):
    rng = np.random.default_rng(1)
    verdicts = []
    for _ in range(300):
        pair = draw_pair(rng)
        # Lower the recoil towards what Eq. (7) itself demands.
        floor = math.hypot(pair.g_a, pair.re_D12) / math.sqrt(pair.D11 * pair.D22)
        scale = rng.uniform(floor, 1.0)
        pair = PairConstants(
            1.0, 0.1, pair.g_r, pair.g_a, pair.D11 * scale, pair.D22 * scale, pair.re_D12
        )
        verdict = separability(pair).separable
        assert verdict == _transposed_flow_is_positive(pair)
        if locc_sufficient(pair):
            assert verdict
        verdicts.append(verdict)
    assert 50 < sum(verdicts) < 250


def test_no_product_input_becomes_entangled_when_the_criterion_holds(draw_pair, draw_inputs):
    rng = np.random.default_rng(2)
    for _ in range(100):
        pair, start = draw_pair(rng), draw_inputs(rng)
        assert separability(pair).separable
        assert not log_negativity(evolve(pair, start, TIMES)).any()


@pytest.mark.parametrize("g_a", [0.0, 0.03, -0.045])
@pytest.mark.parametrize("correlation", [0.0, 0.02])
def test_product_inputs_become_entangled_at_once_below_the_criterion(g_a, correlation):
    coupling = math.hypot(0.05, correlation)
    entangled = {}
    for factor in (0.97, 1.001):
        recoil = factor * coupling
        pair = PairConstants(1.0, 0.1, 0.05, g_a, recoil, recoil, correlation)
        best = 0.0
        for r in (-2.0, -1.0, 0.0, 1.0):
            start = product_state(squeezed_state(r), squeezed_state(r))
            best = max(best, log_negativity(evolve(pair, start, TIMES)).max())
        entangled[factor] = best
    assert entangled[0.97] > 1e-3
    assert entangled[1.001] == 0.0


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("ratio", [0.1, 0.01])
def test_static_threshold_is_sharp_at_the_coupling_rate(statements, ratio, sign):
    assert "0.99 g_r" in statements["separability"]["static"]
    best = {}
    for factor in (0.99, 1.01):
        pair = PairConstants(1.0, 0.0, sign * ratio, 0.0, factor * ratio, factor * ratio, 0.0)
        best[factor] = max(
            log_negativity(
                evolve(pair, product_state(squeezed_state(r), squeezed_state(r)), TIMES)
            ).max()
            for r in (-3.0, -2.0, 0.0, 2.0)
        )
    assert best[0.99] > 1e-3
    assert best[1.01] == 0.0


def _drawn_light(rng):
    """A free-space pair with exact kernels and a wandering phase."""
    factor = rng.uniform(0.8, 1.0)
    kd = rng.uniform(exact_separable_distance(factor), 40.0)
    offset, rate = rng.uniform(0, 2 * math.pi), rng.uniform(-3.0, 3.0)
    depth, speed = rng.uniform(0, 3.0), rng.uniform(0.2, 3.0)
    recoil, delta = 10 ** rng.uniform(-2.5, -0.5), rng.uniform(-0.3, 0.3)

    def pair_at(time):
        return free_space_pair(
            omega=1.0,
            kd=kd,
            phi=offset + rate * time + depth * math.sin(speed * time),
            D=recoil,
            propagation_factor=factor,
            delta_omega=delta,
        )

    return pair_at


@pytest.mark.slow
def test_free_space_light_with_static_phase_never_entangles(draw_inputs):
    rng = np.random.default_rng(3)
    for _ in range(120):
        pair = _drawn_light(rng)(0.0)
        assert separability(pair).separable
        assert not log_negativity(evolve(pair, draw_inputs(rng), TIMES)).any()


def _no_entanglement_with_moving_phase(seed, count, draw_inputs):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        pair_at = _drawn_light(rng)
        assert remains_separable(pair_at, np.linspace(0, 6, 20))
        moments = evolve(pair_at, draw_inputs(rng), [0.02, 0.3, 1.0, 2.5, 6.0], rtol=1e-8)
        assert not log_negativity(moments, tolerance=1e-7).any()


def test_free_space_light_with_moving_phase_never_entangles(draw_inputs):
    _no_entanglement_with_moving_phase(4, 8, draw_inputs)


@pytest.mark.slow
def test_free_space_light_with_moving_phase_never_entangles_in_many_draws(draw_inputs):
    _no_entanglement_with_moving_phase(5, 60, draw_inputs)


@pytest.mark.parametrize("factor", [0.8, 0.93, 1.0])
@pytest.mark.parametrize("kd", [1.5, 2.9, 7.3])
def test_exact_kernels_are_the_derivatives_of_the_green_tensor(kd, factor):
    def along(x, z):
        # G_yy below Eq. (1) for y = 0, k = 1.
        r = math.hypot(x, z)
        return cmath.exp(1j * r) / (4 * math.pi) * (1 / r - (1 - 1j * r) / r**3)

    def response(x):
        # k²A²G_yy − ∂_z²G_yy at z = 0, an even function of z, at k = 1.
        step = 0.02
        values = [along(x, n * step) for n in range(4)]
        curve = 2 * np.dot([-49 / 36, 1.5, -0.15, 1 / 90], values) / step**2
        return factor**2 * values[0] - curve

    # D follows from the imaginary part where the two points meet.
    recoil = response(1e-2).imag
    assert reactive_kernel(kd, factor) == pytest.approx(response(kd).real / recoil, abs=2e-4)
    assert noise_kernel(kd, factor) == pytest.approx(response(kd).imag / recoil, abs=2e-4)


@pytest.mark.parametrize(("kd", "phi", "waist"), [(16.0, 0.8, 7e-7), (18.0, 2.0, 8e-7)])
def test_exact_constants_are_those_of_two_tweezers_at_their_foci(kd, phi, waist):
    k = 2 * math.pi / 1064e-9
    beams = (
        Tweezer((0.0, 0.0, 0.0), 0.17, waist, waist, phi),
        Tweezer((kd / k, 0.0, 0.0), 0.17, waist, waist, 0.0),
    )
    array = TrapArray((Sphere(2e-8), Sphere(2e-8)), beams)
    found = array.pair_constants("focus").constants
    factor = beams[0].propagation_factor(k)
    pair = free_space_pair(omega=1.0, kd=kd, phi=phi, D=found.D11, propagation_factor=factor)
    # Each focus holds a tail of the other beam, some 1e-5 of its amplitude.
    for name in ("g_r", "g_a", "re_D12"):
        expected = getattr(pair, name) / found.D11
        assert getattr(found, name) / found.D11 == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("factor", [0.8, 1.0])
def test_kernels_tend_to_the_far_field(factor):
    kd = np.linspace(300, 310, 7)
    scale = coupling_to_recoil(factor) / kd
    assert np.allclose(reactive_kernel(kd, factor), scale * np.cos(kd), atol=0.02 * scale.max())
    assert np.allclose(noise_kernel(kd, factor), scale * np.sin(kd), atol=0.02 * scale.max())


def test_ratio_of_coupling_and_recoil_and_the_bound_of_the_far_field(statements):
    assert coupling_to_recoil() == pytest.approx(statements["ratio"]["A1"], rel=1e-12)
    root = far_field_separable_distance()
    assert root == pytest.approx(1.07, abs=0.002)
    # D_11 = G/kd at the root, and the criterion holds for all φ from there on.
    for kd in np.linspace(root, 12, 60):
        for phi in (0.0, 0.4, math.pi / 2):
            pair = PairConstants.far_field(
                omega=1.0, kd=kd, phi=phi, G=coupling_to_recoil(), D11=1.0, D22=1.0
            )
            assert separability(pair).separable
    short = PairConstants.far_field(
        omega=1.0, kd=0.99 * root, phi=0.0, G=coupling_to_recoil(), D11=1.0, D22=1.0
    )
    assert not separability(short).separable


@pytest.mark.parametrize(("factor", "expected"), [(0.8, 1.418), (1.0, 1.404)])
def test_near_field_moves_the_bound_outwards(factor, expected):
    root = exact_separable_distance(factor)
    assert root == pytest.approx(expected, abs=1e-3)
    for kd in np.geomspace(root, 100, 400):
        pair = free_space_pair(omega=1.0, kd=kd, phi=0.0, D=1.0, propagation_factor=factor)
        assert separability(pair).separable
    close = free_space_pair(omega=1.0, kd=0.98 * root, phi=0.0, D=1.0, propagation_factor=factor)
    assert not separability(close).separable


def test_margin_tells_how_much_recoil_must_go():
    pair = PairConstants(1.0, 0.0, 0.03, 0.0, 0.1, 0.1, 0.04)
    result = separability(pair)
    assert result.margin == pytest.approx(2.0)
    assert result.recoil_needed == pytest.approx(0.5)
    assert result.recoil_least == pytest.approx(0.4)
    assert result.removable
    assert result.locc_bound == pytest.approx(0.07)
    uncoupled = separability(PairConstants(1.0, 0.0, 0.0, 0.02, 0.1, 0.1, 0.0))
    assert uncoupled.margin == math.inf
    assert uncoupled.recoil_needed == 0.0
    assert not uncoupled.removable
    strong = separability(PairConstants(1.0, 0.0, 0.3, 0.0, 0.1, 0.1, 0.0))
    assert strong.recoil_needed == 1.0
    assert not strong.separable


def _heated(pair, heating, gamma=1e-7):
    """The pair in gas that heats each particle at given rates, 1/s, and hardly damps."""
    occupations = tuple(rate / gamma - 0.5 for rate in heating)
    return replace(pair, gamma=(gamma, gamma), n_thermal=occupations)


def test_heating_by_gas_counts_against_entanglement_like_recoil(draw_inputs):
    rng = np.random.default_rng(8)
    times = np.concatenate([np.geomspace(1e-3, 1.0, 8), np.linspace(2.0, 30.0, 8)])
    for _ in range(30):
        pair = PairConstants(1.0, rng.uniform(-0.1, 0.1), 0.1, 0.02, 0.06, 0.05, 0.04)
        assert not separability(pair).separable
        missing = separability(pair).coupling - 0.05
        warm = _heated(pair, (missing, 1.2 * missing))
        assert separability(warm).separable
        assert not log_negativity(evolve(warm, draw_inputs(rng), times)).any()
    # The same pair with too little gas is entangled at once from the right inputs.
    cool = _heated(pair, (0.2 * missing, 0.2 * missing))
    assert not separability(cool).separable
    start = product_state(squeezed_state(-2.0), squeezed_state(-2.0))
    assert log_negativity(evolve(cool, start, times)).max() > 0.0


def test_share_of_the_recoil_that_may_stay_counts_the_gas(draw_pair):
    rng = np.random.default_rng(9)
    for _ in range(50):
        pair = draw_pair(rng, excess=rng.uniform(1.1, 4.0))
        gas = rng.uniform(0.0, 0.03, 2)
        result = separability(_heated(pair, gas))
        left = result.recoil_needed
        first, second = left * pair.D11 + gas[0], left * pair.D22 + gas[1]
        if left > 0.0:
            assert math.sqrt(first * second) == pytest.approx(result.coupling)
        else:
            assert math.sqrt(gas[0] * gas[1]) >= result.coupling


def test_a_moving_phase_is_judged_at_its_worst():
    def pair_at(time):
        return PairConstants(1.0, 0.0, 0.11 * math.cos(time), 0.0, 0.1, 0.1, 0.0)

    assert remains_separable(pair_at, [1.0, 2.0])
    assert not remains_separable(pair_at, [0.0, 1.0])
    with pytest.raises(InputError, match="at least 1 time is needed"):
        remains_separable(pair_at, [])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: reactive_kernel(0.0), "kd must lie in"),
        (lambda: coupling_to_recoil(1.2), "propagation_factor must lie in 0.1 … 1"),
        (lambda: free_space_pair(omega=1.0, kd=5.0, phi=0.0, D=-1.0), "D must lie in"),
    ],
)
def test_values_out_of_range_are_refused(call, text):
    with pytest.raises(InputError, match=text):
        call()
