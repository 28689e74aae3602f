"""Nonlinear stepping of a pair in 3D, gas and recoil on, against the same step in numpy."""

from __future__ import annotations

import math

import numpy as np

from bench.row import Row, paired
from optobind.models.array import TrapArray
from optobind.models.constants import BOLTZMANN
from optobind.models.gas import Gas
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer
from optobind.theory.nonlinear.settings import TrajectorySettings
from optobind.theory.nonlinear.simulate import simulate_full_field

STEPS, LOOP_STEPS = 400_000, 400


def rows() -> list[Row]:
    """Million steps per second (a step moves all six coordinates), and the ratio to numpy."""
    beams = (
        Tweezer((0.0, 0.0, 0.0), 0.17, 8e-7, 8e-7, 0.6),
        Tweezer((3.05e-6, 0.0, 0.0), 0.17, 8e-7, 8e-7),
    )
    trap = TrapArray((Sphere(7e-8), Sphere(7e-8)), beams, gas=Gas(1.0))
    dt = 1e-7
    settings = TrajectorySettings(dt=dt, sample_every=20)
    places = trap.equilibrium()

    def ours() -> None:
        simulate_full_field(trap, STEPS * dt, settings, seed=1)

    def loop() -> None:
        numpy_loop(trap, places, dt)

    own, plain, _ = paired(ours, loop, 3)
    per_step, per_loop = own / STEPS, plain / LOOP_STEPS
    detail = f"{per_step * 1e6:.2f} µs a step, numpy {per_loop * 1e6:.0f} µs"
    return [
        Row("nonlinear pair, million steps per second", 1e-6 / per_step, 0.5, detail),
        Row("nonlinear pair against a numpy loop", per_loop / per_step, 50.0, detail),
    ]


def numpy_loop(trap: TrapArray, places: np.ndarray, dt: float) -> np.ndarray:
    """The BAOAB step with ``TrapArray.forces`` and recoil frozen at the equilibrium."""
    rng = np.random.default_rng(1)
    mass = trap.masses[:, None]
    gamma = np.array([trap.gas.damping_rate(sphere) for sphere in trap.spheres])
    heat = np.repeat(2.0 * trap.masses * gamma * BOLTZMANN * trap.gas.temperature, 3)
    noise = 2.0 * trap.momentum_diffusion(places).real + np.diag(heat)
    weight = np.repeat(trap.masses, 3)
    root = np.linalg.cholesky(noise * dt / np.outer(weight, weight))
    keep = math.exp(-gamma[0] * dt)
    r, v = places.copy(), np.zeros_like(places)
    force = trap.forces(r)
    for _ in range(LOOP_STEPS):
        v = v + 0.5 * dt * force / mass
        r = r + 0.5 * dt * v
        v = keep * v + (root @ rng.standard_normal(6)).reshape(2, 3)
        r = r + 0.5 * dt * v
        force = trap.forces(r)
        v = v + 0.5 * dt * force / mass
    return r
