"""Simulated SLM, RF source, gauge and feedback gate: windows onto the world."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...models.errors import DeviceError, InputError
from ...models.ranges import require_range
from ..protocols import (
    GateCapabilities,
    GaugeReading,
    RFCapabilities,
    RFTone,
    SlmCapabilities,
    SpotPattern,
)
from .device import SimulatedDevice
from .optics import SETTLED, OpticalPath
from .world import SimulatedWorld

__all__ = ["SimulatedGate", "SimulatedGauge", "SimulatedRFSource", "SimulatedSLM"]

_PASCAL_PER_MBAR = 100.0


class SimulatedSLM(SimulatedDevice):
    """An SLM of finite field, phase levels and settling time.

    ``show`` returns at once: the light settles in world time, which passes only while samples are
    taken. Wait ``capabilities.settling_time`` of the record.
    """

    def __init__(self, path: OpticalPath, world: SimulatedWorld, name: str = "slm") -> None:
        super().__init__(name)
        self._path, self._settings = path, world.settings.slm

    @property
    def capabilities(self) -> SlmCapabilities:
        """Limits."""
        return SlmCapabilities(
            field_of_view=self._settings.field_of_view,
            phase_levels=self._settings.phase_levels,
            settling_time=SETTLED * self._settings.time_constant,
        )

    def show(self, pattern: SpotPattern) -> SpotPattern:
        """Show a pattern and return the one that results.

        Raises
        ------
        InputError
            For the wrong number of spots, a spot outside the field, or weights that add up to
            more than 1; nothing has changed then.
        """
        self.check_pattern(pattern)
        return self._path.show(pattern)

    def check_pattern(self, pattern: SpotPattern) -> None:
        """Raise InputError for a pattern that :meth:`show` would refuse; changes nothing."""
        self._require_link()
        count = len(self._path.pattern.positions)
        if not len(pattern.positions) == len(pattern.weights) == len(pattern.phases) == count:
            raise InputError(f"{self.name} shows {count} spots, got {len(pattern.positions)}")
        half = 0.5 * self._settings.field_of_view
        for position in pattern.positions:
            for axis, value in zip("xyz", position, strict=True):
                require_range(f"spot {axis}", value, -half, half, "m")
        for phase in pattern.phases:
            require_range("spot phase", phase, -1e6, 1e6, "rad")
        for weight in pattern.weights:
            require_range("spot weight", weight, 0.0, 1.0)
        if sum(pattern.weights) > 1.0 + 1e-9:
            raise InputError(f"spot weights add up to {sum(pattern.weights):.6g}, at most 1")
        self._path.check(pattern, self._path.tones)

    def read(self) -> SpotPattern:
        """Return the pattern shown last."""
        self._require_link()
        return self._path.pattern


class SimulatedRFSource(SimulatedDevice):
    """A phase-locked source with one channel per site."""

    def __init__(self, path: OpticalPath, world: SimulatedWorld, name: str = "rf") -> None:
        super().__init__(name)
        self._path, self._settings = path, world.settings.rf

    @property
    def capabilities(self) -> RFCapabilities:
        """Limits."""
        return RFCapabilities(
            channels=len(self._path.tones),
            frequency_range=self._settings.frequency_range,
            amplitude_range=self._settings.amplitude_range,
            phase="relative",
            phase_resolution=self._settings.phase_resolution,
        )

    def _check_channel(self, channel: int) -> None:
        if not 0 <= channel < len(self._path.tones):
            last = len(self._path.tones) - 1
            raise InputError(f"{self.name} has channels 0 … {last}, got {channel}")

    def set_tone(self, channel: int, tone: RFTone) -> None:
        """Set one channel.

        Raises
        ------
        InputError
            For a value out of range, or a frequency for which φ neither rests nor averages out.
        """
        self._require_link()
        self._check_channel(channel)
        self._check_tone(tone)
        self._path.emit(channel, tone)

    def check_tones(self, tones: Sequence[RFTone]) -> None:
        """Raise InputError if :meth:`set_tone`, channel by channel, would; changes nothing."""
        self._require_link()
        present = list(self._path.tones)
        for channel, tone in enumerate(tones):
            self._check_channel(channel)
            self._check_tone(tone)
            present[channel] = tone
            self._path.check(self._path.pattern, present)

    def _check_tone(self, tone: RFTone) -> None:
        require_range("frequency", tone.frequency, *self._settings.frequency_range, "Hz")
        require_range("amplitude", tone.amplitude, *self._settings.amplitude_range, "V")
        require_range("phase", tone.phase, -1e6, 1e6, "rad")

    def align(self) -> None:
        """Align the phases of all channels."""
        self._require_link()
        self._path.align()

    def read_tone(self, channel: int) -> RFTone:
        """Read one channel back."""
        self._require_link()
        self._check_channel(channel)
        return self._path.tones[channel]


class SimulatedGauge(SimulatedDevice):
    """A gauge that reads the world's pressure with a relative error."""

    def __init__(self, world: SimulatedWorld, name: str = "gauge") -> None:
        super().__init__(name)
        self._world = world
        # Of its own: how often a thread asks for the pressure must not change what the light does.
        seed = world.device_rng.bit_generator.seed_seq.spawn(1)[0]  # type: ignore[attr-defined]
        self._rng = np.random.default_rng(seed)

    def read(self) -> GaugeReading:
        """Read the pressure; below 1e-11 mbar the gauge is under range."""
        self._require_link()
        gas = self._world.gas
        if gas is None:
            return GaugeReading(None, status="off")
        if gas.pressure < 1e-11 * _PASCAL_PER_MBAR:
            return GaugeReading(None, gas.species, "under range")
        spread = self._world.settings.gauge_accuracy
        factor = math.exp(spread * float(self._rng.standard_normal()))
        return GaugeReading(gas.pressure * factor, gas.species)


class SimulatedGate(SimulatedDevice):
    """The feedback gate; it acts from the next sample on, or after the delay of its switch."""

    def __init__(self, world: SimulatedWorld, name: str = "gate") -> None:
        super().__init__(name)
        self._world, self._settings = world, world.settings.feedback

    @property
    def capabilities(self) -> GateCapabilities:
        """Delay and jitter of the switch."""
        return GateCapabilities(
            delay=self._settings.switch_delay,
            jitter=self._settings.switch_jitter,
            hardware_timed=self._world.settings.pattern_offset is not None,
        )

    def set(self, closed: bool) -> None:
        """Close (True) or open the gate.

        Raises
        ------
        DeviceError
            While a pattern is armed or played: it holds the line.
        """
        self._require_link()
        if self._world.held:
            raise DeviceError(f"{self.name}: its line is held by the pattern: halt that first")
        settings = self._settings
        late = settings.switch_delay
        if settings.switch_jitter > 0.0:
            late += settings.switch_jitter * float(self._world.switch_rng.uniform(-1.0, 1.0))
        after = max(0, round(late * self._world.settings.sample_rate))
        self._world.set_gate(closed, after=after)

    def read(self) -> bool:
        """Return whether the gate is closed, as it was set last or as the pattern has it."""
        self._require_link()
        return self._world.gate_set
