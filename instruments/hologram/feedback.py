"""Holograms whose spots have the amplitudes and phases that were asked for.

The superposition of N spots, reduced to its phase, has neither: cross-talk, quantisation and the
lost amplitude pull them off by degrees and percents. Feedback on the light computed at the spots
takes that back: a_j ← a_j (w_j/share_j)^{p/2}, φ_j ← φ_j + (wanted − found). For three spots and
more p = 1 with Anderson mixing. Near equal weights the light of two spots follows their amplitudes
with a logarithmically diverging gain: p = 0.3 there, halved when the errors swing. Two spots settle
on a sixteenth of the pixels first, which leaves one or two passes over all of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from ..protocols import SpotPattern
from .mixing import AndersonMixer
from .report import Hologram, HologramReport, HologramSettings
from .spots import SpotTargets
from .synthesis import Complex, HologramOptics, Image, Synthesis

__all__ = ["Hologram", "HologramReport", "HologramSettings", "make_hologram"]


def make_hologram(
    optics: HologramOptics,
    pattern: SpotPattern,
    *,
    dump: tuple[float, float, float],
    efficiency: float | None = None,
    settings: HologramSettings | None = None,
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
    settings : HologramSettings, optional
        Tolerances and limits.

    Raises
    ------
    InputError
        For a spot beyond what the pixels can reach.
    """
    settings = settings or HologramSettings()
    workshop = _Workshop(optics, pattern, dump, efficiency, settings)
    tried: list[tuple[_Drive, _Stage]] = []
    for stage in _stages(pattern, efficiency):
        loop = workshop.loop(stage)
        drive = loop.run()
        tried.append((drive, stage))
        if drive.whole and drive.score <= 1.0:
            break
    else:  # what came nearest, as well as it can be done
        drive, stage = min(tried, key=lambda trial: trial[0].score)
        loop = workshop.loop(stage)
        drive = loop.finish(drive)
    report = loop.report(drive, pattern, stage)
    shown = SpotPattern(pattern.positions, report.weights, report.phases)
    return Hologram(loop.image, shown, replace(report, passes=workshop.passes))


@dataclass(frozen=True)
class _Stage:
    """What is tried: width of the scatter of phases, rad, and share of light given away."""

    scatter: float = 0.0
    reserve: float = 0.0


def _stages(pattern: SpotPattern, efficiency: float | None) -> list[_Stage]:
    """What is tried in turn until the light is within tolerance.

    Two spots fail only where their spacing keeps step with the pixels: scatter breaks that. Many
    spots fail where their differences coincide (lattices), so that each gets third-order products
    of all others: light that goes elsewhere makes the superposition more linear.
    """
    if sum(weight > 0.0 for weight in pattern.weights) <= 2 or efficiency is not None:
        return [_Stage(scatter) for scatter in (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)]
    return [_Stage(), *(_Stage(0.1, reserve) for reserve in (0.1, 0.2, 0.35, 0.5, 0.7))]


@dataclass(frozen=True, eq=False)
class _Drive:
    """What enters the superposition, the light that results, and its score (≤ 1: in tolerance)."""

    amplitudes: NDArray[np.float64]
    phases: NDArray[np.float64]
    light: Complex = field(default_factory=lambda: np.zeros(0, complex))
    score: float = math.inf
    whole: bool = False  # whether the light was computed from all pixels


class _Workshop:
    """Makes the loop of each stage; spots that stay where they are keep their phasors."""

    def __init__(
        self,
        optics: HologramOptics,
        pattern: SpotPattern,
        dump: tuple[float, float, float],
        efficiency: float | None,
        settings: HologramSettings,
    ) -> None:
        self._optics, self._pattern, self._settings = optics, pattern, settings
        self._dump, self._efficiency = dump, efficiency
        self._synthesis: Synthesis | None = None
        self._loops: list[_Loop] = []

    @property
    def passes(self) -> int:
        """Passes over all pixels so far."""
        return sum(loop.passes for loop in self._loops)

    def loop(self, stage: _Stage) -> _Loop:
        """Feedback loop of a stage."""
        weights = tuple((1.0 - stage.reserve) * weight for weight in self._pattern.weights)
        pattern = replace(self._pattern, weights=weights)
        targets = SpotTargets.of(pattern, self._dump, self._efficiency)
        if self._synthesis is None or self._synthesis.positions != targets.positions:
            self._synthesis = Synthesis(self._optics, targets.positions)
        self._synthesis.dither(stage.scatter)
        self._loops.append(_Loop(self._synthesis, targets, self._settings))
        return self._loops[-1]


