"""Set-up of the simulated laboratory as plain frozen data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from ...models.errors import InputError
from ...models.ranges import require_count, require_range
from ..rig import DetectorChannel

__all__ = [
    "DetectorSettings",
    "FeedbackSettings",
    "RfSettings",
    "SlmSettings",
    "WorldSettings",
]

T = TypeVar("T")

_LONGEST_DELAY = 500


@dataclass(frozen=True)
class DetectorSettings:
    """One digitised detector: what it sees, and how well.

    A monitor (``particle`` None) shows the feedback gate: half of the ADC range while it is closed.

    Attributes
    ----------
    name : str
        Shown in plots.
    particle : int or None
        Index of the particle whose z it sees.
    role : {"out_of_loop", "in_loop", "monitor"}
        The in-loop detector of a particle feeds the feedback.
    efficiency : float
        η of S_imp = 1/(4ηD_jj), 1e-6 … 1.
    volts_per_metre : float
        Calibration as the experimenter believes it, V/m.
    polarity : {1, -1}
        Sign of the voltage for positive z.
    gain_error : float
        True gain over the believed one, minus 1.
    electronic_noise : float
        White noise after the low-pass, V/√Hz, one-sided; the feedback sees it too.
    offset : float
        Constant voltage, V.
    bandwidth : float or None
        Corner of a one-pole low-pass, Hz; None for a flat detector.
    delay : float
        By how much it is sampled later than the sample clock says, s, as on a multiplexed card;
        less than a sample.
    """

    name: str
    particle: int | None
    role: Literal["out_of_loop", "in_loop", "monitor"] = "out_of_loop"
    efficiency: float = 0.3
    volts_per_metre: float = 5e8
    polarity: Literal[1, -1] = 1
    gain_error: float = 0.0
    electronic_noise: float = 0.0
    offset: float = 0.0
    bandwidth: float | None = None
    delay: float = 0.0

    def __post_init__(self) -> None:
        where = f"detector {self.name!r}: "
        require_range(where + "efficiency", self.efficiency, 1e-6, 1.0)
        require_range(where + "volts_per_metre", self.volts_per_metre, 1e-3, 1e18, "V/m")
        require_range(where + "gain_error", self.gain_error, -0.99, 100.0)
        require_range(where + "electronic_noise", self.electronic_noise, 0.0, 1.0, "V/√Hz")
        require_range(where + "offset", self.offset, -100.0, 100.0, "V")
        if self.bandwidth is not None:
            require_range(where + "bandwidth", self.bandwidth, 1.0, 1e12, "Hz")
        require_range(where + "delay", self.delay, 0.0, 1.0, "s")
        if self.polarity not in (1, -1):
            raise InputError(f"{where}polarity must be 1 or -1, got {self.polarity!r}")
        if (self.particle is None) != (self.role == "monitor"):
            raise InputError(f"{where}a monitor has no particle, every other role needs one")

    def channel(self, index: int) -> DetectorChannel:
        """Entry of the rig's detector map."""
        return DetectorChannel(
            channel=index,
            name=self.name,
            particle=self.particle,
            role=self.role,
            volts_per_metre=self.volts_per_metre,
            polarity=self.polarity,
            delay=self.delay,
            lowpass=self.bandwidth,
        )


def _own(values: Sequence[T], particle: int, usual: T) -> T:
    """Value of a particle: its own, the only one, or the usual one."""
    if not values:
        return usual
    return values[particle] if len(values) > 1 else values[0]


