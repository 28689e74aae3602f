import math
import time

import numpy as np
import pytest

from optobind.models.array import TrapArray
from optobind.models.errors import InputError, NotTrappedError
from optobind.models.families import pair_family
from optobind.models.family_coefficients import Reason
from optobind.models.gas import Gas
from optobind.models.pair import PairConstants
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer
from optobind.theory.collective.chains import chain_family, linear_chain
from optobind.theory.collective.maps import family_growth, growth_map, stability_map


def _pair(**options):
    spheres = (Sphere(7e-8, charge=3e-18), Sphere(8e-8, charge=-4e-18))
    beams = (
        Tweezer((0, 1e-7, 0), 0.15, 7e-7, 8e-7, 0.4, (0.3, 1.0)),
        Tweezer((2.6e-6, -2e-7, 2e-7), 0.2, 8e-7, 8e-7, 0.1, (0.1j, 1.0)),
    )
    return TrapArray(spheres, beams, gas=Gas(50.0), **options)


def test_longer_arrays_are_families_too():
    array = linear_chain(Sphere(7e-8), 4, 2.8e-6, gas=Gas(20.0))
    family = chain_family(
        array, phase_step=[0.2, 0.9], spacing=[2.5e-6, 3e-6], power=[0.2, 0.15], pressure=[1, 500]
    )
    growth, frequency, reason = family_growth(family, axes="xz")
    for index in range(2):
        member = family.member((index,))
        assert member.tweezers[3].phase == pytest.approx([0.6, 2.7][index])
        assert member.gas.pressure == [1, 500][index]
        eigenvalues = member.linearize("equilibrium", "xz").eigenvalues
        assert growth[index] == pytest.approx(eigenvalues.real.max(), rel=1e-6)
        assert np.abs(eigenvalues.imag - frequency[index]).min() < 1e-6 * frequency[index]
    assert not reason.any()


def test_settings_without_equilibrium_are_marked_where_the_array_raises():
    array = TrapArray(
        (Sphere(8e-8),) * 2,
        tuple(Tweezer((x, 0, 0), 0.2, 8e-7, 8e-7) for x in (0.0, 1.4e-6)),
        gas=Gas(10.0),
    )
    balance = np.array([-0.2, 0.0, 0.9, 0.99, 1.0])
    found = stability_map(
        array, balance=balance, separation=np.array([1.2e-7, 9e-7, 1.3e-6, 2.9e-6])
    )
    raised = np.zeros_like(found.reason)
    family = pair_family(array, balance=balance[:, None], separation=found.second[None, :])
    for index in np.ndindex(family.shape):
        try:
            family.member(index).equilibrium()
        except NotTrappedError:
            raised[index] = Reason.NOT_TRAPPED
        except InputError:
            raised[index] = Reason.IMPOSSIBLE
    assert np.array_equal(found.reason, raised)
    assert found.counts["impossible"] == 5
    assert found.counts["not_trapped"] > 3
    assert found.counts["held"] > 5
    assert np.isfinite(found.growth_rate).all()
    assert not found.growth_rate[~found.valid].any()
    assert found.masked.count() == found.counts["held"]


def test_growth_follows_the_exceptional_point_of_the_pair():
    array = TrapArray(
        (Sphere(7e-8),) * 2,
        tuple(Tweezer((x, 0, 0), 0.17, 8e-7, 8e-7) for x in (0.0, 2.9e-6)),
        gas=Gas(1e-4),
    )
    phi, balance = np.linspace(0.3, 2.8, 6), np.linspace(-0.1, 0.1, 7)
    found = stability_map(array, phi=phi, balance=balance, at="focus")
    family = pair_family(array, phi=phi[:, None], balance=balance[None, :])
    for index in np.ndindex(family.shape):
        pair = family.member(index).pair_constants("focus").constants
        lines = pair.line_frequencies
        limit = pair.exceptional_line_splitting()
        broken = limit is not None and abs(lines[1] ** 2 - lines[0] ** 2) < limit
        assert found.stable[index] != broken
    assert 0 < found.stable.sum() < found.stable.size


def test_pressure_can_be_an_axis_and_damps():
    array = _pair()
    found = stability_map(array, phi=[1.2, 1.6], pressure=[1e-3, 1e2, 1e4])
    assert found.units == ("rad", "Pa")
    assert np.all(np.diff(found.growth_rate, axis=1) < 0)


def test_anything_that_can_be_built_can_be_mapped():
    def pair(delta, g_a):
        if g_a > 500:
            raise NotTrappedError("particle 1 is gone")
        if delta > 900:
            raise InputError("no such light")
        return PairConstants(1e5, delta, 100.0, g_a, 1e3, 1e3, 0.0, gamma=(1.0, 1.0)).to_linear()

    found = growth_map(pair, [0.0, 600.0, 1e3], [50.0, 300.0, 600.0], names=("δω", "g_a"))
    assert found.reason.tolist() == [[0, 0, 1], [0, 0, 1], [2, 2, 1]]
    # 2g_a ± 2√(g_a² − g_r²) = 34 … 1166 at g_a = 300.
    assert found.stable.tolist() == [[True, True, False], [True, False, False], [False] * 3]
    chain = growth_map(
        lambda d, p: linear_chain(Sphere(7e-8), 3, d, powers=p, gas=Gas(1.0)), [3e-6], [0.1, 0.2]
    )
    assert chain.valid.all()
    assert chain.frequency[0, 1] > chain.frequency[0, 0]


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"phi": [0.0]}, "two parameters, got 1"),
        ({"phi": [0.0], "colour": [1.0]}, "unknown parameter 'colour'; known: balance"),
        ({"phi": [0.0], "spacing": [3e-6]}, "phi and spacing cannot be varied together"),
        ({"phi": [0.0], "separation": [-1e-6]}, "separation must be positive"),
        ({"phi": [0.0], "balance": [1.5]}, "balance must lie in -1 … 1, got 1.5"),
        ({"phi": [np.nan], "balance": [0.5]}, "phi must be finite numbers"),
        ({"phi": [[0.0]], "balance": [0.5]}, r"shape \(n,\); got shape \(1, 1\)"),
        ({"phi": ["a"], "balance": [0.5]}, "phi must be numbers"),
        ({"phi": [0.0], "total_power": [-0.1]}, "powers must lie in 0 … 100 W"),
        ({"phi": [0.0], "pressure": [-0.1]}, "pressure must lie in 0"),
        ({"spacing": [0.0], "power": [0.1]}, "spacing must be positive"),
    ],
)
def test_impossible_maps_are_refused(parameters, text):
    with pytest.raises(InputError, match=text):
        stability_map(_pair(), **parameters)


def test_one_particle_is_no_chain():
    single = TrapArray((Sphere(7e-8),), (Tweezer((0, 0, 0), 0.1, 7e-7, 7e-7),))
    with pytest.raises(InputError, match="needs two particles, the array has 1"):
        chain_family(single, power=[0.1])


@pytest.mark.slow
def test_a_map_of_3600_equilibria_takes_seconds():
    phi = np.linspace(-math.pi, math.pi, 60)
    begin = time.process_time()
    found = stability_map(_pair(), phi=phi, separation=np.linspace(2.4e-6, 3.4e-6, 60))
    assert time.process_time() - begin < 20.0
    assert found.valid.all()
