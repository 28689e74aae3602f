import math
from dataclasses import replace

import numpy as np
import pytest

from optobind.models.constants import BOLTZMANN, HBAR
from optobind.models.errors import InputError, NotTrappedError
from optobind.theory.nonlinear.settings import TrajectorySettings, fastest_frequency
from optobind.theory.nonlinear.simulate import simulate_full_field
from optobind.theory.nonlinear.starts import thermal_start

BARE = TrajectorySettings(gas=False, recoil=False)


def test_a_cold_start_without_noise_stays_at_the_equilibrium(make_pair):
    trap = make_pair()
    record = simulate_full_field(trap, 1e-4, replace(BARE, sample_every=10))
    assert record.positions.shape == (len(record.times), 2, 3)
    assert np.abs(record.positions - trap.equilibrium()).max() < 1e-13
    assert record.alive.all()
    assert record.losses == ()


def test_default_step_resolves_the_fastest_motion_with_fifty_points(make_pair):
    trap = make_pair()
    record = simulate_full_field(trap, 1e-6, BARE)
    assert record.dt == pytest.approx(2 * math.pi / fastest_frequency(trap) / 50, abs=0)
    assert np.allclose(np.diff(record.times), record.dt)
    turning = simulate_full_field(trap, 1e-6, replace(BARE, detunings=(4e5, 0.0)))
    assert turning.dt == pytest.approx(1 / 50 / 4e5, abs=0)


def test_a_particle_that_leaves_its_trap_is_reported_and_nothing_becomes_nan(make_pair):
    trap = make_pair()
    places, speeds = trap.equilibrium(), np.zeros((2, 3))
    depth = 0.25 * trap.spheres[1].polarizability * trap.tweezers[1].focus_amplitude ** 2
    speeds[1, 1] = math.sqrt(2.5 * depth / trap.masses[1])
    settings = replace(BARE, sample_every=5)
    start = (np.stack([places, places]), np.stack([0 * speeds, speeds]))
    record = simulate_full_field(trap, 1e-4, settings, start=start, trajectories=2)
    (loss,) = record.losses
    assert (loss.trajectory, loss.particle, loss.reason) == (1, 1, "escaped")
    assert 1e-7 < loss.time < 1e-5
    assert abs(loss.position[1]) > 1.5e-6
    assert "particle 2 escaped after" in str(loss)
    assert record.alive[0].all()
    assert np.array_equal(record.alive[1], record.times < loss.time)
    assert np.isfinite(record.positions).all()
    last = record.positions[1][record.alive[1]][-1]
    assert np.array_equal(record.positions[1, -1], last)
    # What is left out after the loss does not enter the statistics.
    assert np.abs(record.mean_position(after=1.1 * loss.time) - places).max() < 1e-8


def test_a_shallow_trap_loses_hot_particles_at_some_time(make_single):
    trap = make_single(power=0.006, pressure=5e3)
    record = simulate_full_field(
        trap, 2e-3, TrajectorySettings(sample_every=50), start="rest", trajectories=20, seed=1
    )
    assert 10 <= len(record.losses) <= 20
    assert np.isfinite(record.positions).all()
    assert all(loss.time > 0 for loss in record.losses)
    assert len({loss.time for loss in record.losses}) > 5


def test_spheres_that_touch_are_lost_too(make_pair):
    trap = make_pair(kd=8.0)
    middle = trap.equilibrium().mean(axis=0)
    places = middle + np.array([[-6e-8, 0, 0], [6e-8, 0, 0]])
    record = simulate_full_field(trap, 1e-6, BARE, start=(places, np.zeros((2, 3))))
    assert record.losses[0].reason == "touched"
    assert not record.alive[1:].any()


def test_limits_of_a_trap_can_be_set(make_single):
    trap = make_single()
    start = (trap.foci + np.array([0, 0, 1e-6]), np.zeros((1, 3)))
    free = simulate_full_field(trap, 5e-5, replace(BARE, scattering=False), start=start)
    tight = simulate_full_field(
        trap, 5e-5, replace(BARE, scattering=False, lost_rayleighs=0.2), start=start
    )
    assert not free.losses
    assert tight.losses[0].time == pytest.approx(tight.dt, abs=0)


@pytest.mark.parametrize("refresh", [1, 7])
def test_refreshed_recoil_is_the_fixed_one_as_long_as_the_particles_rest(make_pair, refresh):
    trap = make_pair()
    fixed, fresh = (
        simulate_full_field(trap, 2e-5, TrajectorySettings(recoil_refresh=n), seed=3)
        for n in (0, refresh)
    )
    moved = np.abs(fixed.positions - trap.equilibrium()).max()
    assert np.abs(fixed.positions - fresh.positions).max() < 1e-3 * moved


def test_refreshed_recoil_follows_a_particle_out_of_the_focus(make_single):
    # A particle swinging along the beam scatters less light in the mean than one at rest.
    trap = make_single()
    places = trap.equilibrium() + np.array([0, 0, 1e-6])
    start, heat = (places, np.zeros((1, 3))), []
    for refresh in (0, 20):
        settings = TrajectorySettings(recoil_refresh=refresh, sample_every=20)
        record = simulate_full_field(trap, 2e-5, settings, start=start, seed=1, trajectories=300)
        heat.append(record.positions[:, -1, 0, 1].var())
    assert heat[1] < 0.9 * heat[0]


