"""Many settings of the light side by side are the arrays one by one."""

from dataclasses import replace

import numpy as np
import pytest

from optobind.models.array import TrapArray
from optobind.models.errors import InputError
from optobind.models.families import LightFamily, pair_family
from optobind.models.gas import Gas
from optobind.models.objective import AplanaticObjective
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer

FINE, LONG = np.linspace(-3, 3, 5), np.linspace(2.3e-6, 3.4e-6, 4)


def _pair(**options):
    spheres = (Sphere(7e-8, charge=3e-18), Sphere(8e-8, charge=-4e-18))
    beams = (
        Tweezer((0, 1e-7, 0), 0.15, 7e-7, 8e-7, 0.4, (0.3, 1.0)),
        Tweezer((2.6e-6, -2e-7, 2e-7), 0.2, 8e-7, 8e-7, 0.1, (0.1j, 1.0)),
    )
    return TrapArray(spheres, beams, gas=Gas(50.0), **options)


def _cases():
    pair = _pair()
    opposed = replace(pair, tweezers=(pair.tweezers[0], replace(pair.tweezers[1], direction=-1)))
    apart = replace(pair, tweezers=(pair.tweezers[0], replace(pair.tweezers[1], detuning=3e6)))
    return {
        "pair": pair,
        "corrected": _pair(radiative_correction=True),
        "measured": _pair(measured_omegas=(3.2e5, 3.4e5)),
        "triples": _pair(measured_omegas=((1e6, 9e5, 3e5), (1.1e6, 9e5, 3e5))),
        "counter-propagating": opposed,
        "two tones": apart,
    }


@pytest.mark.parametrize("at", ["equilibrium", "focus"])
@pytest.mark.parametrize("name", list(_cases()))
def test_settings_side_by_side_are_the_arrays_one_by_one(name, at):
    array = _cases()[name]
    family = pair_family(array, phi=FINE[:, None], separation=LONG[None, :])
    parts = family.coefficients(at)
    assert family.shape == (5, 4)
    assert not parts.reason.any()
    couplings = parts.spread(parts.held.couplings)
    for index in ((0, 0), (2, 3), (4, 1)):
        member = family.member(index)
        flat = np.ravel_multi_index(index, family.shape)
        model = member.linearize(at, "xyz")
        scale = np.abs(model.drift).max()
        assert np.abs(parts.held.drift("xyz")[flat] - model.drift).max() < 1e-12 * scale
        pair = member.pair_constants(at)
        assert couplings[index][0, 1] == pytest.approx(pair.constants.g_r + pair.constants.g_a)
        assert np.allclose(
            parts.held.rates[flat], pair.D, rtol=1e-9, atol=1e-9 * pair.constants.D11
        )
        assert np.allclose(parts.held.shifts[flat], pair.constants.shifts, rtol=1e-6)
        assert parts.held.thermal_occupation[flat] == pytest.approx(pair.constants.n_thermal[0])


def test_beam_of_a_setting_has_its_amplitude_to_the_last_digit():
    array = _pair()
    field = LightFamily.of(array).coefficients("focus")
    assert np.array_equal(field.held.stiffness[0].reshape(6, 6), array.stiffness(array.foci))


@pytest.mark.parametrize("name", list(_cases()))
def test_an_equilibrium_does_not_depend_on_who_is_looked_for_beside_it(name):
    family = pair_family(
        _cases()[name], phi=FINE[:, None], separation=np.array([1.2e-7, 1.1e-6, 2.6e-6])
    )
    parts = family.coefficients()
    assert 0 < parts.held.omegas.shape[0] < parts.reason.size
    placed = parts.spread(parts.positions)
    for index in np.argwhere(parts.reason == 0).tolist():
        alone = family.member(tuple(index)).equilibrium()
        assert np.abs(placed[tuple(index)] - alone).max() < 1e-18


def test_what_no_family_can_do_is_named():
    beam = Tweezer((0, 0, 0), 0.1, 7e-7, 7e-7)
    single = TrapArray((Sphere(7e-8),), (beam,))
    with pytest.raises(InputError, match="needs two particles, the array has 1"):
        pair_family(single, phi=[0.0])
    with pytest.raises(InputError, match="an array with a gas"):
        LightFamily.of(single, pressures=[1.0])
    with pytest.raises(InputError, match=r"powers must be finite, shape \(..., 1\)"):
        LightFamily.of(single, powers=[[0.1, 0.2]])
    with pytest.raises(InputError, match="do not broadcast"):
        LightFamily.of(single, powers=np.full((2, 1), 0.1), phases=np.zeros((3, 1)))
    with pytest.raises(InputError, match="'equilibrium' or 'focus', got 'moon'"):
        LightFamily.of(single).coefficients("moon")
    with pytest.raises(InputError, match="axes must be some of 'xyz'"):
        LightFamily.of(single).coefficients("focus").held.drift("q")
    lens = Tweezer.focused(AplanaticObjective(0.8), (0, 0, 0), 0.1, 1064e-9)
    with pytest.raises(InputError, match="need Gaussian beams"):
        LightFamily.of(TrapArray((Sphere(7e-8),), (lens,)))
