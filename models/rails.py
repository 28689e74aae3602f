"""Whether an extreme code of a converter is a rail, for signals of a few codes.

Where the samples span many codes, a rail shows by its own count (``soundness.py``). Where they span
a few, an honest crest rests at the last code as well. So the wave is fitted piece by piece to the
samples below the extreme codes: at a rail it reaches beyond them, at an honest crest it ends there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

__all__ = ["beyond_rails"]

_PERIODS = 2.0  # of the wave in a piece
_LEAST_PIECE = 12
_QUANTISATION = 0.29  # rms of rounding, codes
_RIDGE = 1e-2


def beyond_rails(x: NDArray[Any], period: float | None) -> tuple[float, float]:
    """Samples that should lie beyond the smallest and largest code, over those that lie there.

    Parameters
    ----------
    x : ndarray, shape (n,)
        Integers, from the smallest to the largest code.
    period : float or None
        Of the line, samples; None if there is none, so that x is noise.

    Returns
    -------
    low, high : float
        Less than 0.1 for honest extremes that are often reached, 0.15 and more for a rail.
    """
    codes = np.asarray(x, np.float64)
    low, high = float(codes.min()), float(codes.max())
    inside = (codes > low) & (codes < high)
    if high - low < 2.0 or not inside.any():
        return 0.0, 0.0
    wave, spread = np.full(len(codes), float(codes[inside].mean())), float(codes.std())
    if period is not None:
        piece = max(_LEAST_PIECE, math.ceil(_PERIODS * period))
        wave, spread = _fitted(codes, inside, piece, period)
    spread = max(spread, _QUANTISATION)
    counts = [max(1, int(np.count_nonzero(codes == end))) for end in (low, high)]
    beneath = float(ndtr((low - 0.5 - wave) / spread).sum())
    above = float(ndtr((wave - high - 0.5) / spread).sum())
    return beneath / counts[0], above / counts[1]


def _fitted(
    x: NDArray[np.float64], inside: NDArray[np.bool_], piece: int, period: float
) -> tuple[NDArray[np.float64], float]:
    """Wave through the samples that are no extreme ones, and their scatter about it."""
    count = len(x) // piece
    rows = x[: count * piece].reshape(count, piece)
    weights = inside[: count * piece].reshape(count, piece).astype(np.float64)
    n = np.arange(piece)
    turn = 2.0 * math.pi * n / period
    mean = float(x[inside].mean())
    basis = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    normal = np.einsum("kn,ni,nj->kij", weights, basis, basis) + _RIDGE * np.eye(2)
    right = np.einsum("kn,ni->ki", weights * (rows - mean), basis)
    wave = np.linalg.solve(normal, right[..., None])[..., 0] @ basis.T + mean
    residual = weights * (rows - wave)
    freedom = max(1.0, weights.sum() - 2.0 * count)
    scatter = math.sqrt(float((residual**2).sum()) / freedom)
    full = np.full(len(x), mean)
    full[: count * piece] = wave.ravel()
    return full, scatter
