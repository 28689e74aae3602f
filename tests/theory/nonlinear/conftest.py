"""Arrays shared by the tests of nonlinear trajectories."""

from __future__ import annotations

import numpy as np
import pytest

from optobind.models.array import TrapArray
from optobind.models.gas import Gas
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer

K = 2.0 * np.pi / 1064e-9


@pytest.fixture
def make_single():
    """Return a builder of one sphere in one beam."""

    def build(*, power=0.17, waists=(8e-7, 8e-7), pressure=None, temperature=293.0):
        gas = None if pressure is None else Gas(pressure, temperature)
        return TrapArray((Sphere(7e-8),), (Tweezer((0, 0, 0), power, *waists),), gas=gas)

    return build


@pytest.fixture
def make_pair():
    """Return a builder of a pair of 70 nm spheres separated along x."""

    def build(
        *,
        kd=18.0,
        phi=0.6,
        power=0.17,
        balance=0.0,
        waist=8e-7,
        radius=7e-8,
        pressure=None,
        temperature=293.0,
        detunings=(0.0, 0.0),
        charge=0.0,
    ):
        beams = (
            Tweezer(
                (0.0, 0.0, 0.0), power * (1 - balance), waist, waist, phi, detuning=detunings[0]
            ),
            Tweezer((kd / K, 0.0, 0.0), power * (1 + balance), waist, waist, detuning=detunings[1]),
        )
        gas = None if pressure is None else Gas(pressure, temperature)
        return TrapArray((Sphere(radius, charge=charge),) * 2, beams, gas=gas)

    return build


@pytest.fixture
def make_mixed():
    """Return a builder of 1 … 3 unlike spheres in unlike, tilted, astigmatic beams."""

    def build(
        count,
        *,
        polarization=(0, 1),
        charge=0.0,
        correction=False,
        detuning=0.0,
        directions=(1, 1, 1),
    ):
        spheres = (
            Sphere(8e-8, charge=charge),
            Sphere(1e-7, index=1.6, charge=2 * charge),
            Sphere(6e-8),
        )
        places = ((0, 0, 0), (1.9e-6, 4e-7, 2e-7), (3.7e-6, -3e-7, -1e-7))
        beams = tuple(
            Tweezer(place, 0.1 + 0.05 * j, 7e-7, 8e-7, 0.5 * j, polarization, j * detuning, way)
            for j, (place, way) in enumerate(zip(places, directions, strict=True))
        )
        return TrapArray(spheres[:count], beams[:count], radiative_correction=correction)

    return build
