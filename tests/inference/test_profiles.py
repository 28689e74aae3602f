"""Intervals, likelihood ratios and posteriors of fits, against closed forms and simulation."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace

import lmfit
import numpy as np
import pytest
from scipy import stats
from shared_work import shared
from simulated_spectra import csd_of, record

import optobind as ob
from optobind.models.errors import InputError
from optobind.models.inference.edges import CrossMoment, Guard
from optobind.models.inference.fitted import FittedLikelihood
from optobind.models.inference.matrices import NAMES, model_pair
from optobind.models.inference.optimiser import maximise
from optobind.models.inference.result import FitResult, FittedParameter
from optobind.models.inference.space import Space

HZ = 2 * np.pi
FS = 2.5e5
PAIR = {
    "omega_1": HZ * 50e3, "omega_2": HZ * 50.6e3, "gamma_1": HZ * 240, "gamma_2": HZ * 200,
    "g_r": HZ * 160, "g_a": HZ * 120, "D11": 1.6e4, "D22": 1.4e4, "re_D12": 5e3,
    "noise_1": 2e-5, "noise_2": 3e-5,
}  # fmt: skip


@dataclass(frozen=True)
class GammaPoint:
    """n exponential values of mean D, and a normal one of mean g and known spread."""

    values: np.ndarray
    count: int
    mean: float
    seen: float

    @property
    def log_likelihood(self):
        d, g = self.values
        if not d > 0.0:
            return -np.inf
        return -self.count * (np.log(d) + self.mean / d) - 0.5 * (g - self.seen) ** 2

    def normal_equations(self):
        d, g = self.values
        score = np.array([self.count * (self.mean - d) / d**2, self.seen - g])
        return score, np.diag([self.count / d**2, 1.0])


@dataclass(frozen=True)
class GammaLikelihood:
    count: int = 8
    mean: float = 2.0
    seen: float = -1.0
    names: tuple[str, ...] = ("D", "g_r")

    def evaluate(self, values):
        return GammaPoint(values, self.count, self.mean, self.seen)


def gamma_result(low=-np.inf, **changes):
    likelihood = GammaLikelihood(**changes)
    params = lmfit.Parameters()
    params.add("D", value=1.0, min=0.0)
    params.add("g_r", value=max(0.5, low), min=low)
    optimum = maximise(likelihood, Space(likelihood.names, params, "test"))
    error = np.sqrt(np.diag(np.linalg.inv(optimum.fisher)))
    table = {
        name: FittedParameter(float(v), float(e), "")
        for name, v, e in zip(likelihood.names, optimum.values, error, strict=True)
    }
    return FitResult(
        "test", table, optimum.free, np.diag(error**2), {}, {}, optimum.converged,
        fitted=FittedLikelihood(likelihood, Guard(), optimum),
    )  # fmt: skip


def test_signed_roots_are_those_of_the_closed_form():
    result = gamma_result()
    for value in (0.7, 1.3, 2.0, 4.5):
        fall = 8 * (np.log(value) + 2.0 / value) - 8 * (np.log(2.0) + 1.0)
        want = np.sign(value - 2.0) * np.sqrt(2.0 * fall)
        assert ob.signed_root(result, "D", value) == pytest.approx(want, abs=1e-6)


def test_limits_lie_where_the_closed_form_has_them():
    profile = ob.profile(gamma_result(), "D", levels=(0.68, 0.95), points=15)
    for level, (low, high) in profile.intervals.items():
        z = stats.norm.ppf(0.5 + 0.5 * float(level))
        for end in (low, high):
            fall = 8 * (np.log(end) + 2.0 / end) - 8 * (np.log(2.0) + 1.0)
            assert np.sqrt(2.0 * fall) == pytest.approx(z, abs=0.01)
    low, high = profile.intervals["0.95"]
    assert high - 2.0 > 1.5 * (2.0 - low), "a scale is not as uncertain downwards as upwards"
    assert (np.diff(profile.values) > 0).all()
    assert (np.diff(profile.roots) > 0).all()


def test_an_estimate_on_its_bound_has_a_one_sided_interval():
    result = gamma_result(low=0.0)  # the best value, −1, is not allowed
    assert result.value("g_r") == 0.0
    low, high = ob.profile(result, "g_r", levels=(0.95,)).intervals["0.95"]
    assert low == 0.0
    z = stats.norm.ppf(0.95)
    assert 0.5 * (high + 1.0) ** 2 - 0.5 == pytest.approx(0.5 * z**2, abs=0.02)


def test_a_limit_beyond_a_bound_is_the_bound():
    result = gamma_result(low=-1.5)
    low, _ = ob.profile(result, "g_r", levels=(0.95,)).intervals["0.95"]
    assert low == -1.5


def test_what_was_not_fitted_or_holds_no_likelihood_is_refused():
    result = gamma_result()
    with pytest.raises(InputError, match="'gamma' was not fitted"):
        ob.profile(result, "gamma")
    with pytest.raises(InputError, match="between 0 and 1"):
        ob.profile(result, "D", levels=(95.0,))
    elsewhere = replace(result, fitted=None)
    with pytest.raises(InputError, match="holds no likelihood"):
        ob.profile(elsewhere, "D")
    assert ob.with_intervals(elsewhere) is elsewhere


@pytest.fixture(scope="module")
def pair():
    samples = record(model_pair(PAIR), 1 << 17, FS, np.random.default_rng(3))
    return ob.fit_pair(csd_of(samples, FS, 4096), band=(46e3, 55e3))


def test_intervals_of_good_data_are_value_and_error_and_go_into_the_json(pair):
    result = ob.with_intervals(pair, levels=(0.68,))
    assert set(result.confidence) == set(pair.varying)
    for name, limits in result.confidence.items():
        low, high = limits["0.68"]
        z = stats.norm.ppf(0.84)
        assert 0.5 * (high - low) == pytest.approx(z * pair.stderr(name), rel=0.1), name
    stored = result.to_dict()["confidence"]["g_r"]["0.68"]
    assert stored == list(result.confidence["g_r"]["0.68"])


def test_a_result_that_is_sent_elsewhere_leaves_its_data_and_keeps_its_intervals(pair):
    result = ob.with_intervals(pair, levels=(0.68,))
    there = pickle.loads(pickle.dumps(result))
    assert there.fitted is None
    assert there.confidence == result.confidence


def test_intervals_follow_the_conversion_to_quanta():
    samples = 1e-11 * record(model_pair(PAIR), 1 << 17, FS, np.random.default_rng(3))
    masses = (2.7e-18, 2.7e-18)
    csd = replace(csd_of(samples, FS, 4096), unit="m")
    metres = ob.fit_pair(csd, band=(46e3, 55e3), masses=masses)
    quanta = ob.in_quanta(metres, masses)
    factor = quanta.value("D11") / metres.value("D11")
    low, high = ob.profile(metres, "D11").intervals["0.95"]
    found = ob.profile(quanta, "D11").intervals["0.95"]
    assert found == pytest.approx((factor * low, factor * high), rel=1e-3)


def test_a_fixed_cross_moment_holds_its_variances_up():
    """On the way along the profile of Re D12 the product D11·D22 may not fall below its square."""

    class Point(GammaPoint):
        @property
        def log_likelihood(self):
            d1, d2, c = self.values
            return -0.5 * ((d1 - 1) ** 2 + 4 * (d2 - 1) ** 2 + (c - 0.5) ** 2)

        def normal_equations(self):
            d1, d2, c = self.values
            return -np.array([d1 - 1, 4 * (d2 - 1), c - 0.5]), np.diag([1.0, 4.0, 1.0])

    class Bowl(GammaLikelihood):
        def evaluate(self, values):
            return Point(values, 0, 0.0, 0.0)

    params = lmfit.Parameters()
    params.add("D11", value=2.0, min=0.0)
    params.add("D22", value=2.0, min=0.0)
    params.add("re_D12", value=1.7, vary=False)
    guard = Guard((CrossMoment(("re_D12",), ("D11", "D22"), 1.0),))
    likelihood = Bowl(names=("D11", "D22", "re_D12"))
    found = maximise(likelihood, Space(likelihood.names, params, "test"), guard=guard)
    d1 = np.linspace(0.5, 6.0, 200_001)
    d2 = np.maximum(1.7**2 / d1, 1.0)
    best = np.argmin((d1 - 1) ** 2 + 4 * (d2 - 1) ** 2)
    assert found.converged
    assert found.values[:2] == pytest.approx((d1[best], d2[best]), abs=1e-3)


def test_couplings_that_a_conversion_mixes_have_no_profile_of_their_own():
    """Fitted as of equal particles, g_r of unequal ones is a mixture of both couplings."""
    masses = (1.2e-18, 4.8e-18)
    model = model_pair(PAIR, mass_ratio=4.0)
    samples = record(model, 1 << 16, FS, np.random.default_rng(8))
    csd = replace(csd_of(samples, FS, 2048), unit="m")
    plain = ob.in_quanta(ob.fit_pair(csd, band=(46e3, 55e3)), masses)
    with pytest.raises(InputError, match="mixes g_r and g_a"):
        ob.profile(plain, "g_r")
    right = ob.in_quanta(ob.fit_pair(csd, band=(46e3, 55e3), masses=masses), masses)
    low, high = ob.profile(right, "g_r", levels=(0.68,)).intervals["0.68"]
    assert 0.5 * (high - low) == pytest.approx(right.stderr("g_r"), rel=0.2)
    assert plain.value("g_r") == pytest.approx(right.value("g_r"), abs=0.1 * right.stderr("g_r"))


def test_a_likelihood_ratio_is_the_square_of_the_signed_root(pair):
    found = ob.evidence(pair, "uncorrelated")
    root = ob.signed_root(pair, "re_D12", 0.0)
    assert found.ratio == pytest.approx(root**2, rel=1e-4)
    assert found.parameters["re_D12"] == 0.0
    assert found.p_value == pytest.approx(stats.chi2.sf(root**2, 1))
    assert found.delta_bic < found.ratio


def test_exceptional_points_are_hypotheses_too(pair):
    with pytest.raises(InputError, match="unknown hypothesis"):
        ob.evidence(pair, "nonsense")
    g_r, g_a = HZ * 30, HZ * 110
    point = PAIR["omega_1"] + 2 * np.sqrt(g_a**2 - g_r**2)
    model = model_pair({**PAIR, "g_r": g_r, "g_a": g_a, "omega_2": point, "gamma_2": HZ * 240})
    frequencies = np.sort(np.linalg.eigvals(model.drift).imag)[2:]
    assert abs(np.diff(frequencies)[0]) < HZ * 10, "the modes have one frequency there"
    samples = record(model, 1 << 17, FS, np.random.default_rng(5))
    result = ob.fit_pair(csd_of(samples, FS, 4096), band=(46e3, 55e3))
    assert ob.evidence(result, "upper exceptional point").ratio < 12.0
    assert ob.evidence(result, "lower exceptional point").ratio > 50.0


def test_a_reciprocal_pair_has_no_exceptional_point(pair):
    """√|g_a² − g_r²| would name a point there that is none."""
    model = model_pair({**PAIR, "g_r": HZ * 150, "g_a": HZ * 20, "gamma_2": HZ * 240})
    samples = record(model, 1 << 17, FS, np.random.default_rng(6))
    result = ob.fit_pair(csd_of(samples, FS, 4096), band=(46e3, 55e3))
    with pytest.raises(InputError, match="no exceptional point"):
        ob.evidence(result, "upper exceptional point")


def test_drawn_sets_follow_the_null_distribution(pair):
    # Near the truth of no effect, where χ² holds: both p-values agree.
    found = ob.evidence(pair, {"g_r": pair.value("g_r") + pair.stderr("g_r")}, simulate=60, seed=2)
    assert found.simulated.shape == (60,)
    assert 0.4 < found.simulated.mean() < 2.0
    assert 0.08 < found.p_value < 0.7
    with pytest.raises(InputError, match="at least 20"):
        ob.evidence(pair, "uncorrelated", simulate=3)


@pytest.mark.slow
def test_the_posterior_of_good_data_is_value_and_error():
    pytest.importorskip("emcee")
    result = gamma_result(count=400)
    posterior = ob.sample_posterior(result, steps=1500, walkers=12)
    assert posterior.converged
    for i, name in enumerate(posterior.names):
        column = posterior.samples[:, i]
        assert column.mean() == pytest.approx(result.value(name), abs=0.3 * result.stderr(name))
        assert column.std() == pytest.approx(result.stderr(name), rel=0.15)
    with pytest.raises(InputError, match="was not sampled"):
        posterior.interval("gamma")


NOISY = {**PAIR, "noise_1": 3.4e-2, "noise_2": 3.4e-2}  # as high as the peaks


def roots_of_one(seed):
    """Signed roots and (value − truth)/error of one set, None where no line stands out."""
    samples = record(model_pair(NOISY), 1 << 18, FS, np.random.default_rng(seed))
    try:
        result = ob.fit_pair(csd_of(samples, FS, 4096), band=(46e3, 55e3), start=NOISY)
    except InputError:
        return None
    names = NAMES["pair"]
    roots = [-ob.signed_root(result, name, NOISY[name]) for name in names]
    return roots, [(result.value(n) - NOISY[n]) / result.stderr(n) for n in names]


@pytest.mark.slow
def test_signed_roots_are_normal_where_noise_is_as_high_as_the_peaks():
    found = [pair for pair in shared(roots_of_one, range(160)) if pair is not None]
    assert len(found) > 150
    roots = np.array([pair[0] for pair in found])
    for i, name in enumerate(NAMES["pair"]):
        column = roots[:, i][np.isfinite(roots[:, i])]
        assert len(column) > 0.98 * len(found), name
        assert abs(column.mean()) < 3.5 / np.sqrt(len(column)), name
        assert abs(column.std() - 1.0) < 3.5 / np.sqrt(2 * len(column)), name
