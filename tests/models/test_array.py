import math
from dataclasses import replace

import numpy as np
import pytest

from optobind.models.array import TrapArray
from optobind.models.errors import InputError, NotTrappedError
from optobind.models.light import Site, TweezerState
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer


def test_equilibrium_matches_the_reference(case):
    reference, array = case
    places = array.equilibrium()
    assert np.abs(places - reference["equilibrium"]["positions"]).max() < 1e-14
    assert np.abs(array.forces(places)).max() < 1e-9 * np.abs(array.forces(array.foci)).max()


@pytest.mark.parametrize("at", ["focus", "equilibrium"])
def test_stiffness_matches_the_reference(case, at):
    reference, array = case
    expected = np.array(reference[at]["stiffness_xyz_xyz"])
    found = array.stiffness(array.positions(at))
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_stiffness_without_binding_has_no_blocks_between_particles(silica_pair):
    alone = silica_pair.stiffness(silica_pair.foci, binding=False)
    assert not alone[:3, 3:].any()
    assert (
        np.sqrt(alone[2, 2] / silica_pair.masses[0])
        == silica_pair.axial_omegas(silica_pair.foci)[0]
    )


def test_particles_rest_behind_their_foci_and_the_local_phase_differs(silica_pair):
    pair = silica_pair.pair_constants()
    assert np.all(pair.positions[:, 2] > 0.6e-6)
    assert pair.phi == pytest.approx(0.7)
    assert pair.phi_local == pytest.approx(0.47, abs=0.005)


def test_light_against_z_pushes_the_particle_towards_minus_z():
    beams = [Tweezer((0, 0, 0), 0.2, 7.5e-7, 7.5e-7, direction=s) for s in (1, -1)]
    forward, backward = (TrapArray((Sphere(1e-7),), (beam,)).equilibrium() for beam in beams)
    assert np.allclose(forward, -backward, rtol=1e-12, atol=1e-18)
    assert forward[0, 2] > 0


def test_a_sphere_too_large_for_its_beam_is_not_trapped_and_is_named():
    beams = (Tweezer((0, 0, 0), 0.2, 9e-7, 9e-7), Tweezer((4e-6, 0, 0), 0.2, 9e-7, 9e-7))
    array = TrapArray((Sphere(6e-8), Sphere(2.5e-7)), beams)
    with pytest.raises(
        NotTrappedError, match=r"^particle 2 is not trapped: radius 2.5e-07 m.* W, .*at any power"
    ):
        array.equilibrium()


def test_a_beam_without_power_traps_nothing():
    beams = (Tweezer((0, 0, 0), 0.0, 9e-7, 9e-7), Tweezer((4e-6, 0, 0), 0.2, 9e-7, 9e-7))
    with pytest.raises(NotTrappedError, match=r"particle 1 is not trapped.*power 0 W"):
        TrapArray((Sphere(6e-8), Sphere(6e-8)), beams).equilibrium()


def test_a_strong_neighbour_can_steal_a_particle(make_pair):
    array = make_pair(powers=(0.001, 5.0), kd=6.5, waist=8e-7)
    with pytest.raises(NotTrappedError, match="particle 1"):
        array.equilibrium()


def test_a_marginal_pair_is_followed_from_weak_to_full_binding():
    # Newton's method from the single equilibria alone lands where light repels particle 1.
    spheres = (Sphere(9.2713e-8), Sphere(8.0369e-8))
    beams = (
        Tweezer((0, 0, 0), 0.498545, 1.015461e-6, 9.84713e-7, 2.429842, (-0.66265, 0.748929)),
        Tweezer((3.625861e-6, 0, 0), 0.331402, 1.015461e-6, 1.012051e-6, 4.120428, (-0.725, 0.689)),
    )
    array = TrapArray(spheres, beams)
    places = array.equilibrium()
    assert np.abs(array.forces(places)).max() < 1e-9 * np.abs(array.forces(array.foci)).max()
    assert array.axial_omegas(places).min() > 0


def test_one_particle_is_an_array_too():
    beam = Tweezer((1e-6, 2e-6, -3e-6), 0.17, 7e-7, 8e-7)
    array = TrapArray((Sphere(7e-8),), (beam,))
    model = array.linearize("equilibrium", "xyz")
    assert model.states == 6
    assert np.allclose(array.equilibrium()[0, :2], (1e-6, 2e-6), rtol=1e-9)
    with pytest.raises(InputError, match="two of the particles"):
        array.pair_constants()


def test_huge_charges_push_a_particle_out(make_pair):
    array = make_pair(charges=(4e-15, 4e-15), kd=12.0)
    with pytest.raises(NotTrappedError, match="particle"):
        array.equilibrium()


