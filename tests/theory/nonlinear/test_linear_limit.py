import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import expm

from optobind.models.constants import HBAR
from optobind.theory.nonlinear.settings import TrajectorySettings, fastest_frequency
from optobind.theory.nonlinear.simulate import simulate_full_field
from optobind.theory.nonlinear.starts import thermal_start


def lengths(trap):
    """Metres per unit of each of the 3n coordinates, and ω."""
    omega = float(trap.axial_omegas(trap.equilibrium()).mean())
    return np.repeat(np.sqrt(HBAR / (trap.masses * omega)), 3), omega


def test_small_motions_have_the_eigenvalues_of_the_linear_model(make_pair):
    # The propagator over τ, column by column from twelve small displacements.
    trap = make_pair(kd=9.0, balance=0.1, pressure=3000.0)
    model = trap.linearize(axes="xyz")
    period = 2 * math.pi / fastest_frequency(trap)
    settings = TrajectorySettings(
        dt=period / 1000, sample_every=250, recoil=False, thermal_noise=False
    )
    length, omega = lengths(trap)
    rest = trap.equilibrium()
    size = 1e-12
    positions, velocities = np.repeat(rest[None], 12, 0), np.zeros((12, 2, 3))
    for j in range(6):
        positions.reshape(12, 6)[2 * j, j] += size
        velocities.reshape(12, 6)[2 * j + 1, j] += size * omega
    record = simulate_full_field(
        trap, period / 4, settings, start=(positions, velocities), trajectories=12
    )
    ends = record.quadratures(trap, "xyz")[:, -1]
    found = ends.T * np.tile(length, 1).repeat(2)[None, :] / size
    tau = record.times[-1]
    expected = expm(model.drift * tau)
    assert np.abs(found - expected).max() < 2e-5 * np.abs(expected).max()
    rates = np.log(np.linalg.eigvals(found)) / tau
    exact = model.eigenvalues
    for rate in rates:
        nearest = exact[np.argmin(np.abs(exact - rate))]
        assert abs(rate.imag - nearest.imag) < 1e-4 * omega
        # Damping rates, γ/2 shifted by the antireciprocal binding.
        assert abs(rate.real - nearest.real) < 2e-3 * abs(exact.real).max()


@pytest.mark.slow
@pytest.mark.parametrize("refresh", [0, 1])
def test_recoil_alone_heats_and_correlates_as_the_linear_model(make_pair, refresh):
    # At kd = 2.5π and φ = 0 kicks correlate by 13 % along z and by 45 % along x.
    trap = make_pair(kd=2.5 * math.pi, phi=0.0, waist=6e-7, radius=5e-8)
    model = trap.linearize(axes="xyz")
    omega = lengths(trap)[1]
    runs = 4000 if refresh == 0 else 800
    settings = TrajectorySettings(
        dt=2 * math.pi / fastest_frequency(trap) / 25, sample_every=100, recoil_refresh=refresh
    )
    record = simulate_full_field(trap, 4 * math.pi / omega, settings, seed=2, trajectories=runs)
    states = record.quadratures(trap, "xyz")[:, -1]
    found = states.T @ states / runs
    expected = model.propagate(np.zeros((12, 12)), [record.times[-1]])[0]
    # Standard error of a covariance of Gaussians.
    error = np.sqrt((expected**2 + np.outer(np.diag(expected), np.diag(expected))) / runs)
    assert np.abs((found - expected) / error).max() < 4.5
    # Without the correlation of the kicks the result would be many errors away.
    if refresh == 0:
        lone = np.zeros((12, 12))
        lone[1::2, 1::2] = np.diag(np.diag(model.noise[1::2, 1::2]))
        without = replace(model, noise=lone).propagate(np.zeros((12, 12)), [record.times[-1]])[0]
        along_z = np.abs((found - without) / error)[4:6, 10:12]
        assert along_z.max() > 6.0


@pytest.mark.slow
def test_gas_and_recoil_together_reach_the_covariance_of_the_linear_model(make_pair):
    trap = make_pair(kd=2.5 * math.pi, phi=0.0, pressure=200.0, temperature=1.0)
    model = trap.linearize(axes="xyz")
    start = thermal_start(trap, 2.0, count=600, seed=3)
    gamma = trap.gas.damping_rate(trap.spheres[0])
    settings = TrajectorySettings(
        dt=2 * math.pi / fastest_frequency(trap) / 25, sample_every=50, recoil_refresh=0
    )
    record = simulate_full_field(trap, 1.0 / gamma, settings, start=start, seed=4, trajectories=600)
    first, last = (record.quadratures(trap, "xyz")[:, i] for i in (0, -1))
    expected = model.propagate(first.T @ first / 600, [record.times[-1]])[0]
    found = last.T @ last / 600
    error = np.sqrt((expected**2 + np.outer(np.diag(expected), np.diag(expected))) / 600)
    assert np.abs((found - expected) / error).max() < 4.5
    assert np.trace(expected) < 0.8 * np.trace(first.T @ first / 600)
