"""Schema of ``[devices.light]``: how SLM and RF make the light, with the calibration of the path.

``control`` says what acts: "slm+rf" (an SLM places the spots, one AOM each), "slm", "aom" (fixed
beams), "aod". Slew rates and tolerances hold for every one of them.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from .fields import (
    Amplitude,
    Efficiency,
    FocalLength,
    LeastPower,
    Phase,
    PhaseTolerance,
    Position,
    PositionScale,
    PositionSlew,
    Power,
    PowerSlew,
    RadioFrequency,
    Share,
    Table,
    Tolerance,
    Velocity,
    Voltage,
)

__all__ = [
    "AodAxis",
    "AodLight",
    "AomLight",
    "EfficiencyKeys",
    "LightTable",
    "SlmLight",
    "SlmRfLight",
]


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str | int | float) else value


class LightTable(Table):
    """Keys of every control: the darkest trap allowed, slew rates and tolerances."""

    least_power: LeastPower = 0.01
    power_slew: PowerSlew = math.inf
    position_slew: PositionSlew = math.inf
    power_tolerance: Share = 0.05
    position_tolerance: Tolerance = 5e-8
    phase_tolerance: PhaseTolerance = 0.1


class EfficiencyKeys(Table):
    """Diffraction efficiency: sin² up to ``full_amplitude``, or a table of what was measured."""

    full_amplitude: Voltage | None = None
    efficiency: Efficiency | None = None
    amplitudes: list[Amplitude] | None = None
    efficiencies: list[Share] | None = None

    @model_validator(mode="after")
    def _one_curve(self) -> EfficiencyKeys:
        table = self.amplitudes is not None and self.efficiencies is not None
        half = (self.amplitudes is None) != (self.efficiencies is None)
        if half or table == (self.full_amplitude is not None):
            raise ValueError(
                'needs either full_amplitude, such as "0.7 V", or a table of amplitudes and '
                "efficiencies of the acousto-optic device"
            )
        return self


class _Distances(Table):
    """Allowed distance between sites."""

    separation_range: Annotated[list[Position], Field(min_length=2, max_length=2)] = Field(
        default_factory=lambda: [1.5e-6, 50e-6]
    )


class SlmLight(_Distances, LightTable):
    """All by one SLM, which shares ``total_power`` out over the spots."""

    control: Literal["slm"]
    total_power: Power


class AomKeys(EfficiencyKeys):
    """One AOM a site. ``site_power`` and ``phase_offset`` may be given for each."""

    carrier: RadioFrequency
    site_power: Annotated[list[Power], BeforeValidator(_one_or_many), Field(min_length=1)]
    phase_offset: Annotated[list[Phase], BeforeValidator(_one_or_many), Field(min_length=1)] = (
        Field(default_factory=lambda: [0.0])
    )
    order: Literal[1, -1] = 1
    passes: Literal[1, 2] = 1


class SlmRfLight(AomKeys, _Distances, LightTable):
    """Positions by SLM, powers and fast phases by one AOM a spot."""

    control: Literal["slm+rf"]


class AomLight(AomKeys, LightTable):
    """Beams that stand where the tweezers of the rig stand, an AOM each."""

    control: Literal["aom"]
    allow_beat: bool = False


class AodAxis(Table):
    """One axis of a deflector; ``scale`` is λf/v, or follows from the optics."""

    axis: Literal["x", "y"] = "x"
    centre: RadioFrequency
    scale: PositionScale | None = None
    focal_length: FocalLength | None = None
    acoustic_velocity: Velocity | None = None
    order: Literal[1, -1] = 1

    @model_validator(mode="after")
    def _one_scale(self) -> AodAxis:
        optics = (self.focal_length is not None, self.acoustic_velocity is not None)
        if optics[0] != optics[1] or all(optics) == (self.scale is not None):
            raise ValueError(
                'needs either scale, such as "2.5 um/MHz", or focal_length and acoustic_velocity'
            )
        return self


class AodLight(EfficiencyKeys, _Distances, LightTable):
    """Tones of one deflector, or of two that are crossed."""

    control: Literal["aod"]
    site_power: Power
    axes: Annotated[list[AodAxis], Field(min_length=1, max_length=2)]
