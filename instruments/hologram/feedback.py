"""Holograms whose spots have the amplitudes and phases that were asked for.

The superposition of N spots, reduced to its phase, has neither: cross-talk, quantisation and the
lost amplitude pull them off by degrees and percents. Feedback on the light computed at the spots
takes that back: a_j ← a_j (w_j/share_j)^{p/2}, φ_j ← φ_j + (wanted − found). The exponent p is 1
for three spots and more; near equal weights the light of two follows their amplitudes with a
logarithmically diverging gain: p = 0.3 there. It is halved when the errors swing. Two spots settle
on a sixteenth of the pixels first, which leaves one or two passes over all of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from ...models.ranges import require_range
from ..protocols import SpotPattern
from .spots import SpotTargets
from .synthesis import Complex, HologramOptics, Image, Synthesis

__all__ = ["FeedbackSettings", "Hologram", "HologramReport", "make_hologram"]

# Widths of the scatter that are tried in turn, rad; see Synthesis.dither.
_SCATTER = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)


@dataclass(frozen=True)
class FeedbackSettings:
    """When feedback is content, and when it gives up.

    Attributes
    ----------
    phase_tolerance : float
        Largest error of the phase between two spots, rad; 1e-6 … 1.
    weight_tolerance : float
        Largest relative error of a weight; 1e-6 … 1.
    quick_passes, full_passes : int
        Most passes over a sixteenth of the pixels and over all pixels, for each width of scatter.
    """

    phase_tolerance: float = math.radians(0.08)
    weight_tolerance: float = 4e-3
    quick_passes: int = 12
    full_passes: int = 8

    def __post_init__(self) -> None:
        require_range("phase_tolerance", self.phase_tolerance, 1e-6, 1.0, "rad")
        require_range("weight_tolerance", self.weight_tolerance, 1e-6, 1.0)
        require_range("quick_passes", self.quick_passes, 0, 1000)
        require_range("full_passes", self.full_passes, 1, 1000)


@dataclass(frozen=True)
class HologramReport:
    """What a hologram does, computed from the grey levels that are shown.

    Attributes
    ----------
    amplitudes : tuple of complex
        Light at each spot in units of a flat mask's focus: |·|² is its share of the incident light,
        the argument its optical phase.
    weights : tuple of float
        Share of each spot, as asked for: of the light in spots and dump, or of ``efficiency``.
    phases : tuple of float
        Optical phase of each spot, rad, within π of what was asked for.
    phase_error : float
        Largest error of the phase between two lit spots, rad.
    weight_error : float
        Largest relative error of a lit spot's weight.
    diffraction_efficiency : float
        Share of the incident light in all spots together, without the dump.
    converged : bool
        Whether both errors are within tolerance.
    passes : int
        Passes over all pixels that were needed.
    scatter : float
        Width of the scatter of phases that broke a commensurate spacing, rad; 0 if none.
    """

    amplitudes: tuple[complex, ...]
    weights: tuple[float, ...]
    phases: tuple[float, ...]
    phase_error: float
    weight_error: float
    diffraction_efficiency: float
    converged: bool
    passes: int
    scatter: float

    def __str__(self) -> str:
        """One line for people."""
        state = "converged" if self.converged else "NOT converged"
        return (
            f"{state}: phase error {math.degrees(self.phase_error):.3g}°, weight error "
            f"{100.0 * self.weight_error:.3g} %, {100.0 * self.diffraction_efficiency:.1f} % of "
            "the light in the spots"
        )


@dataclass(frozen=True, eq=False)
class Hologram:
    """A mask and what it does.

    Attributes
    ----------
    image : ndarray of uint8 or uint16, shape (rows, columns)
        Grey levels.
    pattern : SpotPattern
        The spots that result.
    report : HologramReport
        Predicted errors.
    """

    image: Image
    pattern: SpotPattern
    report: HologramReport


def make_hologram(
    optics: HologramOptics,
    pattern: SpotPattern,
    *,
    dump: tuple[float, float, float],
    efficiency: float | None = None,
    settings: FeedbackSettings | None = None,
) -> Hologram:
    """Compute the hologram of a pattern.

    Parameters
    ----------
    optics : HologramOptics
        Modulator, light, calibration.
    pattern : SpotPattern
        What is wanted, checked (:func:`~.spots.check_pattern`).
    dump : tuple of float
        Where light goes that no spot shall have, m.
    efficiency : float, optional
        Share of the incident light that weights adding up to 1 stand for: powers then stay the same
        when the pattern changes, and the dump takes the rest. Without it weights are shares of
        whatever is diffracted into spots and dump.
    settings : FeedbackSettings, optional
        Tolerances and limits.

    Raises
    ------
    InputError
        For a spot beyond what the pixels can reach.
    """
    settings = settings or FeedbackSettings()
    targets = SpotTargets.of(pattern, dump, efficiency)
    loop = _Loop(Synthesis(optics, targets.positions), targets, settings)
    # More spots are so many combinations of phases that a part of the pixels is no fair sample.
    pair = np.count_nonzero(targets.powers) <= 2
    tried: list[tuple[_Drive, float]] = []
    found: _Drive | None = None
    for scatter in _SCATTER:
        if scatter > 0.0:
            loop.synthesis.dither(scatter)
        drive = _start(targets)
        if pair:
            drive = loop.run(drive, settings.quick_passes, sampled=True)
        if drive.score <= 1.0 or not pair:
            drive = loop.run(drive, settings.full_passes, sampled=False)
            if drive.score <= 1.0:
                found = drive
                break
        tried.append((drive, scatter))
    if found is None:  # what came nearest, as well as it can be done
        drive, scatter = min(tried, key=lambda trial: trial[0].score)
        loop.synthesis.dither(scatter)
        found = loop.run(drive, settings.full_passes, sampled=False)
    report = loop.report(found, pattern, scatter)
    shown = SpotPattern(pattern.positions, report.weights, report.phases)
    return Hologram(loop.synthesis.image, shown, report)


@dataclass(frozen=True, eq=False)
class _Drive:
    """What enters the superposition, the light that results, and its score (≤ 1: in tolerance)."""

    amplitudes: NDArray[np.float64]
    phases: NDArray[np.float64]
    exponent: float
    light: Complex = field(default_factory=lambda: np.zeros(0, complex))
    score: float = math.inf


class _Loop:
    """Feedback from the computed light on amplitudes and phases."""

    def __init__(
        self, synthesis: Synthesis, targets: SpotTargets, settings: FeedbackSettings
    ) -> None:
        self.synthesis, self._targets, self._settings = synthesis, targets, settings
        self.passes = 0

    def run(self, drive: _Drive, passes: int, *, sampled: bool) -> _Drive:
        """Iterate until the light is within tolerance; return the best drive."""
        best, last = replace(drive, score=math.inf), np.zeros(0)
        for _ in range(passes):
            drive = self._measure(drive, sampled)
            if drive.score < best.score:
                best = drive
            if drive.score <= (0.1 if sampled else 1.0):
                break
            drive, last = self._correct(drive, last)
        if not sampled and best.score < math.inf and best is not drive:
            best = self._measure(best, sampled)  # the image shall be the best one's
        return best

    def _measure(self, drive: _Drive, sampled: bool) -> _Drive:
        """Compute the light of a drive."""
        self.passes += not sampled
        light = self.synthesis.light(drive.amplitudes, drive.phases, sampled=sampled)
        drive = replace(drive, light=light)
        phase, weight = self.errors(drive)
        settings = self._settings
        score = max(phase / settings.phase_tolerance, weight / settings.weight_tolerance)
        return replace(drive, score=score)

    def _correct(
        self, drive: _Drive, last: NDArray[np.float64]
    ) -> tuple[_Drive, NDArray[np.float64]]:
        """Take the errors back; halve the exponent if the weights' errors swing."""
        targets = self._targets
        wanted = np.flatnonzero(
            targets.powers[: targets.spots] if targets.absolute else targets.powers
        )
        off = 0.5 * np.log(targets.powers[wanted] / np.maximum(self.shares(drive)[wanted], 1e-12))
        exponent = drive.exponent
        swings = len(last) > 0 and off @ last < 0.0 and off @ off > 0.25 * (last @ last)
        if swings and np.abs(off).max() > 0.1 * self._settings.weight_tolerance:
            exponent *= 0.5
        amplitudes, phases = drive.amplitudes.copy(), drive.phases.copy()
        amplitudes[wanted] *= np.exp(exponent * np.clip(off, -2.0, 2.0))
        phases[wanted] += np.angle(np.exp(1j * targets.phases) / drive.light)[wanted]
        return replace(drive, amplitudes=amplitudes, phases=phases, exponent=exponent), off

    def shares(self, drive: _Drive) -> NDArray[np.float64]:
        """Power at each spot, in the unit of the targets."""
        powers = np.abs(drive.light) ** 2
        if self._targets.absolute:
            return powers
        return np.asarray(powers / powers.sum())

    def errors(self, drive: _Drive) -> tuple[float, float]:
        """Largest phase error between two lit spots, rad, and largest relative weight error."""
        targets, lit = self._targets, self._targets.lit
        if len(lit) == 0:
            return 0.0, 0.0
        turned = (drive.light * np.exp(-1j * targets.phases))[lit]
        phases = np.angle(turned * np.conj(turned[0]))
        weights = self.shares(drive)[lit] / targets.powers[lit] - 1.0
        return float(np.ptp(phases)), float(np.abs(weights).max())

    def report(self, drive: _Drive, pattern: SpotPattern, scatter: float) -> HologramReport:
        """What the image on show does."""
        targets, count = self._targets, self._targets.spots
        phase_error, weight_error = self.errors(drive)
        light = drive.light[:count]
        wanted = np.asarray(pattern.phases, dtype=float)
        phases = wanted + np.angle(light * np.exp(-1j * wanted))
        dark = np.asarray(pattern.weights) <= 0.0
        unit = float(targets.powers[:count].sum()) / max(sum(pattern.weights), 1e-30)
        weights = self.shares(drive)[:count] / (unit if unit > 0.0 else 1.0)
        return HologramReport(
            tuple(complex(value) for value in light),
            tuple(float(value) for value in weights),
            tuple(float(value) for value in np.where(dark, wanted, phases)),
            phase_error,
            weight_error,
            float(np.sum(np.abs(light) ** 2)),
            drive.score <= 1.0,
            self.passes,
            scatter,
        )


