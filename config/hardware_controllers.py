"""Schema of ``[devices.controller]``: the feedback loops and their limits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from .fields import (
    Damping,
    Delay,
    Frequency,
    GainError,
    Ordinal,
    Phase,
    Port,
    Table,
    Text,
)
from .hardware import HardwareTable

if TYPE_CHECKING:
    from ..instruments.controller_protocol import FeedbackController

__all__ = ["LIMITS", "SimulatedController", "ZurichControllerTable", "within_limits"]

LIMITS = ("max_gain", "gain_slew")
"""Keys of every controller that are the rig's, not the driver's."""

PositiveNumber = Annotated[float, Field(gt=0.0, lt=1e18, allow_inf_nan=False)]
_Loops = Annotated[list[Ordinal], Field(min_length=1, max_length=8)]


def _one_or_many(value: object) -> object:
    return value if isinstance(value, list) else [value]


class SimulatedController(Table):
    """The feedback controller of the simulated laboratory.

    It begins with the ``damping`` of ``[devices.gate]`` as gain and with ``phase`` as lead.
    ``phase_offset`` and ``gain_error`` are what nobody tells the experimenter. Each is one value,
    or one for each loop. ``max_gain`` is Γ/2π.
    """

    driver: Literal["simulated"]
    phase: Annotated[list[Phase], BeforeValidator(_one_or_many), Field(min_length=1)] = Field(
        default_factory=lambda: [0.0]
    )
    phase_offset: Annotated[list[Phase], BeforeValidator(_one_or_many), Field(min_length=1)] = (
        Field(default_factory=lambda: [0.0])
    )
    gain_error: Annotated[list[GainError], BeforeValidator(_one_or_many), Field(min_length=1)] = (
        Field(default_factory=lambda: [0.0])
    )
    max_gain: Damping | None = None

    def limits(self) -> dict[str, float]:
        """Limits of the rig in the controller's unit, 1/s."""
        return {} if self.max_gain is None else {"max_gain": math.tau * self.max_gain}


class ZurichControllerTable(HardwareTable):
    """Loops of a Zurich Instruments lock-in: a demodulator and an auxiliary output each."""

    driver: Literal["zurich"]
    device: Text
    demods: _Loops = Field(default_factory=lambda: [0, 1])
    auxouts: _Loops = Field(default_factory=lambda: [0, 1])
    host: Text | None = None
    port: Port | None = None
    api_level: Literal[1, 6] | None = None
    interface: Text | None = None
    max_scale: PositiveNumber | None = None
    frequency_range: Annotated[list[Frequency], Field(min_length=2, max_length=2)] | None = None
    settling: Delay | None = None
    max_gain: PositiveNumber | None = None
    gain_slew: PositiveNumber | None = None


def within_limits(controller: FeedbackController, limits: dict[str, Any]) -> FeedbackController:
    """Put a controller within the limits of a rig; as it is where there are none."""
    from ..instruments.controllers.limited import LimitedController, LoopLimits

    given = {name: float(value) for name, value in limits.items() if value is not None}
    return LimitedController(controller, LoopLimits(**given)) if given else controller
