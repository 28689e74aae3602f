"""The one optimiser against closed forms: bounds, ties, edges of cross moments, covariance."""

from __future__ import annotations

from dataclasses import dataclass

import lmfit
import numpy as np
import pytest
from scipy import optimize

from optobind.models.errors import InputError
from optobind.models.inference.edges import CrossMoment, Guard
from optobind.models.inference.optimiser import maximise
from optobind.models.inference.space import Space, Ties
from optobind.models.inference.steps import bounded_step, invert

NAMES = ("D11", "D22", "re_D12")


@dataclass
class Parabola:
    """ln L = −½ (θ − centre)ᵀ F (θ − centre), which counts how often its score is asked for."""

    centre: np.ndarray
    fisher: np.ndarray
    names: tuple[str, ...] = NAMES
    scores: int = 0

    def evaluate(self, values):
        return _At(self, values)


@dataclass
class _At:
    of: Parabola
    values: np.ndarray

    @property
    def log_likelihood(self):
        off = self.values - self.of.centre
        return float(-0.5 * off @ self.of.fisher @ off)

    def normal_equations(self):
        self.of.scores += 1
        return self.of.fisher @ (self.of.centre - self.values), self.of.fisher


@dataclass
class Counts:
    """Poisson counts of rates a + b·x: not quadratic, with a known maximum."""

    x: np.ndarray
    counts: np.ndarray
    names = ("D11", "D22")

    def evaluate(self, values):
        return _CountsAt(self, values)


@dataclass
class _CountsAt:
    of: Counts
    values: np.ndarray

    @property
    def rate(self):
        return self.values[0] + self.values[1] * self.of.x

    @property
    def log_likelihood(self):
        if not (self.rate > 0.0).all():
            return -np.inf
        return float(np.sum(self.of.counts * np.log(self.rate) - self.rate))

    def normal_equations(self):
        rows = np.stack([np.ones_like(self.of.x), self.of.x])
        score = rows @ (self.of.counts / self.rate - 1.0)
        return score, (rows / self.rate) @ rows.T


def space(values, **changes):
    params = lmfit.Parameters()
    for name, value in zip(NAMES, values, strict=False):
        params.add(name, value=value)
    for name, change in changes.items():
        params[name].set(**change)
    return Space([n for n in NAMES if n in params], params, "test")


def some_fisher(seed=0, size=3):
    root = np.random.default_rng(seed).standard_normal((size, size + 1))
    return root @ root.T


def test_a_parabola_is_climbed_in_few_steps_and_its_fisher_matrix_inverted():
    likelihood = Parabola(np.array([3.0, 5.0, 0.5]), some_fisher())
    found = maximise(likelihood, space([2.0, 4.0, 0.0]))
    assert found.converged
    np.testing.assert_allclose(found.values, likelihood.centre, rtol=1e-4)
    np.testing.assert_allclose(invert(found.fisher)[0], np.linalg.inv(likelihood.fisher))
    assert found.iterations <= 6
    assert likelihood.scores == found.iterations + 1


@pytest.mark.parametrize("seed", range(12))
def test_bounds_give_the_maximum_that_a_bounded_least_squares_finds(seed):
    rng = np.random.default_rng(seed)
    fisher, centre = some_fisher(seed), rng.uniform(-3.0, 3.0, 3)
    limits = {n: {"min": 0.5, "max": 1.5} for n in NAMES}
    found = maximise(Parabola(centre, fisher), space([1.0, 1.0, 1.0], **limits))
    root = np.linalg.cholesky(fisher).T
    want = optimize.lsq_linear(root, root @ centre, (0.5, 1.5), tol=1e-14).x
    assert found.converged
    off = found.values - want
    assert off @ fisher @ off < 1e-6
    on = {n for n, v in zip(NAMES, want, strict=True) if min(v - 0.5, 1.5 - v) < 1e-9}
    assert set(found.at_bounds) <= on


@pytest.mark.parametrize("seed", range(200))
def test_a_step_between_bounds_never_leads_downhill(seed):
    rng = np.random.default_rng(seed)
    fisher = some_fisher(seed, 4)
    gradient = 10.0 ** rng.uniform(-2, 2) * rng.standard_normal(4)
    low, high = -rng.choice([0.0, 0.1, 5.0], 4), rng.choice([0.0, 0.1, 5.0], 4)
    step = bounded_step(fisher, gradient, low, high)
    assert (low <= step).all()
    assert (step <= high).all()
    assert gradient @ step - 0.5 * step @ fisher @ step >= 0.0


