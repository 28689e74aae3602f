"""The likelihood of a band of Fourier coefficients against that of all samples, written densely."""

from __future__ import annotations

import numpy as np
import pytest
from shared_work import shared
from simulated_spectra import record

from optobind.models.errors import InputError
from optobind.models.inference.exact.model import FilterModel
from optobind.models.inference.matrices import NAMES, model_pair, model_single
from optobind.models.inference.profiles import signed_root
from optobind.models.inference.steady.fits import fit_steady
from optobind.models.inference.steady.likelihood import SteadyLikelihood
from optobind.models.inference.steady.transform import (
    MAX_COEFFICIENTS,
    Stretches,
    band_coefficients,
    stretches_of,
)

HZ = 2 * np.pi
SINGLE = {"omega": 1.1, "gamma": 0.002, "D": 0.3, "noise": 2.0}
PAIR = {
    "omega_1": 1.0, "omega_2": 1.05, "gamma_1": 0.004, "gamma_2": 0.003, "g_r": 0.004, "g_a": 0.01,
    "D11": 0.3, "D22": 0.4, "re_D12": 0.1, "noise_1": 2.0, "noise_2": 1.5, "noise_12": 0.3,
    "mix_12": 0.05, "delay_12": -0.4,
}  # fmt: skip
CASES = {
    "single": (FilterModel("single", False), SINGLE),
    "pair": (FilterModel("pair", False, ("noise_12", "mix_12", "delay_12")), PAIR),
}


def dense(likelihood, values, samples, bins):
    """Covariance of (Re y, Im y)·√2 from that of all samples, by sums over every pair of times."""
    m = likelihood.space(values)
    c, flow = m.channels, np.eye(len(m.step))
    whole = np.zeros((samples, c, samples, c))
    for lag in range(samples):
        block = m.output @ flow @ m.initial @ m.output.T
        for t in range(samples - lag):
            whole[t + lag, :, t], whole[t, :, t + lag] = block, block.T
        flow = m.step @ flow
    for t in range(samples):
        whole[t, :, t] += m.noise
    turn = np.exp(-2j * np.pi * np.outer(bins, np.arange(samples)) / samples) / np.sqrt(samples)
    rows = np.concatenate([np.kron(part, np.eye(c)) for part in (turn.real, turn.imag)])
    return 2.0 * rows @ whole.reshape(samples * c, -1) @ rows.T


def drawn(case, stretches=2, samples=36):
    model, values = CASES[case]
    rng, bins = np.random.default_rng(5), np.arange(4, 11)
    y = rng.normal(size=(stretches, len(bins), model.channels, 2)) @ [1.0, 1j]
    likelihood = SteadyLikelihood(
        model, [Stretches(samples, bins, y)], 1.0, {next(iter(values)): (1.02, 0.05)}
    )
    return likelihood, np.array([values[name] for name in model.names]), bins, y


@pytest.mark.parametrize("case", CASES)
def test_likelihood_is_that_of_all_samples_seen_in_the_band(case):
    likelihood, values, bins, y = drawn(case)
    covariance = dense(likelihood, values, 36, bins)
    want = -0.5 * ((values[0] - 1.02) / 0.05) ** 2
    for one in y:
        v = np.concatenate([one.real.ravel(), one.imag.ravel()])
        want -= 0.5 * np.linalg.slogdet(covariance)[1] + v @ np.linalg.solve(covariance, v)
    assert likelihood.evaluate(values).log_likelihood == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_score_and_information_are_derivatives(case):
    likelihood, values, bins, y = drawn(case)
    score, fisher = likelihood.evaluate(values).normal_equations()
    steps = 1e-5 * np.abs(values)
    moved = [values + np.diag(steps * sign) for sign in (1.0, -1.0)]
    rise = [np.array([likelihood.evaluate(v).log_likelihood for v in rows]) for rows in moved]
    errors = 1.0 / np.sqrt(np.diag(fisher))
    np.testing.assert_allclose(
        score * errors, (rise[0] - rise[1]) / (2.0 * steps) * errors, atol=2e-6
    )
    covariance = dense(likelihood, values, 36, bins)
    slopes = [
        np.linalg.solve(
            covariance, dense(likelihood, up, 36, bins) - dense(likelihood, down, 36, bins)
        )
        / (2.0 * step)
        for up, down, step in zip(*moved, steps, strict=True)
    ]
    want = 0.5 * len(y) * np.array([[np.sum(a * b.T) for a in slopes] for b in slopes])
    want[0, 0] += 0.05**-2
    np.testing.assert_allclose(
        fisher * np.outer(errors, errors), want * np.outer(errors, errors), atol=1e-6
    )


def test_motion_that_does_not_decay_has_no_steady_state():
    likelihood, values, _, _ = drawn("single")
    values[1] = 0.0
    assert likelihood.evaluate(values).log_likelihood == -np.inf


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_coefficients_of_a_stream_are_those_of_one_transform(dtype):
    rng = np.random.default_rng(2)
    samples = (1000 * rng.normal(size=(150_001, 2))).astype(dtype)
    bins = np.arange(31_000, 31_300)
    blocks = [samples[low : low + 7919] for low in range(0, len(samples), 7919)]
    found = band_coefficients(blocks, 150_000, bins)
    want = np.fft.rfft(samples[:150_000].astype(float), axis=0)[bins] / np.sqrt(150_000)
    np.testing.assert_allclose(found, want, rtol=0.0, atol=1e-8 * np.abs(want).max())


