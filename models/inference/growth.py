"""How fast the energy of one line decays or grows, from a short stretch, steady or not.

A line that is demodulated at its frequency and averaged over steps of length h obeys
a_{k+1} = λ a_k + ξ_k, |λ| = e^{−Γh/2}, whether it decays (Γ > 0) or grows. Averages make ξ_k depend
on ξ_{k−1} and the imprecision adds to each a_k, so that λ comes from lags two and one,
λ = Σ a_{k+2} a_k* / Σ a_{k+1} a_k* (an instrumental variable), which neither biases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..ranges import require_range

__all__ = ["LineDamping", "line_damping", "line_frequency"]

_LEAST_STEPS = 12


@dataclass(frozen=True)
class LineDamping:
    """Energy damping of a line.

    Attributes
    ----------
    rate, stderr : float
        Γ and its standard error, 1/s; negative where it grows.
    frequency : float
        Of the line, Hz.
    energy : float
        ⟨z²⟩ of the last quarter, unit² of the samples.
    """

    rate: float
    stderr: float
    frequency: float
    energy: float


def line_frequency(samples: ArrayLike, sample_rate: float, low: float, high: float) -> float:
    """Frequency of the strongest line between two, Hz."""
    x = np.asarray(samples, dtype=np.float64)
    power = np.abs(np.fft.rfft(x * np.hanning(len(x)))) ** 2
    f = np.fft.rfftfreq(len(x), 1.0 / sample_rate)
    inside = np.flatnonzero((f >= low) & (f <= high))
    if not inside.size:
        raise InputError(f"no bin between {low:g} and {high:g} Hz: take more samples")
    # A broad line is ragged: the centre of gravity of what stands out.
    weights = power[inside]
    weights = np.where(weights > 0.1 * weights.max(), weights, 0.0)
    return float((f[inside] * weights).sum() / weights.sum())


def line_damping(
    samples: ArrayLike, sample_rate: float, frequency: float, step: float
) -> LineDamping:
    """Rate at which the energy of a line decays or grows.

    Parameters
    ----------
    samples : array_like, shape (n,)
        Of one detector.
    sample_rate : float
        Hz.
    frequency : float
        Of the line, within about 1/(4 step), Hz.
    step : float
        Time over which is averaged, s: short against 1/|Γ|, long against the distance to others.

    Returns
    -------
    LineDamping

    Raises
    ------
    InputError
        For fewer than 12 steps.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(100_000) / 1e6
    >>> found = line_damping(np.exp(-50 * t) * np.cos(2 * np.pi * 5e4 * t), 1e6, 5e4, 1e-3)
    >>> round(found.rate, 1)
    100.0
    """
    require_range("step", step, 0.0, math.inf, "s")
    x = np.asarray(samples, dtype=np.float64)
    rows = max(1, round(step * sample_rate))
    count = len(x) // rows
    if count < _LEAST_STEPS:
        raise InputError(f"{len(x)} samples are {count} steps of {step:g} s, at least 12 needed")
    x = x[: count * rows]
    turn = np.exp(-2j * np.pi * frequency / sample_rate * np.arange(len(x)))
    a: NDArray[np.complex128] = (x * turn).reshape(count, rows).mean(axis=1)
    before, now, after = a[:-2], a[1:-1], a[2:]
    weight = np.vdot(before, now)
    factor = np.vdot(before, after) / weight
    residual = (after - factor * now) * before.conj()
    # ξ depends on its neighbour: neighbouring products count as well.
    square = float(np.sum(np.abs(residual) ** 2))
    square += 2.0 * float(np.sum((residual[1:] * residual[:-1].conj()).real))
    square = max(square, 0.25 * float(np.sum(np.abs(residual) ** 2)))
    h = rows / sample_rate
    size = max(float(abs(factor)), 1e-12)
    spread = math.sqrt(0.5 * square) / max(float(abs(weight)), 1e-300)
    last = a[-max(1, count // 4) :]
    return LineDamping(
        rate=-2.0 * math.log(size) / h,
        stderr=2.0 * spread / (size * h),
        frequency=frequency + float(np.angle(factor)) / (2.0 * math.pi * h),
        energy=2.0 * float(np.mean(np.abs(last) ** 2)),
    )
