"""The goodness-of-fit test: right when the model is right, small when it is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from simulated_spectra import csd_of, record

from optobind.models.inference.matrices import model_pair, model_single
from optobind.models.inference.report import fit_report
from optobind.models.inference.spectral.fits import fit_pair, fit_single

HZ = 2 * np.pi
FS = 5e5
SINGLE = {"omega": HZ * 60e3, "gamma": HZ * 300, "D": 2e4, "noise": 1e-5}
PAIR = {
    "omega_1": HZ * 50e3, "omega_2": HZ * 50.6e3, "gamma_1": HZ * 240, "gamma_2": HZ * 200,
    "g_r": HZ * 160, "g_a": HZ * 120, "D11": 1.6e4, "D22": 1.4e4, "re_D12": 5e3,
    "noise_1": 2e-5, "noise_2": 3e-5,
}  # fmt: skip


def p_values(fit, model, samples, segment, band, sets, seed=0):
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(sets):
        csd = csd_of(record(model, samples, FS, rng), FS, segment)
        out.append(fit(csd, band=band).statistics["p_value"])
    return np.array(out)


@pytest.mark.slow
@pytest.mark.parametrize("segment", [4096, 1 << 15])
def test_p_values_of_right_models_are_uniform(segment):
    p = p_values(fit_single, model_single(SINGLE), 1 << 15, segment, (50e3, 70e3), 80)
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    assert np.mean(p < 0.05) < 0.15


@pytest.mark.slow
@pytest.mark.parametrize("segment", [2048, 8192, 1 << 16])
def test_p_values_of_right_pair_models_are_uniform(segment):
    p = p_values(fit_pair, model_pair(PAIR), 1 << 16, segment, (44e3, 57e3), 300)
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    # 0.05 within 3.5 standard deviations of 300 sets.
    assert 0.006 < np.mean(p < 0.05) < 0.094


@pytest.mark.parametrize("segment", [8192, 1 << 16])
def test_an_extra_line_is_detected(segment):
    rng = np.random.default_rng(1)
    extra = {**SINGLE, "omega": HZ * 63e3, "D": 1.5e3}
    y = record(model_single(SINGLE), 1 << 16, FS, rng) + record(
        model_single({**extra, "noise": 0.0}), 1 << 16, FS, rng
    )
    result = fit_single(csd_of(y, FS, segment), band=(50e3, 70e3))
    assert result.statistics["p_value"] < 1e-3
    assert any("does not describe the data" in text for text in result.warnings)


def test_missing_couplings_are_detected():
    csd = csd_of(record(model_pair(PAIR), 1 << 16, FS, np.random.default_rng(2)), FS, 4096)
    from optobind.models.inference.spectral.problem import pair_parameters

    params = pair_parameters(csd, (44e3, 57e3))
    for name in ("g_r", "g_a"):
        params[name].set(value=0.0, vary=False)
    wrong = fit_pair(csd, band=(44e3, 57e3), params=params)
    right = fit_pair(csd, band=(44e3, 57e3))
    assert wrong.statistics["p_value"] < 1e-6 < right.statistics["p_value"]
    assert wrong.statistics["aic"] > right.statistics["aic"] + 20


@pytest.mark.parametrize(
    ("segment", "band", "least", "most"),
    [(2048, (59e3, 61.2e3), 1.0, 1.5), (8192, (58e3, 62e3), 4.0, 5.0)],
)
def test_no_p_value_is_stated_below_five_degrees_of_freedom(segment, band, least, most):
    y = record(model_single(SINGLE), 1 << 15, FS, np.random.default_rng(3))
    csd = csd_of(y, FS, segment)
    few = fit_single(csd, band=band)
    assert least <= few.statistics["dof"] < most
    assert few.statistics["p_value"] is None
    assert "too few degrees of freedom" in fit_report(few)
    assert few.to_dict()["statistics"]["p_value"] is None
    assert fit_single(csd, band=(40e3, 80e3)).statistics["p_value"] is not None
