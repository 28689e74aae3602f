"""Spectra ready to draw: decimated log10 curves, cursors, references and the fit band."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .curves import Curve, averaged, peak_curve, thin
from .spectra_measures import (
    CursorReading,
    Peak,
    band_integral,
    band_text,
    peaks_of,
    read_out,
    reading_of,
)
from .spectra_units import UNITS, ChannelScales

if TYPE_CHECKING:
    from ...acquisition.snapshots import FitSnapshot, SpectrumSnapshot
    from ...models.inference.result import FitResult
    from ...models.spectra import CsdEstimate

__all__ = ["MAX_REFERENCES", "CursorReading", "Reference", "SpectraModel", "SpectraView"]

MAX_REFERENCES = 4
_STEADY = 0.01  # of the scale of quanta, that a fit may move it by
# log10 by which lines stand out of the median, which the noise does not.
_STANDS_OUT = 1.3
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reference:
    """Stored spectra; they follow the unit that is chosen."""

    name: str
    csd: CsdEstimate


@dataclass(frozen=True)
class SpectraView:
    """What the panel draws; x is log10 f, power densities are log10.

    Attributes
    ----------
    autos, fit_autos : tuple of Curve
        S_jj of the channels and of the fit.
    cross, fit_cross : Curve
        |S_12|; empty for one channel.
    coherence, phase, fit_coherence, fit_phase : Curve
        |S_12|²/(S_11 S_22) in 0 … 1 and arg S_12 in rad.
    references : tuple of tuple of Curve
        Stored spectra, per reference and channel.
    pulls : tuple of Curve
        (S_jj − fit)·√ν/fit of each channel in the fit's band, ν effective averages: a model that
        describes the data leaves numbers of mean 0 and width 1.
    coherence_floor : float or None
        Coherence that independent channels exceed in 5 % of the bins.
    unit : str
        Unit of the densities.
    y_range : tuple of float
        log10 range that holds the data.
    """

    autos: tuple[Curve, ...] = ()
    fit_autos: tuple[Curve, ...] = ()
    cross: Curve = field(default_factory=Curve.empty)
    fit_cross: Curve = field(default_factory=Curve.empty)
    coherence: Curve = field(default_factory=Curve.empty)
    phase: Curve = field(default_factory=Curve.empty)
    fit_coherence: Curve = field(default_factory=Curve.empty)
    fit_phase: Curve = field(default_factory=Curve.empty)
    references: tuple[tuple[Curve, ...], ...] = ()
    pulls: tuple[Curve, ...] = ()
    coherence_floor: float | None = None
    unit: str = ""
    y_range: tuple[float, float] = (-3.0, 3.0)


def _log(values: Floats) -> Floats:
    """log10 that maps 0 to something finite far below anything physical."""
    return np.log10(np.maximum(values, 1e-300))


def _coherence(matrix: NDArray[np.complex128]) -> tuple[Floats, Floats, Floats]:
    """|S_12|, coherence and phase of a CSD matrix."""
    cross = matrix[:, 0, 1]
    modulus = np.abs(cross)
    product = np.maximum(matrix[:, 0, 0].real * matrix[:, 1, 1].real, 1e-300)
    return modulus, np.minimum(modulus**2 / product, 1.0), np.angle(cross)


@dataclass
class _Prepared:
    """Full-resolution curves of one matrix, computed once per snapshot."""

    log_f: Floats
    autos: tuple[Floats, ...]
    modulus: Floats
    log_modulus: Floats
    coherence: Floats
    phase: Floats


def _prepare(frequencies: Floats, matrix: NDArray[np.complex128]) -> _Prepared:
    keep = frequencies > 0.0
    f, s = frequencies[keep], matrix[keep]
    autos = tuple(_log(s[:, j, j].real) for j in range(s.shape[1]))
    none = np.empty(0)
    if s.shape[1] < 2:
        return _Prepared(np.log10(f), autos, none, none, none, none)
    modulus, coherence, phase = _coherence(s)
    return _Prepared(np.log10(f), autos, modulus, _log(modulus), coherence, phase)


class SpectraModel:
    """State of the spectra panel; holds the newest snapshot, references and cursors."""

    def __init__(self) -> None:
        self.spectrum: SpectrumSnapshot | None = None
        self.csd: CsdEstimate | None = None  # in the unit that is shown
        self.scales = ChannelScales()
        self.wanted: str | None = None
        self.omega: float | None = None
        self.linear = False
        self.exclude: list[tuple[float, float]] = []
        self.channels: tuple[str, ...] = ()
        self.references: list[Reference] = []
        self.cursors: list[float | None] = [None, None]
        self.band: tuple[float, float] | None = None
        self.peak: float | None = None
        self.show_fit = True
        self.show_pulls = False
        self._data: _Prepared | None = None
        self._fit: _Prepared | None = None
        self._y_range: tuple[float, float] | None = None

    def set_spectrum(self, snapshot: SpectrumSnapshot) -> None:
        """Take a new snapshot."""
        self.spectrum, self.channels = snapshot, snapshot.channels
        before, self.csd = self.csd, self.shown(snapshot.csd)
        self._data = _prepare(self.csd.frequencies, self.csd.matrix)
        if before is None or before.unit != self.csd.unit:
            self._y_range = None

    def shown(self, csd: CsdEstimate) -> CsdEstimate:
        """Express spectra in the unit that is chosen, or as they are where that is not known."""
        if self.wanted is None or self.wanted == csd.unit:
            return csd
        factors = self.scales.factors(csd.unit, self.wanted, self.omega)
        if factors is None or factors.size != csd.channels:
            return csd
        return replace(csd, matrix=csd.matrix * np.outer(factors, factors), unit=self.wanted)

    def units(self) -> tuple[str, ...]:
        """Units in which the present spectra can be shown."""
        if self.spectrum is None:
            return ()
        held, count = self.spectrum.csd.unit, self.spectrum.csd.channels
        found = [held]
        for unit in UNITS:
            factors = self.scales.factors(held, unit, self.omega)
            if unit != held and factors is not None and factors.size == count:
                found.append(unit)
        return tuple(unit for unit in dict.fromkeys((*UNITS, held)) if unit in found)

    def choose_unit(self, unit: str | None) -> None:
        """Show densities in another unit; None as they come."""
        self.wanted = unit
        self._y_range = None
        if self.spectrum is not None:
            self.set_spectrum(self.spectrum)

    def set_omega(self, omega: float | None) -> None:
        """Take the scale of quanta (rad/s); small changes from fit to fit are left out."""
        if omega is None or (self.omega and abs(omega / self.omega - 1.0) < _STEADY):
            return
        self.omega = omega
        if self.wanted == "quanta" and self.spectrum is not None:
            self.set_spectrum(self.spectrum)

    def set_fit(self, snapshot: FitSnapshot | None) -> None:
        """Take a new fit; a failed one shows no curve."""
        if snapshot is None or snapshot.curve is None or snapshot.frequencies.size == 0:
            self._fit = None
            return
        matrix = snapshot.curve
        if self.spectrum is not None and self.csd is not None:
            held = self.spectrum.csd.unit
            factors = self.scales.factors(held, self.csd.unit, self.omega)
            if self.csd.unit != held and factors is not None:
                used = factors[: matrix.shape[1]]
                matrix = matrix * np.outer(used, used)
        self._fit = _prepare(snapshot.frequencies, matrix)

    @property
    def has_fit(self) -> bool:
        """Whether there is a fitted curve to draw."""
        return self._fit is not None

    @property
    def unit(self) -> str:
        """Unit of the densities."""
        if self.csd is None:
            return "V²/Hz"
        return UNITS.get(self.csd.unit, f"{self.csd.unit}²/Hz")

    @property
    def nyquist(self) -> float:
        """Half the sample rate, Hz (1 MHz while there are no data)."""
        return 1e6 if self.spectrum is None else 0.5 * self.spectrum.csd.sample_rate

    def full_range(self) -> tuple[float, float]:
        """log10 range of all bins but zero."""
        if self._data is None or self._data.log_f.size == 0:
            return 3.0, 6.0
        return float(self._data.log_f[0]), float(self._data.log_f[-1])

    def line_range(self) -> tuple[float, float] | None:
        """log10 range around what is fitted, or what stands out of the noise; None for nothing."""
        data = self._data
        if self._fit is not None:
            low, high = float(self._fit.log_f[0]), float(self._fit.log_f[-1])
        elif data is not None and data.log_f.size > 64:
            power = np.max(data.autos, axis=0)
            out = power > np.median(power) + _STANDS_OUT
            out &= data.log_f > data.log_f[4]  # the window's leakage of the mean
            if not out.any():
                return None
            top = data.log_f[out][np.argmax(power[out])]
            near = data.log_f[out & (np.abs(data.log_f - top) < 0.5)]
            low, high = float(near[0]) - 0.15, float(near[-1]) + 0.15
        else:
            return None
        return low - 0.05, high + 0.05

    def view(self, low: float, high: float, pixels: int) -> SpectraView:
        """Decimate to the visible range [low, high] (log10 Hz) of ``pixels`` columns."""
        data = self._data
        if data is None:
            return SpectraView()
        x = data.log_f
        autos = tuple(thin(x, y, low, high, pixels) for y in data.autos)
        references = tuple(self._reference(r, low, high, pixels) for r in self.references)
        common = {"autos": autos, "references": references, "unit": self.unit}
        y_range = self._hold_range(autos)
        if data.modulus.size == 0:
            return SpectraView(**common, y_range=y_range, **self._fit_view(low, high, pixels))  # type: ignore[arg-type]
        return SpectraView(
            **common,  # type: ignore[arg-type]
            cross=averaged(x, data.log_modulus, low, high, pixels),
            coherence=thin(x, data.coherence, low, high, max(1, pixels // 2)),
            phase=peak_curve(x, data.phase, data.modulus, low, high, max(1, pixels // 2)),
            coherence_floor=self.coherence_floor(),
            y_range=y_range,
            **self._fit_view(low, high, pixels),  # type: ignore[arg-type]
        )

    def _reference(self, stored: Reference, low: float, high: float, px: int) -> tuple[Curve, ...]:
        """Curves of a reference; none where it cannot be shown in the unit of the others."""
        csd = self.shown(stored.csd)
        if self.csd is None or csd.unit != self.csd.unit:
            return ()
        data = _prepare(csd.frequencies, csd.matrix)
        return tuple(thin(data.log_f, y, low, high, px) for y in data.autos)

    def _fit_view(self, low: float, high: float, pixels: int) -> dict[str, object]:
        """Curves of the fit, as keyword arguments of the view."""
        fit = self._fit
        if fit is None or not self.show_fit:
            return {}
        x = fit.log_f
        curves: dict[str, object] = {
            "fit_autos": tuple(thin(x, y, low, high, pixels) for y in fit.autos)
        }
        if fit.modulus.size:
            curves["fit_cross"] = thin(x, fit.log_modulus, low, high, pixels)
            curves["fit_coherence"] = thin(x, fit.coherence, low, high, pixels)
            curves["fit_phase"] = peak_curve(x, fit.phase, fit.modulus, low, high, pixels)
        if self.show_pulls:
            curves["pulls"] = tuple(thin(x, y, low, high, pixels) for y in self._pulls(fit))
        return curves

    def _pulls(self, fit: _Prepared) -> list[Floats]:
        """Deviations of the present spectra from the fit, in standard deviations of a bin."""
        data, spectrum = self._data, self.spectrum
        if data is None or spectrum is None:
            return []
        start = int(np.searchsorted(data.log_f, fit.log_f[0] - 1e-9))
        stop = start + fit.log_f.size
        if stop > data.log_f.size or not np.allclose(data.log_f[start:stop], fit.log_f):
            return []  # a fit of another segment length
        nu = spectrum.csd.effective_averages or float(spectrum.csd.averages)
        pairs = zip(data.autos, fit.autos, strict=False)
        return [(10.0 ** (d[start:stop] - f) - 1.0) * math.sqrt(nu) for d, f in pairs]

    def coherence_floor(self) -> float | None:
        """95 % level of the coherence of independent channels, 1 − 0.05^{1/(ν−1)}."""
        if self.spectrum is None:
            return None
        nu = self.spectrum.csd.effective_averages or float(self.spectrum.csd.averages)
        return 1.0 - 0.05 ** (1.0 / (nu - 1.0)) if nu > 1.5 else None

    def _hold_range(self, curves: tuple[Curve, ...]) -> tuple[float, float]:
        """Range that grows at once and shrinks only when half of it is empty: no jitter."""
        low = min((float(c.y.min()) for c in curves if c.y.size), default=-3.0)
        high = max((float(c.y.max()) for c in curves if c.y.size), default=3.0)
        want = (math.floor(2.0 * low) / 2.0, math.ceil(2.0 * high + 0.4) / 2.0)
        held = self._y_range
        if held is None or (held[1] - held[0]) > 2.0 * (want[1] - want[0]):
            self._y_range = want
        else:
            self._y_range = (min(held[0], want[0]), max(held[1], want[1]))
        return self._y_range

    def forget_range(self) -> None:
        """Let the vertical range follow the data anew."""
        self._y_range = None

    def reading(self, frequency: float) -> CursorReading | None:
        """Values of the bin nearest to a frequency (Hz)."""
        return None if self.csd is None else reading_of(self.csd, frequency)

    def read_out(self, result: FitResult | None = None) -> list[str]:
        """Text lines of the cursors: A, B, their difference, and the integral between them.

        ``result`` is the fit of these spectra, whose imprecision is taken off the integral.
        """
        found: list[tuple[str, CursorReading]] = []
        for name, frequency in zip("AB", self.cursors, strict=True):
            reading = None if frequency is None else self.reading(frequency)
            if reading is not None:
                found.append((name, reading))
        lines = read_out(found)
        if len(found) == 2 and self.csd is not None:
            low, high = (reading.frequency for _, reading in found)
            lines.append(band_text(band_integral(self.csd, low, high, result)))
        return lines

    def peaks(self, low: float, high: float) -> list[Peak]:
        """Lines in a range of log10 f, the highest first."""
        return [] if self.csd is None else peaks_of(self.csd, 10.0**low, 10.0**high)

    def pick_peak(self, frequency: float, width: float) -> float | None:
        """Frequency of the highest bin within ± width (both Hz) of a click; moves cursor A."""
        if self.spectrum is None:
            return None
        csd = self.csd if self.csd is not None else self.spectrum.csd
        near = np.flatnonzero(np.abs(csd.frequencies - frequency) <= max(width, csd.bin_width))
        near = near[csd.frequencies[near] > 0.0]
        if near.size == 0:
            return None
        power = np.trace(csd.matrix[near], axis1=1, axis2=2).real
        self.peak = float(csd.frequencies[near[int(np.argmax(power))]])
        self.cursors[0] = self.peak
        return self.peak

    def band_around_peak(self) -> tuple[float, float] | None:
        """Band in which the picked line is fitted: ± 20 %, within the spectrum."""
        if self.peak is None or self.spectrum is None:
            return None
        lowest = self.spectrum.csd.bin_width
        return max(0.8 * self.peak, lowest), min(1.2 * self.peak, self.nyquist)

    def clip_band(self, low: float, high: float) -> tuple[float, float]:
        """Order a band (Hz) and keep it within the spectrum, at least four bins wide."""
        width = 1.0 if self.spectrum is None else self.spectrum.csd.bin_width
        low, high = sorted((low, high))
        low = min(max(low, width), self.nyquist - 4.0 * width)
        return low, min(max(high, low + 4.0 * width), self.nyquist)

    def store_reference(self) -> Reference | None:
        """Keep the present spectra; the oldest of more than four is dropped."""
        if self._data is None or self.spectrum is None:
            return None
        number = 1 + max((int(r.name[1:]) for r in self.references), default=0)
        reference = Reference(f"R{number}", self.spectrum.csd)
        self.references = [*self.references, reference][-MAX_REFERENCES:]
        return reference

    def exclude_between(self) -> tuple[float, float] | None:
        """Leave what lies between the cursors out of fits; None without two cursors."""
        a, b = self.cursors
        if a is None or b is None or a == b:
            return None
        found = (min(a, b), max(a, b))
        self.exclude = [*self.exclude, found]
        return found

    def clear_references(self) -> None:
        """Drop all references."""
        self.references.clear()
