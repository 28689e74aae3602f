"""What a fit cannot separate, against refits of mixed and delayed data."""

from __future__ import annotations

import math

import numpy as np
import pytest
from simulated_releases import DEMO

from optobind import FitResult
from optobind.models.inference.convention import fit_convention
from optobind.models.inference.exact.fits import fit_exact, samples_of
from optobind.models.inference.identifiability import identifiability
from optobind.models.inference.result import FittedParameter

SAMPLES = DEMO.simulate(60, 3)


def fit(samples: np.ndarray, **detection: float | None) -> FitResult:
    return fit_exact(samples_of(samples), DEMO.sample_rate, "pair", DEMO.truth, detection=detection)


@pytest.fixture(scope="module")
def plain() -> FitResult:
    return fit(SAMPLES)


def test_mixing_moves_the_estimates_by_what_is_said(plain: FitResult) -> None:
    said = {one.nuisance: one for one in identifiability(plain, sample_rate=5e5).presupposed}
    share = 0.01
    for name, matrix in (
        ("mix_12", [[1.0, share], [0.0, 1.0]]),
        ("mix_21", [[1.0, 0.0], [share, 1.0]]),
        ("gain_1", [[1.0 + share, 0.0], [0.0, 1.0]]),
    ):
        seen = fit(SAMPLES @ np.array(matrix).T, noise_12=None)
        base = fit(SAMPLES, noise_12=None)
        for moved in ("g_r", "g_a", "re_D12"):
            change = seen.value(moved) - base.value(moved)
            error = base.stderr(moved)
            assert change == pytest.approx(share * said[name].shifts[moved], abs=0.06 * error)
            assert said[name].exact


def test_the_size_that_feigns_an_error_is_that_of_the_statistics(plain: FitResult) -> None:
    found = identifiability(plain, sample_rate=5e5).presupposed
    mixing = next(one for one in found if one.nuisance == "mixing")
    assert mixing.feigns["re_D12"] == pytest.approx(plain.statistics["re_D12_cross_talk"], rel=1e-3)


def test_a_delay_moves_the_estimates_by_what_is_said(plain: FitResult) -> None:
    late = next(
        one
        for one in identifiability(plain, sample_rate=5e5).presupposed
        if one.nuisance == "delay_12"
    )
    # A fit that is told of a delay which is not there is off as one that is not told of one.
    delay = 20e-9
    told, base = fit(SAMPLES, delay_12=-delay), plain
    for moved in ("g_r", "g_a", "re_D12"):
        change = told.value(moved) - base.value(moved)
        expected = delay * late.shifts[moved]
        assert change == pytest.approx(
            expected, abs=0.15 * abs(expected) + 0.05 * base.stderr(moved)
        )
    assert not late.exact
    assert math.isfinite(late.feigns["re_D12"])


def test_nuisances_that_were_fitted_are_presupposed_no_more() -> None:
    fitted = fit(SAMPLES, noise_12=None)
    names = [one.nuisance for one in identifiability(fitted, sample_rate=5e5).presupposed]
    assert "noise_12" not in names
    assert "mixing" in names


def synthetic(**changed: float) -> FitResult:
    values = {**fit_convention(DEMO.pair, "m"), "noise_1": 1e-6, "noise_2": 1e-6, **changed}
    names = tuple(values)
    errors = {n: 0.01 * abs(v) + 1.0 for n, v in values.items()}
    errors.update({n: 1e-8 for n in names if "noise" in n})
    table = {n: FittedParameter(v, errors[n], "rad/s") for n, v in values.items()}
    covariance = np.diag([e * e for e in errors.values()])
    return FitResult("pair", table, names, covariance, {}, {"unit": "quanta"}, True)


def test_near_lines_and_a_dark_particle_are_named() -> None:
    clear = synthetic(omega_1=2.8e5, omega_2=4.2e5)
    near = synthetic(omega_1=2.8e5, omega_2=2.8e5 + 300.0)
    assert not any("lines lie" in text for text in identifiability(clear).statements)
    assert any("lines lie 47.7 Hz apart" in text for text in identifiability(near).statements)
    dark = synthetic(D22=1.0)
    assert any("particle 2 is dark" in text for text in identifiability(dark).statements)
    assert not any("dark" in text for text in identifiability(clear).statements)


def test_a_combination_that_is_hardly_determined_is_named() -> None:
    result = synthetic()
    at, other = result.varying.index("g_a"), result.varying.index("omega_2")
    result.covariance[at, other] = result.covariance[other, at] = 0.9995 * math.sqrt(
        result.covariance[at, at] * result.covariance[other, other]
    )
    (weak,) = identifiability(result).degenerate
    assert set(weak.parameters) == {"g_a", "omega_2"}
    assert weak.excess > 30.0
    assert not identifiability(synthetic()).degenerate
