"""Exact pair stepping against a numpy loop and against the bound set by its random numbers."""

from __future__ import annotations

import numpy as np

from bench.row import Row, cpu_seconds, paired
from optobind.instruments.simulated.stepping import rng_bound, step_pair
from optobind.models.pair import PairConstants
from optobind.models.rng import new_stream

STEPS, LOOP_STEPS = 2_000_000, 40_000


def rows() -> list[Row]:
    """Share of the RNG bound, and the ratio to a numpy loop."""
    pair = PairConstants.far_field(
        omega=3.8e5, kd=17.7, phi=0.6, G=3.3e5, D11=5.7e4, D22=5.0e4, gamma=(6e3, 6e3)
    )
    step, covariance = pair.to_linear().discretise(1e-6)
    root = np.linalg.cholesky(covariance)
    stream = new_stream(np.random.SeedSequence(1))
    positions, state = np.empty((STEPS, 2)), np.zeros(4)

    def ours() -> None:
        step_pair(positions, state, step, root, stream)

    def bound() -> None:
        rng_bound(STEPS, stream)

    def loop() -> None:
        rng = np.random.default_rng(1)
        x = np.zeros(4)
        for k in range(LOOP_STEPS):
            positions[k] = x[0], x[2]
            x = step @ x + root @ rng.standard_normal(4)

    own, least, share = paired(ours, bound, 9)
    per_loop = cpu_seconds(loop) / LOOP_STEPS
    detail = f"{STEPS / own / 1e6:.0f} Msteps/s; bound {STEPS / least / 1e6:.0f} Msteps/s"
    return [
        Row("pair stepping, share of the RNG bound", share, 0.6, detail),
        Row("pair stepping against a numpy loop", per_loop / (own / STEPS), 50.0, detail),
    ]
