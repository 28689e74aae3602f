import math

import numpy as np
import pytest

from optobind.models.errors import InputError
from optobind.models.pair import PairConstants
from optobind.theory.quantum.entanglement import log_negativity
from optobind.theory.quantum.evolution import evolve
from optobind.theory.quantum.separability import separability
from optobind.theory.quantum.squeezed_light import (
    decibels,
    squeezed_recoil,
    squeezing_needed,
    squeezing_parameter,
    variance_from_decibels,
    variance_from_parameter,
    with_squeezed_light,
)
from optobind.theory.quantum.states import product_state, squeezed_state


def test_ten_decibels_are_a_tenth_of_the_variance():
    assert variance_from_decibels(10.0) == pytest.approx(0.1)
    assert squeezing_parameter(0.1) == pytest.approx(1.1513, abs=1e-4)
    assert decibels(variance_from_parameter(1.0)) == pytest.approx(8.686, abs=1e-3)
    for s in (0.01, 1.0, 7.0):
        assert variance_from_parameter(squeezing_parameter(s)) == pytest.approx(s)
        assert variance_from_decibels(decibels(s)) == pytest.approx(s)


def test_variance_is_that_of_the_squeeze_operator_in_fock_space():
    import qutip as qt

    r, dim = 0.6, 80
    b = qt.destroy(dim)
    state = (0.5 * r * (b * b - b.dag() * b.dag())).expm() * qt.basis(dim, 0)
    x = (b + b.dag()) / math.sqrt(2)
    assert qt.variance(x, state) / 0.5 == pytest.approx(variance_from_parameter(r), rel=1e-6)


@pytest.mark.parametrize("zeta", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("r", [-0.4, 0.0, 1.2])
def test_recoil_is_what_fresh_squeezed_modes_do_to_the_momentum(zeta, r):
    # L = √(2D) z scatters into ζb_s + √(1−ζ²)b_v; each fresh mode kicks p by −√(2dt)√(2D) Y.
    recoil, dt = 0.7, 1e-3
    kicks = -math.sqrt(2 * dt) * math.sqrt(2 * recoil) * np.array([zeta, math.sqrt(1 - zeta**2)])
    variances = [0.5 * math.exp(-2 * r), 0.5]
    heating = kicks**2 @ variances / dt
    assert squeezed_recoil(recoil, variance_from_parameter(r), zeta) == pytest.approx(heating / 2)


def test_phase_of_the_overlap_does_not_matter():
    assert squeezed_recoil(2.0, 0.1, 0.6 + 0.3j) == pytest.approx(2.0 * (1 - 0.45 * 0.9))


def test_squeezed_light_lowers_the_recoil_of_the_pair_only():
    pair = PairConstants(1.0, 0.1, 0.05, 0.0, 0.2, 0.1, 0.0, gamma=(1e-3, 0), n_thermal=(5, 0))
    squeezed = with_squeezed_light(pair, (0.1, 1.0), (0.5, 1.0))
    assert squeezed.D11 == pytest.approx(0.2 * (1 - 0.25 * 0.9))
    assert squeezed.D22 == 0.1
    assert (squeezed.g_r, squeezed.gamma, squeezed.delta_omega) == (0.05, (1e-3, 0), 0.1)


@pytest.mark.parametrize("overlap", [1.0, 0.97])
def test_squeezing_needed_is_where_entanglement_sets_in(overlap):
    pair = PairConstants(1.0, 0.0, 0.05, 0.0, 0.2, 0.2, 0.0)
    s = squeezing_needed(pair, overlap)
    start = product_state(squeezed_state(-2.0), squeezed_state(-2.0))
    times = np.linspace(0.01, 5, 60)
    assert not separability(with_squeezed_light(pair, 0.9 * s, overlap)).separable
    below = evolve(with_squeezed_light(pair, 0.9 * s, overlap), start, times)
    above = evolve(with_squeezed_light(pair, 1.01 * s, overlap), start, times)
    assert log_negativity(below).max() > 0
    assert log_negativity(above).max() == 0


def test_a_pair_that_is_not_separable_needs_no_squeezing():
    assert squeezing_needed(PairConstants(1.0, 0.0, 0.3, 0.0, 0.2, 0.2, 0.0)) == 1.0


def test_light_that_carries_the_antireciprocity_cannot_be_squeezed_away():
    pair = PairConstants(1.0, 0.0, 0.0, 0.1, 0.2, 0.2, 0.0)
    with pytest.raises(InputError, match=r"is smaller than \|D12\|²"):
        with_squeezed_light(pair, 0.1)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda p: squeezing_needed(p, 0.5), "overlap must exceed 0.866025 for entanglement"),
        (lambda p: squeezed_recoil(1.0, 0.0), "squeezed variance s must lie in"),
        (lambda p: squeezed_recoil(1.0, 0.5, 1.1), r"\|overlap\| must lie in 0 … 1"),
        (lambda p: with_squeezed_light(p, (0.1, 0.2, 0.3)), "needs one number or 2"),
        (lambda p: variance_from_decibels(1e3), "squeezing must lie in -130 … 130 dB"),
        (lambda p: decibels(-0.1), "squeezed variance s must lie in"),
    ],
)
def test_values_out_of_range_are_refused(call, text):
    with pytest.raises(InputError, match=text):
        call(PairConstants(1.0, 0.0, 0.05, 0.0, 0.2, 0.2, 0.0))
