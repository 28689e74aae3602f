"""Truths and records on the fit's own scale: q, metres, unequal masses."""

from __future__ import annotations

from dataclasses import replace

import lmfit
import numpy as np
import pytest
from simulated_releases import DEMO
from simulated_spectra import csd_of, record

from optobind.models.constants import HBAR
from optobind.models.errors import InputError
from optobind.models.inference.convention import fit_convention, in_quanta, on_own_scale
from optobind.models.inference.matrices import model_pair
from optobind.models.inference.reheating.fits import fit_reheating
from optobind.models.inference.result import FitResult, FittedParameter
from optobind.models.inference.spectral.fits import fit_pair, fit_single
from optobind.models.linear import LinearModel
from optobind.models.pair import PairConstants

HZ = 2 * np.pi
FS, BAND = 5e5, (44e3, 57e3)
CONSTANTS = PairConstants(
    omega=HZ * 48e3, delta_omega=HZ * 600, g_r=HZ * 160, g_a=HZ * 120, D11=1.2e4, D22=1.1e4,
    re_D12=5e3, gamma=(HZ * 240, HZ * 200), n_thermal=(2.0, 1.5), shift_1=HZ * 2e3,
    shift_2=HZ * 2.1e3,
)  # fmt: skip


def noisy(constants):
    model = constants.to_linear()
    return LinearModel(model.drift, model.noise, model.output, np.array([2e-5, 3e-5]))


def test_predictions_describe_the_same_spectrum():
    found = {**fit_convention(CONSTANTS), "noise_1": 0.0, "noise_2": 0.0}
    f = np.linspace(46e3, 54e3, 60)
    want = CONSTANTS.to_linear().csd(f)
    np.testing.assert_allclose(model_pair(found).csd(f), want, rtol=1e-9, atol=0)
    q = CONSTANTS.omega / np.mean(CONSTANTS.line_frequencies)
    assert q < 0.97
    assert found["g_r"] == pytest.approx(q * CONSTANTS.g_r)
    assert found["D11"] == pytest.approx(q**2 * CONSTANTS.total_diffusion[0])
    assert fit_convention(CONSTANTS, "m")["D11"] == pytest.approx(found["D11"] / q)
    with pytest.raises(InputError, match="known: quanta, m"):
        fit_convention(CONSTANTS, "V")


@pytest.mark.parametrize("masses", [(3e-18, 3e-18), (2e-18, 5e-18)])
@pytest.mark.parametrize("told", [True, False])
def test_records_in_metres_of_unequal_particles_give_the_symmetrised_couplings(masses, told):
    metres = [np.sqrt(HBAR / (m * CONSTANTS.omega)) for m in masses]
    z = record(noisy(CONSTANTS), 1 << 18, FS, np.random.default_rng(4))
    csd = csd_of(z * metres, FS, 4096, unit="m")
    fitted = fit_pair(csd, band=BAND, masses=masses if told else None)
    assert fitted.parameters["D11"].unit == "m^2/s"
    quanta = in_quanta(fitted, masses)
    truth = fit_convention(CONSTANTS, "m")
    for name, value in truth.items():
        assert abs(quanta.value(name) - value) < 4 * quanta.stderr(name), name
    q = truth["g_r"] / CONSTANTS.g_r
    assert abs(quanta.value("noise_1") - 2e-5 / q) < 4 * quanta.stderr("noise_1")
    assert quanta.parameters["D11"].unit == "rad/s"
    assert quanta.stderr("g_r") == pytest.approx(
        np.sqrt(quanta.covariance[quanta.varying.index("g_r"), quanta.varying.index("g_r")])
    )
    assert quanta.stderr("D11") / quanta.value("D11") == pytest.approx(
        fitted.stderr("D11") / fitted.value("D11"), rel=1e-2
    )


def test_converting_after_the_fit_equals_converting_the_record():
    masses = (2e-18, 5e-18)
    z = record(noisy(CONSTANTS), 1 << 17, FS, np.random.default_rng(5))
    metres = [np.sqrt(HBAR / (m * CONSTANTS.omega)) for m in masses]
    one = in_quanta(fit_pair(csd_of(z * metres, FS, 4096, unit="m"), band=BAND), masses)
    two = fit_pair(csd_of(z, FS, 4096), band=BAND)
    q = CONSTANTS.omega / (0.5 * (two.value("omega_1") + two.value("omega_2")))
    for name in ("g_r", "g_a"):
        assert one.value(name) == pytest.approx(two.value(name), rel=1e-3)
        assert one.stderr(name) == pytest.approx(two.stderr(name), rel=1e-3)
    assert one.value("re_D12") == pytest.approx(two.value("re_D12") / q, rel=1e-3)


