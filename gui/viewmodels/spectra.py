"""Spectra ready to draw: decimated log10 curves, cursors, references and the fit band."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .curves import Curve, averaged, peak_curve, thin
from .spectra_curves import Prepared, prepare
from .spectra_measures import (
    CursorReading,
    Peak,
    band_integral,
    band_text,
    peaks_of,
    read_out,
    reading_of,
)
from .spectra_overlays import Extremes, Reference, relative_to
from .spectra_units import UNITS, ChannelScales
from .spectra_view import SpectraView
from .units import FREQUENCY, parse_quantity

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
        self.ghost: Reference | None = None
        self.extremes: Extremes | None = None
        self.ratio = False
        self.cursors: list[float | None] = [None, None]
        self.band: tuple[float, float] | None = None
        self.peak: float | None = None
        self.show_fit = True
        self.show_pulls = False
        self._data: Prepared | None = None
        self._fit: Prepared | None = None
        self._y_range: tuple[float, float] | None = None

    def set_spectrum(self, snapshot: SpectrumSnapshot) -> None:
        """Take a new snapshot."""
        if self.extremes is not None and self.spectrum is not snapshot:
            self.extremes.take(snapshot.csd)
        self.spectrum, self.channels = snapshot, snapshot.channels
        before, self.csd = self.csd, self.shown(snapshot.csd)
        self._data = prepare(self.csd.frequencies, self.csd.matrix)
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
        self._fit = prepare(snapshot.frequencies, matrix)

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
        if self._data is None:
            return SpectraView()
        base = self._ratio_base()
        data = relative_to(self._data, base)
        x = data.log_f
        autos = tuple(thin(x, y, low, high, pixels) for y in data.autos)

        def stored(csd: CsdEstimate) -> tuple[Curve, ...]:
            return self._stored(csd, base, low, high, pixels)

        common: dict[str, Any] = {
            "autos": autos,
            "references": tuple(stored(r.csd) for r in self.references),
            "ghost": () if self.ghost is None else stored(self.ghost.csd),
            "extremes": tuple(stored(csd) for csd in self.extremes.held()) if self.extremes else (),
            "unit": self.unit if base is None else f"ratio to {self.references[-1].name}",
            "y_range": self._hold_range(autos),
            **self._fit_view(base, low, high, pixels),
        }
        if data.modulus.size == 0:
            return SpectraView(**common)
        return SpectraView(
            **common,
            cross=averaged(x, data.log_modulus, low, high, pixels),
            coherence=thin(x, data.coherence, low, high, max(1, pixels // 2)),
            phase=peak_curve(x, data.phase, data.modulus, low, high, max(1, pixels // 2)),
            coherence_floor=self.coherence_floor(),
        )

    def _ratio_base(self) -> Prepared | None:
        """Densities that others are divided by: the newest reference's, if that is wanted."""
        if not self.ratio or not self.references or self.csd is None:
            return None
        csd = self.shown(self.references[-1].csd)
        if csd.unit != self.csd.unit or csd.channels < self.csd.channels:
            return None
        return prepare(csd.frequencies, csd.matrix)

    def _stored(
        self, stored: CsdEstimate, base: Prepared | None, low: float, high: float, px: int
    ) -> tuple[Curve, ...]:
        """Curves of other spectra; none where they cannot be shown in the unit of these."""
        csd = self.shown(stored)
        if self.csd is None or csd.unit != self.csd.unit:
            return ()
        finite = np.nan_to_num(csd.matrix, nan=0.0)
        data = relative_to(prepare(csd.frequencies, finite), base)
        return tuple(thin(data.log_f, y, low, high, px) for y in data.autos)

    def _fit_view(
        self, base: Prepared | None, low: float, high: float, pixels: int
    ) -> dict[str, object]:
        """Curves of the fit, as keyword arguments of the view."""
        if self._fit is None or not self.show_fit:
            return {}
        fit = relative_to(self._fit, base)
        x = fit.log_f
        curves: dict[str, object] = {
            "fit_autos": tuple(thin(x, y, low, high, pixels) for y in fit.autos)
        }
        if fit.modulus.size:
            curves["fit_cross"] = thin(x, fit.log_modulus, low, high, pixels)
            curves["fit_coherence"] = thin(x, fit.coherence, low, high, pixels)
            curves["fit_phase"] = peak_curve(x, fit.phase, fit.modulus, low, high, pixels)
        if self.show_pulls:
            curves["pulls"] = tuple(thin(x, y, low, high, pixels) for y in self._pulls(self._fit))
        return curves

    def _pulls(self, fit: Prepared) -> list[Floats]:
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

    def parse_band(self, text: str) -> float | None:
        """Read an end of the band; what the spectrum does not hold is refused, not moved."""
        if text.strip() in ("", "auto"):
            return None
        high = self.nyquist
        return parse_quantity(text, FREQUENCY, default_unit="kHz", low=0.0, high=high, name="band")

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
        """Drop all references; without one there is no ratio."""
        self.references.clear()
        self.ratio = False
        self._y_range = None

    def show_ratio(self, on: bool) -> bool:
        """Divide by the newest reference, or not; return whether that is done."""
        self.ratio = on and bool(self.references)
        self._y_range = None
        return self.ratio

    def hold_extremes(self, on: bool) -> None:
        """Begin to hold the largest and the smallest densities, or drop them."""
        self.extremes = Extremes() if on else None
        if self.extremes is not None and self.spectrum is not None:
            self.extremes.take(self.spectrum.csd)
