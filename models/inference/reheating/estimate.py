"""Averaged reheating curves E_1, E_2, C, filled repetition by repetition."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import InputError
from ..parameters import require_unit
from .bins import MAX_BINS, BinLayout, demodulate, lay_out_bins
from .noise import band_powers, fit_noise_floor
from .samples import best_window, checked_samples, line_frequencies, refined_lines
from .sums import RepetitionSums

__all__ = [
    "MIN_REPETITIONS",
    "ReheatingAccumulator",
    "ReheatingEstimate",
    "estimate_reheating",
]

MIN_REPETITIONS = 10
"""Fewest repetitions whose average may be fitted."""


@dataclass(frozen=True, repr=False)
class ReheatingEstimate:
    """Curves averaged over repetitions; a = (z + ip) e^{iω_ref t}/√2 as estimated per window.

    The curves are raw: they hold the imprecision, see :attr:`noise_offset`.

    Attributes
    ----------
    layout : BinLayout
        Averaging windows, sample rate and reference frequency.
    E1, E2 : ndarray, shape (t,)
        ⟨|â_j|²⟩, unit².
    C : ndarray of complex, shape (t,)
        ⟨â_1* â_2⟩, unit².
    lag : ndarray of complex, shape (t−1, 2)
        ⟨â_j,b* â_j,b+1⟩, unit²: the advance of the phases.
    pairs : ndarray, shape (t−1, 8, 8)
        Second moments of (y_b, y_{b+1}), y = (Re â_1, Im â_1, Re â_2, Im â_2), unit².
    stderr : ndarray, shape (4, t)
        Standard errors of E_1, E_2, Re C, Im C, for error bars. Points of one curve correlate.
    mean_amplitude : ndarray of complex, shape (t, 2)
        ⟨â_j⟩, zero for motion without a coherent part.
    noise_floor : ndarray, shape (2, 2)
        Imprecision of each channel and its standard error, one-sided unit²/Hz.
    repetitions : int
        M, excluded ones not counted.
    excluded : tuple of int
        Repetitions left out, counted from 0.
    unit : str
        Unit of the samples: "quanta", "m" or "V".
    provenance : mapping
        Where the samples come from.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")
    >>> estimate = ob.analyse_reheating(record).estimate
    >>> estimate.curves().shape == (4, len(estimate.times))
    True
    """

    layout: BinLayout
    E1: NDArray[np.float64]
    E2: NDArray[np.float64]
    C: NDArray[np.complex128]
    lag: NDArray[np.complex128]
    pairs: NDArray[np.float64]
    stderr: NDArray[np.float64]
    mean_amplitude: NDArray[np.complex128]
    noise_floor: NDArray[np.float64]
    lines: tuple[float, float]
    repetitions: int
    excluded: tuple[int, ...] = ()
    unit: str = "quanta"
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Repetitions, windows, duration and unit in one line."""
        return (
            f"<ReheatingEstimate: {self.repetitions} repetitions, {len(self.times)} windows of "
            f"{self.layout.window * 1e6:.4g} µs in {self.times[-1] * 1e3:.4g} ms, {self.unit}>"
        )

    @property
    def times(self) -> NDArray[np.float64]:
        """Centres of the windows, s after the release."""
        return self.layout.times

    @property
    def omega_ref(self) -> float:
        """Reference frequency of the demodulation, rad/s."""
        return self.layout.omega_ref

    @property
    def sample_rate(self) -> float:
        """Sample rate, Hz."""
        return self.layout.sample_rate

    @property
    def noise_offset(self) -> NDArray[np.float64]:
        """What the estimated imprecision adds to E_1 and E_2, unit², shape (2,)."""
        return np.asarray(self.layout.noise_gain * self.noise_floor[:, 0])

    @property
    def vacuum(self) -> float:
        """E_j − n_j: ½ for a record in quanta, 0 in other units."""
        return 0.5 if self.unit == "quanta" else 0.0

    def curves(self) -> NDArray[np.float64]:
        """E_1, E_2, Re C, Im C as rows, shape (4, t)."""
        return np.stack([self.E1, self.E2, self.C.real, self.C.imag])


