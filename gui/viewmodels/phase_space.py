"""Where particles are in phase space: z against ż/ω, or both quadratures in the rotating frame.

Samples are taken in a band around the line alone: the derivative of what a detector adds would hide
the motion. A phase that is followed from snapshot to snapshot needs one frequency: it is held until
the line has moved.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...models.constants import HBAR
from ...models.errors import InputError
from .curves import Curve

if TYPE_CHECKING:
    from ...acquisition.snapshots import TraceSnapshot
    from ...models.inference.result import FitResult
    from .spectra_units import ChannelScales

__all__ = ["PIXELS", "PhaseSpaceModel", "PhaseSpaceView", "ellipse_of", "lines_of", "phasor"]

Floats = NDArray[np.float64]
PIXELS = 80
"""Of each side of the density."""
_FADES = 5.0  # s, after which what was seen has faded to a third
_BAND = 0.3  # of the line, on either side
_EDGE = 0.1  # of the samples, at either end, where the band has no past or future
_HELD = 2e-3  # of the line, by which it may move before the phase begins anew
_PERIODS = 3.0  # of the trajectory that is drawn in the laboratory frame
_FEWEST_PERIODS = 16
_MOST_POINTS = 6000
_MOST_SAMPLES = 1 << 15


@dataclass(frozen=True)
class PhaseSpaceView:
    """What is drawn of one particle.

    Attributes
    ----------
    density : ndarray of uint8, shape (PIXELS, PIXELS)
        Rows are the vertical axis, from below.
    path : Curve
        Newest trajectory.
    reach : float
        Both axes run from -reach to reach, ``unit``.
    unit : str
        "m" where the channel is calibrated, else "V".
    frequency : float
        Of the frame, Hz.
    """

    density: NDArray[np.uint8]
    path: Curve
    reach: float
    unit: str
    frequency: float


def lines_of(result: FitResult | None, predicted: Mapping[str, float] | None) -> tuple[float, ...]:
    """Lines of the particles, Hz: fitted, else predicted, else none."""
    found = {} if result is None else {n: p.value for n, p in result.parameters.items()}
    for values in (found, predicted or {}):
        if "omega" in values:
            return (values["omega"] / math.tau,)
        if "omega_1" in values and "omega_2" in values:
            return values["omega_1"] / math.tau, values["omega_2"] / math.tau
    return ()


class _Particle:
    """Density of one particle."""

    def __init__(self) -> None:
        self.frequency = 0.0
        self.reach = 0.0
        self.density = np.zeros((PIXELS, PIXELS), np.float32)
        self.then: float | None = None

    def begin(self) -> None:
        """Forget what was seen."""
        self.density[:] = 0.0
        self.then = None


class PhaseSpaceModel:
    """State of the phase-space panel.

    Attributes
    ----------
    rotating : bool
        Quadratures in the frame that rotates with the line, instead of z and ż/ω.
    """

    def __init__(self) -> None:
        self.rotating = True
        self._particles: list[_Particle] = []
        self._first = -1

    def begin(self) -> None:
        """Forget what was seen."""
        self._particles = []

    def choose(self, *, rotating: bool) -> None:
        """Show the other kind of axes."""
        self.rotating = rotating
        self.begin()

    def views(
        self,
        trace: TraceSnapshot,
        columns: Sequence[int],
        lines: Sequence[float],
        scales: ChannelScales,
        now: float,
    ) -> tuple[PhaseSpaceView, ...]:
        """Take the newest samples in and return what is seen of each particle.

        Parameters
        ----------
        trace : TraceSnapshot
            Newest samples.
        columns : sequence of int
            Channel of each particle.
        lines : sequence of float
            Their lines, Hz; particles without one are left out.
        scales : ChannelScales
            Of these channels.
        now : float
            Monotonic s.
        """
        pairs = list(zip(columns, lines, strict=False))
        if len(pairs) != len(self._particles) or trace.first_sample < self._first:
            self._particles = [_Particle() for _ in pairs]
        self._first = trace.first_sample
        factors, unit = _calibration(scales, len(pairs))
        found = []
        for one, (column, line), factor in zip(self._particles, pairs, factors, strict=True):
            view = self._view(one, trace, column, line, factor, now)
            if view is not None:
                found.append(replace(view, unit=unit))
        return tuple(found)

    def _view(
        self,
        one: _Particle,
        trace: TraceSnapshot,
        column: int,
        line: float,
        factor: float,
        now: float,
    ) -> PhaseSpaceView | None:
        """Take the newest samples of one particle in; None where they cannot be used."""
        rate = trace.sample_rate
        if not 0.0 < line * (1.0 + _BAND) < 0.5 * rate:
            return None
        if abs(line - one.frequency) > _HELD * line:
            one.frequency = line
            one.begin()
        samples = trace.volts[-_MOST_SAMPLES:, column].astype(np.float64) * factor
        first = trace.first_sample + len(trace.volts) - len(samples)
        periods = len(samples) * one.frequency / rate
        if periods < _FEWEST_PERIODS or not np.isfinite(samples).all() or not samples.any():
            return None
        a = phasor(samples, first, rate, one.frequency, rotating=self.rotating)
        self._count(one, a, now)
        rows = len(a)
        if not self.rotating:
            rows = min(rows, max(2, round(_PERIODS * rate / one.frequency)))
        path = a[-rows:][:: max(1, rows // 400)]
        shades = _shades(one.density)
        return PhaseSpaceView(shades, Curve(path.real, path.imag), one.reach, "V", one.frequency)

    def _count(self, one: _Particle, a: NDArray[np.complex128], now: float) -> None:
        """Count points in the pixels; a range that has to change begins anew."""
        points = a[:: max(1, len(a) // _MOST_POINTS)]
        top = 1.2 * max(float(np.abs(points.real).max()), float(np.abs(points.imag).max()))
        reach = _rounded(top)
        if reach > one.reach or 5.0 * reach < one.reach:
            one.reach = reach
            one.begin()
        if one.then is not None:
            one.density *= np.float32(math.exp(-max(0.0, now - one.then) / _FADES))
        one.then = now
        place = [np.floor((v / one.reach + 1.0) * 0.5 * PIXELS) for v in (points.imag, points.real)]
        rows, columns = (np.clip(p, 0, PIXELS - 1).astype(np.intp) for p in place)
        counted = np.bincount(rows * PIXELS + columns, minlength=PIXELS * PIXELS)
        one.density += counted.reshape(PIXELS, PIXELS).astype(np.float32) / len(points)


def phasor(
    samples: Floats, first: int, rate: float, frequency: float, *, rotating: bool
) -> NDArray[np.complex128]:
    """Motion near a line as z + i·ż/ω, or as X + iY with z = X cos ωt + Y sin ωt.

    Parameters
    ----------
    samples : ndarray, shape (n,)
        Evenly sampled.
    first : int
        Index of the first one: the phase of the frame is counted from sample 0.
    rate, frequency : float
        Hz.
    rotating : bool
        Which of the two.

    Returns
    -------
    ndarray, shape (m,)
        Without the ends, where the band knows one side only.
    """
    n = len(samples)
    spectrum = np.fft.rfft(samples)
    f = np.fft.rfftfreq(n, 1.0 / rate)
    spectrum[np.abs(f - frequency) > _BAND * frequency] = 0.0
    z = np.fft.irfft(spectrum, n)
    v = np.fft.irfft(1j * f / frequency * spectrum, n)
    a = z + 1j * v
    cut = slice(round(_EDGE * n), n - round(_EDGE * n))
    if not rotating:
        return np.asarray(a[cut])
    begun = math.fmod(first * (frequency / rate), 1.0)
    turns = begun + np.arange(n) * (frequency / rate)
    return np.asarray((a * np.exp(2j * np.pi * turns))[cut])


def ellipse_of(
    result: FitResult | None,
    masses: Sequence[float] | None,
    particle: int,
    unit: str,
    *,
    rotating: bool,
) -> Curve | None:
    """One standard deviation of the stationary state that a fit describes.

    Parameters
    ----------
    result : FitResult or None
        The fit that a tracker follows.
    masses : sequence of float or None
        kg, of quanta in metres.
    particle : int
        From 0.
    unit : {"m", "V"}
        Of the axes.
    rotating : bool
        In the rotating frame it is a circle: both quadratures share the variance.

    Returns
    -------
    Curve or None
        None where the fit does not tell it, or not in this unit.
    """
    if result is None:
        return None
    # Imported here: a window is seen before anything is tracked.
    from ...models.inference.convention import own_scale
    from ...models.inference.tracking.dynamics import fitted_dynamics

    try:
        model = fitted_dynamics(result, 1e6, diffuse=1.0).model
        covariance = model.steady_state()
    except (InputError, ValueError, KeyError):
        return None
    scale = 1.0
    if model.unit == "quanta":
        if unit != "m" or masses is None or particle >= len(masses):
            return None
        scale = math.sqrt(HBAR / (masses[particle] * own_scale(result)))
    elif model.unit != unit:
        return None
    own = slice(2 * particle, 2 * particle + 2)
    v = covariance[own, own] * scale**2
    if v.shape != (2, 2):
        return None
    if rotating:
        v = np.eye(2) * 0.5 * np.trace(v)
    return _outline(v)


def _outline(v: Floats) -> Curve:
    """One standard deviation of a covariance of shape (2, 2)."""
    values, vectors = np.linalg.eigh(v)
    angle = np.linspace(0.0, math.tau, 97)
    circle = np.stack([np.cos(angle), np.sin(angle)])
    points = vectors @ (np.sqrt(np.maximum(values, 0.0))[:, None] * circle)
    return Curve(points[0], points[1])


def _calibration(scales: ChannelScales, count: int) -> tuple[Floats, str]:
    """Unit per volt of each particle, and the unit: one for all."""
    if scales.metres is None or scales.metres.size < count:
        return np.ones(count), "V"
    return scales.metres[:count], "m"


def _rounded(top: float) -> float:
    """The next round number above."""
    if not top > 0.0:
        return 1.0
    decade = 10.0 ** math.floor(math.log10(top))
    steps = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0)
    return float(next(m * decade for m in steps if m * decade >= 0.999 * top))


def _shades(density: NDArray[np.float32]) -> NDArray[np.uint8]:
    top = float(density.max(initial=0.0))
    if top <= 0.0:
        return np.zeros(density.shape, np.uint8)
    return np.asarray(np.ceil(np.sqrt(density / top) * 255.0), np.uint8)