def _start(targets: SpotTargets) -> _Drive:
    """Amplitudes √w, for two spots those that give the weights where nothing else disturbs."""
    amplitudes = np.sqrt(targets.powers)
    lit = np.flatnonzero(targets.powers)
    if len(lit) == 2:
        weak, strong = sorted(lit, key=lambda j: targets.powers[j])
        ratio = math.sqrt(targets.powers[weak] / targets.powers[strong])
        amplitudes[strong], amplitudes[weak] = 1.0, _pair_amplitude(ratio)
    return _Drive(amplitudes, targets.phases.copy(), 0.3 if len(lit) <= 2 else 1.0)


def _pair_amplitude(ratio: float) -> float:
    """Amplitude r of the weaker of two spots for light in the ratio V_2/V_1 ≤ 1.

    Averaged over their relative phase, the phase-only superposition of amplitudes 1 and r has
    V_1 = (2/π)E(r²) and V_2 = (2/π)[E(r²) − (1 − r²)K(r²)]/r (complete elliptic integrals).
    """

    def excess(r: float) -> float:
        e, k = special.ellipe(r * r), special.ellipk(r * r)
        return float((e - (1.0 - r * r) * k) / (r * e)) - ratio

    if ratio > 1.0 - 1e-9:
        return 1.0
    return float(optimize.brentq(excess, 1e-9, 1.0 - 1e-13))
