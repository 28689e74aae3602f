"""TweezerControl of a rig in which an SLM places the spots and an RF source drives one AOM each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ..models.errors import DeviceError, InputError
from ..models.light import Site, TweezerState
from .control.calibration import AomCalibration
from .control.tones import set_tones
from .protocols import AppliedLight, LightCapabilities, RFSource, RFTone, SpotPattern, SpotSLM
from .setpoints import check_light, phase_error, wrapped_phase

__all__ = ["SlmRfControl"]


class SlmRfControl:
    """Positions and static phases by SLM, powers and the remainder of the phases by RF.

    Parameters
    ----------
    slm : SpotSLM
        Shows one spot per site, all with the same weight.
    rf : RFSource
        One channel per site, all at one frequency.
    calibrations : sequence of AomCalibration
        One per site; ``site_power`` with equal weights on the SLM.
    separation_range : tuple of float
        Allowed distance between sites, m.
    least_power : float
        Allowed power starts here, W: a darker trap loses its particle.
    """

    def __init__(
        self,
        slm: SpotSLM,
        rf: RFSource,
        calibrations: Sequence[AomCalibration],
        *,
        separation_range: tuple[float, float] = (1.5e-6, 50e-6),
        least_power: float = 0.01,
    ) -> None:
        self._slm, self._rf, self._calibrations = slm, rf, tuple(calibrations)
        self._sites = sites = len(self._calibrations)
        self._separation_range, self._least_power = separation_range, least_power
        if rf.capabilities.channels < sites:
            raise InputError(
                f"{rf.name} has {rf.capabilities.channels} channels, {sites} tweezers need {sites}"
            )

    @property
    def capabilities(self) -> LightCapabilities:
        """What can be set, and within which ranges."""
        rf, slm = self._rf.capabilities, self._slm.capabilities
        top = min(
            c.power(min(rf.amplitude_range[1], c.curve.largest_amplitude))
            for c in self._calibrations
        )
        low, high = self._separation_range
        missing = () if slm.phase_per_spot or rf.phase != "absent" else ("phase",)
        # What is left of a phase after both devices have rounded it.
        resolution = (
            2.0 * math.pi / slm.phase_levels if rf.phase == "absent" else rf.phase_resolution
        )
        return LightCapabilities(
            phase=not missing,
            position=True,
            power=True,
            power_range=(self._least_power, top),
            separation_range=(low, min(high, slm.field_of_view)),
            phase_resolution=resolution,
            missing=missing,
        )

    def apply(self, state: TweezerState) -> AppliedLight:
        """Set the light.

        Raises
        ------
        InputError
            If a value is out of range; nothing has been changed then.
        DeviceError
            If a device fails; the last good set-point has been restored as far as the devices obey.
        """
        check_light(
            state,
            self.capabilities,
            sites=self._sites,
            field_of_view=self._slm.capabilities.field_of_view,
        )
        before = self._slm.read()
        tones = [self._rf.read_tone(j) for j in range(self._sites)]
        pattern = SpotPattern(
            tuple(site.position for site in state.sites),
            (1.0 / self._sites,) * self._sites,
            tuple(site.phase for site in state.sites),
        )
        try:
            shown = self._slm.show(pattern)
            self._set_tones(state, shown)
        except (DeviceError, InputError):
            self._restore(before, tones)
            raise
        applied = self.read()
        settling = self._slm.capabilities.settling_time if shown != before else 0.0
        return replace(
            applied, phase_error=phase_error(state, applied.state), settling_time=settling
        )

    def read(self) -> AppliedLight:
        """Read the light back from the devices.

        Raises
        ------
        DeviceError
            If a device fails, or the SLM shows a pattern that it does not know.
        """
        pattern, sites = self._slm.read(), []
        if len(pattern.positions) != self._sites:
            raise DeviceError(
                f"{self._slm.name} shows {len(pattern.positions)} known spots, this rig has "
                f"{self._sites}: set the light first"
            )
        for j, calibration in enumerate(self._calibrations):
            tone = self._rf.read_tone(j)
            power = calibration.power(tone.amplitude) * pattern.weights[j] * self._sites
            sites.append(
                Site(
                    position=pattern.positions[j],
                    power=power if tone.enabled else 0.0,
                    phase=pattern.phases[j] + calibration.optical_phase(tone.phase),
                    detuning=calibration.detuning(tone.frequency),
                )
            )
        return AppliedLight(TweezerState(tuple(sites)))

    def release(self) -> None:
        """Switch every RF tone off, whatever becomes of the others: the particles are lost.

        Raises
        ------
        DeviceError
            If channels do not answer; names them.
        """
        failures = []
        for j in range(self._rf.capabilities.channels):
            try:
                self._rf.set_tone(j, replace(self._rf.read_tone(j), enabled=False))
            except DeviceError as error:
                failures.append(f"channel {j + 1}: {error}")
        if failures:
            raise DeviceError(
                "trap light may still be on, block the beam by hand: " + "; ".join(failures)
            )

    def _set_tones(self, state: TweezerState, shown: SpotPattern) -> None:
        """Set powers and what the SLM left of the phases."""
        tones = [
            RFTone(
                c.frequency(site.detuning),
                c.amplitude(site.power),
                wrapped_phase(c.rf_phase(site.phase - phase)),
            )
            for c, site, phase in zip(self._calibrations, state.sites, shown.phases, strict=True)
        ]
        set_tones(self._rf, tones)

    def _restore(self, pattern: SpotPattern, tones: list[RFTone]) -> None:
        """Go back to the last good set-point, each device on its own."""
        try:
            if pattern.positions and self._slm.read() != pattern:
                self._slm.show(pattern)
        except DeviceError:
            pass
        for j, tone in enumerate(tones):
            try:
                if self._rf.read_tone(j) != tone:
                    self._rf.set_tone(j, tone)
            except DeviceError:
                continue
