"""A simulated table that drifts: releases at φ and φ + π, mixed, skewed, with φ that walks.

Samples are exact: the pair is propagated from the moment of channel 1 to that of channel 2 and on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optobind.models.inference.joint.law import PairLaw, PairSetting
from optobind.models.inference.matrices import model_pair
from optobind.models.inference.reheating.moments import initial_covariance

TRUTH = {
    "G": 1.6e5,
    "kd_0": 0.1,
    "phi_0": 0.3,
    "kappa": 0.95,
    "omega_0": 3.37e5,
    "balance_0": 0.01,
    "omega_slope": 0.5,
}
HEATING = 1.75e5
LAW = PairLaw(1.064e-6, 0.9, 0.1, 0.195)


def root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(np.maximum(values, 0.0))


@dataclass(frozen=True)
class Table:
    """What is wrong with it, and how it measures."""

    cross_talk: float = 0.05
    drift: float = 0.3
    skew: float = 125e-9
    efficiency: float = 0.3
    sample_rate: float = 5e5
    samples: int = 500
    law: PairLaw = LAW

    def values(self, setting: PairSetting, turn: float) -> tuple[dict[str, float], float]:
        """Parameters of a reheating fit, and √q to quanta of the bare ω."""
        law = self.law.foresee(TRUTH, [setting], turn)
        values = {n: float(getattr(law, n)[0]) for n in law._fields if n != "phi_local"}
        values |= {"D11": HEATING, "D22": HEATING, "gamma_1": 0.0, "gamma_2": 0.0}
        values |= {n: 1.0 / (4.0 * self.efficiency * HEATING) for n in ("noise_1", "noise_2")}
        values |= {"n1_0": 40.0, "n2_0": 40.0, "re_C0": 0.0, "im_C0": 0.0}
        lines = 0.5 * (values["omega_1"] + values["omega_2"])
        return values, math.sqrt((lines - values["g_r"]) / lines)

    def releases(
        self, setting: PairSetting, turn: float, count: int, rng: np.random.Generator
    ) -> NDArray[np.float64]:
        """Samples (count, n, 2) in quanta of ω."""
        values, scale = self.values(setting, turn)
        model = model_pair(values)
        pieces = [self.skew, 1.0 / self.sample_rate - self.skew]
        steps = [model.discretise(t) for t in pieces]
        kicks = [root(spread).T for _, spread in steps]
        state = rng.standard_normal((count, 4)) @ root(initial_covariance(values)).T
        mixing = np.array([[1.0, self.cross_talk], [self.cross_talk, 1.0]])
        seen = np.empty((count, self.samples, 2))
        for k in range(self.samples):
            for channel in (0, 1):
                seen[:, k, channel] = state[:, ::2] @ mixing[channel]
                state = state @ steps[channel][0].T
                state += rng.standard_normal((count, 4)) @ kicks[channel]
        sigma = math.sqrt(0.5 * self.sample_rate * values["noise_1"])
        return scale * (seen + sigma * rng.standard_normal(seen.shape) @ mixing.T)