@dataclass(frozen=True)
class FeedbackSettings:
    """Cold damping: force −Γ p_j at the line, from the noisy, filtered, delayed in-loop record.

    Attributes
    ----------
    damping : tuple of float
        Γ_j, rad/s (an energy damping rate); one value serves all particles.
    corner : float
        Corner of the one-pole low-pass, Hz.
    delay : float
        Time from sample to force, s; rounded to samples, at most 500 of them.
    assumed_delay : float or None
        Delay for which the phase lead was set; None for the true one.
    efficiency : float
        η of the in-loop detector of a particle that has no in-loop channel of its own.
    closed : bool
        Whether the gate is closed at the start.
    switch_delay, switch_jitter : float
        From a command to the gate until it acts, s, and by how much that varies, up or down.
    gain_error : tuple of float
        True gain of each loop over the one that is set, minus 1; empty for none. The experimenter
        does not know it.
    phase_offset : tuple of float
        By how much each loop leads beyond what is set, rad; empty for none. Unknown as well.
    phase : tuple of float
        Lead that is set, rad; empty for none.
    centre : tuple of (float or None)
        Frequency for which each loop is designed, Hz; None (or empty) to follow the line.
    corners : tuple of float
        Corners of the loops' low-passes where they differ, Hz; empty for ``corner``.
    """

    damping: tuple[float, ...] = (2.0 * math.pi * 4000.0,)
    corner: float = 250e3
    delay: float = 1e-6
    assumed_delay: float | None = None
    efficiency: float = 0.3
    closed: bool = True
    switch_delay: float = 0.0
    switch_jitter: float = 0.0
    gain_error: tuple[float, ...] = ()
    phase_offset: tuple[float, ...] = ()
    phase: tuple[float, ...] = ()
    centre: tuple[float | None, ...] = ()
    corners: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.damping:
            raise InputError("feedback damping needs at least one value")
        for value in self.damping:
            require_range("feedback damping", value, 0.0, 1e7, "rad/s")
        require_range("feedback corner", self.corner, 1.0, 1e12, "Hz")
        require_range("feedback delay", self.delay, 0.0, 0.1, "s")
        require_range("feedback efficiency", self.efficiency, 1e-6, 1.0)
        require_range("gate switch_delay", self.switch_delay, 0.0, 1.0, "s")
        require_range("gate switch_jitter", self.switch_jitter, 0.0, 1.0, "s")
        if self.assumed_delay is not None:
            require_range("feedback assumed_delay", self.assumed_delay, 0.0, 0.1, "s")
        for error in self.gain_error:
            require_range("feedback gain_error", error, -0.99, 100.0)
        for angle in (*self.phase, *self.phase_offset):
            require_range("feedback phase", angle, -1e4, 1e4, "rad")
        for corner in self.corners:
            require_range("feedback corner", corner, 1.0, 1e12, "Hz")
        for centre in self.centre:
            if centre is not None:
                require_range("feedback centre", centre, 1.0, 1e12, "Hz")

    def gain_of(self, particle: int) -> float:
        """Γ_j as it is set, rad/s."""
        return _own(self.damping, particle, 0.0)

    def phase_of(self, particle: int) -> float:
        """Lead as it is set, rad."""
        return _own(self.phase, particle, 0.0)

    def damping_of(self, particle: int) -> float:
        """Γ_j that the loop has indeed, rad/s, were its phase right."""
        return self.gain_of(particle) * (1.0 + _own(self.gain_error, particle, 0.0))

    def lead_of(self, particle: int) -> float:
        """Phase by which the force leads viscous damping, rad: damping goes as its cosine."""
        return self.phase_of(particle) + _own(self.phase_offset, particle, 0.0)

    def centre_of(self, particle: int) -> float | None:
        """Frequency for which the loop is designed, Hz; None where it follows the line."""
        return _own(self.centre, particle, None)

    def corner_of(self, particle: int) -> float:
        """Corner of the loop's low-pass, Hz."""
        return _own(self.corners, particle, self.corner)


@dataclass(frozen=True)
class SlmSettings:
    """The simulated SLM: full field of view (m), phase levels, settling time constant (s)."""

    field_of_view: float = 60e-6
    phase_levels: int = 256
    position_steps: int = 65536
    time_constant: float = 5e-3

    def __post_init__(self) -> None:
        require_range("slm field_of_view", self.field_of_view, 1e-7, 1e-2, "m")
        require_range("slm phase_levels", self.phase_levels, 2, 65536)
        require_range("slm position_steps", self.position_steps, 16, 2**31)
        require_range("slm time_constant", self.time_constant, 0.0, 10.0, "s")


