"""Delays between the channels of a digitizer, from one signal that all of them see.

A channel that is sampled later by τ is ahead by 2πfτ in the cross spectrum with one that is not;
the slope of that phase over frequency, weighted with the coherence of each bin, is the delay.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...models.errors import DeviceError, InputError
from ..protocols import Digitizer

__all__ = ["SkewReport", "channel_delays", "skew_test"]

_SEGMENT = 4096
_LEAST_COHERENCE = 0.9
_LEAST_SHARE = 1e-3  # of the strongest bin: weaker ones carry no signal


@dataclass(frozen=True)
class SkewReport:
    """Delays of channels.

    Attributes
    ----------
    channels : tuple of str
        Names.
    delays : tuple of float
        By how much each is sampled later than the first, s.
    errors : tuple of float
        Standard errors, s.
    problems : tuple of str
        Channels that do not see the common signal.
    """

    channels: tuple[str, ...]
    delays: tuple[float, ...]
    errors: tuple[float, ...]
    problems: tuple[str, ...]


def skew_test(digitizer: Digitizer, columns: Sequence[int], *, seconds: float = 0.5) -> SkewReport:
    """Record a common signal and compare the channels that see it.

    Parameters
    ----------
    digitizer : Digitizer
        Connected, not running; started and stopped here.
    columns : sequence of int
        Channels that see the signal, two or more.
    seconds : float
        Length of the record, s.

    Raises
    ------
    InputError
        For fewer than two channels.
    DeviceError
        If the digitizer fails or loses samples.
    """
    if len(set(columns)) < 2:
        raise InputError(f"a skew is between two channels or more, got {len(set(columns))}")
    info = digitizer.info
    rows = max(4 * _SEGMENT, round(seconds * info.sample_rate))
    samples = np.empty((rows, len(info.channels)), dtype=info.dtype)
    done = 0
    digitizer.start()
    try:
        while done < rows:
            result = digitizer.read_into(samples[done : min(rows, done + 16384)])
            if result.finished or (result.samples and result.first_sample != done):
                raise DeviceError(f"{digitizer.name} lost samples: lower its sample rate")
            done += result.samples
    finally:
        digitizer.stop()
    volts = samples[:, list(columns)] * np.array([info.scale[c] for c in columns])
    names = tuple(info.channels[c] for c in columns)
    delays, errors, coherent = channel_delays(volts, info.sample_rate)
    problems = tuple(
        f"channel {name} does not see the signal of {names[0]}: wire one signal to both, broad or "
        "a sine well above the noise"
        for name, good in zip(names[1:], coherent[1:], strict=True)
        if not good
    )
    return SkewReport(names, tuple(delays), tuple(errors), problems)


def channel_delays(
    volts: NDArray[np.float64], sample_rate: float
) -> tuple[list[float], list[float], list[bool]]:
    """Delays of columns after the first, their errors, and whether they see the same signal.

    Parameters
    ----------
    volts : ndarray (rows, columns)
        At least four segments of 4096 rows.
    sample_rate : float
        Hz.
    """
    segments = len(volts) // _SEGMENT
    cut = volts[: segments * _SEGMENT].reshape(segments, _SEGMENT, -1)
    window = np.hanning(_SEGMENT)[None, :, None]
    spectra = np.fft.rfft((cut - cut.mean(axis=1, keepdims=True)) * window, axis=1)[:, 1:-1]
    omega = math.tau * np.fft.rfftfreq(_SEGMENT, 1.0 / sample_rate)[1:-1]
    powers = np.mean(np.abs(spectra) ** 2, axis=0)
    strong = powers[:, 0] > _LEAST_SHARE * powers[:, 0].max()
    delays, errors, coherent = [0.0], [0.0], [True]
    for column in range(1, volts.shape[1]):
        cross = np.mean(spectra[:, :, column] * np.conj(spectra[:, :, 0]), axis=0)[strong]
        norm = powers[strong, 0] * powers[strong, column]
        coherence = np.abs(cross) ** 2 / np.maximum(norm, 1e-300)
        share = powers[strong, 0] / powers[strong, 0].sum()
        seen = float(np.sum(share * coherence)) >= _LEAST_COHERENCE
        delay, error = _slope(cross, coherence, omega[strong], segments)
        delays.append(delay if seen else math.nan)
        errors.append(error if seen else math.nan)
        coherent.append(seen)
    return delays, errors, coherent


def _slope(
    cross: NDArray[np.complex128],
    coherence: NDArray[np.float64],
    omega: NDArray[np.float64],
    segments: int,
) -> tuple[float, float]:
    """Delay and its standard error from the phases ωτ of cross spectra; an inverted channel too.

    Var φ = (1/γ² − 1)/2n of each bin; the sign of the channel is that of the strongest bins.
    """
    clean = np.clip(coherence, 1e-6, 1.0 - 1e-9)
    weight = 2.0 * segments / (1.0 / clean - 1.0)
    slow = omega < 2.0 * omega[int(np.argmax(np.abs(cross)))]
    sign = 1.0 if np.sum(np.real(cross[slow])) >= 0.0 else -1.0
    phase = np.angle(sign * cross)
    information = float(np.sum(weight * omega**2))
    delay = float(np.sum(weight * omega * phase)) / information
    return delay, 1.0 / math.sqrt(information)
