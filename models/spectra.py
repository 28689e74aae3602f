"""Averaged cross-spectral densities with what a likelihood must know about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .lowpass import response

__all__ = ["CsdEstimate"]


@dataclass(frozen=True, repr=False)
class CsdEstimate:
    """Estimate of the one-sided cross-spectral density matrix.

    Attributes
    ----------
    frequencies : ndarray, shape (n_freq,)
        Hz, the bins k·sample_rate/segment (a band may be cut out).
    matrix : ndarray, shape (n_freq, c, c)
        S_jl = ⟨Z_j Z_l*⟩ with Z(f) = ∫ z exp(−2πift) dt, unit²/Hz, one-sided.
        ``scipy.signal.csd(z_j, z_l)`` is its conjugate.
    averages : int
        Number K of averaged segments (at least 1).
    window : ndarray, shape (segment,)
        The taper as applied to each segment.
    overlap : int
        Samples shared by neighbouring segments.
    sample_rate : float
        Hz.
    unit : str
        Unit of the samples: "quanta", "m" or "V".
    effective_averages : float
        Equivalent number ν of independent averages per bin, K/[1 + overlap correction], or the
        corresponding number of an exponential average.
    first_sample, last_sample : int
        Samples that entered (half-open), for provenance.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> csd = ob.analyse_spectrum(record).csd
    >>> csd.band(40e3, 70e3).channels
    2
    """

    frequencies: NDArray[np.float64]
    matrix: NDArray[np.complex128]
    averages: int
    window: NDArray[np.float64]
    overlap: int
    sample_rate: float
    unit: str = "V"
    effective_averages: float = 0.0
    first_sample: int = 0
    last_sample: int = 0

    def __repr__(self) -> str:
        """Channels, bins, band, averages and unit in one line."""
        low, high = (self.frequencies[0], self.frequencies[-1]) if len(self.frequencies) else (0, 0)
        return (
            f"<CsdEstimate: {self.matrix.shape[-1]} channels, {len(self.frequencies)} bins, "
            f"{low:.6g} to {high:.6g} Hz, {self.averages} averages, {self.unit}²/Hz>"
        )

    @property
    def segment(self) -> int:
        """Samples per segment."""
        return int(self.window.shape[0])

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.matrix.shape[1])

    @property
    def bin_width(self) -> float:
        """Distance of neighbouring bins, Hz."""
        return self.sample_rate / self.segment

    def band(self, low: float, high: float) -> CsdEstimate:
        """Cut out the bins with low ≤ f ≤ high (Hz).

        Raises
        ------
        InputError
            If the band is reversed, reaches beyond 0 … Nyquist or holds no bin.
        """
        nyquist = 0.5 * self.sample_rate
        if not (0.0 <= low < high <= nyquist):
            raise InputError(
                f"band {low:g} … {high:g} Hz must lie within 0 … {nyquist:g} Hz (Nyquist), "
                "low below high"
            )
        keep = (self.frequencies >= low) & (self.frequencies <= high)
        if not keep.any():
            raise InputError(
                f"band {low:g} … {high:g} Hz holds no bin: bins are {self.bin_width:g} Hz apart"
            )
        return self._with(self.frequencies[keep], self.matrix[keep])

    def without(self, low: float, high: float) -> CsdEstimate:
        """Leave out the bins with low ≤ f ≤ high (Hz), such as those of a tone.

        Raises
        ------
        InputError
            If the range is reversed, or no bin would be left.
        """
        if not 0.0 <= low < high:
            raise InputError(f"excluded range {low:g} … {high:g} Hz must rise from 0 Hz or more")
        keep = (self.frequencies < low) | (self.frequencies > high)
        if not keep.any():
            raise InputError(f"leaving out {low:g} … {high:g} Hz leaves no bin of the spectrum")
        return self._with(self.frequencies[keep], self.matrix[keep])

    def undelayed(self, delays: Sequence[float]) -> CsdEstimate:
        """Take off known delays: channel j was sampled delays[j] (s) later than its clock says.

        A record x_j(t + τ_j) has Z_j e^{2πifτ_j}, so that S_jl is turned by −2πf(τ_j − τ_l).
        """
        tau = np.asarray(delays, dtype=np.float64)
        turn = np.exp(-2j * np.pi * self.frequencies[:, None] * tau)
        return self._with(self.frequencies, self.matrix * turn[:, :, None] * turn.conj()[:, None])

    def unfiltered(self, keeps: NDArray[np.float64]) -> CsdEstimate:
        """Take off known one-pole low-passes.

        Parameters
        ----------
        keeps : ndarray, shape (c,)
            Of :func:`~.lowpass.keeps_of`.
        """
        passed = response(keeps, self.frequencies, self.sample_rate)
        matrix = self.matrix / (passed[:, :, None] * passed.conj()[:, None])
        return self._with(self.frequencies, matrix)

    def unmixed(self, mixing: NDArray[np.float64]) -> CsdEstimate:
        """Undo a known mixing of the detectors, y = Tz: S = T⁻¹ S_y T⁻ᵀ.

        Imprecision that belongs to each detector is mixed by that, by the order of ε.

        Raises
        ------
        InputError
            If the matrix does not suit the channels or cannot be inverted.
        """
        if mixing.shape != (self.channels, self.channels):
            raise InputError(
                f"a mixing matrix of {self.channels} channels is {self.channels} × "
                f"{self.channels}, got {mixing.shape}"
            )
        if abs(float(np.linalg.det(mixing))) < 0.1:
            raise InputError("the mixing matrix is nearly singular: the detectors show one signal")
        inverse = np.linalg.inv(mixing)
        return self._with(self.frequencies, inverse @ self.matrix @ inverse.T)

    def select(self, channels: tuple[int, ...]) -> CsdEstimate:
        """Keep some channels, in the order given.

        Raises
        ------
        InputError
            If a channel does not exist.
        """
        for channel in channels:
            if not 0 <= channel < self.channels:
                raise InputError(f"channel {channel} does not exist: 0 … {self.channels - 1}")
        index = np.asarray(channels)
        return self._with(self.frequencies, self.matrix[:, index[:, None], index[None, :]])

    def _with(
        self, frequencies: NDArray[np.float64], matrix: NDArray[np.complex128]
    ) -> CsdEstimate:
        return replace(self, frequencies=frequencies, matrix=matrix)