class _Loop:
    """Feedback from the computed light on amplitudes and phases."""

    def __init__(
        self, synthesis: Synthesis, targets: SpotTargets, settings: HologramSettings
    ) -> None:
        self._synthesis, self._targets, self._settings = synthesis, targets, settings
        lit = np.count_nonzero(targets.powers)
        self._pair = lit <= 2
        # The dump of absolute powers takes what is left and is not driven.
        count = targets.spots if targets.absolute else len(targets.powers)
        self._driven = np.flatnonzero(targets.powers[:count])
        self.passes = 0

    @property
    def image(self) -> Image:
        """Grey levels of the drive that was returned last."""
        return self._synthesis.image

    def run(self) -> _Drive:
        """Iterate from the start; two spots must settle on a part of the pixels first."""
        drive = _start(self._targets)
        # More spots are so many combinations of phases that a part of the pixels is no fair sample.
        if self._pair and self._settings.quick_passes > 0:
            drive = self._iterate(drive, self._settings.quick_passes, whole=False)
            if drive.score > 1.0:
                return drive
        return self.finish(drive)

    def finish(self, drive: _Drive) -> _Drive:
        """Iterate on all pixels; return the best drive, the image being its."""
        best = self._iterate(drive, self._settings.full_passes, whole=True)
        return best if best.light is self._last else self._measure(best, whole=True)

    def _iterate(self, drive: _Drive, passes: int, *, whole: bool) -> _Drive:
        """Iterate until the light is within tolerance or gets no better; return the best drive."""
        mixer, exponent = AndersonMixer(0 if self._pair else 5), 0.3 if self._pair else 1.0
        enough = 1.0 if whole else 0.1
        best, scores = replace(drive, score=math.inf), []
        last = np.zeros(0)
        for _ in range(passes):
            drive = self._measure(drive, whole=whole)
            scores.append(drive.score)
            if drive.score < best.score:
                best = drive
            stalled = len(scores) > 8 and min(scores[-5:]) > 0.5 * min(scores[:-5])
            if drive.score <= enough or stalled:
                break
            off, turn = self._errors_driven(drive)
            if self._swings(off, last):
                exponent *= 0.5
            last = off
            drive = self._moved(drive, mixer, np.concatenate([exponent * off, turn]))
        return best

    def _measure(self, drive: _Drive, *, whole: bool) -> _Drive:
        """Compute the light of a drive."""
        self.passes += whole
        light = self._synthesis.light(drive.amplitudes, drive.phases, sampled=not whole)
        self._last = light
        drive = replace(drive, light=light, whole=whole)
        phase, weight = self.errors(drive)
        settings = self._settings
        score = max(phase / settings.phase_tolerance, weight / settings.weight_tolerance)
        return replace(drive, score=score)

    def _errors_driven(self, drive: _Drive) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Half the logarithm of wanted over found power, and wanted minus found phase, rad."""
        driven, targets = self._driven, self._targets
        shares = np.maximum(self.shares(drive)[driven], 1e-12)
        off = 0.5 * np.log(targets.powers[driven] / shares)
        turn = np.angle(np.exp(1j * targets.phases[driven]) * np.conj(drive.light[driven]))
        return np.clip(off, -2.0, 2.0), turn

    def _swings(self, off: NDArray[np.float64], last: NDArray[np.float64]) -> bool:
        """Whether the weights' errors of two spots change sign without getting much smaller."""
        if not self._pair or len(last) == 0:
            return False
        grows = bool(off @ last < 0.0 and off @ off > 0.25 * (last @ last))
        return grows and float(np.abs(off).max()) > 0.1 * self._settings.weight_tolerance

    def _moved(self, drive: _Drive, mixer: AndersonMixer, residual: NDArray[np.float64]) -> _Drive:
        """Next drive of the iteration."""
        driven, count = self._driven, len(self._driven)
        amplitudes, phases = drive.amplitudes.copy(), drive.phases.copy()
        point = np.concatenate([np.log(amplitudes[driven]), phases[driven]])
        point = mixer.step(point, residual)
        amplitudes[driven], phases[driven] = np.exp(point[:count]), point[count:]
        return replace(drive, amplitudes=amplitudes, phases=phases)

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

    def report(self, drive: _Drive, pattern: SpotPattern, stage: _Stage) -> HologramReport:
        """What the image on show does."""
        targets, count = self._targets, self._targets.spots
        phase_error, weight_error = self.errors(drive)
        light = drive.light[:count]
        wanted = np.asarray(pattern.phases, dtype=float)
        phases = wanted + np.angle(light * np.exp(-1j * wanted))
        dark = np.asarray(pattern.weights) <= 0.0
        unit = float(targets.powers[:count].sum()) / max(sum(pattern.weights), 1e-30)
        weights = self.shares(drive)[:count] / (unit if unit > 0.0 else 1.0)
        if not targets.absolute:  # shares of one whole, which a reserve's tolerance could exceed
            weights = weights / max(1.0, float(weights.sum()))
        return HologramReport(
            tuple(complex(value) for value in light),
            tuple(float(value) for value in weights),
            tuple(float(value) for value in np.where(dark, wanted, phases)),
            phase_error,
            weight_error,
            float(np.sum(np.abs(light) ** 2)),
            drive.score <= 1.0,
            self.passes,
            stage.scatter,
            stage.reserve,
        )


def _start(targets: SpotTargets) -> _Drive:
    """Amplitudes √w, for two spots those that give the weights where nothing else disturbs."""
    amplitudes = np.sqrt(targets.powers)
    lit = np.flatnonzero(targets.powers)
    if len(lit) == 2:
        weak, strong = sorted(lit, key=lambda j: targets.powers[j])
        ratio = math.sqrt(targets.powers[weak] / targets.powers[strong])
        amplitudes[strong], amplitudes[weak] = 1.0, _pair_amplitude(ratio)
    return _Drive(amplitudes, targets.phases.copy())


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
