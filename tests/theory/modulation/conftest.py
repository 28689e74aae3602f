"""Builders shared by the tests of time-dependent light."""

import math

import numpy as np
import pytest

from optobind.models.array import TrapArray
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer
from optobind.theory.modulation.pair_model import far_field_model

OMEGA = 2 * math.pi * 50e3


@pytest.fixture
def omega():
    """A mechanical frequency, rad/s."""
    return OMEGA


@pytest.fixture
def far_pair():
    """Return a builder of far-field pairs; the coupling G/kd is given as a fraction of ω."""

    def build(phi, *, coupling=0.01, recoil=1.5, kd=6 * math.pi, damping=0.0, **options):
        rate = coupling * OMEGA
        values = {
            "omega": OMEGA,
            "kd": kd,
            "G": rate * kd,
            "D11": recoil * rate,
            "D22": recoil * rate,
            "gamma": (damping * rate, damping * rate),
            **options,
        }
        return far_field_model(phi=phi, **values)

    return build


@pytest.fixture
def trap_pair():
    """Return a builder of pairs of 70 nm spheres separated along x."""

    def build(*, kd=18.0, phi=0.6, balance=0.0, radii=(7e-8, 7e-8), detuning=0.0, **options):
        k = 2.0 * np.pi / 1064e-9
        beams = (
            Tweezer((0.0, 0.0, 0.0), 0.17 * (1 - balance), 8e-7, 8e-7, phi),
            Tweezer((kd / k, 0.0, 0.0), 0.17 * (1 + balance), 8e-7, 8e-7, detuning=detuning),
        )
        return TrapArray(tuple(Sphere(r) for r in radii), beams, **options)

    return build
