"""What of repetitions enters their averages: sums that stay as small as they are for one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["RepetitionSums"]


@dataclass(frozen=True)
class RepetitionSums:
    """Sums over repetitions; those of two sets are added by ``+``.

    Attributes
    ----------
    repetitions : int
        How many.
    mean : ndarray, shape (4, t)
        ⟨|â_1|²⟩, ⟨|â_2|²⟩ and the real and imaginary part of ⟨â_1* â_2⟩, unit².
    squares : ndarray, shape (4, t)
        Sums of the squared deviations from that mean, unit⁴: they suffer no cancellation.
    lag : ndarray of complex, shape (t−1, 2)
        Σ â_j,b* â_j,b+1, unit².
    pairs : ndarray, shape (t−1, 8, 8)
        Sums of the products of (y_b, y_{b+1}), y = (Re â_1, Im â_1, Re â_2, Im â_2), unit².
    amplitude : ndarray of complex, shape (t, 2)
        Σ â_j, unit.
    powers : ndarray, shape (bands, 2)
        Sums of the band powers of :func:`~.noise.band_powers`, unit²/Hz.
    """

    repetitions: int
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]
    lag: NDArray[np.complex128]
    pairs: NDArray[np.float64]
    amplitude: NDArray[np.complex128]
    powers: NDArray[np.float64]

    @classmethod
    def of(cls, amplitudes: NDArray[np.complex128], powers: NDArray[np.float64]) -> RepetitionSums:
        """Sum over repetitions.

        Parameters
        ----------
        amplitudes : ndarray of complex, shape (m, t, 2)
            â of every window, m at least 1.
        powers : ndarray, shape (m, bands, 2)
            Band powers.
        """
        first, second = amplitudes[..., 0], amplitudes[..., 1]
        cross = first.conj() * second
        products = np.stack([np.abs(first) ** 2, np.abs(second) ** 2, cross.real, cross.imag])
        mean = products.mean(axis=1)
        return cls(
            len(amplitudes),
            mean,
            np.sum((products - mean[:, None]) ** 2, axis=1),
            np.sum(amplitudes[:, :-1].conj() * amplitudes[:, 1:], axis=0),
            _neighbours(amplitudes),
            amplitudes.sum(axis=0),
            powers.sum(axis=0),
        )

    def __add__(self, other: RepetitionSums) -> RepetitionSums:
        """Return the sums over both sets."""
        total = self.repetitions + other.repetitions
        apart = other.mean - self.mean
        share = other.repetitions / total
        return RepetitionSums(
            total,
            self.mean + share * apart,
            self.squares + other.squares + share * self.repetitions * apart**2,
            self.lag + other.lag,
            self.pairs + other.pairs,
            self.amplitude + other.amplitude,
            self.powers + other.powers,
        )

    @property
    def stderr(self) -> NDArray[np.float64]:
        """Standard errors of the four means, shape (4, t)."""
        count = self.repetitions
        return np.asarray(np.sqrt(self.squares / (count - 1)) / math.sqrt(count))


def _neighbours(amplitudes: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Sums of the products of the real amplitudes of neighbouring windows, (t−1, 8, 8)."""
    real = np.stack([amplitudes.real, amplitudes.imag], axis=-1)
    flat = real.reshape(*amplitudes.shape[:2], 4).transpose(1, 0, 2)
    both = np.concatenate([flat[:-1], flat[1:]], axis=2)
    return np.asarray(np.matmul(both.swapaxes(1, 2), both))
