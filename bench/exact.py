"""The exact likelihood of releases: samples a second of one core, against what the bound costs.

The peer is what a reader would write: the filter of one release at a time in numpy, with frozen
gains, for the value alone. Rates are of two-channel samples, set-up and gains included.
"""

from __future__ import annotations

from statistics import median

import numpy as np

from bench.row import Row, cpu_seconds, paired
from optobind.models.inference.exact.fits import fit_exact, samples_of
from optobind.models.inference.exact.gains import gains_of
from optobind.models.inference.exact.likelihood import ExactLikelihood
from optobind.models.inference.exact.model import FilterModel
from optobind.models.inference.exact.passes import Pass
from optobind.models.inference.reheating.moments import initial_covariance, reheating_model

RELEASES, SAMPLES, RATE = 1000, 2000, 2e6
TRUTH = {
    "omega_1": 3.42e5, "omega_2": 3.25e5, "g_r": -3e3, "g_a": 4.4e3, "D11": 1.75e5,
    "D22": 1.65e5, "re_D12": 9.85e3, "n1_0": 30.0, "n2_0": 34.0, "re_C0": 10.0, "im_C0": -6.0,
    "noise_1": 5e-6, "noise_2": 5.3e-6, "gamma_1": 0.0, "gamma_2": 0.0,
}  # fmt: skip
MEGA = 1e6


def releases() -> np.ndarray:
    """A thousand releases of a millisecond, float64."""
    rng = np.random.default_rng(1)
    step, spread = reheating_model(TRUTH).discretise(1.0 / RATE)
    values, vectors = np.linalg.eigh(spread)
    kick = (vectors * np.sqrt(values.clip(0.0))).T
    root = np.linalg.cholesky(initial_covariance(TRUTH))
    state = rng.standard_normal((RELEASES, 4)) @ root.T
    out = np.empty((RELEASES, SAMPLES, 2))
    for t in range(SAMPLES):
        out[:, t] = state[:, ::2]
        state = state @ step.T + rng.standard_normal((RELEASES, 4)) @ kick
    noise = np.sqrt(0.5 * RATE * np.array([TRUTH["noise_1"], TRUTH["noise_2"]]))
    return out + noise * rng.standard_normal(out.shape)


def naive(found: Pass, data: np.ndarray) -> None:
    """Deviance of releases by a loop over samples in numpy, all releases at once."""
    gains = found.gains
    m = gains.model
    state, total = np.zeros((len(data), 4)), 0.0
    for at, begin, end in gains.runs:
        gain, weight = gains.gain[at], gains.weight[at]
        for t in range(begin, end):
            v = data[:, t] - state @ m.output.T
            total += float(np.einsum("mi,ij,mj->", v, weight, v))
            state = state @ m.step.T + v @ gain.T


def rows() -> list[Row]:
    """Rates in millions of two-channel samples a second, and CPU seconds of a fit."""
    data = releases()
    model = FilterModel("pair", True)
    values = np.array([TRUTH[name] for name in model.names])
    likelihood = ExactLikelihood(model, [data], RATE, np.ones(2), np.zeros(2))
    samples = RELEASES * SAMPLES / MEGA

    def score() -> None:
        likelihood.evaluate(values)

    def both() -> None:
        likelihood.evaluate(values).normal_equations()

    space = likelihood.space(values)
    assert space is not None
    bare = Pass(gains_of(space, np.ones(SAMPLES, dtype=bool)), np.ones(2), np.zeros(2))
    mine, theirs, ratio = paired(score, lambda: naive(bare, data), 3)
    with_fisher = paired(both, score, 5)[0]
    prepared = samples_of(data)
    # 3 σ off in every parameter.
    error = 1.0 / np.sqrt(np.diag(likelihood.evaluate(values).information)[:13])
    away = dict(zip(model.names, [*(values[:13] + 3.0 * error), 0.0, 0.0], strict=True))

    def fit() -> None:
        fit_exact(prepared, RATE, "pair", away)

    fit()
    seconds = median(cpu_seconds(fit) for _ in range(3))
    return [
        Row("exact score, 15 parameters, M samples/s", samples / mine, 40.0,
            f"{mine * 1e3:.0f} ms for 1000 releases of 1 ms, two channels"),
        Row("exact score + Fisher, M samples/s", samples / with_fisher, 30.0,
            f"{with_fisher * 1e3:.0f} ms"),
        Row("exact score against a deviance in numpy", ratio, 3.0,
            f"{mine * 1e3:.0f} ms against {theirs * 1e3:.0f} ms"),
        Row("exact fit of 1000 releases, CPU s", seconds, 1.0,
            "score steps, likelihood ratio and whiteness", at_most=True),
    ]  # fmt: skip