def test_a_likelihood_that_is_no_parabola_is_climbed_to_its_known_maximum():
    x = np.linspace(0.0, 4.0, 50)
    counts = np.random.default_rng(1).poisson(3.0 + 7.0 * x).astype(float)
    found = maximise(Counts(x, counts), space([1.0, 1.0]))
    # At the maximum the fitted and the counted events agree, in number and weighted by rows/rate.
    rate = found.values[0] + found.values[1] * x
    assert rate.sum() == pytest.approx(counts.sum(), rel=1e-6)
    assert np.sum(x * counts / rate) == pytest.approx(x.sum(), rel=1e-6)


def test_ties_by_expression_fit_as_the_same_model_with_fewer_parameters():
    fisher, centre = some_fisher(3), np.array([3.0, 5.0, 0.5])
    found = maximise(Parabola(centre, fisher), space([2.0, 4.0, 0.0], D22={"expr": "2*D11"}))
    matrix = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    want = np.linalg.solve(matrix.T @ fisher @ matrix, matrix.T @ fisher @ centre)
    np.testing.assert_allclose(found.values, matrix @ want, rtol=1e-4)
    assert found.free == ("D11", "re_D12")
    np.testing.assert_allclose(found.fisher, matrix.T @ fisher @ matrix, rtol=1e-6)


def test_picking_by_index_equals_the_product_with_the_matrix_of_ties():
    chosen = space([1.0, 2.0, 3.0], D22={"vary": False})
    ties = chosen.ties(chosen.start)
    assert ties.index is not None
    plain = Ties(ties.matrix)
    rows = np.random.default_rng(0).standard_normal((3, 2, 40))
    np.testing.assert_array_equal(ties.rows(rows), plain.rows(rows))
    np.testing.assert_array_equal(ties.information(some_fisher()), plain.information(some_fisher()))
    np.testing.assert_array_equal(ties.gradient(rows[:, 0, 0]), plain.gradient(rows[:, 0, 0]))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_cross_moment_stays_on_the_edge_that_its_variances_allow(sign):
    centre = np.array([4.0, 9.0, sign * 20.0])
    likelihood = Parabola(centre, np.diag([1.0, 1.0, 0.5]))
    guard = Guard((CrossMoment(("re_D12",), ("D11", "D22"), 0.9),))
    found = maximise(likelihood, space([1.0, 1.0, 0.0]), guard=guard)

    def along(v):
        return -likelihood.evaluate(
            np.array([*v, sign * 0.9 * np.sqrt(v[0] * v[1])])
        ).log_likelihood

    want = optimize.minimize(along, [4.0, 9.0], method="Nelder-Mead", options={"xatol": 1e-8})
    assert found.converged
    assert found.at_bounds == ("re_D12",)
    np.testing.assert_allclose(found.values[:2], want.x, rtol=1e-3)
    assert found.values[2] == pytest.approx(sign * 0.9 * np.sqrt(found.values[0] * found.values[1]))


def test_the_longest_step_is_kept_to():
    seen = []

    class Watched(Parabola):
        def evaluate(self, values):
            seen.append(values[0])
            return super().evaluate(values)

    likelihood = Watched(np.array([10.0, 5.0, 0.5]), np.eye(3))
    found = maximise(likelihood, space([1.0, 4.0, 0.0]), guard=Guard((), {"D11": 2.0}))
    assert found.values[0] == pytest.approx(10.0, rel=1e-4)
    assert np.abs(np.diff(seen)).max() <= 2.0 + 1e-12


def test_blind_directions_get_a_huge_error_and_are_named():
    covariance, determined = invert(np.diag([4.0, 0.0]))
    assert not determined
    assert covariance[0, 0] == pytest.approx(0.25)
    assert covariance[1, 1] > 1e12


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(InputError, match="every parameter of the fit is fixed"):
        space([1.0, 2.0, 3.0], **{n: {"vary": False} for n in NAMES})
    with pytest.raises(InputError, match="parameters lack D22, re_D12; a pair fit needs D11"):
        Space(NAMES, space([1.0]).params, "pair")
    with pytest.raises(InputError, match="start of the test fit"):
        maximise(Counts(np.ones(3), np.ones(3)), space([-1.0, 0.0]))
