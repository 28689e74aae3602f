"""The devices of an experiment with what is known about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ..models.array import TrapArray
from ..models.light import TweezerState
from .controller_protocol import FeedbackController
from .knob_protocol import KnobDevice, SensorDevice
from .patterns import PatternPlayer
from .protocols import Device, Digitizer, Gate, Gauge, RFSource, SpotSLM, TweezerControl

__all__ = ["SLOW_FAMILIES", "DetectorChannel", "Rig", "World"]

SLOW_FAMILIES = ("gauge", "knob", "sensor")
"""Families that take their time: a thread of their own asks them, nobody waits for them."""


class World(Protocol):
    """What a session may ask of a simulated laboratory beside its devices."""

    @property
    def lost(self) -> tuple[bool, ...]:
        """Which particles are lost."""
        ...

    @property
    def damping(self) -> tuple[float, ...]:
        """Rate at which feedback damps each particle, rad/s."""
        ...

    def reload(self) -> None:
        """Put lost particles back into their traps.

        Raises
        ------
        NotTrappedError
            If the light does not hold them; nothing has changed then.
        """
        ...

    def growth_rate(self, gate: bool | None = None, light: TweezerState | None = None) -> float:
        """Growth rate of the closed loop, 1/s, as gate and light are or would be.

        Negative if stable.

        Raises
        ------
        InputError
            For light that does not hold the particles, or cannot be described.
        """
        ...

    def set_gate(self, closed: bool) -> None:
        """Close (True) or open the feedback gate."""
        ...

    def truth(self) -> dict[str, float]:
        """Values that a pair fit of the out-of-loop record should find.

        Raises
        ------
        InputError
            Unless exactly two particles are there.
        """
        ...

    def renew(self, seed: int) -> None:
        """Begin anew with a seed: what follows depends on light, gas and seed alone.

        Raises
        ------
        InputError
            While a particle is lost or a pattern is played.
        """
        ...

    def warm_up(self) -> None:
        """Get ready for the first sample; takes seconds when kernels must be compiled."""
        ...


@dataclass(frozen=True)
class DetectorChannel:
    """What one digitizer channel sees.

    Attributes
    ----------
    channel : int
        Column of the samples.
    name : str
        Shown in plots.
    particle : int or None
        Index of the particle whose z it sees; None for a monitor.
    role : {"out_of_loop", "in_loop", "monitor"}
        In-loop records are squashed by feedback: fits take out-of-loop channels.
    volts_per_metre : float
        Calibration as the experimenter believes it, > 0.
    polarity : {1, -1}
        Sign of the voltage for positive z; a reversed sign flips g_r, g_a and Re D_12 together.
    low, high : float or None
        Limits of a monitor, V: it is watched, and told when its voltage leaves them.
    delay : float
        By how much it is sampled later than the sample clock says, s; what the digitizer tells of
        its channels comes on top.
    lowpass : float or None
        Corner of its one-pole low-pass, Hz; None for a flat detector, or one that is not known.
    """

    channel: int
    name: str
    particle: int | None
    role: Literal["out_of_loop", "in_loop", "monitor"] = "out_of_loop"
    volts_per_metre: float = 1.0
    polarity: Literal[1, -1] = 1
    low: float | None = None
    high: float | None = None
    delay: float = 0.0
    lowpass: float | None = None


@dataclass
class Rig:
    """Devices by family, the detectors' map, and the particles and light as configured.

    Attributes
    ----------
    name : str
        Name of the rig.
    mode : {"LIVE", "SIM", "REPLAY", "RECORD"}
        Where the samples come from.
    trap : TrapArray or None
        Particles, tweezers and gas as configured; None when replaying a foreign record.
    detectors : tuple of DetectorChannel
        In the order of the channels.
    config : dict
        The complete configuration as JSON values, stored in each run file.
    pattern : PatternPlayer or None
        Plays levels and waveforms on the sample clock; without it the gate is switched by calls.
    controller : FeedbackController or None
        Has gain, phase and band of the feedback loops.
    knobs, sensors : dict
        What can be turned and looked at beside the light and the gas, by the names that plans and
        records use; each device is named after its family and itself, such as "knob laser".
    world : World or None
        The simulated world, for the comparison of estimates with the truth; None on hardware.
    seed : int or None
        Seed of the simulation.
    warnings : tuple of str
        What the user has to know before particles are entrusted to this rig; said on connecting.

    Examples
    --------
    >>> import optobind as ob
    >>> ob.load_rig("simulated-pair")
    <Rig simulated-pair: SIM, channels z1, z2, devices gauge, slm, rf, gate, pattern, digitizer>
    """

    name: str
    mode: Literal["LIVE", "SIM", "REPLAY", "RECORD"]
    digitizer: Digitizer
    detectors: tuple[DetectorChannel, ...]
    trap: TrapArray | None = None
    light: TweezerControl | None = None
    gate: Gate | None = None
    gauge: Gauge | None = None
    slm: SpotSLM | None = None
    rf: RFSource | None = None
    pattern: PatternPlayer | None = None
    controller: FeedbackController | None = None
    knobs: dict[str, KnobDevice] = field(default_factory=dict)
    sensors: dict[str, SensorDevice] = field(default_factory=dict)
    drivers: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    world: World | None = None
    seed: int | None = None
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Name, mode, channels and devices in one line."""
        channels = ", ".join(detector.name for detector in self.detectors)
        families = ", ".join(family for family, _ in self.devices())
        return f"<Rig {self.name}: {self.mode}, channels {channels}, devices {families}>"

    def devices(self) -> Iterator[tuple[str, Device]]:
        """All devices as (family, device), in the order in which they are connected.

        The family of a knob or sensor holds its name: "knob laser".
        """
        for _, named in self.named():
            yield named.name, named
        for family in ("gauge", "slm", "rf", "gate", "pattern", "controller", "digitizer"):
            device = getattr(self, family)
            if device is not None:
                yield family, device

    def named(self) -> Iterator[tuple[str, KnobDevice | SensorDevice]]:
        """Knobs, then sensors, with their names in plans and records."""
        yield from self.knobs.items()
        yield from self.sensors.items()

    def driven(self) -> Iterator[tuple[str, Device]]:
        """Devices that the runner's thread drives: all but the slow ones."""
        return (pair for pair in self.devices() if pair[0].split()[0] not in SLOW_FAMILIES)

    def channels(self, role: str = "out_of_loop") -> tuple[DetectorChannel, ...]:
        """Detectors of one role, ordered by particle."""
        chosen = [d for d in self.detectors if d.role == role and d.particle is not None]
        return tuple(sorted(chosen, key=lambda d: d.particle if d.particle is not None else 0))
