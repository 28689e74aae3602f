"""Whether repetitions of a release are alike, and whether the motion heats from the release on.

Each repetition is described by the amplitudes of its line in a few windows. These are Gaussian
with one covariance, whatever the physics: a repetition that does not fit it is an outlier. The
mean energy along the repetition has a kink where feedback goes off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from .steadiness import stretches_of_other_power

__all__ = ["Onset", "amplitudes", "lost_repetitions", "onset_of", "outliers"]

_CHANCE = 1e-6  # of a sound repetition to be taken for an outlier, over all of them
_MOST_NUMBERS = 32  # amplitudes that describe a repetition
_PER_NUMBER = 5  # repetitions for each of them, at least
_ROWS = 256
_MOST_ENERGY = 4.0  # of the ninth decile, that one repetition can count for
_KINK = 5.0  # standard errors of a change of slope that is there
_GAIN = 30.0  # of χ² by another sample of the release
_STEPS = 4  # places of the kink that are tried in each window
_LEAST_BEFORE = 2  # windows before the release from which it is judged


def amplitudes(
    samples: NDArray[Any], frequencies: Sequence[float], sample_rate: float, windows: int
) -> NDArray[np.complex128]:
    """Mean of x exp(−iωt) over windows of one length, shape (m, windows, c).

    Parameters
    ----------
    samples : ndarray, shape (m, n, c)
        Repetitions.
    frequencies : sequence of float
        Of each channel's line, rad/s.
    sample_rate : float
        Hz.
    windows : int
        Their number; what is left over at the end is not used.
    """
    m, n, channels = samples.shape
    size = n // windows
    used = samples[:, : size * windows].reshape(m, windows, size, channels)
    turn = np.exp(-1j * np.outer(np.arange(size), np.asarray(frequencies)) / sample_rate)
    begin = np.exp(-1j * np.outer(np.arange(windows) * size, np.asarray(frequencies)) / sample_rate)
    mean = used.mean(axis=(1, 2), keepdims=True)
    found: NDArray[np.complex128] = np.einsum("mwsc,sc->mwc", used - mean, turn) * begin / size
    return found


def outliers(amplitude: NDArray[np.complex128]) -> NDArray[np.bool_]:
    """Repetitions that the Gaussian law of all the others excludes.

    Parameters
    ----------
    amplitude : ndarray, shape (m, windows, c)
        From :func:`amplitudes`.

    Returns
    -------
    ndarray of bool, shape (m,)
        All False where there are too few repetitions to say.
    """
    count = len(amplitude)
    most = min(_MOST_NUMBERS, count // _PER_NUMBER)
    group = max(1, math.ceil(2 * amplitude[0].size / max(1, most)))
    windows = amplitude.shape[1] // group
    if windows < 1 or most < 2 * amplitude.shape[2]:
        return np.zeros(count, bool)
    coarse = amplitude[:, : windows * group]
    coarse = coarse.reshape(count, windows, group, -1).mean(axis=2).reshape(count, -1)
    numbers = np.concatenate([coarse.real, coarse.imag], axis=1)
    limit = float(chi2.isf(_CHANCE / count, numbers.shape[1]))
    kept = np.ones(count, bool)
    size = (numbers**2).sum(axis=1)
    kept[np.argsort(size)[count - count // 10 :]] = False  # a first covariance without the largest
    for _ in range(20):
        trusted = numbers[kept]
        inverse = np.linalg.pinv(trusted.T @ trusted / len(trusted))
        distance = np.einsum("mi,ij,mj->m", numbers, inverse, numbers)
        # Half of all lie below the median of the law: the cut of the first covariance is undone.
        distance *= float(chi2.median(numbers.shape[1])) / float(np.median(distance))
        again = distance < limit
        if np.array_equal(again, kept):
            break
        kept = again
    return ~kept


def lost_repetitions(energy: NDArray[np.float64]) -> tuple[NDArray[np.bool_], float]:
    """Repetitions in a row with hardly any energy: the particle was lost; and how much they have.

    Parameters
    ----------
    energy : ndarray, shape (m,)
        Of one particle in each repetition, noise taken off as far as it is known.
    """
    rows = min(_ROWS, len(energy) // 2)
    if rows < 8:
        return np.zeros(len(energy), bool), 1.0
    # A few outliers must not make all the others look lost.
    energy = np.minimum(energy, _MOST_ENERGY * np.quantile(energy, 0.9))
    parts = np.array_split(np.arange(len(energy)), rows)
    means = np.array([energy[part].mean() for part in parts])
    spread = float(np.median(energy)) / math.log(2.0)  # of the exponential law
    shape = max(1.0, spread**2 / max(float(np.var(energy)), 1e-300)) * len(energy) / rows
    found, ratio = stretches_of_other_power(means, shape)
    lost = np.zeros(len(energy), bool)
    for number in np.flatnonzero(found):
        lost[parts[number]] = True
    return lost, ratio


@dataclass(frozen=True)
class Onset:
    """Where the mean energy of a repetition begins to rise, and whether it does.

    Attributes
    ----------
    place, error : float
        Samples from the stated release to the kink, and the standard error.
    gain : float
        By how much χ² falls if the kink lies there and not at the release.
    before, after : float
        Slopes to either side of the release over their standard errors.
    kink : float
        Change of the slope at the kink over its standard error.
    rise : float
        From the release to the end, over its standard error.
    seen : bool
        Whether there is anything before the release to be judged.
    """

    place: float
    error: float
    gain: float
    before: float
    after: float
    kink: float
    rise: float
    seen: bool = True

    @property
    def elsewhere(self) -> bool:
        """Whether heating begins at another sample than that stated."""
        far = abs(self.place) > 4.0 * self.error
        return self.kink > _KINK and self.gain > _GAIN and far

    @property
    def absent(self) -> bool:
        """Whether no heating is seen after the release."""
        return self.rise < 3.0

    @property
    def everywhere(self) -> bool:
        """Whether the energy rises before the release as after it."""
        return self.seen and self.before > _KINK and self.kink < 3.0


def onset_of(energy: NDArray[np.float64], before: int, size: int) -> Onset | None:
    """Find the kink of the mean energy.

    Parameters
    ----------
    energy : ndarray, shape (m, windows)
        Energies along each repetition.
    before : int
        Windows that lie before the stated release.
    size : int
        Samples of a window.

    Returns
    -------
    Onset or None
        None where there are too few repetitions or windows.
    """
    count, windows = energy.shape
    if count < 2 * windows or windows < 8:
        return None
    mean = energy.mean(axis=0)
    end = int(np.argmax(mean)) + 1
    end = windows if end < before + 6 else max(end, before + 6)
    mean = np.asarray(mean[:end], np.float64)
    centred = energy[:, :end] - mean
    covariance = centred.T @ centred / count / (count - 1.0)
    covariance += 1e-6 * np.trace(covariance) / end * np.eye(end)
    inverse = np.linalg.inv(covariance) * (count - end - 2.0) / (count - 1.0)
    time = np.arange(end, dtype=np.float64) + (0.5 - before)
    places = np.arange(2 * _STEPS, (end - 4) * _STEPS + 1) / _STEPS - before
    fits = [_kinked(mean, time, place, inverse) for place in places]
    chi = np.array([fit[0] for fit in fits])
    best = int(np.argmin(chi))
    stated = _kinked(mean, time, 0.0, inverse)[0] if before >= _LEAST_BEFORE else chi[0]
    _, value, error = fits[best]
    near = places[chi < chi[best] + 1.0]
    spread = max(0.5 * float(np.ptp(near)), 0.5)
    kink = (value[2] - value[1]) / math.hypot(error[1], error[2])
    first = min(before, end - 3)
    jump = np.zeros(end)
    jump[-2:], jump[first : first + 2] = 0.5, -0.5
    rise = float(jump @ mean) / math.sqrt(float(jump @ covariance @ jump))
    straight = _kinked(mean, time, 0.0, inverse) if before >= _LEAST_BEFORE else fits[best]
    slopes = straight[1][1] / straight[2][1], straight[1][2] / straight[2][2]
    place = float(places[best]) if before >= _LEAST_BEFORE or best else 0.0
    gain, seen = float(stated - chi[best]), before >= _LEAST_BEFORE
    return Onset(place * size, spread * size, gain, *slopes, kink, rise, seen)


def _kinked(
    mean: NDArray[np.float64],
    time: NDArray[np.float64],
    place: float,
    inverse: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """χ², parameters and errors of a line before ``place`` and a parabola after it."""
    late = np.maximum(time - place, 0.0)
    early = np.minimum(time - place, 0.0)
    design = np.stack([np.ones(len(time)), early, late, late**2], axis=1)
    normal = design.T @ inverse @ design
    covariance = np.linalg.pinv(normal)
    value = covariance @ design.T @ inverse @ mean
    residual = mean - design @ value
    errors = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    return float(residual @ inverse @ residual), value, errors
