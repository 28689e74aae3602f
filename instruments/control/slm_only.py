"""All light by one SLM: positions, powers (as shares of one beam) and static phases."""

from __future__ import annotations

from dataclasses import replace

from ...models.errors import DeviceError, InputError, LightUnknownError
from ...models.light import Site, TweezerState
from ...models.ranges import require_range
from ..capabilities import LightCapabilities
from ..protocols import AppliedLight, SpotPattern, SpotSLM
from ..setpoints import check_light, check_pattern, check_same_phases, phase_error

__all__ = ["SlmControl"]

# Powers read back carry the error of the hologram: they may be asked for again.
_SLACK = 5e-3


class SlmControl:
    """Spots of one hologram at one optical frequency.

    Parameters
    ----------
    slm : SpotSLM
        Shows one spot per site.
    total_power : float
        Power that the SLM can share out over the sites, W.
    sites : int
        Number of sites.
    separation_range : tuple of float
        Allowed distance between sites, m.
    least_power : float
        Allowed power starts here, W: a darker trap loses its particle.
    """

    def __init__(
        self,
        slm: SpotSLM,
        total_power: float,
        *,
        sites: int = 2,
        separation_range: tuple[float, float] = (1.5e-6, 50e-6),
        least_power: float = 0.01,
    ) -> None:
        self._total = require_range("total_power", total_power, 1e-6, 100.0, "W")
        self._slm, self._sites = slm, sites
        self._separation_range, self._least_power = separation_range, least_power
        # As read or shown last; None when not known.
        self._known: SpotPattern | None = None
        self._settling = 0.0

    @property
    def capabilities(self) -> LightCapabilities:
        """What can be set, and within which ranges."""
        slm = self._slm.capabilities
        low, high = self._separation_range
        return LightCapabilities(
            phase=slm.phase_per_spot,
            position=True,
            power=True,
            power_range=(self._least_power, self._total - (self._sites - 1) * self._least_power),
            separation_range=(low, min(high, slm.field_of_view)),
            phase_resolution=0.0,
            missing=() if slm.phase_per_spot else ("phase: this SLM sets none per spot",),
            phase_rate=slm.frame_rate,
        )

    def check(self, state: TweezerState) -> None:
        """Refuse what cannot be shown; an SLM without phases is read, nothing is written.

        Raises
        ------
        InputError
            If a value is out of range or the powers add up to more than there is.
        """
        fov = self._slm.capabilities.field_of_view
        check_light(state, self.capabilities, sites=self._sites, field_of_view=fov)
        if any(site.detuning != 0.0 for site in state.sites):
            raise InputError("an SLM cannot detune its spots: all detunings must be 0 Hz")
        total = sum(site.power for site in state.sites)
        if total > self._total * (1.0 + _SLACK):
            raise InputError(
                f"the powers add up to {total:.4g} W, at most {self._total:.4g} W can be shared out"
            )
        if not self._slm.capabilities.phase_per_spot:
            check_same_phases(state, self.read().state, f"{self._slm.name} sets none per spot")
        check_pattern(self._slm, self._pattern(state))

    def apply(self, state: TweezerState) -> AppliedLight:
        """Set the light.

        Raises
        ------
        InputError
            If a value is out of range or the powers add up to more than there is; nothing has been
            changed then.
        DeviceError
            If the SLM fails; the last good set-point is shown again if it still obeys.
        """
        self.check(state)
        self._known = self._slm.read()
        self.step(state)
        return self.confirm(state)

    def step(self, state: TweezerState) -> None:
        """Show one step of a ramp; nothing is read back."""
        if self._known is None:
            self.read()
        before, self._known = self._known, None
        assert before is not None
        try:
            shown = self._slm.show(self._pattern(state))
        except Exception:
            self._restore(before)
            raise
        self._settling = self._slm.capabilities.settling_time if shown != before else 0.0
        self._known = shown

    def confirm(self, state: TweezerState) -> AppliedLight:
        """Read the light back after steps that ended at a state."""
        applied = self.read()
        error = phase_error(state, applied.state)
        return replace(applied, phase_error=error, settling_time=self._settling)

    def read(self) -> AppliedLight:
        """Read the light back from the SLM.

        Raises
        ------
        LightUnknownError
            If the SLM shows a pattern that it does not know.
        DeviceError
            If the SLM fails.
        """
        pattern = self._slm.read()
        if len(pattern.positions) != self._sites:
            raise LightUnknownError(
                f"{self._slm.name} shows {len(pattern.positions)} known spots, this rig has "
                f"{self._sites}: set the light first"
            )
        self._known = pattern
        return AppliedLight(
            TweezerState(
                tuple(
                    Site(place, weight * self._total, phase)
                    for place, weight, phase in zip(
                        pattern.positions, pattern.weights, pattern.phases, strict=True
                    )
                )
            )
        )

    def release(self) -> None:
        """Turn the trap light off: the particles are lost.

        Raises
        ------
        DeviceError
            If the SLM does not obey.
        """
        try:
            pattern = self._slm.read()
        except DeviceError:
            pattern = SpotPattern((), (), ())
        if len(pattern.positions) != self._sites:  # it cannot say what it shows
            pattern = self._known or self._row()
        try:
            self._slm.show(replace(pattern, weights=(0.0,) * self._sites))
        except Exception as error:
            raise DeviceError(
                f"trap light may still be on, block the beam by hand: {error}"
            ) from error

    def _pattern(self, state: TweezerState) -> SpotPattern:
        """Pattern of a state."""
        total = sum(site.power for site in state.sites)
        return SpotPattern(
            tuple(site.position for site in state.sites),
            tuple(site.power / max(total, self._total) for site in state.sites),
            tuple(site.phase for site in state.sites),
        )

    def _row(self) -> SpotPattern:
        """Spots side by side, for an SLM of which nothing is known."""
        step = self._separation_range[0]
        places = tuple((step * (j - 0.5 * (self._sites - 1)), 0.0, 0.0) for j in range(self._sites))
        return SpotPattern(places, (0.0,) * self._sites, (0.0,) * self._sites)

    def _restore(self, pattern: SpotPattern) -> None:
        """Show the pattern before, if the SLM still obeys."""
        try:
            if pattern.positions and self._slm.read() != pattern:
                self._slm.show(pattern)
        except Exception:
            return  # what it shows is unknown; the error that is raised says so
