"""Two or more fixed beams, each with an AOM on one channel of a phase-locked source."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ...models.errors import InputError
from ...models.light import Site, TweezerState
from ..capabilities import LightCapabilities
from ..protocols import AppliedLight, RFSource, RFTone
from ..setpoints import (
    check_light,
    check_numbers,
    check_same_phases,
    check_tones,
    phase_error,
    wrapped_phase,
)
from .calibration import AomCalibration
from .tones import read_tones, set_tones, switch_off, within

__all__ = ["AomControl"]

# Positions of fixed beams are compared to this, m.
_SAME_PLACE = 1e-9


class AomControl:
    """Phase, power and detuning by RF; the positions are fixed by the optics.

    Parameters
    ----------
    rf : RFSource
        One channel per site.
    calibrations : sequence of AomCalibration
        One per site.
    positions : sequence of (x, y, z)
        Where the beams focus, m.
    least_power : float
        Allowed power starts here, W: a darker trap loses its particle.
    allow_beat : bool
        Allow sites of different optical frequency: φ turns at their difference then.
    """

    def __init__(
        self,
        rf: RFSource,
        calibrations: Sequence[AomCalibration],
        positions: Sequence[tuple[float, float, float]],
        *,
        least_power: float = 0.01,
        allow_beat: bool = False,
    ) -> None:
        if len(calibrations) != len(positions):
            raise InputError(
                f"{len(positions)} positions need as many calibrations, got {len(calibrations)}"
            )
        self._rf, self._calibrations = rf, tuple(calibrations)
        self._positions, self._least_power = tuple(positions), least_power
        self._allow_beat = allow_beat
        self._known: list[RFTone] | None = None  # as read or set last; None after a fault

    @property
    def capabilities(self) -> LightCapabilities:
        """What can be set, and within which ranges."""
        rf = self._rf.capabilities
        distances = [
            math.dist(a, b) for i, a in enumerate(self._positions) for b in self._positions[:i]
        ] or [0.0]
        missing = ["position: the beams are fixed"]
        if rf.phase == "absent":
            missing.append("phase: the RF source cannot set phases")
        top = min(
            c.power(min(rf.amplitude_range[1], c.curve.largest_amplitude))
            for c in self._calibrations
        )
        return LightCapabilities(
            phase=rf.phase != "absent",
            position=False,
            power=True,
            power_range=(self._least_power, top),
            separation_range=(min(distances), max(distances)),
            phase_resolution=rf.phase_resolution,
            missing=tuple(missing),
            phase_rate=rf.update_rate,
        )

    def check(self, state: TweezerState) -> None:
        """Refuse what cannot be set; reads a source that has no phases, writes nothing.

        Raises
        ------
        InputError
            For a value out of range, another position, or a phase that cannot be set.
        """
        check_numbers(state, len(self._positions))
        for number, (site, place) in enumerate(
            zip(state.sites, self._positions, strict=True), start=1
        ):
            if math.dist(site.position, place) > _SAME_PLACE:
                raise InputError(
                    f"position of tweezer {number} is fixed at {place} m here, got {site.position}"
                )
        check_light(
            state,
            self.capabilities,
            sites=len(self._positions),
            field_of_view=math.inf,
            static=not self._allow_beat,
        )
        check_tones(self._rf, self._tones(state))
        if self._rf.capabilities.phase == "absent":
            check_same_phases(state, self.read().state, f"{self._rf.name} has no phase command")

    def apply(self, state: TweezerState) -> AppliedLight:
        """Set the light.

        Raises
        ------
        InputError
            If a value is out of range or cannot be set here; nothing has been changed then.
        DeviceError
            If a device fails; the last good set-point stays, except for what had been raised.
        """
        self.check(state)
        self._known = None
        set_tones(self._rf, self._tones(state))
        return self.confirm(state)

    def step(self, state: TweezerState) -> None:
        """Make one step of a ramp: send what has changed, read nothing back."""
        if self._known is None:
            self.read()
        known, self._known = self._known, None
        tones = [within(self._rf, tone) for tone in self._tones(state)]
        self._known = set_tones(self._rf, tones, known)

    def confirm(self, state: TweezerState) -> AppliedLight:
        """Read the light back after steps that ended at a state."""
        applied = self.read()
        return replace(applied, phase_error=phase_error(state, applied.state))

    def read(self) -> AppliedLight:
        """Read the light back from the source."""
        tones = self._known = read_tones(self._rf, len(self._calibrations))
        sites = tuple(
            Site(
                position=place,
                power=c.power(tone.amplitude) if tone.enabled else 0.0,
                phase=c.optical_phase(tone.phase),
                detuning=c.detuning(tone.frequency),
            )
            for c, place, tone in zip(self._calibrations, self._positions, tones, strict=True)
        )
        return AppliedLight(TweezerState(sites))

    def release(self) -> None:
        """Turn the trap light off: the particles are lost.

        Raises
        ------
        DeviceError
            If channels do not obey; names them, the others are off.
        """
        switch_off(self._rf, len(self._calibrations), self._known)

    def _tones(self, state: TweezerState) -> list[RFTone]:
        """Tones of a state."""
        return [
            RFTone(
                c.frequency(site.detuning),
                c.amplitude(site.power),
                wrapped_phase(c.rf_phase(site.phase)),
            )
            for c, site in zip(self._calibrations, state.sites, strict=True)
        ]
