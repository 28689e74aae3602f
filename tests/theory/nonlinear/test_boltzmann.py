import numpy as np
import pytest

from optobind.models.constants import BOLTZMANN
from optobind.theory.nonlinear.settings import TrajectorySettings
from optobind.theory.nonlinear.simulate import simulate_full_field

# Gas alone, in the conservative field of the light.
THERMAL = {"recoil": False, "scattering": False, "binding": False}


def scores(per_run, expected):
    """Deviation of the mean over independent runs from a number, in standard errors."""
    per_run = np.asarray(per_run)
    error = per_run.std(axis=0, ddof=1) / np.sqrt(len(per_run))
    return (per_run.mean(axis=0) - expected) / error, error / np.abs(expected)


@pytest.mark.slow
def test_cold_gas_gives_every_coordinate_its_equipartition(make_single):
    trap = make_single(waists=(7e-7, 8e-7), pressure=5e3, temperature=4.0)
    settings = TrajectorySettings(sample_every=10, **THERMAL)
    # Without the scattering force the particle rests at the focus.
    start = (trap.foci, np.zeros((1, 3)))
    record = simulate_full_field(trap, 3e-3, settings, start=start, seed=1, trajectories=40)
    stiffness = np.diag(trap.stiffness(trap.foci))
    late = record.times > 1e-4
    squares = (record.positions[:, late, 0] - trap.foci[0]) ** 2
    heat = BOLTZMANN * 4.0
    score, error = scores(squares.mean(axis=1), heat / stiffness)
    assert np.abs(score).max() < 4.0
    assert error.max() < 0.025
    speeds = (record.velocities[:, late, 0] ** 2).mean(axis=1) * trap.masses[0]
    assert np.abs(scores(speeds, heat)[0]).max() < 4.0
    pooled = record.kinetic_temperature(trap.masses, after=1e-4)
    assert pooled == pytest.approx(4.0 * np.ones((1, 3)), rel=0.08)


def _exact(trap, heat):
    """Averages under e^{−U/kT} in the inner trap, by quadrature of the closed form of U."""
    beam, alpha = trap.tweezers[0], trap.spheres[0].polarizability
    depth = 0.25 * alpha * beam.focus_amplitude**2 / heat
    waist, rayleigh = beam.waist_x, beam.rayleigh_ranges(trap.k)[0]
    # Midpoints, with cell walls on the edges of the intervals asked below.
    rho = (np.arange(500)[:, None] + 0.5) / 500
    z = (np.arange(2400)[None, :] + 0.5) / 1000 - 1.2
    wide = 1.0 + z**2
    density = np.exp(depth / wide * np.exp(-2.0 * rho**2 / wide) - depth) * rho
    density /= density.sum()

    def mean(values):
        return float((density * values).sum())

    inside = [mean(np.broadcast_to(np.abs(z) < edge, density.shape)) for edge in (0.1, 0.2, 0.4)]
    moments = {
        "z2": mean(z**2) * rayleigh**2,
        "z4": mean(z**4) * rayleigh**4,
        "x2": mean(0.5 * rho**2) * waist**2,
        "x2z2": mean(0.5 * rho**2 * z**2) * waist**2 * rayleigh**2,
    }
    return moments, inside, depth


@pytest.mark.slow
def test_shallow_trap_follows_the_boltzmann_distribution(make_single):
    trap = make_single(power=0.03, pressure=5e3)
    heat = BOLTZMANN * trap.gas.temperature
    settings = TrajectorySettings(sample_every=4, **THERMAL)
    record = simulate_full_field(trap, 2.5e-2, settings, start="thermal", seed=3, trajectories=40)
    waist, rayleigh = trap.tweezers[0].waist_x, trap.tweezers[0].rayleigh_ranges(trap.k)[0]
    moments, inside, depth = _exact(trap, heat)
    assert 10 < depth < 20
    late = record.times > 5e-5
    found = []
    for places, alive in zip(record.positions[:, :, 0], record.alive, strict=True):
        x, y, z = places[alive & late].T
        kept = (x**2 + y**2 < waist**2) & (np.abs(z) < 1.2 * rayleigh)
        x, y, z = x[kept], y[kept], z[kept]
        half = 0.5 * (x**2 + y**2)
        found.append(
            [(z**2).mean(), (z**4).mean(), half.mean(), (half * z**2).mean()]
            + [(np.abs(z) < edge * rayleigh).mean() for edge in (0.1, 0.2, 0.4)]
        )
    expected = np.array([*moments.values(), *inside])
    score, error = scores(found, expected)
    assert np.abs(score).max() < 4.0
    assert error.max() < 0.06
    # The harmonic trap would be many standard errors away.
    harmonic = heat / np.diag(trap.stiffness(trap.foci))
    assert moments["z2"] > 1.2 * harmonic[2]
    assert scores(np.array(found)[:, 0], harmonic[2])[0] > 10.0
