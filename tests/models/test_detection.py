import math

import numpy as np
import pytest

from optobind.models.constants import HBAR
from optobind.models.detection import (
    cold_damping_occupation,
    force_noise_psd,
    imprecision_psd,
    optimal_cold_damping,
    quantum_length,
    record_noise_std,
)
from optobind.models.errors import InputError
from optobind.models.linear import LinearModel

OMEGA, MASS, RECOIL = 2 * math.pi * 60e3, 3e-18, 3e4


@pytest.mark.parametrize("efficiency", [0.1, 1.0])
def test_imprecision_and_back_action_obey_heisenberg(efficiency):
    metres = imprecision_psd(efficiency, RECOIL) * quantum_length(MASS, OMEGA) ** 2
    product = metres * force_noise_psd(RECOIL, MASS, OMEGA)
    assert product == pytest.approx(HBAR**2 / efficiency)


def test_force_noise_heats_at_the_recoil_rate():
    # dE/dt = S_FF/(4m) for a one-sided force noise, and ħω per phonon.
    rate = force_noise_psd(RECOIL, MASS, OMEGA) / (4 * MASS) / (HBAR * OMEGA)
    assert rate == pytest.approx(RECOIL)


def test_sampled_white_noise_has_the_stated_density():
    psd, fs = 2e-9, 1e6
    record = np.random.default_rng(0).normal(0, record_noise_std(psd, fs), 2**18)
    periodogram = 2 * np.abs(np.fft.rfft(record)) ** 2 / (fs * record.size)
    assert periodogram.mean() == pytest.approx(psd, rel=0.02)


def test_cold_damping_reference_is_the_closed_loop_steady_state():
    damping, psd = 2 * math.pi * 150.0, imprecision_psd(0.4, RECOIL)
    # Ideal velocity feedback on a noisy momentum estimate: force noise Γ²S_imp/2 two-sided in p.
    drift = np.array([[0, OMEGA], [-OMEGA, -damping]])
    noise = np.diag([0.0, 2 * RECOIL + damping**2 * psd / 2])
    covariance = LinearModel(drift, noise, np.eye(2)).steady_state()
    occupation = 0.5 * np.trace(covariance) - 0.5
    assert occupation == pytest.approx(cold_damping_occupation(RECOIL, damping, psd), rel=1e-3)


def test_optimal_cold_damping_reaches_the_efficiency_limit():
    psd = imprecision_psd(0.5, RECOIL)
    best = optimal_cold_damping(RECOIL, psd)
    lowest = cold_damping_occupation(RECOIL, best, psd)
    # Recoil alone: n + 1/2 = 1/(2√η).
    assert lowest + 0.5 == pytest.approx(0.5 / math.sqrt(0.5))
    for other in (0.8 * best, 1.2 * best):
        assert cold_damping_occupation(RECOIL, other, psd) > lowest


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: imprecision_psd(0.0, 1.0), "efficiency must lie in"),
        (lambda: imprecision_psd(1.2, 1.0), "efficiency must lie in"),
        (lambda: imprecision_psd(0.5, 0.0), "D must be positive"),
        (lambda: quantum_length(-1.0, 1.0), "mass must be positive"),
        (lambda: record_noise_std(1.0, 0.0), "sample_rate must be positive"),
        (lambda: cold_damping_occupation(1.0, 0.0, 1.0), "damping must be positive"),
    ],
)
def test_absurd_values_are_refused(call, text):
    with pytest.raises(InputError, match=text):
        call()
