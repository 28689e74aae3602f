"""The simulated pair, as the virtual laboratory runs it, against its random numbers and numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from bench.row import Row, cpu_seconds, paired
from optobind.config.build import build_rig
from optobind.config.load import read_rig
from optobind.models.rng import new_stream, next_normal

SAMPLES, LOOP_STEPS = 1_000_000, 40_000


@njit(cache=True, nogil=True)
def rng_bound(steps: int, stream: Any) -> float:
    """Draw and add up 4 ``steps`` deviates: what draws as many cannot be faster."""
    s0, s1, s2, s3 = stream[0], stream[1], stream[2], stream[3]
    first = second = third = fourth = 0.0
    for _ in range(steps):
        a, s0, s1, s2, s3 = next_normal(s0, s1, s2, s3)
        b, s0, s1, s2, s3 = next_normal(s0, s1, s2, s3)
        c, s0, s1, s2, s3 = next_normal(s0, s1, s2, s3)
        d, s0, s1, s2, s3 = next_normal(s0, s1, s2, s3)
        first += a
        second += b
        third += c
        fourth += d
    stream[0], stream[1], stream[2], stream[3] = s0, s1, s2, s3
    return first + second + third + fourth


def numpy_loop(step: Any, root: Any, response: Any) -> None:
    """Step a bare pair and look at it: without filters, feedback, limits and ADC."""
    rng = np.random.default_rng(1)
    x, seen = np.zeros(4), np.empty((LOOP_STEPS, 2))
    for k in range(LOOP_STEPS):
        seen[k] = response @ x + rng.standard_normal(2)
        x = step @ x + root @ rng.standard_normal(4)


def rows() -> list[Row]:
    """Share of the RNG bound, and the ratio to a numpy loop that does less."""
    world: Any = build_rig(read_rig("simulated-pair", ["simulation.clock=fast"])).world
    detectors = len(world.settings.detectors)
    counts = np.empty((SAMPLES, detectors), np.int16)
    stream = new_stream(np.random.SeedSequence(1))
    step, covariance = world.pair.to_linear().discretise(1.0 / world.settings.sample_rate)
    root = np.linalg.cholesky(covariance)

    def ours() -> None:
        world.advance(counts)

    def bound() -> None:
        rng_bound((4 + detectors) * SAMPLES // 4, stream)

    own, least, share = paired(ours, bound, 9)
    per_loop = cpu_seconds(lambda: numpy_loop(step, root, np.eye(2, 4))) / LOOP_STEPS
    detail = f"{SAMPLES / own / 1e6:.0f} Msamples/s; bound {SAMPLES / least / 1e6:.0f} Msamples/s"
    return [
        Row(
            "simulated pair as in the laboratory, share of the RNG bound",
            share,
            0.15,
            detail,
        ),
        Row("simulated pair against a numpy loop", per_loop / (own / SAMPLES), 50.0, detail),
    ]
