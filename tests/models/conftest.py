"""Reference values and builders shared by the tests of the physics."""

import json
from pathlib import Path

import numpy as np
import pytest

from optobind.models.array import TrapArray
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer

_DATA = Path(__file__).parents[1] / "data"
_CASES = json.loads((_DATA / "couplings.json").read_text(encoding="utf-8"))["cases"]


def _array(inputs):
    sphere = Sphere(inputs["radius"], inputs["density"], inputs["index"])
    places = ((0.0, 0.0, 0.0), (inputs["separation"], 0.0, 0.0))
    tweezers = tuple(
        Tweezer(
            place,
            power,
            inputs["waist_x"],
            inputs["waist_y"],
            phase,
            tuple(inputs["polarization"]),
        )
        for place, power, phase in zip(
            places, inputs["power"], (inputs["phase_1"], inputs["phase_2"]), strict=True
        )
    )
    return TrapArray((sphere, sphere), tweezers, inputs["wavelength"])


@pytest.fixture(params=_CASES, ids=[case["name"] for case in _CASES])
def case(request):
    """One reference case and the array that it describes."""
    return request.param, _array(request.param["inputs"])


@pytest.fixture
def silica_pair():
    """The 105 nm pair of the first reference case."""
    return _array(_CASES[0]["inputs"])


@pytest.fixture
def make_pair():
    """Return a builder of pairs separated along x, equal unless told otherwise."""

    def build(
        *,
        radii=(7e-8, 7e-8),
        powers=(0.17, 0.17),
        waist=8e-7,
        kd=18.0,
        phi=0.6,
        polarization=(0.0, 1.0),
        charges=(0.0, 0.0),
        **options,
    ):
        k = 2.0 * np.pi / 1064e-9
        spheres = tuple(Sphere(r, charge=q) for r, q in zip(radii, charges, strict=True))
        beams = (
            Tweezer((0.0, 0.0, 0.0), powers[0], waist, waist, phi, polarization),
            Tweezer((kd / k, 0.0, 0.0), powers[1], waist, waist, 0.0, polarization),
        )
        return TrapArray(spheres, beams, **options)

    return build


@pytest.fixture
def gaussian_pair():
    """Moments and spectra of one pair by an independent route."""
    return json.loads((_DATA / "gaussian_pair.json").read_text(encoding="utf-8"))


@pytest.fixture
def statements():
    """Statements with known numbers."""
    return json.loads((_DATA / "statements.json").read_text(encoding="utf-8"))


@pytest.fixture
def central_difference():
    """Return a four-point derivative of a function of an array, per entry, stacked in front."""

    def derivative(function, point, step):
        point = np.asarray(point, dtype=float)
        rows = []
        for index in np.ndindex(point.shape):
            shift = np.zeros_like(point)
            shift[index] = step
            near = np.asarray(function(point + shift)) - np.asarray(function(point - shift))
            far = np.asarray(function(point + 2 * shift)) - np.asarray(function(point - 2 * shift))
            rows.append((8.0 * near - far) / (12.0 * step))
        return np.array(rows).reshape(*point.shape, *np.shape(rows[0]))

    return derivative
