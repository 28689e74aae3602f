import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from optobind.models.light import Site, TweezerState
from optobind.theory.nonlinear import simulate as simulation
from optobind.theory.nonlinear.settings import TrajectorySettings, fastest_frequency
from optobind.theory.nonlinear.simulate import simulate_full_field
from optobind.theory.nonlinear.trajectory import potential_energy

BARE = TrajectorySettings(gas=False, recoil=False)
CONSERVATIVE = replace(BARE, binding=False, scattering=False)


def displaced(trap, shift, speed=0.0):
    """Places shifted from the foci, all particles alike, at rest or moving."""
    return trap.foci + np.array(shift), np.full((len(trap.spheres), 3), speed)


def period_of(trap):
    return 2.0 * math.pi / fastest_frequency(trap)


def test_trajectory_solves_the_equations_of_motion_of_the_array(make_pair):
    # Independent route: an eighth-order solver with the numpy forces.
    trap = make_pair(kd=12.0, charge=1e-17, balance=0.1)
    start = trap.equilibrium() + np.array([[3e-8, -2e-8, 1e-7], [-2e-8, 4e-8, -8e-8]])
    period = period_of(trap)
    found = simulate_full_field(
        trap, 5 * period, replace(BARE, dt=period / 1000), start=(start, 0 * start)
    )

    def slope(_, state):
        places, speeds = state.reshape(2, 2, 3)
        return np.concatenate(
            [speeds.ravel(), (trap.forces(places) / trap.masses[:, None]).ravel()]
        )

    state = np.concatenate([start.ravel(), np.zeros(6)])
    # Scaled, so that one tolerance serves metres and metres per second.
    exact = solve_ivp(
        slope,
        (0, found.times[-1]),
        state,
        method="DOP853",
        rtol=1e-9,
        atol=[1e-16] * 6 + [1e-10] * 6,
    )
    error = np.abs(found.positions[-1].ravel() - exact.y[:6, -1]).max()
    assert error < 3e-4 * 1e-7


def test_slow_detunings_drive_the_particles_as_turning_phases_do(make_pair):
    trap, detunings = make_pair(kd=12.0), (4e4, -1e4)
    start = trap.equilibrium()
    period = period_of(trap)
    settings = replace(BARE, dt=period / 500, detunings=detunings)
    found = simulate_full_field(trap, 8 * period, settings, start=(start, 0 * start))
    sites = [
        Site(beam.position, beam.power, beam.phase, nu)
        for beam, nu in zip(trap.tweezers, detunings, strict=True)
    ]

    def slope(t, state):
        places, speeds = state.reshape(2, 2, 3)
        force = trap.with_light(TweezerState(tuple(sites)), time=t).forces(places)
        return np.concatenate([speeds.ravel(), (force / trap.masses[:, None]).ravel()])

    state = np.concatenate([start.ravel(), np.zeros(6)])
    exact = solve_ivp(
        slope,
        (0, found.times[-1]),
        state,
        method="DOP853",
        rtol=1e-8,
        atol=[1e-15] * 6 + [1e-9] * 6,
    )
    moved = np.abs(found.positions[-1] - start).max()
    assert moved > 1e-9
    assert np.abs(found.positions[-1].ravel() - exact.y[:6, -1]).max() < 1e-3 * moved


@pytest.mark.slow
@pytest.mark.parametrize("steps", [24, 36])
def test_energy_does_not_drift_over_a_hundred_thousand_periods(make_single, steps):
    # Verlet conserves a nearby energy. For an oscillator it is the energy with ω²(1 − (ωdt)²/4):
    # the true one swings by (ωdt)²/4 of the energy of the motion, and does not grow.
    trap = make_single(waists=(8e-7, 9e-7))
    dt = period_of(trap) / steps
    settings = replace(CONSERVATIVE, dt=dt, sample_every=steps * 5 + 7)
    start = displaced(trap, (6e-8, -4e-8, 2e-7))
    record = simulate_full_field(trap, 1e5 * period_of(trap), settings, start=start)
    energy = record.energy(trap)
    motion = energy[0] - potential_energy(trap, trap.foci[None])[0, 0]
    swing = np.abs(energy - energy[0]).max()
    bound = 0.25 * (2.0 * math.pi / steps) ** 2 * motion
    assert 0.1 * bound < swing < 1.05 * bound
    tenth = len(energy) // 10
    drift = energy[-tenth:].mean() - energy[:tenth].mean()
    assert abs(drift) < 0.02 * swing


