import math
from dataclasses import replace

import numpy as np
import pytest

from optobind.models.array import TrapArray
from optobind.models.errors import InputError
from optobind.models.forces import one_body_force
from optobind.models.light import Site, TweezerState
from optobind.models.objective import AplanaticObjective
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer
from optobind.theory.nonlinear.kernels import forces_along
from optobind.theory.nonlinear.packing import make_work, pack_beams, pack_particles
from optobind.theory.nonlinear.recoil import cholesky_root, kick_root, recoil_at
from optobind.theory.nonlinear.trajectory import potential_energy


def compiled_forces(trap, places, *, times=None, detunings=None, **terms):
    beams, particles = pack_beams(trap, detunings), pack_particles(trap, **terms)
    out = np.empty_like(places)
    times = np.zeros(len(places)) if times is None else np.asarray(times)
    forces_along(beams, particles, make_work(beams, len(trap.spheres)), places, times, out)
    return out


def random_places(trap, count, spread=3e-7):
    shifts = np.random.default_rng(3).uniform(-spread, spread, (count, len(trap.spheres), 3))
    return trap.foci + shifts


def worst(found, expected):
    error = np.linalg.norm(found - expected, axis=-1)
    return (error / np.linalg.norm(expected, axis=-1)).max()


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("polarization", [(0, 1), (1, 0), (0.6, 0.8j)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"charge": 2e-17},
        {"correction": True},
        {"detuning": 7e5},
        {"directions": (1, -1, 1)},
        {"directions": (-1, 1, -1), "detuning": 5e5, "charge": 1e-17, "correction": True},
    ],
)
def test_compiled_forces_are_those_of_the_array(make_mixed, count, polarization, options):
    trap = make_mixed(count, polarization=polarization, **options)
    places = random_places(trap, 12)
    expected = np.array([trap.forces(place) for place in places])
    assert worst(compiled_forces(trap, places), expected) < 1e-10


def test_forces_far_from_the_foci_agree_too(make_mixed):
    trap = make_mixed(2)
    places = random_places(trap, 12, 8e-7) + np.array([0, 0, 3e-6])
    expected = np.array([trap.forces(place) for place in places])
    assert worst(compiled_forces(trap, places), expected) < 1e-10


def test_a_grid_of_particles_has_the_forces_of_the_array():
    beams = tuple(
        Tweezer((3e-6 * i, 3.3e-6 * j, 0), 0.17, 7e-7, 8e-7, 0.7 * i * j, (0.6, 0.8))
        for i in range(4)
        for j in range(4)
    )
    trap = TrapArray((Sphere(7e-8, charge=1e-18),) * 16, beams)
    places = random_places(trap, 2, 1e-7)
    expected = np.array([trap.forces(place) for place in places])
    assert worst(compiled_forces(trap, places), expected) < 1e-10


def test_slow_detunings_turn_the_phases_as_frozen_light_does(make_mixed):
    trap = make_mixed(3, polarization=(0.6, 0.8j))
    detunings, times = (3e3, -1e3, 0.0), np.array([0.0, 1.7e-4, 2.3])
    places = random_places(trap, 3)
    state = TweezerState(
        tuple(
            Site(beam.position, beam.power, beam.phase, nu)
            for beam, nu in zip(trap.tweezers, detunings, strict=True)
        )
    )
    expected = [
        trap.with_light(state, time=t).forces(place) for t, place in zip(times, places, strict=True)
    ]
    found = compiled_forces(trap, places, times=times, detunings=detunings)
    assert worst(found, np.array(expected)) < 1e-9


def test_binding_and_scattering_can_be_left_out(make_mixed):
    trap = make_mixed(3)
    places = random_places(trap, 4)
    alpha = trap.polarizabilities
    for place, bare, pushed in zip(
        places,
        compiled_forces(trap, places, binding=False, scattering=False),
        compiled_forces(trap, places, binding=False),
        strict=True,
    ):
        field = trap.field(place)
        product = np.einsum("gni,gnai->na", field.value.conj(), field.first)
        assert np.allclose(bare, 0.5 * alpha.real[:, None] * product.real, rtol=1e-10, atol=1e-25)
        assert np.allclose(pushed, one_body_force(alpha, field, trap.k), rtol=1e-10, atol=1e-25)


