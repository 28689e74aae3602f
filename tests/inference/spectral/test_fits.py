"""Single and pair fits: recovery, starts, bounds, ties, units, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import lmfit
import numpy as np
import pytest
from simulated_spectra import csd_of, record

from optobind.models.errors import InputError
from optobind.models.inference.matrices import NAMES, model_pair, model_single
from optobind.models.inference.parameters import unit_of
from optobind.models.inference.report import to_lmfit
from optobind.models.inference.spectral.fits import expected_csd, fit_pair, fit_single
from optobind.models.inference.spectral.problem import pair_parameters, single_parameters

HZ = 2 * np.pi
FS, BAND = 5e5, (46e3, 54.5e3)
PAIR = {
    "omega_1": HZ * 50e3, "omega_2": HZ * 50.6e3, "gamma_1": HZ * 240, "gamma_2": HZ * 200,
    "g_r": HZ * 160, "g_a": HZ * 120, "D11": 1.6e4, "D22": 1.4e4, "re_D12": 5e3,
    "noise_1": 2e-5, "noise_2": 3e-5,
}  # fmt: skip
SINGLE = {"omega": HZ * 60e3, "gamma": HZ * 300, "D": 2e4, "noise": 1e-5}
# Regimes that a search for start values must survive, as changes of PAIR.
REGIMES = {
    "separate": {"omega_2": HZ * 58e3},
    "merged": {"omega_2": HZ * 50.02e3, "g_r": HZ * 30, "g_a": HZ * 10},
    "unequal": {"D22": 100.0, "re_D12": 300.0},
    "hybridised": {"omega_2": HZ * 50.1e3, "g_r": HZ * 900, "g_a": HZ * 200},
    "reversed": {"omega_1": HZ * 50.9e3, "omega_2": HZ * 50e3, "g_r": -HZ * 300, "re_D12": -7e3},
    "exceptional": {"omega_2": HZ * 50.2e3, "g_r": 0.0, "g_a": HZ * 100, "gamma_2": HZ * 240},
    "nearly unstable": {
        "omega_2": HZ * 50.05e3,
        "g_r": 0.0,
        "g_a": HZ * 80,
        "gamma_2": HZ * 240,
    },
    "unidirectional": {"g_r": HZ * 150, "g_a": -HZ * 150},
    "noisy": {"gamma_1": HZ * 800, "gamma_2": HZ * 900, "g_r": HZ * 300, "noise_1": 1e-3},
}


def pair_spectrum(seed=1, samples=1 << 17, segment=8192, **changes):
    model = model_pair({**PAIR, **changes})
    return csd_of(record(model, samples, FS, np.random.default_rng(seed)), FS, segment)


def single_spectrum(seed=1, samples=1 << 17, segment=8192, unit="quanta", **changes):
    model = model_single({**SINGLE, **changes})
    y = record(model, samples, FS, np.random.default_rng(seed))
    return csd_of(y, FS, segment, unit=unit)


def pulls(result, truth):
    return np.array([(result.value(n) - truth[n]) / result.stderr(n) for n in result.varying])


def test_single_fit_recovers_its_parameters():
    result = fit_single(single_spectrum(), band=(50e3, 70e3))
    assert result.converged
    assert result.warnings == ()
    assert np.abs(pulls(result, SINGLE)).max() < 4
    assert result.stderr("gamma") < 0.1 * SINGLE["gamma"]
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["converged"] is True


@pytest.mark.slow
@pytest.mark.parametrize("name", REGIMES)
def test_pair_fit_finds_the_highest_maximum_without_being_told_where(name):
    truth = {**PAIR, **REGIMES[name]}
    band = (46e3, 62e3) if name == "separate" else (44e3, 57e3)
    csd = pair_spectrum(3, segment=4096, **REGIMES[name])
    blind = fit_pair(csd, band=band)
    told = fit_pair(csd, band=band, start=truth)
    assert blind.converged
    assert blind.statistics["log_likelihood"] > told.statistics["log_likelihood"] - 1e-3
    assert np.abs(pulls(blind, truth)).max() < 4.5
    assert blind.statistics["p_value"] > 1e-3


def test_covariance_is_the_inverse_curvature_of_the_likelihood():
    csd = pair_spectrum(5)
    best = fit_pair(csd, band=BAND)
    params = to_lmfit(best)
    for name in ("g_r", "D11", "re_D12", "gamma_2", "noise_1"):
        sigma = 1 / np.sqrt(
            np.linalg.inv(best.covariance)[best.varying.index(name)][best.varying.index(name)]
        )
        fixed = params.copy()
        for other in fixed.values():
            other.vary = False
        drop = []
        for side in (-0.5, 0.5):
            fixed[name].value = best.value(name) + side * sigma
            # One free parameter elsewhere keeps the fit a fit; it hardly moves.
            fixed["noise_2"].vary = True
            moved = fit_pair(csd, band=BAND, params=fixed, start=dict(fixed.valuesdict()))
            drop.append(best.statistics["log_likelihood"] - moved.statistics["log_likelihood"])
        assert np.mean(drop) == pytest.approx(0.125, rel=0.15), name


def test_the_optimum_is_that_of_lmfit_on_signed_root_deviances():
    csd = single_spectrum(4)
    result = fit_single(csd, band=(55e3, 65e3))
    cut = csd.band(55e3, 65e3)
    data = cut.matrix[:, 0, 0].real

    def residuals(p):
        ratio = data / expected_csd(cut, p.valuesdict())[:, 0, 0].real
        return np.sign(ratio - 1) * np.sqrt(2 * np.maximum(ratio - 1 - np.log(ratio), 0))

    start = single_parameters(csd, (55e3, 65e3))
    other = lmfit.minimize(residuals, start, method="leastsq")
    for name in NAMES["single"]:
        assert abs(other.params[name].value - result.value(name)) < 0.02 * result.stderr(name)


@pytest.mark.slow
def test_weights_are_those_of_the_model_and_not_of_the_data():
    # 1/P² weights bias the level by −2/n, 1/P by −1/n, 1/model² by +1/n; the likelihood by none.
    levels = []
    for seed in range(40):
        csd = single_spectrum(seed, samples=1 << 15, segment=1 << 13)
        result = fit_single(csd, band=(50e3, 70e3))
        levels.append(result.value("D"))
    spread = np.std(levels) / np.sqrt(len(levels))
    assert abs(np.mean(levels) / SINGLE["D"] - 1) < 0.02 + 3 * spread / SINGLE["D"]


@pytest.mark.slow
@pytest.mark.parametrize("window", ["boxcar", "hann", "blackman"])
def test_a_line_of_one_bin_is_not_fitted_wider(window):
    widths, errors = [], []
    truth = {**SINGLE, "gamma": HZ * 61.0, "D": 4e3}
    for seed in range(25):
        y = record(model_single(truth), 1 << 16, FS, np.random.default_rng(seed))
        result = fit_single(csd_of(y, FS, 8192, window=window), band=(58e3, 62e3))
        widths.append(result.value("gamma"))
        errors.append(result.stderr("gamma"))
    mean_error = np.std(widths) / np.sqrt(len(widths))
    assert abs(np.mean(widths) - truth["gamma"]) < 4 * mean_error
    assert np.median(widths) == pytest.approx(truth["gamma"], rel=0.1)


def test_dc_and_nyquist_do_not_enter():
    csd = single_spectrum()
    plain = fit_single(csd)
    spoilt = csd.matrix.copy()
    spoilt[[0, -1]] = 1e6
    assert fit_single(replace(csd, matrix=spoilt)).value("D") == plain.value("D")
    assert plain.statistics["bins"] == len(csd.frequencies) - 2


def test_fixed_values_bounds_and_ties_are_honoured():
    csd = pair_spectrum(7)
    params = pair_parameters(csd, BAND)
    params["gamma_2"].set(expr="gamma_1")
    params["noise_2"].set(value=3e-5, vary=False)
    params["g_a"].set(max=HZ * 60.0)
    result = fit_pair(csd, band=BAND, params=params)
    assert result.converged
    assert result.value("gamma_2") == result.value("gamma_1")
    assert result.stderr("gamma_2") == pytest.approx(result.stderr("gamma_1"))
    assert result.parameters["noise_2"].stderr is None
    assert result.value("noise_2") == 3e-5
    assert result.value("g_a") <= HZ * 60.0 * (1 + 1e-12)
    assert any("at a bound: g_a" in text for text in result.warnings)
    assert "gamma_2" not in result.varying
    free = fit_pair(csd, band=BAND)
    assert result.statistics["log_likelihood"] < free.statistics["log_likelihood"]
    assert result.stderr("gamma_1") < free.stderr("gamma_1")


def test_a_tie_with_a_parameter_of_its_own_reaches_the_constrained_maximum():
    csd = pair_spectrum(8)
    params = pair_parameters(csd, BAND)
    params.add("coherence", value=0.2, min=-0.99, max=0.99)
    params["re_D12"].set(expr="coherence*sqrt(D11*D22)")
    tied = fit_pair(csd, band=BAND, params=params)
    free = fit_pair(csd, band=BAND)
    assert tied.value("re_D12") == pytest.approx(free.value("re_D12"), rel=1e-4)
    assert tied.stderr("re_D12") == pytest.approx(free.stderr("re_D12"), rel=1e-3)
    assert "coherence" in tied.varying


def test_noise_at_its_bound_of_full_correlation_is_a_model():
    truth = {**PAIR, "re_D12": 0.9999 * np.sqrt(PAIR["D11"] * PAIR["D22"])}
    result = fit_pair(pair_spectrum(2, re_D12=truth["re_D12"]), band=BAND)
    assert result.converged
    d11, d22 = result.value("D11"), result.value("D22")
    assert abs(result.value("re_D12")) <= np.sqrt(d11 * d22)
    assert result.value("re_D12") > 0.97 * np.sqrt(d11 * d22)


def test_exchanging_the_channels_exchanges_the_particles():
    csd = pair_spectrum(9)
    one, two = fit_pair(csd, band=BAND), fit_pair(csd.select((1, 0)), band=BAND)
    for a, b, sign in (("omega_1", "omega_2", 1), ("g_r", "g_r", 1), ("g_a", "g_a", -1),
                       ("D11", "D22", 1), ("re_D12", "re_D12", 1)):  # fmt: skip
        assert two.value(b) == pytest.approx(sign * one.value(a), rel=1e-4)


def test_a_reversed_detector_flips_couplings_and_noise_correlation_together():
    csd = pair_spectrum(9)
    flip = np.array([[1, -1], [-1, 1]])
    one, two = fit_pair(csd, band=BAND), fit_pair(replace(csd, matrix=csd.matrix * flip), band=BAND)
    for name in ("g_r", "g_a", "re_D12"):
        assert two.value(name) == pytest.approx(-one.value(name), rel=1e-4)


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1e4])
def test_the_scale_of_the_record_does_not_matter(scale):
    csd = pair_spectrum(10)
    one = fit_pair(csd, band=BAND)
    two = fit_pair(replace(csd, matrix=csd.matrix * scale**2, unit="V"), band=BAND)
    assert two.value("g_r") == pytest.approx(one.value("g_r"), rel=1e-4)
    assert two.value("D11") == pytest.approx(one.value("D11") * scale**2, rel=1e-4)
    assert two.parameters["D11"].unit == "V^2/s"
    assert any("equal detectors" in text for text in two.warnings)


def test_couplings_of_records_in_metres_without_masses_carry_a_warning():
    csd = replace(pair_spectrum(10), unit="m")
    text = "g_r and g_a are those of equal masses: the record is in m, masses are not known"
    assert any(text in warning for warning in fit_pair(csd, band=BAND).warnings)
    told = fit_pair(csd, band=BAND, masses=(1e-18, 2e-18))
    assert not any(text in warning for warning in told.warnings)


def test_units_follow_the_record():
    assert unit_of("re_D12", "quanta") == "rad/s"
    assert unit_of("D", "m") == "m^2/s"
    assert unit_of("noise_1", "V") == "V^2/Hz"
    assert unit_of("g_r", "V") == "rad/s"
    with pytest.raises(InputError, match="known: quanta, m, V"):
        unit_of("D", "cm")


def test_expected_spectrum_follows_the_data():
    csd = pair_spectrum(11).band(*BAND)
    result = fit_pair(csd)
    model = expected_csd(csd, result)
    ratio = np.einsum("fjj->fj", csd.matrix).real / np.einsum("fjj->fj", model).real
    assert ratio.mean(axis=0) == pytest.approx(1.0, abs=0.05)
    assert np.all(np.linalg.eigvalsh(model) > 0)
    single = single_spectrum().band(55e3, 65e3)
    assert expected_csd(single, fit_single(single)).shape == (len(single.frequencies), 1, 1)


def test_expected_spectrum_holds_dc_and_nyquist_as_estimates_do():
    white = {"omega": HZ * 60e3, "gamma": HZ * 300, "D": 1e-9, "noise": 4.0}
    y = np.random.default_rng(1).standard_normal((1 << 16, 1)) * np.sqrt(4.0 * FS / 2)
    csd = csd_of(y, FS, 64)
    ratio = csd.matrix[:, 0, 0].real / expected_csd(csd, white)[:, 0, 0].real
    assert ratio == pytest.approx(1.0, abs=0.15)


def test_unresolved_lines_are_named_with_the_remedy():
    result = fit_single(single_spectrum(segment=1024), band=(50e3, 70e3))
    assert any("choose longer segments" in text for text in result.warnings)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: c.select((0,)), "needs 2 channels, the spectrum has 1"),
        (lambda c: replace(c, matrix=c.matrix * np.nan), "not finite"),
        (lambda c: replace(c, matrix=c.matrix * 0), "holds no signal"),
        (lambda c: c.band(100e3, 200e3), "no line stands out"),
        (lambda c: replace(c.band(49.9e3, 50.2e3), averages=1), "too few averages"),
    ],
)
def test_pair_fits_refuse_unusable_spectra(spoil, message):
    with pytest.raises(InputError, match=message):
        fit_pair(spoil(pair_spectrum(1, samples=1 << 15)))


def test_bands_outside_nyquist_and_odd_parameters_are_refused():
    csd = single_spectrum(samples=1 << 15)
    with pytest.raises(InputError, match="Nyquist"):
        fit_single(csd, band=(1e3, 1e6))
    params = single_parameters(csd)
    for p in params.values():
        p.vary = False
    with pytest.raises(InputError, match="nothing to fit"):
        fit_single(csd, params=params)
    del params["noise"]
    with pytest.raises(InputError, match="parameters lack noise"):
        fit_single(csd, params=params)
    with pytest.raises(InputError, match="two positive numbers"):
        fit_pair(pair_spectrum(1, samples=1 << 15), masses=(1.0, -1.0))


def test_white_noise_alone_holds_no_line():
    rng = np.random.default_rng(0)
    for seed in range(20):
        csd = csd_of(rng.standard_normal((1 << 15, 1)), FS, 1 << (9 + seed % 5))
        with pytest.raises(InputError, match="no line stands out"):
            fit_single(csd)
