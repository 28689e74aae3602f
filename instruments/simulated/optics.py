"""Where SLM and RF source become light: AOM diffraction, spot phases, and how the SLM settles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...models.errors import InputError
from ...models.light import Site, TweezerState
from ..control.calibration import AomCalibration, SineEfficiency
from ..protocols import RFTone, SpotPattern
from .settings import WorldSettings
from .world import SimulatedWorld

__all__ = ["SETTLED", "OpticalPath"]

# Time constants after which an SLM counts as settled: 0.1 % of the step is left.
SETTLED = 7.0


@dataclass(frozen=True)
class _Transition:
    """Spots on their way, from world time ``begin`` (s) on."""

    start: SpotPattern
    target: SpotPattern
    begin: float = -math.inf

    def at(self, time: float, constant: float) -> SpotPattern:
        """Pattern at a world time."""
        elapsed = time - self.begin
        left = math.exp(-elapsed / constant) if constant > 0.0 and elapsed < 1e3 * constant else 0.0
        if left < math.exp(-SETTLED) * 1.0001:
            return self.target

        def mix(a: float, b: float) -> float:
            return b + (a - b) * left

        pairs = zip(self.start.positions, self.target.positions, strict=True)
        return SpotPattern(
            tuple((mix(p[0], q[0]), mix(p[1], q[1]), mix(p[2], q[2])) for p, q in pairs),
            tuple(map(mix, self.start.weights, self.target.weights)),
            tuple(map(mix, self.start.phases, self.target.phases)),
        )


class OpticalPath:
    """The light that results from what the SLM shows and the RF channels emit.

    Each RF channel drives the AOM of one site; efficiency sin²(πV/(2 V_full)). A channel whose
    frequency was changed has an unknown phase until the channels are aligned.

    Parameters
    ----------
    world : SimulatedWorld
        A world with light.
    """

    def __init__(self, world: SimulatedWorld) -> None:
        self._world, self._settings = world, world.settings
        light = world.light
        if light is None:
            raise InputError("this world has no light that devices could set")
        self.calibration = calibration(self._settings)
        self._sites = len(light.sites)
        self.tones = [self._tone(site) for site in light.sites]
        self._slips = [0.0] * self._sites
        pattern = self.quantise(
            SpotPattern(
                tuple(site.position for site in light.sites),
                (1.0 / self._sites,) * self._sites,
                tuple(site.phase for site in light.sites),
            )
        )
        self._spots = _Transition(pattern, pattern)
        # The RF takes up what the SLM's levels leave of the phases.
        for j, site in enumerate(light.sites):
            left = self.calibration.rf_phase(site.phase - pattern.phases[j])
            self.tones[j] = self.round_tone(replace(self.tones[j], phase=left))
        world.set_light(self.state(0.0))

    def _tone(self, site: Site) -> RFTone:
        path = self.calibration
        return self.round_tone(RFTone(path.frequency(site.detuning), path.amplitude(site.power)))

    @property
    def pattern(self) -> SpotPattern:
        """Pattern on the SLM, settled."""
        return self._spots.target

    def quantise(self, pattern: SpotPattern) -> SpotPattern:
        """Pattern that the SLM can show: positions in steps of the field, phases in levels."""
        slm = self._settings.slm
        step = slm.field_of_view / slm.position_steps
        level = 2.0 * math.pi / slm.phase_levels
        return SpotPattern(
            tuple(
                (round(x / step) * step, round(y / step) * step, round(z / step) * step)
                for x, y, z in pattern.positions
            ),
            pattern.weights,
            tuple(round(phase / level) * level for phase in pattern.phases),
        )

    def round_tone(self, tone: RFTone) -> RFTone:
        """Tone that the source can emit."""
        rf = self._settings.rf
        return replace(
            tone,
            amplitude=round(tone.amplitude / rf.amplitude_resolution) * rf.amplitude_resolution,
            phase=round(tone.phase / rf.phase_resolution) * rf.phase_resolution,
        )

    def state(self, time: float) -> TweezerState:
        """Light at a world time, s."""
        return self._light(self._spots.at(time, self._settings.slm.time_constant), self.tones)

    def check(self, pattern: SpotPattern, tones: Sequence[RFTone]) -> None:
        """Raise InputError for light that the world cannot describe; changes nothing."""
        light = self._light(self.quantise(pattern), [self.round_tone(tone) for tone in tones])
        self._world.require_describable(light)

    def _light(self, spots: SpotPattern, tones: Sequence[RFTone]) -> TweezerState:
        sites = []
        for j, tone in enumerate(tones):
            power = self.calibration.power(tone.amplitude) * spots.weights[j] * self._sites
            sites.append(
                Site(
                    position=spots.positions[j],
                    power=power if tone.enabled else 0.0,
                    phase=spots.phases[j]
                    + self.calibration.optical_phase(tone.phase)
                    + self._slips[j],
                    detuning=self.calibration.detuning(tone.frequency),
                )
            )
        return TweezerState(tuple(sites))

    def show(self, pattern: SpotPattern) -> SpotPattern:
        """Send a pattern to the SLM; the light follows from the next sample on."""
        constant, shown = self._settings.slm.time_constant, self.quantise(pattern)
        with self._world.lock:
            old, now = self._spots, self._world.time
            self._spots = _Transition(old.at(now, constant), shown, now)
            try:
                self._world.follow(lambda t: self.state(now + t), SETTLED * constant)
            except InputError:
                self._spots = old
                raise
            if self._world.idle:
                self._spots = _Transition(shown, shown)
        return shown

    def emit(self, channel: int, tone: RFTone) -> None:
        """Change one RF channel; the light changes at the next sample."""
        with self._world.lock:
            old, slips = self.tones[channel], list(self._slips)
            self.tones[channel] = self.round_tone(tone)
            if tone.frequency != old.frequency:
                self._slips[channel] = float(self._world.device_rng.uniform(-math.pi, math.pi))
            try:
                self._follow_jump()
            except InputError:
                self.tones[channel], self._slips = old, slips
                raise

    def align(self) -> None:
        """Take out the unknown phases of channels whose frequency was changed."""
        with self._world.lock:
            if any(self._slips):
                self._slips = [0.0] * self._sites
                self._follow_jump()

    def _follow_jump(self) -> None:
        """Jump to the present light and follow what the SLM has still to do."""
        if self._world.idle:
            self._spots = _Transition(self._spots.target, self._spots.target)
        now = self._world.time
        left = self._spots.begin + SETTLED * self._settings.slm.time_constant - now
        duration = max(0.0, left) if math.isfinite(left) else 0.0
        self._world.follow(lambda t: self.state(now + t), duration, jump=True)


def calibration(settings: WorldSettings) -> AomCalibration:
    """Calibration of each light path as the simulated AOMs have it: order −1."""
    rf = settings.rf
    return AomCalibration(rf.site_power, SineEfficiency(rf.full_amplitude), rf.carrier, order=-1)