def test_a_stretch_that_is_too_short_or_not_finite_is_refused():
    with pytest.raises(InputError, match="200 samples was promised, 100 came"):
        band_coefficients([np.zeros((100, 1))], 200, np.arange(3, 9))
    with pytest.raises(InputError, match="finite"):
        band_coefficients([np.full((200, 1), np.nan)], 200, np.arange(3, 9))


def test_bands_without_or_with_too_many_coefficients_are_refused():
    with pytest.raises(InputError, match="holds no Fourier coefficient"):
        stretches_of([1000], 1e3, (10.2, 10.8))
    with pytest.raises(InputError, match=f"more than {MAX_COEFFICIENTS} .*--estimator wishart"):
        stretches_of([1 << 23], 1e6, (1e4, 4e5))
    (_, bins, kept), (length, _, _) = stretches_of([1000, 30], 1e3, (10.0, 20.0), [(14.5, 16.5)])
    assert (len(bins), kept.sum(), length) == (11, 9, 0)


RATE = 5e3
NARROW = {"omega": HZ * 1e3, "gamma": HZ * 3.0, "D": 2e3, "noise": 2e-2}


def transformed(values, seconds, seed, band=(850.0, 1150.0)):
    make = model_pair if "D11" in values else model_single
    z = record(make(values), round(seconds * RATE), RATE, np.random.default_rng(seed))
    ((length, bins, _),) = stretches_of([len(z)], RATE, band)
    return [Stretches(length, bins, band_coefficients([z], length, bins)[None])]


def roots(seed, values, seconds):
    """Signed roots of all parameters, and the p-value."""
    model = "pair" if "D11" in values else "single"
    start = {n: v * (1.0 if n[0] in "og" else 1.2) for n, v in values.items()}
    result = fit_steady(transformed(values, seconds, seed), RATE, model, start)
    assert result.converged
    found = [-signed_root(result, name, values[name]) for name in NAMES[model]]
    return [*found, result.statistics["p_value"]]


@pytest.mark.slow
def test_a_line_narrower_than_a_bin_has_honest_errors():
    """1.2 Hz in 0.8 s: a bin is 1.25 Hz wide, and Wald errors of gamma fail."""
    values = {**NARROW, "gamma": HZ * 1.2}
    found = np.array([roots(seed, values, 0.8) for seed in range(8)])
    assert np.abs(found[:, :4].mean(axis=0)).max() < 4.0 / np.sqrt(8)
    assert np.abs(found[:, :4]).max() < 4.0
    assert 0.05 < np.median(found[:, 4]) < 0.95


@pytest.mark.study
@pytest.mark.parametrize(
    "values", [NARROW, {**NARROW, "noise": 4 * NARROW["D"] / NARROW["gamma"] ** 2}]
)
def test_signed_roots_of_a_3_hz_line_in_2_s_are_normal(values):
    """Also with noise as high as the peak."""
    count = 200
    found = np.array(shared(_Roots(values, 2.0), range(1000, 1000 + count)))[:, :4]
    scatter = 4.0 / np.sqrt(count)
    assert np.abs(found.mean(axis=0)).max() < 0.1 + 0.5 * scatter
    assert np.abs(found.std(axis=0) - 1.0).max() < 0.1 + 0.5 * scatter


class _Roots:
    """Work that can be sent to other processes."""

    def __init__(self, values, seconds):
        self.values, self.seconds = values, seconds

    def __call__(self, seed):
        return roots(seed, self.values, self.seconds)


@pytest.mark.slow
def test_two_stretches_say_more_than_one():
    one = fit_steady(transformed(NARROW, 2.0, 1), RATE, "single", NARROW)
    parts = [transformed(NARROW, 2.0, seed)[0] for seed in (1, 2, 3, 4)]
    both = [Stretches(parts[0].length, parts[0].bins, np.concatenate([p.data for p in parts]))]
    four = fit_steady(both, RATE, "single", NARROW)
    assert four.statistics["stretches"] == 4
    ratio = (one.stderr("gamma") / one.value("gamma")) / (
        four.stderr("gamma") / four.value("gamma")
    )
    assert ratio == pytest.approx(2.0, rel=0.4)


def test_a_second_line_in_the_band_is_named():
    two = transformed(NARROW, 2.0, 1)[0]
    other = transformed({**NARROW, "omega": HZ * 1040.0}, 2.0, 2)[0]
    spoilt = [Stretches(two.length, two.bins, two.data + other.data)]
    found = fit_steady(spoilt, RATE, "single", NARROW)
    assert found.statistics["p_value"] < 1e-3
    assert any("does not describe the data" in text for text in found.warnings)


def test_unknown_names_and_priors_are_refused():
    data = transformed(NARROW, 0.2, 1)
    with pytest.raises(InputError, match="lacks noise"):
        fit_steady(data, RATE, "single", {n: NARROW[n] for n in ("omega", "gamma", "D")})
    with pytest.raises(InputError, match="unknown parameter of the detection 'mix'"):
        fit_steady(data, RATE, "single", NARROW, detection={"mix": 0.1})
    with pytest.raises(InputError, match="positive error"):
        fit_steady(data, RATE, "single", NARROW, priors={"gamma": (1.0, 0.0)})
