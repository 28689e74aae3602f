import math
import time

import numpy as np
import pytest

from optobind.models.errors import InputError
from optobind.models.pair import PairConstants
from optobind.models.phases import (
    LETTER_POINTS,
    area_shares,
    eigenfrequency_cut,
    ideal_regimes,
    ideal_symmetry,
    regime_map,
)
from optobind.models.regimes import REGIMES, exceptional_detunings, full_frequencies, regime_flags

OMEGA = 2 * math.pi * 50e3


def test_flags_are_those_of_single_pairs():
    rng = np.random.default_rng(5)
    phi, kd = rng.uniform(-4, 4, 30), rng.uniform(2, 30, 30)
    found = ideal_regimes(phi, kd, G=700.0)
    for i, j in np.ndindex(30, 30):
        pair = PairConstants.far_field(omega=OMEGA, kd=kd[j], phi=phi[i], G=700.0, D11=1e3, D22=1e3)
        assert found.g_r[i, j] == pytest.approx(pair.g_r, abs=1e-12)
        assert found.g_a[i, j] == pytest.approx(pair.g_a, abs=1e-12)
        assert found.re_D12[i, j] == pytest.approx(pair.re_D12, abs=1e-12)
        expected = regime_flags(pair.g_r, pair.g_a, pair.re_D12)
        assert {name: bool(flag[i, j]) for name, flag in found.flags.items()} == expected


def test_points_of_the_letter_lie_in_one_regime_each(statements):
    expected = statements["regimes"]["points"]
    for (name, (phi, kd)), regime in zip(
        LETTER_POINTS.items(),
        ("reciprocal", "unidirectional", "antireciprocal", "noise_correlated"),
        strict=True,
    ):
        assert (phi / math.pi, kd / math.pi) == pytest.approx(tuple(expected[name]))
        found = ideal_regimes([phi, -phi], [kd])
        for other, flag in found.flags.items():
            if name != "III" or other == regime:
                assert flag.all() == (other == regime)


def test_shares_of_the_letter():
    shares = area_shares(1000)
    expected = {
        "reciprocal": 0.375,
        "unidirectional": 0.418,
        "antireciprocal": 0.375,
        "noise_correlated": 0.047,
        "none": 0.069,
    }
    assert shares == pytest.approx(expected, abs=6e-4)
    # An independent route: random points over many periods at any distance.
    rng = np.random.default_rng(0)
    found = ideal_regimes(rng.uniform(-np.pi, np.pi, 700), rng.uniform(5, 5 + 40 * np.pi, 700))
    assert found.shares == pytest.approx(expected, abs=0.02)


def test_ties_are_no_wins():
    rates = np.array([[1.0]])
    found = regime_map(np.zeros(1), np.ones(1), rates, rates * (1 + 1e-10), rates)
    assert [name for name in REGIMES if getattr(found, name).any()] == ["unidirectional"]
    nothing = regime_map(np.zeros(1), np.ones(1), rates * 0, rates * 0, rates * 0)
    assert nothing.none.all()


def test_margins_are_positive_inside_and_masked_points_are_outside():
    valid = np.array([[True, False]])
    g_r, zero = np.array([[2.0, 2.0]]), np.zeros((1, 2))
    found = regime_map(np.zeros(1), np.ones(2), g_r, zero + 0.5, zero, valid)
    assert found.margins["reciprocal"].tolist() == [[0.75, -1.0]]
    assert found.reciprocal.tolist() == [[True, False]]
    assert found.none.tolist() == [[False, False]]
    assert found.shares["reciprocal"] == 1.0


def test_a_million_points_take_seconds():
    phi, kd = np.linspace(-3, 3, 1000), np.linspace(14, 20, 1000)
    ideal_regimes(phi[:10], kd[:10])
    begin = time.process_time()
    ideal_regimes(phi, kd)
    assert time.process_time() - begin < 10.0


def test_frequencies_and_broken_phase_are_those_of_equation_11():
    delta, g_a = np.linspace(-7, 8, 31), np.linspace(-2.3, 2.4, 21)
    found = ideal_symmetry(delta, g_a, g_r=0.8)
    for i, j in np.ndindex(31, 21):
        pair = PairConstants(1e4, delta[i], 0.8, g_a[j], 5.0, 5.0, 0.0)
        assert np.allclose(found.frequencies[i, j], pair.eigenfrequencies(), atol=1e-12)
        values = np.linalg.eigvals(pair.dynamical_matrix())
        assert found.broken[i, j] == pair.symmetry_broken
        if found.broken[i, j]:
            assert np.abs(values.imag).max() == pytest.approx(found.frequencies[i, j, 0].imag)
    assert found.antireciprocal.tolist() == (np.abs(g_a) > 0.8).tolist()


