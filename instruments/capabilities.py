"""What devices can do: ranges, resolutions, rates, and what a phase setting means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "DigitizerCapabilities",
    "GateCapabilities",
    "GaugeCapabilities",
    "LightCapabilities",
    "RFCapabilities",
    "SlmCapabilities",
]


@dataclass(frozen=True)
class DigitizerCapabilities:
    """Limits of a digitizer.

    Attributes
    ----------
    channels : int
        Inputs that can be sampled together.
    sample_rate_range : tuple of float
        Hz, per channel with all configured channels in use.
    full_scales : tuple of float
        Largest voltages ±V that can be chosen, V.
    bits : int
        Resolution.
    simultaneous : bool
        Whether channels are sampled at one instant; a multiplexed card delays each by a part of
        the sample period, which looks like a phase of the cross spectrum.
    start_trigger, external_clock : bool
        Whether a start trigger and a sample clock from outside can be used.
    """

    channels: int
    sample_rate_range: tuple[float, float]
    full_scales: tuple[float, ...]
    bits: int = 16
    simultaneous: bool = True
    start_trigger: bool = False
    external_clock: bool = False


@dataclass(frozen=True)
class SlmCapabilities:
    """Limits of an SLM.

    Attributes
    ----------
    field_of_view : float
        Full width within which spots can be placed, m.
    phase_levels : int
        Levels of phase between 0 and 2π.
    settling_time : float
        Time after which a new mask is as stated, s.
    phase_per_spot : bool
        Whether each spot's optical phase can be set.
    frame_rate : float
        Most masks per second, Hz; 0 if not known.
    pixels : tuple of int
        (columns, rows); (0, 0) if not known.
    """

    field_of_view: float
    phase_levels: int = 256
    settling_time: float = 0.02
    phase_per_spot: bool = True
    frame_rate: float = 0.0
    pixels: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class RFCapabilities:
    """Limits of an RF source.

    Attributes
    ----------
    channels : int
        Outputs.
    frequency_range : tuple of float
        Hz.
    amplitude_range : tuple of float
        V peak into 50 Ω.
    phase : {"absolute", "relative", "absent"}
        What a phase setting means: "absolute" keeps its meaning when the frequency changes,
        "relative" must be aligned and applied again then, "absent" cannot be set.
    phase_resolution, frequency_resolution, amplitude_resolution : float
        Steps, rad, Hz and V; 0 if not known.
    update_rate : float
        Most set-points a second, Hz; 0 if not known.
    """

    channels: int
    frequency_range: tuple[float, float]
    amplitude_range: tuple[float, float]
    phase: Literal["absolute", "relative", "absent"] = "relative"
    phase_resolution: float = 0.0
    frequency_resolution: float = 0.0
    amplitude_resolution: float = 0.0
    update_rate: float = 0.0


@dataclass(frozen=True)
class GaugeCapabilities:
    """Limits of a gauge: range (Pa), whether its reading depends on the gas, readings a second."""

    pressure_range: tuple[float, float]
    depends_on_gas: bool = False
    update_rate: float = 1.0


@dataclass(frozen=True)
class GateCapabilities:
    """How a gate switches.

    Attributes
    ----------
    delay : float
        From the command until the gate acts, s, as far as known.
    jitter : float
        Spread of that delay, s; a gate switched by software jitters by milliseconds.
    hardware_timed : bool
        Whether it switches on the sample clock.
    """

    delay: float = 0.0
    jitter: float = 0.0
    hardware_timed: bool = False


@dataclass(frozen=True)
class LightCapabilities:
    """What a TweezerControl can set.

    Attributes
    ----------
    phase, position, power : bool
        What can be set.
    power_range : tuple of float
        Power of one site, W.
    separation_range : tuple of float
        Distance between sites, m.
    phase_resolution : float
        Step of φ, rad.
    missing : tuple of str
        What cannot be set, and why.
    phase_rate : float
        How often φ can change a second, Hz; 0 if not known.
    """

    phase: bool
    position: bool
    power: bool
    power_range: tuple[float, float]
    separation_range: tuple[float, float]
    phase_resolution: float = 0.0
    missing: tuple[str, ...] = ()
    phase_rate: float = 0.0
