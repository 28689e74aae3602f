"""Half differences of records at φ and φ + π: free of cross-talk without any model of the pair.

Reversing the phase flips g_r, g_a and Re D_12 and leaves the detectors as they are (physics.md
§10). Half the difference is the physics, half the sum what the detectors add.

Where φ drifts by δ with standard deviation σ, what is sinusoidal in φ is f cos δ + f′ sin δ: its
mean is e^{−σ²/2} f (4 % less at 0.3 rad), and cos δ and sin δ have variances ½(1 − e^{−σ²})² and
½(1 − e^{−2σ²}). Differences are divided by the former and carry the latter in their errors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .law import PairSetting

__all__ = ["HalfDifference", "half_differences", "reversed_pairs"]

_Array = NDArray[np.float64]

FLIPPED = ("g_r", "g_a", "re_D12")
"""What a reversal of the phase flips."""

_SAME = 0.01  # rad, and a share of powers


@dataclass(frozen=True)
class HalfDifference:
    """One light and its reverse.

    Attributes
    ----------
    setting : PairSetting
        The light at the smaller |φ|.
    values, stderr : ndarray, shape (3,)
        Half differences of g_r, g_a, Re D_12 (rad/s) without drift, and their errors with it.
    even, even_stderr : ndarray, shape (3,)
        Half sums: what does not flip.
    covariance : ndarray, shape (3, 3)
        Of the half differences.
    cross_talk : float
        Symmetric mixing ε that the half sum of Re D_12 amounts to, ε(D_11 + D_22).
    cross_talk_stderr : float
        Its error.
    records : (int, int)
        Number of records at either phase.
    """

    setting: PairSetting
    values: NDArray[np.float64]
    stderr: NDArray[np.float64]
    even: NDArray[np.float64]
    even_stderr: NDArray[np.float64]
    covariance: NDArray[np.float64]
    cross_talk: float
    cross_talk_stderr: float
    records: tuple[int, int]


def reversed_pairs(settings: Sequence[PairSetting]) -> list[tuple[list[int], list[int]]]:
    """Records of each light and of its reverse, by number; lights without one are left out."""
    found: list[tuple[list[int], list[int]]] = []
    taken: set[int] = set()
    for i, one in enumerate(settings):
        if i in taken:
            continue
        same = [j for j, s in enumerate(settings) if _alike(one, s, 0.0)]
        other = [j for j, s in enumerate(settings) if _alike(one, s, math.pi)]
        taken |= {*same, *other}
        if other:
            near = abs(math.remainder(one.phi, math.tau)) <= 0.5 * math.pi + 1e-9
            found.append((same, other) if near else (other, same))
    return found


def _alike(one: PairSetting, two: PairSetting, turn: float) -> bool:
    """Whether two settings are one light but for a turn of φ."""
    apart = abs(math.remainder(two.phi - one.phi - turn, math.tau))
    powers = all(abs(p / q - 1.0) < _SAME for p, q in zip(one.powers, two.powers, strict=True))
    return apart < _SAME and abs(one.distance - two.distance) < 1e-9 and powers


def half_differences(
    settings: Sequence[PairSetting],
    estimates: Sequence[_Array],
    covariances: Sequence[_Array],
    heating: Sequence[float],
    groups: Sequence[int],
    slopes: Sequence[_Array],
    phase_drift: float = 0.0,
) -> list[HalfDifference]:
    """Half differences of all lights that were reversed.

    Parameters
    ----------
    settings : sequence of PairSetting
        Of n records.
    estimates, covariances : sequence of ndarray, shapes (3,) and (3, 3)
        g_r, g_a, Re D_12 of single fits.
    heating : sequence of float
        D_11 + D_22 of each record, rad/s.
    groups : sequence of int
        Records of one group share the drift of φ.
    slopes : sequence of ndarray, shape (3,)
        ∂(g_r, g_a, Re D_12)/∂φ at each record's light, 1/s.
    phase_drift : float
        Its standard deviation, rad.
    """
    found = []
    for plus, minus in reversed_pairs(settings):
        rows = [*plus, *minus]
        signs = np.array([1.0] * len(plus) + [-1.0] * len(minus))
        weights = 0.5 * np.array([1.0 / len(plus)] * len(plus) + [1.0 / len(minus)] * len(minus))
        data = np.array([estimates[i] for i in rows])
        difference = (weights * signs) @ data
        noise = sum(w * w * covariances[i] for w, i in zip(weights, rows, strict=True))
        weight = _drift_weight(weights, [groups[i] for i in rows])
        less = math.exp(-0.5 * phase_drift**2)
        difference = difference / less
        drift = _drift_spread(difference, slopes[plus[0]], phase_drift)
        covariance = (noise + weight * drift) / less**2
        even = weights @ data
        total = float(np.mean([heating[i] for i in rows]))
        spread = np.sqrt(np.diag(noise))
        found.append(
            HalfDifference(
                settings[plus[0]], difference, np.sqrt(np.diag(covariance)), even, spread,
                covariance, float(even[2]) / total, float(spread[2]) / total,
                (len(plus), len(minus)),
            )
        )  # fmt: skip
    return found


def _drift_spread(values: _Array, slope: _Array, sigma: float) -> _Array:
    """Covariance of f cos δ + f′ sin δ for one drift δ."""
    across = 0.5 * (1.0 - math.exp(-2.0 * sigma**2))
    along = 0.5 * (1.0 - math.exp(-(sigma**2))) ** 2
    return across * np.outer(slope, slope) + along * np.outer(values, values)


def _drift_weight(weights: _Array, groups: Sequence[int]) -> float:
    """Σ over groups of (Σ of weights)²: what of a drift is left in the difference."""
    sums: dict[int, float] = {}
    for weight, group in zip(weights.tolist(), groups, strict=True):
        sums[group] = sums.get(group, 0.0) + weight
    return sum(value * value for value in sums.values())