def test_exceptional_lines_bound_the_broken_phase():
    found = ideal_symmetry(np.linspace(-30, 30, 6001), np.linspace(-3, 3, 13), g_r=1.0)
    anti, lower, upper = found.exceptional_lines
    assert anti.tolist() == [g for g in found.g_a if abs(g) >= 1]
    for g, low, high in zip(anti, lower, upper, strict=True):
        inside = (found.delta_omega > low + 1e-9) & (found.delta_omega < high - 1e-9)
        assert np.array_equal(found.broken[:, found.g_a == g][:, 0], inside)
        points = PairConstants(1e4, 0.0, 1.0, g, 50.0, 50.0, 0.0).exceptional_points()
        assert (low, high) == pytest.approx(points)
    with pytest.raises(InputError, match="only for"):
        exceptional_detunings([0.5], 1.0)


def test_cut_shows_both_exceptional_points():
    x = np.linspace(-2, 10, 2401)
    upper, lower = eigenfrequency_cut(x, 2.0)
    first, second = (float(v) for v in exceptional_detunings(2.0))
    assert (first, second) == pytest.approx((4 - 2 * math.sqrt(3), 4 + 2 * math.sqrt(3)))
    merged = (x > first) & (x < second)
    assert np.allclose(upper.real[merged], 0)
    assert np.all(upper.imag[merged] > 0)
    assert np.all(upper.real[~merged] >= 0)
    assert np.allclose(upper.imag[~merged], 0)
    assert np.allclose(lower, -upper)
    assert upper.imag.max() == pytest.approx(math.sqrt(3), abs=1e-4)  # √(g_a² − g_r²)


@pytest.mark.parametrize("gamma", [0.0, 60.0])
def test_full_frequencies_are_those_of_the_drift(gamma):
    drifts, expected = [], []
    for delta in (-900.0, 0.0, 620.0, 1500.0):
        pair = PairConstants(OMEGA, delta, 120.0, 310.0, 1e3, 1e3, 0.0, gamma=(gamma, gamma))
        drifts.append(pair.to_linear().drift)
        # Equal damping: Ω = −iγ/2 + √(μ − γ²/4), μ the eigenvalues of the 2×2 stiffness.
        (a, b), (s, t) = pair.bare_frequencies, pair.shifts
        matrix = np.array(
            [
                [a * a + 2 * OMEGA * s, -2 * OMEGA * (pair.g_r + pair.g_a)],
                [-2 * OMEGA * (pair.g_r - pair.g_a), b * b + 2 * OMEGA * t],
            ]
        )
        roots = np.sqrt(np.linalg.eigvals(matrix).astype(complex) - gamma**2 / 4) - 0.5j * gamma
        order = np.lexsort((roots.imag, roots.real.round(6)))
        expected.append(roots[order])
    found = full_frequencies(np.array(drifts))
    assert np.abs(found - np.array(expected)).max() < 1e-6 * OMEGA
    assert found.shape == (4, 2)


def test_broken_phase_of_the_full_dynamics_is_where_the_lines_are_closer_than_the_limit():
    for delta in np.linspace(-200, 1500, 35):
        pair = PairConstants(OMEGA, delta, 120.0, 310.0, 1e3, 1e3, 0.0)
        first, second = pair.line_frequencies
        broken = abs(second**2 - first**2) < pair.exceptional_line_splitting()
        growth = full_frequencies(pair.to_linear().drift).imag.max()
        assert (growth > 1.0) == broken


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: ideal_regimes([0.0], [0.0]), "kd must be positive, got 0"),
        (lambda: ideal_regimes([np.nan], [1.0]), "phi must be finite numbers"),
        (lambda: ideal_regimes([[0.0]], [1.0]), r"got shape \(1, 1\)"),
        (lambda: ideal_symmetry("a", [1.0]), "delta_omega must be numbers"),
        (lambda: ideal_symmetry([], [1.0]), "delta_omega must be finite numbers"),
        (lambda: full_frequencies(np.eye(3)), r"shape \(..., 4, 4\), got \(3, 3\)"),
    ],
)
def test_impossible_axes_are_refused(call, text):
    with pytest.raises(InputError, match=text):
        call()