@pytest.mark.parametrize(
    "terms", [CONSERVATIVE, BARE, replace(BARE, gas=True, thermal_noise=False)]
)
def test_error_falls_with_the_square_of_the_step(make_pair, terms):
    trap = make_pair(kd=8.0, pressure=1000.0)
    start = displaced(trap, (5e-8, -3e-8, 3e-7))
    period = period_of(trap)
    ends = [
        simulate_full_field(
            trap, 10 * period, replace(terms, dt=period / n), start=start
        ).positions[-1]
        for n in (100, 200, 3200)
    ]
    coarse, fine = (np.abs(end - ends[-1]).max() for end in ends[:2])
    assert coarse / fine == pytest.approx(4.0, rel=0.06)


def test_motion_without_noise_runs_backwards(make_pair):
    trap = make_pair(kd=8.0)
    places, speeds = displaced(trap, (5e-8, -3e-8, 3e-7))
    settings = replace(BARE, sample_every=1000)
    there = simulate_full_field(trap, 1e-4, settings, start=(places, speeds))
    back = simulate_full_field(
        trap, 1e-4, settings, start=(there.positions[-1], -there.velocities[-1])
    )
    assert np.abs(there.positions[-1] - places).max() > 1e-8
    assert np.abs(back.positions[-1] - places).max() < 1e-16


def test_a_seed_fixes_the_trajectory_whatever_else_is_asked(make_pair, monkeypatch):
    trap = make_pair(pressure=100.0)
    settings = TrajectorySettings(sample_every=3)
    one = simulate_full_field(trap, 3e-5, settings, start="thermal", seed=4)
    again = simulate_full_field(trap, 3e-5, settings, start="thermal", seed=4)
    other = simulate_full_field(trap, 3e-5, settings, start="thermal", seed=5)
    assert np.array_equal(one.positions, again.positions)
    assert not np.array_equal(one.positions, other.positions)
    rest = simulate_full_field(trap, 3e-5, settings, seed=4)
    many = simulate_full_field(trap, 3e-5, settings, seed=4, trajectories=3)
    assert np.array_equal(many.positions[0], rest.positions)
    assert not np.array_equal(many.positions[1], rest.positions)
    monkeypatch.setattr(simulation, "_CHUNK_STEPS", 10)
    assert np.array_equal(
        simulate_full_field(trap, 3e-5, settings, seed=4).positions, rest.positions
    )


def test_friction_alone_damps_amplitudes_at_half_the_rate(make_single):
    trap = make_single(pressure=2000.0)
    gamma = trap.gas.damping_rate(trap.spheres[0])
    places, speeds = displaced(trap, (0.0, 0.0, 1e-9))
    settings = TrajectorySettings(thermal_noise=False, recoil=False, scattering=False)
    record = simulate_full_field(trap, 4.0 / gamma, settings, start=(places, speeds))
    energy = record.energy(trap) - record.energy(trap).min()
    omega = trap.axial_omegas(trap.foci)[0]
    z, v = record.positions[:, 0, 2], record.velocities[:, 0, 2]
    # For a damped oscillator ω²z² + v² + γzv decays exactly as e^{−γt}.
    form = omega**2 * z**2 + v**2 + gamma * z * v
    decay = np.log(form[0] / form[-1]) / record.times[-1]
    assert decay == pytest.approx(gamma, rel=2e-3)
    assert energy[-1] < 0.1 * energy[0]