class ReheatingAccumulator:
    """Collects repetitions one by one; an estimate can be taken at any time.

    Parameters
    ----------
    sample_rate : float
        Hz.
    omega_ref : float, optional
        Reference frequency, rad/s; default from the first repetitions added.
    band : tuple of float, optional
        Where the lines are looked for, Hz.
    window : float, optional
        Averaging window, s; default from the first repetitions added, at least two periods.
    times : array_like, optional
        Wanted centres of the windows, s after the release.
    max_bins : int
        Largest number of windows.
    unit : str
        "quanta", "m" or "V".
    provenance : mapping, optional
        Kept in the estimate.
    keep : bool
        Keep the amplitudes of every repetition, 2 kB each, to show and leave out single ones.
    delays : sequence of float
        By how much each channel is sampled later than its clock says, s.
    """

    def __init__(
        self,
        sample_rate: float,
        *,
        omega_ref: float | None = None,
        band: tuple[float, float] | None = None,
        window: float | None = None,
        times: ArrayLike | None = None,
        max_bins: int = MAX_BINS,
        unit: str = "quanta",
        provenance: Mapping[str, Any] | None = None,
        keep: bool = True,
        delays: Sequence[float] = (),
    ) -> None:
        if not (math.isfinite(sample_rate) and sample_rate > 0.0):
            raise InputError(f"sample_rate must be positive, got {sample_rate!r} Hz")
        require_unit(unit)
        self._sample_rate, self._omega_ref, self._window = sample_rate, omega_ref, window
        self._band = band
        self._times, self._max_bins, self._unit = times, max_bins, unit
        self._provenance = dict(provenance or {})
        self._layout: BinLayout | None = None
        self._lines = (0.0, 0.0)
        self._samples = 0
        self._keep, self._total = keep, 0
        self._delays = tuple(delays)
        self._sums: RepetitionSums | None = None
        self._amplitudes: list[NDArray[np.complex128]] = []
        self._powers: list[NDArray[np.float64]] = []
        self._excluded: set[int] = set()

    def __len__(self) -> int:
        return self._total

    @property
    def layout(self) -> BinLayout | None:
        """Averaging windows; None before the first repetition."""
        return self._layout

    @property
    def included(self) -> int:
        """Repetitions that count."""
        return len(self) - len(self._excluded)

    def add(self, samples: ArrayLike) -> int:
        """Add one repetition (n, 2) or several (m, n, 2), row 0 the release; return their total.

        Raises
        ------
        InputError
            For a wrong shape, values that are not finite, or a release shorter than the first.
        """
        data = np.asarray(samples)
        data = checked_samples(data[None] if data.ndim == 2 else data)
        layout = self._layout if self._layout is not None else self._lay_out(data)
        if data.shape[1] < self._samples:
            raise InputError(
                f"every repetition needs {self._samples} samples after the release, "
                f"got {data.shape[1]}"
            )
        data = data[:, : self._samples]
        amplitudes = demodulate(data, layout, self._delays)
        powers = band_powers(data, self._sample_rate, layout.omega_ref)
        self._total += len(data)
        if self._keep:
            self._amplitudes.extend(amplitudes)
            self._powers.extend(powers)
        elif len(data):
            sums = RepetitionSums.of(amplitudes, powers)
            self._sums = sums if self._sums is None else self._sums + sums
        return len(self)

    def _lay_out(self, data: NDArray[np.floating]) -> BinLayout:
        """Fix reference frequency and windows from the first repetitions."""
        rate = self._sample_rate
        self._lines = line_frequencies(data, rate, self._band)
        omega = self._omega_ref if self._omega_ref is not None else 0.5 * sum(self._lines)
        # Refuse what cannot be demodulated before the noise is looked at.
        lay_out_bins(data.shape[1], rate, omega, window=self._window, times=self._times)
        window = self._window
        if window is None:
            window = best_window(data, rate, omega, self._lines)
        self._layout = lay_out_bins(
            data.shape[1], rate, omega, window=window, times=self._times, max_bins=self._max_bins
        )
        self._samples = data.shape[1]
        return self._layout

    def exclude(self, repetition: int) -> None:
        """Leave one repetition out, counted from 0 in the order of adding.

        Raises
        ------
        InputError
            If there is no such repetition, or only sums are kept.
        """
        if not self._keep:
            raise InputError("a repetition cannot be left out of sums: leave it out before adding")
        if not 0 <= repetition < len(self):
            raise InputError(f"there is no repetition {repetition}; known: 0 to {len(self) - 1}")
        self._excluded.add(repetition)

    def include(self, repetition: int) -> None:
        """Let a repetition that was left out count again; nothing happens to others."""
        self._excluded.discard(repetition)

    def latest_energies(self, count: int) -> NDArray[np.float64]:
        """|â_j|² of the newest repetitions kept, unit², shape (at most ``count``, 2, t)."""
        if not self._amplitudes:
            return np.zeros((0, 2, 0))
        return np.stack([np.abs(a.T) ** 2 for a in self._amplitudes[-count:]])

    def estimate(self) -> ReheatingEstimate:
        """Average what was added so far.

        Raises
        ------
        InputError
            With fewer than 2 repetitions.
        """
        sums = self._sums if not self._keep else self._sums_of_kept()
        count = 0 if sums is None else sums.repetitions
        if sums is None or count < 2 or self._layout is None:
            raise InputError(f"too few repetitions: {count}, an average needs at least 2")
        lag = sums.lag / count
        lines = refined_lines(self._layout, sums.mean[:2], lag, self._lines)
        return ReheatingEstimate(
            layout=self._layout,
            E1=sums.mean[0],
            E2=sums.mean[1],
            C=sums.mean[2] + 1j * sums.mean[3],
            lag=lag,
            pairs=sums.pairs / count,
            stderr=sums.stderr,
            mean_amplitude=sums.amplitude / count,
            noise_floor=fit_noise_floor(
                sums.powers / count,
                count,
                self._samples,
                self._sample_rate,
                self._layout.omega_ref,
                lines,
            ),
            lines=lines,
            repetitions=count,
            excluded=tuple(sorted(self._excluded)),
            unit=self._unit,
            provenance=self._provenance,
        )

    def _sums_of_kept(self) -> RepetitionSums | None:
        """Sums over the repetitions that are kept and not excluded."""
        kept = [index for index in range(len(self)) if index not in self._excluded]
        if not kept:
            return None
        return RepetitionSums.of(
            np.stack([self._amplitudes[index] for index in kept]),
            np.stack([self._powers[index] for index in kept]),
        )


