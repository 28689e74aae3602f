import math
from dataclasses import replace

import numpy as np
import pytest

from optobind.models.errors import InputError, NotTrappedError
from optobind.models.sphere import Sphere
from optobind.theory.collective.chains import (
    grid,
    level_lines,
    linear_chain,
    phase_gradient,
    ring,
    trap_array,
)
from optobind.theory.collective.network import CouplingNetwork

BALL = Sphere(7e-8)
K = 2 * math.pi / 1064e-9


def test_chain_has_equal_steps_of_place_and_phase():
    array = linear_chain(BALL, 4, 3e-6, phase_step=0.2, powers=(0.1, 0.11, 0.12, 0.13))
    assert np.allclose(np.diff(array.foci, axis=0), [(3e-6, 0, 0)] * 3)
    assert np.allclose([beam.phase for beam in array.tweezers], 0.2 * np.arange(4))
    assert [beam.power for beam in array.tweezers] == [0.1, 0.11, 0.12, 0.13]


def test_ring_is_a_regular_polygon_with_a_winding_phase():
    array = ring(BALL, 6, 2.5e-6, winding=2)
    sides = np.linalg.norm(array.foci - np.roll(array.foci, 1, axis=0), axis=1)
    assert np.allclose(sides, 2.5e-6)
    assert array.tweezers[1].phase == pytest.approx(2 * math.pi / 3)


@pytest.mark.parametrize("winding", [0, 2])
def test_circular_polarisation_makes_all_places_of_a_ring_equal(winding):
    network = CouplingNetwork.exact(ring(BALL, 6, 2.5e-6, winding=winding))
    first = network.g[0]
    for j in range(6):
        assert np.allclose(np.roll(network.g[j], -j), first, rtol=1e-9, atol=1e-9)
    assert np.ptp(network.lines) < 1e-9 * network.omega
    linear = CouplingNetwork.exact(ring(BALL, 6, 2.5e-6, polarizations=(0, 1)), "focus")
    assert np.ptp(np.diag(linear.g, 1)) > 0.3 * np.abs(linear.g).max()


def test_phase_that_winds_around_a_ring_makes_it_nonreciprocal():
    still, turning = (
        CouplingNetwork.exact(ring(BALL, 7, 2.5e-6, winding=w), "focus") for w in (0, 1)
    )
    assert np.allclose(still.g, still.g.T, rtol=1e-9, atol=1e-6 * np.abs(still.g).max())
    assert abs(turning.g[1, 0] - turning.g[0, 1]) > 0.1 * abs(turning.g[1, 0])


def test_grid_runs_along_y_first():
    array = grid(BALL, (2, 3), (3e-6, 2.5e-6), phase_steps=(0.5, 0.1))
    assert np.allclose(array.foci[1] - array.foci[0], (0, 2.5e-6, 0))
    assert np.allclose(array.foci[3] - array.foci[0], (3e-6, 0, 0))
    assert array.tweezers[4].phase == pytest.approx(0.6)


def test_neighbours_at_a_quarter_step_drive_one_way():
    # kd = 5.25π and a step of π/4: cos(kd + step) = 0, |cos(kd − step)| = 1.
    array = linear_chain(BALL, 6, 5.25 * math.pi / K, phase_step=0.25 * math.pi)
    forward = np.diag(CouplingNetwork.exact(array, "focus").g, -1)
    backward = np.diag(CouplingNetwork.exact(array, "focus").g, 1)
    assert np.abs(backward).max() < 0.1 * np.abs(forward).min()


def test_tilted_wave_front_is_a_phase_step():
    array = phase_gradient(linear_chain(BALL, 3, 3e-6, phase_step=0.1), (1e5, 0, 0))
    assert np.allclose([beam.phase for beam in array.tweezers], 0.4 * np.arange(3))
    with pytest.raises(InputError, match="three finite entries in rad/m"):
        phase_gradient(array, (1e5, 0))


def test_each_particle_may_have_its_own_values():
    places = [[0, 0, 0], [3e-6, 0, 1e-6], [0, 3e-6, 0]]
    array = trap_array(
        places,
        [Sphere(6e-8), BALL, Sphere(8e-8)],
        powers=[0.1, 0.15, 0.2],
        phases=[0, 1, 2],
        waists=[[7e-7, 8e-7], [8e-7, 8e-7], [9e-7, 9e-7]],
        polarizations=[[0, 1], [1, 0], [1, 1j]],
    )
    assert np.allclose(array.foci, places)
    assert array.tweezers[2].polarization == pytest.approx((0.5**0.5, 0.5**0.5 * 1j))
    assert array.tweezers[1].waist_x == 8e-7


@pytest.mark.parametrize("at", ["focus", "equilibrium"])
def test_trimmed_powers_level_all_lines(at):
    chain = linear_chain(BALL, 5, 2.9e-6, phase_step=0.3, powers=(0.16, 0.17, 0.18, 0.17, 0.15))
    before = CouplingNetwork.exact(chain, at)
    after = CouplingNetwork.exact(level_lines(chain, at), at)
    assert np.ptp(before.lines) > 0.02 * before.omega
    assert np.ptp(after.lines) < 1e-8 * after.omega
    assert after.lines.mean() == pytest.approx(before.lines.mean(), rel=1e-8)


def test_particle_that_is_not_held_is_named():
    spheres = [BALL, BALL, Sphere(2.6e-7), BALL]
    with pytest.raises(NotTrappedError, match=r"^particle 3 is not trapped: radius 2.6e-07 m"):
        linear_chain(spheres, 4, 4e-6).equilibrium()
    dark = linear_chain(BALL, 4, 4e-6, powers=(0.1, 0.1, 0.1, 0.0))
    with pytest.raises(NotTrappedError, match=r"^particle 4 is not trapped"):
        CouplingNetwork.exact(dark)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: linear_chain(BALL, 0, 3e-6), "at least 1, got 0"),
        (lambda: ring(BALL, 2, 3e-6), "at least 3, got 2"),
        (lambda: grid(BALL, (2, 0), 3e-6), "at least 1, got 0"),
        (lambda: linear_chain([BALL, BALL], 3, 3e-6), "1 or 3 spheres, got 2"),
        (lambda: linear_chain(BALL, 3, 3e-6, powers=(0.1, 0.2)), r"powers must have shape \(3,\)"),
        (lambda: linear_chain(BALL, 3, 3e-6, waists=(1, 2, 3)), "waists must have shape"),
        (lambda: linear_chain(BALL, 3, 1e-7), "particles 1 and 2 touch"),
        (lambda: trap_array([[0, 0]], BALL), r"positions must have shape \(n, 3\)"),
        (lambda: linear_chain(BALL, 3, 3e-6, powers=-1.0), "power must lie in 0 … 100 W"),
    ],
)
def test_impossible_layouts_are_refused(build, text):
    with pytest.raises(InputError, match=text):
        build()


def test_measured_lines_do_not_follow_the_power():
    chain = replace(linear_chain(BALL, 2, 3e-6), measured_omegas=(3e5, 3e5))
    with pytest.raises(InputError, match="do not follow the power"):
        level_lines(chain)