def test_only_metres_and_known_masses_convert():
    z = record(noisy(CONSTANTS), 1 << 15, FS, np.random.default_rng(6))
    single = fit_single(csd_of(z[:, :1], FS, 2048, unit="V"), band=BAND)
    with pytest.raises(InputError, match="record in m"):
        in_quanta(single, (1e-18,))
    metre = fit_single(csd_of(z[:, :1] * 1e-11, FS, 2048, unit="m"), band=BAND)
    with pytest.raises(InputError, match="1 positive masses"):
        in_quanta(metre, (1e-18, 1e-18))
    scale = 1e-18 * metre.value("omega") / HBAR
    assert in_quanta(metre, (1e-18,)).value("D") == pytest.approx(metre.value("D") * scale)


@pytest.fixture(scope="module")
def release_in_metres():
    """A release of unequal particles, in quanta of the pair's ω and in metres."""
    samples = DEMO.simulate(300, 21)
    masses = (2e-18, 3e-18)
    return samples, samples * [np.sqrt(HBAR / (m * DEMO.pair.omega)) for m in masses], masses


def test_a_reheating_fit_in_metres_converts_by_name(release_in_metres):
    samples, metres, masses = release_in_metres
    found = in_quanta(fit_reheating(metres, DEMO.sample_rate, unit="m"), masses)
    want = on_own_scale(fit_reheating(samples, DEMO.sample_rate), DEMO.pair.omega)
    assert set(found.parameters) == set(want.parameters)
    for name in want.varying:
        assert found.value(name) == pytest.approx(want.value(name), abs=0.02 * want.stderr(name))
        assert found.stderr(name) == pytest.approx(want.stderr(name), rel=0.01), name
        assert found.parameters[name].unit == want.parameters[name].unit
    np.testing.assert_allclose(
        found.correlations()["n1_0"]["re_C0"], want.correlations()["n1_0"]["re_C0"], atol=1e-3
    )
    assert not any("masses" in text for text in found.warnings)


def test_helpers_of_ties_pass_through_a_conversion(release_in_metres):
    _, metres, masses = release_in_metres
    given = lmfit.Parameters()
    given.add("share", value=1.0, min=0.1, max=10.0)
    given.add("D11", value=6e-17, min=0.0)
    given.add("D22", expr="share*D11")
    fit = fit_reheating(metres, DEMO.sample_rate, unit="m", params=given)
    found = in_quanta(fit, masses)
    assert found.value("share") == pytest.approx(fit.value("share"))
    assert found.stderr("share") == pytest.approx(fit.stderr("share"))


def known_fit(**errors):
    """A fit whose errors are independent and given; those not given are 0."""
    values = {
        "omega_1": 3.0e5,
        "omega_2": 3.2e5,
        "g_a": 1e3,
        "D11": 4e4,
        "n1_0": 20.0,
        "noise_1": 1e-6,
    }
    parameters = {n: FittedParameter(v, errors.get(n, 0.0), "") for n, v in values.items()}
    covariance = np.diag([errors.get(n, 0.0) ** 2 for n in values])
    return FitResult(
        "reheating", parameters, tuple(values), covariance, {}, {"unit": "quanta"}, True
    )


def test_the_error_of_the_scale_is_in_every_error_that_it_scales():
    # ω = (ω̃_1+ω̃_2)/2 = 3.1e5, known to 1 % by ω̃_1 alone: 0.5·6200/3.1e5.
    found = on_own_scale(known_fit(omega_1=6200.0), 3.1e5)
    assert found.value("D11") == pytest.approx(4e4)
    assert found.stderr("D11") == pytest.approx(0.01 * 4e4)
    assert found.stderr("n1_0") == pytest.approx(0.01 * 20.5)
    assert found.stderr("noise_1") == pytest.approx(0.01 * 1e-6)
    assert found.stderr("g_a") == pytest.approx(0.0, abs=1e-9)
    assert found.correlations()["D11"]["omega_1"] == pytest.approx(1.0)
    both = on_own_scale(known_fit(omega_1=6200.0, omega_2=6200.0, D11=300.0), 3.1e5)
    assert both.stderr("D11") == pytest.approx(np.sqrt(2 * 400.0**2 + 300.0**2))


def test_counting_on_another_scale_keeps_energies_and_couplings():
    before = known_fit()
    after = on_own_scale(before, 3.1e5 / 1.1)
    assert after.value("n1_0") + 0.5 == pytest.approx(1.1 * 20.5)
    assert after.value("D11") == pytest.approx(1.1 * 4e4)
    assert after.value("g_a") == 1e3
    with pytest.raises(InputError, match="this one is in 'm'"):
        on_own_scale(replace(before, input={"unit": "m"}), 3.1e5)
