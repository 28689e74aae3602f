"""Filtered and retrodicted states against a dense Gaussian posterior, and against the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from simulated_releases import DEMO, DETUNED

from optobind.models.errors import InputError
from optobind.models.inference.exact.goodness import InnovationSums
from optobind.models.inference.tracking.dynamics import fitted_dynamics, model_dynamics
from optobind.models.inference.tracking.modes import normal_modes, occupations_of
from optobind.models.inference.tracking.steady import filter_of
from optobind.models.inference.tracking.tracker import Tracker
from optobind.models.linear import LinearModel
from optobind.models.oscillators import oscillator_model
from optobind.models.pair import PairConstants

RATE = 1e6
PAIR = PairConstants(2 * np.pi * 60e3, 2 * np.pi * 2e3, 2e4, -1e4, 2e5, 3e5, 6e4, gamma=(8e3, 6e3))


def seen(model: LinearModel, efficiency: float = 0.3) -> LinearModel:
    """The model with the imprecision that goes with its diffusion."""
    own = 0.5 * np.diag(model.noise)[1::2]
    return LinearModel(model.drift, model.noise, model.output, 1.0 / (4.0 * efficiency * own))


def simulate(
    model: LinearModel, count: int, samples: int, seed: int, rate: float = RATE
) -> tuple[np.ndarray, np.ndarray]:
    """States (count, samples, n) and samples (count, samples, c), stationary from the first on."""
    rng = np.random.default_rng(seed)
    step, spread = model.discretise(1.0 / rate)
    kick = np.linalg.cholesky(spread + 1e-15 * np.trace(spread) * np.eye(len(spread))).T
    state = rng.standard_normal((count, model.states)) @ np.linalg.cholesky(model.steady_state()).T
    out = np.empty((count, samples, model.states))
    for at in range(samples):
        out[:, at] = state
        state = state @ step.T + rng.standard_normal(state.shape) @ kick
    noise = np.sqrt(0.5 * rate * np.diag(model.imprecision))
    y = out @ model.output.T
    return out, y + noise * rng.standard_normal(y.shape)


def dense(model: LinearModel, y: np.ndarray, rate: float, known: int) -> tuple[np.ndarray, ...]:
    """Mean and covariance of all states given the first samples: one Gaussian, no recursion."""
    samples, n = len(y), model.states
    step, _ = model.discretise(1.0 / rate)
    steady = model.steady_state()
    cov = np.empty((samples, n, samples, n))
    power = np.eye(n)
    for lag in range(samples):
        for t in range(samples - lag):
            cov[t + lag, :, t] = power @ steady
            cov[t, :, t + lag] = (power @ steady).T
        power = step @ power
    view = np.kron(np.eye(known), model.output)
    whole = cov.reshape(samples * n, samples * n)
    first = whole[:, : known * n] @ view.T
    noise = np.kron(np.eye(known), 0.5 * rate * model.imprecision)
    gain = np.linalg.solve(view @ whole[: known * n, : known * n] @ view.T + noise, first.T).T
    mean = (gain @ y[:known].ravel()).reshape(samples, n)
    after = (whole - gain @ first.T).reshape(samples, n, samples, n)
    return mean, after[np.arange(samples), :, np.arange(samples)]


def tracked(steady, y, block=None):
    """All of a stretch, fed in blocks."""
    tracker = Tracker(steady, chunk=1)
    parts = [tracker.add(part) for part in np.array_split(y, block or 1)] + [tracker.end()]
    return [p for p in parts if p is not None]


def joined(steady, y, kind):
    """One kind of number of all samples of a stretch."""
    return np.concatenate([getattr(part, kind) for part in tracked(steady, y)])


THREE = seen(
    oscillator_model(
        LinearModel(
            np.kron(np.diag([1.0, 1.1, 0.9]), [[0.0, 3.5e5], [-3.5e5, 0.0]])
            - np.kron(np.eye(3), np.diag([0.0, 9e3]))
            + np.kron([[0, 1, 0.5], [-1, 0, 1], [0.2, -1, 0]], [[0.0, 0.0], [1.5e4, 0.0]]),
            np.zeros((6, 6)),
            np.eye(6)[::2],
        ).drift,
        np.array([[2e5, 5e4, 0], [5e4, 3e5, -4e4], [0, -4e4, 2.5e5]]),
    )
)
COMMON = LinearModel(
    seen(PAIR.to_linear()).drift,
    PAIR.to_linear().noise,
    [[1.0, 0.0, 0.1, 0.0], [0.0, 0.0, 1.0, 0.0]],
    np.array([[4e-6, 1e-6], [1e-6, 3e-6]]),
)
SINGLE = LinearModel(
    [[0.0, 3e5], [-3e5, -5e3]], [[0.0, 0.0], [0.0, 4e5]], [[1.0, 0.0]], np.array([4e-6])
)


@pytest.mark.parametrize("model", [seen(PAIR.to_linear()), SINGLE, THREE, COMMON])
def test_states_and_covariances_are_those_of_the_dense_posterior(model):
    samples = 60
    _, y = simulate(model, 1, samples, seed=3)
    steady = filter_of(model_dynamics(model, RATE, diffuse=1.0))
    (*_, last) = parts = tracked(steady, y[0])
    assert len(parts) == 1
    mean, cov = dense(model, y[0], RATE, samples)
    scale = np.sqrt(np.trace(model.steady_state()))
    np.testing.assert_allclose(last.retrodicted, mean, atol=1e-8 * scale)
    spread = steady.retrodicted(samples).at(np.arange(samples))
    np.testing.assert_allclose(spread, cov, atol=1e-8 * scale**2)
    for known in (1, 2, 17, samples):
        mean, cov = dense(model, y[0], RATE, known)
        np.testing.assert_allclose(last.filtered[known - 1], mean[known - 1], atol=1e-8 * scale)
        spread = steady.filtered(samples).at(np.array([known - 1]))[0]
        np.testing.assert_allclose(spread, cov[known - 1], atol=1e-8 * scale**2)


def test_a_stream_gives_what_the_whole_stretch_gives():
    model = seen(PAIR.to_linear())
    steady = filter_of(model_dynamics(model, RATE, diffuse=1.0))
    samples = 5 * (steady.lag + steady.settled)
    _, y = simulate(model, 1, samples, seed=4)
    parts = tracked(steady, y[0], block=211)
    assert len(parts) > 5
    assert [p.first for p in parts] == list(np.cumsum([0, *map(len, parts)])[:-1])
    scale = np.sqrt(np.trace(model.steady_state()))
    at_once = Tracker(steady, chunk=2 * samples)
    assert at_once.add(y[0]) is None
    full = at_once.end()
    retrodicted = np.concatenate([p.retrodicted for p in parts])
    np.testing.assert_allclose(retrodicted, full.retrodicted, atol=1e-7 * scale)
    filtered = np.concatenate([p.filtered for p in parts])
    np.testing.assert_allclose(filtered, full.filtered, rtol=1e-12)


def test_covariances_of_a_long_stretch_are_those_of_the_full_recursion():
    model = seen(PAIR.to_linear())
    steady = filter_of(model_dynamics(model, RATE, diffuse=1.0))
    length = steady.settled + steady.lag + 50
    spread = steady.retrodicted(length)
    assert len(spread.tail) == steady.lag
    later, full = steady.seen[-1] @ steady.seen[-1].T, np.empty((length, 4, 4))
    for t in range(length - 1, -1, -1):
        k = min(t, steady.settled - 1)
        if t < length - 1:
            own = steady.seen[k] @ steady.seen[k].T
            later = own + steady.flow[k].T @ later @ steady.flow[k]
        full[t] = steady.before[k] - steady.before[k] @ later @ steady.before[k]
    np.testing.assert_allclose(
        spread.at(np.arange(length)), full, atol=1e-8 * np.abs(steady.before[0]).max()
    )


@pytest.mark.parametrize("kind", ["filtered", "retrodicted"])
def test_errors_against_the_truth_are_what_the_covariances_say(kind):
    model = seen(PAIR.to_linear())
    steady = filter_of(model_dynamics(model, RATE, diffuse=1.0))
    truth, y = simulate(model, 400, 300, seed=5)
    found = np.stack([joined(steady, one, kind) for one in y])
    spread = getattr(steady, kind)(300)
    places = np.array([0, 3, 40, 150, 290, 299])  # far enough apart to be nearly independent
    error = (found - truth)[:, places]
    cov = spread.at(places)
    square = np.einsum("rki,kij,rkj->rk", error, np.linalg.inv(cov), error)
    for at in range(len(places)):
        p = stats.chi2.cdf(square[:, at].sum(), 4 * len(y))
        assert 1e-4 < p < 1 - 1e-4
    # A model that believes in a tenfold better detector is found out.
    proud = LinearModel(model.drift, model.noise, model.output, 0.1 * model.imprecision)
    wrong = getattr(filter_of(model_dynamics(proud, RATE, diffuse=1.0)), kind)(300).at(places)
    square = np.einsum("rki,kij,rkj->rk", error, np.linalg.inv(wrong), error)
    assert stats.chi2.sf(square.sum(), square.size * 4) < 1e-6


@pytest.mark.slow
def test_innovations_are_white_and_say_so_evenly():
    model = seen(PAIR.to_linear())
    steady = filter_of(model_dynamics(model, RATE, diffuse=1.0))
    p_values = []
    _, y = simulate(model, 200, 2000, seed=6)
    for one in y:
        sums = InnovationSums(2)
        sums.add(joined(steady, one, "innovations"))
        white = sums.judged()
        assert white.dof == 3 + 4 * (len(white.lags) - 1)
        p_values.append(white.p_value)
    assert stats.kstest(p_values, "uniform").pvalue > 1e-3
    other = seen(
        PairConstants(
            2 * np.pi * 60e3, 2 * np.pi * 2e3, 2e4, 1e4, 2e5, 3e5, -6e4, gamma=(8e3, 6e3)
        ).to_linear()
    )
    wrong, sums = filter_of(model_dynamics(other, RATE, diffuse=1.0)), InnovationSums(2)
    for one in y:
        sums.add(joined(wrong, one, "innovations"))
    assert sums.judged().p_value < 1e-6


def test_a_fitted_release_begins_with_its_own_covariance():
    from optobind.models.inference.exact.releases import fit_releases_exact

    data = DEMO.simulate(400, seed=8)
    result = fit_releases_exact(data, DEMO.sample_rate, start=DEMO.truth)
    dynamics = fitted_dynamics(result, DEMO.sample_rate, diffuse=1.0)
    energies = occupations_of(filter_of(dynamics).before[0]).occupations
    assert energies == pytest.approx([result.value("n1_0"), result.value("n2_0")], rel=1e-9)
    assert dynamics.covariance.shape == (15, 15)


@pytest.mark.slow
def test_what_cannot_be_tracked_is_said():
    model = seen(DETUNED.pair.to_linear())
    blind = LinearModel(model.drift, model.noise, model.output)
    with pytest.raises(InputError, match="imprecision of every channel"):
        model_dynamics(blind, RATE, diffuse=1.0)
    dark = LinearModel(
        np.kron(np.eye(2), [[0.0, 3e5], [-3e5, 0.0]]), model.noise, np.eye(4)[:1], np.array([1e-6])
    )
    with pytest.raises(InputError, match=r"neither decays nor shows|does not settle"):
        filter_of(model_dynamics(dark, RATE, diffuse=1.0))


def test_normal_modes_oscillate_alone_and_are_the_particles_where_these_are_free():
    free = LinearModel(
        np.kron(np.diag([1.0, 2.0]), [[0.0, 3e5], [-3e5, 0.0]]), np.zeros((4, 4)), np.eye(4)[::2]
    )
    modes = normal_modes(free)
    half = np.sqrt(0.5)
    np.testing.assert_allclose(modes.weights, [[half, 1j * half, 0, 0], [0, 0, half, 1j * half]])
    np.testing.assert_allclose(modes.eigenvalues, [-3e5j, -6e5j], atol=1e-6)
    pair = normal_modes(PAIR.to_linear())
    step, _ = PAIR.to_linear().discretise(1e-5)
    state = np.array([1.0, -2.0, 0.5, 3.0])
    np.testing.assert_allclose(
        pair.weights @ step @ state, np.exp(pair.eigenvalues * 1e-5) * (pair.weights @ state)
    )