@pytest.mark.slow
def test_gradient_and_coulomb_forces_derive_from_the_potential_energy(make_mixed):
    trap = make_mixed(3, charge=3e-17)
    place = random_places(trap, 1)[0]
    step, slope = 2e-9, np.empty((3, 3))
    for index in np.ndindex(3, 3):
        rungs = np.repeat(place[None], 4, axis=0)
        for row, shift in enumerate((2, 1, -1, -2)):
            rungs[(row, *index)] += shift * step
        far, near, back, beyond = potential_energy(trap, rungs).sum(axis=1)
        slope[index] = (8 * (near - back) - (far - beyond)) / (12 * step)
    expected = compiled_forces(trap, place[None], binding=False, scattering=False)[0]
    assert np.abs(-slope - expected).max() < 1e-6 * np.abs(expected).max()


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("polarization", [(0, 1), (0.6, 0.8j)])
@pytest.mark.parametrize("options", [{}, {"correction": True, "detuning": 6e5}])
def test_compiled_diffusion_is_that_of_the_array(make_mixed, count, polarization, options):
    trap = make_mixed(count, polarization=polarization, **options)
    beams, particles = pack_beams(trap), pack_particles(trap)
    work, found = make_work(beams, count), np.zeros((3 * count, 3 * count))
    # The last configuration brings the spheres to kr < 3, where Bessel functions need a series.
    for squeeze in (1.0, 1.0, 0.2):
        place = squeeze * random_places(trap, 1)[0]
        recoil_at(beams, particles, work, place, found)
        expected = trap.momentum_diffusion(place).real
        assert np.abs(found - expected).max() < 1e-10 * np.abs(expected).max()


@pytest.mark.parametrize("gamma", [(0.0, 0.0), (3e5, 8e5)])
def test_kicks_have_the_exact_covariance_of_damped_momenta(make_mixed, gamma):
    # Duhamel's integral ∫e^{−γ_jt} N_jl e^{−γ_lt} dt of d v = −γ v dt + dW, by quadrature.
    trap = make_mixed(2)
    gamma, mass, dt = np.array(gamma), trap.masses, 2e-6
    recoil = np.ascontiguousarray(trap.momentum_diffusion(trap.foci).real)
    heat = 2.0 * mass * gamma * 4e-21
    noise = 2.0 * recoil + np.diag(np.repeat(heat, 3))
    weight = np.repeat(mass, 3)
    nodes, weights = np.polynomial.legendre.leggauss(20)
    times = 0.5 * dt * (1.0 + nodes)
    decay = np.exp(-np.repeat(gamma, 3)[:, None] * times)
    integral = np.einsum("it,jt,t->ij", decay, decay, 0.5 * dt * weights)
    expected = noise * integral / np.outer(weight, weight)
    root = np.zeros((6, 6))
    kick_root(recoil.copy(), heat, gamma, mass, dt, root)
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert np.abs((root @ root.T - expected) / scale).max() < 1e-12
    assert np.array_equal(root, np.tril(root))


def test_root_takes_semidefinite_matrices():
    a = (
        np.random.default_rng(3).standard_normal((5, 2))
        * np.array([1.0, 1e-6, 1.0, 0.0, 2.0])[:, None]
    )
    root = np.ones((5, 5))
    cholesky_root(a @ a.T, root)
    assert np.allclose(root @ root.T, a @ a.T, rtol=1e-9, atol=1e-15)


def test_beams_behind_an_objective_are_refused_and_the_gaussian_is_named(make_single):
    trap = make_single()
    beam = Tweezer.focused(AplanaticObjective(0.8), (0, 0, 0), 0.1, 1064e-9)
    focused = replace(trap, tweezers=(beam,))
    with pytest.raises(InputError, match=r"tweezer 1 is focused by an objective.*objective=None"):
        pack_beams(focused)
    assert pack_beams(replace(trap, tweezers=(replace(beam, objective=None),))).k == trap.k


def test_potential_needs_configurations_of_all_particles(make_mixed):
    with pytest.raises(InputError, match=r"shape \(m, 2, 3\), got \(2, 3\)"):
        potential_energy(make_mixed(2), np.zeros((2, 3)))
    assert math.isfinite(potential_energy(make_mixed(2), make_mixed(2).foci[None])[0, 0])
