import math

import numpy as np
import pytest

from optobind.models.array import TrapArray
from optobind.models.errors import InputError
from optobind.models.gas import Gas
from optobind.models.pair import PairConstants
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer


def _compare(array, at, tolerance):
    """Far field against the exact couplings, in units of the largest rate."""
    exact, far = array.pair_constants(at), array.far_field(at)
    scale = abs(far.G) / far.kd
    assert far.g_r == pytest.approx(exact.constants.g_r, abs=tolerance * scale)
    assert far.g_a == pytest.approx(exact.constants.g_a, abs=tolerance * scale)
    assert abs(far.D[0, 1] - exact.D[0, 1]) < tolerance * scale
    assert np.diag(far.D).real == pytest.approx(np.diag(exact.D).real, rel=1e-9)
    return exact, far


@pytest.mark.parametrize("phi", [0.0, 0.9, -2.0])
def test_exact_couplings_tend_to_the_far_field_at_the_foci(make_pair, phi):
    errors = []
    for kd, tolerance in ((40.3, 0.1), (400.3, 0.01), (4000.3, 0.001)):
        exact, far = _compare(make_pair(kd=kd, phi=phi), "focus", tolerance)
        errors.append(abs(far.g_r - exact.constants.g_r) * kd / abs(far.G))
        # Only here is s_{1,2} = g_r ± g_a (Eq. (9)), and only up to the curvature of the focus:
        # ∂_z²E = −k²A²(1 + 1/(Akz_R)²)E there.
        array = make_pair()
        flat = array.tweezers[0].propagation_factor(array.k) * 0.5 * (array.k * 8e-7) ** 2
        assert exact.constants.shift_1 == pytest.approx(
            (1 + 1 / flat**2) * (far.g_r + far.g_a), abs=2 * tolerance * abs(far.G) / kd
        )
    assert errors[2] < 0.05 * errors[0]


def test_far_field_at_the_foci_is_equation_6(make_pair):
    array = make_pair(kd=900.2, phi=0.7)
    far = array.far_field("focus")
    letter = PairConstants.far_field(
        omega=3e5, kd=far.kd, phi=0.7, G=far.G, D11=far.D[0, 0].real, D22=far.D[1, 1].real
    )
    assert far.g_r == pytest.approx(letter.g_r, rel=1e-6)
    assert far.g_a == pytest.approx(letter.g_a, rel=1e-6)
    assert far.D[0, 1] == pytest.approx(letter.re_D12 + 1j * letter.g_a, rel=1e-6)


def test_far_field_off_focus_uses_the_local_slopes(make_pair):
    # 100 nm spheres rest far behind their foci: Λ is complex there, Eq. (6) alone is wrong.
    array = make_pair(radii=(1e-7, 9e-8), powers=(0.15, 0.2), kd=20000.4, phi=0.7)
    exact, far = _compare(array, "equilibrium", 3e-4)
    letter = far.G / far.kd * np.exp(1j * far.phi) * math.sin(far.kd)
    assert abs(letter - exact.D[0, 1]) > 0.005 * far.G / far.kd
    assert abs(far.slopes[0].imag) > 0.02
    assert far.phi != pytest.approx(0.7, abs=0.01)


def test_unequal_masses_share_one_G_and_split_the_shifts(make_pair):
    array = make_pair(radii=(6e-8, 9e-8), kd=2000.4, phi=0.7)
    exact, far = _compare(array, "focus", 0.003)
    ratio = math.sqrt(exact.masses[1] / exact.masses[0])
    assert exact.constants.shift_1 == pytest.approx(ratio * (far.g_r + far.g_a), rel=0.01)
    assert exact.constants.shift_2 == pytest.approx((far.g_r - far.g_a) / ratio, rel=0.01)


@pytest.mark.parametrize("polarization", [(0.6, 0.8), (0.6, 0.8j), (1, 0.2)])
def test_polarisation_enters_by_its_part_across_the_line(make_pair, polarization):
    array = make_pair(kd=2000.4, polarization=polarization)
    _, far = _compare(array, "focus", 0.02)
    upright = make_pair(kd=2000.4).far_field("focus")
    share = abs(array.tweezers[0].polarization[1]) ** 2
    assert far.G == pytest.approx(share * upright.G, rel=1e-6)


def test_radiative_correction_is_carried_into_the_far_field(make_pair):
    array = make_pair(radii=(1.2e-7, 1.2e-7), kd=2000.4, phi=0.7, radiative_correction=True)
    plain = make_pair(radii=(1.2e-7, 1.2e-7), kd=2000.4, phi=0.7).far_field("focus")
    _, far = _compare(array, "focus", 0.003)
    assert abs(far.g_r / plain.g_r - 1) > 0.01


def test_ratio_of_coupling_and_recoil_has_no_free_parameter(make_pair, statements):
    array = make_pair()
    far = array.far_field("focus")
    square = array.tweezers[0].propagation_factor(array.k) ** 2
    assert far.G / far.D[0, 0].real == pytest.approx(1.5 * square / (square + 0.4), rel=1e-4)
    assert statements["ratio"]["A1"] == pytest.approx(1.5 / 1.4)
    wide = make_pair(waist=2e-5, kd=4000.0).far_field("focus")
    assert wide.G / wide.D[0, 0].real == pytest.approx(statements["ratio"]["A1"], rel=1e-3)


def test_reference_propagation_factor(case):
    reference, array = case
    expected = reference["far_field_at_focus"]["A"]
    assert array.tweezers[0].propagation_factor(array.k) == pytest.approx(expected, rel=1e-9)


def test_counter_propagating_pair_turns_the_sign_of_the_couplings_only():
    k = 2 * math.pi / 1064e-9
    results = []
    for direction in (1, -1):
        beams = (
            Tweezer((0, 0, 0), 0.17, 8e-7, 8e-7, 0.6),
            Tweezer((900.2 / k, 0, 0), 0.17, 8e-7, 8e-7, direction=direction),
        )
        array = TrapArray((Sphere(7e-8),) * 2, beams, gas=Gas(1e-6))
        exact, far = _compare(array, "focus", 0.01)
        results.append((exact, far))
    (along, far_along), (against, far_against) = results
    assert far_against.G == pytest.approx(-far_along.G)
    scale = far_along.G / far_along.kd
    assert against.constants.g_r == pytest.approx(-along.constants.g_r, abs=0.01 * scale)
    assert against.constants.shift_1 == pytest.approx(along.constants.shift_1, rel=0.01)


def test_particles_behind_each_other_have_no_far_field_formula():
    beams = tuple(Tweezer((0, 0, z), 0.1, 8e-7, 8e-7) for z in (0, 8e-6))
    array = TrapArray((Sphere(7e-8),) * 2, beams)
    with pytest.raises(InputError, match="separation across the beams"):
        array.far_field("focus")
