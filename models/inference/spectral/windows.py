"""What a taper does to an averaged periodogram: leakage, and how much the bins still tell.

Bins of a tapered transform, and segments that overlap, are correlated. For parameters that are
smooth over bins the Whittle log-likelihood of K segments, K Σ_f[…], is too sure of itself by κ
(physics: Σ over segment distances m and bin distances q of the squared correlation).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ...errors import InputError
from ...spectra import CsdEstimate

__all__ = [
    "Information",
    "Taper",
    "bin_correlations",
    "group_factors",
    "independent_averages",
    "information_of",
    "kappa",
]

# Flat-top windows have cosines up to order 4; more is treated as a general window.
_MAX_ORDER = 6
# A window that was rounded to float32 still counts as its cosines.
_ROUNDED = 1e-6


@dataclass(frozen=True)
class Taper:
    """A window seen as w_n = Σ_p a_p exp(2πipn/L), if it is a short sum of cosines.

    Attributes
    ----------
    window : ndarray, shape (L,)
        Weights.
    amplitudes : ndarray, shape (2P+1,) or None
        a_p for p = −P … P; None for a window that is no periodic sum of cosines.
    leakage : ndarray, shape (2P+1,) or None
        κ_p of (w⋆w)(m) = Σ_p e^{2πipm/L} [a_p²(L − m) + κ_p], imaginary parts only:
        κ_p = i a_p Σ_{q≠−p} a_q cot(π(p+q)/L).
    """

    window: NDArray[np.float64]
    amplitudes: NDArray[np.float64] | None
    leakage: NDArray[np.float64] | None

    @classmethod
    def of(cls, window: NDArray[np.float64]) -> Taper:
        """Analyse a window.

        Raises
        ------
        InputError
            If it is shorter than 8 samples, not finite or all zero.
        """
        w = np.ascontiguousarray(window, dtype=np.float64)
        if w.ndim != 1 or len(w) < 8 or not np.isfinite(w).all() or not w.any():
            raise InputError(f"a window needs at least 8 finite weights, its shape is {w.shape}")
        length = len(w)
        spectrum = fft.rfft(w) / length
        order = min(_MAX_ORDER, length // 2 - 1)
        rest = np.sqrt(2.0 * np.sum(np.abs(spectrum[order + 1 :]) ** 2))
        odd = np.abs(spectrum[: order + 1].imag).max()
        tolerance = _ROUNDED * np.abs(spectrum).max()
        if max(rest, odd) > tolerance:
            return cls(w, None, None)
        half = spectrum[: order + 1].real
        order = int(np.flatnonzero(np.abs(half) > tolerance).max())
        a = np.concatenate([half[order:0:-1], half[: order + 1]])
        p = np.arange(-order, order + 1)
        total = p[:, None] + p[None, :]
        with np.errstate(divide="ignore"):
            cot = np.where(total == 0, 0.0, 1.0 / np.tan(np.pi * total / length))
        return cls(w, a, a * (cot @ a))

    @property
    def length(self) -> int:
        """Samples L."""
        return len(self.window)

    @cached_property
    def power(self) -> float:
        """Σ w²."""
        return float(np.sum(self.window**2))

    def autocorrelation(self) -> NDArray[np.float64]:
        """(w⋆w)(m) = Σ_n w_{n+m} w_n for m = 0 … L−1."""
        size = fft.next_fast_len(2 * self.length, real=True)
        spectrum = fft.rfft(self.window, size)
        return np.asarray(fft.irfft(np.abs(spectrum) ** 2, size)[: self.length])


def _shifted_products(window: NDArray[np.float64], step: int) -> list[NDArray[np.float64]]:
    """w_n w_{n+mS} for segment distances m = 0, 1, … that overlap."""
    length = len(window)
    return [window[: length - m] * window[m:] for m in range(0, length, step)]


def kappa(window: NDArray[np.float64], overlap: int, averages: float) -> float:
    """κ = Σ_{m,q}(1−|m|/K)|Σ_n w_n w_{n+mS} e^{2πiqn/L}|²/(Σw²)²; Hann, 50 %: 1.944+0.167(1−1/K).

    The sum over bin distances q is Parseval's: L Σ_n (w_n w_{n+mS})².

    Parameters
    ----------
    window : ndarray, shape (L,)
        Taper of each segment.
    overlap : int
        Samples shared by neighbouring segments, below L.
    averages : float
        Segments K; an equivalent number may be broken.
    """
    step = _step(window, overlap)
    energies = [float(np.sum(u**2)) for u in _shifted_products(window, step)]
    total = energies[0]
    for m, energy in enumerate(energies[1:], start=1):
        total += 2.0 * max(0.0, 1.0 - m / averages) * energy
    return len(window) * total / float(np.sum(window**2)) ** 2


def bin_correlations(
    window: NDArray[np.float64], overlap: int, averages: float, reach: int
) -> NDArray[np.float64]:
    """Summands κ_q of κ over bin distances q = 0 … reach − 1, of a spectrum smooth over bins."""
    power = float(np.sum(window**2)) ** 2
    per_bin = np.zeros(min(reach, len(window) // 2))
    for m, u in enumerate(_shifted_products(window, _step(window, overlap))):
        share = 1.0 if m == 0 else 2.0 * max(0.0, 1.0 - m / averages)
        padded = np.zeros(len(window))
        padded[: len(u)] = u
        per_bin += share * np.abs(fft.rfft(padded)[: len(per_bin)]) ** 2 / power
    return per_bin


def group_factors(
    window: NDArray[np.float64], overlap: int, averages: float, reach: int
) -> NDArray[np.float64]:
    """κ_G for means over G = 1 … reach neighbouring bins, variance = κ_G/(K G); κ_∞ is κ.

    κ_G = Σ_{|q|<G} (1−|q|/G) κ_q with the summands κ_q of κ over bin distances q.
    """
    per_bin = bin_correlations(window, overlap, averages, reach)
    q, g = np.arange(len(per_bin)), np.arange(1, reach + 1)
    fade = np.clip(1.0 - q[None, :] / g[:, None], 0.0, None)
    fade[:, 1:] *= 2.0
    return np.asarray(fade @ per_bin)


def independent_averages(window: NDArray[np.float64], overlap: int, averages: float) -> float:
    """Independent averages per bin ν = K/[1 + 2Σ_m(1−m/K)ρ_m]; Hann, 50 %: K/[1+2(1−1/K)/36]."""
    step = _step(window, overlap)
    power = float(np.sum(window**2))
    excess = 0.0
    for m, u in enumerate(_shifted_products(window, step)[1:], start=1):
        excess += 2.0 * max(0.0, 1.0 - m / averages) * (float(np.sum(u)) / power) ** 2
    return averages / (1.0 + excess)


def _step(window: NDArray[np.float64], overlap: int) -> int:
    """Distance of neighbouring segments."""
    if not 0 <= overlap < len(window):
        raise InputError(f"overlap {overlap} must lie within 0 … {len(window) - 1} samples")
    return len(window) - int(overlap)


class Information(NamedTuple):
    """What a bin of an averaged periodogram tells.

    Attributes
    ----------
    weight : float
        K/κ, factor of the log-likelihood of one bin.
    kappa : float
        κ.
    independent : float
        ν, independent averages of a single bin.
    equivalent : float
        K, or the number of equally weighted segments that have the same ν.
    overlap : int
        Samples shared by neighbouring segments.
    """

    weight: float
    kappa: float
    independent: float
    equivalent: float
    overlap: int


def information_of(csd: CsdEstimate) -> Information:
    """Weight of the bins of an estimate.

    An exponential average of many segments is worth fewer: when ``effective_averages`` (ν as
    measured by the estimator) is given and lies below that of K equally weighted segments, K is
    replaced by the number of equally weighted segments that have this ν.

    Raises
    ------
    InputError
        If there is no average or the overlap is not shorter than a segment.
    """
    window, overlap = csd.window, csd.overlap
    if csd.averages < 1:
        raise InputError(f"a spectrum needs at least 1 average, it has {csd.averages}")
    independent = independent_averages(window, overlap, csd.averages)
    equivalent, effective = float(csd.averages), csd.effective_averages
    if 0.0 < effective < 0.99 * independent:
        # ν(K)/K hardly depends on K: three rounds reach rounding.
        for _ in range(3):
            equivalent = max(1.0, effective * equivalent / independent)
            independent = independent_averages(window, overlap, equivalent)
    k = kappa(window, overlap, equivalent)
    return Information(equivalent / k, k, independent, equivalent, int(overlap))
