"""The CSD matrix of 4 int16 channels, segments of 32k, against scipy.signal.csd over all pairs."""

from __future__ import annotations

import numpy as np
from scipy import signal

from bench.row import Row, paired
from optobind.acquisition.csd import CsdEstimator
from optobind.models.blocks import Block

CHANNELS, SEGMENT, SEGMENTS, RATE = 4, 32768, 64, 2e6
BLOCK = 40_000


def rows() -> list[Row]:
    """CPU time of scipy over ours; the estimates are compared first."""
    rng = np.random.default_rng(1)
    count = SEGMENT * SEGMENTS
    counts = rng.normal(0.0, 3000.0, (count, CHANNELS)).astype(np.int16)
    scale = np.full(CHANNELS, 1.0 / 32768.0)
    blocks = [
        Block(first, counts[first : first + BLOCK], scale) for first in range(0, count, BLOCK)
    ]

    def ours() -> np.ndarray:
        estimator = CsdEstimator(CHANNELS, SEGMENT, RATE)
        for block in blocks:
            estimator.add(block)
        return estimator.estimate().matrix

    def peer() -> np.ndarray:
        volts = counts * scale
        matrix = np.empty((SEGMENT // 2 + 1, CHANNELS, CHANNELS), complex)
        for j in range(CHANNELS):
            for k in range(j, CHANNELS):
                _, cross = signal.csd(
                    volts[:, j], volts[:, k], fs=RATE, window="hann", nperseg=SEGMENT,
                    noverlap=SEGMENT // 2, detrend=False,
                )  # fmt: skip
                matrix[:, j, k], matrix[:, k, j] = np.conj(cross), cross
        return matrix

    mine, theirs = ours(), peer()
    level = np.sqrt(np.einsum("fjj,fkk->fjk", theirs.real, theirs.real))
    worst = float(np.max(np.abs(mine - theirs)[1:-1] / level[1:-1]))
    if worst > 1e-4:
        raise SystemExit(f"bench: the estimates differ by {worst:.1e}")
    own, other, ratio = paired(ours, peer, 5)
    speed = count * CHANNELS / own / 1e6
    detail = f"{speed:.0f} MS/CPU-s; {own:.3f} s against {other:.3f} s; difference {worst:.0e}"
    return [Row("CSD matrix, 4 ch × 32k, against scipy.signal.csd", ratio, 10.0, detail)]
