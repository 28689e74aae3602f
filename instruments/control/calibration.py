"""Calibrations of the light path: RF amplitude ↔ power, RF phase ↔ optical phase, tone ↔ position.

With the time factor exp(−iω_Lt) and an RF voltage cos(2πft + ψ) the order m = ±1 of an
acousto-optic device carries E·exp(−im(2πft + ψ)): the optical frequency shifts by +mf and the
optical phase is arg E = −mψ + offset. An RF phase therefore enters with the sign −m, and is an
optical phase only at one common frequency.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np

from ...models.errors import InputError
from ...models.ranges import require_range

__all__ = [
    "AodCalibration",
    "AomCalibration",
    "EfficiencyCurve",
    "SineEfficiency",
    "TabulatedEfficiency",
]


class EfficiencyCurve(Protocol):
    """Diffraction efficiency against RF amplitude, rising from 0."""

    @property
    def most(self) -> float:
        """Largest efficiency."""
        ...

    @property
    def largest_amplitude(self) -> float:
        """Amplitude of the largest efficiency, V."""
        ...

    def efficiency(self, amplitude: float) -> float:
        """Efficiency at an amplitude in V."""
        ...

    def amplitude(self, efficiency: float) -> float:
        """Amplitude, V, of an efficiency."""
        ...


@dataclass(frozen=True)
class SineEfficiency:
    """η = most · sin²(πV/(2 full_amplitude)), the curve of an ideal acousto-optic device.

    Attributes
    ----------
    full_amplitude : float
        Amplitude of the first maximum, V peak.
    most : float
        Efficiency there; 0 … 1.
    """

    full_amplitude: float
    most: float = 1.0

    def __post_init__(self) -> None:
        require_range("full_amplitude", self.full_amplitude, 1e-6, 1e3, "V")
        require_range("efficiency", self.most, 1e-6, 1.0)

    @property
    def largest_amplitude(self) -> float:
        """Amplitude of the largest efficiency, V."""
        return self.full_amplitude

    def efficiency(self, amplitude: float) -> float:
        """Efficiency at an amplitude in V."""
        return self.most * math.sin(0.5 * math.pi * amplitude / self.full_amplitude) ** 2

    def amplitude(self, efficiency: float) -> float:
        """Amplitude, V, of an efficiency.

        Raises
        ------
        InputError
            For an efficiency beyond the largest.
        """
        require_range("efficiency", efficiency, 0.0, self.most)
        return self.full_amplitude * 2.0 / math.pi * math.asin(math.sqrt(efficiency / self.most))


@dataclass(frozen=True)
class TabulatedEfficiency:
    """A measured curve, interpolated without overshoot (PCHIP).

    Attributes
    ----------
    amplitudes : tuple of float
        V peak, rising, from 0.
    efficiencies : tuple of float
        0 … 1, rising, from 0.

    Raises
    ------
    InputError
        For tables that do not rise or do not match.
    """

    amplitudes: tuple[float, ...]
    efficiencies: tuple[float, ...]

    def __post_init__(self) -> None:
        volts, shares = np.asarray(self.amplitudes), np.asarray(self.efficiencies)
        if len(volts) != len(shares) or len(volts) < 3:
            raise InputError(
                f"an efficiency table needs at least 3 pairs, got {len(volts)} amplitudes and "
                f"{len(shares)} efficiencies"
            )
        rising = (np.diff(volts) > 0.0).all() and (np.diff(shares) > 0.0).all()
        if not rising or volts[0] != 0.0 or shares[0] != 0.0 or shares[-1] > 1.0:
            raise InputError(
                "an efficiency table must rise strictly from (0 V, 0) up to at most efficiency 1"
            )

    @cached_property
    def _forward(self) -> Any:
        from scipy import interpolate  # only measured curves need it, and it loads slowly

        return interpolate.PchipInterpolator(self.amplitudes, self.efficiencies)

    @property
    def most(self) -> float:
        """Largest efficiency."""
        return self.efficiencies[-1]

    @property
    def largest_amplitude(self) -> float:
        """Amplitude of the largest efficiency, V."""
        return self.amplitudes[-1]

    def efficiency(self, amplitude: float) -> float:
        """Efficiency at an amplitude in V; beyond the table its last value."""
        return float(self._forward(min(max(amplitude, 0.0), self.amplitudes[-1])))

    def amplitude(self, efficiency: float) -> float:
        """Amplitude, V, of an efficiency.

        Raises
        ------
        InputError
            For an efficiency beyond the largest.
        """
        require_range("efficiency", efficiency, 0.0, self.most)
        # The interpolant is monotone: its root is unique.
        roots = self._forward.solve(efficiency, extrapolate=False)
        return float(roots[0]) if len(roots) else self.amplitudes[-1]


@dataclass(frozen=True)
class AomCalibration:
    """One acousto-optic modulator in front of one site.

    Attributes
    ----------
    site_power : float
        Power of the site at efficiency 1, W.
    curve : EfficiencyCurve
        Diffraction efficiency.
    carrier : float
        RF frequency of zero detuning, Hz.
    order : {1, -1}
        Diffraction order.
    phase_offset : float
        arg E at RF phase 0, rad.
    passes : {1, 2}
        A double pass shifts frequency and phase twice.
    """

    site_power: float
    curve: EfficiencyCurve
    carrier: float
    order: Literal[1, -1] = 1
    phase_offset: float = 0.0
    passes: Literal[1, 2] = 1

    def __post_init__(self) -> None:
        require_range("site_power", self.site_power, 1e-9, 100.0, "W")
        require_range("carrier", self.carrier, 1e4, 1e10, "Hz")
        if self.order not in (1, -1) or self.passes not in (1, 2):
            raise InputError(
                f"order must be 1 or -1 and passes 1 or 2, got {self.order!r} and {self.passes!r}"
            )

    @property
    def largest_power(self) -> float:
        """Power at the largest efficiency, W."""
        return self.site_power * self.curve.most

    def power(self, amplitude: float) -> float:
        """Power of the site, W, at an amplitude in V."""
        return self.site_power * self.curve.efficiency(amplitude)

    def amplitude(self, power: float) -> float:
        """Amplitude, V, for a power in W.

        Raises
        ------
        InputError
            For a power beyond full diffraction.
        """
        require_range("power", power, 0.0, self.largest_power, "W")
        return self.curve.amplitude(min(power / self.site_power, self.curve.most))

    def optical_phase(self, rf_phase: float) -> float:
        """Optical phase arg E, rad, of an RF phase in rad."""
        return self.phase_offset - self.order * self.passes * rf_phase

    def rf_phase(self, optical_phase: float) -> float:
        """RF phase, rad, of an optical phase in rad."""
        return (self.phase_offset - optical_phase) * self.order / self.passes

    def detuning(self, frequency: float) -> float:
        """Optical detuning, Hz, of an RF frequency in Hz."""
        return self.order * self.passes * (frequency - self.carrier)

    def frequency(self, detuning: float) -> float:
        """RF frequency, Hz, of an optical detuning in Hz."""
        return self.carrier + self.order * detuning / self.passes


@dataclass(frozen=True)
class AodCalibration:
    """One axis of an acousto-optic deflector: a tone's frequency is a position.

    d = λ f Δν/v, with the optical frequency shifted by the same Δν.

    Attributes
    ----------
    centre : float
        RF frequency of the position 0, Hz.
    scale : float
        Position per frequency, λf/v, m/Hz; negative if the axis is turned round.
    axis : {"x", "y"}
        Along which the tones move their spots.
    order : {1, -1}
        Diffraction order.
    """

    centre: float
    scale: float
    axis: Literal["x", "y"] = "x"
    order: Literal[1, -1] = 1

    def __post_init__(self) -> None:
        require_range("centre", self.centre, 1e4, 1e10, "Hz")
        require_range("|scale|", abs(self.scale), 1e-18, 1e-6, "m/Hz")
        if self.axis not in ("x", "y") or self.order not in (1, -1):
            raise InputError(f"axis must be x or y and order 1 or -1, got {self.axis!r}")

    @classmethod
    def of_optics(
        cls,
        centre: float,
        wavelength: float,
        focal_length: float,
        acoustic_velocity: float,
        *,
        axis: Literal["x", "y"] = "x",
        order: Literal[1, -1] = 1,
    ) -> AodCalibration:
        """Scale from λ (m), the effective focal length (m) and the velocity of sound (m/s)."""
        require_range("acoustic_velocity", acoustic_velocity, 100.0, 2e4, "m/s")
        scale = order * wavelength * focal_length / acoustic_velocity
        return cls(centre, scale, axis, order)

    def position(self, frequency: float) -> float:
        """Position along the axis, m, of a frequency in Hz."""
        return self.scale * (frequency - self.centre)

    def frequency(self, position: float) -> float:
        """RF frequency, Hz, of a position in m."""
        return self.centre + position / self.scale

    def detuning(self, frequency: float) -> float:
        """Optical detuning, Hz, of an RF frequency in Hz."""
        return self.order * (frequency - self.centre)


def frequencies_of(
    calibrations: Sequence[AodCalibration], position: Sequence[float]
) -> list[float]:
    """Tone of every axis, Hz, for a position (x, y, z) in m."""
    return [c.frequency(position["xy".index(c.axis)]) for c in calibrations]
