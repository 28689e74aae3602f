"""What fits of single records see of a pair, through detectors that mix and have wrong gains.

y = Tz with T = [[gain_1, mix_12], [mix_21, gain_2]] maps the linear model onto itself up to
γ_1 − γ_2 (physics.md §10): the stiffness K → TKT⁻¹, the diffusion D → TDTᵀ. So a fit of one record
sees other lines, couplings and heating, and nothing tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..matrices import NAMES

__all__ = ["DETECTION", "SEEN", "Motion", "mixed"]

_Array = NDArray[np.float64]

DETECTION = NAMES["global"][7:]
"""Parameters of the detectors, shared by all records: T, the delay of channel 2, and what feedback
that sees both particles, or common noise, adds to Re D_12 of steady records: it does not flip."""

SEEN = ("omega_1", "omega_2", "g_r", "g_a", "D11", "D22", "re_D12", "delay_12")
"""Parameters of single fits that a global fit explains."""


class Motion(NamedTuple):
    """Pairs as they are, in the convention of fits: rad/s, shape (…, n) each."""

    omega_1: _Array
    omega_2: _Array
    g_r: _Array
    g_a: _Array
    D11: _Array
    D22: _Array
    re_D12: _Array


def mixed(motion: Motion, detection: Sequence[float | _Array]) -> _Array:
    """The same pairs as fits of mixed records find them.

    Parameters
    ----------
    motion : Motion
        n pairs.
    detection : sequence of float or ndarray
        mix_12, mix_21, gain_1, gain_2; arrays broadcast.

    Returns
    -------
    ndarray, shape (…, n, 7)
        Columns as the fields of :class:`Motion`.
    """
    m12, m21, one, two = detection
    w1, w2, g_r, g_a, d11, d22, d12 = motion
    mean = 0.5 * (w1 + w2)
    # K = [[ω̃_1², −2ω(g_r+g_a)], [−2ω(g_r−g_a), ω̃_2²]] → T K adj(T)/det T.
    up, down = -2.0 * mean * (g_r + g_a), -2.0 * mean * (g_r - g_a)
    a, b = one * w1**2 + m12 * down, one * up + m12 * w2**2
    c, d = m21 * w1**2 + two * down, m21 * up + two * w2**2
    det = one * two - m12 * m21
    k11, k12 = (a * two - b * m21) / det, (b * one - a * m12) / det
    k21, k22 = (c * two - d * m21) / det, (d * one - c * m12) / det
    s1, s2 = np.sqrt(np.maximum(k11, 0.0)), np.sqrt(np.maximum(k22, 0.0))
    own = 0.5 * (s1 + s2)
    plus, minus = -0.5 * k12 / own, -0.5 * k21 / own
    # Quanta are counted on the mean line that is seen.
    q = own / mean
    return np.stack(
        [
            s1,
            s2,
            0.5 * (plus + minus),
            0.5 * (plus - minus),
            q * (one * one * d11 + 2.0 * one * m12 * d12 + m12 * m12 * d22),
            q * (two * two * d22 + 2.0 * two * m21 * d12 + m21 * m21 * d11),
            q * (one * m21 * d11 + (one * two + m12 * m21) * d12 + m12 * two * d22),
        ],
        axis=-1,
    )
