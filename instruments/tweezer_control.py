"""TweezerControl of a rig in which an SLM places the spots and an RF source drives one AOM each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ..models.errors import InputError, LightUnknownError
from ..models.light import Site, TweezerState
from .control.calibration import AomCalibration
from .control.tones import read_tones, set_tones, switch_off, within
from .protocols import AppliedLight, LightCapabilities, RFSource, RFTone, SpotPattern, SpotSLM
from .setpoints import (
    check_light,
    check_pattern,
    check_same_phases,
    check_tones,
    phase_error,
    wrapped_phase,
)

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
        # As read or set last, None when not known; and what the SLM made of a pattern asked for.
        self._known: tuple[SpotPattern, list[RFTone]] | None = None
        self._made: tuple[SpotPattern, SpotPattern] | None = None
        self._settling = 0.0
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

    def check(self, state: TweezerState) -> None:
        """Refuse what cannot be set; reads devices without phases, writes nothing.

        Raises
        ------
        InputError
            If a value is out of range or cannot be set here.
        """
        fov = self._slm.capabilities.field_of_view
        check_light(state, self.capabilities, sites=self._sites, field_of_view=fov)
        pattern = self._pattern(state)
        check_tones(self._rf, self._tones(state, pattern))
        if "phase" in self.capabilities.missing:
            why = f"neither {self._slm.name} nor {self._rf.name} sets phases"
            check_same_phases(state, self.read().state, why)
        if self._made is None or pattern != self._made[0]:
            check_pattern(self._slm, pattern)

    def apply(self, state: TweezerState) -> AppliedLight:
        """Set the light.

        Raises
        ------
        InputError
            If a value is out of range; nothing has been changed then.
        DeviceError
            If a device fails; the last good set-point has been restored as far as the devices
            obey, except for what had been raised.
        """
        self.check(state)
        self._known = None
        self._set(state, self._slm.read(), None)
        return self.confirm(state)

    def step(self, state: TweezerState) -> None:
        """Make one step of a ramp: send what has changed, read nothing back."""
        if self._known is None:
            self.read()
        known, self._known = self._known, None
        assert known is not None
        self._known = self._set(state, *known)

    def confirm(self, state: TweezerState) -> AppliedLight:
        """Read the light back after steps that ended at a state."""
        applied = self.read()
        error = phase_error(state, applied.state)
        return replace(applied, phase_error=error, settling_time=self._settling)

    def read(self) -> AppliedLight:
        """Read the light back from the devices.

        Raises
        ------
        LightUnknownError
            If the SLM shows a pattern that it does not know.
        DeviceError
            If a device fails.
        """
        pattern, sites = self._slm.read(), []
        if len(pattern.positions) != self._sites:
            raise LightUnknownError(
                f"{self._slm.name} shows {len(pattern.positions)} known spots, this rig has "
                f"{self._sites}: set the light first"
            )
        tones = read_tones(self._rf, self._sites)
        self._known = (pattern, tones)
        for j, (calibration, tone) in enumerate(zip(self._calibrations, tones, strict=True)):
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
        known = None if self._known is None else self._known[1]
        switch_off(self._rf, self._rf.capabilities.channels, known)

    def _pattern(self, state: TweezerState) -> SpotPattern:
        """Pattern of a state."""
        return SpotPattern(
            tuple(site.position for site in state.sites),
            (1.0 / self._sites,) * self._sites,
            tuple(site.phase for site in state.sites),
        )

    def _tones(self, state: TweezerState, shown: SpotPattern) -> list[RFTone]:
        """Powers and what the SLM left of the phases."""
        return [
            RFTone(
                c.frequency(site.detuning),
                c.amplitude(site.power),
                wrapped_phase(c.rf_phase(site.phase - phase)),
            )
            for c, site, phase in zip(self._calibrations, state.sites, shown.phases, strict=True)
        ]

    def _set(
        self, state: TweezerState, before: SpotPattern, known: list[RFTone] | None
    ) -> tuple[SpotPattern, list[RFTone]]:
        """Set pattern and tones; return what both devices have then."""
        wanted = self._pattern(state)
        try:
            if self._made is not None and self._made == (wanted, before):
                shown = before
            else:
                shown = self._slm.show(wanted)
            tones = [within(self._rf, tone) for tone in self._tones(state, shown)]
            tones = set_tones(self._rf, tones, known)
        except Exception:
            self._restore(before)
            raise
        self._settling = self._slm.capabilities.settling_time if shown != before else 0.0
        self._made = (wanted, shown)
        return shown, tones

    def _restore(self, pattern: SpotPattern) -> None:
        """Show the pattern before, if the SLM still obeys; the tones see to themselves."""
        self._made = None
        try:
            if pattern.positions and self._slm.read() != pattern:
                self._slm.show(pattern)
        except Exception:
            return  # what it shows is unknown; the error that is raised says so
