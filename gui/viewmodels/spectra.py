"""Spectra ready to draw: decimated log10 curves, cursors, references and the fit band."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .curves import Curve, averaged, peak_curve, thin
from .units import format_si

if TYPE_CHECKING:
    from ...acquisition.snapshots import FitSnapshot, SpectrumSnapshot

__all__ = ["MAX_REFERENCES", "CursorReading", "Reference", "SpectraModel", "SpectraView"]

MAX_REFERENCES = 4
_UNITS = {"quanta": "quanta²/Hz", "m": "m²/Hz", "V": "V²/Hz"}
# log10 by which lines stand out of the median, which the noise does not.
_STANDS_OUT = 1.3
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reference:
    """A stored pair of auto spectra: log10 f, and log10 S of each channel."""

    name: str
    log_f: Floats
    log_s: tuple[Floats, ...]
    unit: str


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


@dataclass(frozen=True)
class CursorReading:
    """Values at one frequency: densities of the channels, coherence, phase (rad)."""

    frequency: float
    densities: tuple[float, ...]
    coherence: float | None
    phase: float | None


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
        changed = self.spectrum is None or self.spectrum.csd.unit != snapshot.csd.unit
        self.spectrum, self.channels = snapshot, snapshot.channels
        self._data = _prepare(snapshot.csd.frequencies, snapshot.csd.matrix)
        if changed:
            self._y_range = None

    def set_fit(self, snapshot: FitSnapshot | None) -> None:
        """Take a new fit; a failed one shows no curve."""
        if snapshot is None or snapshot.curve is None or snapshot.frequencies.size == 0:
            self._fit = None
            return
        self._fit = _prepare(snapshot.frequencies, snapshot.curve)

    @property
    def has_fit(self) -> bool:
        """Whether there is a fitted curve to draw."""
        return self._fit is not None

    @property
    def unit(self) -> str:
        """Unit of the densities."""
        if self.spectrum is None:
            return "V²/Hz"
        return _UNITS.get(self.spectrum.csd.unit, f"{self.spectrum.csd.unit}²/Hz")

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
        references = tuple(
            tuple(thin(r.log_f, y, low, high, pixels) for y in r.log_s)
            for r in self.references
            if r.unit == self.unit
        )
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
        if self.spectrum is None:
            return None
        csd = self.spectrum.csd
        index = int(np.argmin(np.abs(csd.frequencies - frequency)))
        matrix = csd.matrix[index : index + 1]
        autos = tuple(float(matrix[0, j, j].real) for j in range(csd.channels))
        if csd.channels < 2:
            return CursorReading(float(csd.frequencies[index]), autos, None, None)
        _, coherence, phase = _coherence(matrix)
        f = float(csd.frequencies[index])
        return CursorReading(f, autos, float(coherence[0]), float(phase[0]))

    def read_out(self) -> list[str]:
        """Text lines of the cursors: A, B, and their difference."""
        lines: list[str] = []
        found: list[CursorReading] = []
        for name, frequency in zip("AB", self.cursors, strict=True):
            reading = None if frequency is None else self.reading(frequency)
            if reading is None:
                continue
            found.append(reading)
            lines.append(f"{name}  {self._describe(reading)}")
        if len(found) == 2:
            a, b = found
            ratios = [
                f"{10.0 * math.log10(q / p):+.1f} dB".replace("-", "−")
                for p, q in zip(a.densities, b.densities, strict=True)
                if p > 0.0 and q > 0.0
            ]
            distance = format_si(b.frequency - a.frequency, "Hz", 5)
            lines.append(f"B − A  Δf {distance}   B/A {' · '.join(ratios)}")
        return lines

    def _describe(self, reading: CursorReading) -> str:
        parts = [format_si(reading.frequency, "Hz", 6)]
        parts += [
            f"S{i}{i} {value:.3g}".replace("-", "−")
            for i, value in enumerate(reading.densities, start=1)
        ]
        if reading.coherence is not None and reading.phase is not None:
            parts.append(f"coh {reading.coherence:.3f}")
            parts.append(f"phase {reading.phase:+.2f} rad".replace("-", "−"))
        return "   ".join(parts)

    def pick_peak(self, frequency: float, width: float) -> float | None:
        """Frequency of the highest bin within ± width (both Hz) of a click; moves cursor A."""
        if self.spectrum is None:
            return None
        csd = self.spectrum.csd
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
        reference = Reference(f"R{number}", self._data.log_f, self._data.autos, self.unit)
        self.references = [*self.references, reference][-MAX_REFERENCES:]
        return reference

    def clear_references(self) -> None:
        """Drop all references."""
        self.references.clear()
