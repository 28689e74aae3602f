"""Live tracking of a pair: samples a second of one core, against what a card brings.

The peer is a Kalman filter and smoother of one step at a time in numpy, as textbooks write it, with
the gains frozen as here.
"""

from __future__ import annotations

import numpy as np

from bench.exact import RATE, TRUTH
from bench.row import Row, paired
from optobind.models.inference.exact.goodness import InnovationSums
from optobind.models.inference.matrices import model_pair
from optobind.models.inference.tracking.dynamics import model_dynamics
from optobind.models.inference.tracking.steady import SteadyFilter, filter_of
from optobind.models.inference.tracking.tracker import Tracker
from optobind.models.simulation import simulate_model

SAMPLES, BLOCK, FEW = 1 << 19, 1 << 15, 1 << 13
STEADY = {**TRUTH, "gamma_1": 6e3, "gamma_2": 6e3}


def tracked(steady: SteadyFilter, data: np.ndarray) -> None:
    """Filtered and retrodicted states, and the whiteness of the innovations, in blocks."""
    tracker, sums = Tracker(steady), InnovationSums(2)
    for low in range(0, len(data), BLOCK):
        found = tracker.add(data[low : low + BLOCK])
        if found is not None:
            sums.add(found.innovations)
    tracker.end()


def textbook(steady: SteadyFilter, data: np.ndarray) -> None:
    """The same states, sample by sample."""
    flow, gain, c = steady.flow[-1], steady.gain[-1], steady.dynamics.space.output
    weight = steady.root[-1] @ steady.root[-1].T
    x, before, v = np.zeros(4), np.empty((len(data), 4)), np.empty((len(data), 2))
    for t, y in enumerate(data):
        before[t], v[t] = x, y - c @ x
        x = flow @ x + gain @ y
    later, out = np.zeros(4), np.empty_like(before)
    for t in range(len(data) - 1, -1, -1):
        later = c.T @ weight @ v[t] + flow.T @ later
        out[t] = before[t] + steady.before[-1] @ later


def rows() -> list[Row]:
    """Rate over that of a card of 2 MS/s, and over the textbook's."""
    model = model_pair(STEADY)
    steady = filter_of(model_dynamics(model, RATE, diffuse=1.0))
    data, _ = simulate_model(model, SAMPLES, RATE, np.random.default_rng(1))
    mine, theirs, ratio = paired(
        lambda: tracked(steady, data), lambda: textbook(steady, data[:FEW]), 3
    )
    rate = SAMPLES / mine
    return [
        Row("tracking a pair, over 2 MS/s of one core", rate / RATE, 1.0,
            f"{rate / 1e6:.1f} M two-channel samples/s, filtered, retrodicted and judged"),
        Row("tracking a pair against numpy, a sample", ratio * SAMPLES / FEW, 20.0,
            f"{mine / SAMPLES * 1e9:.0f} ns against {theirs / FEW * 1e9:.0f} ns"),
    ]  # fmt: skip
