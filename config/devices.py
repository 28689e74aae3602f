"""Schema of ``[devices]``: each family with its drivers, each driver with its own keys."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from .fields import (
    Accuracy,
    Bits,
    Damping,
    Delay,
    Efficiency,
    FieldOfView,
    Frequency,
    PhaseLevels,
    Power,
    RadioFrequency,
    SampleRate,
    Seed,
    Table,
    Voltage,
)

__all__ = [
    "DevicesConfig",
    "ReplayConfig",
    "SimulatedDigitizer",
    "SimulatedGate",
    "SimulatedGauge",
    "SimulatedRF",
    "SimulatedSlm",
    "SimulationConfig",
]


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str | int | float) else value


class SimulationConfig(Table):
    """Settings of the simulated laboratory as a whole: seed and clock."""

    seed: Seed = 1
    clock: Literal["real-time", "fast"] = "real-time"


class SimulatedDigitizer(Table):
    """The digitizer of the simulated laboratory; ``full_scale`` is the largest voltage."""

    driver: Literal["simulated"]
    sample_rate: SampleRate = 2e6
    bits: Bits = 16
    full_scale: Voltage = 1.0


class ReplayConfig(Table):
    """Plays a recorded file: a run file, NPZ, LeCroy ``.raw``/``.trc``, or CSV with a rate."""

    driver: Literal["replay"]
    path: Annotated[str, Field(min_length=1)]
    speed: Literal["real-time", "fast"] = "real-time"
    loop: bool = False
    sample_rate: SampleRate | None = None


class SimulatedSlm(Table):
    """The SLM of the simulated laboratory: full field of view, levels, settling."""

    driver: Literal["simulated"]
    field_of_view: FieldOfView = 60e-6
    phase_levels: PhaseLevels = 256
    time_constant: Delay = 5e-3


class SimulatedRF(Table):
    """The RF source and AOMs of the simulated laboratory; ``site_power`` at full diffraction."""

    driver: Literal["simulated"]
    carrier: RadioFrequency = 80e6
    site_power: Power = 1.0


class SimulatedGauge(Table):
    """The gauge of the simulated laboratory: relative standard deviation of a reading."""

    driver: Literal["simulated"]
    accuracy: Accuracy = 0.01


class SimulatedGate(Table):
    """The feedback gate and loop of the simulated laboratory.

    ``damping`` is Γ/2π, one value or one per particle; ``corner`` the loop's low-pass.
    """

    driver: Literal["simulated"]
    damping: Annotated[list[Damping], BeforeValidator(_one_or_many), Field(min_length=1)] = Field(
        default_factory=lambda: [1000.0]
    )
    corner: Frequency = 250e3
    delay: Delay = 1e-6
    efficiency: Efficiency = 0.3
    closed: bool = True


class DevicesConfig(Table):
    """The devices by family."""

    digitizer: (
        Annotated[SimulatedDigitizer | ReplayConfig, Field(discriminator="driver")] | None
    ) = None
    slm: SimulatedSlm | None = None
    rf: SimulatedRF | None = None
    gauge: SimulatedGauge | None = None
    gate: SimulatedGate | None = None
