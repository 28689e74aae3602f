import math

import numpy as np
import pytest

from optobind.models.array import TrapArray
from optobind.models.array_phases import array_regimes, array_symmetry, symmetry_range
from optobind.models.errors import InputError, NotTrappedError
from optobind.models.gas import Gas
from optobind.models.light import Site, TweezerState
from optobind.models.phases import ideal_regimes
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer


def _pair(radius=7e-8, powers=(0.17, 0.18), distance=2.6e-6, pressure=None, **options):
    gas = None if pressure is None else Gas(pressure)
    beams = tuple(
        Tweezer((x, 0, 0), power, 8e-7, 8e-7, phase)
        for x, power, phase in zip((0.0, distance), powers, (0.4, 0.0), strict=True)
    )
    return TrapArray((Sphere(radius),) * 2, beams, gas=gas, **options)


def _state(array, **changes):
    sites = tuple(Site(t.position, t.power, t.phase) for t in array.tweezers)
    return array.with_light(TweezerState(sites).with_pair(**changes))


@pytest.mark.parametrize("at", ["equilibrium", "focus"])
def test_map_holds_the_couplings_of_each_setting(at):
    array = _pair(pressure=1.0)
    phi, separation = np.linspace(-3, 3, 4), np.linspace(2.4e-6, 3.2e-6, 3)
    found = array_regimes(array, phi, separation, at)
    assert np.allclose(found.regimes.kd, array.k * separation)
    for i, j in np.ndindex(4, 3):
        one = _state(array, phi=float(phi[i]), separation=float(separation[j]))
        pair = one.pair_constants(at).constants
        assert found.regimes.g_r[i, j] == pytest.approx(pair.g_r, rel=1e-6, abs=1e-3)
        assert found.regimes.g_a[i, j] == pytest.approx(pair.g_a, rel=1e-6, abs=1e-3)
        assert found.regimes.re_D12[i, j] == pytest.approx(pair.re_D12, rel=1e-6, abs=1e-3)
        assert found.D22[i, j] == pytest.approx(pair.D22, rel=1e-6)
        assert found.growth_rate[i, j] == pytest.approx(
            pair.to_linear().growth_rate, rel=1e-4, abs=1e-3
        )
        expected = pair.regime()
        assert {k: bool(v[i, j]) for k, v in found.regimes.flags.items()} == expected


def test_far_apart_at_the_foci_the_rig_has_the_regimes_of_the_letter():
    array = _pair(powers=(0.17, 0.17), distance=2e-4)
    half = 0.5 * array.wavelength
    phi, separation = np.linspace(-3, 3, 25), 2e-4 + np.linspace(0, 2 * half, 24)
    rig = array_regimes(array, phi, separation, "focus").regimes
    ideal = ideal_regimes(phi, array.k * separation)
    for name, flag in rig.flags.items():
        assert np.mean(flag != ideal.flags[name]) < 0.01


def test_symmetry_holds_frequencies_and_lines_of_each_setting():
    array = _pair(pressure=30.0)
    phi, balance = np.linspace(-1.2, 1.5, 4), np.linspace(-0.1, 0.1, 5)
    found = array_symmetry(array, phi, balance)
    for i, j in np.ndindex(4, 5):
        one = _state(array, phi=float(phi[i]), balance=float(balance[j]))
        pair = one.pair_constants().constants
        assert found.delta_omega[i, j] == pytest.approx(pair.delta_omega, rel=1e-5, abs=0.01)
        assert found.lines[i, j] == pytest.approx(pair.line_frequencies, rel=1e-9)
        first, second = pair.line_frequencies
        limit = pair.exceptional_line_splitting()
        broken = limit is not None and abs(second**2 - first**2) < limit
        assert found.broken[i, j] == broken
        assert found.unstable[i, j] == (pair.to_linear().growth_rate > 0)
        assert found.frequencies[i, j].imag.max() == pytest.approx(
            pair.to_linear().growth_rate, rel=1e-6, abs=1e-3
        )
    assert found.gamma == pytest.approx([array.gas.damping_rate(s) for s in array.spheres])


