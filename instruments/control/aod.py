"""An acousto-optic deflector with one tone per site, or crossed ones with a tone per axis.

The tone that places a spot shifts its optical frequency as well. Two spots of one deflector differ
by Δν: their phase turns, φ(t) = φ_0 + 2π(ν_2 − ν_1)t, and binding averages out at MHz. Crossed
deflectors whose shifts cancel (a pair on the anti-diagonal) keep a static phase.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ...models.errors import InputError
from ...models.light import Site, TweezerState
from ...models.ranges import require_range
from ..capabilities import LightCapabilities
from ..protocols import AppliedLight, RFSource, RFTone
from ..setpoints import (
    check_numbers,
    check_same_phases,
    check_tones,
    phase_error,
    wrapped_phase,
)
from .calibration import AodCalibration, EfficiencyCurve, frequencies_of
from .tones import read_tones, set_tones, switch_off, within

__all__ = ["AodControl"]

# A detuning asked for counts as the one that the positions bring if it is this close, Hz.
_SAME_DETUNING = 1.0


class AodControl:
    """Positions, powers and, where the optical frequencies agree, phases by RF tones.

    Site j has the channels j·axes … (j+1)·axes − 1, in the order of the calibrations.

    Parameters
    ----------
    rf : RFSource
        Channels that are combined into the deflector(s).
    calibrations : sequence of AodCalibration
        One axis, or two for crossed deflectors.
    curve : EfficiencyCurve
        Efficiency of one tone in one deflector; tones are taken as independent.
    site_power : float
        Power of a site at efficiency 1, W.
    sites : int
        Number of sites.
    rest : tuple of float
        (x, y, z) of what the tones do not move, m.
    separation_range : tuple of float
        Allowed distance between sites, m.
    least_power : float
        Allowed power starts here, W.
    """

    def __init__(
        self,
        rf: RFSource,
        calibrations: Sequence[AodCalibration],
        curve: EfficiencyCurve,
        site_power: float,
        *,
        sites: int = 2,
        rest: tuple[float, float, float] = (0.0, 0.0, 0.0),
        separation_range: tuple[float, float] = (1.5e-6, 50e-6),
        least_power: float = 0.01,
    ) -> None:
        if len(calibrations) not in (1, 2) or len({c.axis for c in calibrations}) != len(
            calibrations
        ):
            raise InputError("an AOD control needs one axis, or two different ones (crossed)")
        require_range("site_power", site_power, 1e-9, 100.0, "W")
        self._rf, self._axes, self._curve = rf, tuple(calibrations), curve
        self._site_power, self._sites, self._rest = site_power, sites, rest
        self._separation_range, self._least_power = separation_range, least_power
        self._known: list[RFTone] | None = None  # as read or set last; None after a fault

    @property
    def capabilities(self) -> LightCapabilities:
        """What can be set; with one axis a phase is that of the moment, not a static one."""
        rf = self._rf.capabilities
        missing = []
        if rf.phase == "absent":
            missing.append("phase: the RF source cannot set phases")
        if len(self._axes) == 1:
            missing.append("static phase: tones of one AOD differ in optical frequency")
        return LightCapabilities(
            phase=rf.phase != "absent" and len(self._axes) == 2,
            position=True,
            power=True,
            power_range=(self._least_power, self._power(rf.amplitude_range[1])),
            separation_range=self._separation_range,
            phase_resolution=rf.phase_resolution,
            missing=tuple(missing),
            phase_rate=rf.update_rate,
        )

    def check(self, state: TweezerState) -> None:
        """Refuse what cannot be set; reads a source that has no phases, writes nothing.

        Raises
        ------
        InputError
            For a value out of range, or a detuning that contradicts its position.
        """
        limits, low_high = self.capabilities, self._rf.capabilities.frequency_range
        check_numbers(state, self._sites)
        for number, site in enumerate(state.sites, start=1):
            require_range(f"power of tweezer {number}", site.power, *limits.power_range, "W")
            self._check_place(number, site)
            frequencies = frequencies_of(self._axes, site.position)
            for frequency in frequencies:
                require_range(f"RF frequency of tweezer {number}", frequency, *low_high, "Hz")
            implied = self._detuning(frequencies)
            if site.detuning != 0.0 and abs(site.detuning - implied) > _SAME_DETUNING:
                raise InputError(
                    f"tweezer {number} at this position is detuned by {implied:.6g} Hz, "
                    f"{site.detuning:.6g} Hz cannot be set: an AOD ties frequency to position"
                )
        self._check_distances(state)
        check_tones(self._rf, self._tones(state))
        if self._rf.capabilities.phase == "absent":
            check_same_phases(state, self.read().state, f"{self._rf.name} has no phase command")

    def apply(self, state: TweezerState) -> AppliedLight:
        """Set the light; the state returned holds the optical detunings that the positions bring.

        Raises
        ------
        InputError
            If a value is out of range or a detuning contradicts its position; nothing has been
            changed then.
        DeviceError
            If the source fails; the last good set-point stays, except for what had been raised.
        """
        self.check(state)
        self._known = None
        set_tones(self._rf, self._tones(state))
        return self.confirm(state)

    def step(self, state: TweezerState) -> None:
        """Make one step of a ramp: send what has changed, read nothing back.

        Detunings follow from the positions of the step, not from those of the goal.
        """
        if self._known is None:
            self.read()
        known, self._known = self._known, None
        tones = [within(self._rf, tone) for tone in self._tones(state)]
        self._known = set_tones(self._rf, tones, known)

    def confirm(self, state: TweezerState) -> AppliedLight:
        """Read the light back after steps that ended at a state."""
        applied = self.read()
        error = phase_error(state, applied.state) if applied.beat == 0.0 else 0.0
        return replace(applied, phase_error=error)

    def read(self) -> AppliedLight:
        """Read the light back from the source."""
        axes, sites = len(self._axes), []
        tones = self._known = read_tones(self._rf, self._sites * axes)
        for j in range(self._sites):
            own = tones[axes * j : axes * (j + 1)]
            place, shares = list(self._rest), 1.0
            for calibration, tone in zip(self._axes, own, strict=True):
                place["xy".index(calibration.axis)] = calibration.position(tone.frequency)
                shares *= self._curve.efficiency(tone.amplitude) if tone.enabled else 0.0
            sites.append(
                Site(
                    position=(place[0], place[1], place[2]),
                    power=self._site_power * shares,
                    phase=-sum(
                        c.order * tone.phase for c, tone in zip(self._axes, own, strict=True)
                    ),
                    detuning=self._detuning([tone.frequency for tone in own]),
                )
            )
        return AppliedLight(TweezerState(tuple(sites)))

    def release(self) -> None:
        """Turn the trap light off: the particles are lost.

        Raises
        ------
        DeviceError
            If channels do not obey; names them, the others are off.
        """
        switch_off(self._rf, self._sites * len(self._axes), self._known)

    def _power(self, amplitude: float) -> float:
        """Power of a site whose tones all have this amplitude, W."""
        top = min(amplitude, self._curve.largest_amplitude)
        return self._site_power * self._curve.efficiency(top) ** len(self._axes)

    def _detuning(self, frequencies: Sequence[float]) -> float:
        shift = sum(c.detuning(f) for c, f in zip(self._axes, frequencies, strict=True))
        return 0.0 if abs(shift) < 1e-3 else shift  # rounding of crossed shifts that cancel

    def _tones(self, state: TweezerState) -> list[RFTone]:
        """Tones of a state."""
        tones = []
        for site in state.sites:
            frequencies = frequencies_of(self._axes, site.position)
            share = (site.power / self._site_power) ** (1.0 / len(self._axes))
            amplitude = self._curve.amplitude(min(share, self._curve.most))
            phases = [wrapped_phase(-self._axes[0].order * site.phase)] + [0.0] * len(
                self._axes[1:]
            )
            tones += [RFTone(f, amplitude, p) for f, p in zip(frequencies, phases, strict=True)]
        return tones

    def _check_place(self, number: int, site: Site) -> None:
        """Refuse a shift along an axis that no tone moves."""
        moved = {c.axis for c in self._axes}
        for axis, wanted, rest in zip("xyz", site.position, self._rest, strict=True):
            if axis not in moved and abs(wanted - rest) > 1e-9:
                raise InputError(
                    f"{axis} of tweezer {number} is fixed at {rest:g} m here, got {wanted:g} m"
                )

    def _check_distances(self, state: TweezerState) -> None:
        places = [site.position for site in state.sites]
        for i, a in enumerate(places):
            for j, b in enumerate(places[:i]):
                name = f"separation of tweezers {j + 1} and {i + 1}"
                require_range(name, math.dist(a, b), *self._separation_range, "m")