def test_a_hundred_particles_find_their_equilibrium():
    rng = np.random.default_rng(1)
    sphere = Sphere(7e-8)
    beams = tuple(
        Tweezer((3e-6 * i, 3e-6 * j, 0), 0.17, 7e-7, 8e-7, rng.uniform(0, 6))
        for i in range(10)
        for j in range(10)
    )
    array = TrapArray((sphere,) * 100, beams)
    places = array.equilibrium()
    assert np.abs(array.forces(places)).max() < 1e-9 * np.abs(array.forces(array.foci)).max()
    assert array.linearize().states == 200


def _state(**changes):
    sites = (Site((0, 0, 0), 0.2, 0.7), Site((3e-6, 0, 0), 0.2, 0.0))
    return TweezerState(sites).with_site(0, **changes) if changes else TweezerState(sites)


def test_array_from_a_state_is_the_array_of_its_tweezers(silica_pair):
    array = TrapArray.from_state(silica_pair.spheres, _state(), (7.5e-7, 7.5e-7))
    assert array == silica_pair


def test_new_light_keeps_waists_and_polarisation(silica_pair):
    array = silica_pair.with_light(_state(phase=1.4, power=0.25))
    assert array.tweezers[0].phase == 1.4
    assert array.tweezers[0].power == 0.25
    assert array.tweezers[0].waist_x == 7.5e-7


def test_frozen_light_turns_with_the_beat(silica_pair):
    # φ(t) = φ_0 + 2π(ν_2 − ν_1)t: the first site is 1 kHz higher, so φ falls.
    array = silica_pair.with_light(_state(detuning=1e3), time=1e-4)
    assert array.pair_constants("focus").phi == pytest.approx(0.7 - 2 * math.pi * 0.1)


def test_slow_beats_are_refused(silica_pair):
    with pytest.raises(InputError, match=r"tweezers differ by 1000 Hz.*freeze the light"):
        silica_pair.with_light(_state(detuning=1e3))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"wavelength": -1e-6}, "wavelength must lie in 2e-07 … 2e-05 m"),
        ({"measured_omegas": (1e5,)}, "measured_omegas needs 2 values"),
        ({"measured_omegas": (1e5, -1e5)}, "measured_omegas must lie in .* rad/s"),
        ({"spheres": (Sphere(1e-7),)}, "one tweezer per sphere, got 1 spheres and 2"),
        ({"spheres": (Sphere(2e-6), Sphere(2e-6))}, "particles 1 and 2 touch"),
    ],
)
def test_impossible_arrays_are_refused(silica_pair, change, text):
    values = {"spheres": silica_pair.spheres, "tweezers": silica_pair.tweezers, **change}
    with pytest.raises(InputError, match=text):
        TrapArray(**values)


def test_unknown_places_are_refused(silica_pair):
    with pytest.raises(InputError, match="'equilibrium', 'focus' or positions, got 'centre'"):
        silica_pair.pair_constants("centre")
    with pytest.raises(InputError, match="2 positions are needed, got 1"):
        silica_pair.forces([[0, 0, 0]])
    with pytest.raises(InputError, match="shape"):
        silica_pair.forces([0, 0, 0])


def test_doubts_name_the_dipole_and_the_tight_beam(silica_pair, make_pair):
    assert "particle 1: kR = 0.62" in silica_pair.doubts()[0]
    assert make_pair().doubts() == ()
    assert "paraxial" in make_pair(waist=4e-7).doubts()[0]


def test_doubts_name_light_of_several_frequencies(make_pair):
    pair = make_pair()
    shifted = replace(pair.tweezers[1], detuning=80e6)
    doubts = replace(pair, tweezers=(pair.tweezers[0], shifted)).doubts()
    assert "the tweezers have 2 optical frequencies" in doubts[0]


def test_doubts_name_shallow_traps_and_close_neighbours(make_pair):
    assert "kT deep" in make_pair(powers=(1e-3, 0.1), radii=(4e-8, 4e-8)).doubts()[0]
    close = make_pair(kd=2.0, radii=(1.2e-7, 1.2e-7)).doubts()
    assert "particles 1 and 2: a neighbour's light is" in close[-1]


def test_the_particle_whose_trap_is_weak_is_the_one_that_is_named(make_pair):
    for powers, number in (((1e-6, 0.17), 1), ((0.17, 1e-6), 2)):
        with pytest.raises(NotTrappedError, match=f"particle {number} "):
            make_pair(powers=powers, kd=12.0).equilibrium()
