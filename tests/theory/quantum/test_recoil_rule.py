import math
from dataclasses import replace

import numpy as np
import pytest

from optobind.models.errors import InputError
from optobind.models.pair import PairConstants
from optobind.theory.quantum.conditional import conditional_evolution
from optobind.theory.quantum.entanglement import log_negativity
from optobind.theory.quantum.homodyne import joint_detection, local_detection
from optobind.theory.quantum.recoil_rule import efficiency_needed, recoil_rule
from optobind.theory.quantum.squeezed_light import squeezing_needed
from optobind.theory.quantum.states import product_state, squeezed_state

TIMES = np.concatenate([np.geomspace(1e-3, 1.0, 8), np.linspace(2.0, 40.0, 8)])


@pytest.mark.slow
def test_what_the_rule_forbids_never_happens(draw_pair, draw_inputs):
    rng = np.random.default_rng(1)
    for _ in range(80):
        pair = draw_pair(rng, excess=rng.uniform(1.05, 6.0))
        cross = math.hypot(max(abs(pair.g_r), abs(pair.g_a)), pair.re_D12)
        # The largest efficiency that leaves D′_11D′_22 = max(g_r², g_a²) + (Re D_12)² undetected.
        eta = rng.uniform(0.3, 1.0) * (1 - cross / math.sqrt(pair.D11 * pair.D22))
        angles = rng.uniform(-math.pi, math.pi, 2)
        detection = local_detection(pair, eta, angles)
        moments = conditional_evolution(pair, detection, draw_inputs(rng), TIMES)
        assert not log_negativity(moments).any()
        rule = recoil_rule(pair, eta, angles)
        assert rule.forbids
        assert not rule.entangled


def test_reciprocal_binding_is_forbidden_to_entangle_down_to_the_coupling(draw_inputs):
    rng = np.random.default_rng(2)
    for _ in range(40):
        g, recoil = 0.05, rng.uniform(0.06, 0.5)
        eta = 1 - 1.0001 * g / recoil
        pair = PairConstants(1.0, rng.uniform(-0.2, 0.2), g, 0.0, recoil, recoil, 0.0)
        assert efficiency_needed(pair) == pytest.approx(1 - g / recoil)
        moments = conditional_evolution(
            pair, local_detection(pair, eta, rng.uniform(-3, 3, 2)), draw_inputs(rng), TIMES
        )
        assert not log_negativity(moments).any()


@pytest.mark.parametrize("angle", [0.0, 0.5])
def test_a_pure_product_is_entangled_at_once_below_the_rule(angle):
    g, recoil = 0.05, 0.25
    pair = PairConstants(1.0, 0.0, g, 0.0, recoil, recoil, 0.0)
    start = product_state(squeezed_state(-2.0), squeezed_state(-2.0))
    times = np.geomspace(1e-4, 0.3, 30)
    best = {}
    for factor in (0.97, 1.01):
        detection = local_detection(pair, 1 - factor * g / recoil, angle)
        moments = conditional_evolution(pair, detection, start, times)
        best[factor] = log_negativity(moments).max()
    assert best[0.97] > 1e-5
    assert best[1.01] == 0.0


def test_the_rule_does_not_suffice_for_a_steady_state():
    # D′ = D(1 − η) is a third of the coupling rate, and yet the conditional state is separable.
    pair = PairConstants(1.0, 0.0, 0.006, 0.0, 0.02, 0.02, 0.0)
    rule = recoil_rule(pair, 0.9)
    assert rule.effective == pytest.approx((0.002, 0.002))
    assert rule.coupling == 0.006
    assert not rule.forbids
    assert rule.log_negativity == 0.0
    assert rule.purity == pytest.approx(0.9, abs=0.01)
    assert max(rule.occupations) < 0.06


def test_near_perfect_detection_entangles_the_steady_state():
    pair = PairConstants(1.0, 0.0, 0.1, 0.0, 0.2, 0.2, 0.0)
    rule = recoil_rule(pair, 0.995)
    assert rule.entangled
    assert rule.log_negativity > 1e-3


def test_joint_detection_of_the_interference_is_no_local_operation():
    # Below the rule's efficiency, but the detected light itself carries correlations.
    pair = PairConstants(1.0, 0.0, 0.0, 0.0, 0.2, 0.2, 0.16)
    start = product_state(squeezed_state(-1.0), squeezed_state(-1.0))
    columns = np.array([[1.0, 1.0], [1.0, -1.0]]) * np.sqrt([0.36, 0.04])
    detection = joint_detection(pair, (1.0, 0.0), columns=columns)
    moments = conditional_evolution(pair, detection, start, np.linspace(0.1, 10, 30))
    assert log_negativity(moments).max() > 0.05


def test_light_that_cannot_be_detected_locally_is_refused():
    pair = PairConstants(1.0, 0.0, 0.0, 0.1, 0.2, 0.2, 0.0)
    with pytest.raises(InputError, match="use joint_detection"):
        recoil_rule(pair, 0.6)


def test_no_detection_lifts_the_no_go_of_an_antireciprocal_pair(draw_inputs):
    # D′_11D′_22 ≥ |D_12|² = g_a² + (Re D_12)² must stay undetected, which is more than g_r² + ….
    rng = np.random.default_rng(3)
    for _ in range(30):
        g_a, correlation = rng.uniform(0.02, 0.06), rng.uniform(0.0, 0.05)
        recoil = rng.uniform(1.1, 4.0) * math.hypot(g_a, correlation)
        g_r = rng.uniform(0.0, 1.0) * g_a
        pair = PairConstants(1.0, 0.0, g_r, g_a, recoil, recoil, correlation)
        assert efficiency_needed(pair) is None
        with pytest.raises(InputError, match="no squeezing lifts the criterion"):
            squeezing_needed(pair)
        most = 1.0 - math.hypot(g_a, correlation) / recoil
        detection = local_detection(pair, most * (1 - 1e-9), rng.uniform(-3, 3, 2))
        moments = conditional_evolution(pair, detection, draw_inputs(rng), TIMES)
        assert not log_negativity(moments).any()


def test_efficiency_that_is_needed_can_be_had():
    rng = np.random.default_rng(4)
    for _ in range(30):
        g_r, correlation = rng.uniform(0.02, 0.06), rng.uniform(0.0, 0.05)
        g_a = rng.uniform(0.0, 0.98) * g_r
        recoil = rng.uniform(1.1, 4.0) * math.hypot(g_r, correlation)
        pair = PairConstants(1.0, 0.0, g_r, g_a, recoil, recoil, correlation)
        assert recoil_rule(pair, efficiency_needed(pair) * (1 - 1e-6)).forbids
        assert not recoil_rule(pair, efficiency_needed(pair) + 1e-6).forbids


def test_gas_is_not_detected():
    pair = PairConstants(1.0, 0.0, 0.05, 0.0, 0.2, 0.2, 0.0)
    warm = replace(pair, gamma=(1e-6, 1e-6), n_thermal=(1e4, 1e4))
    gas = 1e-6 * (1e4 + 0.5)
    rule = recoil_rule(warm, 0.5)
    assert rule.effective == pytest.approx((0.1 + gas, 0.1 + gas))
    assert efficiency_needed(warm) == pytest.approx(1.0 - (0.05 - gas) / 0.2)
    assert efficiency_needed(replace(warm, n_thermal=(6e4, 6e4))) is None


def test_no_efficiency_is_needed_where_binding_exceeds_the_recoil():
    assert efficiency_needed(PairConstants(1.0, 0.0, 0.3, 0.0, 0.2, 0.2, 0.0)) == 0.0
