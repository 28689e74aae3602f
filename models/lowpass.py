"""The one-pole low-pass of a detector, per sample, and how it is taken off a record.

y_t = a y_{t−1} + (1 − a) x_t with a = e^{−2πf_c/f_s}: what goes in follows exactly from two
neighbouring samples. A record without its filter is again a position with white imprecision, as
long as what the digitizer adds behind the filter is small against what went through it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

__all__ = ["keep_of", "keeps_of", "response", "unfiltered"]

_Array = NDArray[np.float64]
# A corner this far below the sample rate would multiply what the digitizer adds by a thousand.
_LOWEST = 1e-4


def keep_of(corner: float, sample_rate: float) -> float:
    """Share a of a sample that the next one keeps."""
    return math.exp(-2.0 * math.pi * corner / sample_rate)


def keeps_of(corners: Sequence[float | None], sample_rate: float) -> _Array | None:
    """Shares a of some channels; 0 for a flat one, None where all are flat.

    Parameters
    ----------
    corners : sequence of float or None
        Hz.
    sample_rate : float
        Hz.

    Raises
    ------
    InputError
        If a corner is not positive, or below 1e-4 of the sample rate.
    """
    for corner in corners:
        if corner is not None and not (math.isfinite(corner) and corner >= _LOWEST * sample_rate):
            raise InputError(
                f"the corner of a low-pass must be finite and at least {_LOWEST * sample_rate:.4g} "
                f"Hz (1e-4 of the sample rate) to be taken off, got {corner!r} Hz"
            )
    keeps = np.array([0.0 if f is None else keep_of(f, sample_rate) for f in corners])
    return keeps if keeps.any() else None


def unfiltered(samples: NDArray[np.floating], keeps: _Array) -> _Array:
    """What went into the filters, from the second sample on: (…, n, c) → (…, n − 1, c)."""
    data = np.asarray(samples, dtype=np.float64)
    return np.asarray((data[..., 1:, :] - keeps * data[..., :-1, :]) / (1.0 - keeps))


def response(keeps: _Array, frequencies: _Array, sample_rate: float) -> NDArray[np.complex128]:
    """Transfer functions at frequencies in Hz, shape (f, c)."""
    turn = np.exp(-2j * np.pi * frequencies[:, None] / sample_rate)
    return np.asarray((1.0 - keeps) / (1.0 - keeps * turn))