@dataclass(frozen=True)
class RfSettings:
    """The simulated RF source and its AOMs.

    Attributes
    ----------
    carrier : float
        Frequency of all channels, Hz.
    frequency_range, amplitude_range : tuple of float
        Limits, Hz and V peak.
    full_amplitude : float
        Amplitude of full diffraction, V: efficiency sin²(πV/(2 V_full)).
    amplitude_resolution, phase_resolution : float
        Steps of the source, V and rad.
    site_power : float
        Power of one site at full diffraction, W.
    """

    carrier: float = 80e6
    frequency_range: tuple[float, float] = (60e6, 100e6)
    amplitude_range: tuple[float, float] = (0.0, 1.0)
    full_amplitude: float = 1.0
    amplitude_resolution: float = 1e-5
    phase_resolution: float = 2.0 * math.pi / 16384.0
    site_power: float = 1.0

    def __post_init__(self) -> None:
        low, high = self.frequency_range
        require_range("rf carrier", self.carrier, low, high, "Hz")
        require_range("rf full_amplitude", self.full_amplitude, 1e-6, 1e3, "V")
        require_range("rf amplitude_resolution", self.amplitude_resolution, 1e-12, 1.0, "V")
        require_range("rf phase_resolution", self.phase_resolution, 1e-12, 1.0, "rad")
        require_range("rf site_power", self.site_power, 1e-6, 100.0, "W")


@dataclass(frozen=True)
class WorldSettings:
    """Everything about the simulated laboratory but particles, light and gas.

    Attributes
    ----------
    sample_rate : float
        Hz per channel.
    seed : int
        Same seed, same record.
    real_time : bool
        False for a virtual clock, as fast as possible.
    adc_range : float
        Largest voltage, V: the ADC covers ± this.
    adc_bits : int
        2 … 16.
    driver_buffer : float
        Samples that a late reader still gets, s; at least 2 for real time. When there are more, all
        are lost.
    detectors : tuple of DetectorSettings
        In the order of the digitizer's channels.
    cross_talk : tuple of tuple of float
        Matrix (channels × channels) that mixes the detectors' signals; empty for none.
    feedback, slm, rf
        The other parts.
    gauge_accuracy : float
        Relative standard deviation of a gauge reading.
    pattern_offset : int or None
        Samples by which edges of a pattern act late; None for a laboratory without a player.
    """

    sample_rate: float = 1e6
    seed: int = 1
    real_time: bool = True
    adc_range: float = 1.0
    adc_bits: int = 16
    driver_buffer: float = 2.0
    detectors: tuple[DetectorSettings, ...] = ()
    cross_talk: tuple[tuple[float, ...], ...] = ()
    feedback: FeedbackSettings = field(default_factory=FeedbackSettings)
    slm: SlmSettings = field(default_factory=SlmSettings)
    rf: RfSettings = field(default_factory=RfSettings)
    gauge_accuracy: float = 0.01
    pattern_offset: int | None = None

    def __post_init__(self) -> None:
        require_range("sample_rate", self.sample_rate, 1.0, 1e10, "Hz")
        require_count("seed", self.seed, 0, 2**63 - 1)
        require_range("adc_range", self.adc_range, 1e-6, 1e3, "V")
        require_range("adc_bits", self.adc_bits, 2, 16)
        require_range("driver_buffer", self.driver_buffer, 0.0, 1e4, "s")
        require_range("gauge_accuracy", self.gauge_accuracy, 0.0, 1.0)
        if self.pattern_offset is not None:
            require_count("pattern_offset", self.pattern_offset, 0, 1000)
        # Each sample of delay is a state of the exact closed loop.
        longest = _LONGEST_DELAY / self.sample_rate
        require_range("feedback delay", self.feedback.delay, 0.0, longest, "s")
        for detector in self.detectors:
            where = f"detector {detector.name!r}: delay"
            require_range(where, detector.delay, 0.0, 1.0 / self.sample_rate, "s")
        size = len(self.detectors)
        if self.cross_talk and [len(row) for row in self.cross_talk] != [size] * size:
            raise InputError(f"cross_talk must be {size} × {size} for {size} detectors")