def test_thermal_start_has_the_harmonic_covariance(make_pair):
    trap = make_pair(pressure=10.0, temperature=4.0)
    positions, velocities = thermal_start(trap, (4.0, 1.0), count=20000, seed=1)
    for j, temperature in enumerate((4.0, 1.0)):
        alone = trap.stiffness(trap.equilibrium(), binding=False)[3 * j :, 3 * j :][:3, :3]
        product = np.cov(positions[:, j].T) @ (0.5 * (alone + alone.T)) / BOLTZMANN
        assert np.abs(product / temperature - np.eye(3)).max() < 0.06
        speed = (velocities[:, j] ** 2).mean(axis=0) * trap.masses[j] / BOLTZMANN
        assert np.abs(speed / temperature - 1).max() < 0.05
    first = simulate_full_field(trap, 1e-6, start="thermal", seed=8).positions[0]
    assert 1e-10 < np.abs(first - trap.equilibrium()).max() < 1e-7


def test_quadratures_are_those_of_the_linear_model(make_pair):
    trap = make_pair(balance=0.2)
    places = trap.equilibrium() + np.array([[0, 0, 1e-9], [0, 0, -2e-9]])
    speeds = np.array([[0, 0, 1e-3], [0, 0, 2e-3]])
    record = simulate_full_field(trap, 1e-6, BARE, start=(places, speeds), trajectories=2)
    states = record.quadratures(trap)
    assert states.shape == (2, len(record.times), 4)
    model = trap.linearize()
    energy = 0.5 * trap.masses[0] * speeds[0, 2] ** 2
    omega = trap.axial_omegas(trap.equilibrium()).mean()
    assert states[0, 0, 1] ** 2 / 2 * HBAR * omega == pytest.approx(energy, rel=1e-6, abs=0)
    moved = (states[0, 1] - states[0, 0]) / record.times[1]
    middle = 0.5 * (states[0, 0] + states[0, 1])
    assert moved == pytest.approx(model.drift @ middle, rel=0.01)
    with pytest.raises(InputError, match="axes must be some of 'xyz'"):
        record.quadratures(trap, "xx")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"dt": 1e-6}, r"dt must be at most 3.* s \(20 steps per period .* kHz\), got 1e-06 s"),
        (
            {"dt": 1e-7, "detunings": (1e6, 0.0)},
            r"dt must be at most 5e-08 s for a detuning of 1e\+06",
        ),
        ({"detunings": (1e3,)}, "detunings needs one value per tweezer, 2, got 1"),
    ],
)
def test_steps_that_resolve_nothing_are_refused(make_pair, change, text):
    with pytest.raises(InputError, match=text):
        simulate_full_field(make_pair(), 1e-5, TrajectorySettings(**change))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"dt": -1.0}, "dt must lie in 1e-15 … 1 s, got -1 s"),
        ({"dt": math.nan}, "dt must lie in"),
        ({"sample_every": 0}, "sample_every must be a whole number of at least 1, got 0"),
        ({"sample_every": 1.5}, "sample_every must be a whole number"),
        ({"recoil_refresh": -1}, "recoil_refresh must be a whole number of at least 0, got -1"),
        ({"lost_waists": 0.0}, "lost_waists must lie in 0.1 … 100, got 0"),
        ({"detunings": (math.inf, 0.0)}, "detunings must lie in"),
    ],
)
def test_impossible_settings_are_refused(change, text):
    with pytest.raises(InputError, match=text):
        TrajectorySettings(**change)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"duration": -1.0}, "duration must lie in 0 … 1e"),
        ({"duration": 1e3}, "the record would need .* GB, at most 4 GB.*sample_every"),
        ({"trajectories": 0}, "trajectories must be a whole number of at least 1, got 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"start": "cold"}, "start must be 'rest', 'thermal' or .* got 'cold'"),
        ({"start": "thermal"}, "a thermal start needs the array's gas"),
        ({"start": (np.zeros((3, 3)), np.zeros((2, 3)))}, r"positions of the start .* \(2, 3\)"),
        ({"start": (np.zeros((2, 3)), np.full((2, 3), np.nan))}, "velocities of the start"),
        ({"start": 7}, "start must be a pair of arrays"),
    ],
)
def test_impossible_runs_are_refused(make_pair, change, text):
    values = {"duration": 1e-6, **change}
    with pytest.raises(InputError, match=text):
        simulate_full_field(make_pair(), values.pop("duration"), **values)


def test_measured_frequencies_and_empty_traps_are_refused(make_pair, make_single):
    trap = replace(make_pair(), measured_omegas=(3e5, 3e5))
    with pytest.raises(InputError, match="measured_omegas do not shape the light"):
        simulate_full_field(trap, 1e-6)
    with pytest.raises(NotTrappedError, match="particle 1"):
        simulate_full_field(make_single(power=0.0), 1e-6)
    with pytest.raises(InputError, match="temperature must be at least 0 K"):
        thermal_start(make_pair(), -1.0)
    with pytest.raises(InputError, match="temperature needs one value, or one for each of 2"):
        thermal_start(make_pair(), (1.0, 2.0, 3.0))


def test_statistics_need_samples(make_pair):
    record = simulate_full_field(make_pair(), 1e-6, BARE)
    with pytest.raises(InputError, match=r"no samples from 1 s on: the record ends at .*e-06 s"):
        record.variance(after=1.0)
