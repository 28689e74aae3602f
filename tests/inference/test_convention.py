"""Truths and records on the fit's own scale: q, metres, unequal masses."""

from __future__ import annotations

import numpy as np
import pytest
from simulated_spectra import csd_of, record

from optobind.models.constants import HBAR
from optobind.models.errors import InputError
from optobind.models.inference.convention import fit_convention, in_quanta
from optobind.models.inference.matrices import model_pair
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
