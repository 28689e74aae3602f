"""The exact likelihood against dense Gaussians, finite differences and simulated scores."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg, stats

from optobind.models.inference.exact.gains import gains_of
from optobind.models.inference.exact.likelihood import ExactLikelihood
from optobind.models.inference.exact.model import FilterModel
from optobind.models.inference.exact.passes import Pass

from .independent import PAIR, RATE, matrices, releases, start, step

DETECTION = ("noise_12", "mix_12", "mix_21", "delay_12")
SINGLE = {"omega": 3.4e5, "gamma": 600.0, "D": 1.7e5, "noise": 5e-6, "n_0": 30.0}


def pair(detection=()):
    return FilterModel("pair", True, detection)


def at(model, scale=1.0, **others):
    """Values of a model: those of the simulation, all but fixed zeros a little off."""
    known = {**PAIR, "gamma_1": 300.0, "gamma_2": 200.0, **SINGLE, **others}
    return np.array([scale * known.get(name, 0.0) for name in model.names])


def likelihood(model, data, **options):
    scale, offset = np.ones(model.channels), np.zeros(model.channels)
    records = data if isinstance(data, list) else [data]
    return ExactLikelihood(model, records, RATE, scale, offset, **options)


def covariance_of(values, length, valid=None):
    """Covariance of all samples of a release, by products of expm; (2·n, 2·n) of valid ones."""
    drift, noise = matrices(values)
    flow, kick = step(drift, noise, 1.0 / RATE)
    rows = np.zeros((length, 2, length, 2))
    state = start(values)
    for t in range(length):
        later = state
        for s in range(t, length):
            rows[s, :, t] = later[::2, ::2]
            rows[t, :, s] = later[::2, ::2].T
            later = flow @ later
        rows[t, :, t] += np.diag(0.5 * RATE * np.array([values["noise_1"], values["noise_2"]]))
        state = flow @ state @ flow.T + kick
    keep = np.arange(length) if valid is None else np.flatnonzero(valid)
    return rows[np.ix_(keep, [0, 1], keep, [0, 1])].reshape(2 * len(keep), -1)


def dense(values, data, valid=None):
    """ln L of releases by their dense covariance."""
    covariance = covariance_of(values, data.shape[1], valid)
    kept = data if valid is None else data[:, valid]
    normal = stats.multivariate_normal(np.zeros(len(covariance)), covariance)
    return float(np.sum(normal.logpdf(kept.reshape(len(data), -1))))


def numbers(found, values, step):
    """Slopes of the log-likelihood by central differences of fourth order."""
    slopes = []
    for j in range(len(values)):
        change = np.zeros(len(values))
        change[j] = step[j]
        a, b, c, d = (found.evaluate(values + k * change).log_likelihood for k in (2, 1, -1, -2))
        slopes.append((8.0 * (b - c) - (a - d)) / (12.0 * step[j]))
    return np.array(slopes)


# omega_1 = omega_2: the circular start is then the same for everybody who writes it down.
EQUAL = {**PAIR, "omega_2": PAIR["omega_1"]}


def test_the_value_is_that_of_the_dense_gaussian():
    data = releases(EQUAL, 5, 60, 1)
    found = likelihood(pair(), data).evaluate(at(pair(), gamma_1=0.0, gamma_2=0.0, **{
        "omega_2": EQUAL["omega_1"]
    }))  # fmt: skip
    assert found.log_likelihood == pytest.approx(dense(EQUAL, data), abs=2e-6)


def test_missing_samples_are_left_out_and_nothing_else():
    data, valid = releases(EQUAL, 3, 60, 2), np.ones(60, dtype=bool)
    valid[20:31] = valid[0] = valid[44] = False
    wanted = dense(EQUAL, data, valid)
    data[:, ~valid] = np.nan
    values = at(pair(), gamma_1=0.0, gamma_2=0.0, omega_2=EQUAL["omega_1"])
    assert likelihood(pair(), data).evaluate(values).log_likelihood == pytest.approx(
        wanted, abs=2e-6
    )


@pytest.mark.slow
@pytest.mark.parametrize("detection", [(), DETECTION], ids=["bare", "detection"])
def test_the_score_is_the_derivative_of_the_value(detection):
    model = pair(detection)
    data = releases(PAIR, 20, 300, 3)
    data[:3, 100:140] = np.nan
    values = at(model, noise_12=4e-7, mix_12=0.02, mix_21=-0.01, delay_12=1e-7)
    found = likelihood(model, data)
    point = found.evaluate(values)
    score, fisher = point.normal_equations()
    sigma = 1.0 / np.sqrt(np.diag(fisher))
    difference = numbers(found, values, 1e-2 * sigma) - score
    assert np.abs(difference * sigma).max() < 2e-7


def test_one_particle_has_a_score_too_and_records_need_not_fill_the_lanes():
    model = FilterModel("single", True)
    data = releases(PAIR, 37, 200, 4)[..., :1]
    found = likelihood(model, data)
    values = at(model)
    score, fisher = found.evaluate(values).normal_equations()
    sigma = 1.0 / np.sqrt(np.diag(fisher))
    assert np.abs(numbers(found, values, 1e-2 * sigma) - score).max() < 2e-7 / sigma.min()
    split = likelihood(model, [data[:5], data[5:]]).evaluate(values)
    assert split.log_likelihood == pytest.approx(found.evaluate(values).log_likelihood, rel=1e-13)


def test_frozen_gains_change_nothing():
    data, values = releases(PAIR, 16, 2000, 5), at(pair())
    frozen = likelihood(pair(), data).evaluate(values)
    every = likelihood(pair(), data, tight=0.0).evaluate(values)
    gains = next(iter(frozen.passes.values()))[0]
    assert 20 < len(gains.gain) < 400
    assert frozen.log_likelihood == pytest.approx(every.log_likelihood, rel=1e-12, abs=1e-9)
    sigma = 1.0 / np.sqrt(np.diag(every.information))
    assert np.abs((frozen.slope - every.slope) * sigma).max() < 1e-9
    apart = (frozen.information - every.information) * np.outer(sigma, sigma)
    assert np.abs(apart).max() < 1e-8


def test_the_plain_form_serves_where_two_samples_do_not_tell_the_states_apart():
    data, values = releases(PAIR, 9, 150, 6), at(pair())
    space = likelihood(pair(), data).space(values)
    gains = gains_of(space, np.ones(150, dtype=bool))
    seen = Pass(gains, np.ones(2), np.zeros(2))
    gains.__dict__["observer"] = None
    plain = Pass(gains, np.ones(2), np.zeros(2))
    for one in (seen, plain):
        one.add(data)
    assert plain.log_likelihood == pytest.approx(seen.log_likelihood, rel=1e-13)
    np.testing.assert_allclose(plain.score(), seen.score(), rtol=1e-9)
    np.testing.assert_allclose(
        np.concatenate(list(plain.innovations(data)), axis=2)[:, :, :9],
        np.concatenate(list(seen.innovations(data)), axis=2)[:, :, :9],
        atol=1e-9,
    )
    # Sampled twice a period, position and velocity look the same: sin ωΔ = 0.
    half = {**PAIR, "omega_1": np.pi * RATE, "omega_2": np.pi * RATE, "g_r": 0.0, "g_a": 0.0}
    blind = likelihood(pair(), data).space(at(pair(), gamma_1=0.0, gamma_2=0.0, **{
        k: half[k] for k in ("omega_1", "omega_2", "g_r", "g_a")
    }))  # fmt: skip
    assert gains_of(blind, np.ones(150, dtype=bool)).observer is None


def test_integers_and_floats_give_the_same_numbers():
    counts = np.round(100.0 * releases(PAIR, 16, 100, 7)).astype(np.int16)
    values = at(pair())
    scale, offset = np.array([0.01, 0.02]), np.array([0.3, -0.1])
    found = [
        ExactLikelihood(pair(), [data], RATE, factor, offset).evaluate(values)
        for data, factor in ((counts, scale), (counts * scale, np.ones(2)))
    ]
    assert found[0].log_likelihood == pytest.approx(found[1].log_likelihood, rel=1e-14)
    single = (counts * scale).astype(np.float32)
    third = ExactLikelihood(pair(), [single], RATE, np.ones(2), offset).evaluate(values)
    assert third.log_likelihood == pytest.approx(found[0].log_likelihood, rel=1e-6)


def test_the_information_is_the_scatter_of_the_score():
    """500 scores of single releases; V of each is known to a few per cent."""
    # Without mixing, which no record tells from the couplings: the matrix is then singular.
    model = pair(("noise_12", "delay_12"))
    values = at(model, gamma_1=0.0, gamma_2=0.0, omega_2=EQUAL["omega_1"])
    data = releases(EQUAL, 500, 250, 8)
    space = likelihood(model, data).space(values)
    gains = gains_of(space, np.ones(250, dtype=bool))
    information = gains.information()
    scores = []
    for release in data:
        one = Pass(gains, np.ones(2), np.zeros(2))
        one.add(release[None])
        scores.append(one.score())
    scale = np.sqrt(np.diag(information))
    root = np.linalg.inv(np.linalg.cholesky(information / np.outer(scale, scale)))
    white = np.array(scores) / scale @ root.T
    # Eigenvalues of a Wishart matrix of 500 draws in 17 dimensions: (1 ± √(17/500))², and margin.
    assert np.abs(white.mean(axis=0)).max() < 4.5 / np.sqrt(500)
    spread = np.linalg.eigvalsh(np.cov(white.T))
    assert 0.5 < spread[0] < spread[-1] < 1.75
    assert np.trace(np.cov(white.T)) / 17 == pytest.approx(1.0, abs=0.08)


@pytest.mark.slow
def test_the_information_of_many_lengths_and_gaps_is_the_sum_of_each():
    data = releases(PAIR, 24, 240, 9)
    data[3, 50:60] = np.nan
    lengths = [240 - 5 * k for k in range(12)]
    parts = [data[2 * k : 2 * k + 2, :length] for k, length in enumerate(lengths)]
    values = at(pair())
    together = likelihood(pair(), parts).evaluate(values).information
    apart = sum(likelihood(pair(), part).evaluate(values).information for part in parts)
    diagonal = np.sqrt(np.diag(apart))
    np.testing.assert_allclose(
        together / np.outer(diagonal, diagonal), apart / np.outer(diagonal, diagonal), atol=2e-3
    )


def test_a_steady_record_begins_in_its_stationary_state_or_with_nothing_known():
    model = FilterModel("pair", False)
    values = at(model)
    found = likelihood(model, releases(PAIR, 2, 50, 1), diffuse=1e9)
    space = found.space(values)
    flow, kick = space.step, space.spread
    expected = linalg.solve_discrete_lyapunov(flow, kick)
    np.testing.assert_allclose(space.initial, expected, rtol=1e-6, atol=1e-9 * expected.max())
    unstable = values.copy()
    unstable[[model.names.index("gamma_1"), model.names.index("gamma_2")]] = 0.0
    np.testing.assert_array_equal(found.space(unstable).initial, 1e9 * np.eye(4))
    score, fisher = found.evaluate(values).normal_equations()
    sigma = 1.0 / np.sqrt(np.diag(fisher))
    assert np.abs((numbers(found, values, 1e-2 * sigma) - score) * sigma).max() < 1e-5


@pytest.mark.parametrize(
    "change",
    [
        {"noise_1": -1e-6}, {"D11": -1.0}, {"re_D12": 4e5}, {"re_C0": 99.0}, {"omega_1": np.nan},
        {"noise_12": 1e-5},
    ],
)  # fmt: skip
def test_what_is_no_model_has_no_likelihood(change):
    model = pair(("noise_12",))
    found = likelihood(model, releases(PAIR, 2, 30, 1)).evaluate(at(model, **change))
    assert found.log_likelihood == -np.inf
