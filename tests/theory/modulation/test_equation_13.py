"""φ = 2ωt at kd = nπ in the full dynamics, against the numbers of the rotating wave."""

import math

import numpy as np
import pytest

from optobind.theory.modulation.drives import parametric
from optobind.theory.modulation.propagation import propagate

OMEGA = 2 * math.pi * 50e3
MINUS = np.kron([-1.0, 1.0], np.eye(2)) / math.sqrt(2)
VACUUM = 0.5 * np.eye(4)


def _log_negativity(covariance):
    """E_N in base 2 by the symplectic spectrum of the partial transpose."""
    flip = np.diag([1.0, 1.0, 1.0, -1.0])
    form = np.kron(np.eye(2), [[0.0, 1.0], [-1.0, 0.0]])
    spectrum = np.abs(np.linalg.eigvals(1j * form @ flip @ covariance @ flip))
    return max(0.0, -math.log2(2 * spectrum.min()))


def _squeezed(model, times):
    """Smaller eigenvalue of the covariance of a_− at each time."""
    found = propagate(model, VACUUM, times).covariance
    return np.linalg.eigvalsh(MINUS @ found @ MINUS.T)[:, 0]


@pytest.mark.parametrize("coupling", [0.02, 0.005])
@pytest.mark.parametrize("kd", [5 * math.pi, 6 * math.pi])
def test_squeezed_variance_is_half_the_ratio_of_recoil_and_coupling(far_pair, coupling, kd):
    """D/(2g), with a ripple of ±1.3 g/ω at twice the mechanical frequency."""
    recoil = 1.6
    model = far_pair(parametric(OMEGA), coupling=coupling, recoil=recoil, kd=kd)
    settled = 6.0 / (coupling * OMEGA)
    times = settled + np.arange(48) / 48 * model.period
    ratio = _squeezed(model, times) / (recoil / 2)
    assert ratio.mean() == pytest.approx(1.0, abs=0.2 * coupling)
    assert np.abs(ratio - 1).max() == pytest.approx(1.3 * coupling, rel=0.25)


@pytest.mark.parametrize(("recoil", "below"), [(0.97, True), (1.03, False)])
def test_squeezing_below_vacuum_needs_recoil_below_the_coupling(far_pair, recoil, below):
    coupling = 0.004
    model = far_pair(parametric(OMEGA), coupling=coupling, recoil=recoil)
    times = 8.0 / (coupling * OMEGA) + np.arange(16) / 16 * model.period
    assert bool(_squeezed(model, times).mean() < 0.5) is below


def test_coherent_squeezing_follows_the_hyperbola_of_the_rotating_wave(far_pair):
    coupling, recoil = 0.002, 0.7
    g, d = coupling * OMEGA, recoil * coupling * OMEGA
    model = far_pair(parametric(OMEGA), coupling=coupling, recoil=recoil)
    times = np.array([0.3, 1.0, 2.2]) / g
    found = propagate(model, VACUUM, times).covariance
    for time, value in zip(times, found, strict=True):
        small, large = np.linalg.eigvalsh(MINUS @ value @ MINUS.T)
        lower, upper = math.exp(-2 * g * time), math.exp(2 * g * time)
        assert small == pytest.approx(0.5 * lower + 0.5 * d / g * (1 - lower), rel=0.01)
        assert large == pytest.approx(0.5 * upper + 0.5 * d / g * (upper - 1), rel=0.01)


def test_vacuum_becomes_entangled_for_a_while_below_half_the_coupling(far_pair):
    """Full dynamics at ω = 200g, D = 0.4g: largest E_N 0.1165 near gt = 0.75, gone by 1.74."""
    coupling = 0.005
    g = coupling * OMEGA
    model = far_pair(parametric(OMEGA), coupling=coupling, recoil=0.4)
    near = propagate(model, VACUUM, np.linspace(0.6, 0.9, 121) / g).covariance
    assert max(map(_log_negativity, near)) == pytest.approx(0.1165, abs=0.0015)
    gt = np.array([0.2, 0.5, 1.0, 1.5])
    period = np.arange(24) / 24 * model.period
    for time in gt:
        values = propagate(model, VACUUM, time / g + period).covariance
        # E_N of the rotating wave, −½ log2 of [D/g + (1 − D/g)e^{−2gt}](1 + 2Dt).
        witness = (0.4 + 0.6 * math.exp(-2 * time)) * (1 + 0.8 * time)
        expected = -0.5 * math.log2(witness)
        found = np.mean([_log_negativity(value) for value in values])
        assert found == pytest.approx(expected, abs=0.01)
    late = propagate(model, VACUUM, np.array([1.85, 2.5, 4.0]) / g).covariance
    assert max(map(_log_negativity, late)) == 0.0


def test_recoil_above_half_the_coupling_leaves_vacuum_separable(far_pair):
    coupling = 0.005
    model = far_pair(parametric(OMEGA), coupling=coupling, recoil=0.52)
    times = np.linspace(0.02, 5.0, 60) / (coupling * OMEGA)
    values = propagate(model, VACUUM, times).covariance
    assert max(map(_log_negativity, values)) < 0.01
