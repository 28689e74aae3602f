import math

import numpy as np
import pytest

from optobind.models.constants import EPSILON_0
from optobind.models.errors import InputError
from optobind.models.sphere import Sphere


def test_mass_and_polarizability_match_the_reference(case):
    reference, array = case
    assert array.spheres[0].mass == pytest.approx(reference["mass"], rel=1e-9)
    assert array.spheres[0].polarizability == pytest.approx(reference["polarizability"], rel=1e-8)


def test_effective_polarizability_obeys_the_optical_theorem():
    sphere, k = Sphere(1.2e-7, index=1.9), 2 * math.pi / 1064e-9
    alpha = sphere.effective_polarizability(k)
    # Extinction equals scattering: Im α = k³|α|²/(6πε0).
    assert alpha.imag == pytest.approx(k**3 * abs(alpha) ** 2 / (6 * math.pi * EPSILON_0))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"radius": -1e-7}, "radius must lie in 1e-09 … 1e-05 m, got -1e-07 m"),
        ({"radius": math.nan}, "radius must lie in"),
        ({"radius": "x"}, "radius must be a number, got 'x'"),
        ({"density": 0.0}, "density must lie in 100 … 25000 kg/m³"),
        ({"index": 0.9}, "index must lie in 1.0001 … 5, got 0.9"),
        ({"charge": 1.0}, "charge must lie in .* C"),
    ],
)
def test_absurd_values_are_refused_with_range_and_unit(changes, text):
    with pytest.raises(InputError, match=text):
        Sphere(**{"radius": 7e-8, **changes})


def test_dipole_doubt_depends_on_kR():
    k = 2 * np.pi / 1064e-9
    size, doubt = Sphere(7e-8).dipole_doubt(k)
    assert size == pytest.approx(0.4134, abs=1e-4)
    assert doubt is None
    _, doubt = Sphere(1.05e-7).dipole_doubt(k)
    assert "kR = 0.62" in doubt
