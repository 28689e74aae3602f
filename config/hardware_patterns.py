"""Schema of ``[devices.pattern]`` for real devices, and the player's options that a rig implies."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from ..models.errors import InputError
from .fields import Ordinal, PhaseScale, PowerScale, Text, Timeout
from .hardware import HardwareTable, NiGateTable

__all__ = ["NiPatternTable", "with_gate"]


class NiPatternTable(HardwareTable):
    """The NI card whose inputs are the digitizer plays the feedback line, phase and power.

    The line is that of the gate unless ``feedback_line`` or ``feedback_counter`` is given;
    ``offset`` is what ``optobind instruments test`` measures.
    """

    driver: Literal["ni"]
    device: Text | None = None
    feedback_line: Text | None = None
    feedback_counter: Text | None = None
    active_high: bool | None = None
    phase_output: Text | None = None
    phase_scale: PhaseScale | None = None
    power_output: Text | None = None
    power_scale: PowerScale | None = None
    power_trap: Annotated[
        Literal["all", "1", "2"],
        BeforeValidator(lambda trap: str(trap) if trap in (1, 2) else trap),
    ] = "all"
    offset: Ordinal = 1
    grpc: Text | None = None
    timeout: Timeout = 5.0

    def options(self) -> dict[str, Any]:
        """Options of the driver, in SI."""
        options = super().options()
        if "phase_scale" in options:
            options["volts_per_rad"] = options.pop("phase_scale")
        if "power_scale" in options:
            options["volts_per_share"] = options.pop("power_scale")
        return options


def with_gate(options: dict[str, Any], gate: object) -> dict[str, Any]:
    """Options of an NI player, completed by what the table of the gate says of their line.

    Parameters
    ----------
    options : dict
        Of the player.
    gate : object
        Table of the gate.

    Raises
    ------
    InputError
        If the two contradict each other, or nobody says how the feedback is switched.
    """
    named = "feedback_line" in options or "feedback_counter" in options
    if isinstance(gate, NiGateTable):
        lines = [gate.line] if isinstance(gate.line, str) else gate.line
        if not named and len(lines) > 1:
            raise InputError(
                f"devices.pattern plays one line, but devices.gate has {len(lines)} "
                f"({', '.join(lines)}): wire the feedback to one of them"
            )
        if not named:
            options["feedback_line"] = lines[0]
        if options.setdefault("active_high", gate.active_high) is not gate.active_high:
            raise InputError(
                f"devices.pattern.active_high is {str(options['active_high']).lower()}, that of "
                "devices.gate is not: they switch the same feedback"
            )
        for key in ("device", "grpc"):
            if getattr(gate, key) is not None:
                options.setdefault(key, getattr(gate, key))
    elif not named:
        raise InputError(
            "devices.pattern needs feedback_line or feedback_counter: devices.gate is no NI line"
        )
    return options
