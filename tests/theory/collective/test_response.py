import math

import numpy as np
import pytest

from optobind.models.errors import InputError
from optobind.models.gas import Gas
from optobind.models.linear import LinearModel
from optobind.models.sphere import Sphere
from optobind.theory.collective.chains import linear_chain
from optobind.theory.collective.network import CouplingNetwork
from optobind.theory.collective.response import (
    critical_damping,
    end_to_end,
    stability_margin,
    transfer_function,
)
from optobind.theory.collective.skin import amplification_per_site

OMEGA = 2 * math.pi * 50e3
FREQUENCIES = np.linspace(48e3, 52e3, 41)


def _neighbours(count, forward, backward, gamma):
    """A uniform nearest-neighbour chain with level lines at ω."""
    g = forward * np.eye(count, k=-1) + backward * np.eye(count, k=1)
    return CouplingNetwork(
        np.full(count, OMEGA), g, np.zeros(count), np.eye(count), np.full(count, gamma)
    )


def test_transfer_function_is_the_entry_of_the_inverse():
    array = linear_chain(Sphere(7e-8), 3, 2.9e-6, phase_step=0.4, gas=Gas(100.0))
    model = array.linearize("equilibrium", "xyz")
    whole = model.transfer(FREQUENCIES)
    for target, source, number, name in ((2, 0, 2, "z"), (0, 1, 0, "x")):
        found = transfer_function(
            model, FREQUENCIES, target=target, source=source, axes="xyz", axis=name
        )
        expected = whole[:, 6 * target + 2 * number, 6 * source + 2 * number + 1]
        assert np.abs(found - expected).max() < 1e-10 * np.abs(expected).max()


def test_response_is_what_a_driven_chain_settles_to():
    # The slow route: integrate the driven equations until the transient is gone.
    model = _neighbours(3, 3e3, 1e3, 2e4).to_linear()
    f = 50.7e3
    step, _ = model.discretise(1 / f / 40)
    state, drive = np.zeros(6, dtype=complex), np.zeros(6, dtype=complex)
    drive[1] = 1.0
    particular = np.linalg.solve(2j * np.pi * f * np.eye(6) - model.drift, drive)
    state = -particular  # at rest at t = 0
    for _ in range(40 * 200):
        state = step @ state
    settled = state + particular
    found = transfer_function(model, [f], target=2, source=0)[0]
    assert settled[4] == pytest.approx(found, rel=1e-6)


@pytest.mark.parametrize("ratio", [1.0, 1.7, 6.0])
def test_direction_ratio_of_neighbours_is_the_ratio_to_the_number_of_steps(ratio):
    model = _neighbours(7, 900.0 * ratio, 900.0, 4e3).to_linear()
    found = end_to_end(model, FREQUENCIES)
    assert found.direction_db == pytest.approx(np.full(41, 6 * 20 * math.log10(ratio)), abs=1e-6)


@pytest.mark.parametrize("detuning", [0.0, 1500.0])
@pytest.mark.parametrize(("forward", "backward"), [(3e3, 5e2), (2e3, 1.9e3), (-3e3, -8e2)])
def test_amplification_per_site_is_the_growth_of_the_response_with_length(
    forward, backward, detuning
):
    gamma = 2.5e3
    ends = []
    for count in (40, 41):
        g = forward * np.eye(count, k=-1) + backward * np.eye(count, k=1)
        matrix = (detuning + 0.5j * gamma) * np.eye(count) + g
        ends.append(abs(np.linalg.inv(matrix)[-1, 0]))
    expected = amplification_per_site(forward, backward, gamma, detuning)
    # Both roots of the recursion still count after 40 sites where the band is little damped.
    assert ends[1] / ends[0] == pytest.approx(expected, rel=0.05 if detuning else 0.02)


def test_full_dynamics_amplify_as_the_rotating_wave_says():
    gains = [
        end_to_end(_neighbours(n, 3e3, 3e2, 2e3).to_linear(), [OMEGA / (2 * math.pi)])
        for n in (20, 24)
    ]
    per_site = (gains[1].forward_db - gains[0].forward_db) / 4
    expected = 20 * math.log10(amplification_per_site(3e3, 3e2, 2e3))
    assert per_site == pytest.approx(expected, abs=0.05)
    assert expected > 0


def test_reference_of_an_amplification_is_the_driven_particle_alone():
    lone = _neighbours(1, 0, 0, 800.0).to_linear()
    f = np.linspace(49e3, 51e3, 20001)
    alone = np.abs(transfer_function(lone, f, target=0, source=0)).max()
    found = end_to_end(_neighbours(4, 700.0, 100.0, 800.0).to_linear(), f)
    assert found.alone == pytest.approx((alone, alone), rel=1e-6)
    best, gain = found.peak
    assert gain == found.forward_db.max()
    assert 49e3 < best < 51e3


def test_one_way_chain_sends_nothing_back():
    found = end_to_end(_neighbours(5, 2e3, 0.0, 1e3).to_linear(), FREQUENCIES)
    assert found.backward_db.max() < -150
    assert found.peak[1] > 40
    assert np.isfinite(found.direction_db).all()


def _pair(twist):
    """Two oscillators with |g_a| > g_r = 0 at equal lines: growth at g_a."""
    return _neighbours(2, twist, -twist, 0.0)


def test_critical_damping_is_where_growth_stops():
    for network in (
        _pair(2e3),
        CouplingNetwork.chain(6, omega=OMEGA, kd=16.5, G=4e4, phase_step=0.8),
    ):
        threshold = critical_damping(network.to_linear())
        assert threshold > 0
        assert stability_margin(network.damped(1.001 * threshold).to_linear()) > 0
        assert stability_margin(network.damped(0.999 * threshold).to_linear()) < 0
        slow = 2 * np.linalg.eigvals(network.dynamical_matrix()).imag.max()
        assert threshold == pytest.approx(slow, rel=0.1)
    assert critical_damping(_pair(2e3).to_linear()) == pytest.approx(4e3, rel=1e-3)


def test_reciprocal_chains_never_grow_and_static_repulsion_always_does():
    assert critical_damping(_neighbours(5, 1e3, 1e3, 0.0).to_linear()) == 0.0
    repelled = LinearModel(np.array([[0.0, 10.0], [10.0, 0.0]]), np.zeros((2, 2)), np.eye(2))
    assert critical_damping(repelled) == math.inf


def test_what_cannot_be_driven_is_named():
    model = _neighbours(2, 1e3, 1e3, 0.0).to_linear()
    with pytest.raises(InputError, match="give the array a gas"):
        end_to_end(model, FREQUENCIES)
    with pytest.raises(InputError, match="particles 0 … 1, got 2"):
        transfer_function(model, FREQUENCIES, target=2, source=0)
    with pytest.raises(InputError, match="axis must be one of 'z'"):
        transfer_function(model, FREQUENCIES, target=0, source=0, axis="x")
    with pytest.raises(InputError, match=r"4 states are no \(q, p\)"):
        transfer_function(model, FREQUENCIES, target=0, source=0, axes="xyz")
    odd = LinearModel(np.zeros((3, 3)), np.zeros((3, 3)), np.eye(3))
    with pytest.raises(InputError, match="pairs"):
        critical_damping(odd)
