"""Time bins of a release and the linear functional that turns samples into amplitudes.

The complex amplitudes a_j = (z_j + ip_j) e^{iω_ref t}/√2 are never sampled: a detector gives noisy
z_j only. What can be had is, per bin, the least squares fit of

    z_j(t) = √2 [Re a_j cos ω_ref t + Im a_j sin ω_ref t] + offset

over a window of a few mechanical periods. This â_j is a fixed linear functional of the record, so
that every moment of it follows exactly from the linear model (``reheating_moments``): the sinc of
the window, its image at −ω_ref, fast motion and imprecision need no correction afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import InputError
from ...reprs import short_repr

__all__ = ["MAX_BINS", "BinLayout", "demodulate", "lay_out_bins"]

MAX_BINS = 96
"""Default largest number of bins: the covariance matrix of the fit is four times as wide."""

_MIN_SAMPLES_PER_PERIOD = 4.0
_MIN_PERIODS = 5.0
_MIN_BINS = 5


@dataclass(frozen=True)
class BinLayout:
    """Where the windows of a demodulation lie.

    Attributes
    ----------
    starts : ndarray of int, shape (t,)
        First sample of every window, counted from the release, ascending, never overlapping.
    length : int
        Samples in every window.
    sample_rate : float
        Hz.
    omega_ref : float
        Angular frequency of the demodulation, rad/s.

    Raises
    ------
    InputError
        If windows overlap, are too short, or are fewer than 5.
    """

    starts: NDArray[np.int64]
    length: int
    sample_rate: float
    omega_ref: float

    __repr__ = short_repr

    def __post_init__(self) -> None:
        starts = np.array(self.starts, dtype=np.int64)
        starts.setflags(write=False)
        object.__setattr__(self, "starts", starts)
        if len(starts) < _MIN_BINS:
            raise InputError(
                f"the release is too short: it holds {len(starts)} averaging windows of "
                f"{self.window * 1e6:.4g} µs, at least {_MIN_BINS} are needed"
            )
        if starts[0] < 0 or np.diff(starts).min() < self.length:
            raise InputError("averaging windows must not overlap nor start before the release")
        if self.length < 4:
            raise InputError(f"an averaging window needs at least 4 samples, got {self.length}")

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def window(self) -> float:
        """Duration of a window, s."""
        return self.length / self.sample_rate

    @property
    def times(self) -> NDArray[np.float64]:
        """Centres of the windows, s after the release."""
        return np.asarray((self.starts + 0.5 * (self.length - 1)) / self.sample_rate)

    @property
    def samples(self) -> int:
        """Samples after the release that the windows reach over."""
        return int(self.starts[-1]) + self.length

    def first(self, bins: int) -> BinLayout:
        """Return the layout of the first windows only."""
        return BinLayout(self.starts[:bins], self.length, self.sample_rate, self.omega_ref)

    @cached_property
    def design(self) -> NDArray[np.float64]:
        """Columns √2 cos, √2 sin, 1 of the least squares fit in window time, shape (length, 3)."""
        angle = self.omega_ref / self.sample_rate * np.arange(self.length)
        root = math.sqrt(2.0)
        return np.stack([root * np.cos(angle), root * np.sin(angle), np.ones(self.length)], axis=1)

    @cached_property
    def normal_inverse(self) -> NDArray[np.float64]:
        """(XᵀX)⁻¹ of the fit, shape (3, 3): the covariance of (Re â, Im â, offset) per σ²."""
        return np.asarray(np.linalg.inv(self.design.T @ self.design))

    @property
    def noise_gain(self) -> float:
        """E_j that an imprecision of 1 unit²/Hz adds, Hz: ⟨|â|²⟩ of white noise."""
        inverse = self.normal_inverse
        return float(0.5 * self.sample_rate * (inverse[0, 0] + inverse[1, 1]))

    def rotations(self) -> NDArray[np.float64]:
        """Rotations e^{iω_ref t_start} as real matrices on (Re, Im), shape (t, 2, 2)."""
        angle = self.omega_ref / self.sample_rate * self.starts
        cos, sin = np.cos(angle), np.sin(angle)
        return np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)


def lay_out_bins(
    samples: int,
    sample_rate: float,
    omega_ref: float,
    *,
    window: float | None = None,
    times: ArrayLike | None = None,
    max_bins: int = MAX_BINS,
) -> BinLayout:
    """Choose the averaging windows of a release.

    Windows lie side by side from the release on while they are few; in longer releases their
    spacing doubles from octave to octave, since the information on heating is spread evenly over
    the logarithm of n_j(0) + Dt.

    Parameters
    ----------
    samples : int
        Samples recorded after the release.
    sample_rate : float
        Hz; at least 4 samples per period.
    omega_ref : float
        rad/s.
    window : float, optional
        Length of the averaging windows, s; rounded to samples. Default two periods, less in
        releases of ten periods and fewer.
    times : array_like, optional
        Wanted centres of the windows, s; taken instead of the layout above.
    max_bins : int
        Largest number of windows.

    Raises
    ------
    InputError
        If the sample rate is too low, the release too short or the window out of range.
    """
    if not (math.isfinite(sample_rate) and sample_rate > 0.0):
        raise InputError(f"sample_rate must be positive, got {sample_rate!r} Hz")
    if not (math.isfinite(omega_ref) and omega_ref > 0.0):
        raise InputError(f"omega_ref must be positive, got {omega_ref!r} rad/s")
    period = 2.0 * math.pi / omega_ref * sample_rate
    if period < _MIN_SAMPLES_PER_PERIOD:
        raise InputError(
            f"the sample rate {sample_rate:.6g} Hz gives {period:.3g} samples per period, "
            f"at least {_MIN_SAMPLES_PER_PERIOD:g} are needed"
        )
    if samples < _MIN_PERIODS * period:
        raise InputError(
            f"the release is too short: {samples} samples are {samples / period:.3g} periods, "
            f"at least {_MIN_PERIODS:g} are needed"
        )
    if window is None:
        # Two periods, but one where the release is so short that few windows would remain.
        window = min(2.0 * period, max(period, samples / (_MIN_BINS + 0.5))) / sample_rate
    length = round(window * sample_rate)
    if not 4 <= length <= samples or length < 0.9 * period:
        raise InputError(
            f"an averaging window must last between one period and the release "
            f"({period / sample_rate:.4g} s to {samples / sample_rate:.4g} s), got {window!r} s"
        )
    if times is None:
        starts = _octaves(samples, length, max_bins)
    else:
        centres = np.sort(np.ravel(np.asarray(times, dtype=np.float64)))
        starts = np.rint(centres * sample_rate - 0.5 * (length - 1)).astype(np.int64)
        if len(starts) and (starts[0] < 0 or starts[-1] + length > samples):
            raise InputError(
                f"times must keep the windows inside the release, 0 to {samples / sample_rate:.4g}"
                f" s, got {centres[0]:.4g} to {centres[-1]:.4g} s"
            )
    return BinLayout(starts, length, sample_rate, omega_ref)


def _octaves(samples: int, length: int, max_bins: int) -> NDArray[np.int64]:
    """Starts with spacing length·2^k, the same number of windows in every octave."""
    for per_octave in range(max(max_bins, 2), 1, -1):
        starts: list[int] = []
        at, spacing = 0, length
        while at + length <= samples and len(starts) <= max_bins:
            starts.append(at)
            if len(starts) % per_octave == 0:
                spacing *= 2
            at += spacing
        if len(starts) <= max_bins:
            return np.array(starts, dtype=np.int64)
    return np.array(starts[:max_bins], dtype=np.int64)


def demodulate(
    samples: NDArray[np.floating], layout: BinLayout, delays: Sequence[float] = ()
) -> NDArray[np.complex128]:
    """Return the amplitudes â of every window, repetition and channel.

    Parameters
    ----------
    samples : ndarray, shape (m, n, c)
        Row 0 is the release.
    layout : BinLayout
        Windows; n must reach over them.
    delays : sequence of float
        By how much each channel is sampled later, s: it shows a e^{−iωτ}, which is turned back.

    Returns
    -------
    ndarray, shape (m, t, c)
        Complex amplitudes in the unit of the samples.
    """
    solve = layout.normal_inverse @ layout.design.T
    phase = np.exp(1j * layout.omega_ref / layout.sample_rate * layout.starts)
    out = np.empty((len(samples), len(layout), samples.shape[2]), dtype=np.complex128)
    for index, start in enumerate(layout.starts):
        parts = solve[:2] @ samples[:, start : start + layout.length]
        out[:, index] = (parts[:, 0] + 1j * parts[:, 1]) * phase[index]
    if any(delays):
        out *= np.exp(1j * layout.omega_ref * np.asarray(delays))
    return out