def test_range_shows_both_exceptional_points_and_the_set_point():
    array = _pair()
    (low, high), (least, most) = symmetry_range(array)
    assert high - low == pytest.approx(math.pi)
    assert low <= 0.4 <= high
    own = (0.18 - 0.17) / 0.35
    assert least < own < most
    found = array_symmetry(array, np.linspace(low, high, 9), np.linspace(least, most, 61))
    for row in (0, 8):
        points = found.exceptional_points(row)
        assert len(points) == 2
        middle = np.abs(found.g_a[row]).min()
        # The Letter's 2g_a ± 2√(g_a² − g_r²): the far one is near 4g_a where g_r vanishes.
        assert max(map(abs, points)) > 2.5 * middle
    assert found.exceptional_points(4) == []
    assert np.ptp(np.sign(found.g_a[:, 30])) == 2


def test_exceptional_points_between_grid_points_are_those_of_a_fine_grid():
    array = _pair()
    (_, high), limits = symmetry_range(array)
    coarse, fine = (
        array_symmetry(array, [high - 0.2], np.linspace(*limits, n)).exceptional_points(0)
        for n in (31, 601)
    )
    assert coarse == pytest.approx(fine, rel=0.03, abs=100.0)


def test_gas_moves_the_onset_of_growth_but_not_the_exceptional_points():
    still, damped = _pair(pressure=1e-6), _pair(pressure=150.0)
    (low, high), limits = symmetry_range(still)
    phi, balance = np.linspace(low, high, 15), np.linspace(*limits, 31)
    first, second = (array_symmetry(array, phi, balance) for array in (still, damped))
    assert np.array_equal(first.broken, second.broken)
    assert np.array_equal(first.unstable, first.broken)
    assert 0 < second.unstable.sum() < 0.9 * first.unstable.sum()
    # max|Im Ω| of the undamped pair against γ/2.
    expected = first.frequencies.imag.max(axis=-1) > 0.5 * second.gamma[0]
    assert np.mean(second.unstable != expected) < 0.01
    assert np.array_equal(second.onset < 0, second.unstable)


def test_measured_frequencies_follow_the_power_in_a_scan_of_the_balance():
    array = _pair(powers=(0.17, 0.17), measured_omegas=(3e5, 3.02e5))
    found = array_symmetry(array, [0.4], [0.0, 0.2])
    assert found.delta_omega[0, 0] == pytest.approx(2e3)
    ratio = math.sqrt(1.2), math.sqrt(0.8)
    assert found.delta_omega[0, 1] == pytest.approx(3.02e5 * ratio[0] - 3e5 * ratio[1])


def test_lost_particles_are_marked_and_counted_neither_broken_nor_growing():
    array = _pair(radius=8e-8, distance=1.4e-6)
    found = array_symmetry(array, [0.4, 2.0], [0.0, 0.95, 1.0])
    assert found.reason[:, 2].all()
    assert not found.valid[:, 2].any()
    assert not (found.broken | found.unstable | found.antireciprocal)[:, 2].any()
    assert np.isfinite(found.frequencies).all()
    assert np.isfinite(found.onset).all()
    touching = array_regimes(array, [0.0], [1e-7, 2.6e-6])
    assert touching.regimes.valid.tolist() == [[False, True]]
    assert np.isfinite(touching.growth_rate).all()


def test_only_pairs_that_are_held_have_phases():
    single = TrapArray((Sphere(7e-8),), (Tweezer((0, 0, 0), 0.1, 7e-7, 7e-7),))
    with pytest.raises(InputError, match="of a pair, the array has 1"):
        array_symmetry(single, [0.0], [0.0])
    with pytest.raises(InputError, match="of a pair, the array has 1"):
        array_regimes(single, [0.0], [1e-6])
    with pytest.raises(NotTrappedError, match="particle 1 is not trapped"):
        symmetry_range(_pair(radius=2.5e-7))
    with pytest.raises(InputError, match="no power balance brings the two lines together"):
        symmetry_range(_pair(measured_omegas=(1e5, 9e5)))
