"""Schema of rigs: what a rig file may hold, in SI after validation.

All keys of the particles, the light and the gas are fixed; ``[devices]`` is described in
:mod:`.devices`. Detectors and devices may be absent: predictions need neither.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from ..models.gas import GAS_SPECIES
from ..models.sphere import MATERIALS
from ..models.units import shorten
from .devices import DevicesConfig, SimulationConfig
from .fields import (
    Accuracy,
    Bandwidth,
    Charge,
    Delay,
    Density,
    Detuning,
    Efficiency,
    ElectronicNoise,
    Frequency,
    Gain,
    GainError,
    Index,
    Jones,
    Offset,
    Ordinal,
    Phase,
    Position,
    Power,
    Pressure,
    Radius,
    Table,
    Temperature,
    Waist,
    Wavelength,
)

__all__ = ["DetectorConfig", "GasConfig", "ParticleConfig", "RigConfig", "TweezerConfig"]


def _axes(value: object) -> object:
    """Read a measured frequency: the axial one alone, or those along x, y and z."""
    return [value] if isinstance(value, str | int | float) else value


class ParticleConfig(Table):
    """One particle; ``material`` supplies density and index where they are not given.

    ``radius_error`` and ``density_error`` are relative standard errors; fits take them for what
    they know of the damping by the gas beforehand.
    """

    radius: Radius
    radius_error: Accuracy | None = None
    density_error: Accuracy | None = None
    density: Density | None = None
    index: Index | None = None
    charge: Charge = 0.0
    material: str | None = None
    measured_frequency: Annotated[list[Frequency], BeforeValidator(_axes)] | None = None

    @field_validator("material")
    @classmethod
    def _known_material(cls, value: str | None) -> str | None:
        if value is not None and value not in MATERIALS:
            raise ValueError(
                f"{shorten(value)} is not known; known: {', '.join(sorted(MATERIALS))}"
            )
        return value

    @field_validator("measured_frequency")
    @classmethod
    def _one_or_three(cls, value: list[float] | None) -> list[float] | None:
        if value is not None and len(value) not in (1, 3):
            raise ValueError(
                f"needs the axial frequency or three (x, y, z), got {len(value)} entries"
            )
        return value

    @model_validator(mode="after")
    def _complete(self) -> ParticleConfig:
        if self.material is None:
            for key, example in (("density", '"1850 kg/m^3"'), ("index", "1.45")):
                if getattr(self, key) is None:
                    raise ValueError(
                        f"lacks {key} (such as {example}) or material "
                        f"(one of {', '.join(sorted(MATERIALS))})"
                    )
        return self


class TweezerConfig(Table):
    """One focused beam; the order of the tweezers is that of the particles."""

    position: Annotated[list[Position], Field(min_length=3, max_length=3)]
    power: Power
    waist_x: Waist
    waist_y: Waist
    phase: Phase = 0.0
    polarization: Jones = (0j, 1.0 + 0j)
    detuning: Detuning = 0.0
    direction: Literal[1, -1] = 1


class GasConfig(Table):
    """Residual gas.

    ``pressure_error`` is the relative standard error of the pressure, where no gauge is read: with
    it fits take the damping by the gas for known.
    """

    pressure: Pressure
    pressure_error: Accuracy | None = None
    temperature: Temperature = 293.0
    species: str = "air"

    @field_validator("species")
    @classmethod
    def _known_species(cls, value: str) -> str:
        if value not in GAS_SPECIES:
            raise ValueError(
                f"{shorten(value)} is not known; known: {', '.join(sorted(GAS_SPECIES))}"
            )
        return value


class DetectorConfig(Table):
    """What one digitizer channel sees; ``particle`` counts from 0 and is absent for a monitor.

    ``volts_per_metre`` and ``polarity`` are the calibration as the experimenter believes it,
    ``delay`` (sampled later than the clock says) and ``bandwidth`` (one pole) are kept with the
    record. They and the keys from ``efficiency`` on act in the simulated laboratory; ``low`` and
    ``high`` are the limits of a monitor.
    """

    channel: Ordinal
    particle: Ordinal | None = None
    name: Annotated[str, Field(min_length=1, max_length=32)] | None = None
    role: Literal["out_of_loop", "in_loop", "monitor"] = "out_of_loop"
    polarity: Literal[1, -1] = 1
    volts_per_metre: Gain | None = None
    delay: Delay = 0.0
    efficiency: Efficiency | None = None
    noise: ElectronicNoise = 0.0
    bandwidth: Bandwidth | None = None
    offset: Offset = 0.0
    gain_error: GainError = 0.0
    low: Offset | None = None
    high: Offset | None = None

    @model_validator(mode="after")
    def _sees_something(self) -> DetectorConfig:
        if self.role != "monitor" and self.particle is None:
            raise ValueError(f"of role {self.role!r} lacks particle (counted from 0)")
        if self.role != "monitor" and (self.low is not None or self.high is not None):
            raise ValueError(f'of role {self.role!r} has limits: only role = "monitor" is watched')
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"has low = {self.low:g} V, which is not below high = {self.high:g} V")
        return self


class RigConfig(Table):
    """A whole rig."""

    wavelength: Wavelength
    particles: Annotated[list[ParticleConfig], Field(min_length=1, max_length=64)]
    tweezers: Annotated[list[TweezerConfig], Field(min_length=1, max_length=64)]
    name: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    description: str = ""
    gas: GasConfig | None = None
    detectors: list[DetectorConfig] = Field(default_factory=list)
    devices: DevicesConfig | None = None
    simulation: SimulationConfig = SimulationConfig()
    radiative_correction: bool = False

    @model_validator(mode="after")
    def _agrees(self) -> RigConfig:
        particles = len(self.particles)
        if len(self.tweezers) != particles:
            raise ValueError(
                f"holds {particles} particles but {len(self.tweezers)} tweezers: "
                "each particle needs its own, in the same order"
            )
        measured = [particle.measured_frequency for particle in self.particles]
        if len({None if m is None else len(m) for m in measured}) > 1:
            raise ValueError(
                "needs measured_frequency for all particles alike (the axial one, or x, y, z) "
                "or for none"
            )
        channels = [detector.channel for detector in self.detectors]
        if sorted(channels) != list(range(len(channels))):
            raise ValueError(
                f"has detectors on channels {channels}: they must be numbered 0 … "
                f"{len(channels) - 1}, each once"
            )
        for detector in self.detectors:
            if detector.particle is not None and detector.particle >= particles:
                raise ValueError(
                    f"has a detector of particle {detector.particle}: there are {particles}, "
                    "counted from 0"
                )
        return self