def estimate_reheating(
    samples: ArrayLike,
    sample_rate: float,
    *,
    omega_ref: float | None = None,
    band: tuple[float, float] | None = None,
    window: float | None = None,
    times: ArrayLike | None = None,
    max_bins: int = MAX_BINS,
    unit: str = "quanta",
    exclude: tuple[int, ...] = (),
    provenance: Mapping[str, Any] | None = None,
) -> ReheatingEstimate:
    """Average the reheating curves of a set of releases.

    Parameters
    ----------
    samples : array_like, shape (m, n, 2)
        Repetitions; row 0 of each is the release.
    sample_rate : float
        Hz.
    omega_ref : float, optional
        Reference frequency, rad/s; default the mean of the channels' lines.
    band : tuple of float, optional
        Where the lines are looked for, Hz.
    window : float, optional
        Averaging window, s; default from the data, at least two periods.
    times : array_like, optional
        Wanted centres of the windows, s after the release.
    max_bins : int
        Largest number of windows.
    unit : str
        "quanta", "m" or "V".
    exclude : tuple of int
        Repetitions to leave out.
    provenance : mapping, optional
        Kept in the estimate.

    Returns
    -------
    ReheatingEstimate
        Averaged curves with their errors.

    Raises
    ------
    InputError
        For a wrong shape, values that are not finite, fewer than 10 repetitions, too short a
        release or fewer than 4 samples per period.

    Examples
    --------
    >>> import optobind as ob
    >>> import numpy as np
    >>> record = ob.open_record("runs/first/run.h5")
    >>> releases = np.stack([record.read(*span) for span in record.releases()])
    >>> estimate = ob.estimate_reheating(releases, record.sample_rate, unit=record.unit)
    >>> estimate.unit, estimate.repetitions == len(releases)
    ('m', True)
    """
    data = checked_samples(samples)
    if len(data) - len(set(exclude)) < MIN_REPETITIONS:
        raise InputError(
            f"too few repetitions: {len(data) - len(set(exclude))}, "
            f"at least {MIN_REPETITIONS} are needed"
        )
    accumulator = ReheatingAccumulator(
        sample_rate,
        omega_ref=omega_ref,
        band=band,
        window=window,
        times=times,
        max_bins=max_bins,
        unit=unit,
        provenance=provenance,
    )
    accumulator.add(data)
    for repetition in exclude:
        accumulator.exclude(repetition)
    return accumulator.estimate()
